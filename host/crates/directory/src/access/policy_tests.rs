//! The policy tests that a workspace keeps beside its modules: read, replaced, run on an upload, and a gate of every activation.

use super::{
    Directory, Gate, Sealed, Visible, Warrant,
    policies::{
        gates::{Findings, of_policy},
        refuse_settings_of_nothing,
    },
};
use crate::{
    Error,
    contract::{Failure, Module},
    ids::{PolicyId, PolicyVersionId, WorkspaceId},
    limits,
    model::{PolicyTests, PolicyVersion, Reason, Step, Version},
    store::{NewPolicyStep, SetPolicyTests},
    trials::{Candidate, Difference, Mistake, Report, Trials},
};

/// What policy tests are to be run on. What is `None` is what an activation would leave as it is.
#[derive(Clone, Debug)]
pub struct TestRun {
    /// The module; `None` for `standard` alone.
    pub module: Option<PolicyId>,
    /// The module's settings; `None` for the active ones where the module stays the same, else the module's defaults.
    pub settings: Option<String>,
    /// The settings of `standard`; `None` for the active ones.
    pub standard_settings: Option<String>,
}

/// Policy tests as they were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedTests {
    /// Their version.
    pub version: Version,
    /// How many expectations they have.
    pub expectations: usize,
}

/// Policy tests that may take the place of those that are kept.
struct Proposed {
    text: String,
    expectations: usize,
    /// They are those that are kept.
    is_kept: bool,
}

impl Directory {
    /// The policy tests, for whoever may `policy.read`; [`PolicyTests::NONE`] if there never were any.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; those of policy and store.
    pub async fn policy_tests(&self) -> Result<Visible<PolicyTests>, Error> {
        let hidden = self.reads_policies().await?;
        let mut tests = self.kept_tests().await?;
        if let Some(change) = &mut tests.changed {
            change.by = change.by.filter(|_| !hidden.hides("author"));
            self.forget_strangers(vec![&mut change.by]).await?;
        }
        Ok(Visible::new(tests))
    }

    /// Replaces the policy tests of the version that the caller has seen, 0 where there never were any. An empty text is none. The same
    /// text again is no change.
    ///
    /// They are checked, and not run: whether the active policy passes them is another question than whether the next one shall. Whoever
    /// holds [`Gate::replacement`] meanwhile lets activations come first that have the tests kept.
    ///
    /// # Errors
    /// Those of [`Directory::check_policy_tests`]; [`Error::Stale`] also if the workspace has moved on.
    pub async fn set_policy_tests(&self, expected: Version, text: &str) -> Result<CheckedTests, Error> {
        let Proposed { text, expectations, is_kept } = self.propose_tests(expected, text).await?;
        if is_kept {
            return Ok(CheckedTests { version: expected, expectations });
        }
        let what = match expectations {
            0 => "the tests were removed".to_owned(),
            1 => "the tests have one expectation".to_owned(),
            count => format!("the tests have {count} expectations"),
        };
        let step = NewPolicyStep { reasons: vec![Reason::new(None, &what)], ..self.step(Step::TestsReplaced) };
        let change = SetPolicyTests { expected, text, by: self.subject.user(), now: self.now, step };
        let warrant = Warrant::new(Some(self.subject.workspace), Some(self.epoch), change);
        self.still_accepted().await?;
        Ok(CheckedTests { version: self.gate.store.set_policy_tests(warrant).await?, expectations })
    }

    /// Whether policy tests may take the place of those of the version that the caller has seen; they, if they are kept already.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Stale`] if their version is another by now; [`Error::Invalid`] with every mistake;
    /// [`Error::TooLarge`] past [`limits::TESTS_BYTES`]; those of policy and store.
    pub async fn check_policy_tests(&self, expected: Version, text: &str) -> Result<Option<CheckedTests>, Error> {
        let Proposed { expectations, is_kept, .. } = self.propose_tests(expected, text).await?;
        Ok(is_kept.then_some(CheckedTests { version: expected, expectations }))
    }

    async fn propose_tests(&self, expected: Version, text: &str) -> Result<Proposed, Error> {
        self.require("policy.upload").await?;
        if text.len() > limits::TESTS_BYTES {
            return Err(Error::TooLarge(format!(
                "the tests have {} bytes, and may have {}; leave some out",
                text.len(),
                limits::TESTS_BYTES
            )));
        }
        let text = if text.trim().is_empty() { "" } else { text };
        let expectations = if text.is_empty() { 0 } else { self.gate.trials()?.check(text).map_err(|mistakes| invalid(&mistakes))? };
        let kept = self.kept_tests().await?;
        if kept.version != expected {
            return Err(Error::Stale("the workspace's set of policy tests".to_owned()));
        }
        Ok(Proposed { text: text.to_owned(), expectations, is_kept: kept.text == text })
    }

