//! A shadow: a candidate that answers a workspace's live traffic beside the active policy, and what came of that.
//!
//! Nothing that it answers is ever used. It ends with the version that it stands beside.

use std::collections::BTreeMap;

use crate::{
    access::{ComparedAction, ComparedField, ComparisonChange, ComparisonExample, ComparisonFailure, ComparisonSide, ObjectId},
    contract::Cost,
    ids::{PolicyVersionId, ShadowId, UserId},
    limits,
    model::{PolicyVersion, Timestamp},
    register::{self, Kind},
};

/// A candidate beside the active version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// Unique everywhere.
    pub id: ShadowId,
    /// The version that it stands beside.
    pub active: PolicyVersionId,
    /// Module and settings, who started it, when and why, as if it had been activated; its id and number are of no version.
    pub candidate: PolicyVersion,
    /// When it ended; `None` while it runs.
    pub stopped_at: Option<Timestamp>,
}

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counted {
    /// Rows on which both policies answered, by action.
    Compared,
    /// Of these, rows that only the candidate allows.
    Gained,
    /// Of these, rows that only the active policy allows.
    Lost,
    /// Of these, rows that both show, with other fields.
    FieldsChanged,
    /// Of these, rows of which only the candidate hides a field, by action and field.
    Hidden,
    /// Of these, rows of which only the active policy hides a field, by action and field.
    Shown,
    /// Rows on which the active policy gave no answer that counts, by action.
    ActiveFailed,
    /// Rows on which the candidate gave none, by action.
    CandidateFailed,
    /// Rows that traffic was about and that were not compared: beyond the budget, or gone by then.
    Skipped,
    /// Calls of the active policy, to compare with.
    ActiveCalls,
    /// Fuel of those.
    ActiveFuel,
    /// Calls of the candidate.
    CandidateCalls,
    /// Fuel of those.
    CandidateFuel,
}

impl Counted {
    const NAMES: [(Self, &'static str); 13] = [
        (Self::Compared, "compared"),
        (Self::Gained, "gained"),
        (Self::Lost, "lost"),
        (Self::FieldsChanged, "fields-changed"),
        (Self::Hidden, "hidden"),
        (Self::Shown, "shown"),
        (Self::ActiveFailed, "active-failed"),
        (Self::CandidateFailed, "candidate-failed"),
        (Self::Skipped, "skipped"),
        (Self::ActiveCalls, "active-calls"),
        (Self::ActiveFuel, "active-fuel"),
        (Self::CandidateCalls, "candidate-calls"),
        (Self::CandidateFuel, "candidate-fuel"),
    ];

    /// The name as stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(counted, _)| *counted == self).map_or("", |(_, name)| name)
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(counted, _)| *counted)
    }
}

/// What is counted, of which action, and of which field; empty where it is of none in particular.
pub type Counter = (Counted, String, String);

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShadowChange {
    /// The policies answered differently.
    Changed(ComparisonChange),
    /// One of them gave no answer that counts.
    Failed(ComparisonSide),
}

impl ShadowChange {
    const NAMES: [(Self, &'static str); 5] = [
        (Self::Changed(ComparisonChange::Gained), "gained"),
        (Self::Changed(ComparisonChange::Lost), "lost"),
        (Self::Changed(ComparisonChange::Fields), "fields"),
        (Self::Failed(ComparisonSide::Active), "active-failed"),
        (Self::Failed(ComparisonSide::Candidate), "candidate-failed"),
    ];

    /// The name as stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(change, _)| *change == self).map_or("", |(_, name)| name)
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(change, _)| *change)
    }
}

/// One row of which something is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowSample {
    /// `kind.verb`.
    pub action: String,
    /// What became of it.
    pub change: ShadowChange,
    /// For whom; `None` for a service, and of failures.
    pub subject: Option<UserId>,
    /// Of what; `None` of what has no id, and of failures.
    pub object: Option<ObjectId>,
    /// Fields that become hidden.
    pub hidden: Vec<String>,
    /// Fields that become shown.
    pub shown: Vec<String>,
    /// In the words of the active policy, or how it failed.
    pub active_reason: String,
    /// In the words of the candidate, or how it failed.
    pub candidate_reason: String,
}

/// What came of a shadow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShadowFindings {
    /// The sums.
    pub counts: BTreeMap<Counter, u64>,
    /// The first changes and failures; of each action at most [`limits::SHADOW_SAMPLES`] of each kind are kept.
    pub samples: Vec<ShadowSample>,
}

