//! Tokens: `bwk_` or (for the operator) `bwo_`, the token's id, and 32 secret bytes. Only the SHA-256 of the whole is stored.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use directory::{
    ids::{TokenId, UserId},
    model::{Timestamp, Token, TokenKind},
    store::{CreateToken, IdSource},
};
use sha2::{Digest as _, Sha256};

use crate::{
    ids,
    secret::{Purpose, Secret},
};

/// The beginning of tokens of users and services.
const OF_WORKSPACES: &str = "bwk";
/// The beginning of tokens of the operator.
const OF_OPERATOR: &str = "bwo";
/// Bytes of what is secret in a token.
const SECRET_BYTES: usize = 32;

/// A token to be stored, and the text that its holder presents, shown once.
pub struct Issued {
    /// What `Authorization: Bearer` carries.
    pub text: String,
    /// What is stored.
    pub change: CreateToken,
}

/// Everything about a new token but its id and secret.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is for.
    pub kind: TokenKind,
    /// For people.
    pub name: String,
    /// Whom it acts as, if a user.
    pub user: Option<UserId>,
    /// The permissions that it is limited to.
    pub scopes: Vec<String>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// Now.
    pub created_at: Timestamp,
}

/// Makes a token of random bytes.
#[must_use]
pub fn issue(request: Request, source: &mut dyn IdSource) -> Issued {
    let mut secret = [0; SECRET_BYTES];
    ids::random(&mut secret);
    of(request, TokenId(source.next_id()), secret)
}

/// Makes the same token every time, for the sample workspaces: of the server's secret, the workspace's key and the user's name.
#[must_use]
pub fn derive(request: Request, server: &Secret, workspace: &str) -> Issued {
    let key = server.key(Purpose::DemoTokens);
    let mut hasher = blake3::Hasher::new_keyed(&key);
    hasher.update(workspace.as_bytes()).update(&[0]).update(request.name.as_bytes());
    let mut output = hasher.finalize_xof();
    let (mut id, mut secret) = ([0; 10], [0; SECRET_BYTES]);
    output.fill(&mut id);
    output.fill(&mut secret);
    let millis = u64::try_from(DEMO_TOKENS_SINCE.millis()).unwrap_or_default();
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &id).into_uuid();
    of(request, TokenId(id), secret)
}

/// The instant in the ids of derived tokens, which must not depend on the clock: 2026-01-01.
const DEMO_TOKENS_SINCE: Timestamp = Timestamp(1_767_225_600_000_000);

/// What is stored of a presented token.
#[must_use]
pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn of(request: Request, id: TokenId, secret: [u8; SECRET_BYTES]) -> Issued {
    let prefix = match request.kind {
        TokenKind::Personal | TokenKind::Service => OF_WORKSPACES,
        TokenKind::Operator => OF_OPERATOR,
    };
    let text = format!("{prefix}_{}_{}", id.0.simple(), URL_SAFE_NO_PAD.encode(secret));
    let Request { kind, name, user, scopes, expires_at, created_at } = request;
    let token = Token { id, kind, name, user, scopes, expires_at, created_at, created_by: None };
    Issued { change: CreateToken { token, hash: hash(&text) }, text }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn request(name: &str, kind: TokenKind) -> Request {
        let created_at = Timestamp(0);
        Request { kind, name: name.to_owned(), user: None, scopes: Vec::new(), expires_at: None, created_at }
    }

    #[test]
    fn derived_tokens_depend_on_secret_workspace_and_name_alone() {
        let secret = |digit: &str| Secret::load(Some(&digit.repeat(64)), Path::new("")).unwrap();
        let text = |digit: &str, workspace: &str, name: &str| derive(request(name, TokenKind::Personal), &secret(digit), workspace).text;
        assert_eq!(text("a", "acme", "ada"), text("a", "acme", "ada"));
        let others = [text("b", "acme", "ada"), text("a", "acm", "eada"), text("a", "acme", "bob")];
        assert!(others.iter().all(|other| *other != text("a", "acme", "ada")));
    }

    #[test]
    fn tokens_are_written_as_documented() {
        let mut source = crate::ids::Ids::seeded("tokens", Timestamp(1));
        let issued = issue(request("ops", TokenKind::Operator), &mut source);
        let parts: Vec<&str> = issued.text.splitn(3, '_').collect();
        assert_eq!((parts[0], parts[1].len(), parts[2].len()), ("bwo", 32, 43));
        assert_eq!(format!("tok_{}", parts[1]), issued.change.token.id.to_string());
        assert_eq!(issued.change.hash, hash(&issued.text));
    }
}
