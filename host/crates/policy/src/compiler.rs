//! Has modules compiled, one at a time in each lane, from a thread of its own.

use std::{
    io,
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use directory::contract::Digest;
use tokio::{
    sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use wasmtime::{Engine, component::Component};

use crate::{
    bindings::PolicyPre,
    cache::Cache,
    disk::Disk,
    engine::{CompilerPlace, SandboxConfig},
    guest::Limiter,
    limits,
    module::{Uncompiled, check_len, compile, fit},
    process,
    worker::{Lost, Workers},
};

/// A lane of compilations. A sandbox has two, so that an upload never holds up a request that needs a module loaded.
pub(crate) struct Compiler {
    works: Arc<Works>,
    /// Detached: the end of the process need not wait for a compilation.
    worker: Workers,
    /// What was compiled lately, for whoever asks again after having waited in vain.
    compiled: Arc<std::sync::Mutex<Cache<PolicyPre<Limiter>>>>,
    turn: Arc<Mutex<()>>,
    queue: Arc<Semaphore>,
    compile_ms: u64,
}

/// How bytes become code.
struct Works {
    engine: Engine,
    place: CompilerPlace,
    disk: Option<Arc<Disk>>,
    module_bytes: usize,
    patience: Duration,
}

impl Works {
    fn compiled(&self, digest: Digest, bytes: &[u8]) -> Result<PolicyPre<Limiter>, Uncompiled> {
        let kept = self.disk.as_deref().and_then(|disk| disk.get(digest));
        if let Some(component) = kept.and_then(|file| loaded(&self.engine, Code::File(&file))) {
            return Ok(fit(&self.engine, &component)?);
        }
        let CompilerPlace::Process(compiling) = &self.place else {
            return Ok(compile(&self.engine, bytes, self.module_bytes)?);
        };
        check_len(bytes, self.module_bytes)?;
        let code = process::precompile(compiling, bytes, self.patience)?;
        let file = self.disk.as_deref().and_then(|disk| disk.put(digest, &code));
        let component = loaded(&self.engine, file.as_deref().map_or(Code::Bytes(&code), Code::File));
        let none = || Uncompiled::Unable("the compiler made no code; tell the operator of the server".to_owned());
        Ok(fit(&self.engine, &component.ok_or_else(none)?)?)
    }
}

/// Machine code that this server's own compiler made.
#[derive(Clone, Copy)]
enum Code<'a> {
    /// Read from its process.
    Bytes(&'a [u8]),
    /// Written by this call, or by this server earlier, which its MAC has just shown.
    File(&'a Path),
}

/// Makes code runnable. A file is mapped, not read.
#[expect(unsafe_code, reason = "machine code is what it is; that it is the server's own is shown before it comes here")]
fn loaded(engine: &Engine, code: Code<'_>) -> Option<Component> {
    // SAFETY: the bytes come from the process that this server started to compile them, or from a file that holds just these: written by
    // this call, or shown by its MAC, under a key that nobody else has, to be what a server of ours wrote. While it is mapped nobody changes
    // it: a file gets its name when it is whole, is never written again (`Disk::write` makes each a new one), and lies in a folder in which
    // only the server's own user may write. Uploads never come here.
    let component = unsafe {
        match code {
            Code::Bytes(bytes) => Component::deserialize(engine, bytes),
            Code::File(file) => Component::deserialize_file(engine, file),
        }
    };
    component.inspect_err(|error| tracing::warn!(%error, "compiled code can not be loaded")).ok()
}

/// Leave to compile, until it is dropped. INVARIANT: a compilation that has been sent for has a share of it, so that whoever goes away leaves
/// no line behind in which nobody counts.
#[derive(Clone)]
pub(crate) struct Turn {
    _turn: Arc<OwnedMutexGuard<()>>,
    _waiting: Arc<OwnedSemaphorePermit>,
}

impl Compiler {
    /// Starts a lane that at most `queue` modules may stand in.
    pub(crate) fn start(name: &str, engine: &Engine, config: &SandboxConfig, disk: Option<Arc<Disk>>, queue: usize) -> io::Result<Self> {
        let works = Works {
            engine: engine.clone(),
            place: config.compiler.clone(),
            disk,
            module_bytes: config.module_bytes,
            patience: Duration::from_millis(config.compile_ms),
        };
        Ok(Self {
            works: Arc::new(works),
            worker: Workers::start(name, 1, limits::COMPILER_THREAD_STACK_BYTES)?.detached(),
            compiled: Arc::new(std::sync::Mutex::new(Cache::new(limits::COMPILED))),
            turn: Arc::default(),
            queue: Arc::new(Semaphore::new(queue)),
            compile_ms: config.compile_ms,
        })
    }

    /// Waits in the lane, or says that it is too long.
    pub(crate) async fn turn(&self) -> Result<Turn, String> {
        let crowded = || "too many modules wait for the compiler; try again in a minute".to_owned();
        let waiting = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| crowded())?;
        let turn = timeout(self.patience(), Arc::clone(&self.turn).lock_owned()).await.map_err(|_| crowded())?;
        Ok(Turn { _turn: Arc::new(turn), _waiting: Arc::new(waiting) })
    }

    /// Compiles the bytes of that digest. What has begun runs to its end even when nobody waits any longer: then the next turn begins
    /// after it, and one for the same bytes ends with it.
    pub(crate) async fn compile(&self, turn: &Turn, digest: Digest, bytes: Arc<[u8]>) -> Result<PolicyPre<Limiter>, Uncompiled> {
        let (works, cache, turn) = (Arc::clone(&self.works), Arc::clone(&self.compiled), turn.clone());
        let compiled = self.worker.run(move || {
            let _turn = turn;
            let known = cache.lock().unwrap_or_else(PoisonError::into_inner).get(digest);
            if let Some(compiled) = known {
                return Ok(compiled);
            }
            let compiled = works.compiled(digest, &bytes)?;
            cache.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, compiled.clone());
            Ok(compiled)
        });
        match timeout(self.patience(), compiled).await {
            Ok(Ok(compiled)) => compiled,
            Ok(Err(Lost)) => Err(vec!["the compiler failed on the module; build it with another version of its tools".to_owned()].into()),
            Err(_) => Err(Uncompiled::Late(format!("compiling takes longer than {} ms; make the module smaller", self.compile_ms))),
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
        let compiler = Compiler::start("test", &Engine::default(), &config, None, 2).unwrap();
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
        let compiler = Compiler::start("test", &Engine::default(), &config, None, 1).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        compiler.worker.send(move || held.recv().unwrap_or_default());
        let turn = compiler.turn().await.unwrap();
        let late = compiler.compile(&turn, Digest([0; 32]), Arc::from([])).await.err().unwrap();
        assert_eq!(late.reasons(), ["compiling takes longer than 20 ms; make the module smaller"]);
        drop(turn);
        assert!(compiler.turn().await.is_err(), "what was sent for has its turn, although nobody waits for it");
        drop(release);
        compiler.worker.run(|| ()).await.unwrap();
        assert!(compiler.turn().await.is_ok());
    }
}
