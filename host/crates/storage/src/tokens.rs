//! Tokens, found by the hash of their secret: the one read that happens before a workspace is known.

use directory::{
    Error, Sealed, Warrant,
    ids::{TokenId, UserId, WorkspaceId},
    limits,
    model::{Timestamp, Token},
    store::{CreateToken, Credential, RevokeToken},
};

use crate::{
    Database, head, rows,
    sql::{Sql, sql},
};

const CREDENTIAL: &str = "
select k.id, k.kind, k.name, k.workspace_id, k.user_id, k.scopes, k.expires_at, k.revoked_at, u.status
from tokens k
left join users u
  on u.workspace_id = k.workspace_id
  and u.id = k.user_id
where k.hash = {}";

/// Whom a secret stands for.
pub(crate) async fn credential(database: &Database, hash: [u8; 32]) -> Result<Option<Credential>, Error> {
    let found = database.fetch(sql!(CREDENTIAL, hash.to_vec()).fixed()).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let mut columns = row.columns();
    let token = TokenId(columns.take()?);
    let kind = rows::token_kind(&mut columns)?;
    let name = columns.take()?;
    let workspace = rows::optional(&mut columns)?.map(WorkspaceId);
    let user = rows::optional(&mut columns)?.map(UserId);
    let scopes = rows::texts(&mut columns)?;
    let expires_at = columns.take::<Option<i64>>()?.map(Timestamp);
    let revoked = columns.take::<Option<i64>>()?.is_some();
    let user = user.map(|user| Ok::<_, Error>((user, rows::status(&mut columns)?))).transpose()?;
    Ok(Some(Credential { token, kind, name, workspace, user, scopes, expires_at, revoked }))
}

const INSERT: &str = "
insert into tokens (id, workspace_id, hash, kind, user_id, name, scopes, expires_at, created_at, created_by)
values ({}, {}, {}, {}, {}, {}, {}, {}, {}, {})";

/// The statement that stores a token by the hash of its secret.
pub(crate) fn insert(workspace: Option<WorkspaceId>, token: Token, hash: [u8; 32]) -> Sql {
    sql!(
        INSERT,
        token.id,
        workspace.map(|id| id.0),
        hash.to_vec(),
        rows::token_kind_name(token.kind).to_owned(),
        token.user.map(|id| id.0),
        token.name,
        serde_json::Value::from(token.scopes).to_string(),
        token.expires_at.map(|at| at.0),
        token.created_at,
        token.created_by.map(|id| id.0),
    )
}

const USER: &str = "
select 1
from users
where workspace_id = {}
  and id = {}";

/// Stores a token.
pub(crate) async fn create(database: &Database, warrant: Warrant<CreateToken>) -> Result<(), Error> {
    let (workspace, epoch) = (warrant.workspace(), warrant.epoch());
    let CreateToken { token, hash } = warrant.into_change();
    let mut tx = database.begin_write().await?;
    if let Some(workspace) = workspace {
        head::lock(&mut tx, workspace, epoch).await?;
    }
    if let Some(user) = token.user
        && tx.fetch(sql!(USER, workspace.map(|id| id.0), user)).await?.is_empty()
    {
        return Err(Error::NotFound(format!("user `{user}`")));
    }
    tx.execute(insert(workspace, token, hash)).await?;
    tx.commit().await
}

const REVOKE: &str = "
update tokens
set revoked_at = coalesce(revoked_at, {})
where workspace_id is not distinct from {}
  and id = {}";

/// The statement that makes a token stop working.
pub(crate) fn revocation(workspace: Option<WorkspaceId>, token: TokenId, now: Timestamp) -> Sql {
    sql!(REVOKE, now, workspace.map(|id| id.0), token)
}

/// Makes a token stop working.
pub(crate) async fn revoke(database: &Database, warrant: Warrant<RevokeToken>) -> Result<(), Error> {
    let (workspace, epoch) = (warrant.workspace(), warrant.epoch());
    let RevokeToken { token, now } = warrant.into_change();
    let mut tx = database.begin_write().await?;
    if let Some(workspace) = workspace {
        head::lock(&mut tx, workspace, epoch).await?;
    }
    if tx.execute(revocation(workspace, token, now)).await? == 0 {
        return Err(Error::NotFound(format!("token `{token}`")));
    }
    if let Some(workspace) = workspace {
        head::end_epoch(&mut tx, workspace).await?;
    }
    tx.commit().await
}

const TOKENS: &str = "
select {}
from tokens k
where k.workspace_id is not distinct from {}
  and k.revoked_at is null
order by k.created_at desc, k.id desc
limit {}";

/// The tokens that were not revoked, newest first.
pub(crate) async fn list(database: &Database, workspace: Option<WorkspaceId>) -> Result<Vec<Sealed<Token>>, Error> {
    let most = i64::try_from(limits::TOKENS).unwrap_or(i64::MAX);
    let found = database.fetch(sql!(TOKENS, rows::TOKEN, workspace.map(|id| id.0), most).fixed()).await?;
    found.iter().map(|row| rows::token(&mut row.columns())).collect()
}
