//! Mutations of groups.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use directory::{
    Problem,
    access::{Command, CreateGroup, DeleteGroup, Directory, MoveGroup, RestoreGroup, UpdateGroup},
    change::DeleteMode,
    ids::GroupId,
};
use uuid::Uuid;

use super::{
    Outcome, UserError, payload, perform_once,
    users::{AttributeInput, attributes, id, performed},
};
use crate::graphql::{
    error::{Maybe, maybe},
    group::GroupNode,
    level::Level,
};

/// A group to be.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct GroupInput {
    /// The group above; a group of the first level if none is given.
    parent_id: Option<ID>,
    /// Unique among its siblings, ignoring case.
    name: String,
    /// Stable, unique in the workspace, never changed afterwards; made of the name if none is given.
    key: Option<String>,
    /// For people.
    description: Option<String>,
    /// Custom attributes.
    attributes: Option<Vec<AttributeInput>>,
}

impl GroupInput {
    /// As the gate takes it; `at` is where it stands in the input.
    pub(super) fn command(self, at: &str) -> Result<CreateGroup, Problem> {
        Ok(CreateGroup {
            parent: self.parent_id.map(|parent| id(&parent, &format!("{at}parentId"))).transpose()?,
            name: self.name,
            key: self.key,
            description: self.description,
            attributes: attributes(self.attributes),
        })
    }
}

/// What `createGroup` creates.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct CreateGroupInput {
    /// The group above; a group of the first level if none is given.
    parent_id: Option<ID>,
    /// Unique among its siblings, ignoring case.
    name: String,
    /// Stable, unique in the workspace, never changed afterwards; made of the name if none is given.
    key: Option<String>,
    /// For people.
    description: Option<String>,
    /// Custom attributes.
    attributes: Option<Vec<AttributeInput>>,
    /// Makes a repeated request be answered instead of done twice; for 24 hours.
    idempotency_key: Option<String>,
}

/// What `updateGroup` sets. What is left out stays; null clears.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct UpdateGroupInput {
    /// Which group.
    group_id: ID,
    /// The `version` that was read: if the group has another one by now, nothing is changed.
    expected_version: Option<i64>,
    /// Unique among its siblings, ignoring case.
    name: Option<String>,
    /// For people.
    description: MaybeUndefined<String>,
    /// Custom attributes to set, each with all its values; the others stay.
    attributes: Option<Vec<AttributeInput>>,
}

/// Where a group goes.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct MoveGroupInput {
    /// Which group; everything below it goes with it.
    group_id: ID,
    /// The group above from then on; null for the first level.
    parent_id: Option<ID>,
    /// The `version` that was read: if the group has another one by now, nothing is changed.
    expected_version: Option<i64>,
}

impl MoveGroupInput {
    /// As the gate takes it.
    pub(in crate::graphql) fn command(&self) -> Result<MoveGroup, Problem> {
        Ok(MoveGroup {
            group: id(&self.group_id, "groupId")?,
            expected: self.expected_version,
            to: self.parent_id.as_ref().map(|parent| id(parent, "parentId")).transpose()?,
        })
    }
}

/// What becomes of what is in a group that is deleted. Grants that are limited to it go with it.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(in crate::graphql) enum DeleteGroupMode {
    /// Refuse, if there are groups below it or members in it.
    Refuse,
    /// The groups below it and its members go to its parent. Nobody becomes a manager by it.
    Lift,
    /// Everything below it is deleted with it, and all memberships end.
    Subtree,
}

/// Which group.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct DeleteGroupInput {
    /// Which group.
    group_id: ID,
    /// What becomes of what is in it; `REFUSE` if none is given.
    mode: Option<DeleteGroupMode>,
    /// The `version` that was read: if the group has another one by now, nothing is changed.
    expected_version: Option<i64>,
}

/// Which group, and what it comes back as where its name, key or place is taken by now.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RestoreGroupInput {
    /// Which group.
    group_id: ID,
    /// Another name.
    name: Option<String>,
    /// Another key.
    key: Option<String>,
    /// Another group above; null for the first level; where it was if it is left out.
    parent_id: MaybeUndefined<ID>,
}

payload! {
    /// The answer to `createGroup`.
    CreateGroupPayload {
        /// The new group, as far as the viewer may see it.
        group: GroupNode,
    }
}

payload! {
    /// The answer to `updateGroup`.
    UpdateGroupPayload {
        /// The group as it is now, as far as the viewer may see it.
        group: GroupNode,
    }
}

payload! {
    /// The answer to `moveGroup`.
    MoveGroupPayload {
        /// The group as it is now, as far as the viewer may see it.
        group: GroupNode,
    }
}

payload! {
    /// The answer to `deleteGroup`.
    DeleteGroupPayload {
        /// The id of the group that is in the recycle bin now; for `restoreGroup`.
        deleted_group_id: ID,
    }
}

