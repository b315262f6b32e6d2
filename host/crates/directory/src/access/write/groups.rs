//! Groups: created, changed, moved, deleted, restored.

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    Plan, Planning,
    check::{self, AttributesSet},
    targets::{Problems, expect, refused},
};
use crate::access::{
    Directory, Sealed,
    decide::Decision,
    facts::{Deed, Facts, Planned, RowSet},
};
use crate::{
    Error, Problem, Refusal, Rule,
    change::{Change, DeleteMode, GroupAfter, NewGroup, NewMembership},
    ids::{DeletionId, GroupId, MembershipId, UserId},
    limits::{BULK, CHECK_ROWS, SUBTREE_GROUPS},
    model::{Deleted, Deletion, Field, Group, Role, Version},
    query::{Order, Window},
    register::Kind,
    scope::Scope,
    store::{AmongGroups, AmongMemberships, GroupList, IdSource, MembershipList, Sight},
    text::fold,
};

/// A new group.
#[derive(Clone, Debug, Default)]
pub struct CreateGroup {
    /// Its parent; `None` for the first level.
    pub parent: Option<GroupId>,
    /// Its name.
    pub name: String,
    /// Stable, unique in the workspace; made of the name if none is given.
    pub key: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Custom attributes.
    pub attributes: AttributesSet,
}

/// Fields of a group.
#[derive(Clone, Debug)]
pub struct UpdateGroup {
    /// Which.
    pub group: GroupId,
    /// The version that the caller has seen.
    pub expected: Option<i64>,
    /// Its name.
    pub name: Option<String>,
    /// For people; `Some(None)` clears it.
    pub description: Option<Option<String>>,
    /// Custom attributes to set; those without a value are unassigned.
    pub attributes: AttributesSet,
}

/// A group goes below another, with everything below it.
#[derive(Clone, Debug)]
pub struct MoveGroup {
    /// Which.
    pub group: GroupId,
    /// The version that the caller has seen.
    pub expected: Option<i64>,
    /// Its new parent; `None` for the first level.
    pub to: Option<GroupId>,
}

/// A group goes to the recycle bin.
#[derive(Clone, Debug)]
pub struct DeleteGroup {
    /// Which.
    pub group: GroupId,
    /// The version that the caller has seen.
    pub expected: Option<i64>,
    /// What becomes of what is in it.
    pub mode: DeleteMode,
}

/// A group comes back from the recycle bin.
#[derive(Clone, Debug)]
pub struct RestoreGroup {
    /// Which.
    pub group: GroupId,
    /// Another name, where its own is taken by now.
    pub name: Option<String>,
    /// Another key, where its own is taken by now.
    pub key: Option<String>,
    /// Another place: `Some(None)` for the first level.
    pub parent: Option<Option<GroupId>>,
}

impl Directory {
    /// See [`CreateGroup`].
    pub(super) async fn plan_create_group(&self, asked: &CreateGroup, ids: &mut dyn IdSource) -> Planning {
        let (group, _) = self.draft_group(asked, "", ids).await?;
        let answer = vec![group.id.0];
        Ok(Plan::of(Change::CreateGroup(group), answer))
    }

