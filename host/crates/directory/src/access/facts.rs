//! What a policy is shown: context and rows as columns, and only what the module's `needs` name.

mod columns;
mod digest;
mod places;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Actor, Directory, Sealed, decide::Needs, locked};
use crate::{
    Error,
    contract::{Change, Context, Fact, Held, Party, Rows, SubjectView, UNASSIGNED},
    ids::{GroupId, RoleId, UserId},
    model::{Attribute, Grant, Group, Membership, Role, Token, User},
    register::Kind,
    store::{GroupFact, RoleFact, Snapshot, SubjectFacts},
    text::fold,
};
use columns::Columns;
pub(super) use digest::digest;
pub(super) use places::Places;

/// A subject's facts with the groups and roles that they refer to. Valid for one authority epoch.
#[derive(Debug, Default)]
pub(super) struct SubjectContext {
    pub(super) facts: SubjectFacts,
    groups: Vec<GroupFact>,
    roles: Vec<RoleFact>,
    /// Of workspace-wide grants, sorted.
    permissions: Vec<String>,
}

impl SubjectContext {
    /// Reads a user's facts: three statements.
    pub(super) async fn read(user: UserId, snapshot: &mut dyn Snapshot) -> Result<Self, Error> {
        let facts = snapshot.subject_facts(user).await?.open();
        let limits = facts.grants.iter().filter_map(|(_, within)| *within);
        let mut groups: Vec<GroupId> = facts.groups.iter().chain(&facts.manages).copied().chain(limits).collect();
        groups.sort_unstable();
        groups.dedup();
        let groups = snapshot.group_chains(&groups).await?.open();
        let mut roles: Vec<RoleId> = facts.grants.iter().map(|(role, _)| *role).collect();
        roles.sort_unstable();
        roles.dedup();
        let roles = snapshot.role_facts(&roles).await?.open();
        let wide = |role: &&RoleFact| facts.grants.iter().any(|(held, within)| *held == role.id && within.is_none());
        let mut permissions: Vec<String> = roles.iter().filter(wide).flat_map(|role| role.permissions.clone()).collect();
        permissions.sort_unstable();
        permissions.dedup();
        Ok(Self { facts, groups, roles, permissions })
    }

    /// Whether it holds the built-in administrator's role in the whole workspace.
    pub(super) fn administers(&self) -> bool {
        let administrator = |role: &RoleId| self.roles.iter().any(|fact| fact.id == *role && super::decide::is_administrator(&fact.key));
        self.facts.grants.iter().any(|(role, within)| within.is_none() && administrator(role))
    }

    /// Its roles with their permissions.
    pub(super) fn roles(&self) -> &[RoleFact] {
        &self.roles
    }
}

