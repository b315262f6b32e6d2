//! Users.

use std::collections::HashSet;

use directory::{
    Error,
    change::Texts,
    ids::{AccountId, UserId, WorkspaceId},
    model::{Status, Timestamp, UserText},
};
use uuid::Uuid;

use super::{Attributes, insert, words};
use crate::{
    batch::{Batch, Of},
    exec::{Row, Tx},
    keys::key,
    sql::{Part, Sql, among, sql},
};

/// A user as it shall be stored; what a row has beside it is said when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) texts: Texts,
    pub(crate) exclusive: bool,
    pub(crate) attributes: Attributes,
}

/// A user that is not there yet.
pub(crate) struct New {
    pub(crate) id: UserId,
    pub(crate) account: AccountId,
    pub(crate) user: User,
    pub(crate) status: Status,
}

const INSERT: &str = "
insert into users (
  workspace_id, id, account_id,
  user_name, display_name, given_name, family_name, email, phone, locale, time_zone, title, avatar_url, external_id, code,
  user_name_key, display_name_key, given_name_key, family_name_key, email_key, phone_key, locale_key, time_zone_key, title_key,
  avatar_url_key, external_id_key, code_key,
  exclusive, status, attributes, created_by, created_at, updated_at, version
)
{}
on conflict do nothing";

/// Adds users with their words and attributes; answers how many were added. Whom a unique rule keeps out is left out, and then
/// nothing is indexed.
pub(crate) async fn add(tx: &mut Tx, of: WorkspaceId, users: &[New], by: Option<UserId>, now: Timestamp) -> Result<u64, Error> {
    let mut columns = vec![Of::Ids; 3];
    columns.extend([Of::Texts; 2 * UserText::ALL.len()]);
    columns.extend([Of::Flags, Of::Texts, Of::Texts, Of::Ids, Of::Integers, Of::Integers, Of::Integers]);
    let mut batch = Batch::new(&columns);
    for New { id, account, user, status } in users {
        let mut cells = Vec::with_capacity(columns.len());
        cells.extend([of.0.into(), id.0.into(), account.0.into()]);
        cells.extend(user.texts.iter().cloned().map(Into::into));
        cells.extend(user.texts.iter().map(|text| key(text.as_deref()).into()));
        cells.extend([user.exclusive.into(), status.name().into(), user.attributes.json().into(), by.map(|id| id.0).into()]);
        cells.extend([now.0.into(), now.0.into(), 1.into()]);
        batch.push(cells);
    }
    let added = insert(tx, INSERT, batch).await?;
    if added == users.len() as u64 {
        index(tx, of, users.iter().map(|new| (new.id, &new.user))).await?;
    }
    Ok(added)
}

/// A rule by which a user is the only one of its kind among those that are not in the recycle bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unique {
    /// An account is in a workspace once.
    Account,
    /// User names.
    UserName,
    /// E-mail addresses, together with the code.
    Email,
    /// External ids.
    ExternalId,
    /// Some rule of the database's own.
    Other,
}

impl Unique {
    /// What of a user is taken, without the value: not everybody who writes a row sees all of it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Account => "the person's place in the workspace",
            Self::UserName => "the user name",
            Self::Email => "the e-mail address, with its code or without,",
            Self::ExternalId => "the external id",
            Self::Other => "a value that must be unique",
        }
    }

    /// What of a user is taken, with the value, for whoever gave it.
    pub(crate) fn of(self, user: &User) -> String {
        let text = |which| user.text(which).unwrap_or_default();
        match (self, user.text(UserText::Code)) {
            (Self::Account | Self::Other, _) => self.name().to_owned(),
            (Self::UserName, _) => format!("the user name `{}`", text(UserText::UserName)),
            (Self::Email, None) => format!("the e-mail address `{}` without a code", text(UserText::Email)),
            (Self::Email, Some(code)) => format!("the e-mail address `{}` with code `{code}`", text(UserText::Email)),
            (Self::ExternalId, _) => format!("the external id `{}`", text(UserText::ExternalId)),
        }
    }
}

impl User {
    /// One of the texts.
    pub(crate) fn text(&self, which: UserText) -> Option<&str> {
        self.texts.get(which as usize).and_then(Option::as_deref)
    }
}

const INSERTED: &str = "
select id
from users
where workspace_id = {}
  and id {}";

/// Each rule by its own index, so that nobody looks through all users. Null is equal to nothing: what somebody does not have, nobody
/// has taken. The numbers are positions in [`RULES`].
const TAKEN: &str = "
select '0' as rule
from users
where workspace_id = {}
  and user_name_key = {}
  and id <> {}
  and status <> 'deleted'
union all
select '1'
from users
where workspace_id = {}
  and email_key = {}
  and code_key = {}
  and email_key <> '1'
  and id <> {}
  and status <> 'deleted'
union all
select '2'
from users
where workspace_id = {}
  and external_id_key = {}
  and external_id_key <> '1'
  and id <> {}
  and status <> 'deleted'
