//! Accounts: the one table outside of every workspace. An import finds or makes them, and keeps exclusive users exclusive.

use std::collections::{HashMap, HashSet};

use directory::{Error, ids::AccountId, store::ImportPerson};

use super::{
    Import,
    people::{Person, label},
};
use crate::{
    batch::{Batch, Of},
    sql::{among, sql},
};

const FIND: &str = "
select id, issuer, identifier
from accounts
where (issuer, identifier) in ({})";

const INSERT: &str = "
insert into accounts (id, issuer, identifier, created_at)
{}
on conflict do nothing";

/// The people of a chunk with their accounts, made where they are missing.
pub(super) async fn resolve(import: &mut Import, chunk: Vec<ImportPerson>) -> Result<Vec<Person>, Error> {
    let mut names = HashSet::with_capacity(chunk.len());
    for person in &chunk {
        if !names.insert((person.issuer.as_str(), person.identifier.as_str())) {
            return Err(Error::Invalid(format!("{} stands twice in the import; keep one", label(person))));
        }
    }
    let known = find(import, &chunk).await?;
    let mut accounts = known.clone();
    let mut batch = Batch::new(&[Of::Ids, Of::Texts, Of::Texts, Of::Integers]);
    for person in &chunk {
        let name = (person.issuer.clone(), person.identifier.clone());
        if !known.contains_key(&name) {
            let id = import.next_id();
            batch.push([id.into(), person.issuer.as_str().into(), person.identifier.as_str().into(), import.now.0.into()]);
            accounts.insert(name, AccountId(id));
        }
    }
    let missing = batch.len() as u64;
    let added = import.insert(INSERT, batch).await?;
    import.summary.accounts_added += added;
    if added < missing {
        // Another host made one of them in the meantime.
        accounts = find(import, &chunk).await?;
    }
    let people = chunk.into_iter().filter_map(|given| {
        let name = (given.issuer.clone(), given.identifier.clone());
        let account = *accounts.get(&name)?;
        Some(Person { account, known: known.contains_key(&name) || added < missing, given })
    });
    let people: Vec<Person> = people.collect();
    keep_exclusive(import, &people).await?;
    Ok(people)
}

async fn find(import: &mut Import, chunk: &[ImportPerson]) -> Result<HashMap<(String, String), AccountId>, Error> {
    let mut names = Batch::new(&[Of::Texts, Of::Texts]);
    for person in chunk {
        names.push([person.issuer.as_str().into(), person.identifier.as_str().into()]);
    }
    let mut accounts = HashMap::with_capacity(chunk.len());
    for row in import.tx.fetch(sql!(FIND, names)).await? {
        let mut columns = row.columns();
        let id = AccountId(columns.take()?);
        accounts.insert((columns.take()?, columns.take()?), id);
    }
    Ok(accounts)
}

const ELSEWHERE: &str = "
select u.account_id, u.exclusive
from users u
where u.account_id {}
  and u.workspace_id <> {}";

/// Refuses a person who belongs to another workspace exclusively, or who shall to this one and is in another.
async fn keep_exclusive(import: &mut Import, people: &[Person]) -> Result<(), Error> {
    let known: Vec<_> = people.iter().filter(|person| person.known).map(|person| person.account.0).collect();
    if known.is_empty() {
        return Ok(());
    }
    let mut elsewhere: HashMap<AccountId, bool> = HashMap::new();
    for row in import.tx.fetch(sql!(ELSEWHERE, among(known), import.workspace)).await? {
        let mut columns = row.columns();
        let account = AccountId(columns.take()?);
        *elsewhere.entry(account).or_default() |= columns.take::<bool>()?;
    }
    for person in people {
        match elsewhere.get(&person.account) {
            Some(true) => {
                return Err(Error::Invalid(format!(
                    "{} belongs to another workspace exclusively, and can be added to no other; leave the person out",
                    label(&person.given)
                )));
            }
            Some(false) if person.given.exclusive => {
                return Err(Error::Invalid(format!(
                    "{} can not be exclusive, being in another workspace as well; leave `exclusive` out",
                    label(&person.given)
                )));
            }
            _ => {}
        }
    }
    Ok(())
}
