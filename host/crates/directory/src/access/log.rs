//! Recording decisions: which ones, from what, and on which way they reach the store.
//!
//! Answers about writes go into the journal of the request, and from there into the write's own transaction; if it is refused, into the
//! store before the caller is answered. A sample of all other answers waits in a queue for [`Gate::keep_decisions`].

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;
use uuid::Uuid;

use super::{Directory, Gate, Operator, Sealed, Visible, decide::Decision, facts::Facts, locked, permissions::kind_of};
use crate::{
    Error,
    contract::{Digest, Failure},
    decisions::{DecisionEntry, DecisionFilter, DecisionOrder, DecisionRecord, DecisionSpan, Outcome, Purpose, RecordDecisions},
    ids::{GrantId, GroupId, MembershipId, RoleId, TokenId, UserId, WorkspaceId},
    limits,
    model::Timestamp,
    register::Kind,
    text::shortened,
};

/// Records that wait at most; what comes when it is full is counted.
const QUEUE: usize = 16_384;
/// Records that wait before somebody is woken to write them.
const ENOUGH: usize = 256;
/// How long a record waits at most.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the queue rests after the store failed.
const RECOVERY: Duration = Duration::from_secs(5);

/// How much is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Of so many rows that are read or asked about, one is recorded; 0 for none.
    pub sample: u64,
    /// Entries that a workspace keeps.
    pub keep: u64,
}

/// What waits to be written.
#[derive(Default)]
struct Waiting {
    records: HashMap<WorkspaceId, Vec<DecisionRecord>>,
    len: usize,
    /// By workspace, what had no room.
    missing: HashMap<WorkspaceId, u64>,
}

/// The log of one process.
pub(super) struct Log {
    settings: LogSettings,
    /// Counts the rows that were read or asked about.
    seen: AtomicU64,
    waiting: Mutex<Waiting>,
    wake: Notify,
}

/// Which rows of a call are to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// Not one, unless the policy fails.
    None,
    /// Every `step`-th from `first` on.
    Sample { first: usize, step: usize },
    /// All.
    All,
}

/// What stood behind a call's answers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// The module that answered.
    pub(super) digest: Option<Digest>,
    /// See [`super::facts::digest`]; only where something is recorded.
    pub(super) facts: Option<Digest>,
    /// Of the call.
    pub(super) fuel: u64,
}

impl Log {
    pub(super) fn new(settings: LogSettings) -> Self {
        Self { settings, seen: AtomicU64::new(0), waiting: Mutex::default(), wake: Notify::new() }
    }

    /// Which of the next `len` rows are recorded.
    fn pick(&self, purpose: Purpose, len: usize) -> Pick {
        if purpose == Purpose::Write {
            return Pick::All;
        }
        let Some(step) = usize::try_from(self.settings.sample).ok().filter(|step| *step > 0) else { return Pick::None };
        let before = self.seen.fetch_add(len as u64, Ordering::Relaxed);
        let behind = usize::try_from(before % self.settings.sample).unwrap_or_default();
        let first = (step - behind) % step;
        if first < len { Pick::Sample { first, step } } else { Pick::None }
    }

    /// Lets a record wait, or counts it where there is no room.
    fn push(&self, workspace: WorkspaceId, record: DecisionRecord) {
        let mut waiting = locked(&self.waiting);
        if waiting.len >= QUEUE {
            *waiting.missing.entry(workspace).or_default() += record.weight.max(1);
            count_missing(record.weight.max(1));
            return;
        }
        waiting.records.entry(workspace).or_default().push(record);
        waiting.len += 1;
        if waiting.len == ENOUGH {
            self.wake.notify_one();
        }
    }

    /// Takes everything that waits. Workspaces come in the order of their ids, so that two hosts never wait for one another.
    fn take(&self, now: Timestamp) -> RecordDecisions {
        let Waiting { mut records, missing, .. } = std::mem::take(&mut *locked(&self.waiting));
        for (workspace, count) in missing {
            records.entry(workspace).or_default().push(DecisionRecord::missing(count, now));
        }
        let mut records: Vec<_> = records.into_iter().collect();
        records.sort_unstable_by_key(|(workspace, _)| *workspace);
        RecordDecisions { records, keep: self.settings.keep }
    }

    /// Counts what could not be written, so that the log says so once it can.
    fn lost(&self, lost: &RecordDecisions) {
        let mut waiting = locked(&self.waiting);
        for (workspace, records) in &lost.records {
            let weight: u64 = records.iter().map(|record| record.weight.max(1)).sum();
            *waiting.missing.entry(*workspace).or_default() += weight;
            count_missing(weight);
        }
    }
}

