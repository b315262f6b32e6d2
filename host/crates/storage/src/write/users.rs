//! Users: added, changed, suspended and activated.

use std::collections::HashMap;

use directory::{
    Error, Rule,
    change::{NewAccount, NewUser, UserAfter},
    ids::{AccountId, UserId},
    model::{Status, Version},
};

use super::{Versioned, Writer, attributes, effective, item};
use crate::{
    exec::Row,
    put::{
        self, Attributes,
        users::{New, User},
    },
    sql::{among, sql},
};

/// Adds users, all of them or none.
pub(super) async fn add(writer: &mut Writer, new: Vec<NewUser>) -> Result<(), Error> {
    let of = writer.of;
    let wanted: Vec<_> = new.iter().map(|user| (&user.account, user.account_id)).collect();
    let accounts = put::accounts::resolve(&mut writer.tx, &wanted, writer.now).await?;
    let elsewhere = put::accounts::elsewhere(&mut writer.tx, of, accounts.iter().copied()).await?;
    let mut users = Vec::with_capacity(new.len());
    for (at, (user, account)) in new.into_iter().zip(accounts).enumerate() {
        keep_exclusive(&elsewhere, account, user.exclusive).map_err(|error| item(at, error))?;
        let NewUser { id, texts, exclusive, status, attributes, .. } = user;
        users.push(New { id, account, user: User { texts, exclusive, attributes: Attributes(attributes) }, status });
    }
    if put::users::add(&mut writer.tx, of, &users, writer.by, writer.now).await? < users.len() as u64 {
        let kept_out = put::users::kept_out(&mut writer.tx, of, &users).await?;
        let refused = kept_out.and_then(|(at, rule)| Some(item(at, Error::Taken(rule.of(&users.get(at)?.user)))));
        return Err(refused.unwrap_or_else(super::stale));
    }
    let stored: Vec<_> = users.iter().map(|new| (new.id, &new.user)).collect();
    attributes::keep_unique(writer, &stored).await?;
    count(writer, users.len() as i64).await
}

/// An exclusive user is in one workspace only. The words say nothing of other workspaces.
pub(super) fn keep_exclusive(elsewhere: &HashMap<AccountId, bool>, account: AccountId, exclusive: bool) -> Result<(), Error> {
    let message = match elsewhere.get(&account) {
        Some(true) => "this person can not be added to the workspace; ask the person, or the operator of the server",
        Some(false) if exclusive => "this person can not be exclusive to the workspace; leave `exclusive` out",
        _ => return Ok(()),
    };
    Err(Error::Broken { rule: Rule::Exclusive, message: message.to_owned() })
}

const COUNT: &str = "
update workspaces
set user_count = user_count + {}
where id = {}";

const QUOTA: &str = "
select user_count, user_quota
from workspaces
where id = {}";

/// Counts users in or out; the one place where the quota is enforced.
pub(super) async fn count(writer: &mut Writer, more: i64) -> Result<(), Error> {
    writer.tx.execute(sql!(COUNT, more, writer.of)).await?;
    if more <= 0 {
        return Ok(());
    }
    let found = writer.tx.fetch(sql!(QUOTA, writer.of)).await?;
    let Some(row) = found.first() else { return Ok(()) };
    let mut columns = row.columns();
    let (users, quota): (i64, Option<i64>) = (columns.take()?, columns.take()?);
    match quota {
        Some(quota) if users > quota => Err(Error::Broken {
            rule: Rule::Quota,
            message: format!("the workspace would have {users} users, and its quota is {quota}; remove some, or have the quota raised"),
        }),
        _ => Ok(()),
    }
}

const ACCOUNT: &str = "
select account_id
from users
where workspace_id = {}
  and id = {}";

const ACCOUNT_NAME: &str = "
select c.id
from users u
join accounts c
  on c.id = u.account_id
where u.workspace_id = {}
  and u.id = {}
  and c.issuer = {}
  and c.identifier = {}";

