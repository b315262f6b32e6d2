//! Users: added, changed, suspended, activated, removed, restored.

use uuid::Uuid;

use super::{
    Plan, Planning,
    check::{self, AttributesSet},
    groups::CreateGroup,
    targets::{Problems, bulk, expect, once, refused},
};
use crate::access::{
    Directory, Sealed,
    facts::{Deed, Planned, RowSet},
};
use crate::{
    Error, Problem, Refusal, Rule,
    change::{AccountName, Change, NewGrant, NewMembership, NewUser, Texts, UserAfter},
    ids::{AccountId, DeletionId, GrantId, GroupId, MembershipId, RoleId, UserId},
    limits::{CHECK_ROWS, START_EDGES},
    model::{Attribute, Deleted, Field, Grant, Group, Membership, Provenance, Role, Status, User, UserText, Version},
    register::Kind,
    store::{GroupFact, IdSource, RoleFact},
    text::fold,
};

/// New users.
#[derive(Clone, Debug, Default)]
pub struct AddUsers {
    /// One or more, all or none.
    pub users: Vec<UserDraft>,
}

/// A user to be.
#[derive(Clone, Debug, Default)]
pub struct UserDraft {
    /// The texts that are given. Without a user name, the e-mail address (with `#` and the code, if there is one) is it.
    pub texts: Vec<(UserText, String)>,
    /// Belongs to this workspace only.
    pub exclusive: bool,
    /// `Inactive` (the default) or `Active`.
    pub status: Option<Status>,
    /// Custom attributes.
    pub attributes: AttributesSet,
    /// Groups to begin with.
    pub groups: Vec<Member<GroupId>>,
    /// Roles to begin with, and the group to whose subtree each is limited.
    pub roles: Vec<(RoleId, Option<GroupId>)>,
}

/// A group or user, and whether the membership makes a manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<T> {
    /// Which.
    pub id: T,
    /// Whether it makes a manager.
    pub manager: bool,
}

/// Fields of a user.
#[derive(Clone, Debug)]
pub struct UpdateUser {
    /// Which.
    pub user: UserId,
    /// The version that the caller has seen.
    pub expected: Option<i64>,
    /// Texts to set, or to clear.
    pub texts: Vec<(UserText, Option<String>)>,
    /// Belongs to this workspace only.
    pub exclusive: Option<bool>,
    /// Custom attributes to set; those without a value are unassigned.
    pub attributes: AttributesSet,
}

/// Users become active or suspended.
#[derive(Clone, Debug)]
pub struct SetStatus {
    /// Whom.
    pub users: Vec<UserId>,
    /// `Active` or `Suspended`.
    pub status: Status,
    /// The version that the caller has seen, of a single user.
    pub expected: Option<i64>,
}

/// Users go to the recycle bin.
#[derive(Clone, Debug)]
pub struct RemoveUsers {
    /// Whom.
    pub users: Vec<UserId>,
    /// The version that the caller has seen, of a single user.
    pub expected: Option<i64>,
}

/// A user comes back from the recycle bin.
#[derive(Clone, Debug)]
pub struct RestoreUser {
    /// Whom.
    pub user: UserId,
    /// Texts to come back with, where the old ones are taken by now.
    pub texts: Vec<(UserText, String)>,
}

/// A group, its users and their roles, at once.
#[derive(Clone, Debug)]
pub struct OnboardPartner {
    /// The group.
    pub group: CreateGroup,
    /// Its users: members of the group, beside what they name themselves.
    pub users: Vec<UserDraft>,
    /// Which of them manage the group, by position.
    pub managers: Vec<usize>,
    /// Roles that each of them has within the group.
    pub roles: Vec<RoleId>,
}

/// A user that passed every check, and its edges.
struct Checked {
    user: NewUser,
    fields: Vec<String>,
    row: User,
    memberships: Vec<NewMembership>,
    grants: Vec<NewGrant>,
}

/// What users to be are checked against.
struct World {
    attributes: Vec<Attribute>,
    rules: crate::change::CodeRules,
}

