//! Filters: two-valued, over texts as they compare, and over edges only where they are visible.

use super::{
    Kind,
    sight::Sight,
    text::{fold, words},
};
use crate::{
    document::{Comparison, Condition},
    model::{Attributes, World},
};

/// The fields in which a free search looks.
const SEARCHED_OF_USERS: [&str; 7] = ["userName", "displayName", "givenName", "familyName", "email", "externalId", "code"];
const SEARCHED_OF_OTHERS: [&str; 3] = ["key", "name", "description"];

/// What a condition touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touches {
    /// A governed field of the kind that is filtered, or of an edge.
    Field(Kind, String),
    /// Edges of a kind.
    Edges(Kind),
}

/// Everything that a condition touches.
pub fn touches(kind: Kind, condition: &Condition, found: &mut Vec<Touches>) {
    match condition {
        Condition::All(parts) | Condition::Any(parts) | Condition::Together(parts) => {
            parts.iter().for_each(|part| touches(kind, part, found));
        }
        Condition::Not(part) => touches(kind, part, found),
        Condition::Text(field, _) => found.push(Touches::Field(kind, (*field).to_owned())),
        Condition::Attribute(name, _) => found.push(Touches::Field(kind, format!("attributes.{name}"))),
        Condition::Flag("limited", _) => {}
        Condition::Flag(field, _) => found.push(Touches::Field(kind, (*field).to_owned())),
        Condition::OneOf(field, _) => found.push(Touches::Field(kind, (*field).to_owned())),
        Condition::Permissions(_) => found.push(Touches::Field(kind, "permissions".to_owned())),
        Condition::Ids(name, _) => match (kind, *name) {
            (Kind::User, "inGroups" | "underGroups") | (Kind::Group, "members") => found.push(Touches::Edges(Kind::Membership)),
            // Who manages is a field of the edge, and as secret as the policy says.
            (Kind::User, "manages") => {
                found.extend([Touches::Field(Kind::Membership, "manager".to_owned()), Touches::Edges(Kind::Membership)]);
            }
            (Kind::User, "roles") => found.push(Touches::Edges(Kind::Grant)),
            _ => {}
        },
        Condition::Search(_) | Condition::Period(..) => {}
    }
}

/// Whether a row that is there meets a condition.
#[must_use]
pub fn meets(sight: &Sight<'_>, kind: Kind, row: usize, condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) | Condition::Together(parts) => parts.iter().all(|part| meets(sight, kind, row, part)),
        Condition::Any(parts) => parts.iter().any(|part| meets(sight, kind, row, part)),
        Condition::Not(part) => !meets(sight, kind, row, part),
        Condition::Text(field, comparison) => compares(text(sight, kind, row, field).into_iter(), comparison),
        Condition::Attribute(name, comparison) => {
            let values = attributes(sight, kind, row).get(name).into_iter().flatten();
            compares(values.map(String::as_str), comparison)
        }
        Condition::Search(text) => search(sight, kind, row, text),
        Condition::Ids(name, ids) => joins(sight, kind, row, name, ids),
        Condition::Flag(name, flag) => {
            let world = sight.world;
            let holds = match *name {
                "exclusive" => world.people[row].exclusive,
                "builtin" => world.roles[row].builtin,
                "manager" => world.memberships[row].manager,
                "limited" => world.grants[row].within.is_some(),
                _ => panic!("no condition {name}"),
            };
            holds == *flag
        }
        Condition::OneOf("status", statuses) => statuses.contains(&sight.world.people[row].status),
        Condition::OneOf(_, provenances) => provenances.contains(&provenance(sight.world, row)),
        Condition::Period(_, from, until) => {
            let at = created(sight, kind, row);
            from.is_none_or(|from| at >= from) && until.is_none_or(|until| at < until)
        }
        Condition::Permissions(names) => names.iter().all(|name| sight.world.roles[row].permissions.contains(name)),
    }
}

/// When a row came in.
#[must_use]
pub fn created(sight: &Sight<'_>, kind: Kind, row: usize) -> i64 {
    let world = sight.world;
    if let Some(made) = world.made(kind, row) {
        return made.at;
    }
    match kind {
        Kind::User => world.people[row].created,
        Kind::Membership => world.people[world.memberships[row].person].created,
        Kind::Grant => world.people[world.grants[row].person].created,
        // The tree and the roles come with the first people.
        Kind::Group | Kind::Role => world.people[0].created,
    }
}

/// Where a grant came from.
#[must_use]
pub fn provenance(world: &World, grant: usize) -> &'static str {
    if world.grants[grant].made.is_some() { "manual" } else { "import" }
}

