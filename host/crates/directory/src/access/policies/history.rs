//! The history of a workspace's policy: written with each step, read by whoever may `policy.read`.
//!
//! To record a step: `record_step`, or the step in the warrant of the change that it goes with, so that both are written or neither.

use std::collections::HashSet;

use super::super::{Directory, Gate, Sealed, Visible, Warrant};
use crate::{
    Error,
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId, WorkspaceId},
    limits,
    model::{Author, Field, PolicyGate, PolicyStep, Quote, Reason, Step, StepNumber, ToldReason, ToldStep},
    register::Kind,
    store::{NewPolicyStep, RecordPolicyStep},
};

/// A page of the history.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// The latest first.
    pub steps: Vec<Visible<ToldStep>>,
    /// Whether earlier ones follow.
    pub more: bool,
}

impl Gate {
    /// Writes down a step that changes nothing else.
    ///
    /// # Errors
    /// Those of the store.
    pub(in crate::access) async fn record_step(&self, workspace: WorkspaceId, step: NewPolicyStep) -> Result<(), Error> {
        self.store.record_policy_step(Warrant::new(Some(workspace), None, RecordPolicyStep(step))).await
    }
}

impl Directory {
    /// The steps behind a position, the latest first, at most [`limits::HISTORY_PAGE`], for whoever may `policy.read`.
    ///
    /// Whoever the subject may not see is not named, and rows that it may not see are not told. What the policy withholds of policies
    /// (`author`, `note`, `settings`) is withheld here, too.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; those of policy and store.
    pub async fn policy_history(&self, after: Option<StepNumber>, rows: usize) -> Result<HistoryPage, Error> {
        let hidden = self.reads_policies().await?;
        let rows = rows.min(limits::HISTORY_PAGE);
        let found = self.snapshot.lock().await.policy_history(after, rows + 1).await?;
        let mut steps: Vec<PolicyStep> = found.into_iter().map(Sealed::open).collect();
        let more = steps.len() > rows;
        steps.truncate(rows);
        let quoted = steps.iter().flat_map(|step| step.reasons.iter().flat_map(Reason::quotes)).copied().collect();
        let seen = self.seen(quoted).await?;
        let known = if hidden.hides("author") { HashSet::new() } else { self.known(&steps).await? };
        let told = steps.into_iter().map(|step| {
            let mut told = tell(step, |author| known.contains(author), |quote| seen.contains(quote));
            if hidden.hides("note") {
                told.note = Field::Withheld;
            }
            if hidden.hides("settings") {
                told.reasons.iter_mut().for_each(withhold_settings);
            }
            Visible::new(told)
        });
        Ok(HistoryPage { steps: told.collect(), more })
    }

    /// A step that the subject takes.
    pub(in crate::access) fn step(&self, step: Step) -> NewPolicyStep {
        let by = match self.subject.actor {
            super::super::Actor::User(id) => Author::User(id),
            super::super::Actor::Service(id) => Author::Service(id),
        };
        let origin = self.subject.origin;
        NewPolicyStep { peer: origin.peer, ..NewPolicyStep::new(step, self.now, by, origin.via) }
    }

    /// Those of these rows that the subject may see; none of a kind on which the policy gives no answer.
    pub(in crate::access) async fn seen(&self, quotes: HashSet<Quote>) -> Result<HashSet<Quote>, Error> {
        let mut seen: HashSet<Quote> =
            quotes.iter().filter(|quote| quote.kind == Kind::User && self.subject.user() == Some(UserId(quote.id))).copied().collect();
        macro_rules! kind {
            ($kind:ident, $id:ident, $read:ident) => {
                let ids: Vec<$id> = quotes.iter().filter(|quote| quote.kind == Kind::$kind).map(|quote| $id(quote.id)).collect();
                match self.$read(&ids).await {
                    Ok(rows) => seen.extend(rows.iter().flatten().map(|row| Quote { kind: Kind::$kind, id: row.id.0 })),
                    Err(Error::Policy(_)) => {}
                    Err(error) => return Err(error),
                }
            };
        }
        kind!(User, UserId, users);
        kind!(Group, GroupId, groups);
        kind!(Role, RoleId, roles);
        kind!(Membership, MembershipId, memberships);
        kind!(Grant, GrantId, grants);
        Ok(seen)
    }

    /// Those who took these steps and whom the subject may see; itself and the operator always.
    async fn known(&self, steps: &[PolicyStep]) -> Result<HashSet<Author>, Error> {
        let user = |step: &PolicyStep| if let Author::User(id) = step.by { Some(Quote { kind: Kind::User, id: id.0 }) } else { None };
        let people = steps.iter().filter_map(user).collect();
        let mut known: HashSet<Author> = self.seen(people).await?.iter().map(|quote| Author::User(UserId(quote.id))).collect();
        known.insert(Author::Operator);
        if let super::super::Actor::Service(id) = self.subject.actor {
            known.insert(Author::Service(id));
        }
        if steps.iter().any(|step| matches!(step.by, Author::Service(_))) {
            match self.tokens().await {
                Ok(tokens) => known.extend(tokens.iter().map(|token| Author::Service(token.id))),
                Err(Error::Policy(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(known)
    }
}

/// A step as the operator reads it.
pub(in crate::access) fn whole(step: PolicyStep) -> ToldStep {
    tell(step, |_| true, |_| true)
}

fn tell(step: PolicyStep, knows: impl Fn(&Author) -> bool, sees: impl Fn(&Quote) -> bool) -> ToldStep {
    let PolicyStep { number, step, at, by, via, peer, module, digest, version, note, reasons } = step;
    let known = knows(&by);
    ToldStep {
        number,
        step,
        at,
        by: if known { Field::Shown(by) } else { Field::Withheld },
        via,
        peer: if known { Field::Shown(peer) } else { Field::Withheld },
        module,
        digest,
        version,
        note: Field::Shown(note),
        reasons: reasons.iter().map(|reason| reason.told(&sees)).collect(),
    }
}

/// What a module says against settings quotes them.
fn withhold_settings(reason: &mut ToldReason) {
    if reason.gate == Some(PolicyGate::Settings) {
        "the settings are refused, for reasons that the policy withholds from you".clone_into(&mut reason.text);
    }
}