/// The rows of one call, by kind.
#[derive(Clone, Copy)]
pub(super) enum RowSet<'a> {
    /// Users.
    Users(&'a [User]),
    /// Groups.
    Groups(&'a [Group]),
    /// Roles.
    Roles(&'a [Role]),
    /// Memberships.
    Memberships(&'a [Membership]),
    /// Grants.
    Grants(&'a [Grant]),
    /// Tokens.
    Tokens(&'a [Token]),
    /// Declarations of custom attributes.
    Attributes(&'a [Attribute]),
    /// So many rows of a kind without columns of its own.
    Others(Kind, usize),
}

impl RowSet<'_> {
    /// How many rows.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Users(rows) => rows.len(),
            Self::Groups(rows) => rows.len(),
            Self::Roles(rows) => rows.len(),
            Self::Memberships(rows) => rows.len(),
            Self::Grants(rows) => rows.len(),
            Self::Tokens(rows) => rows.len(),
            Self::Attributes(rows) => rows.len(),
            Self::Others(_, len) => *len,
        }
    }

    /// The ids of rows that have, or would have, one of their own.
    fn ids(&self) -> Vec<Option<Uuid>> {
        let known = |id: Uuid| Some(id).filter(|id| !id.is_nil());
        match self {
            Self::Users(rows) => rows.iter().map(|row| known(row.id.0)).collect(),
            Self::Groups(rows) => rows.iter().map(|row| known(row.id.0)).collect(),
            Self::Roles(rows) => rows.iter().map(|row| known(row.id.0)).collect(),
            Self::Memberships(rows) => rows.iter().map(|row| known(row.id.0)).collect(),
            Self::Grants(rows) => rows.iter().map(|row| known(row.id.0)).collect(),
            Self::Tokens(_) | Self::Attributes(_) | Self::Others(..) => Vec::new(),
        }
    }

    /// The users whose columns the rows have, and what stands before the columns' names.
    fn users(&self) -> (&'static str, Vec<UserId>) {
        match self {
            Self::Users(rows) => ("", rows.iter().map(|row| row.id).collect()),
            Self::Memberships(rows) => ("user.", rows.iter().map(|row| row.user).collect()),
            Self::Grants(rows) => ("user.", rows.iter().map(|row| row.user).collect()),
            Self::Groups(_) | Self::Roles(_) | Self::Tokens(_) | Self::Attributes(_) | Self::Others(..) => ("", Vec::new()),
        }
    }
}

/// A write that is to be decided: what the contract calls a change, before it is columns.
pub(super) struct Deed<'a> {
    /// The rows as they are; `None` where they only come into being.
    pub(super) rows: Option<RowSet<'a>>,
    /// What the caller sets.
    pub(super) fields: &'a [String],
    /// The rows as they would be.
    pub(super) after: Option<RowSet<'a>>,
    /// Who and what else is involved; one for all rows, or one a row.
    pub(super) parties: Vec<(&'static str, RowSet<'a>)>,
    /// What the write would add to what is stored.
    pub(super) planned: &'a Planned,
}

impl<'a> Deed<'a> {
    fn sets(&self) -> Vec<RowSet<'a>> {
        self.rows.into_iter().chain(self.after).chain(self.parties.iter().map(|(_, rows)| *rows)).collect()
    }
}

/// Users, groups and roles that a write would make, or bring back: facts about them can not be read yet.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// With the groups and roles that they would have.
    pub(super) users: HashMap<UserId, (User, Vec<GroupId>, Vec<RoleId>)>,
    /// As they would be: in their places in the tree.
    pub(super) groups: Vec<Group>,
    /// Roles.
    pub(super) roles: Vec<RoleFact>,
}

impl Planned {
    /// A group as planned, or else by its id alone.
    pub(super) fn group(&self, id: GroupId) -> Group {
        self.groups.iter().find(|group| group.id == id).cloned().unwrap_or_else(|| Group { id, ..Group::top() })
    }

    fn places(&self) -> impl Iterator<Item = GroupFact> {
        let key = |group: &Group| group.key.shown().map(|key| fold(key)).unwrap_or_default();
        self.groups.iter().map(move |group| GroupFact { id: group.id, parent: group.parent, key: key(group) })
    }
}

/// What a call is about.
pub(super) enum Facts<'a> {
    /// A scope over this kind: no rows.
    None(Kind),
    /// These rows. INVARIANT: they are as stored, and of this request's view: where groups are is taken from them.
    Rows(RowSet<'a>),
    /// The same, about which several subjects are asked.
    Shared(RowSet<'a>, &'a SharedFacts),
    /// These rows, some of which are not there.
    Imagined(RowSet<'a>, &'a Planned),
    /// This write of rows of this kind.
    Deed(Kind, &'a Deed<'a>),
}

impl Facts<'_> {
    /// The ids of the `len` rows that are decided about.
    pub(super) fn objects(&self, len: usize) -> Vec<Option<Uuid>> {
        let mut ids = match self {
            Self::None(_) => Vec::new(),
            Self::Rows(rows) | Self::Imagined(rows, _) | Self::Shared(rows, _) => rows.ids(),
            Self::Deed(_, deed) => deed.rows.or(deed.after).map(|rows| rows.ids()).unwrap_or_default(),
        };
        ids.resize(len, None);
        ids
    }

    /// What a write sets.
    pub(super) fn fields(&self) -> &[String] {
        match self {
            Self::Deed(_, deed) => deed.fields,
            Self::None(_) | Self::Rows(_) | Self::Imagined(..) | Self::Shared(..) => &[],
        }
    }
}

