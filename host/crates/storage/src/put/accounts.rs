//! Accounts: the one table outside of every workspace. They are found or made, and exclusive users stay exclusive.

use std::collections::HashMap;

use directory::{
    Error,
    change::AccountName,
    ids::{AccountId, WorkspaceId},
    model::Timestamp,
};

use super::insert;
use crate::{
    batch::{Batch, Of},
    exec::Tx,
    sql::{among, sql},
};

/// Accounts by issuer and identifier.
pub(crate) type Named = HashMap<(String, String), AccountId>;

const FIND: &str = "
select id, issuer, identifier
from accounts
where (issuer, identifier) in ({})";

/// Those of these accounts that there are.
pub(crate) async fn find<'a>(tx: &mut Tx, names: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Named, Error> {
    let mut batch = Batch::new(&[Of::Texts, Of::Texts]);
    for (issuer, identifier) in names {
        batch.push([issuer.into(), identifier.into()]);
    }
    let mut accounts = HashMap::with_capacity(batch.len());
    for row in tx.fetch(sql!(FIND, batch)).await? {
        let mut columns = row.columns();
        let id = AccountId(columns.take()?);
        accounts.insert((columns.take()?, columns.take()?), id);
    }
    Ok(accounts)
}

const INSERT: &str = "
insert into accounts (id, issuer, identifier, created_at)
{}
on conflict do nothing";

/// Makes accounts; answers how many. Another host may have made one in the meantime, which is left out.
pub(crate) async fn make<'a>(
    tx: &mut Tx,
    accounts: impl Iterator<Item = (AccountId, &'a str, &'a str)>,
    now: Timestamp,
) -> Result<u64, Error> {
    let mut batch = Batch::new(&[Of::Ids, Of::Texts, Of::Texts, Of::Integers]);
    for (id, issuer, identifier) in accounts {
        batch.push([id.0.into(), issuer.into(), identifier.into(), now.0.into()]);
    }
    insert(tx, INSERT, batch).await
}

/// The ids of these accounts, in order; those that are missing are made with the given ids.
pub(crate) async fn resolve(tx: &mut Tx, wanted: &[(&AccountName, AccountId)], now: Timestamp) -> Result<Vec<AccountId>, Error> {
    let name = |name: &AccountName| (name.issuer.clone(), name.identifier.clone());
    let names = || wanted.iter().map(|(name, _)| (name.issuer.as_str(), name.identifier.as_str()));
    let known = find(tx, names()).await?;
    let mut missing: Vec<_> = wanted.iter().filter(|(of, _)| !known.contains_key(&name(of))).collect();
    // In one order, so that two hosts that make the same ones wait for each other only once.
    missing.sort_unstable_by_key(|(of, _)| name(of));
    make(tx, missing.into_iter().map(|(name, id)| (*id, name.issuer.as_str(), name.identifier.as_str())), now).await?;
    let accounts = if known.len() < wanted.len() { find(tx, names()).await? } else { known };
    let found = |(of, _): &(&AccountName, AccountId)| accounts.get(&name(of)).copied();
    wanted.iter().map(|of| found(of).ok_or_else(|| Error::Store("an account that was made is missing".to_owned()))).collect()
}

/// Two workspaces that add the same person at once must see each other.
const LOCK_POSTGRES: &str = "
select id
from accounts
where id {}
order by id
for update";

const ELSEWHERE: &str = "
select u.account_id, u.exclusive
from users u
where u.account_id {}
  and u.workspace_id <> {}
  and u.status <> 'deleted'";

/// Those of these accounts that have a user in another workspace, and whether it is exclusive there. That stays so until the
/// transaction ends.
pub(crate) async fn elsewhere(
    tx: &mut Tx,
    of: WorkspaceId,
    accounts: impl Iterator<Item = AccountId> + Clone,
) -> Result<HashMap<AccountId, bool>, Error> {
    if matches!(tx, Tx::Postgres(_)) {
        tx.fetch(sql!(LOCK_POSTGRES, among(accounts.clone().map(|id| id.0)))).await?;
    }
    let mut found: HashMap<AccountId, bool> = HashMap::new();
    for row in tx.fetch(sql!(ELSEWHERE, among(accounts.map(|id| id.0)), of)).await? {
        let mut columns = row.columns();
        let account = AccountId(columns.take()?);
        *found.entry(account).or_default() |= columns.take::<bool>()?;
    }
    Ok(found)
}
