//! Generated workspaces: what an import is told, and what must be stored afterwards.

use std::collections::BTreeMap;

use directory::{
    access::{Operator, OperatorVia},
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId, WorkspaceId},
    model::{Provenance, Status, Timestamp, UserText},
    query::{Filter, GrantPredicate, IdSort, MembershipPredicate, NameSort, Order, UserSort, Window},
    scope::{Scope, Searchable},
    store::{
        AmongGrants, AmongGroups, AmongMemberships, AmongRoles, AmongUsers, AttributeDefinition, ImportGroup, ImportPerson, ImportRole,
        ImportSummary, ImportWorkspace, List, Listed, Sight, Store as _,
    },
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};
use storage::Database;

use super::{Ids, standard};

/// Words that fold, sort and split in more than one way.
pub(super) const WORDS: &[&str] = &[
    "Ada",
    "ada lovelace",
    "Zoë",
    "Straße",
    "STRASSE",
    "O'Brien-Łuk",
    "İnci",
    "Ångström",
    "100%",
    "a_b",
    "0",
    "1",
    "新しい",
    "e\u{301}clair",
];
pub(super) const ATTRIBUTES: &[&str] = &["department", "region", "badge"];

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: UserId,
    pub(super) texts: BTreeMap<usize, String>,
    pub(super) status: Status,
    pub(super) exclusive: bool,
    pub(super) attributes: BTreeMap<String, Vec<String>>,
    pub(super) created: i64,
    pub(super) updated: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) parent: Option<usize>,
    pub(super) key: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) attributes: BTreeMap<String, Vec<String>>,
    pub(super) created: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) id: RoleId,
    pub(super) key: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) builtin: bool,
    pub(super) permissions: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) id: MembershipId,
    pub(super) user: usize,
    pub(super) group: usize,
    pub(super) manager: bool,
    pub(super) created: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) id: GrantId,
    pub(super) user: usize,
    pub(super) role: usize,
    pub(super) within: Option<usize>,
    pub(super) created: i64,
}

/// A workspace as it must be.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) id: Option<WorkspaceId>,
    pub(super) users: Vec<User>,
    pub(super) groups: Vec<Group>,
    pub(super) roles: Vec<Role>,
    pub(super) memberships: Vec<Membership>,
    pub(super) grants: Vec<Grant>,
}

/// What two imports say, the second of which moves, renames and adds.
pub(super) struct Plan {
    key: String,
    groups: [Vec<ImportGroup>; 2],
    roles: Vec<ImportRole>,
    people: [Vec<ImportPerson>; 2],
}

impl Plan {
    pub(super) fn generate(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let count = rng.random_range(0..14);
        let group = |rng: &mut SmallRng, number: usize, second: bool| ImportGroup {
            key: format!("G-{number}"),
            // The first import gives every group its neighbour's name.
            name: format!("{} {}", WORDS[number % WORDS.len()], (number + usize::from(!second)) % count.max(1)),
            description: rng.random_bool(0.5).then(|| WORDS.choose(rng).unwrap().to_string()),
            parent: (number > 0 && rng.random_bool(0.85)).then(|| format!("g-{}", rng.random_range(0..number))),
            attributes: attributes(rng),
        };
        let second: Vec<ImportGroup> = (0..count).map(|number| group(&mut rng, number, true)).collect();
        let first = (0..count * 2 / 3)
            .map(|number| ImportGroup { attributes: second[number].attributes.clone(), ..group(&mut rng, number, false) });
        let first = first.collect();
        let roles = (0..rng.random_range(0..4)).map(|number| ImportRole {
            key: format!("Role {number}"),
            name: WORDS.choose(&mut rng).unwrap().to_string(),
            description: None,
            permissions: ["user.read", "group.read", "role.update"].into_iter().filter(|_| rng.random_bool(0.5)).map(Into::into).collect(),
        });
        let roles: Vec<ImportRole> = roles.collect();
        let people: Vec<ImportPerson> = (0..rng.random_range(1..30)).map(|number| person(&mut rng, number, count, &roles)).collect();
        let earlier = people.iter().filter(|_| rng.random_bool(0.6)).cloned().collect::<Vec<_>>();
        let known = count * 2 / 3;
        let earlier = earlier.into_iter().map(|mut person| {
            person.memberships.retain(|(key, _)| key[2..].parse::<usize>().is_ok_and(|number| number < known));
            person.memberships.iter_mut().for_each(|(_, manager)| *manager ^= true);
            person.memberships.truncate(1);
            person.grants.clear();
            person.texts.retain(|(which, _)| *which != UserText::DisplayName);
            person
        });
        Self { key: format!("Workspace {seed}"), groups: [first, second], roles, people: [earlier.collect(), people] }
    }

