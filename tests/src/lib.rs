//! What the acceptance tests are made of: the real server in process, and a naive reading of the contract to compare it with.
//!
//! [`host`] starts the server on each database. [`model`] is a workspace in memory, [`generate`] makes random ones with random
//! policies and queries, [`naive`] says what the server must answer: from the contract's pages alone, row by row, sharing no code
//! with the kit, the guests or the host. [`answers`] holds what every answer must keep whatever it says. To add a query to the
//! comparison: its field in `naive::server`, and its place in `generate::queries`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it must be"
)]

pub mod answers;
pub mod dice;
pub mod document;
pub mod generate;
pub mod host;
pub mod model;
pub mod naive;
pub mod postgres;
pub mod program;
pub mod stored;

pub use host::{Backend, TestHost, on_each_database, on_each_database_in_one_thread};

/// Says that a part of the tests does not run, past the test runner, which hides what passing tests print.
pub fn skipped(what: &str) {
    use std::io::Write as _;
    let line = format!("SKIPPED: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
