//! `bailiwick migrate`.

use super::{open, print};
use crate::config::Config;

/// Bring the database's schema up to date
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Runs the migrations that the database has not seen yet, and prints their names. Safe to repeat. Back up first: \
        there is no way back but the backup.",
    after_long_help = "\
Examples:
  bailiwick migrate --dry-run                      Only print what would run
  bailiwick migrate --database postgres://bailiwick@db/bailiwick"
)]
pub(super) struct Arguments {
    /// Print what would run, change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: Arguments, config: &Config) -> anyhow::Result<()> {
    let database = open::unchecked(config).await?;
    let pending = database.pending_migrations().await?;
    if !arguments.dry_run {
        database.migrate().await?;
    }
    for name in &pending {
        print(name);
    }
    if pending.is_empty() {
        print("nothing to do");
    }
    database.close().await;
    Ok(())
}
