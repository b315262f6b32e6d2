//! A workspace in memory, as plain as it gets: what the generators make, the server imports and the naive reading looks at.
//!
//! Rows point at one another by position. Ids are the server's; they are learned once, by reading as the administrator.

use std::collections::{BTreeMap, HashMap};

use bailiwick::{ids::Ids, wiring};
use directory::{
    ids::PolicyVersionId,
    model::{Provenance, Status, Timestamp, UserText},
    store::{AttributeDefinition, IdSource as _, ImportGroup, ImportPerson, ImportRole, ImportWorkspace, NewPolicyVersion},
};
use serde_json::Value as Json;

use crate::naive::{Kind, text::fold};

/// Custom attributes: values by name, only assigned ones.
pub type Attributes = BTreeMap<String, Vec<String>>;

/// A workspace.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Its id.
    pub id: String,
    /// Its key.
    pub key: String,
    /// The custom attributes that it declares.
    pub attributes: Vec<String>,
    /// Parents before children.
    pub groups: Vec<Group>,
    /// The built-in ones first, in the order of [`BUILTIN`]; what they permit is learned.
    pub roles: Vec<Role>,
    /// The first is an active administrator.
    pub people: Vec<Person>,
    /// Who is in what.
    pub memberships: Vec<Membership>,
    /// Who holds what.
    pub grants: Vec<Grant>,
    /// The positions of each person's memberships and grants.
    edges: Vec<(Vec<usize>, Vec<usize>)>,
    /// The rows of each kind in the order of their ids.
    pub(crate) by_id: [Vec<usize>; 5],
}

/// By whom a row was made over GraphQL, and when. What an import brought has none.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// The position of the person.
    pub by: usize,
    /// In microseconds.
    pub at: i64,
}

/// A group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The position of its parent.
    pub parent: Option<usize>,
    /// Its custom attributes.
    pub attributes: Attributes,
    /// Who made it, if nobody brought it in.
    pub made: Option<Made>,
}

/// A role.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// Its id.
    pub id: String,
    /// Its key.
    pub key: String,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Whether it ships with the server.
    pub builtin: bool,
    /// Its permissions.
    pub permissions: Vec<String>,
    /// Who made it, if nobody brought it in.
    pub made: Option<Made>,
}

/// A person.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// Its id.
    pub id: String,
    /// Its texts by the name of the field; `userName` always.
    pub texts: BTreeMap<&'static str, String>,
    /// Whether it belongs to this workspace only.
    pub exclusive: bool,
    /// Its status, in lower case.
    pub status: &'static str,
    /// Its custom attributes.
    pub attributes: Attributes,
    /// Whether it manages the top group.
    pub manages_top: bool,
    /// When it came in, in microseconds.
    pub created: i64,
    /// Who made it, if nobody brought it in.
    pub made: Option<Made>,
}

/// That a person is in a group.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    /// Its id.
    pub id: String,
    /// Who.
    pub person: usize,
    /// Where.
    pub group: usize,
    /// Whether as a manager.
    pub manager: bool,
    /// Who made it, if nobody brought it in.
    pub made: Option<Made>,
}

/// That a person holds a role.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// Its id.
    pub id: String,
    /// Who.
    pub person: usize,
    /// What.
    pub role: usize,
    /// The group that it is limited to.
    pub within: Option<usize>,
    /// Who made it, if nobody brought it in.
    pub made: Option<Made>,
}

/// The texts of a person by the names of the fields.
pub const TEXTS: [(&str, UserText); 12] = [
    ("userName", UserText::UserName),
    ("displayName", UserText::DisplayName),
    ("givenName", UserText::GivenName),
    ("familyName", UserText::FamilyName),
    ("email", UserText::Email),
    ("phone", UserText::Phone),
    ("locale", UserText::Locale),
    ("timeZone", UserText::TimeZone),
    ("title", UserText::Title),
    ("avatarUrl", UserText::AvatarUrl),
    ("externalId", UserText::ExternalId),
    ("code", UserText::Code),
];

/// The keys of the built-in roles.
pub const BUILTIN: [&str; 2] = ["administrator", "member"];

/// The query by which ids are learned, a kind at a time.
pub const LEARN: [(&str, &str); 5] = [
    ("users", "id userName"),
    ("groups", "id key"),
    ("roles", "id key name description permissions"),
    ("memberships", "id user { id } group { id } manager"),
    ("grants", "id user { id } role { id } within { id }"),
];

