//! One instance of a module in a store of its own, and what its failures are called.

use directory::contract::Failure;
pub(crate) use directory::text::shortened;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{ResourceLimiter, Store, Trap, WasmBacktrace};

use crate::{
    bindings::{Decide, Policy, PolicyPre},
    limits,
    wasi::{Refused, Wasi},
};

/// A guest with a store of its own. Dropping it frees its place in the pool.
pub(crate) struct Guest {
    store: Store<Limiter>,
    module: PolicyPre<Limiter>,
    /// The instance, from the first call on.
    policy: Option<Policy>,
    // After the store, so that the place is free before somebody else is let in.
    _places: Places,
}

/// A guest's place in the pool, and among those of its workspace. They are free when they are dropped.
pub(crate) struct Places {
    pub(crate) _pool: OwnedSemaphorePermit,
    pub(crate) _share: Option<OwnedSemaphorePermit>,
}

/// What one call may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    /// Units of fuel.
    pub(crate) fuel: u64,
    /// Bytes that the answer may take in the host.
    pub(crate) answer_bytes: usize,
}

impl Guest {
    /// A guest that is instantiated by its first call, on that call's fuel.
    pub(crate) fn new(module: PolicyPre<Limiter>, memory_bytes: usize, places: Places) -> Self {
        let mut store = Store::new(module.engine(), Limiter { memory_bytes, wasi: Wasi::default() });
        store.limiter(|limiter| limiter);
        Self { store, module, policy: None, _places: places }
    }

    /// Runs one call of the contract's interface. After a failure the guest is fit for nothing but dropping.
    pub(crate) fn call<Answer>(
        &mut self,
        allowance: Allowance,
        call: impl FnOnce(&Decide, &mut Store<Limiter>) -> wasmtime::Result<Answer>,
    ) -> Result<Answer, Failure> {
        self.store.set_hostcall_fuel(allowance.answer_bytes);
        let unloadable = |error: &wasmtime::Error| Failure::Unloadable(cause(error));
        self.store.set_fuel(allowance.fuel).map_err(|error| unloadable(&error))?;
        let policy = match self.policy.take() {
            Some(policy) => policy,
            None => self
                .module
                .instantiate(&mut self.store)
                .map_err(|error| trapped(&error, allowance).unwrap_or_else(|| unloadable(&error)))?,
        };
        let answer = call(policy.bailiwick_policy_decide(), &mut self.store).map_err(|error| {
            let unreadable = || format!("it cannot be read within {} bytes: {}", allowance.answer_bytes, cause(&error));
            trapped(&error, allowance).unwrap_or_else(|| Failure::Malformed(unreadable()))
        })?;
        self.policy = Some(policy);
        Ok(answer)
    }

    /// What the calls since the last time wrote to standard output and error.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.store.data_mut().wasi.output)
    }

    /// What the last call left of its fuel.
    pub(crate) fn fuel_left(&self) -> u64 {
        self.store.get_fuel().unwrap_or_default()
    }
}

/// What the host keeps of a guest: holds all its memories together below their limit.
pub(crate) struct Limiter {
    /// What may still be taken.
    memory_bytes: usize,
    /// For the calls of WASI that are answered.
    pub(crate) wasi: Wasi,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        match self.memory_bytes.checked_sub(desired.saturating_sub(current)) {
            Some(left) => self.memory_bytes = left,
            None => return Ok(false),
        }
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= limits::TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        limits::CORE_INSTANCES_PER_GUEST as usize
    }

    fn tables(&self) -> usize {
        limits::TABLES_PER_GUEST as usize
    }

    fn memories(&self) -> usize {
        limits::MEMORIES_PER_GUEST as usize
    }
}

/// The failure, if it was the guest's code that failed.
fn trapped(error: &wasmtime::Error, allowance: Allowance) -> Option<Failure> {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return Some(Failure::Trap(refused.to_string()));
    }
    match error.downcast_ref::<Trap>()? {
        Trap::OutOfFuel => Some(Failure::Fuel(allowance.fuel)),
        trap => {
            let trap = trap.to_string();
            let what = trap.strip_prefix("wasm trap: ").unwrap_or(&trap);
            Some(Failure::Trap(format!("{what}{}", place(error))))
        }
    }
}

/// Where a trap happened: the innermost function that has a name.
fn place(error: &wasmtime::Error) -> String {
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames).unwrap_or_default();
    let name = frames.iter().find_map(|frame| frame.func_name());
    name.map(|name| format!(" in `{}`", quoted(name))).unwrap_or_default()
}

/// What went wrong at the bottom, without the runtime's account of how it got there.
pub(crate) fn cause(error: &wasmtime::Error) -> String {
    quoted(&error.root_cause().to_string())
}

/// A guest's own words on one line, cut to a length that fits a log.
pub(crate) fn quoted(text: &str) -> String {
    shortened(text, limits::QUOTED_BYTES)
}
