//! The life of a module: upload, gates, activation, roll back, settings, history. Each step is itself a policy decision, and is written
//! down in the history.

mod agreement;
mod forced;
pub(super) mod gates;
pub(super) mod history;
mod lock_out;
mod sample;
mod upload;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedSemaphorePermit},
    time::timeout,
};

use super::{
    Directory, Gate, Sealed, Subject, Visible, Warrant,
    decide::Decision,
    facts::{Facts, RowSet},
    resource::Hidden,
};
use crate::{
    Error,
    contract::{Errand, Manifest},
    ids::{PolicyId, PolicyVersionId, UserId, WorkspaceId},
    limits,
    model::{Epoch, PolicyGate, PolicyModule, PolicyStatus, PolicyVersion, Quote, Reason, Step, Timestamp},
    register::Kind,
    store::{ActivatePolicy, IdSource, NewPolicyStep, NewPolicyVersion},
};
pub use forced::{Forced, RollBack};
use gates::Findings;
pub use history::HistoryPage;
use sample::Extent;
pub use upload::{Upload, UploadLeave};

/// How long a gate waits for a view beside its own.
const GATE_VIEW_TIME: Duration = Duration::from_millis(20);

/// Earlier versions that a roll back may look through.
const HISTORY_ROWS: usize = 1_000;

/// What decides now.
#[derive(Clone, Debug)]
pub struct ActivePolicy {
    /// The version.
    pub version: PolicyVersion,
    /// What the module says of itself; `standard`'s where it decides alone. `None` if it cannot be loaded.
    pub manifest: Option<Arc<Manifest>>,
}

/// What is to be activated.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The version that the caller has seen as active.
    pub expected: PolicyVersionId,
    /// The module; `None` for `standard` alone.
    pub module: Option<PolicyId>,
    /// The module's settings; `None` keeps the active ones where the module stays the same, else the module's defaults.
    pub settings: Option<String>,
    /// The settings of `standard`; `None` keeps the active ones.
    pub standard_settings: Option<String>,
    /// For people.
    pub note: Option<String>,
}

impl Directory {
    /// The active version, for whoever may `policy.read`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; those of policy and store.
    pub async fn active_policy(&self) -> Result<Visible<ActivePolicy>, Error> {
        let hidden = self.reads_policies().await?;
        let digest = self.version.digest.unwrap_or(self.version.standard);
        let manifest = self.gate.load_in_time(self.subject.workspace, digest).await.ok();
        let mut version = shown_version((*self.version).clone(), &hidden);
        self.forget_strangers(vec![&mut version.activated_by]).await?;
        Ok(Visible::new(ActivePolicy { version, manifest }))
    }

    /// The modules, newest first, for whoever may `policy.read`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; those of policy and store.
    pub async fn policy_modules(&self) -> Result<Vec<Visible<PolicyModule>>, Error> {
        let hidden = self.reads_policies().await?;
        // As many as there may be, with as many again that were rejected.
        let rows = self.snapshot.lock().await.policy_modules(2 * limits::MODULES).await?;
        let mut rows: Vec<PolicyModule> = rows.into_iter().map(|row| shown_module(row.open(), &hidden)).collect();
        self.forget_strangers(rows.iter_mut().map(|row| &mut row.uploaded_by).collect()).await?;
        Ok(rows.into_iter().map(Visible::new).collect())
    }

    /// The activations, newest first, for whoever may `policy.read`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; those of policy and store.
    pub async fn policy_versions(&self) -> Result<Vec<Visible<PolicyVersion>>, Error> {
        let hidden = self.reads_policies().await?;
        let rows = self.snapshot.lock().await.policy_versions(limits::MODULES).await?;
        let mut rows: Vec<PolicyVersion> = rows.into_iter().map(|row| shown_version(row.open(), &hidden)).collect();
        self.forget_strangers(rows.iter_mut().map(|row| &mut row.activated_by).collect()).await?;
        Ok(rows.into_iter().map(Visible::new).collect())
    }

    /// Takes out the users whom the subject does not see.
    pub(super) async fn forget_strangers(&self, users: Vec<&mut Option<UserId>>) -> Result<(), Error> {
        let quote = |user: UserId| Quote { kind: Kind::User, id: user.0 };
        let seen = self.seen(users.iter().filter_map(|user| user.map(quote)).collect()).await?;
        for user in users {
            *user = user.filter(|user| seen.contains(&quote(*user)));
        }
        Ok(())
    }

