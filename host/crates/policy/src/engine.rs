//! The one engine configuration of the process.

use std::thread;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig, Strategy, WasmFeatures};

use directory::contract::Digest;

use crate::{
    disk::CodeFolder,
    fuel::FuelBudget,
    limits,
    process::Compiling,
    share::{ShareLimits, Stopwatch},
};

/// What a sandbox may use. Every default is in [`crate::limits`].
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Threads that run guests; as many again stand back for them, and run what takes much.
    pub threads: usize,
    /// Guests that may exist at once.
    pub instances: u32,
    /// Bytes of linear memory of one guest, a multiple of 64 KiB.
    pub memory_bytes: usize,
    /// Bytes of an upload.
    pub module_bytes: usize,
    /// Compiled modules that are kept.
    pub modules: usize,
    /// The work that a call may do.
    pub fuel: FuelBudget,
    /// Milliseconds that a call waits for a place in the pool, and for each part of its workspace's share.
    pub wait_ms: u64,
    /// What one workspace may take.
    pub share: ShareLimits,
    /// Tells how fast a share comes in again.
    pub stopwatch: Stopwatch,
    /// The server's own modules, which no share bounds.
    pub own: Vec<Digest>,
    /// Milliseconds after which nobody waits any longer for a module to be compiled.
    pub compile_ms: u64,
    /// Where modules are compiled.
    pub compiler: CompilerPlace,
    /// Where compiled code outlives the process.
    pub code: Option<CodeFolder>,
}

/// Where modules are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompilerPlace {
    /// On a thread of this process, which can be neither stopped nor bounded in memory: for tools, and for modules that are trusted.
    Here,
    /// In a process of its own.
    Process(Compiling),
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().map_or(1, usize::from),
            instances: limits::INSTANCES,
            memory_bytes: limits::MEMORY_BYTES,
            module_bytes: directory::limits::MODULE_BYTES,
            modules: limits::MODULES,
            fuel: FuelBudget::default(),
            wait_ms: limits::WAIT_MS,
            share: ShareLimits::default(),
            stopwatch: Stopwatch::default(),
            own: Vec::new(),
            compile_ms: limits::COMPILE_MS,
            compiler: CompilerPlace::Here,
            code: None,
        }
    }
}

/// Builds the engine.
///
/// INVARIANT: the pool's totals are the maxima of one guest times `instances`, so whoever holds one of `instances` places never
/// finds the pool empty.
pub(crate) fn engine(sandbox: &SandboxConfig) -> wasmtime::Result<Engine> {
    Engine::new(configured(sandbox).allocation_strategy(InstanceAllocationStrategy::Pooling(pool(sandbox))))
}

/// Builds an engine that only compiles, and so reserves nothing. Its code is the other's.
pub(crate) fn compiling_engine(sandbox: &SandboxConfig) -> wasmtime::Result<Engine> {
    Engine::new(configured(sandbox).allocation_strategy(InstanceAllocationStrategy::OnDemand))
}

/// Everything that machine code depends on.
fn configured(sandbox: &SandboxConfig) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .memory_init_cow(true)
        // No more address space than a memory may fill: 20 GB for the pool instead of 850. It costs bounds checks, about 15% of a
        // large page of rows, and starts in containers that limit address space.
        .memory_reservation(sandbox.memory_bytes as u64)
        .max_wasm_stack(limits::STACK_BYTES)
        // One upload never takes more than the one thread that compiles.
        .parallel_compilation(false)
        .consume_fuel(true)
        .operator_cost(operator_cost())
        .epoch_interruption(false)
        .concurrency_support(false)
        // The same facts always give the same answer, on any machine.
        .cranelift_nan_canonicalization(true)
        .wasm_features(forbidden(), false);
    config
}

fn pool(sandbox: &SandboxConfig) -> PoolingAllocationConfig {
    let guests = sandbox.instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(guests)
        .total_core_instances(guests.saturating_mul(limits::CORE_INSTANCES_PER_GUEST))
        .total_memories(guests.saturating_mul(limits::MEMORIES_PER_GUEST))
        .total_tables(guests.saturating_mul(limits::TABLES_PER_GUEST))
        .max_core_instances_per_component(limits::CORE_INSTANCES_PER_GUEST)
        .max_memories_per_component(limits::MEMORIES_PER_GUEST)
        .max_tables_per_component(limits::TABLES_PER_GUEST)
        .max_memories_per_module(limits::MEMORIES_PER_GUEST)
        .max_tables_per_module(limits::TABLES_PER_GUEST)
        .max_component_instance_size(limits::INSTANCE_METADATA_BYTES)
        .max_memory_size(sandbox.memory_bytes)
        .table_elements(limits::TABLE_ELEMENTS)
        .linear_memory_keep_resident(limits::MEMORY_RESIDENT_BYTES)
        .table_keep_resident(limits::TABLE_RESIDENT_BYTES)
        // Wipes only the pages that a guest wrote to, where the kernel can tell which.
        .pagemap_scan(Enabled::Auto);
    pool
}

/// The engine's own costs, but growing is a call into the kernel and not an instruction.
fn operator_cost() -> OperatorCost {
    let mut cost = OperatorCost::new();
    cost.MemoryGrow = limits::GROW_FUEL;
    cost.TableGrow = limits::GROW_FUEL;
    cost.variable.memory_grow_per_page = limits::GROW_FUEL;
    cost
}

/// What a policy has no use for: waiting, sharing, addresses that the pool does not reserve, and answers that differ by machine.
fn forbidden() -> WasmFeatures {
    WasmFeatures::THREADS
        | WasmFeatures::SHARED_EVERYTHING_THREADS
        | WasmFeatures::MEMORY64
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::STACK_SWITCHING
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::CM_ASYNC
        | WasmFeatures::CM_THREADING
}
