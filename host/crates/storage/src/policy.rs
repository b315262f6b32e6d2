//! Policy modules and versions.

use std::sync::Arc;

use directory::{
    Error, Sealed, Warrant,
    contract::{Digest, Module},
    ids::{PolicyId, PolicyVersionId, WorkspaceId},
    limits,
    model::{PolicyModule, PolicyStatus, PolicyVersion},
    store::{ActivatePolicy, Deciding, NewPolicyVersion, PolicyEvent, UploadPolicy},
};
use uuid::Uuid;

use crate::{
    Database,
    exec::{Row, Tx},
    head, news, policy_history, policy_shadows, policy_tests, rows,
    snapshot::View,
    sql::sql,
};

const VERSION: &str = "
select {}
from policy_versions v
left join policies p
  on p.workspace_id = v.workspace_id
  and p.id = v.policy_id
where v.workspace_id = {}
  and v.id = {}";

/// One version.
pub(crate) async fn version(view: &mut View, id: PolicyVersionId) -> Result<Option<Sealed<PolicyVersion>>, Error> {
    let found = view.fetch(sql!(VERSION, rows::POLICY_VERSION, view.workspace, id).fixed()).await?;
    found.first().map(|row| rows::policy_version(&mut row.columns())).transpose()
}

const VERSIONS: &str = "
select {}
from policy_versions v
left join policies p
  on p.workspace_id = v.workspace_id
  and p.id = v.policy_id
where v.workspace_id = {}
order by v.number desc
limit {}";

/// The latest versions, newest first.
pub(crate) async fn versions(view: &mut View, rows: usize) -> Result<Vec<Sealed<PolicyVersion>>, Error> {
    let found = view.fetch(sql!(VERSIONS, rows::POLICY_VERSION, view.workspace, at_most(rows)).fixed()).await?;
    found.iter().map(|row| rows::policy_version(&mut row.columns())).collect()
}

const MODULE: &str = "
select {}
from policies p
where p.workspace_id = {}
  and p.id = {}";

/// One module.
pub(crate) async fn module(view: &mut View, id: PolicyId) -> Result<Option<Sealed<PolicyModule>>, Error> {
    let found = view.fetch(sql!(MODULE, rows::POLICY, view.workspace, id).fixed()).await?;
    found.first().map(|row| rows::policy(&mut row.columns())).transpose()
}

const MODULES: &str = "
select {}
from policies p
where p.workspace_id = {}
order by p.uploaded_at desc, p.id desc
limit {}";

/// The modules, newest first.
pub(crate) async fn modules(view: &mut View, rows: usize) -> Result<Vec<Sealed<PolicyModule>>, Error> {
    let found = view.fetch(sql!(MODULES, rows::POLICY, view.workspace, at_most(rows)).fixed()).await?;
    found.iter().map(|row| rows::policy(&mut row.columns())).collect()
}

