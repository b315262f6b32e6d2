//! Policies: `standard` in every mode, `need-to-know`, and rules with negation, unknown names, inexact scopes and withheld fields.

use super::worlds::ATTRIBUTES;
use crate::{
    dice::Dice,
    model::World,
    naive::{
        Kind,
        need_to_know::NeedToKnow,
        policy::Policy,
        rules::{KindRules, Own, Rules, Term},
        standard::{Mode, Standard},
        text::fold,
    },
};

/// The tests of each kind that the guest can answer from columns. Those of ends are prefixed.
const OF_USERS: [&str; 9] =
    ["self", "created-by-me", "in-group", "under-group", "in-group-key", "under-group-key", "has-role-key", "status", "attribute"];
const OF_GROUPS: [&str; 7] = ["in-group", "under-group", "in-group-key", "under-group-key", "mine", "attribute", "created-by-me"];
const OF_ROLES: [&str; 4] = ["held-by-me", "builtin", "role-key", "created-by-me"];
const OF_MEMBERSHIPS: [&str; 5] = ["self", "manager", "in-group", "under-group", "created-by-me"];
const GROUPS_OF_MEMBERSHIPS: [&str; 5] =
    ["group.in-group", "group.under-group", "group.in-group-key", "group.under-group-key", "group.mine"];
const OF_GRANTS: [&str; 5] = ["self", "provenance", "in-group", "under-group", "created-by-me"];
const ROLES_OF_GRANTS: [&str; 2] = ["role.role-key", "role.held-by-me"];

/// A policy for a workspace.
#[must_use]
pub fn policy(dice: &mut Dice, world: &World) -> Policy {
    match dice.below(8) {
        0 => Policy::Standard(standard(dice)),
        1 => Policy::NeedToKnow(NeedToKnow { standard: standard(dice) }),
        _ => Policy::Rules(rules(dice, world), standard(dice)),
    }
}

fn standard(dice: &mut Dice) -> Standard {
    let withheld = dice.one_in(2).then(|| {
        let fields: Vec<&str> = Kind::User.fields().iter().copied().chain(["attributes.project"]).collect();
        dice.some(&fields, 4).into_iter().map(str::to_owned).collect()
    });
    Standard { mode: *dice.pick(&Mode::ALL), withheld }
}

/// Rules for most kinds.
#[must_use]
pub fn rules(dice: &mut Dice, world: &World) -> Rules {
    let mut rules = Rules::default();
    for kind in Kind::ALL {
        if !dice.one_in(8) {
            rules.kinds.insert(kind, kind_rules(dice, world, kind));
        }
    }
    rules
}

fn kind_rules(dice: &mut Dice, world: &World, kind: Kind) -> KindRules {
    let clauses: Vec<Vec<Term>> = match dice.below(6) {
        0 => vec![Vec::new()],
        1 => Vec::new(),
        _ => (0..dice.between(1, 4)).map(|_| clause(dice, world, kind)).collect(),
    };
    let superset = dice.one_in(5).then(|| superset(dice, world, kind, &clauses));
    let withhold = (0..dice.below(3)).map(|_| (fields(dice, kind), clause(dice, world, kind))).collect();
    let searchable = if dice.one_in(3) { vec!["*".to_owned()] } else { fields(dice, kind) };
    KindRules { clauses, superset, searchable, withhold }
}

/// Every clause with terms left out, and clauses beside them.
fn superset(dice: &mut Dice, world: &World, kind: Kind, clauses: &[Vec<Term>]) -> Vec<Vec<Term>> {
    if dice.one_in(2) {
        return vec![Vec::new()];
    }
    let mut wider: Vec<Vec<Term>> = clauses.iter().map(|clause| dice.some(clause, clause.len())).collect();
    if dice.one_in(2) {
        wider.push(clause(dice, world, kind));
    }
    wider
}

fn fields(dice: &mut Dice, kind: Kind) -> Vec<String> {
    let mut names: Vec<String> = kind.fields().iter().map(|field| (*field).to_owned()).collect();
    if kind.fields().contains(&"attributes.*") {
        names.extend(["attributes.project".to_owned(), "attributes.ghost".to_owned()]);
    }
    let prefixed = |dice: &mut Dice, name: String| if dice.one_in(4) { format!("{kind}.{name}") } else { name };
    dice.some(&names, names.len()).into_iter().map(|name| prefixed(dice, name)).collect()
}

fn clause(dice: &mut Dice, world: &World, kind: Kind) -> Vec<Term> {
    (0..dice.below(4)).map(|_| term(dice, world, kind)).collect()
}

fn term(dice: &mut Dice, world: &World, kind: Kind) -> Term {
    let test = match kind {
        Kind::User => (*dice.pick(&OF_USERS)).to_owned(),
        Kind::Group => (*dice.pick(&OF_GROUPS)).to_owned(),
        Kind::Role => (*dice.pick(&OF_ROLES)).to_owned(),
        Kind::Membership => end(dice, &OF_MEMBERSHIPS, &GROUPS_OF_MEMBERSHIPS),
        Kind::Grant => end(dice, &OF_GRANTS, &ROLES_OF_GRANTS),
    };
    let own = if dice.one_in(2) { Own::Mine } else { Own::Manages };
    let bare = test.rsplit('.').next().unwrap();
    let groups = matches!(bare, "in-group" | "under-group").then_some(own);
    let values = match bare {
        "in-group-key" | "under-group-key" => keys(dice, world.groups.iter().map(|group| &group.key)),
        "has-role-key" | "role-key" => keys(dice, world.roles.iter().map(|role| &role.key)),
        "status" => some(dice, &["active", "suspended", "deleted", "invited", "ghost"]),
        "provenance" => some(dice, &["import", "manual", "ghost"]),
        "attribute" => attribute(dice),
        _ => Vec::new(),
    };
    Term { negate: dice.one_in(3), test, values, groups }
}

/// A test of an edge itself, of its user, or of its other end.
fn end(dice: &mut Dice, own: &[&str], other: &[&str]) -> String {
    match dice.below(3) {
        0 => format!("user.{}", dice.pick(&OF_USERS)),
        1 => (*dice.pick(other)).to_owned(),
        _ => (*dice.pick(own)).to_owned(),
    }
}

fn keys<'a>(dice: &mut Dice, keys: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut keys: Vec<String> = keys.map(|key| fold(key)).collect();
    if dice.one_in(8) {
        keys = vec!["ghost".to_owned()];
    }
    let mut chosen = vec![dice.pick(&keys).clone()];
    if dice.one_in(3) {
        chosen.push(dice.pick(&keys).clone());
    }
    chosen
}

fn some(dice: &mut Dice, of: &[&str]) -> Vec<String> {
    let mut chosen: Vec<String> = dice.some(of, 2).into_iter().map(str::to_owned).collect();
    if chosen.is_empty() {
        chosen.push((*dice.pick(of)).to_owned());
    }
    chosen
}

fn attribute(dice: &mut Dice) -> Vec<String> {
    // The guest has columns for the first three; nobody declared `ghost`.
    let (name, values) = dice.pick(&ATTRIBUTES[..3]);
    let mut test = vec![if dice.one_in(8) { "ghost".to_owned() } else { (*name).to_owned() }];
    test.extend(some(dice, values).iter().map(|value| fold(value)));
    test
}