/// The facts about rows that are put to policies again and again, for one subject after the other: read once for each set of needs,
/// so that no call is shown more than it would be if it were the only one.
#[derive(Default)]
pub(super) struct SharedFacts(Mutex<Vec<(Needs, Arc<Loaded>)>>);

impl SharedFacts {
    /// The facts that `load` reads, read by the first who has these needs.
    async fn loaded<F: Future<Output = Result<Loaded, Error>>>(
        &self,
        needs: &Needs,
        load: impl FnOnce() -> F,
    ) -> Result<Arc<Loaded>, Error> {
        let mut known = self.0.lock().await;
        if let Some((_, loaded)) = known.iter().find(|(of, _)| of == needs) {
            return Ok(loaded.clone());
        }
        let loaded = Arc::new(load().await?);
        known.push((needs.clone(), loaded.clone()));
        Ok(loaded)
    }
}

/// What a call is shown.
pub(super) struct Prepared {
    /// For the call.
    pub(super) context: Arc<Context>,
    /// For the call.
    pub(super) rows: Rows,
    /// For the call, if it is about a write.
    pub(super) change: Option<Change>,
    /// Which group stands at which position of `context.groups`; `None` is the top group.
    pub(super) positions: Vec<Option<GroupId>>,
    /// Which role stands at which position of `context.roles`.
    pub(super) roles: Vec<RoleId>,
}

