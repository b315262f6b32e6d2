//! The policy tests of a workspace.

use directory::{
    Error, Sealed, Warrant,
    ids::WorkspaceId,
    model::{PolicyTests, Version},
    store::SetPolicyTests,
};

use crate::{
    Database,
    exec::{Row, Tx},
    head, policy_history, rows,
    snapshot::View,
    sql::sql,
};

const TESTS: &str = "
select {}
from policy_tests t
where t.workspace_id = {}";

/// The tests; [`PolicyTests::NONE`] if there never were any.
pub(crate) async fn read(view: &mut View) -> Result<Sealed<PolicyTests>, Error> {
    let found = view.fetch(sql!(TESTS, rows::POLICY_TESTS, view.workspace).fixed()).await?;
    found.first().map_or(Ok(Sealed::new(PolicyTests::NONE)), |row| rows::policy_tests(&mut row.columns()))
}

const VERSION: &str = "
select version
from policy_tests
where workspace_id = {}";

/// The version of the tests, 0 if there never were any, while the workspace is locked.
pub(crate) async fn version(tx: &mut Tx, workspace: WorkspaceId) -> Result<Version, Error> {
    let found = tx.fetch(sql!(VERSION, workspace)).await?;
    found.first().map_or(Ok(0), Row::only).map(Version)
}

const REPLACE: &str = "
update policy_tests
set version = {},
  text = {},
  changed_by = {},
  changed_at = {}
where workspace_id = {}";

const INSERT: &str = "
insert into policy_tests (version, text, changed_by, changed_at, workspace_id)
values ({}, {}, {}, {}, {})";

/// Replaces the tests, and answers their new version.
pub(crate) async fn set(database: &Database, warrant: Warrant<SetPolicyTests>) -> Result<Version, Error> {
    let workspace = head::workspace_of(&warrant)?;
    let epoch = warrant.epoch();
    let SetPolicyTests { expected, text, by, now, step } = warrant.into_change();
    let (_turn, mut tx) = database.begin_write_in(workspace).await?;
    head::lock(&mut tx, workspace, epoch).await?;
    if version(&mut tx, workspace).await? != expected {
        return Err(Error::Stale("the workspace's set of policy tests".to_owned()));
    }
    let statement = if expected == Version(0) { INSERT } else { REPLACE };
    let next = Version(expected.0 + 1);
    tx.execute(sql!(statement, next.0, text, by.map(|user| user.0), now, workspace)).await?;
    policy_history::insert(&mut tx, workspace, vec![step]).await?;
    tx.commit().await?;
    Ok(next)
}
