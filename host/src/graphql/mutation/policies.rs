//! Mutations of what decides. Modules come in as bytes, over HTTP: `PUT /v1/policies`.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use directory::{
    Error, Problem,
    ids::{PolicyId, PolicyVersionId},
    model::{ToldReason, Version},
};

use super::{UserError, UserErrorCode, payload, unread, users::id, writer};
use crate::{
    graphql::{
        error::{Maybe, failure},
        policies::{PolicyTestsNode, tests},
        workspace::{ActivePolicy, active_policy},
    },
    policy_change::{Change, Expected, What, set_tests},
};

/// What is to decide.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct ActivatePolicyInput {
    /// The module, validated; `standard` decides alone if it is left out.
    policy_id: Option<ID>,
    /// The version that the caller has seen as active.
    expected_version_id: ID,
    /// The module's settings; by default the active ones where the module stays the same, else the module's defaults.
    settings: Option<String>,
    /// The settings of `standard`; by default the active ones.
    standard_settings: Option<String>,
    /// For people, and for the history.
    note: Option<String>,
}

/// Other settings of what decides.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct UpdatePolicySettingsInput {
    /// The version that the caller has seen as active.
    expected_version_id: ID,
    /// The module's settings; they stay if they are left out.
    settings: Option<String>,
    /// The settings of `standard`; they stay if they are left out.
    standard_settings: Option<String>,
    /// For people, and for the history.
    note: Option<String>,
}

/// Which version is to decide again.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RollBackPolicyInput {
    /// An earlier version; the one before the active one if it is left out.
    version_id: Option<ID>,
    /// The version that the caller has seen as active. Without, whichever is active is left: two who go back at once go back twice.
    expected_version_id: Option<ID>,
    /// For people, and for the history.
    note: Option<String>,
}

/// Policy tests to be kept in place of others.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct UpdatePolicyTestsInput {
    /// The version that the caller has seen: `policyTests { version }`.
    expected_version: i64,
    /// The tests, as TOML; empty for none.
    text: String,
}

payload! {
    /// The answer to `updatePolicyTests`.
    UpdatePolicyTestsPayload {
        /// The tests, as far as the viewer may see them.
        policy_tests: PolicyTestsNode,
        /// How many expectations they hold.
        expectations: i32,
    }
}

payload! {
    /// The answer to `activatePolicy`.
    ActivatePolicyPayload {
        /// What decides now, as far as the viewer may see it.
        policy: ActivePolicy,
    }
}

payload! {
    /// The answer to `updatePolicySettings`.
    UpdatePolicySettingsPayload {
        /// What decides now, as far as the viewer may see it.
        policy: ActivePolicy,
    }
}

payload! {
    /// The answer to `rollBackPolicy`.
    RollBackPolicyPayload {
        /// What decides now, as far as the viewer may see it.
        policy: ActivePolicy,
    }
}

#[derive(Default)]
pub(super) struct PolicyMutations;

/// Mutations of what decides.
#[Object]
impl PolicyMutations {
    /// Lets a module, or `standard` alone, decide from the next request on. It passes every gate first: settings, the lock-out guard,
    /// whether lists and single decisions agree, and the workspace's policy tests.
    async fn activate_policy(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to decide.")] input: ActivatePolicyInput,
    ) -> Maybe<ActivatePolicyPayload> {
        let change = input.change();
        Some(changed(context, change).await.map(|(policy, user_errors)| ActivatePolicyPayload { policy, user_errors }))
    }

    /// Gives what decides other settings, through the same gates.
    async fn update_policy_settings(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdatePolicySettingsInput,
    ) -> Maybe<UpdatePolicySettingsPayload> {
        let change = input.change();
        Some(changed(context, change).await.map(|(policy, user_errors)| UpdatePolicySettingsPayload { policy, user_errors }))
    }

    /// Keeps other policy tests. They are checked at once, and run at uploads and before activations.
    async fn update_policy_tests(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to keep.")] input: UpdatePolicyTestsInput,
    ) -> Maybe<UpdatePolicyTestsPayload> {
        Some(keep_tests(context, input).await)
    }

    /// Lets an earlier version decide again, settings and all, through the same gates.
    async fn roll_back_policy(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which version.")] input: RollBackPolicyInput,
    ) -> Maybe<RollBackPolicyPayload> {
        let change = input.change();
        Some(changed(context, change).await.map(|(policy, user_errors)| RollBackPolicyPayload { policy, user_errors }))
    }
}

