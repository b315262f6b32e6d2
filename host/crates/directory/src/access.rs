//! The gate. The only code that opens sealed rows, and the only code that makes warrants.
//!
//! [`Gate`] lives as long as the server. For each request it opens a [`Directory`]: one subject, one snapshot, one policy version,
//! one sandbox. Interfaces read through its methods, which decide whole lists at a time, and have no other source of data.
//! To add a read: list or load sealed rows, pass them through `decide`, and return what became visible.

mod bin;
mod compare;
mod decide;
mod explain;
mod facts;
mod list;
mod loading;
mod log;
mod long_work;
mod operator;
mod permissions;
mod policies;
mod policy_tests;
mod resource;
mod sealed;
mod shadow;
mod subject;
mod tree;
mod view_as;
mod watch;
mod write;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, OnceCell, Semaphore};

pub use bin::{BinEntry, BinObject, BinPage};
pub use compare::{
    Candidate, CandidateModule, Compare, ComparePairs, ComparePosition, ComparedAction, ComparedField, ComparisonChange, ComparisonExample,
    ComparisonFailure, ComparisonSide, ObjectId, PolicyComparison,
};
pub use explain::{ExplainedCall, Explanation, ShownFact};
pub use list::{Ask, Count, GrantAsk, GroupAsk, MembershipAsk, Page, RoleAsk, UserAsk};
pub use loading::Closed;
pub use log::LogSettings;
pub use long_work::{Replacement, TestsStay};
pub use operator::{Operator, OperatorAction, OperatorVia};
pub use permissions::{ActionDecision, EffectivePermission, Object, PermissionSource};
pub use policies::{Activation, ActivePolicy, Forced, HistoryPage, RollBack, Upload, UploadLeave};
pub use policy_tests::{CheckedTests, TestRun};
pub use sealed::{Sealed, Visible, Warrant};
pub use shadow::{ShadowReport, ShadowRules};
pub use subject::{Actor, Caller, Origin, Rejection, Subject, authenticate};
pub use tree::{GroupTree, TreeNode};
pub use view_as::{WhoCan, WhoPage};
pub use watch::WatchRules;
pub use write::{
    AddGrants, AddMembers, AddUsers, Command, CreateGroup, CreateRole, CreateToken, DefineAttribute, DeleteGroup, DeleteRole, Done,
    GrantDraft, Member, MoveGroup, MovePreview, OnboardPartner, RemoveAttribute, RemoveGrants, RemoveMembers, RemoveUsers, ReplaceGrants,
    Request, RestoreGroup, RestoreRole, RestoreUser, RevokeToken, SetCodeRules, SetManagers, SetStatus, UpdateAttribute, UpdateGroup,
    UpdateRole, UpdateUser, UpdateWorkspace, UserDraft, grants_version,
};

use crate::{
    Error,
    contract::{Cost, Digest, Engine, Errand, Failure, Manifest, Module},
    ids::{PolicyVersionId, UserId, WorkspaceId},
    model::{Epoch, PolicyVersion, Timestamp, Workspace},
    register::Kind,
    scope::Scope,
    store::{Snapshot, Store},
    trials::Trials,
};
use decide::{Decider, Glass};
use facts::SubjectContext;
use loading::Standings;
use log::Journal;
use long_work::LongWork;
use shadow::Shadows;
use watch::Watch;

/// Subjects whose facts are kept between requests.
const CACHED_SUBJECTS: usize = 10_000;
/// Policy versions that are kept between requests; they are immutable.
const CACHED_VERSIONS: usize = 10_000;
/// How long a request waits for a module that is being compiled, where nobody says.
const PATIENCE: Duration = Duration::from_secs(60);

/// The facts of subjects, each valid for one authority epoch.
type KnownSubjects = HashMap<(WorkspaceId, UserId), (Epoch, Arc<SubjectContext>)>;

/// What every request shares.
pub struct Gate {
    store: Arc<dyn Store>,
    engine: Arc<dyn Engine>,
    standard: Module,
    subjects: Mutex<KnownSubjects>,
    versions: Mutex<HashMap<(WorkspaceId, PolicyVersionId), Arc<PolicyVersion>>>,
    /// How long a request waits for a module that is being compiled.
    patience: Duration,
    /// Which active versions are loaded here, and which do not load.
    standings: Standings,
    /// The decision log, if one is kept.
    log: Option<Arc<log::Log>>,
    /// Puts what traffic asks to candidates, too; `None` for none.
    shadows: Option<Shadows>,
    /// Who is at work that takes long.
    long_work: LongWork,
    /// Views that gates may have beside those of their requests.
    gate_views: Arc<Semaphore>,
    /// Counts how versions fail that were activated a short time ago; `None` for none.
    watch: Option<Watch>,
    /// Runs policy tests.
    trials: Option<Arc<dyn Trials>>,
    /// Whether `standard` steps in for administrators where a module does not work.
    glass: Glass,
    /// What it asks policies for.
    errand: Errand,
}

