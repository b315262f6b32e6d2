//! People: a chunk at a time, each with its account, its row, its words, and then its edges.

use std::collections::{BTreeMap, HashMap, HashSet};

use directory::{
    Error,
    ids::{AccountId, UserId},
    model::{Status, UserText},
    store::ImportPerson,
    text::words,
};

use super::{Attributes, Import, Progress, accounts, derived, edges, report, workspace::check_quota};
use crate::{
    batch::{Batch, Of},
    exec::{Columns, Row},
    keys::key,
    limits, rows,
    sql::{Part, Sql, among, sql},
};

/// A person whose account is known.
pub(super) struct Person {
    pub(super) account: AccountId,
    /// Whether the account is older than this chunk.
    pub(super) known: bool,
    pub(super) given: ImportPerson,
}

/// The governed texts of a user, one each of [`UserText::ALL`].
type Texts = [Option<String>; UserText::ALL.len()];

/// A user as stored or as it shall be stored.
#[derive(Clone, PartialEq, Eq)]
struct Stored {
    texts: Texts,
    exclusive: bool,
    attributes: Attributes,
}

/// Whom an import into an existing workspace has met.
#[derive(Default)]
struct Seen {
    /// Users that were there before, or that it added.
    users: HashSet<UserId>,
    /// How many of them were there before.
    matched: u64,
}

const COUNT: &str = "
select count(*)
from users
where workspace_id = {}";

const COUNT_DELETED: &str = "
select count(*)
from users
where workspace_id = {}
  and status = 'deleted'";

/// Adds and changes people.
pub(super) async fn write(
    import: &mut Import,
    mut people: Box<dyn Iterator<Item = ImportPerson> + Send>,
    quota: Option<u64>,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let before = count(import, COUNT).await?;
    let deleted = count(import, COUNT_DELETED).await?;
    let mut seen = Seen::default();
    let mut done = 0;
    loop {
        let chunk: Vec<ImportPerson> = people.by_ref().take(limits::IMPORT_PEOPLE).collect();
        if chunk.is_empty() {
            break;
        }
        done += chunk.len() as u64;
        write_chunk(import, chunk, &mut seen).await?;
        check_quota(before - deleted + import.summary.users_added, quota)?;
        report(progress, "people", done);
    }
    import.summary.users_absent = before - seen.matched;
    Ok(())
}

async fn count(import: &mut Import, statement: &'static str) -> Result<u64, Error> {
    let found = import.tx.fetch(sql!(statement, import.workspace)).await?;
    found.first().map_or(Ok(0), |row| rows::number(&mut row.columns()))
}

async fn write_chunk(import: &mut Import, chunk: Vec<ImportPerson>, seen: &mut Seen) -> Result<(), Error> {
    let people = accounts::resolve(import, chunk).await?;
    let stored = stored(import, &people).await?;
    let mut users = Vec::with_capacity(people.len());
    let mut added = Vec::with_capacity(people.len());
    for person in people {
        let attributes = import.attributes(&label(&person.given), &person.given.attributes)?;
        match stored.get(&person.account) {
            None => {
                let id = UserId(import.next_id());
                let user = Stored { texts: overlay(Texts::default(), &person.given), exclusive: person.given.exclusive, attributes };
                added.push((id, person.account, user, person.given.status));
                users.push((id, false, person.given));
            }
            Some((id, old)) => {
                // In a new workspace, whoever is there already was put there by this import.
                if import.summary.created || !seen.users.insert(*id) {
                    return Err(Error::Invalid(format!("{} stands twice in the import; keep one", label(&person.given))));
                }
                seen.matched += 1;
                let user = Stored {
                    texts: overlay(old.texts.clone(), &person.given),
                    exclusive: person.given.exclusive,
                    attributes: old.attributes.clone().overlaid(&attributes),
                };
                if user != *old {
                    update(import, *id, &user, &label(&person.given)).await?;
                }
                users.push((*id, true, person.given));
            }
        }
    }
    if !import.summary.created {
        seen.users.extend(added.iter().map(|(id, ..)| *id));
    }
    insert(import, added).await?;
    edges::write(import, &users).await
}

/// How messages name a person.
pub(super) fn label(person: &ImportPerson) -> String {
    let name = person.texts.iter().find(|(which, _)| *which == UserText::UserName);
    format!("person `{}`", name.map_or(&person.identifier, |(_, name)| name))
}