/// What was decided about a request's writes, until it is recorded with the write, or with the refusal.
///
/// Whoever goes away in between does not take a refusal along: what is left here is then queued like a read. An allowance of what was not
/// done is none.
pub(super) struct Journal {
    log: Option<Arc<Log>>,
    workspace: WorkspaceId,
    records: Mutex<Vec<DecisionRecord>>,
}

impl Journal {
    pub(super) fn new(log: Option<Arc<Log>>, workspace: WorkspaceId) -> Self {
        Self { log, workspace, records: Mutex::default() }
    }

    fn add(&self, records: impl IntoIterator<Item = DecisionRecord>) {
        locked(&self.records).extend(records);
    }

    fn take(&self) -> Vec<DecisionRecord> {
        std::mem::take(&mut *locked(&self.records))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let Some(log) = &self.log else { return };
        for record in self.take() {
            if record.outcome != Outcome::Allowed {
                log.push(self.workspace, record);
            }
        }
    }
}

/// What was taken out of the queue. Unless it was written, also where nobody waits for that any more, it counts as lost.
struct Taken<'a> {
    log: &'a Log,
    records: RecordDecisions,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.log.lost(&self.records);
    }
}

/// Tells the operator that decision logs have a gap.
fn count_missing(count: u64) {
    metrics::counter!("policy_decisions_missing_total").increment(count);
    tracing::debug!(target: "policy", count, "decisions could not be recorded");
}

impl Gate {
    /// The same, with a log of decisions. Let [`Gate::keep_decisions`] run as long as the gate is used.
    #[must_use]
    pub fn with_log(self, settings: LogSettings) -> Self {
        Self { log: Some(Arc::new(Log::new(settings))), ..self }
    }

    /// Writes what waits to be recorded, again and again; `now` tells the time. Ends never: drop it, and call [`Gate::flush_decisions`].
    pub async fn keep_decisions(&self, now: impl Fn() -> Timestamp) {
        let Some(log) = &self.log else { return };
        loop {
            // Whether it was woken or waited long enough makes no difference.
            let _ = tokio::time::timeout(PAUSE, log.wake.notified()).await;
            if let Err(error) = self.flush_decisions(now()).await {
                tracing::warn!(target: "policy", %error, "decisions could not be recorded; they are counted as missing");
                tokio::time::sleep(RECOVERY).await;
            }
        }
    }

    /// Writes what waits to be recorded.
    ///
    /// # Errors
    /// Those of the store; what was not written is counted, and noted as missing with the next writing.
    pub async fn flush_decisions(&self, now: Timestamp) -> Result<(), Error> {
        let Some(log) = &self.log else { return Ok(()) };
        let mut taken = Taken { log, records: log.take(now) };
        if taken.records.records.is_empty() {
            return Ok(());
        }
        self.store.record_decisions(Operator::record(taken.records.clone())).await?;
        taken.records.records.clear();
        Ok(())
    }

    /// Records what has no write to be recorded with, before its caller is answered. A log that fails refuses nothing more than the policy.
    pub(super) async fn record(&self, workspace: WorkspaceId, records: Vec<DecisionRecord>) {
        let Some(log) = &self.log else { return };
        if records.is_empty() {
            return;
        }
        let records = RecordDecisions { records: vec![(workspace, records)], keep: log.settings.keep };
        let mut taken = Taken { log, records };
        match self.store.record_decisions(Operator::record(taken.records.clone())).await {
            Ok(()) => taken.records.records.clear(),
            Err(error) => tracing::warn!(target: "policy", %error, "a refusal could not be recorded; it is counted as missing"),
        }
    }

    /// How many entries a workspace keeps.
    pub(super) fn kept_decisions(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.settings.keep)
    }
}

impl Directory {
    /// Which of the rows of a call are to be recorded.
    pub(super) fn pick(&self, purpose: Purpose, len: usize) -> Pick {
        self.gate.log.as_deref().filter(|_| self.recorded).map_or(Pick::None, |log| log.pick(purpose, len))
    }

