//! Changes: one transaction for all that were decided together.
//!
//! Every write goes the same way: lock the workspace, look whether it was made before under its idempotency key, compare the epoch with
//! that of the decision, apply each change, look that an administrator is left, end the epoch, remember the idempotency key, commit. To add
//! a change: its case in [`directory::change::Change`], its function in one of the modules here, and a case in the conformance suite; if it
//! counts people in or out of groups, it belongs in [`effective::deferred::comes_after`], too.

mod attributes;
mod bin;
mod closure;
mod edges;
mod effective;
mod groups;
mod purge;
mod roles;
mod tokens;
mod users;
mod workspace;

use directory::{
    Error, Rule, Warrant,
    change::{Change, Once, Write, Written},
    contract::Digest,
    ids::{UserId, WorkspaceId},
    model::{Epoch, Role, Timestamp, Version},
};
use uuid::Uuid;

use crate::{
    Database, decisions,
    exec::{Row, Tx},
    head,
    keys::key,
    limits, rows,
    sql::{among, sql},
    turns::Turn,
};

pub(crate) use effective::deferred::{finish_some, forget as forget_deferred};
pub(crate) use purge::purge;

/// What the functions that apply changes share.
pub(crate) struct Writer {
    pub(crate) tx: Tx,
    pub(crate) of: WorkspaceId,
    pub(crate) by: Option<UserId>,
    pub(crate) now: Timestamp,
    /// Whether something that was to come back from the recycle bin could not.
    pub(crate) incomplete: bool,
    /// Whether a move is still to be counted.
    deferred: bool,
    /// A move that changes more rows of effective memberships is counted afterwards.
    defer_above: i64,
}

/// Makes the changes of a warrant, or none of them.
pub(crate) async fn write(database: &Database, warrant: Warrant<Write>) -> Result<Written, Error> {
    let (of, epoch) = (head::workspace_of(&warrant)?, warrant.epoch());
    let Write { changes, by, now, once, decisions } = warrant.into_change();
    let mut begun = begin(database, of, epoch, once.as_ref()).await?;
    if matches!(begun, Begun::Open { deferred: true, .. }) && changes.iter().any(effective::deferred::comes_after) {
        // A portion is a transaction: nobody waits for all of them, and what is counted stays so even if this change is cut off.
        drop(begun);
        while effective::deferred::finish_portion(database, of).await? {}
        begun = begin(database, of, epoch, once.as_ref()).await?;
    }
    let (_turn, mut tx, deferred) = match begun {
        Begun::Before(written) => return Ok(written),
        Begun::Open { turn, tx, deferred } => (turn, tx, deferred),
    };
    let (loses, ends) = (changes.iter().any(Change::takes_away), changes.iter().any(Change::ends_epoch));
    // Where there never was one, as in a workspace that only services use, there is none to lose.
    let administered = loses && is_administered(&mut tx, of).await?;
    let mut writer = Writer { tx, of, by, now, incomplete: false, deferred, defer_above: database.defer_above() };
    for change in changes {
        apply(&mut writer, change).await?;
    }
    let Writer { mut tx, incomplete, .. } = writer;
    if administered && !is_administered(&mut tx, of).await? {
        return Err(last_administrator());
    }
    if ends {
        head::end_epoch(&mut tx, of).await?;
    }
    if let Some(once) = once {
        remember(&mut tx, of, &once, now).await?;
    }
    decisions::add(&mut tx, decisions).await?;
    tx.commit().await?;
    Ok(if incomplete { Written::Partly } else { Written::Made })
}

/// How a write begins.
enum Begun {
    /// It was made before, under the same key.
    Before(Written),
    /// Everybody else is kept out of the workspace.
    Open {
        tx: Tx,
        /// Given back behind the transaction.
        turn: Turn,
        /// Whether a move is still to be counted.
        deferred: bool,
    },
}

