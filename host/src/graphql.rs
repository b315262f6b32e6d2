//! The GraphQL interface: queries over what the gate shows, and mutations that it decides.
//!
//! Nodes wrap rows that are already visible, so that field resolvers only read. Whatever must be loaded is loaded for a whole level of
//! siblings (`level`). To add a field: a method on its node; to add a list: a method that calls `Fan::load` under a key of its own.

mod attribute;
mod compare;
mod connection;
mod cursor;
mod decisions;
mod error;
mod explain;
mod filter;
mod grant;
mod group;
mod inputs;
mod level;
pub mod limits;
mod membership;
mod mutation;
mod node;
pub mod order;
mod permission;
mod policies;
mod preview;
mod recycle_bin;
mod role;
mod scalar;
mod shadow;
mod token;
mod user;
mod workspace;

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, EmptySubscription, ErrorExtensions as _, ID, Object, OneofObject};
use directory::{
    Error,
    access::{Ask, Directory, Object as Subjects},
    ids::{GroupId, RoleId, UserId},
    limits::NODES_IDS,
    model::{Grant, Group, Membership, Role, Status, User, UserText},
    query::{Filter, GroupPredicate, GroupText, NameSort, Order, RolePredicate, RoleText, TextMatch, UserPredicate, UserSort, Window},
    store::{AmongGrants, AmongGroups, AmongMemberships, AmongRoles, AmongUsers},
    text::fold,
};

use attribute::{AttributeNode, UserCodeSettings};
use compare::{ComparePoliciesInput, ComparisonNode, PolicyCandidateInput};
use connection::{Connection, GrantConnection, GroupConnection, MembershipConnection, Paging, RoleConnection, UserConnection, cursors};
pub use cursor::Cursors;
use decisions::{DecisionFilterInput, DecisionPage};
use error::{Maybe, failure, maybe, shown};
use explain::{ExplanationNode, Sight, WhoCanPage};
use filter::{GrantFilter, GroupFilter, MembershipFilter, NameOrder, RoleFilter, UserFilter, UserOrder, bounded};
use group::{GroupNode, GroupTree};
use level::{Level, Listed};
use mutation::MoveGroupInput;
pub use mutation::{Mutation, Writer};
use node::{Node, parse};
use permission::ActionDecisionNode;
use policies::{PolicyHistoryPage, PolicyModuleNode, PolicyTestReport, PolicyTestsNode, PolicyVersionNode};
use preview::GroupMovePreview;
use recycle_bin::RecycleBinPage;
use role::RoleNode;
use shadow::ShadowNode;
use token::TokenNode;
use user::UserNode;
use workspace::{ViewerNode, WorkspaceNode};

/// The schema.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// What the resolvers of one request are handed.
pub struct RequestContext {
    /// The directory as the subject may see it; `None` for anonymous callers, for whom nothing is there, and for mutations, each of
    /// which opens its own.
    pub directory: Option<Arc<Directory>>,
    /// What mutations are made with.
    pub writer: Writer,
    /// Encrypts positions.
    pub cursors: Cursors,
    /// Which pages the scan cap made short.
    pub scan_capped: ScanCapped,
}

/// The paths of the connections whose page is short because the policy's scope is a superset, and the scan for visible rows reached
/// its cap. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct ScanCapped(Arc<Mutex<Vec<serde_json::Value>>>);

impl ScanCapped {
    fn note(&self, path: serde_json::Value) {
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }

    /// The paths, as errors write them.
    #[must_use]
    pub fn paths(&self) -> Vec<serde_json::Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Builds the schema. Documents are limited before it sees them, by [`limits`].
#[must_use]
pub fn schema() -> Schema {
    async_graphql::Schema::build(Query, Mutation::default(), EmptySubscription)
        .extension(inputs::Inputs)
        .register_output_type::<Node>()
        .finish()
}

/// The schema as `schema.graphql` has it.
#[must_use]
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items().include_specified_by();
    let mut text = schema().sdl_with_options(options);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The root of every query.
pub struct Query;

/// Every query is about the workspace of whoever presents the token. What the viewer may not see is absent: null, or not in the list.
#[Object]
impl Query {
    /// Who asks; null for callers without a token.
    async fn viewer(&self, context: &Context<'_>) -> Option<ViewerNode> {
        context.data::<RequestContext>().ok()?.directory.clone().map(ViewerNode)
    }

