//! Users.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, ID, Object, SimpleObject};
use directory::{
    Error,
    access::{Ask, EffectivePermission, Object as Subjects},
    ids::{GroupId, RoleId, UserId},
    model::{Attributes, Group, Role, User, UserText},
    query::{Order, Window},
    store::{AmongGrants, AmongGroups, AmongMemberships, AmongRoles},
};

use super::{
    connection::{Connection, GrantConnection, GroupConnection, MembershipConnection, Paging, RoleConnection, cursors},
    error::{Maybe, shown},
    filter::{GrantFilter, GroupFilter, MembershipFilter, NameOrder, RoleFilter, UserStatus, bounded},
    group::GroupNode,
    level::{Fan, Level, Member},
    permission::{ActionDecisionNode, decisions},
    role::RoleNode,
    scalar::DateTime,
};

/// A person in the workspace.
#[derive(Clone)]
pub(super) struct UserNode(pub(super) Member<User>);

impl UserNode {
    fn text(&self, which: UserText) -> Option<&str> {
        self.0.row().text(which).shown()?.as_deref()
    }

    fn ids(&self) -> Vec<UserId> {
        self.0.level.rows.iter().map(|row| row.id).collect()
    }
}

/// A person in the workspace. Fields that the policy withholds are null and named in `withheldFields`.
#[Object(name = "User")]
impl UserNode {
    /// Opaque, unique on the server, and stable.
    pub(super) async fn id(&self) -> ID {
        self.0.row().id.into_id()
    }

    /// Unique in the workspace, ignoring case.
    async fn user_name(&self) -> Option<&str> {
        self.text(UserText::UserName)
    }

    /// What people call it.
    async fn display_name(&self) -> Option<&str> {
        self.text(UserText::DisplayName)
    }

    /// Given name.
    async fn given_name(&self) -> Option<&str> {
        self.text(UserText::GivenName)
    }

    /// Family name.
    async fn family_name(&self) -> Option<&str> {
        self.text(UserText::FamilyName)
    }

    /// Primary e-mail address.
    async fn email(&self) -> Option<&str> {
        self.text(UserText::Email)
    }

    /// Telephone number, as entered.
    async fn phone(&self) -> Option<&str> {
        self.text(UserText::Phone)
    }

    /// Language tag (BCP 47).
    async fn locale(&self) -> Option<&str> {
        self.text(UserText::Locale)
    }

    /// Time zone name (IANA).
    async fn time_zone(&self) -> Option<&str> {
        self.text(UserText::TimeZone)
    }

    /// Job title.
    async fn title(&self) -> Option<&str> {
        self.text(UserText::Title)
    }

    /// Address of a picture.
    async fn avatar_url(&self) -> Option<&str> {
        self.text(UserText::AvatarUrl)
    }

    /// The workspace's own external id.
    async fn external_id(&self) -> Option<&str> {
        self.text(UserText::ExternalId)
    }

    /// Tells users of one e-mail address apart.
    async fn code(&self) -> Option<&str> {
        self.text(UserText::Code)
    }

    /// Whether it belongs to this workspace only.
    async fn exclusive(&self) -> Option<bool> {
        self.0.row().exclusive.shown().copied()
    }

    /// Where it stands.
    async fn status(&self) -> Option<UserStatus> {
        self.0.row().status.shown().copied().map(Into::into)
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

    /// The fields that the policy withheld from the viewer, so that a form knows what it was not shown.
    async fn withheld_fields(&self) -> &[String] {
        &self.0.row().withheld
    }

    /// The groups that it is a direct member of, by visible memberships.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn groups(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<GroupFilter>,
        #[graphql(desc = "The order; by id if none is given.")] order_by: Option<NameOrder>,
    ) -> Maybe<GroupConnection> {
        let paging = Paging { first, after, last, before };
        let key = format!("groups:{paging:?}:{filter:?}:{order_by:?}");
        let fan = self.0.level.shared(key, || async {
            let filter = bounded(filter.map(GroupFilter::build))?;
            let order = order_by.map(Order::from).unwrap_or_default();
            let ask = Ask { among: AmongGroups::Of(self.ids()), filter, order, window: Window::default() };
            Fan::load(self.0.directory(), paging.into_ask::<Group>(self.0.directory(), &cursors(context), ask)?).await
        });
        shown(fan.await.map(|fan| GroupConnection(Connection { fan, parent: self.0.at })))
    }