impl Directory {
    async fn world(&self) -> Result<World, Error> {
        let mut snapshot = self.snapshot.lock().await;
        let attributes = snapshot.attributes().await?.into_iter().map(Sealed::open).collect();
        Ok(World { attributes, rules: snapshot.workspace().await?.open().code_rules })
    }

    /// See [`AddUsers`].
    pub(super) async fn plan_add_users(&self, asked: &AddUsers, ids: &mut dyn IdSource) -> Planning {
        bulk("users", asked.users.len())?;
        let mut problems = Problems::default();
        let users = self.check_drafts(&asked.users, None, ids, &mut problems).await?;
        problems.so_far()?;
        self.permit_drafts(&users, &Planned::default(), &mut problems).await?;
        problems.none()?;
        let answer = users.iter().map(|checked| checked.user.id.0).collect();
        Ok(Plan { changes: changes(users), ids: answer })
    }

    /// See [`OnboardPartner`].
    pub(super) async fn plan_onboard_partner(&self, asked: &OnboardPartner, ids: &mut dyn IdSource) -> Planning {
        bulk("users", asked.users.len())?;
        let (group, row) = self.draft_group(&asked.group, "group.", ids).await?;
        let mut drafts = asked.users.clone();
        for (position, draft) in drafts.iter_mut().enumerate() {
            draft.groups.push(Member { id: group.id, manager: asked.managers.contains(&position) });
            draft.roles.extend(asked.roles.iter().map(|role| (*role, Some(group.id))));
        }
        let mut problems = Problems::default();
        if let Some(beyond) = asked.managers.iter().find(|position| **position >= drafts.len()) {
            let message = format!("there is no user {beyond}: positions are counted from 0 to {}", drafts.len() - 1);
            problems.add("managers", Error::Invalid(message));
        }
        let users = self.check_drafts(&drafts, Some(&row), ids, &mut problems).await?;
        problems.so_far()?;
        let fact = GroupFact { id: group.id, parent: group.parent, key: fold(&group.key) };
        let planned = Planned { groups: vec![fact], ..Planned::default() };
        self.permit_drafts(&users, &planned, &mut problems).await?;
        problems.none()?;
        let mut answer = vec![group.id.0];
        answer.extend(users.iter().map(|checked| checked.user.id.0));
        let mut all = vec![Change::CreateGroup(group)];
        all.extend(changes(users));
        Ok(Plan { changes: all, ids: answer })
    }

    /// Checks everything about drafts that no policy decides. `new` is a group that comes into being with them.
    async fn check_drafts(
        &self,
        drafts: &[UserDraft],
        new: Option<&Group>,
        ids: &mut dyn IdSource,
        problems: &mut Problems,
    ) -> Result<Vec<Checked>, Refusal> {
        let world = self.world().await?;
        let named_groups = drafts.iter().enumerate().flat_map(|(user, draft)| {
            let groups = draft.groups.iter().enumerate().map(move |(at, member)| (member.id, format!("users.{user}.groups.{at}.groupId")));
            let limits = draft.roles.iter().enumerate();
            groups.chain(limits.filter_map(move |(at, (_, within))| Some(((*within)?, format!("users.{user}.roles.{at}.withinId")))))
        });
        let new_id = new.map(|group| group.id);
        let named_groups: Vec<_> = named_groups.filter(|(id, _)| Some(*id) != new_id).collect();
        self.seen_groups(&named_groups, problems).await?;
        let named_roles = drafts.iter().enumerate().flat_map(|(user, draft)| {
            draft.roles.iter().enumerate().map(move |(at, (role, _))| (*role, format!("users.{user}.roles.{at}.roleId")))
        });
        self.seen_roles(&named_roles.collect::<Vec<_>>(), problems).await?;
        let mut checked = Vec::with_capacity(drafts.len());
        for (position, draft) in drafts.iter().enumerate() {
            checked.extend(self.check_draft(draft, &format!("users.{position}"), &world, ids, problems));
        }
        Ok(checked)
    }