impl Directory {
    /// Gathers the facts for one call. At most one statement for each of: memberships, group chains, roles held, roles, users.
    pub(super) async fn prepare(&self, action: &str, settings: String, needs: &Needs, facts: &Facts<'_>) -> Result<Prepared, Error> {
        let nothing = Planned::default();
        let (sets, planned) = match facts {
            Facts::None(_) => (Vec::new(), &nothing),
            Facts::Rows(rows) | Facts::Shared(rows, _) => (vec![*rows], &nothing),
            Facts::Imagined(rows, planned) => (vec![*rows], *planned),
            Facts::Deed(_, deed) => (deed.sets(), deed.planned),
        };
        if let Facts::Rows(rows) | Facts::Shared(rows, _) = facts {
            locked(&self.places).learn_rows(*rows);
        }
        let loaded = match facts {
            Facts::Shared(_, shared) => shared.loaded(needs, || self.load_facts(&sets, needs, planned)).await?,
            _ => Arc::new(self.load_facts(&sets, needs, planned).await?),
        };
        let groups = GroupTable::new(self.context.facts.manages_top, self.context.groups.iter().chain(&loaded.chains));
        let roles = RoleTable::new(self.context.roles.iter().chain(&loaded.role_facts));
        let columns =
            Columns { me: self.subject.user(), mine: &self.context, needs, groups: &groups, roles: &roles, loaded: loaded.as_ref() };
        let bare = |kind: Kind, len: usize| Rows { kind: kind.name().to_owned(), len: length(len), ..Rows::default() };
        let (rows, change) = match facts {
            Facts::None(kind) => (bare(*kind, 0), None),
            Facts::Rows(rows) | Facts::Shared(rows, _) | Facts::Imagined(rows, _) => (columns.of(*rows), None),
            Facts::Deed(kind, deed) => {
                let len = deed.rows.or(deed.after).map_or(1, |rows| rows.len());
                let party = |(name, rows): &(&str, RowSet<'_>)| Party { name: (*name).to_owned(), rows: columns.of(*rows) };
                let change = Change {
                    fields: deed.fields.to_vec(),
                    after: deed.after.map(|rows| columns.of(rows)),
                    parties: deed.parties.iter().map(party).collect(),
                };
                (deed.rows.map_or_else(|| bare(*kind, len), |rows| columns.of(rows)), Some(change))
            }
        };
        let context = Context {
            action: action.to_owned(),
            now_ms: u64::try_from(self.now.millis()).unwrap_or_default(),
            settings,
            subject: self.subject_view(&groups, &roles),
            groups: groups.rows(needs),
            roles: roles.rows(needs),
            facts: Vec::new(),
        };
        let roles = roles.facts.iter().map(|fact| fact.id).collect();
        Ok(Prepared { context: Arc::new(context), rows, change, positions: groups.positions, roles })
    }

    fn subject_view(&self, groups: &GroupTable, roles: &RoleTable) -> SubjectView {
        let facts = &self.context.facts;
        let at = |ids: &[GroupId]| ids.iter().filter_map(|id| groups.at(Some(*id))).collect::<Vec<u32>>();
        let held = |(role, within): &(RoleId, Option<GroupId>)| {
            let within = match within {
                None => UNASSIGNED,
                Some(id) => groups.at(Some(*id))?,
            };
            Some(Held { role: roles.at(*role)?, within })
        };
        let mut manages = at(&facts.manages);
        manages.extend(facts.manages_top.then(|| groups.at(None)).flatten());
        SubjectView {
            kind: if self.subject.user().is_some() { "user" } else { "service" }.to_owned(),
            groups: at(&facts.groups),
            manages,
            grants: facts.grants.iter().filter_map(held).collect(),
            permissions: self.permissions().map(str::to_owned).collect(),
            facts: self.subject_facts(),
        }
    }

    /// The permissions held in the whole workspace, cut down to the token's scopes; a service's are its token's scopes.
    pub(super) fn permissions(&self) -> impl Iterator<Item = &str> {
        let held = match self.subject.actor {
            Actor::User(_) => self.context.permissions.as_slice(),
            Actor::Service(_) => self.subject.scopes.as_deref().unwrap_or_default(),
        };
        held.iter().map(String::as_str).filter(|permission| self.subject.may_attempt(permission))
    }

    fn subject_facts(&self) -> Vec<Fact> {
        let fact = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned() };
        let (id, status) = match self.subject.actor {
            Actor::User(id) => (id.to_string(), Some(fact("status", "active"))),
            Actor::Service(id) => (id.to_string(), None),
        };
        let mut facts = vec![fact("id", &id), fact("via", self.subject.origin.via)];
        facts.extend(status);
        facts.extend(self.subject.scopes.iter().flatten().map(|scope| fact("token-scope", scope)));
        facts.extend(self.context.facts.attributes.iter().map(|(name, value)| fact(&format!("attributes.{name}"), value)));
        facts
    }

    /// These groups and everything above them, each once: what this request has not read yet in one statement.
    pub(super) async fn chains(&self, groups: &[GroupId], snapshot: &mut dyn Snapshot) -> Result<Vec<GroupFact>, Error> {
        let missing = locked(&self.places).missing(groups);
        if !missing.is_empty() {
            let read = snapshot.group_chains(&missing).await?.open();
            locked(&self.places).learn(read);
        }
        Ok(locked(&self.places).chains(groups))
    }

