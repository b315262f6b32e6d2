//! Configuration: a file, the environment, the command line; an unknown key refuses to start.
//!
//! To add a setting: its field here, and its line with default and reason in `config.default.toml`.

mod layers;

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

pub use layers::{Error, Layers, Setting};

/// Every setting. `config.default.toml` says what each is for and why its default is what it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where the server keeps what is its own: the embedded database, the secret.
    pub data: PathBuf,
    /// `sqlite:PATH` or `postgres://...`; by default `bailiwick.db` in `data`.
    pub database: Option<String>,
    /// `production` or `development`.
    pub mode: Mode,
    /// How logs are written.
    pub log: Log,
    /// Bounds on requests.
    pub limits: Limits,
    /// The sandbox.
    pub policy: Policy,
}

impl Config {
    /// The effective configuration.
    ///
    /// # Errors
    /// [`Error`] names the key, where it stands and what to write instead.
    pub fn load(layers: &Layers) -> Result<Self, Error> {
        layers.extract()
    }

    /// The URL of the database: the configured one, or that of the embedded database in [`Config::data`].
    #[must_use]
    pub fn database_url(&self) -> String {
        self.database.clone().unwrap_or_else(|| format!("sqlite:{}", self.data.join("bailiwick.db").display()))
    }

    /// The same for messages: a URL may have a password in it.
    #[must_use]
    pub fn shown_database(&self) -> String {
        let url = layers::without_password(&self.database_url());
        url.strip_prefix("sqlite:").map(str::to_owned).unwrap_or(url)
    }
}

/// How much the server tells strangers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Introspection and suggestions for callers with a token only; no GraphiQL.
    Production,
    /// Everything for everybody, GraphiQL at `/`.
    Development,
}

/// How logs are written, always to standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// A filter such as `info,policy=debug`.
    pub filter: String,
    /// One JSON object a line, or text.
    pub format: LogFormat,
}

/// See [`Log::format`].
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Bounds on requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Milliseconds that one request may take.
    #[serde(deserialize_with = "positive")]
    pub request_ms: u64,
    /// Milliseconds that a mutation may take: the largest write more rows than any request reads.
    #[serde(deserialize_with = "positive")]
    pub mutation_ms: u64,
    /// Milliseconds that one statement of a request may take in the database.
    #[serde(deserialize_with = "positive")]
    pub statement_ms: u64,
    /// Rows of effective memberships that the move of a group may change before it is answered.
    pub move_rows: u32,
    /// Milliseconds in which a client must have sent its headers and body.
    #[serde(deserialize_with = "positive")]
    pub read_ms: u64,
    /// Milliseconds that running requests are given at shutdown.
    pub shutdown_ms: u64,
    /// Connections at once.
    #[serde(deserialize_with = "positive")]
    pub connections: usize,
    /// Connections to the database.
    #[serde(deserialize_with = "positive")]
    pub database_connections: u32,
}

/// The sandbox.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Threads that run guests; 0 for as many as there are cores.
    pub threads: usize,
    /// MiB of memory that one guest may use.
    #[serde(deserialize_with = "positive")]
    pub memory_mib: u64,
    /// Milliseconds that a call waits for a sandbox.
    pub wait_ms: u64,
    /// Guests that one workspace may have at once.
    #[serde(deserialize_with = "positive")]
    pub workspace_guests: usize,
    /// Calls that one workspace may run at once; 0 for half of the threads, one at least.
    pub workspace_calls: usize,
    /// Units of fuel that one workspace may use in a second.
    #[serde(deserialize_with = "positive")]
    pub workspace_fuel: u64,
    /// The program that compiles modules; by default this one.
    pub compiler: Option<PathBuf>,
    /// Seconds of processor time that compiling one module may take.
    #[serde(deserialize_with = "positive")]
    pub compile_seconds: u64,
    /// MiB of address space that compiling one module may take.
    #[serde(deserialize_with = "positive")]
    pub compile_memory_mib: u64,
    /// MiB of compiled code that are kept on disk; 0 keeps none.
    pub code_mib: u64,
    /// Of so many decisions about reads one is recorded; 0 for none.
    pub log_sample: u64,
    /// Entries that the decision log of a workspace keeps.
    #[serde(deserialize_with = "positive")]
    pub log_entries: u64,
    /// Units of fuel that a workspace's shadow may use in a second; 0 keeps none.
    pub shadow_fuel: u64,
    /// Minutes after an activation in which a version that fails is left; 0 leaves none.
    pub watch_minutes: u32,
    /// Failures that it takes, at least.
    #[serde(deserialize_with = "positive")]
    pub watch_failures: u64,
    /// Calls of a hundred that may fail.
    #[serde(deserialize_with = "percentage")]
    pub watch_percent: u64,
}

/// A number from 0 to 99: more than all can not fail.
fn percentage<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        percent @ 0..100 => Ok(percent),
        _ => Err(serde::de::Error::custom("it must be at most 99")),
    }
}

/// A number that is not 0: there is no time, and no connection, in which nothing can be done.
fn positive<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Default + PartialEq>(deserializer: D) -> Result<T, D::Error> {
    let number = T::deserialize(deserializer)?;
    if number == T::default() {
        return Err(serde::de::Error::custom("it must be at least 1"));
    }
    Ok(number)
}