impl World {
    /// A workspace with nothing in it but the built-in roles.
    #[must_use]
    pub fn empty(key: String) -> Self {
        let builtin = |key: &&str| Role { key: (*key).to_owned(), builtin: true, ..Role::default() };
        Self { key, roles: BUILTIN.iter().map(builtin).collect(), ..Self::default() }
    }

    /// As the operator brings it in, with those people only who came until `now`, under `standard` with these settings.
    #[must_use]
    pub fn import(&self, now: i64, standard_settings: &str) -> ImportWorkspace {
        let mut ids = Ids::seeded(&format!("{}:{now}", self.key), Timestamp(now));
        let policy = NewPolicyVersion {
            id: PolicyVersionId(ids.next_id()),
            module: None,
            settings: String::new(),
            standard: wiring::standard().digest,
            standard_settings: standard_settings.to_owned(),
            activated_by: None,
            activated_at: Timestamp(now),
            repeats: None,
            note: None,
        };
        let people: Vec<ImportPerson> =
            (0..self.people.len()).filter(|person| self.people[*person].created <= now).map(|person| self.import_person(person)).collect();
        ImportWorkspace {
            key: self.key.clone(),
            name: format!("Workspace {}", self.key),
            user_quota: None,
            attributes: self.attributes.iter().map(|name| AttributeDefinition { name: name.clone(), searchable: true }).collect(),
            groups: self.groups.iter().map(|group| self.import_group(group)).collect(),
            roles: self.roles.iter().filter(|role| !role.builtin).map(import_role).collect(),
            people: Box::new(people.into_iter()),
            policy,
            provenance: Provenance::Import,
            now: Timestamp(now),
            ids: Box::new(ids),
        }
    }

    fn import_group(&self, group: &Group) -> ImportGroup {
        ImportGroup {
            key: group.key.clone(),
            name: group.name.clone(),
            description: group.description.clone(),
            parent: group.parent.map(|parent| self.groups[parent].key.clone()),
            attributes: group.attributes.clone().into_iter().collect(),
        }
    }

