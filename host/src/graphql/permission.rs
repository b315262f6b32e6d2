//! Whether somebody may do something.

use std::sync::Arc;

use async_graphql::SimpleObject;
use directory::{
    Error,
    access::{ActionDecision, Object},
};

use super::level::{Member, Row};

/// Whether one action is allowed, and why.
#[derive(SimpleObject)]
#[graphql(name = "ActionDecision")]
pub(super) struct ActionDecisionNode {
    /// The action, `kind.verb`.
    action: String,
    /// Whether the policy allows it.
    allowed: bool,
    /// The policy's reason, in its own words; empty if it gave none.
    reason: String,
}

impl From<&ActionDecision> for ActionDecisionNode {
    fn from(decision: &ActionDecision) -> Self {
        Self { action: decision.action.clone(), allowed: decision.allowed, reason: decision.reason.clone() }
    }
}

/// Decides actions for a whole level at once, and returns those of one member.
pub(super) async fn decisions<T: Row>(
    member: &Member<T>,
    actions: Vec<String>,
    level: impl FnOnce() -> Object + Send,
) -> Result<Vec<ActionDecisionNode>, Error> {
    let directory = member.directory().clone();
    let key = format!("viewerCan:{actions:?}");
    let load = || async move { directory.can(&actions, &level()).await };
    let decided: Arc<Vec<Vec<ActionDecision>>> = member.level.shared(key, load).await?;
    Ok(decided.get(member.at).into_iter().flatten().map(Into::into).collect())
}
