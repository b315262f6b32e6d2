//! Mutations of grants.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use directory::{
    Error,
    access::{AddGrants, Command, Directory, GrantDraft, RemoveGrants, ReplaceGrants},
    ids::{GrantId, UserId},
};
use uuid::Uuid;

use super::{
    BulkItem, Outcome, items, payload, perform_once,
    users::{id, ids, performed},
};
use crate::graphql::{
    error::{Maybe, maybe, shown},
    grant::GrantNode,
    level::Level,
    user::UserNode,
};

/// A grant to be.
#[derive(Clone, Debug, InputObject)]
struct GrantInput {
    /// Who.
    user_id: ID,
    /// Which role.
    role_id: ID,
    /// The group to whose subtree it is limited; the whole workspace if none is given.
    within_id: Option<ID>,
}

/// What `addGrants` adds.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct AddGrantsInput {
    /// 1 to 500 grants, all of them or none. Those that there are already stay as they are.
    grants: Vec<GrantInput>,
    /// Makes a repeated request be answered instead of done twice; for 24 hours.
    idempotency_key: Option<String>,
}

/// What `removeGrants` removes.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RemoveGrantsInput {
    /// 1 to 500 grants, all of them or none.
    grant_ids: Vec<ID>,
}

/// A role, and how far it reaches.
#[derive(Clone, Debug, InputObject)]
struct HeldRoleInput {
    /// Which role.
    role_id: ID,
    /// The group to whose subtree it is limited; the whole workspace if none is given.
    within_id: Option<ID>,
}

/// What a user shall hold.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct ReplaceGrantsInput {
    /// Which user.
    user_id: ID,
    /// The `grantsVersion` that was read: if the user holds anything else by now, nothing is changed.
    expected_version: String,
    /// Every role that the user shall hold, at most 500. Grants that the viewer can not see stay as they are.
    grants: Vec<HeldRoleInput>,
}

payload! {
    /// The answer to `addGrants`.
    AddGrantsPayload {
        /// The grants in the order of the input, as far as the viewer may see them; null if nothing was done.
        grants: Vec<Option<GrantNode>>,
        @ /// One entry an item of the input.
        results: Vec<BulkItem>,
    }
}

payload! {
    /// The answer to `removeGrants`.
    RemoveGrantsPayload {
        /// The ids of the grants that are no more; null if nothing was done.
        removed_grant_ids: Vec<ID>,
        @ /// One entry an item of the input.
        results: Vec<BulkItem>,
    }
}

payload! {
    /// The answer to `replaceGrants`.
    ReplaceGrantsPayload {
        /// The user, as far as the viewer may see it.
        user: UserNode,
    }
}

#[derive(Default)]
pub(super) struct GrantMutations;

/// Mutations of grants.
#[Object]
impl GrantMutations {
    /// Grants up to 500 roles, all of them or none.
    async fn add_grants(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: AddGrantsInput,
    ) -> Maybe<AddGrantsPayload> {
        let len = input.grants.len();
        let drafts = input.grants.iter().enumerate().map(|(at, grant)| {
            let within = grant.within_id.as_ref().map(|within| id(within, &format!("grants.{at}.withinId"))).transpose()?;
            let user = id(&grant.user_id, &format!("grants.{at}.userId"))?;
            Ok(GrantDraft { user, role: id(&grant.role_id, &format!("grants.{at}.roleId"))?, within })
        });
        let outcome = match drafts.collect::<Result<Vec<_>, _>>() {
            Ok(grants) => perform_once(context, Command::AddGrants(AddGrants { grants }), input.idempotency_key.clone(), &input).await,
            Err(problem) => Ok(Outcome::Refused(vec![super::UserError::from(&problem)])),
        };
        Some(match outcome {
            Ok(Outcome::Done(done, directory)) => {
                let grants = shown(found(&directory, &done.ids).await);
                Ok(AddGrantsPayload { grants, results: items("grants", len, &[]), user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => {
                let results = items("grants", len, &user_errors);
                Ok(AddGrantsPayload { grants: None, results, user_errors })
            }
            Err(error) => Err(error),
        })
    }

    /// Ends up to 500 grants, all of them or none.
    async fn remove_grants(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: RemoveGrantsInput,
    ) -> Maybe<RemoveGrantsPayload> {
        let len = input.grant_ids.len();
        let command = ids(&input.grant_ids, "grantIds").map(|grants| Command::RemoveGrants(RemoveGrants { grants }));
        Some(performed(context, command).await.map(|outcome| match outcome {
            Outcome::Done(..) => {
                let removed_grant_ids = Some(Ok(input.grant_ids));
                RemoveGrantsPayload { removed_grant_ids, results: items("grantIds", len, &[]), user_errors: Vec::new() }
            }
            Outcome::Refused(user_errors) => {
                RemoveGrantsPayload { removed_grant_ids: None, results: items("grantIds", len, &user_errors), user_errors }
            }
        }))
    }

    /// Makes what a user holds exactly this, as far as the viewer sees it.
    async fn replace_grants(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: ReplaceGrantsInput,
    ) -> Maybe<ReplaceGrantsPayload> {
        let held = input.grants.iter().enumerate().map(|(at, grant)| {
            let within = grant.within_id.as_ref().map(|within| id(within, &format!("grants.{at}.withinId"))).transpose()?;
            Ok((id(&grant.role_id, &format!("grants.{at}.roleId"))?, within))
        });
        let command = held.collect::<Result<Vec<_>, _>>().and_then(|grants| {
            let user = id::<UserId>(&input.user_id, "userId")?;
            Ok(Command::ReplaceGrants(ReplaceGrants { user, expected: input.expected_version.clone(), grants }))
        });
        Some(match performed(context, command).await {
            Ok(Outcome::Done(done, directory)) => {
                let ids: Vec<UserId> = done.ids.iter().take(1).copied().map(UserId).collect();
                let rows = directory.users(&ids).await;
                let user = maybe(rows.map(|rows| Level::members(&directory, rows).into_iter().flatten().next().map(UserNode)));
                Ok(ReplaceGrantsPayload { user, user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => Ok(ReplaceGrantsPayload { user: None, user_errors }),
            Err(error) => Err(error),
        })
    }
}

async fn found(directory: &Arc<Directory>, ids: &[Uuid]) -> Result<Vec<Option<GrantNode>>, Error> {
    let ids: Vec<GrantId> = ids.iter().copied().map(GrantId).collect();
    let rows = directory.grants(&ids).await?;
    Ok(Level::members(directory, rows).into_iter().map(|member| member.map(GrantNode)).collect())
}
