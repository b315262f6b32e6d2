//! What waits to be put to shadows: bounded for each workspace and over all, taken in turns, and no faster than each workspace's budget
//! allows. What finds no room is counted.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::{super::compare::Question, ShadowRules, Shown, locked};
use crate::{
    access::{Subject, decide::Decision},
    contract::Failure,
    ids::{ShadowId, WorkspaceId},
    limits,
    model::Timestamp,
    shadow::{Counted, Shadow, ShadowFindings},
};

/// Shadows that are known without asking the store.
const KNOWN: usize = 10_000;
/// Microseconds in a second.
const SECOND: i128 = 1_000_000;

/// Something that traffic asked.
pub(super) struct Event {
    pub(super) shadow: Arc<Shadow>,
    pub(super) subject: Subject,
    pub(super) matter: Matter,
}

/// What it asked.
pub(super) enum Matter {
    /// Can be asked again.
    Again(Question),
    /// Can not be asked again.
    Once {
        question: Question,
        /// By the active policy; how it failed, if it did.
        decisions: Result<Vec<Decision>, Failure>,
        /// What the candidate is shown; `None` if under it nobody decides.
        shown: Option<Box<Shown>>,
        /// What a write sets.
        fields: Vec<String>,
    },
}

impl Event {
    /// How many rows it is about.
    pub(super) fn rows(&self) -> usize {
        let (Matter::Again(question) | Matter::Once { question, .. }) = &self.matter;
        question.rows.len()
    }
}

/// The shadows of one process.
pub(in crate::access) struct Shadows {
    rules: ShadowRules,
    known: Mutex<HashMap<ShadowId, Arc<Shadow>>>,
    waiting: Mutex<Waiting>,
    findings: Mutex<HashMap<(WorkspaceId, ShadowId), ShadowFindings>>,
    seed: AtomicU64,
    /// Something waits that did not before.
    pub(super) wake: Notify,
}

#[derive(Default)]
struct Waiting {
    lines: HashMap<WorkspaceId, Line>,
    /// Workspaces of which something waits, in the order of their turns.
    turns: VecDeque<WorkspaceId>,
    rows: usize,
}

/// What waits of one workspace, and what it may use.
#[derive(Default)]
struct Line {
    events: VecDeque<Event>,
    rows: usize,
    /// Fuel that was used lately: it is forgotten at the rate at which fuel comes in.
    used: u64,
    /// When it was reckoned.
    at: Option<Timestamp>,
}

impl Line {
    /// Whether there is something left of a second's worth.
    const fn is_solvent(&self, rules: ShadowRules) -> bool {
        self.used < rules.fuel_a_second
    }

    /// Forgets what has come in since the last time.
    fn refill(&mut self, rules: ShadowRules, now: Timestamp) {
        let passed = self.at.map_or(0, |at| i128::from(now.0) - i128::from(at.0)).max(0);
        let come_in = u64::try_from(passed.saturating_mul(i128::from(rules.fuel_a_second)) / SECOND).unwrap_or(u64::MAX);
        if come_in > 0 || self.at.is_none() {
            self.used = self.used.saturating_sub(come_in);
            self.at = Some(now);
        }
    }
}

impl Shadows {
    pub(super) fn new(rules: ShadowRules) -> Self {
        Self {
            rules,
            known: Mutex::default(),
            waiting: Mutex::default(),
            findings: Mutex::default(),
            seed: AtomicU64::new(0),
            wake: Notify::new(),
        }
    }

    /// What a workspace's shadow may use in a second.
    pub(super) const fn fuel_a_second(&self) -> u64 {
        self.rules.fuel_a_second
    }

    pub(super) fn known(&self, id: ShadowId) -> Option<Arc<Shadow>> {
        locked(&self.known).get(&id).cloned()
    }

