//! Who is in, or below, which group: kept true with every change, by counting paths.
//!
//! There is no index by user: the memberships of a user and the tree tell its groups, and whoever asks about a user names groups. Without
//! one, what a move writes are a few long runs of rows. So every statement here names groups, and those that leave a group name its users:
//! the groups above it may hold everybody.
//!
//! A row's `paths` is the number of memberships of its user in the group and in everything below it. So a whole subtree that moves
//! changes the rows of the groups above by what its own root's rows count.

pub(super) mod deferred;

use directory::{
    Error,
    ids::{GroupId, WorkspaceId},
    model::Status,
};
use uuid::Uuid;

use super::Writer;
use crate::{
    exec::Tx,
    sql::{Part, Sql, among, sql},
};

/// Memberships, by a condition on `m`.
pub(super) fn by_ids(ids: impl IntoIterator<Item = Uuid>) -> Sql {
    sql!("m.id {}", among(ids))
}

/// The memberships come first: SQLite keeps the order of a cross join, and would else walk the whole tree.
const GAIN: &str = "
insert into effective_memberships (workspace_id, group_id, user_id, paths, active)
select {}, c.ancestor_id, m.user_id, count(*), count(*) filter (where u.status = 'active') > 0
from memberships m
cross join group_closure c
cross join users u
where m.workspace_id = {}
  and {}
  and c.workspace_id = m.workspace_id
  and c.group_id = m.group_id
  and u.workspace_id = m.workspace_id
  and u.id = m.user_id
group by c.ancestor_id, m.user_id
on conflict (workspace_id, group_id, user_id) do update
set paths = effective_memberships.paths + excluded.paths";

/// Counts memberships in that were just added.
pub(super) async fn gain(writer: &mut Writer, which: Sql) -> Result<(), Error> {
    deferred::finish(writer).await?;
    writer.tx.execute(sql!(GAIN, writer.of, writer.of, which)).await.map(drop)
}

const LOSE: &str = "
update effective_memberships
set paths = effective_memberships.paths - d.paths
from (
  select c.ancestor_id, m.user_id, count(*) as paths
  from memberships m
  cross join group_closure c
  where m.workspace_id = {}
    and {}
    and c.workspace_id = m.workspace_id
    and c.group_id = m.group_id
  group by c.ancestor_id, m.user_id
) d
where effective_memberships.workspace_id = {}
  and effective_memberships.group_id = d.ancestor_id
  and effective_memberships.user_id = d.user_id";

const FORGET_LOST: &str = "
delete from effective_memberships
where workspace_id = {}
  and (group_id, user_id) in (
    select c.ancestor_id, m.user_id
    from memberships m
    cross join group_closure c
    where m.workspace_id = {}
      and {}
      and c.workspace_id = m.workspace_id
      and c.group_id = m.group_id
  )
  and paths <= 0";

/// Counts memberships out that are about to be removed.
pub(super) async fn lose(writer: &mut Writer, which: Sql) -> Result<(), Error> {
    deferred::finish(writer).await?;
    let of = writer.of;
    writer.tx.execute(sql!(LOSE, of, which.clone(), of)).await?;
    writer.tx.execute(sql!(FORGET_LOST, of, of, which)).await.map(drop)
}

/// The rows of groups above whose only path goes through the subtree: most of them, and told by the row alone.
const LEAVE: &str = "
delete from effective_memberships
where workspace_id = {}
  and group_id {}
  and user_id in (
    select e.user_id
    from effective_memberships e
    where e.workspace_id = {}
      and e.group_id = {}
  )
  and paths = 1";

const LEAVE_PARTLY: &str = "
update effective_memberships
set paths = paths - (
    select e.paths
    from effective_memberships e
    where e.workspace_id = {}
      and e.group_id = {}
      and e.user_id = effective_memberships.user_id
  )
where workspace_id = {}
  and group_id {}
  and user_id in (
    select e.user_id
    from effective_memberships e
    where e.workspace_id = {}
      and e.group_id = {}
  )";

const FORGET_LEFT: &str = "
delete from effective_memberships
where workspace_id = {}
  and group_id {}
  and user_id in (
    select e.user_id
    from effective_memberships e
    where e.workspace_id = {}
      and e.group_id = {}
  )
  and paths <= 0";

