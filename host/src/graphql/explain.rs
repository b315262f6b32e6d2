//! Why somebody may or may not, who could, and what somebody else sees.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, SimpleObject};
use directory::{
    Error,
    access::{Ask, Candidate, Directory, ExplainedCall, Explanation, Object as Subjects, WhoCan},
    ids::UserId,
    model::{Group, Role, User},
    query::{Order, Window},
    store::{AmongGroups, AmongRoles, AmongUsers},
};

use super::{
    compare::PolicyCandidateInput,
    connection::{Connection, GroupConnection, Paging, RoleConnection, UserConnection, cursors},
    error::{Maybe, maybe, shown},
    level::Level,
    node::{AnyId, parse},
    user::{IntoId as _, UserNode},
};

/// The policy's answer to one question, and what stands behind it.
#[derive(SimpleObject)]
#[graphql(name = "Explanation")]
pub(super) struct ExplanationNode {
    /// The action, `kind.verb`.
    action: String,
    /// Whether the policy allows it.
    allowed: bool,
    /// The policy's reason, in its own words; empty if it gave none.
    reason: String,
    /// Fields that are withheld although the action is allowed; of changes, those that may not be set.
    hidden_fields: Vec<String>,
    /// Why the policy gave no answer that counts, so that the action is denied; null if it did.
    failure: Option<String>,
    /// The policy version that was asked.
    policy_version_id: ID,
    /// The calls that led to the answer, in order; empty where no policy decides the action.
    calls: Vec<ExplainedCallNode>,
}

/// One call of a policy module.
#[derive(SimpleObject)]
#[graphql(name = "ExplainedCall")]
struct ExplainedCallNode {
    /// Name and version of the module.
    module: String,
    /// SHA-256 of the module, hexadecimal.
    digest: String,
    /// SHA-256 of what it was shown, the clock excepted, as in the decision log; null where the viewer may not see all of that.
    facts_digest: Option<String>,
    /// Units of work that the call used.
    fuel: Option<i64>,
    /// What it was shown about the subject and the object.
    facts: Vec<PolicyFact>,
}

/// Something that a policy was shown.
#[derive(SimpleObject)]
struct PolicyFact {
    /// `subject.NAME`, or `KIND.COLUMN` as the register has it.
    name: String,
    /// Its values; none where there are none. Groups and roles are named by their keys.
    values: Vec<String>,
    /// Whether some or all of the values are left out because the viewer may not see them.
    withheld: bool,
}

impl From<&Explanation> for ExplanationNode {
    fn from(explanation: &Explanation) -> Self {
        Self {
            action: explanation.action.clone(),
            allowed: explanation.allowed,
            reason: explanation.reason.clone(),
            hidden_fields: explanation.hidden.clone(),
            failure: explanation.failure.as_ref().map(ToString::to_string),
            policy_version_id: explanation.version.into_id(),
            calls: explanation.calls.iter().map(Into::into).collect(),
        }
    }
}

impl From<&ExplainedCall> for ExplainedCallNode {
    fn from(call: &ExplainedCall) -> Self {
        let fact = |fact: &directory::access::ShownFact| PolicyFact {
            name: fact.name.clone(),
            values: fact.values.clone(),
            withheld: fact.withheld,
        };
        Self {
            module: call.module.clone(),
            digest: call.digest.to_string(),
            facts_digest: call.facts_digest.map(|digest| digest.to_string()),
            fuel: call.fuel.map(|fuel| i64::try_from(fuel).unwrap_or(i64::MAX)),
            facts: call.facts.iter().map(fact).collect(),
        }
    }
}

/// Explains one answer; `None` where the user or the object is not there.
pub(super) async fn explain(directory: &Directory, user: &ID, action: &str, object: Option<&ID>) -> Result<Option<ExplanationNode>, Error> {
    let explanation = directory.explain(parse::<UserId>(user)?, action, &subject_of(object)?).await?;
    Ok(explanation.as_ref().map(Into::into))
}

/// What a question is about.
pub(super) fn subject_of(object: Option<&ID>) -> Result<Subjects, Error> {
    let Some(id) = object else { return Ok(Subjects::Workspace) };
    Ok(match AnyId::parse(id)? {
        AnyId::User(id) => Subjects::Users(vec![id]),
        AnyId::Group(id) => Subjects::Groups(vec![id]),
        AnyId::Role(id) => Subjects::Roles(vec![id]),
        AnyId::Membership(id) => Subjects::Memberships(vec![id]),
        AnyId::Grant(id) => Subjects::Grants(vec![id]),
        AnyId::Workspace(_) => Subjects::Workspace,
    })
}

/// Somebody who may do something.
#[derive(SimpleObject)]
pub(super) struct WhoCanEntry {
    /// Who.
    user: UserNode,
    /// The policy's reason, in its own words; empty if it gave none.
    reason: String,
    /// Fields that are withheld from them; of changes, those that they may not set.
    hidden_fields: Vec<String>,
}

