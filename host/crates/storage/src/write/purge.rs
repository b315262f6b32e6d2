//! What the recycle bin forgets for good, a portion at a time.
//!
//! A portion is a transaction of its own and writes [`ROWS`] edges and words at most, so that nobody waits for it for long and no
//! time limit ends it. INVARIANT: what is partly erased is marked so in the first of its portions, and never comes back.

use directory::{
    Error, Warrant,
    ids::WorkspaceId,
    limits::{BIN_DAYS, KEY_HOURS},
    model::Timestamp,
    store::Purge,
};
use uuid::Uuid;

use super::give_time;
use crate::{
    Database,
    exec::{Row, Tx},
    head,
    sql::{Part, among, sql},
};

/// Microseconds in an hour.
const HOUR: i64 = 3_600_000_000;

const WORKSPACES: &str = "
select w.id
from workspaces w
order by w.id";

/// Deletions that are looked at in one portion.
const AT_ONCE: i64 = 200;
/// Edges, attributes, words and keys that are erased in one portion.
const ROWS: i64 = 10_000;

/// Forgets, workspace by workspace, what is too old. One in which that fails waits for the next purge, and holds up no other.
pub(crate) async fn purge(database: &Database, warrant: Warrant<Purge>) -> Result<u64, Error> {
    let Purge { now } = warrant.into_change();
    let found = database.fetch(sql!(WORKSPACES)).await?;
    let mut forgotten = 0;
    for row in &found {
        let of = WorkspaceId(row.only()?);
        loop {
            match portion(database, of, now).await {
                Ok(Some(gone)) => forgotten += gone,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(workspace = %of, %error, "a recycle bin could not be emptied; the next purge tries again");
                    break;
                }
            }
        }
    }
    Ok(forgotten)
}

/// Forgets a portion: how many deletions are gone with it, or `None` if nothing is left that is too old.
async fn portion(database: &Database, of: WorkspaceId, now: Timestamp) -> Result<Option<u64>, Error> {
    let mut tx = database.begin_write().await?;
    head::lock(&mut tx, of, None).await?;
    give_time(&mut tx).await?;
    let mut eraser = Eraser { tx, of, left: ROWS };
    let gone = eraser.portion(now).await?;
    eraser.tx.commit().await?;
    Ok(gone)
}

/// Erases rows of one workspace, and counts how many it may still erase.
struct Eraser {
    tx: Tx,
    of: WorkspaceId,
    left: i64,
}

/// A deletion that is too old.
struct Old {
    id: Uuid,
    kind: String,
    object: Uuid,
}

/// Rows of a table: the columns of its key behind the workspace, and the column by which the rows are chosen.
#[derive(Clone, Copy)]
struct Rows {
    table: &'static str,
    key: &'static str,
    by: &'static str,
}

impl Rows {
    const fn of(table: &'static str, key: &'static str, by: &'static str) -> Self {
        Self { table, key, by }
    }
}

const REQUESTS: Rows = Rows::of("requests", "subject_id, key", "created_at");

/// Everything that waits for a deletion.
const OF_DELETIONS: &[Rows] = &[
    Rows::of("deleted_memberships", "deletion_id, id", "deletion_id"),
    Rows::of("deleted_grants", "deletion_id, id", "deletion_id"),
    Rows::of("lifted_groups", "deletion_id, group_id", "deletion_id"),
];

/// Edges that wait for another deletion, and lose an end for good.
const EDGES_OF_GROUPS: &[Rows] =
    &[Rows::of("deleted_memberships", "deletion_id, id", "group_id"), Rows::of("deleted_grants", "deletion_id, id", "within_group_id")];

const EDGES_OF_ROLES: &[Rows] = &[Rows::of("deleted_grants", "deletion_id, id", "role_id")];

const EDGES_OF_USERS: &[Rows] =
    &[Rows::of("deleted_memberships", "deletion_id, id", "user_id"), Rows::of("deleted_grants", "deletion_id, id", "user_id")];

/// What else a user leaves behind.
const OF_USERS: &[Rows] = &[
    Rows::of("user_attributes", "user_id, name, value_key", "user_id"),
    Rows::of("user_words", "word, user_id", "user_id"),
    Rows::of("tokens", "id", "user_id"),
];

const GROUPS: &str = "
select g.id
from deleted_groups g
where g.workspace_id = {}
  and g.deletion_id {}";

const MARK: &str = "
update deletions
set purging = {}
where workspace_id = {}
  and id {}";

const FORGET_GROUPS: &str = "
delete from deleted_groups
where workspace_id = {}
  and deletion_id {}";

