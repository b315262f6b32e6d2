//! Roles on their way into the recycle bin and out of it.

use directory::{
    Error,
    change::NewRole,
    ids::{DeletionId, RoleId, UserId},
    model::{Timestamp, Version},
};

use super::{
    super::{Versioned, Writer, stale},
    Deletion,
    edges::{bring_back_edges, forget},
    insert_deletions,
};
use crate::{
    exec::Row,
    put::{self, groups::Stamp},
    rows,
    sql::sql,
};
const ROLE: &str = "
select r.name
from roles r
where r.workspace_id = {}
  and r.id = {}";

const BIN_ROLE: &str = "
insert into deleted_roles (workspace_id, deletion_id, id, key, name, description, permissions, created_by, created_at, version)
select r.workspace_id, d.id, r.id, r.key, r.name, r.description, r.permissions, r.created_by, r.created_at, r.version
from roles r
join deletions d
  on d.workspace_id = r.workspace_id
  and d.object_id = r.id
where r.workspace_id = {}
  and r.id = {}";

const BIN_GRANTS_OF_ROLE: &str = "
insert into deleted_grants (workspace_id, deletion_id, id, user_id, role_id, within_group_id, provenance, granted_by, granted_at)
select a.workspace_id, d.id, a.id, a.user_id, a.role_id, a.within_group_id, a.provenance, a.granted_by, a.granted_at
from grants a
join deletions d
  on d.workspace_id = a.workspace_id
  and d.object_id = a.role_id
where a.workspace_id = {}
  and a.role_id = {}";

const DELETE_GRANTS_OF_ROLE: &str = "
delete from grants
where workspace_id = {}
  and role_id = {}";

const DELETE_ROLE: &str = "
delete from roles
where workspace_id = {}
  and id = {}";

/// Puts a role into the recycle bin, with the grants of it.
pub(in crate::write) async fn delete_role(writer: &mut Writer, role: RoleId, seen: Version, deletion: DeletionId) -> Result<(), Error> {
    let of = writer.of;
    writer.require_versions(Versioned::Roles, &[(role.0, seen)]).await?;
    writer.require_own(role).await?;
    let found = writer.tx.fetch(sql!(ROLE, of, role)).await?;
    let name: String = found.first().map(Row::only).transpose()?.ok_or_else(stale)?;
    let row = Deletion { id: deletion, kind: "role", object: role.0, name, mode: "one", status: None, managed_top: false };
    insert_deletions(writer, vec![row]).await?;
    writer.tx.execute(sql!(BIN_ROLE, of, role)).await?;
    writer.tx.execute(sql!(BIN_GRANTS_OF_ROLE, of, role)).await?;
    writer.tx.execute(sql!(DELETE_GRANTS_OF_ROLE, of, role)).await?;
    put::roles::unindex(&mut writer.tx, of, role).await?;
    writer.tx.execute(sql!(DELETE_ROLE, of, role)).await.map(drop)
}

const DELETED_ROLE: &str = "
select r.id, r.name, r.description, r.permissions, r.created_by, r.created_at, r.version
from deleted_roles r
where r.workspace_id = {}
  and r.deletion_id = {}";

const DELETE_DELETED_ROLE: &str = "
delete from deleted_roles
where workspace_id = {}
  and deletion_id = {}";

/// Takes a role out of the recycle bin, under a key that nobody else has, with the grants of it.
pub(in crate::write) async fn restore_role(writer: &mut Writer, id: RoleId, deletion: DeletionId, key: String) -> Result<(), Error> {
    let (of, now) = (writer.of, writer.now);
    let found = writer.tx.fetch(sql!(DELETED_ROLE, of, deletion.0)).await?;
    let Some(row) = found.first() else { return Err(stale()) };
    let mut columns = row.columns();
    if RoleId(columns.take()?) != id {
        return Err(stale());
    }
    let role = NewRole { id, key, name: columns.take()?, description: columns.take()?, permissions: rows::texts(&mut columns)? };
    let created_by = rows::optional(&mut columns)?.map(UserId);
    let created_at = Timestamp(columns.take()?);
    let version = columns.take::<i64>()? + 1;
    put::roles::add(&mut writer.tx, of, &role, false, Stamp { created_by, created_at, updated_at: now, version }).await?;
    writer.tx.execute(sql!(DELETE_DELETED_ROLE, of, deletion.0)).await?;
    bring_back_edges(writer, deletion).await?;
    forget(writer, deletion).await
}
