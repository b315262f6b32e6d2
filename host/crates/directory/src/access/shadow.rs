//! Shadows: started, stopped and told about by whoever may; and what traffic asks, handed to them.
//!
//! A request hands over what it asked, at most so much that waits, and goes on. A worker puts the question to both policies again, at one
//! later moment, so that what has changed in between makes no difference. What can not be asked again (a write, a row that is nowhere
//! yet) is shown to the candidate as the request saw it: those facts the request gathers itself.

mod queue;
mod worker;

use std::sync::Arc;

use super::{
    Directory, Gate, Sealed, Visible, Warrant,
    compare::{AskedRows, Candidate, ComparedAction, ComparisonFailure, KINDS, Question},
    decide::{Answers, Decision, Needs, Route},
    facts::{Facts, Prepared},
    locked,
    policies::{check_note, shown_version},
};
use crate::{
    Error,
    contract::{Cost, Digest, Failure, Manifest},
    decisions::Purpose,
    ids::{ShadowId, UserId},
    model::{PolicyVersion, Quote, Reason, Step, Timestamp},
    register::Kind,
    shadow::{Counted, Shadow},
    store::{IdSource, NewPolicyStep, Snapshot, StartShadow, StopShadow},
};
pub(super) use queue::Shadows;
use queue::{Event, Matter};

/// What shadows may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowRules {
    /// Units of fuel that the shadow of one workspace may use in a second, what the active policy is asked for it included.
    pub fuel_a_second: u64,
}

/// A shadow and what came of it, as somebody may know it.
#[derive(Clone, Debug)]
pub struct ShadowReport {
    /// Which.
    pub id: ShadowId,
    /// The candidate; its id and number are of no version.
    pub candidate: PolicyVersion,
    /// The version that it stands beside, or stood.
    pub active: crate::ids::PolicyVersionId,
    /// Whether it answers still.
    pub is_running: bool,
    /// When it ended; `None` while it runs.
    pub stopped_at: Option<Timestamp>,
    /// What changes. Of examples only those whose subject and object the asker sees.
    pub actions: Vec<ComparedAction>,
    /// Where a policy gave no answer that counts.
    pub failures: Vec<ComparisonFailure>,
    /// Rows that traffic was about and that were not compared.
    pub skipped: u64,
    /// What the two policies cost, the active one first.
    pub cost: [Cost; 2],
}

impl Directory {
    /// Lets a candidate answer beside the active version from now on, for whoever may `policy.activate`. It may be stopped at any time, and
    /// ends with that version.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`] without the module, [`Error::Refused`] for one that was rejected or does not load, for what is
    /// active itself, and if a shadow runs; [`Error::Invalid`] for settings that it refuses; [`Error::Stale`] if another version is active
    /// by now; those of policy and store.
    pub async fn start_shadow(&self, candidate: &Candidate, note: Option<String>, ids: &mut dyn IdSource) -> Result<ShadowId, Error> {
        self.require("policy.activate").await?;
        check_note(note.as_deref())?;
        self.begin_long_work()?;
        let id = ShadowId(ids.next_id());
        let candidate = PolicyVersion { note: note.clone(), ..self.candidate_version(candidate).await? };
        let decides =
            |version: &PolicyVersion| (version.digest, version.standard, version.settings.clone(), version.standard_settings.clone());
        if decides(&candidate) == decides(&self.version) {
            let itself = "the candidate is what is active, and would only agree with itself; name another module, or other settings";
            return Err(Error::Refused(itself.to_owned()));
        }
        for digest in [Some(candidate.standard), candidate.digest].into_iter().flatten() {
            let loaded = self.gate.load_in_time(self.subject.workspace, digest).await;
            loaded.map_err(|failure| Error::Refused(format!("the candidate can not be loaded: {failure}")))?;
        }
        let step = NewPolicyStep { module: candidate.module, digest: candidate.digest, note, ..self.step(Step::ShadowStarted) };
        let shadow = Shadow { id, active: self.version.id, candidate, stopped_at: None };
        let change = StartShadow { shadow, step };
        self.still_accepted().await?;
        self.gate.store.start_shadow(Warrant::new(Some(self.subject.workspace), Some(self.epoch), change)).await?;
        Ok(id)
    }

