//! What most commands need: the database with a schema of today, and a workspace by its key.

use anyhow::{Context as _, bail};
use directory::{
    Visible,
    access::{Operator, OperatorVia},
    model::Workspace,
    store::Store,
};

use crate::{config::Config, secret, secret::Secret, wiring::Database};

/// Opens the database; refuses while migrations are pending.
pub(super) async fn database(config: &Config) -> anyhow::Result<Database> {
    let database = existing(config).await?;
    let pending = database.pending_migrations().await?;
    if !pending.is_empty() {
        bail!(
            "the database's schema is behind this server by {} migration(s) ({}); back it up and run `bailiwick migrate` (`serve` takes --migrate)",
            pending.len(),
            pending.join(", ")
        );
    }
    database.keep_standard().await?;
    Ok(database)
}

/// Opens a database that is there, whatever its schema.
pub(super) async fn existing(config: &Config) -> anyhow::Result<Database> {
    Database::open_existing(config).await.with_context(|| {
        format!(
            "there is no database `{}` that opens; name the server's with --data or --database, or make one with `bailiwick migrate` (`serve` \
             takes --migrate)",
            config.shown_database()
        )
    })
}

/// Opens the database, whatever its schema, and makes it if it is embedded and missing.
pub(super) async fn unchecked(config: &Config) -> anyhow::Result<Database> {
    Database::open(config).await.context("the database does not open; check --database, --data and what they name")
}

/// The server's secret, from the environment or the data folder.
pub(super) fn secret(config: &Config) -> anyhow::Result<Secret> {
    let given = std::env::var(secret::VARIABLE).ok();
    Ok(Secret::load(given.as_deref(), &config.data)?)
}

/// Whoever runs the command line is the operator.
pub(super) const fn operator() -> Operator {
    Operator::new(OperatorVia::CommandLine)
}

/// The workspace of a key.
pub(super) async fn workspace(store: &dyn Store, key: &str) -> anyhow::Result<Visible<Workspace>> {
    let all = operator().workspaces(store).await?;
    let folded = directory::text::fold(key);
    let found = all.into_iter().find(|row| row.key.shown().is_some_and(|key| directory::text::fold(key) == folded));
    found.with_context(|| format!("workspace `{key}` does not exist; `bailiwick workspace list` prints the keys of all"))
}
