//! The directory's port, by the functions that do the work.

use std::sync::Arc;

use async_trait::async_trait;
use directory::{
    Error, Sealed, Warrant,
    change::{Write, Written},
    contract::Digest,
    decisions::RecordDecisions,
    ids::{PolicyId, WorkspaceId},
    model::{Token, Version, Workspace},
    store::{
        ActivatePolicy, AddToShadow, CreateToken, Credential, Deciding, ImportProgress, ImportSummary, ImportWorkspace, PolicyNews, Purge,
        RecordPolicyStep, RevokeToken, SetPolicyTests, Snapshot, StartShadow, StopShadow, Store, UploadPolicy,
    },
};

use crate::{
    Database, decisions, import, limits, news, policy, policy_history, policy_shadows, policy_tests, rows, snapshot::View, sql::sql,
    tokens, write,
};

const EXISTS: &str = "
select 1
from workspaces
where id = {}";

const WORKSPACES: &str = "
select {}
from workspaces w
order by w.key_key";

const PING: &str = "select 1";

#[async_trait]
impl Store for Database {
    async fn snapshot(&self, workspace: WorkspaceId) -> Result<Option<Box<dyn Snapshot>>, Error> {
        let mut view = View::open(workspace, self).await?;
        let found = view.fetch(sql!(EXISTS, workspace).fixed()).await?;
        Ok(if found.is_empty() { None } else { Some(Box::new(view)) })
    }

    async fn credential(&self, hash: [u8; 32]) -> Result<Option<Credential>, Error> {
        tokens::credential(self, hash).await
    }

    async fn module_bytes(&self, workspace: WorkspaceId, digest: Digest) -> Result<Option<Arc<[u8]>>, Error> {
        policy::bytes(self, workspace, digest).await
    }

    async fn deciding(&self, after: Option<WorkspaceId>, rows: usize) -> Result<Vec<Deciding>, Error> {
        policy::deciding(self, after, rows).await
    }

    fn news(&self) -> Box<dyn PolicyNews> {
        news::of(self)
    }

    async fn workspaces(&self) -> Result<Vec<Sealed<Workspace>>, Error> {
        let found = self.fetch(sql!(WORKSPACES, rows::WORKSPACE).fixed()).await?;
        found.iter().map(|row| rows::workspace(&mut row.columns())).collect()
    }

    async fn import(
        &self,
        warrant: Warrant<ImportWorkspace>,
        progress: &(dyn Fn(ImportProgress) + Send + Sync),
    ) -> Result<ImportSummary, Error> {
        import::run(self, warrant, progress).await
    }

    async fn write(&self, warrant: Warrant<Write>) -> Result<Written, Error> {
        write::write(self, warrant).await
    }

    async fn purge(&self, warrant: Warrant<Purge>) -> Result<u64, Error> {
        write::purge(self, warrant).await
    }

    async fn finish_moves(&self) -> Result<bool, Error> {
        write::finish_some(self).await
    }

    async fn record_decisions(&self, warrant: Warrant<RecordDecisions>) -> Result<(), Error> {
        decisions::record(self, warrant).await
    }

    async fn create_token(&self, warrant: Warrant<CreateToken>) -> Result<(), Error> {
        tokens::create(self, warrant).await
    }

    async fn revoke_token(&self, warrant: Warrant<RevokeToken>) -> Result<(), Error> {
        tokens::revoke(self, warrant).await
    }

    async fn tokens(&self, workspace: Option<WorkspaceId>) -> Result<Vec<Sealed<Token>>, Error> {
        tokens::list(self, workspace).await
    }

    async fn upload_policy(&self, warrant: Warrant<UploadPolicy>) -> Result<PolicyId, Error> {
        policy::upload(self, warrant).await
    }

    async fn activate_policy(&self, warrant: Warrant<ActivatePolicy>) -> Result<(), Error> {
        policy::activate(self, warrant).await
    }

    async fn record_policy_step(&self, warrant: Warrant<RecordPolicyStep>) -> Result<(), Error> {
        policy_history::record(self, warrant).await
    }

    async fn set_policy_tests(&self, warrant: Warrant<SetPolicyTests>) -> Result<Version, Error> {
        policy_tests::set(self, warrant).await
    }

    async fn start_shadow(&self, warrant: Warrant<StartShadow>) -> Result<(), Error> {
        policy_shadows::start(self, warrant).await
    }

    async fn stop_shadow(&self, warrant: Warrant<StopShadow>) -> Result<(), Error> {
        policy_shadows::stop(self, warrant).await
    }

    async fn add_to_shadow(&self, warrant: Warrant<AddToShadow>) -> Result<(), Error> {
        policy_shadows::add(self, warrant).await
    }

    async fn tidy(&self) -> Result<(), Error> {
        self.shorten_log().await
    }

    async fn ping(&self) -> Result<(), Error> {
        let answer = tokio::time::timeout(limits::PING_TIME, self.fetch(sql!(PING).fixed())).await;
        answer.map_err(|_| Error::Store("the database did not answer in time".to_owned()))?.map(drop)
    }
}
