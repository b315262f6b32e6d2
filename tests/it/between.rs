//! The real store, but for something that happens in between: what others do while a request is under way, at a moment of the test's choice.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

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

type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Right before what something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The view of that number is opened, counted from when it was last asked how many there were.
    View(u32),
    /// The next write.
    Write,
    /// The next activation.
    Activation,
}

/// The store.
pub(crate) struct Between {
    store: Arc<dyn Store>,
    meanwhile: Mutex<Option<(Moment, Meanwhile)>>,
    views: AtomicU32,
    writes: AtomicU32,
}

impl Between {
    pub(crate) fn new(store: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self { store, meanwhile: Mutex::default(), views: AtomicU32::new(0), writes: AtomicU32::new(0) })
    }

    /// Lets something happen once.
    pub(crate) fn before(&self, moment: Moment, meanwhile: impl Future<Output = ()> + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some((moment, Box::pin(meanwhile)));
    }

    /// How many views were opened since this was last asked.
    pub(crate) fn views(&self) -> u32 {
        self.views.swap(0, Ordering::Relaxed)
    }

    /// How often something was written or activated since this was last asked.
    pub(crate) fn writes(&self) -> u32 {
        self.writes.swap(0, Ordering::Relaxed)
    }

    async fn reach(&self, moment: Moment) {
        let meanwhile = self.meanwhile.lock().unwrap().take_if(|(when, _)| *when == moment);
        if let Some((_, meanwhile)) = meanwhile {
            meanwhile.await;
        }
    }
}

#[async_trait]
impl Store for Between {
    async fn snapshot(&self, workspace: WorkspaceId) -> Result<Option<Box<dyn Snapshot>>, Error> {
        self.reach(Moment::View(self.views.fetch_add(1, Ordering::Relaxed) + 1)).await;
        self.store.snapshot(workspace).await
    }

    async fn credential(&self, hash: [u8; 32]) -> Result<Option<Credential>, Error> {
        self.store.credential(hash).await
    }

    async fn module_bytes(&self, workspace: WorkspaceId, digest: Digest) -> Result<Option<Arc<[u8]>>, Error> {
        self.store.module_bytes(workspace, digest).await
    }

    async fn record_decisions(&self, warrant: Warrant<RecordDecisions>) -> Result<(), Error> {
        self.store.record_decisions(warrant).await
    }

    async fn deciding(&self, after: Option<WorkspaceId>, rows: usize) -> Result<Vec<Deciding>, Error> {
        self.store.deciding(after, rows).await
    }

    fn news(&self) -> Box<dyn PolicyNews> {
        self.store.news()
    }

    async fn workspaces(&self) -> Result<Vec<Sealed<Workspace>>, Error> {
        self.store.workspaces().await
    }

    async fn import(
        &self,
        warrant: Warrant<ImportWorkspace>,
        progress: &(dyn Fn(ImportProgress) + Send + Sync),
    ) -> Result<ImportSummary, Error> {
        self.store.import(warrant, progress).await
    }

    async fn write(&self, warrant: Warrant<Write>) -> Result<Written, Error> {
        self.reach(Moment::Write).await;
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.store.write(warrant).await
    }

    async fn purge(&self, warrant: Warrant<Purge>) -> Result<u64, Error> {
        self.store.purge(warrant).await
    }

    async fn finish_moves(&self) -> Result<bool, Error> {
        self.store.finish_moves().await
    }

    async fn create_token(&self, warrant: Warrant<CreateToken>) -> Result<(), Error> {
        self.store.create_token(warrant).await
    }

    async fn revoke_token(&self, warrant: Warrant<RevokeToken>) -> Result<(), Error> {
        self.store.revoke_token(warrant).await
    }

    async fn tokens(&self, workspace: Option<WorkspaceId>) -> Result<Vec<Sealed<Token>>, Error> {
        self.store.tokens(workspace).await
    }

    async fn upload_policy(&self, warrant: Warrant<UploadPolicy>) -> Result<PolicyId, Error> {
        self.store.upload_policy(warrant).await
    }

    async fn record_policy_step(&self, warrant: Warrant<RecordPolicyStep>) -> Result<(), Error> {
        self.store.record_policy_step(warrant).await
    }

    async fn activate_policy(&self, warrant: Warrant<ActivatePolicy>) -> Result<(), Error> {
        self.reach(Moment::Activation).await;
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.store.activate_policy(warrant).await
    }

    async fn set_policy_tests(&self, warrant: Warrant<SetPolicyTests>) -> Result<Version, Error> {
        self.store.set_policy_tests(warrant).await
    }

    async fn start_shadow(&self, warrant: Warrant<StartShadow>) -> Result<(), Error> {
        self.store.start_shadow(warrant).await
    }

    async fn stop_shadow(&self, warrant: Warrant<StopShadow>) -> Result<(), Error> {
        self.store.stop_shadow(warrant).await
    }

    async fn add_to_shadow(&self, warrant: Warrant<AddToShadow>) -> Result<(), Error> {
        self.store.add_to_shadow(warrant).await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.store.ping().await
    }
}
