//! The engine of a trial: what is tried was looked at when it was let in, and takes nothing from anybody's requests.

use std::sync::Arc;

use async_trait::async_trait;
use directory::{
    contract::{Digest, Engine, Errand, Failure, Manifest, Module, Session, Validation},
    ids::WorkspaceId,
};
use sha2::{Digest as _, Sha256};

/// The same engine, which looks at no module twice and whose sessions stand back.
pub(super) struct LetIn(pub(super) Arc<dyn Engine>);

#[async_trait]
impl Engine for LetIn {
    fn loaded(&self, digest: Digest) -> Option<Arc<Manifest>> {
        self.0.loaded(digest)
    }

    async fn load(&self, module: &Module) -> Result<Arc<Manifest>, Failure> {
        self.0.load(module).await
    }

    async fn validate(&self, bytes: &[u8], _: &str) -> Validation {
        let digest = Digest(Sha256::digest(bytes).into());
        let mut validation = Validation { digest, manifest: None, reasons: Vec::new(), unready: None, fuel_per_row: Vec::new() };
        match self.0.load(&Module { digest, bytes: bytes.into() }).await {
            Ok(manifest) => validation.manifest = Some((*manifest).clone()),
            Err(failure) => {
                validation.unready = Some(failure.to_string()).filter(|_| failure.is_of_server());
                validation.reasons.push(failure.to_string());
            }
        }
        validation
    }

    async fn validate_settings(&self, workspace: Option<WorkspaceId>, digest: Digest, settings: &str) -> Result<Vec<String>, Failure> {
        self.0.validate_settings(workspace, digest, settings).await
    }

    fn session(&self, workspace: WorkspaceId, digest: Digest) -> Result<Box<dyn Session>, Failure> {
        self.0.session_on(Errand::Aside, workspace, digest)
    }
}
