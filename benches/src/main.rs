//! Measures Bailiwick beside the alternatives, in one run, and prints the tables of `docs/benchmarks.md`.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml [-- PEOPLE...]` runs everything; `PEOPLE` are the sizes of the listed
//! workspaces (100,000 and 1,000,000 if none is given); the tree always has the size of its bar, and is all that `-- trees` runs, as the
//! decision log is all that `-- log` runs. Postgres is measured when
//! `BAILIWICK_BENCH_POSTGRES` names a database to write into; the output says so when it is not. Times are medians and 99th
//! percentiles of single calls.

mod check;
mod desk;
mod forest;
mod lists;
mod log;
mod measure;
mod native;
mod parser;
mod people;
mod trees;

use std::process::ExitCode;

use anyhow::Result;

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The sandbox has its modules compiled by the program that it is in.
    if arguments.first().is_some_and(|first| first == "compile-module") {
        return Ok(bailiwick::cli::main());
    }
    tokio::runtime::Runtime::new()?.block_on(run(arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: Vec<String>) -> Result<()> {
    let postgres = std::env::var("BAILIWICK_BENCH_POSTGRES").ok();
    if arguments == ["log"] {
        return measure_log(postgres).await;
    }
    if arguments != ["trees"] {
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
        measure_log(postgres.clone()).await?;
    }
    trees::run("SQLite", None).await?;
    match postgres {
        Some(url) => trees::run("Postgres", Some(url)).await?,
        None => println!("\nPostgres: not measured; set BAILIWICK_BENCH_POSTGRES to the URL of an empty database.\n"),
    }
    Ok(())
}

async fn measure_log(postgres: Option<String>) -> Result<()> {
    log::run("SQLite", None).await?;
    match postgres {
        Some(url) => log::run("Postgres", Some(url)).await,
        None => Ok(()),
    }
}
