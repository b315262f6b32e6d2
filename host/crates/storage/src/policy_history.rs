//! The history of a workspace's policy. Its steps are numbered under the workspace's lock, and the oldest are forgotten with each new one.

use std::net::IpAddr;

use directory::{
    Error, Sealed, Warrant,
    ids::{PolicyVersionId, WorkspaceId},
    limits::{DECIDING_STEPS, HISTORY_STEPS, REASONS},
    model::{Author, PolicyGate, PolicyStep, Quote, Reason, Step, StepNumber},
    store::{NewPolicyStep, RecordPolicyStep},
};
use serde_json::{Value, json};

use crate::{
    Database,
    exec::Tx,
    head, rows,
    snapshot::View,
    sql::{Part, among_texts, sql},
};

/// Writes a step that goes with no other change.
pub(crate) async fn record(database: &Database, warrant: Warrant<RecordPolicyStep>) -> Result<(), Error> {
    let workspace = head::workspace_of(&warrant)?;
    let epoch = warrant.epoch();
    let RecordPolicyStep(step) = warrant.into_change();
    let (_turn, mut tx) = database.begin_write_in(workspace).await?;
    head::lock(&mut tx, workspace, epoch).await?;
    insert(&mut tx, workspace, vec![step]).await?;
    tx.commit().await
}

const INSERT: &str = "
insert into policy_history (
  workspace_id, step, at, author, author_id, via, peer, policy_id, digest, version_id, note, reasons, number
) values ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, (
  select coalesce(max(number), 0) + 1
  from policy_history
  where workspace_id = {}
))";

/// What changed what decides outlasts whatever else is written down: uploads and refusals cost those who make them little. The active
/// version keeps the steps that made it active, and those by which its module came in: three or four.
const FORGET: &str = "
delete from policy_history
where workspace_id = {}
  and number <= (
    select max(h.number) - {}
    from policy_history h
    where h.workspace_id = {}
  )
  and (
    not step {}
    or number <= (
      select h.number
      from policy_history h
      where h.workspace_id = {}
        and h.step {}
      order by h.number desc
      limit 1
      offset {}
    )
  )
  and not exists (
    select 1
    from workspaces w
    join policy_versions v
      on v.workspace_id = w.id
      and v.id = w.policy_version_id
    where w.id = {}
      and v.workspace_id = {}
      and (
        policy_history.version_id = v.id
        or (policy_history.policy_id = v.policy_id and policy_history.step in ('uploaded', 'validated'))
      )
  )";

/// Writes steps in the transaction of what they are about, once that is done. The workspace is locked.
pub(crate) async fn insert(tx: &mut Tx, workspace: WorkspaceId, steps: Vec<NewPolicyStep>) -> Result<(), Error> {
    for step in steps {
        let (author, id) = match step.by {
            Author::User(id) => ("user", Some(id.0)),
            Author::Service(id) => ("service", Some(id.0)),
            Author::Operator => ("operator", None),
        };
        let insert = sql!(
            INSERT,
            workspace,
            step.step.name().to_owned(),
            step.at,
            author.to_owned(),
            id,
            step.via.to_owned(),
            step.peer.map(|peer: IpAddr| peer.to_string()),
            step.module.map(|id| id.0),
            step.digest.map(|digest| digest.0.to_vec()),
            step.version.map(|id| id.0),
            step.note,
            written(&step.reasons),
            workspace,
        );
        tx.execute(insert).await?;
    }
    tx.execute(sql!(FORGET, workspace, HISTORY_STEPS, workspace, deciding(), workspace, deciding(), DECIDING_STEPS, workspace, workspace))
        .await?;
    Ok(())
}

/// That a step changed what decides.
fn deciding() -> Part {
    let names: Vec<String> = Step::ALL.into_iter().filter(|step| step.decides()).map(|step| step.name().to_owned()).collect();
    among_texts(names)
}

fn written(reasons: &[Reason]) -> String {
    let quote = |quote: &Quote| json!([quote.kind.name(), quote.id.simple().to_string()]);
    let reason = |reason: &Reason| {
        json!({
            "gate": reason.gate.map(PolicyGate::name),
            "text": reason.text(),
            "quotes": reason.quotes().iter().map(quote).collect::<Vec<_>>(),
        })
    };
    reasons.iter().take(REASONS).map(reason).collect::<Value>().to_string()
}

const STEPS: &str = "
select {}
from policy_history h
where h.workspace_id = {}
  and h.number < {}
order by h.number desc
limit {}";

/// The steps behind a position, the latest first.
pub(crate) async fn steps(view: &mut View, after: Option<StepNumber>, rows: usize) -> Result<Vec<Sealed<PolicyStep>>, Error> {
    let (before, most) = (after.map_or(i64::MAX, |after| after.0), i64::try_from(rows).unwrap_or(i64::MAX));
    let found = view.fetch(sql!(STEPS, rows::POLICY_STEP, view.workspace, before, most).fixed()).await?;
    found.iter().map(|row| rows::policy_step(&mut row.columns())).collect()
}

const STEPS_OF: &str = "
select {}
from policy_history h
where h.workspace_id = {}
  and h.version_id = {}
order by h.number desc";

/// The steps that made a version the active one: as a rule a single one.
pub(crate) async fn steps_of(view: &mut View, version: PolicyVersionId) -> Result<Vec<Sealed<PolicyStep>>, Error> {
    let found = view.fetch(sql!(STEPS_OF, rows::POLICY_STEP, view.workspace, version).fixed()).await?;
    found.iter().map(|row| rows::policy_step(&mut row.columns())).collect()
}
