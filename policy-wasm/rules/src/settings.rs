//! The grammar of the settings.
//!
//! ```json
//! {
//!   "groupKeys": ["hr"], "roleKeys": ["auditor"], "attributes": ["project"],
//!   "user": {
//!     "clauses": [
//!       [{"test": "self"}],
//!       [{"test": "under-group", "groups": "mine"}, {"test": "status", "values": ["active"]}],
//!       [{"test": "under-group-key", "values": ["hr"], "negate": true}]
//!     ],
//!     "exact": true,
//!     "searchable": ["userName"],
//!     "withhold": [{"fields": ["email"], "unless": [{"test": "self"}]}]
//!   },
//!   "group": {"clauses": [[{"test": "mine"}]], "exact": false, "superset": [[]]}
//! }
//! ```
//!
//! Kinds are `user`, `group`, `role`, `membership` and `grant`; one that is not named is denied. A clause holds if all its terms
//! do, a kind's rules if any clause does; no clause admits nothing, a clause without terms everything. `groups` is `mine` for the
//! subject's direct groups and `manages` for those that it manages. Values are compared as given, so they are written folded.
//! With `exact` false, `scope` answers `superset` in place of `clauses`, as a superset; `check` always answers `clauses`.
//! `withhold` takes its fields from each admitted row that does not pass all terms of `unless`.
//!
//! `groupKeys`, `roleKeys` and `attributes` say which names exist in the workspace: a term over any other is false, negated or not.

use std::collections::BTreeSet;

use policy_kit::{Ask, Term, computable, term};
use serde::Deserialize;

use crate::ATTRIBUTES;

/// The most entries of `withhold`: each may double the distinct verdicts, of which a call may answer 256.
pub const WITHHOLD_ENTRIES: usize = 7;

/// Parsed settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// Keys of groups that exist.
    pub group_keys: Vec<String>,
    /// Keys of roles that exist.
    pub role_keys: Vec<String>,
    /// Custom attributes that exist.
    pub attributes: Vec<String>,
    /// The rules of users.
    pub user: Option<KindRules>,
    /// The rules of groups.
    pub group: Option<KindRules>,
    /// The rules of roles.
    pub role: Option<KindRules>,
    /// The rules of memberships.
    pub membership: Option<KindRules>,
    /// The rules of grants.
    pub grant: Option<KindRules>,
}

/// The rules of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KindRules {
    /// A row is admitted if it passes all terms of any clause.
    pub clauses: Vec<Vec<RuleTerm>>,
    /// Whether `scope` answers `clauses` itself.
    #[serde(default = "yes")]
    pub exact: bool,
    /// What `scope` answers where it is not exact.
    pub superset: Option<Vec<Vec<RuleTerm>>>,
    /// What `scope` answers as searchable.
    pub searchable: Vec<String>,
    /// Fields to withhold.
    pub withhold: Vec<Withhold>,
}

/// Fields that only some rows keep.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withhold {
    /// Their bare names.
    pub fields: Vec<String>,
    /// The terms that a row has to pass to keep them; with none, every row keeps them.
    pub unless: Vec<RuleTerm>,
}

/// A term, by the register's name of its test.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleTerm {
    /// Whether the test must fail.
    #[serde(default)]
    pub negate: bool,
    /// The test.
    pub test: String,
    /// Its values.
    #[serde(default)]
    pub values: Vec<String>,
    /// Its groups, relative to the subject.
    #[serde(default)]
    pub groups: Option<Groups>,
}

/// Groups of the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Groups {
    /// Its direct memberships.
    Mine,
    /// Those that it manages.
    Manages,
}

impl Settings {
    /// Parses JSON of this grammar; an empty text denies everything but the workspace.
    ///
    /// # Errors
    /// The first mistake of form, or every term that the columns cannot answer.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let settings: Self = serde_json::from_str(text).map_err(|error| vec![format!("the settings are malformed: {error}")])?;
        let problems: BTreeSet<String> = KINDS.into_iter().flat_map(|kind| settings.problems(kind)).collect();
        if problems.is_empty() { Ok(settings) } else { Err(problems.into_iter().collect()) }
    }

    /// The rules of that kind.
    #[must_use]
    pub fn kind(&self, kind: &str) -> Option<&KindRules> {
        match kind {
            "user" => self.user.as_ref(),
            "group" => self.group.as_ref(),
            "role" => self.role.as_ref(),
            "membership" => self.membership.as_ref(),
            "grant" => self.grant.as_ref(),
            _ => None,
        }
    }

    fn problems(&self, kind: &str) -> Vec<String> {
        let Some(rules) = self.kind(kind) else { return Vec::new() };
        let judged = rules.clauses.iter().flatten().chain(rules.withhold.iter().flat_map(|entry| &entry.unless));
        let mut problems: Vec<String> = judged.filter_map(|term| self.problem(kind, term)).collect();
        if rules.withhold.len() > WITHHOLD_ENTRIES {
            problems.push(format!("`{kind}.withhold` has {} entries, but may have {WITHHOLD_ENTRIES}", rules.withhold.len()));
        }
        if !rules.exact && rules.superset.is_none() {
            problems.push(format!("`{kind}` is not exact, so it must name a `superset`; write `[[]]` for everything"));
        }
        problems
    }

    /// Why `check` cannot answer the term.
    fn problem(&self, kind: &str, term: &RuleTerm) -> Option<String> {
        let test = &term.test;
        if !computable(kind, test) {
            return Some(format!("`{test}` cannot be answered from the columns of `{kind}`; use another test"));
        }
        match (test.rsplit('.').next().unwrap_or(test), term.values.as_slice(), term.groups) {
            ("in-group" | "under-group", _, None) => {
                Some(format!("`{test}` of `{kind}` needs groups; set `groups` to `mine` or `manages`"))
            }
            ("in-group-key" | "under-group-key" | "has-role-key" | "role-key" | "status" | "provenance", [], _) => {
                Some(format!("`{test}` of `{kind}` needs values; name at least one"))
            }
            ("attribute", [] | [_], _) => Some(format!("`{test}` of `{kind}` needs values; name the attribute and a value")),
            ("attribute", [name, ..], _) if self.attributes.contains(name) && !ATTRIBUTES.contains(&name.as_str()) => {
                Some(format!("the attribute `{name}` has no column here; use one of {}", ATTRIBUTES.join(", ")))
            }
            _ => None,
        }
    }
}

impl RuleTerm {
    /// The term for this subject.
    #[must_use]
    pub fn resolve(&self, ask: &Ask<'_>, kind: &str) -> Term {
        let groups = match self.groups {
            Some(Groups::Mine) => ask.groups(),
            Some(Groups::Manages) => ask.manages(),
            None => &[],
        };
        let term = term::named(&self.test, groups.iter().copied(), self.values.clone());
        // Only the host knows that somebody in no group is below the top group, which the subject may manage.
        let term = match (kind, self.test.as_str(), self.groups) {
            ("user", "under-group", Some(Groups::Manages)) => term.as_flag("managed-by-me"),
            (_, "user.under-group", Some(Groups::Manages)) => term.as_flag("user.managed-by-me"),
            _ => term,
        };
        if self.negate { term::not(term) } else { term }
    }
}

const KINDS: [&str; 5] = ["user", "group", "role", "membership", "grant"];

fn yes() -> bool {
    true
}
