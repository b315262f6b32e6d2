//! The small workspace that a file describes, checked, and what its parts are called.

mod groups;
mod people;
mod roles;

use std::collections::HashMap;

use directory::{
    limits::ATTRIBUTES,
    model::{Status, Timestamp, UserText},
    register::Kind,
    text::fold,
};

use super::{
    document::{Entry, Value},
    limits::{EDGES, GROUPS, PEOPLE, ROLES},
    reader::{Fields, Reader, quoted},
};

/// The instant at which a world stands that does not say: 2026-01-05, 09:00 UTC.
const NOW: Timestamp = Timestamp(1_767_603_600_000_000);

/// Values by the attribute's name.
pub(super) type Attributes = Vec<(String, Vec<String>)>;

/// A small workspace.
#[derive(Debug)]
pub(super) struct World {
    /// What the clock says, and when everything was made.
    pub(super) now: Timestamp,
    /// The module's settings, where the file insists on them.
    pub(super) settings: Option<String>,
    /// Those of `standard`.
    pub(super) standard: Option<String>,
    /// Parents before children.
    pub(super) groups: Vec<Group>,
    /// The built-in ones, then those of the file.
    pub(super) roles: Vec<Role>,
    pub(super) people: Vec<Person>,
    pub(super) memberships: Vec<Membership>,
    pub(super) grants: Vec<Grant>,
    /// Positions by folded name.
    names: Names,
}

#[derive(Debug, Default)]
struct Names {
    groups: HashMap<String, usize>,
    roles: HashMap<String, usize>,
    people: HashMap<String, usize>,
    memberships: HashMap<(usize, usize), usize>,
    /// Each role that somebody holds, in the order of the file.
    grants: HashMap<(usize, usize), Vec<usize>>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) parent: Option<usize>,
    pub(super) attributes: Attributes,
}

#[derive(Debug)]
pub(super) struct Role {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) permissions: Vec<String>,
    /// Ships with the server.
    pub(super) builtin: bool,
}

#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) exclusive: bool,
    /// Beside the user name.
    pub(super) texts: Vec<(UserText, String)>,
    pub(super) attributes: Attributes,
    /// Manages the top group.
    pub(super) manages_top: bool,
}

/// Positions of a person and a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership {
    pub(super) person: usize,
    pub(super) group: usize,
    pub(super) manager: bool,
}

/// Positions of a person, a role, and the group that it is limited to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    pub(super) person: usize,
    pub(super) role: usize,
    pub(super) within: Option<usize>,
}

/// Something of a world, by its position among its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Resource {
    User(usize),
    Group(usize),
    Role(usize),
    Membership(usize),
    Grant(usize),
    Workspace,
}

/// Reads the parts of a document that describe the world, and leaves the others.
pub(super) fn read(reader: &mut Reader, fields: &mut Fields) -> World {
    let mut world = World::empty();
    if let Some(Entry { at, value, .. }) = fields.take("now") {
        world.now = instant(reader, at, &value).unwrap_or(NOW);
    }
    world.settings = fields.take("settings").and_then(|entry| settings(reader, entry));
    world.standard = fields.take("standard-settings").and_then(|entry| settings(reader, entry));
    groups::read(&mut world, reader, fields.take("groups"));
    roles::read(&mut world, reader, fields.take("roles"));
    people::read(&mut world, reader, fields.take("people"));
    let attributes = world.attribute_names().len();
    for (what, found, most) in [
        ("groups", world.groups.len(), GROUPS),
        ("roles", world.roles.len(), ROLES),
        ("people", world.people.len(), PEOPLE),
        ("memberships", world.memberships.len(), EDGES),
        ("grants", world.grants.len(), EDGES),
        ("custom attributes", attributes, ATTRIBUTES),
    ] {
        if found > most {
            reader.wrong(0, format!("the file has {found} {what}, and may have {most}; leave some out"));
        }
    }
    world
}