    fn check_draft(&self, draft: &UserDraft, at: &str, world: &World, ids: &mut dyn IdSource, problems: &mut Problems) -> Option<Checked> {
        let mut texts = Texts::default();
        let mut fields = Vec::new();
        for (which, text) in &draft.texts {
            let text = problems.keep(&format!("{at}.{}", which.field()), check::user_text(*which, text, world.rules));
            set(&mut texts, *which, text);
            fields.push(which.field().to_owned());
        }
        if get(&texts, UserText::UserName).is_none() {
            let derived = default_user_name(&texts);
            if derived.is_none() && problems.0.is_empty() {
                problems
                    .add(&format!("{at}.userName"), Error::Invalid("there is neither `userName` nor `email`; give one of them".to_owned()));
            }
            set(&mut texts, UserText::UserName, derived);
        }
        fields.extend(draft.exclusive.then(|| "exclusive".to_owned()));
        let status = draft.status.unwrap_or(Status::Inactive);
        fields.extend(draft.status.map(|_| "status".to_owned()));
        fields.extend(draft.attributes.iter().map(|(name, _)| format!("attributes.{name}")));
        let at_attributes = format!("{at}.attributes");
        let attributes = check::attributes(&Vec::new(), &draft.attributes, &world.attributes, &at_attributes, &mut problems.0);
        check::required(&attributes, &world.attributes, &at_attributes, &mut problems.0);
        if draft.groups.len() > START_EDGES || draft.roles.len() > START_EDGES {
            problems.add(
                at,
                Error::TooLarge(format!("somebody may begin with {START_EDGES} groups and {START_EDGES} roles; add the rest afterwards")),
            );
        }
        once(problems, |group| format!("{at}.groups.{group}"), draft.groups.iter().map(|member| member.id));
        let id = UserId(ids.next_id());
        let account_id = AccountId(ids.next_id());
        let account = account(&texts, id, self.subject.workspace);
        let memberships = draft.groups.iter().map(|member| NewMembership {
            id: MembershipId(ids.next_id()),
            user: id,
            group: member.id,
            manager: member.manager,
        });
        let memberships: Vec<NewMembership> = memberships.collect();
        let grants = draft.roles.iter().map(|(role, within)| NewGrant {
            id: GrantId(ids.next_id()),
            user: id,
            role: *role,
            within: *within,
            provenance: Provenance::Manual,
        });
        let grants = grants.collect();
        let row = User {
            id,
            texts: texts.clone().map(Field::Shown),
            exclusive: Field::Shown(draft.exclusive),
            status: Field::Shown(status),
            attributes: attributes.clone(),
            created_by: self.subject.user(),
            created_at: self.now,
            updated_at: self.now,
            version: Version(1),
            withheld: Vec::new(),
        };
        let user = NewUser { id, account, account_id, texts, exclusive: draft.exclusive, status, attributes };
        Some(Checked { user, fields, row, memberships, grants })
    }