payload! {
    /// The answer to `restoreGroup`.
    RestoreGroupPayload {
        /// The group as it is now, as far as the viewer may see it.
        group: GroupNode,
        @ /// Whether everything that was in it is back, or waits for what is still in the recycle bin.
        complete: bool,
    }
}

#[derive(Default)]
pub(super) struct GroupMutations;

/// Mutations of groups.
#[Object]
impl GroupMutations {
    /// Creates a group.
    async fn create_group(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: CreateGroupInput,
    ) -> Maybe<CreateGroupPayload> {
        let CreateGroupInput { parent_id, name, key, description, attributes, idempotency_key } = input.clone();
        let outcome = match (GroupInput { parent_id, name, key, description, attributes }).command("") {
            Ok(command) => perform_once(context, Command::CreateGroup(command), idempotency_key, &input).await,
            Err(problem) => Ok(Outcome::Refused(vec![(&problem).into()])),
        };
        Some(single(outcome).await.map(|(group, _, user_errors)| CreateGroupPayload { group, user_errors }))
    }

    /// Changes fields of a group.
    async fn update_group(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateGroupInput,
    ) -> Maybe<UpdateGroupPayload> {
        let command = id(&input.group_id, "groupId").map(|group| {
            Command::UpdateGroup(UpdateGroup {
                group,
                expected: input.expected_version,
                name: input.name,
                description: match input.description {
                    MaybeUndefined::Undefined => None,
                    MaybeUndefined::Null => Some(None),
                    MaybeUndefined::Value(text) => Some(Some(text)),
                },
                attributes: attributes(input.attributes),
            })
        });
        let outcome = performed(context, command).await;
        Some(single(outcome).await.map(|(group, _, user_errors)| UpdateGroupPayload { group, user_errors }))
    }

    /// Hangs a group, with everything below it, below another. `previewGroupMove` tells beforehand who gains and loses what.
    async fn move_group(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: MoveGroupInput,
    ) -> Maybe<MoveGroupPayload> {
        let outcome = performed(context, input.command().map(Command::MoveGroup)).await;
        Some(single(outcome).await.map(|(group, _, user_errors)| MoveGroupPayload { group, user_errors }))
    }

    /// Puts a group into the recycle bin, where it can be restored for 30 days.
    async fn delete_group(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: DeleteGroupInput,
    ) -> Maybe<DeleteGroupPayload> {
        let command = id(&input.group_id, "groupId").map(|group| {
            let mode = match input.mode.unwrap_or(DeleteGroupMode::Refuse) {
                DeleteGroupMode::Refuse => DeleteMode::Empty,
                DeleteGroupMode::Lift => DeleteMode::Lift,
                DeleteGroupMode::Subtree => DeleteMode::Subtree,
            };
            Command::DeleteGroup(DeleteGroup { group, expected: input.expected_version, mode })
        });
        Some(performed(context, command).await.map(|outcome| match outcome {
            Outcome::Done(..) => DeleteGroupPayload { deleted_group_id: Some(Ok(input.group_id)), user_errors: Vec::new() },
            Outcome::Refused(user_errors) => DeleteGroupPayload { deleted_group_id: None, user_errors },
        }))
    }

    /// Takes a group out of the recycle bin, with everything that was deleted with it.
    async fn restore_group(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: RestoreGroupInput,
    ) -> Maybe<RestoreGroupPayload> {
        let parent = match &input.parent_id {
            MaybeUndefined::Undefined => Ok(None),
            MaybeUndefined::Null => Ok(Some(None)),
            MaybeUndefined::Value(parent) => id(parent, "parentId").map(|parent| Some(Some(parent))),
        };
        let command = parent.and_then(|parent| {
            let group = id(&input.group_id, "groupId")?;
            Ok(Command::RestoreGroup(RestoreGroup { group, name: input.name.clone(), key: input.key.clone(), parent }))
        });
        let outcome = performed(context, command).await;
        Some(single(outcome).await.map(|(group, complete, user_errors)| RestoreGroupPayload { group, complete, user_errors }))
    }
}

/// The group, whether all of it was done, and the errors.
async fn single(outcome: async_graphql::Result<Outcome>) -> async_graphql::Result<(Maybe<GroupNode>, bool, Vec<UserError>)> {
    Ok(match outcome? {
        Outcome::Done(done, directory) => (one(&directory, &done.ids).await, !done.partly, Vec::new()),
        Outcome::Refused(errors) => (None, false, errors),
    })
}

/// The first of these groups, if the viewer may see it.
pub(super) async fn one(directory: &Arc<Directory>, ids: &[Uuid]) -> Maybe<GroupNode> {
    let ids: Vec<GroupId> = ids.iter().take(1).copied().map(GroupId).collect();
    let found = directory.groups(&ids).await;
    maybe(found.map(|rows| Level::members(directory, rows).into_iter().flatten().next().map(GroupNode)))
}
