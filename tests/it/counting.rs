//! The real engine, which counts the sessions that gates begin, and has no room for one of them if a test wants that.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use directory::{
    contract::{Digest, Engine, Errand, Failure, Manifest, Module, Session, Validation},
    ids::WorkspaceId,
};

/// The engine: a gate begins a session for each subject that it tries.
pub(crate) struct Counting {
    engine: Arc<dyn Engine>,
    sessions: AtomicUsize,
    fails: AtomicUsize,
}

impl Counting {
    pub(crate) fn new(engine: Arc<dyn Engine>) -> Arc<Self> {
        Arc::new(Self { engine, sessions: AtomicUsize::new(0), fails: AtomicUsize::new(usize::MAX) })
    }

    /// How many sessions gates began since this was last asked.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions.swap(0, Ordering::Relaxed)
    }

    /// Has no room for the session of that number, counted from 0 since [`Counting::sessions`] was last asked.
    pub(crate) fn fail(&self, number: usize) {
        self.fails.store(number, Ordering::Relaxed);
    }
}

#[async_trait]
impl Engine for Counting {
    fn loaded(&self, digest: Digest) -> Option<Arc<Manifest>> {
        self.engine.loaded(digest)
    }

    async fn load(&self, module: &Module) -> Result<Arc<Manifest>, Failure> {
        self.engine.load(module).await
    }

    async fn validate(&self, bytes: &[u8], settings: &str) -> Validation {
        self.engine.validate(bytes, settings).await
    }

    async fn validate_settings(&self, workspace: Option<WorkspaceId>, digest: Digest, settings: &str) -> Result<Vec<String>, Failure> {
        self.engine.validate_settings(workspace, digest, settings).await
    }

    fn session(&self, workspace: WorkspaceId, digest: Digest) -> Result<Box<dyn Session>, Failure> {
        self.session_on(Errand::Request, workspace, digest)
    }

    fn session_on(&self, errand: Errand, workspace: WorkspaceId, digest: Digest) -> Result<Box<dyn Session>, Failure> {
        if errand == Errand::Gates && self.sessions.fetch_add(1, Ordering::Relaxed) == self.fails.load(Ordering::Relaxed) {
            return Err(Failure::Busy(0));
        }
        self.engine.session_on(errand, workspace, digest)
    }
}