const FORGET_ROLES: &str = "
delete from deleted_roles
where workspace_id = {}
  and deletion_id {}";

const FORGET_DELETIONS: &str = "
delete from deletions
where workspace_id = {}
  and id {}";

const FORGET_USERS: &str = "
delete from users
where workspace_id = {}
  and id {}";

impl Eraser {
    async fn portion(&mut self, now: Timestamp) -> Result<Option<u64>, Error> {
        self.erase(&REQUESTS, sql!("< {}", now.0 - KEY_HOURS * HOUR).into()).await?;
        let old = self.oldest(now).await?;
        if old.is_empty() {
            return Ok((self.left == 0).then_some(0));
        }
        let of = self.of;
        let deletions: Vec<Uuid> = old.iter().map(|old| old.id).collect();
        let binned = || among(deletions.iter().copied());
        let objects = |kind: &str| old.iter().filter(|old| old.kind == kind).map(|old| old.object).collect::<Vec<_>>();
        let (roles, users) = (objects("role"), objects("user"));
        let groups = self.tx.fetch(sql!(GROUPS, of, binned())).await?;
        let groups: Vec<Uuid> = groups.iter().map(Row::only).collect::<Result<_, _>>()?;
        self.tx.execute(sql!(MARK, true, of, binned())).await?;
        self.erase_all(OF_DELETIONS, &deletions).await?;
        for (edges, ends) in [(EDGES_OF_GROUPS, &groups), (EDGES_OF_ROLES, &roles), (EDGES_OF_USERS, &users)] {
            self.mark_partial(edges, ends).await?;
            self.erase_all(edges, ends).await?;
        }
        self.erase_all(OF_USERS, &users).await?;
        if self.left == 0 {
            return Ok(Some(0));
        }
        self.tx.execute(sql!(FORGET_GROUPS, of, binned())).await?;
        self.tx.execute(sql!(FORGET_ROLES, of, binned())).await?;
        self.tx.execute(sql!(FORGET_DELETIONS, of, binned())).await?;
        if !users.is_empty() {
            self.tx.execute(sql!(FORGET_USERS, of, among(users))).await?;
        }
        Ok(Some(old.len() as u64))
    }
}

const OLD: &str = "
select d.id, d.kind, d.object_id, d.mode
from deletions d
where d.workspace_id = {}
  and d.deleted_at < {}
order by d.deleted_at, d.id
limit {}";

const ERASE: &str = "
delete from {}
where workspace_id = {}
  and ({}) in (
    select {}
    from {}
    where workspace_id = {}
      and {} {}
    limit {}
  )";

const MARK_PARTIAL: &str = "
update deletions
set partial = {}
where workspace_id = {}
  and partial = {}
  and id in (
    select deletion_id
    from {}
    where workspace_id = {}
      and {} {}
  )";

impl Eraser {
    /// The oldest deletions. A subtree is the last of a portion: it may have as many groups as a portion should hold.
    async fn oldest(&mut self, now: Timestamp) -> Result<Vec<Old>, Error> {
        let found = self.tx.fetch(sql!(OLD, self.of, now.0 - BIN_DAYS * 24 * HOUR, AT_ONCE)).await?;
        let mut old = Vec::with_capacity(found.len());
        for row in &found {
            let mut columns = row.columns();
            old.push(Old { id: columns.take()?, kind: columns.take()?, object: columns.take()? });
            if columns.take::<String>()? == "subtree" {
                break;
            }
        }
        Ok(old)
    }

    /// Erases as many rows as it still may.
    async fn erase(&mut self, rows: &Rows, which: Part) -> Result<(), Error> {
        let (of, Rows { table, key, by }) = (self.of, *rows);
        self.left -= self.tx.execute(sql!(ERASE, table, of, key, key, table, of, by, which, self.left)).await? as i64;
        Ok(())
    }

    async fn erase_all(&mut self, tables: &[Rows], ids: &[Uuid]) -> Result<(), Error> {
        for rows in tables {
            if !ids.is_empty() && self.left > 0 {
                self.erase(rows, among(ids.iter().copied())).await?;
            }
        }
        Ok(())
    }

    /// Notes of the deletions for which edges wait that they will not bring all of them back. Those that are being erased themselves
    /// have no edges any more.
    async fn mark_partial(&mut self, edges: &[Rows], ends: &[Uuid]) -> Result<(), Error> {
        for Rows { table, by, .. } in edges {
            if !ends.is_empty() && self.left > 0 {
                let ends = among(ends.iter().copied());
                self.tx.execute(sql!(MARK_PARTIAL, true, self.of, false, *table, self.of, *by, ends)).await?;
            }
        }
        Ok(())
    }
}