    /// Stops a shadow, without an id whichever runs, for whoever may `policy.activate`. What came of it stays until the next is started.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::NotFound`] if it does not run; those of policy and store.
    pub async fn stop_shadow(&self, id: Option<ShadowId>) -> Result<(), Error> {
        self.require("policy.activate").await?;
        let runs = |shadow: &Shadow| shadow.stopped_at.is_none() && shadow.active == self.version.id;
        let found = self.last_shadow().await?.filter(|shadow| runs(shadow) && id.is_none_or(|id| shadow.id == id));
        let Some(shadow) = found else {
            return Err(Error::NotFound(id.map_or_else(|| "a running shadow".to_owned(), |id| format!("a running shadow `{id}`"))));
        };
        let id = shadow.id;
        let step = NewPolicyStep {
            module: shadow.candidate.module,
            digest: shadow.candidate.digest,
            reasons: vec![Reason::new(None, &self.summary().await?)],
            ..self.step(Step::ShadowStopped)
        };
        let change = StopShadow { id, now: self.now, step };
        self.still_accepted().await?;
        self.gate.store.stop_shadow(Warrant::new(Some(self.subject.workspace), Some(self.epoch), change)).await
    }

    /// The shadow that runs, or ran last, for whoever may `policy.explain`; `None` if there never was one.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; those of policy and store.
    pub async fn shadow_report(&self) -> Result<Option<Visible<ShadowReport>>, Error> {
        self.require("policy.explain").await?;
        let hidden = self.reads_policies().await?;
        let Some(shadow) = self.last_shadow().await? else { return Ok(None) };
        let findings = self.snapshot.lock().await.shadow_findings().await?.open();
        let mut actions = findings.actions();
        let quotes = actions.iter().flat_map(|action| &action.examples).flat_map(|example| {
            let (kind, id) = example.object.parts();
            [Quote { kind, id }, of_user(example.subject)]
        });
        let seen = self.seen(quotes.collect()).await?;
        for action in &mut actions {
            action.examples.retain(|example| {
                let (kind, id) = example.object.parts();
                seen.contains(&Quote { kind, id }) && seen.contains(&of_user(example.subject))
            });
        }
        let mut candidate = shown_version(shadow.candidate, &hidden);
        self.forget_strangers(vec![&mut candidate.activated_by]).await?;
        Ok(Some(Visible::new(ShadowReport {
            id: shadow.id,
            is_running: shadow.stopped_at.is_none() && shadow.active == self.version.id,
            stopped_at: shadow.stopped_at,
            active: shadow.active,
            candidate,
            actions,
            failures: findings.failures(),
            skipped: findings.total(Counted::Skipped),
            cost: findings.cost(),
        })))
    }

    /// The same, of which no shadow hears: whoever only looks as somebody else asks nothing of their own.
    #[must_use]
    pub fn unshadowed(self) -> Self {
        Self { shadow: None, ..self }
    }

    async fn last_shadow(&self) -> Result<Option<Shadow>, Error> {
        Ok(self.snapshot.lock().await.shadow().await?.map(Sealed::open))
    }

    /// For the history.
    async fn summary(&self) -> Result<String, Error> {
        let findings = self.snapshot.lock().await.shadow_findings().await?.open();
        let of = |counted| findings.total(counted);
        Ok(format!(
            "{} rows were compared: {} gained, {} lost, {} with other fields; the candidate failed on {}",
            of(Counted::Compared),
            of(Counted::Gained),
            of(Counted::Lost),
            of(Counted::FieldsChanged),
            of(Counted::CandidateFailed)
        ))
    }

    /// Hands what was asked, and answered by the active policy, to a shadow. Never fails, and never waits for it.
    pub(super) async fn shade(
        &self,
        shadow: &Arc<Shadow>,
        (action, kind): (&str, Kind),
        facts: &Facts<'_>,
        (purpose, len, answered): (Purpose, usize, &Result<Answers, Error>),
    ) {
        let Some(shadows) = self.gate.shadows.as_ref().filter(|_| self.recorded && self.subject.may_attempt(action)) else { return };
        let skip = || shadows.skip(self.subject.workspace, shadow.id, len);
        if !shadows.has_room(self.subject.workspace, len) {
            return skip();
        }
        let question = Question { action: action.to_owned(), kind, rows: AskedRows::These(facts.objects(len)) };
        if purpose != Purpose::Write && can_be_asked_again(&question, facts) {
            return shadows.push(self.event(shadow, Matter::Again(question)));
        }
        let decisions = match answered {
            Ok((decisions, _)) => Ok(decisions.iter().map(|decision| decision.on_fields(facts.fields())).collect()),
            Err(Error::Policy(failure)) if !failure.is_of_server() => Err(failure.clone()),
            Err(_) => return skip(),
        };
        match self.shown(&shadow.candidate, action, facts).await {
            Ok(shown) => {
                let fields = facts.fields().to_vec();
                shadows.push(self.event(shadow, Matter::Once { question, decisions, shown: shown.map(Box::new), fields }));
            }
            Err(error) => {
                tracing::debug!(target: "policy", %error, "a shadow is not asked");
                skip();
            }
        }
    }