    /// Checks and decides a group to be; also as a row.
    pub(super) async fn draft_group(&self, asked: &CreateGroup, at: &str, ids: &mut dyn IdSource) -> Result<(NewGroup, Group), Refusal> {
        let mut problems = Problems::default();
        let parent = self.place(asked.parent, &format!("{at}parentId")).await?;
        let declared = self.declared().await?;
        let id = GroupId(ids.next_id());
        let name = problems.keep(&format!("{at}name"), check::name(&asked.name)).unwrap_or_default();
        let key = match &asked.key {
            Some(key) => problems.keep(&format!("{at}key"), check::stable_key(key)).unwrap_or_default(),
            None => default_key(&name, "group", id.0),
        };
        let description = asked.description.as_deref();
        let description = description.and_then(|text| problems.keep(&format!("{at}description"), check::description(text)));
        let attributes = check::attributes(&Vec::new(), &asked.attributes, &declared, &format!("{at}attributes"), &mut problems.0);
        let mut fields = vec!["name".to_owned()];
        fields.extend(asked.key.as_ref().map(|_| "key".to_owned()));
        fields.extend(asked.description.as_ref().map(|_| "description".to_owned()));
        fields.extend(asked.attributes.iter().map(|(name, _)| format!("attributes.{name}")));
        let row = Group {
            id,
            parent: asked.parent,
            depth: parent.depth + 1,
            key: Field::Shown(key.clone()),
            name: Field::Shown(name.clone()),
            description: Field::Shown(description.clone()),
            attributes: attributes.clone(),
            created_by: self.subject.user(),
            created_at: self.now,
            updated_at: self.now,
            version: Version(1),
            withheld: Vec::new(),
        };
        let planned = Planned { groups: vec![row.clone()], ..Planned::default() };
        let deed = Deed {
            rows: None,
            fields: &fields,
            after: Some(RowSet::Groups(std::slice::from_ref(&row))),
            parties: vec![("group", RowSet::Groups(std::slice::from_ref(&parent)))],
            planned: &planned,
        };
        let mut refused = Problems::default();
        self.permit("group.create", Kind::Group, &deed, |_| format!("{at}parentId"), &mut refused).await?;
        problems.judged(refused)?;
        Ok((NewGroup { id, parent: asked.parent, key, name, description, attributes }, row))
    }

    /// The declared attributes, for checks: whoever sees them.
    pub(super) async fn declared(&self) -> Result<Vec<crate::model::Attribute>, Error> {
        Ok(self.snapshot.lock().await.attributes().await?.into_iter().map(Sealed::open).collect())
    }

    /// See [`UpdateGroup`].
    pub(super) async fn plan_update_group(&self, asked: &UpdateGroup) -> Planning {
        let before = self.seen_group(asked.group, "groupId").await?;
        let mut problems = Problems::default();
        expect(&mut problems, &format!("group `{}`", asked.group), asked.expected, before.version);
        let mut after = before.clone();
        let mut fields = Vec::new();
        if let Some(name) = &asked.name {
            after.name = Field::Shown(problems.keep("name", check::name(name)).unwrap_or_default());
            fields.push("name".to_owned());
        }
        if let Some(description) = &asked.description {
            let text = description.as_deref().and_then(|text| problems.keep("description", check::description(text)));
            after.description = Field::Shown(text);
            fields.push("description".to_owned());
        }
        fields.extend(asked.attributes.iter().map(|(name, _)| format!("attributes.{name}")));
        if !asked.attributes.is_empty() {
            let declared = self.declared().await?;
            after.attributes = check::attributes(&before.attributes, &asked.attributes, &declared, "attributes", &mut problems.0);
        }
        let planned = Planned::default();
        let deed = Deed {
            rows: Some(RowSet::Groups(std::slice::from_ref(&before))),
            fields: &fields,
            after: Some(RowSet::Groups(std::slice::from_ref(&after))),
            parties: Vec::new(),
            planned: &planned,
        };
        let mut refused = Problems::default();
        self.permit("group.update", Kind::Group, &deed, |_| "groupId".to_owned(), &mut refused).await?;
        problems.judged(refused)?;
        let answer = vec![before.id.0];
        if after == before {
            return Ok(Plan::nothing(answer));
        }
        let facts_changed = after.attributes != before.attributes;
        let change = GroupAfter {
            id: before.id,
            seen: before.version,
            name: after.name.shown().cloned().unwrap_or_default(),
            description: after.description.shown().cloned().flatten(),
            attributes: after.attributes,
            facts_changed,
        };
        Ok(Plan::of(Change::UpdateGroup(change), answer))
    }

