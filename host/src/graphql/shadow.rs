//! The candidate that answers beside the active policy, and what came of it.

use std::sync::Arc;

use async_graphql::{ID, SimpleObject};
use directory::{
    Error,
    access::{ComparedAction, Directory, ShadowReport},
};

use super::{
    compare::{ExampleNode, FailureNode, FieldNode, Named, failure, field, long},
    policies::people,
    scalar::DateTime,
    user::{IntoId as _, UserNode},
};

/// A candidate that answers a workspace's live traffic beside the active policy, and what came of it. None of its answers is used.
#[derive(Clone, SimpleObject)]
#[graphql(name = "PolicyShadow")]
pub(super) struct ShadowNode {
    /// The shadow's id.
    id: ID,
    /// Whether it answers still. It ends where it is stopped, and with the version that it stands beside.
    running: bool,
    /// Who started it; null for a service, and where the viewer may not see the user.
    started_by: Option<UserNode>,
    /// When it was started.
    started_at: DateTime,
    /// When it ended; null while it runs.
    stopped_at: Option<DateTime>,
    /// In the words of whoever started it.
    note: Option<String>,
    /// The version that it stands beside.
    active_version_id: ID,
    /// The candidate's module; null for `standard` alone.
    policy_id: Option<ID>,
    /// SHA-256 of the candidate's module, or of `standard` where that decides alone, hexadecimal.
    digest: String,
    /// The module's settings.
    settings: String,
    /// The settings of `standard`.
    standard_settings: String,
    /// What changes, an entry for each action that was compared.
    actions: Vec<ShadowActionNode>,
    /// Where a policy gave no usable answer, which denies; these rows are in no sum of `actions`.
    failures: Vec<FailureNode>,
    /// Rows that traffic was about and that were not compared: beyond the budget, or gone before their turn came.
    skipped: i64,
    /// Calls of the active policy, to compare with.
    active_calls: i64,
    /// Units of fuel of those.
    active_fuel: i64,
    /// Calls of the candidate.
    candidate_calls: i64,
    /// Units of fuel of those.
    candidate_fuel: i64,
}

/// What changes for one action, over what traffic asked.
#[derive(Clone, SimpleObject)]
#[graphql(name = "PolicyShadowAction")]
struct ShadowActionNode {
    /// The action, `kind.verb`.
    action: String,
    /// How often both policies answered about a row.
    compared: i64,
    /// How often only the candidate allowed it.
    gained: i64,
    /// How often only the active policy allowed it.
    lost: i64,
    /// Of a read, how often both showed the row, with other fields.
    fields_changed: i64,
    /// Which fields those are.
    fields: Vec<FieldNode>,
    /// The first changes of each kind, as far as they are about somebody and something that you can see.
    examples: Vec<ExampleNode>,
}

/// The shadow that runs, or ran last.
pub(super) async fn last(directory: &Arc<Directory>) -> Result<Option<ShadowNode>, Error> {
    let Some(report) = directory.shadow_report().await? else { return Ok(None) };
    let ShadowReport { id, candidate, active, is_running, stopped_at, actions, failures, skipped, cost } = (*report).clone();
    let named = Named::read(directory, &actions).await?;
    let people = people(directory, candidate.activated_by.into_iter()).await?;
    let [active_cost, candidate_cost] = cost;
    Ok(Some(ShadowNode {
        id: id.into_id(),
        running: is_running,
        started_by: candidate.activated_by.and_then(|user| people.get(&user).cloned()),
        started_at: DateTime(candidate.activated_at),
        stopped_at: stopped_at.map(DateTime),
        note: candidate.note,
        active_version_id: active.into_id(),
        policy_id: candidate.module.map(|module| module.into_id()),
        digest: candidate.digest.unwrap_or(candidate.standard).to_string(),
        settings: candidate.settings,
        standard_settings: candidate.standard_settings,
        actions: actions.into_iter().map(|line| action(line, &named)).collect(),
        failures: failures.into_iter().map(failure).collect(),
        skipped: long(skipped),
        active_calls: long(active_cost.calls),
        active_fuel: long(active_cost.fuel),
        candidate_calls: long(candidate_cost.calls),
        candidate_fuel: long(candidate_cost.fuel),
    }))
}

fn action(line: ComparedAction, named: &Named) -> ShadowActionNode {
    ShadowActionNode {
        action: line.action,
        compared: long(line.compared),
        gained: long(line.gained),
        lost: long(line.lost),
        fields_changed: long(line.fields_changed),
        fields: line.fields.into_iter().map(field).collect(),
        examples: line.examples.into_iter().filter_map(|example| named.example(example)).collect(),
    }
}