    /// Hands over that a list was asked for: it has none of the rows that the active policy hides.
    pub(super) fn shade_list(&self, shadow: &Arc<Shadow>, kind: Kind) {
        let Some(shadows) = self.gate.shadows.as_ref().filter(|_| self.recorded) else { return };
        let rows = AskedRows::Drawn(shadows.seed());
        if shadows.has_room(self.subject.workspace, rows.len()) {
            shadows.push(self.event(shadow, Matter::Again(Question { action: kind.read(), kind, rows })));
        } else {
            shadows.skip(self.subject.workspace, shadow.id, rows.len());
        }
    }

    fn event(&self, shadow: &Arc<Shadow>, matter: Matter) -> Event {
        Event { shadow: shadow.clone(), subject: self.subject.clone(), matter }
    }

    /// What a candidate is shown of this call; `None` if under it nobody decides the action.
    async fn shown(&self, candidate: &PolicyVersion, action: &str, facts: &Facts<'_>) -> Result<Option<Shown>, Error> {
        let Some((digest, manifest, settings)) = self.gate.answering(candidate, action)? else { return Ok(None) };
        let prepared = self.prepare(action, settings, &Needs::of(&manifest), facts).await?;
        Ok(Some(Shown { digest, manifest, prepared }))
    }
}

/// A call of a module that is still to be made.
struct Shown {
    digest: Digest,
    manifest: Arc<Manifest>,
    prepared: Prepared,
}

/// Whether the rows can be read again, by their ids.
fn can_be_asked_again(question: &Question, facts: &Facts<'_>) -> bool {
    let AskedRows::These(rows) = &question.rows else { return false };
    matches!(facts, Facts::Rows(_)) && KINDS.contains(&question.kind) && rows.iter().all(Option::is_some)
}

const fn of_user(id: UserId) -> Quote {
    Quote { kind: Kind::User, id: id.0 }
}

impl Decision {
    /// What it comes to for a write that sets these fields.
    fn on_fields(&self, fields: &[String]) -> Self {
        match self {
            Self::Allow { hidden, .. } if hidden.first_of(fields).is_some() => {
                let field = hidden.first_of(fields).unwrap_or_default();
                Self::deny(&format!("`{field}` may not be set: {}", self.reason()))
            }
            decision => decision.clone(),
        }
    }
}

impl Gate {
    /// The same, with candidates that answer beside the active policies. Let [`Gate::keep_shadows`] run as long as the gate is used.
    #[must_use]
    pub fn with_shadows(self, rules: ShadowRules) -> Self {
        Self { shadows: Some(Shadows::new(rules)), ..self }
    }

    /// The shadow that a workspace's head names: read once.
    pub(super) async fn shadow(&self, id: Option<ShadowId>, snapshot: &mut dyn Snapshot) -> Result<Option<Arc<Shadow>>, Error> {
        let (Some(id), Some(shadows)) = (id, &self.shadows) else { return Ok(None) };
        if let Some(known) = shadows.known(id) {
            return Ok(Some(known));
        }
        let read = snapshot.shadow().await?.map(Sealed::open).filter(|shadow| shadow.id == id);
        Ok(read.map(|shadow| shadows.know(shadow)))
    }

    /// Who would decide an action under a version, of the modules that are loaded; `None` if nobody would.
    fn answering(&self, version: &PolicyVersion, action: &str) -> Result<Option<(Digest, Arc<Manifest>, String)>, Failure> {
        let loaded = |digest| {
            let manifest = self.engine.loaded(digest);
            manifest.ok_or_else(|| Failure::Unready("the candidate is not loaded on this server yet".to_owned()))
        };
        if let Some(digest) = version.digest {
            let manifest = loaded(digest)?;
            match Route::by(&manifest, action) {
                Route::Module => return Ok(Some((digest, manifest, version.settings.clone()))),
                Route::Nobody => return Ok(None),
                Route::Standard => {}
            }
        }
        Ok(Some((version.standard, loaded(version.standard)?, version.standard_settings.clone())))
    }
}