    /// See [`MoveGroup`].
    pub(super) async fn plan_move_group(&self, asked: &MoveGroup) -> Planning {
        let before = self.seen_group(asked.group, "groupId").await?;
        // Before anything else is told: what is hidden must look like what is absent.
        let to = self.place(asked.to, "parentId").await?;
        let mut problems = Problems::default();
        expect(&mut problems, &format!("group `{}`", asked.group), asked.expected, before.version);
        let mut refused = Problems::default();
        self.permit_move(std::slice::from_ref(&before), &to, |_| "groupId".to_owned(), &mut refused).await?;
        problems.judged(refused)?;
        let answer = vec![before.id.0];
        if before.parent == asked.to {
            return Ok(Plan::nothing(answer));
        }
        Ok(Plan::of(Change::MoveGroup { group: before.id, seen: before.version, to: asked.to }, answer))
    }

    /// Asks the policy about groups that shall hang below another. All of them hang below the same one now.
    pub(super) async fn permit_move(
        &self,
        rows: &[Group],
        to: &Group,
        at: impl Fn(usize) -> String,
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        let Some(first) = rows.first() else { return Ok(()) };
        let planned = Planned::default();
        let from = match first.parent {
            Some(parent) => self.rows_of_groups(vec![parent], &planned).await?,
            None => vec![Group::top()],
        };
        let parent = Some(to.id).filter(|_| !to.is_top());
        let after: Vec<Group> = rows.iter().map(|row| Group { parent, depth: to.depth + 1, ..row.clone() }).collect();
        let fields = vec!["parent".to_owned()];
        let deed = Deed {
            rows: Some(RowSet::Groups(rows)),
            fields: &fields,
            after: Some(RowSet::Groups(&after)),
            parties: vec![("from", RowSet::Groups(&from)), ("to", RowSet::Groups(std::slice::from_ref(to)))],
            planned: &planned,
        };
        self.permit("group.move", Kind::Group, &deed, at, problems).await?;
        Ok(())
    }

    /// See [`DeleteGroup`].
    pub(super) async fn plan_delete_group(&self, asked: &DeleteGroup, ids: &mut dyn IdSource) -> Planning {
        let group = self.seen_group(asked.group, "groupId").await?;
        let mut problems = Problems::default();
        expect(&mut problems, &format!("group `{}`", asked.group), asked.expected, group.version);
        let mut refused = Problems::default();
        self.permit_deletion(std::slice::from_ref(&group), &mut refused).await?;
        problems.judged(refused)?;
        let mut refused = Problems::default();
        match asked.mode {
            DeleteMode::Empty => {}
            DeleteMode::Lift => self.permit_lift(&group, &mut refused).await?,
            DeleteMode::Subtree => self.permit_deletion(&self.whole_subtree(group.id).await?, &mut refused).await?,
        }
        refused.none()?;
        let deletion = DeletionId(ids.next_id());
        let change = Change::DeleteGroup { group: group.id, seen: group.version, mode: asked.mode, deletion };
        Ok(Plan::of(change, vec![group.id.0]))
    }

    async fn whole_subtree(&self, group: GroupId) -> Result<Vec<Group>, Refusal> {
        let rows = self.snapshot.lock().await.subtree(group, SUBTREE_GROUPS + 1).await?;
        if rows.len() > SUBTREE_GROUPS {
            let message = format!("more than {SUBTREE_GROUPS} groups would be deleted at once; delete parts of them first");
            return Err(Problem::at("groupId", Error::TooLarge(message)).into());
        }
        Ok(rows.into_iter().map(Sealed::open).collect())
    }

    /// Every group that goes must be one that the subject may delete; of those that it does not see no more is said than that.
    async fn permit_deletion(&self, rows: &[Group], problems: &mut Problems) -> Result<(), Refusal> {
        let planned = Planned::default();
        for chunk in rows.chunks(CHECK_ROWS) {
            let deed = Deed { rows: Some(RowSet::Groups(chunk)), fields: &[], after: None, parties: Vec::new(), planned: &planned };
            let decisions = self.decide_deed("group.delete", Kind::Group, &deed).await?;
            let first = chunk.iter().zip(&decisions).find(|(_, decision)| !decision.allows());
            if let Some((row, decision)) = first {
                let seen = self.decide(&Kind::Group.read(), std::slice::from_ref(row)).await?.iter().any(|read| read.allows());
                let reason = match (seen, rows.first().is_some_and(|root| root.id == row.id)) {
                    (true, true) => decision.reason().to_owned(),
                    (true, false) => format!("group `{}` below it: {}", row.id, decision.reason()),
                    (false, _) => BELOW_AND_HIDDEN.to_owned(),
                };
                problems.add("groupId", Error::Forbidden { action: "group.delete".to_owned(), reason });
                break;
            }
        }
        Ok(())
    }

