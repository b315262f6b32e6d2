//! Policy modules, what was active, and the history.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, SimpleObject};
use directory::{
    Error,
    access::{CandidateModule, Directory, TestRun},
    ids::UserId,
    limits::HISTORY_PAGE,
    model::{Author, PolicyGate, PolicyModule, PolicyStatus, PolicyVersion, Step, StepNumber, ToldReason, ToldStep},
    query::Keyset,
    trials::{Difference, Report},
};
use uuid::Uuid;

use super::{
    compare::PolicyCandidateInput,
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
    /// Other tests took the place of the workspace's.
    TestsReplaced,
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
    /// The workspace's policy tests are met.
    Tests,
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

/// The policy tests that a workspace keeps: what its policy has to answer about people that are made up.
#[derive(Clone, SimpleObject)]
#[graphql(name = "PolicyTests")]
pub(super) struct PolicyTestsNode {
    /// The tests, as they were written; empty for none.
    text: String,
    /// Counts their changes, for `expectedVersion`; 0 where there never were any.
    version: i64,
    /// Who changed them last; null for a service, and where the viewer may not see the user.
    changed_by: Option<UserNode>,
    /// When they were changed last.
    changed_at: Option<DateTime>,
}

/// What came of policy tests.
#[derive(SimpleObject)]
pub(super) struct PolicyTestReport {
    /// Whether everything was tried and all of it met.
    succeeded: bool,
    /// Expectations that were met.
    passed: i32,
    /// Expectations that were not.
    failed: i32,
    /// The first of those that were not, in the order of the text.
    differences: Vec<PolicyTestDifference>,
    /// Why not everything could be tried, if so.
    unfinished: Option<String>,
}

/// An expectation that a policy does not meet.
#[derive(SimpleObject)]
pub(super) struct PolicyTestDifference {
    /// Where it stands: `line 12`.
    place: String,
    /// Who asks.
    subject: String,
    /// The action, `kind.verb`.
    action: String,
    /// What it is about.
    resource: String,
    /// What the tests say.
    expected: String,
    /// The reason that they say, if they do.
    expected_reason: Option<String>,
    /// What the policy says.
    found: String,
    /// Its reason; empty where it gave none.
    found_reason: String,
}

/// The policy tests.
pub(super) async fn tests(directory: &Arc<Directory>) -> Result<PolicyTestsNode, Error> {
    let tests = directory.policy_tests().await?;
    let by = tests.changed.and_then(|change| change.by);
    let people = people(directory, by.into_iter()).await?;
    Ok(PolicyTestsNode {
        text: tests.text.clone(),
        version: tests.version.0,
        changed_by: by.and_then(|user| people.get(&user).cloned()),
        changed_at: tests.changed.map(|change| DateTime(change.at)),
    })
}

/// Runs the policy tests on a candidate; `None` if the workspace has none.
pub(super) async fn run_tests(directory: &Directory, candidate: &PolicyCandidateInput) -> Result<Option<PolicyTestReport>, Error> {
    let candidate = candidate.candidate()?;
    let module = match candidate.module {
        CandidateModule::Active => directory.policy_version().module,
        CandidateModule::Standard => None,
        CandidateModule::Named(id) => Some(id),
    };
    let run = TestRun { module, settings: candidate.settings, standard_settings: candidate.standard_settings };
    Ok(directory.run_policy_tests(run).await?.as_ref().map(report))
}

fn report(report: &Report) -> PolicyTestReport {
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let difference = |difference: &Difference| PolicyTestDifference {
        place: difference.place.clone(),
        subject: difference.subject.clone(),
        action: difference.action.clone(),
        resource: difference.resource.clone(),
        expected: difference.expected.to_string(),
        expected_reason: difference.expected_reason.clone(),
        found: difference.found.to_string(),
        found_reason: difference.found_reason.clone(),
    };
    PolicyTestReport {
        succeeded: report.is_passed(),
        passed: count(report.passed),
        failed: count(report.failed),
        differences: report.differences.iter().map(difference).collect(),
        unfinished: report.unfinished.clone(),
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
pub(super) async fn people(directory: &Arc<Directory>, users: impl Iterator<Item = UserId>) -> Result<HashMap<UserId, UserNode>, Error> {
    let mut users: Vec<UserId> = users.collect();
    users.sort_unstable();
    users.dedup();
    let members = Level::members(directory, directory.users(&users).await?);
    Ok(users.into_iter().zip(members).filter_map(|(id, member)| Some((id, UserNode(member?)))).collect())
}
