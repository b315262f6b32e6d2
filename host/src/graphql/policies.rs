//! Policy modules, what was active, and the history.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, SimpleObject};
use directory::{
    Error,
    access::Directory,
    ids::UserId,
    limits::HISTORY_PAGE,
    model::{Author, PolicyGate, PolicyModule, PolicyStatus, PolicyVersion, Step, StepNumber, ToldReason, ToldStep},
    query::Keyset,
};
use uuid::Uuid;

use super::{
    connection::{Paging, cursors},
    level::Level,
    scalar::DateTime,
    user::{IntoId as _, UserNode},
};

/// The name of the history in its cursors.
const HISTORY: &str = "policy-history";

/// Whether a module may be activated.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "PolicyStatus")]
pub(super) enum PolicyModuleStatus {
    /// It may.
    Validated,
    /// It may not, for the reasons given.
    Rejected,
}

/// A policy module as it was uploaded; immutable.
#[derive(Clone, SimpleObject)]
#[graphql(name = "PolicyModule")]
pub(super) struct PolicyModuleNode {
    /// The module's id.
    id: ID,
    /// SHA-256 of its bytes, hexadecimal.
    digest: String,
    /// What it calls itself; empty if it never said.
    name: String,
    /// Its own version; likewise.
    version: String,
    /// Whether it may be activated.
    status: PolicyModuleStatus,
    /// Every reason why not, each with what to change; empty for a validated one.
    reasons: Vec<String>,
    /// How many bytes it has.
    size: i64,
    /// Who uploaded it; null for the operator and services, and where the viewer may not see the user.
    uploaded_by: Option<UserNode>,
    /// When it was uploaded.
    uploaded_at: DateTime,
    /// The note of whoever uploaded it.
    note: Option<String>,
}

/// Module, settings and the `standard` behind it, as they were activated together; immutable.
#[derive(Clone, SimpleObject)]
#[graphql(name = "PolicyVersion")]
pub(super) struct PolicyVersionNode {
    /// The version's id, for `expectedVersionId` and `rollBackPolicy`.
    id: ID,
    /// Counts the workspace's activations; the greatest is active.
    number: i64,
    /// The module; null where `standard` decides alone.
    policy_id: Option<ID>,
    /// SHA-256 of the module that decides first, hexadecimal.
    digest: String,
    /// The module's settings; empty for its defaults, and where they are withheld.
    settings: String,
    /// SHA-256 of the `standard` that decides what the module leaves to it, hexadecimal.
    standard_digest: String,
    /// The settings of `standard`; empty for its defaults, and where they are withheld.
    standard_settings: String,
    /// Who activated it; null for the operator, the server and services, and where the viewer may not see the user.
    activated_by: Option<UserNode>,
    /// When it was activated.
    activated_at: DateTime,
    /// The earlier version that it repeats, for a roll back.
    repeats_id: Option<ID>,
    /// The note of whoever activated it.
    note: Option<String>,
}

/// One step of the life of a module, or of what decides. The list only grows.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Step")]
pub(super) enum PolicyStepKind {
    /// Bytes came in.
    Uploaded,
    /// They are a module that may be activated.
    Validated,
    /// They are not, for the reasons given.
    Rejected,
    /// The workspace's tests ran.
    Tested,
    /// It was compared with what is active.
    Compared,
    /// It began to answer beside what is active.
    ShadowStarted,
    /// It ended to.
    ShadowStopped,
    /// A gate refused to activate it.
    ActivationRefused,
    /// It decides.
    Activated,
    /// It decides under other settings.
    SettingsChanged,
    /// An earlier version decides again.
    RolledBack,
    /// The server went back to the version before, because the active one failed.
    RolledBackAutomatically,
    /// The operator activated it, past the gates.
    ActivationForced,
    /// The operator went back to an earlier version, past the gates.
    RollBackForced,
}

/// What looks at a version before it is activated. The list only grows.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "PolicyGate", name = "PolicyGate")]
pub(super) enum PolicyGateName {
    /// Module and `standard` accept their settings.
    Settings,
    /// Whoever could undo the activation still can.
    LockOut,
    /// What lists admit and what is decided of single rows agree.
    Agreement,
}

/// Why a step was taken, or refused.
#[derive(Clone, SimpleObject)]
pub(super) struct PolicyReason {
    /// The gate that refused; null where none did.
    gate: Option<PolicyGateName>,
    /// For people.
    message: String,
}

/// Who took a step.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum PolicyStepAuthor {
    /// A user of the workspace.
    User,
    /// A service of the workspace.
    Service,
    /// The operator of the server, or the server itself.
    Operator,
}

/// A step of the history of a workspace's policy.
#[derive(Clone, SimpleObject)]
#[graphql(name = "PolicyStep")]
pub(super) struct PolicyStepNode {
    /// Counts the steps, from 1.
    number: i64,
    /// What was done.
    kind: PolicyStepKind,
    /// When.
    at: DateTime,
    /// By whom; null where the viewer may not know.
    author: Option<PolicyStepAuthor>,
    /// The user, if it was one that the viewer may see.
    user: Option<UserNode>,
    /// The service, by the id of its token.
    service_id: Option<ID>,
    /// How they came in: `graphql`, `http`; for the operator `command-line`, `token`, `server`.
    via: String,
    /// From which address, as the server saw it; behind a proxy, the proxy's. Null where the viewer may not know.
    peer: Option<String>,
    /// The module.
    policy_id: Option<ID>,
    /// SHA-256 of the module, hexadecimal.
    digest: Option<String>,
    /// The version that was made active by it.
    policy_version_id: Option<ID>,
    /// In the words of whoever did it.
    note: Option<String>,
    /// Why.
    reasons: Vec<PolicyReason>,
}

