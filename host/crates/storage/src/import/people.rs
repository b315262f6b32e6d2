//! People: a chunk at a time, each with its account, its row, its words, and then its edges.

use std::collections::{HashMap, HashSet};

use directory::{
    Error,
    change::Texts,
    ids::{AccountId, UserId},
    model::{Status, UserText},
    store::ImportPerson,
};

use super::{Attributes, Import, Progress, accounts, edges, report, settle, workspace::check_quota};
use crate::{
    exec::{Columns, Row},
    limits,
    put::{
        self,
        users::{New, Unique, User},
    },
    rows,
    sql::{among, sql},
};

/// A person whose account is known.
pub(super) struct Person {
    pub(super) account: AccountId,
    /// Whether the account is older than this chunk.
    pub(super) known: bool,
    pub(super) given: ImportPerson,
}

/// How many times as many people there are when the planner looks at them again.
const LEARN_TIMES: u64 = 8;

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
    let (mut done, mut learned) = (0, 1);
    loop {
        let chunk: Vec<ImportPerson> = people.by_ref().take(limits::IMPORT_PEOPLE).collect();
        if chunk.is_empty() {
            break;
        }
        done += chunk.len() as u64;
        write_chunk(import, chunk, &mut seen).await?;
        check_quota(before - deleted + import.summary.users_added, quota)?;
        if done >= learned * LEARN_TIMES {
            settle::learn(&mut import.tx).await?;
            learned = done;
        }
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
                let user = User { texts: overlay(Texts::default(), &person.given), exclusive: person.given.exclusive, attributes };
                added.push(New { id, account: person.account, user, status: person.given.status });
                users.push((id, false, person.given));
            }
            Some((id, old)) => {
                // In a new workspace, whoever is there already was put there by this import.
                if import.summary.created || !seen.users.insert(*id) {
                    return Err(Error::Invalid(format!("{} stands twice in the import; keep one", label(&person.given))));
                }
                seen.matched += 1;
                let user = User {
                    texts: overlay(old.texts.clone(), &person.given),
                    exclusive: person.given.exclusive,
                    attributes: old.attributes.clone().overlaid(&attributes),
                };
                if user != *old {
                    update(import, (*id, person.account), &user, &label(&person.given)).await?;
                }
                users.push((*id, true, person.given));
            }
        }
    }
    if !import.summary.created {
        seen.users.extend(added.iter().map(|new| new.id));
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
  and u.workspace_id = {}
  and (u.status <> 'deleted' or u.account_id {})
order by case when u.status = 'deleted' then 0 else 1 end, u.id";

/// The users that accounts already have here. Who is in the recycle bin is here only for an import that says so.
async fn stored(import: &mut Import, people: &[Person]) -> Result<HashMap<AccountId, (UserId, User)>, Error> {
    let known: Vec<_> = people.iter().filter(|person| person.known).map(|person| person.account.0).collect();
    if known.is_empty() {
        return Ok(HashMap::new());
    }
    let deleted = people.iter().filter(|person| person.given.status == Status::Deleted).map(|person| person.account.0);
    let found = import.tx.fetch(sql!(STORED, among(known), import.workspace, among(deleted))).await?;
    let read = |columns: &mut Columns<'_>| {
        let account = AccountId(columns.take()?);
        let id = UserId(columns.take()?);
        let mut texts = Texts::default();
        for text in &mut texts {
            *text = columns.take()?;
        }
        let exclusive = columns.take()?;
        let attributes = Attributes(rows::json(&columns.take::<String>()?)?);
        Ok((account, (id, User { texts, exclusive, attributes })))
    };
    found.iter().map(|row: &Row| read(&mut row.columns())).collect()
}

async fn insert(import: &mut Import, added: Vec<New>) -> Result<(), Error> {
    if put::users::add(&mut import.tx, import.workspace, &added, None, import.now).await? < added.len() as u64 {
        return Err(refused(import, &added).await?);
    }
    import.changed |= !added.is_empty();
    import.summary.users_added += added.len() as u64;
    Ok(())
}

/// Names the person whom a unique rule kept out, and the rule.
async fn refused(import: &mut Import, added: &[New]) -> Result<Error, Error> {
    let Some((at, rule)) = put::users::kept_out(&mut import.tx, import.workspace, added).await? else {
        return Ok(Error::Stale("the workspace".to_owned()));
    };
    let text = |which: UserText| added.get(at).and_then(|new| new.user.text(which)).unwrap_or_default();
    let shown = text(UserText::UserName);
    Ok(match rule {
        Unique::Account => Error::Invalid(format!("person `{shown}` stands twice in the import; keep one")),
        Unique::UserName => Error::Taken(added.get(at).map(|new| rule.of(&new.user)).unwrap_or_default()),
        Unique::Email | Unique::ExternalId | Unique::Other => {
            Error::Taken(format!("{} of person `{shown}`", added.get(at).map(|new| rule.of(&new.user)).unwrap_or_default()))
        }
    })
}

async fn update(import: &mut Import, (id, account): (UserId, AccountId), new: &User, label: &str) -> Result<(), Error> {
    put::users::update(&mut import.tx, import.workspace, id, account, new, import.now).await.map_err(|error| match error {
        Error::Taken(what) => Error::Taken(format!("{what} of {label}")),
        other => other,
    })?;
    import.changed = true;
    import.summary.users_changed += 1;
    Ok(())
}
