//! Puts what waits to the shadows, one question after the other, and writes down what came of it.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    super::{
        Gate, Warrant,
        compare::{Answered, AskedRows, Question, Tally},
        decide::{Decision, enforced},
        facts::Prepared,
    },
    Shown,
    queue::{Event, Matter, Shadows},
};
use crate::{
    Error,
    access::ComparisonSide,
    contract::{Cost, Errand, Failure},
    ids::{ShadowId, WorkspaceId},
    limits,
    model::Timestamp,
    shadow::{Counted, ShadowFindings},
    store::AddToShadow,
};

/// How long nobody looks whether a budget has been paid off, or what came of shadows is to be written.
const PAUSE: Duration = Duration::from_millis(200);
/// Microseconds that pass between two writings.
const BETWEEN: i64 = 1_000_000;
/// How long a module may take to load before a question goes without an answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is to be written. What is not written to its end, because the server stops, waits for the last writing.
struct Taken<'a> {
    shadows: &'a Shadows,
    waiting: Vec<((WorkspaceId, ShadowId), ShadowFindings)>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        for ((workspace, id), findings) in self.waiting.drain(..) {
            self.shadows.found(workspace, id, |all| all.merge(findings));
        }
    }
}

impl Gate {
    /// Puts what traffic asks to shadows, too, again and again; `now` tells the time. Ends never: drop it, and call
    /// [`Gate::flush_shadows`].
    pub async fn keep_shadows(&self, now: impl Fn() -> Timestamp) {
        let Some(shadows) = &self.shadows else { return };
        let aside = Arc::new(self.aside());
        let mut written = now();
        loop {
            // Whether it was woken or waited long enough makes no difference.
            let _ = timeout(PAUSE, shadows.wake.notified()).await;
            while let Some(event) = shadows.next(now()) {
                let (workspace, shadow, rows) = (event.subject.workspace, event.shadow.id, event.rows());
                let asked = timeout(Duration::from_millis(limits::SHADOW_MS), aside.ask_shadow(event, now())).await;
                let asked = asked.unwrap_or(Err(Error::Deadline));
                // What came to no end has cost as much as a core does in that time.
                let cut_off = || shadows.fuel_a_second().saturating_mul(limits::SHADOW_CUT_OFF);
                let fuel = asked.as_ref().map_or_else(|_| cut_off(), |findings| findings.cost().iter().map(|cost| cost.fuel).sum());
                shadows.spend(workspace, fuel, now());
                match asked {
                    Ok(findings) => shadows.found(workspace, shadow, |all| all.merge(findings)),
                    Err(error) => {
                        tracing::debug!(target: "policy", %workspace, %error, "a question was not put to a shadow");
                        shadows.skip(workspace, shadow, rows);
                    }
                }
                if now().0 - written.0 >= BETWEEN {
                    break;
                }
            }
            if now().0 - written.0 >= BETWEEN {
                self.flush_shadows().await;
                written = now();
            }
        }
    }

    /// Writes what came of shadows since the last time. What can not be written counts as skipped.
    pub async fn flush_shadows(&self) {
        let Some(shadows) = &self.shadows else { return };
        let mut taken = Taken { shadows, waiting: shadows.take() };
        while let Some(((workspace, id), findings)) = taken.waiting.last().cloned() {
            let rows = findings.total(Counted::Compared) + findings.total(Counted::Skipped);
            metrics::counter!("policy_shadow_rows_total", "outcome" => "compared").increment(findings.total(Counted::Compared));
            metrics::counter!("policy_shadow_rows_total", "outcome" => "skipped").increment(findings.total(Counted::Skipped));
            let warrant = Warrant::new(Some(workspace), None, AddToShadow { id, findings });
            let written = self.store.add_to_shadow(warrant).await;
            taken.waiting.pop();
            if let Err(error) = written {
                tracing::warn!(target: "policy", %workspace, %error, "what came of a shadow could not be written; it counts as skipped");
                shadows.skip(workspace, id, usize::try_from(rows).unwrap_or(usize::MAX));
            }
        }
    }

    /// A gate by which nobody is watched, recorded or held up.
    fn aside(&self) -> Self {
        let aside = Self::new(self.store.clone(), self.engine.clone(), self.standard.clone()).with_patience(PATIENCE);
        Self { errand: Errand::Aside, ..aside }
    }

    /// Puts a question to a shadow; nothing came of it if that has ended.
    async fn ask_shadow(self: &Arc<Self>, event: Event, now: Timestamp) -> Result<ShadowFindings, Error> {
        let Event { shadow, subject, matter } = event;
        // What waits when it is stopped is not asked any more.
        let snapshot = self.store.snapshot(subject.workspace).await?;
        let Some(mut snapshot) = snapshot else { return Ok(ShadowFindings::default()) };
        if snapshot.head().await?.shadow != Some(shadow.id) {
            return Ok(ShadowFindings::default());
        }
        drop(snapshot);
        let mut tally = Tally::of_traffic();
        let (cost, gone) = match matter {
            Matter::Again(question) => {
                let directory = match self.open(subject, now).await {
                    Ok(directory) if directory.version.id == shadow.active => directory,
                    Ok(_) | Err(Error::Inactive) => return Ok(ShadowFindings::default()),
                    Err(error) => return Err(error),
                };
                let (cost, rows) = directory.ask_both(&Arc::new(shadow.candidate.clone()), &question, &mut tally).await?;
                let asked = if matches!(question.rows, AskedRows::These(_)) { question.rows.len() } else { rows };
                (cost, asked.saturating_sub(rows))
            }
            Matter::Once { question, decisions, shown, fields } => {
                let (answer, cost) = self.ask_once(subject.workspace, &question, shown).await?;
                let side = |answer: Result<Vec<Decision>, Failure>, side, tally: &mut Tally| {
                    answer.map_err(|failure| tally.failed(side, &question.action, question.rows.len(), &failure)).ok()
                };
                let answer = answer.map(|decisions| decisions.iter().map(|decision| decision.on_fields(&fields)).collect());
                let answers = [side(decisions, ComparisonSide::Active, &mut tally), side(answer, ComparisonSide::Candidate, &mut tally)];
                if let [Some(before), Some(after)] = answers {
                    Answered { question: &question, decisions: [before, after], subject: subject.user() }.count(&[], &mut tally);
                }
                ([Cost::default(), cost], 0)
            }
        };
        let mut findings = ShadowFindings::default();
        let (actions, failures) = tally.finish();
        findings.add(actions, failures, cost);
        findings.count(Counted::Skipped, "", "", gone as u64);
        Ok(findings)
    }

    /// What a candidate answers to what it is shown, and what that costs.
    async fn ask_once(
        &self,
        workspace: WorkspaceId,
        question: &Question,
        shown: Option<Box<Shown>>,
    ) -> Result<(Result<Vec<Decision>, Failure>, Cost), Error> {
        let Some(shown) = shown else {
            return Ok((Ok(vec![Decision::by_nobody(); question.rows.len()]), Cost::default()));
        };
        let Shown { digest, manifest, prepared: Prepared { context, rows, change, .. } } = *shown;
        let mut session = self.engine.session_on(self.errand, workspace, digest)?;
        let answer = session.check(context, rows, change).await;
        match answer.and_then(|verdicts| enforced(&verdicts, question.kind, &manifest)) {
            Err(failure) if failure.is_of_server() => Err(failure.into()),
            answer => Ok((answer.map(|(decisions, _)| decisions), session.cost())),
        }
    }
}
