//! Each group with itself and every group above it: kept true with every change of the tree.

use directory::{
    Error,
    ids::{GroupId, WorkspaceId},
};
use uuid::Uuid;

use crate::{
    exec::{Row, Tx},
    sql::{among, sql},
};

const ABOVE: &str = "
select c.ancestor_id
from group_closure c
where c.workspace_id = {}
  and c.group_id = {}
  and c.distance > 0
order by c.distance";

/// The groups above, nearest first.
pub(super) async fn above(tx: &mut Tx, of: WorkspaceId, group: GroupId) -> Result<Vec<GroupId>, Error> {
    let found = tx.fetch(sql!(ABOVE, of, group)).await?;
    found.iter().map(|row| row.only().map(GroupId)).collect()
}

const BELOW: &str = "
select c.group_id, c.distance
from group_closure c
where c.workspace_id = {}
  and c.ancestor_id = {}
order by c.distance, c.group_id
limit {}";

/// The group and everything below it, with how far below; parents before children, at most `most`.
pub(super) async fn below(tx: &mut Tx, of: WorkspaceId, group: GroupId, most: usize) -> Result<Vec<(GroupId, i64)>, Error> {
    let found = tx.fetch(sql!(BELOW, of, group, i64::try_from(most).unwrap_or(i64::MAX))).await?;
    let read = |row: &Row| {
        let mut columns = row.columns();
        Ok((GroupId(columns.take()?), columns.take()?))
    };
    found.iter().map(read).collect()
}

const ADD: &str = "
insert into group_closure (workspace_id, ancestor_id, group_id, distance)
with recursive chain (ancestor_id, group_id, parent_id, distance) as (
  select g.id, g.id, g.parent_id, 0
  from groups g
  where g.workspace_id = {}
    and g.id {}
  union all
  select g.id, c.group_id, g.parent_id, c.distance + 1
  from chain c
  join groups g
    on g.workspace_id = {}
    and g.id = c.parent_id
)
select {}, ancestor_id, group_id, distance
from chain
order by ancestor_id, group_id";

/// Adds groups that are new in the tree.
pub(super) async fn add(tx: &mut Tx, of: WorkspaceId, groups: impl IntoIterator<Item = Uuid>) -> Result<(), Error> {
    tx.execute(sql!(ADD, of, among(groups), of, of)).await.map(drop)
}

const FORGET: &str = "
delete from group_closure
where workspace_id = {}
  and group_id {}";

/// Forgets groups of which nothing below is left in the tree.
pub(super) async fn forget(tx: &mut Tx, of: WorkspaceId, groups: impl IntoIterator<Item = Uuid>) -> Result<(), Error> {
    tx.execute(sql!(FORGET, of, among(groups))).await.map(drop)
}

const DETACH: &str = "
delete from group_closure
where workspace_id = {}
  and ancestor_id {}
  and group_id in (
    select c.group_id
    from group_closure c
    where c.workspace_id = {}
      and c.ancestor_id = {}
  )";

const ATTACH: &str = "
insert into group_closure (workspace_id, ancestor_id, group_id, distance)
select {}, a.ancestor_id, b.group_id, a.distance + b.distance + 1
from group_closure a
cross join group_closure b
where a.workspace_id = {}
  and a.group_id = {}
  and a.ancestor_id {}
  and b.workspace_id = {}
  and b.ancestor_id = {}
order by a.ancestor_id, b.group_id";

const SINK: &str = "
update group_closure
set distance = distance + {}
where workspace_id = {}
  and ancestor_id {}
  and group_id in (
    select c.group_id
    from group_closure c
    where c.workspace_id = {}
      and c.ancestor_id = {}
  )";

/// What is above a group, once it hangs elsewhere.
pub(super) struct Above {
    /// No longer above it.
    pub(super) leaving: Vec<GroupId>,
    /// Above it as before, but so many levels further.
    pub(super) staying: (Vec<GroupId>, i64),
    /// Above it from now on: of the new parent and what is above that.
    pub(super) joining: Vec<GroupId>,
    /// The new parent.
    pub(super) parent: Option<GroupId>,
}

/// Hangs a group, with everything below it, elsewhere. Rows of what stays above are left alone, or moved by a number of levels.
pub(super) async fn rehang(tx: &mut Tx, of: WorkspaceId, group: GroupId, above: &Above) -> Result<(), Error> {
    let ids = |groups: &[GroupId]| among(groups.iter().map(|id| id.0));
    let Above { leaving, staying: (staying, levels), joining, parent } = above;
    if !leaving.is_empty() {
        tx.execute(sql!(DETACH, of, ids(leaving), of, group)).await?;
    }
    if !staying.is_empty() && *levels != 0 {
        tx.execute(sql!(SINK, *levels, of, ids(staying), of, group)).await?;
    }
    if let Some(parent) = parent
        && !joining.is_empty()
    {
        tx.execute(sql!(ATTACH, of, of, *parent, ids(joining), of, group)).await?;
    }
    Ok(())
}
