//! What the decision log costs: the same list without a log, with its sample, and with every row recorded.

use std::{sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use bailiwick::{
    clock::Clock,
    config::{Config, Layers},
    graphql, wiring,
};
use directory::access::{Gate, LogSettings};
use tokio::task::JoinSet;

use crate::{
    lists::{PLAIN, execute},
    measure::{Times, millis},
    people,
};

/// People of the workspace.
const SIZE: u64 = 100_000;
/// Calls of each kind; they take turns, so that whatever else the machine does is spread evenly.
const CALLS: usize = 3_000;

/// Measures on one database.
pub async fn run(name: &str, url: Option<String>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut config = Config::load(&Layers::new()?)?;
    config.data = folder.path().to_owned();
    config.database = url;
    let database = wiring::Database::open(&config).await?;
    database.migrate().await?;
    let workspace = people::import(database.store().as_ref(), SIZE).await?;
    let [_, broad, _] = people::first(database.store().as_ref(), workspace).await?;
    let engine = wiring::gate(&config, &database, None)?.engine().clone();
    let bare = || Gate::new(database.store(), engine.clone(), wiring::standard());
    let logged = |sample| Arc::new(bare().with_log(LogSettings { sample, keep: config.policy.log_entries }));
    let gates = [("no log", Arc::new(bare())), ("every 1,000th row", logged(config.policy.log_sample)), ("every row", logged(1))];
    let mut writers = JoinSet::new();
    for (_, gate) in &gates {
        let gate = gate.clone();
        writers.spawn(async move { gate.keep_decisions(|| Clock::system().now()).await });
    }
    let schema = graphql::schema();
    let mut times: Vec<Vec<_>> = gates.iter().map(|_| Vec::with_capacity(CALLS)).collect();
    for call in 0..CALLS + CALLS / 10 {
        for ((_, gate), times) in gates.iter().zip(&mut times) {
            let start = Instant::now();
            execute(&schema, gate, workspace, broad, PLAIN).await?;
            if call >= CALLS / 10 {
                times.push(start.elapsed());
            }
        }
    }
    println!("\n## The decision log, on {name}: 50 of 89,000 users, six fields\n");
    println!("| recorded | median ms | p99 ms | p99 beside no log |\n| --- | --- | --- | --- |");
    let times: Vec<Times> = times.into_iter().map(Times::sorted).collect();
    let without = times.first().context("a gate without a log")?.p99().as_secs_f64();
    for ((name, _), times) in gates.iter().zip(&times) {
        let beside = 100.0 * (times.p99().as_secs_f64() / without - 1.0);
        println!("| {name} | {} | {} | {beside:+.1}% |", millis(times.median()), millis(times.p99()));
    }
    writers.shutdown().await;
    for (_, gate) in &gates {
        gate.flush_decisions(Clock::system().now()).await?;
    }
    drop(gates);
    database.close().await;
    Ok(())
}
