//! Groups: the whole tree is held in memory, so that cycles, depth and names are checked before anything is written.

use std::collections::{HashMap, HashSet};

use directory::{
    Error,
    ids::GroupId,
    limits::GROUP_DEPTH,
    store::ImportGroup,
    text::{fold, words},
};

use super::{Attributes, Import, Progress, derived, report};
use crate::{
    batch::{Batch, Of},
    exec::Columns,
    keys::{key, long_key},
    rows,
    sql::sql,
};

/// A group as it is or shall be.
#[derive(Clone, PartialEq, Eq)]
struct Node {
    id: GroupId,
    /// For people, in messages.
    key: String,
    name: String,
    description: Option<String>,
    parent: Option<GroupId>,
    depth: i64,
    attributes: Attributes,
}

const GROUPS: &str = "
select id, key, name, description, parent_id, depth, attributes
from groups
where workspace_id = {}";

/// Adds and changes groups.
pub(super) async fn write(import: &mut Import, groups: Vec<ImportGroup>, progress: Progress<'_>) -> Result<(), Error> {
    let mut stored: HashMap<GroupId, Node> = HashMap::new();
    for row in import.tx.fetch(sql!(GROUPS, import.workspace)).await? {
        let node = read(&mut row.columns())?;
        import.groups.insert(fold(&node.key), node.id);
        stored.insert(node.id, node);
    }
    let mut tree = stored.clone();
    let named = overlay(import, &mut tree, groups)?;
    measure(&mut tree)?;
    check_names(&tree)?;
    import.summary.groups_absent = stored.keys().filter(|id| !named.contains(id)).count() as u64;

    let mut added: Vec<&Node> = tree.values().filter(|node| !stored.contains_key(&node.id)).collect();
    added.sort_unstable_by_key(|node| (node.depth, node.id));
    let mut changed: Vec<&Node> = tree.values().filter(|node| stored.get(&node.id).is_some_and(|old| old != *node)).collect();
    changed.sort_unstable_by_key(|node| node.id);
    // A group below one that moved has another depth, but did not itself change.
    let differs = |node: &&&Node| stored.get(&node.id).is_some_and(|old| Node { depth: old.depth, ..(**node).clone() } != *old);
    let moved = changed.iter().any(|node| stored.get(&node.id).is_some_and(|old| old.parent != node.parent));
    import.summary.groups_changed = changed.iter().filter(differs).count() as u64;
    import.summary.groups_added = added.len() as u64;
    import.tree_changed = moved || !added.is_empty();

    update(import, &changed).await?;
    insert(import, &added).await?;
    index(import, added.iter().chain(&changed)).await?;
    report(progress, "groups", (added.len() + changed.len()) as u64);
    Ok(())
}

fn read(columns: &mut Columns<'_>) -> Result<Node, Error> {
    Ok(Node {
        id: GroupId(columns.take()?),
        key: columns.take()?,
        name: columns.take()?,
        description: columns.take()?,
        parent: rows::optional(columns)?.map(GroupId),
        depth: columns.take()?,
        attributes: Attributes(rows::json(&columns.take::<String>()?)?),
    })
}

/// Lays the import over the tree; answers the groups that it names.
fn overlay(import: &mut Import, tree: &mut HashMap<GroupId, Node>, groups: Vec<ImportGroup>) -> Result<HashSet<GroupId>, Error> {
    let mut named = HashSet::new();
    for group in groups {
        let attributes = import.attributes(&format!("group `{}`", group.key), &group.attributes)?;
        let parent = match &group.parent {
            None => None,
            Some(parent) => Some(*import.groups.get(&fold(parent)).ok_or_else(|| {
                Error::Invalid(format!(
                    "group `{}`: its parent `{parent}` is neither above it in the import nor in the workspace; put parents first",
                    group.key
                ))
            })?),
        };
        let folded = fold(&group.key);
        let id = import.groups.get(&folded).copied().unwrap_or_else(|| GroupId(import.ids.next_id()));
        if !named.insert(id) {
            return Err(Error::Invalid(format!("group `{}` stands twice in the import; keep one", group.key)));
        }
        import.groups.insert(folded, id);
        let (stored_key, stored) = tree.remove(&id).map(|old| (old.key, old.attributes)).unzip();
        let node = Node {
            id,
            key: stored_key.unwrap_or(group.key),
            name: group.name,
            description: group.description,
            parent,
            depth: 0,
            attributes: stored.unwrap_or_default().overlaid(&attributes),
        };
        tree.insert(id, node);
    }
    Ok(named)
}