/// A page of those who may do something, in the order of their ids.
#[derive(SimpleObject)]
pub(super) struct WhoCanPage {
    /// They. There may be few, or none, although more follow: go on with `endCursor`.
    nodes: Vec<WhoCanEntry>,
    /// Whether more may follow.
    has_next_page: bool,
    /// Where the next page begins, for `after`.
    end_cursor: Option<String>,
    /// Users of this page for whom the policy gave no answer that counts, so that they may not.
    failed: i32,
}

/// A page of those who may do something to an object; `None` where that is not there.
pub(super) async fn who_can(
    context: &Context<'_>,
    directory: &Arc<Directory>,
    action: &str,
    object: Option<&ID>,
    paging: Paging,
) -> Result<Option<WhoCanPage>, Error> {
    let (rows, cursors, workspace) = (paging.forward()?, cursors(context), directory.subject().workspace);
    // A cursor is of use for the same question only.
    let list = format!("who-can:{action}:{}", object.map_or("", |id| id.as_str()));
    let after = paging.after.as_deref().map(|cursor| cursors.open(workspace, &list, cursor)).transpose()?;
    let Some(page) = directory.who_can(action, &subject_of(object)?, after, rows).await? else { return Ok(None) };
    let found: Vec<_> = page.rows.iter().map(|who| Some(who.user.clone())).collect();
    let members = Level::members(directory, found).into_iter().flatten();
    let entry =
        |(member, who): (_, &WhoCan)| WhoCanEntry { user: UserNode(member), reason: who.reason.clone(), hidden_fields: who.hidden.clone() };
    Ok(Some(WhoCanPage {
        nodes: members.zip(&page.rows).map(entry).collect(),
        has_next_page: page.more,
        end_cursor: page.end.as_ref().map(|keyset| cursors.seal(workspace, &list, keyset)),
        failed: i32::try_from(page.failed).unwrap_or(i32::MAX),
    }))
}

/// What somebody else sees, as far as the viewer may see it, too. Lists are counted exactly where the viewer sees all of their kind.
pub(super) struct Sight(Arc<Directory>);

impl Sight {
    /// The sight of a user under the active or another policy; `None` where the viewer does not see the user.
    pub(super) async fn of(directory: &Arc<Directory>, user: &ID, candidate: Option<PolicyCandidateInput>) -> Result<Option<Self>, Error> {
        let candidate = candidate.map_or(Ok(Candidate::ACTIVE), |candidate| candidate.candidate())?;
        match directory.view_as(parse::<UserId>(user)?, &candidate).await {
            Err(Error::NotFound(_)) if candidate.is_active() => Ok(None),
            seen => Ok(Some(Self(Arc::new(seen?)))),
        }
    }
}

/// What somebody else sees, as far as the viewer may see it, too. Lists are counted exactly where the viewer sees all of their kind.
#[Object(name = "VisibleTo")]
impl Sight {
    /// Whose sight it is, as they see themself.
    async fn user(&self) -> Maybe<UserNode> {
        let user = self.0.subject().user()?;
        let found = self.0.users(&[user]).await;
        maybe(found.map(|rows| Level::members(&self.0, rows).into_iter().flatten().next().map(UserNode)))
    }

    /// The users whom they see, by id.
    async fn users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Maybe<UserConnection> {
        let ask = Ask { among: AmongUsers::All, filter: None, order: Order::default(), window: Window::default() };
        shown(self.page::<User>(context, Paging { first, after, last, before }, ask).await.map(UserConnection))
    }

    /// The groups that they see, by id.
    async fn groups(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Maybe<GroupConnection> {
        let ask = Ask { among: AmongGroups::All, filter: None, order: Order::default(), window: Window::default() };
        shown(self.page::<Group>(context, Paging { first, after, last, before }, ask).await.map(GroupConnection))
    }

    /// The roles that they see, by id.
    async fn roles(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "At most so many from the front, 1 to 100; 25 if neither `first` nor `last` is given.")] first: Option<i32>,
        #[graphql(desc = "Only rows behind this cursor.")] after: Option<String>,
        #[graphql(desc = "At most so many from the back, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> Maybe<RoleConnection> {
        let ask = Ask { among: AmongRoles::All, filter: None, order: Order::default(), window: Window::default() };
        shown(self.page::<Role>(context, Paging { first, after, last, before }, ask).await.map(RoleConnection))
    }
}

impl Sight {
    async fn page<T: super::level::Listed>(&self, context: &Context<'_>, paging: Paging, ask: T::Ask) -> Result<Connection<T>, Error> {
        let ask = paging.into_ask::<T>(&self.0, &cursors(context), ask)?;
        Box::pin(Connection::root(&self.0, ask)).await
    }
}
