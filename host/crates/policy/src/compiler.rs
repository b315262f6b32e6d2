//! Compiles on a thread of its own, one module at a time.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit},
    time::timeout,
};
use wasmtime::Engine;

use crate::{
    bindings::PolicyPre,
    engine::SandboxConfig,
    guest::Limiter,
    limits,
    module::{Reasons, compile},
    worker::{Lost, Workers},
};

/// A lane of compilations. A sandbox has two, so that an upload never holds up a request that needs a module loaded.
pub(crate) struct Compiler {
    engine: Engine,
    worker: Workers,
    turn: Mutex<()>,
    queue: Semaphore,
    module_bytes: usize,
    compile_ms: u64,
}

/// Leave to compile, until it is dropped.
pub(crate) struct Turn<'a> {
    _turn: MutexGuard<'a, ()>,
    _waiting: SemaphorePermit<'a>,
}

impl Compiler {
    /// Starts a lane that at most `queue` modules may stand in.
    pub(crate) fn start(name: &str, engine: &Engine, config: &SandboxConfig, queue: usize) -> io::Result<Self> {
        Ok(Self {
            engine: engine.clone(),
            worker: Workers::start(name, 1, limits::COMPILER_THREAD_STACK_BYTES)?,
            turn: Mutex::new(()),
            queue: Semaphore::new(queue),
            module_bytes: config.module_bytes,
            compile_ms: config.compile_ms,
        })
    }

    /// Waits in the lane, or says that it is too long.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, String> {
        let crowded = || "too many modules wait for the compiler; try again in a minute".to_owned();
        let waiting = self.queue.try_acquire().map_err(|_| crowded())?;
        let turn = timeout(self.patience(), self.turn.lock()).await.map_err(|_| crowded())?;
        Ok(Turn { _turn: turn, _waiting: waiting })
    }

    /// Compiles. What nobody waits for any longer still runs to its end, and the next turn begins after it.
    pub(crate) async fn compile(&self, _turn: &Turn<'_>, bytes: Arc<[u8]>) -> Result<PolicyPre<Limiter>, Reasons> {
        let (engine, limit_bytes) = (self.engine.clone(), self.module_bytes);
        let compiled = self.worker.run(move || compile(&engine, &bytes, limit_bytes));
        match timeout(self.patience(), compiled).await {
            Ok(Ok(compiled)) => compiled,
            Ok(Err(Lost)) => Err(vec!["the compiler failed on the module; build it with another version of its tools".to_owned()]),
            Err(_) => Err(vec![format!("compiling takes longer than {} ms; make the module smaller", self.compile_ms)]),
        }
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.compile_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_lane_holds_so_many_and_no_more() {
        let config = SandboxConfig { compile_ms: 20, ..SandboxConfig::default() };
        let compiler = Compiler::start("test", &Engine::default(), &config, 2).unwrap();
        let first = compiler.turn().await.unwrap();
        let (second, third) = tokio::join!(compiler.turn(), compiler.turn());
        assert!(second.is_err(), "it waited, but the first kept its turn");
        assert!(third.is_err(), "it could not even wait");
        drop(first);
        assert!(compiler.turn().await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_the_limit() {
        let config = SandboxConfig { compile_ms: 20, ..SandboxConfig::default() };
        let compiler = Compiler::start("test", &Engine::default(), &config, 1).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        compiler.worker.send(move || held.recv().unwrap_or_default());
        let turn = compiler.turn().await.unwrap();
        let reasons = compiler.compile(&turn, Arc::from([])).await.err().unwrap();
        assert_eq!(reasons, ["compiling takes longer than 20 ms; make the module smaller"]);
        drop(release);
    }
}