impl ShadowFindings {
    /// Whether nothing came of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.samples.is_empty()
    }

    /// Adds what else came of it.
    pub fn merge(&mut self, other: Self) {
        for (counter, count) in other.counts {
            *self.counts.entry(counter).or_default() += count;
        }
        other.samples.into_iter().for_each(|sample| self.sample(sample));
    }

    /// Adds to a sum.
    pub fn count(&mut self, counted: Counted, action: &str, field: &str, count: u64) {
        if count > 0 {
            *self.counts.entry((counted, action.to_owned(), field.to_owned())).or_default() += count;
        }
    }

    /// Adds what a comparison found.
    pub fn add(&mut self, actions: Vec<ComparedAction>, failures: Vec<ComparisonFailure>, [active, candidate]: [Cost; 2]) {
        for line in actions {
            let ComparedAction { action, compared, gained, lost, fields_changed, fields, examples, .. } = line;
            for (counted, count) in
                [(Counted::Compared, compared), (Counted::Gained, gained), (Counted::Lost, lost), (Counted::FieldsChanged, fields_changed)]
            {
                self.count(counted, &action, "", count);
            }
            for ComparedField { name, hidden, shown } in fields {
                self.count(Counted::Hidden, &action, &name, hidden);
                self.count(Counted::Shown, &action, &name, shown);
            }
            examples.into_iter().for_each(|example| self.sample(ShadowSample::of(&action, example)));
        }
        for ComparisonFailure { side, action, pairs, reason } in failures {
            let counted = if side == ComparisonSide::Active { Counted::ActiveFailed } else { Counted::CandidateFailed };
            self.count(counted, &action, "", pairs);
            self.sample(ShadowSample::failed(side, action, reason));
        }
        for (counted, count) in [
            (Counted::ActiveCalls, active.calls),
            (Counted::ActiveFuel, active.fuel),
            (Counted::CandidateCalls, candidate.calls),
            (Counted::CandidateFuel, candidate.fuel),
        ] {
            self.count(counted, "", "", count);
        }
    }

    /// Keeps a sample, if there is room for one of its kind, and none about the same two.
    pub fn sample(&mut self, sample: ShadowSample) {
        let alike = || self.samples.iter().filter(|known| known.action == sample.action && known.change == sample.change);
        let is_new = sample.subject.is_none() || !alike().any(|known| known.subject == sample.subject && known.object == sample.object);
        if is_new && alike().count() < limits::SHADOW_SAMPLES {
            self.samples.push(sample);
        }
    }

    /// A sum, over all actions.
    #[must_use]
    pub fn total(&self, counted: Counted) -> u64 {
        self.counts.iter().filter(|((of, ..), _)| *of == counted).map(|(_, count)| *count).sum()
    }

    /// What each policy cost, the active one first.
    #[must_use]
    pub fn cost(&self) -> [Cost; 2] {
        [(Counted::ActiveCalls, Counted::ActiveFuel), (Counted::CandidateCalls, Counted::CandidateFuel)]
            .map(|(calls, fuel)| Cost { calls: self.total(calls), fuel: self.total(fuel) })
    }

    /// What changes for each action, in the register's order. Samples without a subject or an object are no examples.
    #[must_use]
    pub fn actions(&self) -> Vec<ComparedAction> {
        let found = register::actions().filter_map(|action| {
            let (kind, _) = register::action(&action)?;
            let compared = self.of(Counted::Compared, &action);
            (compared > 0).then(|| self.action(kind, action, compared))
        });
        found.collect()
    }

    /// Where a policy gave no answer that counts.
    #[must_use]
    pub fn failures(&self) -> Vec<ComparisonFailure> {
        let failed = self.counts.iter().filter_map(|((counted, action, _), pairs)| {
            let side = match counted {
                Counted::ActiveFailed => ComparisonSide::Active,
                Counted::CandidateFailed => ComparisonSide::Candidate,
                _ => return None,
            };
            let sample = self.samples.iter().find(|sample| sample.action == *action && sample.change == ShadowChange::Failed(side));
            let reason = sample.map(|sample| sample.reason(side).to_owned()).unwrap_or_default();
            Some(ComparisonFailure { side, action: action.clone(), pairs: *pairs, reason })
        });
        failed.collect()
    }

    fn of(&self, counted: Counted, action: &str) -> u64 {
        self.counts.get(&(counted, action.to_owned(), String::new())).copied().unwrap_or_default()
    }

    fn action(&self, kind: Kind, action: String, compared: u64) -> ComparedAction {
        let mut fields: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for ((counted, of, field), count) in &self.counts {
            match counted {
                Counted::Hidden if *of == action => fields.entry(field).or_default().0 += count,
                Counted::Shown if *of == action => fields.entry(field).or_default().1 += count,
                _ => {}
            }
        }
        let fields = fields.into_iter().map(|(name, (hidden, shown))| ComparedField { name: name.to_owned(), hidden, shown });
        ComparedAction {
            kind,
            compared,
            gained: self.of(Counted::Gained, &action),
            lost: self.of(Counted::Lost, &action),
            fields_changed: self.of(Counted::FieldsChanged, &action),
            fields: fields.collect(),
            unseen: 0,
            examples: self.samples.iter().filter(|sample| sample.action == action).filter_map(ShadowSample::example).collect(),
            action,
        }
    }
}