/// An instant with its offset.
fn instant(reader: &mut Reader, at: usize, value: &Value) -> Option<Timestamp> {
    let read = match value {
        Value::Instant(text) => text.parse::<jiff::Timestamp>().ok(),
        _ => None,
    };
    if read.is_none() {
        reader.wrong(at, "`now` is no instant; write one with its offset, and without quotes: 2026-01-05T09:00:00Z");
    }
    read.map(|instant| Timestamp(instant.as_microsecond()))
}

/// Settings as a policy is handed them: a text as it is, a table as compact JSON.
fn settings(reader: &mut Reader, Entry { key, at, value }: Entry) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        table @ Value::Table(_) => Some(table.into_json().to_string()),
        other => {
            reader.wrong(at, format!("`{key}` is {}; write a table, which becomes JSON, or a text", other.name()));
            None
        }
    }
}

impl World {
    fn empty() -> Self {
        Self {
            now: NOW,
            settings: None,
            standard: None,
            groups: Vec::new(),
            roles: Vec::new(),
            people: Vec::new(),
            memberships: Vec::new(),
            grants: Vec::new(),
            names: Names::default(),
        }
    }

    /// The custom attributes that anything has, each once, sorted.
    pub(super) fn attribute_names(&self) -> Vec<&str> {
        let of_people = self.people.iter().flat_map(|person| &person.attributes);
        let of_groups = self.groups.iter().flat_map(|group| &group.attributes);
        let mut names: Vec<&str> = of_people.chain(of_groups).map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Everything of a kind; of a kind that has no rows here, nothing.
    pub(super) fn all(&self, kind: Kind) -> Vec<Resource> {
        match kind {
            Kind::User => (0..self.people.len()).map(Resource::User).collect(),
            Kind::Group => (0..self.groups.len()).map(Resource::Group).collect(),
            Kind::Role => (0..self.roles.len()).map(Resource::Role).collect(),
            Kind::Membership => (0..self.memberships.len()).map(Resource::Membership).collect(),
            Kind::Grant => (0..self.grants.len()).map(Resource::Grant).collect(),
            Kind::Workspace => vec![Resource::Workspace],
            _ => Vec::new(),
        }
    }

    /// The position of the person of that name.
    pub(super) fn person(&self, name: &str) -> Option<usize> {
        self.names.people.get(&fold(name)).copied()
    }

    /// What a text after `KIND:` names: a name or key, `USER/GROUP` or `USER/ROLE` (`USER/ROLE@GROUP` for a limited grant).
    ///
    /// # Errors
    /// Why it names nothing, with the remedy.
    pub(super) fn find(&self, kind: Kind, name: &str) -> Result<Resource, String> {
        let edge = |what: &str| name.rsplit_once('/').ok_or_else(|| format!("{} is no {}; write {what}", quoted(name), kind.name()));
        match kind {
            Kind::User => self.known(&self.names.people, name, "person").map(Resource::User),
            Kind::Group => self.known(&self.names.groups, name, "group").map(Resource::Group),
            Kind::Role => self.known(&self.names.roles, name, "role").map(Resource::Role),
            Kind::Membership => {
                let (user, group) = edge("`USER/GROUP`")?;
                let ends = (self.known(&self.names.people, user, "person")?, self.known(&self.names.groups, group, "group")?);
                let found = self.names.memberships.get(&ends).copied().map(Resource::Membership);
                found.ok_or_else(|| format!("{} is not in group {}; put them in, or name another", quoted(user), quoted(group)))
            }
            Kind::Grant => {
                let (user, grant) = edge("`USER/ROLE`, or `USER/ROLE@GROUP`")?;
                self.find_grant(user, grant).map(Resource::Grant)
            }
            _ => Err(format!("of a {} nothing can be asked; ask it of the workspace", kind.name())),
        }
    }

    fn find_grant(&self, user: &str, grant: &str) -> Result<usize, String> {
        let (role, within) = grant.split_once('@').map_or((grant, None), |(role, group)| (role, Some(group)));
        let ends = (self.known(&self.names.people, user, "person")?, self.known(&self.names.roles, role, "role")?);
        let within = within.map(|group| self.known(&self.names.groups, group, "group")).transpose()?;
        let held = self.names.grants.get(&ends).map(Vec::as_slice).unwrap_or_default();
        let exact = held.iter().copied().find(|at| self.grants.get(*at).is_some_and(|grant| grant.within == within));
        match (exact, within, held) {
            (Some(at), _, _) => Ok(at),
            // The only one needs no limit to be told from others.
            (None, None, [only]) => Ok(*only),
            (None, None, [_, ..]) => {
                Err(format!("{} holds role {} in several groups; say which: `{user}/{role}@GROUP`", quoted(user), quoted(role)))
            }
            _ => Err(format!("{} does not hold role {}; grant it, or name another", quoted(user), quoted(grant))),
        }
    }

    fn known(&self, names: &HashMap<String, usize>, name: &str, what: &str) -> Result<usize, String> {
        names.get(&fold(name)).copied().ok_or_else(|| format!("{} is no {what} of the file; add it, or correct the name", quoted(name)))
    }

    /// What follows `KIND:` for something of the world.
    pub(super) fn name(&self, resource: Resource) -> String {
        let person = |at: usize| self.people.get(at).map_or("", |person| person.name.as_str());
        let group = |at: usize| self.groups.get(at).map_or("", |group| group.key.as_str());
        let role = |at: usize| self.roles.get(at).map_or("", |role| role.key.as_str());
        match resource {
            Resource::User(at) => person(at).to_owned(),
            Resource::Group(at) => group(at).to_owned(),
            Resource::Role(at) => role(at).to_owned(),
            Resource::Membership(at) => {
                let edge = self.memberships.get(at);
                edge.map_or_else(String::new, |edge| format!("{}/{}", person(edge.person), group(edge.group)))
            }
            Resource::Grant(at) => self.grants.get(at).map_or_else(String::new, |grant| {
                let within = grant.within.map_or_else(String::new, |at| format!("@{}", group(at)));
                format!("{}/{}{within}", person(grant.person), role(grant.role))
            }),
            Resource::Workspace => String::new(),
        }
    }

    /// The whole name of something of the world, as files write it.
    pub(super) fn full_name(&self, resource: Resource) -> String {
        match resource {
            Resource::Workspace => resource.kind().name().to_owned(),
            other => format!("{}:{}", other.kind().name(), self.name(other)),
        }
    }
}

impl Resource {
    /// Its kind.
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::User(_) => Kind::User,
            Self::Group(_) => Kind::Group,
            Self::Role(_) => Kind::Role,
            Self::Membership(_) => Kind::Membership,
            Self::Grant(_) => Kind::Grant,
            Self::Workspace => Kind::Workspace,
        }
    }
}

