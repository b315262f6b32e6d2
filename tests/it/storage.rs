//! Storage's conformance suite: every case runs on SQLite and on Postgres, through the port alone.
//!
//! Lists and counts are compared with a naive evaluation in memory (`storage/naive.rs`) of generated workspaces
//! (`storage/world.rs`) under generated scopes, filters, orders and windows (`storage/cases.rs`).

mod cases;
mod deadlines;
mod history;
mod imports;
mod lists;
mod naive;
mod statements;
mod tokens;
mod world;
mod writes;

use std::sync::Arc;

use directory::{
    contract::Digest,
    ids::PolicyVersionId,
    model::Timestamp,
    store::{IdSource, NewPolicyVersion},
};
use storage::{Database, Options};
use uuid::Uuid;

/// Connections to each database.
const CONNECTIONS: u32 = 4;

/// A fresh, migrated database, and the folder that it lives in.
struct Backend {
    name: &'static str,
    url: String,
    store: Arc<Database>,
    _folder: Option<tempfile::TempDir>,
}

/// One of each.
async fn backends() -> Vec<Backend> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("directory.db").display());
    let mut found = vec![Backend { name: "SQLite", store: open(&url).await, url, _folder: Some(folder) }];
    if let Some(server) = tests::postgres::throwaway() {
        let url = server.database().await;
        found.push(Backend { name: "Postgres", store: open(&url).await, url, _folder: None });
    }
    found
}

async fn open(url: &str) -> Arc<Database> {
    let database = Database::open(url, Options { connections: CONNECTIONS, ..Options::default() }).await.expect("the database opens");
    assert!(!database.pending_migrations().await.expect("migrations are listed").is_empty());
    database.migrate().await.expect("the schema is made");
    database.migrate().await.expect("and made only once");
    assert_eq!(database.pending_migrations().await.expect("migrations are listed"), Vec::<String>::new());
    Arc::new(database)
}

/// Ids in a row, from a seed.
struct Ids(u128);

impl IdSource for Ids {
    fn next_id(&mut self) -> Uuid {
        self.0 += 1;
        Uuid::from_u128(self.0)
    }
}

/// The first policy of a workspace.
fn standard(id: u128) -> NewPolicyVersion {
    NewPolicyVersion {
        id: PolicyVersionId(Uuid::from_u128(id)),
        module: None,
        settings: String::new(),
        standard: Digest([7; 32]),
        standard_settings: "{}".to_owned(),
        activated_by: None,
        activated_at: Timestamp(1),
        repeats: None,
        note: None,
    }
}
