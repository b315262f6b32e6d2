//! The decision log.

use directory::{
    Error, Sealed, Warrant,
    access::Actor,
    contract::Digest,
    decisions::{DecisionEntry, DecisionFilter, DecisionOrder, DecisionRecord, DecisionSpan, RecordDecisions},
    ids::{TokenId, UserId, WorkspaceId},
};
use uuid::Uuid;

use crate::{
    Database,
    batch::{Batch, Of},
    cond::Cond,
    exec::Tx,
    put, rows,
    snapshot::View,
    sql::{Part, sql},
};

const RESERVE: &str = "
insert into decision_logs (workspace_id, last)
values ({}, {})
on conflict (workspace_id) do update
set last = decision_logs.last + excluded.last
returning last";

const INSERT: &str = "
insert into decisions (
  workspace_id, number, at, actor, actor_id, via, purpose, action, kind, object_id, objects, row_count, outcome, withheld, fields,
  reason, version_id, digest, facts, fuel, weight
)
{}";

const COLUMNS: [Of; 21] = [
    Of::Ids,
    Of::Integers,
    Of::Integers,
    Of::Texts,
    Of::Ids,
    Of::Texts,
    Of::Texts,
    Of::Texts,
    Of::Texts,
    Of::Ids,
    Of::Texts,
    Of::Integers,
    Of::Texts,
    Of::Texts,
    Of::Texts,
    Of::Texts,
    Of::Ids,
    Of::Texts,
    Of::Texts,
    Of::Integers,
    Of::Integers,
];

const FORGET: &str = "
delete from decisions
where workspace_id = {}
  and number <= {}";

/// Adds to the logs in a transaction of its own.
pub(crate) async fn record(database: &Database, warrant: Warrant<RecordDecisions>) -> Result<(), Error> {
    let mut tx = database.begin_write().await?;
    add(&mut tx, warrant.into_change()).await?;
    tx.commit().await
}

/// Adds to the logs. Their heads stay locked until the transaction ends, so this comes last.
pub(crate) async fn add(tx: &mut Tx, RecordDecisions { records, keep }: RecordDecisions) -> Result<(), Error> {
    for (workspace, records) in records.into_iter().filter(|(_, records)| !records.is_empty()) {
        let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
        let last: i64 = match tx.fetch(sql!(RESERVE, workspace, count)).await?.first() {
            Some(row) => row.only()?,
            None => return Err(Error::Store("the decision log has no head".to_owned())),
        };
        let mut batch = Batch::new(&COLUMNS);
        for (number, record) in (last - count + 1..).zip(records) {
            push(&mut batch, workspace, number, record);
        }
        put::insert(tx, INSERT, batch).await?;
        let kept = i64::try_from(keep).unwrap_or(i64::MAX);
        // Forgetting in steps spares most calls a look at the oldest entries.
        if last > kept && last / FORGET_STEP != (last - count) / FORGET_STEP {
            tx.execute(sql!(FORGET, workspace, last - kept)).await?;
        }
    }
    Ok(())
}

/// Entries by which a log may be longer than it is kept.
const FORGET_STEP: i64 = 256;

fn push(batch: &mut Batch, workspace: WorkspaceId, number: i64, record: DecisionRecord) {
    let (actor, actor_id) = match &record.actor {
        Some(Actor::User(id)) => (Some("user"), Some(id.0)),
        Some(Actor::Service(id)) => (Some("service"), Some(id.0)),
        None => (None, None),
    };
    let only = match record.objects.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    let integer = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let list = |texts: &[String]| serde_json::json!(texts).to_string();
    let objects = serde_json::Value::from_iter(record.objects.iter().map(|id| id.simple().to_string()));
    batch.push([
        workspace.0.into(),
        number.into(),
        record.at.0.into(),
        actor.map(str::to_owned).into(),
        actor_id.into(),
        record.via.into(),
        record.purpose.name().into(),
        record.action.into(),
        record.kind.name().into(),
        only.into(),
        objects.to_string().into(),
        integer(record.rows).into(),
        record.outcome.name().into(),
        list(&record.withheld).into(),
        list(&record.fields).into(),
        record.reason.into(),
        record.version.map(|id| id.0).into(),
        record.digest.map(|digest| digest.to_string()).into(),
        record.facts.map(|digest| digest.to_string()).into(),
        integer(record.fuel).into(),
        integer(record.weight).into(),
    ]);
}