/// A stable key, by the rule of the interfaces, which leaves `/`, `@`, `:` and white space to the file's own words.
fn key(reader: &mut Reader, at: usize, what: &str, given: &str) -> Option<String> {
    let given = reader.line_of(at, what, Value::Text(given.to_owned()), directory::limits::KEY_CHARS)?;
    let good = given.chars().next().is_some_and(char::is_alphanumeric);
    if good && given.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return Some(given);
    }
    reader.wrong(at, format!("{what} {} is none: use letters, digits, `-`, `_` and `.`, and begin with a letter or digit", quoted(&given)));
    None
}

/// Custom attributes: one text or several for each name.
fn attributes(reader: &mut Reader, Entry { at, value, .. }: Entry) -> Attributes {
    let Some(table) = reader.table(at, "`attributes`", value) else { return Attributes::new() };
    let mut attributes = Attributes::new();
    for Entry { key: name, at, value } in table.rest() {
        let Some(name) = key(reader, at, "attribute", &name) else { continue };
        let texts = reader.texts(at, &format!("attribute `{name}`"), value);
        if texts.len() > directory::limits::ATTRIBUTE_VALUES {
            let most = directory::limits::ATTRIBUTE_VALUES;
            reader.wrong(at, format!("attribute `{name}` has {} values, and may have {most}; leave some out", texts.len()));
        }
        let what = format!("a value of attribute `{name}`,");
        let value = |(at, text)| reader.line_of(at, &what, Value::Text(text), directory::limits::ATTRIBUTE_CHARS);
        let values: Vec<String> = texts.into_iter().filter_map(value).collect();
        attributes.push((name, values));
    }
    attributes
}
