//! Which rows a policy admits, which fields it takes away, and what it lets be searched.

use super::{Kind, need_to_know::NeedToKnow, rules::Rules, standard::Standard};
use crate::model::World;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The person; `None` for a service.
    pub person: Option<usize>,
    /// The permissions that its token is limited to; `None` for all that a person has.
    pub scopes: Option<Vec<String>>,
}

impl Asker {
    /// A person with an unlimited token.
    #[must_use]
    pub const fn person(person: usize) -> Self {
        Self { person: Some(person), scopes: None }
    }

    /// The ceiling of the token.
    #[must_use]
    pub fn may_attempt(&self, action: &str) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|scope| scope == action))
    }
}

/// The subject in its workspace, with what policies ask about it.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The workspace.
    pub world: &'a World,
    /// Who asks.
    pub asker: &'a Asker,
    /// Its direct groups.
    pub mine: Vec<usize>,
    /// The groups that it manages, the top group excepted.
    pub managed: Vec<usize>,
    /// Whether it manages the top group.
    pub manages_top: bool,
}

impl<'a> Subject<'a> {
    /// Somebody in a workspace.
    #[must_use]
    pub fn new(world: &'a World, asker: &'a Asker) -> Self {
        let mine = asker.person.map(|person| world.groups_of(person).collect()).unwrap_or_default();
        let managed = asker.person.map(|person| world.managed_by(person).collect()).unwrap_or_default();
        Self { world, asker, mine, managed, manages_top: asker.person.is_some_and(|person| world.people[person].manages_top) }
    }

    /// Whether a person is the subject.
    #[must_use]
    pub fn is(&self, person: usize) -> bool {
        self.asker.person == Some(person)
    }

    /// Whether a group is one of those that it manages, or below.
    #[must_use]
    pub fn manages_above(&self, group: usize) -> bool {
        self.manages_top || self.managed.iter().any(|managed| self.world.is_under(group, *managed))
    }

    /// Whether it holds a permission in the whole workspace, within the ceiling of its token.
    #[must_use]
    pub fn holds(&self, permission: &str) -> bool {
        let held = match self.asker.person {
            Some(person) => {
                let mut wide = self.world.grants_of(person).filter(|grant| grant.within.is_none());
                wide.any(|grant| self.world.roles[grant.role].permissions.iter().any(|held| held == permission))
            }
            None => self.asker.scopes.iter().flatten().any(|scope| scope == permission),
        };
        held && self.asker.may_attempt(permission)
    }

    /// The groups within which it holds a permission, within the ceiling of its token.
    #[must_use]
    pub fn within(&self, permission: &str) -> Vec<usize> {
        let Some(person) = self.asker.person else { return Vec::new() };
        if !self.asker.may_attempt(permission) {
            return Vec::new();
        }
        let grants = self.world.grants_of(person);
        let granting = grants.filter(|grant| self.world.roles[grant.role].permissions.iter().any(|held| held == permission));
        granting.filter_map(|grant| grant.within).collect()
    }
}

/// What a scope says beside its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// It is known without looking at a row that none is admitted.
    pub nothing: bool,
    /// False for a superset.
    pub exact: bool,
    /// Names of fields that may be searched; `*` for all.
    pub searchable: Vec<String>,
}

impl Scope {
    /// Rows of which everything may be searched.
    #[must_use]
    pub fn open() -> Self {
        Self { nothing: false, exact: true, searchable: vec!["*".to_owned()] }
    }

    /// No row.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { nothing: true, exact: true, searchable: Vec::new() }
    }

    /// Whether a field may be searched. `kind.` before a name changes nothing, and `attributes.*` stands for each.
    #[must_use]
    pub fn admits_search(&self, kind: Kind, field: &str) -> bool {
        self.searchable.iter().any(|name| name == "*" || names(name, kind, field))
    }
}

/// Whether a policy's name for a field means `field` of `kind`.
#[must_use]
pub fn names(name: &str, kind: Kind, field: &str) -> bool {
    let bare = name.strip_prefix(&format!("{kind}.")).unwrap_or(name);
    bare == field || bare == "attributes.*" && field.starts_with("attributes.")
}

/// A policy with its settings.
#[derive(Clone, Debug)]
pub enum Policy {
    /// The one that every workspace starts with.
    Standard(Standard),
    /// The showcase, before `standard`.
    NeedToKnow(NeedToKnow),
    /// Rules as settings, before `standard`.
    Rules(Rules, Standard),
}

impl Policy {
    /// The names of the fields that a row loses; `None` if it may not be read.
    #[must_use]
    pub fn judge(&self, subject: &Subject<'_>, kind: Kind, row: usize) -> Option<Vec<String>> {
        match self {
            Self::Standard(standard) => standard.judge(subject, kind, row),
            Self::NeedToKnow(policy) => policy.judge(subject, kind, row),
            Self::Rules(rules, _) => rules.judge(subject, kind, row),
        }
    }

    /// What lists of a kind obey beside their rows.
    #[must_use]
    pub fn scope(&self, subject: &Subject<'_>, kind: Kind) -> Scope {
        match self {
            Self::Standard(standard) => standard.scope(subject, kind),
            Self::NeedToKnow(policy) => policy.scope(subject, kind),
            Self::Rules(rules, _) => rules.scope(subject, kind),
        }
    }

    /// The `standard` that decides, or stands behind the module that does.
    #[must_use]
    pub fn standard(&self) -> &Standard {
        match self {
            Self::Standard(standard) | Self::Rules(_, standard) | Self::NeedToKnow(NeedToKnow { standard }) => standard,
        }
    }

    /// The fields of the workspace that the subject is not shown.
    #[must_use]
    pub fn workspace(&self, subject: &Subject<'_>) -> &'static [&'static str] {
        match self {
            Self::Standard(_) | Self::NeedToKnow(_) => Standard::workspace(subject),
            Self::Rules(..) => &[],
        }
    }
}
