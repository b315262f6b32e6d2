//! What the operator does with a workspace's policy, past its gates and without asking it; and what the server does in its name.

use std::sync::Arc;

use super::{
    super::{Gate, Operator, Sealed},
    HISTORY_ROWS, check_note, check_settings_size, earlier, repeat,
};
use crate::{
    Error,
    contract::Digest,
    ids::{PolicyId, PolicyVersionId, WorkspaceId},
    model::{PolicyModule, PolicyStatus, PolicyVersion, Reason, Step, Timestamp},
    store::{ActivatePolicy, IdSource, NewPolicyStep, NewPolicyVersion, Snapshot, UploadPolicy},
};

/// What the operator lets decide.
#[derive(Clone, Debug, Default)]
pub struct Forced {
    /// The module; `None` for `standard` alone.
    pub module: Option<PolicyId>,
    /// The module's settings; `None` keeps the active ones where the module stays the same, else the module's defaults.
    pub settings: Option<String>,
    /// The settings of `standard`; `None` keeps the active ones.
    pub standard_settings: Option<String>,
    /// For people.
    pub note: Option<String>,
}

/// Which version the operator goes back to.
#[derive(Clone, Debug, Default)]
pub struct RollBack {
    /// This one; `None` for the one before the active one.
    pub to: Option<PolicyVersionId>,
    /// For people.
    pub note: Option<String>,
}

impl Gate {
    /// Installs a module for the operator.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every reason if it is rejected; those of the store.
    pub async fn install_policy(
        &self,
        operator: &Operator,
        workspace: WorkspaceId,
        bytes: Arc<[u8]>,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Result<PolicyId, Error> {
        let module = self.examine(&bytes, None, now, ids).await?;
        if module.status == PolicyStatus::Rejected {
            return Err(Error::Invalid(format!("the module was rejected: {}", module.reasons.join("; "))));
        }
        let steps = super::upload::steps(&module, |step| operator.step(step, now));
        self.store.upload_policy(operator.upload_policy(workspace, UploadPolicy { module, bytes, steps })).await
    }

    /// What an installed module has against settings, for an operator who is about to force them on it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a module that is not there, [`Error::Refused`] for a rejected one; those of the policy, which may not load,
    /// and of the store.
    pub async fn objections(&self, workspace: WorkspaceId, module: PolicyId, settings: &str) -> Result<Vec<String>, Error> {
        let found = self.snapshot(workspace).await?.policy_module(module).await?.map(Sealed::open);
        let PolicyModule { status, digest, .. } = found.ok_or_else(|| Error::NotFound(format!("policy `{module}`")))?;
        if status == PolicyStatus::Rejected {
            return Err(Error::Refused(format!("policy `{module}` was rejected when it was uploaded; upload a corrected one")));
        }
        self.load(workspace, digest).await?;
        Ok(self.engine.validate_settings(None, digest, settings).await?)
    }

    /// Activates an installed module, or `standard` alone, for the operator: past every gate, whatever the module says of its settings.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a module that is not there, [`Error::Refused`] for a rejected one, [`Error::TooLarge`] for settings past
    /// [`limits::SETTINGS_BYTES`](crate::limits::SETTINGS_BYTES); those of the store.
    pub async fn force_policy(
        &self,
        operator: &Operator,
        workspace: WorkspaceId,
        forced: Forced,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Result<PolicyVersionId, Error> {
        check_note(forced.note.as_deref())?;
        let active = self.active_version(workspace).await?;
        let settings = match forced.settings {
            _ if forced.module.is_none() => String::new(),
            Some(settings) => settings,
            None if forced.module == active.module => active.settings.clone(),
            None => String::new(),
        };
        let version = NewPolicyVersion {
            id: PolicyVersionId(ids.next_id()),
            module: forced.module,
            settings,
            standard: self.standard.digest,
            standard_settings: forced.standard_settings.unwrap_or_else(|| active.standard_settings.clone()),
            activated_by: None,
            activated_at: now,
            repeats: None,
            note: forced.note,
        };
        check_settings_size((&version.settings, &version.standard_settings))?;
        let digest = match version.module {
            None => None,
            Some(id) => {
                let module = self.snapshot(workspace).await?.policy_module(id).await?.map(Sealed::open);
                module.map(|module| module.digest)
            }
        };
        self.force(operator, workspace, active.id, version, NewPolicyStep { digest, ..operator.step(Step::ActivationForced, now) }).await
    }

    /// The operator's break glass: activates an earlier version again, whatever the active one says.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such version, [`Error::Refused`] if none is before the active one; those of the store.
    pub async fn force_roll_back(
        &self,
        operator: &Operator,
        workspace: WorkspaceId,
        back: RollBack,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Result<PolicyVersionId, Error> {
        check_note(back.note.as_deref())?;
        let active = self.active_version(workspace).await?;
        let mut snapshot = self.snapshot(workspace).await?;
        let (version, digest) = before(snapshot.as_mut(), &active, back.to, PolicyVersionId(ids.next_id()), now).await?;
        drop(snapshot);
        let version = NewPolicyVersion { note: back.note, ..version };
        self.force(operator, workspace, active.id, version, NewPolicyStep { digest, ..operator.step(Step::RollBackForced, now) }).await
    }

    /// Goes back from a version that failed to the one before it, for the server: once, if it is still the active one.
    pub(in crate::access) async fn leave_failed(
        &self,
        operator: &Operator,
        workspace: WorkspaceId,
        failed: &PolicyVersion,
        why: Reason,
        (now, id): (Timestamp, PolicyVersionId),
    ) -> Result<PolicyVersionId, Error> {
        let mut snapshot = self.snapshot(workspace).await?;
        // INVARIANT: one automatic step for each step of a person. Further back may lie anything.
        let steps = snapshot.policy_steps_of(failed.id).await?.into_iter().map(Sealed::open);
        if steps.into_iter().any(|step| step.step == Step::RolledBackAutomatically) {
            return Err(Error::Refused("the version was itself reached by an automatic roll back".to_owned()));
        }
        let (version, digest) = before(snapshot.as_mut(), failed, None, id, now).await?;
        drop(snapshot);
        let step = NewPolicyStep { digest, reasons: vec![why], ..operator.step(Step::RolledBackAutomatically, now) };
        self.force(operator, workspace, failed.id, version, step).await
    }

    async fn force(
        &self,
        operator: &Operator,
        workspace: WorkspaceId,
        expected: PolicyVersionId,
        version: NewPolicyVersion,
        step: NewPolicyStep,
    ) -> Result<PolicyVersionId, Error> {
        let id = version.id;
        let step = NewPolicyStep { module: version.module, version: Some(id), note: version.note.clone(), ..step };
        self.store.activate_policy(operator.activate_policy(workspace, ActivatePolicy { expected, version, step, tests: None })).await?;
        Ok(id)
    }
}

/// An earlier version as it would be activated again, and the digest of its module.
async fn before(
    snapshot: &mut dyn Snapshot,
    active: &PolicyVersion,
    to: Option<PolicyVersionId>,
    id: PolicyVersionId,
    now: Timestamp,
) -> Result<(NewPolicyVersion, Option<Digest>), Error> {
    let history: Vec<PolicyVersion> = snapshot.policy_versions(HISTORY_ROWS).await?.into_iter().map(Sealed::open).collect();
    let earlier = earlier(&history, active, to)?;
    Ok((repeat(&earlier, id, now), earlier.digest))
}
