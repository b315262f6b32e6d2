//! Whether the process lives, and whether it can do its work.

use std::{sync::Arc, time::Duration};

use poem::{Response, http::StatusCode};
use serde_json::json;

use super::{Edge, Failure, failure::json_response, limits::PING_MS};

/// `GET /healthz`: the process lives.
pub(super) async fn lives(_: Arc<Edge>, _: poem::Request) -> Result<Response, Failure> {
    Ok(json_response(StatusCode::OK, &json!({ "status": "ok" })))
}

/// `GET /readyz`: the store answers, the embedded policy and the active ones are loaded, and the server is not about to stop.
pub(super) async fn ready(edge: Arc<Edge>, _: poem::Request) -> Result<Response, Failure> {
    let mut failing = Vec::new();
    if edge.stopping() {
        failing.push("server: it is stopping");
    }
    if !store_answers(&edge).await {
        failing.push("store: it does not answer");
    }
    let gate = &edge.app.gate;
    if let Err(error) = gate.engine().load(gate.standard()).await {
        tracing::warn!(target: "policy", %error, "the embedded policy does not load");
        failing.push("policy: the embedded policy does not load");
    }
    if gate.is_loading() {
        failing.push("policies: active modules are still being compiled");
    }
    Ok(if failing.is_empty() {
        json_response(StatusCode::OK, &json!({ "status": "ready" }))
    } else {
        json_response(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "unready", "failing": failing }))
    })
}

async fn store_answers(edge: &Edge) -> bool {
    match tokio::time::timeout(Duration::from_millis(PING_MS), edge.app.gate.store().ping()).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "the store does not answer");
            false
        }
        Err(_) => {
            tracing::warn!(PING_MS, "the store does not answer in time");
            false
        }
    }
}
