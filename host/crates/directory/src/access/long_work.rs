//! Work that takes seconds: uploads, gates, tests, comparisons. A workspace has so many requests of this sort at once, and of those that hold
//! a view of the database meanwhile all workspaces together have so many; one more is turned away, so that they leave connections for
//! others. Nobody has all of their workspace's: whoever compares without pause keeps no colleague from uploading. Activations have places of
//! their own. Gates may have a few more views, which they do without where connections are scarce.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore},
    time::timeout,
};

use super::{Actor, Directory, Gate, Subject, locked};
use crate::{Error, contract::Failure, ids::WorkspaceId, limits};

/// How long tests wait for other tests of the workspace, and their replacement for activations that rest on them.
const TESTS_WAIT: Duration = Duration::from_secs(4);

/// The requests of this sort.
pub(super) struct LongWork {
    workspaces: Mutex<HashMap<WorkspaceId, AtWork>>,
    /// Leave for those that hold views.
    views: Arc<Semaphore>,
}

/// Those of one workspace.
#[derive(Default)]
struct AtWork {
    /// Who began each upload, test and comparison that is under way.
    long_work: Vec<Actor>,
    /// The same of activations and roll backs.
    activations: Vec<Actor>,
    /// The same of those who replace the tests.
    replacements: Vec<Actor>,
    /// Held by the upload that is compiled, or waits for the compiler.
    upload: Arc<AsyncMutex<()>>,
    /// Held by whoever tries the workspace's tests.
    tests: Arc<AsyncMutex<()>>,
    /// Written by whoever replaces the tests, read by activations that rest on them, in the order in which they came.
    replaced: Arc<RwLock<()>>,
}

impl AtWork {
    fn is_over(&self) -> bool {
        [&self.long_work, &self.activations, &self.replacements].iter().all(|begun| begun.is_empty())
            && Arc::strong_count(&self.replaced) == 1
    }

    const fn in_places(&mut self, places: Places) -> &mut Vec<Actor> {
        match places {
            Places::LongWork => &mut self.long_work,
            Places::Activations => &mut self.activations,
            Places::Replacements => &mut self.replacements,
        }
    }
}

/// Where a request has its place: those of one sort take none from the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Places {
    /// Uploads, tests and comparisons.
    LongWork,
    /// Activations and roll backs: what repairs a workspace.
    Activations,
    /// Replacements of policy tests, which wait for activations.
    Replacements,
}

impl Places {
    /// How many there are, and how many of them for one person or service.
    const fn most(self) -> (usize, usize) {
        match self {
            Self::LongWork => (limits::LONG_WORK, limits::LONG_WORK_OF_ONE),
            Self::Activations => (limits::ACTIVATIONS, limits::ACTIVATIONS_OF_ONE),
            Self::Replacements => (limits::REPLACEMENTS, limits::REPLACEMENTS_OF_ONE),
        }
    }

    /// What has its place there.
    const fn of(self) -> &'static str {
        match self {
            Self::LongWork => "uploads, tests and comparisons",
            Self::Activations => "activations and roll backs",
            Self::Replacements => "replacements of its policy tests",
        }
    }
}

/// Leave for one request, until it is dropped.
pub(super) struct Turn {
    gate: Arc<Gate>,
    workspace: WorkspaceId,
    places: Places,
    by: Actor,
    upload: Arc<AsyncMutex<()>>,
}

/// Leave to replace the policy tests: until it is dropped, no activation rests on them over this server, and nobody else replaces them.
#[must_use]
pub struct Replacement {
    /// Given back before the place.
    _alone: OwnedRwLockWriteGuard<()>,
    _turn: Turn,
}

/// Until it is dropped, nobody replaces the policy tests of the workspace over this server.
#[must_use]
pub struct TestsStay {
    gate: Arc<Gate>,
    workspace: WorkspaceId,
    guard: Option<OwnedRwLockReadGuard<()>>,
}

/// Leave for one that holds a view.
pub(super) struct ViewTurn {
    _turn: Turn,
    _view: Option<OwnedSemaphorePermit>,
}

