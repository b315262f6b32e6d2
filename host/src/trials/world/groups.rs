//! Groups: paths such as `sales/field`, and tables where one says more.

use std::collections::{HashMap, HashSet};

use directory::{
    limits::{DESCRIPTION_CHARS, GROUP_DEPTH, TEXT_CHARS},
    text::fold,
};

use super::{super::limits::GROUPS, Attributes, Entry, Group, Reader, Value, World, attributes, key, quoted};

/// What a table of a group may say.
const FIELDS: [&str; 5] = ["key", "parent", "name", "description", "attributes"];

/// A group whose parent was not looked up yet.
#[derive(Default)]
struct Draft {
    at: usize,
    key: String,
    name: Option<String>,
    description: Option<String>,
    parent: Option<String>,
    attributes: Attributes,
    /// Whether a table says what it is, and not only a path where.
    told: bool,
}

/// Reads the list of groups into the world, parents before children.
pub(super) fn read(world: &mut World, reader: &mut Reader, entry: Option<Entry>) {
    let Some(Entry { at, value, .. }) = entry else { return };
    let mut drafts: Vec<Draft> = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    for item in reader.list(at, "`groups`", value) {
        if reader.is_full() || drafts.len() > GROUPS {
            break;
        }
        match item.value {
            Value::Text(path) => by_path(reader, item.at, &path, &mut drafts, &mut positions),
            Value::Table(_) => by_table(reader, item.at, item.value, &mut drafts, &mut positions),
            other => reader.wrong(item.at, format!("a group is {}; write a path such as `sales/field`, or a table", other.name())),
        }
    }
    let parents = parents(reader, &drafts, &positions);
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(drafts.len());
    for (position, draft) in drafts.iter().enumerate() {
        match depth(&parents, position) {
            Some(depth) if depth <= GROUP_DEPTH => order.push((depth, position)),
            Some(_) => {
                reader.wrong(draft.at, format!("group `{}` is below more than {GROUP_DEPTH} levels; nest it less deeply", draft.key))
            }
            None => reader.wrong(draft.at, format!("group `{}` is below itself; a tree has no circles: name another parent", draft.key)),
        }
    }
    order.sort_unstable();
    settle(world, reader, drafts, &parents, &order);
}

/// Every part of a path is a group, each below the one before. The first may stand anywhere.
fn by_path(reader: &mut Reader, at: usize, path: &str, drafts: &mut Vec<Draft>, positions: &mut HashMap<String, usize>) {
    let mut parent = None;
    for part in path.split('/') {
        let Some(key) = key(reader, at, "group", part) else { return };
        match positions.get(&fold(&key)).and_then(|position| drafts.get_mut(*position)) {
            Some(known) => known.stand_below(reader, at, parent),
            None => {
                positions.insert(fold(&key), drafts.len());
                drafts.push(Draft { at, key: key.clone(), parent, ..Draft::default() });
            }
        }
        parent = Some(key);
    }
}

impl Draft {
    /// A group stands where anything puts it, and nowhere else.
    fn stand_below(&mut self, reader: &mut Reader, at: usize, parent: Option<String>) {
        match (&self.parent, parent) {
            (Some(old), Some(new)) if fold(old) != fold(&new) => {
                let problem = format!("group `{}` stands below {} and below {}; keep one of both", self.key, quoted(old), quoted(&new));
                reader.wrong(at, problem);
            }
            (None, Some(new)) => self.parent = Some(new),
            _ => {}
        }
    }
}

fn by_table(reader: &mut Reader, at: usize, value: Value, drafts: &mut Vec<Draft>, positions: &mut HashMap<String, usize>) {
    let Some(mut fields) = reader.table(at, "a group", value) else { return };
    let mut text = |reader: &mut Reader, name: &str, limit: usize| {
        let entry = fields.take(name)?;
        reader.line_of(entry.at, &format!("`{name}`"), entry.value, limit)
    };
    let name = text(reader, "name", TEXT_CHARS);
    let description = text(reader, "description", DESCRIPTION_CHARS);
    let parent = text(reader, "parent", TEXT_CHARS);
    let attributes = fields.take("attributes").map(|entry| attributes(reader, entry)).unwrap_or_default();
    let given = fields.take("key");
    fields.finish(reader, "a group", &FIELDS);
    let Some(given) = given else {
        reader.wrong(at, "a group has no `key`; give it one");
        return;
    };
    let Some(text) = reader.text(given.at, "`key`", given.value) else { return };
    let Some(key) = key(reader, given.at, "group", &text) else { return };
    let position = *positions.entry(fold(&key)).or_insert_with(|| {
        drafts.push(Draft { at, key: key.clone(), ..Draft::default() });
        drafts.len() - 1
    });
    let Some(draft) = drafts.get_mut(position) else { return };
    if draft.told {
        reader.wrong(at, format!("group `{key}` stands twice; keep one"));
        return;
    }
    draft.stand_below(reader, at, parent);
    (draft.name, draft.description, draft.attributes, draft.told) = (name, description, attributes, true);
}

/// The positions of parents.
fn parents(reader: &mut Reader, drafts: &[Draft], positions: &HashMap<String, usize>) -> Vec<Option<usize>> {
    let mut parents = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let found = draft.parent.as_ref().and_then(|parent| positions.get(&fold(parent)).copied());
        if let (Some(parent), None) = (&draft.parent, found) {
            reader.unknown(draft.at, parent, "the key of no group", drafts.iter().map(|draft| draft.key.as_str()));
        }
        parents.push(found);
    }
    parents
}

/// 1 for a group without a parent; `None` in a circle.
fn depth(parents: &[Option<usize>], position: usize) -> Option<usize> {
    let mut at = position;
    for depth in 1..=parents.len() {
        match parents.get(at).copied().flatten() {
            Some(parent) => at = parent,
            None => return Some(depth),
        }
    }
    None
}

/// Moves drafts into the world, in this order, with their parents where they come to stand.
fn settle(world: &mut World, reader: &mut Reader, drafts: Vec<Draft>, parents: &[Option<usize>], order: &[(usize, usize)]) {
    let mut drafts: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
    let mut settled: HashMap<usize, usize> = HashMap::new();
    let mut siblings = HashSet::new();
    for (_, position) in order {
        let Some(draft) = drafts.get_mut(*position).and_then(Option::take) else { continue };
        let parent = parents.get(*position).copied().flatten().and_then(|parent| settled.get(&parent).copied());
        let name = draft.name.unwrap_or_else(|| draft.key.clone());
        if !siblings.insert((parent, fold(&name))) {
            reader.wrong(draft.at, format!("group `{}` has the name of a sibling, `{name}`; give it another `name`", draft.key));
        }
        settled.insert(*position, world.groups.len());
        world.names.groups.insert(fold(&draft.key), world.groups.len());
        world.groups.push(Group { key: draft.key, name, description: draft.description, parent, attributes: draft.attributes });
    }
}