/// Counts everybody in or below `group` out of these groups above it.
pub(super) async fn leave(writer: &mut Writer, group: GroupId, above: &[GroupId]) -> Result<(), Error> {
    deferred::finish(writer).await?;
    count_out(&mut writer.tx, writer.of, group, above).await
}

/// The same, whatever was left for later.
async fn count_out(tx: &mut Tx, of: WorkspaceId, group: GroupId, above: &[GroupId]) -> Result<(), Error> {
    if above.is_empty() {
        return Ok(());
    }
    let above = || -> Part { among(above.iter().map(|id| id.0)) };
    tx.execute(sql!(LEAVE, of, above(), of, group)).await?;
    tx.execute(sql!(LEAVE_PARTLY, of, group, of, above(), of, group)).await?;
    tx.execute(sql!(FORGET_LEFT, of, above(), of, group)).await.map(drop)
}

/// A group's rows together, in the order of the primary key.
const JOIN: &str = "
insert into effective_memberships (workspace_id, group_id, user_id, paths, active)
select {}, g.id, e.user_id, e.paths, e.active
from effective_memberships e
cross join groups g
where e.workspace_id = {}
  and e.group_id = {}
  and g.workspace_id = {}
  and g.id {}
order by g.id, e.user_id
on conflict (workspace_id, group_id, user_id) do update
set paths = effective_memberships.paths + excluded.paths";

/// Counts everybody in or below `group` in to these groups above it.
pub(super) async fn join(writer: &mut Writer, group: GroupId, above: &[GroupId]) -> Result<(), Error> {
    deferred::finish(writer).await?;
    count_in(&mut writer.tx, writer.of, group, above).await
}

/// The same, whatever was left for later.
async fn count_in(tx: &mut Tx, of: WorkspaceId, group: GroupId, above: &[GroupId]) -> Result<(), Error> {
    if above.is_empty() {
        return Ok(());
    }
    tx.execute(sql!(JOIN, of, of, group, of, among(above.iter().map(|id| id.0)))).await.map(drop)
}

const MANY: &str = "
select count(*)
from (
  select 1
  from effective_memberships e
  where e.workspace_id = {}
    and e.group_id = {}
  limit {}
) x";

/// How many people are in or below a group, counted up to `most`.
pub(super) async fn size(writer: &mut Writer, group: GroupId, most: i64) -> Result<i64, Error> {
    let found = writer.tx.fetch(sql!(MANY, writer.of, group, most)).await?;
    found.first().map_or(Ok(0), crate::exec::Row::only)
}

const SET_ACTIVE: &str = "
update effective_memberships
set active = {}
where workspace_id = {}
  and (group_id, user_id) in (
    select c.ancestor_id, m.user_id
    from memberships m
    cross join group_closure c
    where m.workspace_id = {}
      and m.user_id {}
      and c.workspace_id = m.workspace_id
      and c.group_id = m.group_id
  )";

/// Repeats the status of users. What was left for later may stay so: who is counted in later brings the status of then, and the rows of who
/// is to be counted out are read no more.
pub(super) async fn set_status(writer: &mut Writer, users: impl IntoIterator<Item = Uuid>, status: Status) -> Result<(), Error> {
    writer.tx.execute(sql!(SET_ACTIVE, status == Status::Active, writer.of, writer.of, among(users))).await.map(drop)
}

const FORGET_USERS: &str = "
delete from effective_memberships
where workspace_id = {}
  and (group_id, user_id) in (
    select c.ancestor_id, m.user_id
    from memberships m
    cross join group_closure c
    where m.workspace_id = {}
      and m.user_id {}
      and c.workspace_id = m.workspace_id
      and c.group_id = m.group_id
  )";

/// Forgets users whose every membership is about to be removed.
pub(super) async fn forget_users(writer: &mut Writer, users: impl IntoIterator<Item = Uuid>) -> Result<(), Error> {
    deferred::finish(writer).await?;
    writer.tx.execute(sql!(FORGET_USERS, writer.of, writer.of, among(users))).await.map(drop)
}

const FORGET_GROUPS: &str = "
delete from effective_memberships
where workspace_id = {}
  and group_id {}";

/// Forgets groups that are no more.
pub(super) async fn forget_groups(writer: &mut Writer, groups: impl IntoIterator<Item = Uuid>) -> Result<(), Error> {
    deferred::finish(writer).await?;
    writer.tx.execute(sql!(FORGET_GROUPS, writer.of, among(groups))).await.map(drop)
}
