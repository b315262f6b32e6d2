//! What somebody may do, and why.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{
    Directory, Sealed, Visible,
    decide::Decision,
    facts::{Facts, Planned, RowSet},
    list::Ask,
    resource::Resource,
    write::grants_version,
};
use crate::{
    Error,
    decisions::Purpose,
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
    limits,
    model::{Field, Grant, Group, Membership, Provenance, Role, Status, Timestamp, User, UserText, Version},
    query::{Order, Window},
    register::{self, Kind},
    store::{AmongGrants, RoleFact},
};

/// The rows about which actions are asked.
#[derive(Clone, Debug)]
pub enum Object {
    /// The workspace as a whole: whether there is anything at all for which the action could be allowed.
    Workspace,
    /// These users.
    Users(Vec<UserId>),
    /// These groups.
    Groups(Vec<GroupId>),
    /// These roles.
    Roles(Vec<RoleId>),
    /// These memberships.
    Memberships(Vec<MembershipId>),
    /// These grants.
    Grants(Vec<GrantId>),
}

impl Object {
    /// The kinds of what can be asked about.
    pub const KINDS: [Kind; 6] = [Kind::User, Kind::Group, Kind::Role, Kind::Membership, Kind::Grant, Kind::Workspace];

    /// Whether [`Directory::can`] asks actions of kind `action` about objects of kind `of`: the same kind, edges at either end where they
    /// hang, and everything of the workspace.
    #[must_use]
    pub const fn answers(of: Kind, action: Kind) -> bool {
        match of {
            Kind::User => matches!(action, Kind::User | Kind::Membership | Kind::Grant),
            Kind::Group => matches!(action, Kind::Group | Kind::Membership),
            Kind::Role => matches!(action, Kind::Role | Kind::Grant),
            Kind::Membership => matches!(action, Kind::Membership),
            Kind::Grant => matches!(action, Kind::Grant),
            Kind::Workspace => true,
            _ => false,
        }
    }
}

/// Whether one action is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionDecision {
    /// `kind.verb`.
    pub action: String,
    /// Whether the policy allows it.
    pub allowed: bool,
    /// The policy's own words.
    pub reason: String,
}

/// A permission and what it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectivePermission {
    /// The action's name.
    pub permission: String,
    /// Every grant that brings it.
    pub sources: Vec<PermissionSource>,
}

/// A grant of a role that holds a permission. Ids only: what they name is read through the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PermissionSource {
    /// The role.
    pub role: RoleId,
    /// The subtree that the grant is limited to.
    pub within: Option<GroupId>,
    /// Whether the grant is limited to a subtree, visible or not.
    pub limited: bool,
}

impl Directory {
    /// Decides actions on each of the object's rows, in order. Call it for visible rows only.
    ///
    /// Actions of another kind ask about what hangs on the row: `membership.add` on a group asks about a membership in it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an unknown action or too many; those of policy and store.
    pub async fn can(&self, actions: &[String], object: &Object) -> Result<Vec<Vec<ActionDecision>>, Error> {
        if actions.len() > limits::CHECK_ACTIONS {
            return Err(Error::TooLarge(format!("{} actions are more than {}; ask for fewer", actions.len(), limits::CHECK_ACTIONS)));
        }
        let kinds: Vec<Kind> = actions.iter().map(|action| kind_of(action)).collect::<Result<_, _>>()?;
        let rows = self.object_rows(object).await?;
        let mut answers: Vec<Vec<ActionDecision>> = vec![Vec::with_capacity(actions.len()); rows.len()];
        for (action, kind) in actions.iter().zip(kinds) {
            let decisions = self.decide_on(action, kind, &rows).await?;
            for (answer, decision) in answers.iter_mut().zip(decisions) {
                let reason = decision.reason().to_owned();
                answer.push(ActionDecision { action: action.clone(), allowed: decision.allows(), reason });
            }
        }
        Ok(answers)
    }

    /// Decides one action on each of the object's rows, in order, as [`Directory::can`] does.
    pub(super) async fn decide_object(&self, action: &str, object: &Object) -> Result<Vec<Decision>, Error> {
        let kind = kind_of(action)?;
        let rows = self.object_rows(object).await?;
        self.decide_on(action, kind, &rows).await
    }

