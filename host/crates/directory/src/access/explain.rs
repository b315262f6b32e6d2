//! Why somebody may or may not: the policy's answer with the facts that it was shown, as far as the one who asks may see them.

mod sight;

use std::sync::Arc;

use super::{Directory, Object, decide::Decision, facts::Prepared};
use crate::{
    Error,
    contract::{Context, Digest, Failure, Manifest, Rows},
    ids::{GroupId, PolicyVersionId, RoleId, UserId},
};

/// An answer, and what stands behind it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// `kind.verb`.
    pub action: String,
    /// Whether it is allowed.
    pub allowed: bool,
    /// The policy's own words.
    pub reason: String,
    /// Fields that an allowing verdict withholds; for writes those that may not be set.
    pub hidden: Vec<String>,
    /// Why there was no answer that counts; the action is denied.
    pub failure: Option<Failure>,
    /// The version that was asked.
    pub version: PolicyVersionId,
    /// The calls that led to the answer, in order; none where nobody had to be asked. Whether somebody may change what hangs on the
    /// object is asked of several things.
    pub calls: Vec<ExplainedCall>,
}

/// One call of a module.
#[derive(Clone, Debug)]
pub struct ExplainedCall {
    /// The module.
    pub digest: Digest,
    /// Its name and version.
    pub module: String,
    /// SHA-256 of what it was shown, as in the decision log; `None` where the one who asks may not see all of that: it could be found by
    /// trying.
    pub facts_digest: Option<Digest>,
    /// Units that the call used; `None` where facts are withheld, of which it would tell.
    pub fuel: Option<u64>,
    /// What it was shown about the subject and the first row.
    pub facts: Vec<ShownFact>,
}

/// A fact in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownFact {
    /// `subject.NAME`, or `KIND.COLUMN` of the register.
    pub name: String,
    /// Its values; none where unassigned. Groups and roles are named by their keys.
    pub values: Vec<String>,
    /// Whether some or all values are left out because the one who asks may not see them.
    pub withheld: bool,
}

/// What a call was shown, kept for whoever explains it.
pub(super) struct Witness {
    pub(super) digest: Digest,
    pub(super) module: String,
    pub(super) facts: Digest,
    pub(super) fuel: u64,
    pub(super) context: Arc<Context>,
    pub(super) rows: Rows,
    pub(super) groups: Vec<Option<GroupId>>,
    pub(super) roles: Vec<RoleId>,
}

impl Witness {
    /// Of a call that is about to be made.
    pub(super) fn of(prepared: &Prepared, digest: Digest, module: String, facts: Digest) -> Self {
        let Prepared { context, rows, change, positions, roles } = prepared;
        let after = change.as_ref().and_then(|change| change.after.as_ref());
        Self {
            digest,
            module,
            facts,
            fuel: 0,
            context: context.clone(),
            rows: after.filter(|_| rows.columns.is_empty()).unwrap_or(rows).clone(),
            groups: positions.clone(),
            roles: roles.clone(),
        }
    }
}

impl Directory {
    /// Explains whether a user may do something to an object, under the active policy, for whoever may `policy.explain`.
    ///
    /// `None` where the asker does not see the user or the object. Groups, roles and values that the asker may not see are left out of the
    /// facts, which say so.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for an unknown action; those of policy and store.
    pub async fn explain(&self, user: UserId, action: &str, object: &Object) -> Result<Option<Explanation>, Error> {
        let subject = match self.seen_by(user).await {
            Err(Error::NotFound(_)) => return Ok(None),
            subject => subject?,
        };
        let Some(mut sight) = self.sight_of(user, object).await? else { return Ok(None) };
        let decided = subject.witnessed(action, object).await;
        let witnesses = subject.take_witnesses();
        let reached = match decided {
            Ok(decision) => subject.reached(decision, action, object).await,
            Err(error) => Err(error),
        };
        let (decision, failure) = match reached {
            Ok(decision) => (decision, None),
            Err(Error::Policy(failure)) => (Decision::deny(""), Some(failure)),
            Err(error) => return Err(error),
        };
        let hidden = match &decision {
            Decision::Allow { hidden, .. } => hidden.names().to_vec(),
            Decision::Deny { .. } => Vec::new(),
        };
        self.see_places(&mut sight, &witnesses).await?;
        let calls = witnesses.iter().map(|witness| sight.call(witness)).collect();
        Ok(Some(Explanation {
            action: action.to_owned(),
            allowed: decision.allows(),
            reason: decision.reason().to_owned(),
            hidden,
            failure,
            version: subject.version.id,
            calls,
        }))
    }

    /// Decides, and keeps what the policy was shown.
    async fn witnessed(&self, action: &str, object: &Object) -> Result<Decision, Error> {
        *super::locked(&self.witnesses) = Some(Vec::new());
        let decided = self.decide_object(action, object).await?;
        decided.into_iter().next().ok_or_else(|| Error::Store("a decision is missing".to_owned()))
    }

    /// Whether somebody wants to know what the policy is shown.
    pub(super) fn is_witnessed(&self) -> bool {
        super::locked(&self.witnesses).is_some()
    }

    /// Keeps what a call is shown.
    pub(super) fn witness(&self, prepared: &Prepared, digest: Digest, manifest: &Manifest, facts: Option<Digest>) {
        if let (Some(witnesses), Some(facts)) = (super::locked(&self.witnesses).as_mut(), facts) {
            witnesses.push(Witness::of(prepared, digest, format!("{} {}", manifest.name, manifest.version), facts));
        }
    }

    /// Keeps what that call cost.
    pub(super) fn witness_fuel(&self, fuel: u64) {
        if let Some(last) = super::locked(&self.witnesses).as_mut().and_then(|witnesses| witnesses.last_mut()) {
            last.fuel = fuel;
        }
    }

    fn take_witnesses(&self) -> Vec<Witness> {
        super::locked(&self.witnesses).take().unwrap_or_default()
    }
}
