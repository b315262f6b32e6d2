//! The policy contract in plain Rust: what a policy is shown and what it answers, and the port through which it is asked.
//!
//! These types mirror `wit/policy.wit` one to one, so that this crate needs no WebAssembly. They must never carry a name, an id
//! or a value that the register ([`crate::register`]) does not describe. To add a fact, add a column or a fact name to the
//! register and fill it in `access::facts`; the records here never change.

use async_trait::async_trait;

use crate::ids::WorkspaceId;

/// "Unassigned" in a [`Column`], and "the whole workspace" in [`Held::within`].
pub const UNASSIGNED: u32 = u32::MAX;
/// "Unassigned" in a [`NumberColumn`].
pub const UNASSIGNED_NUMBER: i64 = i64::MIN;

/// One fact about each row, as integers.
///
/// With `ends` empty there is exactly one item a row. Otherwise the column is ragged: row `i` owns `items[ends[i-1]..ends[i]]`.
/// With `dictionary` not empty the items are positions in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// The register's name of the column.
    pub name: String,
    /// The distinct texts that `items` point into; folded.
    pub dictionary: Vec<String>,
    /// Where each row's items end, for ragged columns.
    pub ends: Vec<u32>,
    /// Flags (0 and 1), positions, or small numbers; [`UNASSIGNED`] for none.
    pub items: Vec<u32>,
}

/// One 64-bit fact about each row: an instant in milliseconds since 1970, or an integer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberColumn {
    /// The register's name of the column.
    pub name: String,
    /// As in [`Column::ends`].
    pub ends: Vec<u32>,
    /// Values; [`UNASSIGNED_NUMBER`] for none.
    pub items: Vec<i64>,
}

/// Rows of one kind, as columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The register's name of the kind.
    pub kind: String,
    /// How many rows.
    pub len: u32,
    /// Columns of 32-bit items.
    pub columns: Vec<Column>,
    /// Columns of 64-bit items.
    pub numbers: Vec<NumberColumn>,
}

/// A named text; names may repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// The fact's name.
    pub name: String,
    /// Its value, folded where the register says so.
    pub value: String,
}

/// A grant that the subject holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Position in [`Context::roles`].
    pub role: u32,
    /// Position in [`Context::groups`], or [`UNASSIGNED`] for the whole workspace.
    pub within: u32,
}

/// Who asks, as the policy sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectView {
    /// `user`, `service` or `scim`.
    pub kind: String,
    /// Direct memberships, as positions in [`Context::groups`].
    pub groups: Vec<u32>,
    /// Groups of which the subject is a manager.
    pub manages: Vec<u32>,
    /// Grants that the subject holds.
    pub grants: Vec<Held>,
    /// Permissions of its workspace-wide grants, already cut down to the token's scopes.
    pub permissions: Vec<String>,
    /// `via`, `token-scope`, `attributes.NAME`, ...
    pub facts: Vec<Fact>,
}

/// Everything a decision may depend on beside the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// `kind.verb`.
    pub action: String,
    /// The clock, in milliseconds since 1970.
    pub now_ms: u64,
    /// The settings of the module that is asked.
    pub settings: String,
    /// Who asks.
    pub subject: SubjectView,
    /// The groups that subject and rows refer to, with their ancestors: `parent`, and `key` if needed.
    pub groups: Rows,
    /// The roles that subject and rows refer to: `key`, and `permissions` if needed.
    pub roles: Rows,
    /// Further facts about the request.
    pub facts: Vec<Fact>,
}

/// Somebody or something else that a change involves; `rows.len` is 1 or that of the changed rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// `user`, `role`, `group`, `within`, `from` or `to`.
    pub name: String,
    /// Its facts.
    pub rows: Rows,
}

/// What a write would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The fields that the caller sets.
    pub fields: Vec<String>,
    /// The rows as they would be; the only rows of a create.
    pub after: Option<Rows>,
    /// Who and what else is involved.
    pub parties: Vec<Party>,
}