    /// The effective permissions of each user, from grants and roles that the subject may see; the subject's own always.
    ///
    /// # Errors
    /// Those of policy and store.
    pub async fn effective_permissions(&self, users: &[UserId]) -> Result<Vec<Vec<EffectivePermission>>, Error> {
        let rows = (limits::LEVEL_ROWS / users.len().max(1)).max(1);
        let among = AmongGrants::OfUsers(users.to_vec());
        let window = Window { rows, ..Window::default() };
        let pages = self.list_grants(Ask { among, filter: None, order: Order::default(), window }).await?;
        let ids: Vec<RoleId> = pages.iter().flat_map(|page| page.rows.iter().map(|(_, grant)| grant.role)).collect();
        let roles: HashMap<RoleId, Visible<Role>> = self.roles(&ids).await?.into_iter().flatten().map(|role| (role.id, role)).collect();
        let permissions = |role: RoleId| roles.get(&role).and_then(|role| role.permissions.shown()).map(Vec::as_slice).unwrap_or_default();
        let mut effective = Vec::with_capacity(users.len());
        for (user, page) in users.iter().zip(pages) {
            if Some(*user) == self.subject.user() && !self.is_watched() {
                effective.push(self.own_permissions());
                continue;
            }
            if page.more {
                return Err(Error::TooLarge(format!("{user} holds more than {rows} grants; ask for fewer users at once")));
            }
            let grants = page.rows.iter().map(|(_, grant)| (grant.role, grant.within));
            effective.push(by_permission(grants.map(|(role, within)| (role, within, permissions(role)))));
        }
        Ok(effective)
    }

    /// Of each user the version of the grants that the subject sees; see [`grants_version`].
    ///
    /// # Errors
    /// Those of policy and store.
    pub async fn grants_versions(&self, users: &[UserId]) -> Result<Vec<String>, Error> {
        let rows = (limits::LEVEL_ROWS / users.len().max(1)).max(1);
        let window = Window { rows, ..Window::default() };
        let ask = Ask { among: AmongGrants::OfUsers(users.to_vec()), filter: None, order: Order::default(), window };
        let pages = self.list_grants(ask).await?;
        let version = |page: super::Page<Grant>| {
            if page.more {
                return Err(Error::TooLarge(format!("somebody holds more than {rows} grants; ask for fewer users at once")));
            }
            Ok(grants_version(page.rows.iter().map(|(_, grant)| grant.id)))
        };
        pages.into_iter().map(version).collect()
    }

