//! The directory's domain and its gate: types, rules and ports. No IO, SQL, HTTP, WebAssembly or wire formats.
//!
//! This crate must never depend on a database, a web or a WebAssembly crate: what it needs of them are the ports [`store`] and
//! [`contract`]. To add a kind of resource: its row in [`register`], its type in [`model`], its reads in [`store`], and its
//! opening in [`access`].

pub mod access;
pub mod change;
pub mod contract;
pub mod decisions;
mod error;
pub mod ids;
pub mod limits;
pub mod model;
pub mod query;
pub mod register;
pub mod scope;
pub mod shadow;
pub mod store;
pub mod text;
pub mod trials;

pub use access::{Sealed, Visible, Warrant};
pub use error::{Error, Problem, Refusal, Rule};
