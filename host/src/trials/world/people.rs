//! People, with what they are in and what they hold.

use std::collections::HashSet;

use directory::{
    limits::TEXT_CHARS,
    model::{Status, UserText},
    text::fold,
};

use super::{
    super::limits::{EDGES, PEOPLE},
    Entry, Fields, Grant, Membership, Person, Reader, Value, World, attributes, quoted,
};

/// The manager of everything: of the top group, which has no key.
const TOP: &str = "*";

/// What is unique in a workspace beside user names.
#[derive(Default)]
struct Unique {
    addresses: HashSet<(String, String)>,
    external_ids: HashSet<String>,
}

/// Reads the table of people into the world.
pub(super) fn read(world: &mut World, reader: &mut Reader, entry: Option<Entry>) {
    let Some(Entry { at, value, .. }) = entry else { return };
    let Some(table) = reader.table(at, "`people`", value) else { return };
    let mut unique = Unique::default();
    for Entry { key, at, value } in table.rest() {
        if reader.is_full() || world.people.len() > PEOPLE || world.memberships.len() > EDGES || world.grants.len() > EDGES {
            return;
        }
        let Some(name) = reader.line_of(at, "person", Value::Text(key), TEXT_CHARS) else { continue };
        if world.names.people.insert(fold(&name), world.people.len()).is_some() {
            reader.wrong(at, format!("person `{name}` stands twice; user names are unique, ignoring case: rename one"));
        }
        let Some(mut fields) = reader.table(at, &format!("person `{name}`"), value) else {
            world.people.push(Person::named(name));
            continue;
        };
        let mut person = person(reader, name, &mut fields);
        unique.check(reader, at, &person);
        let position = world.people.len();
        person.manages_top = groups(world, reader, position, &mut fields);
        roles(world, reader, position, &mut fields);
        let texts = UserText::ALL.into_iter().skip(1).map(UserText::field);
        let known: Vec<&str> = ["groups", "manages", "roles", "status", "exclusive", "attributes"].into_iter().chain(texts).collect();
        fields.finish(reader, "a person", &known);
        world.people.push(person);
    }
}

impl Person {
    fn named(name: String) -> Self {
        Self { name, status: Status::Active, exclusive: false, texts: Vec::new(), attributes: Vec::new(), manages_top: false }
    }
}

fn person(reader: &mut Reader, name: String, fields: &mut Fields) -> Person {
    let mut person = Person::named(name);
    if let Some(Entry { at, value, .. }) = fields.take("status") {
        person.status = reader.text(at, "`status`", value).and_then(|name| status(reader, at, &name)).unwrap_or(Status::Active);
    }
    if let Some(Entry { at, value, .. }) = fields.take("exclusive") {
        person.exclusive = reader.flag(at, "`exclusive`", value).unwrap_or_default();
    }
    for which in UserText::ALL.into_iter().filter(|which| *which != UserText::UserName) {
        if let Some(Entry { at, value, .. }) = fields.take(which.field()) {
            let text = reader.line_of(at, &format!("`{}`", which.field()), value, TEXT_CHARS);
            person.texts.extend(text.map(|text| (which, text)));
        }
    }
    person.attributes = fields.take("attributes").map(|entry| attributes(reader, entry)).unwrap_or_default();
    person
}

/// Whoever is in the recycle bin is nobody's subject, and nothing that is asked about.
fn status(reader: &mut Reader, at: usize, name: &str) -> Option<Status> {
    let known = || Status::ALL.into_iter().filter(|status| *status != Status::Deleted);
    let found = known().find(|status| status.name() == name);
    if found.is_none() {
        let names: Vec<&str> = known().map(Status::name).collect();
        reader.wrong(at, format!("{} is no status of a person; write one of {}", quoted(name), names.join(", ")));
    }
    found
}

impl Unique {
    fn check(&mut self, reader: &mut Reader, at: usize, person: &Person) {
        let text = |which: UserText| person.texts.iter().find(|(text, _)| *text == which).map(|(_, text)| fold(text));
        if let Some(email) = text(UserText::Email)
            && !self.addresses.insert((email, text(UserText::Code).unwrap_or_default()))
        {
            reader.wrong(at, format!("person `{}` has the `email` and `code` of another; change one of them", person.name));
        }
        if let Some(id) = text(UserText::ExternalId)
            && !self.external_ids.insert(id)
        {
            reader.wrong(at, format!("person `{}` has the `externalId` of another; change it", person.name));
        }
    }
}

/// Reads `groups` and `manages`; answers whether the person manages the top group.
fn groups(world: &mut World, reader: &mut Reader, person: usize, fields: &mut Fields) -> bool {
    let mut manages_top = false;
    // Whoever manages a group is in it: managers first, so that naming it again changes nothing.
    for (name, manager) in [("manages", true), ("groups", false)] {
        let Some(Entry { at, value, .. }) = fields.take(name) else { continue };
        for (at, key) in reader.texts(at, &format!("`{name}`"), value) {
            if manager && key == TOP {
                manages_top = true;
                continue;
            }
            let Some(group) = world.names.groups.get(&fold(&key)).copied() else {
                reader.unknown(at, &key, "the key of no group", world.groups.iter().map(|group| group.key.as_str()));
                continue;
            };
            if !world.names.memberships.contains_key(&(person, group)) {
                world.names.memberships.insert((person, group), world.memberships.len());
                world.memberships.push(Membership { person, group, manager });
            }
        }
    }
    manages_top
}

/// Reads `roles`: keys, each with the group that it is limited to behind an `@`.
fn roles(world: &mut World, reader: &mut Reader, person: usize, fields: &mut Fields) {
    let Some(Entry { at, value, .. }) = fields.take("roles") else { return };
    for (at, text) in reader.texts(at, "`roles`", value) {
        let (key, limit) = text.split_once('@').map_or((text.as_str(), None), |(key, group)| (key, Some(group)));
        let Some(role) = world.names.roles.get(&fold(key)).copied() else {
            reader.unknown(at, key, "the key of no role", world.roles.iter().map(|role| role.key.as_str()));
            continue;
        };
        let within = limit.map(|key| (key, world.names.groups.get(&fold(key)).copied()));
        if let Some((key, None)) = within {
            reader.unknown(at, key, "the key of no group", world.groups.iter().map(|group| group.key.as_str()));
            continue;
        }
        let within = within.and_then(|(_, group)| group);
        let held = world.names.grants.entry((person, role)).or_default();
        if held.iter().any(|at| world.grants.get(*at).is_some_and(|grant| grant.within == within)) {
            reader.wrong(at, format!("role {} stands twice; keep one", quoted(&text)));
            continue;
        }
        held.push(world.grants.len());
        world.grants.push(Grant { person, role, within });
    }
}
