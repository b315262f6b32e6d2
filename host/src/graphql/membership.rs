//! Memberships.

use std::sync::Arc;

use async_graphql::{ID, Object};
use directory::{
    access::Object as Subjects,
    ids::MembershipId,
    model::{Group, Membership, User},
};

use super::{
    error::{Maybe, maybe, shown},
    group::GroupNode,
    level::{Level, Member},
    permission::{ActionDecisionNode, decisions},
    scalar::DateTime,
    user::{IntoId as _, UserNode},
};

/// That a user is in a group.
#[derive(Clone)]
pub(super) struct MembershipNode(pub(super) Member<Membership>);

/// That a user is in a group, directly.
#[Object(name = "Membership")]
impl MembershipNode {
    /// Opaque, unique on the server, and stable.
    pub(super) async fn id(&self) -> ID {
        self.0.row().id.into_id()
    }

    /// Who.
    async fn user(&self) -> Maybe<UserNode> {
        let load = || async {
            let ids: Vec<_> = self.0.level.rows.iter().map(|row| row.user).collect();
            Ok(Level::members(self.0.directory(), self.0.directory().users(&ids).await?))
        };
        let users: Result<Arc<Vec<Option<Member<User>>>>, _> = self.0.level.shared("user".to_owned(), load).await;
        maybe(users.map(|users| users.get(self.0.at).cloned().flatten().map(UserNode)))
    }

    /// In which group.
    async fn group(&self) -> Maybe<GroupNode> {
        let load = || async {
            let ids: Vec<_> = self.0.level.rows.iter().map(|row| row.group).collect();
            Ok(Level::members(self.0.directory(), self.0.directory().groups(&ids).await?))
        };
        let groups: Result<Arc<Vec<Option<Member<Group>>>>, _> = self.0.level.shared("group".to_owned(), load).await;
        maybe(groups.map(|groups| groups.get(self.0.at).cloned().flatten().map(GroupNode)))
    }

    /// Whether the user manages the group and everything below.
    async fn manager(&self) -> Option<bool> {
        self.0.row().manager.shown().copied()
    }

    /// When it was added.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.row().created_at)
    }

    /// The fields that the policy withheld from the viewer.
    async fn withheld_fields(&self) -> &[String] {
        &self.0.row().withheld
    }

    /// Whether the viewer could do these on this membership.
    async fn viewer_can(&self, #[graphql(desc = "At most 50.")] actions: Vec<String>) -> Maybe<Vec<ActionDecisionNode>> {
        let ids = || self.0.level.rows.iter().map(|row| row.id).collect::<Vec<MembershipId>>();
        shown(decisions(&self.0, actions, || Subjects::Memberships(ids())).await)
    }
}
