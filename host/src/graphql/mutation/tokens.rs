//! Mutations of tokens.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use directory::{
    access::{Command, CreateToken, RevokeToken},
    model::TokenKind,
};

use super::{
    Outcome, payload, perform,
    users::{id, performed},
    writer,
};
use crate::{
    graphql::{
        error::{Maybe, maybe},
        scalar::DateTime,
        token::{TokenNode, find},
    },
    ids::Ids,
    tokens,
};

/// What kind of token to make.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(in crate::graphql) enum NewTokenKind {
    /// Acts as the viewer.
    Personal,
    /// Acts as a service of the workspace, which may do what its scopes name and the policy allows.
    Service,
}

/// What `createToken` makes.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct CreateTokenInput {
    /// What kind.
    kind: NewTokenKind,
    /// For people, to know it by.
    name: String,
    /// Names of actions, `kind.verb`, beyond which the token does not reach. A personal token without any does what the viewer may.
    scopes: Option<Vec<String>>,
    /// When it stops working; never if none is given.
    expires_at: Option<DateTime>,
}

/// Which token.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RevokeTokenInput {
    /// Which token.
    token_id: ID,
}

payload! {
    /// The answer to `createToken`.
    CreateTokenPayload {
        /// The token, as far as the viewer may see it.
        token: TokenNode,
        /// What `Authorization: Bearer` carries. It is shown this once, and stored nowhere.
        secret: String,
    }
}

payload! {
    /// The answer to `revokeToken`.
    RevokeTokenPayload {
        /// The id of the token that does not work any more.
        revoked_token_id: ID,
    }
}

#[derive(Default)]
pub(super) struct TokenMutations;

/// Mutations of tokens.
#[Object]
impl TokenMutations {
    /// Makes a token of the viewer's own, or of a service.
    async fn create_token(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: CreateTokenInput,
    ) -> Maybe<CreateTokenPayload> {
        let (writer, subject) = match writer(context) {
            Ok(writer) => writer,
            Err(error) => return Some(Err(error)),
        };
        let request = tokens::Request {
            kind: match input.kind {
                NewTokenKind::Personal => TokenKind::Personal,
                NewTokenKind::Service => TokenKind::Service,
            },
            name: input.name,
            user: subject.user().filter(|_| input.kind == NewTokenKind::Personal),
            scopes: input.scopes.unwrap_or_default(),
            expires_at: input.expires_at.map(|at| at.0),
            created_at: writer.clock.now(),
        };
        let issued = tokens::issue(request, &mut Ids::random(writer.clock.clone()));
        let command = Command::CreateToken(CreateToken { token: issued.change.token, hash: issued.change.hash });
        Some(match perform(context, command).await {
            Ok(Outcome::Done(done, directory)) => {
                let token = maybe(find(&directory, &done.ids).await);
                Ok(CreateTokenPayload { token, secret: Some(Ok(issued.text)), user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => Ok(CreateTokenPayload { token: None, secret: None, user_errors }),
            Err(error) => Err(error),
        })
    }

    /// Makes a token stop working at once.
    async fn revoke_token(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: RevokeTokenInput,
    ) -> Maybe<RevokeTokenPayload> {
        let command = id(&input.token_id, "tokenId").map(|token| Command::RevokeToken(RevokeToken { token }));
        Some(performed(context, command).await.map(|outcome| match outcome {
            Outcome::Done(..) => RevokeTokenPayload { revoked_token_id: Some(Ok(input.token_id)), user_errors: Vec::new() },
            Outcome::Refused(user_errors) => RevokeTokenPayload { revoked_token_id: None, user_errors },
        }))
    }
}
