//! Workspaces: trees up to eight deep, people in several branches, managers, limited grants, every status, odd letters.

use std::collections::BTreeMap;

use crate::{
    dice::Dice,
    document::NEW_YEAR,
    model::{Attributes, Grant, Group, Membership, Person, Role, World},
    naive::policy::Asker,
};

/// Levels of the deepest tree.
const DEPTH: usize = 8;
/// The custom attributes and their values.
pub const ATTRIBUTES: [(&str, &[&str]); 4] = [
    ("project", &["apollo", "Gemini", "mercury", "Straße"]),
    ("team", &["Red", "blue", "ＡＱＵＡ", "100%_sure"]),
    ("level", &["1", "2", "10"]),
    ("lead", &["yes", "no"]),
];
/// What roles are made of, in the register's order.
pub const PERMISSIONS: [&str; 10] = [
    "user.read",
    "user.update",
    "user.suspend",
    "group.read",
    "group.update",
    "role.read",
    "membership.add",
    "membership.remove",
    "workspace.update",
    "policy.explain",
];
/// When people came in: one wave, or two.
const WAVES: [i64; 2] = [NEW_YEAR + 3_600_000_000, NEW_YEAR + 7_200_000_001];
const NAMES: [&str; 12] = ["Ada", "ADA", "Zoë", "Éric", "Straße", "ＺＯＥ", "O'Brien", "Łuk", "50% off", "a_b", "Ada Zoë", "ada-lovelace"];
/// What keys of groups begin with.
const KEYS: [&str; 3] = ["G", "Größe", "ＧＲＯＵＰ"];
const STATUSES: [&str; 8] = ["active", "active", "active", "active", "invited", "inactive", "suspended", "deleted"];

/// A workspace of about six people and three groups for each step of `size`.
#[must_use]
pub fn world(dice: &mut Dice, key: String, size: usize) -> World {
    let mut world = World::empty(key);
    world.attributes.extend(ATTRIBUTES.map(|(name, _)| name.to_owned()));
    world.attributes.push("unassigned".to_owned());
    let count = dice.between(1, 3 * size);
    groups(dice, &mut world, count);
    roles(dice, &mut world);
    let count = 2 + dice.below(6 * size);
    let two_waves = dice.one_in(2);
    for at in 0..count {
        let created = WAVES[usize::from(two_waves && at > 0 && dice.one_in(2))];
        let person = person(dice, at, created);
        world.people.push(person);
    }
    settle_addresses(&mut world.people);
    for at in 0..count {
        edges(dice, &mut world, at);
    }
    world.index();
    world
}

fn groups(dice: &mut Dice, world: &mut World, count: usize) {
    let mut depths: Vec<usize> = Vec::new();
    for at in 0..count {
        // Trees grow deep where the last group is the next one's parent.
        let candidates: Vec<usize> = (0..at).filter(|parent| depths[*parent] < DEPTH).collect();
        let parent = match dice.below(6) {
            0 => None,
            1..=3 => candidates.last().copied(),
            _ if candidates.is_empty() => None,
            _ => Some(*dice.pick(&candidates)),
        };
        depths.push(parent.map_or(1, |parent| depths[parent] + 1));
        let name = format!("{} {at}", dice.pick(&NAMES));
        let description = dice.one_in(2).then(|| format!("{} of {}", dice.pick(&NAMES), dice.pick(&NAMES)));
        let key = format!("{}{at}", KEYS[at % KEYS.len()]);
        world.groups.push(Group { key, name, description, parent, attributes: attributes(dice), ..Group::default() });
    }
}

fn roles(dice: &mut Dice, world: &mut World) {
    for key in ["Auditor", "reader", "helpdesk", "nothing"] {
        let permissions = match key {
            "nothing" => Vec::new(),
            "reader" => vec!["user.read", "group.read", "role.read"],
            _ => dice.some(&PERMISSIONS, 5),
        };
        let permissions = permissions.into_iter().map(str::to_owned).collect();
        let description = dice.one_in(2).then(|| format!("{} roles", dice.pick(&NAMES)));
        world.roles.push(Role {
            key: key.to_owned(),
            name: format!("{key} of {}", dice.pick(&NAMES)),
            description,
            permissions,
            ..Role::default()
        });
    }
}

