//! The accounts of people: found or made, and exclusive users stay exclusive.

use std::collections::HashSet;

use directory::{Error, ids::AccountId, store::ImportPerson};

use super::{
    Import,
    people::{Person, label},
};
use crate::put;

/// The people of a chunk with their accounts, made where they are missing.
pub(super) async fn resolve(import: &mut Import, chunk: Vec<ImportPerson>) -> Result<Vec<Person>, Error> {
    let mut names = HashSet::with_capacity(chunk.len());
    for person in &chunk {
        if !names.insert((person.issuer.as_str(), person.identifier.as_str())) {
            return Err(Error::Invalid(format!("{} stands twice in the import; keep one", label(person))));
        }
    }
    let pair = |person: &ImportPerson| (person.issuer.clone(), person.identifier.clone());
    let names = || chunk.iter().map(|person| (person.issuer.as_str(), person.identifier.as_str()));
    let known = put::accounts::find(&mut import.tx, names()).await?;
    let mut accounts = known.clone();
    let mut missing = Vec::new();
    for person in chunk.iter().filter(|person| !known.contains_key(&pair(person))) {
        let id = AccountId(import.next_id());
        missing.push((id, person.issuer.as_str(), person.identifier.as_str()));
        accounts.insert(pair(person), id);
    }
    let wanted = missing.len() as u64;
    let added = put::accounts::make(&mut import.tx, missing.into_iter(), import.now).await?;
    import.changed |= added > 0;
    import.summary.accounts_added += added;
    if added < wanted {
        // Another host made one of them in the meantime.
        accounts = put::accounts::find(&mut import.tx, names()).await?;
    }
    let people = chunk.into_iter().filter_map(|given| {
        let name = pair(&given);
        let account = *accounts.get(&name)?;
        Some(Person { account, known: known.contains_key(&name) || added < wanted, given })
    });
    let people: Vec<Person> = people.collect();
    keep_exclusive(import, &people).await?;
    Ok(people)
}

/// Refuses a person who belongs to another workspace exclusively, or who shall to this one and is in another.
async fn keep_exclusive(import: &mut Import, people: &[Person]) -> Result<(), Error> {
    let known: Vec<_> = people.iter().filter(|person| person.known).map(|person| person.account).collect();
    if known.is_empty() {
        return Ok(());
    }
    let elsewhere = put::accounts::elsewhere(&mut import.tx, import.workspace, known.into_iter()).await?;
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