    /// Asks the policy about new users and about everything that they begin with.
    async fn permit_drafts(&self, users: &[Checked], with: &Planned, problems: &mut Problems) -> Result<(), Refusal> {
        let roles: Vec<Uuid> = users.iter().flat_map(|checked| checked.grants.iter().map(|grant| grant.role.0)).collect();
        let roles: std::collections::HashMap<RoleId, Role> =
            self.targets::<Role>(&roles).await?.into_iter().flatten().map(|role| (role.id, role)).collect();
        let mut planned = Planned { groups: with.groups.clone(), ..Planned::default() };
        for checked in users {
            let groups = checked.memberships.iter().map(|edge| edge.group).collect();
            let mut held: Vec<RoleId> = checked.grants.iter().map(|grant| grant.role).collect();
            held.sort_unstable();
            held.dedup();
            planned.users.insert(checked.row.id, (checked.row.clone(), groups, held));
        }
        let rows: Vec<User> = users.iter().map(|checked| checked.row.clone()).collect();
        let mut start_groups: Vec<Group> = Vec::new();
        let mut start_roles: Vec<Role> = Vec::new();
        let mut fields: Vec<String> = users.iter().flat_map(|checked| checked.fields.clone()).collect();
        fields.sort_unstable();
        fields.dedup();
        let mut parties = Vec::new();
        if let [only] = users {
            // A single user begins with parties of one row each; of several, the columns of `after` say who begins with what.
            start_groups.extend(only.memberships.iter().map(|edge| place_of(edge.group, &planned)));
            start_roles.extend(only.grants.iter().filter_map(|grant| roles.get(&grant.role).cloned()));
            parties.extend(start_groups.iter().map(|group| ("group", RowSet::Groups(std::slice::from_ref(group)))));
            parties.extend(start_roles.iter().map(|role| ("role", RowSet::Roles(std::slice::from_ref(role)))));
        }
        let deed = Deed { rows: None, fields: &fields, after: Some(RowSet::Users(&rows)), parties, planned: &planned };
        for (position, decision) in self.decide_deed("user.create", Kind::User, &deed).await?.iter().enumerate() {
            let own = users.get(position).map(|checked| checked.fields.as_slice()).unwrap_or_default();
            if let Some(error) = refused("user.create", decision, own) {
                problems.add(&format!("users.{position}"), error);
            }
        }
        let edges: Vec<(usize, NewMembership)> =
            users.iter().enumerate().flat_map(|(at, checked)| checked.memberships.iter().map(move |edge| (at, *edge))).collect();
        let at = |position: usize| edges.get(position).map_or_else(String::new, |(user, _)| format!("users.{user}.groups"));
        let new: Vec<NewMembership> = edges.iter().map(|(_, edge)| *edge).collect();
        self.permit_memberships(&new, &planned, &at, problems).await?;
        let grants: Vec<(usize, NewGrant)> =
            users.iter().enumerate().flat_map(|(at, checked)| checked.grants.iter().map(move |grant| (at, *grant))).collect();
        let at = |position: usize| grants.get(position).map_or_else(String::new, |(user, _)| format!("users.{user}.roles"));
        let new: Vec<NewGrant> = grants.iter().map(|(_, grant)| *grant).collect();
        self.permit_grants(&new, &roles, &planned, &at, problems).await?;
        Ok(())
    }

    /// See [`UpdateUser`].
    pub(super) async fn plan_update_user(&self, asked: &UpdateUser) -> Planning {
        let before = self.live_user(asked.user, "userId").await?;
        let world = self.world().await?;
        let mut problems = Problems::default();
        expect(&mut problems, &format!("user `{}`", asked.user), asked.expected, before.version);
        let mut texts = stored_texts(&before);
        let mut fields = Vec::new();
        for (which, text) in &asked.texts {
            let text = match text {
                Some(text) => problems.keep(which.field(), check::user_text(*which, text, world.rules)),
                None if *which == UserText::UserName => {
                    problems.add("userName", Error::Invalid("a user always has a user name; choose another instead of none".to_owned()));
                    None
                }
                None => None,
            };
            set(&mut texts, *which, text);
            fields.push(which.field().to_owned());
        }
        // A user name that was the address stays the address.
        let (old, new) = (before.text(UserText::Email).shown().cloned().flatten(), get(&texts, UserText::Email).cloned());
        let named = asked.texts.iter().any(|(which, _)| *which == UserText::UserName);
        let user_name = before.text(UserText::UserName).shown().cloned().flatten();
        if let (false, Some(old), Some(new), Some(user_name)) = (named, old, new, user_name)
            && fold(&old) == fold(&user_name)
            && new != old
        {
            set(&mut texts, UserText::UserName, Some(new));
            fields.push(UserText::UserName.field().to_owned());
        }
        let exclusive = asked.exclusive.unwrap_or(before.exclusive == Field::Shown(true));
        fields.extend(asked.exclusive.map(|_| "exclusive".to_owned()));
        fields.extend(asked.attributes.iter().map(|(name, _)| format!("attributes.{name}")));
        let attributes = check::attributes(&before.attributes, &asked.attributes, &world.attributes, "attributes", &mut problems.0);
        if !asked.attributes.is_empty() {
            check::required(&attributes, &world.attributes, "attributes", &mut problems.0);
        }
        problems.so_far()?;
        let after = User {
            texts: texts.clone().map(Field::Shown),
            exclusive: Field::Shown(exclusive),
            attributes: attributes.clone(),
            ..before.clone()
        };
        let planned = Planned::default();
        let (rows, later) = (std::slice::from_ref(&before), std::slice::from_ref(&after));
        let deed = Deed {
            rows: Some(RowSet::Users(rows)),
            fields: &fields,
            after: Some(RowSet::Users(later)),
            parties: Vec::new(),
            planned: &planned,
        };
        self.permit("user.update", Kind::User, &deed, |_| "userId".to_owned(), &mut problems).await?;
        problems.none()?;
        if after == before {
            return Ok(Plan::nothing(vec![before.id.0]));
        }
        let facts_changed = after.exclusive != before.exclusive || after.attributes != before.attributes;
        let change = UserAfter { id: before.id, seen: before.version, texts, exclusive, attributes, facts_changed };
        Ok(Plan::of(Change::UpdateUser(Box::new(change)), vec![before.id.0]))
    }

