//! The decision log.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, SimpleObject};
use directory::{
    Error,
    access::{Actor, Directory},
    decisions::{DecisionEntry, DecisionFilter, DecisionOrder, Outcome, Purpose},
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
    query::Keyset,
    register::Kind,
};
use uuid::Uuid;

use super::{
    connection::{Paging, cursors},
    level::Level,
    node::AnyId,
    scalar::DateTime,
    user::{IntoId as _, UserNode},
};

/// The name of the list in its cursors.
const LIST: &str = "decisions";

/// Why a policy was asked.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Purpose")]
pub(super) enum DecisionPurpose {
    /// Something was to be shown.
    Read,
    /// Somebody wanted to know what would be allowed.
    Ask,
    /// Something was to be changed.
    Write,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Outcome")]
pub(super) enum DecisionOutcome {
    /// The policy allowed it.
    Allowed,
    /// The policy denied it, or nobody decides it.
    Denied,
    /// The policy gave no answer that counts, which denies.
    Failed,
    /// Decisions that could not be recorded, as many as `weight` says.
    Missing,
}

/// Which entries are wanted: those that meet every condition.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct DecisionFilterInput {
    /// Who asked: a user or a service.
    subject_id: Option<ID>,
    /// What it was about.
    object_id: Option<ID>,
    /// `kind.verb`.
    action: Option<String>,
    /// What became of it.
    outcome: Option<DecisionOutcome>,
    /// Why the policy was asked.
    purpose: Option<DecisionPurpose>,
    /// Not before.
    since: Option<DateTime>,
    /// Before.
    until: Option<DateTime>,
}

impl DecisionFilterInput {
    fn build(self) -> Result<DecisionFilter, Error> {
        Ok(DecisionFilter {
            actor: self.subject_id.as_ref().map(raw).transpose()?,
            object: self.object_id.as_ref().map(raw).transpose()?,
            action: self.action,
            outcome: self.outcome.map(Into::into),
            purpose: self.purpose.map(Into::into),
            since: self.since.map(|at| at.0),
            until: self.until.map(|at| at.0),
        })
    }
}

/// An id without its type. Services are named by their tokens.
fn raw(id: &ID) -> Result<Uuid, Error> {
    if let Ok(token) = id.parse::<directory::ids::TokenId>() {
        return Ok(token.0);
    }
    Ok(match AnyId::parse(id)? {
        AnyId::User(id) => id.0,
        AnyId::Group(id) => id.0,
        AnyId::Role(id) => id.0,
        AnyId::Membership(id) => id.0,
        AnyId::Grant(id) => id.0,
        AnyId::Workspace(id) => id.0,
    })
}

/// An answer of the policy about one or more rows.
#[derive(SimpleObject)]
#[graphql(name = "Decision")]
pub(super) struct DecisionNode {
    /// Counts the workspace's entries from 1, without gaps.
    number: i64,
    /// When.
    at: DateTime,
    /// The user who asked; null for services, and where the viewer may not see the user.
    user: Option<UserNode>,
    /// The service that asked, by the id of its token; null for users.
    service_id: Option<ID>,
    /// How the subject came in: `graphql`, `http`.
    via: String,
    /// Why the policy was asked.
    purpose: DecisionPurpose,
    /// `kind.verb`; empty for what is missing.
    action: String,
    /// What it was about, as far as the viewer may see it.
    object_ids: Vec<ID>,
    /// How many rows the answer is about, those that the viewer may not see included.
    rows: i64,
    /// What became of it.
    outcome: DecisionOutcome,
    /// Fields that were withheld; of a denied change, those that were to be set and must not be.
    withheld_fields: Vec<String>,
    /// The fields that a change sets.
    fields: Vec<String>,
    /// The policy's own words, or how it failed; empty where the viewer may not see all that it is about.
    reason: String,
    /// The policy version that decided.
    policy_version_id: Option<ID>,
    /// SHA-256 of the module that answered, hexadecimal; null where none did.
    digest: Option<String>,
    /// SHA-256 of what the module was shown, the clock excepted; as in `explain`.
    facts_digest: Option<String>,
    /// Units of work of the call, of which this may be one of several answers.
    fuel: i64,
    /// How many rows like these the entry stands for: 1 where every one is recorded.
    weight: i64,
}

