//! Tokens of users and services.

use directory::{Error, ids::TokenId, limits::TOKENS, model::Token};

use super::Writer;
use crate::{exec::Row, sql::sql, tokens};

const COUNT: &str = "
select count(*)
from tokens k
where k.workspace_id = {}
  and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > {})";

/// Stores a token by the hash of its secret.
pub(super) async fn create(writer: &mut Writer, token: Token, hash: [u8; 32]) -> Result<(), Error> {
    let found = writer.tx.fetch(sql!(COUNT, writer.of, writer.now)).await?;
    let count: i64 = found.first().map_or(Ok(0), Row::only)?;
    if usize::try_from(count).is_ok_and(|count| count >= TOKENS) {
        return Err(Error::TooLarge(format!("the workspace has {count} tokens, and may have {TOKENS}; revoke some that are not needed")));
    }
    writer.tx.execute(tokens::insert(Some(writer.of), token, hash)).await.map(drop)
}

/// Makes a token stop working.
pub(super) async fn revoke(writer: &mut Writer, token: TokenId) -> Result<(), Error> {
    let revoked = writer.tx.execute(tokens::revocation(Some(writer.of), token, writer.now)).await?;
    if revoked == 0 { Err(Error::NotFound(format!("token `{token}`"))) } else { Ok(()) }
}