fn at_most(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

/// Of every workspace, and so of none in particular: a host is to have loaded what decides before anybody asks.
const DECIDING: &str = "
select {}
from workspaces w
join policy_versions v
  on v.workspace_id = w.id
  and v.id = w.policy_version_id
left join policies p
  on p.workspace_id = v.workspace_id
  and p.id = v.policy_id
where w.id > {}
order by w.id
limit {}";

/// What decides in the workspaces behind that one, by their ids.
pub(crate) async fn deciding(database: &Database, after: Option<WorkspaceId>, rows: usize) -> Result<Vec<Deciding>, Error> {
    // No workspace has the least of all ids, which is no UUID of version 7.
    let after = after.map_or(Uuid::nil(), |workspace| workspace.0);
    let found = database.fetch(sql!(DECIDING, rows::DECIDING, after, at_most(rows)).fixed()).await?;
    found.iter().map(|row| rows::deciding(&mut row.columns())).collect()
}

const BYTES: &str = "
select bytes
from policy_modules
where workspace_id = {}
  and digest = {}";

const STANDARD_BYTES: &str = "
select bytes
from standard_modules
where digest = {}";

/// The bytes of a module: the workspace's own, or a `standard` that some version of the server shipped.
pub(crate) async fn bytes(database: &Database, workspace: WorkspaceId, digest: Digest) -> Result<Option<Arc<[u8]>>, Error> {
    let mut found = database.fetch(sql!(BYTES, workspace, digest.0.to_vec()).fixed()).await?;
    if found.is_empty() {
        found = database.fetch(sql!(STANDARD_BYTES, digest.0.to_vec()).fixed()).await?;
    }
    found.first().map(Row::only::<Vec<u8>>).transpose().map(|bytes| bytes.map(Into::into))
}

const KEEP_STANDARD: &str = "
insert into standard_modules (digest, bytes)
values ({}, {})
on conflict do nothing";

/// Keeps the `standard` of this server, on which policy versions rest long after the next server brings another.
pub(crate) async fn keep_standard(database: &Database, module: &Module) -> Result<(), Error> {
    let digest = module.digest.0.to_vec();
    if !database.fetch(sql!(STANDARD_BYTES, digest.clone()).fixed()).await?.is_empty() {
        return Ok(());
    }
    let mut tx = database.begin_write().await?;
    tx.execute(sql!(KEEP_STANDARD, digest, module.bytes.to_vec())).await?;
    tx.commit().await
}

const SAME_MODULE: &str = "
select id
from policies
where workspace_id = {}
  and digest = {}
  and status = 'validated'";

/// How many modules are kept, and their bytes.
const KEPT_MODULES: &str = "
select
  count(*),
  cast(coalesce(sum(length(bytes)), 0) as bigint)
from policy_modules
where workspace_id = {}";

/// The oldest module that was never active, and answers beside none that is.
const FORGET_UNUSED: &str = "
delete from policies
where workspace_id = {}
  and id = (
    select p.id
    from policies p
    where p.workspace_id = {}
      and p.status = 'validated'
      and not exists (
        select 1
        from policy_versions v
        where v.workspace_id = p.workspace_id
          and v.policy_id = p.id
      )
      and not exists (
        select 1
        from policy_shadows s
        where s.workspace_id = p.workspace_id
          and s.policy_id = p.id
      )
    order by p.uploaded_at, p.id
    limit 1
  )";

/// The bytes of the module that was active longest ago, if it is behind none of the latest versions and answers beside none. The module
/// itself stays, as what decided once; to decide again it has to be uploaded again.
const FORGET_LONG_UNUSED: &str = "
delete from policy_modules
where workspace_id = {}
  and digest = (
    select p.digest
    from policy_modules m
    join policies p
      on p.workspace_id = m.workspace_id
      and p.digest = m.digest
      and p.status = 'validated'
    join policy_versions v
      on v.workspace_id = p.workspace_id
      and v.policy_id = p.id
    where m.workspace_id = {}
      and not exists (
        select 1
        from policy_shadows s
        where s.workspace_id = p.workspace_id
          and s.policy_id = p.id
          and s.stopped_at is null
      )
    group by p.digest
    having max(v.number) + {} <= (
      select max(w.number)
      from policy_versions w
      where w.workspace_id = {}
    )
    order by max(v.number)
    limit 1
  )";

const FORGET_BYTES: &str = "
delete from policy_modules
where workspace_id = {}
  and digest not in (
    select p.digest
    from policies p
    where p.workspace_id = {}
      and p.status = 'validated'
  )";

const FORGET_REJECTED: &str = "
delete from policies
where workspace_id = {}
  and status = 'rejected'
  and id not in (
    select id
    from policies
    where workspace_id = {}
      and status = 'rejected'
    order by id desc
    limit {}
  )";

const INSERT_MODULE: &str = "
insert into policies (
  workspace_id, id, digest, name, version, status, reasons, size, uploaded_by, uploaded_at, note
) values ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})";

const INSERT_BYTES: &str = "
insert into policy_modules (workspace_id, digest, bytes)
values ({}, {}, {})
on conflict do nothing";

/// Stores a module, unless it is there already.
pub(crate) async fn upload(database: &Database, warrant: Warrant<UploadPolicy>) -> Result<PolicyId, Error> {
    let workspace = head::workspace_of(&warrant)?;
    let epoch = warrant.epoch();
    let UploadPolicy { module, bytes, steps } = warrant.into_change();
    let let_in = (module.status == PolicyStatus::Validated).then_some(module.digest);
    let digest = module.digest.0.to_vec();
    let (_turn, mut tx) = database.begin_write_in(workspace).await?;
    head::lock(&mut tx, workspace, epoch).await?;
    if module.status == PolicyStatus::Validated
        && let Some(row) = tx.fetch(sql!(SAME_MODULE, workspace, digest.clone())).await?.first()
    {
        let id = PolicyId(row.only()?);
        // It may be one whose bytes had to make room.
        if tx.fetch(sql!(KEPT, workspace, id)).await?.is_empty() {
            make_room(&mut tx, workspace, bytes.len()).await?;
            tx.execute(sql!(INSERT_BYTES, workspace, digest, bytes.to_vec())).await?;
        }
        tx.commit().await?;
        return Ok(id);
    }
    let id = module.id;
    if module.status == PolicyStatus::Validated {
        make_room(&mut tx, workspace, bytes.len()).await?;
        tx.execute(sql!(INSERT_BYTES, workspace, digest.clone(), bytes.to_vec())).await?;
    }
    let insert = sql!(
        INSERT_MODULE,
        workspace,
        id,
        digest,
        module.name,
        module.version,
        module.status.name().to_owned(),
        serde_json::Value::from(module.reasons).to_string(),
        i64::try_from(module.size).unwrap_or(i64::MAX),
        module.uploaded_by.map(|user| user.0),
        module.uploaded_at,
        module.note,
    );
    tx.execute(insert).await?;
    // Rejected uploads are kept for their reasons, and must not keep better ones out.
    tx.execute(sql!(FORGET_REJECTED, workspace, workspace, at_most(limits::MODULES))).await?;
    policy_history::insert(&mut tx, workspace, steps).await?;
    if let Some(digest) = let_in {
        news::tell(&mut tx, PolicyEvent::Uploaded(workspace, digest)).await?;
    }
    tx.commit().await?;
    Ok(id)
}