/// The texts that the import has, over those that are there: it never removes one.
fn overlay(mut texts: Texts, person: &ImportPerson) -> Texts {
    for (which, slot) in UserText::ALL.into_iter().zip(&mut texts) {
        if let Some((_, text)) = person.texts.iter().find(|(given, _)| *given == which) {
            *slot = Some(text.clone());
        }
    }
    texts
}

const STORED: &str = "
select u.account_id, u.id, u.user_name, u.display_name, u.given_name, u.family_name, u.email, u.phone, u.locale, u.time_zone,
  u.title, u.avatar_url, u.external_id, u.code, u.exclusive, u.attributes
from users u
where u.account_id {}
  and u.workspace_id = {}";

/// The users that accounts already have here.
async fn stored(import: &mut Import, people: &[Person]) -> Result<HashMap<AccountId, (UserId, Stored)>, Error> {
    let known: Vec<_> = people.iter().filter(|person| person.known).map(|person| person.account.0).collect();
    if known.is_empty() {
        return Ok(HashMap::new());
    }
    let found = import.tx.fetch(sql!(STORED, among(known), import.workspace)).await?;
    let read = |columns: &mut Columns<'_>| {
        let account = AccountId(columns.take()?);
        let id = UserId(columns.take()?);
        let mut texts = Texts::default();
        for text in &mut texts {
            *text = columns.take()?;
        }
        let exclusive = columns.take()?;
        let attributes = Attributes(rows::json(&columns.take::<String>()?)?);
        Ok((account, (id, Stored { texts, exclusive, attributes })))
    };
    found.iter().map(|row: &Row| read(&mut row.columns())).collect()
}

const INSERT: &str = "
insert into users (
  workspace_id, id, account_id,
  user_name, display_name, given_name, family_name, email, phone, locale, time_zone, title, avatar_url, external_id, code,
  user_name_key, display_name_key, given_name_key, family_name_key, email_key, phone_key, locale_key, time_zone_key, title_key,
  avatar_url_key, external_id_key, code_key,
  exclusive, status, attributes, created_at, updated_at, version
)
{}
on conflict do nothing";

async fn insert(import: &mut Import, added: Vec<(UserId, AccountId, Stored, Status)>) -> Result<(), Error> {
    if added.is_empty() {
        return Ok(());
    }
    let mut columns = vec![Of::Ids; 3];
    columns.extend([Of::Texts; 2 * UserText::ALL.len()]);
    columns.extend([Of::Flags, Of::Texts, Of::Texts, Of::Integers, Of::Integers, Of::Integers]);
    let mut batch = Batch::new(&columns);
    for (id, account, user, status) in &added {
        let mut cells = Vec::with_capacity(columns.len());
        cells.extend([import.workspace.0.into(), id.0.into(), account.0.into()]);
        cells.extend(user.texts.iter().cloned().map(Into::into));
        cells.extend(user.texts.iter().map(|text| key(text.as_deref()).into()));
        cells.extend([user.exclusive.into(), status.name().into(), user.attributes.json().into()]);
        cells.extend([import.now.0.into(), import.now.0.into(), 1.into()]);
        batch.push(cells);
    }
    if import.insert(INSERT, batch).await? < added.len() as u64 {
        return Err(refused(import, &added).await?);
    }
    import.summary.users_added += added.len() as u64;
    index(import, added.iter().map(|(id, _, user, _)| (*id, user))).await
}

const INSERTED: &str = "
select id
from users
where workspace_id = {}
  and id {}";

const TAKEN: &str = "
select account_id = {}, user_name_key = {}, email_key = {} and code_key = {}
from users
where workspace_id = {}
  and (account_id = {}
    or user_name_key = {}
    or (email_key = {} and code_key = {} and email_key <> '1')
    or (external_id_key = {} and external_id_key <> '1'))";

