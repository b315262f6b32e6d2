//! Mutations of memberships.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object};
use directory::{
    Error, Problem,
    access::{AddMembers, Command, Directory, Member, RemoveMembers, SetManagers},
    ids::{GroupId, MembershipId, UserId},
};
use uuid::Uuid;

use super::{
    BulkItem, Outcome, groups, items, payload,
    users::{id, ids, performed},
};
use crate::graphql::{
    error::{Maybe, shown},
    group::GroupNode,
    level::Level,
    membership::MembershipNode,
};

/// A user, and whether it manages the group.
#[derive(Clone, Debug, InputObject)]
struct MemberInput {
    /// The user.
    user_id: ID,
    /// Whether it manages the group and everything below it.
    #[graphql(default)]
    manager: bool,
}

/// Whom to add to a group.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct AddGroupMembersInput {
    /// The group.
    group_id: ID,
    /// 1 to 500 users, all of them or none. Whoever is a member already stays as they are.
    members: Vec<MemberInput>,
}

/// Whom to remove from a group.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RemoveGroupMembersInput {
    /// The group.
    group_id: ID,
    /// 1 to 500 users, all of them or none.
    user_ids: Vec<ID>,
}

/// A member, and whether it shall manage the group.
#[derive(Clone, Debug, InputObject)]
struct ManagerInput {
    /// The user.
    user_id: ID,
    /// Whether it manages the group and everything below it.
    manager: bool,
}

/// Who of a group's members manages it.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct SetGroupManagersInput {
    /// The group.
    group_id: ID,
    /// 1 to 500 members, all of them or none. Other members stay as they are.
    members: Vec<ManagerInput>,
}

payload! {
    /// The answer to `addGroupMembers`.
    AddGroupMembersPayload {
        /// The group, as far as the viewer may see it.
        group: GroupNode,
        /// The memberships in the order of the input, as far as the viewer may see them; null if nothing was done.
        memberships: Vec<Option<MembershipNode>>,
        @ /// One entry an item of the input.
        results: Vec<BulkItem>,
    }
}

payload! {
    /// The answer to `removeGroupMembers`.
    RemoveGroupMembersPayload {
        /// The group, as far as the viewer may see it.
        group: GroupNode,
        @ /// One entry an item of the input.
        results: Vec<BulkItem>,
    }
}

payload! {
    /// The answer to `setGroupManagers`.
    SetGroupManagersPayload {
        /// The group, as far as the viewer may see it.
        group: GroupNode,
        /// The memberships in the order of the input, as far as the viewer may see them; null if nothing was done.
        memberships: Vec<Option<MembershipNode>>,
        @ /// One entry an item of the input.
        results: Vec<BulkItem>,
    }
}

#[derive(Default)]
pub(super) struct MemberMutations;

/// Mutations of memberships.
#[Object]
impl MemberMutations {
    /// Adds up to 500 users to a group, all of them or none.
    async fn add_group_members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: AddGroupMembersInput,
    ) -> Maybe<AddGroupMembersPayload> {
        let members = input.members.iter().map(|member| (&member.user_id, member.manager));
        let command = chosen(&input.group_id, members).map(|(group, members)| Command::AddMembers(AddMembers { group, members }));
        Some(match performed(context, command).await {
            Ok(Outcome::Done(done, directory)) => {
                let group = group(&directory, &input.group_id).await;
                let memberships = shown(found(&directory, &done.ids).await);
                let results = items("members", input.members.len(), &[]);
                Ok(AddGroupMembersPayload { group, memberships, results, user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => {
                let results = items("members", input.members.len(), &user_errors);
                Ok(AddGroupMembersPayload { results, user_errors, ..AddGroupMembersPayload::default() })
            }
            Err(error) => Err(error),
        })
    }

    /// Removes up to 500 users from a group, all of them or none. Nobody is left without a group: everybody is in the top one.
    async fn remove_group_members(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: RemoveGroupMembersInput,
    ) -> Maybe<RemoveGroupMembersPayload> {
        let command = id::<GroupId>(&input.group_id, "groupId").and_then(|group| {
            let users = ids::<UserId>(&input.user_ids, "userIds")?;
            Ok(Command::RemoveMembers(RemoveMembers { group, users }))
        });
        Some(match performed(context, command).await {
            Ok(Outcome::Done(_, directory)) => {
                let group = group(&directory, &input.group_id).await;
                let results = items("userIds", input.user_ids.len(), &[]);
                Ok(RemoveGroupMembersPayload { group, results, user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => {
                let results = items("userIds", input.user_ids.len(), &user_errors);
                Ok(RemoveGroupMembersPayload { results, user_errors, ..RemoveGroupMembersPayload::default() })
            }
            Err(error) => Err(error),
        })
    }

    /// Says of up to 500 members of a group whether they manage it.
    async fn set_group_managers(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: SetGroupManagersInput,
    ) -> Maybe<SetGroupManagersPayload> {
        let members = input.members.iter().map(|member| (&member.user_id, member.manager));
        let command = chosen(&input.group_id, members).map(|(group, members)| Command::SetManagers(SetManagers { group, members }));
        Some(match performed(context, command).await {
            Ok(Outcome::Done(done, directory)) => {
                let group = group(&directory, &input.group_id).await;
                let memberships = shown(found(&directory, &done.ids).await);
                let results = items("members", input.members.len(), &[]);
                Ok(SetGroupManagersPayload { group, memberships, results, user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => {
                let results = items("members", input.members.len(), &user_errors);
                Ok(SetGroupManagersPayload { results, user_errors, ..SetGroupManagersPayload::default() })
            }
            Err(error) => Err(error),
        })
    }
}

fn chosen<'a>(group: &ID, members: impl Iterator<Item = (&'a ID, bool)>) -> Result<(GroupId, Vec<Member<UserId>>), Problem> {
    let group = id(group, "groupId")?;
    let member =
        |(position, (user, manager)): (usize, (&ID, bool))| Ok(Member { id: id(user, &format!("members.{position}.userId"))?, manager });
    Ok((group, members.enumerate().map(member).collect::<Result<_, Problem>>()?))
}

async fn group(directory: &Arc<Directory>, id: &ID) -> Maybe<GroupNode> {
    let id: Option<GroupId> = id.parse().ok();
    groups::one(directory, &id.map(|id| id.0).into_iter().collect::<Vec<_>>()).await
}

async fn found(directory: &Arc<Directory>, ids: &[Uuid]) -> Result<Vec<Option<MembershipNode>>, Error> {
    let ids: Vec<MembershipId> = ids.iter().copied().map(MembershipId).collect();
    let rows = directory.memberships(&ids).await?;
    Ok(Level::members(directory, rows).into_iter().map(|member| member.map(MembershipNode)).collect())
}
