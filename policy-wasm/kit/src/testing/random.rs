//! Random worlds, the same for the same seed.

use super::{Caller, Person, World};

/// A small deterministic generator (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The sequence of that seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number below `bound`, which must not be zero.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap_or_default()
    }

    /// True once in `odds` times.
    pub fn once_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }
}

const STATUSES: [&str; 5] = ["active", "active", "active", "suspended", "deleted"];
const PROJECTS: [&str; 3] = ["apollo", "gemini", "mercury"];
const PERMISSIONS: [&str; 8] =
    ["user.read", "user.update", "group.read", "group.update", "role.read", "membership.add", "grant.add", "workspace.update"];

impl World {
    /// A few groups, roles and people, related at random; keys are `g0`, `g1`, ... and `r0`, `r1`,
    /// `auditor`; people have the attributes `project` and `lead`, groups `project`.
    #[must_use]
    pub fn random(dice: &mut Dice, settings: &str) -> Self {
        let mut world = Self::new().settings(settings);
        let groups: Vec<String> = (0..dice.below(7)).map(|index| format!("g{index}")).collect();
        for (index, key) in groups.iter().enumerate() {
            let path = if index > 0 && !dice.once_in(3) { format!("g{}/{key}", dice.below(index)) } else { key.clone() };
            world = world.group(&path);
            if dice.once_in(3) {
                world = world.with_attribute("project", PROJECTS[dice.below(PROJECTS.len())]);
            }
        }
        let roles: Vec<String> = (0..2).map(|index| format!("r{index}")).chain(["auditor".to_owned()]).collect();
        for key in &roles {
            let permissions: Vec<&str> = PERMISSIONS.into_iter().filter(|_| dice.once_in(4)).collect();
            world = world.role(key, &permissions);
        }
        for index in 0..1 + dice.below(9) {
            let person = random_person(dice, &format!("p{index}"), &groups, &roles);
            world = world.person(person);
        }
        world
    }

    /// One of its people, now and then through a token, or a token of no person.
    pub fn random_caller(&self, dice: &mut Dice) -> Caller {
        let some = |dice: &mut Dice| PERMISSIONS.iter().filter(|_| dice.once_in(3)).map(ToString::to_string).collect();
        let name = self.people[dice.below(self.people.len())].name.clone();
        match dice.below(12) {
            0 => Caller::Service(some(dice)),
            1 => Caller::Scim(some(dice)),
            2 => Caller::Token(name, some(dice)),
            _ => Caller::Person(name),
        }
    }
}

fn random_person(dice: &mut Dice, name: &str, groups: &[String], roles: &[String]) -> Person {
    let mut person = Person::named(name).status(STATUSES[dice.below(STATUSES.len())]);
    for group in groups {
        person = match dice.below(8) {
            0 => person.manages(group),
            1 | 2 => person.member_of(group),
            _ => person,
        };
    }
    for role in roles {
        person = match (dice.below(8), groups) {
            (0, _) => person.holds(role),
            (1, [_, ..]) => person.holds_within(role, &groups[dice.below(groups.len())]),
            _ => person,
        };
    }
    for project in PROJECTS {
        if dice.once_in(3) {
            person = person.attribute("project", project);
        }
    }
    if dice.once_in(4) {
        person = person.attribute("lead", "yes");
    }
    if dice.once_in(20) { person.manages_everybody() } else { person }
}
