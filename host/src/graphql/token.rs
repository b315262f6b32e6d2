//! Tokens, without their secrets.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object};
use directory::{
    Error, Visible,
    access::Directory,
    model::{Token, TokenKind},
};
use uuid::Uuid;

use super::{
    error::{Maybe, maybe},
    level::Level,
    scalar::DateTime,
    user::{IntoId as _, UserNode},
};

/// What a token acts as.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum ApiTokenKind {
    /// A user.
    Personal,
    /// A service of the workspace.
    Service,
}

/// A token of a user or service.
#[derive(Clone)]
pub(super) struct TokenNode {
    row: Visible<Token>,
    directory: Arc<Directory>,
}

/// A token of a user or service. Its secret was shown when it was made, and is stored nowhere.
#[Object(name = "Token")]
impl TokenNode {
    /// Opaque, unique on the server, and stable.
    async fn id(&self) -> ID {
        self.row.id.into_id()
    }

    /// What it acts as.
    async fn kind(&self) -> ApiTokenKind {
        if self.row.kind == TokenKind::Personal { ApiTokenKind::Personal } else { ApiTokenKind::Service }
    }

    /// For people.
    async fn name(&self) -> &str {
        &self.row.name
    }

    /// Whom it acts as; null for a service, and where the viewer may not see the user.
    async fn user(&self) -> Maybe<UserNode> {
        let user = self.row.user?;
        let found = self.directory.users(&[user]).await;
        maybe(found.map(|rows| Level::members(&self.directory, rows).into_iter().flatten().next().map(UserNode)))
    }

    /// The actions beyond which it does not reach; of a personal token, none means all that its user may.
    async fn scopes(&self) -> &[String] {
        &self.row.scopes
    }

    /// When it stops working; null for never.
    async fn expires_at(&self) -> Option<DateTime> {
        self.row.expires_at.map(DateTime)
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

/// The tokens that the viewer may see, newest first.
pub(super) async fn all(directory: &Arc<Directory>) -> Result<Vec<TokenNode>, Error> {
    let rows = directory.tokens().await?;
    Ok(rows.into_iter().map(|row| TokenNode { row, directory: directory.clone() }).collect())
}

/// The first of these tokens, if the viewer may see it.
pub(super) async fn find(directory: &Arc<Directory>, ids: &[Uuid]) -> Result<Option<TokenNode>, Error> {
    Ok(all(directory).await?.into_iter().find(|token| ids.contains(&token.row.id.0)))
}
