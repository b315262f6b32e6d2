//! Global object identification (GraphQL Global Object Identification Specification).

use std::sync::Arc;

use async_graphql::{ID, Interface};
use directory::{
    Error,
    access::Directory,
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId, WorkspaceId},
};

use super::{
    grant::GrantNode, group::GroupNode, level::Level, membership::MembershipNode, role::RoleNode, user::UserNode, workspace::WorkspaceNode,
};

/// Something with an id of its own.
#[derive(Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque, unique on the server, and stable."))]
pub(super) enum Node {
    /// A user.
    User(UserNode),
    /// A group.
    Group(GroupNode),
    /// A role.
    Role(RoleNode),
    /// A membership.
    Membership(MembershipNode),
    /// A grant.
    Grant(GrantNode),
    /// The workspace.
    Workspace(WorkspaceNode),
}

/// An id of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnyId {
    User(UserId),
    Group(GroupId),
    Role(RoleId),
    Membership(MembershipId),
    Grant(GrantId),
    Workspace(WorkspaceId),
}

impl AnyId {
    /// Reads an id by its prefix.
    pub(super) fn parse(id: &ID) -> Result<Self, Error> {
        let prefix = id.split_once('_').map(|(prefix, _)| prefix).unwrap_or_default();
        match prefix {
            UserId::PREFIX => parse(id).map(Self::User),
            GroupId::PREFIX => parse(id).map(Self::Group),
            RoleId::PREFIX => parse(id).map(Self::Role),
            MembershipId::PREFIX => parse(id).map(Self::Membership),
            GrantId::PREFIX => parse(id).map(Self::Grant),
            WorkspaceId::PREFIX => parse(id).map(Self::Workspace),
            _ => Err(Error::Invalid(format!(
                "`{}` is no id; ids look like `usr_` and 32 hexadecimal digits, as the API returned them",
                id.chars().take(64).collect::<String>()
            ))),
        }
    }
}

/// Reads an id of one kind.
pub(super) fn parse<T: std::str::FromStr<Err = directory::ids::InvalidId>>(id: &ID) -> Result<T, Error> {
    id.parse().map_err(|error: directory::ids::InvalidId| Error::Invalid(error.to_string()))
}

/// Reads ids of one kind.
pub(super) fn parse_all<T: std::str::FromStr<Err = directory::ids::InvalidId>>(ids: &[ID]) -> Result<Vec<T>, Error> {
    ids.iter().map(parse).collect()
}

/// Finds objects by id, one answer an id: one statement and one `check` for each kind.
pub(super) async fn find(directory: &Arc<Directory>, ids: &[ID]) -> Result<Vec<Option<Node>>, Error> {
    let ids: Vec<AnyId> = ids.iter().map(AnyId::parse).collect::<Result<_, _>>()?;
    macro_rules! of {
        ($kind:ident) => {
            ids.iter().filter_map(|id| if let AnyId::$kind(id) = id { Some(*id) } else { None }).collect::<Vec<_>>()
        };
    }
    let mut users = Level::members(directory, directory.users(&of!(User)).await?).into_iter();
    let mut groups = Level::members(directory, directory.groups(&of!(Group)).await?).into_iter();
    let mut roles = Level::members(directory, directory.roles(&of!(Role)).await?).into_iter();
    let mut memberships = Level::members(directory, directory.memberships(&of!(Membership)).await?).into_iter();
    let mut grants = Level::members(directory, directory.grants(&of!(Grant)).await?).into_iter();
    let mut found = Vec::with_capacity(ids.len());
    for id in &ids {
        found.push(match id {
            AnyId::User(_) => users.next().flatten().map(|member| Node::User(UserNode(member))),
            AnyId::Group(_) => groups.next().flatten().map(|member| Node::Group(GroupNode(member))),
            AnyId::Role(_) => roles.next().flatten().map(|member| Node::Role(RoleNode(member))),
            AnyId::Membership(_) => memberships.next().flatten().map(|member| Node::Membership(MembershipNode(member))),
            AnyId::Grant(_) => grants.next().flatten().map(|member| Node::Grant(GrantNode(member))),
            AnyId::Workspace(id) => WorkspaceNode::read(directory).await?.filter(|node| node.row.id == *id).map(Node::Workspace),
        });
    }
    Ok(found)
}
