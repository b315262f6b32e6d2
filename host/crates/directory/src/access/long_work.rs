//! Work that holds a view of the database while guests run for seconds: uploads, gates, tests, comparisons. A workspace has so many requests
//! of this sort at once; one more is turned away, so that they leave connections for others. Gates may have a few more views, which they do
//! without where connections are scarce.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use super::{Directory, Gate, locked};
use crate::{Error, contract::Failure, ids::WorkspaceId, limits};

/// The workspaces that have such requests, with how many.
#[derive(Default)]
pub(super) struct LongWork(Mutex<HashMap<WorkspaceId, usize>>);

/// Leave for one request, until it is dropped.
pub(super) struct Turn {
    gate: Arc<Gate>,
    workspace: WorkspaceId,
}

impl Directory {
    /// Begins with work that takes long; a request may begin as often as it likes.
    ///
    /// # Errors
    /// [`Failure::Share`] if the workspace has [`limits::LONG_WORK`] such requests already.
    pub(super) fn begin_long_work(&self) -> Result<(), Error> {
        if self.turn.get().is_some() {
            return Ok(());
        }
        let workspace = self.subject.workspace;
        {
            let mut at_work = locked(&self.gate.long_work.0);
            let count = at_work.entry(workspace).or_default();
            if *count >= limits::LONG_WORK {
                return Err(Failure::Share(format!("{} uploads, gates, tests and comparisons at once", limits::LONG_WORK)).into());
            }
            *count += 1;
        }
        // Two fields of one request may both come here: the leave that is not kept goes at once.
        let _ = self.turn.set(Turn { gate: self.gate.clone(), workspace });
        Ok(())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut at_work = locked(&self.gate.long_work.0);
        if let Some(count) = at_work.get_mut(&self.workspace) {
            *count -= 1;
            if *count == 0 {
                at_work.remove(&self.workspace);
            }
        }
    }
}