    /// Lifting moves the groups below, and adds the members to the parent: both must be allowed as if they were done one by one.
    async fn permit_lift(&self, group: &Group, problems: &mut Problems) -> Result<(), Refusal> {
        let everything = std::sync::Arc::new(Scope::everything());
        let sight =
            Sight { user: Some(everything.clone()), group: Some(everything.clone()), membership: Some(everything), ..Sight::default() };
        let window = Window { rows: BULK + 1, ..Window::default() };
        let children = GroupList {
            among: AmongGroups::Below { groups: vec![group.id], levels: Some(1) },
            sight: sight.clone(),
            filter: None,
            order: Order::default(),
            window: window.clone(),
        };
        let members =
            MembershipList { among: AmongMemberships::OfGroups(vec![group.id]), sight, filter: None, order: Order::default(), window };
        let mut snapshot = self.snapshot.lock().await;
        let children: Vec<Group> = snapshot.list_groups(&children).await?.into_iter().map(|listed| listed.row.open()).collect();
        let members: Vec<UserId> = snapshot.list_memberships(&members).await?.into_iter().map(|listed| listed.row.open().user).collect();
        drop(snapshot);
        if children.len() > BULK || members.len() > BULK {
            let message = format!("more than {BULK} groups or members would be lifted at once; move some of them first");
            return Err(Problem::at("mode", Error::TooLarge(message)).into());
        }
        let to = match group.parent {
            Some(parent) => self.rows_of_groups(vec![parent], &Planned::default()).await?,
            None => vec![Group::top()],
        };
        let Some(to) = to.into_iter().next() else { return Ok(()) };
        let mut found = Problems::default();
        self.permit_move(&children, &to, |_| "mode".to_owned(), &mut found).await?;
        if let Some(parent) = group.parent {
            let new: Vec<NewMembership> = members
                .iter()
                .map(|user| NewMembership { id: MembershipId(Uuid::nil()), user: *user, group: parent, manager: false })
                .collect();
            self.permit_memberships(&new, &Planned::default(), &|_| "mode".to_owned(), &mut found).await?;
        }
        // Which of them is refused would tell of what can not be seen.
        problems.0.extend(found.0.into_iter().next());
        Ok(())
    }

