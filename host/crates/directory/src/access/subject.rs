//! Who asks. Established once for each request, here and nowhere else.

use std::net::IpAddr;

use super::{Directory, Operator, OperatorVia};
use crate::{
    Error,
    ids::{TokenId, UserId, WorkspaceId},
    model::{Status, Timestamp, TokenKind},
    store::Store,
};

/// Someone whose reach a policy decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The workspace of the request. There is no way to reach another one.
    pub workspace: WorkspaceId,
    /// A person or a service.
    pub actor: Actor,
    /// The permissions that its token is limited to; `None` for all that a user has.
    pub scopes: Option<Vec<String>>,
    /// When its token stops working; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// How and from where its request came.
    pub origin: Origin,
}

/// How and from where a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `graphql`, `http` or `cli`; policies are shown it.
    pub via: &'static str,
    /// The address at the other end of the connection: behind a proxy, the proxy's. For the history only; no policy is shown it.
    pub peer: Option<IpAddr>,
    /// The SHA-256 of the token that was presented, for work that takes so long that it may be revoked meanwhile.
    pub token: Option<[u8; 32]>,
}

impl Origin {
    /// From within the server: no connection.
    #[must_use]
    pub const fn within(via: &'static str) -> Self {
        Self { via, peer: None, token: None }
    }
}

/// A person or a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A user of the workspace, active when the request began.
    User(UserId),
    /// A service of the workspace, named by its token.
    Service(TokenId),
}

impl Subject {
    /// The user, if it is one.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self.actor {
            Actor::User(id) => Some(id),
            Actor::Service(_) => None,
        }
    }

    /// The id of the user or of the service, without its type.
    #[must_use]
    pub const fn id(&self) -> uuid::Uuid {
        match self.actor {
            Actor::User(id) => id.0,
            Actor::Service(id) => id.0,
        }
    }

    /// The ceiling that the token sets, before any policy is asked.
    #[must_use]
    pub fn may_attempt(&self, action: &str) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|scope| scope == action))
    }
}

/// Who presented a token.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Someone whose reach a policy decides.
    Subject(Subject),
    /// The operator.
    Operator(Operator),
}

/// Why a token was not accepted. Told apart only to whoever holds the right secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No token with this secret.
    #[error("the token is unknown; check that it was copied whole, or ask an administrator for a new one")]
    Unknown,
    /// It was revoked.
    #[error("the token was revoked; ask an administrator for a new one")]
    Revoked,
    /// It is too old.
    #[error("the token has expired; ask an administrator for a new one")]
    Expired,
    /// Its user is not active.
    #[error("the user of this token is not active; ask an administrator of the workspace")]
    NotActive,
}

impl Directory {
    /// Requires that the token with which somebody came was not revoked since, for a change that is to find the epoch of this view: a
    /// revocation ends the epoch, so that nothing is changed after it.
    ///
    /// # Errors
    /// [`Error::Revoked`]; those of the store.
    pub(super) async fn still_accepted(&self) -> Result<(), Error> {
        let Some(hash) = self.subject.origin.token else { return Ok(()) };
        if self.snapshot.lock().await.accepts(hash).await? { Ok(()) } else { Err(Error::Revoked) }
    }
}

/// Finds out who presents the SHA-256 of a token.
///
/// # Errors
/// The outer one is the store's.
pub async fn authenticate(store: &dyn Store, hash: [u8; 32], now: Timestamp, origin: Origin) -> Result<Result<Caller, Rejection>, Error> {
    let Some(credential) = store.credential(hash).await? else { return Ok(Err(Rejection::Unknown)) };
    if credential.revoked {
        return Ok(Err(Rejection::Revoked));
    }
    if credential.expires_at.is_some_and(|end| end <= now) {
        return Ok(Err(Rejection::Expired));
    }
    let (actor, scopes) = match (credential.kind, credential.user) {
        (TokenKind::Operator, _) => return Ok(Ok(Caller::Operator(Operator::new(OperatorVia::Token).coming_from(origin.peer)))),
        (TokenKind::Personal, Some((user, Status::Active))) => {
            (Actor::User(user), Some(credential.scopes).filter(|scopes| !scopes.is_empty()))
        }
        (TokenKind::Personal, _) => return Ok(Err(Rejection::NotActive)),
        (TokenKind::Service, _) => (Actor::Service(credential.token), Some(credential.scopes)),
    };
    let Some(workspace) = credential.workspace else { return Ok(Err(Rejection::Unknown)) };
    Ok(Ok(Caller::Subject(Subject {
        workspace,
        actor,
        scopes,
        expires_at: credential.expires_at,
        origin: Origin { token: Some(hash), ..origin },
    })))
}
