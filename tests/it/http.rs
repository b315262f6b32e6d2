//! The HTTP edge over real sockets, on the demo's workspaces.

mod examples;
mod graphql;
mod pages;
mod policies;
mod server;
mod site;
