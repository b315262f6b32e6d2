//! Mutations of roles.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use directory::{
    access::{Command, CreateRole, DeleteRole, RestoreRole, UpdateRole},
    ids::RoleId,
};

use super::{
    Outcome, UserError, payload, perform_once,
    users::{id, performed},
};
use crate::graphql::{
    error::{Maybe, maybe},
    level::Level,
    role::RoleNode,
};

/// What `createRole` creates.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct CreateRoleInput {
    /// Its name.
    name: String,
    /// Stable, unique in the workspace, never changed afterwards; made of the name if none is given.
    key: Option<String>,
    /// For people.
    description: Option<String>,
    /// Names of actions, `kind.verb`. Nobody hands on a permission that they do not hold, says the policy `standard`.
    permissions: Vec<String>,
    /// Makes a repeated request be answered instead of done twice; for 24 hours.
    idempotency_key: Option<String>,
}

/// What `updateRole` sets. What is left out stays; null clears.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct UpdateRoleInput {
    /// Which role.
    role_id: ID,
    /// The `version` that was read: if the role has another one by now, nothing is changed.
    expected_version: Option<i64>,
    /// Its name.
    name: Option<String>,
    /// For people.
    description: MaybeUndefined<String>,
    /// All its permissions.
    permissions: Option<Vec<String>>,
}

/// Which role.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct DeleteRoleInput {
    /// Which role.
    role_id: ID,
    /// The `version` that was read: if the role has another one by now, nothing is changed.
    expected_version: Option<i64>,
}

/// Which role, and what it comes back as.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RestoreRoleInput {
    /// Which role.
    role_id: ID,
    /// Another key, where its own is taken by now.
    key: Option<String>,
}

payload! {
    /// The answer to `createRole`.
    CreateRolePayload {
        /// The new role, as far as the viewer may see it.
        role: RoleNode,
    }
}

payload! {
    /// The answer to `updateRole`.
    UpdateRolePayload {
        /// The role as it is now, as far as the viewer may see it.
        role: RoleNode,
    }
}

payload! {
    /// The answer to `deleteRole`.
    DeleteRolePayload {
        /// The id of the role that is in the recycle bin now; for `restoreRole`.
        deleted_role_id: ID,
    }
}

payload! {
    /// The answer to `restoreRole`.
    RestoreRolePayload {
        /// The role as it is now, as far as the viewer may see it.
        role: RoleNode,
        @ /// Whether every grant of it is back, or waits for what is still in the recycle bin.
        complete: bool,
    }
}

#[derive(Default)]
pub(super) struct RoleMutations;

/// Mutations of roles.
#[Object]
impl RoleMutations {
    /// Creates a role.
    async fn create_role(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: CreateRoleInput,
    ) -> Maybe<CreateRolePayload> {
        let CreateRoleInput { name, key, description, permissions, idempotency_key } = input.clone();
        let command = Command::CreateRole(CreateRole { name, key, description, permissions });
        let outcome = perform_once(context, command, idempotency_key, &input).await;
        Some(single(outcome).await.map(|(role, _, user_errors)| CreateRolePayload { role, user_errors }))
    }

    /// Changes fields of a role of the workspace's own.
    async fn update_role(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateRoleInput,
    ) -> Maybe<UpdateRolePayload> {
        let command = id(&input.role_id, "roleId").map(|role| {
            Command::UpdateRole(UpdateRole {
                role,
                expected: input.expected_version,
                name: input.name,
                description: match input.description {
                    MaybeUndefined::Undefined => None,
                    MaybeUndefined::Null => Some(None),
                    MaybeUndefined::Value(text) => Some(Some(text)),
                },
                permissions: input.permissions,
            })
        });
        let outcome = performed(context, command).await;
        Some(single(outcome).await.map(|(role, _, user_errors)| UpdateRolePayload { role, user_errors }))
    }

    /// Puts a role into the recycle bin with every grant of it, where it can be restored for 30 days.
    async fn delete_role(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: DeleteRoleInput,
    ) -> Maybe<DeleteRolePayload> {
        let command = id(&input.role_id, "roleId").map(|role| Command::DeleteRole(DeleteRole { role, expected: input.expected_version }));
        Some(performed(context, command).await.map(|outcome| match outcome {
            Outcome::Done(..) => DeleteRolePayload { deleted_role_id: Some(Ok(input.role_id)), user_errors: Vec::new() },
            Outcome::Refused(user_errors) => DeleteRolePayload { deleted_role_id: None, user_errors },
        }))
    }

    /// Takes a role out of the recycle bin, with every grant of it.
    async fn restore_role(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: RestoreRoleInput,
    ) -> Maybe<RestoreRolePayload> {
        let command = id(&input.role_id, "roleId").map(|role| Command::RestoreRole(RestoreRole { role, key: input.key.clone() }));
        let outcome = performed(context, command).await;
        Some(single(outcome).await.map(|(role, complete, user_errors)| RestoreRolePayload { role, complete, user_errors }))
    }
}

/// The role, whether all of it was done, and the errors.
async fn single(outcome: async_graphql::Result<Outcome>) -> async_graphql::Result<(Maybe<RoleNode>, bool, Vec<UserError>)> {
    Ok(match outcome? {
        Outcome::Done(done, directory) => {
            let ids: Vec<RoleId> = done.ids.iter().take(1).copied().map(RoleId).collect();
            let found = directory.roles(&ids).await;
            let role = maybe(found.map(|rows| Level::members(&directory, rows).into_iter().flatten().next().map(RoleNode)));
            (role, !done.partly, Vec::new())
        }
        Outcome::Refused(errors) => (None, false, errors),
    })
}
