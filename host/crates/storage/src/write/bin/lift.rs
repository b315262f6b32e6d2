//! What is in a deleted group goes to its parent, and comes down again.

use std::collections::BTreeMap;

use directory::{
    Error,
    ids::{DeletionId, GroupId},
};
use uuid::Uuid;

use super::{
    super::{Writer, effective, groups},
    groups::bin_memberships,
};
use crate::{
    batch::{Batch, Of},
    exec::Row,
    keys, put,
    sql::{among, sql},
};

const CHILDREN: &str = "
select g.id
from groups g
where g.workspace_id = {}
  and g.parent_id = {}
order by g.id";

const INSERT_LIFTED: &str = "
insert into lifted_groups (workspace_id, deletion_id, group_id)
{}";

/// The members of a group who are not in its parent already.
const LIFT_MEMBERS: &str = "
update memberships
set group_id = {},
  manager = {}
where workspace_id = {}
  and group_id = {}
  and not exists (
    select 1
    from memberships m
    where m.workspace_id = {}
      and m.group_id = {}
      and m.user_id = memberships.user_id
  )";

const TO_LIFT: &str = "
select m.id
from memberships m
where m.workspace_id = {}
  and m.group_id = {}";

const MARK_LIFTED: &str = "
update deleted_memberships
set lifted = {}
where workspace_id = {}
  and deletion_id = {}
  and exists (
    select 1
    from memberships m
    where m.workspace_id = deleted_memberships.workspace_id
      and m.id = deleted_memberships.id
      and m.group_id = {}
  )";

/// Moves what is in a group to its parent: the groups below it, and its members, who manage nothing by it.
pub(super) async fn lift(writer: &mut Writer, group: GroupId, parent: Option<GroupId>, deletion: DeletionId) -> Result<(), Error> {
    let of = writer.of;
    let found = writer.tx.fetch(sql!(CHILDREN, of, group)).await?;
    let children: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    let mut batch = Batch::new(&[Of::Ids, Of::Ids, Of::Ids]);
    for child in &children {
        batch.push([of.0.into(), deletion.0.into(), (*child).into()]);
    }
    put::insert(&mut writer.tx, INSERT_LIFTED, batch).await?;
    for child in children {
        groups::rehang(writer, GroupId(child), parent).await?;
    }
    bin_memberships(writer, deletion, [group.0]).await?;
    let found = writer.tx.fetch(sql!(TO_LIFT, of, group)).await?;
    let members: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    effective::lose(writer, effective::by_ids(members.iter().copied())).await?;
    if let Some(parent) = parent {
        writer.tx.execute(sql!(LIFT_MEMBERS, parent, false, of, group, of, parent)).await?;
        writer.tx.execute(sql!(MARK_LIFTED, true, of, deletion.0, parent)).await?;
        let lifted = sql!("m.group_id = {} and {}", parent, effective::by_ids(members));
        effective::gain(writer, lifted).await?;
    }
    Ok(())
}

/// Groups that were lifted, and are where they were lifted to.
const LIFTED_GROUPS: &str = "
select g.id, g.name_key
from lifted_groups l
join groups g
  on g.workspace_id = l.workspace_id
  and g.id = l.group_id
where l.workspace_id = {}
  and l.deletion_id = {}
  and g.parent_id is not distinct from {}
order by g.id";

/// What was deleted of them since, each by itself.
const LIFTED_AND_DELETED: &str = "
select d.id, d.object_id
from lifted_groups l
join deletions d
  on d.workspace_id = l.workspace_id
  and d.object_id = l.group_id
join deleted_groups g
  on g.workspace_id = d.workspace_id
  and g.id = d.object_id
where l.workspace_id = {}
  and l.deletion_id = {}
  and g.parent_id is not distinct from {}";

const COUNT_LIFTED: &str = "
select count(*)
from lifted_groups l
where l.workspace_id = {}
  and l.deletion_id = {}";

/// How many groups a deletion lifted.
pub(super) async fn lifted_groups(writer: &mut Writer, deletion: DeletionId) -> Result<i64, Error> {
    let found = writer.tx.fetch(sql!(COUNT_LIFTED, writer.of, deletion.0)).await?;
    found.first().map_or(Ok(0), Row::only)
}

/// What comes down to a group that was lifted, found before the group itself is back.
pub(super) struct Lifted {
    deletion: DeletionId,
    /// Where it was lifted to.
    parent: Option<GroupId>,
    /// The groups that are where they were lifted to.
    there: Vec<GroupId>,
    /// One of these that has the name under which the group comes back, and its key.
    namesake: Option<(GroupId, String)>,
    /// Those that were deleted since, from there, with their deletions.
    deleted: Vec<(DeletionId, GroupId)>,
}

