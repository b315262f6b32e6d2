//! What a database needs around a large write.

use directory::Error;

use crate::{Database, error::failed, exec, head, sql::sql};

/// Half a gibibyte: pages that are filled in no order (words) are then written once
/// instead of many times.
const GROW: &str = "pragma cache_size = -524288";

/// Lets the transaction take the time and memory that it needs.
pub(crate) async fn before(tx: &mut exec::Tx) -> Result<(), Error> {
    match tx {
        exec::Tx::Sqlite(_) => tx.execute(sql!(GROW)).await.map(drop),
        exec::Tx::Postgres(_) => head::unbounded(tx).await,
    }
}

/// A workspace that is new to a database which has others is in none of its statistics. Postgres then takes every index that begins
/// with the workspace for as good as the right one, and each check of a foreign key reads the whole workspace.
const LEARN: &str = "analyze users, groups, memberships, roles, grants, user_words, user_attributes, accounts, policy_versions";

/// Lets the planner learn of what was written so far.
pub(super) async fn learn(tx: &mut exec::Tx) -> Result<(), Error> {
    match tx {
        exec::Tx::Sqlite(_) => Ok(()),
        exec::Tx::Postgres(_) => tx.execute(sql!(LEARN)).await.map(drop),
    }
}

/// The planner learns the new sizes, and the log is folded into the file.
const SETTLE_SQLITE: &[&str] = &["pragma analysis_limit = 1000", "analyze", "pragma wal_checkpoint(truncate)"];

/// Vacuum, so that counts need not visit the rows of freshly filled tables.
const SETTLE_POSTGRES: &[&str] = &[
    "set statement_timeout = 0",
    "vacuum (analyze) accounts, workspaces, users, user_attributes, user_words, groups, group_attributes, group_words, group_closure,
      memberships, effective_memberships, roles, role_words, grants",
    "reset statement_timeout",
];

/// Housekeeping after an import. Its failure is no failure of the import, which is committed.
pub(crate) async fn after(database: &Database, changed: bool) {
    if let Err(error) = tidy(database, changed).await {
        tracing::warn!(%error, "housekeeping after an import failed; lists may be slow until the database does its own");
    }
}

async fn tidy(database: &Database, changed: bool) -> Result<(), Error> {
    match database {
        Database::Sqlite { writer, .. } => {
            let mut connection = writer.acquire().await.map_err(failed)?;
            for statement in SETTLE_SQLITE.iter().filter(|_| changed) {
                exec::set_sqlite(&mut connection, statement).await?;
            }
            // The next one has the size of every other connection again.
            connection.close().await.map_err(failed)?;
        }
        Database::Postgres { writers, .. } if changed => {
            let mut connection = writers.acquire().await.map_err(failed)?;
            for statement in SETTLE_POSTGRES {
                exec::set_postgres(&mut connection, statement).await?;
            }
        }
        Database::Postgres { .. } => {}
    }
    Ok(())
}
