//! Groups and their tree.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use directory::{
    Error,
    access::{Ask, Directory, Object as Subjects},
    ids::{GroupId, UserId},
    model::{Group, Membership, User},
    query::{Filter, MembershipPredicate, Order, Window},
    store::{AmongGroups, AmongMemberships, AmongUsers},
};

use super::{
    connection::{Connection, GroupConnection, MembershipConnection, PageInfo, Paging, cursors},
    error::{Maybe, maybe, shown},
    filter::{GroupFilter, MembershipFilter, NameOrder, UserFilter, UserOrder, bounded},
    level::{Fan, Level, Member},
    membership::MembershipNode,
    permission::{ActionDecisionNode, decisions},
    scalar::DateTime,
    user::{CustomAttribute, IntoId as _, UserNode, custom_attributes},
};

/// A node of the group tree.
#[derive(Clone)]
pub(super) struct GroupNode(pub(super) Member<Group>);

/// The visible ancestors of each group of a level, nearest first.
type Ancestors = Vec<Vec<Member<Group>>>;

impl GroupNode {
    fn ids(&self) -> Vec<GroupId> {
        self.0.level.rows.iter().map(|row| row.id).collect()
    }

    async fn visible_ancestors(&self) -> Result<Vec<Member<Group>>, Error> {
        let load = || async {
            let found = self.0.directory().ancestors(&self.ids()).await?;
            let counts: Vec<usize> = found.iter().map(Vec::len).collect();
            let (level, places) = Level::new(self.0.directory(), found.into_iter().flatten());
            let mut places = places.into_iter().map(|at| Member { level: level.clone(), at });
            Ok(counts.into_iter().map(|count| places.by_ref().take(count).collect()).collect())
        };
        let ancestors: Arc<Ancestors> = self.0.level.shared("ancestors".to_owned(), load).await?;
        Ok(ancestors.get(self.0.at).cloned().unwrap_or_default())
    }

    async fn below(
        &self,
        context: &Context<'_>,
        levels: Option<u32>,
        paging: Paging,
        filter: Option<GroupFilter>,
        order_by: Option<NameOrder>,
    ) -> Maybe<GroupConnection> {
        let key = format!("below:{levels:?}:{paging:?}:{filter:?}:{order_by:?}");
        let fan = self.0.level.shared(key, || async {
            let filter = bounded(filter.map(GroupFilter::build))?;
            let order = order_by.map(Order::from).unwrap_or_default();
            let among = AmongGroups::Below { groups: self.ids(), levels };
            let ask = Ask { among, filter, order, window: Window::default() };
            Fan::load(self.0.directory(), paging.into_ask::<Group>(self.0.directory(), &cursors(context), ask)?).await
        });
        shown(fan.await.map(|fan| GroupConnection(Connection { fan, parent: self.0.at })))
    }
}

/// A group. The tree is that of the groups the viewer may see: hidden ones are skipped, and what is below them moves up.
#[Object(name = "Group")]
impl GroupNode {
    /// Opaque, unique on the server, and stable.
    pub(super) async fn id(&self) -> ID {
        self.0.row().id.into_id()
    }

    /// Unique in the workspace and stable, for policies and configuration.
    async fn key(&self) -> Option<&str> {
        self.0.row().key.shown().map(String::as_str)
    }

    /// Unique among its siblings, ignoring case.
    async fn name(&self) -> Option<&str> {
        self.0.row().name.shown().map(String::as_str)
    }

    /// For people.
    async fn description(&self) -> Option<&str> {
        self.0.row().description.shown()?.as_deref()
    }

    /// Custom attributes that are assigned and not withheld, by name.
    async fn attributes(&self) -> Vec<CustomAttribute> {
        custom_attributes(&self.0.row().attributes)
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

    /// The nearest group above that the viewer may see; null right below the top.
    async fn parent(&self) -> Maybe<Self> {
        maybe(self.visible_ancestors().await.map(|ancestors| ancestors.into_iter().next().map(Self)))
    }

    /// The groups above that the viewer may see, the nearest first.
    async fn ancestors(&self) -> Maybe<Vec<Self>> {
        shown(self.visible_ancestors().await.map(|ancestors| ancestors.into_iter().map(Self).collect()))
    }

    /// 1 for a group without a visible group above it.
    async fn depth(&self) -> Maybe<i32> {
        shown(self.visible_ancestors().await.map(|ancestors| i32::try_from(ancestors.len() + 1).unwrap_or(i32::MAX)))
    }

    /// The groups right below, in the visible tree.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn children(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<GroupFilter>,
        #[graphql(desc = "The order; by id if none is given.")] order_by: Option<NameOrder>,
    ) -> Maybe<GroupConnection> {
        self.below(context, Some(1), Paging { first, after, last, before }, filter, order_by).await
    }