    /// See [`RestoreGroup`].
    pub(super) async fn plan_restore_group(&self, asked: &RestoreGroup) -> Planning {
        let not_found = || Problem::at("groupId", Error::NotFound(format!("group `{}` in the recycle bin", asked.group)));
        let mut snapshot = self.snapshot.lock().await;
        let deletion = snapshot.deletion_of(asked.group.0).await?.map(Sealed::open).ok_or_else(not_found)?;
        let binned = snapshot.binned(&deletion).await?.open();
        drop(snapshot);
        let was = self.where_it_was(&deletion, binned.groups).await?;
        let target = was.iter().find(|group| group.id == asked.group).cloned().ok_or_else(not_found)?;
        // Who could not see it if it were there does not see it in the bin.
        let planned = Planned { groups: was.clone(), ..Planned::default() };
        let read = Facts::Imagined(RowSet::Groups(std::slice::from_ref(&target)), &planned);
        if !self.decide_facts(&Kind::Group.read(), Kind::Group, &read, 1).await?.iter().any(Decision::allows) {
            return Err(not_found().into());
        }
        if deletion.of != Deleted::Group(asked.group) {
            let message = format!("group `{}` was deleted with a group above it; restore that one", asked.group);
            return Err(Problem::at("groupId", Error::Broken { rule: Rule::Restore, message }).into());
        }
        let place = match asked.parent {
            Some(parent) => self.place(parent, "parentId").await?,
            None => self.place_again(&target).await?,
        };
        let mut problems = Problems::default();
        let mut root = Group { parent: Some(place.id).filter(|_| !place.is_top()), ..target.clone() };
        let name = asked.name.as_deref().and_then(|name| problems.keep("name", check::name(name)));
        let key = asked.key.as_deref().and_then(|key| problems.keep("key", check::stable_key(key)));
        root.name = name.map_or(root.name, Field::Shown);
        root.key = key.map_or(root.key, Field::Shown);
        let set = [(asked.name.is_some(), "name"), (asked.key.is_some(), "key"), (root.parent != target.parent, "parent")];
        let mut roles: Vec<Uuid> = binned.grants.iter().map(|(_, role, _)| role.0).collect();
        roles.sort_unstable();
        roles.dedup();
        let back = Back {
            fields: set.into_iter().filter(|(set, _)| *set).map(|(_, field)| field.to_owned()).collect(),
            roles: self.stored_roles(&roles).await?,
            managed: binned.managed,
            was,
        };
        let mut refused = Problems::default();
        if root.parent != target.parent {
            // Whoever fetches it to another place must be one who could put it back where it was.
            let parent = match target.parent {
                Some(parent) => self.rows_of_groups(vec![parent], &Planned::default()).await?.into_iter().next(),
                None => Some(Group::top()),
            };
            if let Some(parent) = parent {
                self.permit_restore(&back, &target, &parent, &mut refused).await?;
            }
        }
        if refused.0.is_empty() {
            self.permit_restore(&back, &root, &place, &mut refused).await?;
        }
        problems.judged(refused)?;
        let text = |field: &Field<String>| field.shown().cloned().unwrap_or_default();
        let (name, key) = (text(&root.name), text(&root.key));
        Ok(Plan::of(Change::RestoreGroup { group: root.id, deletion: deletion.id, parent: root.parent, name, key }, vec![root.id.0]))
    }

    /// The groups of a deletion in the places that they had. What was at a parent that is gone was, by now, on the first level.
    async fn where_it_was(&self, deletion: &Deletion, mut groups: Vec<Group>) -> Result<Vec<Group>, Error> {
        if let Some(root) = groups.iter_mut().find(|group| deletion.of == Deleted::Group(group.id))
            && let Some(parent) = root.parent
            && self.snapshot.lock().await.groups_by_id(&[parent]).await?.is_empty()
        {
            root.parent = None;
        }
        Ok(groups)
    }

    /// The place that a group had, if the subject sees it. What is hidden must look like what is gone.
    async fn place_again(&self, group: &Group) -> Result<Group, Refusal> {
        let had_parent = group.depth > 1;
        let seen = match group.parent {
            Some(parent) => self.targets::<Group>(&[parent.0]).await?.into_iter().flatten().next(),
            None => (!had_parent).then(Group::top),
        };
        let message = "the group above it is not there any more; restore that one first, or name another `parentId`".to_owned();
        seen.ok_or_else(|| Problem::at("parentId", Error::Broken { rule: Rule::Restore, message }).into())
    }