impl Gate {
    /// A gate before `store`, asking policies through `engine`; `standard` decides wherever no module does.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, engine: Arc<dyn Engine>, standard: Module) -> Self {
        Self {
            store,
            engine,
            standard,
            subjects: Mutex::default(),
            versions: Mutex::default(),
            patience: PATIENCE,
            standings: Standings::default(),
            log: None,
            shadows: None,
            long_work: LongWork::default(),
            gate_views: Arc::new(Semaphore::new(0)),
            watch: None,
            trials: None,
            glass: Glass::Breakable,
            errand: Errand::Request,
        }
    }

    /// The same, with requests that wait so long for a module that is being compiled; by default a minute.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same, whose gates may have so many views of the database between them beside those of their requests; by default none.
    #[must_use]
    pub fn with_gate_views(self, views: usize) -> Self {
        Self { gate_views: Arc::new(Semaphore::new(views)), ..self }
    }

    /// The same, in which so many requests at once may hold a view of the database while they work long; by default any number.
    #[must_use]
    pub fn with_long_views(self, views: usize) -> Self {
        Self { long_work: LongWork::with_views(views), ..self }
    }

    /// The same, with policy tests that are run by `trials`. Without, a workspace that has tests activates nothing.
    #[must_use]
    pub fn with_trials(self, trials: Arc<dyn Trials>) -> Self {
        Self { trials: Some(trials), ..self }
    }

    /// The same, with modules that answer for themselves: `standard` does not step in for administrators where one does not work.
    /// For trials, which are about the module.
    #[must_use]
    pub fn behind_glass(self) -> Self {
        Self { glass: Glass::Solid, ..self }
    }

    /// The store, for those reads and changes that the operator is allowed.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The engine, to validate modules with.
    #[must_use]
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// The policy that ships with the server.
    #[must_use]
    pub const fn standard(&self) -> &Module {
        &self.standard
    }

    /// Opens the directory for one request: one snapshot, one policy version.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the workspace is gone; those of the store. A policy that cannot be loaded is no error here: it
    /// denies what is asked of it.
    pub async fn open(self: &Arc<Self>, subject: Subject, now: Timestamp) -> Result<Directory, Error> {
        let Some(mut snapshot) = self.store.snapshot(subject.workspace).await? else {
            return Err(Error::NotFound("the workspace".to_owned()));
        };
        let head = snapshot.head().await?;
        let version = self.version(subject.workspace, head.version, snapshot.as_mut()).await?;
        let shadow = self.shadow(head.shadow, snapshot.as_mut()).await?;
        let context = match subject.user() {
            Some(user) => self.subject(&subject, user, head.epoch, snapshot.as_mut()).await?,
            None => Arc::new(SubjectContext::default()),
        };
        if subject.user().is_some() && !context.facts.active {
            return Err(Error::Inactive);
        }
        let decider = Decider::new(self, self.errand, &subject, &version).await;
        let unloadable = decider.unloadable();
        let (journal, workspace) = (self.log.clone(), subject.workspace);
        let directory = Directory {
            gate: self.clone(),
            subject,
            now,
            epoch: head.epoch,
            version,
            shadow,
            context,
            snapshot: Arc::new(AsyncMutex::new(snapshot)),
            places: Arc::default(),
            decider: AsyncMutex::new(decider),
            scopes: Scopes::default(),
            defects: AtomicU64::new(0),
            defect_counted: AtomicBool::new(false),
            defective: Mutex::default(),
            workspace: OnceCell::new(),
            journal: Journal::new(journal, workspace),
            recorded: true,
            errand: self.errand,
            turn: OnceLock::new(),
            watcher: None,
            witnesses: Mutex::default(),
        };
        if let Some(call) = unloadable {
            directory.count_call(call).await;
        }
        Ok(directory)
    }

    async fn version(&self, workspace: WorkspaceId, id: PolicyVersionId, snapshot: &mut dyn Snapshot) -> Result<Arc<PolicyVersion>, Error> {
        let key = (workspace, id);
        if let Some(version) = locked(&self.versions).get(&key) {
            return Ok(version.clone());
        }
        let version = snapshot.policy_version(id).await?.map(Sealed::open);
        let version = Arc::new(version.ok_or_else(|| Error::Store(format!("policy version {id} is missing")))?);
        let mut versions = locked(&self.versions);
        if versions.len() >= CACHED_VERSIONS {
            versions.clear();
        }
        versions.insert(key, version.clone());
        Ok(version)
    }

    async fn subject(
        &self,
        subject: &Subject,
        user: UserId,
        epoch: Epoch,
        snapshot: &mut dyn Snapshot,
    ) -> Result<Arc<SubjectContext>, Error> {
        if let Some(context) = self.known_subject(subject.workspace, user, epoch) {
            return Ok(context);
        }
        let context = Arc::new(SubjectContext::read(user, snapshot).await?);
        let mut subjects = locked(&self.subjects);
        if subjects.len() >= CACHED_SUBJECTS {
            subjects.clear();
        }
        subjects.insert((subject.workspace, user), (epoch, context.clone()));
        Ok(context)
    }

    /// The facts of a subject, if they were kept and still hold.
    fn known_subject(&self, workspace: WorkspaceId, user: UserId, epoch: Epoch) -> Option<Arc<SubjectContext>> {
        let subjects = locked(&self.subjects);
        subjects.get(&(workspace, user)).filter(|(of, _)| *of == epoch).map(|(_, context)| context.clone())
    }

    /// The same as [`Gate::load`] for a request, which does not wait for ever: compiling goes on without it.
    async fn load_in_time(&self, workspace: WorkspaceId, digest: Digest) -> Result<Arc<Manifest>, Failure> {
        let loaded = tokio::time::timeout(self.patience, self.load(workspace, digest)).await;
        loaded.unwrap_or_else(|_| {
            Err(Failure::Unready("the module is still being compiled on this server; try again in a minute".to_owned()))
        })
    }

    /// Compiles a module of one workspace if it is not loaded yet, and returns its manifest.
    async fn load(&self, workspace: WorkspaceId, digest: Digest) -> Result<Arc<Manifest>, Failure> {
        if let Some(manifest) = self.engine.loaded(digest) {
            return Ok(manifest);
        }
        if let Some(why) = self.standings.held(workspace, digest) {
            return Err(why);
        }
        let module = self.module(workspace, digest).await?;
        self.engine.load(&module).await
    }

    /// A module as it is stored.
    async fn module(&self, workspace: WorkspaceId, digest: Digest) -> Result<Module, Failure> {
        if digest == self.standard.digest {
            return Ok(self.standard.clone());
        }
        let stored = self.store.module_bytes(workspace, digest).await.map_err(|error| Failure::Unready(error.to_string()))?;
        let bytes = stored.ok_or_else(|| Failure::Unloadable(format!("module {digest} is not stored")))?;
        Ok(Module { digest, bytes })
    }
}

