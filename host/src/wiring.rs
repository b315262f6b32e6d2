//! Puts the server together. The only module that names the crates `storage` and `policy`: everything else knows their ports.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use directory::{
    Error,
    access::{Gate, LogSettings, ShadowRules, WatchRules},
    contract::{Digest, Engine, Module},
    limits::GATE_VIEWS,
    store::Store,
};
use sha2::{Digest as _, Sha256};

use crate::{
    app::App,
    clock::Clock,
    config::{Config, Policy},
    graphql,
    ids::Ids,
    secret::{Purpose, Secret},
    trials::Runner,
};

/// The policy that every workspace starts with.
static STANDARD: LazyLock<Module> = LazyLock::new(|| module(include_bytes!("../../policy-wasm/dist/standard.wasm")));
/// The example of another kind.
static NEED_TO_KNOW: LazyLock<Module> = LazyLock::new(|| module(include_bytes!("../../policy-wasm/dist/need-to-know.wasm")));

/// Connections that read a database which is not kept: one request at a time.
const SCRATCH_CONNECTIONS: u32 = 2;
/// Bytes in a MiB.
const MIB: u64 = 1024 * 1024;

/// The policy that every workspace starts with.
#[must_use]
pub fn standard() -> Module {
    STANDARD.clone()
}

/// The policy of the sample workspace `globex`.
#[must_use]
pub fn need_to_know() -> Module {
    NEED_TO_KNOW.clone()
}

/// An open database, whichever it is.
pub struct Database {
    database: storage::Database,
    store: Arc<dyn Store>,
}

impl Database {
    /// Opens the configured database, whatever the state of its schema; makes the folder of an embedded one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a URL of another kind; [`Error::Store`] if nothing answers there.
    pub async fn open(config: &Config) -> Result<Self, Error> {
        Self::opened(config, true).await
    }

    /// The same, but nothing is made: whoever mistypes a name is not to be given an empty database.
    ///
    /// # Errors
    /// Those of the store, also where there is no database of that name.
    pub async fn open_existing(config: &Config) -> Result<Self, Error> {
        Self::opened(config, false).await
    }

    async fn opened(config: &Config, make: bool) -> Result<Self, Error> {
        if make && config.database.is_none() {
            let made = std::fs::create_dir_all(&config.data);
            made.map_err(|error| Error::Invalid(format!("the data folder `{}` can not be made: {error}", config.data.display())))?;
        }
        let options = storage::Options {
            connections: config.limits.database_connections,
            statement_time: Duration::from_millis(config.limits.statement_ms),
            defer_above: config.limits.move_rows.into(),
            make,
        };
        let database = storage::Database::open(&config.database_url(), options).await?;
        Ok(Self { store: Arc::new(database.clone()), database })
    }

    /// Makes an embedded database in a folder of its own, on today's schema, for what is not kept.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn scratch(folder: &Path) -> Result<Self, Error> {
        let options = storage::Options { connections: SCRATCH_CONNECTIONS, ..storage::Options::default() };
        let database = storage::Database::open(&format!("sqlite:{}", folder.join("scratch.db").display()), options).await?;
        database.migrate().await?;
        Ok(Self { store: Arc::new(database.clone()), database })
    }

    /// The directory's port to it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// The names of the migrations that [`Database::migrate`] would run, in order.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, Error> {
        self.database.pending_migrations().await
    }

    /// Brings the schema up to date.
    ///
    /// # Errors
    /// [`Error::Refused`] if a newer server has changed the schema; those of the store.
    pub async fn migrate(&self) -> Result<(), Error> {
        self.database.migrate().await?;
        self.keep_standard().await
    }

    /// Keeps the `standard` of this server for the policy versions that rest on it; for a server that starts on today's schema.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keep_standard(&self) -> Result<(), Error> {
        self.database.keep_standard(&STANDARD).await
    }

    /// Writes a consistent copy of an embedded database to a new file.
    ///
    /// # Errors
    /// [`Error::Refused`] if the file exists or the database is a server; those of the store.
    pub async fn backup(&self, file: &Path) -> Result<(), Error> {
        self.database.backup(file).await
    }

    /// Waits until every connection is back, and closes them.
    pub async fn close(self) {
        self.database.close().await;
    }
}

/// The gate before a database, with a sandbox as configured, in which policy tests are tried, too. Reserves address space and starts threads: one a process.
///
/// With the server's secret, compiled code is kept in the data folder.
///
/// # Errors
/// [`Error::Store`] says what the system refuses.
pub fn gate(config: &Config, database: &Database, secret: Option<&Secret>) -> Result<Arc<Gate>, Error> {
    let share = policy::ShareLimits {
        guests: config.policy.workspace_guests,
        calls: config.policy.workspace_calls,
        fuel_a_second: config.policy.workspace_fuel,
    };
    let sandbox: Arc<dyn Engine> = Arc::new(sandbox(config, secret, share)?);
    let trials = Arc::new(Runner::new(sandbox.clone()));
    // So that a caller is told, and an administrator can break the glass, before the request's own time is over.
    let patience = Duration::from_millis(config.limits.request_ms / 2);
    let gate = Gate::new(database.store(), sandbox, standard()).with_patience(patience).with_log(log_settings(config));
    let gate = with_shadows(gate, config).with_gate_views(gate_views(config)).with_long_views(long_views(config));
    Ok(Arc::new(gate.with_watch(watch(config), Box::new(Ids::random(Clock::system()))).with_trials(trials)))
}

