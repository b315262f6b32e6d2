//! Relay connections (GraphQL Cursor Connections Specification) over the gate's pages.

use std::sync::Arc;

use async_graphql::{Context, ErrorExtensions as _, Object, SimpleObject};
use directory::{
    Error,
    access::{Count, Directory},
    limits,
    model::{Grant, Group, Membership, Role, User},
    query::{End, Window},
};

use super::{
    Cursors, RequestContext,
    error::{Maybe, failure, shown},
    grant::GrantNode,
    group::GroupNode,
    level::{Fan, Listed, Member, Side},
    membership::MembershipNode,
    role::RoleNode,
    user::UserNode,
};

/// One page of a connection of one parent.
pub(super) struct Connection<T: Listed> {
    pub(super) fan: Arc<Fan<T>>,
    pub(super) parent: usize,
}

impl<T: Listed> Connection<T> {
    /// The only page of a list of the whole workspace.
    pub(super) async fn root(directory: &Arc<Directory>, ask: T::Ask) -> Result<Self, Error> {
        Ok(Self { fan: Arc::new(Fan::load(directory, ask).await?), parent: 0 })
    }

    /// The rows with their cursors; for a field of the connection.
    pub(super) fn rows(&self, context: &Context<'_>) -> Vec<(String, Member<T>)> {
        self.tell_of_the_cap(context);
        let cursors = cursors(context);
        let order = self.fan.order();
        let workspace = self.fan.level.directory.subject().workspace;
        let rows = self.fan.pages.get(self.parent).map(|page| page.rows.as_slice()).unwrap_or_default();
        let row = |(keyset, at): &(_, usize)| (cursors.seal(workspace, &order, keyset), Member { level: self.fan.level.clone(), at: *at });
        rows.iter().map(row).collect()
    }

    /// Never null: a failure is an error at its path beside `false`.
    pub(super) async fn page_info(&self, context: &Context<'_>) -> PageInfo {
        self.tell_of_the_cap(context);
        let info = self.place(&cursors(context)).await;
        info.unwrap_or_else(|error| {
            let error = failure(&error);
            context.add_error(context.set_error_path(error.into_server_error(context.item.pos)));
            PageInfo { has_next_page: false, has_previous_page: false, start_cursor: None, end_cursor: None }
        })
    }

    /// Says in the answer's extensions that the scan cap made this page short, if it did.
    fn tell_of_the_cap(&self, context: &Context<'_>) {
        let capped = self.fan.pages.get(self.parent).is_some_and(|page| page.scan_capped.is_some());
        if let (true, Ok(request)) = (capped, context.data::<RequestContext>()) {
            // The field that is being resolved is one of the connection's.
            let path = context.path_node.as_ref().and_then(|field| serde_json::to_value(field.parent?).ok());
            request.scan_capped.note(path.unwrap_or_default());
        }
    }

    async fn place(&self, cursors: &Cursors) -> Result<PageInfo, Error> {
        let order = self.fan.order();
        let workspace = self.fan.level.directory.subject().workspace;
        let page = self.fan.pages.get(self.parent);
        let rows = page.map(|page| page.rows.as_slice()).unwrap_or_default();
        let mut start = rows.first().map(|(keyset, _)| keyset);
        let mut end = rows.last().map(|(keyset, _)| keyset);
        // Where the scan cap made the page short, paging goes on from where the scan stopped.
        if let Some(capped) = page.and_then(|page| page.scan_capped.as_ref()) {
            match self.fan.end() {
                End::Front => end = Some(capped),
                End::Back => start = Some(capped),
            }
        }
        Ok(PageInfo {
            has_next_page: self.fan.neighbours(self.parent, Side::After).await?,
            has_previous_page: self.fan.neighbours(self.parent, Side::Before).await?,
            start_cursor: start.map(|keyset| cursors.seal(workspace, &order, keyset)),
            end_cursor: end.map(|keyset| cursors.seal(workspace, &order, keyset)),
        })
    }

    pub(super) async fn total_count(&self) -> Maybe<i32> {
        match self.fan.count(self.parent).await {
            Ok(Count::Exact(count)) => Some(Ok(i32::try_from(count).unwrap_or(i32::MAX))),
            Ok(Count::Unknown) => {
                let error = async_graphql::Error::new(
                    "the policy's scope over this list is inexact, so that its rows can not be counted; leave `totalCount` out",
                );
                Some(Err(error.extend_with(|_, extensions| extensions.set("code", "COUNT_UNAVAILABLE"))))
            }
            Err(error) => shown(Err(error)),
        }
    }
}

