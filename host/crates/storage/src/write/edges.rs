//! Memberships and grants. What is there already is left as it is: adding twice adds once.

use std::collections::HashSet;

use directory::{
    Error,
    change::{NewGrant, NewMembership},
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
};

use super::{Writer, effective};
use crate::{
    put, rows,
    sql::{among, sql},
};

const MEMBERSHIPS: &str = "
select m.user_id, m.group_id
from memberships m
where m.workspace_id = {}
  and m.user_id {}";

/// Adds those memberships that are not there.
pub(super) async fn add_memberships(writer: &mut Writer, new: Vec<NewMembership>) -> Result<(), Error> {
    let of = writer.of;
    let mut known: HashSet<(UserId, GroupId)> = HashSet::new();
    for row in writer.tx.fetch(sql!(MEMBERSHIPS, of, among(new.iter().map(|edge| edge.user.0)))).await? {
        let mut columns = row.columns();
        known.insert((UserId(columns.take()?), GroupId(columns.take()?)));
    }
    let new: Vec<NewMembership> = new.into_iter().filter(|edge| known.insert((edge.user, edge.group))).collect();
    if new.is_empty() {
        return Ok(());
    }
    put::edges::memberships(&mut writer.tx, of, new.iter().copied(), writer.by, writer.now).await?;
    effective::gain(writer, effective::by_ids(new.iter().map(|edge| edge.id.0))).await
}

const DELETE_MEMBERSHIPS: &str = "
delete from memberships
where workspace_id = {}
  and id {}";

/// Ends memberships.
pub(super) async fn remove_memberships(writer: &mut Writer, ids: &[MembershipId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    effective::lose(writer, effective::by_ids(ids.iter().map(|id| id.0))).await?;
    let removed = writer.tx.execute(sql!(DELETE_MEMBERSHIPS, writer.of, among(ids.iter().map(|id| id.0)))).await?;
    if removed == ids.len() as u64 { Ok(()) } else { Err(super::stale()) }
}

const SET_MANAGERS: &str = "
update memberships
set manager = {}
where workspace_id = {}
  and id {}";

/// Says of memberships whether they make managers.
pub(super) async fn set_managers(writer: &mut Writer, managers: &[(MembershipId, bool)]) -> Result<(), Error> {
    for manager in [true, false] {
        let ids: Vec<_> = managers.iter().filter(|(_, wanted)| *wanted == manager).map(|(id, _)| id.0).collect();
        if ids.is_empty() {
            continue;
        }
        let wanted = ids.len() as u64;
        if writer.tx.execute(sql!(SET_MANAGERS, manager, writer.of, among(ids))).await? != wanted {
            return Err(super::stale());
        }
    }
    Ok(())
}

const GRANTS: &str = "
select a.user_id, a.role_id, a.within_group_id
from grants a
where a.workspace_id = {}
  and a.user_id {}";

/// Adds those grants that are not there.
pub(super) async fn add_grants(writer: &mut Writer, new: Vec<NewGrant>) -> Result<(), Error> {
    let of = writer.of;
    let mut known: HashSet<(UserId, RoleId, Option<GroupId>)> = HashSet::new();
    for row in writer.tx.fetch(sql!(GRANTS, of, among(new.iter().map(|grant| grant.user.0)))).await? {
        let mut columns = row.columns();
        known.insert((UserId(columns.take()?), RoleId(columns.take()?), rows::optional(&mut columns)?.map(GroupId)));
    }
    let new: Vec<NewGrant> = new.into_iter().filter(|grant| known.insert((grant.user, grant.role, grant.within))).collect();
    put::edges::grants(&mut writer.tx, of, new, writer.by, writer.now).await.map(drop)
}

const DELETE_GRANTS: &str = "
delete from grants
where workspace_id = {}
  and id {}";

/// Ends grants.
pub(super) async fn remove_grants(writer: &mut Writer, ids: &[GrantId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let removed = writer.tx.execute(sql!(DELETE_GRANTS, writer.of, among(ids.iter().map(|id| id.0)))).await?;
    if removed == ids.len() as u64 { Ok(()) } else { Err(super::stale()) }
}
