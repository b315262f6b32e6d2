//! The sums of a comparison, and the first changes by name.

use std::{collections::HashMap, sync::Arc};

use super::{ComparedAction, ComparedField, ComparisonChange, ComparisonExample, ComparisonFailure, ComparisonSide, ObjectId};
use crate::{
    access::{decide::Decision, resource::Hidden},
    contract::Failure,
    ids::UserId,
    register::{self, Kind},
};

/// What one policy says of a pair.
#[derive(Clone)]
pub(super) struct Outcome {
    decision: Decision,
    /// Whether the row is hidden, so that it does not matter what may be done to it.
    hidden: bool,
}

impl Outcome {
    /// Of a read.
    pub(super) fn of_sight(sight: &Decision) -> Self {
        Self { decision: sight.clone(), hidden: false }
    }

    /// Of another action: nobody acts on what is not there for them.
    pub(super) fn of_actions(sights: &[Decision], decided: Vec<Decision>) -> Vec<Self> {
        let outcome = |(sight, decision): (&Decision, Decision)| {
            let hidden = !sight.allows();
            Self { decision: if hidden { sight.clone() } else { decision }, hidden }
        };
        sights.iter().zip(decided).map(outcome).collect()
    }

    fn reason(&self) -> String {
        let reason = self.decision.reason();
        if self.hidden { format!("it is hidden: {reason}") } else { reason.to_owned() }
    }
}

/// A pair of which the policies say different things.
pub(super) struct Difference {
    /// The position of the row in its chunk.
    pub(super) row: usize,
    change: ComparisonChange,
    fields: Arc<Fields>,
    before: Outcome,
    after: Outcome,
}

/// The fields that become hidden, and those that become shown.
#[derive(Default)]
struct Fields {
    hidden: Vec<String>,
    shown: Vec<String>,
}

/// Where two policies differ on the same rows. `fields` are those of the register, if they matter; `attributes` the declared ones.
pub(super) fn differences(before: &[Outcome], after: &[Outcome], fields: &[&str], attributes: &[String]) -> Vec<Difference> {
    let none = Arc::new(Fields::default());
    // Verdicts are few, rows are many.
    let mut known: HashMap<(*const Hidden, *const Hidden), Arc<Fields>> = HashMap::new();
    let mut found = Vec::new();
    for (row, (before, after)) in before.iter().zip(after).enumerate() {
        let (change, fields) = match (&before.decision, &after.decision) {
            (Decision::Deny { .. }, Decision::Allow { .. }) => (ComparisonChange::Gained, none.clone()),
            (Decision::Allow { .. }, Decision::Deny { .. }) => (ComparisonChange::Lost, none.clone()),
            (Decision::Allow { hidden: one, .. }, Decision::Allow { hidden: other, .. }) => {
                let key = (Arc::as_ptr(one), Arc::as_ptr(other));
                let fields = known.entry(key).or_insert_with(|| Arc::new(Fields::between(one, other, fields, attributes)));
                if fields.hidden.is_empty() && fields.shown.is_empty() {
                    continue;
                }
                (ComparisonChange::Fields, fields.clone())
            }
            (Decision::Deny { .. }, Decision::Deny { .. }) => continue,
        };
        found.push(Difference { row, change, fields, before: before.clone(), after: after.clone() });
    }
    found
}

impl Fields {
    fn between(before: &Hidden, after: &Hidden, fields: &[&str], attributes: &[String]) -> Self {
        let core = fields.iter().copied().filter(|field| *field != "attributes.*");
        let custom = fields.contains(&"attributes.*").then_some(attributes).into_iter().flatten().map(String::as_str);
        let mut between = Self::default();
        for field in core.chain(custom) {
            match (before.takes(field), after.takes(field)) {
                (false, true) => between.hidden.push(field.to_owned()),
                (true, false) => between.shown.push(field.to_owned()),
                _ => {}
            }
        }
        between
    }
}

