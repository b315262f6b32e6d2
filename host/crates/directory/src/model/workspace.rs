//! Workspaces and their tokens.

use super::{Epoch, Field, Timestamp, Version};
use crate::{
    change::CodeRules,
    ids::{PolicyVersionId, TokenId, UserId, WorkspaceId},
};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Unique everywhere.
    pub id: WorkspaceId,
    /// Stable and unique on the server.
    pub key: Field<String>,
    /// For people.
    pub name: Field<String>,
    /// How many users it may have; `None` for no limit (D10).
    pub user_quota: Field<Option<u64>>,
    /// How many users it has, the recycle bin not counted.
    pub user_count: Field<u64>,
    /// What user codes must be like. Not governed with the row: `settings.read` shows it.
    pub code_rules: CodeRules,
    /// See [`Epoch`].
    pub epoch: Epoch,
    /// What decides.
    pub policy: PolicyVersionId,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How often it changed.
    pub version: Version,
    /// Names of the fields that the policy withheld; empty as stored.
    pub withheld: Vec<String>,
}

/// What a token is for (D22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Acts as a user.
    Personal,
    /// Acts as a service of the workspace.
    Service,
    /// Acts as the operator; belongs to no workspace.
    Operator,
}

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Unique everywhere.
    pub id: TokenId,
    /// See [`TokenKind`].
    pub kind: TokenKind,
    /// For people.
    pub name: String,
    /// Whom it acts as, if a user.
    pub user: Option<UserId>,
    /// The permissions that it is limited to; empty: all that the user has (a service token: none).
    pub scopes: Vec<String>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it, if a user did.
    pub created_by: Option<UserId>,
}