/// A page of the history, the latest step first.
#[derive(SimpleObject)]
pub(super) struct PolicyHistoryPage {
    /// The steps.
    nodes: Vec<PolicyStepNode>,
    /// Whether earlier ones follow.
    has_next_page: bool,
    /// Where the next page begins, for `after`.
    end_cursor: Option<String>,
}

impl From<&ToldReason> for PolicyReason {
    fn from(reason: &ToldReason) -> Self {
        Self { gate: reason.gate.map(Into::into), message: reason.text.clone() }
    }
}

/// The modules, newest first.
pub(super) async fn modules(directory: &Arc<Directory>) -> Result<Vec<PolicyModuleNode>, Error> {
    let rows = directory.policy_modules().await?;
    let people = people(directory, rows.iter().filter_map(|row| row.uploaded_by)).await?;
    Ok(rows.iter().map(|row| module(row, row.uploaded_by.and_then(|user| people.get(&user).cloned()))).collect())
}

fn module(row: &PolicyModule, uploaded_by: Option<UserNode>) -> PolicyModuleNode {
    PolicyModuleNode {
        id: row.id.into_id(),
        digest: row.digest.to_string(),
        name: row.name.clone(),
        version: row.version.clone(),
        status: row.status.into(),
        reasons: row.reasons.clone(),
        size: i64::try_from(row.size).unwrap_or(i64::MAX),
        uploaded_by,
        uploaded_at: DateTime(row.uploaded_at),
        note: row.note.clone(),
    }
}

/// What was active, the active version first.
pub(super) async fn versions(directory: &Arc<Directory>) -> Result<Vec<PolicyVersionNode>, Error> {
    let rows = directory.policy_versions().await?;
    let people = people(directory, rows.iter().filter_map(|row| row.activated_by)).await?;
    Ok(rows.iter().map(|row| version(row, row.activated_by.and_then(|user| people.get(&user).cloned()))).collect())
}

fn version(row: &PolicyVersion, activated_by: Option<UserNode>) -> PolicyVersionNode {
    PolicyVersionNode {
        id: row.id.into_id(),
        number: row.number,
        policy_id: row.module.map(|module| module.into_id()),
        digest: row.digest.unwrap_or(row.standard).to_string(),
        settings: row.settings.clone(),
        standard_digest: row.standard.to_string(),
        standard_settings: row.standard_settings.clone(),
        activated_by,
        activated_at: DateTime(row.activated_at),
        repeats_id: row.repeats.map(|version| version.into_id()),
        note: row.note.clone(),
    }
}

/// A page of the history.
pub(super) async fn history(context: &Context<'_>, directory: &Arc<Directory>, paging: Paging) -> Result<PolicyHistoryPage, Error> {
    let (rows, cursors, workspace) = (paging.forward()?.min(HISTORY_PAGE), cursors(context), directory.subject().workspace);
    let after = paging.after.as_deref().map(|cursor| cursors.open(workspace, HISTORY, cursor)).transpose()?;
    let after = after.map(|keyset| keyset.key.parse().map(StepNumber)).transpose();
    let after = after.map_err(|_| Error::Invalid("this is no cursor of the history; start without one".to_owned()))?;
    let page = directory.policy_history(after, rows).await?;
    let people = people(directory, page.steps.iter().filter_map(|step| user_of(step))).await?;
    let end = page.steps.last().map(|step| Keyset { key: step.number.0.to_string(), id: Uuid::nil() });
    Ok(PolicyHistoryPage {
        nodes: page.steps.iter().map(|told| step(told, user_of(told).and_then(|user| people.get(&user).cloned()))).collect(),
        has_next_page: page.more,
        end_cursor: end.as_ref().map(|keyset| cursors.seal(workspace, HISTORY, keyset)),
    })
}

fn user_of(step: &ToldStep) -> Option<UserId> {
    match step.by.shown() {
        Some(Author::User(user)) => Some(*user),
        _ => None,
    }
}

fn step(told: &ToldStep, user: Option<UserNode>) -> PolicyStepNode {
    let author = told.by.shown().map(|author| match author {
        Author::User(_) => PolicyStepAuthor::User,
        Author::Service(_) => PolicyStepAuthor::Service,
        Author::Operator => PolicyStepAuthor::Operator,
    });
    PolicyStepNode {
        number: told.number.0,
        kind: told.step.into(),
        at: DateTime(told.at),
        author,
        user,
        service_id: match told.by.shown() {
            Some(Author::Service(token)) => Some(token.into_id()),
            _ => None,
        },
        via: told.via.clone(),
        peer: told.peer.shown().copied().flatten().map(|peer| peer.to_string()),
        policy_id: told.module.map(|module| module.into_id()),
        digest: told.digest.map(|digest| digest.to_string()),
        policy_version_id: told.version.map(|version| version.into_id()),
        note: told.note.shown().cloned().flatten(),
        reasons: told.reasons.iter().map(Into::into).collect(),
    }
}

/// Those of these users whom the viewer sees.
async fn people(directory: &Arc<Directory>, users: impl Iterator<Item = UserId>) -> Result<HashMap<UserId, UserNode>, Error> {
    let mut users: Vec<UserId> = users.collect();
    users.sort_unstable();
    users.dedup();
    let members = Level::members(directory, directory.users(&users).await?);
    Ok(users.into_iter().zip(members).filter_map(|(id, member)| Some((id, UserNode(member?)))).collect())
}
