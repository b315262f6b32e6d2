//! What a module can be asked to find out what it costs: calls on the probe's made-up facts, for whoever has a clock.

use std::sync::Arc;

use directory::{
    contract::{Change, Context, Manifest, Rows},
    register::{self, Kind},
};

use crate::{
    facts::{Facts, Keys},
    fuel::{FuelBudget, context_bytes},
    world::Subject,
};

/// On whose behalf the calls are.
const SUBJECT: Subject = Subject::Manager;

/// The calls about one kind, on behalf of somebody in groups, with grants, who manages.
pub struct Sample<'a> {
    /// The kind.
    pub kind: Kind,
    /// The action that `check` is asked about: the kind's `read`, or the first one that the module decides.
    pub action: String,
    /// What every call is given beside rows.
    pub context: Arc<Context>,
    facts: Facts<'a>,
}

/// The calls about each kind that a module decides, in the register's order.
#[must_use]
pub fn samples<'a>(manifest: &'a Manifest, settings: &'a str) -> Vec<Sample<'a>> {
    let sample = |kind| {
        let action = decided(manifest, kind).into_iter().next()?;
        let facts = Facts { needs: &manifest.needs, settings, keys: Keys::default() };
        Some(Sample { kind, context: Arc::new(facts.context(&action, SUBJECT)), action, facts })
    };
    Kind::ALL.into_iter().filter_map(sample).collect()
}

impl Sample<'_> {
    /// Whether `scope` is asked, too: it is about reads alone.
    #[must_use]
    pub fn lists(&self) -> bool {
        self.action == self.kind.read()
    }

    /// So many rows for one call of `check`, with what the action would change of them.
    #[must_use]
    pub fn rows(&self, len: u32) -> (Rows, Option<Change>) {
        let before = self.facts.rows_before(self.kind, &self.action, SUBJECT, len);
        (before, self.facts.change(self.kind, &self.action, SUBJECT, len))
    }

    /// The fuel that a call about so many rows may take.
    #[must_use]
    pub fn budget(&self, rows: u32) -> u64 {
        FuelBudget::default().of_call(rows as usize, context_bytes(&self.context))
    }
}

/// The actions of a kind that a module decides, in the register's order.
pub(crate) fn decided(manifest: &Manifest, kind: Kind) -> Vec<String> {
    let actions = kind.verbs().iter().map(|verb| format!("{}.{verb}", kind.name()));
    actions.filter(|action| manifest.decides.iter().any(|pattern| register::covers(pattern, action))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_decided_kind_has_its_calls() {
        let decides = ["group.move", "user.*"].map(str::to_owned).to_vec();
        let manifest = Manifest { decides, needs: vec!["rows.self".to_owned()], ..Manifest::default() };
        let samples = samples(&manifest, "{}");
        let named: Vec<_> = samples.iter().map(|sample| (sample.kind, sample.action.as_str(), sample.lists())).collect();
        assert_eq!(named, [(Kind::User, "user.read", true), (Kind::Group, "group.move", false)]);
        let (rows, change) = samples[0].rows(40);
        assert_eq!((rows.len, rows.columns.len(), change), (40, 1, None));
        assert!(samples[1].rows(1).1.is_some(), "a write says what it would change");
        assert_eq!(samples[0].context.settings, "{}");
        assert_eq!(samples[0].budget(1_000) - samples[0].budget(0), 200_000_000);
    }
}
