//! The watch window: for some minutes after an activation the server counts how the version fails, and past a threshold goes back.
//!
//! Each server counts for itself, the calls of its own requests. What is the server's own fault does not count, and neither does a call
//! into a guest that has failed before in the same request: one failure is one, however many fields a document has. The request whose
//! failure is one too many goes back before it is answered, so that there is nobody to be forgotten and nothing to wait for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, atomic::Ordering},
};

use super::{Directory, Gate, Operator, OperatorVia, locked};
use crate::{
    Error,
    contract::Failure,
    ids::{PolicyVersionId, WorkspaceId},
    model::{PolicyVersion, Reason, Timestamp},
    store::IdSource,
};

/// Workspaces whose versions are counted at once. Whoever is activated beyond them is not watched.
const WATCHED: usize = 10_000;
/// Microseconds in a minute.
const MINUTE: i64 = 60_000_000;

/// When a version is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchRules {
    /// For so many minutes after it was activated; 0 watches nothing.
    pub minutes: u32,
    /// After at least so many failures,
    pub failures: u64,
    /// that are more than so many of a hundred calls.
    pub percent: u64,
}

/// What came of a call, as the watch counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counts {
    /// It was answered.
    Answered,
    /// It failed in this way.
    Failed(&'static str),
    /// It was answered, and the answer was a defect: found after it was counted.
    Defect,
}

impl Counts {
    /// `None` for what is not the policy's doing.
    pub(super) fn of<T>(outcome: &Result<T, Failure>) -> Option<Self> {
        match outcome {
            Ok(_) => Some(Self::Answered),
            Err(failure) if failure.is_of_server() => None,
            Err(failure) => Some(Self::Failed(failure.name())),
        }
    }
}

/// Counts by workspace.
pub(super) struct Watch {
    rules: WatchRules,
    ids: Mutex<Box<dyn IdSource>>,
    tallies: Mutex<HashMap<WorkspaceId, Tally>>,
}

/// The calls of one version.
struct Tally {
    version: PolicyVersionId,
    number: i64,
    ends: Timestamp,
    calls: u64,
    failures: BTreeMap<&'static str, u64>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Counting,
    GoingBack,
    Over,
}

impl Watch {
    fn new(rules: WatchRules, ids: Box<dyn IdSource>) -> Self {
        Self { rules, ids: Mutex::new(ids), tallies: Mutex::default() }
    }

    /// Counts a call; answers what speaks against the version if it is to be left, to one caller only until that one is done.
    fn count(&self, workspace: WorkspaceId, version: &PolicyVersion, now: Timestamp, call: Counts) -> Option<Attempt<'_>> {
        let ends = Timestamp(version.activated_at.0.saturating_add(i64::from(self.rules.minutes).saturating_mul(MINUTE)));
        if now >= ends {
            return None;
        }
        let mut tallies = locked(&self.tallies);
        if tallies.len() >= WATCHED && !tallies.contains_key(&workspace) {
            tallies.retain(|_, tally| tally.ends > now);
            if tallies.len() >= WATCHED {
                return None;
            }
        }
        let fresh =
            || Tally { version: version.id, number: version.number, ends, calls: 0, failures: BTreeMap::new(), stage: Stage::Counting };
        let tally = tallies.entry(workspace).or_insert_with(fresh);
        if tally.number < version.number {
            *tally = fresh();
        }
        // A request that began under an earlier version says nothing of this one.
        if tally.version != version.id {
            return None;
        }
        match call {
            Counts::Answered => tally.calls += 1,
            Counts::Failed(name) => {
                tally.calls += 1;
                *tally.failures.entry(name).or_default() += 1;
            }
            Counts::Defect => *tally.failures.entry("defect").or_default() += 1,
        }
        if call == Counts::Answered || tally.stage != Stage::Counting || !self.rules.are_met(tally) {
            return None;
        }
        tally.stage = Stage::GoingBack;
        Some(Attempt { watch: self, workspace, version: version.id, why: tally.why(self.rules), over: false })
    }

    fn next_id(&self) -> PolicyVersionId {
        PolicyVersionId(locked(&self.ids).next_id())
    }
}

impl WatchRules {
    fn are_met(self, tally: &Tally) -> bool {
        let failures: u64 = tally.failures.values().sum();
        failures >= self.failures && failures.saturating_mul(100) > tally.calls.saturating_mul(self.percent)
    }
}

impl Tally {
    fn why(&self, rules: WatchRules) -> Reason {
        let failures: u64 = self.failures.values().sum();
        let each: Vec<String> = self.failures.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let text = format!(
            "{failures} of {} calls on one server failed within {} minutes ({}); at most {} may, or {} of a hundred",
            self.calls,
            rules.minutes,
            each.join(", "),
            rules.failures.saturating_sub(1),
            rules.percent
        );
        Reason::new(None, &text)
    }
}

/// Leave to go back from a version, for one request. If that request is given up, the next failure tries again.
struct Attempt<'a> {
    watch: &'a Watch,
    workspace: WorkspaceId,
    version: PolicyVersionId,
    why: Reason,
    over: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(tally) = locked(&self.watch.tallies).get_mut(&self.workspace)
            && tally.version == self.version
        {
            tally.stage = if self.over { Stage::Over } else { Stage::Counting };
        }
    }
}

impl Gate {
    /// The same, watching versions for some time after they are activated; by default none is. `ids` are for the versions that it goes
    /// back to.
    #[must_use]
    pub fn with_watch(self, rules: WatchRules, ids: Box<dyn IdSource>) -> Self {
        Self { watch: (rules.minutes > 0).then(|| Watch::new(rules, ids)), ..self }
    }
}

