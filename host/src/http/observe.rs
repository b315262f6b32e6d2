//! What happens around every request: its id, its log line, its numbers, the headers of every answer, and an end to panics.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use poem::{
    Endpoint, PathPattern, Request, Response,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};
use tracing::Instrument as _;

use super::{
    Edge, Failure,
    code::Code,
    metrics::{self, InFlight},
    request_id::{self, RequestId},
};

/// Headers of every answer that does not say otherwise.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Watches over every request to the routes within.
pub(super) struct Observed<E> {
    pub(super) edge: Arc<Edge>,
    pub(super) routes: E,
}

impl<E: Endpoint<Output = Response>> Endpoint for Observed<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let clock = &self.edge.app.clock;
        let id = RequestId::of(request.headers(), clock);
        request.set_data(id.clone());
        let (method, path) = (name(request.method()), request.uri().path().to_owned());
        let (_in_flight, began) = (InFlight::begin(), clock.now());
        let span = tracing::info_span!("request", id = id.as_str());

        let answer = AssertUnwindSafe(self.routes.call(request)).catch_unwind().instrument(span.clone()).await;
        let _entered = span.entered();
        let mut response = match answer {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => unrouted(&error, &path).into_response(&id),
            Err(_) => {
                tracing::error!(method, path, "a handler panicked");
                Failure::internal().into_response(&id)
            }
        };
        for (name, value) in HEADERS {
            response.headers_mut().entry(name).or_insert(value);
        }
        if let Ok(id) = id.as_str().parse() {
            response.headers_mut().insert(request_id::HEADER, id);
        }

        let micros = clock.now().0.saturating_sub(began.0);
        let route = response.data::<PathPattern>().map_or("none", |pattern| &*pattern.0);
        let status = response.status().as_u16();
        metrics::answered(route, method, status, Duration::from_micros(u64::try_from(micros).unwrap_or_default()));
        tracing::info!(target: "http", method, path, status, micros, "answered");
        Ok(response)
    }
}

/// Methods by name, so that strangers cannot invent labels.
fn name(method: &Method) -> &'static str {
    [("GET", Method::GET), ("POST", Method::POST), ("PUT", Method::PUT), ("HEAD", Method::HEAD), ("OPTIONS", Method::OPTIONS)]
        .into_iter()
        .find_map(|(name, known)| (known == *method).then_some(name))
        .unwrap_or("other")
}

fn unrouted(error: &poem::Error, path: &str) -> Failure {
    if error.status() == StatusCode::NOT_FOUND {
        let shown: String = path.chars().take(64).collect();
        return Failure::new(Code::NOT_FOUND, format!("there is nothing at `{shown}`; GraphQL is at `/graphql`"));
    }
    tracing::error!(%error, "a route failed");
    Failure::internal()
}