impl ActivatePolicyInput {
    fn change(self) -> Result<Change, Problem> {
        let module = self.policy_id.as_ref().map(|policy| id::<PolicyId>(policy, "policyId")).transpose()?;
        if module.is_none() && self.settings.is_some() {
            let message = "`settings` are those of a module, but `standard` decides alone; send `standardSettings`".to_owned();
            return Err(Problem::at("settings", Error::Invalid(message)));
        }
        let expected = Expected::Version(id::<PolicyVersionId>(&self.expected_version_id, "expectedVersionId")?);
        let what = What::Activate { module, settings: self.settings, standard_settings: self.standard_settings, note: self.note };
        Ok(Change { expected, what })
    }
}

impl UpdatePolicySettingsInput {
    fn change(self) -> Result<Change, Problem> {
        let expected = Expected::Version(id::<PolicyVersionId>(&self.expected_version_id, "expectedVersionId")?);
        let what = What::Set { settings: self.settings, standard_settings: self.standard_settings, note: self.note };
        Ok(Change { expected, what })
    }
}

impl RollBackPolicyInput {
    fn change(self) -> Result<Change, Problem> {
        let to = self.version_id.as_ref().map(|version| id::<PolicyVersionId>(version, "versionId")).transpose()?;
        let expected = self.expected_version_id.as_ref().map(|version| id::<PolicyVersionId>(version, "expectedVersionId")).transpose()?;
        Ok(Change { expected: expected.map_or(Expected::Any, Expected::Version), what: What::RollBack { to, note: self.note } })
    }
}

/// What decides afterwards, or everything that speaks against it.
type Changed = (Option<async_graphql::Result<ActivePolicy>>, Vec<UserError>);

async fn keep_tests(context: &Context<'_>, input: UpdatePolicyTestsInput) -> async_graphql::Result<UpdatePolicyTestsPayload> {
    let (writer, subject) = writer(context)?;
    match set_tests(&writer.gate, &writer.clock, subject, Version(input.expected_version), &input.text).await {
        Ok(checked) => {
            let directory = writer.gate.open(subject.clone(), writer.clock.now()).await.map_err(|error| unread(&error))?;
            let kept = match tests(&Arc::new(directory)).await {
                Err(Error::Forbidden { .. }) => None,
                kept => Some(kept.map_err(|error| unread(&error))),
            };
            let expectations = i32::try_from(checked.expectations).unwrap_or(i32::MAX);
            Ok(UpdatePolicyTestsPayload { policy_tests: kept, expectations: Some(Ok(expectations)), user_errors: Vec::new() })
        }
        Err(error @ (Error::Policy(_) | Error::Store(_) | Error::Deadline | Error::Inactive | Error::Revoked)) => Err(failure(&error)),
        Err(error) => {
            let user_errors = vec![(&Problem::at("", error)).into()];
            Ok(UpdatePolicyTestsPayload { user_errors, ..UpdatePolicyTestsPayload::default() })
        }
    }
}

async fn changed(context: &Context<'_>, change: Result<Change, Problem>) -> async_graphql::Result<Changed> {
    let (writer, subject) = writer(context)?;
    let change = match change {
        Ok(change) => change,
        Err(problem) => return Ok((None, vec![(&problem).into()])),
    };
    match Box::pin(change.apply(&writer.gate, &writer.clock, subject)).await {
        Ok(_) => {
            let directory = writer.gate.open(subject.clone(), writer.clock.now()).await.map_err(|error| unread(&error))?;
            Ok((active_policy(&directory).await, Vec::new()))
        }
        Err(Error::Gates(reasons)) => {
            let told = |reason: &ToldReason| UserError::new(UserErrorCode::ActivationRefused, &reason.to_string());
            Ok((None, reasons.iter().map(told).collect()))
        }
        Err(Error::Refused(why)) => Ok((None, vec![UserError::new(UserErrorCode::ActivationRefused, &why)])),
        Err(error @ (Error::Policy(_) | Error::Store(_) | Error::Deadline | Error::Inactive | Error::Revoked)) => Err(failure(&error)),
        Err(error) => Ok((None, vec![(&Problem::at("", error)).into()])),
    }
}
