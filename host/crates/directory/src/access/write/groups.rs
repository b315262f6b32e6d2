//! Groups: created, changed, moved, deleted, restored.

use uuid::Uuid;

use super::{
    Plan, Planning,
    check::{self, AttributesSet},
    targets::{Problems, expect},
};
use crate::access::{
    Directory, Sealed,
    facts::{Deed, Planned, RowSet},
};
use crate::{
    Error, Problem, Refusal, Rule,
    change::{Change, DeleteMode, GroupAfter, NewGroup, NewMembership},
    ids::{DeletionId, GroupId, MembershipId, UserId},
    limits::{BULK, CHECK_ROWS, SUBTREE_GROUPS},
    model::{Deleted, Field, Group, Role, Version},
    query::{Order, Window},
    register::Kind,
    scope::{Scope, Searchable},
    store::{AmongGroups, AmongMemberships, GroupFact, GroupList, IdSource, MembershipList, Sight},
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
            None => default_key(&name, id.0),
        };
        let description = asked.description.as_deref();
        let description = description.and_then(|text| problems.keep(&format!("{at}description"), check::description(text)));
        let attributes = check::attributes(&Vec::new(), &asked.attributes, &declared, &format!("{at}attributes"), &mut problems.0);
        problems.so_far()?;
        let mut fields = vec!["name".to_owned()];
        fields.extend(asked.key.as_ref().map(|_| "key".to_owned()));
        fields.extend(description.as_ref().map(|_| "description".to_owned()));
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
        let fact = GroupFact { id, parent: asked.parent, key: fold(&key) };
        let planned = Planned { groups: vec![fact], ..Planned::default() };
        let deed = Deed {
            rows: None,
            fields: &fields,
            after: Some(RowSet::Groups(std::slice::from_ref(&row))),
            parties: vec![("group", RowSet::Groups(std::slice::from_ref(&parent)))],
            planned: &planned,
        };
        self.permit("group.create", Kind::Group, &deed, |_| format!("{at}parentId"), &mut problems).await?;
        problems.none()?;
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
        problems.so_far()?;
        let planned = Planned::default();
        let deed = Deed {
            rows: Some(RowSet::Groups(std::slice::from_ref(&before))),
            fields: &fields,
            after: Some(RowSet::Groups(std::slice::from_ref(&after))),
            parties: Vec::new(),
            planned: &planned,
        };
        self.permit("group.update", Kind::Group, &deed, |_| "groupId".to_owned(), &mut problems).await?;
        problems.none()?;
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
        problems.so_far()?;
        self.permit_move(std::slice::from_ref(&before), &to, |_| "groupId".to_owned(), &mut problems).await?;
        problems.none()?;
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
            Some(parent) => self.rows_of_groups(vec![super::users::place_of(parent, &planned)]).await?,
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
        problems.so_far()?;
        let rows = match asked.mode {
            DeleteMode::Empty | DeleteMode::Lift => vec![group.clone()],
            DeleteMode::Subtree => self.whole_subtree(group.id).await?,
        };
        self.permit_deletion(&rows, &mut problems).await?;
        problems.so_far()?;
        if asked.mode == DeleteMode::Lift {
            self.permit_lift(&group, &mut problems).await?;
        }
        problems.none()?;
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
                    (false, _) => "something below it that you can not see".to_owned(),
                };
                problems.add("groupId", Error::Forbidden { action: "group.delete".to_owned(), reason });
                break;
            }
        }
        Ok(())
    }

    /// Lifting moves the groups below, and adds the members to the parent: both must be allowed as if they were done one by one.
    async fn permit_lift(&self, group: &Group, problems: &mut Problems) -> Result<(), Refusal> {
        let everything = std::sync::Arc::new(Scope { clauses: vec![Vec::new()], exact: true, searchable: Searchable::All });
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
            Some(parent) => self.rows_of_groups(vec![super::users::place_of(parent, &Planned::default())]).await?,
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
        let before = binned.group.clone().ok_or_else(not_found)?;
        let known = match before.parent {
            Some(parent) => !self.snapshot.lock().await.groups_by_id(&[parent]).await?.is_empty(),
            None => true,
        };
        let row = Group { parent: before.parent.filter(|_| known), ..before.clone() };
        let planned = Planned {
            groups: vec![GroupFact { id: row.id, parent: row.parent, key: row.key.shown().map(|key| fold(key)).unwrap_or_default() }],
            ..Planned::default()
        };
        // Who could not see it if it were there does not see it in the bin.
        let read = Deed {
            rows: Some(RowSet::Groups(std::slice::from_ref(&row))),
            fields: &[],
            after: None,
            parties: Vec::new(),
            planned: &planned,
        };
        let seen = self.decide_facts_of_binned(&Kind::Group.read(), &read).await?;
        if !seen {
            return Err(not_found().into());
        }
        if deletion.of != Deleted::Group(asked.group) {
            let message = format!("group `{}` was deleted with a group above it; restore that one", asked.group);
            return Err(Problem::at("groupId", Error::Broken { rule: Rule::Restore, message }).into());
        }
        let mut problems = Problems::default();
        let parent = match asked.parent {
            Some(parent) => parent,
            None if known => before.parent,
            None => {
                let message = "the group above it is not there any more; restore that one first, or name another `parentId`".to_owned();
                return Err(Problem::at("parentId", Error::Broken { rule: Rule::Restore, message }).into());
            }
        };
        let place = self.place(parent, "parentId").await?;
        let name = match &asked.name {
            Some(name) => problems.keep("name", check::name(name)).unwrap_or_default(),
            None => before.name.shown().cloned().unwrap_or_default(),
        };
        problems.so_far()?;
        let after = Group { parent, depth: place.depth + 1, name: Field::Shown(name.clone()), ..before.clone() };
        let roles: Vec<Uuid> = binned.grants.iter().map(|(_, role, _)| role.0).collect();
        let roles = self.stored_roles(&roles).await?;
        let fields: Vec<String> = asked.name.iter().map(|_| "name".to_owned()).collect();
        let mut back = Back { row: &row, fields: &fields, roles: &roles, planned };
        if parent != row.parent {
            // Whoever fetches it to another place must be one who could put it back where it was.
            let was = match row.parent {
                Some(parent) => self.rows_of_groups(vec![super::users::place_of(parent, &back.planned)]).await?,
                None => vec![Group::top()],
            };
            for place in &was {
                self.permit_restore(&back, &row, place, &mut problems).await?;
            }
            problems.so_far()?;
        }
        for fact in &mut back.planned.groups {
            fact.parent = parent;
        }
        self.permit_restore(&back, &after, &place, &mut problems).await?;
        problems.none()?;
        let change = Change::RestoreGroup { group: before.id, deletion: deletion.id, parent, name };
        Ok(Plan::of(change, vec![before.id.0]))
    }

    /// Asks the policy about a group that comes back to a place.
    async fn permit_restore(&self, back: &Back<'_>, after: &Group, place: &Group, problems: &mut Problems) -> Result<(), Refusal> {
        let mut parties = vec![("group", RowSet::Groups(std::slice::from_ref(place)))];
        parties.extend(back.roles.iter().map(|role| ("role", RowSet::Roles(std::slice::from_ref(role)))));
        let deed = Deed {
            rows: Some(RowSet::Groups(std::slice::from_ref(back.row))),
            fields: back.fields,
            after: Some(RowSet::Groups(std::slice::from_ref(after))),
            parties,
            planned: &back.planned,
        };
        self.permit("group.restore", Kind::Group, &deed, |_| "groupId".to_owned(), problems).await?;
        Ok(())
    }

    /// Whether a row of the recycle bin could be read if it were there.
    pub(super) async fn decide_facts_of_binned(&self, action: &str, deed: &Deed<'_>) -> Result<bool, Error> {
        Ok(self.decide_deed(action, Kind::Group, deed).await?.iter().any(super::super::decide::Decision::allows))
    }
}

/// A group that comes back, and what a decision about it rests on wherever it goes.
struct Back<'a> {
    row: &'a Group,
    fields: &'a [String],
    /// The roles that come back to somebody with it.
    roles: &'a [Role],
    planned: Planned,
}

/// The name's letters and digits, and the end of the id: so that it tells of no other group whether its key is taken.
pub(super) fn default_key(name: &str, id: Uuid) -> String {
    let words: Vec<String> = fold(name).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let words: String = words.join("-").chars().take(80).collect();
    let id = id.simple().to_string();
    let end = id.get(24..).unwrap_or_default();
    if words.is_empty() { format!("group-{end}") } else { format!("{words}-{end}") }
}
