//! Users: added, changed, suspended and activated.

use std::collections::HashMap;

use directory::{
    Error, Rule,
    change::{NewUser, UserAfter},
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

/// Whose membership a user is.
pub(super) async fn account(writer: &mut Writer, user: UserId) -> Result<AccountId, Error> {
    let found = writer.tx.fetch(sql!(ACCOUNT, writer.of, user)).await?;
    found.first().map(Row::only).transpose()?.map(AccountId).ok_or_else(super::stale)
}

/// Writes a user as it shall be, status and edges excepted.
pub(super) async fn update(writer: &mut Writer, after: UserAfter) -> Result<(), Error> {
    writer.require_versions(Versioned::Users, &[(after.id.0, after.seen)]).await?;
    write(writer, after).await
}

/// The same, for a user whose version was looked at.
pub(super) async fn write(writer: &mut Writer, after: UserAfter) -> Result<(), Error> {
    let UserAfter { id, texts, exclusive, attributes, .. } = after;
    let of = writer.of;
    let user = User { texts, exclusive, attributes: Attributes(attributes) };
    let account = account(writer, id).await?;
    if exclusive {
        let elsewhere = put::accounts::elsewhere(&mut writer.tx, of, std::iter::once(account)).await?;
        keep_exclusive(&elsewhere, account, exclusive)?;
    }
    // The unique rules of the database end a transaction of Postgres, so the value is looked for first. The workspace is locked.
    match put::users::broken(&mut writer.tx, of, id, account, &user).await? {
        put::users::Unique::Other => {}
        rule => return Err(Error::Taken(rule.name().to_owned())),
    }
    put::users::update(&mut writer.tx, of, id, &user, writer.now).await?;
    attributes::keep_unique(writer, &[(id, &user)]).await
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
    effective::set_status(&mut writer.tx, of, ids(), status).await?;
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