    /// The subject's own display name, or else its user name, whatever the policy says; `None` for a service.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn own_name(&self) -> Result<Option<String>, Error> {
        let Some(user) = self.subject.user() else { return Ok(None) };
        if let Some(name) = self.watched_name().await? {
            return Ok(name);
        }
        let rows = self.snapshot.lock().await.users_by_id(&[user]).await?;
        let row = rows.into_iter().map(Sealed::open).next();
        let text = |which| row.as_ref().and_then(|row| row.text(which).shown().cloned().flatten());
        Ok(text(UserText::DisplayName).or_else(|| text(UserText::UserName)))
    }

    /// The permissions that the subject holds in the whole workspace, cut down to the scopes of its token.
    #[must_use]
    pub fn own_wide_permissions(&self) -> Vec<String> {
        self.permissions().filter(|permission| self.shows_permission(permission)).map(str::to_owned).collect()
    }

    fn own_permissions(&self) -> Vec<EffectivePermission> {
        let permissions = |role: RoleId| {
            let fact = self.context.roles().iter().find(|fact| fact.id == role);
            fact.map(|fact| fact.permissions.as_slice()).unwrap_or_default()
        };
        let grants = self.context.facts.grants.iter();
        let mut own = by_permission(grants.map(|(role, within)| (*role, *within, permissions(*role))));
        own.retain(|permission| self.subject.may_attempt(&permission.permission));
        own
    }

    /// Requires that an action on something of the workspace as a whole is allowed.
    pub(super) async fn require(&self, action: &str) -> Result<(), Error> {
        let Some((kind, _)) = register::action(action) else { return Err(Error::Invalid(format!("`{action}` is no action"))) };
        let purpose = match action.rsplit('.').next() {
            Some("read") => Purpose::Read,
            Some("explain" | "export") => Purpose::Ask,
            _ => Purpose::Write,
        };
        let decided = self.decide_for(purpose, action, kind, &Facts::Rows(RowSet::Others(kind, 1)), 1).await;
        if purpose == Purpose::Write {
            self.gate.record(self.subject.workspace, self.take_journal()).await;
        }
        allowed(action, &decided?)
    }

    /// The same where nothing is done on the strength of it, so that nothing is recorded.
    pub(super) async fn would_allow(&self, action: &str) -> Result<(), Error> {
        let kind = kind_of(action)?;
        let decisions = self.decide_for(Purpose::Ask, action, kind, &Facts::Rows(RowSet::Others(kind, 1)), 1).await?;
        allowed(action, &decisions)
    }

    pub(super) async fn object_rows(&self, object: &Object) -> Result<ObjectRows, Error> {
        Ok(match object {
            Object::Workspace => ObjectRows::Workspace,
            Object::Users(ids) => ObjectRows::Users(self.raw(ids.iter().map(|id| id.0)).await?),
            Object::Groups(ids) => ObjectRows::Groups(self.raw(ids.iter().map(|id| id.0)).await?),
            Object::Roles(ids) => ObjectRows::Roles(self.raw(ids.iter().map(|id| id.0)).await?),
            Object::Memberships(ids) => ObjectRows::Memberships(self.raw(ids.iter().map(|id| id.0)).await?),
            Object::Grants(ids) => ObjectRows::Grants(self.raw(ids.iter().map(|id| id.0)).await?),
        })
    }

    /// Rows as stored, in the order of `ids`, for facts only: they never leave the gate.
    async fn raw<R: Resource + Clone>(&self, ids: impl Iterator<Item = Uuid>) -> Result<Vec<R>, Error> {
        let ids: Vec<Uuid> = ids.collect();
        let rows = R::load(self.snapshot.lock().await.as_mut(), &ids).await?.into_iter().map(Sealed::open);
        let rows: HashMap<Uuid, R> = rows.map(|row| (row.key(), row)).collect();
        let row = |id: &Uuid| rows.get(id).cloned().ok_or_else(|| Error::NotFound(format!("a {}", R::KIND.name())));
        ids.iter().map(row).collect()
    }

    pub(super) async fn decide_on(&self, action: &str, kind: Kind, rows: &ObjectRows) -> Result<Vec<Decision>, Error> {
        match (rows, kind) {
            (ObjectRows::Users(rows), Kind::User) => self.decide(action, rows).await,
            (ObjectRows::Groups(rows), Kind::Group) => self.decide(action, rows).await,
            (ObjectRows::Roles(rows), Kind::Role) => self.decide(action, rows).await,
            (ObjectRows::Memberships(rows), Kind::Membership) => self.decide(action, rows).await,
            (ObjectRows::Grants(rows), Kind::Grant) => self.decide(action, rows).await,
            (ObjectRows::Groups(rows), Kind::Membership) => {
                self.decide(action, &rows.iter().map(|row| membership(NOBODY, row.id)).collect::<Vec<_>>()).await
            }
            (ObjectRows::Users(rows), Kind::Membership) if adds(action) => {
                self.decide(action, &rows.iter().map(|row| membership(row.id, NO_GROUP)).collect::<Vec<_>>()).await
            }
            (ObjectRows::Users(rows), Kind::Membership) => {
                let users: Vec<UserId> = rows.iter().map(|row| row.id).collect();
                let edges = self.snapshot.lock().await.direct_groups(&users).await?.open();
                let edges: Vec<Membership> = edges.into_iter().map(|(user, group)| membership(user, group)).collect();
                let decisions = self.decide(action, &edges).await?;
                Ok(any_of(&users, edges.iter().map(|edge| edge.user).zip(decisions)))
            }
            (ObjectRows::Users(rows), Kind::Grant) if adds(action) => {
                self.decide(action, &rows.iter().map(|row| grant(row.id, NO_ROLE)).collect::<Vec<_>>()).await
            }
            (ObjectRows::Users(rows), Kind::Grant) => {
                let users: Vec<UserId> = rows.iter().map(|row| row.id).collect();
                let grants = self.grants_of(&users).await?;
                let decisions = self.decide(action, &grants).await?;
                Ok(any_of(&users, grants.iter().map(|grant| grant.user).zip(decisions)))
            }
            (ObjectRows::Roles(rows), Kind::Grant) => {
                self.decide(action, &rows.iter().map(|row| grant(NOBODY, row.id)).collect::<Vec<_>>()).await
            }
            (ObjectRows::Workspace, kind) => self.decide_anywhere(action, kind).await.map(|decision| vec![decision]),
            (rows, kind) => Err(Error::Invalid(format!(
                "`{action}` is about a {}, which can not be asked of a {}; ask it of the workspace",
                kind.name(),
                rows.name(),
            ))),
        }
    }
}

