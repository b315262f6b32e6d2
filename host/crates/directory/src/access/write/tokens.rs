//! Tokens of users and services.

use super::{Plan, Planning, check, targets::Problems};
use crate::access::{
    Directory, Sealed, Visible,
    facts::{Deed, Facts, Planned, RowSet},
};
use crate::{
    Error, Problem,
    change::Change,
    ids::{RoleId, TokenId},
    limits::TEXT_CHARS,
    model::{Field, Role, Timestamp, Token, TokenKind, Version},
    register::{self, Kind},
};

/// A new token. Its id and secret are made where tokens are written and read.
#[derive(Clone, Debug)]
pub struct CreateToken {
    /// The token; a personal one is its maker's own.
    pub token: Token,
    /// SHA-256 of the secret as presented.
    pub hash: [u8; 32],
}

/// A token stops working at once.
#[derive(Clone, Debug)]
pub struct RevokeToken {
    /// Which.
    pub token: TokenId,
}

impl Directory {
    /// The tokens that work and that the subject may see, newest first, at most [`crate::limits::TOKENS`].
    ///
    /// # Errors
    /// Those of policy and store.
    pub async fn tokens(&self) -> Result<Vec<Visible<Token>>, Error> {
        let rows: Vec<Token> = self.snapshot.lock().await.tokens(self.now).await?.into_iter().map(Sealed::open).collect();
        Ok(self.seen_tokens(rows).await?.into_iter().map(Visible::new).collect())
    }

    async fn seen_tokens(&self, rows: Vec<Token>) -> Result<Vec<Token>, Error> {
        let decisions = self.decide_facts(&Kind::Token.read(), Kind::Token, &Facts::Rows(RowSet::Tokens(&rows)), rows.len()).await?;
        Ok(rows.into_iter().zip(decisions).filter(|(_, decision)| decision.allows()).map(|(row, _)| row).collect())
    }

    /// See [`CreateToken`].
    pub(super) async fn plan_create_token(&self, asked: &CreateToken) -> Planning {
        let mut problems = Problems::default();
        let name = problems.keep("name", check::line(&asked.token.name, TEXT_CHARS)).unwrap_or_default();
        let scopes = &asked.token.scopes;
        for (position, scope) in scopes.iter().enumerate() {
            if register::action(scope).is_none() {
                let message = format!("`{scope}` is no action; the register in the docs lists them");
                problems.add(&format!("scopes.{position}"), Error::Invalid(message));
            }
        }
        match (asked.token.kind, self.subject.user()) {
            (TokenKind::Personal, None) => {
                problems.add("kind", Error::Invalid("a service is no person; make a `SERVICE` token".to_owned()));
            }
            (TokenKind::Service, _) if scopes.is_empty() => {
                problems.add("scopes", Error::Invalid("a service may do what its scopes name; name at least one".to_owned()));
            }
            (TokenKind::Operator, _) => problems.add("kind", Error::Invalid("operators' tokens are made at the command line".to_owned())),
            _ => {}
        }
        if asked.token.expires_at.is_some_and(|end| end <= self.now) {
            problems.add("expiresAt", Error::Invalid("the token would be expired already; name an instant to come".to_owned()));
        }
        self.keep_ceiling(&asked.token, &mut problems);
        let token = Token {
            name,
            scopes: scopes.iter().filter(|scope| register::action(scope).is_some()).cloned().collect(),
            user: self.subject.user().filter(|_| asked.token.kind == TokenKind::Personal),
            created_by: self.subject.user(),
            created_at: self.now,
            ..asked.token.clone()
        };
        let set = [(true, "name"), (!token.scopes.is_empty(), "scopes"), (token.expires_at.is_some(), "expiresAt")];
        let fields: Vec<String> = set.into_iter().filter(|(set, _)| *set).map(|(_, field)| field.to_owned()).collect();
        // What a service may do is handed on to it, as a role is to a person.
        let handed = (token.kind == TokenKind::Service).then(|| role_of(&token));
        let parties = handed.iter().map(|role| ("role", RowSet::Roles(std::slice::from_ref(role)))).collect();
        let planned = Planned::default();
        let deed =
            Deed { rows: None, fields: &fields, after: Some(RowSet::Tokens(std::slice::from_ref(&token))), parties, planned: &planned };
        let mut refused = Problems::default();
        self.permit("token.create", Kind::Token, &deed, |_| String::new(), &mut refused).await?;
        problems.judged(refused)?;
        let answer = vec![token.id.0];
        Ok(Plan::of(Change::CreateToken { token, hash: asked.hash }, answer))
    }

    /// INVARIANT: no token makes one that reaches further than itself, or lives longer.
    fn keep_ceiling(&self, token: &Token, problems: &mut Problems) {
        if let Some(end) = self.subject.expires_at
            && token.expires_at.is_none_or(|new| new > end)
        {
            let message = "the token that asks expires, so that the new one must not live longer; name an instant up to its own".to_owned();
            problems.add("expiresAt", Error::Invalid(message));
        }
        let scopes = &token.scopes;
        let Some(ceiling) = &self.subject.scopes else { return };
        if scopes.is_empty() {
            let message = "the token that asks is limited, so that the new one must be; name scopes among its own".to_owned();
            problems.add("scopes", Error::Invalid(message));
        }
        for (position, scope) in scopes.iter().enumerate().filter(|(_, scope)| !ceiling.contains(scope)) {
            let message = format!("`{scope}` is beyond the scopes of the token that asks; leave it out");
            problems.add(&format!("scopes.{position}"), Error::Invalid(message));
        }
    }

    /// See [`RevokeToken`].
    pub(super) async fn plan_revoke_token(&self, asked: &RevokeToken) -> Planning {
        let found = self.snapshot.lock().await.token(asked.token).await?.map(Sealed::open);
        let seen = self.seen_tokens(found.into_iter().collect()).await?.into_iter().next();
        let token = seen.ok_or_else(|| Problem::at("tokenId", Error::NotFound(format!("token `{}`", asked.token))))?;
        let planned = Planned::default();
        let rows = RowSet::Tokens(std::slice::from_ref(&token));
        let deed = Deed { rows: Some(rows), fields: &[], after: None, parties: Vec::new(), planned: &planned };
        let mut problems = Problems::default();
        self.permit("token.revoke", Kind::Token, &deed, |_| "tokenId".to_owned(), &mut problems).await?;
        problems.none()?;
        Ok(Plan::of(Change::RevokeToken(token.id), vec![token.id.0]))
    }
}

/// The role that a service's scopes come to.
fn role_of(token: &Token) -> Role {
    Role {
        id: RoleId(uuid::Uuid::nil()),
        key: Field::Shown(String::new()),
        name: Field::Shown(token.name.clone()),
        description: Field::Shown(None),
        builtin: Field::Shown(false),
        permissions: Field::Shown(token.scopes.clone()),
        created_by: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        version: Version(0),
        withheld: Vec::new(),
    }
}