    /// See [`SetStatus`].
    pub(super) async fn plan_set_status(&self, asked: &SetStatus) -> Planning {
        let (action, status) = match asked.status {
            Status::Active => ("user.activate", Status::Active),
            _ => ("user.suspend", Status::Suspended),
        };
        let mut problems = Problems::default();
        let users = self.chosen_users(&asked.users, asked.expected, &mut problems).await?;
        if status == Status::Suspended {
            self.refuse_self(&asked.users, "suspend", &mut problems);
        }
        problems.so_far()?;
        let fields = vec!["status".to_owned()];
        let after: Vec<User> = users.iter().map(|user| User { status: Field::Shown(status), ..user.clone() }).collect();
        let planned = Planned::default();
        let deed = Deed {
            rows: Some(RowSet::Users(&users)),
            fields: &fields,
            after: Some(RowSet::Users(&after)),
            parties: Vec::new(),
            planned: &planned,
        };
        self.permit(action, Kind::User, &deed, |position| format!("userIds.{position}"), &mut problems).await?;
        problems.none()?;
        let ids = users.iter().map(|user| user.id.0).collect();
        let changed = users.iter().filter(|user| user.status != Field::Shown(status));
        let changed: Vec<(UserId, Version)> = changed.map(|user| (user.id, user.version)).collect();
        if changed.is_empty() {
            return Ok(Plan::nothing(ids));
        }
        Ok(Plan::of(Change::SetStatus { users: changed, status }, ids))
    }

    /// See [`RemoveUsers`].
    pub(super) async fn plan_remove_users(&self, asked: &RemoveUsers, ids: &mut dyn IdSource) -> Planning {
        let mut problems = Problems::default();
        let users = self.chosen_users(&asked.users, asked.expected, &mut problems).await?;
        self.refuse_self(&asked.users, "remove", &mut problems);
        problems.so_far()?;
        let planned = Planned::default();
        let deed = Deed { rows: Some(RowSet::Users(&users)), fields: &[], after: None, parties: Vec::new(), planned: &planned };
        self.permit("user.delete", Kind::User, &deed, |position| format!("userIds.{position}"), &mut problems).await?;
        problems.none()?;
        let removed = users.iter().map(|user| (user.id, user.version, DeletionId(ids.next_id()))).collect();
        Ok(Plan::of(Change::RemoveUsers(removed), users.iter().map(|user| user.id.0).collect()))
    }

    /// The users of a bulk, each once and none of them deleted.
    async fn chosen_users(&self, ids: &[UserId], expected: Option<i64>, problems: &mut Problems) -> Result<Vec<User>, Refusal> {
        bulk("userIds", ids.len())?;
        once(problems, |position| format!("userIds.{position}"), ids.iter().copied());
        let users = self.live_users(ids, |position| format!("userIds.{position}"), problems).await?;
        let users: Vec<User> = users.into_iter().flatten().collect();
        if let [only] = users.as_slice() {
            expect(problems, &format!("user `{}`", only.id), expected, only.version);
        }
        Ok(users)
    }

