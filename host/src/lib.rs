//! The server and the command line of Bailiwick: GraphQL and HTTP at the edge, the directory's gate behind it.
//!
//! Nothing here reads the store or asks a policy by itself: everything goes through [`directory::access`]. Only [`wiring`] names
//! the crates `storage` and `policy`. `graphql` and `http` build wire types from `Visible` rows alone. To add an interface: a module
//! beside `graphql` that is handed a [`directory::access::Directory`].

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod error;
pub mod follow;
pub mod graphql;
pub mod http;
pub mod ids;
pub mod organisations;
mod policy_change;
mod policy_history;
pub mod reference;
pub mod secret;
pub mod tokens;
pub mod trials;
pub mod wiring;
