//! The HTTP edge: GraphQL, policies, health, metrics, and GraphiQL in development mode.
//!
//! It reads requests within bounds, finds out who sends them, hands them on, and answers in the terms of HTTP. It must never answer
//! from anything but a [`directory::access::Directory`], nor take a credential from anywhere but the `Authorization` header:
//! without cookies there is nothing for another site to forge with. To add a page: its handler in a module here, its row in `routes`,
//! its codes in `docs/errors.md`.

mod auth;
mod body;
mod code;
mod decisions;
mod failure;
mod graphiql;
mod graphql;
mod health;
mod json;
mod limits;
mod metrics;
mod observe;
pub(crate) mod policies;
mod request_id;
mod server;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use poem::{Endpoint, Request, Response, Route, http::Method};

use crate::app::App;
pub use code::Code;
use failure::Failure;
pub use graphiql::DemoPeople;
pub use metrics::Metrics;
use observe::Observed;
use request_id::RequestId;
pub use server::serve;

/// Every page of the server.
pub fn router(app: Arc<App>) -> impl Endpoint<Output = Response> {
    routes(&Arc::new(Edge::new(app)))
}

/// What every handler shares.
struct Edge {
    app: Arc<App>,
    metrics: Metrics,
    persisted: graphql::Persisted,
    stopping: AtomicBool,
}

impl Edge {
    fn new(app: Arc<App>) -> Self {
        Self { app, metrics: Metrics::of_process(), persisted: graphql::Persisted::default(), stopping: AtomicBool::new(false) }
    }

    /// From now on the server is not ready.
    fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

fn routes(edge: &Arc<Edge>) -> impl Endpoint<Output = Response> + use<> {
    let page = |methods: Vec<(Method, Handler)>| Page { edge: edge.clone(), methods };
    let routes = Route::new()
        .at("/", page(vec![(Method::GET, |edge, request| Box::pin(graphiql::page(edge, request)))]))
        .at("/graphiql/:file", page(vec![(Method::GET, |edge, request| Box::pin(graphiql::asset(edge, request)))]))
        .at("/demo/people", page(vec![(Method::GET, |edge, request| Box::pin(graphiql::people(edge, request)))]))
        .at(
            "/graphql",
            page(vec![
                (Method::GET, |edge, request| Box::pin(graphql::get(edge, request))),
                (Method::POST, |edge, request| Box::pin(graphql::post(edge, request))),
            ]),
        )
        .at(
            "/v1/policies",
            page(vec![
                (Method::GET, |edge, request| Box::pin(policies::list(edge, request))),
                (Method::PUT, |edge, request| Box::pin(policies::upload(edge, request))),
            ]),
        )
        .at("/v1/policies/history", page(vec![(Method::GET, |edge, request| Box::pin(policies::history(edge, request)))]))
        .at(
            "/v1/policies/tests",
            page(vec![
                (Method::GET, |edge, request| Box::pin(policies::tests(edge, request))),
                (Method::PUT, |edge, request| Box::pin(policies::set_tests(edge, request))),
            ]),
        )
        .at("/v1/policies/settings", page(vec![(Method::PUT, |edge, request| Box::pin(policies::set(edge, request)))]))
        .at("/v1/policies/rollback", page(vec![(Method::POST, |edge, request| Box::pin(policies::roll_back(edge, request)))]))
        .at("/v1/policies/decisions", page(vec![(Method::GET, |edge, request| Box::pin(decisions::export(edge, request)))]))
        .at("/v1/policies/:id/activate", page(vec![(Method::POST, |edge, request| Box::pin(policies::activate(edge, request)))]))
        .at("/healthz", page(vec![(Method::GET, |edge, request| Box::pin(health::lives(edge, request)))]))
        .at("/readyz", page(vec![(Method::GET, |edge, request| Box::pin(health::ready(edge, request)))]))
        .at("/metrics", page(vec![(Method::GET, |edge, request| Box::pin(metrics::page(edge, request)))]));
    Observed { edge: edge.clone(), routes }
}

/// Answers one method of one page.
type Handler = fn(Arc<Edge>, Request) -> Pin<Box<dyn Future<Output = Result<Response, Failure>> + Send>>;

/// A page and the methods that it knows.
struct Page {
    edge: Arc<Edge>,
    methods: Vec<(Method, Handler)>,
}

impl Endpoint for Page {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let id = id(&self.edge, &request);
        let head = *request.method() == Method::HEAD;
        let method = if head { &Method::GET } else { request.method() };
        let Some((_, handler)) = self.methods.iter().find(|(known, _)| known == method) else {
            return Ok(self.not_allowed(request.method()).into_response(&id));
        };
        let mut response = handler(self.edge.clone(), request).await.unwrap_or_else(|failure| failure.into_response(&id));
        if head {
            response.set_body(());
        }
        Ok(response)
    }
}

impl Page {
    fn not_allowed(&self, method: &Method) -> Failure {
        let known: Vec<&str> = self.methods.iter().map(|(known, _)| known.as_str()).collect();
        let shown: String = method.as_str().chars().take(16).collect();
        Failure::new(Code::METHOD_NOT_ALLOWED, format!("`{shown}` is no method of this page; use {}", known.join(" or ")))
            .with_header("allow", known.join(", "))
    }
}

/// The id that `observe` gave a request.
fn id(edge: &Edge, request: &Request) -> RequestId {
    request.data().cloned().unwrap_or_else(|| RequestId::of(request.headers(), &edge.app.clock))
}