/// Sets every depth, and refuses cycles and trees that are too deep.
fn measure(tree: &mut HashMap<GroupId, Node>) -> Result<(), Error> {
    let parents: HashMap<GroupId, Option<GroupId>> = tree.values().map(|node| (node.id, node.parent)).collect();
    for node in tree.values_mut() {
        let mut depth = 1;
        let mut above = node.parent;
        while let Some(parent) = above {
            if parent == node.id {
                return Err(Error::Invalid(format!("group `{}` would be below itself; choose another parent", node.key)));
            }
            depth += 1;
            if depth > GROUP_DEPTH {
                return Err(Error::TooLarge(format!(
                    "group `{}` would be more than {GROUP_DEPTH} levels deep, or below a cycle; move it or its parents up",
                    node.key
                )));
            }
            above = parents.get(&parent).copied().flatten();
        }
        node.depth = depth as i64;
    }
    Ok(())
}

/// Refuses siblings of one name.
fn check_names(tree: &HashMap<GroupId, Node>) -> Result<(), Error> {
    let mut names: HashMap<(Option<GroupId>, String), &str> = HashMap::with_capacity(tree.len());
    for node in tree.values() {
        if let Some(other) = names.insert((node.parent, fold(&node.name)), &node.key) {
            return Err(Error::Taken(format!("the name `{}` of group `{}`, by its sibling `{other}`,", node.name, node.key)));
        }
    }
    Ok(())
}

const INSERT: &str = "
insert into groups (
  workspace_id, id, parent_id, depth, key, name, description, key_key, name_key, description_key, attributes,
  created_at, updated_at, version
)
{}";

async fn insert(import: &mut Import, added: &[&Node]) -> Result<(), Error> {
    let (ids, text, number) = (Of::Ids, Of::Texts, Of::Integers);
    let mut batch = Batch::new(&[ids, ids, ids, number, text, text, text, text, text, text, text, number, number, number]);
    for node in added {
        batch.push([
            import.workspace.0.into(),
            node.id.0.into(),
            node.parent.map(|id| id.0).into(),
            node.depth.into(),
            node.key.as_str().into(),
            node.name.as_str().into(),
            node.description.clone().into(),
            key(Some(&node.key)).into(),
            key(Some(&node.name)).into(),
            long_key(node.description.as_deref()).into(),
            node.attributes.json().into(),
            import.now.0.into(),
            import.now.0.into(),
            1.into(),
        ]);
    }
    import.insert(INSERT, batch).await.map(drop)
}

const VACATE_NAME: &str = "
update groups
set name_key = {}
where workspace_id = {}
  and id = {}";

const UPDATE: &str = "
update groups
set parent_id = {},
  depth = {},
  name = {},
  description = {},
  name_key = {},
  description_key = {},
  attributes = {},
  updated_at = {},
  version = version + 1
where workspace_id = {}
  and id = {}";

const DELETE_ATTRIBUTES: &str = "
delete from group_attributes
where workspace_id = {}
  and group_id = {}";

const DELETE_WORDS: &str = "
delete from group_words
where workspace_id = {}
  and group_id = {}";

async fn update(import: &mut Import, changed: &[&Node]) -> Result<(), Error> {
    // Names may change places: each is first given up for one that nobody has.
    for node in changed {
        import.tx.execute(sql!(VACATE_NAME, node.id.to_string(), import.workspace, node.id)).await?;
    }
    for node in changed {
        let update = sql!(
            UPDATE,
            node.parent.map(|id| id.0),
            node.depth,
            node.name.clone(),
            node.description.clone(),
            key(Some(&node.name)),
            long_key(node.description.as_deref()),
            node.attributes.json(),
            import.now,
            import.workspace,
            node.id,
        );
        import.tx.execute(update).await?;
        import.tx.execute(sql!(DELETE_ATTRIBUTES, import.workspace, node.id)).await?;
        import.tx.execute(sql!(DELETE_WORDS, import.workspace, node.id)).await?;
        import.changed = true;
    }
    Ok(())
}

const INSERT_ATTRIBUTES: &str = "
insert into group_attributes (workspace_id, name, value_key, group_id)
{}";

const INSERT_WORDS: &str = "
insert into group_words (workspace_id, word, group_id, fields)
{}";

/// Writes the compared attributes and the words of groups that have none yet.
async fn index<'a>(import: &mut Import, nodes: impl Iterator<Item = &'a &'a Node>) -> Result<(), Error> {
    let mut attributes = Batch::new(&[Of::Ids, Of::Texts, Of::Texts, Of::Ids]);
    let mut found = Batch::new(&[Of::Ids, Of::Texts, Of::Ids, Of::Integers]);
    for node in nodes {
        for (name, value) in node.attributes.keys() {
            attributes.push([import.workspace.0.into(), name.into(), value.into(), node.id.0.into()]);
        }
        let texts = [Some(node.key.as_str()), Some(node.name.as_str()), node.description.as_deref()];
        for (word, fields) in derived::words(texts.map(|text| text.map(words))) {
            found.push([import.workspace.0.into(), word.into(), node.id.0.into(), fields.into()]);
        }
    }
    import.insert(INSERT_ATTRIBUTES, attributes).await?;
    import.insert(INSERT_WORDS, found).await?;
    Ok(())
}