/// A poisoned cache is still a cache: its entries are only ever replaced whole.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The directory as one subject may see it, for one request.
pub struct Directory {
    gate: Arc<Gate>,
    subject: Subject,
    now: Timestamp,
    epoch: Epoch,
    version: Arc<PolicyVersion>,
    /// The candidate that stands beside the version, where one does.
    shadow: Option<Arc<crate::shadow::Shadow>>,
    context: Arc<SubjectContext>,
    /// Shared with those who look at the same moment as somebody else.
    snapshot: Arc<AsyncMutex<Box<dyn Snapshot>>>,
    /// Shared likewise.
    places: Arc<Mutex<facts::Places>>,
    decider: AsyncMutex<Decider>,
    scopes: Scopes,
    defects: AtomicU64,
    defect_counted: AtomicBool,
    /// Kinds whose exact scope has admitted a row that `check` denied.
    defective: Mutex<HashSet<Kind>>,
    workspace: OnceCell<Option<Visible<Workspace>>>,
    /// What was decided about writes, until it is recorded.
    journal: Journal,
    /// Whether decisions are recorded, and failures counted: not where somebody only looks what a policy would say.
    recorded: bool,
    /// What policies are asked for.
    errand: Errand,
    /// Leave for work that takes long, once it is begun.
    turn: OnceLock<long_work::ViewTurn>,
    /// Who looks over the subject's shoulder, if somebody does.
    watcher: Option<view_as::Watcher>,
    /// What the policy was shown, where somebody wants to know.
    witnesses: Mutex<Option<Vec<explain::Witness>>>,
}

/// The scopes that were asked for so far, each once a request.
#[derive(Default)]
struct Scopes {
    user: OnceCell<Option<AskedScope>>,
    group: OnceCell<Option<AskedScope>>,
    role: OnceCell<Option<AskedScope>>,
    membership: OnceCell<Option<AskedScope>>,
    grant: OnceCell<Option<AskedScope>>,
    exact_user: OnceCell<Arc<Scope>>,
    exact_group: OnceCell<Arc<Scope>>,
    exact_role: OnceCell<Arc<Scope>>,
}

