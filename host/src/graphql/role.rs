//! Roles.

use async_graphql::{Context, ID, Object};
use directory::{
    access::{Ask, Object as Subjects},
    ids::RoleId,
    model::{Grant, Role},
    query::{Order, Window},
    store::AmongGrants,
};

use super::{
    connection::{Connection, GrantConnection, Paging, cursors},
    error::{Maybe, shown},
    filter::{GrantFilter, bounded},
    level::{Fan, Member},
    permission::{ActionDecisionNode, decisions},
    scalar::DateTime,
    user::IntoId as _,
};

/// A named set of permissions.
#[derive(Clone)]
pub(super) struct RoleNode(pub(super) Member<Role>);

impl RoleNode {
    fn ids(&self) -> Vec<RoleId> {
        self.0.level.rows.iter().map(|row| row.id).collect()
    }
}

/// A named set of permissions.
#[Object(name = "Role")]
impl RoleNode {
    /// Opaque, unique on the server, and stable.
    pub(super) async fn id(&self) -> ID {
        self.0.row().id.into_id()
    }

    /// Unique in the workspace and stable.
    async fn key(&self) -> Option<&str> {
        self.0.row().key.shown().map(String::as_str)
    }

    /// For people.
    async fn name(&self) -> Option<&str> {
        self.0.row().name.shown().map(String::as_str)
    }

    /// For people.
    async fn description(&self) -> Option<&str> {
        self.0.row().description.shown()?.as_deref()
    }

    /// Whether it ships with the server and can not be changed.
    async fn builtin(&self) -> Option<bool> {
        self.0.row().builtin.shown().copied()
    }

    /// The actions that it permits, `kind.verb`, in the register's order.
    async fn permissions(&self) -> Option<&[String]> {
        self.0.row().permissions.shown().map(Vec::as_slice)
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.row().created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.row().updated_at)
    }

    /// Counts its changes; for `expectedVersion`.
    async fn version(&self) -> i64 {
        self.0.row().version.0
    }

    /// The fields that the policy withheld from the viewer.
    async fn withheld_fields(&self) -> &[String] {
        &self.0.row().withheld
    }

    /// Who holds it.
    async fn grants(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<GrantFilter>,
    ) -> Maybe<GrantConnection> {
        let paging = Paging { first, after, last, before };
        let key = format!("grants:{paging:?}:{filter:?}");
        let fan = self.0.level.shared(key, || async {
            let filter = bounded(filter.map(GrantFilter::build))?;
            let ask = Ask { among: AmongGrants::OfRoles(self.ids()), filter, order: Order::default(), window: Window::default() };
            Fan::load(self.0.directory(), paging.into_ask::<Grant>(self.0.directory(), &cursors(context), ask)?).await
        });
        shown(fan.await.map(|fan| GrantConnection(Connection { fan, parent: self.0.at })))
    }

    /// Whether the viewer could do these on this role. Actions of grants ask about grants of it.
    async fn viewer_can(&self, #[graphql(desc = "At most 50.")] actions: Vec<String>) -> Maybe<Vec<ActionDecisionNode>> {
        shown(decisions(&self.0, actions, || Subjects::Roles(self.ids())).await)
    }
}