/// Finds what will come down to a group, and has a group that took its name give way for as long as both are in one place.
pub(super) async fn lifted(writer: &mut Writer, deletion: DeletionId, parent: Option<GroupId>, name: &str) -> Result<Lifted, Error> {
    let (of, name) = (writer.of, keys::key(Some(name)));
    let mut lifted = Lifted { deletion, parent, there: Vec::new(), namesake: None, deleted: Vec::new() };
    for row in writer.tx.fetch(sql!(LIFTED_GROUPS, of, deletion.0, parent.map(|id| id.0))).await? {
        let mut columns = row.columns();
        let (id, key) = (GroupId(columns.take()?), columns.take::<String>()?);
        lifted.there.push(id);
        if key == name {
            give_way(writer, id).await?;
            lifted.namesake = Some((id, key));
        }
    }
    for row in writer.tx.fetch(sql!(LIFTED_AND_DELETED, of, deletion.0, parent.map(|id| id.0))).await? {
        let mut columns = row.columns();
        lifted.deleted.push((DeletionId(columns.take()?), GroupId(columns.take()?)));
    }
    let found = (lifted.there.len() + lifted.deleted.len()) as i64;
    writer.incomplete |= found < lifted_groups(writer, deletion).await?;
    Ok(lifted)
}

const SET_NAME_KEY: &str = "
update groups
set name_key = {}
where workspace_id = {}
  and id = {}";

/// Takes a group's name from it for a while: no name is folded to such a key.
pub(super) async fn give_way(writer: &mut Writer, group: GroupId) -> Result<(), Error> {
    writer.tx.execute(sql!(SET_NAME_KEY, format!("2{}", group.0.simple()), writer.of, group)).await.map(drop)
}

const SINK_DELETED: &str = "
update deleted_groups
set depth = depth + 1
where workspace_id = {}
  and deletion_id {}";

const SET_DELETED_PARENT: &str = "
update deleted_groups
set parent_id = {}
where workspace_id = {}
  and id {}";

/// Members who were lifted, and are as they were lifted.
const LIFTED_MEMBERS: &str = "
select m.id, b.manager
from deleted_memberships b
join memberships m
  on m.workspace_id = b.workspace_id
  and m.id = b.id
where b.workspace_id = {}
  and b.deletion_id = {}
  and b.lifted = {}
  and m.group_id = {}
  and m.manager = {}";

const SINK_MEMBERS: &str = "
update memberships
set group_id = {},
  manager = {}
where workspace_id = {}
  and id {}";

/// The same of those that went to the recycle bin as they were lifted, with their user.
const LIFTED_AND_WAITING: &str = "
select w.id, b.manager
from deleted_memberships b
join deleted_memberships w
  on w.workspace_id = b.workspace_id
  and w.user_id = b.user_id
  and w.id = b.id
  and w.deletion_id <> b.deletion_id
where b.workspace_id = {}
  and b.deletion_id = {}
  and b.lifted = {}
  and w.lifted = {}
  and w.group_id = {}
  and w.manager = {}";

const SINK_WAITING: &str = "
update deleted_memberships
set group_id = {},
  manager = {}
where workspace_id = {}
  and group_id = {}
  and lifted = {}
  and id {}";

const FORGET_SUNK: &str = "
delete from deleted_memberships
where workspace_id = {}
  and deletion_id = {}
  and id {}";

/// Brings down to a group what its deletion lifted to its parent: what is as it was lifted, also what was deleted since. The rest stays
/// what it has become.
pub(super) async fn sink(writer: &mut Writer, group: GroupId, lifted: Lifted) -> Result<(), Error> {
    let (of, deletion, parent) = (writer.of, lifted.deletion, lifted.parent);
    for child in lifted.there {
        groups::rehang(writer, child, Some(group)).await?;
    }
    if let Some((child, key)) = lifted.namesake {
        writer.tx.execute(sql!(SET_NAME_KEY, key, of, child)).await?;
    }
    if !lifted.deleted.is_empty() {
        writer.tx.execute(sql!(SINK_DELETED, of, among(lifted.deleted.iter().map(|(deletion, _)| deletion.0)))).await?;
        writer.tx.execute(sql!(SET_DELETED_PARENT, group, of, among(lifted.deleted.iter().map(|(_, group)| group.0)))).await?;
    }
    let Some(parent) = parent else { return Ok(()) };
    let found = writer.tx.fetch(sql!(LIFTED_MEMBERS, of, deletion.0, true, parent, false)).await?;
    for (manager, ids) in by_manager(&found)? {
        effective::lose(writer, effective::by_ids(ids.iter().copied())).await?;
        writer.tx.execute(sql!(SINK_MEMBERS, group, manager, of, among(ids.iter().copied()))).await?;
        effective::gain(writer, effective::by_ids(ids.iter().copied())).await?;
        writer.tx.execute(sql!(FORGET_SUNK, of, deletion.0, among(ids))).await?;
    }
    let found = writer.tx.fetch(sql!(LIFTED_AND_WAITING, of, deletion.0, true, false, parent, false)).await?;
    for (manager, ids) in by_manager(&found)? {
        writer.tx.execute(sql!(SINK_WAITING, group, manager, of, parent, false, among(ids.iter().copied()))).await?;
        writer.tx.execute(sql!(FORGET_SUNK, of, deletion.0, among(ids))).await?;
    }
    Ok(())
}

fn by_manager(rows: &[Row]) -> Result<BTreeMap<bool, Vec<Uuid>>, Error> {
    let mut ids: BTreeMap<bool, Vec<Uuid>> = BTreeMap::new();
    for row in rows {
        let mut columns = row.columns();
        let id = columns.take()?;
        ids.entry(columns.take()?).or_default().push(id);
    }
    Ok(ids)
}
