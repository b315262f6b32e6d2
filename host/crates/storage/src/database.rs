//! Opening a database, its schema, and the transactions on it.

use std::{str::FromStr as _, time::Duration};

use directory::{Error, contract::Module, ids::WorkspaceId};
use sqlx::{
    PgPool, SqlitePool,
    migrate::{Migrate, MigrateError, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    error::failed,
    exec::{Connection, Row, Tx},
    limits, policy,
    sql::Sql,
    turns::{Turn, Turns},
};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

const BUSY_FOR_SHORT: &str = "pragma busy_timeout = 100";
const SHORTEN_LOG: &str = "pragma wal_checkpoint(truncate)";
const BUSY_AS_EVER: &str = "pragma busy_timeout = 10000";

/// An open database.
#[derive(Clone, Debug)]
pub enum Database {
    /// The embedded one: a file with many readers and one writer.
    Sqlite {
        /// Connections that can not write.
        readers: SqlitePool,
        /// The only connection that can.
        writer: SqlitePool,
        /// How long one statement of a request may take; Postgres keeps this time itself.
        statement_time: Duration,
        /// A move that changes more rows of effective memberships is counted afterwards.
        defer_above: i64,
        /// What each workspace may have of them.
        turns: WorkspaceTurns,
    },
    /// A server, shared by many hosts.
    Postgres {
        /// Connections that read.
        readers: PgPool,
        /// Connections that write. They are others: a request that reads may wait for one of them, and whoever has one waits for none that
        /// reads.
        writers: PgPool,
        /// A move that changes more rows of effective memberships is counted afterwards.
        defer_above: i64,
        /// What each workspace may have of them.
        turns: WorkspaceTurns,
    },
}

/// What each workspace may have of the connections at once.
#[derive(Clone, Debug)]
pub struct WorkspaceTurns {
    /// Views.
    views: Turns,
    /// Writes. The second would wait for the first all the same, but with a connection that others want.
    writes: Turns,
}

impl WorkspaceTurns {
    fn of(readers: u32) -> Self {
        // Activations open a second view at their end: what all long work of a workspace may hold leaves two for that.
        let long_work = u32::try_from(directory::limits::LONG_WORK + directory::limits::ACTIVATIONS).unwrap_or(u32::MAX);
        let views = (readers / limits::VIEWS).max(long_work.saturating_add(2)).min(readers.saturating_sub(1)).max(1);
        Self { views: Turns::of(views, "views of the database"), writes: Turns::of(1, "write") }
    }
}

/// How to open a database.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections that read (SQLite), or of which a quarter writes, one at least, and the others read (Postgres); at most.
    pub connections: u32,
    /// How long one statement of a request may take.
    pub statement_time: Duration,
    /// A move of a group that changes more rows of effective memberships than this answers before they are changed;
    /// [`Store::finish_moves`](directory::store::Store::finish_moves) does that.
    pub defer_above: i64,
    /// Whether an embedded database that is missing is made.
    pub make: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 16, statement_time: limits::STATEMENT_TIME, defer_above: limits::DEFER_ABOVE, make: true }
    }
}