/// Begins a write. A repeated request is answered even if the world has moved on since; so the key comes before the epoch.
async fn begin(database: &Database, of: WorkspaceId, epoch: Option<Epoch>, once: Option<&Once>) -> Result<Begun, Error> {
    let (turn, mut tx) = database.begin_write_in(of).await?;
    head::lock(&mut tx, of, None).await?;
    give_time(&mut tx).await?;
    if let Some(once) = once
        && let Some(before) = remembered(&mut tx, of, once).await?
    {
        return Ok(Begun::Before(before));
    }
    let deferred = head::lock(&mut tx, of, epoch).await?.deferred;
    Ok(Begun::Open { turn, tx, deferred })
}

async fn apply(writer: &mut Writer, change: Change) -> Result<(), Error> {
    match change {
        Change::AddUsers(users) => users::add(writer, users).await,
        Change::UpdateUser(user) => users::update(writer, *user).await,
        Change::SetStatus { users, status } => users::set_status(writer, &users, status).await,
        Change::RemoveUsers(users) => bin::remove_users(writer, &users).await,
        Change::RestoreUser(user) => bin::restore_user(writer, *user).await,
        Change::CreateGroup(group) => groups::create(writer, group).await,
        Change::UpdateGroup(group) => groups::update(writer, group).await,
        Change::MoveGroup { group, seen, to } => groups::move_to(writer, group, seen, to).await,
        Change::DeleteGroup { group, seen, mode, deletion } => bin::delete_group(writer, group, seen, mode, deletion).await,
        Change::RestoreGroup { group, deletion, parent, name, key } => {
            bin::restore_group(writer, group, deletion, parent, (name, key)).await
        }
        Change::AddMemberships(new) => edges::add_memberships(writer, new).await,
        Change::RemoveMemberships(ids) => edges::remove_memberships(writer, &ids).await,
        Change::SetManagers(managers) => edges::set_managers(writer, &managers).await,
        Change::CreateRole(role) => roles::create(writer, &role).await,
        Change::UpdateRole { seen, role } => roles::update(writer, seen, &role).await,
        Change::DeleteRole { role, seen, deletion } => bin::delete_role(writer, role, seen, deletion).await,
        Change::RestoreRole { role, deletion, key } => bin::restore_role(writer, role, deletion, key).await,
        Change::AddGrants(new) => edges::add_grants(writer, new).await,
        Change::RemoveGrants(ids) => edges::remove_grants(writer, &ids).await,
        Change::DefineAttribute(attribute) => attributes::define(writer, &attribute).await,
        Change::UpdateAttribute { seen, attribute } => attributes::update(writer, seen, &attribute).await,
        Change::RemoveAttribute { name, seen, values } => attributes::remove(writer, &name, seen, values).await,
        Change::UpdateWorkspace { seen, name } => workspace::update(writer, seen, name).await,
        Change::SetCodeRules { seen, rules } => workspace::set_code_rules(writer, seen, rules).await,
        Change::SetQuota(quota) => workspace::set_quota(writer, quota).await,
        Change::CreateToken { token, hash } => tokens::create(writer, token, hash).await,
        Change::RevokeToken(token) => tokens::revoke(writer, token).await,
    }
}

/// Whoever configured a longer time, or none, keeps it.
const GIVE_TIME: &str = "
select set_config('statement_timeout', {}, true)
where current_setting('statement_timeout')::interval > interval '0'
  and current_setting('statement_timeout')::interval < {}::interval";

/// Lets the statements of a write take their time. To be called behind [`head::lock`]: to wait for another write is no work, and
/// keeps a connection from everybody else.
async fn give_time(tx: &mut Tx) -> Result<(), Error> {
    match tx {
        Tx::Sqlite(_) => Ok(()),
        Tx::Postgres(_) => {
            tx.execute(sql!(GIVE_TIME, limits::WRITE_TIME.to_owned(), limits::WRITE_TIME.to_owned()).fixed()).await.map(drop)
        }
    }
}

/// Somebody active who holds the built-in role in the whole workspace.
const ADMINISTRATOR: &str = "
select 1
from roles r
join grants a
  on a.workspace_id = r.workspace_id
  and a.role_id = r.id
  and a.within_group_id is null