/// One distinct answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the action is allowed on the row.
    pub allow: bool,
    /// Reads: fields to remove. Writes: fields that may not be set.
    pub withheld: Vec<String>,
    /// Why, for people.
    pub reason: String,
    /// For the decision log.
    pub notes: Vec<Fact>,
}

/// The answer to [`Session::check`]: `rows[i]` is the position in `table` of row `i`'s verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// The distinct verdicts.
    pub table: Vec<Verdict>,
    /// One position a row.
    pub rows: Vec<u32>,
}

/// A named test of a row; see the register for names and arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Test {
    /// The register's name of the test.
    pub name: String,
    /// Positions in [`Context::groups`].
    pub groups: Vec<u32>,
    /// Texts; compared folded.
    pub values: Vec<String>,
}

/// A test or its opposite. Unknown is false both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Term {
    /// Whether the test must fail.
    pub negate: bool,
    /// The test.
    pub test: Test,
}

/// Which rows a list may contain: any clause, each clause all its terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowFilter {
    /// No clause admits nothing; a clause without terms admits everything.
    pub any_of: Vec<Vec<Term>>,
    /// False: a superset, and each row is confirmed with `check`.
    pub exact: bool,
    /// Fields that filters, searches, sorts and lookups may touch; `*` for all of the manifest's.
    pub searchable: Vec<String>,
    /// Why, for people.
    pub reason: String,
    /// For the decision log.
    pub notes: Vec<Fact>,
}

/// What a module says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// A name for people.
    pub name: String,
    /// The author's version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// The input query: `rows.COLUMN`, `groups.key`, `roles.permissions`.
    pub needs: Vec<String>,
    /// Action patterns that the module decides: `user.*`, `group.read`.
    pub decides: Vec<String>,
    /// `deny` or `standard`: who decides the rest.
    pub otherwise: String,
    /// Governed fields that the module knows; every other one is withheld.
    pub fields: Vec<String>,
    /// For people.
    pub notes: Vec<Fact>,
}

/// SHA-256 of a module's bytes as uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a policy gave no answer that counts. Every variant denies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The guest trapped: unreachable code, an out-of-bounds access, a stack overflow.
    #[error("the policy trapped: {0}")]
    Trap(String),
    /// The fuel of the call or of the request ran out.
    #[error("the policy used up its fuel of {0}; make the rules cheaper or ask for fewer columns")]
    Fuel(u64),
    /// The answer breaks a rule of the contract.
    #[error("the policy's answer is malformed: {0}")]
    Malformed(String),
    /// The module is not there, or cannot be compiled or instantiated.
    #[error("the policy cannot be loaded: {0}")]
    Unloadable(String),
    /// The server is not ready to ask it: it waits to be compiled, or the server itself failed.
    #[error("the policy can not be asked yet: {0}")]
    Unready(String),
    /// Too many calls wait for a sandbox.
    #[error("no sandbox became free within {0} ms")]
    Busy(u64),
    /// The workspace's other calls take all that one workspace may take at once, or in a second. Says nothing about the policy.
    #[error("the workspace's policy runs up against its share of the sandbox, {0}; send fewer requests at once, or make the rules cheaper")]
    Share(String),
}

impl Failure {
    /// Whether the server is to blame for it, or who else asks, and not the policy.
    #[must_use]
    pub const fn is_of_server(&self) -> bool {
        matches!(self, Self::Unready(_) | Self::Busy(_) | Self::Share(_))
    }

    /// Its name in metrics and in the history of policies.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Trap(_) => "trap",
            Self::Fuel(_) => "fuel",
            Self::Malformed(_) => "malformed",
            Self::Unloadable(_) => "unloadable",
            Self::Unready(_) => "unready",
            Self::Busy(_) => "busy",
            Self::Share(_) => "share",
        }
    }
}

/// What the calls of one session cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Calls of `scope` and `check`.
    pub calls: u64,
    /// Fuel used by them.
    pub fuel: u64,
}