    /// Its memberships in groups, with `manager`.
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
            let among = AmongMemberships::OfUsers(self.ids());
            let ask = Ask { among, filter, order: Order::default(), window: Window::default() };
            Fan::load(self.0.directory(), paging.into_ask::<directory::model::Membership>(self.0.directory(), &cursors(context), ask)?)
                .await
        });
        shown(fan.await.map(|fan| MembershipConnection(Connection { fan, parent: self.0.at })))
    }

    /// The roles that it holds by visible grants, each once.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn roles(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<RoleFilter>,
        #[graphql(desc = "The order; by id if none is given.")] order_by: Option<NameOrder>,
    ) -> Maybe<RoleConnection> {
        let paging = Paging { first, after, last, before };
        let key = format!("roles:{paging:?}:{filter:?}:{order_by:?}");
        let fan = self.0.level.shared(key, || async {
            let filter = bounded(filter.map(RoleFilter::build))?;
            let order = order_by.map(Order::from).unwrap_or_default();
            let ask = Ask { among: AmongRoles::Of(self.ids()), filter, order, window: Window::default() };
            Fan::load(self.0.directory(), paging.into_ask::<Role>(self.0.directory(), &cursors(context), ask)?).await
        });
        shown(fan.await.map(|fan| RoleConnection(Connection { fan, parent: self.0.at })))
    }

    /// Its grants of roles, in the whole workspace or within a group.
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
            let ask = Ask { among: AmongGrants::OfUsers(self.ids()), filter, order: Order::default(), window: Window::default() };
            Fan::load(self.0.directory(), paging.into_ask::<directory::model::Grant>(self.0.directory(), &cursors(context), ask)?).await
        });
        shown(fan.await.map(|fan| GrantConnection(Connection { fan, parent: self.0.at })))
    }

    /// What it may do by the grants and roles that the viewer may see (the viewer's own: all), with what each permission comes from.
    async fn effective_permissions(&self) -> Maybe<Vec<EffectivePermissionNode>> {
        let permissions = self.0.level.shared("effectivePermissions".to_owned(), || Effective::load(&self.0.level));
        shown(permissions.await.map(|effective| {
            let of = effective.permissions.get(self.0.at).map(Vec::as_slice).unwrap_or_default();
            let node = |permission: &EffectivePermission| EffectivePermissionNode { effective: effective.clone(), of: permission.clone() };
            of.iter().map(node).collect()
        }))
    }

    /// Tells whether the grants that the viewer sees of this user are the same as before; for `replaceGrants`.
    async fn grants_version(&self) -> Maybe<String> {
        let versions = self.0.level.shared("grantsVersion".to_owned(), || async { self.0.directory().grants_versions(&self.ids()).await });
        shown(versions.await.map(|versions| versions.get(self.0.at).cloned().unwrap_or_default()))
    }

    /// Whether the viewer could do these on this user. Actions are named `kind.verb`; those of memberships and grants ask about the user's.
    async fn viewer_can(&self, #[graphql(desc = "At most 50.")] actions: Vec<String>) -> Maybe<Vec<ActionDecisionNode>> {
        let decisions = decisions(&self.0, actions, || Subjects::Users(self.ids()));
        shown(decisions.await)
    }
}

/// A custom attribute of a user or group.
#[derive(SimpleObject)]
pub(super) struct CustomAttribute {
    /// Its name, as the workspace declared it.
    name: String,
    /// Its values.
    values: Vec<String>,
}

/// Attributes for the wire.
pub(super) fn custom_attributes(attributes: &Attributes) -> Vec<CustomAttribute> {
    let attribute = |(name, values): &(String, Vec<String>)| CustomAttribute { name: name.clone(), values: values.clone() };
    attributes.iter().map(attribute).collect()
}

/// The effective permissions of a level, with the visible roles and groups that they come from.
struct Effective {
    permissions: Vec<Vec<EffectivePermission>>,
    roles: HashMap<RoleId, Member<Role>>,
    groups: HashMap<GroupId, Member<Group>>,
}

impl Effective {
    async fn load(level: &Level<User>) -> Result<Self, Error> {
        let users: Vec<UserId> = level.rows.iter().map(|row| row.id).collect();
        let permissions = level.directory.effective_permissions(&users).await?;
        let sources = || permissions.iter().flatten().flat_map(|permission| &permission.sources);
        let roles: Vec<RoleId> = sources().map(|source| source.role).collect();
        let groups: Vec<GroupId> = sources().filter_map(|source| source.within).collect();
        let roles = Level::members(&level.directory, level.directory.roles(&roles).await?);
        let groups = Level::members(&level.directory, level.directory.groups(&groups).await?);
        let roles = roles.into_iter().flatten().map(|role| (role.row().id, role)).collect();
        let groups = groups.into_iter().flatten().map(|group| (group.row().id, group)).collect();
        Ok(Self { permissions, roles, groups })
    }
}

/// A permission and what it comes from.
pub(super) struct EffectivePermissionNode {
    effective: Arc<Effective>,
    of: EffectivePermission,
}

/// A permission and what it comes from.
#[Object(name = "EffectivePermission")]
impl EffectivePermissionNode {
    /// The action that it permits, `kind.verb`.
    async fn permission(&self) -> &str {
        &self.of.permission
    }

    /// The grants that bring it.
    async fn sources(&self) -> Vec<PermissionSource> {
        let source = |source: &directory::access::PermissionSource| PermissionSource {
            role: self.effective.roles.get(&source.role).cloned().map(RoleNode),
            within: source.within.and_then(|group| self.effective.groups.get(&group).cloned()).map(GroupNode),
            limited: source.limited,
        };
        self.of.sources.iter().map(source).collect()
    }
}

/// A grant that brings a permission.
#[derive(SimpleObject)]
pub(super) struct PermissionSource {
    /// The role; null if the viewer may not see it.
    role: Option<RoleNode>,
    /// The group that the grant is limited to; null for the whole workspace, and where the viewer may not see the group.
    within: Option<GroupNode>,
    /// Whether the grant is limited to a group.
    limited: bool,
}

/// Ids on the wire.
pub(super) trait IntoId {
    /// The id as a GraphQL ID.
    fn into_id(self) -> ID;
}

impl<T: std::fmt::Display> IntoId for T {
    fn into_id(self) -> ID {
        ID(self.to_string())
    }
}