    /// Records the answers of a call.
    pub(super) fn note(&self, call: &Call<'_>, pick: Pick, decisions: &[Decision], evidence: Evidence) {
        match pick {
            Pick::None => {}
            Pick::Sample { first, step } => {
                for (at, decision) in decisions.iter().enumerate().skip(first).step_by(step) {
                    let objects = call.objects.get(at).copied().flatten().into_iter().collect();
                    let record = self.record_of(call, decision, objects, 1, evidence);
                    self.queue(DecisionRecord { weight: step as u64, ..record });
                }
            }
            Pick::All => {
                // One record for all rows that are answered alike.
                let mut records: Vec<DecisionRecord> = Vec::new();
                for (at, decision) in decisions.iter().enumerate() {
                    let object = call.objects.get(at).copied().flatten();
                    let new = self.record_of(call, decision, Vec::new(), 0, evidence);
                    let alike =
                        |old: &&mut DecisionRecord| old.outcome == new.outcome && old.reason == new.reason && old.withheld == new.withheld;
                    let record = match records.iter_mut().find(alike) {
                        Some(record) => record,
                        None => {
                            records.push(new);
                            let Some(last) = records.last_mut() else { continue };
                            last
                        }
                    };
                    record.rows += 1;
                    record.objects.extend(object);
                }
                self.journal.add(records);
            }
        }
    }

    /// Records that the policy gave no answer that counts. Of reads, too: there is one for a call, and not for a row.
    pub(super) fn note_failure(&self, call: &Call<'_>, failure: &Failure) {
        if self.gate.log.is_none() || !self.recorded {
            return;
        }
        let record = DecisionRecord {
            outcome: Outcome::Failed,
            objects: call.objects.iter().copied().flatten().take(limits::LOGGED_OBJECTS).collect(),
            rows: call.objects.len() as u64,
            reason: shortened(&failure.to_string(), limits::LOGGED_BYTES),
            ..self.blank(call, Evidence { digest: self.version.digest.or(Some(self.version.standard)), ..Evidence::default() })
        };
        match call.purpose {
            Purpose::Write => self.journal.add([record]),
            Purpose::Read | Purpose::Ask => self.queue(record),
        }
    }

    /// What was decided about writes since the last time.
    pub(super) fn take_journal(&self) -> Vec<DecisionRecord> {
        self.journal.take()
    }

    fn queue(&self, record: DecisionRecord) {
        if let Some(log) = &self.gate.log {
            log.push(self.subject.workspace, record);
        }
    }

    fn record_of(&self, call: &Call<'_>, decision: &Decision, objects: Vec<Uuid>, rows: u64, evidence: Evidence) -> DecisionRecord {
        let names = |names: &[String]| names.iter().take(limits::LOGGED_NAMES).map(|name| shortened(name, limits::LOGGED_BYTES)).collect();
        let (outcome, withheld) = match decision {
            Decision::Deny { .. } => (Outcome::Denied, Vec::new()),
            Decision::Allow { hidden, .. } => match hidden.first_of(call.fields) {
                Some(field) => (Outcome::Denied, names(&[field.to_owned()])),
                None => (Outcome::Allowed, names(hidden.names())),
            },
        };
        let reason = shortened(decision.reason(), limits::LOGGED_BYTES);
        DecisionRecord { outcome, withheld, objects, rows, reason, ..self.blank(call, evidence) }
    }

    fn blank(&self, call: &Call<'_>, evidence: Evidence) -> DecisionRecord {
        DecisionRecord {
            at: self.now,
            actor: Some(self.subject.actor.clone()),
            via: self.subject.origin.via.to_owned(),
            purpose: call.purpose,
            action: call.action.to_owned(),
            kind: call.kind,
            objects: Vec::new(),
            rows: 0,
            outcome: Outcome::Denied,
            withheld: Vec::new(),
            fields: call.fields.iter().take(limits::LOGGED_NAMES).map(|name| shortened(name, limits::LOGGED_BYTES)).collect(),
            reason: String::new(),
            version: Some(self.version.id),
            digest: evidence.digest,
            facts: evidence.facts,
            fuel: evidence.fuel,
            weight: 1,
        }
    }

    /// The decision log, for whoever may `policy.explain`, at most `rows` entries.
    ///
    /// An entry names people and things; which of these the subject may see is for the interface to ask, by their ids.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for a filter by what is no action; those of policy and store.
    pub async fn decisions(
        &self,
        filter: &DecisionFilter,
        order: DecisionOrder,
        rows: usize,
    ) -> Result<(Vec<Visible<DecisionEntry>>, DecisionSpan), Error> {
        self.require("policy.explain").await?;
        if let Some(action) = &filter.action {
            kind_of(action)?;
        }
        let asked: Vec<Uuid> = filter.actor.iter().chain(&filter.object).copied().collect();
        if !self.knows(&asked).await? {
            // What they may not see has no entries for them.
            return Ok((Vec::new(), self.snapshot.lock().await.decision_span().await?));
        }
        let mut snapshot = self.snapshot.lock().await;
        let entries = snapshot.decisions(filter, order, rows).await?;
        let span = snapshot.decision_span().await?;
        drop(snapshot);
        let entries: Vec<DecisionEntry> = entries.into_iter().map(Sealed::open).collect();
        Ok((self.shown_entries(entries).await?, span))
    }

