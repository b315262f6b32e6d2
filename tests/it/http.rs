//! The HTTP edge over real sockets, on the demo's workspaces.

mod graphql;
mod pages;
mod policies;
mod server;
mod site;