    /// Imports both times, and the second time once more, which must change nothing.
    pub(super) async fn import(&self, store: &Database) -> World {
        let first = self.run(store, 0, 1_000_000).await;
        assert!(first.created);
        assert_eq!(first.users_added, self.people[0].len() as u64);
        let second = self.run(store, 1, 2_000_000).await;
        assert_eq!(second.users_added, (self.people[1].len() - self.people[0].len()) as u64);
        let again = self.run(store, 1, 3_000_000).await;
        assert_eq!(again, ImportSummary { workspace: second.workspace, ..ImportSummary::default() });
        self.expected(store, second.workspace.expect("an id")).await
    }

    pub(super) async fn run(&self, store: &Database, step: usize, now: i64) -> ImportSummary {
        let change = ImportWorkspace {
            key: self.key.clone(),
            name: "A workspace".to_owned(),
            user_quota: Some(100),
            attributes: ATTRIBUTES.iter().map(|name| AttributeDefinition { name: (*name).to_owned(), searchable: true }).collect(),
            groups: self.groups[step].clone(),
            roles: self.roles.clone(),
            people: Box::new(self.people[step].clone().into_iter()),
            policy: standard(u128::from(self.key.len() as u64) << 32 | now as u128),
            provenance: Provenance::Import,
            now: Timestamp(now),
            ids: Box::new(Ids((now as u128) << 20 | (hash(&self.key) as u128) << 48)),
        };
        let warrant = Operator::new(OperatorVia::CommandLine).import(change);
        store.import(warrant, &|_| {}).await.expect("the import is accepted")
    }

    /// What must be there; only the ids are learnt, by the simplest of lists.
    async fn expected(&self, store: &Database, workspace: WorkspaceId) -> World {
        let mut world = World { id: Some(workspace), ..World::default() };
        let mut snapshot = store.snapshot(workspace).await.expect("a snapshot").expect("the workspace");
        let users = snapshot.list_users(&everything(AmongUsers::All, None, UserSort::UserName)).await.expect("users");
        let users = by_key(&users);
        let groups = snapshot.list_groups(&everything(AmongGroups::All, None, NameSort::Key)).await.expect("groups");
        let groups = by_key(&groups);
        let roles = snapshot.list_roles(&everything(AmongRoles::All, None, NameSort::Key)).await.expect("roles");
        let roles = by_key(&roles);
        assert_eq!((users.len(), groups.len(), roles.len()), (self.people[1].len(), self.groups[1].len(), self.roles.len() + 2));
        world.groups = self.expected_groups(&groups);
        world.roles = self.expected_roles(&roles);
        world.users = self.people[1].iter().map(|person| self.expected_user(person, &users)).collect();
        for (user, person) in self.people[1].iter().enumerate() {
            let earlier = self.people[0].iter().find(|earlier| earlier.identifier == person.identifier);
            for (key, manager) in &person.memberships {
                let group = world.groups.iter().position(|group| group.key.eq_ignore_ascii_case(key)).expect("the group");
                let filter = Filter::Is(MembershipPredicate::Groups(vec![world.groups[group].id]));
                let among = AmongMemberships::OfUsers(vec![world.users[user].id]);
                let found = snapshot.list_memberships(&everything(among, Some(filter), IdSort::Id)).await.expect("a membership");
                let created =
                    if earlier.is_some_and(|earlier| earlier.memberships.iter().any(|(earlier, _)| earlier == key)) { 1 } else { 2 };
                let id = MembershipId(found[0].keyset.id);
                world.memberships.push(Membership { id, user, group, manager: *manager, created: created * 1_000_000 });
            }
            for (key, within) in &person.grants {
                let role = world.roles.iter().position(|role| role.key.eq_ignore_ascii_case(key)).expect("the role");
                let within = within.as_ref().map(|key| world.groups.iter().position(|group| group.key.eq_ignore_ascii_case(key)).unwrap());
                let place =
                    within.map_or(GrantPredicate::WorkspaceWide(true), |group| GrantPredicate::Within(vec![world.groups[group].id]));
                let filter = Filter::And(vec![Filter::Is(GrantPredicate::Roles(vec![world.roles[role].id])), Filter::Is(place)]);
                let among = AmongGrants::OfUsers(vec![world.users[user].id]);
                let found = snapshot.list_grants(&everything(among, Some(filter), IdSort::Id)).await.expect("a grant");
                world.grants.push(Grant { id: GrantId(found[0].keyset.id), user, role, within, created: 2_000_000 });
            }
        }
        world
    }

    fn expected_user(&self, person: &ImportPerson, ids: &BTreeMap<String, uuid::Uuid>) -> User {
        let texts: BTreeMap<usize, String> = person.texts.iter().map(|(which, text)| (*which as usize, text.clone())).collect();
        let earlier = self.people[0].iter().find(|earlier| earlier.identifier == person.identifier);
        User {
            id: UserId(ids[&directory::text::fold(&texts[&0])]),
            status: person.status,
            exclusive: person.exclusive,
            attributes: person.attributes.iter().cloned().collect(),
            created: if earlier.is_some() { 1_000_000 } else { 2_000_000 },
            updated: if earlier.is_some_and(|earlier| earlier.texts == person.texts) { 1_000_000 } else { 2_000_000 },
            texts,
        }
    }

