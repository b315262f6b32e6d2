//! Failures of the gate as GraphQL errors.

use async_graphql::ErrorExtensions as _;
use directory::Error;

use crate::error;

/// What a nullable field that can fail resolves to: absent or withheld is `None`, a failure is null with an error at its path.
///
/// A `Result` around the option would drop the key from the response (measured with async-graphql 7.2).
pub(super) type Maybe<T> = Option<async_graphql::Result<T>>;

/// Characters of a message. What it quotes may come from the request, and a field may fail once for every row.
const MESSAGE_CHARS: usize = 500;

/// A failure on the wire, internals masked and logged.
pub(super) fn failure(failure: &Error) -> async_graphql::Error {
    error::log(failure);
    let (_, code) = error::wire(failure);
    let mut message = error::message(failure);
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS) {
        message.truncate(end);
        message.push('…');
    }
    let wire = async_graphql::Error::new(message);
    wire.extend_with(|_, extensions| extensions.set("code", code))
}

/// A result as a field: `Ok` shown, `Err` null with an error.
pub(super) fn shown<T>(result: Result<T, Error>) -> Maybe<T> {
    Some(result.map_err(|error| failure(&error)))
}

/// A result that may be absent: absent is null without an error.
pub(super) fn maybe<T>(result: Result<Option<T>, Error>) -> Maybe<T> {
    result.map_err(|error| failure(&error)).transpose()
}