    /// The workspace.
    async fn workspace(&self, context: &Context<'_>) -> Maybe<WorkspaceNode> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        maybe(WorkspaceNode::read(&directory).await)
    }

    /// Anything by its id.
    async fn node(&self, context: &Context<'_>, #[graphql(desc = "An id that the API returned.")] id: ID) -> Maybe<Node> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        maybe(node::find(&directory, &[id]).await.map(|found| found.into_iter().flatten().next()))
    }

    /// Things by their ids, one answer an id, in order.
    async fn nodes(&self, context: &Context<'_>, #[graphql(desc = "At most 100.")] ids: Vec<ID>) -> Maybe<Vec<Option<Node>>> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        if ids.len() > NODES_IDS {
            return shown(Err(Error::TooLarge(format!("{} ids are more than {NODES_IDS}; ask in several queries", ids.len()))));
        }
        shown(node::find(&directory, &ids).await)
    }

    /// A user.
    async fn user(&self, context: &Context<'_>, #[graphql(desc = "By what to find it.")] by: UserBy) -> Maybe<UserNode> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        maybe(find_user(&directory, by).await)
    }

    /// A group.
    async fn group(&self, context: &Context<'_>, #[graphql(desc = "By what to find it.")] by: GroupBy) -> Maybe<GroupNode> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        maybe(find_group(&directory, by).await)
    }

    /// A role.
    async fn role(&self, context: &Context<'_>, #[graphql(desc = "By what to find it.")] by: RoleBy) -> Maybe<RoleNode> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        maybe(find_role(&directory, by).await)
    }

