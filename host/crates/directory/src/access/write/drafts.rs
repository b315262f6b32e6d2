//! Users to be: added alone, in bulk, or with the group of a partner.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    Plan, Planning,
    check::{self, AttributesSet},
    groups::CreateGroup,
    targets::{Problems, bulk, once, refused},
    users::{World, account, get, set},
};
use crate::access::{
    Directory,
    facts::{Deed, Planned, RowSet},
};
use crate::{
    Error, Refusal,
    change::{Change, NewGrant, NewMembership, NewUser, Texts},
    ids::{AccountId, GrantId, GroupId, MembershipId, RoleId, UserId},
    limits::START_EDGES,
    model::{Field, Group, Provenance, Role, Status, User, UserText, Version},
    register::Kind,
    store::IdSource,
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

/// The groups and roles that users to be may begin with: seen by whoever adds them.
struct Beginnings {
    groups: HashSet<GroupId>,
    roles: HashSet<RoleId>,
}

impl Directory {
    /// See [`AddUsers`].
    pub(super) async fn plan_add_users(&self, asked: &AddUsers, ids: &mut dyn IdSource) -> Planning {
        bulk("users", asked.users.len())?;
        let mut problems = Problems::default();
        let users = self.check_drafts(&asked.users, None, ids, &mut problems).await?;
        let mut refused = Problems::default();
        self.permit_drafts(&users, Vec::new(), &mut refused).await?;
        problems.judged(refused)?;
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
        let users = self.check_drafts(&drafts, Some(group.id), ids, &mut problems).await?;
        let mut refused = Problems::default();
        self.permit_drafts(&users, vec![row], &mut refused).await?;
        problems.judged(refused)?;
        let mut answer = vec![group.id.0];
        answer.extend(users.iter().map(|checked| checked.user.id.0));
        let mut all = vec![Change::CreateGroup(group)];
        all.extend(changes(users));
        Ok(Plan { changes: all, ids: answer })
    }

    /// Checks everything about drafts that no policy decides. `new` is a group that comes into being with them. What is wrong, or names
    /// what is not there, is left out of what is answered.
    async fn check_drafts(
        &self,
        drafts: &[UserDraft],
        new: Option<GroupId>,
        ids: &mut dyn IdSource,
        problems: &mut Problems,
    ) -> Result<Vec<Checked>, Refusal> {
        let named_groups = drafts.iter().enumerate().flat_map(|(user, draft)| {
            let groups = draft.groups.iter().enumerate().map(move |(at, member)| (member.id, format!("users.{user}.groups.{at}.groupId")));
            let limits = draft.roles.iter().enumerate();
            groups.chain(limits.filter_map(move |(at, (_, within))| Some(((*within)?, format!("users.{user}.roles.{at}.withinId")))))
        });
        let named_groups: Vec<_> = named_groups.filter(|(id, _)| Some(*id) != new).collect();
        let mut groups: HashSet<GroupId> = self.seen_groups(&named_groups, problems).await?.into_keys().collect();
        groups.extend(new);
        let named_roles = drafts.iter().enumerate().flat_map(|(user, draft)| {
            draft.roles.iter().enumerate().map(move |(at, (role, _))| (*role, format!("users.{user}.roles.{at}.roleId")))
        });
        let roles = self.seen_roles(&named_roles.collect::<Vec<_>>(), problems).await?.into_keys().collect();
        let (world, seen) = (self.world().await?, Beginnings { groups, roles });
        let check = |(position, draft): (usize, &UserDraft)| {
            let at = format!("users.{position}");
            let (memberships, grants) = check_edges(draft, &at, &seen, ids, problems);
            self.check_draft(draft, &at, &world, ids, problems).with(memberships, grants)
        };
        Ok(drafts.iter().enumerate().map(check).collect())
    }

    /// Checks what a draft says of the user alone.
    fn check_draft(&self, draft: &UserDraft, at: &str, world: &World, ids: &mut dyn IdSource, problems: &mut Problems) -> Checked {
        let (texts, mut fields) = check_texts(draft, at, world, problems);
        fields.extend(draft.exclusive.then(|| "exclusive".to_owned()));
        let status = draft.status.unwrap_or(Status::Inactive);
        fields.extend(draft.status.map(|_| "status".to_owned()));
        fields.extend(draft.attributes.iter().map(|(name, _)| format!("attributes.{name}")));
        let at_attributes = format!("{at}.attributes");
        let attributes = check::attributes(&Vec::new(), &draft.attributes, &world.attributes, &at_attributes, &mut problems.0);
        check::required(&attributes, &world.attributes, &at_attributes, &mut problems.0);
        let (id, account_id) = (UserId(ids.next_id()), AccountId(ids.next_id()));
        let account = account(&texts, id, self.subject.workspace);
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
        Checked { user, fields, row, memberships: Vec::new(), grants: Vec::new() }
    }

    /// Asks the policy about new users and about everything that they begin with.
    async fn permit_drafts(&self, users: &[Checked], with: Vec<Group>, problems: &mut Problems) -> Result<(), Refusal> {
        let roles: Vec<Uuid> = users.iter().flat_map(|checked| checked.grants.iter().map(|grant| grant.role.0)).collect();
        let roles: HashMap<RoleId, Role> = self.targets::<Role>(&roles).await?.into_iter().flatten().map(|role| (role.id, role)).collect();
        let mut planned = Planned { groups: with, ..Planned::default() };
        for checked in users {
            let groups = checked.memberships.iter().map(|edge| edge.group).collect();
            let mut held: Vec<RoleId> = checked.grants.iter().map(|grant| grant.role).collect();
            held.sort_unstable();
            held.dedup();
            planned.users.insert(checked.row.id, (checked.row.clone(), groups, held));
        }
        let rows: Vec<User> = users.iter().map(|checked| checked.row.clone()).collect();
        // A single user begins with parties of one row each; of several, the columns of `after` say who begins with what.
        let only = if let [only] = users { Some(only) } else { None };
        let start_groups = only.iter().flat_map(|only| only.memberships.iter().map(|edge| edge.group)).collect();
        let start_groups = self.rows_of_groups(start_groups, &planned).await?;
        let start_roles = only.iter().flat_map(|only| only.grants.iter().filter_map(|grant| roles.get(&grant.role).cloned()));
        let start_roles: Vec<Role> = start_roles.collect();
        let mut parties: Vec<_> = start_groups.iter().map(|group| ("group", RowSet::Groups(std::slice::from_ref(group)))).collect();
        parties.extend(start_roles.iter().map(|role| ("role", RowSet::Roles(std::slice::from_ref(role)))));
        let mut fields: Vec<String> = users.iter().flat_map(|checked| checked.fields.clone()).collect();
        fields.sort_unstable();
        fields.dedup();
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
}

impl Checked {
    /// The same, with the edges that the user begins with.
    fn with(self, mut memberships: Vec<NewMembership>, mut grants: Vec<NewGrant>) -> Self {
        memberships.iter_mut().for_each(|edge| edge.user = self.user.id);
        grants.iter_mut().for_each(|grant| grant.user = self.user.id);
        Self { memberships, grants, ..self }
    }
}

/// The texts of a draft, and which are set.
fn check_texts(draft: &UserDraft, at: &str, world: &World, problems: &mut Problems) -> (Texts, Vec<String>) {
    let mut texts = Texts::default();
    let mut fields = Vec::new();
    for (which, text) in &draft.texts {
        let text = problems.keep(&format!("{at}.{}", which.field()), check::user_text(*which, text, world.rules));
        set(&mut texts, *which, text);
        fields.push(which.field().to_owned());
    }
    let given = |which: UserText| draft.texts.iter().any(|(given, _)| *given == which);
    if !given(UserText::UserName) {
        if !given(UserText::Email) {
            let message = "there is neither `userName` nor `email`; give one of them".to_owned();
            problems.add(&format!("{at}.userName"), Error::Invalid(message));
        }
        let derived = default_user_name(&texts);
        let derived = derived.and_then(|name| problems.keep(&format!("{at}.userName"), check::name(&name)));
        set(&mut texts, UserText::UserName, derived);
        fields.push(UserText::UserName.field().to_owned());
    }
    (texts, fields)
}

/// The edges that a user is to begin with, of nobody yet; those to what is not there are left out.
fn check_edges(
    draft: &UserDraft,
    at: &str,
    seen: &Beginnings,
    ids: &mut dyn IdSource,
    problems: &mut Problems,
) -> (Vec<NewMembership>, Vec<NewGrant>) {
    if draft.groups.len() > START_EDGES || draft.roles.len() > START_EDGES {
        let message = format!("somebody may begin with {START_EDGES} groups and {START_EDGES} roles; add the rest afterwards");
        problems.add(at, Error::TooLarge(message));
    }
    once(problems, |group| format!("{at}.groups.{group}"), draft.groups.iter().map(|member| member.id));
    let nobody = UserId(Uuid::nil());
    let members = draft.groups.iter().filter(|member| seen.groups.contains(&member.id)).take(START_EDGES);
    let memberships =
        members.map(|member| NewMembership { id: MembershipId(ids.next_id()), user: nobody, group: member.id, manager: member.manager });
    let memberships = memberships.collect();
    let there =
        |(role, within): &&(RoleId, Option<GroupId>)| seen.roles.contains(role) && within.is_none_or(|group| seen.groups.contains(&group));
    let grants = draft.roles.iter().filter(there).take(START_EDGES).map(|(role, within)| NewGrant {
        id: GrantId(ids.next_id()),
        user: nobody,
        role: *role,
        within: *within,
        provenance: Provenance::Manual,
    });
    (memberships, grants.collect())
}

fn changes(users: Vec<Checked>) -> Vec<Change> {
    let memberships: Vec<NewMembership> = users.iter().flat_map(|checked| checked.memberships.iter().copied()).collect();
    let grants: Vec<NewGrant> = users.iter().flat_map(|checked| checked.grants.iter().copied()).collect();
    let mut changes = vec![Change::AddUsers(users.into_iter().map(|checked| checked.user).collect())];
    changes.extend((!memberships.is_empty()).then_some(Change::AddMemberships(memberships)));
    changes.extend((!grants.is_empty()).then_some(Change::AddGrants(grants)));
    changes
}

/// The address, with the code behind a `#`.
fn default_user_name(texts: &Texts) -> Option<String> {
    let email = get(texts, UserText::Email)?;
    Some(match get(texts, UserText::Code) {
        None => email.clone(),
        Some(code) => format!("{email}#{code}"),
    })
}