impl Database {
    /// Opens `sqlite:PATH` (made if it is missing, unless the options forbid it) or `postgres://USER:PASSWORD@HOST/NAME`. Its schema is left as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the URL is neither, [`Error::Store`] if nothing answers there.
    pub async fn open(url: &str, options: Options) -> Result<Self, Error> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Self::open_sqlite(url, options).await,
            Some("postgres" | "postgresql") => Self::open_postgres(url, options).await,
            _ => Err(Error::Invalid("a database URL begins with `sqlite:` or `postgres://`; give one of these".to_owned())),
        }
    }

    async fn open_sqlite(url: &str, options: Options) -> Result<Self, Error> {
        let connect = SqliteConnectOptions::from_str(url)
            .map_err(|error| invalid_url(&error))?
            .page_size(8_192)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(limits::CONNECTION_TIME)
            .row_buffer_size(limits::ROWS_AHEAD)
            .pragma("mmap_size", limits::MAPPED_BYTES.to_string())
            .pragma("cache_size", format!("-{}", limits::CACHE_KIB));
        if options.make {
            make_private(&connect)?;
        }
        let pool = || SqlitePoolOptions::new().acquire_timeout(limits::CONNECTION_TIME);
        // The writer comes first: it makes the file and its write-ahead log, which readers then find.
        let writer = connect.clone().create_if_missing(options.make).journal_mode(SqliteJournalMode::Wal);
        let writer = pool().max_connections(1).connect_with(writer).await.map_err(failed)?;
        // Whatever ended the last statement of a view, the next user of its connection starts afresh.
        let readers = pool().max_connections(options.connections).after_release(|connection, _| {
            Box::pin(async move {
                connection.lock_handle().await?.remove_progress_handler();
                Ok(true)
            })
        });
        let readers = readers.connect_with(connect.pragma("query_only", "on")).await.map_err(failed)?;
        let turns = WorkspaceTurns::of(options.connections);
        Ok(Self::Sqlite { readers, writer, statement_time: options.statement_time, defer_above: options.defer_above, turns })
    }

    async fn open_postgres(url: &str, options: Options) -> Result<Self, Error> {
        let statement_timeout = options.statement_time.as_millis().to_string();
        // A generic plan serves a scope of two hundred rows and one of a million alike, and so one of them badly. Compiling a
        // plan to machine code takes longer than any page.
        let connect = PgConnectOptions::from_str(url).map_err(|error| invalid_url(&error))?.options([
            ("plan_cache_mode", "force_custom_plan"),
            ("jit", "off"),
            ("statement_timeout", statement_timeout.as_str()),
        ]);
        let pool = |most| PgPoolOptions::new().acquire_timeout(limits::CONNECTION_TIME).max_connections(most);
        let writing = (options.connections / limits::WRITERS).max(1);
        let reading = options.connections.saturating_sub(writing).max(1);
        Ok(Self::Postgres {
            readers: pool(reading).connect_with(connect.clone()).await.map_err(failed)?,
            writers: pool(writing).connect_with(connect).await.map_err(failed)?,
            defer_above: options.defer_above,
            turns: WorkspaceTurns::of(reading),
        })
    }

    /// Brings the schema up to date; does nothing if it is.
    ///
    /// # Errors
    /// [`Error::Refused`] if a newer server has changed the schema, or an applied migration was altered.
    pub async fn migrate(&self) -> Result<(), Error> {
        match self {
            Self::Sqlite { writer, .. } => SQLITE.run(writer).await,
            Self::Postgres { writers, .. } => POSTGRES.run(writers).await,
        }
        .map_err(unmigrated)
    }

    /// Keeps the `standard` of this server, on which policy versions rest long after the next server brings another.
    ///
    /// # Errors
    /// [`Error::Store`] if the database fails.
    pub async fn keep_standard(&self, module: &Module) -> Result<(), Error> {
        policy::keep_standard(self, module).await
    }

    /// The names of the migrations that [`Database::migrate`] would run.
    ///
    /// # Errors
    /// [`Error::Store`] if the database does not answer.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, Error> {
        match self {
            Self::Sqlite { writer, .. } => pending(&SQLITE, &mut *writer.acquire().await.map_err(failed)?).await,
            Self::Postgres { writers, .. } => pending(&POSTGRES, &mut *writers.acquire().await.map_err(failed)?).await,
        }
    }

    /// Empties the write-ahead log of the embedded database, unless somebody has read for long.
    ///
    /// By itself SQLite begins the log anew only where nobody reads while somebody begins to write; a request that reads and then writes
    /// does both, so that the log might grow for ever.
    pub(crate) async fn shorten_log(&self) -> Result<(), Error> {
        let Self::Sqlite { writer, .. } = self else { return Ok(()) };
        let mut connection = writer.acquire().await.map_err(failed)?;
        // Whoever wants to write waits meanwhile. Afterwards it is `CONNECTION_TIME` again.
        for statement in [BUSY_FOR_SHORT, SHORTEN_LOG, BUSY_AS_EVER] {
            sqlx::query(statement).execute(&mut *connection).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Waits until every connection is back, and closes them.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres { readers, writers, .. } => {
                readers.close().await;
                writers.close().await;
            }
        }
    }

    /// A consistent view of everything committed when it is first read, for a workspace whose turn it is. Let go of the turn last.
    pub(crate) async fn begin_read(&self, workspace: WorkspaceId) -> Result<(Turn, Tx), Error> {
        let turn = self.turns().views.take(workspace).await?;
        let tx = match self {
            Self::Sqlite { readers, .. } => readers.begin().await.map(Tx::Sqlite),
            Self::Postgres { readers, .. } => {
                readers.begin_with("begin isolation level repeatable read, read only").await.map(Tx::Postgres)
            }
        };
        Ok((turn, tx.map_err(failed)?))
    }

    /// The same as [`Database::begin_write`], for a change of one workspace whose turn it is. Let go of the turn last.
    pub(crate) async fn begin_write_in(&self, workspace: WorkspaceId) -> Result<(Turn, Tx), Error> {
        let turn = self.turns().writes.take(workspace).await?;
        Ok((turn, self.begin_write().await?))
    }

    /// How many rows of effective memberships a move changes at most before it answers.
    pub(crate) const fn defer_above(&self) -> i64 {
        match self {
            Self::Sqlite { defer_above, .. } | Self::Postgres { defer_above, .. } => *defer_above,
        }
    }

    const fn turns(&self) -> &WorkspaceTurns {
        match self {
            Self::Sqlite { turns, .. } | Self::Postgres { turns, .. } => turns,
        }
    }

    /// On SQLite the only one at a time; on Postgres at read committed: trust locks, versions and constraints.
    pub(crate) async fn begin_write(&self) -> Result<Tx, Error> {
        match self {
            Self::Sqlite { writer, .. } => writer.begin_with("begin immediate").await.map(Tx::Sqlite),
            Self::Postgres { writers, .. } => writers.begin().await.map(Tx::Postgres),
        }
        .map_err(failed)
    }

    /// The rows of one statement outside of any transaction.
    pub(crate) async fn fetch(&self, sql: Sql) -> Result<Vec<Row>, Error> {
        let mut connection = match self {
            Self::Sqlite { readers, .. } => readers.acquire().await.map(Connection::Sqlite),
            Self::Postgres { readers, .. } => readers.acquire().await.map(Connection::Postgres),
        }
        .map_err(failed)?;
        connection.fetch(sql).await
    }
}

