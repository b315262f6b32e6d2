//! Mutations of the candidate that answers beside the active policy.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use directory::{Error, Problem, ids::ShadowId};

use super::{UserError, payload, unread, users::id, writer};
use crate::{
    graphql::{
        compare::PolicyCandidateInput,
        error::{Maybe, failure},
        shadow::{self, ShadowNode},
    },
    policy_change::{start_shadow, stop_shadow},
};

/// What is to answer beside the active policy.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct StartPolicyShadowInput {
    /// The candidate.
    candidate: PolicyCandidateInput,
    /// For people, and for the history.
    note: Option<String>,
}

/// Which shadow is to end.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct StopPolicyShadowInput {
    /// The shadow; whichever runs if it is left out.
    shadow_id: Option<ID>,
}

payload! {
    /// The answer to `startPolicyShadow`.
    StartPolicyShadowPayload {
        /// The shadow, as far as the viewer may see what comes of it.
        shadow: ShadowNode,
    }
}

payload! {
    /// The answer to `stopPolicyShadow`.
    StopPolicyShadowPayload {
        /// The shadow, as far as the viewer may see what came of it.
        shadow: ShadowNode,
    }
}

#[derive(Default)]
pub(super) struct ShadowMutations;

/// Mutations of the candidate that answers beside the active policy.
#[Object]
impl ShadowMutations {
    /// Lets a candidate answer live traffic beside the active policy: what differs is counted and told by `policyShadow`, and none of its
    /// answers is used. It runs until it is stopped, or another version becomes active.
    async fn start_policy_shadow(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to answer.")] input: StartPolicyShadowInput,
    ) -> Maybe<StartPolicyShadowPayload> {
        let shaded = async {
            let (writer, subject) = writer(context)?;
            let candidate = match input.candidate.candidate() {
                Ok(candidate) => candidate,
                Err(error) => return Ok((None, vec![(&Problem::at("candidate", error)).into()])),
            };
            shaded(context, Box::pin(start_shadow(&writer.gate, &writer.clock, subject, &candidate, input.note)).await.map(drop)).await
        };
        Some(shaded.await.map(|(shadow, user_errors)| StartPolicyShadowPayload { shadow, user_errors }))
    }

    /// Stops a shadow. What came of it stays until the next one is started.
    async fn stop_policy_shadow(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which one.")] input: StopPolicyShadowInput,
    ) -> Maybe<StopPolicyShadowPayload> {
        let shaded = async {
            let (writer, subject) = writer(context)?;
            let shadow = match input.shadow_id.as_ref().map(|shadow| id::<ShadowId>(shadow, "shadowId")).transpose() {
                Ok(shadow) => shadow,
                Err(problem) => return Ok((None, vec![(&problem).into()])),
            };
            shaded(context, Box::pin(stop_shadow(&writer.gate, &writer.clock, subject, shadow)).await).await
        };
        Some(shaded.await.map(|(shadow, user_errors)| StopPolicyShadowPayload { shadow, user_errors }))
    }
}

/// The shadow afterwards, or everything that speaks against it.
type Shaded = (Option<async_graphql::Result<ShadowNode>>, Vec<UserError>);

async fn shaded(context: &Context<'_>, outcome: Result<(), Error>) -> async_graphql::Result<Shaded> {
    let (writer, subject) = writer(context)?;
    match outcome {
        Ok(()) => {
            let directory = writer.gate.open(subject.clone(), writer.clock.now()).await.map_err(|error| unread(&error))?;
            let shadow = match shadow::last(&Arc::new(directory)).await {
                Err(Error::Forbidden { .. }) => None,
                shadow => shadow.map_err(|error| unread(&error))?.map(Ok),
            };
            Ok((shadow, Vec::new()))
        }
        Err(error @ (Error::Policy(_) | Error::Store(_) | Error::Deadline | Error::Inactive | Error::Revoked)) => Err(failure(&error)),
        Err(error) => Ok((None, vec![(&Problem::at("", error)).into()])),
    }
}