impl Directory {
    /// Whether there is anything in the workspace on which an action could be allowed.
    ///
    /// What can be read, the scope tells. Otherwise the policy is asked about something that is nowhere yet and then, since much is
    /// decided by where a row is, about one row in each of the places that the subject's own groups, offices and grants name.
    async fn decide_anywhere(&self, action: &str, kind: Kind) -> Result<Decision, Error> {
        let nowhere = self.decide_facts(action, kind, &Facts::Rows(RowSet::Others(kind, 1)), 1).await?.into_iter().next();
        let nowhere = nowhere.ok_or_else(|| Error::Store("a decision is missing".to_owned()))?;
        if nowhere.allows() || adds(action) || !self.subject.may_attempt(action) {
            return Ok(nowhere);
        }
        if action == kind.read() {
            let readable = !self.scope(kind).await?.is_nothing();
            return Ok(if readable { Decision::allow_all("the policy shows you some of them") } else { nowhere });
        }
        let places = self.own_places();
        let mut planned = Planned::default();
        let strangers = (1_u128..).map(|number| UserId(Uuid::from_u128(number)));
        let people: Vec<(User, GroupId)> = strangers.zip(&places).map(|(id, group)| (somebody(id), *group)).collect();
        planned.users.extend(people.iter().map(|(user, group)| (user.id, (user.clone(), vec![*group], Vec::new()))));
        let decisions = match kind {
            Kind::User => {
                let mut rows: Vec<User> = people.into_iter().map(|(user, _)| user).collect();
                if let Some(me) = self.subject.user() {
                    rows.extend(self.raw::<User>(std::iter::once(me.0)).await?);
                }
                self.decide_facts(action, kind, &Facts::Imagined(RowSet::Users(&rows), &planned), rows.len()).await?
            }
            Kind::Group => {
                let rows = self.raw::<Group>(places.iter().map(|group| group.0)).await?;
                self.decide(action, &rows).await?
            }
            Kind::Membership => {
                let rows: Vec<Membership> = people.iter().map(|(user, group)| membership(user.id, *group)).collect();
                self.decide_facts(action, kind, &Facts::Imagined(RowSet::Memberships(&rows), &planned), rows.len()).await?
            }
            Kind::Grant => {
                // Of a role that hands on nothing.
                planned.roles.push(RoleFact { id: NO_ROLE, key: String::new(), permissions: Vec::new() });
                let within = people.iter().map(|(user, group)| Grant { within: Some(*group), ..grant(user.id, NO_ROLE) });
                let rows: Vec<Grant> = within.collect();
                self.decide_facts(action, kind, &Facts::Imagined(RowSet::Grants(&rows), &planned), rows.len()).await?
            }
            _ => Vec::new(),
        };
        Ok(decisions.into_iter().find(Decision::allows).unwrap_or(nowhere))
    }

    /// The groups that the subject is in or manages, or to which its grants are limited, each once, at most [`limits::PLACES`].
    fn own_places(&self) -> Vec<GroupId> {
        let facts = &self.context.facts;
        let limits = facts.grants.iter().filter_map(|(_, within)| *within);
        let mut places: Vec<GroupId> = facts.groups.iter().chain(&facts.manages).copied().chain(limits).collect();
        places.sort_unstable();
        places.dedup();
        places.truncate(limits::PLACES);
        places
    }
}

/// Whether the one decision about an action allows it.
fn allowed(action: &str, decisions: &[Decision]) -> Result<(), Error> {
    match decisions.first() {
        Some(decision) if decision.allows() => Ok(()),
        decision => {
            let reason = decision.map(Decision::reason).unwrap_or_default().to_owned();
            Err(Error::Forbidden { action: action.to_owned(), reason })
        }
    }
}