    /// Nobody suspends or removes themself (D20).
    fn refuse_self(&self, ids: &[UserId], verb: &str, problems: &mut Problems) {
        if let Some(position) = ids.iter().position(|id| Some(*id) == self.subject.user()) {
            let message = format!("nobody can {verb} themself; ask another administrator");
            problems.add(&format!("userIds.{position}"), Error::Broken { rule: Rule::OwnAccess, message });
        }
    }

    /// See [`RestoreUser`].
    pub(super) async fn plan_restore_user(&self, asked: &RestoreUser) -> Planning {
        let not_found = || Problem::at("userId", Error::NotFound(format!("user `{}`", asked.user)));
        let before = self.targets::<User>(&[asked.user.0]).await?.into_iter().flatten().next().ok_or_else(not_found)?;
        if before.status != Field::Shown(Status::Deleted) {
            let message = format!("user `{}` is not in the recycle bin", asked.user);
            return Err(Problem::at("userId", Error::Broken { rule: Rule::Restore, message }).into());
        }
        let deletion = self.snapshot.lock().await.deletion_of(asked.user.0).await?.map(Sealed::open);
        let Some(deletion) = deletion.filter(|deletion| matches!(deletion.of, Deleted::User(_))) else { return Err(not_found().into()) };
        let binned = self.snapshot.lock().await.binned(&deletion).await?.open();
        let world = self.world().await?;
        let mut problems = Problems::default();
        let mut texts = stored_texts(&before);
        let mut fields = Vec::new();
        for (which, text) in &asked.texts {
            let text = problems.keep(which.field(), check::user_text(*which, text, world.rules));
            set(&mut texts, *which, text);
            fields.push(which.field().to_owned());
        }
        problems.so_far()?;
        let status = deletion.status.unwrap_or(Status::Suspended);
        let after = User { texts: texts.clone().map(Field::Shown), status: Field::Shown(status), ..before.clone() };
        let mut held: Vec<RoleId> = binned.grants.iter().map(|(_, role, _)| *role).collect();
        held.sort_unstable();
        held.dedup();
        let raw: Vec<Uuid> = held.iter().map(|role| role.0).collect();
        let roles = self.stored_roles(&raw).await?;
        let mut planned = Planned::default();
        planned.users.insert(before.id, (before.clone(), binned.groups.clone(), held));
        let groups: Vec<Group> = binned.groups.iter().map(|group| place_of(*group, &planned)).collect();
        let mut parties: Vec<_> = groups.iter().map(|group| ("group", RowSet::Groups(std::slice::from_ref(group)))).collect();
        parties.extend(roles.iter().map(|role| ("role", RowSet::Roles(std::slice::from_ref(role)))));
        let deed = Deed {
            rows: Some(RowSet::Users(std::slice::from_ref(&before))),
            fields: &fields,
            after: Some(RowSet::Users(std::slice::from_ref(&after))),
            parties,
            planned: &planned,
        };
        self.permit("user.restore", Kind::User, &deed, |_| "userId".to_owned(), &mut problems).await?;
        problems.none()?;
        let change = UserAfter {
            id: before.id,
            seen: before.version,
            texts,
            exclusive: before.exclusive == Field::Shown(true),
            attributes: before.attributes.clone(),
            facts_changed: true,
        };
        Ok(Plan::of(Change::RestoreUser(Box::new(change)), vec![before.id.0]))
    }

    /// Roles as stored, whoever sees them: facts for a decision.
    pub(super) async fn stored_roles(&self, ids: &[Uuid]) -> Result<Vec<Role>, Error> {
        let ids: Vec<RoleId> = ids.iter().copied().map(RoleId).collect();
        let rows = self.snapshot.lock().await.roles_by_id(&ids).await?;
        Ok(rows.into_iter().map(Sealed::open).collect())
    }

    /// Asks the policy about memberships to be, as many at a time as one call takes.
    pub(super) async fn permit_memberships(
        &self,
        new: &[NewMembership],
        planned: &Planned,
        at: &(dyn Fn(usize) -> String + Sync),
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        for (chunk, new) in new.chunks(CHECK_ROWS).enumerate() {
            self.permit_some_memberships(new, planned, &|position| at(chunk * CHECK_ROWS + position), problems).await?;
        }
        Ok(())
    }