/// What a policy answered about lists of a kind.
struct AskedScope {
    scope: Arc<Scope>,
    /// Whether a shadow was told that somebody lists these.
    is_shaded: AtomicBool,
}

impl AskedScope {
    fn new(scope: Scope) -> Self {
        Self { scope: Arc::new(scope), is_shaded: AtomicBool::new(false) }
    }
}

/// What a request has cost so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestCost {
    /// Policy calls and their fuel.
    pub policy: Cost,
    /// SQL statements.
    pub statements: u64,
    /// Rows on which an exact scope and `check` disagreed, or whose verdict named an unknown field.
    pub defects: u64,
}

impl Directory {
    /// Who asks.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The policy version that decides this request.
    #[must_use]
    pub fn policy_version(&self) -> &PolicyVersion {
        &self.version
    }

    /// What this request has cost so far.
    pub async fn cost(&self) -> RequestCost {
        RequestCost {
            policy: self.decider.lock().await.cost(),
            statements: self.snapshot.lock().await.statements(),
            defects: self.defects.load(std::sync::atomic::Ordering::Relaxed),
        }
    }

    /// The workspace, if the subject may see it.
    ///
    /// # Errors
    /// Those of policy and store.
    pub async fn workspace(&self) -> Result<Option<&Visible<Workspace>>, Error> {
        let read = || async {
            let row = self.snapshot.lock().await.workspace().await?;
            Ok::<_, Error>(self.open(vec![row]).await?.into_iter().next().flatten())
        };
        Ok(self.workspace.get_or_try_init(read).await?.as_ref())
    }

    /// What policies are shown of a user as their subject.
    ///
    /// It is not kept: whoever looks as thousands must not push out the facts of those who are at work.
    async fn facts_of(&self, user: UserId) -> Result<Arc<SubjectContext>, Error> {
        match self.gate.known_subject(self.subject.workspace, user, self.epoch) {
            Some(context) => Ok(context),
            None => SubjectContext::read(user, self.snapshot.lock().await.as_mut()).await.map(Arc::new),
        }
    }

    /// A user of the workspace, in this subject's place.
    fn as_user(&self, user: UserId) -> Subject {
        Subject { actor: Actor::User(user), scopes: None, expires_at: None, ..self.subject.clone() }
    }

    /// The directory as another subject, of whom these are the facts, would see it under `version`: at the very moment that this one looks
    /// at.
    ///
    /// # Errors
    /// [`Error::Inactive`] for somebody who is not active.
    async fn beside(&self, subject: Subject, context: Arc<SubjectContext>, version: &Arc<PolicyVersion>) -> Result<Self, Error> {
        self.beside_on(self.errand, subject, context, version).await
    }

    /// The same on another errand.
    async fn beside_on(
        &self,
        errand: Errand,
        subject: Subject,
        context: Arc<SubjectContext>,
        version: &Arc<PolicyVersion>,
    ) -> Result<Self, Error> {
        if subject.user().is_some() && !context.facts.active {
            return Err(Error::Inactive);
        }
        let decider = Decider::new(&self.gate, errand, &subject, version).await;
        Ok(Self {
            gate: self.gate.clone(),
            subject,
            now: self.now,
            epoch: self.epoch,
            version: version.clone(),
            shadow: None,
            context,
            snapshot: self.snapshot.clone(),
            places: self.places.clone(),
            decider: AsyncMutex::new(decider),
            scopes: Scopes::default(),
            defects: AtomicU64::new(0),
            defect_counted: AtomicBool::new(false),
            defective: Mutex::default(),
            workspace: OnceCell::new(),
            journal: Journal::new(None, self.subject.workspace),
            recorded: false,
            errand,
            turn: OnceLock::new(),
            watcher: None,
            witnesses: Mutex::default(),
        })
    }

    /// Records a row that an exact scope admits and `check` denies. From now on this request does not believe what the scope counts.
    fn scope_defect(&self, kind: Kind) {
        locked(&self.defective).insert(kind);
        self.defect(kind, "an exact scope admits a row that `check` denies");
    }

    /// Whether there was such a row.
    fn is_scope_defective(&self, kind: Kind) -> bool {
        locked(&self.defective).contains(&kind)
    }

    /// Records a row that the policy answered inconsistently; it stays hidden.
    fn defect(&self, kind: Kind, what: &str) {
        self.defects.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tracing::warn!(target: "policy", workspace = %self.subject.workspace, version = %self.version.id, kind = kind.name(), what, "policy defect");
    }
}
