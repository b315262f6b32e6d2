//! An engine whose sessions take nothing from anybody's requests.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    contract::{Digest, Engine, Failure, Manifest, Module, Session, Validation},
    ids::WorkspaceId,
};

/// The same engine, with sessions that stand back.
pub(super) struct Aside(pub(super) Arc<dyn Engine>);

#[async_trait]
impl Engine for Aside {
    fn loaded(&self, digest: Digest) -> Option<Arc<Manifest>> {
        self.0.loaded(digest)
    }

    async fn load(&self, module: &Module) -> Result<Arc<Manifest>, Failure> {
        self.0.load_ahead(module).await
    }

    async fn validate(&self, bytes: &[u8], settings: &str) -> Validation {
        self.0.validate(bytes, settings).await
    }

    async fn validate_settings(&self, digest: Digest, settings: &str) -> Result<Vec<String>, Failure> {
        self.0.validate_settings(digest, settings).await
    }

    fn session(&self, workspace: WorkspaceId, digest: Digest) -> Result<Box<dyn Session>, Failure> {
        self.0.session_aside(workspace, digest)
    }
}
