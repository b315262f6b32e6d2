//! Mutations of the workspace and its settings.

use async_graphql::{Context, InputObject, Object};
use directory::access::{Command, SetCodeRules, UpdateWorkspace};

use super::{Outcome, payload, perform};
use crate::graphql::{
    attribute::{UserCodeRule, UserCodeSettings, user_code_settings},
    error::{Maybe, maybe},
    workspace::WorkspaceNode,
};

/// What `updateWorkspace` sets.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct UpdateWorkspaceInput {
    /// For people.
    name: String,
    /// The `version` that was read: if the workspace has another one by now, nothing is changed.
    expected_version: Option<i64>,
}

/// What `updateUserCodeSettings` sets. What is left out stays. Codes that are there stay as they are.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct UpdateUserCodeSettingsInput {
    /// Characters at least, from 1.
    min_length: Option<i32>,
    /// Characters at most, up to 64.
    max_length: Option<i32>,
    /// Which characters.
    rule: Option<UserCodeRule>,
}

payload! {
    /// The answer to `updateWorkspace`.
    UpdateWorkspacePayload {
        /// The workspace as it is now, as far as the viewer may see it.
        workspace: WorkspaceNode,
    }
}

payload! {
    /// The answer to `updateUserCodeSettings`.
    UpdateUserCodeSettingsPayload {
        /// The rules as they are now, as far as the viewer may see them.
        user_code_settings: UserCodeSettings,
    }
}

#[derive(Default)]
pub(super) struct WorkspaceMutations;

/// Mutations of the workspace and its settings.
#[Object]
impl WorkspaceMutations {
    /// Changes the workspace's own fields.
    async fn update_workspace(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateWorkspaceInput,
    ) -> Maybe<UpdateWorkspacePayload> {
        let command = Command::UpdateWorkspace(UpdateWorkspace { expected: input.expected_version, name: input.name });
        Some(match perform(context, command).await {
            Ok(Outcome::Done(_, directory)) => {
                Ok(UpdateWorkspacePayload { workspace: maybe(WorkspaceNode::read(&directory).await), user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => Ok(UpdateWorkspacePayload { workspace: None, user_errors }),
            Err(error) => Err(error),
        })
    }

    /// Changes the rules for user codes.
    async fn update_user_code_settings(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateUserCodeSettingsInput,
    ) -> Maybe<UpdateUserCodeSettingsPayload> {
        let rule = input.rule.map(Into::into);
        let command = Command::SetCodeRules(SetCodeRules { min_length: input.min_length, max_length: input.max_length, rule });
        Some(match perform(context, command).await {
            Ok(Outcome::Done(_, directory)) => {
                Ok(UpdateUserCodeSettingsPayload { user_code_settings: user_code_settings(&directory).await, user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => Ok(UpdateUserCodeSettingsPayload { user_code_settings: None, user_errors }),
            Err(error) => Err(error),
        })
    }
}
