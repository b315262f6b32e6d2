//! Lists end to end: a GraphQL document in, JSON out, over a generated workspace.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bailiwick::{
    clock::Clock,
    config::{Config, Layers},
    graphql::{self, Cursors, RequestContext, ScanCapped, Schema, Writer},
    wiring,
};
use directory::{
    access::{Actor, Gate, Origin, Subject},
    ids::{UserId, WorkspaceId},
    model::Timestamp,
};

use crate::{
    measure::{Times, millis},
    native::Native,
    people,
};

/// A page of users.
pub const PLAIN: &str = "{ users(first: 50) { nodes { id userName displayName givenName familyName status } } }";
const NESTED: &str = "{ users(first: 50) { nodes { id userName displayName givenName familyName status
    groups(first: 10) { nodes { id name } } roles(first: 10) { nodes { id name } } } } }";
const COUNT: &str = "{ users(first: 1) { totalCount } }";
const SORTED: &str = "{ users(first: 50, orderBy: {field: DISPLAY_NAME}) { nodes { id displayName } } }";
const SEARCH: &str = r#"{ users(first: 50, filter: {search: "family12"}) { nodes { id displayName } } }"#;

/// Measures one size on one database.
pub async fn run(size: u64, name: &str, url: Option<String>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = Config::load(&Layers::new()?)?;
    config.data = folder.path().to_owned();
    config.database = url;
    let database = wiring::Database::open(&config).await?;
    database.migrate().await?;
    let start = std::time::Instant::now();
    let workspace = people::import(database.store().as_ref(), size).await?;
    println!("\n## {size} people on {name}\n\nImported in {:.0} s.\n", start.elapsed().as_secs_f64());
    let gate = wiring::gate(&config, &database, None)?;
    let native = Arc::new(Gate::new(database.store(), Arc::new(Native::default()), wiring::standard()));
    let [administrator, broad, narrow] = people::first(database.store().as_ref(), workspace).await?;
    let schema = graphql::schema();
    println!("| list | subject | sees | median ms | p99 ms | native rules, median ms |\n| --- | --- | --- | --- | --- | --- |");
    for (subject, user) in [("in a leaf", narrow), ("at the root", broad), ("administrator", administrator)] {
        let sees = count(&schema, &gate, workspace, user).await?;
        for (query, document, calls) in [
            ("50, six fields", PLAIN, 500),
            ("50 with groups and roles", NESTED, 300),
            ("50 by display name", SORTED, 300),
            ("50 by a searched word", SEARCH, 300),
            ("exact count", COUNT, 30),
        ] {
            let guest = measure(&schema, &gate, workspace, user, document, calls).await?;
            let plain = measure(&schema, &native, workspace, user, document, calls).await?;
            println!(
                "| {query} | {subject} | {sees} | {} | {} | {} |",
                millis(guest.median()),
                millis(guest.p99()),
                millis(plain.median())
            );
        }
    }
    drop((gate, native));
    database.close().await;
    Ok(())
}

async fn measure(schema: &Schema, gate: &Arc<Gate>, workspace: WorkspaceId, user: UserId, document: &str, calls: usize) -> Result<Times> {
    execute(schema, gate, workspace, user, document).await?;
    Ok(Times::of_async(calls / 10, calls, || async {
        execute(schema, gate, workspace, user, document).await.expect("answered before");
    })
    .await)
}

async fn count(schema: &Schema, gate: &Arc<Gate>, workspace: WorkspaceId, user: UserId) -> Result<u64> {
    let answer: serde_json::Value = serde_json::from_str(&execute(schema, gate, workspace, user, COUNT).await?)?;
    answer["data"]["users"]["totalCount"].as_u64().context("a count")
}

/// Answers a document as JSON, or fails with its errors.
pub async fn execute(schema: &Schema, gate: &Arc<Gate>, workspace: WorkspaceId, user: UserId, document: &str) -> Result<String> {
    let subject = Subject { workspace, actor: Actor::User(user), scopes: None, expires_at: None, origin: Origin::within("graphql") };
    let now = Timestamp(1_700_000_000_000_000);
    let directory = Arc::new(gate.open(subject.clone(), now).await?);
    let writer = Writer { gate: gate.clone(), clock: Clock::fixed(now), subject: Some(subject) };
    let context =
        RequestContext { directory: Some(directory), writer, cursors: Cursors::new(&[1; 32]), scan_capped: ScanCapped::default() };
    let response = schema.execute(async_graphql::Request::new(document).data(context)).await;
    ensure!(response.errors.is_empty(), "{:?}", response.errors);
    Ok(serde_json::to_string(&response)?)
}