    /// What is withheld of policies from whoever may read them.
    pub(super) async fn reads_policies(&self) -> Result<Arc<Hidden>, Error> {
        let action = Kind::Policy.read();
        let decisions = self.decide_facts(&action, Kind::Policy, &Facts::Rows(RowSet::Others(Kind::Policy, 1)), 1).await?;
        match decisions.into_iter().next() {
            Some(Decision::Allow { hidden, .. }) => Ok(hidden),
            denied => {
                let reason = denied.as_ref().map(Decision::reason).unwrap_or_default().to_owned();
                Err(Error::Forbidden { action, reason })
            }
        }
    }

    /// Activates a module or other settings, if every gate lets it through.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Stale`] if another version is active by now; [`Error::NotFound`]; [`Error::Refused`] for a rejected
    /// module; [`Error::Gates`] with everything that the gates have against it; those of policy and store.
    pub async fn activate_policy(&self, activation: Activation, ids: &mut dyn IdSource) -> Result<PolicyVersionId, Error> {
        self.require("policy.activate").await?;
        check_note(activation.note.as_deref())?;
        if activation.expected != self.version.id {
            return Err(Error::Stale(format!("the active policy version, now {},", self.version.id)));
        }
        let id = PolicyVersionId(ids.next_id());
        let version = self.proposed(id, activation.module, activation.settings, activation.standard_settings);
        // Another `standard` is more than other settings.
        let keep = version.module == self.version.module && version.standard == self.version.standard;
        let step = if keep { Step::SettingsChanged } else { Step::Activated };
        self.activate(NewPolicyVersion { note: activation.note, ..version }, step, "policy.activate").await
    }

    /// What would be activated: settings that are left out stay, those of another module are its defaults.
    pub(super) fn proposed(
        &self,
        id: PolicyVersionId,
        module: Option<PolicyId>,
        settings: Option<String>,
        standard_settings: Option<String>,
    ) -> NewPolicyVersion {
        let keep = module == self.version.module;
        NewPolicyVersion {
            id,
            module,
            settings: settings.unwrap_or_else(|| if keep { self.version.settings.clone() } else { String::new() }),
            standard: self.gate.standard.digest,
            standard_settings: standard_settings.unwrap_or_else(|| self.version.standard_settings.clone()),
            activated_by: self.subject.user(),
            activated_at: self.now,
            repeats: None,
            note: None,
        }
    }

    /// Activates an earlier version again, settings and all; without `to`, the one before the active one. It passes the same gates: what
    /// was right under another tree may lock somebody out today.
    ///
    /// # Errors
    /// As [`Directory::activate_policy`].
    pub async fn roll_back_policy(
        &self,
        to: Option<PolicyVersionId>,
        note: Option<String>,
        ids: &mut dyn IdSource,
    ) -> Result<PolicyVersionId, Error> {
        self.require("policy.rollback").await?;
        check_note(note.as_deref())?;
        let history = self.snapshot.lock().await.policy_versions(HISTORY_ROWS).await?;
        let history: Vec<PolicyVersion> = history.into_iter().map(Sealed::open).collect();
        let earlier = earlier(&history, &self.version, to)?;
        let version = repeat(&earlier, PolicyVersionId(ids.next_id()), self.now);
        let version = NewPolicyVersion { activated_by: self.subject.user(), note, ..version };
        self.activate(version, Step::RolledBack, "policy.rollback").await
    }

    async fn activate(&self, version: NewPolicyVersion, step: Step, action: &str) -> Result<PolicyVersionId, Error> {
        let id = version.id;
        self.begin_activation()?;
        let candidate = self.candidate(&version).await?;
        check_settings_size((&candidate.settings, &candidate.standard_settings))?;
        let about =
            |step| NewPolicyStep { module: candidate.module, digest: candidate.digest, note: candidate.note.clone(), ..self.step(step) };
        let gates = self.on(Errand::Gates).await?;
        let extent = if self.has_passed(version.repeats).await? { Extent::BRIEF } else { Extent::FULL };
        let reasons = gates.look_through_gates(&candidate, extent).await?;
        if !reasons.is_empty() {
            let seen = self.seen(reasons.iter().flat_map(Reason::quotes).copied().collect()).await?;
            let told = reasons.iter().map(|reason| reason.told(|quote| seen.contains(quote))).collect();
            self.gate.record_step(self.subject.workspace, NewPolicyStep { reasons, ..about(Step::ActivationRefused) }).await?;
            return Err(Error::Gates(told));
        }
        let step = NewPolicyStep { version: Some(id), ..about(step) };
        // On the same view as the gate: what it let through are these.
        let tests = Some(self.kept_tests().await?.version);
        let change = ActivatePolicy { expected: self.version.id, version, step, tests };
        let mut attempt = 1;
        loop {
            let epoch = self.still_allowed(&candidate, action).await?;
            let warrant = Warrant::new(Some(self.subject.workspace), Some(epoch), change.clone());
            match self.gate.store.activate_policy(warrant).await {
                // Perhaps something unrelated has moved the workspace in between; whatever else is stale stays so.
                Err(Error::Stale(_)) if attempt < limits::WRITE_ATTEMPTS => attempt += 1,
                outcome => return outcome.map(|()| id),
            }
        }
    }

