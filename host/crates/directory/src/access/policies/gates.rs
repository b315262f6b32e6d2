//! The gates before an activation. Each looks at the version as it would stand, and tells everything that it has against it.
//!
//! To add a gate: its case in [`PolicyGate`], its line in `look`, and its module beside this one. Gates never write, and never show the
//! caller a row: they name rows as quotes of a [`Reason`], which is told to each reader as that reader may know it.

use std::time::Duration;

use super::{super::Directory, check_settings_size, sample::Extent};
use crate::{
    Error,
    contract::Failure,
    limits::{GATE_MS, REASONS},
    model::{PolicyGate, PolicyVersion, Reason},
};

/// What one gate has found so far.
pub(in crate::access) struct Findings {
    gate: PolicyGate,
    reasons: Vec<Reason>,
}

impl Findings {
    pub(super) const fn new(gate: PolicyGate) -> Self {
        Self { gate, reasons: Vec::new() }
    }

    /// Adds a reason about no row in particular.
    pub(in crate::access) fn add(&mut self, text: &str) {
        self.push(Reason::new(Some(self.gate), text));
    }

    /// Adds a reason of this gate. [`REASONS`] are enough to begin with.
    pub(super) fn push(&mut self, reason: Reason) {
        if self.reasons.len() < REASONS && !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// Adds what was found elsewhere.
    pub(super) fn append(&mut self, other: Self) {
        other.reasons.into_iter().for_each(|reason| self.push(reason));
    }

    /// Whether nothing was found.
    pub(super) const fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }
}

impl Directory {
    /// Asks every gate, one after the other, also when an earlier one refuses: the caller is told everything at once. Only under settings
    /// that are refused nothing else is asked, since what a policy would say there is nothing. Nothing is found if all let the candidate
    /// through.
    ///
    /// # Errors
    /// Where a gate could not look, because the store or the server failed.
    pub(super) async fn look_through_gates(&self, candidate: &PolicyVersion, extent: Extent) -> Result<Vec<Reason>, Error> {
        let mut reasons = Vec::new();
        for gate in PolicyGate::ALL {
            let mut findings = Findings::new(gate);
            let looked = tokio::time::timeout(Duration::from_millis(GATE_MS), self.look(gate, (candidate, extent), &mut findings)).await;
            match looked {
                Ok(looked) => looked?,
                Err(_) => findings.add(&format!(
                    "the candidate needs more than {} s to answer; make its rules cheaper, or let the operator force it",
                    GATE_MS / 1_000
                )),
            }
            reasons.append(&mut findings.reasons);
            if gate == PolicyGate::Settings && !reasons.is_empty() {
                break;
            }
        }
        Ok(reasons)
    }

    async fn look(&self, gate: PolicyGate, (candidate, extent): (&PolicyVersion, Extent), findings: &mut Findings) -> Result<(), Error> {
        match gate {
            PolicyGate::Settings => self.look_at_settings(candidate, findings).await,
            PolicyGate::LockOut => self.look_for_lock_out(candidate, findings).await,
            PolicyGate::Agreement => self.look_for_agreement(candidate, extent, findings).await,
            PolicyGate::Tests => self.look_at_tests(candidate, findings).await,
        }
    }

    /// The same gate for a version that nobody activates: what a policy would say under settings that it refuses is nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every reason; [`Error::TooLarge`].
    pub(in crate::access) async fn check_settings(&self, candidate: &PolicyVersion) -> Result<(), Error> {
        check_settings_size((&candidate.settings, &candidate.standard_settings))?;
        let mut findings = Findings::new(PolicyGate::Settings);
        self.look_at_settings(candidate, &mut findings).await?;
        if findings.reasons.is_empty() {
            return Ok(());
        }
        let texts: Vec<&str> = findings.reasons.iter().map(Reason::text).collect();
        Err(Error::Invalid(texts.join("; ")))
    }

    /// Whether module and `standard` load, and accept their settings.
    async fn look_at_settings(&self, candidate: &PolicyVersion, findings: &mut Findings) -> Result<(), Error> {
        let module = candidate.digest.map(|digest| (digest, candidate.settings.as_str(), "settings"));
        let standard = (candidate.standard, candidate.standard_settings.as_str(), "settings of `standard`");
        for (digest, settings, what) in module.into_iter().chain([standard]) {
            let accepted = async {
                self.gate.load(self.subject.workspace, digest).await?;
                self.gate.engine.validate_settings(Some(self.subject.workspace), digest, settings).await
            };
            match accepted.await {
                Ok(errors) => errors.iter().for_each(|error| findings.add(&format!("the policy refuses the {what}: {error}"))),
                Err(failure) => findings.add(&format!("the policy says nothing of the {what}: {}", of_policy(failure)?)),
            }
        }
        Ok(())
    }
}

/// A failure for which the candidate is to blame; one of the server's own is none of its gates' business.
pub(in crate::access) fn of_policy(failure: Failure) -> Result<Failure, Error> {
    if failure.is_of_server() { Err(Error::Policy(failure)) } else { Ok(failure) }
}