union all
select '3'
from users
where account_id = {}
  and workspace_id = {}
  and id <> {}
  and status <> 'deleted'
order by rule
limit 1";

/// The account comes last: most follow from the address, which says more.
const RULES: [Unique; 4] = [Unique::UserName, Unique::Email, Unique::ExternalId, Unique::Account];

/// The first of these users that [`add`] left out, and the rule that kept it out.
pub(crate) async fn kept_out(tx: &mut Tx, of: WorkspaceId, users: &[New]) -> Result<Option<(usize, Unique)>, Error> {
    let found = tx.fetch(sql!(INSERTED, of, among(users.iter().map(|new| new.id.0)))).await?;
    let written: HashSet<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    let Some((at, new)) = users.iter().enumerate().find(|(_, new)| !written.contains(&new.id.0)) else { return Ok(None) };
    Ok(Some((at, broken(tx, of, new.id, new.account, &new.user).await?)))
}

/// The rule that keeps a user from being stored so.
pub(crate) async fn broken(tx: &mut Tx, of: WorkspaceId, id: UserId, account: AccountId, user: &User) -> Result<Unique, Error> {
    let stored = |which| key(user.text(which));
    let assigned = |which| user.text(which).map(|_| stored(which));
    let (name, code) = (stored(UserText::UserName), stored(UserText::Code));
    let (email, external) = (assigned(UserText::Email), assigned(UserText::ExternalId));
    let taken = sql!(TAKEN, of, name, id, of, email, code, id, of, external, id, account.0, of, id);
    let found = tx.fetch(taken).await?;
    let rule: Option<String> = found.first().map(Row::only).transpose()?;
    Ok(rule.and_then(|rule| RULES.get(rule.parse::<usize>().ok()?)).copied().unwrap_or(Unique::Other))
}

const UPDATE: &str = "
update users
set (user_name, display_name, given_name, family_name, email, phone, locale, time_zone, title, avatar_url, external_id, code,
    user_name_key, display_name_key, given_name_key, family_name_key, email_key, phone_key, locale_key, time_zone_key, title_key,
    avatar_url_key, external_id_key, code_key, exclusive, attributes, updated_at, account_id, version) = (
    {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {},
    {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {},
    {}, {}, {}, {}, version + 1)
where workspace_id = {}
  and id = {}";

/// Writes a user as it shall be, status excepted.
///
/// # Errors
/// [`Error::Taken`] names the value that a unique rule refuses.
pub(crate) async fn update(tx: &mut Tx, of: WorkspaceId, id: UserId, account: AccountId, user: &User, now: Timestamp) -> Result<(), Error> {
    let mut holes: Vec<Part> = user.texts.iter().cloned().map(Into::into).collect();
    holes.extend(user.texts.iter().map(|text| key(text.as_deref()).into()));
    holes.extend([user.exclusive.into(), user.attributes.json().into(), now.into(), account.0.into()]);
    holes.extend([of.into(), id.into()]);
    tx.execute(Sql::new(UPDATE, holes)).await?;
    unindex(tx, of, [id.0]).await?;
    index(tx, of, std::iter::once((id, user))).await
}

const DELETE_ATTRIBUTES: &str = "
delete from user_attributes
where workspace_id = {}
  and user_id {}";

const DELETE_WORDS: &str = "
delete from user_words
where workspace_id = {}
  and user_id {}";

/// Forgets the words and compared attributes of users.
pub(crate) async fn unindex(tx: &mut Tx, of: WorkspaceId, users: impl IntoIterator<Item = Uuid> + Clone) -> Result<(), Error> {
    tx.execute(sql!(DELETE_ATTRIBUTES, of, among(users.clone()))).await?;
    tx.execute(sql!(DELETE_WORDS, of, among(users))).await?;
    Ok(())
}

const INSERT_ATTRIBUTES: &str = "
insert into user_attributes (workspace_id, name, value_key, user_id)
{}";

const INSERT_WORDS: &str = "
insert into user_words (workspace_id, word, user_id, fields)
{}";

/// Writes the compared attributes and the words of users who have none yet. Bit n of `fields` is text n of [`UserText::SEARCHED`].
async fn index<'a>(tx: &mut Tx, of: WorkspaceId, users: impl Iterator<Item = (UserId, &'a User)>) -> Result<(), Error> {
    let mut attributes = Batch::new(&[Of::Ids, Of::Texts, Of::Texts, Of::Ids]);
    let mut found = Batch::new(&[Of::Ids, Of::Texts, Of::Ids, Of::Integers]);
    for (id, user) in users {
        for (name, value) in user.attributes.keys() {
            attributes.push([of.0.into(), name.into(), value.into(), id.0.into()]);
        }
        let searched = UserText::SEARCHED.map(|which| user.texts.get(which as usize).and_then(Option::as_deref));
        for (word, fields) in words(searched) {
            found.push([of.0.into(), word.into(), id.0.into(), fields.into()]);
        }
    }
    insert(tx, INSERT_ATTRIBUTES, attributes).await?;
    insert(tx, INSERT_WORDS, found).await?;
    Ok(())
}
