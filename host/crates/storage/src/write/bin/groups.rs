//! Groups on their way into the recycle bin and out of it.

use directory::{
    Error, Rule,
    change::DeleteMode,
    ids::{DeletionId, GroupId, UserId},
    limits::SUBTREE_GROUPS,
    model::{Timestamp, Version},
};
use uuid::Uuid;

use super::{
    super::{Versioned, Writer, closure, effective, groups, stale},
    Deletion,
    edges::{bring_back_edges, forget},
    insert_deletions,
    lift::{give_way, lift, lifted, lifted_groups, sink},
};
use crate::{
    exec::Row,
    keys,
    put::{
        self, Attributes,
        groups::{Group, Stamp},
    },
    rows,
    sql::{among, among_texts, sql},
};

const GROUP: &str = "
select g.parent_id, g.name
from groups g
where g.workspace_id = {}
  and g.id = {}";

const BIN_GROUPS: &str = "
insert into deleted_groups (
  workspace_id, deletion_id, id, parent_id, depth, key, name, description, attributes, created_by, created_at, version
)
select g.workspace_id, d.id, g.id, g.parent_id, g.depth, g.key, g.name, g.description, g.attributes, g.created_by, g.created_at,
  g.version
from groups g
join deletions d
  on d.workspace_id = g.workspace_id
  and d.id = {}
where g.workspace_id = {}
  and g.id {}";

const BIN_MEMBERSHIPS_IN_GROUPS: &str = "
insert into deleted_memberships (workspace_id, deletion_id, id, user_id, group_id, manager, lifted, created_by, created_at)
select m.workspace_id, d.id, m.id, m.user_id, m.group_id, m.manager, false, m.created_by, m.created_at
from memberships m
join deletions d
  on d.workspace_id = m.workspace_id
  and d.id = {}
where m.workspace_id = {}
  and m.group_id {}";

const BIN_GRANTS_WITHIN: &str = "
insert into deleted_grants (workspace_id, deletion_id, id, user_id, role_id, within_group_id, provenance, granted_by, granted_at)
select a.workspace_id, d.id, a.id, a.user_id, a.role_id, a.within_group_id, a.provenance, a.granted_by, a.granted_at
from grants a
join deletions d
  on d.workspace_id = a.workspace_id
  and d.id = {}
where a.workspace_id = {}
  and a.within_group_id {}";

const DELETE_MEMBERSHIPS_IN: &str = "
delete from memberships
where workspace_id = {}
  and group_id {}";

const DELETE_GRANTS_WITHIN: &str = "
delete from grants
where workspace_id = {}
  and within_group_id {}";

const DELETE_GROUPS: &str = "
delete from groups
where workspace_id = {}
  and id {}";

const COUNT_MEMBERS: &str = "
select count(*)
from memberships m
where m.workspace_id = {}
  and m.group_id = {}";

/// Puts a group into the recycle bin.
pub(in crate::write) async fn delete_group(
    writer: &mut Writer,
    group: GroupId,
    seen: Version,
    mode: DeleteMode,
    deletion: DeletionId,
) -> Result<(), Error> {
    let of = writer.of;
    writer.require_versions(Versioned::Groups, &[(group.0, seen)]).await?;
    let found = writer.tx.fetch(sql!(GROUP, of, group)).await?;
    let Some(row) = found.first() else { return Err(stale()) };
    let mut columns = row.columns();
    let parent = rows::optional(&mut columns)?.map(GroupId);
    let name: String = columns.take()?;
    let below = closure::below(&mut writer.tx, of, group, SUBTREE_GROUPS + 1).await?;
    if below.len() > SUBTREE_GROUPS && mode != DeleteMode::Empty {
        return Err(Error::TooLarge(format!("more than {SUBTREE_GROUPS} groups would be deleted at once; delete parts of them")));
    }
    let (mode, gone) = match mode {
        DeleteMode::Empty => {
            require_empty(writer, group, below.len()).await?;
            ("one", vec![group.0])
        }
        DeleteMode::Lift => ("lift", vec![group.0]),
        DeleteMode::Subtree => ("subtree", below.iter().map(|(id, _)| id.0).collect()),
    };
    let row = Deletion { id: deletion, kind: "group", object: group.0, name, mode, status: None, managed_top: false };
    insert_deletions(writer, vec![row]).await?;
    let gone = || gone.iter().copied();
    writer.tx.execute(sql!(BIN_GROUPS, deletion.0, of, among(gone()))).await?;
    if mode == "lift" {
        // One of those that are lifted may have the name of the group that goes.
        give_way(writer, group).await?;
        lift(writer, group, parent, deletion).await?;
    } else {
        let above = closure::above(&mut writer.tx, of, group).await?;
        effective::leave(writer, group, &above).await?;
        bin_memberships(writer, deletion, gone()).await?;
    }
    writer.tx.execute(sql!(BIN_GRANTS_WITHIN, deletion.0, of, among(gone()))).await?;
    writer.tx.execute(sql!(DELETE_MEMBERSHIPS_IN, of, among(gone()))).await?;
    writer.tx.execute(sql!(DELETE_GRANTS_WITHIN, of, among(gone()))).await?;
    effective::forget_groups(writer, gone()).await?;
    closure::forget(&mut writer.tx, of, gone()).await?;
    put::groups::unindex(&mut writer.tx, of, gone()).await?;
    writer.tx.execute(sql!(DELETE_GROUPS, of, among(gone()))).await.map(drop)
}