/// Makes the file, if it is missing, so that only its owner reads it: everybody's data are in it. SQLite makes the files beside it like it.
fn make_private(connect: &SqliteConnectOptions) -> Result<(), Error> {
    let path = connect.get_filename();
    if path.as_os_str().is_empty() || path == std::path::Path::new(":memory:") {
        return Ok(());
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::Store(format!("the database `{}` can not be made: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

async fn pending<C: Migrate>(migrator: &Migrator, connection: &mut C) -> Result<Vec<String>, Error> {
    connection.ensure_migrations_table(&migrator.table_name).await.map_err(unmigrated)?;
    let applied = connection.list_applied_migrations(&migrator.table_name).await.map_err(unmigrated)?;
    Ok(migrator
        .iter()
        .filter(|migration| !applied.iter().any(|applied| applied.version == migration.version))
        .map(|migration| format!("{:04} {}", migration.version, migration.description))
        .collect())
}

fn unmigrated(error: MigrateError) -> Error {
    match error {
        MigrateError::VersionMissing(version) => Error::Refused(format!(
            "the database's schema has migration {version}, which this server does not know; run the newer server that made it"
        )),
        MigrateError::VersionMismatch(version) => Error::Refused(format!(
            "migration {version} was applied to the database in another form; run the server that made the database"
        )),
        other => Error::Store(other.to_string()),
    }
}

fn invalid_url(error: &sqlx::Error) -> Error {
    Error::Invalid(format!("the database URL can not be read: {error}; write `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`"))
}
