//! A pretend workspace, so that a policy's tests are ordinary unit tests.
//!
//! ```
//! # use policy_kit::{Ask, Change, Manifest, Policy, RowFilter, Rows, Table, Verdicts, settings, term};
//! # struct Colleagues;
//! # fn people(ask: &Ask<'_>) -> Table {
//! #     let mut table = Table::new("user", &["user.email"]);
//! #     table.allow("this is you", [term::is("self")]);
//! #     table.allow("shares your group", [term::shares_group(ask)]).without(&["email"]);
//! #     table
//! # }
//! # impl Policy for Colleagues {
//! #     fn manifest() -> Manifest {
//! #         Manifest::named("colleagues", "1.0.0", "").needs(&["rows.self", "rows.shares-group"]).decides(&["user.read"])
//! #     }
//! #     fn validate(settings: &str) -> Result<(), Vec<String>> { settings::none(settings) }
//! #     fn scope(ask: &Ask<'_>, _: &str) -> RowFilter { people(ask).filter() }
//! #     fn check(ask: &Ask<'_>, rows: &Rows, _: Option<&Change>) -> Verdicts { people(ask).verdicts(ask, rows) }
//! # }
//! use policy_kit::testing::{Person, World};
//!
//! let world = World::new()
//!     .group("sales")
//!     .group("sales/north")
//!     .person(Person::named("ada").member_of("north"))
//!     .person(Person::named("bob").member_of("north"))
//!     .person(Person::named("eve").member_of("sales"));
//!
//! assert_eq!(world.visible::<Colleagues>("ada", "user"), ["ada", "bob"]);
//! assert_eq!(world.verdict::<Colleagues>("ada", "user.read", "bob").withheld, ["email"]);
//! assert_eq!(world.disagreements::<Colleagues>("ada", "user"), Vec::<String>::new());
//! ```
//!
//! Only the columns that the manifest needs are filled, as in the server, so a forgotten need fails a test. Scopes are judged by
//! an evaluator that looks at this world, never at the columns. What the server fills differently: it lists only the groups and
//! roles that a call refers to; the world lists all of them.

#![expect(clippy::indexing_slicing, reason = "a world indexes itself; a mistake here fails a test, not a request")]

mod facts;
mod judge;
mod random;

pub use random::Dice;

use crate::{Ask, Change, Context, Policy, RowFilter, Rows, Verdict};

/// A workspace: groups, roles and people.
#[derive(Clone, Debug, Default)]
pub struct World {
    groups: Vec<Group>,
    roles: Vec<Role>,
    people: Vec<Person>,
    settings: String,
}

#[derive(Clone, Debug)]
struct Group {
    key: String,
    parent: Option<usize>,
    attributes: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Role {
    key: String,
    permissions: Vec<String>,
}

/// Somebody of the workspace; `active` unless said otherwise.
#[derive(Clone, Debug)]
pub struct Person {
    name: String,
    status: String,
    memberships: Vec<Membership>,
    grants: Vec<Grant>,
    attributes: Vec<(String, String)>,
    manages_top: bool,
}

#[derive(Clone, Debug)]
struct Membership {
    group: String,
    manager: bool,
}

#[derive(Clone, Debug)]
struct Grant {
    role: String,
    within: Option<String>,
}

/// Who asks: a person of the world by name, or a token.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A person.
    Person(String),
    /// A person, through a token of these scopes.
    Token(String, Vec<String>),
    /// A service with these permissions.
    Service(Vec<String>),
    /// A provisioning client whose ceiling is these permissions.
    Scim(Vec<String>),
}

/// One row of a kind, as indices into the world.
#[derive(Clone, Copy, Debug)]
enum Row {
    User(usize),
    Group(usize),
    Role(usize),
    Membership(usize, usize),
    Grant(usize, usize),
    Workspace,
}

impl From<&str> for Caller {
    fn from(person: &str) -> Self {
        Self::Person(person.to_owned())
    }
}

impl World {
    /// An empty workspace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A group: `key`, or `parent/key` below a group that is already there. Elsewhere it is named by its key alone.
    #[must_use]
    pub fn group(mut self, path: &str) -> Self {
        let (parent, key) = path.rsplit_once('/').map_or((None, path), |(above, key)| (Some(above), key));
        let parent = parent.map(|above| self.group_index(above.rsplit('/').next().unwrap_or(above)));
        self.groups.push(Group { key: key.to_owned(), parent, attributes: Vec::new() });
        self
    }

