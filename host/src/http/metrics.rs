//! Numbers about the server, as Prometheus text. Nothing in them names a workspace or a person.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use poem::Response;

use super::{Edge, Failure};

/// Bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The process's metrics. There is one recorder in a process, whoever asks for it first.
#[derive(Clone)]
pub struct Metrics(Option<PrometheusHandle>);

impl Metrics {
    /// The process's metrics; installs their recorder if nobody has installed one.
    #[must_use]
    pub fn of_process() -> Self {
        static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let install = || {
            let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS);
            match builder.and_then(PrometheusBuilder::install_recorder) {
                Ok(handle) => Some(handle),
                Err(error) => {
                    tracing::error!(%error, "metrics are off");
                    None
                }
            }
        };
        Self(HANDLE.get_or_init(install).clone())
    }

    /// Folds the samples that were taken; without it they pile up until somebody asks for them.
    pub(super) fn upkeep(&self) {
        if let Some(handle) = &self.0 {
            handle.run_upkeep();
        }
    }

    fn text(&self) -> String {
        self.0.as_ref().map(PrometheusHandle::render).unwrap_or_default()
    }
}

/// `GET /metrics`.
pub(super) async fn page(edge: Arc<Edge>, _: poem::Request) -> Result<Response, Failure> {
    // Asked for here and now, rather than kept up to date.
    let (closed, _) = edge.app.gate.closed(0);
    let closed = format!("# TYPE policy_closed_workspaces gauge\npolicy_closed_workspaces {closed}\n");
    Ok(Response::builder().content_type("text/plain; version=0.0.4; charset=utf-8").body(edge.metrics.text() + &closed))
}

/// A request that is being answered; no longer once dropped.
pub(super) struct InFlight;

impl InFlight {
    pub(super) fn begin() -> Self {
        gauge!("http_requests_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("http_requests_in_flight").decrement(1.0);
    }
}

/// Counts an answered request.
pub(super) fn answered(route: &str, method: &'static str, status: u16, took: Duration) {
    let route = route.to_owned();
    counter!("http_requests_total", "route" => route.clone(), "method" => method, "code" => status.to_string()).increment(1);
    histogram!("http_request_seconds", "route" => route).record(took);
}

/// Counts a GraphQL error.
pub(super) fn graphql_error(code: &'static str) {
    counter!("graphql_errors_total", "code" => code).increment(1);
}
