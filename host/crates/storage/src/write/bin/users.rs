//! Users on their way into the recycle bin and out of it.

use std::collections::HashMap;

use directory::{
    Error,
    change::UserAfter,
    ids::{DeletionId, UserId},
    model::{Status, Version},
};
use uuid::Uuid;

use super::{
    super::{Versioned, Writer, attributes, effective, stale, users},
    Deletion,
    edges::{bring_back_edges, forget},
    insert_deletions,
};
use crate::{
    exec::Row,
    sql::{among, sql},
};

const BIN_MEMBERSHIPS_OF_USERS: &str = "
insert into deleted_memberships (workspace_id, deletion_id, id, user_id, group_id, manager, lifted, created_by, created_at)
select m.workspace_id, d.id, m.id, m.user_id, m.group_id, m.manager, false, m.created_by, m.created_at
from deletions d
join memberships m
  on m.workspace_id = d.workspace_id
  and m.user_id = d.object_id
where d.workspace_id = {}
  and d.id {}";

const BIN_GRANTS_OF_USERS: &str = "
insert into deleted_grants (workspace_id, deletion_id, id, user_id, role_id, within_group_id, provenance, granted_by, granted_at)
select a.workspace_id, d.id, a.id, a.user_id, a.role_id, a.within_group_id, a.provenance, a.granted_by, a.granted_at
from deletions d
join grants a
  on a.workspace_id = d.workspace_id
  and a.user_id = d.object_id
where d.workspace_id = {}
  and d.id {}";

const DELETE_MEMBERSHIPS_OF_USERS: &str = "
delete from memberships
where workspace_id = {}
  and user_id {}";

const DELETE_GRANTS_OF_USERS: &str = "
delete from grants
where workspace_id = {}
  and user_id {}";

const TOP_MANAGERS: &str = "
select t.user_id
from top_managers t
where t.workspace_id = {}
  and t.user_id {}";

const DELETE_TOP_MANAGERS: &str = "
delete from top_managers
where workspace_id = {}
  and user_id {}";

const LABELS: &str = "
select u.id, u.user_name, u.status
from users u
where u.workspace_id = {}
  and u.id {}";

const SET_DELETED: &str = "
update users
set status = 'deleted',
  updated_at = {},
  version = version + 1
where workspace_id = {}
  and id {}";

/// Puts users into the recycle bin.
pub(in crate::write) async fn remove_users(writer: &mut Writer, removed: &[(UserId, Version, DeletionId)]) -> Result<(), Error> {
    let (of, now) = (writer.of, writer.now);
    let seen: Vec<_> = removed.iter().map(|(id, seen, _)| (id.0, *seen)).collect();
    writer.require_versions(Versioned::Users, &seen).await?;
    let ids = || removed.iter().map(|(id, ..)| id.0);
    let managers: Vec<Uuid> =
        writer.tx.fetch(sql!(TOP_MANAGERS, of, among(ids()))).await?.iter().map(Row::only).collect::<Result<_, _>>()?;
    let mut labels: HashMap<Uuid, (String, String)> = HashMap::new();
    for row in writer.tx.fetch(sql!(LABELS, of, among(ids()))).await? {
        let mut columns = row.columns();
        labels.insert(columns.take()?, (columns.take()?, columns.take()?));
    }
    let deletion = |(user, _, id): &(UserId, Version, DeletionId)| {
        let (name, status) = labels.remove(&user.0).unwrap_or_default();
        let managed_top = managers.contains(&user.0);
        Deletion { id: *id, kind: "user", object: user.0, name, mode: "one", status: Some(status), managed_top }
    };
    let deletions = removed.iter().map(deletion).collect();
    insert_deletions(writer, deletions).await?;
    let binned = || among(removed.iter().map(|(.., deletion)| deletion.0));
    writer.tx.execute(sql!(BIN_MEMBERSHIPS_OF_USERS, of, binned())).await?;
    writer.tx.execute(sql!(BIN_GRANTS_OF_USERS, of, binned())).await?;
    effective::forget_users(writer, ids()).await?;
    writer.tx.execute(sql!(DELETE_MEMBERSHIPS_OF_USERS, of, among(ids()))).await?;
    writer.tx.execute(sql!(DELETE_GRANTS_OF_USERS, of, among(ids()))).await?;
    writer.tx.execute(sql!(DELETE_TOP_MANAGERS, of, among(ids()))).await?;
    writer.tx.execute(sql!(SET_DELETED, now, of, among(ids()))).await?;
    users::revoke_tokens(writer, ids()).await?;
    users::count(writer, -(removed.len() as i64)).await
}

const DELETION_OF_USER: &str = "
select d.id, d.status, d.managed_top
from deletions d
where d.workspace_id = {}
  and d.object_id = {}";

const SET_STATUS: &str = "
update users
set status = {}
where workspace_id = {}
  and id = {}";

const INSERT_TOP_MANAGER: &str = "
insert into top_managers (workspace_id, user_id)
values ({}, {})";

/// Takes a user out of the recycle bin, as it was, with the texts that it shall have.
pub(in crate::write) async fn restore_user(writer: &mut Writer, after: UserAfter) -> Result<(), Error> {
    let (of, id) = (writer.of, after.id);
    writer.require_versions(Versioned::Users, &[(id.0, after.seen)]).await?;
    let found = writer.tx.fetch(sql!(DELETION_OF_USER, of, id)).await?;
    let Some(row) = found.first() else { return Err(stale()) };
    let mut columns = row.columns();
    let deletion = DeletionId(columns.take()?);
    let status: Option<String> = columns.take()?;
    let managed_top: bool = columns.take()?;
    let status = status.as_deref().and_then(Status::named).unwrap_or(Status::Suspended);
    // It may belong to another workspace exclusively by now.
    let user = users::write(writer, after, true).await?;
    writer.tx.execute(sql!(SET_STATUS, status.name().to_owned(), of, id)).await?;
    attributes::keep_unique(writer, &[(id, &user)]).await?;
    if managed_top {
        writer.tx.execute(sql!(INSERT_TOP_MANAGER, of, id)).await?;
    }
    bring_back_edges(writer, deletion).await?;
    forget(writer, deletion).await?;
    users::count(writer, 1).await
}
