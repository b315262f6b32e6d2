//! Groups: the whole tree is held in memory, so that cycles, depth and names are checked before anything is written.

use std::collections::{HashMap, HashSet};

use directory::{Error, ids::GroupId, limits::GROUP_DEPTH, store::ImportGroup, text::fold};

use super::{Attributes, Import, Progress, report};
use crate::{
    exec::Columns,
    put::{
        self,
        groups::{Group, Stamp},
    },
    rows,
    sql::sql,
};

const GROUPS: &str = "
select id, key, name, description, parent_id, depth, attributes
from groups
where workspace_id = {}";

/// Adds and changes groups.
pub(super) async fn write(import: &mut Import, groups: Vec<ImportGroup>, progress: Progress<'_>) -> Result<(), Error> {
    let mut stored: HashMap<GroupId, Group> = HashMap::new();
    for row in import.tx.fetch(sql!(GROUPS, import.workspace)).await? {
        let group = read(&mut row.columns())?;
        import.groups.insert(fold(&group.key), group.id);
        stored.insert(group.id, group);
    }
    let mut tree = stored.clone();
    let named = overlay(import, &mut tree, groups)?;
    measure(&mut tree)?;
    check_names(&tree)?;
    import.summary.groups_absent = stored.keys().filter(|id| !named.contains(id)).count() as u64;

    let mut added: Vec<&Group> = tree.values().filter(|group| !stored.contains_key(&group.id)).collect();
    added.sort_unstable_by_key(|group| (group.depth, group.id));
    let mut changed: Vec<&Group> = tree.values().filter(|group| stored.get(&group.id).is_some_and(|old| old != *group)).collect();
    changed.sort_unstable_by_key(|group| group.id);
    // A group below one that moved has another depth, but did not itself change.
    let differs = |group: &&&Group| stored.get(&group.id).is_some_and(|old| Group { depth: old.depth, ..(**group).clone() } != *old);
    let moved = changed.iter().any(|group| stored.get(&group.id).is_some_and(|old| old.parent != group.parent));
    import.summary.groups_changed = changed.iter().filter(differs).count() as u64;
    import.summary.groups_added = added.len() as u64;
    import.tree_changed = moved || !added.is_empty();

    update(import, &changed).await?;
    let stamp = Stamp::new(None, import.now);
    put::groups::add(&mut import.tx, import.workspace, added.iter().map(|group| (*group, stamp))).await?;
    import.changed |= !added.is_empty();
    report(progress, "groups", (added.len() + changed.len()) as u64);
    Ok(())
}

fn read(columns: &mut Columns<'_>) -> Result<Group, Error> {
    Ok(Group {
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
fn overlay(import: &mut Import, tree: &mut HashMap<GroupId, Group>, groups: Vec<ImportGroup>) -> Result<HashSet<GroupId>, Error> {
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
        let group = Group {
            id,
            key: stored_key.unwrap_or(group.key),
            name: group.name,
            description: group.description,
            parent,
            depth: 0,
            attributes: stored.unwrap_or_default().overlaid(&attributes),
        };
        tree.insert(id, group);
    }
    Ok(named)
}

/// Sets every depth, and refuses cycles and trees that are too deep.
fn measure(tree: &mut HashMap<GroupId, Group>) -> Result<(), Error> {
    let parents: HashMap<GroupId, Option<GroupId>> = tree.values().map(|group| (group.id, group.parent)).collect();
    for group in tree.values_mut() {
        let mut depth = 1;
        let mut above = group.parent;
        while let Some(parent) = above {
            if parent == group.id {
                return Err(Error::Invalid(format!("group `{}` would be below itself; choose another parent", group.key)));
            }
            depth += 1;
            if depth > GROUP_DEPTH {
                return Err(Error::TooLarge(format!(
                    "group `{}` would be more than {GROUP_DEPTH} levels deep, or below a cycle; move it or its parents up",
                    group.key
                )));
            }
            above = parents.get(&parent).copied().flatten();
        }
        group.depth = depth as i64;
    }
    Ok(())
}

/// Refuses siblings of one name.
fn check_names(tree: &HashMap<GroupId, Group>) -> Result<(), Error> {
    let mut names: HashMap<(Option<GroupId>, String), &str> = HashMap::with_capacity(tree.len());
    for group in tree.values() {
        if let Some(other) = names.insert((group.parent, fold(&group.name)), &group.key) {
            return Err(Error::Taken(format!("the name `{}` of group `{}`, by its sibling `{other}`,", group.name, group.key)));
        }
    }
    Ok(())
}

const VACATE_NAME: &str = "
update groups
set name_key = {}
where workspace_id = {}
  and id = {}";

async fn update(import: &mut Import, changed: &[&Group]) -> Result<(), Error> {
    // Names may change places: each is first given up for one that nobody has.
    for group in changed {
        import.tx.execute(sql!(VACATE_NAME, group.id.to_string(), import.workspace, group.id)).await?;
    }
    for group in changed {
        put::groups::update(&mut import.tx, import.workspace, group, import.now).await?;
        import.changed = true;
    }
    Ok(())
}
