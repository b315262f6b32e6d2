//! Every bound of the HTTP edge, units in the names. Those on documents are in [`crate::graphql::limits`].

/// Bytes of a body of `/graphql`.
pub(super) const GRAPHQL_BYTES: usize = 64 * 1024;
/// Bytes of a JSON body of `/v1`: two texts of settings, every character of both escaped.
pub(super) const JSON_BYTES: usize = 1024 * 1024;
/// Bytes past its limit that a body may go on for before the connection is cut: most clients only then look for the answer.
pub(super) const LINGER_BYTES: usize = 1024 * 1024;
/// Bytes of a request's head, its address included: the longest document that GET can carry.
pub(super) const HEAD_BYTES: usize = 64 * 1024;
/// Header lines of one request.
pub(super) const HEADERS: usize = 64;
/// Operations in one batch.
pub(super) const BATCH: usize = 10;
/// Errors that one refused document is answered with.
pub(super) const ERRORS: usize = 20;
/// Documents that are kept for those who send their SHA-256 only.
pub(super) const PERSISTED: usize = 1_000;
/// Bytes of all of them.
pub(super) const PERSISTED_BYTES: usize = 16 * 1024 * 1024;
/// Characters of a request id that a caller may choose.
pub(super) const REQUEST_ID_CHARS: usize = 64;
/// Milliseconds that a change of the policy may take; compiling a large module takes ten seconds on two cores.
pub(super) const POLICY_MS: u64 = 120_000;
/// Milliseconds in which the store must answer for the server to be ready.
pub(super) const PING_MS: u64 = 2_000;
/// Workspaces that `/readyz` names because their policy does not load; how many there are it always says.
pub(super) const CLOSED: usize = 20;
/// Milliseconds between two foldings of the metrics' samples.
pub(super) const UPKEEP_MS: u64 = 5_000;
/// Milliseconds without a new connection after one could not be accepted, mostly for want of file descriptors.
pub(super) const ACCEPT_PAUSE_MS: u64 = 100;
/// Errors of fields in one answer; how many more there were is in `extensions.errorsLeftOut`.
pub(super) const FIELD_ERRORS: usize = 100;
/// Characters of one error's message.
pub(super) const MESSAGE_CHARS: usize = 500;
