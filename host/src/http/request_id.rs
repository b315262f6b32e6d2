//! The name of one request, in its answer, its errors and every line of its log.

use std::sync::Arc;

use directory::store::IdSource as _;
use poem::http::HeaderMap;

use super::limits::REQUEST_ID_CHARS;
use crate::{clock::Clock, ids::Ids};

/// The header that carries it, both ways.
pub(super) const HEADER: &str = "x-request-id";

/// A request's id: the caller's where it sent a plain one, else a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    pub(super) fn of(headers: &HeaderMap, clock: &Clock) -> Self {
        let sent = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_plain(id));
        Self(sent.map_or_else(|| Ids::random(clock.clone()).next_id().simple().to_string(), str::to_owned).into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether an id can stand in logs and headers as it is.
fn is_plain(id: &str) -> bool {
    (1..=REQUEST_ID_CHARS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ids_are_taken_over() {
        let id = |sent: &str| {
            let headers = [(HEADER.parse().unwrap(), sent.parse().unwrap())].into_iter().collect();
            RequestId::of(&headers, &Clock::system()).as_str().to_owned()
        };
        let longest = "x".repeat(REQUEST_ID_CHARS);
        for sent in ["a", "0190c7-A_b.c", &longest] {
            assert_eq!(id(sent), sent);
        }
        for sent in ["", "a b", "a\"b", &format!("{longest}x")] {
            let made = id(sent);
            assert!(made.len() == 32 && made != id(sent), "{sent}: {made}");
        }
    }
}
