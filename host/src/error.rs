//! Each failure on the wire: the one table.

use directory::Error;

/// HTTP status and stable code of a failure. GraphQL answers 200 once execution has begun, and carries the code in `extensions`.
#[must_use]
pub fn wire(error: &Error) -> (u16, &'static str) {
    match error {
        Error::Invalid(_) => (400, "BAD_USER_INPUT"),
        Error::NotSearchable { .. } => (400, "FIELD_NOT_SEARCHABLE"),
        Error::Forbidden { .. } => (403, "FORBIDDEN"),
        Error::NotFound(_) => (404, "NOT_FOUND"),
        Error::Taken(_) => (409, "CONFLICT"),
        Error::Stale(_) => (412, "STALE"),
        Error::Broken { .. } => (409, "CONFLICT"),
        Error::Item { error, .. } => wire(error),
        Error::Inactive | Error::Revoked => (401, "UNAUTHENTICATED"),
        Error::TooLarge(_) => (413, "LIMIT_EXCEEDED"),
        Error::Refused(_) | Error::Gates(_) => (422, "ACTIVATION_REFUSED"),
        Error::Policy(_) => (503, "POLICY_UNAVAILABLE"),
        Error::Store(_) => (500, "INTERNAL"),
        Error::Deadline => (503, "DEADLINE_EXCEEDED"),
    }
}

/// What a caller is told. Internals are masked: the log has them beside the request id.
#[must_use]
pub fn message(error: &Error) -> String {
    match error {
        Error::Store(_) => "the server failed; quote the request id to its operator".to_owned(),
        error => error.to_string(),
    }
}

/// Logs what a caller is not told. Call it once, where the failure is answered.
pub fn log(error: &Error) {
    match error {
        Error::Store(cause) => tracing::error!(%cause, "store failure"),
        Error::Policy(cause) => tracing::warn!(target: "policy", %cause, "policy failure"),
        _ => {}
    }
}
