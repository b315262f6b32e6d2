//! What is in a deleted group goes to its parent, and comes down again.

use std::collections::HashMap;

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
    put,
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
    bin_memberships(writer, deletion, [group.0], parent.is_some()).await?;
    let found = writer.tx.fetch(sql!(TO_LIFT, of, group)).await?;
    let members: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    effective::lose(&mut writer.tx, of, effective::by_ids(members.iter().copied())).await?;
    if let Some(parent) = parent {
        writer.tx.execute(sql!(LIFT_MEMBERS, parent, false, of, group, of, parent)).await?;
        let lifted = sql!("m.group_id = {} and {}", parent, effective::by_ids(members));
        effective::gain(&mut writer.tx, of, lifted).await?;
    }
    Ok(())
}

/// Groups that were lifted, and are where they were lifted to.
const LIFTED_GROUPS: &str = "
select g.id
from lifted_groups l
join groups g
  on g.workspace_id = l.workspace_id
  and g.id = l.group_id
where l.workspace_id = {}
  and l.deletion_id = {}
  and g.parent_id is not distinct from {}
order by g.id";

const COUNT_LIFTED: &str = "
select count(*)
from lifted_groups l
where l.workspace_id = {}
  and l.deletion_id = {}";

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

const FORGET_SUNK: &str = "
delete from deleted_memberships
where workspace_id = {}
  and deletion_id = {}
  and id {}";

/// Members who were in the parent already, or left it: their membership comes back as any other. One that lives on elsewhere, or
/// waits with another deletion, stays what it has become.
const UNLIFT: &str = "
update deleted_memberships
set lifted = {}
where workspace_id = {}
  and deletion_id = {}
  and lifted = {}
  and not exists (
    select 1
    from memberships m
    where m.workspace_id = {}
      and m.id = deleted_memberships.id
  )
  and not exists (
    select 1
    from deleted_memberships o
    where o.workspace_id = {}
      and o.id = deleted_memberships.id
      and o.deletion_id <> deleted_memberships.deletion_id
  )";

/// How many groups a deletion lifted.
pub(super) async fn lifted_groups(writer: &mut Writer, deletion: DeletionId) -> Result<i64, Error> {
    let found = writer.tx.fetch(sql!(COUNT_LIFTED, writer.of, deletion.0)).await?;
    found.first().map_or(Ok(0), Row::only)
}

/// Brings back what a group's deletion lifted to its parent, if it is still there.
pub(super) async fn sink_lifted(writer: &mut Writer, deletion: DeletionId, group: GroupId, parent: Option<GroupId>) -> Result<(), Error> {
    let of = writer.of;
    let lifted = lifted_groups(writer, deletion).await?;
    let found = writer.tx.fetch(sql!(LIFTED_GROUPS, of, deletion.0, parent.map(|id| id.0))).await?;
    let children: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    writer.incomplete |= (children.len() as i64) < lifted;
    for child in children.into_iter().filter(|child| *child != group.0) {
        groups::rehang(writer, GroupId(child), Some(group)).await?;
    }
    let Some(parent) = parent else { return Ok(()) };
    let found = writer.tx.fetch(sql!(LIFTED_MEMBERS, of, deletion.0, true, parent, false)).await?;
    let mut sunk: HashMap<bool, Vec<Uuid>> = HashMap::new();
    for row in &found {
        let mut columns = row.columns();
        let id: Uuid = columns.take()?;
        sunk.entry(columns.take()?).or_default().push(id);
    }
    for (manager, ids) in sunk {
        effective::lose(&mut writer.tx, of, effective::by_ids(ids.iter().copied())).await?;
        writer.tx.execute(sql!(SINK_MEMBERS, group, manager, of, among(ids.iter().copied()))).await?;
        effective::gain(&mut writer.tx, of, effective::by_ids(ids.iter().copied())).await?;
        writer.tx.execute(sql!(FORGET_SUNK, of, deletion.0, among(ids))).await?;
    }
    writer.tx.execute(sql!(UNLIFT, false, of, deletion.0, true, of, of)).await.map(drop)
}
