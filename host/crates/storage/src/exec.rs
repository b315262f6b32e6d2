//! Execution: the one way in which a statement reaches a database, and how its rows are read.

use directory::Error;
use sqlx::{
    Decode, Executor, IntoArguments, PgConnection, Postgres, QueryBuilder, Row as _, Sqlite, SqliteConnection, Transaction, Type,
    pool::PoolConnection, postgres::PgRow, sqlite::SqliteRow,
};

use crate::{
    error::failed,
    sql::{Dialect, Sql},
};

/// A transaction; rolls back when it is dropped.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// A connection for a single statement.
pub(crate) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A row, of which columns are read in the order in which the statement names them.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// Runs one expression on whichever database is open, compiled once for each.
macro_rules! on {
    ($connection:expr, |$open:ident: $database:ident| $body:expr) => {
        match $connection {
            Self::Sqlite($open) => {
                type $database = Sqlite;
                $body
            }
            Self::Postgres($open) => {
                type $database = Postgres;
                $body
            }
        }
    };
}

impl Tx {
    /// Every row.
    pub(crate) async fn fetch(&mut self, sql: Sql) -> Result<Vec<Row>, Error> {
        on!(self, |tx: D| fetch::<D>(&mut **tx, sql).await)
    }

    /// How many rows were written.
    pub(crate) async fn execute(&mut self, sql: Sql) -> Result<u64, Error> {
        on!(self, |tx: D| {
            let mut builder = write_out::<D>(&sql);
            let done = builder.build().persistent(sql.is_fixed()).execute(&mut **tx).await.map_err(failed)?;
            Ok(done.rows_affected())
        })
    }

    /// Makes what was written last.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        on!(self, |tx: _D| tx.commit().await.map_err(failed))
    }
}

impl Connection {
    /// Every row.
    pub(crate) async fn fetch(&mut self, sql: Sql) -> Result<Vec<Row>, Error> {
        on!(self, |open: D| fetch::<D>(&mut **open, sql).await)
    }
}

async fn fetch<D: Dialect>(connection: &mut D::Connection, sql: Sql) -> Result<Vec<Row>, Error>
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    D::Arguments: IntoArguments<D>,
    Row: From<D::Row>,
{
    let mut builder = write_out::<D>(&sql);
    let rows = builder.build().persistent(sql.is_fixed()).fetch_all(connection).await.map_err(failed)?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// The statement as this database wants it. Every one passes here, where a test can record it.
fn write_out<D: Dialect>(sql: &Sql) -> QueryBuilder<D> {
    let mut builder = QueryBuilder::new("");
    sql.render(&mut builder);
    tracing::trace!(target: "storage::sql", sql = builder.sql().as_str());
    builder
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self::Sqlite(row)
    }
}

impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self::Postgres(row)
    }
}

/// What both databases can store.
pub(crate) trait Stored: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}
impl<T> Stored for T where T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl Row {
    /// Reads from the first column on.
    pub(crate) const fn columns(&self) -> Columns<'_> {
        Columns { row: self, next: 0 }
    }

    /// The first column.
    pub(crate) fn only<T: Stored>(&self) -> Result<T, Error> {
        self.columns().take()
    }
}

/// The columns of a row that were not read yet.
pub(crate) struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl Columns<'_> {
    /// The next column.
    pub(crate) fn take<T: Stored>(&mut self) -> Result<T, Error> {
        let column = self.next;
        self.next += 1;
        match self.row {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        }
        .map_err(failed)
    }
}

/// Lets a statement be sent to a bare connection, for settings that stand outside of transactions.
pub(crate) async fn set_sqlite(connection: &mut SqliteConnection, statement: &'static str) -> Result<(), Error> {
    connection.execute(statement).await.map_err(failed)?;
    Ok(())
}

/// Likewise.
pub(crate) async fn set_postgres(connection: &mut PgConnection, statement: &'static str) -> Result<(), Error> {
    connection.execute(statement).await.map_err(failed)?;
    Ok(())
}