join users u
  on u.workspace_id = a.workspace_id
  and u.id = a.user_id
  and u.status = 'active'
where r.workspace_id = {}
  and r.key_key = {}
limit 1";

/// INVARIANT: no write leaves a workspace without an active administrator that had one.
async fn is_administered(tx: &mut Tx, of: WorkspaceId) -> Result<bool, Error> {
    Ok(!tx.fetch(sql!(ADMINISTRATOR, of, key(Some(Role::ADMINISTRATOR)))).await?.is_empty())
}

fn last_administrator() -> Error {
    let message = "the workspace would be left without an active user who holds `administrator` in the whole workspace; grant it to \
                   somebody else first";
    Error::Broken { rule: Rule::LastAdministrator, message: message.to_owned() }
}

const REQUEST: &str = "
select digest, result
from requests
where workspace_id = {}
  and subject_id = {}
  and key = {}";

/// What was done under a key, if anything was.
async fn remembered(tx: &mut Tx, of: WorkspaceId, once: &Once) -> Result<Option<Written>, Error> {
    let found = tx.fetch(sql!(REQUEST, of, once.subject, once.key.clone())).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let (digest, result) = request(row)?;
    if digest != once.digest {
        return Err(Error::key_reused(&once.key));
    }
    Ok(Some(Written::Before(result)))
}

/// Reads a row of [`REQUEST`].
pub(crate) fn request(row: &Row) -> Result<(Digest, Vec<Uuid>), Error> {
    let mut columns = row.columns();
    let digest = rows::digest(columns.take()?)?;
    let ids: Vec<String> = rows::json(&columns.take::<String>()?)?;
    let read = |id: String| Uuid::try_parse(&id).map_err(|_| Error::Store("a stored id can not be read".to_owned()));
    Ok((digest, ids.into_iter().map(read).collect::<Result<_, _>>()?))
}

const REMEMBER: &str = "
insert into requests (workspace_id, subject_id, key, digest, result, created_at)
values ({}, {}, {}, {}, {}, {})";

async fn remember(tx: &mut Tx, of: WorkspaceId, once: &Once, now: Timestamp) -> Result<(), Error> {
    let ids: Vec<String> = once.result.iter().map(|id| id.simple().to_string()).collect();
    let result = serde_json::json!(ids).to_string();
    tx.execute(sql!(REMEMBER, of, once.subject, once.key.clone(), once.digest.0.to_vec(), result, now)).await.map(drop)
}

/// Tables whose rows have a version.
#[derive(Clone, Copy)]
enum Versioned {
    Users,
    Groups,
    Roles,
}

const USERS: &str = "
select id, version
from users
where workspace_id = {}
  and id {}";

const GROUPS: &str = "
select id, version
from groups
where workspace_id = {}
  and id {}";

const ROLES: &str = "
select id, version
from roles
where workspace_id = {}
  and id {}";

impl Writer {
    /// Requires that rows are of the versions that were decided on.
    async fn require_versions(&mut self, of: Versioned, seen: &[(Uuid, Version)]) -> Result<(), Error> {
        let statement = match of {
            Versioned::Users => USERS,
            Versioned::Groups => GROUPS,
            Versioned::Roles => ROLES,
        };
        let found = self.tx.fetch(sql!(statement, self.of, among(seen.iter().map(|(id, _)| *id)))).await?;
        let mut same = 0;
        for row in &found {
            let mut columns = row.columns();
            let stored = (columns.take::<Uuid>()?, Version(columns.take()?));
            same += usize::from(seen.contains(&stored));
        }
        if same == seen.len() { Ok(()) } else { Err(stale()) }
    }
}

/// What was decided on is not what is there.
fn stale() -> Error {
    Error::Stale("what the decision was based on".to_owned())
}

/// The failure of one of several items of a change.
fn item(at: usize, error: Error) -> Error {
    Error::Item { at, error: Box::new(error) }
}
