//! Measures Bailiwick beside the alternatives, in one run, and prints the tables of `docs/benchmarks.md`.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml [-- PEOPLE...]` runs everything; `PEOPLE` are the sizes of the listed
//! workspaces (100,000 and 1,000,000 if none is given). Neighbours, the decision log, the tree, swaps and starts always have the sizes of
//! their bars; `-- neighbours`, `-- log`, `-- trees`, `-- swap` and `-- start` run nothing else. Postgres is measured when
//! `BAILIWICK_BENCH_POSTGRES` names a database to write into; the output says so when it is not. Times are medians and 99th percentiles of
//! single calls.

mod check;
mod desk;
mod forest;
#[expect(dead_code, reason = "the suite of hostile guests makes more of them than the benchmark")]
#[path = "../../tests/it/hostile/guest.rs"]
mod guest;
#[path = "../../tests/it/hostile/image.rs"]
mod image;
mod lists;
mod log;
mod measure;
mod native;
mod neighbours;
mod parser;
mod people;
mod served;
mod start;
mod swap;
mod trees;

use std::process::ExitCode;

use anyhow::Result;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The sandbox has its modules compiled by the program that it is in; and that program is the server that starts and swaps.
    if arguments.first().is_some_and(|first| ["compile-module", "serve"].contains(&first.as_str())) {
        return Ok(bailiwick::cli::main());
    }
    tokio::runtime::Runtime::new()?.block_on(run(arguments))?;
    Ok(ExitCode::SUCCESS)
}

/// What is measured whatever the sizes, and alone if it is named.
const PARTS: [&str; 5] = ["neighbours", "log", "trees", "swap", "start"];

async fn run(arguments: Vec<String>) -> Result<()> {
    let postgres = std::env::var("BAILIWICK_BENCH_POSTGRES").ok();
    let named = arguments.first().filter(|first| PARTS.contains(&first.as_str()));
    if named.is_none() {
        let sizes: Vec<u64> = arguments.iter().map(|size| size.replace('_', "").parse()).collect::<Result<_, _>>()?;
        let sizes = if sizes.is_empty() { vec![100_000, 1_000_000] } else { sizes };
        check::run().await?;
        parser::run();
        for size in sizes {
            lists::run(size, "SQLite", None).await?;
            if let Some(url) = &postgres {
                lists::run(size, "Postgres", Some(url.clone())).await?;
            }
        }
    }
    for part in PARTS.into_iter().filter(|part| named.is_none_or(|named| named == part)) {
        measure_part(part, "SQLite", None).await?;
        if let Some(url) = &postgres {
            measure_part(part, "Postgres", Some(url.clone())).await?;
        }
    }
    if postgres.is_none() {
        println!("\nPostgres: not measured; set BAILIWICK_BENCH_POSTGRES to the URL of an empty database.\n");
    }
    Ok(())
}

async fn measure_part(part: &str, name: &str, url: Option<String>) -> Result<()> {
    match part {
        "neighbours" => neighbours::run(name, url).await,
        "log" => log::run(name, url).await,
        "swap" => swap::run(name, url).await,
        "start" => start::run(name, url).await,
        _ => trees::run(name, url).await,
    }
}
