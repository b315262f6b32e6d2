//! Organisations from a file: each becomes a workspace, its teams groups, its people users. `docs/organisations-format.md`
//! describes the format.
//!
//! [`parse`] reads the file, [`plan`](plan()) checks one organisation and says what is odd about it, [`import`] brings it in: all or nothing,
//! and nothing the second time.

mod file;
mod odd;
mod plan;

use directory::{
    access::Operator,
    ids::PolicyVersionId,
    model::Provenance,
    store::{IdSource as _, ImportProgress, ImportSummary, ImportWorkspace, NewPolicyVersion, Store},
};

pub use file::{File, Organisation, Team, parse, text};
pub use odd::{Odd, Oddity};
pub use plan::{Plan, plan};

use crate::{clock::Clock, ids::Ids, wiring};

/// Bytes of a file of organisations.
pub const FILE_BYTES: u64 = 64 * 1024 * 1024;

/// What is wrong in a file: where, which rule, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Error {
    /// A line and column, or a path such as `organisations[2].teams[5].parent`.
    pub place: String,
    /// The input, the rule and the remedy.
    pub problem: String,
}

/// Brings one organisation in, as the operator.
///
/// `settings` are those of `standard`, for a workspace that is not there yet.
///
/// # Errors
/// Those of the store. Nothing of the organisation is changed then.
pub async fn import(
    store: &dyn Store,
    operator: &Operator,
    plan: Plan,
    settings: &str,
    progress: &(dyn Fn(ImportProgress) + Send + Sync),
) -> Result<ImportSummary, directory::Error> {
    let workspaces = operator.workspaces(store).await?;
    let there =
        workspaces.iter().find(|row| row.key.shown().is_some_and(|key| directory::text::fold(key) == directory::text::fold(&plan.key)));
    // The file knows no quotas: one that is there stays.
    let user_quota = there.and_then(|row| row.user_quota.shown().copied().flatten());
    let (clock, mut ids) = (Clock::system(), Ids::random(Clock::system()));
    let policy = NewPolicyVersion {
        id: PolicyVersionId(ids.next_id()),
        module: None,
        settings: String::new(),
        standard: wiring::standard().digest,
        standard_settings: settings.to_owned(),
        activated_by: None,
        activated_at: clock.now(),
        repeats: None,
        note: None,
    };
    let change = ImportWorkspace {
        key: plan.key,
        name: plan.name,
        user_quota,
        attributes: Vec::new(),
        groups: plan.groups,
        roles: Vec::new(),
        people: Box::new(plan.people.into_iter()),
        policy,
        provenance: Provenance::Import,
        now: clock.now(),
        ids: Box::new(ids),
    };
    store.import(operator.import(change), progress).await
}