    fn expected_groups(&self, ids: &BTreeMap<String, uuid::Uuid>) -> Vec<Group> {
        let position = |key: &String| self.groups[1].iter().position(|group| group.key.eq_ignore_ascii_case(key)).expect("the parent");
        let groups = self.groups[1].iter().enumerate().map(|(number, group)| Group {
            id: GroupId(ids[&group.key.to_lowercase()]),
            parent: group.parent.as_ref().map(position),
            key: group.key.clone(),
            name: group.name.clone(),
            description: group.description.clone(),
            attributes: group.attributes.iter().cloned().collect(),
            created: if number < self.groups[0].len() { 1_000_000 } else { 2_000_000 },
        });
        groups.collect()
    }

    fn expected_roles(&self, ids: &BTreeMap<String, uuid::Uuid>) -> Vec<Role> {
        let own = self.roles.iter().map(|role| Role {
            id: RoleId(ids[&role.key.to_lowercase()]),
            key: role.key.clone(),
            name: role.name.clone(),
            description: role.description.clone(),
            builtin: false,
            permissions: role.permissions.clone(),
        });
        let builtin = [
            (
                "administrator",
                "Administrator",
                "Holds every permission, those of later servers included.",
                directory::register::actions().collect(),
            ),
            ("member", "Member", "Reads roles, and otherwise what the policy shows to everybody.", vec!["role.read".to_owned()]),
        ];
        let builtin = builtin.into_iter().map(|(key, name, description, permissions)| Role {
            id: RoleId(ids[key]),
            key: key.to_owned(),
            name: name.to_owned(),
            description: Some(description.to_owned()),
            builtin: true,
            permissions,
        });
        own.chain(builtin).collect()
    }
}

fn person(rng: &mut SmallRng, number: usize, groups: usize, roles: &[ImportRole]) -> ImportPerson {
    let mut texts = vec![(UserText::UserName, format!("{} {number}", WORDS.choose(rng).unwrap()))];
    for which in UserText::ALL.into_iter().skip(1) {
        let text = match which {
            UserText::Email => format!("person{}@example.org", number / 2),
            UserText::Code => format!("C{number}"),
            UserText::ExternalId => format!("X-{number}"),
            _ => WORDS.choose(rng).unwrap().to_string(),
        };
        if rng.random_bool(0.7) || which == UserText::Code {
            texts.push((which, text));
        }
    }
    let group = |number: usize| format!("G-{number}");
    let mut memberships: BTreeMap<String, bool> = BTreeMap::new();
    let mut grants = std::collections::BTreeSet::new();
    for _ in 0..rng.random_range(0..4) {
        if groups > 0 {
            memberships.insert(group(rng.random_range(0..groups)), rng.random_bool(0.3));
        }
        let role = roles.choose(rng).filter(|_| rng.random_bool(0.7)).map_or("member".to_owned(), |role| role.key.clone());
        grants.insert((role, (groups > 0 && rng.random_bool(0.5)).then(|| group(rng.random_range(0..groups)))));
    }
    ImportPerson {
        issuer: "email".to_owned(),
        identifier: format!("person{number}"),
        texts,
        exclusive: false,
        status: *Status::ALL[1..].choose(rng).unwrap(),
        attributes: attributes(rng),
        memberships: memberships.into_iter().collect(),
        manages_top: rng.random_bool(0.1),
        grants: grants.into_iter().collect(),
    }
}

fn attributes(rng: &mut SmallRng) -> Vec<(String, Vec<String>)> {
    let named = ATTRIBUTES.iter().filter(|_| rng.random_bool(0.5)).collect::<Vec<_>>();
    let valued = named.into_iter().map(|name| {
        let values = (0..rng.random_range(1..3)).map(|_| WORDS.choose(rng).unwrap().to_string());
        ((*name).to_owned(), values.collect())
    });
    valued.collect()
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(7, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)) & 0xFFFF_FFFF)
}

/// A list of all that there is.
pub(super) fn everything<A, P, S>(among: A, filter: Option<Filter<P>>, by: S) -> List<A, P, S> {
    let scope = std::sync::Arc::new(Scope { clauses: vec![Vec::new()], exact: true, searchable: Searchable::All });
    let sight = Sight {
        me: None,
        user: Some(scope.clone()),
        group: Some(scope.clone()),
        role: Some(scope.clone()),
        membership: Some(scope.clone()),
        grant: Some(scope),
    };
    let order = Order { by, direction: Default::default() };
    List { among, sight, filter, order, window: Window { rows: 10_000, ..Window::default() } }
}

fn by_key<T>(rows: &[Listed<T>]) -> BTreeMap<String, uuid::Uuid> {
    rows.iter().map(|row| (row.keyset.key[1..].to_owned(), row.keyset.id)).collect()
}