fn person(dice: &mut Dice, at: usize, created: i64) -> Person {
    let mut texts = BTreeMap::from([("userName", format!("{}{at}", dice.pick(&NAMES)))]);
    for field in ["displayName", "givenName", "familyName", "title"] {
        if !dice.one_in(3) {
            texts.insert(field, format!("{} {}", dice.pick(&NAMES), dice.pick(&NAMES)));
        }
    }
    if !dice.one_in(4) {
        texts.insert("email", format!("{}@example.com", dice.pick(&["ada", "Ada", "zoe", "eric", "a_b", "a%b"])));
    }
    for (field, values) in [("phone", ["+49 30 1", "+49 30 2"]), ("locale", ["de", "en-GB"]), ("timeZone", ["Europe/Berlin", "UTC"])] {
        if dice.one_in(2) {
            texts.insert(field, (*dice.pick(&values)).to_owned());
        }
    }
    if dice.one_in(2) {
        texts.insert("externalId", format!("X-{at}"));
    }
    if dice.one_in(4) {
        texts.insert("avatarUrl", format!("https://example.com/{at}.png"));
    }
    let status = if at == 0 { "active" } else { dice.pick(&STATUSES) };
    let manages_top = at > 0 && dice.one_in(12);
    Person { id: String::new(), texts, exclusive: dice.one_in(5), status, attributes: attributes(dice), manages_top, created, made: None }
}

/// E-mail addresses may be shared by people whom a code tells apart.
fn settle_addresses(people: &mut [Person]) {
    let mut taken: Vec<String> = Vec::new();
    for (at, person) in people.iter_mut().enumerate() {
        let Some(email) = person.texts.get("email") else { continue };
        let email = email.to_lowercase();
        if taken.contains(&email) {
            person.texts.insert("code", format!("C{at}"));
        }
        taken.push(email);
    }
}

fn attributes(dice: &mut Dice) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, values) in ATTRIBUTES {
        let values: Vec<String> = dice.some(values, 2).into_iter().map(str::to_owned).collect();
        if !values.is_empty() {
            attributes.insert(name.to_owned(), values);
        }
    }
    attributes
}

fn edges(dice: &mut Dice, world: &mut World, person: usize) {
    let groups: Vec<usize> = (0..world.groups.len()).collect();
    for group in dice.some(&groups, 3) {
        world.memberships.push(Membership { person, group, manager: dice.one_in(4), ..Membership::default() });
    }
    if person == 0 {
        world.grants.push(Grant { person, ..Grant::default() });
    }
    // The administrator's role is rare, or everybody would see everything.
    let first = usize::from(!dice.one_in(8));
    let roles: Vec<usize> = (first..world.roles.len()).collect();
    for role in dice.some(&roles, 2) {
        let within = dice.one_in(2).then(|| *dice.pick(&groups));
        if !world.grants.iter().any(|grant| grant.person == person && grant.role == role && grant.within == within) {
            world.grants.push(Grant { person, role, within, ..Grant::default() });
        }
    }
}

/// An active person, or a service; sometimes with a token of few scopes.
#[must_use]
pub fn asker(dice: &mut Dice, world: &World) -> Asker {
    const SCOPES: [&str; 9] = [
        "user.read",
        "group.read",
        "role.read",
        "membership.read",
        "grant.read",
        "workspace.read",
        "user.update",
        "group.update",
        "membership.add",
    ];
    let scopes = |dice: &mut Dice| dice.some(&SCOPES, 9).into_iter().map(str::to_owned).collect::<Vec<_>>();
    if dice.one_in(8) {
        return Asker { person: None, scopes: Some(scopes(dice)) };
    }
    let active: Vec<usize> = (0..world.people.len()).filter(|person| world.people[*person].status == "active").collect();
    let person = *dice.pick(&active);
    // No scopes means no limit.
    let scopes = if dice.one_in(6) { Some(scopes(dice)).filter(|scopes| !scopes.is_empty()) } else { None };
    Asker { person: Some(person), scopes }
}
