//! Roles.

use directory::{
    Error,
    change::NewRole,
    ids::{RoleId, WorkspaceId},
    model::Timestamp,
};

use super::{groups::Stamp, insert, words};
use crate::{
    batch::{Batch, Of},
    exec::Tx,
    keys::{key, long_key},
    sql::sql,
};

const INSERT: &str = "
insert into roles (
  workspace_id, id, key, name, description, key_key, name_key, description_key, builtin, permissions, created_by, created_at,
  updated_at, version
) values ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})";

/// Adds a role with its words.
///
/// # Errors
/// [`Error::Taken`] for a key that is taken.
pub(crate) async fn add(tx: &mut Tx, of: WorkspaceId, role: &NewRole, builtin: bool, stamp: Stamp) -> Result<(), Error> {
    let insert = sql!(
        INSERT,
        of,
        role.id,
        role.key.clone(),
        role.name.clone(),
        role.description.clone(),
        key(Some(&role.key)),
        key(Some(&role.name)),
        long_key(role.description.as_deref()),
        builtin,
        permissions(role),
        stamp.created_by.map(|id| id.0),
        stamp.created_at,
        stamp.updated_at,
        stamp.version,
    );
    tx.execute(insert).await?;
    index(tx, of, role).await
}

const UPDATE: &str = "
update roles
set name = {},
  description = {},
  name_key = {},
  description_key = {},
  permissions = {},
  updated_at = {},
  version = version + 1
where workspace_id = {}
  and id = {}";

/// Writes a role as it shall be; its key stays.
pub(crate) async fn update(tx: &mut Tx, of: WorkspaceId, role: &NewRole, now: Timestamp) -> Result<(), Error> {
    let update = sql!(
        UPDATE,
        role.name.clone(),
        role.description.clone(),
        key(Some(&role.name)),
        long_key(role.description.as_deref()),
        permissions(role),
        now,
        of,
        role.id,
    );
    tx.execute(update).await?;
    unindex(tx, of, role.id).await?;
    index(tx, of, role).await
}

fn permissions(role: &NewRole) -> String {
    serde_json::json!(role.permissions).to_string()
}

const DELETE_WORDS: &str = "
delete from role_words
where workspace_id = {}
  and role_id = {}";

/// Forgets the words of a role.
pub(crate) async fn unindex(tx: &mut Tx, of: WorkspaceId, role: RoleId) -> Result<(), Error> {
    tx.execute(sql!(DELETE_WORDS, of, role)).await.map(drop)
}

const INSERT_WORDS: &str = "
insert into role_words (workspace_id, word, role_id, fields)
{}";

async fn index(tx: &mut Tx, of: WorkspaceId, role: &NewRole) -> Result<(), Error> {
    let mut batch = Batch::new(&[Of::Ids, Of::Texts, Of::Ids, Of::Integers]);
    for (word, fields) in words([Some(role.key.as_str()), Some(role.name.as_str()), role.description.as_deref()]) {
        batch.push([of.0.into(), word.into(), role.id.0.into(), fields.into()]);
    }
    insert(tx, INSERT_WORDS, batch).await.map(drop)
}