    pub(super) fn know(&self, shadow: Shadow) -> Arc<Shadow> {
        let shadow = Arc::new(shadow);
        let mut known = locked(&self.known);
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert(shadow.id, shadow.clone());
        shadow
    }

    /// Another one each time.
    pub(super) fn seed(&self) -> u64 {
        self.seed.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether a question about so many rows may wait. One is enough where there is no fuel left.
    pub(super) fn has_room(&self, workspace: WorkspaceId, rows: usize) -> bool {
        let (of_one, of_all) = limits::SHADOW_ROWS;
        let waiting = locked(&self.waiting);
        let line = waiting.lines.get(&workspace);
        let is_free = |line: &Line| {
            line.events.is_empty()
                || (line.is_solvent(self.rules) && line.events.len() < limits::SHADOW_QUESTIONS && line.rows + rows <= of_one)
        };
        waiting.rows + rows <= of_all && line.is_none_or(is_free)
    }

    /// Lets a question wait.
    pub(super) fn push(&self, event: Event) {
        let (workspace, rows) = (event.subject.workspace, event.rows());
        let mut waiting = locked(&self.waiting);
        let line = waiting.lines.entry(workspace).or_default();
        let is_first = line.events.is_empty();
        line.events.push_back(event);
        line.rows += rows;
        waiting.rows += rows;
        if is_first {
            waiting.turns.push_back(workspace);
            self.wake.notify_one();
        }
    }

    /// The next question that may be put to its shadow now.
    pub(super) fn next(&self, now: Timestamp) -> Option<Event> {
        let mut waiting = locked(&self.waiting);
        for _ in 0..waiting.turns.len() {
            let workspace = waiting.turns.pop_front()?;
            let Some(line) = waiting.lines.get_mut(&workspace) else { continue };
            line.refill(self.rules, now);
            let event = if line.is_solvent(self.rules) { line.events.pop_front() } else { None };
            let rows = event.as_ref().map_or(0, Event::rows);
            line.rows -= rows;
            let (is_waiting, is_idle) = (!line.events.is_empty(), line.events.is_empty() && line.used == 0);
            waiting.rows -= rows;
            if is_waiting {
                waiting.turns.push_back(workspace);
            }
            match event {
                // Its budget is as good as new.
                Some(event) if is_idle => {
                    waiting.lines.remove(&workspace);
                    return Some(event);
                }
                Some(event) => return Some(event),
                None => {}
            }
        }
        None
    }

    /// A question has cost so much.
    pub(super) fn spend(&self, workspace: WorkspaceId, fuel: u64, now: Timestamp) {
        let mut waiting = locked(&self.waiting);
        if waiting.lines.len() >= KNOWN {
            waiting.lines.retain(|_, line| {
                line.refill(self.rules, now);
                line.used > 0 || !line.events.is_empty()
            });
        }
        let line = waiting.lines.entry(workspace).or_default();
        line.refill(self.rules, now);
        line.used = line.used.saturating_add(fuel);
    }

    /// Counts rows that are not compared.
    pub(super) fn skip(&self, workspace: WorkspaceId, shadow: ShadowId, rows: usize) {
        self.found(workspace, shadow, |findings| findings.count(Counted::Skipped, "", "", rows as u64));
    }

    /// Adds to what came of a shadow.
    pub(super) fn found(&self, workspace: WorkspaceId, shadow: ShadowId, add: impl FnOnce(&mut ShadowFindings)) {
        add(locked(&self.findings).entry((workspace, shadow)).or_default());
    }

    /// Takes what came of all shadows, in the order of their workspaces.
    pub(super) fn take(&self) -> Vec<((WorkspaceId, ShadowId), ShadowFindings)> {
        let mut taken: Vec<_> = std::mem::take(&mut *locked(&self.findings)).into_iter().collect();
        taken.sort_unstable_by_key(|(of, _)| *of);
        taken
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        access::{Actor, Origin, compare::AskedRows},
        contract::Digest,
        ids::{PolicyVersionId, UserId},
        model::PolicyVersion,
        register::Kind,
    };

    const RULES: ShadowRules = ShadowRules { fuel_a_second: 1_000 };

    fn workspace(number: u128) -> WorkspaceId {
        WorkspaceId(Uuid::from_u128(number))
    }

    fn event(number: u128, rows: usize) -> Event {
        let candidate = PolicyVersion {
            id: PolicyVersionId(Uuid::nil()),
            module: None,
            digest: None,
            settings: String::new(),
            standard: Digest([0; 32]),
            standard_settings: String::new(),
            number: 0,
            activated_by: None,
            activated_at: Timestamp(0),
            repeats: None,
            note: None,
        };
        let shadow = Shadow { id: ShadowId(Uuid::nil()), active: PolicyVersionId(Uuid::nil()), candidate, stopped_at: None };
        Event {
            shadow: Arc::new(shadow),
            subject: Subject {
                workspace: workspace(number),
                actor: Actor::User(UserId(Uuid::nil())),
                scopes: None,
                expires_at: None,
                origin: Origin::within("test"),
            },
            matter: Matter::Again(Question { action: "user.read".to_owned(), kind: Kind::User, rows: AskedRows::These(vec![None; rows]) }),
        }
    }

    #[test]
    fn workspaces_take_turns() {
        let shadows = Shadows::new(RULES);
        for number in [1, 1, 1, 2, 3] {
            shadows.push(event(number, 1));
        }
        let order: Vec<_> = std::iter::from_fn(|| shadows.next(Timestamp(0))).map(|event| event.subject.workspace).collect();
        assert_eq!(order, [1, 2, 3, 1, 1].map(workspace));
        assert!(locked(&shadows.waiting).lines.is_empty() && locked(&shadows.waiting).turns.is_empty());
    }

    #[test]
    fn whoever_has_no_fuel_left_waits_and_others_do_not() {
        let shadows = Shadows::new(RULES);
        shadows.spend(workspace(1), 999, Timestamp(0));
        shadows.push(event(1, 1));
        assert!(shadows.next(Timestamp(0)).is_some(), "something is left");
        shadows.spend(workspace(1), 2_000, Timestamp(0));
        shadows.push(event(1, 1));
        shadows.push(event(2, 1));
        assert_eq!(shadows.next(Timestamp(0)).map(|event| event.subject.workspace), Some(workspace(2)));
        assert!(!shadows.has_room(workspace(1), 1), "one question waits for fuel already");
        assert!(shadows.next(Timestamp(1_999_000)).is_none());
        assert_eq!(shadows.next(Timestamp(2_000_000)).map(|event| event.subject.workspace), Some(workspace(1)));
    }

    #[test]
    fn fuel_comes_in_however_often_somebody_looks() {
        let shadows = Shadows::new(ShadowRules { fuel_a_second: 1 });
        shadows.spend(workspace(1), 2, Timestamp(0));
        shadows.push(event(1, 1));
        for moment in 0..2_000 {
            assert!(shadows.next(Timestamp(moment * 1_000)).is_none());
        }
        assert!(shadows.next(Timestamp(2_000_000)).is_some());
    }

    #[test]
    fn what_waits_is_bounded() {
        let shadows = Shadows::new(RULES);
        let (of_one, of_all) = limits::SHADOW_ROWS;
        let mut number = 1;
        while shadows.has_room(workspace(number), of_one) {
            shadows.push(event(number, of_one));
            assert!(!shadows.has_room(workspace(number), 1));
            number += 1;
        }
        assert_eq!(usize::try_from(number - 1).unwrap(), of_all / of_one);
        let shadows = Shadows::new(RULES);
        while shadows.has_room(workspace(1), 1) {
            shadows.push(event(1, 1));
        }
        assert_eq!(locked(&shadows.waiting).rows, limits::SHADOW_QUESTIONS);
    }
}
