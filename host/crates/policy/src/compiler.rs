//! Compiles on a thread of its own, one module at a time.

use std::{
    io,
    sync::{Arc, PoisonError},
    time::Duration,
};

use directory::contract::Digest;
use tokio::{
    sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit},
    time::timeout,
};
use wasmtime::Engine;

use crate::{
    bindings::PolicyPre,
    cache::Cache,
    engine::SandboxConfig,
    guest::Limiter,
    limits,
    module::{Reasons, compile},
    worker::{Lost, Workers},
};

/// A lane of compilations. A sandbox has two, so that an upload never holds up a request that needs a module loaded.
pub(crate) struct Compiler {
    engine: Engine,
    /// Detached: a compilation can not be stopped, and the end of the process need not wait for it.
    worker: Workers,
    /// What was compiled lately, for whoever asks again after having waited in vain.
    compiled: Arc<std::sync::Mutex<Cache<PolicyPre<Limiter>>>>,
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
            worker: Workers::start(name, 1, limits::COMPILER_THREAD_STACK_BYTES)?.detached(),
            compiled: Arc::new(std::sync::Mutex::new(Cache::new(limits::COMPILED))),
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

    /// Compiles the bytes of that digest. What has begun runs to its end even when nobody waits any longer: then the next turn begins
    /// after it, and one for the same bytes ends with it.
    pub(crate) async fn compile(&self, _turn: &Turn<'_>, digest: Digest, bytes: Arc<[u8]>) -> Result<PolicyPre<Limiter>, Reasons> {
        let (engine, limit_bytes, cache) = (self.engine.clone(), self.module_bytes, Arc::clone(&self.compiled));
        let compiled = self.worker.run(move || {
            let known = cache.lock().unwrap_or_else(PoisonError::into_inner).get(digest);
            if let Some(compiled) = known {
                return Ok(compiled);
            }
            let compiled = compile(&engine, &bytes, limit_bytes)?;
            cache.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, compiled.clone());
            Ok(compiled)
        });
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
        let reasons = compiler.compile(&turn, Digest([0; 32]), Arc::from([])).await.err().unwrap();
        assert_eq!(reasons, ["compiling takes longer than 20 ms; make the module smaller"]);
        drop(release);
    }
}