const ENTRIES: &str = "
select {}
from decisions d
where d.workspace_id = {}{}
order by d.number {}
limit {}";

/// Entries in an order.
pub(crate) async fn entries(
    view: &mut View,
    filter: &DecisionFilter,
    order: DecisionOrder,
    rows: usize,
) -> Result<Vec<Sealed<DecisionEntry>>, Error> {
    let stored = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (place, direction) = match order {
        DecisionOrder::NewestBefore(before) => (before.map(|number| sql!("d.number < {}", stored(number))), "desc"),
        DecisionOrder::OldestFrom(from) => (Some(sql!("d.number >= {}", stored(from))), "asc"),
    };
    let conditions = Cond::all(place.into_iter().map(Cond::from).chain(conditions(filter)));
    let limit = i64::try_from(rows).unwrap_or(i64::MAX);
    let found = view.fetch(sql!(ENTRIES, rows::DECISION, view.workspace, conditions.and(), direction, limit)).await?;
    found.iter().map(|row| rows::decision(&mut row.columns())).collect()
}

fn conditions(filter: &DecisionFilter) -> Vec<Cond> {
    let mut conditions: Vec<Cond> = Vec::new();
    conditions.extend(filter.actor.map(|id| sql!("d.actor_id = {}", id).into()));
    conditions.extend(filter.object.map(about));
    conditions.extend(filter.action.clone().map(|action| sql!("d.action = {}", action).into()));
    conditions.extend(filter.outcome.map(|outcome| sql!("d.outcome = {}", outcome.name().to_owned()).into()));
    conditions.extend(filter.purpose.map(|purpose| sql!("d.purpose = {}", purpose.name().to_owned()).into()));
    conditions.extend(filter.since.map(|since| sql!("d.at >= {}", since).into()));
    conditions.extend(filter.until.map(|until| sql!("d.at < {}", until).into()));
    conditions
}

/// About a row, alone or among others.
fn about(id: Uuid) -> Cond {
    let alone = sql!("d.object_id = {}", id);
    let among = sql!("(d.object_id is null and {}(d.objects, {}) > 0)", Part::Position, id.simple().to_string());
    Cond::any([alone.into(), among.into()])
}

const FIRST: &str = "
select d.number
from decisions d
where d.workspace_id = {}
order by d.number
limit 1";

const LAST: &str = "
select l.last
from decision_logs l
where l.workspace_id = {}";

/// How far the log reaches.
pub(crate) async fn span(view: &mut View) -> Result<DecisionSpan, Error> {
    let mut span = DecisionSpan::default();
    for (statement, number) in [(FIRST, &mut span.first), (LAST, &mut span.last)] {
        if let Some(row) = view.fetch(sql!(statement, view.workspace).fixed()).await?.first() {
            *number = u64::try_from(row.only::<i64>()?).unwrap_or_default();
        }
    }
    Ok(span)
}

/// Who asked, as stored in two columns.
pub(crate) fn actor(kind: Option<&str>, id: Option<Uuid>) -> Option<Actor> {
    match (kind, id) {
        (Some("user"), Some(id)) => Some(Actor::User(UserId(id))),
        (Some("service"), Some(id)) => Some(Actor::Service(TokenId(id))),
        _ => None,
    }
}

/// A digest as stored.
pub(crate) fn digest(text: Option<&str>) -> Option<Digest> {
    let text = text?;
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(Digest(bytes))
}
