//! The workspace's row, which every change locks first and against which a warrant is checked.

use directory::{
    Error, Warrant,
    ids::{PolicyVersionId, WorkspaceId},
    model::Epoch,
};

use crate::{
    exec::Tx,
    sql::{Sql, sql},
};

/// The workspace that a warrant is about.
pub(crate) fn workspace_of<C>(warrant: &Warrant<C>) -> Result<WorkspaceId, Error> {
    warrant.workspace().ok_or_else(|| Error::NotFound("the workspace".to_owned()))
}

/// SQLite has one writer at a time, and no word for locking a row.
const LOCK_SQLITE: &str = "
select epoch, policy_version_id, deferred
from workspaces
where id = {}";

const LOCK_POSTGRES: &str = "
select epoch, policy_version_id, deferred
from workspaces
where id = {}
for update";

const TRY_POSTGRES: &str = "
select epoch
from workspaces
where id = {}
for update skip locked";

/// Keeps every other change of the workspace out, if none is under way; answers whether that is so. On SQLite whoever writes is alone.
pub(crate) async fn try_lock(tx: &mut Tx, workspace: WorkspaceId) -> Result<bool, Error> {
    match tx {
        Tx::Sqlite(_) => Ok(true),
        Tx::Postgres(_) => Ok(!tx.fetch(sql!(TRY_POSTGRES, workspace)).await?.is_empty()),
    }
}

/// What a change finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Locked {
    /// The active policy version.
    pub(crate) active: PolicyVersionId,
    /// Whether a move is still to be counted.
    pub(crate) deferred: bool,
}

/// Keeps every other change of the workspace out until the transaction ends.
///
/// # Errors
/// [`Error::Stale`] if the decision was taken under another epoch, [`Error::NotFound`] if there is no such workspace.
pub(crate) async fn lock(tx: &mut Tx, workspace: WorkspaceId, decided: Option<Epoch>) -> Result<Locked, Error> {
    let statement = match tx {
        Tx::Sqlite(_) => LOCK_SQLITE,
        Tx::Postgres(_) => LOCK_POSTGRES,
    };
    let found = tx.fetch(sql!(statement, workspace)).await?;
    let Some(row) = found.first() else { return Err(Error::NotFound("the workspace".to_owned())) };
    let mut columns = row.columns();
    let epoch = Epoch(columns.take()?);
    if decided.is_some_and(|decided| decided != epoch) {
        return Err(Error::Stale("what the decision was based on".to_owned()));
    }
    Ok(Locked { active: PolicyVersionId(columns.take()?), deferred: columns.take()? })
}

const END_EPOCH: &str = "
update workspaces
set epoch = epoch + 1
where id = {}";

/// Ends the authority epoch: decisions that were taken in it are taken again.
pub(crate) async fn end_epoch(tx: &mut Tx, workspace: WorkspaceId) -> Result<(), Error> {
    tx.execute(sql!(END_EPOCH, workspace)).await.map(drop)
}

/// Raises the statement timeout of this transaction, for work on a whole workspace.
pub(crate) async fn unbounded(tx: &mut Tx) -> Result<(), Error> {
    if matches!(tx, Tx::Postgres(_)) {
        tx.execute(Sql::new("set local statement_timeout = 0", Vec::new())).await?;
    }
    Ok(())
}
