//! The port's implementation: modules come in, sessions go out.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use async_trait::async_trait;
use directory::{
    contract::{Digest, Errand, Failure, Manifest, Module, Session, Validation},
    ids::WorkspaceId,
};
use tokio::sync::Semaphore;

use crate::{
    bindings::PolicyPre,
    cache::{Cache, Loaded},
    compiler::{Compiler, Turn},
    disk::Disk,
    engine::{SandboxConfig, engine},
    guest::Limiter,
    limits,
    module::{Uncompiled, digest},
    session::{Account, GuestSession, Runtime},
    share::{ShareLimits, Shares},
    validate,
    worker::{Lane, Lanes, Lost},
};

/// Runs policies. One a process.
pub struct Sandbox {
    runtime: Arc<Runtime>,
    shares: Shares,
    /// Of looks at versions before they are activated.
    gates: Shares,
    /// The server's own modules.
    own: Vec<Digest>,
    cache: Mutex<Cache>,
    /// Compiles what is new.
    uploads: Compiler,
    /// Compiles what was let in earlier, and what requests wait for.
    loads: Compiler,
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refuses its configuration, or the address space that its pool reserves is not to be had.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
    /// The threads cannot be started.
    #[error("the sandbox's threads do not start")]
    Threads(#[from] io::Error),
    /// The folder of compiled code can not be read or made.
    #[error("the folder of compiled code can not be used: {0}; check its permissions")]
    Code(io::Error),
}

impl Sandbox {
    /// Builds the engine, reserves the pool's address space and starts the threads.
    ///
    /// # Errors
    /// [`Error`] says what the system refuses.
    pub fn new(config: &SandboxConfig) -> Result<Self, Error> {
        let engine = engine(config).map_err(|error| Error::Engine(format!("{error:#}")))?;
        let disk = config.code.clone().map(|folder| Disk::open(folder, &engine)).transpose().map_err(Error::Code)?.map(Arc::new);
        let runtime = Runtime {
            fuel: config.fuel,
            memory_bytes: config.memory_bytes,
            wait_ms: config.wait_ms,
            places: Arc::new(Semaphore::new(config.instances as usize)),
            lanes: Lanes::start(config.threads)?,
        };
        let share = match config.share {
            ShareLimits { calls: 0, .. } => ShareLimits { calls: (config.threads / 2).max(1), ..config.share },
            share => share,
        };
        let shares = |limits| Shares::new(limits, config.stopwatch.clone(), Duration::from_millis(config.wait_ms));
        Ok(Self {
            runtime: Arc::new(runtime),
            shares: shares(share),
            gates: shares(ShareLimits { calls: 1, ..share }),
            own: config.own.clone(),
            cache: Mutex::new(Cache::new(config.modules)),
            uploads: Compiler::start("policy-upload", &engine, config, disk.clone(), limits::UPLOAD_QUEUE)?,
            loads: Compiler::start("policy-load", &engine, config, disk, limits::LOAD_QUEUE)?,
        })
    }

    /// Where guests run.
    pub(crate) fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(&self.runtime)
    }

    /// Keeps a module that has been described.
    pub(crate) fn keep(&self, digest: Digest, module: PolicyPre<Limiter>, manifest: Arc<Manifest>) {
        self.cache().insert(digest, Loaded { module, manifest });
    }

    /// SHA-256 of an upload, reckoned off the async threads and not behind a compilation.
    pub(crate) async fn digest(&self, bytes: &Arc<[u8]>) -> Result<Digest, Lost> {
        let bytes = Arc::clone(bytes);
        self.runtime.lanes.of(Lane::Aside).run(move || digest(&bytes)).await
    }

    /// Waits until an upload's turn has come: one after the other is compiled and tried.
    pub(crate) async fn upload(&self) -> Result<Turn, Uncompiled> {
        self.uploads.turn().await.map_err(Uncompiled::Unable)
    }

    /// What all sessions together may use that an upload is tried with.
    pub(crate) fn upload_account(&self) -> Account {
        Account::Upload(Arc::new(AtomicU64::new(self.runtime.fuel.upload)))
    }