/// Adds a piece up.
pub(in crate::access) struct Tally {
    /// Examples of each change of each action.
    examples: usize,
    /// By action.
    lines: HashMap<String, Line>,
    failures: Vec<ComparisonFailure>,
}

/// What changes for one action.
#[derive(Default)]
struct Line {
    compared: u64,
    gained: u64,
    lost: u64,
    fields_changed: u64,
    /// By name: how often it becomes hidden, and shown.
    fields: HashMap<String, (u64, u64)>,
    unseen: u64,
    examples: Vec<ComparisonExample>,
}

impl Tally {
    /// Nothing yet; at most so many examples of each change of each action.
    pub(super) fn new(examples: usize) -> Self {
        Self { examples, lines: HashMap::new(), failures: Vec::new() }
    }

    /// Notes pairs on which both policies answered.
    pub(super) fn compared(&mut self, action: &str, pairs: usize) {
        self.line(action).compared += pairs as u64;
    }

    /// Notes pairs on which a policy did not answer.
    pub(in crate::access) fn failed(&mut self, side: ComparisonSide, action: &str, pairs: usize, failure: &Failure) {
        let pairs = pairs as u64;
        match self.failures.iter_mut().find(|known| known.side == side && known.action == action) {
            Some(known) => known.pairs += pairs,
            None => self.failures.push(ComparisonFailure { side, action: action.to_owned(), pairs, reason: failure.to_string() }),
        }
    }

    /// Adds a difference; `named` is who and what it is about, where the asker sees both.
    pub(super) fn changed(&mut self, action: &str, difference: &Difference, named: Option<(UserId, ObjectId)>) {
        let most = self.examples;
        let line = self.line(action);
        match difference.change {
            ComparisonChange::Gained => line.gained += 1,
            ComparisonChange::Lost => line.lost += 1,
            ComparisonChange::Fields => line.fields_changed += 1,
        }
        for name in &difference.fields.hidden {
            line.fields.entry(name.clone()).or_default().0 += 1;
        }
        for name in &difference.fields.shown {
            line.fields.entry(name.clone()).or_default().1 += 1;
        }
        match named {
            None => line.unseen += 1,
            Some(named) => {
                let alike = || line.examples.iter().filter(|example| example.change == difference.change);
                // Traffic asks for the same again and again.
                if alike().count() < most && !alike().any(|example| (example.subject, example.object) == named) {
                    line.examples.push(difference.example(named));
                }
            }
        }
    }

    /// What was added up, in the register's order.
    pub(in crate::access) fn finish(mut self) -> (Vec<ComparedAction>, Vec<ComparisonFailure>) {
        let kinds = register::actions().filter_map(|action| Some((register::action(&action)?.0, action)));
        let lines = kinds.filter_map(|(kind, action)| self.lines.remove(&action).map(|line| line.finish(kind, action)));
        (lines.collect(), self.failures)
    }

    fn line(&mut self, action: &str) -> &mut Line {
        self.lines.entry(action.to_owned()).or_default()
    }
}

impl Line {
    fn finish(self, kind: Kind, action: String) -> ComparedAction {
        let Self { compared, gained, lost, fields_changed, fields, unseen, examples } = self;
        let order = |name: &str| kind.fields().iter().position(|field| *field == name).unwrap_or(usize::MAX);
        let mut fields: Vec<ComparedField> =
            fields.into_iter().map(|(name, (hidden, shown))| ComparedField { name, hidden, shown }).collect();
        fields.sort_by(|one, other| (order(&one.name), &one.name).cmp(&(order(&other.name), &other.name)));
        ComparedAction { kind, action, compared, gained, lost, fields_changed, fields, unseen, examples }
    }
}

impl Difference {
    fn example(&self, (subject, object): (UserId, ObjectId)) -> ComparisonExample {
        ComparisonExample {
            subject,
            object,
            change: self.change,
            hidden: self.fields.hidden.clone(),
            shown: self.fields.shown.clone(),
            active_reason: self.before.reason(),
            candidate_reason: self.after.reason(),
        }
    }
}
