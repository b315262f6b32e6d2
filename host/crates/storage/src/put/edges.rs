//! Memberships and grants. Effective memberships are not touched.

use directory::{
    Error,
    change::{NewGrant, NewMembership},
    ids::{UserId, WorkspaceId},
    model::Timestamp,
};

use super::insert;
use crate::{
    batch::{Batch, Of},
    exec::Tx,
};

const INSERT_MEMBERSHIPS: &str = "
insert into memberships (workspace_id, id, user_id, group_id, manager, created_by, created_at)
{}";

/// Adds memberships, none of which is there; answers how many.
pub(crate) async fn memberships(
    tx: &mut Tx,
    of: WorkspaceId,
    new: impl IntoIterator<Item = NewMembership>,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<u64, Error> {
    let mut batch = Batch::new(&[Of::Ids, Of::Ids, Of::Ids, Of::Ids, Of::Flags, Of::Ids, Of::Integers]);
    for edge in new {
        batch.push([
            of.0.into(),
            edge.id.0.into(),
            edge.user.0.into(),
            edge.group.0.into(),
            edge.manager.into(),
            by.map(|id| id.0).into(),
            now.0.into(),
        ]);
    }
    insert(tx, INSERT_MEMBERSHIPS, batch).await
}

const INSERT_GRANTS: &str = "
insert into grants (workspace_id, id, user_id, role_id, within_group_id, provenance, granted_by, granted_at)
{}";

/// Adds grants, none of which is there; answers how many.
pub(crate) async fn grants(
    tx: &mut Tx,
    of: WorkspaceId,
    new: impl IntoIterator<Item = NewGrant>,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<u64, Error> {
    let mut batch = Batch::new(&[Of::Ids, Of::Ids, Of::Ids, Of::Ids, Of::Ids, Of::Texts, Of::Ids, Of::Integers]);
    for grant in new {
        batch.push([
            of.0.into(),
            grant.id.0.into(),
            grant.user.0.into(),
            grant.role.0.into(),
            grant.within.map(|group| group.0).into(),
            grant.provenance.name().into(),
            by.map(|id| id.0).into(),
            now.0.into(),
        ]);
    }
    insert(tx, INSERT_GRANTS, batch).await
}
