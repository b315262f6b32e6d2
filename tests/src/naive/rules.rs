//! `rules`: what a row passes, term by term (policy-contract.md section 3, and the grammar of the guest's settings).

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::conditions::provenance;
use super::{
    Kind,
    policy::{Scope, Subject},
    text::fold,
};
use crate::model::{Attributes, World};

/// The rules of each kind; one that is not named is denied.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// By kind.
    pub kinds: BTreeMap<Kind, KindRules>,
}

/// The rules of one kind.
#[derive(Clone, Debug, Default)]
pub struct KindRules {
    /// A row is admitted if it passes all terms of any clause.
    pub clauses: Vec<Vec<Term>>,
    /// What the scope answers in place of the clauses, as a superset.
    pub superset: Option<Vec<Vec<Term>>>,
    /// Fields that may be searched.
    pub searchable: Vec<String>,
    /// Fields that are taken from rows which do not pass all terms.
    pub withhold: Vec<(Vec<String>, Vec<Term>)>,
}

/// A test or its opposite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Whether the test must fail.
    pub negate: bool,
    /// The register's name of the test.
    pub test: String,
    /// Its values, folded.
    pub values: Vec<String>,
    /// Its groups.
    pub groups: Option<Own>,
}

/// Groups of the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// Its direct ones.
    Mine,
    /// Those that it manages.
    Manages,
}

impl Rules {
    /// The settings of the guest in that workspace.
    #[must_use]
    pub fn settings(&self, world: &World) -> String {
        let mut settings = json!({
            "groupKeys": world.groups.iter().map(|group| fold(&group.key)).collect::<Vec<_>>(),
            "roleKeys": world.roles.iter().map(|role| fold(&role.key)).collect::<Vec<_>>(),
            "attributes": world.attributes,
        });
        for (kind, rules) in &self.kinds {
            settings[kind.name()] = rules.json();
        }
        settings.to_string()
    }

    /// See [`super::policy::Policy::judge`].
    #[must_use]
    pub fn judge(&self, subject: &Subject<'_>, kind: Kind, row: usize) -> Option<Vec<String>> {
        let rules = self.kinds.get(&kind)?;
        let passes = |terms: &Vec<Term>| terms.iter().all(|term| term.passes(subject, kind, row));
        let losing = || rules.withhold.iter().filter(|(_, unless)| !passes(unless)).flat_map(|(fields, _)| fields.clone()).collect();
        rules.clauses.iter().any(passes).then(losing)
    }

    /// See [`super::policy::Policy::scope`].
    #[must_use]
    pub fn scope(&self, subject: &Subject<'_>, kind: Kind) -> Scope {
        let Some(rules) = self.kinds.get(&kind) else { return Scope::nothing() };
        let clauses = rules.superset.as_ref().unwrap_or(&rules.clauses);
        let hopeless = |clause: &Vec<Term>| clause.iter().any(|term| term.settled(subject, kind) == Some(false));
        Scope { nothing: clauses.iter().all(hopeless), exact: rules.superset.is_none(), searchable: rules.searchable.clone() }
    }
}

impl KindRules {
    fn json(&self) -> Json {
        let clauses = |clauses: &[Vec<Term>]| clauses.iter().map(|clause| terms(clause)).collect::<Vec<_>>();
        let withhold = self.withhold.iter().map(|(fields, unless)| json!({ "fields": fields, "unless": terms(unless) }));
        let mut rules = json!({
            "clauses": clauses(&self.clauses),
            "exact": self.superset.is_none(),
            "searchable": self.searchable,
            "withhold": withhold.collect::<Vec<_>>(),
        });
        if let Some(superset) = &self.superset {
            rules["superset"] = json!(clauses(superset));
        }
        rules
    }
}

fn terms(terms: &[Term]) -> Vec<Json> {
    let groups = |own| match own {
        Own::Mine => "mine",
        Own::Manages => "manages",
    };
    let term = |term: &Term| json!({ "test": term.test, "negate": term.negate, "values": term.values, "groups": term.groups.map(groups) });
    terms.iter().map(term).collect()
}

impl Term {
    fn passes(&self, subject: &Subject<'_>, kind: Kind, row: usize) -> bool {
        self.holds(&self.test, subject, kind, row).is_some_and(|holds| holds != self.negate)
    }

