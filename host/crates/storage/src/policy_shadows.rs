//! The shadow of a workspace's policy, and what came of it.

use directory::{
    Error, Sealed, Warrant,
    access::ObjectId,
    ids::{PolicyId, PolicyVersionId, UserId, WorkspaceId},
    limits,
    model::{Reason, Step},
    register::Kind,
    shadow::{Counted, Shadow, ShadowChange, ShadowFindings, ShadowSample},
    store::{AddToShadow, NewPolicyStep, StartShadow, StopShadow},
};
use uuid::Uuid;

use crate::{
    Database,
    batch::{Batch, Of},
    exec::{Columns, Tx},
    head, policy_history, put, rows,
    snapshot::View,
    sql::sql,
};

const SHADOW: &str = "
select {}
from policy_shadows s
where s.workspace_id = {}";

/// The shadow that runs, or ran last.
pub(crate) async fn last(view: &mut View) -> Result<Option<Sealed<Shadow>>, Error> {
    let found = view.fetch(sql!(SHADOW, rows::SHADOW, view.workspace).fixed()).await?;
    found.first().map(|row| rows::shadow(&mut row.columns())).transpose()
}

const COUNTS: &str = "
select c.counted, c.action, c.field, c.count
from policy_shadow_counts c
where c.workspace_id = {}";

const SAMPLES: &str = "
select p.action, p.change, p.subject_id, p.object_kind, p.object_id, p.hidden, p.shown, p.active_reason, p.candidate_reason
from policy_shadow_samples p
where p.workspace_id = {}
order by p.number";

/// What came of it.
pub(crate) async fn findings(view: &mut View) -> Result<Sealed<ShadowFindings>, Error> {
    let mut findings = ShadowFindings::default();
    for row in view.fetch(sql!(COUNTS, view.workspace).fixed()).await? {
        let mut columns = row.columns();
        let name: String = columns.take()?;
        let counted = Counted::named(&name).ok_or_else(|| Error::Store(format!("a shadow counts `{name}`")))?;
        let (action, field): (String, String) = (columns.take()?, columns.take()?);
        findings.count(counted, &action, &field, u64::try_from(columns.take::<i64>()?).unwrap_or_default());
    }
    for row in view.fetch(sql!(SAMPLES, view.workspace).fixed()).await? {
        findings.samples.push(sample(&mut row.columns())?);
    }
    Ok(Sealed::new(findings))
}

fn sample(columns: &mut Columns<'_>) -> Result<ShadowSample, Error> {
    let action = columns.take()?;
    let name: String = columns.take()?;
    let change = ShadowChange::named(&name).ok_or_else(|| Error::Store(format!("a shadow tells of `{name}`")))?;
    let subject = rows::optional(columns)?.map(UserId);
    let kind = columns.take::<Option<String>>()?.as_deref().and_then(Kind::named);
    let object = kind.zip(rows::optional(columns)?).and_then(|(kind, id)| ObjectId::new(kind, id));
    Ok(ShadowSample {
        action,
        change,
        subject,
        object,
        hidden: rows::texts(columns)?,
        shown: rows::texts(columns)?,
        active_reason: columns.take()?,
        candidate_reason: columns.take()?,
    })
}

const RUNNING: &str = "
select s.id, s.policy_id, s.digest
from policy_shadows s
where s.workspace_id = {}
  and s.active_id = {}
  and s.stopped_at is null";

const FORGET: [&str; 3] = [
    "
delete from policy_shadow_samples
where workspace_id = {}",
    "
delete from policy_shadow_counts
where workspace_id = {}",
    "
delete from policy_shadows
where workspace_id = {}",
];

const INSERT: &str = "
insert into policy_shadows (
  workspace_id, id, active_id, policy_id, digest, settings, standard, standard_settings, started_by, started_at, note
) values ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {})";

/// Starts a shadow in the place of the one that ran last.
pub(crate) async fn start(database: &Database, warrant: Warrant<StartShadow>) -> Result<(), Error> {
    let workspace = head::workspace_of(&warrant)?;
    let epoch = warrant.epoch();
    let StartShadow { shadow, step } = warrant.into_change();
    let (_turn, mut tx) = database.begin_write_in(workspace).await?;
    let active = head::lock(&mut tx, workspace, epoch).await?.active;
    if active != shadow.active {
        return Err(Error::Stale("the active policy".to_owned()));
    }
    if !tx.fetch(sql!(RUNNING, workspace, active)).await?.is_empty() {
        return Err(Error::Refused("a shadow runs already; stop it first".to_owned()));
    }
    for statement in FORGET {
        tx.execute(sql!(statement, workspace)).await?;
    }
    let candidate = shadow.candidate;
    let insert = sql!(
        INSERT,
        workspace,
        shadow.id.0,
        shadow.active,
        candidate.module.map(|id| id.0),
        candidate.digest.map(|digest| digest.0.to_vec()),
        candidate.settings,
        candidate.standard.0.to_vec(),
        candidate.standard_settings,
        candidate.activated_by.map(|id| id.0),
        candidate.activated_at,
        candidate.note,
    );
    tx.execute(insert).await?;
    policy_history::insert(&mut tx, workspace, vec![step]).await?;
    tx.commit().await
}

const STOP: &str = "
update policy_shadows
set stopped_at = {}
where workspace_id = {}
  and id = {}
  and active_id = {}
  and stopped_at is null";