    /// The users of the workspace.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<UserFilter>,
        #[graphql(desc = "The order; by id if none is given.")] order_by: Option<UserOrder>,
    ) -> Maybe<UserConnection> {
        let ask = bounded(filter.map(UserFilter::build)).map(|filter| Ask {
            among: AmongUsers::All,
            filter,
            order: order_by.map(Order::from).unwrap_or_default(),
            window: Window::default(),
        });
        root::<User>(context, Paging { first, after, last, before }, ask).await.map(|page| page.map(UserConnection))
    }

    /// The groups of the workspace.
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
        let ask = bounded(filter.map(GroupFilter::build)).map(|filter| Ask {
            among: AmongGroups::All,
            filter,
            order: order_by.map(Order::from).unwrap_or_default(),
            window: Window::default(),
        });
        root::<Group>(context, Paging { first, after, last, before }, ask).await.map(|page| page.map(GroupConnection))
    }

    /// The roles of the workspace.
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
        let ask = bounded(filter.map(RoleFilter::build)).map(|filter| Ask {
            among: AmongRoles::All,
            filter,
            order: order_by.map(Order::from).unwrap_or_default(),
            window: Window::default(),
        });
        root::<Role>(context, Paging { first, after, last, before }, ask).await.map(|page| page.map(RoleConnection))
    }

    /// The memberships of the workspace.
    async fn memberships(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<MembershipFilter>,
    ) -> Maybe<MembershipConnection> {
        let ask = bounded(filter.map(MembershipFilter::build)).map(|filter| Ask {
            among: AmongMemberships::All,
            filter,
            order: Order::default(),
            window: Window::default(),
        });
        root::<Membership>(context, Paging { first, after, last, before }, ask).await.map(|page| page.map(MembershipConnection))
    }

    /// The grants of the workspace.
    async fn grants(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only rows that meet this.")] filter: Option<GrantFilter>,
    ) -> Maybe<GrantConnection> {
        let ask = bounded(filter.map(GrantFilter::build)).map(|filter| Ask {
            among: AmongGrants::All,
            filter,
            order: Order::default(),
            window: Window::default(),
        });
        root::<Grant>(context, Paging { first, after, last, before }, ask).await.map(|page| page.map(GrantConnection))
    }

    /// The whole visible group tree, or the part at and below a group, in one flat list.
    async fn group_tree(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The group to start from; the whole tree if none is given.")] root_id: Option<ID>,
        #[graphql(desc = "Levels of the list, the first being 1; all if none is given.")] max_depth: Option<i32>,
    ) -> Maybe<GroupTree> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        let root = match root_id.map(|id| parse::<GroupId>(&id)).transpose() {
            Ok(root) => root,
            Err(error) => return shown(Err(error)),
        };
        if let Some(root) = root {
            match directory.groups(&[root]).await {
                Ok(found) if found.iter().all(Option::is_none) => return None,
                Ok(_) => {}
                Err(error) => return shown(Err(error)),
            }
        }
        shown(group::tree(&directory, root, max_depth).await)
    }

    /// What `moveGroup` would do with the same input: who gains and who loses what, and why it would be refused.
    async fn preview_group_move(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be moved, and where to.")] input: MoveGroupInput,
    ) -> Maybe<GroupMovePreview> {
        match directory(context) {
            Ok(directory) => preview::preview(&directory, &input).await,
            Err(error) => Some(Err(error)),
        }
    }

    /// The custom attributes that the workspace declares, by name; null if the viewer may not see them.
    async fn attributes(&self, context: &Context<'_>) -> Maybe<Vec<AttributeNode>> {
        match directory(context) {
            Ok(directory) => attribute::all(&directory).await,
            Err(error) => Some(Err(error)),
        }
    }

    /// What user codes must be like; null if the viewer may not see it.
    async fn user_code_settings(&self, context: &Context<'_>) -> Maybe<UserCodeSettings> {
        match directory(context) {
            Ok(directory) => attribute::user_code_settings(&directory).await,
            Err(error) => Some(Err(error)),
        }
    }

    /// What can be restored, the latest deletion first, as far as the viewer could see it if it were still there. What was deleted with
    /// a group above it is no entry of its own.
    async fn recycle_bin(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 25 if it is left out.")] first: Option<i32>,
        #[graphql(desc = "Only entries behind this cursor.")] after: Option<String>,
    ) -> Maybe<RecycleBinPage> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        shown(recycle_bin::page(context, &directory, Paging { first, after, ..Paging::default() }).await)
    }

    /// The tokens that work, as far as the viewer may see them, newest first: at most 1,000.
    async fn tokens(&self, context: &Context<'_>) -> Maybe<Vec<TokenNode>> {
        match directory(context) {
            Ok(directory) => shown(token::all(&directory).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// Whether a user could do these on an object, for whoever may explain the policy and sees both; null if either is not there.
    async fn check_permissions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user.")] subject: ID,
        #[graphql(desc = "At most 50.")] actions: Vec<String>,
        #[graphql(desc = "The object; the workspace as a whole if none is given.")] object: Option<ID>,
    ) -> Maybe<Vec<ActionDecisionNode>> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        maybe(check_permissions(&directory, &subject, &actions, object.as_ref()).await)
    }

    /// Why a user may or may not do something to an object, with what the policy was shown, for whoever may explain the policy and sees both;
    /// null if either is not there.
    async fn explain(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user.")] user_id: ID,
        #[graphql(desc = "The action, `kind.verb`.")] action: String,
        #[graphql(desc = "The object; the workspace as a whole if none is given.")] object_id: Option<ID>,
    ) -> Maybe<ExplanationNode> {
        match directory(context) {
            Ok(directory) => maybe(Box::pin(explain::explain(&directory, &user_id, &action, object_id.as_ref())).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// The active users who may do something to an object, as far as the viewer sees them, for whoever may explain the policy: with
    /// `user.read`, who sees somebody. Null if the object is not there.
    async fn who_can(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The action, `kind.verb`.")] action: String,
        #[graphql(desc = "The object; the workspace as a whole if none is given.")] object_id: Option<ID>,
        #[graphql(desc = "At most so many, 1 to 100; 25 if it is left out.")] first: Option<i32>,
        #[graphql(desc = "Only users behind this cursor.")] after: Option<String>,
    ) -> Maybe<WhoCanPage> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        let paging = Paging { first, after, ..Paging::default() };
        maybe(Box::pin(explain::who_can(context, &directory, &action, object_id.as_ref(), paging)).await)
    }

    /// What a user sees under the active policy or another one, as far as the viewer may see it, too, for whoever may explain the policy;
    /// null if the user is not there.
    async fn visible_to(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The user.")] user_id: ID,
        #[graphql(desc = "What decides instead of the active policy.")] candidate: Option<PolicyCandidateInput>,
    ) -> Maybe<Sight> {
        match directory(context) {
            Ok(directory) => maybe(Box::pin(Sight::of(&directory, &user_id, candidate)).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// The policy modules that were uploaded, newest first, for whoever may read policies.
    async fn policy_modules(&self, context: &Context<'_>) -> Maybe<Vec<PolicyModuleNode>> {
        match directory(context) {
            Ok(directory) => shown(policies::modules(&directory).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// What was active, the active version first, for whoever may read policies: at most 100.
    async fn policy_versions(&self, context: &Context<'_>) -> Maybe<Vec<PolicyVersionNode>> {
        match directory(context) {
            Ok(directory) => shown(policies::versions(&directory).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// What was done with the workspace's policy, the latest first, for whoever may read policies: by whom, when, why and from where.
    async fn policy_history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 25 if it is left out.")] first: Option<i32>,
        #[graphql(desc = "Only steps behind this cursor.")] after: Option<String>,
    ) -> Maybe<PolicyHistoryPage> {
        match directory(context) {
            Ok(directory) => shown(policies::history(context, &directory, Paging { first, after, ..Paging::default() }).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// The candidate that answers beside the active policy, or did so last, and what came of it, for whoever may explain the policy; null if
    /// there never was one.
    async fn policy_shadow(&self, context: &Context<'_>) -> Maybe<ShadowNode> {
        match directory(context) {
            Ok(directory) => maybe(shadow::last(&directory).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// The policy tests that the workspace keeps, for whoever may read policies.
    async fn policy_tests(&self, context: &Context<'_>) -> Maybe<PolicyTestsNode> {
        match directory(context) {
            Ok(directory) => shown(policies::tests(&directory).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// What comes of the workspace's policy tests under a policy, for whoever may read policies; null if it keeps none.
    async fn policy_test_report(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The policy to be tried.")] candidate: PolicyCandidateInput,
    ) -> Maybe<PolicyTestReport> {
        match directory(context) {
            Ok(directory) => maybe(Box::pin(policies::run_tests(&directory, &candidate)).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// What the policy decided, the latest first, for whoever may explain it. Changes are recorded one and all, reads as a sample.
    async fn decisions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many, 1 to 100; 25 if it is left out.")] first: Option<i32>,
        #[graphql(desc = "Only entries behind this cursor.")] after: Option<String>,
        #[graphql(desc = "Only entries that meet this.")] filter: Option<DecisionFilterInput>,
    ) -> Maybe<DecisionPage> {
        match directory(context) {
            Ok(directory) => shown(decisions::page(context, &directory, Paging { first, after, ..Paging::default() }, filter).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// What would change under another policy, for whoever may explain the policy: who gains and who loses sight of what, and which actions
    /// open and close. A comparison goes in pieces: ask for the next one with the same input and the last `endCursor`. Null if somebody or
    /// something named is not there.
    async fn compare_policies(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is compared with what.")] input: ComparePoliciesInput,
        #[graphql(desc = "Where the piece begins; at the beginning if none is given.")] after: Option<String>,
    ) -> Maybe<ComparisonNode> {
        let directory = match directory(context) {
            Ok(directory) => directory,
            Err(error) => return Some(Err(error)),
        };
        maybe(Box::pin(compare::compare(context, &directory, &input, after.as_deref())).await)
    }
}

/// By what to find a user. Fields that the viewer may not search are refused.
#[derive(OneofObject)]
enum UserBy {
    /// Its id.
    Id(ID),
    /// Its e-mail address, ignoring case. Among several users of one address, the one without a code.
    Email(String),
    /// Its user name, ignoring case.
    UserName(String),
    /// Its external id.
    ExternalId(String),
}

/// By what to find a group.
#[derive(OneofObject)]
enum GroupBy {
    /// Its id.
    Id(ID),
    /// Its key, ignoring case.
    Key(String),
}

/// By what to find a role.
#[derive(OneofObject)]
enum RoleBy {
    /// Its id.
    Id(ID),
    /// Its key, ignoring case.
    Key(String),
}

/// The directory of the request, or why there is none.
fn directory(context: &Context<'_>) -> async_graphql::Result<Arc<Directory>> {
    context.data::<RequestContext>()?.directory.clone().ok_or_else(|| {
        async_graphql::Error::new("this needs a token; send it as `Authorization: Bearer TOKEN`")
            .extend_with(|_, extensions| extensions.set("code", "UNAUTHENTICATED"))
    })
}

/// A list of the whole workspace.
async fn root<T: Listed>(context: &Context<'_>, paging: Paging, ask: Result<T::Ask, Error>) -> Maybe<Connection<T>> {
    let directory = match directory(context) {
        Ok(directory) => directory,
        Err(error) => return Some(Err(error)),
    };
    let ask = ask.and_then(|ask| paging.into_ask::<T>(&directory, &cursors(context), ask));
    let page = match ask {
        Ok(ask) => Box::pin(Connection::root(&directory, ask)).await,
        Err(error) => Err(error),
    };
    Some(page.map_err(|error| failure(&error)))
}

/// Users of one name that a lookup looks at: one, and those in the recycle bin.
const SAME_NAME: usize = 25;

async fn find_user(directory: &Arc<Directory>, by: UserBy) -> Result<Option<UserNode>, Error> {
    let (text, value) = match by {
        UserBy::Id(id) => {
            let rows = directory.users(&[parse::<UserId>(&id)?]).await?;
            return Ok(Level::members(directory, rows).into_iter().flatten().next().map(UserNode));
        }
        UserBy::Email(value) => (UserText::Email, value),
        UserBy::UserName(value) => (UserText::UserName, value),
        UserBy::ExternalId(value) => (UserText::ExternalId, value),
    };
    let mut conditions = vec![Filter::Is(UserPredicate::Text(text, TextMatch::In(vec![fold(&value)])))];
    if text == UserText::Email {
        let code = UserPredicate::Text(UserText::Code, TextMatch::Present);
        conditions.push(Filter::Not(Box::new(Filter::Is(code))));
    }
    let order = Order { by: UserSort::Id, ..Order::default() };
    let window = Window { rows: SAME_NAME, ..Window::default() };
    let ask = Ask { among: AmongUsers::All, filter: Some(Filter::And(conditions)), order, window };
    let page = directory.list_users(ask).await?.into_iter().next();
    let mut rows: Vec<_> = page.map(|page| page.rows).unwrap_or_default().into_iter().map(|(_, row)| row).collect();
    // The names of whoever is in the recycle bin are free: somebody else may have them by now.
    rows.sort_by_key(|row| row.status.shown() == Some(&Status::Deleted));
    let row = rows.into_iter().next();
    Ok(Level::members(directory, vec![row]).into_iter().flatten().next().map(UserNode))
}

async fn find_group(directory: &Arc<Directory>, by: GroupBy) -> Result<Option<GroupNode>, Error> {
    let rows = match by {
        GroupBy::Id(id) => directory.groups(&[parse::<GroupId>(&id)?]).await?,
        GroupBy::Key(key) => {
            let filter = Filter::Is(GroupPredicate::Text(GroupText::Key, TextMatch::In(vec![fold(&key)])));
            let window = Window { rows: 1, ..Window::default() };
            let order = Order { by: NameSort::Id, ..Order::default() };
            let page =
                directory.list_groups(Ask { among: AmongGroups::All, filter: Some(filter), order, window }).await?.into_iter().next();
            vec![page.and_then(|page| page.rows.into_iter().next()).map(|(_, row)| row)]
        }
    };
    Ok(Level::members(directory, rows).into_iter().flatten().next().map(GroupNode))
}

async fn find_role(directory: &Arc<Directory>, by: RoleBy) -> Result<Option<RoleNode>, Error> {
    let rows = match by {
        RoleBy::Id(id) => directory.roles(&[parse::<RoleId>(&id)?]).await?,
        RoleBy::Key(key) => {
            let filter = Filter::Is(RolePredicate::Text(RoleText::Key, TextMatch::In(vec![fold(&key)])));
            let window = Window { rows: 1, ..Window::default() };
            let order = Order { by: NameSort::Id, ..Order::default() };
            let page = directory.list_roles(Ask { among: AmongRoles::All, filter: Some(filter), order, window }).await?.into_iter().next();
            vec![page.and_then(|page| page.rows.into_iter().next()).map(|(_, row)| row)]
        }
    };
    Ok(Level::members(directory, rows).into_iter().flatten().next().map(RoleNode))
}

async fn check_permissions(
    directory: &Arc<Directory>,
    subject: &ID,
    actions: &[String],
    object: Option<&ID>,
) -> Result<Option<Vec<ActionDecisionNode>>, Error> {
    let subject = match directory.seen_by(parse::<UserId>(subject)?).await {
        Err(Error::NotFound(_)) => return Ok(None),
        seen => seen?,
    };
    let object = match object {
        None => Subjects::Workspace,
        Some(id) => {
            if node::find(directory, std::slice::from_ref(id)).await?.iter().all(Option::is_none) {
                return Ok(None);
            }
            explain::subject_of(Some(id))?
        }
    };
    let decided = subject.could(actions, &object).await?;
    Ok(Some(decided.iter().map(Into::into).collect()))
}
