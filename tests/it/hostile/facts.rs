//! What the guests are asked about, and the sandbox that they are asked in.

use std::sync::Arc;

use directory::{
    contract::{Column, Context, Digest, Engine, Failure, Module, RowFilter, Rows, Session, Verdicts},
    ids::WorkspaceId,
};
use policy::{Sandbox, SandboxConfig, ShareLimits};

use super::guest::Part;

/// Memory that a guest gets here; enough to see the limit, and quick to fill.
pub(super) const MEMORY_BYTES: usize = 16 * 1024 * 1024;

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(&config()).unwrap()
}

/// The same as a configuration. What a workspace may take of it is bounded by itself alone, see [`super::shares`].
pub(super) fn config() -> SandboxConfig {
    let share = ShareLimits::UNBOUNDED;
    SandboxConfig { instances: 4, memory_bytes: MEMORY_BYTES, wait_ms: 10_000, share, ..SandboxConfig::default() }
}

/// A session on behalf of some workspace.
pub(super) fn session(sandbox: &Sandbox, digest: Digest) -> Result<Box<dyn Session>, Failure> {
    sandbox.session(workspace(1), digest)
}

pub(super) fn workspace(number: u32) -> WorkspaceId {
    format!("wsp_{number:032x}").parse().unwrap()
}

/// Three groups and a user in the first; `settings` arm the guests that wait for them.
pub(super) fn context(settings: &str) -> Arc<Context> {
    let mut context = Context { action: "user.read".into(), now_ms: 1, settings: settings.into(), ..Context::default() };
    context.subject.kind = "user".into();
    context.subject.groups = vec![0];
    context.groups = Rows { kind: "group".into(), len: 3, ..Rows::default() };
    Arc::new(context)
}

pub(super) fn rows(len: u32) -> Rows {
    let flag = Column { name: "self".into(), items: vec![0; len as usize], ..Column::default() };
    let groups = Column { name: "groups".into(), ends: (1..=len).collect(), items: vec![0; len as usize], ..Column::default() };
    Rows { kind: "user".into(), len, columns: vec![flag, groups], numbers: Vec::new() }
}

/// Loads a module without validating it first.
pub(super) async fn load(sandbox: &Sandbox, bytes: Vec<u8>) -> Result<Digest, Failure> {
    let digest = sandbox.validate(&bytes, "").await.digest;
    sandbox.load(&Module { digest, bytes: bytes.into() }).await.map(|_| digest)
}

/// What one call in a session of its own comes to.
pub(super) async fn ask(sandbox: &Sandbox, digest: Digest, part: Part, len: u32) -> Result<(), Failure> {
    let mut session = session(sandbox, digest)?;
    match part {
        Part::Scope => scope(&mut *session).await.map(drop),
        Part::Check => check(&mut *session, len).await.map(drop),
    }
}

pub(super) async fn scope(session: &mut dyn Session) -> Result<RowFilter, Failure> {
    session.scope(context("armed"), "user").await
}

pub(super) async fn check(session: &mut dyn Session, len: u32) -> Result<Verdicts, Failure> {
    session.check(context("armed"), rows(len), None).await
}
