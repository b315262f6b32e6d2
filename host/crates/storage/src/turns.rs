//! What one workspace may have of the connections at once, so that its neighbours find some however long its requests hold theirs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use directory::{Error, contract::Failure, ids::WorkspaceId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::limits;

/// So many turns for each workspace, given in the order in which they are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    most: usize,
    what: &'static str,
    known: Arc<Mutex<HashMap<WorkspaceId, Weak<Semaphore>>>>,
}

/// A workspace's turn, until it is dropped.
pub(crate) type Turn = OwnedSemaphorePermit;

impl Turns {
    /// At most so many of `what` for each workspace.
    pub(crate) fn of(most: u32, what: &'static str) -> Self {
        Self { most: usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS).max(1), what, known: Arc::default() }
    }

    /// Waits for a turn, as long as for a connection.
    ///
    /// # Errors
    /// [`Failure::Share`] if the workspace's other requests keep theirs for longer.
    pub(crate) async fn take(&self, workspace: WorkspaceId) -> Result<Turn, Error> {
        self.take_within(limits::CONNECTION_TIME, workspace).await
    }

    async fn take_within(&self, time: Duration, workspace: WorkspaceId) -> Result<Turn, Error> {
        let turn = timeout(time, self.semaphore(workspace).acquire_owned()).await;
        let share = || Failure::Share(format!("{} {} at once", self.most, self.what)).into();
        turn.ok().and_then(Result::ok).ok_or_else(share)
    }

    fn semaphore(&self, workspace: WorkspaceId) -> Arc<Semaphore> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(semaphore) = known.get(&workspace).and_then(Weak::upgrade) {
            return semaphore;
        }
        if known.len() >= limits::TURNS {
            // Whoever has a turn, or waits for one, keeps its workspace's.
            known.retain(|_, semaphore| semaphore.strong_count() > 0);
        }
        let semaphore = Arc::new(Semaphore::new(self.most));
        known.insert(workspace, Arc::downgrade(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(number: u128) -> WorkspaceId {
        WorkspaceId(uuid::Uuid::from_u128(number))
    }

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_workspace_has_so_many_turns_and_its_neighbour_as_many() {
        let turns = Turns::of(2, "views");
        let held = (turns.take(workspace(1)).await.unwrap(), turns.take(workspace(1)).await.unwrap());
        let refused = turns.take_within(SHORT, workspace(1)).await.err();
        assert!(matches!(refused, Some(Error::Policy(Failure::Share(share))) if share == "2 views at once"));
        assert!(turns.take(workspace(2)).await.is_ok());
        let (waited, ()) = tokio::join!(turns.take(workspace(1)), async { drop(held) });
        assert!(waited.is_ok(), "whoever waits comes next");
    }

    #[tokio::test]
    async fn what_nobody_uses_is_forgotten_and_nothing_else() {
        let turns = Turns::of(1, "writes");
        let held = turns.take(workspace(0)).await.unwrap();
        for number in 1..=2 * limits::TURNS {
            drop(turns.take(workspace(number as u128)).await.unwrap());
        }
        assert!(turns.known.lock().unwrap().len() <= limits::TURNS);
        assert!(turns.take_within(SHORT, workspace(0)).await.is_err());
        drop(held);
    }
}
