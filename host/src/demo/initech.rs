//! `initech`: as many people as wanted, each reckoned from its number alone, so that a million never stand in memory together.

use directory::{
    model::{Role, Status},
    store::{ImportGroup, ImportRole},
};

use super::sample::{Office, Person, role};

/// Levels of the tree of groups, where there are enough of them.
const LEVELS: u32 = 7;
/// People for each group.
const PEOPLE_PER_GROUP: u64 = 100;

/// The number of the administrator.
const ADMINISTRATOR: u64 = 0;
/// The number of the one who is in no group.
const IN_NO_GROUP: u64 = 1;
/// The number of the first group's manager; the others follow.
const FIRST_MANAGER: u64 = 2;

const ROLES: [(&str, &str, &str, &[&str]); 1] = [("people-reader", "People Reader", "Reads everybody within its reach.", &["user.read"])];

const GIVEN_NAMES: [&str; 48] = [
    "Abena",
    "Aino",
    "Alejandro",
    "Amina",
    "Anders",
    "Anjali",
    "Ayşe",
    "Beatriz",
    "Björn",
    "Carlos",
    "Chiara",
    "Chinedu",
    "Dilnoza",
    "Dmitri",
    "Eero",
    "Élodie",
    "Emre",
    "Fatima",
    "Finn",
    "Gabriela",
    "Hiroshi",
    "Ines",
    "Jamal",
    "Jana",
    "José",
    "Jürgen",
    "Kaito",
    "Khadija",
    "Lars",
    "Leila",
    "Luka",
    "Małgorzata",
    "Mateo",
    "Nikhil",
    "Niamh",
    "Oluwaseun",
    "Paulo",
    "Rania",
    "Sakura",
    "Sanjay",
    "Siobhán",
    "Svetlana",
    "Tariq",
    "Thandiwe",
    "Ulrike",
    "Valentina",
    "Xiaoming",
    "Zanele",
];

const FAMILY_NAMES: [&str; 50] = [
    "Abdullah",
    "Almeida",
    "Andersson",
    "Banerjee",
    "Bauer",
    "Bianchi",
    "Castillo",
    "Chukwu",
    "Costa",
    "Dąbrowski",
    "Dlamini",
    "Dogan",
    "Eriksen",
    "Fernández",
    "Fitzgerald",
    "García",
    "Gruber",
    "Gupta",
    "Hansen",
    "Hoffmann",
    "Ibrahim",
    "Ivanova",
    "Jansen",
    "Kaya",
    "Khalil",
    "Kowalski",
    "Kumar",
    "Lefèvre",
    "Li",
    "Lopes",
    "Mäkinen",
    "Mbeki",
    "Müller",
    "Murphy",
    "Nakamura",
    "Nielsen",
    "Ortiz",
    "Osei",
    "Park",
    "Pereira",
    "Romano",
    "Sato",
    "Schäfer",
    "Silva",
    "Singh",
    "Suzuki",
    "Tkachenko",
    "Van Dijk",
    "Wang",
    "Zhang",
];

const TITLES: [&str; 12] = [
    "Account Manager",
    "Analyst",
    "Architect",
    "Controller",
    "Coordinator",
    "Designer",
    "Engineer",
    "Planner",
    "Researcher",
    "Specialist",
    "Technician",
    "Writer",
];

const LOCALES: [&str; 12] = ["ar-EG", "de-DE", "en-GB", "en-US", "es-ES", "fi-FI", "fr-FR", "hi-IN", "it-IT", "ja-JP", "pt-BR", "zh-CN"];

/// How many people there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

impl Size {
    /// The least that has somebody of each sort.
    pub(super) const LEAST: u64 = 4;

    fn group_count(self) -> u64 {
        (self.0 / PEOPLE_PER_GROUP).max(1)
    }

    pub(super) fn groups(self) -> Vec<ImportGroup> {
        let count = self.group_count();
        let children = children(count);
        let group = |number: u64| ImportGroup {
            key: group_key(number),
            name: format!("Unit {number}"),
            description: None,
            // As in a heap, but with as many roots as a group has children.
            parent: (number / children).checked_sub(1).map(group_key),
            attributes: Vec::new(),
        };
        (0..count).map(group).collect()
    }

    pub(super) fn roles(self) -> Vec<ImportRole> {
        ROLES.iter().map(role).collect()
    }