    /// Whether a version that is to decide again has passed every gate whole, as far as the history knows.
    async fn has_passed(&self, repeated: Option<PolicyVersionId>) -> Result<bool, Error> {
        let Some(repeated) = repeated else { return Ok(false) };
        let steps = self.snapshot.lock().await.policy_steps_of(repeated).await?;
        Ok(steps.into_iter().map(Sealed::open).any(|step| matches!(step.step, Step::Activated | Step::SettingsChanged)))
    }

    /// Decides once more what depends on roles, grants and groups, on how they stand now, if any of it has moved: in the same epoch all of
    /// it is as the gates saw it. Answers the epoch of that.
    ///
    /// Gates take their time, in which a busy workspace moves on: an activation that had to find it where the gates began might never come
    /// to pass. The store itself refuses where another version is active by now, or the tests are others.
    async fn still_allowed(&self, candidate: &PolicyVersion, action: &str) -> Result<Epoch, Error> {
        let now = self.gate.open(self.subject.clone(), self.now).await?;
        now.still_accepted().await?;
        if now.version.id != self.version.id {
            return Err(Error::Stale(format!("the active policy version, now {},", now.version.id)));
        }
        if now.epoch == self.epoch {
            return Ok(now.epoch);
        }
        let now = now.on(Errand::Gates).await?;
        now.would_allow(action).await?;
        let mut findings = Findings::new(PolicyGate::LockOut);
        now.look_for_lock_out(candidate, &mut findings).await?;
        if findings.is_empty() { Ok(now.epoch) } else { Err(Error::Stale("who could undo the activation".to_owned())) }
    }

    /// The version as it would stand.
    pub(super) async fn candidate(&self, version: &NewPolicyVersion) -> Result<PolicyVersion, Error> {
        let digest = match version.module {
            None => None,
            Some(id) => {
                let module = self.snapshot.lock().await.policy_module(id).await?.map(Sealed::open);
                let module = module.ok_or_else(|| Error::NotFound(format!("policy `{id}`")))?;
                if module.status == PolicyStatus::Rejected {
                    return Err(Error::Refused(format!(
                        "policy `{id}` was rejected and can not be activated: {}",
                        module.reasons.join("; ")
                    )));
                }
                Some(module.digest)
            }
        };
        Ok(PolicyVersion {
            id: version.id,
            module: version.module,
            digest,
            settings: version.settings.clone(),
            standard: version.standard,
            standard_settings: version.standard_settings.clone(),
            number: self.version.number + 1,
            activated_by: version.activated_by,
            activated_at: version.activated_at,
            repeats: version.repeats,
            note: version.note.clone(),
        })
    }

    /// The same on another errand: nothing of it is recorded.
    async fn on(&self, errand: Errand) -> Result<Self, Error> {
        self.beside_on(errand, self.subject.clone(), self.context.clone(), &self.version).await
    }

    /// Up to so many views of the database beside this one, of the same moment: fewer where others have them, the database is busy, or the
    /// workspace has moved on. Whoever asks does without.
    async fn views_beside(&self, most: usize) -> Vec<ViewBeside> {
        let mut views = Vec::new();
        while views.len() < most
            && let Ok(place) = self.gate.gate_views.clone().try_acquire_owned()
            && let Ok(Some(directory)) = timeout(GATE_VIEW_TIME, self.view_beside()).await
        {
            views.push(ViewBeside { directory, _place: place });
        }
        views
    }

    async fn view_beside(&self) -> Option<Self> {
        let mut snapshot = self.gate.snapshot(self.subject.workspace).await.ok()?;
        // Everything that decides is the same in the same epoch.
        if snapshot.head().await.ok()?.epoch != self.epoch {
            return None;
        }
        let directory = self.beside(self.subject.clone(), self.context.clone(), &self.version).await.ok()?;
        Some(Self { snapshot: Arc::new(AsyncMutex::new(snapshot)), ..directory })
    }

    /// The directory as a subject of this workspace would see it under a version that is not active: to ask what it would answer.
    ///
    /// The candidate itself answers, without breaking the glass.
    ///
    /// # Errors
    /// [`Error::Inactive`] for somebody who is not active; those of the store.
    pub(super) async fn under(&self, subject: &Subject, candidate: &PolicyVersion) -> Result<Self, Error> {
        let context = match subject.user() {
            Some(user) => self.facts_of(user).await?,
            None => Arc::default(),
        };
        let other = self.beside(subject.clone(), context, &Arc::new(candidate.clone())).await?;
        Ok(Self { decider: AsyncMutex::new(other.decider.into_inner().behind_glass()), ..other })
    }
}