    /// Compiles an upload whose turn it is, unless it is loaded.
    pub(crate) async fn compile(&self, turn: &Turn, digest: Digest, bytes: Arc<[u8]>) -> Result<PolicyPre<Limiter>, Uncompiled> {
        if let Ok(known) = self.cached(digest) {
            return Ok(known.module);
        }
        self.uploads.compile(turn, digest, bytes).await
    }

    /// Loads a module that was let in earlier, when its turn in that lane comes.
    async fn load_in(&self, lane: &Compiler, module: &Module) -> Result<Arc<Manifest>, Failure> {
        let known = || self.cache().get(module.digest).map(|loaded| loaded.manifest);
        if let Some(manifest) = known() {
            return Ok(manifest);
        }
        let turn = lane.turn().await.map_err(Failure::Unready)?;
        // Whoever had the turn before may have wanted the same module.
        if let Some(manifest) = known() {
            return Ok(manifest);
        }
        if self.digest(&module.bytes).await.ok() != Some(module.digest) {
            return Err(Failure::Unloadable(format!("the stored bytes of module {} are not its own", module.digest)));
        }
        let compiled = lane.compile(&turn, module.digest, Arc::clone(&module.bytes)).await;
        let compiled = compiled.map_err(|uncompiled| match uncompiled {
            // What was let in once is not at fault if this server is too busy, or can not.
            Uncompiled::Late(why) | Uncompiled::Unable(why) => Failure::Unready(why),
            Uncompiled::Refused(reasons) => Failure::Unloadable(reasons.join("; ")),
        })?;
        let manifest = Arc::new(GuestSession::new(self.runtime(), Account::Aside, compiled.clone()).describe().await?);
        self.keep(module.digest, compiled, Arc::clone(&manifest));
        Ok(manifest)
    }

    /// On whose account a workspace's module runs.
    fn account(&self, errand: Errand, workspace: WorkspaceId, digest: Digest) -> Account {
        match errand {
            Errand::Aside => Account::Aside,
            Errand::Request | Errand::Gates if self.own.contains(&digest) => Account::Server,
            Errand::Request => Account::Workspace(self.shares.of(workspace)),
            Errand::Gates => Account::Workspace(self.gates.of(workspace)),
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cached(&self, digest: Digest) -> Result<Loaded, Failure> {
        self.cache().get(digest).ok_or_else(|| Failure::Unready(format!("module {digest} is not loaded")))
    }
}

#[async_trait]
impl directory::contract::Engine for Sandbox {
    fn loaded(&self, digest: Digest) -> Option<Arc<Manifest>> {
        self.cache().get(digest).map(|loaded| loaded.manifest)
    }

    async fn load(&self, module: &Module) -> Result<Arc<Manifest>, Failure> {
        self.load_in(&self.loads, module).await
    }

    async fn load_ahead(&self, module: &Module) -> Result<Arc<Manifest>, Failure> {
        self.load_in(&self.uploads, module).await
    }

    async fn validate(&self, bytes: &[u8], settings: &str) -> Validation {
        validate::validate(self, bytes, settings).await
    }

    async fn validate_settings(&self, workspace: Option<WorkspaceId>, digest: Digest, settings: &str) -> Result<Vec<String>, Failure> {
        let account = workspace.map_or(Account::Aside, |workspace| self.account(Errand::Gates, workspace, digest));
        GuestSession::new(self.runtime(), account, self.cached(digest)?.module).validate_settings(settings).await
    }

    fn session(&self, workspace: WorkspaceId, digest: Digest) -> Result<Box<dyn Session>, Failure> {
        self.session_on(Errand::Request, workspace, digest)
    }

    fn session_on(&self, errand: Errand, workspace: WorkspaceId, digest: Digest) -> Result<Box<dyn Session>, Failure> {
        let account = self.account(errand, workspace, digest);
        Ok(Box::new(GuestSession::new(self.runtime(), account, self.cached(digest)?.module)))
    }
}
