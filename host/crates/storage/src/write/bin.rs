//! The recycle bin: what is deleted goes there whole, and comes back whole.
//!
//! An edge waits with the deletion of one of its ends. If that end comes back while the other one is still deleted, the edge goes on
//! waiting with the other's deletion. So the order in which things come back makes no difference, but for what was lifted (`lift`).

mod edges;
mod groups;
mod lift;
mod roles;
mod users;

use directory::{Error, ids::DeletionId};
use uuid::Uuid;

use super::Writer;
use crate::{
    batch::{Batch, Of},
    put,
};

pub(super) use groups::{delete_group, restore_group};
pub(super) use roles::{delete_role, restore_role};
pub(super) use users::{remove_users, restore_user};

const INSERT_DELETIONS: &str = "
insert into deletions (workspace_id, id, kind, object_id, name, mode, status, managed_top, deleted_by, deleted_at)
{}";

/// A row of the recycle bin.
struct Deletion {
    id: DeletionId,
    kind: &'static str,
    object: Uuid,
    name: String,
    mode: &'static str,
    status: Option<String>,
    managed_top: bool,
}

async fn insert_deletions(writer: &mut Writer, deletions: Vec<Deletion>) -> Result<(), Error> {
    let (id, text) = (Of::Ids, Of::Texts);
    let mut batch = Batch::new(&[id, id, text, id, text, text, text, Of::Flags, id, Of::Integers]);
    for Deletion { id, kind, object, name, mode, status, managed_top } in deletions {
        batch.push([
            writer.of.0.into(),
            id.0.into(),
            kind.into(),
            object.into(),
            name.into(),
            mode.into(),
            status.into(),
            managed_top.into(),
            writer.by.map(|id| id.0).into(),
            writer.now.0.into(),
        ]);
    }
    put::insert(&mut writer.tx, INSERT_DELETIONS, batch).await.map(drop)
}
