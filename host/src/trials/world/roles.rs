//! Roles: lists of permissions by key, or tables where one says more.

use std::collections::HashSet;

use directory::{limits::TEXT_CHARS, model::Role as Stored, register, text::fold};

use super::{
    super::expect::{Action, actions},
    Entry, Reader, Role, Value, World, key,
};

/// What a table of a role may say.
const FIELDS: [&str; 2] = ["name", "permissions"];

/// Puts the built-in roles into the world, then those of the file.
pub(super) fn read(world: &mut World, reader: &mut Reader, entry: Option<Entry>) {
    for (key, permissions) in [(Stored::ADMINISTRATOR, register::actions().collect()), (Stored::MEMBER, vec!["role.read".to_owned()])] {
        add(world, Role { key: key.to_owned(), name: key.to_owned(), permissions, builtin: true });
    }
    let Some(Entry { at, value, .. }) = entry else { return };
    let Some(table) = reader.table(at, "`roles`", value) else { return };
    for Entry { key: given, at, value } in table.rest() {
        let Some(key) = key(reader, at, "role", &given) else { continue };
        if let Some(known) = world.names.roles.get(&fold(&key)).and_then(|position| world.roles.get(*position)) {
            let why = if known.builtin { "is built in; choose another key" } else { "stands twice; keep one" };
            reader.wrong(at, format!("role `{key}` {why}"));
            continue;
        }
        let role = role(reader, at, key, value);
        add(world, role);
    }
}

fn role(reader: &mut Reader, at: usize, key: String, value: Value) -> Role {
    let (mut name, mut permissions) = (None, Vec::new());
    match value {
        Value::Table(_) => {
            if let Some(mut fields) = reader.table(at, "a role", value) {
                name = fields.take("name").and_then(|entry| reader.line_of(entry.at, "`name`", entry.value, TEXT_CHARS));
                if let Some(entry) = fields.take("permissions") {
                    permissions = reader.texts(entry.at, "`permissions`", entry.value);
                }
                fields.finish(reader, "a role", &FIELDS);
            }
        }
        list => permissions = reader.texts(at, &format!("role `{key}`"), list),
    }
    let chosen: HashSet<String> = actions(reader, permissions).into_iter().map(Action::name).collect();
    let permissions = register::actions().filter(|action| chosen.contains(action)).collect();
    Role { name: name.unwrap_or_else(|| key.clone()), key, permissions, builtin: false }
}

fn add(world: &mut World, role: Role) {
    world.names.roles.insert(fold(&role.key), world.roles.len());
    world.roles.push(role);
}