/// A page of the decision log, the latest first.
#[derive(SimpleObject)]
pub(super) struct DecisionPage {
    /// The entries.
    nodes: Vec<DecisionNode>,
    /// Whether more follow.
    has_next_page: bool,
    /// Where the next page begins, for `after`.
    end_cursor: Option<String>,
    /// The number of the oldest entry that is kept; older ones made room. Null while there is none.
    first_number: Option<i64>,
    /// The number of the newest entry. Null while there is none.
    last_number: Option<i64>,
}

/// A page of the decision log.
pub(super) async fn page(
    context: &Context<'_>,
    directory: &Arc<Directory>,
    paging: Paging,
    filter: Option<DecisionFilterInput>,
) -> Result<DecisionPage, Error> {
    let (rows, cursors, workspace) = (paging.forward()?, cursors(context), directory.subject().workspace);
    let after = paging.after.as_deref().map(|cursor| cursors.open(workspace, LIST, cursor)).transpose()?;
    let before = after.map(|keyset| keyset.key.parse::<u64>()).transpose();
    let before = before.map_err(|_| Error::Invalid("this is no cursor of the decision log; start without one".to_owned()))?;
    let filter = filter.unwrap_or_default().build()?;
    let (mut entries, span) = directory.decisions(&filter, DecisionOrder::NewestBefore(before), rows + 1).await?;
    let has_next_page = entries.len() > rows;
    entries.truncate(rows);
    let people: Vec<UserId> = entries.iter().filter_map(|entry| user_of(entry)).collect();
    let members = Level::members(directory, directory.users(&people).await?);
    let people: HashMap<UserId, UserNode> =
        people.into_iter().zip(members).filter_map(|(id, member)| Some((id, UserNode(member?)))).collect();
    let end = entries.last().map(|entry| Keyset { key: entry.number.to_string(), id: Uuid::nil() });
    let number = |number: u64| i64::try_from(number).ok().filter(|number| *number > 0);
    Ok(DecisionPage {
        nodes: entries.iter().map(|entry| node(entry, user_of(entry).and_then(|user| people.get(&user).cloned()))).collect(),
        has_next_page,
        end_cursor: end.as_ref().map(|keyset| cursors.seal(workspace, LIST, keyset)),
        first_number: number(span.first),
        last_number: number(span.last),
    })
}

fn user_of(entry: &DecisionEntry) -> Option<UserId> {
    match entry.record.actor {
        Some(Actor::User(user)) => Some(user),
        _ => None,
    }
}

fn node(DecisionEntry { number, record }: &DecisionEntry, user: Option<UserNode>) -> DecisionNode {
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    DecisionNode {
        number: count(*number),
        at: DateTime(record.at),
        user,
        service_id: match &record.actor {
            Some(Actor::Service(token)) => Some(token.into_id()),
            _ => None,
        },
        via: record.via.clone(),
        purpose: record.purpose.into(),
        action: record.action.clone(),
        object_ids: record.objects.iter().filter_map(|id| object_id(record.kind, *id)).collect(),
        rows: count(record.rows),
        outcome: record.outcome.into(),
        withheld_fields: record.withheld.clone(),
        fields: record.fields.clone(),
        reason: record.reason.clone(),
        policy_version_id: record.version.map(|version| version.into_id()),
        digest: record.digest.map(|digest| digest.to_string()),
        facts_digest: record.facts.map(|digest| digest.to_string()),
        fuel: count(record.fuel),
        weight: count(record.weight),
    }
}

/// The id of a row of a kind, with its type.
fn object_id(kind: Kind, id: Uuid) -> Option<ID> {
    Some(match kind {
        Kind::User => UserId(id).into_id(),
        Kind::Group => GroupId(id).into_id(),
        Kind::Role => RoleId(id).into_id(),
        Kind::Membership => MembershipId(id).into_id(),
        Kind::Grant => GrantId(id).into_id(),
        _ => return None,
    })
}
