//! The database: SQLite or Postgres behind the directory's [`Store`](directory::store::Store) port.
//!
//! This crate turns scopes and filters into SQL and rows into sealed rows. It must never decide who may see what, open a sealed
//! row, call a policy or reach across workspaces: every statement names `workspace_id` for each table of a workspace, which
//! leads every key. Two tables are found without one, because they tell the workspace: accounts, and tokens by their hash.
//!
//! To add a read: its method in the port, a statement as a constant above the function that runs it (`lookup` and `facts`
//! are short examples), its row constructor in `rows`, and a case in the conformance suite, which runs on both databases. A
//! statement has holes (`{}`) that only bound values and constant texts can fill; see `sql`.

mod backup;
mod batch;
mod bin;
mod cond;
mod database;
mod decisions;
mod draw;
mod error;
mod exec;
mod facts;
mod filter_sql;
mod head;
mod import;
mod keys;
pub mod limits;
mod list;
mod lookup;
mod news;
mod open_move;
mod plan;
mod policy;
mod policy_history;
mod policy_shadows;
mod policy_tests;
mod put;
mod rows;
mod scope_sql;
mod snapshot;
mod sql;
mod store;
mod streams;
mod tokens;
mod turns;
mod write;

pub use database::{Database, Options};