impl ShadowSample {
    fn of(action: &str, example: ComparisonExample) -> Self {
        let ComparisonExample { subject, object, change, hidden, shown, active_reason, candidate_reason } = example;
        Self {
            action: action.to_owned(),
            change: ShadowChange::Changed(change),
            subject: Some(subject),
            object: Some(object),
            hidden,
            shown,
            active_reason,
            candidate_reason,
        }
    }

    fn failed(side: ComparisonSide, action: String, reason: String) -> Self {
        let [active_reason, candidate_reason] = match side {
            ComparisonSide::Active => [reason, String::new()],
            ComparisonSide::Candidate => [String::new(), reason],
        };
        Self {
            action,
            change: ShadowChange::Failed(side),
            subject: None,
            object: None,
            hidden: Vec::new(),
            shown: Vec::new(),
            active_reason,
            candidate_reason,
        }
    }

    fn reason(&self, side: ComparisonSide) -> &str {
        match side {
            ComparisonSide::Active => &self.active_reason,
            ComparisonSide::Candidate => &self.candidate_reason,
        }
    }

    fn example(&self) -> Option<ComparisonExample> {
        let ShadowChange::Changed(change) = self.change else { return None };
        Some(ComparisonExample {
            subject: self.subject?,
            object: self.object?,
            change,
            hidden: self.hidden.clone(),
            shown: self.shown.clone(),
            active_reason: self.active_reason.clone(),
            candidate_reason: self.candidate_reason.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for (counted, name) in Counted::NAMES {
            assert_eq!((counted.name(), Counted::named(name)), (name, Some(counted)));
        }
        for (change, name) in ShadowChange::NAMES {
            assert_eq!((change.name(), ShadowChange::named(name)), (name, Some(change)));
        }
    }

    #[test]
    fn what_was_added_is_told_again() {
        let example = ComparisonExample {
            subject: UserId(uuid::Uuid::from_u128(1)),
            object: ObjectId::User(UserId(uuid::Uuid::from_u128(2))),
            change: ComparisonChange::Fields,
            hidden: vec!["email".to_owned()],
            shown: Vec::new(),
            active_reason: "one".to_owned(),
            candidate_reason: "other".to_owned(),
        };
        let examples: Vec<ComparisonExample> =
            (0..10).map(|of| ComparisonExample { object: ObjectId::User(UserId(uuid::Uuid::from_u128(of))), ..example.clone() }).collect();
        let action = ComparedAction {
            kind: Kind::User,
            action: "user.read".to_owned(),
            compared: 7,
            gained: 1,
            lost: 2,
            fields_changed: 3,
            fields: vec![ComparedField { name: "email".to_owned(), hidden: 3, shown: 0 }],
            unseen: 0,
            examples: examples[..2].to_vec(),
        };
        let failure =
            ComparisonFailure { side: ComparisonSide::Candidate, action: "group.read".to_owned(), pairs: 4, reason: "trap".to_owned() };
        let cost = [Cost { calls: 1, fuel: 10 }, Cost { calls: 2, fuel: 20 }];
        let mut findings = ShadowFindings::default();
        findings.add(vec![action.clone()], vec![failure.clone()], cost);
        assert_eq!((findings.actions(), findings.failures(), findings.cost()), (vec![action.clone()], vec![failure], cost));
        for at in 0..5 {
            // One is known by then.
            findings.add(vec![ComparedAction { examples: examples[at..at + 2].to_vec(), ..action.clone() }], Vec::new(), cost);
        }
        let [told] = findings.actions().try_into().unwrap();
        assert_eq!((told.compared, told.lost, told.examples.as_slice()), (42, 12, &examples[..limits::SHADOW_SAMPLES]));
    }
}