/// Where a page stands in its connection.
#[derive(SimpleObject)]
pub(super) struct PageInfo {
    /// Whether visible rows follow.
    has_next_page: bool,
    /// Whether visible rows precede.
    has_previous_page: bool,
    /// The first row's cursor, for `before`.
    start_cursor: Option<String>,
    /// The last row's cursor, for `after`.
    end_cursor: Option<String>,
}

/// `first`, `after`, `last`, `before` as the client wrote them.
#[derive(Clone, Debug, Default)]
pub(super) struct Paging {
    pub(super) first: Option<i32>,
    pub(super) after: Option<String>,
    pub(super) last: Option<i32>,
    pub(super) before: Option<String>,
}

impl Paging {
    /// How many rows are wanted of a list that is paged from the front only.
    pub(super) fn forward(&self) -> Result<usize, Error> {
        rows("first", self.first)
    }

    /// Puts the window into an ask. Cursors are opened in the ask's own order.
    pub(super) fn into_ask<T: Listed>(self, directory: &Directory, cursors: &Cursors, mut ask: T::Ask) -> Result<T::Ask, Error> {
        let (rows, end) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(Error::Invalid("`first` and `last` exclude each other; leave one out".to_owned())),
            (first, None) => (rows("first", first)?, End::Front),
            (None, last) => (rows("last", last)?, End::Back),
        };
        let (order, _) = T::order(&ask);
        let open = |cursor: Option<String>| cursor.map(|cursor| cursors.open(directory.subject().workspace, &order, &cursor)).transpose();
        *T::window(&mut ask) = Window { after: open(self.after)?, before: open(self.before)?, rows, end };
        Ok(ask)
    }
}

fn rows(name: &str, asked: Option<i32>) -> Result<usize, Error> {
    let rows = asked.map_or(Some(limits::PAGE_ROWS_DEFAULT), |rows| usize::try_from(rows).ok());
    rows.filter(|rows| (1..=limits::PAGE_ROWS).contains(rows)).ok_or_else(|| {
        Error::Invalid(format!("`{name}: {}` is no number of rows; give one from 1 to {}", asked.unwrap_or_default(), limits::PAGE_ROWS))
    })
}

/// The cursors of a request.
///
/// Every request carries them; without them the cursors of a key of zeros open nothing that was handed out.
pub(super) fn cursors(context: &Context<'_>) -> Cursors {
    context.data::<RequestContext>().map_or_else(|_| Cursors::new(&[0; 32]), |request| request.cursors.clone())
}

macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ident, $row:ident, $doc:literal) => {
        #[doc = $doc]
        pub(super) struct $connection(pub(super) Connection<$row>);

        #[doc = $doc]
        #[Object]
        impl $connection {
            /// The rows with their cursors.
            async fn edges(&self, context: &Context<'_>) -> Vec<$edge> {
                let edge = |(cursor, member)| $edge { cursor, node: $node(member) };
                self.0.rows(context).into_iter().map(edge).collect()
            }

            /// The rows.
            async fn nodes(&self, context: &Context<'_>) -> Vec<$node> {
                self.0.rows(context).into_iter().map(|(_, member)| $node(member)).collect()
            }

            /// Where the page stands.
            async fn page_info(&self, context: &Context<'_>) -> PageInfo {
                self.0.page_info(context).await
            }

            /// How many rows the viewer may see in the whole list, exactly. Null, with an error, where the policy's scope is inexact.
            async fn total_count(&self) -> Maybe<i32> {
                self.0.total_count().await
            }
        }

        #[doc = "A row of a connection."]
        #[derive(SimpleObject)]
        pub(super) struct $edge {
            /// The row's position, for `after` and `before`.
            cursor: String,
            /// The row.
            node: $node,
        }
    };
}

connection!(UserConnection, UserEdge, UserNode, User, "Users, as far as the viewer may see them.");
connection!(GroupConnection, GroupEdge, GroupNode, Group, "Groups, as far as the viewer may see them.");
connection!(RoleConnection, RoleEdge, RoleNode, Role, "Roles, as far as the viewer may see them.");
connection!(MembershipConnection, MembershipEdge, MembershipNode, Membership, "Memberships whose user and group the viewer may see, too.");
connection!(GrantConnection, GrantEdge, GrantNode, Grant, "Grants whose user and role the viewer may see, too.");