/// How many views the gates before activations may have beside those of their requests: a quarter of the connections, none where a
/// workspace has too few guests for more than one view.
#[must_use]
pub fn gate_views(config: &Config) -> usize {
    let views = usize::try_from(config.limits.database_connections / 4).unwrap_or_default();
    if config.policy.workspace_guests > GATE_VIEWS { views } else { 0 }
}

/// How many requests that take long may hold a view of the database at once: half of the connections.
#[must_use]
pub fn long_views(config: &Config) -> usize {
    usize::try_from(config.limits.database_connections / 2).unwrap_or(usize::MAX).max(1)
}

/// The sandbox of the gate by itself, for tools that look at modules on somebody's own machine. Keeps no code on disk, and has no
/// workspaces that could take from each other.
///
/// # Errors
/// As [`gate`].
pub fn engine(config: &Config) -> Result<Arc<dyn Engine>, Error> {
    Ok(Arc::new(sandbox(config, None, policy::ShareLimits::UNBOUNDED)?))
}

fn sandbox(config: &Config, secret: Option<&Secret>, share: policy::ShareLimits) -> Result<policy::Sandbox, Error> {
    let defaults = policy::SandboxConfig::default();
    let memory = usize::try_from(config.policy.memory_mib.saturating_mul(MIB)).unwrap_or(usize::MAX);
    let sandbox = policy::SandboxConfig {
        threads: if config.policy.threads == 0 { defaults.threads } else { config.policy.threads },
        memory_bytes: memory,
        wait_ms: config.policy.wait_ms,
        share,
        own: vec![STANDARD.digest],
        compiler: policy::CompilerPlace::Process(compiling(config, memory, defaults.module_bytes)),
        code: secret.filter(|_| config.policy.code_mib > 0).map(|secret| policy::CodeFolder {
            folder: config.data.join(CODE_FOLDER),
            key: secret.key(Purpose::CompiledCode),
            bytes: config.policy.code_mib.saturating_mul(MIB),
        }),
        ..defaults
    };
    policy::Sandbox::new(&sandbox).map_err(|error| Error::Store(error.to_string()))
}

/// The same gate with candidates beside the active policies, as configured.
#[must_use]
pub fn with_shadows(gate: Gate, config: &Config) -> Gate {
    match config.policy.shadow_fuel {
        0 => gate,
        fuel_a_second => gate.with_shadows(ShadowRules { fuel_a_second }),
    }
}

/// How much of what policies decide is recorded.
#[must_use]
pub const fn log_settings(config: &Config) -> LogSettings {
    LogSettings { sample: config.policy.log_sample, keep: config.policy.log_entries }
}

/// When a version that was activated a short time ago is left.
#[must_use]
pub const fn watch(config: &Config) -> WatchRules {
    let Policy { watch_minutes, watch_failures, watch_percent, .. } = &config.policy;
    WatchRules { minutes: *watch_minutes, failures: *watch_failures, percent: *watch_percent }
}

/// The folder of compiled code in the data folder.
const CODE_FOLDER: &str = "code";

/// This program, or the configured one, with its bounds.
fn compiling(config: &Config, memory_bytes: usize, module_bytes: usize) -> policy::Compiling {
    // The program that runs, also after another one was installed in its place.
    let own = || if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() };
    policy::Compiling {
        program: config.policy.compiler.clone().or_else(|| own().ok()).unwrap_or_else(|| "bailiwick".into()),
        arguments: vec!["compile-module".into()],
        bounds: CompilingBounds {
            cpu_seconds: config.policy.compile_seconds,
            address_bytes: config.policy.compile_memory_mib.saturating_mul(MIB),
            module_bytes,
            memory_bytes,
        },
    }
}

pub use policy::{CompilingBounds, Sample, compile_module, is_core_module, limits::ROW_FUEL, samples};

/// What the server's handlers share.
#[must_use]
pub fn app(config: Config, gate: Arc<Gate>, secret: &Secret, clock: Clock) -> App {
    let cursors = graphql::Cursors::new(&secret.key(Purpose::Cursors));
    App { gate, schema: graphql::schema(), clock, config, cursors, demo: None }
}

fn module(bytes: &'static [u8]) -> Module {
    Module { digest: Digest(Sha256::digest(bytes).into()), bytes: Arc::from(bytes) }
}