/// One module, named by digest, with the bytes it can be loaded from.
#[derive(Clone)]
pub struct Module {
    /// SHA-256 of `bytes`.
    pub digest: Digest,
    /// The component as uploaded.
    pub bytes: std::sync::Arc<[u8]>,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({}, {} bytes)", self.digest, self.bytes.len())
    }
}

/// The port through which modules are run. Two implementations: the sandbox, and natively compiled rules for benchmarks and tests.
#[async_trait]
pub trait Engine: Send + Sync {
    /// The manifest of a module that is already loaded, or `None`: then call [`Engine::load`].
    fn loaded(&self, digest: Digest) -> Option<std::sync::Arc<Manifest>>;

    /// Compiles a module (or finds it compiled) and asks it to describe itself.
    ///
    /// # Errors
    /// [`Failure::Unloadable`] names what is wrong; [`Failure::Trap`] and [`Failure::Fuel`] come from `describe`;
    /// [`Failure::Unready`] if too many modules wait for the compiler.
    async fn load(&self, module: &Module) -> Result<std::sync::Arc<Manifest>, Failure>;

    /// The same for a module that nobody waits for: it holds up no [`Engine::load`].
    ///
    /// # Errors
    /// Those of [`Engine::load`].
    async fn load_ahead(&self, module: &Module) -> Result<std::sync::Arc<Manifest>, Failure> {
        self.load(module).await
    }

    /// Everything that speaks against letting `bytes` in, at once; empty if nothing does.
    ///
    /// Checks size, type, imports, `describe`, `validate-settings` of `settings`, and probes each export on generated facts.
    async fn validate(&self, bytes: &[u8], settings: &str) -> Validation;

    /// Asks a loaded module whether it accepts `settings`, on the account of a workspace's gates if it is asked for one; the inner list is
    /// every error at once.
    async fn validate_settings(&self, workspace: Option<WorkspaceId>, digest: Digest, settings: &str) -> Result<Vec<String>, Failure>;

    /// A fresh sandbox for one request and one module, within the share of the workspace that asks. Nothing is instantiated before the
    /// first call.
    ///
    /// # Errors
    /// [`Failure::Unready`] if the module is not loaded.
    fn session(&self, workspace: WorkspaceId, digest: Digest) -> Result<Box<dyn Session>, Failure>;

    /// The same for another errand than a request.
    ///
    /// # Errors
    /// Those of [`Engine::session`].
    fn session_on(&self, _: Errand, workspace: WorkspaceId, digest: Digest) -> Result<Box<dyn Session>, Failure> {
        self.session(workspace, digest)
    }
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// A request.
    Request,
    /// A look at a version before it is activated. It has a share of its own, so that a workspace that is busy, or whose policy loops, can
    /// still be given another one.
    Gates,
    /// What nobody waits for: it takes nothing of the workspace's share, and stands back behind those who do.
    Aside,
}

/// What [`Engine::validate`] found.
#[derive(Clone, Debug)]
pub struct Validation {
    /// SHA-256 of the bytes as uploaded.
    pub digest: Digest,
    /// What the module says of itself, if it got that far.
    pub manifest: Option<Manifest>,
    /// Every reason to reject it, each with a remedy.
    pub reasons: Vec<String>,
    /// Why the server could not look at it, which says nothing about the module; it is the only reason then.
    pub unready: Option<String>,
    /// The probe's cost: fuel a row of `check`, for each kind.
    pub fuel_per_row: Vec<(String, u64)>,
}

/// The calls of one request into one module. After a failure every further call fails too.
#[async_trait]
pub trait Session: Send {
    /// Asks for the row filter of `kind`. Its tests and positions are those of the register; keys and `searchable` are not yet looked up.
    async fn scope(&mut self, context: std::sync::Arc<Context>, kind: &str) -> Result<RowFilter, Failure>;

    /// Asks for a verdict on each of at most [`crate::limits::CHECK_ROWS`] rows.
    ///
    /// The answer has exactly one valid index a row.
    async fn check(&mut self, context: std::sync::Arc<Context>, rows: Rows, change: Option<Change>) -> Result<Verdicts, Failure>;

    /// What this session cost so far.
    fn cost(&self) -> Cost;
}