    fn import_person(&self, at: usize) -> ImportPerson {
        let person = &self.people[at];
        let text = |(name, text): (&'static str, UserText)| person.texts.get(name).map(|value| (text, value.clone()));
        let (memberships, grants) = (self.memberships_of(at), self.grants_of(at));
        ImportPerson {
            issuer: format!("tests of {}", self.key),
            identifier: fold(&person.texts["userName"]),
            texts: TEXTS.into_iter().filter_map(text).collect(),
            exclusive: person.exclusive,
            status: Status::named(person.status).unwrap(),
            attributes: person.attributes.clone().into_iter().collect(),
            memberships: memberships.map(|membership| (self.groups[membership.group].key.clone(), membership.manager)).collect(),
            manages_top: person.manages_top,
            grants: grants
                .map(|grant| (self.roles[grant.role].key.clone(), grant.within.map(|group| self.groups[group].key.clone())))
                .collect(),
        }
    }

    /// The instants at which people came in, in order.
    #[must_use]
    pub fn instants(&self) -> Vec<i64> {
        let mut instants: Vec<i64> = self.people.iter().map(|person| person.created).collect();
        instants.sort_unstable();
        instants.dedup();
        instants
    }

    /// Takes the ids over from what the administrator reads: `nodes` of each list of [`LEARN`], in its order.
    ///
    /// Panics unless the server holds exactly what the world does.
    pub fn learn(&mut self, nodes: &[Vec<Json>]) {
        let [users, groups, roles, memberships, grants] = nodes else { panic!("five kinds of nodes") };
        let text = |node: &Json, name: &str| node[name].as_str().unwrap_or_else(|| panic!("{name} of {node}")).to_owned();
        let end = |node: &Json, name: &str| node[name]["id"].as_str().map(str::to_owned);
        let counts = [self.people.len(), self.groups.len(), self.roles.len(), self.memberships.len(), self.grants.len()];
        assert_eq!(
            nodes.iter().map(Vec::len).collect::<Vec<_>>(),
            counts,
            "rows of workspace {} as the administrator counts them",
            self.key
        );
        let ids = |nodes: &[Json], by: &str| nodes.iter().map(|node| (text(node, by), text(node, "id"))).collect::<HashMap<_, _>>();
        let (people, keys) = (ids(users, "userName"), ids(groups, "key"));
        for person in &mut self.people {
            person.id.clone_from(&people[&person.texts["userName"]]);
        }
        for group in &mut self.groups {
            group.id.clone_from(&keys[&group.key]);
        }
        let read: HashMap<String, &Json> = roles.iter().map(|node| (text(node, "key"), node)).collect();
        for role in &mut self.roles {
            let node = read[&role.key];
            role.id = text(node, "id");
            if role.builtin {
                role.name = text(node, "name");
                role.description = node["description"].as_str().map(str::to_owned);
                role.permissions = node["permissions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
            }
        }
        let edge = |node: &Json, to: &str| (end(node, "user").unwrap(), end(node, to).unwrap());
        let joined: HashMap<_, _> = memberships.iter().map(|node| (edge(node, "group"), text(node, "id"))).collect();
        for membership in &mut self.memberships {
            let ends = (self.people[membership.person].id.clone(), self.groups[membership.group].id.clone());
            membership.id.clone_from(&joined[&ends]);
        }
        let held: HashMap<_, _> = grants.iter().map(|node| ((edge(node, "role"), end(node, "within")), text(node, "id"))).collect();
        for grant in &mut self.grants {
            let ends = (self.people[grant.person].id.clone(), self.roles[grant.role].id.clone());
            let within = grant.within.map(|group| self.groups[group].id.clone());
            grant.id.clone_from(&held[&(ends, within)]);
        }
        self.settle();
    }

    /// Who made a row, if nobody brought it in.
    #[must_use]
    pub fn made(&self, kind: Kind, row: usize) -> Option<Made> {
        match kind {
            Kind::User => self.people[row].made,
            Kind::Group => self.groups[row].made,
            Kind::Role => self.roles[row].made,
            Kind::Membership => self.memberships[row].made,
            Kind::Grant => self.grants[row].made,
        }
    }

    /// Puts the rows of each kind in the order of their ids, and notes which edges are whose; after every change.
    pub fn settle(&mut self) {
        self.index();
        self.by_id = [
            by_id(&self.people, |row| &row.id),
            by_id(&self.groups, |row| &row.id),
            by_id(&self.roles, |row| &row.id),
            by_id(&self.memberships, |row| &row.id),
            by_id(&self.grants, |row| &row.id),
        ];
    }

    /// The groups above a group, the nearest first.
    pub fn above(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.groups[group].parent, |group| self.groups[*group].parent)
    }

    /// Whether a group is another one, or below it.
    #[must_use]
    pub fn is_under(&self, group: usize, other: usize) -> bool {
        group == other || self.above(group).any(|above| above == other)
    }

    /// Notes which edges are whose; to be called when all of them are there.
    pub fn index(&mut self) {
        self.edges = vec![(Vec::new(), Vec::new()); self.people.len()];
        for (at, membership) in self.memberships.iter().enumerate() {
            self.edges[membership.person].0.push(at);
        }
        for (at, grant) in self.grants.iter().enumerate() {
            self.edges[grant.person].1.push(at);
        }
    }

    /// The memberships of a person.
    pub fn memberships_of(&self, person: usize) -> impl Iterator<Item = &Membership> {
        self.edges[person].0.iter().map(|at| &self.memberships[*at])
    }

    /// The direct groups of a person.
    pub fn groups_of(&self, person: usize) -> impl Iterator<Item = usize> + '_ {
        self.memberships_of(person).map(|membership| membership.group)
    }

    /// The groups that a person manages, the top group excepted.
    pub fn managed_by(&self, person: usize) -> impl Iterator<Item = usize> + '_ {
        self.memberships_of(person).filter(|membership| membership.manager).map(|membership| membership.group)
    }

    /// The grants of a person.
    pub fn grants_of(&self, person: usize) -> impl Iterator<Item = &Grant> {
        self.edges[person].1.iter().map(|at| &self.grants[*at])
    }
}

fn by_id<T>(rows: &[T], id: fn(&T) -> &String) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_unstable_by_key(|row| id(&rows[*row]));
    order
}

fn import_role(role: &Role) -> ImportRole {
    ImportRole {
        key: role.key.clone(),
        name: role.name.clone(),
        description: role.description.clone(),
        permissions: role.permissions.clone(),
    }
}