    /// Whether the test holds; `None` if its subject matter is unknown, so that neither it nor its opposite does.
    fn holds(&self, test: &str, subject: &Subject<'_>, kind: Kind, row: usize) -> Option<bool> {
        let world = subject.world;
        if let Some((end, test)) = test.split_once('.') {
            let (kind, row) = match (kind, end) {
                (Kind::Membership, "user") => (Kind::User, world.memberships[row].person),
                (Kind::Membership, "group") => (Kind::Group, world.memberships[row].group),
                (Kind::Grant, "user") => (Kind::User, world.grants[row].person),
                (Kind::Grant, "role") => (Kind::Role, world.grants[row].role),
                _ => panic!("no test {test} of {kind}"),
            };
            return self.holds(test, subject, kind, row);
        }
        Some(match (kind, test) {
            (Kind::User, "self") => subject.is(row),
            (Kind::Membership, "self") => subject.is(world.memberships[row].person),
            (Kind::Grant, "self") => subject.is(world.grants[row].person),
            // An import creates on behalf of the operator, who is nobody of the workspace.
            (_, "created-by-me") => world.made(kind, row).is_some_and(|made| subject.asker.person == Some(made.by)),
            (_, "in-group" | "under-group" | "in-group-key" | "under-group-key") => return self.holds_of_groups(test, subject, kind, row),
            (Kind::Group, "mine") => subject.mine.contains(&row),
            (Kind::User, "has-role-key") => {
                let roles = self.keyed(world.roles.iter().map(|role| &role.key))?;
                world.grants_of(row).any(|grant| roles.contains(&grant.role))
            }
            (Kind::Role, "role-key") => self.keyed(world.roles.iter().map(|role| &role.key))?.contains(&row),
            (Kind::Role, "held-by-me") => subject.asker.person.is_some_and(|person| world.grants_of(person).any(|grant| grant.role == row)),
            (Kind::Role, "builtin") => world.roles[row].builtin,
            (Kind::User, "status") => self.values.iter().any(|status| *status == world.people[row].status),
            (Kind::User, "attribute") => return self.holds_of_attribute(&world.people[row].attributes),
            (Kind::Group, "attribute") => return self.holds_of_attribute(&world.groups[row].attributes),
            (Kind::Membership, "manager") => world.memberships[row].manager,
            (Kind::Grant, "provenance") => self.values.iter().any(|from| from == provenance(world, row)),
            _ => panic!("no test {test} of {kind}"),
        })
    }

    fn holds_of_groups(&self, test: &str, subject: &Subject<'_>, kind: Kind, row: usize) -> Option<bool> {
        let world = subject.world;
        let places: Vec<usize> = match kind {
            Kind::User => world.groups_of(row).collect(),
            Kind::Group => vec![row],
            Kind::Membership => vec![world.memberships[row].group],
            Kind::Grant => world.grants[row].within.into_iter().collect(),
            Kind::Role => panic!("roles are in no group"),
        };
        let wanted = if test.ends_with("-key") { self.keyed(world.groups.iter().map(|group| &group.key))? } else { self.own(subject) };
        Some(if test.starts_with("under") {
            // Everything is under the top group but a grant in the whole workspace, which is limited to no group.
            let top = self.groups == Some(Own::Manages) && subject.manages_top && (kind != Kind::Grant || !places.is_empty());
            top || places.iter().any(|group| wanted.iter().any(|above| world.is_under(*group, *above)))
        } else {
            places.iter().any(|group| wanted.contains(group))
        })
    }

    fn holds_of_attribute(&self, attributes: &Attributes) -> Option<bool> {
        let (name, wanted) = self.values.split_first().unwrap();
        let values = attributes.get(name)?;
        Some(values.iter().any(|value| wanted.contains(&fold(value))))
    }

    fn own(&self, subject: &Subject<'_>) -> Vec<usize> {
        match self.groups {
            Some(Own::Mine) => subject.mine.clone(),
            Some(Own::Manages) => subject.managed.clone(),
            None => Vec::new(),
        }
    }

    /// The positions of the keys; `None` if one of them does not exist.
    fn keyed<'a>(&self, keys: impl Iterator<Item = &'a String>) -> Option<Vec<usize>> {
        let keys: Vec<String> = keys.map(|key| fold(key)).collect();
        self.values.iter().map(|value| keys.iter().position(|key| key == value)).collect()
    }

    /// Whether the term passes, where that is the same for every row that there could be.
    fn settled(&self, subject: &Subject<'_>, kind: Kind) -> Option<bool> {
        let world = subject.world;
        match self.test.rsplit('.').next().unwrap() {
            "in-group-key" | "under-group-key" => self.keyed(world.groups.iter().map(|group| &group.key)).is_none().then_some(false),
            "has-role-key" | "role-key" => self.keyed(world.roles.iter().map(|role| &role.key)).is_none().then_some(false),
            "under-group" if self.groups == Some(Own::Manages) && subject.manages_top => {
                let of_a_limit = kind == Kind::Grant && self.test == "under-group";
                (!of_a_limit).then_some(!self.negate)
            }
            "in-group" | "under-group" => self.own(subject).is_empty().then_some(self.negate),
            _ => None,
        }
    }
}