/// Puts the memberships in groups into the recycle bin.
pub(super) async fn bin_memberships(
    writer: &mut Writer,
    deletion: DeletionId,
    groups: impl IntoIterator<Item = Uuid>,
) -> Result<(), Error> {
    writer.tx.execute(sql!(BIN_MEMBERSHIPS_IN_GROUPS, deletion.0, writer.of, among(groups))).await.map(drop)
}

async fn require_empty(writer: &mut Writer, group: GroupId, groups: usize) -> Result<(), Error> {
    let found = writer.tx.fetch(sql!(COUNT_MEMBERS, writer.of, group)).await?;
    let members: i64 = found.first().map_or(Ok(0), Row::only)?;
    if groups <= 1 && members == 0 {
        return Ok(());
    }
    // Whoever deletes may see nothing of what is in it, so that nothing is named and nothing counted.
    let message = "the group is not empty, perhaps by something you can not see; choose what becomes of what is in it".to_owned();
    Err(Error::Broken { rule: Rule::NotEmpty, message })
}

const DELETED_GROUPS: &str = "
select g.id, g.parent_id, g.depth, g.key, g.name, g.description, g.attributes, g.created_by, g.created_at, g.version
from deleted_groups g
where g.workspace_id = {}
  and g.deletion_id = {}
order by g.depth, g.id";

const DELETE_DELETED_GROUPS: &str = "
delete from deleted_groups
where workspace_id = {}
  and deletion_id = {}";

/// Takes a group, under a key that nobody else has, and what was deleted with it, out of the recycle bin.
pub(in crate::write) async fn restore_group(
    writer: &mut Writer,
    group: GroupId,
    deletion: DeletionId,
    parent: Option<GroupId>,
    (name, key): (String, String),
) -> Result<(), Error> {
    let (of, now) = (writer.of, writer.now);
    let found = writer.tx.fetch(sql!(DELETED_GROUPS, of, deletion.0)).await?;
    let mut groups: Vec<(Group, Stamp)> = found.iter().map(|row| deleted_group(row, now)).collect::<Result<_, _>>()?;
    let Some((root, _)) = groups.first_mut() else { return Err(stale()) };
    let (root_id, before, depth) = (root.id, root.parent, root.depth);
    if root_id != group {
        return Err(stale());
    }
    // Nobody decided that what was lifted should follow to another place: there it stays, and what is lost of it is told.
    let lifted = if parent == before { Some(lifted(writer, deletion, parent, &name).await?) } else { None };
    writer.incomplete |= lifted.is_none() && lifted_groups(writer, deletion).await? > 0;
    (root.parent, root.name, root.key) = (parent, name, key);
    let sunk = writer.depth(parent).await? + 1 - depth;
    for (group, _) in &mut groups {
        group.depth += sunk;
    }
    groups::check_depth(groups.iter().map(|(group, _)| group.depth).max().unwrap_or_default())?;
    keep_keys(writer, groups.get(1..).unwrap_or_default()).await?;
    put::groups::add(&mut writer.tx, of, groups.iter().map(|(group, stamp)| (group, *stamp))).await?;
    writer.tx.execute(sql!(DELETE_DELETED_GROUPS, of, deletion.0)).await?;
    closure::add(&mut writer.tx, of, groups.iter().map(|(group, _)| group.id.0)).await?;
    if let Some(lifted) = lifted {
        sink(writer, root_id, lifted).await?;
    }
    bring_back_edges(writer, deletion).await?;
    forget(writer, deletion).await
}

const TAKEN: &str = "
select 1
from groups g
where g.workspace_id = {}
  and g.key_key {}
limit 1";

/// Refuses keys of groups below that are taken by now. To name another key for the group itself would not help, so the words say which.
async fn keep_keys(writer: &mut Writer, below: &[(Group, Stamp)]) -> Result<(), Error> {
    let wanted: Vec<String> = below.iter().map(|(group, _)| keys::key(Some(&group.key))).collect();
    if wanted.is_empty() || writer.tx.fetch(sql!(TAKEN, writer.of, among_texts(wanted))).await?.is_empty() {
        return Ok(());
    }
    Err(Error::Taken("the key of a group below it".to_owned()))
}

fn deleted_group(row: &Row, now: Timestamp) -> Result<(Group, Stamp), Error> {
    let mut columns = row.columns();
    let id = GroupId(columns.take()?);
    let parent = rows::optional(&mut columns)?.map(GroupId);
    let depth = columns.take()?;
    let (key, name, description) = (columns.take()?, columns.take()?, columns.take()?);
    let attributes = Attributes(rows::json(&columns.take::<String>()?)?);
    let created_by = rows::optional(&mut columns)?.map(UserId);
    let created_at = Timestamp(columns.take()?);
    let version = columns.take::<i64>()? + 1;
    let group = Group { id, key, name, description, parent, depth, attributes };
    Ok((group, Stamp { created_by, created_at, updated_at: now, version }))
}
