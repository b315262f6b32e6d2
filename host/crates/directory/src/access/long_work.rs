//! Work that takes seconds: uploads, gates, tests, comparisons. A workspace has so many requests of this sort at once, and of those that hold
//! a view of the database meanwhile all workspaces together have so many; one more is turned away, so that they leave connections for
//! others. Gates may have a few more views, which they do without where connections are scarce.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::{Directory, Gate, locked};
use crate::{Error, contract::Failure, ids::WorkspaceId, limits};

/// How long tests wait for other tests of the workspace.
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
    requests: usize,
    /// Held by the upload that is compiled, or waits for the compiler.
    upload: Arc<AsyncMutex<()>>,
    /// Held by whoever tries the workspace's tests.
    tests: Arc<AsyncMutex<()>>,
}

/// Leave for one request, until it is dropped.
pub(super) struct Turn {
    gate: Arc<Gate>,
    workspace: WorkspaceId,
    upload: Arc<AsyncMutex<()>>,
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
    /// [`Failure::Share`] if the workspace has [`limits::LONG_WORK`] such requests already.
    pub(super) fn begin_long_work(self: &Arc<Self>, workspace: WorkspaceId) -> Result<Turn, Error> {
        self.begin(workspace, limits::LONG_WORK)
    }

    fn begin(self: &Arc<Self>, workspace: WorkspaceId, most: usize) -> Result<Turn, Error> {
        let mut workspaces = locked(&self.long_work.workspaces);
        let at_work = workspaces.entry(workspace).or_default();
        if at_work.requests >= most {
            return Err(Failure::Share(format!("{most} uploads, gates, tests and comparisons at once")).into());
        }
        at_work.requests += 1;
        Ok(Turn { gate: self.clone(), workspace, upload: at_work.upload.clone() })
    }

    /// Waits until no other tests of the workspace are tried, so that it leaves room for those of others.
    ///
    /// # Errors
    /// [`Failure::Share`] if that takes long.
    pub(super) async fn tests_alone(&self, workspace: WorkspaceId) -> Result<Option<OwnedMutexGuard<()>>, Failure> {
        let Some(tests) = locked(&self.long_work.workspaces).get(&workspace).map(|at_work| at_work.tests.clone()) else { return Ok(None) };
        let alone = tokio::time::timeout(TESTS_WAIT, tests.lock_owned()).await;
        alone.map(Some).map_err(|_| Failure::Share("one trial of its policy tests at once".to_owned()))
    }
}

impl Directory {
    /// Begins with work that takes long; a request may begin as often as it likes.
    ///
    /// # Errors
    /// [`Failure::Share`] if the workspace has [`limits::LONG_WORK`] such requests already, or all workspaces together have as many as they
    /// may.
    pub(super) fn begin_long_work(&self) -> Result<(), Error> {
        if self.turn.get().is_some() {
            return Ok(());
        }
        let turn = self.gate.begin_long_work(self.subject.workspace)?;
        let used_up = |_| Failure::Share("what all workspaces may have together of uploads, gates, tests and comparisons".to_owned());
        let view = self.gate.long_work.views.clone().try_acquire_owned().map_err(used_up)?;
        // Two fields of one request may both come here: the leave that is not kept goes at once.
        let _ = self.turn.set(ViewTurn { _turn: turn, _view: Some(view) });
        Ok(())
    }

    /// The same for an activation or a roll back: what repairs a workspace is not kept waiting by what others compare and upload.
    ///
    /// # Errors
    /// [`Failure::Share`] if the workspace has [`limits::ACTIVATIONS`] more such requests than others may be.
    pub(super) fn begin_activation(&self) -> Result<(), Error> {
        let turn = self.gate.begin(self.subject.workspace, limits::LONG_WORK + limits::ACTIVATIONS)?;
        let _ = self.turn.set(ViewTurn { _turn: turn, _view: None });
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut workspaces = locked(&self.gate.long_work.workspaces);
        if let Some(at_work) = workspaces.get_mut(&self.workspace) {
            at_work.requests -= 1;
            if at_work.requests == 0 {
                workspaces.remove(&self.workspace);
            }
        }
    }
}