    /// Runs the policy tests on a module with settings, for whoever may `policy.read`; `None` if the workspace has none.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`] without the module; [`Error::Refused`] for one that was rejected; [`Error::Invalid`] with
    /// every error of the settings; those of policy and store.
    pub async fn run_policy_tests(&self, run: TestRun) -> Result<Option<Report>, Error> {
        self.require("policy.read").await?;
        self.begin_long_work()?;
        let tests = self.kept_tests().await?;
        if tests.text.is_empty() {
            return Ok(None);
        }
        refuse_settings_of_nothing(run.module, run.settings.as_deref())?;
        let version = self.proposed(PolicyVersionId(uuid::Uuid::nil()), run.module, run.settings, run.standard_settings);
        let version = self.candidate(&version).await?;
        self.check_settings(&version).await?;
        let candidate = self.trial_of(&version).await?;
        Ok(Some(self.gate.try_candidate(Some(self.subject.workspace), &tests.text, &candidate).await?))
    }

    /// The gate of activations: every test must be met.
    ///
    /// # Errors
    /// Where it could not look, because the store or the server failed.
    pub(super) async fn look_at_tests(&self, version: &PolicyVersion, findings: &mut Findings) -> Result<(), Error> {
        let tests = self.kept_tests().await?;
        if tests.text.is_empty() {
            return Ok(());
        }
        let report = match self.trial_of(version).await {
            Ok(candidate) => self.gate.try_candidate(None, &tests.text, &candidate).await?,
            Err(failure) => Report::unfinished(of_policy(failure)?.to_string()),
        };
        if !report.is_passed() {
            told(&report).iter().for_each(|text| findings.add(text));
        }
        Ok(())
    }

    /// A module that was just stored, with the settings that it would be activated with if nobody gave others.
    pub(super) fn trial_of_uploaded(&self, id: PolicyId, module: Module) -> Candidate {
        let proposed = self.proposed(PolicyVersionId(uuid::Uuid::nil()), Some(id), None, None);
        Candidate {
            module: Some(module),
            settings: proposed.settings,
            standard: self.gate.standard.clone(),
            standard_settings: proposed.standard_settings,
        }
    }

    /// A version with its bytes.
    async fn trial_of(&self, version: &PolicyVersion) -> Result<Candidate, Failure> {
        let workspace = self.subject.workspace;
        let module = match version.digest {
            Some(digest) => Some(self.gate.module(workspace, digest).await?),
            None => None,
        };
        Ok(Candidate {
            module,
            settings: version.settings.clone(),
            standard: self.gate.module(workspace, version.standard).await?,
            standard_settings: version.standard_settings.clone(),
        })
    }

    /// The tests on the view of this request.
    pub(super) async fn kept_tests(&self) -> Result<PolicyTests, Error> {
        self.snapshot.lock().await.policy_tests().await.map(Sealed::open)
    }
}

impl Gate {
    fn trials(&self) -> Result<&dyn Trials, Error> {
        self.trials.as_deref().ok_or_else(|| Error::Refused(NO_TRIALS.to_owned()))
    }

    /// Tries tests; for a workspace, of which one after the other is tried. Activations, of which there are few, wait for no others.
    pub(super) async fn try_candidate(&self, workspace: Option<WorkspaceId>, text: &str, candidate: &Candidate) -> Result<Report, Failure> {
        let _alone = match workspace {
            Some(workspace) => self.tests_alone(workspace).await?,
            None => None,
        };
        match &self.trials {
            Some(trials) => trials.run(text, candidate).await,
            None => Ok(Report::unfinished(NO_TRIALS)),
        }
    }
}

/// A server that can not run tests does not take them as passed.
const NO_TRIALS: &str = "this server runs no policy tests; ask its operator";

fn invalid(mistakes: &[Mistake]) -> Error {
    let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    Error::Invalid(format!("the policy tests can not be used: {}", mistakes.join("; ")))
}

/// The counts, and then the first of what is different; or why there is nothing to count.
pub(super) fn told(report: &Report) -> Vec<String> {
    if let Some(why) = &report.unfinished {
        return vec![why.clone()];
    }
    let all = report.passed + report.failed;
    if report.is_passed() {
        return vec![format!("all of {all} expectations are met")];
    }
    let counts = format!("{} of {all} expectations are not met; correct the module, its settings, or the tests", report.failed);
    std::iter::once(counts).chain(report.differences.iter().take(limits::REASONS - 1).map(Difference::to_string)).collect()
}
