//! Memberships and grants of a chunk of people: what is missing is added, what differs is changed, nothing is removed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use directory::{
    Error,
    change::{NewGrant, NewMembership},
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
    store::ImportPerson,
    text::fold,
};
use uuid::Uuid;

use super::{Import, people::label};
use crate::{
    batch::{Batch, Of},
    put, rows,
    sql::{among, sql},
};

/// A user, whether it is older than this import, and what the import says of it.
type Users = [(UserId, bool, ImportPerson)];

/// Writes the edges of these users.
pub(super) async fn write(import: &mut Import, users: &Users) -> Result<(), Error> {
    let known: Vec<Uuid> = users.iter().filter(|(_, known, _)| *known).map(|(id, ..)| id.0).collect();
    memberships(import, users, &known).await?;
    grants(import, users, &known).await?;
    top_managers(import, users).await
}

const MEMBERSHIPS: &str = "
select m.user_id, m.group_id, m.id, m.manager
from memberships m
where m.workspace_id = {}
  and m.user_id {}";

const UPDATE_MEMBERSHIP: &str = "
update memberships
set manager = {}
where workspace_id = {}
  and id = {}";

async fn memberships(import: &mut Import, users: &Users, known: &[Uuid]) -> Result<(), Error> {
    let of = import.workspace;
    let mut stored: HashMap<(UserId, GroupId), (Uuid, bool)> = HashMap::new();
    if !known.is_empty() {
        for row in import.tx.fetch(sql!(MEMBERSHIPS, of, among(known.iter().copied()))).await? {
            let mut columns = row.columns();
            let ends = (UserId(columns.take()?), GroupId(columns.take()?));
            stored.insert(ends, (columns.take()?, columns.take()?));
        }
    }
    let mut added = Vec::new();
    for (user, _, person) in users {
        for (group, manager) in wanted_memberships(import, person)? {
            match stored.get(&(*user, group)) {
                None => {
                    added.push(NewMembership { id: MembershipId(import.next_id()), user: *user, group, manager });
                }
                Some((id, stored)) if *stored != manager => {
                    import.tx.execute(sql!(UPDATE_MEMBERSHIP, manager, of, *id)).await?;
                    import.summary.memberships_changed += 1;
                    import.changed = true;
                }
                Some(_) => {}
            }
        }
    }
    let added = put::edges::memberships(&mut import.tx, of, added, None, import.now).await?;
    import.summary.memberships_added += added;
    import.edges_changed |= added > 0;
    import.changed |= added > 0;
    Ok(())
}

/// A group that stands twice counts once, as manager if either says so.
fn wanted_memberships(import: &Import, person: &ImportPerson) -> Result<BTreeMap<GroupId, bool>, Error> {
    let mut wanted = BTreeMap::new();
    for (key, manager) in &person.memberships {
        *wanted.entry(group(import, person, key)?).or_default() |= *manager;
    }
    Ok(wanted)
}

fn group(import: &Import, person: &ImportPerson, key: &str) -> Result<GroupId, Error> {
    import.groups.get(&fold(key)).copied().ok_or_else(|| {
        Error::Invalid(format!("{}: group `{key}` is neither in the import nor in the workspace; add it or correct the key", label(person)))
    })
}

const GRANTS: &str = "
select a.user_id, a.role_id, a.within_group_id
from grants a
where a.workspace_id = {}
  and a.user_id {}";

async fn grants(import: &mut Import, users: &Users, known: &[Uuid]) -> Result<(), Error> {
    let of = import.workspace;
    let mut stored: HashSet<(UserId, RoleId, Option<GroupId>)> = HashSet::new();
    if !known.is_empty() {
        for row in import.tx.fetch(sql!(GRANTS, of, among(known.iter().copied()))).await? {
            let mut columns = row.columns();
            stored.insert((UserId(columns.take()?), RoleId(columns.take()?), rows::optional(&mut columns)?.map(GroupId)));
        }
    }
    let mut added = Vec::new();
    for (user, _, person) in users {
        for (role, within) in wanted_grants(import, person)? {
            if !stored.contains(&(*user, role, within)) {
                let id = GrantId(import.next_id());
                added.push(NewGrant { id, user: *user, role, within, provenance: import.provenance });
            }
        }
    }
    let added = put::edges::grants(&mut import.tx, of, added, None, import.now).await?;
    import.summary.grants_added += added;
    import.changed |= added > 0;
    Ok(())
}

fn wanted_grants(import: &Import, person: &ImportPerson) -> Result<BTreeSet<(RoleId, Option<GroupId>)>, Error> {
    let mut wanted = BTreeSet::new();
    for (key, within) in &person.grants {
        let role = import.roles.get(&fold(key)).copied().ok_or_else(|| {
            Error::Invalid(format!(
                "{}: role `{key}` is neither in the import nor in the workspace; add it or correct the key",
                label(person)
            ))
        })?;
        let within = within.as_ref().map(|key| group(import, person, key)).transpose()?;
        wanted.insert((role, within));
    }
    Ok(wanted)
}

const INSERT_TOP_MANAGERS: &str = "
insert into top_managers (workspace_id, user_id)
{}
on conflict do nothing";

async fn top_managers(import: &mut Import, users: &Users) -> Result<(), Error> {
    let mut batch = Batch::new(&[Of::Ids, Of::Ids]);
    for (user, ..) in users.iter().filter(|(_, _, person)| person.manages_top) {
        batch.push([import.workspace.0.into(), user.0.into()]);
    }
    import.insert(INSERT_TOP_MANAGERS, batch).await.map(drop)
}