    /// Takes out of entries what the subject may not see: whoever asked, what it was about, and then also the policy's words about it.
    async fn shown_entries(&self, mut entries: Vec<DecisionEntry>) -> Result<Vec<Visible<DecisionEntry>>, Error> {
        let seen = self.seen_of(&entries).await?;
        let everything = self.sees_every(&entries).await?;
        let sees_facts = self.sees_every_fact().await?;
        for DecisionEntry { record, .. } in &mut entries {
            let objects = record.objects.len();
            // What was refused never came to be, and what was removed is gone: of whoever sees every row that there is, nothing is hidden.
            if !everything.contains(&record.kind) {
                record.objects.retain(|id| seen.contains(id));
            }
            let mut whole = record.objects.len() == objects;
            if !sees_facts {
                // Whoever knows all other facts would find the missing one by trying.
                record.facts = None;
            }
            if let Some(super::Actor::User(user)) = record.actor
                && !seen.contains(&user.0)
            {
                record.actor = None;
                whole = false;
            }
            if !whole {
                record.reason.clear();
                record.withheld.clear();
                record.fields.clear();
                record.facts = None;
                // It tells of the rows that were read.
                record.fuel = 0;
            }
        }
        Ok(entries.into_iter().map(Visible::new).collect())
    }

    /// Whether the subject sees every row and field of which facts are made.
    async fn sees_every_fact(&self) -> Result<bool, Error> {
        for kind in [Kind::User, Kind::Group, Kind::Role, Kind::Membership, Kind::Grant] {
            let scope = match self.scope(kind).await {
                // What a broken policy does not say keeps nobody from reading the rest.
                Err(Error::Policy(_)) => return Ok(false),
                scope => scope?,
            };
            if !scope.is_everything() || !kind.fields().iter().all(|field| scope.searchable.has(kind, field)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The kinds of entries of which the subject sees every row.
    async fn sees_every(&self, entries: &[DecisionEntry]) -> Result<HashSet<Kind>, Error> {
        let mut every = HashSet::new();
        for kind in entries.iter().map(|entry| entry.record.kind).collect::<HashSet<_>>() {
            let ends: &[Kind] = match kind {
                Kind::Membership => &[Kind::Membership, Kind::User, Kind::Group],
                Kind::Grant => &[Kind::Grant, Kind::User, Kind::Role],
                _ => &[kind],
            };
            let mut all = true;
            for kind in ends {
                all = all && self.scope(*kind).await?.is_everything();
            }
            if all {
                every.insert(kind);
            }
        }
        Ok(every)
    }

    /// Whether the subject may see whatever has these ids, or they are of services.
    async fn knows(&self, ids: &[Uuid]) -> Result<bool, Error> {
        for id in ids {
            let known = self.users(&[UserId(*id)]).await?.iter().any(Option::is_some)
                || self.groups(&[GroupId(*id)]).await?.iter().any(Option::is_some)
                || self.roles(&[RoleId(*id)]).await?.iter().any(Option::is_some)
                || self.memberships(&[MembershipId(*id)]).await?.iter().any(Option::is_some)
                || self.grants(&[GrantId(*id)]).await?.iter().any(Option::is_some)
                || self.snapshot.lock().await.token(TokenId(*id)).await?.is_some();
            if !known {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Which of the ids in entries are of rows that the subject may see.
    async fn seen_of(&self, entries: &[DecisionEntry]) -> Result<HashSet<Uuid>, Error> {
        let of = |kind: Kind| entries.iter().filter(move |entry| entry.record.kind == kind).flat_map(|entry| entry.record.objects.clone());
        let actors = entries.iter().filter_map(|entry| match entry.record.actor {
            Some(super::Actor::User(user)) => Some(user),
            _ => None,
        });
        let users: Vec<UserId> = of(Kind::User).map(UserId).chain(actors).collect();
        let mut seen = HashSet::new();
        seen.extend(self.users(&users).await?.iter().flatten().map(|row| row.id.0));
        seen.extend(self.groups(&of(Kind::Group).map(GroupId).collect::<Vec<_>>()).await?.iter().flatten().map(|row| row.id.0));
        seen.extend(self.roles(&of(Kind::Role).map(RoleId).collect::<Vec<_>>()).await?.iter().flatten().map(|row| row.id.0));
        let memberships: Vec<MembershipId> = of(Kind::Membership).map(MembershipId).collect();
        seen.extend(self.memberships(&memberships).await?.iter().flatten().map(|row| row.id.0));
        seen.extend(self.grants(&of(Kind::Grant).map(GrantId).collect::<Vec<_>>()).await?.iter().flatten().map(|row| row.id.0));
        Ok(seen)
    }
}

/// What a call is about, as far as the log wants to know.
pub(super) struct Call<'a> {
    pub(super) purpose: Purpose,
    pub(super) action: &'a str,
    pub(super) kind: Kind,
    /// One a row.
    pub(super) objects: Vec<Option<Uuid>>,
    /// What a write sets.
    pub(super) fields: &'a [String],
}

impl<'a> Call<'a> {
    /// A call about these facts.
    pub(super) fn new(purpose: Purpose, action: &'a str, kind: Kind, facts: &'a Facts<'_>, len: usize) -> Self {
        Self { purpose, action, kind, objects: facts.objects(len), fields: facts.fields() }
    }
}

/// Why a policy is asked, as the action and its facts tell.
pub(super) fn purpose(action: &str, kind: Kind, facts: &Facts<'_>) -> Purpose {
    match facts {
        Facts::Deed(..) if action != kind.read() => Purpose::Write,
        _ if action == kind.read() => Purpose::Read,
        _ => Purpose::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(sample: u64) -> Log {
        Log::new(LogSettings { sample, keep: 10 })
    }

    fn record(weight: u64) -> DecisionRecord {
        DecisionRecord { weight, ..DecisionRecord::missing(0, Timestamp(0)) }
    }

    #[test]
    fn one_row_of_so_many_is_picked_however_they_come() {
        for sizes in [vec![1; 1_000], vec![7; 143], vec![50; 20], vec![1_000]] {
            let log = log(10);
            let mut picked = Vec::new();
            let mut before = 0;
            for len in &sizes {
                if let Pick::Sample { first, step } = log.pick(Purpose::Read, *len) {
                    picked.extend((first..*len).step_by(step).map(|at| before + at));
                }
                before += len;
            }
            assert_eq!(picked, (0..before).step_by(10).collect::<Vec<_>>(), "{sizes:?}");
        }
    }

    #[test]
    fn writes_are_picked_whole_and_reads_need_not_be() {
        assert_eq!(log(0).pick(Purpose::Read, 4_096), Pick::None);
        assert_eq!(log(0).pick(Purpose::Write, 1), Pick::All);
        assert_eq!(log(1).pick(Purpose::Ask, 3), Pick::Sample { first: 0, step: 1 });
    }

    #[test]
    fn whoever_goes_away_takes_no_refusal_along() {
        let log = Arc::new(log(1));
        let workspace = WorkspaceId(Uuid::from_u128(1));
        let journal = Journal::new(Some(log.clone()), workspace);
        journal.add([Outcome::Allowed, Outcome::Denied, Outcome::Failed].map(|outcome| DecisionRecord { outcome, ..record(1) }));
        drop(journal);
        let taken = log.take(Timestamp(7));
        let [(_, records)] = taken.records.as_slice() else { panic!("{taken:?}") };
        assert_eq!(records.iter().map(|record| record.outcome).collect::<Vec<_>>(), [Outcome::Denied, Outcome::Failed]);
    }

    #[test]
    fn what_has_no_room_is_counted_and_told() {
        let log = log(1);
        let workspace = WorkspaceId(Uuid::from_u128(1));
        for _ in 0..QUEUE + 3 {
            log.push(workspace, record(5));
        }
        let taken = log.take(Timestamp(7));
        let [(of, records)] = taken.records.as_slice() else { panic!("{taken:?}") };
        assert_eq!((*of, records.len()), (workspace, QUEUE + 1));
        assert_eq!(records.last(), Some(&DecisionRecord::missing(15, Timestamp(7))));
        log.lost(&taken);
        let again = log.take(Timestamp(8));
        assert_eq!(again.records, [(workspace, vec![DecisionRecord::missing(5 * QUEUE as u64 + 15, Timestamp(8))])]);
    }
}