/// A governed text as stored.
#[must_use]
pub fn text<'a>(sight: &Sight<'a>, kind: Kind, row: usize, field: &str) -> Option<&'a str> {
    let world = sight.world;
    match (kind, field) {
        (Kind::User, field) => world.people[row].texts.get(field).map(String::as_str),
        (Kind::Group, "key") => Some(&world.groups[row].key),
        (Kind::Group, "name") => Some(&world.groups[row].name),
        (Kind::Group, "description") => world.groups[row].description.as_deref(),
        (Kind::Role, "key") => Some(&world.roles[row].key),
        (Kind::Role, "name") => Some(&world.roles[row].name),
        (Kind::Role, "description") => world.roles[row].description.as_deref(),
        _ => panic!("no text {field} of {kind}"),
    }
}

fn attributes<'a>(sight: &Sight<'a>, kind: Kind, row: usize) -> &'a Attributes {
    match kind {
        Kind::User => &sight.world.people[row].attributes,
        Kind::Group => &sight.world.groups[row].attributes,
        _ => panic!("{kind}s have no attributes"),
    }
}

/// Any value compares so; `ne` and `present: false` hold where none does.
fn compares<'a>(mut values: impl Iterator<Item = &'a str>, comparison: &Comparison) -> bool {
    match comparison {
        Comparison::Eq(text) => values.any(|value| fold(value) == fold(text)),
        Comparison::Ne(text) => !values.any(|value| fold(value) == fold(text)),
        Comparison::In(texts) => values.any(|value| texts.iter().any(|text| fold(value) == fold(text))),
        Comparison::StartsWith(text) => values.any(|value| fold(value).starts_with(&fold(text))),
        Comparison::EndsWith(text) => values.any(|value| fold(value).ends_with(&fold(text))),
        Comparison::Contains(text) => values.any(|value| fold(value).contains(&fold(text))),
        Comparison::Present(present) => values.next().is_some() == *present,
    }
}

/// Every word begins a word of some field that may be searched.
fn search(sight: &Sight<'_>, kind: Kind, row: usize, wanted: &str) -> bool {
    let searched: &[&str] = if kind == Kind::User { &SEARCHED_OF_USERS } else { &SEARCHED_OF_OTHERS };
    let open = searched.iter().filter(|field| sight.scope(kind).admits_search(kind, field));
    let found: Vec<String> = open.filter_map(|field| text(sight, kind, row, field)).flat_map(words).collect();
    words(wanted).iter().all(|word| found.iter().any(|of| of.starts_with(word.as_str())))
}

fn joins(sight: &Sight<'_>, kind: Kind, row: usize, name: &str, ids: &[String]) -> bool {
    let world = sight.world;
    let named = |kind: Kind, row: usize| sight.sees(kind, row) && ids.iter().any(|id| id == sight.id(kind, row));
    let named_above = |group: usize| (0..world.groups.len()).any(|above| named(Kind::Group, above) && world.is_under(group, above));
    let mut memberships = sight.all(Kind::Membership).iter().map(|at| &world.memberships[*at]);
    match (kind, name) {
        (_, "ids") => named(kind, row),
        (Kind::User, "inGroups") => memberships.any(|edge| edge.person == row && named(Kind::Group, edge.group)),
        (Kind::User, "underGroups") => memberships.any(|edge| edge.person == row && named_above(edge.group)),
        (Kind::User, "manages") => memberships.any(|edge| edge.person == row && edge.manager && named(Kind::Group, edge.group)),
        (Kind::User, "roles") => {
            let mut grants = sight.all(Kind::Grant).iter().map(|at| &world.grants[*at]);
            grants.any(|edge| edge.person == row && named(Kind::Role, edge.role))
        }
        (Kind::Group, "belowGroups") => world.above(row).any(|above| named(Kind::Group, above)),
        (Kind::Group, "members") => memberships.any(|edge| edge.group == row && named(Kind::User, edge.person)),
        (Kind::Membership, "users") => named(Kind::User, world.memberships[row].person),
        (Kind::Membership, "groups") => named(Kind::Group, world.memberships[row].group),
        (Kind::Membership, "underGroups") => named_above(world.memberships[row].group),
        (Kind::Grant, "users") => named(Kind::User, world.grants[row].person),
        (Kind::Grant, "roles") => named(Kind::Role, world.grants[row].role),
        (Kind::Grant, "within") => world.grants[row].within.is_some_and(|group| named(Kind::Group, group)),
        _ => panic!("no condition {name} of {kind}"),
    }
}
