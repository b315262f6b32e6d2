//! Random workspaces, subjects, policies and queries, each from dice alone.
//!
//! Sizes count up: whatever fails at a size is looked for again at smaller ones, so that what is printed is small.

pub mod policies;
pub mod queries;
pub mod worlds;

pub use policies::policy;
pub use queries::query;
pub use worlds::{asker, world};
