//! Whether the process lives, and whether it can do its work.

use std::{sync::Arc, time::Duration};

use directory::access::{Closed, Gate};
use poem::{Response, http::StatusCode};
use serde_json::{Value, json};

use super::{
    Edge, Failure,
    failure::json_response,
    limits::{CLOSED, MESSAGE_CHARS, PING_MS},
};

/// `GET /healthz`: the process lives.
pub(super) async fn lives(_: Arc<Edge>, _: poem::Request) -> Result<Response, Failure> {
    Ok(json_response(StatusCode::OK, &json!({ "status": "ok" })))
}

/// `GET /readyz`: the store answers, the embedded policy is loaded and the active ones were tried, and the server is not about to stop.
///
/// A workspace whose own policy does not load is named, and makes nothing unready: it is closed on every host that can not load it, and a
/// host out of rotation would be missed by all the others.
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
    let (status, mut body) = if failing.is_empty() {
        (StatusCode::OK, json!({ "status": "ready" }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "unready", "failing": failing }))
    };
    if let Some(closed) = closed(gate)
        && let Value::Object(fields) = &mut body
    {
        fields.insert("closedWorkspaces".to_owned(), closed);
    }
    Ok(json_response(status, &body))
}

/// The workspaces whose active policy does not load here, if there are any.
fn closed(gate: &Gate) -> Option<Value> {
    let (count, named) = gate.closed(CLOSED);
    let view = |closed: &Closed| {
        let reason: String = closed.why.to_string().chars().take(MESSAGE_CHARS).collect();
        json!({
            "workspace": closed.workspace.to_string(),
            "version": closed.version.to_string(),
            "digest": closed.digest.to_string(),
            "reason": reason,
        })
    };
    (count > 0).then(|| json!({ "count": count, "workspaces": named.iter().map(view).collect::<Vec<_>>() }))
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