    /// A value of a custom attribute of the group that was added last.
    #[must_use]
    pub fn with_attribute(mut self, name: &str, value: &str) -> Self {
        if let Some(group) = self.groups.last_mut() {
            group.attributes.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// A role.
    #[must_use]
    pub fn role(mut self, key: &str, permissions: &[&str]) -> Self {
        self.roles.push(Role { key: key.to_owned(), permissions: permissions.iter().map(ToString::to_string).collect() });
        self
    }

    /// A person, whose groups and roles are already there.
    #[must_use]
    pub fn person(mut self, person: Person) -> Self {
        self.people.push(person);
        self
    }

    /// The settings of the policy.
    #[must_use]
    pub fn settings(mut self, settings: &str) -> Self {
        settings.clone_into(&mut self.settings);
        self
    }

    /// The keys of all groups.
    pub fn group_keys(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.key.as_str())
    }

    /// What `P` answers to `scope`.
    #[must_use]
    pub fn scope<P: Policy>(&self, caller: impl Into<Caller>, kind: &str) -> RowFilter {
        let context = self.context::<P>(&caller.into(), &format!("{kind}.read"));
        P::scope(&Ask::new(&context), kind)
    }

    /// What `P` answers to `check` over every row of the action's kind, with the rows' names: people and groups and roles by
    /// theirs, a membership as `person@group`, a grant as `person:role` or `person:role@group`.
    #[must_use]
    pub fn verdicts<P: Policy>(&self, caller: impl Into<Caller>, action: &str) -> Vec<(String, Verdict)> {
        let caller = caller.into();
        let kind = action.split('.').next().unwrap_or(action);
        let rows = self.rows::<P>(&caller, kind);
        let verdicts = self.check::<P>(caller, action, &rows, None);
        self.listed(kind).into_iter().map(|row| self.name(row)).zip(verdicts).collect()
    }

    /// What `P` answers to `check` for the row of that name.
    #[must_use]
    pub fn verdict<P: Policy>(&self, caller: impl Into<Caller>, action: &str, name: &str) -> Verdict {
        let mut verdicts = self.verdicts::<P>(caller, action).into_iter();
        let found = verdicts.find(|(row, _)| row == name);
        assert!(found.is_some(), "`{action}`: there is no row `{name}`");
        found.map(|(_, verdict)| verdict).unwrap_or_default()
    }

    /// What `P` answers to `check` over rows of your own, and a change; one verdict a row, however the answer was packed.
    #[must_use]
    pub fn check<P: Policy>(&self, caller: impl Into<Caller>, action: &str, rows: &Rows, change: Option<&Change>) -> Vec<Verdict> {
        let context = self.context::<P>(&caller.into(), action);
        let answer = P::check(&Ask::new(&context), rows, change);
        assert_eq!(answer.rows.len(), rows.height(), "`{action}`: not one verdict a row");
        let verdict = |index: &u32| {
            let found = answer.table.get(*index as usize);
            assert!(found.is_some(), "`{action}`: a row's index is outside the table");
            found.cloned().unwrap_or_default()
        };
        answer.rows.iter().map(verdict).collect()
    }

    /// The names of the rows that `P` lets the caller read.
    #[must_use]
    pub fn visible<P: Policy>(&self, caller: impl Into<Caller>, kind: &str) -> Vec<String> {
        let verdicts = self.verdicts::<P>(caller, &format!("{kind}.read"));
        verdicts.into_iter().filter(|(_, verdict)| verdict.allow).map(|(name, _)| name).collect()
    }

    /// Where `P`'s `scope` and `check` contradict each other, in words: a row that only one of them admits, or a searchable field
    /// that is withheld from a row.
    #[must_use]
    pub fn disagreements<P: Policy>(&self, caller: impl Into<Caller>, kind: &str) -> Vec<String> {
        let caller = caller.into();
        let filter = self.scope::<P>(caller.clone(), kind);
        let rows = self.listed(kind);
        let verdicts = self.verdicts::<P>(caller.clone(), &format!("{kind}.read"));
        let mut found = Vec::new();
        for (row, (name, verdict)) in rows.into_iter().zip(verdicts) {
            let listed = self.admits(&caller, row, &filter);
            if verdict.allow != listed && (filter.exact || !listed) {
                found.push(format!("{caller:?} on {kind} {name}: scope {listed}, check {} ({})", verdict.allow, verdict.reason));
            }
            let searchable = |field: &&String| filter.searchable.iter().any(|open| open == "*" || open == *field);
            for field in verdict.withheld.iter().filter(searchable).filter(|_| verdict.allow) {
                found.push(format!("{caller:?} on {kind} {name}: `{field}` is withheld but searchable"));
            }
        }
        found
    }

    /// The context of one of `caller`'s calls into `P`.
    #[must_use]
    pub fn context<P: Policy>(&self, caller: &Caller, action: &str) -> Context {
        facts::needed_context(self.full_context(caller, action), &P::manifest().needs)
    }

    /// Every row of a kind, as the caller's calls into `P` see them.
    #[must_use]
    pub fn rows<P: Policy>(&self, caller: &Caller, kind: &str) -> Rows {
        facts::needed_rows(self.full_rows(caller, kind), &P::manifest().needs)
    }

    /// The row of that name alone, as in [`World::rows`]; for changes and their parties.
    #[must_use]
    pub fn row<P: Policy>(&self, caller: &Caller, kind: &str, name: &str) -> Rows {
        let index = self.listed(kind).into_iter().position(|row| self.name(row) == name);
        assert!(index.is_some(), "there is no {kind} `{name}`");
        facts::only(self.rows::<P>(caller, kind), index.unwrap_or_default())
    }

    /// The rows of a kind, in their order.
    fn listed(&self, kind: &str) -> Vec<Row> {
        let people = || self.people.iter().enumerate();
        match kind {
            "user" => (0..self.people.len()).map(Row::User).collect(),
            "group" => (0..self.groups.len()).map(Row::Group).collect(),
            "role" => (0..self.roles.len()).map(Row::Role).collect(),
            "membership" => {
                people().flat_map(|(index, person)| (0..person.memberships.len()).map(move |nth| Row::Membership(index, nth))).collect()
            }
            "grant" => people().flat_map(|(index, person)| (0..person.grants.len()).map(move |nth| Row::Grant(index, nth))).collect(),
            "workspace" => vec![Row::Workspace],
            _ => Vec::new(),
        }
    }

    fn group_index(&self, key: &str) -> usize {
        let found = self.groups.iter().position(|group| group.key == key);
        assert!(found.is_some(), "there is no group `{key}`");
        found.unwrap_or_default()
    }

    fn role_index(&self, key: &str) -> usize {
        let found = self.roles.iter().position(|role| role.key == key);
        assert!(found.is_some(), "there is no role `{key}`");
        found.unwrap_or_default()
    }
}

impl Caller {
    fn person(&self) -> Option<&str> {
        match self {
            Self::Person(name) | Self::Token(name, _) => Some(name),
            Self::Service(_) | Self::Scim(_) => None,
        }
    }
}

impl Person {
    /// An active person in no group.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            status: "active".to_owned(),
            memberships: Vec::new(),
            grants: Vec::new(),
            attributes: Vec::new(),
            manages_top: false,
        }
    }

    /// Is a member of the group.
    #[must_use]
    pub fn member_of(mut self, group: &str) -> Self {
        self.memberships.push(Membership { group: group.to_owned(), manager: false });
        self
    }

    /// Is a member of the group, and manages it.
    #[must_use]
    pub fn manages(mut self, group: &str) -> Self {
        self.memberships.push(Membership { group: group.to_owned(), manager: true });
        self
    }

    /// Manages the top group, and so everybody.
    #[must_use]
    pub fn manages_everybody(mut self) -> Self {
        self.manages_top = true;
        self
    }

    /// Holds the role in the whole workspace.
    #[must_use]
    pub fn holds(mut self, role: &str) -> Self {
        self.grants.push(Grant { role: role.to_owned(), within: None });
        self
    }

    /// Holds the role in and below the group.
    #[must_use]
    pub fn holds_within(mut self, role: &str, group: &str) -> Self {
        self.grants.push(Grant { role: role.to_owned(), within: Some(group.to_owned()) });
        self
    }

    /// Has that value of a custom attribute; may be repeated.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has that status.
    #[must_use]
    pub fn status(mut self, status: &str) -> Self {
        status.clone_into(&mut self.status);
        self
    }
}