    async fn permit_some_memberships(
        &self,
        new: &[NewMembership],
        planned: &Planned,
        at: &(dyn Fn(usize) -> String + Sync),
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        let after: Vec<Membership> = new.iter().map(|edge| self.membership_to_be(edge)).collect();
        let users = self.rows_of_users(new.iter().map(|edge| edge.user), planned).await?;
        let groups: Vec<Group> = new.iter().map(|edge| place_of(edge.group, planned)).collect();
        let groups = self.rows_of_groups(groups).await?;
        let fields: Vec<String> = if new.iter().any(|edge| edge.manager) { vec!["manager".to_owned()] } else { Vec::new() };
        let parties = vec![("user", RowSet::Users(&users)), ("group", RowSet::Groups(&groups))];
        let deed = Deed { rows: None, fields: &fields, after: Some(RowSet::Memberships(&after)), parties, planned };
        let decisions = self.decide_deed("membership.add", Kind::Membership, &deed).await?;
        for (position, (decision, edge)) in decisions.iter().zip(new).enumerate() {
            let own = if edge.manager { fields.as_slice() } else { &[] };
            if let Some(error) = refused("membership.add", decision, own) {
                problems.add(&at(position), error);
            }
        }
        Ok(())
    }

    fn membership_to_be(&self, edge: &NewMembership) -> Membership {
        Membership {
            id: edge.id,
            user: edge.user,
            group: edge.group,
            manager: Field::Shown(edge.manager),
            created_by: self.subject.user(),
            created_at: self.now,
            withheld: Vec::new(),
        }
    }

    /// Asks the policy about grants to be, as many at a time as one call takes.
    pub(super) async fn permit_grants(
        &self,
        new: &[NewGrant],
        roles: &std::collections::HashMap<RoleId, Role>,
        planned: &Planned,
        at: &(dyn Fn(usize) -> String + Sync),
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        for (chunk, new) in new.chunks(CHECK_ROWS).enumerate() {
            self.permit_some_grants(new, roles, planned, &|position| at(chunk * CHECK_ROWS + position), problems).await?;
        }
        Ok(())
    }

    async fn permit_some_grants(
        &self,
        new: &[NewGrant],
        roles: &std::collections::HashMap<RoleId, Role>,
        planned: &Planned,
        at: &(dyn Fn(usize) -> String + Sync),
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        let after: Vec<Grant> = new.iter().map(|grant| self.grant_to_be(grant)).collect();
        let users = self.rows_of_users(new.iter().map(|grant| grant.user), planned).await?;
        let granted: Vec<Role> = new.iter().filter_map(|grant| roles.get(&grant.role).cloned()).collect();
        let within: Vec<Group> = new.iter().map(|grant| grant.within.map_or_else(Group::top, |group| place_of(group, planned))).collect();
        let within = self.rows_of_groups(within).await?;
        let mut parties = vec![("user", RowSet::Users(&users)), ("role", RowSet::Roles(&granted))];
        if new.iter().any(|grant| grant.within.is_some()) {
            parties.push(("within", RowSet::Groups(&within)));
        }
        let deed = Deed { rows: None, fields: &[], after: Some(RowSet::Grants(&after)), parties, planned };
        self.permit("grant.add", Kind::Grant, &deed, at, problems).await?;
        Ok(())
    }

    fn grant_to_be(&self, grant: &NewGrant) -> Grant {
        Grant {
            id: grant.id,
            user: grant.user,
            role: grant.role,
            within: grant.within,
            provenance: Field::Shown(grant.provenance),
            granted_by: Field::Shown(self.subject.user()),
            granted_at: self.now,
            withheld: Vec::new(),
        }
    }