/// The kind that an action is about.
pub(super) fn kind_of(action: &str) -> Result<Kind, Error> {
    let known = register::action(action).map(|(kind, _)| kind);
    let shown: String = action.chars().take(64).collect();
    known.ok_or_else(|| Error::Invalid(format!("`{shown}` is no action; the register in the docs lists them")))
}

/// Whether an action makes something that is nowhere yet.
fn adds(action: &str) -> bool {
    action.ends_with(".add") || action.ends_with(".create")
}

/// For each user, a decision that allows one of its edges. Else one that does not, and that is the same for whoever has none: there may
/// be some that the one who asks does not see.
fn any_of(users: &[UserId], decided: impl Iterator<Item = (UserId, Decision)>) -> Vec<Decision> {
    let allowed: HashMap<UserId, Decision> = decided.filter(|(_, decision)| decision.allows()).collect();
    users.iter().map(|user| allowed.get(user).cloned().unwrap_or_else(|| Decision::deny("there is none of which it is allowed"))).collect()
}

/// Somebody active of whom nothing is known but where they are.
fn somebody(id: UserId) -> User {
    User {
        id,
        texts: [const { Field::Shown(None) }; UserText::ALL.len()],
        exclusive: Field::Shown(false),
        status: Field::Shown(Status::Active),
        attributes: Vec::new(),
        created_by: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        version: Version(0),
        withheld: Vec::new(),
    }
}

/// Rows as stored, by kind.
pub(super) enum ObjectRows {
    Workspace,
    Users(Vec<User>),
    Groups(Vec<Group>),
    Roles(Vec<Role>),
    Memberships(Vec<Membership>),
    Grants(Vec<Grant>),
}

impl ObjectRows {
    /// The rows, if they are of that kind.
    pub(super) fn of_kind(&self, kind: Kind) -> Option<RowSet<'_>> {
        match (self, kind) {
            (Self::Users(rows), Kind::User) => Some(RowSet::Users(rows)),
            (Self::Groups(rows), Kind::Group) => Some(RowSet::Groups(rows)),
            (Self::Roles(rows), Kind::Role) => Some(RowSet::Roles(rows)),
            (Self::Memberships(rows), Kind::Membership) => Some(RowSet::Memberships(rows)),
            (Self::Grants(rows), Kind::Grant) => Some(RowSet::Grants(rows)),
            _ => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Workspace => 1,
            Self::Users(rows) => rows.len(),
            Self::Groups(rows) => rows.len(),
            Self::Roles(rows) => rows.len(),
            Self::Memberships(rows) => rows.len(),
            Self::Grants(rows) => rows.len(),
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Users(_) => "user",
            Self::Groups(_) => "group",
            Self::Roles(_) => "role",
            Self::Memberships(_) => "membership",
            Self::Grants(_) => "grant",
        }
    }
}

/// An end that is not chosen yet: in no group, without roles.
const NOBODY: UserId = UserId(Uuid::nil());
/// A group that is not chosen yet.
const NO_GROUP: GroupId = GroupId(Uuid::nil());
/// A role that is not chosen yet.
const NO_ROLE: RoleId = RoleId(Uuid::nil());

/// A membership that might be.
fn membership(user: UserId, group: GroupId) -> Membership {
    Membership {
        id: MembershipId(Uuid::nil()),
        user,
        group,
        manager: Field::Shown(false),
        created_by: None,
        created_at: Timestamp(0),
        withheld: Vec::new(),
    }
}

/// A grant that might be.
fn grant(user: UserId, role: RoleId) -> Grant {
    Grant {
        id: GrantId(Uuid::nil()),
        user,
        role,
        within: None,
        provenance: Field::Shown(Provenance::Manual),
        granted_by: Field::Shown(None),
        granted_at: Timestamp(0),
        withheld: Vec::new(),
    }
}

fn by_permission<'a>(grants: impl Iterator<Item = (RoleId, Option<GroupId>, &'a [String])>) -> Vec<EffectivePermission> {
    let mut found: BTreeMap<&str, Vec<PermissionSource>> = BTreeMap::new();
    for (role, within, permissions) in grants {
        for permission in permissions {
            let source = PermissionSource { role, within, limited: within.is_some() };
            let sources = found.entry(permission).or_default();
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    found.into_iter().map(|(permission, sources)| EffectivePermission { permission: permission.to_owned(), sources }).collect()
}
