//! What the server's handlers share.

use std::sync::Arc;

use directory::access::Gate;

use crate::{clock::Clock, config::Config, graphql, http};

/// The server's parts. Cheap to share behind an `Arc`.
pub struct App {
    /// The way to every workspace.
    pub gate: Arc<Gate>,
    /// The GraphQL schema.
    pub schema: graphql::Schema,
    /// The clock.
    pub clock: Clock,
    /// How the server is set up.
    pub config: Config,
    /// Encrypts positions in lists.
    pub cursors: graphql::Cursors,
    /// Whose tokens GraphiQL offers; `None` but for the demo.
    pub demo: Option<http::DemoPeople>,
}
