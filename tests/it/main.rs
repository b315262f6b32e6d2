//! The acceptance tests: through the boundary, on both databases where there are two, against naive readings written for them.
//!
//! Each module is one subject. To add one: its file, its `mod` line here, and its sentence at the top of the file.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where something is not as it must be"
)]

mod amid;
mod arrows;
mod authors;
mod between;
mod compare;
mod costs;
mod counting;
mod coverage;
mod crash;
mod docs;
mod explain;
mod gate;
mod generated;
mod hardening;
mod host;
mod hostile;
mod hosts;
mod http;
mod hurry;
mod import;
mod oracle;
mod organisations;
mod pairs;
mod policies;
mod scan;
mod shadow;
mod storage;
mod swap;
mod trials;
mod writes;
