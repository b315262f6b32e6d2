//! The HTTP edge over real sockets, on the demo's workspaces.

mod examples;
mod gates;
mod graphql;
mod history;
mod pages;
mod policies;
mod policy_tests;
mod server;
mod site;
mod watch;