/// Names the person whom a unique rule kept out, and the rule.
async fn refused(import: &mut Import, added: &[(UserId, AccountId, Stored, Status)]) -> Result<Error, Error> {
    let of = import.workspace;
    let found = import.tx.fetch(sql!(INSERTED, of, among(added.iter().map(|(id, ..)| id.0)))).await?;
    let written: HashSet<UserId> = found.iter().map(|row| row.only().map(UserId)).collect::<Result<_, _>>()?;
    let Some((_, account, user, _)) = added.iter().find(|(id, ..)| !written.contains(id)) else {
        return Ok(Error::Stale("the workspace".to_owned()));
    };
    let text = |which: UserText| user.texts.get(which as usize).and_then(Option::as_deref);
    let stored = |which: UserText| key(text(which));
    let (name, email) = (stored(UserText::UserName), stored(UserText::Email));
    let (code, external) = (stored(UserText::Code), stored(UserText::ExternalId));
    let taken = sql!(TAKEN, account.0, name.clone(), email.clone(), code.clone(), of, account.0, name, email, code, external);
    let found = import.tx.fetch(taken).await?;
    let shown = text(UserText::UserName).unwrap_or_default();
    let Some(row) = found.first() else { return Ok(Error::Taken(format!("a value of person `{shown}`"))) };
    let mut columns = row.columns();
    if columns.take::<bool>()? {
        return Ok(Error::Invalid(format!("person `{shown}` stands twice in the import; keep one")));
    }
    if columns.take::<bool>()? {
        return Ok(Error::Taken(format!("the user name `{shown}`")));
    }
    if columns.take::<bool>()? {
        let email = text(UserText::Email).unwrap_or_default();
        return Ok(Error::Taken(match text(UserText::Code) {
            None => format!("the e-mail address `{email}` of person `{shown}` without a code"),
            Some(code) => format!("the e-mail address `{email}` of person `{shown}` with code `{code}`"),
        }));
    }
    Ok(Error::Taken(format!("the external id `{}` of person `{shown}`", text(UserText::ExternalId).unwrap_or_default())))
}

const UPDATE: &str = "
update users
set (user_name, display_name, given_name, family_name, email, phone, locale, time_zone, title, avatar_url, external_id, code,
    user_name_key, display_name_key, given_name_key, family_name_key, email_key, phone_key, locale_key, time_zone_key, title_key,
    avatar_url_key, external_id_key, code_key, exclusive, attributes, updated_at, version) = (
    {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {},
    {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {},
    {}, {}, {}, version + 1)
where workspace_id = {}
  and id = {}";

const DELETE_ATTRIBUTES: &str = "
delete from user_attributes
where workspace_id = {}
  and user_id = {}";

const DELETE_WORDS: &str = "
delete from user_words
where workspace_id = {}
  and user_id = {}";

async fn update(import: &mut Import, id: UserId, new: &Stored, label: &str) -> Result<(), Error> {
    let mut holes: Vec<Part> = new.texts.iter().cloned().map(Into::into).collect();
    holes.extend(new.texts.iter().map(|text| key(text.as_deref()).into()));
    holes.extend([new.exclusive.into(), new.attributes.json().into(), import.now.into()]);
    holes.extend([import.workspace.into(), id.into()]);
    import.tx.execute(Sql::new(UPDATE, holes)).await.map_err(|error| match error {
        Error::Taken(what) => Error::Taken(format!("{what} of {label}")),
        other => other,
    })?;
    import.changed = true;
    import.summary.users_changed += 1;
    import.tx.execute(sql!(DELETE_ATTRIBUTES, import.workspace, id)).await?;
    import.tx.execute(sql!(DELETE_WORDS, import.workspace, id)).await?;
    index(import, std::iter::once((id, new))).await
}

/// The words of a user, with the positions in [`UserText::SEARCHED`] of the texts that hold them as bits.
fn searched(user: &Stored) -> BTreeMap<String, i64> {
    derived::words(UserText::SEARCHED.map(|which| user.texts.get(which as usize).and_then(Option::as_deref).map(words)))
}

const INSERT_ATTRIBUTES: &str = "
insert into user_attributes (workspace_id, name, value_key, user_id)
{}";

const INSERT_WORDS: &str = "
insert into user_words (workspace_id, word, user_id, fields)
{}";

/// Writes the compared attributes and the words of users who have none yet.
async fn index<'a>(import: &mut Import, users: impl Iterator<Item = (UserId, &'a Stored)>) -> Result<(), Error> {
    let mut attributes = Batch::new(&[Of::Ids, Of::Texts, Of::Texts, Of::Ids]);
    let mut found = Batch::new(&[Of::Ids, Of::Texts, Of::Ids, Of::Integers]);
    for (id, user) in users {
        for (name, value) in user.attributes.keys() {
            attributes.push([import.workspace.0.into(), name.into(), value.into(), id.0.into()]);
        }
        for (word, fields) in searched(user) {
            found.push([import.workspace.0.into(), word.into(), id.0.into(), fields.into()]);
        }
    }
    import.insert(INSERT_ATTRIBUTES, attributes).await?;
    import.insert(INSERT_WORDS, found).await?;
    Ok(())
}