    pub(super) fn people(self) -> impl Iterator<Item = Person> + Send + 'static {
        (0..self.0).map(move |number| self.person(number))
    }

    /// Somebody of each sort, with what is special about them.
    pub(super) fn presented(self) -> Vec<(Person, &'static str)> {
        let last_manager = FIRST_MANAGER + self.group_count() - 1;
        let mut people = vec![
            (ADMINISTRATOR, "administrator: sees and may do everything"),
            (FIRST_MANAGER, "manages the first group and everything below it"),
            (last_manager, "manages the last group, which has none below"),
            (self.0 - 1, "member"),
            (IN_NO_GROUP, "in no group but the top one"),
        ];
        people.dedup_by_key(|(number, _)| *number);
        people.into_iter().map(|(number, about)| (self.person(number), about)).collect()
    }

    fn person(self, number: u64) -> Person {
        let draw = |salt: u64| mix(number.wrapping_mul(16).wrapping_add(salt));
        let (given_name, family_name) = (pick(&GIVEN_NAMES, draw(0)), pick(&FAMILY_NAMES, draw(1)));
        let mut roles = vec![(Role::MEMBER.to_owned(), None)];
        if number == ADMINISTRATOR {
            roles.push((Role::ADMINISTRATOR.to_owned(), None));
        } else if number % 1_000 == 999 {
            roles.push(("people-reader".to_owned(), Some(group_key(draw(2) % self.group_count()))));
        }
        Person {
            user_name: format!("user{number:07}"),
            domain: "initech.example",
            given_name: given_name.to_owned(),
            family_name: family_name.to_owned(),
            title: pick(&TITLES, draw(3)).to_owned(),
            locale: pick(&LOCALES, draw(4)).to_owned(),
            office: pick(&Office::ALL, draw(5)),
            extension: usize::try_from(number).unwrap_or_default(),
            status: Status::Active,
            attributes: Vec::new(),
            groups: self.groups_of(number, draw),
            manages_top: false,
            roles,
        }
    }

    /// Everybody but one in a group, three in ten in another one, one in ten in a third.
    fn groups_of(self, number: u64, draw: impl Fn(u64) -> u64) -> Vec<(String, bool)> {
        let count = self.group_count();
        if number == IN_NO_GROUP {
            return Vec::new();
        }
        let managed = number.checked_sub(FIRST_MANAGER).filter(|group| *group < count);
        let mut groups = vec![(managed.unwrap_or(draw(6) % count), managed.is_some())];
        for (salt, of_ten) in [(7, 3), (8, 1)] {
            let group = draw(salt) % count;
            if draw(salt + 2) % 10 < of_ten && groups.iter().all(|(other, _)| *other != group) {
                groups.push((group, false));
            }
        }
        groups.into_iter().map(|(group, manager)| (group_key(group), manager)).collect()
    }
}

fn group_key(number: u64) -> String {
    format!("unit-{number:05}")
}

/// The fewest children for each group with which the tree has no more than [`LEVELS`].
fn children(count: u64) -> u64 {
    let room = |children: u64| (1..=LEVELS).map(|level| children.saturating_pow(level)).fold(0_u64, u64::saturating_add);
    (2..count).find(|children| room(*children) >= count).unwrap_or(2)
}

/// An element drawn by a number; the lists are not empty.
fn pick<T: Copy + Default>(list: &[T], number: u64) -> T {
    let index = usize::try_from(number % list.len() as u64).unwrap_or_default();
    list.get(index).copied().unwrap_or_default()
}

/// SplitMix64's output function: neighbouring numbers become unrelated ones.
const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn ten_thousand_groups_are_seven_deep() {
        let mut depths: HashMap<String, u32> = HashMap::new();
        for group in Size(1_000_000).groups() {
            let depth = 1 + group.parent.map_or(0, |parent| depths[&parent]);
            depths.insert(group.key, depth);
        }
        assert_eq!((depths.len(), depths.values().max()), (10_000, Some(&7)));
    }

    #[test]
    fn the_smallest_has_somebody_of_each_sort() {
        let people: Vec<Person> = Size(Size::LEAST).people().collect();
        let manages = |person: &Person| person.groups.iter().any(|(_, manager)| *manager);
        assert!(people[0].roles.iter().any(|(role, _)| role == Role::ADMINISTRATOR));
        assert!(people[1].groups.is_empty() && manages(&people[2]) && !manages(&people[3]));
        assert_eq!(Size(Size::LEAST).presented().len(), 4);
    }
}
