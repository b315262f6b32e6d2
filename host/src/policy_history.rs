//! The history of a workspace's policy as JSON: the same over HTTP and at the command line.

use directory::model::{Author, PolicyGate, Timestamp, ToldReason, ToldStep};
use serde_json::{Value, json};

/// A step of the history. What is withheld is null, and named.
pub(crate) fn step(step: &ToldStep) -> Value {
    let withheld = [(step.by.shown().is_none(), "by"), (step.peer.shown().is_none(), "peer"), (step.note.shown().is_none(), "note")];
    json!({
        "number": step.number.0,
        "step": step.step.name(),
        "at": instant(step.at),
        "by": step.by.shown().map(author),
        "via": step.via,
        "peer": step.peer.shown().copied().flatten().map(|peer| peer.to_string()),
        "module": step.module.map(|module| module.to_string()),
        "digest": step.digest.map(|digest| digest.to_string()),
        "version": step.version.map(|version| version.to_string()),
        "note": step.note.shown().cloned().flatten(),
        "reasons": step.reasons.iter().map(reason).collect::<Vec<_>>(),
        "withheld": withheld.into_iter().filter(|(withheld, _)| *withheld).map(|(_, name)| name).collect::<Vec<_>>(),
    })
}

fn author(author: &Author) -> Value {
    match author {
        Author::User(id) => json!({ "kind": "user", "id": id.to_string() }),
        Author::Service(id) => json!({ "kind": "service", "id": id.to_string() }),
        Author::Operator => json!({ "kind": "operator", "id": null }),
    }
}

/// A reason as JSON.
pub(crate) fn reason(reason: &ToldReason) -> Value {
    json!({ "gate": reason.gate.map(PolicyGate::name), "text": reason.text })
}

/// An instant as RFC 3339 writes it; null for those that it cannot write.
pub(crate) fn instant(at: Timestamp) -> Option<String> {
    jiff::Timestamp::from_microsecond(at.0).ok().map(|instant| format!("{instant:.6}"))
}
