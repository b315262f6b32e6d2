//! Modules come in. Compiling takes up to minutes, in which no view of the database is held: an upload looks before, and looks again after.

use std::sync::Arc;

use super::{
    super::{Gate, Subject, Warrant, long_work::Turn, policy_tests::told},
    check_note,
};
use crate::{
    Error,
    contract::{Digest, Failure, Module},
    ids::PolicyId,
    limits,
    model::{PolicyModule, PolicyStatus, Reason, Step, Timestamp},
    store::{IdSource, NewPolicyStep, UploadPolicy},
    trials::Report,
};

/// The answer to an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The module.
    pub id: PolicyId,
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// Whether it may be activated.
    pub status: PolicyStatus,
    /// Every reason why not.
    pub reasons: Vec<String>,
    /// What came of the workspace's policy tests; `None` if it has none, or the module was rejected.
    pub tests: Option<Report>,
}

/// Leave to upload a module. Whoever has it may `policy.upload`, and is one of few in the workspace: large bodies are read after this.
pub struct UploadLeave {
    gate: Arc<Gate>,
    subject: Subject,
    now: Timestamp,
    turn: Turn,
}

impl Gate {
    /// Leave to upload a module, for whoever may `policy.upload`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Failure::Share`] if the workspace is at work on enough already; those of policy and store.
    pub async fn leave_to_upload(self: &Arc<Self>, subject: Subject, now: Timestamp) -> Result<UploadLeave, Error> {
        let directory = self.open(subject.clone(), now).await?;
        directory.require("policy.upload").await?;
        let turn = self.begin_long_work(&subject)?;
        Ok(UploadLeave { gate: self.clone(), subject, now, turn })
    }

    /// Validates bytes and describes them as a module.
    pub(super) async fn examine(
        &self,
        bytes: &Arc<[u8]>,
        note: Option<String>,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Result<PolicyModule, Error> {
        if bytes.len() > limits::MODULE_BYTES {
            return Err(Error::TooLarge(format!(
                "the module has {} bytes, more than {}; strip debug sections or build for size",
                bytes.len(),
                limits::MODULE_BYTES
            )));
        }
        let validation = self.engine.validate(bytes, "").await;
        if let Some(why) = validation.unready {
            return Err(Failure::Unready(why).into());
        }
        let (name, version) = validation.manifest.map(|manifest| (manifest.name, manifest.version)).unwrap_or_default();
        Ok(PolicyModule {
            id: PolicyId(ids.next_id()),
            digest: validation.digest,
            name,
            version,
            status: if validation.reasons.is_empty() { PolicyStatus::Validated } else { PolicyStatus::Rejected },
            reasons: validation.reasons,
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            uploaded_by: None,
            uploaded_at: now,
            note,
        })
    }
}

impl UploadLeave {
    /// Validates a module and stores it, rejected ones with every reason and without their bytes. Then runs the workspace's policy tests
    /// on it: those that fail keep it from being activated, and not from being stored.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::TooLarge`] past [`limits::MODULE_BYTES`]; those of policy and store.
    pub async fn upload(self, bytes: Arc<[u8]>, note: Option<String>, ids: &mut dyn IdSource) -> Result<Upload, Error> {
        check_note(note.as_deref())?;
        let module = {
            let _line = self.turn.upload().await;
            self.gate.examine(&bytes, note, self.now, ids).await?
        };
        let module = PolicyModule { uploaded_by: self.subject.user(), ..module };
        let mut upload =
            Upload { id: module.id, digest: module.digest, status: module.status, reasons: module.reasons.clone(), tests: None };
        upload.id = self.store(&module, &bytes).await?;
        if upload.status == PolicyStatus::Validated {
            upload.tests = self.test(upload.id, Module { digest: module.digest, bytes }).await?;
        }
        Ok(upload)
    }

    /// Stores what was looked at. A busy workspace has moved on meanwhile: so whether the subject may is decided again.
    async fn store(&self, module: &PolicyModule, bytes: &Arc<[u8]>) -> Result<PolicyId, Error> {
        let mut attempt = 1;
        loop {
            let now = self.gate.open(self.subject.clone(), self.now).await?;
            now.still_accepted().await?;
            now.would_allow("policy.upload").await?;
            let change = UploadPolicy { module: module.clone(), bytes: bytes.clone(), steps: steps(module, |step| now.step(step)) };
            let warrant = Warrant::new(Some(self.subject.workspace), Some(now.epoch), change);
            drop(now);
            match self.gate.store.upload_policy(warrant).await {
                Err(Error::Stale(_)) if attempt < limits::WRITE_ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Runs the tests on a module that was just stored, with the settings that it would be activated with if nobody gave others, and writes
    /// down what came of it.
    ///
    /// What goes wrong with them is no failure of the upload.
    async fn test(&self, id: PolicyId, module: Module) -> Result<Option<Report>, Error> {
        let now = self.gate.open(self.subject.clone(), self.now).await?;
        let tests = now.kept_tests().await?;
        if tests.text.is_empty() {
            return Ok(None);
        }
        let step = NewPolicyStep { module: Some(id), digest: Some(module.digest), ..now.step(Step::Tested) };
        let candidate = now.trial_of_uploaded(id, module);
        drop(now);
        let report = self.gate.try_candidate(Some(self.subject.workspace), &tests.text, &candidate).await;
        let report = report.unwrap_or_else(|failure| Report::unfinished(failure.to_string()));
        let reasons = told(&report).iter().map(|text| Reason::new(None, text)).collect();
        self.gate.record_step(self.subject.workspace, NewPolicyStep { reasons, ..step }).await?;
        Ok(Some(report))
    }
}

/// The steps of an upload.
pub(super) fn steps(module: &PolicyModule, step: impl Fn(Step) -> NewPolicyStep) -> Vec<NewPolicyStep> {
    let about = |name| NewPolicyStep { module: Some(module.id), digest: Some(module.digest), ..step(name) };
    let reasons = module.reasons.iter().map(|reason| Reason::new(None, reason)).collect();
    let judged = match module.status {
        PolicyStatus::Validated => Step::Validated,
        PolicyStatus::Rejected => Step::Rejected,
    };
    vec![NewPolicyStep { note: module.note.clone(), ..about(Step::Uploaded) }, NewPolicyStep { reasons, ..about(judged) }]
}