/// The account that a user shall have: another one if the present one was named by texts that change.
async fn account_after(writer: &mut Writer, user: UserId, new: Option<&NewAccount>) -> Result<AccountId, Error> {
    if let Some(NewAccount { from, to, id }) = new {
        let named = sql!(ACCOUNT_NAME, writer.of, user, from.issuer.clone(), from.identifier.clone());
        if !writer.tx.fetch(named).await?.is_empty() {
            let resolved = put::accounts::resolve(&mut writer.tx, &[(to, *id)], writer.now).await?;
            return resolved.first().copied().ok_or_else(super::stale);
        }
    }
    account(writer, user).await
}

/// Whose membership a user is.
async fn account(writer: &mut Writer, user: UserId) -> Result<AccountId, Error> {
    let found = writer.tx.fetch(sql!(ACCOUNT, writer.of, user)).await?;
    found.first().map(Row::only).transpose()?.map(AccountId).ok_or_else(super::stale)
}

/// Writes a user as it shall be, status and edges excepted.
pub(super) async fn update(writer: &mut Writer, after: UserAfter) -> Result<(), Error> {
    writer.require_versions(Versioned::Users, &[(after.id.0, after.seen)]).await?;
    let (id, comes) = (after.id, after.exclusive || after.account.is_some());
    let user = write(writer, after, comes).await?;
    attributes::keep_unique(writer, &[(id, &user)]).await
}

/// The same, for a user whose version was looked at. Where it `comes` to its account anew, or is exclusive to the workspace, other
/// workspaces may be in the way. Unique attributes are still to be looked at: those of whoever is in the recycle bin do not count.
pub(super) async fn write(writer: &mut Writer, after: UserAfter, comes: bool) -> Result<User, Error> {
    let UserAfter { id, account, texts, exclusive, attributes, .. } = after;
    let of = writer.of;
    let user = User { texts, exclusive, attributes: Attributes(attributes) };
    let account = account_after(writer, id, account.as_ref()).await?;
    if comes {
        let elsewhere = put::accounts::elsewhere(&mut writer.tx, of, std::iter::once(account)).await?;
        keep_exclusive(&elsewhere, account, exclusive)?;
    }
    // The unique rules of the database end a transaction of Postgres, so the value is looked for first. The workspace is locked.
    match put::users::broken(&mut writer.tx, of, id, account, &user).await? {
        put::users::Unique::Other => {}
        rule => return Err(Error::Taken(rule.name().to_owned())),
    }
    put::users::update(&mut writer.tx, of, id, account, &user, writer.now).await?;
    Ok(user)
}

const SET_STATUS: &str = "
update users
set status = {},
  updated_at = {},
  version = version + 1
where workspace_id = {}
  and id {}";

/// Activates or suspends users. Whoever is not active has no tokens: they do not come back.
pub(super) async fn set_status(writer: &mut Writer, users: &[(UserId, Version)], status: Status) -> Result<(), Error> {
    let (of, now) = (writer.of, writer.now);
    let seen: Vec<_> = users.iter().map(|(id, seen)| (id.0, *seen)).collect();
    writer.require_versions(Versioned::Users, &seen).await?;
    let ids = || users.iter().map(|(id, _)| id.0);
    writer.tx.execute(sql!(SET_STATUS, status.name().to_owned(), now, of, among(ids()))).await?;
    effective::set_status(writer, ids(), status).await?;
    if status == Status::Active { Ok(()) } else { revoke_tokens(writer, ids()).await }
}

const REVOKE_TOKENS: &str = "
update tokens
set revoked_at = {}
where workspace_id = {}
  and user_id {}
  and revoked_at is null";

/// Ends every token of users.
pub(super) async fn revoke_tokens(writer: &mut Writer, users: impl IntoIterator<Item = uuid::Uuid>) -> Result<(), Error> {
    writer.tx.execute(sql!(REVOKE_TOKENS, writer.now, writer.of, among(users))).await.map(drop)
}
