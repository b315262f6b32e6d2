//! What a move of a group would do.

use std::sync::Arc;

use async_graphql::SimpleObject;
use directory::{
    Refusal,
    access::{Directory, MovePreview},
    model::{Grant, Group, Membership},
};

use super::{
    error::{Maybe, failure},
    grant::GrantNode,
    group::GroupNode,
    level::Level,
    membership::MembershipNode,
    mutation::{MoveGroupInput, UserError},
};

/// Who gains and who loses what by a move. Only what the viewer sees is spoken of.
#[derive(SimpleObject)]
pub(super) struct GroupMovePreview {
    /// The group; null if it can not be moved because it is not there for the viewer.
    group: Option<GroupNode>,
    /// How many groups would move, the group itself included; null where the policy's scope is inexact.
    groups: Option<i64>,
    /// How many people are in it or below it; likewise.
    people: Option<i64>,
    /// The groups above that they would no longer be below, the nearest first.
    leaves: Vec<GroupNode>,
    /// The groups above that they would come to be below, the nearest first.
    joins: Vec<GroupNode>,
    /// Memberships whose users manage it by a group that it leaves.
    losing_managers: Vec<MembershipNode>,
    /// Memberships whose users would manage it by a group that it joins.
    gaining_managers: Vec<MembershipNode>,
    /// Grants that reach it by a group that it leaves.
    losing_grants: Vec<GrantNode>,
    /// Grants that would reach it by a group that it joins.
    gaining_grants: Vec<GrantNode>,
    /// Whether one of the lists was cut after 100.
    truncated: bool,
    /// Why the move would be refused, as far as that is known before it is made.
    user_errors: Vec<UserError>,
}

/// Previews a move.
pub(super) async fn preview(directory: &Arc<Directory>, input: &MoveGroupInput) -> Maybe<GroupMovePreview> {
    let asked = match input.command() {
        Ok(asked) => asked,
        Err(problem) => return Some(Ok(refused(vec![UserError::from(&problem)]))),
    };
    Some(match Box::pin(directory.preview_move(&asked)).await {
        Ok(preview) => Ok(node(directory, preview)),
        Err(Refusal::Problems(problems)) => Ok(refused(problems.iter().map(UserError::from).collect())),
        Err(Refusal::Failed(error)) => Err(failure(&error)),
    })
}

fn refused(user_errors: Vec<UserError>) -> GroupMovePreview {
    GroupMovePreview {
        group: None,
        groups: None,
        people: None,
        leaves: Vec::new(),
        joins: Vec::new(),
        losing_managers: Vec::new(),
        gaining_managers: Vec::new(),
        losing_grants: Vec::new(),
        gaining_grants: Vec::new(),
        truncated: false,
        user_errors,
    }
}

fn node(directory: &Arc<Directory>, preview: MovePreview) -> GroupMovePreview {
    let count = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
    macro_rules! nodes {
        ($row:ty, $node:ident, $rows:expr) => {
            Level::<$row>::members(directory, $rows.into_iter().map(Some).collect()).into_iter().flatten().map($node).collect()
        };
    }
    let group: Vec<GroupNode> = nodes!(Group, GroupNode, [preview.group]);
    GroupMovePreview {
        group: group.into_iter().next(),
        groups: count(preview.groups),
        people: count(preview.people),
        leaves: nodes!(Group, GroupNode, preview.leaves),
        joins: nodes!(Group, GroupNode, preview.joins),
        losing_managers: nodes!(Membership, MembershipNode, preview.losing_managers),
        gaining_managers: nodes!(Membership, MembershipNode, preview.gaining_managers),
        losing_grants: nodes!(Grant, GrantNode, preview.losing_grants),
        gaining_grants: nodes!(Grant, GrantNode, preview.gaining_grants),
        truncated: preview.truncated,
        user_errors: preview.problems.iter().map(UserError::from).collect(),
    }
}