/// Stops a shadow.
pub(crate) async fn stop(database: &Database, warrant: Warrant<StopShadow>) -> Result<(), Error> {
    let workspace = head::workspace_of(&warrant)?;
    let epoch = warrant.epoch();
    let StopShadow { id, now, step } = warrant.into_change();
    let (_turn, mut tx) = database.begin_write_in(workspace).await?;
    let active = head::lock(&mut tx, workspace, epoch).await?.active;
    if tx.execute(sql!(STOP, now, workspace, id.0, active)).await? == 0 {
        return Err(Error::NotFound(format!("a running shadow `{id}`")));
    }
    policy_history::insert(&mut tx, workspace, vec![step]).await?;
    tx.commit().await
}

/// Ends the shadow that stands beside a version which ceases to be active, if one does; the step that says so comes before `next`.
pub(crate) async fn end(
    tx: &mut Tx,
    workspace: WorkspaceId,
    active: PolicyVersionId,
    next: &NewPolicyStep,
) -> Result<Option<NewPolicyStep>, Error> {
    let found = tx.fetch(sql!(RUNNING, workspace, active)).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let mut columns = row.columns();
    let id: Uuid = columns.take()?;
    let module = rows::optional(&mut columns)?.map(PolicyId);
    let digest = columns.take::<Option<Vec<u8>>>()?.map(rows::digest).transpose()?;
    tx.execute(sql!(STOP, next.at, workspace, id, active)).await?;
    Ok(Some(NewPolicyStep {
        step: Step::ShadowStopped,
        module,
        digest,
        version: None,
        note: None,
        reasons: vec![Reason::new(None, "the version that it stood beside is no longer active")],
        ..next.clone()
    }))
}

/// What refers to the workspace would lock it when it is inserted: whoever changes what decides has locked it first, and then the shadow.
const LOCK_WORKSPACE: &str = "
select id
from workspaces
where id = {}
for key share";

/// SQLite has one writer at a time, and no word for locking a row.
const LOCK_SQLITE: &str = "
select s.id
from policy_shadows s
where s.workspace_id = {}
  and s.id = {}";

const LOCK_POSTGRES: &str = "
select s.id
from policy_shadows s
where s.workspace_id = {}
  and s.id = {}
for update";

const ADD: &str = "
insert into policy_shadow_counts (workspace_id, counted, action, field, count)
{}
on conflict (workspace_id, counted, action, field) do update
set count = policy_shadow_counts.count + excluded.count";

/// Adds to what came of a shadow. Of one that was replaced by another, nothing is kept.
pub(crate) async fn add(database: &Database, warrant: Warrant<AddToShadow>) -> Result<(), Error> {
    let workspace = head::workspace_of(&warrant)?;
    let AddToShadow { id, findings } = warrant.into_change();
    let (_turn, mut tx) = database.begin_write_in(workspace).await?;
    let lock = match tx {
        Tx::Sqlite(_) => LOCK_SQLITE,
        Tx::Postgres(_) => {
            tx.fetch(sql!(LOCK_WORKSPACE, workspace)).await?;
            LOCK_POSTGRES
        }
    };
    if tx.fetch(sql!(lock, workspace, id.0)).await?.is_empty() {
        return Ok(());
    }
    let mut batch = Batch::new(&[Of::Ids, Of::Texts, Of::Texts, Of::Texts, Of::Integers]);
    for ((counted, action, field), count) in findings.counts {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        batch.push([workspace.0.into(), counted.name().into(), action.into(), field.into(), count.into()]);
    }
    put::insert(&mut tx, ADD, batch).await?;
    for sample in findings.samples {
        keep(&mut tx, workspace, sample).await?;
    }
    tx.commit().await
}

/// As long as there are not enough of its kind, and none about the same two.
const KEEP: &str = "
insert into policy_shadow_samples (
  workspace_id, action, change, subject_id, object_kind, object_id, hidden, shown, active_reason, candidate_reason, number
)
select {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, coalesce(max(p.number), 0) + 1
from policy_shadow_samples p
where p.workspace_id = {}
having count(case when p.action = {} and p.change = {} then 1 end) < {}
  and count(case when p.action = {} and p.change = {} and p.subject_id = {} and p.object_id = {} then 1 end) = 0";

async fn keep(tx: &mut Tx, workspace: WorkspaceId, sample: ShadowSample) -> Result<(), Error> {
    let list = |texts: &[String]| serde_json::json!(texts).to_string();
    let object = sample.object.map(ObjectId::parts);
    let most = i64::try_from(limits::SHADOW_SAMPLES).unwrap_or(i64::MAX);
    let insert = sql!(
        KEEP,
        workspace,
        sample.action.clone(),
        sample.change.name().to_owned(),
        sample.subject.map(|id| id.0),
        object.map(|(kind, _)| kind.name().to_owned()),
        object.map(|(_, id)| -> Uuid { id }),
        list(&sample.hidden),
        list(&sample.shown),
        sample.active_reason,
        sample.candidate_reason,
        workspace,
        sample.action.clone(),
        sample.change.name().to_owned(),
        most,
        sample.action,
        sample.change.name().to_owned(),
        sample.subject.map(|id| id.0),
        object.map(|(_, id)| -> Uuid { id }),
    );
    tx.execute(insert).await?;
    Ok(())
}