/// The same directory on a view of its own, and the leave for that.
struct ViewBeside {
    directory: Directory,
    _place: OwnedSemaphorePermit,
}

impl Gate {
    pub(super) async fn active_version(&self, workspace: WorkspaceId) -> Result<Arc<PolicyVersion>, Error> {
        let mut snapshot = self.snapshot(workspace).await?;
        let id = snapshot.head().await?.version;
        self.version(workspace, id, snapshot.as_mut()).await
    }

    async fn snapshot(&self, workspace: WorkspaceId) -> Result<Box<dyn crate::store::Snapshot>, Error> {
        let snapshot = self.store.snapshot(workspace).await?;
        snapshot.ok_or_else(|| Error::NotFound(format!("workspace `{workspace}`")))
    }
}

/// Refuses settings of a module where there is none: whoever gives them means something that would not happen.
pub(super) fn refuse_settings_of_nothing(module: Option<PolicyId>, settings: Option<&str>) -> Result<(), Error> {
    if module.is_none() && settings.is_some() {
        let message = "`settings` are those of a module, but `standard` decides alone; send `standardSettings`";
        return Err(Error::Invalid(message.to_owned()));
    }
    Ok(())
}

/// A module without what is withheld.
fn shown_module(module: PolicyModule, hidden: &Hidden) -> PolicyModule {
    PolicyModule {
        note: module.note.filter(|_| !hidden.takes("note")),
        uploaded_by: module.uploaded_by.filter(|_| !hidden.takes("author")),
        ..module
    }
}

/// A version without what is withheld: settings that may not be seen are empty.
pub(super) fn shown_version(version: PolicyVersion, hidden: &Hidden) -> PolicyVersion {
    let settings = |settings: String| if hidden.takes("settings") { String::new() } else { settings };
    PolicyVersion {
        settings: settings(version.settings),
        standard_settings: settings(version.standard_settings),
        note: version.note.filter(|_| !hidden.takes("note")),
        activated_by: version.activated_by.filter(|_| !hidden.takes("author")),
        ..version
    }
}

/// Of the module and of `standard`.
fn check_settings_size((settings, standard): (&str, &str)) -> Result<(), Error> {
    for (settings, what) in [(settings, "settings"), (standard, "settings of `standard`")] {
        if settings.len() > limits::SETTINGS_BYTES {
            return Err(Error::TooLarge(format!("the {what} have more than {} bytes; shorten them", limits::SETTINGS_BYTES)));
        }
    }
    Ok(())
}

/// The named version, or the one before the active one.
fn earlier(history: &[PolicyVersion], active: &PolicyVersion, to: Option<PolicyVersionId>) -> Result<PolicyVersion, Error> {
    let found = match to {
        Some(id) => history.iter().find(|version| version.id == id).cloned(),
        None => {
            // A version that repeats another stands for that one. So rolling back twice goes back twice, and what was rolled back
            // once is not what came before the next.
            let stands_for = |version: &PolicyVersion| match version.repeats {
                Some(id) => history.iter().find(|version| version.id == id).cloned(),
                None => Some(version.clone()),
            };
            let before = stands_for(active).map(|current| current.number - 1);
            history.iter().find(|version| Some(version.number) == before).and_then(stands_for)
        }
    };
    found.ok_or_else(|| match to {
        Some(id) => Error::NotFound(format!("policy version `{id}`")),
        None => Error::Refused("there is no version before the active one; name one by its id, or activate a module".to_owned()),
    })
}

fn repeat(earlier: &PolicyVersion, id: PolicyVersionId, now: Timestamp) -> NewPolicyVersion {
    NewPolicyVersion {
        id,
        module: earlier.module,
        settings: earlier.settings.clone(),
        standard: earlier.standard,
        standard_settings: earlier.standard_settings.clone(),
        activated_by: None,
        activated_at: now,
        // A version that repeats another stands for that one.
        repeats: Some(earlier.repeats.unwrap_or(earlier.id)),
        note: None,
    }
}

pub(super) fn check_note(note: Option<&str>) -> Result<(), Error> {
    match note {
        Some(note) if note.chars().count() > limits::DESCRIPTION_CHARS => {
            Err(Error::TooLarge(format!("the note has more than {} characters; shorten it", limits::DESCRIPTION_CHARS)))
        }
        Some(note) if note.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) => {
            Err(Error::Invalid("the note has a control character other than a line break; remove it".to_owned()))
        }
        _ => Ok(()),
    }
}