    /// Users as parties: those that are planned, and those that are stored.
    pub(super) async fn rows_of_users(&self, ids: impl Iterator<Item = UserId>, planned: &Planned) -> Result<Vec<User>, Error> {
        let ids: Vec<UserId> = ids.collect();
        let mut stored: Vec<UserId> = ids.iter().filter(|id| !planned.users.contains_key(id)).copied().collect();
        stored.sort_unstable();
        stored.dedup();
        let rows = self.snapshot.lock().await.users_by_id(&stored).await?;
        let rows: std::collections::HashMap<UserId, User> = rows.into_iter().map(Sealed::open).map(|row| (row.id, row)).collect();
        let find = |id: &UserId| planned.users.get(id).map(|(row, ..)| row.clone()).or_else(|| rows.get(id).cloned());
        Ok(ids.iter().filter_map(find).collect())
    }

    /// Groups as parties: each that is stored with its own fields.
    pub(super) async fn rows_of_groups(&self, places: Vec<Group>) -> Result<Vec<Group>, Error> {
        let mut stored: Vec<GroupId> = places.iter().filter(|group| !group.is_top()).map(|group| group.id).collect();
        stored.sort_unstable();
        stored.dedup();
        let rows = self.snapshot.lock().await.groups_by_id(&stored).await?;
        let rows: std::collections::HashMap<GroupId, Group> = rows.into_iter().map(Sealed::open).map(|row| (row.id, row)).collect();
        Ok(places.into_iter().map(|place| rows.get(&place.id).cloned().unwrap_or(place)).collect())
    }
}

fn changes(users: Vec<Checked>) -> Vec<Change> {
    let memberships: Vec<NewMembership> = users.iter().flat_map(|checked| checked.memberships.iter().copied()).collect();
    let grants: Vec<NewGrant> = users.iter().flat_map(|checked| checked.grants.iter().copied()).collect();
    let mut changes = vec![Change::AddUsers(users.into_iter().map(|checked| checked.user).collect())];
    changes.extend((!memberships.is_empty()).then_some(Change::AddMemberships(memberships)));
    changes.extend((!grants.is_empty()).then_some(Change::AddGrants(grants)));
    changes
}

/// A group by its place alone.
pub(super) fn place_of(id: GroupId, planned: &Planned) -> Group {
    let parent = planned.groups.iter().find(|group| group.id == id).and_then(|group| group.parent);
    Group { id, parent, ..Group::top() }
}

/// The facts of a role.
pub(super) fn role_fact(role: &Role) -> RoleFact {
    RoleFact {
        id: role.id,
        key: role.key.shown().map(|key| fold(key)).unwrap_or_default(),
        permissions: role.permissions.shown().cloned().unwrap_or_default(),
    }
}

fn get(texts: &Texts, which: UserText) -> Option<&String> {
    texts.get(which as usize).and_then(Option::as_ref)
}

fn set(texts: &mut Texts, which: UserText, text: Option<String>) {
    if let Some(slot) = texts.get_mut(which as usize) {
        *slot = text;
    }
}

fn stored_texts(user: &User) -> Texts {
    user.texts.clone().map(|text| match text {
        Field::Shown(text) => text,
        Field::Withheld => None,
    })
}

/// The address, with the code behind a `#`.
fn default_user_name(texts: &Texts) -> Option<String> {
    let email = get(texts, UserText::Email)?;
    Some(match get(texts, UserText::Code) {
        None => email.clone(),
        Some(code) => format!("{email}#{code}"),
    })
}

/// Whose membership a user is. An address alone is the same person everywhere. With a code it is one of several who share it, whom
/// only the workspace tells apart; without an address nobody else could mean the same person.
fn account(texts: &Texts, id: UserId, workspace: crate::ids::WorkspaceId) -> AccountName {
    match (get(texts, UserText::Email), get(texts, UserText::Code)) {
        (Some(email), None) => AccountName { issuer: "email".to_owned(), identifier: fold(email) },
        (Some(email), Some(code)) => {
            AccountName { issuer: format!("workspace:{workspace}"), identifier: format!("{}#{}", fold(email), fold(code)) }
        }
        (None, _) => AccountName { issuer: format!("workspace:{workspace}"), identifier: id.to_string() },
    }
}
