//! `bailiwick backup`.

use std::path::PathBuf;

use super::{open, print};
use crate::config::Config;

/// Copy the embedded database to a new file while it is in use
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Writes a consistent copy of the embedded SQLite database to a new file, also while a server uses it. To restore, \
        stop the server, and put the copy in the place of `bailiwick.db` in the data folder (without `bailiwick.db-wal` and \
        `bailiwick.db-shm`). Keep the file `secret` as well. Postgres has tools of its own: pg_dump.",
    after_long_help = "\
Examples:
  bailiwick backup /backups/bailiwick-$(date +%F).db
  bailiwick --database sqlite:/backups/bailiwick-2026-11-22.db workspace list"
)]
pub(super) struct Arguments {
    /// The new file
    file: PathBuf,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let database = open::existing(config).await?;
    database.backup(&arguments.file).await?;
    print(&format!("wrote {}", arguments.file.display()));
    database.close().await;
    Ok(())
}