/// Forgets modules until one more of so many bytes may be kept: whoever uploads with every build would else have no place left.
///
/// # Errors
/// [`Error::TooLarge`] if all that are kept are behind the latest versions.
async fn make_room(tx: &mut Tx, workspace: WorkspaceId, more: usize) -> Result<(), Error> {
    loop {
        let found = tx.fetch(sql!(KEPT_MODULES, workspace)).await?;
        let Some(row) = found.first() else { return Ok(()) };
        let mut columns = row.columns();
        let (modules, kept): (i64, i64) = (columns.take()?, columns.take()?);
        if modules < at_most(limits::MODULES) && kept.saturating_add(at_most(more)) <= at_most(limits::MODULES_BYTES) {
            return Ok(());
        }
        if tx.execute(sql!(FORGET_UNUSED, workspace, workspace)).await? == 0
            && tx.execute(sql!(FORGET_LONG_UNUSED, workspace, workspace, at_most(limits::RECENT_VERSIONS), workspace)).await? == 0
        {
            return Err(Error::TooLarge(format!(
                "the workspace keeps {modules} policy modules of {kept} bytes, may keep {} of {}, and all of them are behind its latest \
                 versions; activate one of these",
                limits::MODULES,
                limits::MODULES_BYTES
            )));
        }
        tx.execute(sql!(FORGET_BYTES, workspace, workspace)).await?;
    }
}

const STATUS: &str = "
select status
from policies
where workspace_id = {}
  and id = {}";

const KEPT: &str = "
select m.digest
from policies p
join policy_modules m
  on m.workspace_id = p.workspace_id
  and m.digest = p.digest
where p.workspace_id = {}
  and p.id = {}";

const ACTIVATE: &str = "
update workspaces
set policy_version_id = {},
  epoch = epoch + 1,
  updated_at = {},
  version = version + 1
where id = {}";

/// Makes a version the active one.
pub(crate) async fn activate(database: &Database, warrant: Warrant<ActivatePolicy>) -> Result<(), Error> {
    let workspace = head::workspace_of(&warrant)?;
    let epoch = warrant.epoch();
    let ActivatePolicy { expected, version, step, tests } = warrant.into_change();
    let (_turn, mut tx) = database.begin_write_in(workspace).await?;
    let active = head::lock(&mut tx, workspace, epoch).await?.active;
    if active != expected {
        return Err(Error::Stale("the active policy".to_owned()));
    }
    if let Some(passed) = tests
        && policy_tests::version(&mut tx, workspace).await? != passed
    {
        return Err(Error::Stale("the workspace's set of policy tests".to_owned()));
    }
    if let Some(module) = version.module {
        let found = tx.fetch(sql!(STATUS, workspace, module)).await?;
        let Some(row) = found.first() else { return Err(Error::NotFound(format!("policy module `{module}`"))) };
        if row.only::<String>()? != PolicyStatus::Validated.name() {
            return Err(Error::Refused(format!("policy module `{module}` was rejected when it was uploaded; upload a corrected one")));
        }
        if tx.fetch(sql!(KEPT, workspace, module)).await?.is_empty() {
            return Err(Error::Refused(format!("policy module `{module}` had to make room for others; upload it again")));
        }
    }
    let (id, at) = (version.id, version.activated_at);
    insert_version(&mut tx, workspace, version).await?;
    tx.execute(sql!(ACTIVATE, id, at, workspace)).await?;
    let ended = policy_shadows::end(&mut tx, workspace, expected, &step).await?;
    policy_history::insert(&mut tx, workspace, ended.into_iter().chain([step]).collect()).await?;
    news::tell(&mut tx, PolicyEvent::Activated(workspace)).await?;
    tx.commit().await
}

/// Numbers follow one another because the workspace is locked.
const INSERT_VERSION: &str = "
insert into policy_versions (
  workspace_id, id, policy_id, settings, standard, standard_settings, activated_by, activated_at, repeats, note, number
) values ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, (
  select coalesce(max(number), 0) + 1
  from policy_versions
  where workspace_id = {}
))";

/// Stores a version with the next number.
pub(crate) async fn insert_version(tx: &mut Tx, workspace: WorkspaceId, version: NewPolicyVersion) -> Result<(), Error> {
    let insert = sql!(
        INSERT_VERSION,
        workspace,
        version.id,
        version.module.map(|id| id.0),
        version.settings,
        version.standard.0.to_vec(),
        version.standard_settings,
        version.activated_by.map(|id| id.0),
        version.activated_at,
        version.repeats.map(|id: PolicyVersionId| -> Uuid { id.0 }),
        version.note,
        workspace,
    );
    tx.execute(insert).await?;
    Ok(())
}
