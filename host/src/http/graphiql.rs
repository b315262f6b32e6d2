//! GraphiQL, in development mode only: a page of its own that needs nothing from the network.

use std::sync::Arc;

use poem::{Request, Response, http::StatusCode};
use serde_json::{Value, json};

use super::{Edge, Failure, code::Code, failure::json_response};
use crate::config::Mode;

/// The page may load what this server gives it, and nothing else.
///
/// GraphiQL's editor sets styles of its own as it runs, and starts its worker from a `blob:`.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The people of the demo with their tokens, for the page's switch.
#[derive(Clone, Debug)]
pub struct DemoPeople(Value);

impl DemoPeople {
    /// People by workspace: `[{"key", "people": [{"name", "roles", "token", ...}]}]`, passed on as it is.
    ///
    /// Whoever can open the page can act as each of them: for sample data only.
    #[must_use]
    pub fn new(workspaces: Value) -> Self {
        Self(json!({ "workspaces": workspaces }))
    }
}

/// `GET /`.
pub(super) async fn page(edge: Arc<Edge>, _: Request) -> Result<Response, Failure> {
    if !is_shown(&edge) {
        return Ok(json_response(StatusCode::OK, &json!({ "name": "Bailiwick", "graphql": "/graphql" })));
    }
    Ok(Response::builder()
        .content_type("text/html; charset=utf-8")
        .header("content-security-policy", CONTENT_SECURITY_POLICY)
        .body(include_str!("../graphiql/index.html")))
}

/// `GET /graphiql/:file`.
pub(super) async fn asset(edge: Arc<Edge>, request: Request) -> Result<Response, Failure> {
    let (content_type, body): (_, &[u8]) = match request.raw_path_param("file") {
        _ if !is_shown(&edge) => return Err(absent()),
        Some("graphiql.js") => ("text/javascript; charset=utf-8", include_bytes!("../graphiql/graphiql.js")),
        Some("graphiql.css") => ("text/css; charset=utf-8", include_bytes!("../graphiql/graphiql.css")),
        Some("licences.txt") => ("text/plain; charset=utf-8", include_bytes!("../graphiql/licences.txt")),
        _ => return Err(absent()),
    };
    Ok(Response::builder().content_type(content_type).header("cache-control", "no-cache").body(body))
}

/// `GET /demo/people`.
pub(super) async fn people(edge: Arc<Edge>, _: Request) -> Result<Response, Failure> {
    match &edge.app.demo {
        Some(DemoPeople(people)) if is_shown(&edge) => Ok(json_response(StatusCode::OK, people)),
        _ => Err(absent()),
    }
}

fn is_shown(edge: &Edge) -> bool {
    edge.app.config.mode == Mode::Development
}

fn absent() -> Failure {
    Failure::new(Code::NOT_FOUND, "there is nothing here; GraphQL is at `/graphql`")
}
