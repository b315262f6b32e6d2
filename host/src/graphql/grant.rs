//! Grants.

use std::sync::Arc;

use async_graphql::{ID, Object};
use directory::{
    access::Object as Subjects,
    ids::{GrantId, GroupId, UserId},
    model::{Grant, Group, Role, User},
};

use super::{
    error::{Maybe, maybe, shown},
    filter::GrantProvenance,
    group::GroupNode,
    level::{Level, Member},
    permission::{ActionDecisionNode, decisions},
    role::RoleNode,
    scalar::DateTime,
    user::{IntoId as _, UserNode},
};

/// That a user holds a role.
#[derive(Clone)]
pub(super) struct GrantNode(pub(super) Member<Grant>);

impl GrantNode {
    async fn read_user(&self, key: &str, of: fn(&Grant) -> Option<UserId>) -> Maybe<UserNode> {
        let load = || async {
            let ids: Vec<Option<UserId>> = self.0.level.rows.iter().map(|row| of(row)).collect();
            let present: Vec<UserId> = ids.iter().copied().flatten().collect();
            let mut found = Level::members(self.0.directory(), self.0.directory().users(&present).await?).into_iter();
            Ok(ids.into_iter().map(|id| id.and_then(|_| found.next().flatten())).collect())
        };
        let users: Result<Arc<Vec<Option<Member<User>>>>, _> = self.0.level.shared(key.to_owned(), load).await;
        maybe(users.map(|users| users.get(self.0.at).cloned().flatten().map(UserNode)))
    }
}

/// That a user holds a role, in the whole workspace or within a group.
#[Object(name = "Grant")]
impl GrantNode {
    /// Opaque, unique on the server, and stable.
    pub(super) async fn id(&self) -> ID {
        self.0.row().id.into_id()
    }

    /// Who.
    async fn user(&self) -> Maybe<UserNode> {
        self.read_user("user", |row| Some(row.user)).await
    }

    /// Which role.
    async fn role(&self) -> Maybe<RoleNode> {
        let load = || async {
            let ids: Vec<_> = self.0.level.rows.iter().map(|row| row.role).collect();
            Ok(Level::members(self.0.directory(), self.0.directory().roles(&ids).await?))
        };
        let roles: Result<Arc<Vec<Option<Member<Role>>>>, _> = self.0.level.shared("role".to_owned(), load).await;
        maybe(roles.map(|roles| roles.get(self.0.at).cloned().flatten().map(RoleNode)))
    }

    /// The group that it is limited to; null for the whole workspace, and where the viewer may not see the group.
    async fn within(&self) -> Maybe<GroupNode> {
        let load = || async {
            let ids: Vec<Option<GroupId>> = self.0.level.rows.iter().map(|row| row.within).collect();
            let present: Vec<GroupId> = ids.iter().copied().flatten().collect();
            let mut found = Level::members(self.0.directory(), self.0.directory().groups(&present).await?).into_iter();
            Ok(ids.into_iter().map(|id| id.and_then(|_| found.next().flatten())).collect())
        };
        let groups: Result<Arc<Vec<Option<Member<Group>>>>, _> = self.0.level.shared("within".to_owned(), load).await;
        maybe(groups.map(|groups| groups.get(self.0.at).cloned().flatten().map(GroupNode)))
    }

    /// Whether it is limited to a group.
    async fn limited(&self) -> bool {
        self.0.row().within.is_some()
    }

    /// Where it came from.
    async fn provenance(&self) -> Option<GrantProvenance> {
        self.0.row().provenance.shown().copied().map(Into::into)
    }

    /// Who granted it, if a user did whom the viewer may see.
    async fn granted_by(&self) -> Maybe<UserNode> {
        self.read_user("grantedBy", |row| row.granted_by.shown().copied().flatten()).await
    }

    /// When it was granted.
    async fn granted_at(&self) -> DateTime {
        DateTime(self.0.row().granted_at)
    }

    /// The fields that the policy withheld from the viewer.
    async fn withheld_fields(&self) -> &[String] {
        &self.0.row().withheld
    }

    /// Whether the viewer could do these on this grant.
    async fn viewer_can(&self, #[graphql(desc = "At most 50.")] actions: Vec<String>) -> Maybe<Vec<ActionDecisionNode>> {
        let ids = || self.0.level.rows.iter().map(|row| row.id).collect::<Vec<GrantId>>();
        shown(decisions(&self.0, actions, || Subjects::Grants(ids())).await)
    }
}
