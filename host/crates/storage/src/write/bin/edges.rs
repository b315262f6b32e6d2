//! Edges on their way out of the recycle bin.

use directory::{Error, Rule, ids::DeletionId};
use uuid::Uuid;

use super::super::{Writer, effective, stale};
use crate::{
    exec::Row,
    sql::{among, sql},
};

/// Both ends are there, and the edge is not.
const WHOLE_MEMBERSHIPS: &str = "
select b.id
from deleted_memberships b
join users u
  on u.workspace_id = b.workspace_id
  and u.id = b.user_id
  and u.status <> 'deleted'
join groups g
  on g.workspace_id = b.workspace_id
  and g.id = b.group_id
where b.workspace_id = {}
  and b.deletion_id = {}
  and b.lifted = {}
  and not exists (
    select 1
    from memberships m
    where m.workspace_id = b.workspace_id
      and m.user_id = b.user_id
      and m.group_id = b.group_id
  )";

const INSERT_MEMBERSHIPS: &str = "
insert into memberships (workspace_id, id, user_id, group_id, manager, created_by, created_at)
select b.workspace_id, b.id, b.user_id, b.group_id, b.manager, b.created_by, b.created_at
from deleted_memberships b
where b.workspace_id = {}
  and b.deletion_id = {}
  and b.id {}";

/// Those that are back, those that are there again already, and nothing else.
const FORGET_MEMBERSHIPS: &str = "
delete from deleted_memberships
where workspace_id = {}
  and deletion_id = {}
  and lifted = {}
  and exists (
    select 1
    from memberships m
    where m.workspace_id = deleted_memberships.workspace_id
      and m.user_id = deleted_memberships.user_id
      and m.group_id = deleted_memberships.group_id
  )";

const WAIT_FOR_USER: &str = "
update deleted_memberships
set deletion_id = d.id
from deletions d
where d.workspace_id = {}
  and d.object_id = deleted_memberships.user_id
  and d.id <> deleted_memberships.deletion_id
  and deleted_memberships.workspace_id = {}
  and deleted_memberships.deletion_id = {}
  and deleted_memberships.lifted = {}";

const WAIT_FOR_GROUP: &str = "
update deleted_memberships
set deletion_id = d.deletion_id
from deleted_groups d
where d.workspace_id = {}
  and d.id = deleted_memberships.group_id
  and d.deletion_id <> deleted_memberships.deletion_id
  and deleted_memberships.workspace_id = {}
  and deleted_memberships.deletion_id = {}
  and deleted_memberships.lifted = {}";

const WHOLE_GRANTS: &str = "
select b.id
from deleted_grants b
join users u
  on u.workspace_id = b.workspace_id
  and u.id = b.user_id
  and u.status <> 'deleted'
join roles r
  on r.workspace_id = b.workspace_id
  and r.id = b.role_id
left join groups g
  on g.workspace_id = b.workspace_id
  and g.id = b.within_group_id
where b.workspace_id = {}
  and b.deletion_id = {}
  and (b.within_group_id is null or g.id is not null)
  and not exists (
    select 1
    from grants a
    where a.workspace_id = b.workspace_id
      and a.user_id = b.user_id
      and a.role_id = b.role_id
      and a.within_group_id is not distinct from b.within_group_id
  )";

const INSERT_GRANTS: &str = "
insert into grants (workspace_id, id, user_id, role_id, within_group_id, provenance, granted_by, granted_at)
select b.workspace_id, b.id, b.user_id, b.role_id, b.within_group_id, b.provenance, b.granted_by, b.granted_at
from deleted_grants b
where b.workspace_id = {}
  and b.deletion_id = {}
  and b.id {}";

const FORGET_GRANTS: &str = "
delete from deleted_grants
where workspace_id = {}
  and deletion_id = {}
  and exists (
    select 1
    from grants a
    where a.workspace_id = deleted_grants.workspace_id
      and a.user_id = deleted_grants.user_id
      and a.role_id = deleted_grants.role_id
      and a.within_group_id is not distinct from deleted_grants.within_group_id
  )";

const GRANTS_WAIT_FOR_USER: &str = "
update deleted_grants
set deletion_id = d.id
from deletions d
where d.workspace_id = {}
  and d.object_id = deleted_grants.user_id
  and d.id <> deleted_grants.deletion_id
  and deleted_grants.workspace_id = {}
  and deleted_grants.deletion_id = {}";

