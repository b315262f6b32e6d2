//! What the recycle bin forgets for good.

use directory::{
    Error, Warrant,
    ids::WorkspaceId,
    limits::{BIN_DAYS, KEY_HOURS},
    model::Timestamp,
    store::Purge,
};
use uuid::Uuid;

use crate::{
    Database,
    exec::{Row, Tx},
    head,
    sql::{among, sql},
};

/// Microseconds in an hour.
const HOUR: i64 = 3_600_000_000;

const WORKSPACES: &str = "
select w.id
from workspaces w
order by w.id";

/// Deletions that are forgotten in one transaction.
const AT_ONCE: i64 = 200;

/// Forgets, workspace by workspace, what is too old.
pub(crate) async fn purge(database: &Database, warrant: Warrant<Purge>) -> Result<u64, Error> {
    let Purge { now } = warrant.into_change();
    let found = database.fetch(sql!(WORKSPACES)).await?;
    let mut forgotten = 0;
    for row in &found {
        let of = WorkspaceId(row.only()?);
        loop {
            let gone = purge_some(database, of, now).await?;
            forgotten += gone;
            if gone < AT_ONCE.unsigned_abs() {
                break;
            }
        }
    }
    Ok(forgotten)
}

const OLD: &str = "
select d.id, d.kind, d.object_id
from deletions d
where d.workspace_id = {}
  and d.deleted_at < {}
order by d.deleted_at, d.id
limit {}";

const OLD_GROUPS: &str = "
select g.id
from deleted_groups g
where g.workspace_id = {}
  and g.deletion_id {}";

/// Everything that waits for one of these deletions, and everything elsewhere in the bin that lost an end for good.
const OF_DELETIONS: &[&str] = &[
    "delete from deleted_memberships where workspace_id = {} and deletion_id {}",
    "delete from deleted_grants where workspace_id = {} and deletion_id {}",
    "delete from lifted_groups where workspace_id = {} and deletion_id {}",
    "delete from deleted_groups where workspace_id = {} and deletion_id {}",
    "delete from deleted_roles where workspace_id = {} and deletion_id {}",
    "delete from deletions where workspace_id = {} and id {}",
];

const OF_GROUPS: &[&str] = &[
    "delete from deleted_memberships where workspace_id = {} and group_id {}",
    "delete from deleted_grants where workspace_id = {} and within_group_id {}",
];

const OF_ROLES: &[&str] = &["delete from deleted_grants where workspace_id = {} and role_id {}"];

const OF_USERS: &[&str] = &[
    "delete from deleted_memberships where workspace_id = {} and user_id {}",
    "delete from deleted_grants where workspace_id = {} and user_id {}",
    "delete from user_attributes where workspace_id = {} and user_id {}",
    "delete from user_words where workspace_id = {} and user_id {}",
    "delete from tokens where workspace_id = {} and user_id {}",
    "delete from users where workspace_id = {} and id {}",
];

const REQUESTS: &str = "
delete from requests
where workspace_id = {}
  and created_at < {}";

async fn purge_some(database: &Database, of: WorkspaceId, now: Timestamp) -> Result<u64, Error> {
    let mut tx = database.begin_write().await?;
    head::lock(&mut tx, of, None).await?;
    tx.execute(sql!(REQUESTS, of, now.0 - KEY_HOURS * HOUR)).await?;
    let found = tx.fetch(sql!(OLD, of, now.0 - BIN_DAYS * 24 * HOUR, AT_ONCE)).await?;
    let mut old: Vec<(Uuid, String, Uuid)> = Vec::with_capacity(found.len());
    for row in &found {
        let mut columns = row.columns();
        old.push((columns.take()?, columns.take()?, columns.take()?));
    }
    if !old.is_empty() {
        let deletions: Vec<Uuid> = old.iter().map(|(id, ..)| *id).collect();
        let objects = |kind: &str| old.iter().filter(|(_, of, _)| of == kind).map(|(.., object)| *object).collect::<Vec<_>>();
        let groups = tx.fetch(sql!(OLD_GROUPS, of, among(deletions.iter().copied()))).await?;
        let groups: Vec<Uuid> = groups.iter().map(Row::only).collect::<Result<_, _>>()?;
        run(&mut tx, OF_GROUPS, of, &groups).await?;
        run(&mut tx, OF_ROLES, of, &objects("role")).await?;
        run(&mut tx, OF_DELETIONS, of, &deletions).await?;
        run(&mut tx, OF_USERS, of, &objects("user")).await?;
    }
    tx.commit().await?;
    Ok(old.len() as u64)
}

async fn run(tx: &mut Tx, statements: &[&'static str], of: WorkspaceId, ids: &[Uuid]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    for statement in statements {
        tx.execute(sql!(statement, of, among(ids.iter().copied()))).await?;
    }
    Ok(())
}