impl LongWork {
    /// At most so many requests that hold views.
    pub(super) fn with_views(views: usize) -> Self {
        Self { workspaces: Mutex::default(), views: Arc::new(Semaphore::new(views.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// [`AtWork::replaced`] of a workspace.
    fn replaced(&self, workspace: WorkspaceId) -> Arc<RwLock<()>> {
        locked(&self.workspaces).entry(workspace).or_default().replaced.clone()
    }
}

impl Default for LongWork {
    fn default() -> Self {
        Self::with_views(Semaphore::MAX_PERMITS)
    }
}

impl Turn {
    /// Waits until no other upload of the workspace is under way: a workspace has one place in the line before the compiler.
    pub(super) async fn upload(&self) -> OwnedMutexGuard<()> {
        self.upload.clone().lock_owned().await
    }
}

impl Gate {
    /// Leave for work that holds no view of the database.
    ///
    /// # Errors
    /// [`Failure::Share`] if the workspace has [`limits::LONG_WORK`] such requests already, or the subject [`limits::LONG_WORK_OF_ONE`].
    pub(super) fn begin_long_work(self: &Arc<Self>, subject: &Subject) -> Result<Turn, Error> {
        self.begin(subject, Places::LongWork)
    }

    /// Waits until no activation rests on the policy tests of the workspace, and nobody else replaces them. To be called without a view:
    /// what others need is not to be held while one waits, nor would it be of use afterwards.
    ///
    /// # Errors
    /// [`Failure::Share`] if that takes long, or if the workspace is at [`limits::REPLACEMENTS`] of them already, or the subject at
    /// [`limits::REPLACEMENTS_OF_ONE`].
    pub async fn replacement(self: &Arc<Self>, subject: &Subject) -> Result<Replacement, Error> {
        let turn = self.begin(subject, Places::Replacements)?;
        let alone = timeout(TESTS_WAIT, self.long_work.replaced(subject.workspace).write_owned()).await;
        let alone = alone.map_err(|_| Failure::Share("no other policy tests while activations rest on these".to_owned()))?;
        Ok(Replacement { _alone: alone, _turn: turn })
    }

    fn begin(self: &Arc<Self>, subject: &Subject, places: Places) -> Result<Turn, Error> {
        let ((of_all, of_one), what) = (places.most(), places.of());
        let mut workspaces = locked(&self.long_work.workspaces);
        let at_work = workspaces.entry(subject.workspace).or_default();
        let begun = at_work.in_places(places);
        let share = match (begun.len(), begun.iter().filter(|actor| **actor == subject.actor).count()) {
            (all, _) if all >= of_all => format!("{of_all} {what} at once"),
            (_, own) if own >= of_one => format!("{of_one} {what} of one person or service at once"),
            _ => {
                begun.push(subject.actor.clone());
                let upload = at_work.upload.clone();
                return Ok(Turn { gate: self.clone(), workspace: subject.workspace, places, by: subject.actor.clone(), upload });
            }
        };
        Err(Failure::Share(share).into())
    }

    /// Waits until no other tests of the workspace are tried, so that it leaves room for those of others.
    ///
    /// # Errors
    /// [`Failure::Share`] if that takes long.
    pub(super) async fn tests_alone(&self, workspace: WorkspaceId) -> Result<Option<OwnedMutexGuard<()>>, Failure> {
        let Some(tests) = locked(&self.long_work.workspaces).get(&workspace).map(|at_work| at_work.tests.clone()) else { return Ok(None) };
        let alone = timeout(TESTS_WAIT, tests.lock_owned()).await;
        alone.map(Some).map_err(|_| Failure::Share("one trial of its policy tests at once".to_owned()))
    }

    /// Lets the policy tests of a workspace be for a while: whoever replaces them again and again could otherwise keep every activation
    /// from coming to pass, because none may rest on tests that are no longer those of the workspace.
    ///
    /// Waits for the replacements that are under way. On other servers of the same database the tests may still be replaced.
    pub async fn keep_tests(self: &Arc<Self>, workspace: WorkspaceId) -> TestsStay {
        let mut stay = TestsStay { gate: self.clone(), workspace, guard: None };
        stay.guard = Some(self.long_work.replaced(workspace).read_owned().await);
        stay
    }
}

impl Directory {
    /// Begins with work that takes long; a request may begin as often as it likes.
    ///
    /// # Errors
    /// [`Failure::Share`] if the workspace has [`limits::LONG_WORK`] such requests already, or the subject [`limits::LONG_WORK_OF_ONE`], or
    /// all workspaces together have as many as they may.
    pub(super) fn begin_long_work(&self) -> Result<(), Error> {
        if self.turn.get().is_some() {
            return Ok(());
        }
        let turn = self.gate.begin_long_work(&self.subject)?;
        let used_up = |_| Failure::Share("what all workspaces may have together of uploads, tests and comparisons".to_owned());
        let view = self.gate.long_work.views.clone().try_acquire_owned().map_err(used_up)?;
        // Two fields of one request may both come here: the leave that is not kept goes at once.
        let _ = self.turn.set(ViewTurn { _turn: turn, _view: Some(view) });
        Ok(())
    }

    /// The same for an activation or a roll back: what repairs a workspace is not kept waiting by what others compare and upload.
    ///
    /// # Errors
    /// [`Failure::Share`] if the workspace has [`limits::ACTIVATIONS`] such requests already, or the subject [`limits::ACTIVATIONS_OF_ONE`].
    pub(super) fn begin_activation(&self) -> Result<(), Error> {
        let turn = self.gate.begin(&self.subject, Places::Activations)?;
        let _ = self.turn.set(ViewTurn { _turn: turn, _view: None });
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut workspaces = locked(&self.gate.long_work.workspaces);
        if let Some(at_work) = workspaces.get_mut(&self.workspace) {
            let begun = at_work.in_places(self.places);
            if let Some(place) = begun.iter().position(|actor| *actor == self.by) {
                begun.swap_remove(place);
            }
            if at_work.is_over() {
                workspaces.remove(&self.workspace);
            }
        }
    }
}

impl Drop for TestsStay {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut workspaces = locked(&self.gate.long_work.workspaces);
        if workspaces.get(&self.workspace).is_some_and(AtWork::is_over) {
            workspaces.remove(&self.workspace);
        }
    }
}
