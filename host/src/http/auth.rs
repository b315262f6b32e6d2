//! Who sends a request: the token of its `Authorization` header, looked up once.

use std::net::SocketAddr;

use directory::access::{Caller, Origin, authenticate};
use poem::{
    Request,
    http::{HeaderMap, header::AUTHORIZATION},
};

use super::{Edge, Failure, code::Code};
use crate::tokens;

/// Finds out who sends a request; `None` if it does not say.
pub(super) async fn caller(edge: &Edge, request: &Request, via: &'static str) -> Result<Option<Caller>, Failure> {
    let Some(token) = bearer(request.headers())? else { return Ok(None) };
    let app = &edge.app;
    let origin = Origin { peer: request.remote_addr().as_socket_addr().map(SocketAddr::ip), ..Origin::within(via) };
    let caller = authenticate(app.gate.store().as_ref(), tokens::hash(token), app.clock.now(), origin).await?;
    caller.map(Some).map_err(|rejection| rejected(rejection.to_string()))
}

/// What an anonymous caller is told where a token is needed.
pub(super) fn missing() -> Failure {
    Failure::new(Code::UNAUTHENTICATED, "this needs a token; send it as `Authorization: Bearer TOKEN`")
        .with_header("www-authenticate", "Bearer")
}

/// The token as sent (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    let token = value.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match (token, sent.next()) {
        (Some((_, token)), None) if !token.trim().is_empty() => Ok(Some(token.trim())),
        _ => Err(rejected("the `Authorization` header is not one `Bearer TOKEN`; correct it, or leave it out".to_owned())),
    }
}

fn rejected(message: String) -> Failure {
    Failure::new(Code::UNAUTHENTICATED, message).with_header("www-authenticate", "Bearer error=\"invalid_token\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_bearer_token_is_a_token() {
        let sent = |values: &[&str]| {
            let headers: HeaderMap = values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect();
            bearer(&headers).map(|token| token.map(str::to_owned)).map_err(|failure| failure.code)
        };
        assert_eq!(sent(&[]), Ok(None));
        assert_eq!(sent(&["Bearer abc"]), Ok(Some("abc".to_owned())));
        assert_eq!(sent(&["bearer  abc "]), Ok(Some("abc".to_owned())));
        for refused in [&["abc"][..], &["Basic abc"], &["Bearer"], &["Bearer "], &["Bearer a", "Bearer b"]] {
            assert_eq!(sent(refused), Err(Code::UNAUTHENTICATED), "{refused:?}");
        }
    }
}