impl Directory {
    /// Counts what came of a call of the active version, and goes back to the version before if it was one failure too many.
    pub(super) async fn count_call(&self, call: Counts) {
        let Some(watch) = self.gate.watch.as_ref().filter(|_| self.recorded) else { return };
        let Some(mut attempt) = watch.count(self.subject.workspace, &self.version, self.now, call) else { return };
        let (workspace, version) = (self.subject.workspace, self.version.id);
        let operator = Operator::new(OperatorVia::Server);
        let next = (self.now, watch.next_id());
        let why = attempt.why.told(|_| false).text;
        match self.gate.leave_failed(&operator, workspace, &self.version, attempt.why.clone(), next).await {
            Ok(now) => {
                attempt.over = true;
                metrics::counter!("policy_automatic_rollbacks_total").increment(1);
                tracing::warn!(target: "policy", event = "rolled-back-automatically", %workspace, %version, %now, why, "a policy failed, and the version before it decides again");
            }
            // Somebody else has left it, or was in the way: then the next failure tries again.
            Err(Error::Stale(_)) => attempt.over = self.gate.active_version(workspace).await.is_ok_and(|active| active.id != version),
            Err(Error::Refused(reason)) => {
                attempt.over = true;
                tracing::error!(target: "policy", %workspace, %version, why, reason, "a policy fails, and there is no way back");
            }
            Err(error) => {
                tracing::error!(target: "policy", %workspace, %version, why, %error, "a policy fails, and going back failed; the next failure tries again");
            }
        }
    }

    /// Counts the defects that were met so far, as one.
    pub(super) async fn count_defects(&self) {
        if self.defects.load(Ordering::Relaxed) > 0 {
            self.count_defect().await;
        }
    }

    /// Counts a defect of a policy's answer, once a request: a page may have a hundred of the same.
    pub(super) async fn count_defect(&self) {
        if !self.defect_counted.swap(true, Ordering::Relaxed) {
            self.count_call(Counts::Defect).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::contract::Digest;

    struct NoIds;

    impl IdSource for NoIds {
        fn next_id(&mut self) -> Uuid {
            Uuid::nil()
        }
    }

    const RULES: WatchRules = WatchRules { minutes: 10, failures: 3, percent: 50 };
    const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::nil());

    fn version(number: u8) -> PolicyVersion {
        PolicyVersion {
            id: PolicyVersionId(Uuid::from_u128(number.into())),
            module: None,
            digest: None,
            settings: String::new(),
            standard: Digest([0; 32]),
            standard_settings: String::new(),
            number: number.into(),
            activated_by: None,
            activated_at: Timestamp(0),
            repeats: None,
            note: None,
        }
    }

    /// The positions of the calls that would go back, each of which fails to.
    fn leaves(calls: &[(u8, Counts)], now: i64) -> Vec<usize> {
        let watch = Watch::new(RULES, Box::new(NoIds));
        let leaves =
            |(_, (number, call)): &(usize, &(u8, Counts))| watch.count(WORKSPACE, &version(*number), Timestamp(now), *call).is_some();
        calls.iter().enumerate().filter(leaves).map(|(at, _)| at).collect()
    }

    const FAILED: (u8, Counts) = (1, Counts::Failed("trap"));
    const ANSWERED: (u8, Counts) = (1, Counts::Answered);

    #[test]
    fn both_thresholds_must_be_met() {
        assert_eq!(leaves(&[FAILED, FAILED], 1), Vec::<usize>::new(), "too few failures");
        assert_eq!(leaves(&[FAILED, FAILED, FAILED], 1), [2]);
        let even = [ANSWERED, ANSWERED, ANSWERED, FAILED, FAILED, FAILED];
        assert_eq!(leaves(&even, 1), Vec::<usize>::new(), "half is not more than half");
        assert_eq!(leaves(&[&even[..], &[FAILED]].concat(), 1), [6]);
    }

    #[test]
    fn the_window_ends() {
        assert_eq!(leaves(&[FAILED; 3], 10 * MINUTE - 1), [2]);
        assert_eq!(leaves(&[FAILED; 3], 10 * MINUTE), Vec::<usize>::new());
    }

    #[test]
    fn versions_are_counted_apart() {
        let second = (2, Counts::Failed("trap"));
        assert_eq!(leaves(&[FAILED, FAILED, second, FAILED, second, second], 1), [5], "a request of the version before says nothing");
    }

    #[test]
    fn an_attempt_that_is_given_up_is_made_again_and_one_that_is_over_is_not() {
        let watch = Watch::new(RULES, Box::new(NoIds));
        let fail = || watch.count(WORKSPACE, &version(1), Timestamp(1), Counts::Failed("trap"));
        assert!(fail().is_none() && fail().is_none());
        let first = fail().unwrap();
        assert!(fail().is_none(), "one is under way");
        drop(first);
        let mut again = fail().unwrap();
        again.over = true;
        drop(again);
        assert!(fail().is_none());
    }

    #[test]
    fn a_defect_is_a_failure_of_a_call_that_was_counted() {
        let defect = [ANSWERED, (1, Counts::Defect)];
        assert_eq!(leaves(&[&defect[..], &defect, &defect].concat(), 1), [5]);
    }

    #[test]
    fn what_the_server_fails_at_does_not_count() {
        assert_eq!(Counts::of::<()>(&Err(Failure::Busy(1))), None);
        assert_eq!(Counts::of::<()>(&Err(Failure::Unready(String::new()))), None);
        assert_eq!(Counts::of::<()>(&Err(Failure::Unloadable(String::new()))), Some(Counts::Failed("unloadable")));
    }
}
