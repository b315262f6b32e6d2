//! Every bound of the sandbox, units in the names. What an upload may weigh and how many rows a call takes are the domain's:
//! [`directory::limits`].

/// Guests that may exist at once; each holds one place of the pool.
pub const INSTANCES: u32 = 100;
/// Core instances that one component may be made of. A Python guest holds about 38.
pub const CORE_INSTANCES_PER_GUEST: u32 = 64;
/// Linear memories of one component.
pub const MEMORIES_PER_GUEST: u32 = 2;
/// Tables of one component.
pub const TABLES_PER_GUEST: u32 = 16;
/// Elements of one table.
pub const TABLE_ELEMENTS: usize = 20_000;
/// Bytes of linear memory of one guest, all memories together.
pub const MEMORY_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a memory that are wiped by hand between guests rather than handed back to the kernel, which costs more.
pub const MEMORY_RESIDENT_BYTES: usize = 256 * 1024;
/// The same for tables.
pub const TABLE_RESIDENT_BYTES: usize = 64 * 1024;
/// Bytes of the engine's bookkeeping for one guest.
pub const INSTANCE_METADATA_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of stack that a guest may use.
pub const STACK_BYTES: usize = 512 * 1024;
/// Bytes of stack of a thread that runs guests: theirs, and the host's own frames around them.
pub const GUEST_THREAD_STACK_BYTES: usize = 2 * 1024 * 1024;
/// Times that an idle thread lets others go first before it goes to sleep: some 50 microseconds.
pub const WORKER_YIELDS: usize = 200;
/// Bytes of stack of the thread that compiles.
pub const COMPILER_THREAD_STACK_BYTES: usize = 16 * 1024 * 1024;

/// Fuel that every call gets.
pub const CALL_FUEL: u64 = 100_000_000;
/// Further fuel for each row.
pub const ROW_FUEL: u64 = 200_000;
/// Further fuel for each KiB of context.
pub const CONTEXT_KIB_FUEL: u64 = 20_000;
/// Fuel that one call gets at most.
pub const CALL_FUEL_MAX: u64 = 4_000_000_000;
/// Fuel that all calls of one session get together.
pub const SESSION_FUEL: u64 = 6_000_000_000;
/// Fuel that growing a memory or a table costs: each is a call into the kernel.
pub const GROW_FUEL: u8 = 255;

/// Fuel that all calls get together which an upload is tried with.
pub const UPLOAD_FUEL: u64 = 20_000_000_000;

/// Guests that one workspace may have at once.
pub const SHARE_GUESTS: usize = 25;
/// Fuel that one workspace may use in a second, in the long run: some half of a core.
pub const SHARE_FUEL_A_SECOND: u64 = 1_000_000_000;
/// Workspaces whose shares are kept, beside those that are at work or owe fuel.
pub const SHARES: usize = 10_000;
/// Threads for what is no part of a request: one upload is tried at a time, and modules describe themselves beside it.
pub const ASIDE_THREADS: usize = 2;
/// How much the threads of low priority stand back: the kernel gives a thread of the others ten times as much.
pub const LOW_PRIORITY: i32 = 10;

/// Milliseconds that a call waits for a place in the pool, and for each part of its workspace's share.
pub const WAIT_MS: u64 = 2_000;
/// Milliseconds after which nobody waits any longer for a module to be compiled.
pub const COMPILE_MS: u64 = 120_000;
/// Seconds of processor time that compiling one module may take.
pub const COMPILE_CPU_SECONDS: u64 = 90;
/// Bytes of address space that compiling one module may take.
pub const COMPILE_ADDRESS_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of machine code of one module; those of a Python guest are about 60 MiB.
pub const CODE_BYTES: usize = 512 * 1024 * 1024;
/// Times that an upload waits longer for a place in the pool than a request does.
pub const UPLOAD_PATIENCE: u64 = 15;
/// Uploads that stand in the compiler's lane; more are turned away.
pub const UPLOAD_QUEUE: usize = 16;
/// Loads that stand in theirs: requests of a server that has just started.
pub const LOAD_QUEUE: usize = 1_024;
/// Modules that a lane has compiled and perhaps nobody waited for.
pub const COMPILED: usize = 8;
/// Compiled modules that are kept.
pub const MODULES: usize = 256;

/// Bytes of one function's body in an upload: what compiles takes grows faster than the function.
pub const FUNCTION_BYTES: usize = 1024 * 1024;
/// Levels of components within components in an upload.
pub const NESTED_COMPONENTS: usize = 4;

/// Bytes of one answer, beside its rows.
pub const ANSWER_BYTES: usize = 256 * 1024;
/// Further bytes of an answer for each row.
pub const ANSWER_ROW_BYTES: usize = 4;
/// Distinct verdicts in one answer.
pub const VERDICTS: usize = 256;
/// Clauses of one row filter.
pub const CLAUSES: usize = 64;
/// Terms of one clause.
pub const TERMS: usize = 16;
/// Values of one test.
pub const TEST_VALUES: usize = 1_024;
/// Entries of any other list of names in an answer: withheld, searchable, needs, decides, fields.
pub const NAMES: usize = 256;
/// Notes of one answer.
pub const NOTES: usize = 32;
/// Errors that a module may report about its settings.
pub const SETTINGS_ERRORS: usize = 100;
/// Bytes of a name in an answer.
pub const NAME_BYTES: usize = 256;
/// Bytes of a text in an answer: reasons, summaries, values.
pub const TEXT_BYTES: usize = 4 * 1024;

/// Fuel of a call of WASI that is answered, about what it takes.
pub const WASI_CALL_FUEL: u64 = 1_000;
/// Fuel of a handle of WASI.
pub const WASI_HANDLE_FUEL: u64 = 100_000;
/// Random bytes that one call of WASI gives.
pub const RANDOM_BYTES: u64 = 64 * 1024;
/// Bytes of a guest's output in one call that reach the log.
pub const OUTPUT_BYTES: usize = 4 * 1024;

/// Imports that a refusal names.
pub const NAMED_IMPORTS: usize = 64;
/// Bytes of a guest's own words that the host repeats in an error.
pub const QUOTED_BYTES: usize = 200;