const GRANTS_WAIT_FOR_ROLE: &str = "
update deleted_grants
set deletion_id = d.deletion_id
from deleted_roles d
where d.workspace_id = {}
  and d.id = deleted_grants.role_id
  and d.deletion_id <> deleted_grants.deletion_id
  and deleted_grants.workspace_id = {}
  and deleted_grants.deletion_id = {}";

const GRANTS_WAIT_FOR_GROUP: &str = "
update deleted_grants
set deletion_id = d.deletion_id
from deleted_groups d
where d.workspace_id = {}
  and d.id = deleted_grants.within_group_id
  and d.deletion_id <> deleted_grants.deletion_id
  and deleted_grants.workspace_id = {}
  and deleted_grants.deletion_id = {}";

const STATE: &str = "
select d.purging, d.partial
from deletions d
where d.workspace_id = {}
  and d.id = {}";

/// Brings back the edges that wait for a deletion to be undone; those whose other end is deleted go on waiting for that one.
///
/// # Errors
/// [`Rule::Restore`] if parts of what was deleted are erased already.
pub(super) async fn bring_back_edges(writer: &mut Writer, deletion: DeletionId) -> Result<(), Error> {
    let (of, id) = (writer.of, deletion.0);
    let found = writer.tx.fetch(sql!(STATE, of, id)).await?;
    let mut columns = found.first().ok_or_else(stale)?.columns();
    let (purging, partial): (bool, bool) = (columns.take()?, columns.take()?);
    if purging {
        let message = "its time in the recycle bin is over, and it is being erased; make it anew".to_owned();
        return Err(Error::Broken { rule: Rule::Restore, message });
    }
    writer.incomplete |= partial;
    let found = writer.tx.fetch(sql!(WHOLE_MEMBERSHIPS, of, id, false)).await?;
    let whole: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    if !whole.is_empty() {
        writer.tx.execute(sql!(INSERT_MEMBERSHIPS, of, id, among(whole.iter().copied()))).await?;
        effective::gain(writer, effective::by_ids(whole)).await?;
    }
    writer.tx.execute(sql!(FORGET_MEMBERSHIPS, of, id, false)).await?;
    writer.tx.execute(sql!(WAIT_FOR_USER, of, of, id, false)).await?;
    writer.tx.execute(sql!(WAIT_FOR_GROUP, of, of, id, false)).await?;
    let found = writer.tx.fetch(sql!(WHOLE_GRANTS, of, id)).await?;
    let whole: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    if !whole.is_empty() {
        writer.tx.execute(sql!(INSERT_GRANTS, of, id, among(whole))).await?;
    }
    writer.tx.execute(sql!(FORGET_GRANTS, of, id)).await?;
    writer.tx.execute(sql!(GRANTS_WAIT_FOR_USER, of, of, id)).await?;
    writer.tx.execute(sql!(GRANTS_WAIT_FOR_ROLE, of, of, id)).await?;
    writer.tx.execute(sql!(GRANTS_WAIT_FOR_GROUP, of, of, id)).await.map(drop)
}

const FORGET_LIFTED_GROUPS: &str = "
delete from lifted_groups
where workspace_id = {}
  and deletion_id = {}";

const FORGET_LOST_MEMBERSHIPS: &str = "
delete from deleted_memberships
where workspace_id = {}
  and deletion_id = {}";

const FORGET_LOST_GRANTS: &str = "
delete from deleted_grants
where workspace_id = {}
  and deletion_id = {}";

const FORGET: &str = "
delete from deletions
where workspace_id = {}
  and id = {}";

/// Ends a deletion that was undone. Edges that still wait for it have lost their other end for good, or live on as they were lifted.
pub(super) async fn forget(writer: &mut Writer, deletion: DeletionId) -> Result<(), Error> {
    let (of, id) = (writer.of, deletion.0);
    writer.tx.execute(sql!(FORGET_LIFTED_GROUPS, of, id)).await?;
    let lost =
        writer.tx.execute(sql!(FORGET_LOST_MEMBERSHIPS, of, id)).await? + writer.tx.execute(sql!(FORGET_LOST_GRANTS, of, id)).await?;
    writer.incomplete |= lost > 0;
    writer.tx.execute(sql!(FORGET, of, id)).await.map(drop)
}