    /// Facts that are not in the rows themselves, for all sets of one call together.
    async fn load_facts(&self, sets: &[RowSet<'_>], needs: &Needs, planned: &Planned) -> Result<Loaded, Error> {
        let mut loaded = Loaded::default();
        let wanting = |names: &[&str]| {
            let wants = |prefix: &str| names.iter().any(|name| needs.column(&format!("{prefix}{name}")));
            let users = sets.iter().map(RowSet::users).filter(|(prefix, _)| wants(prefix)).flat_map(|(_, users)| users);
            distinct(users.filter(|user| !planned.users.contains_key(user)))
        };
        let mut snapshot = self.snapshot.lock().await;
        for (user, group) in snapshot.direct_groups(&wanting(&["groups", "shares-group", "below-my-groups", "managed-by-me"])).await?.open()
        {
            loaded.groups.entry(user).or_default().push(group);
        }
        for (user, role) in snapshot.held_roles(&wanting(&["roles"])).await?.open() {
            loaded.roles.entry(user).or_default().push(role);
        }
        let attributes = !needs.attributes("user.attributes.").is_empty();
        let edges: Vec<UserId> =
            sets.iter().map(RowSet::users).filter(|(prefix, _)| *prefix == "user.").flat_map(|(_, users)| users).collect();
        let row = attributes || ["status", "exclusive", "created-by-me"].iter().any(|name| needs.column(&format!("user.{name}")));
        if row {
            let edges = distinct(edges.into_iter().filter(|user| !planned.users.contains_key(user)));
            let rows = snapshot.users_by_id(&edges).await?.into_iter().map(Sealed::open);
            loaded.users = rows.map(|row| (row.id, row)).collect();
        }
        for (id, (user, groups, roles)) in &planned.users {
            loaded.groups.insert(*id, groups.clone());
            loaded.roles.insert(*id, roles.clone());
            loaded.users.insert(*id, user.clone());
        }
        let mut groups: Vec<GroupId> = loaded.groups.values().flatten().copied().collect();
        groups.extend(sets.iter().flat_map(|rows| own_groups(*rows, needs)));
        groups.extend(planned.groups.iter().filter_map(|group| group.parent));
        if sets.iter().any(|rows| wants_chains(*rows, needs)) {
            loaded.chains = self.chains(&groups, snapshot.as_mut()).await?;
            loaded.chains.extend(planned.places());
        }
        let mut roles: Vec<RoleId> = loaded.roles.values().flatten().copied().collect();
        for rows in sets {
            match rows {
                RowSet::Roles(rows) if needs.column("roles") => roles.extend(rows.iter().map(|row| row.id)),
                RowSet::Grants(rows) if needs.column("role") => roles.extend(rows.iter().map(|row| row.role)),
                _ => {}
            }
        }
        loaded.role_facts = snapshot.role_facts(&distinct(roles.into_iter())).await?.open();
        loaded.role_facts.extend(planned.roles.iter().cloned());
        Ok(loaded)
    }
}

/// The groups that rows name themselves.
fn own_groups(rows: RowSet<'_>, needs: &Needs) -> Vec<GroupId> {
    match rows {
        RowSet::Groups(rows) => rows.iter().flat_map(|row| [Some(row.id), row.parent]).flatten().collect(),
        RowSet::Memberships(rows) if needs.column("groups") => rows.iter().map(|row| row.group).collect(),
        RowSet::Grants(rows) if needs.column("groups") => rows.iter().filter_map(|row| row.within).collect(),
        _ => Vec::new(),
    }
}

fn wants_chains(rows: RowSet<'_>, needs: &Needs) -> bool {
    let any = |prefix: &str, names: &[&str]| names.iter().any(|name| needs.column(&format!("{prefix}{name}")));
    match rows {
        RowSet::Groups(_) => any("", &["groups", "managed-by-me", "below-my-groups"]),
        RowSet::Users(_) => any("", &["groups", "shares-group", "below-my-groups", "managed-by-me"]),
        RowSet::Memberships(_) | RowSet::Grants(_) => {
            needs.column("groups") || any("user.", &["groups", "shares-group", "below-my-groups", "managed-by-me"])
        }
        RowSet::Roles(_) | RowSet::Tokens(_) | RowSet::Attributes(_) | RowSet::Others(..) => false,
    }
}

fn distinct<T: Ord>(ids: impl Iterator<Item = T>) -> Vec<T> {
    let mut ids: Vec<T> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Facts that are not in the rows themselves.
#[derive(Default)]
struct Loaded {
    groups: HashMap<UserId, Vec<GroupId>>,
    roles: HashMap<UserId, Vec<RoleId>>,
    users: HashMap<UserId, User>,
    chains: Vec<GroupFact>,
    role_facts: Vec<RoleFact>,
}

/// `context.groups`: each group once, with its position.
struct GroupTable {
    positions: Vec<Option<GroupId>>,
    index: HashMap<Option<GroupId>, u32>,
    parents: Vec<Option<GroupId>>,
    keys: Vec<String>,
    top: bool,
}

impl GroupTable {
    /// `top`: whether the top group is listed; it is where the subject manages it.
    fn new<'a>(top: bool, facts: impl Iterator<Item = &'a GroupFact>) -> Self {
        let mut table = Self { positions: Vec::new(), index: HashMap::new(), parents: Vec::new(), keys: Vec::new(), top };
        if top {
            table.push(None, None, String::new());
        }
        for fact in facts {
            if !table.index.contains_key(&Some(fact.id)) {
                table.push(Some(fact.id), fact.parent, fact.key.clone());
            }
        }
        table
    }

    fn push(&mut self, id: Option<GroupId>, parent: Option<GroupId>, key: String) {
        self.index.insert(id, u32::try_from(self.positions.len()).unwrap_or(UNASSIGNED));
        self.positions.push(id);
        self.parents.push(parent);
        self.keys.push(key);
    }

    /// Where a group stands; `None` is the top group.
    fn at(&self, id: Option<GroupId>) -> Option<u32> {
        self.index.get(&id).copied()
    }

    /// The parent of a group of the table.
    fn parent(&self, id: GroupId) -> Option<GroupId> {
        let at = self.at(Some(id))?;
        self.parents.get(at as usize).copied().flatten()
    }

    /// Whether a group is, or is below, one of `set`.
    fn is_under(&self, id: GroupId, set: &HashSet<GroupId>) -> bool {
        let mut next = Some(id);
        while let Some(group) = next {
            if set.contains(&group) {
                return true;
            }
            next = self.parent(group);
        }
        false
    }

    fn rows(&self, needs: &Needs) -> Rows {
        let parent = |(id, parent): (&Option<GroupId>, &Option<GroupId>)| match (id, parent) {
            (None, _) => UNASSIGNED,
            (Some(_), None) if !self.top => UNASSIGNED,
            (Some(_), parent) => self.at(*parent).unwrap_or(UNASSIGNED),
        };
        let parents = self.positions.iter().zip(&self.parents).map(parent).collect();
        let mut columns = vec![columns::plain("parent", parents)];
        if needs.context("groups.key") {
            columns.push(columns::texts_of("key", self.keys.iter().map(|key| Some(key.clone()))));
        }
        Rows { kind: "group".to_owned(), len: length(self.positions.len()), columns, numbers: Vec::new() }
    }
}

/// `context.roles`: each role once, with its position.
struct RoleTable {
    facts: Vec<RoleFact>,
    index: HashMap<RoleId, u32>,
}

impl RoleTable {
    fn new<'a>(facts: impl Iterator<Item = &'a RoleFact>) -> Self {
        let mut table = Self { facts: Vec::new(), index: HashMap::new() };
        for fact in facts {
            if let std::collections::hash_map::Entry::Vacant(entry) = table.index.entry(fact.id) {
                entry.insert(length(table.facts.len()));
                table.facts.push(fact.clone());
            }
        }
        table
    }

    fn at(&self, id: RoleId) -> Option<u32> {
        self.index.get(&id).copied()
    }

    fn rows(&self, needs: &Needs) -> Rows {
        let mut columns = Vec::new();
        if needs.context("roles.key") {
            columns.push(columns::texts_of("key", self.facts.iter().map(|fact| Some(fact.key.clone()))));
        }
        if needs.context("roles.permissions") {
            columns.push(columns::ragged_texts("permissions", self.facts.iter().map(|fact| fact.permissions.clone())));
        }
        Rows { kind: "role".to_owned(), len: length(self.facts.len()), columns, numbers: Vec::new() }
    }
}

/// Lengths are bounded far below 2^32 by the limits on rows and groups.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(UNASSIGNED)
}
