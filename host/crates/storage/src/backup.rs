//! A consistent copy of an embedded database, made while it is in use.

use std::path::Path;

use directory::Error;
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use crate::{Database, error::failed};

const COPY: &str = "vacuum into $1";

impl Database {
    /// Writes a copy of everything committed so far to a new file.
    ///
    /// # Errors
    /// [`Error::Refused`] if the target exists, or the database is a server, which has its own tools;
    /// [`Error::Store`] if the copy can not be written.
    pub async fn backup(&self, target: &Path) -> Result<(), Error> {
        let Self::Sqlite { readers, .. } = self else {
            return Err(Error::Refused("only SQLite is backed up by this command; run `pg_dump` for Postgres".to_owned()));
        };
        if target.exists() {
            return Err(Error::Refused(format!("`{}` exists; name a new file for the backup", target.display())));
        }
        let Some(path) = target.to_str() else {
            return Err(Error::Invalid(format!("the path `{}` is not UTF-8; name another file", target.display())));
        };
        // A connection of its own: readers may not write, not even elsewhere, and the writer is not to wait for a copy.
        let options = SqliteConnectOptions::clone(&readers.connect_options()).pragma("query_only", "off");
        let mut connection = options.connect().await.map_err(failed)?;
        sqlx::query(COPY).bind(path).execute(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)
    }
}