    /// The groups below, in the visible tree, down to a depth.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn descendants(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Levels below this group; 1 for its children, all if none is given.")] max_depth: Option<i32>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<GroupFilter>,
        #[graphql(desc = "The order; by id if none is given.")] order_by: Option<NameOrder>,
    ) -> Maybe<GroupConnection> {
        match levels(max_depth) {
            Ok(levels) => self.below(context, levels, Paging { first, after, last, before }, filter, order_by).await,
            Err(error) => shown(Err(error)),
        }
    }

    /// The people in this group, or in it and in every visible group below; each once.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn members(
        &self,
        context: &Context<'_>,
        #[graphql(default, desc = "Of the group itself, or of what is below it, too.")] scope: MemberScope,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<UserFilter>,
        #[graphql(desc = "The order; by id if none is given.")] order_by: Option<UserOrder>,
    ) -> Maybe<GroupMemberConnection> {
        let paging = Paging { first, after, last, before };
        let key = format!("members:{scope:?}:{paging:?}:{filter:?}:{order_by:?}");
        let fan = self.0.level.shared(key, || async {
            let filter = bounded(filter.map(UserFilter::build))?;
            let order = order_by.map(Order::from).unwrap_or_default();
            let among = match scope {
                MemberScope::Direct => AmongUsers::In(self.ids()),
                MemberScope::Effective => AmongUsers::Under(self.ids()),
            };
            let ask = Ask { among, filter, order, window: Window::default() };
            let ask = paging.into_ask::<User>(self.0.directory(), &cursors(context), ask)?;
            let fan = Arc::new(Fan::load(self.0.directory(), ask).await?);
            Ok(Members { fan, scope, groups: self.ids(), paths: tokio::sync::OnceCell::new() })
        });
        shown(fan.await.map(|members| GroupMemberConnection { members, parent: self.0.at }))
    }

    /// The memberships in this group, with `manager`.
    async fn memberships(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<MembershipFilter>,
    ) -> Maybe<MembershipConnection> {
        let paging = Paging { first, after, last, before };
        let key = format!("memberships:{paging:?}:{filter:?}");
        let fan = self.0.level.shared(key, || async {
            let filter = bounded(filter.map(MembershipFilter::build))?;
            let among = AmongMemberships::OfGroups(self.ids());
            let ask = Ask { among, filter, order: Order::default(), window: Window::default() };
            Fan::load(self.0.directory(), paging.into_ask::<Membership>(self.0.directory(), &cursors(context), ask)?).await
        });
        shown(fan.await.map(|fan| MembershipConnection(Connection { fan, parent: self.0.at })))
    }

    /// Whether the viewer could do these on this group. Actions of memberships ask about those in it.
    async fn viewer_can(&self, #[graphql(desc = "At most 50.")] actions: Vec<String>) -> Maybe<Vec<ActionDecisionNode>> {
        shown(decisions(&self.0, actions, || Subjects::Groups(self.ids())).await)
    }
}

/// Which members of a group.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
pub(super) enum MemberScope {
    /// Of the group itself.
    #[default]
    Direct,
    /// Of the group and of every visible group below it.
    Effective,
}

/// The members of each group of a level, and the memberships that make them members.
struct Members {
    fan: Arc<Fan<User>>,
    scope: MemberScope,
    groups: Vec<GroupId>,
    paths: tokio::sync::OnceCell<Result<Arc<Paths>, Error>>,
}

/// Visible memberships by the group asked about and the user.
type Paths = HashMap<(GroupId, UserId), Vec<Member<Membership>>>;

/// Rows of memberships that are read at once to find all paths.
const PATH_ROWS: usize = directory::limits::LEVEL_ROWS;

impl Members {
    async fn paths(&self) -> Result<Arc<Paths>, Error> {
        self.paths.get_or_init(|| async { Box::pin(self.load_paths()).await.map(Arc::new) }).await.clone()
    }

    /// One list of memberships and one read of ancestors, for all users and groups of the level.
    async fn load_paths(&self) -> Result<Paths, Error> {
        let directory: &Arc<Directory> = &self.fan.level.directory;
        let users: Vec<UserId> = self.fan.level.rows.iter().map(|row| row.id).collect();
        let within = match self.scope {
            MemberScope::Direct => MembershipPredicate::Groups(self.groups.clone()),
            MemberScope::Effective => MembershipPredicate::UnderGroups(self.groups.clone()),
        };
        let filter = Filter::And(vec![Filter::Is(MembershipPredicate::Users(users)), Filter::Is(within)]);
        let window = Window { rows: PATH_ROWS, ..Window::default() };
        let ask = Ask { among: AmongMemberships::All, filter: Some(filter), order: Order::default(), window };
        let page = directory.list_memberships(ask).await?.into_iter().next();
        let rows = page.map(|page| page.rows).unwrap_or_default();
        let (level, places) = Level::new(directory, rows.into_iter().map(|(_, row)| row));
        let members: Vec<Member<Membership>> = places.into_iter().map(|at| Member { level: level.clone(), at }).collect();
        let groups: Vec<GroupId> = members.iter().map(|member| member.row().group).collect();
        let above = match self.scope {
            MemberScope::Direct => vec![Vec::new(); groups.len()],
            MemberScope::Effective => directory.ancestors(&groups).await?,
        };
        let mut paths = Paths::new();
        for (member, above) in members.into_iter().zip(above) {
            let (group, user) = (member.row().group, member.row().user);
            for group in above.iter().map(|ancestor| ancestor.id).chain([group]) {
                paths.entry((group, user)).or_default().push(member.clone());
            }
        }
        Ok(paths)
    }
}