    /// Asks the policy about a group that comes back to a place, and then about everything that comes back with it.
    async fn permit_restore(&self, back: &Back, root: &Group, place: &Group, problems: &mut Problems) -> Result<(), Refusal> {
        let after = back.below(root, place.depth + 1);
        let planned = Planned { groups: after.clone(), ..Planned::default() };
        let by_id: HashMap<GroupId, &Group> = after.iter().map(|row| (row.id, row)).collect();
        let parent = |row: &Group| if row.id == root.id { Some(place) } else { row.parent.and_then(|parent| by_id.get(&parent).copied()) };
        let managed: Vec<Group> = back.managed.iter().filter_map(|id| by_id.get(id).copied().cloned()).collect();
        let pairs: Vec<(&Group, &Group)> = back.was.iter().zip(&after).collect();
        let (first, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(row, _)| row.id == root.id);
        // What comes back to people is told with the root, so many at a time; with every group, where it comes back to.
        let mut calls: Vec<Part<'_>> =
            managed.chunks(OFFICES).map(|managed| Part { fields: &back.fields, rows: &first, managed }).collect();
        if calls.is_empty() {
            calls.push(Part { fields: &back.fields, rows: &first, managed: &[] });
        }
        calls.extend(rest.chunks(CHECK_ROWS).map(|rows| Part { fields: &[], rows, managed: &[] }));
        for Part { fields, rows, managed } in calls {
            let (rows, after): (Vec<Group>, Vec<Group>) = rows.iter().map(|(row, after)| ((*row).clone(), (*after).clone())).unzip();
            let places: Vec<Group> = after.iter().map(|row| parent(row).cloned().unwrap_or_else(Group::top)).collect();
            let mut parties = vec![("group", RowSet::Groups(&places))];
            parties.extend(managed.iter().map(|group| ("manages", RowSet::Groups(std::slice::from_ref(group)))));
            parties.extend(back.roles.iter().map(|role| ("role", RowSet::Roles(std::slice::from_ref(role)))));
            let deed = Deed { rows: Some(RowSet::Groups(&rows)), fields, after: Some(RowSet::Groups(&after)), parties, planned: &planned };
            let decisions = self.decide_deed("group.restore", Kind::Group, &deed).await?;
            let first = rows.iter().zip(&decisions).find_map(|(row, said)| Some((row, refused("group.restore", said, fields)?)));
            if let Some((row, error)) = first {
                let error = if row.id == root.id { error } else { self.of_one_below(row, &planned, error).await? };
                problems.add("groupId", error);
                break;
            }
        }
        Ok(())
    }

    /// Of a group below that is refused no more is told than that, unless the subject would see it.
    async fn of_one_below(&self, row: &Group, planned: &Planned, error: Error) -> Result<Error, Error> {
        let read = Facts::Imagined(RowSet::Groups(std::slice::from_ref(row)), planned);
        let seen = self.decide_facts(&Kind::Group.read(), Kind::Group, &read, 1).await?.iter().any(Decision::allows);
        Ok(match error {
            Error::Forbidden { action, reason } if seen => {
                Error::Forbidden { action, reason: format!("group `{}` below it: {reason}", row.id) }
            }
            Error::Forbidden { action, .. } => Error::Forbidden { action, reason: BELOW_AND_HIDDEN.to_owned() },
            other => other,
        })
    }
}

/// Why something is refused that would tell of what can not be seen.
const BELOW_AND_HIDDEN: &str = "something below it that you can not see";

/// Groups that somebody would manage again, in one call.
const OFFICES: usize = 256;

/// What one call is about: groups as they were and as they would be.
struct Part<'a> {
    fields: &'a [String],
    rows: &'a [(&'a Group, &'a Group)],
    managed: &'a [Group],
}

/// Groups that come back, and what a decision about them rests on wherever they go.
struct Back {
    /// The groups in the places that they had, parents before children.
    was: Vec<Group>,
    /// What of the group that was deleted is to be another.
    fields: Vec<String>,
    /// The roles that come back to somebody with them.
    roles: Vec<Role>,
    /// Those of the groups that somebody would manage again.
    managed: Vec<GroupId>,
}

impl Back {
    /// The groups if `root` came back so, `depth` levels deep; in the same order.
    fn below(&self, root: &Group, depth: u32) -> Vec<Group> {
        let sunk = |was: u32| (was + depth).saturating_sub(root.depth);
        let after =
            |row: &Group| if row.id == root.id { Group { depth, ..root.clone() } } else { Group { depth: sunk(row.depth), ..row.clone() } };
        self.was.iter().map(after).collect()
    }
}

/// The name's letters and digits, and the end of the id: so that it tells of no other group whether its key is taken.
/// Where it has neither, `kind` stands for it.
pub(super) fn default_key(name: &str, kind: &str, id: Uuid) -> String {
    let words: Vec<String> = fold(name).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let words: String = words.join("-").chars().take(80).collect();
    let id = id.simple().to_string();
    let end = id.get(24..).unwrap_or_default();
    if words.is_empty() { format!("{kind}-{end}") } else { format!("{words}-{end}") }
}