/// The members of a group, as far as the viewer may see them.
pub(super) struct GroupMemberConnection {
    members: Arc<Members>,
    parent: usize,
}

impl GroupMemberConnection {
    fn page(&self) -> Connection<User> {
        Connection { fan: self.members.fan.clone(), parent: self.parent }
    }
}

/// The members of a group, as far as the viewer may see them.
#[Object]
impl GroupMemberConnection {
    /// The members with their cursors, and by which memberships they are members.
    async fn edges(&self, context: &Context<'_>) -> Vec<GroupMemberEdge> {
        let group = self.members.groups.get(self.parent).copied();
        let edge = |(cursor, member)| GroupMemberEdge { cursor, node: UserNode(member), group, members: self.members.clone() };
        self.page().rows(context).into_iter().map(edge).collect()
    }

    /// The members.
    async fn nodes(&self, context: &Context<'_>) -> Vec<UserNode> {
        self.page().rows(context).into_iter().map(|(_, member)| UserNode(member)).collect()
    }

    /// Where the page stands.
    async fn page_info(&self, context: &Context<'_>) -> PageInfo {
        self.page().page_info(context).await
    }

    /// How many members the viewer may see, exactly. Null, with an error, where the policy's scope is inexact.
    async fn total_count(&self) -> Maybe<i32> {
        self.page().total_count().await
    }
}

/// A member of a group.
pub(super) struct GroupMemberEdge {
    cursor: String,
    node: UserNode,
    group: Option<GroupId>,
    members: Arc<Members>,
}

/// A member of a group.
#[Object]
impl GroupMemberEdge {
    /// The member's position, for `after` and `before`.
    async fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The member.
    async fn node(&self) -> &UserNode {
        &self.node
    }

    /// The visible memberships, in this group or below it, by which the user is a member.
    async fn memberships(&self) -> Maybe<Vec<MembershipNode>> {
        let user = self.node.0.row().id;
        let of = |paths: Arc<Paths>| {
            let found = self.group.and_then(|group| paths.get(&(group, user)));
            found.into_iter().flatten().cloned().map(MembershipNode).collect()
        };
        shown(self.members.paths().await.map(of))
    }
}

/// The whole visible tree, or a part of it, in one flat list.
#[derive(SimpleObject)]
pub(super) struct GroupTree {
    /// Every group, after its parent; siblings by id.
    nodes: Vec<GroupTreeNode>,
    /// Whether the server's limit of 100,000 groups left some out.
    truncated: bool,
}

/// A group of a tree.
#[derive(SimpleObject)]
pub(super) struct GroupTreeNode {
    /// The group.
    group: GroupNode,
    /// Its parent in the visible tree; null for one without.
    parent: Option<GroupNode>,
    /// 1 for a group without a parent in this list.
    depth: i32,
}

/// Reads a tree.
pub(super) async fn tree(directory: &Arc<Directory>, root: Option<GroupId>, max_depth: Option<i32>) -> Result<GroupTree, Error> {
    let tree = directory.group_tree(root, levels(max_depth)?).await?;
    let places: Vec<(Option<usize>, u32)> = tree.nodes.iter().map(|node| (node.parent, node.depth)).collect();
    let (level, _) = Level::new(directory, tree.nodes.into_iter().map(|node| node.group));
    let group = |at| GroupNode(Member { level: level.clone(), at });
    let node = |(at, (parent, depth)): (usize, (Option<usize>, u32))| GroupTreeNode {
        group: group(at),
        parent: parent.map(group),
        depth: i32::try_from(depth).unwrap_or(i32::MAX),
    };
    Ok(GroupTree { nodes: places.into_iter().enumerate().map(node).collect(), truncated: tree.truncated })
}

fn levels(max_depth: Option<i32>) -> Result<Option<u32>, Error> {
    let level = |depth: i32| {
        let level = u32::try_from(depth).ok().filter(|depth| *depth > 0);
        level.ok_or_else(|| Error::Invalid(format!("`maxDepth: {depth}` is less than 1; ask for at least one level")))
    };
    max_depth.map(level).transpose()
}
