//! Loading ahead: what decides somewhere is loaded before a request needs it, and what does not load is known and tried again.
//!
//! Nothing here decides. A request reads what is active in its own snapshot and loads it if nobody has; without a module it is denied.

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Gate, locked};
use crate::{
    Error,
    contract::{Digest, Failure},
    ids::{PolicyVersionId, WorkspaceId},
    limits::{LOOK_PAUSE, LOOK_ROWS},
    store::Deciding,
};

/// A workspace whose active version does not load on this host: whatever is asked of its policy is denied.
#[derive(Clone, Debug)]
pub struct Closed {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The version.
    pub version: PolicyVersionId,
    /// The module of it that does not load.
    pub digest: Digest,
    /// Why not.
    pub why: Failure,
}

impl Gate {
    /// Loads every module that is active in some workspace, one after the other, so that no request has to wait for it. A module that
    /// does not load is logged; its workspace stays closed.
    pub fn load_active(self: &Arc<Self>) -> impl Future<Output = ()> + Send + use<> {
        let gate = self.clone();
        gate.standings.loading.store(true, Ordering::Relaxed);
        async move {
            if let Err(error) = gate.look().await {
                tracing::warn!(target: "policy", %error, "the active modules can not be listed, and are loaded when they are needed");
            }
            gate.standings.loading.store(false, Ordering::Relaxed);
        }
    }

    /// Whether [`Gate::load_active`] is at work.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.standings.loading.load(Ordering::Relaxed)
    }

    /// Looks at what decides in every workspace. Loads what was activated since the last look, and what did not load then or earlier:
    /// at the next look, two looks later, four later, and so on up to [`LOOK_PAUSE`].
    ///
    /// # Errors
    /// Those of the store. A module that does not load is none: see [`Gate::closed`].
    pub async fn look(&self) -> Result<(), Error> {
        let (mut met, mut tried, mut after) = (HashSet::new(), Tried::default(), None);
        loop {
            let page = self.store.deciding(after, LOOK_ROWS).await?;
            for deciding in &page {
                met.insert(deciding.workspace);
                if self.standings.is_due(deciding) {
                    self.load_deciding(deciding, &mut tried).await;
                }
            }
            match page.last() {
                Some(last) if page.len() == LOOK_ROWS => after = Some(last.workspace),
                _ => break,
            }
        }
        self.standings.keep_only(&met);
        Ok(())
    }

    /// Loads what decides in one workspace, after it was heard that this is something else now.
    ///
    /// # Errors
    /// Those of the store. A module that does not load is none: see [`Gate::closed`].
    pub async fn load_workspace(&self, workspace: WorkspaceId) -> Result<(), Error> {
        let version = match self.active_version(workspace).await {
            Err(Error::NotFound(_)) => return Ok(()),
            version => version?,
        };
        let deciding =
            Deciding { workspace, version: version.id, number: version.number, module: version.digest, standard: version.standard };
        self.load_deciding(&deciding, &mut Tried::default()).await;
        Ok(())
    }

    /// Loads a module that was let in and may be activated soon. It waits behind uploads, and no request waits behind it.
    ///
    /// # Errors
    /// Why it does not load, which is of no consequence yet.
    pub async fn load_ahead(&self, workspace: WorkspaceId, digest: Digest) -> Result<(), Failure> {
        if self.engine.loaded(digest).is_some() {
            return Ok(());
        }
        let module = self.module(workspace, digest).await?;
        self.engine.load_ahead(&module).await.map(drop)
    }

    /// The workspaces that are closed on this host, as far as it has looked: how many, and at most `most` of them, by id.
    #[must_use]
    pub fn closed(&self, most: usize) -> (usize, Vec<Closed>) {
        // A request may have loaded what the last look could not.
        self.standings.closed(most, |digest| self.engine.loaded(digest).is_none())
    }

    async fn load_deciding(&self, deciding: &Deciding, tried: &mut Tried) {
        for digest in deciding.module.into_iter().chain([deciding.standard]) {
            if let Err(why) = self.load_once(deciding.workspace, digest, tried).await {
                return self.standings.settle(deciding, Some((digest, why)));
            }
        }
        self.standings.settle(deciding, None);
    }

    /// Loads a module unless that was tried with the same bytes.
    async fn load_once(&self, workspace: WorkspaceId, digest: Digest, tried: &mut Tried) -> Result<(), Failure> {
        if tried.loaded.contains(&digest) {
            return Ok(());
        }
        if self.engine.loaded(digest).is_none() {
            let module = self.module(workspace, digest).await?;
            let bytes = fingerprint(&module.bytes);
            if let Some(why) = tried.failed.get(&(digest, bytes)) {
                return Err(why.clone());
            }
            if let Err(why) = self.engine.load(&module).await {
                // What is the server's own fault may go well the next time.
                if !why.is_of_server() {
                    tried.failed.insert((digest, bytes), why.clone());
                }
                return Err(why);
            }
        }
        tried.loaded.insert(digest);
        Ok(())
    }
}

/// What one look has tried, so that a module is compiled once for all workspaces that share it.
#[derive(Default)]
struct Tried {
    loaded: HashSet<Digest>,
    /// Each workspace has bytes of its own, and those of one may be damaged.
    failed: HashMap<(Digest, u64), Failure>,
}

/// Tells bytes from others that somebody damaged by mistake.
fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Where each workspace stands on this host: one entry a workspace.
#[derive(Default)]
pub(super) struct Standings {
    loading: AtomicBool,
    known: Mutex<HashMap<WorkspaceId, Standing>>,
}

struct Standing {
    /// The number of the version that was tried last.
    number: i64,
    failed: Option<Failed>,
}

struct Failed {
    version: PolicyVersionId,
    digest: Digest,
    why: Failure,
    /// How often it did not load, one after the other.
    times: u32,
    /// Looks until it is tried again.
    pause: u32,
}

impl Standings {
    /// Why requests need not try this module: it failed more than once by its own fault, and is tried again without them. They would
    /// only keep the compiler from others.
    pub(super) fn held(&self, workspace: WorkspaceId, digest: Digest) -> Option<Failure> {
        let known = locked(&self.known);
        let failed = known.get(&workspace)?.failed.as_ref()?;
        (failed.digest == digest && failed.times > 1 && !failed.why.is_of_server()).then(|| failed.why.clone())
    }

    /// Whether this look is to load what decides.
    fn is_due(&self, deciding: &Deciding) -> bool {
        match locked(&self.known).get_mut(&deciding.workspace) {
            Some(standing) if standing.number == deciding.number => standing.failed.as_mut().is_some_and(|failed| {
                failed.pause = failed.pause.saturating_sub(1);
                failed.pause == 0
            }),
            // A later version may have been heard of since this one was read.
            Some(standing) => standing.number < deciding.number,
            None => true,
        }
    }

    /// Keeps how it went; what is known of a later version stands.
    fn settle(&self, deciding: &Deciding, failure: Option<(Digest, Failure)>) {
        let Deciding { workspace, version, number, .. } = *deciding;
        let mut known = locked(&self.known);
        let before = known.get(&workspace);
        if before.is_some_and(|before| before.number > number) {
            return;
        }
        let failed_before = before.and_then(|before| before.failed.as_ref());
        if failure.is_none() && failed_before.is_some() {
            tracing::info!(target: "policy", %workspace, %version, "the active version loads again");
        }
        let times = failed_before.filter(|failed| failed.version == version).map_or(0, |failed| failed.times);
        let failed = failure.map(|(digest, why)| {
            tracing::warn!(target: "policy", %workspace, %digest, failure = %why, "an active module does not load; its workspace is closed");
            let pause = 1_u32.checked_shl(times).map_or(LOOK_PAUSE, |pause| pause.min(LOOK_PAUSE));
            Failed { version, digest, why, times: times.saturating_add(1), pause }
        });
        known.insert(workspace, Standing { number, failed });
    }

    /// Forgets workspaces that are gone.
    fn keep_only(&self, met: &HashSet<WorkspaceId>) {
        locked(&self.known).retain(|workspace, _| met.contains(workspace));
    }

    fn closed(&self, most: usize, still: impl Fn(Digest) -> bool) -> (usize, Vec<Closed>) {
        let known = locked(&self.known);
        let failed = known.iter().filter_map(|(workspace, standing)| Some((*workspace, standing.failed.as_ref()?)));
        let mut failed: Vec<(WorkspaceId, &Failed)> = failed.filter(|(_, failed)| still(failed.digest)).collect();
        failed.sort_unstable_by_key(|(workspace, _)| workspace.0);
        let shown = failed.iter().take(most).map(|(workspace, failed)| Closed {
            workspace: *workspace,
            version: failed.version,
            digest: failed.digest,
            why: failed.why.clone(),
        });
        (failed.len(), shown.collect())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn deciding(number: i64) -> Deciding {
        let version = PolicyVersionId(Uuid::from_u128(number.unsigned_abs().into()));
        Deciding { workspace: WorkspaceId(Uuid::from_u128(7)), version, number, module: Some(Digest([1; 32])), standard: Digest([2; 32]) }
    }

    fn failure() -> Option<(Digest, Failure)> {
        Some((Digest([1; 32]), Failure::Unloadable("it is broken".to_owned())))
    }

    fn closed(standings: &Standings) -> usize {
        standings.closed(9, |_| true).0
    }

    /// Looks until it is tried again.
    fn looks(standings: &Standings, deciding: &Deciding) -> u32 {
        (1..=2 * LOOK_PAUSE).find(|_| standings.is_due(deciding)).unwrap()
    }

    #[test]
    fn what_does_not_load_is_tried_again_after_longer_and_longer_pauses() {
        let (standings, first) = (Standings::default(), deciding(1));
        assert!(standings.is_due(&first));
        let mut pauses = Vec::new();
        for _ in 0..40 {
            standings.settle(&first, failure());
            pauses.push(looks(&standings, &first));
        }
        assert_eq!(pauses[..6], [1, 2, 4, 8, LOOK_PAUSE, LOOK_PAUSE]);
        assert_eq!(pauses.last(), Some(&LOOK_PAUSE));
        standings.settle(&first, None);
        assert_eq!((closed(&standings), standings.is_due(&first)), (0, false));
    }

    #[test]
    fn requests_try_a_module_that_failed_once() {
        let (standings, first) = (Standings::default(), deciding(1));
        let digest = Digest([1; 32]);
        standings.settle(&first, failure());
        assert_eq!(standings.held(first.workspace, digest), None);
        standings.settle(&first, failure());
        assert_eq!(standings.held(first.workspace, digest), failure().map(|(_, why)| why));
        assert_eq!(standings.held(first.workspace, Digest([2; 32])), None, "another module");
        assert_eq!(standings.held(WorkspaceId(Uuid::from_u128(8)), digest), None, "another workspace, with bytes of its own");
        standings.settle(&first, Some((digest, Failure::Unready("too many modules wait".to_owned()))));
        assert_eq!(standings.held(first.workspace, digest), None, "which says nothing of the module");
    }

    #[test]
    fn a_look_that_took_long_does_not_speak_for_a_later_version() {
        let (standings, first, second) = (Standings::default(), deciding(1), deciding(2));
        standings.settle(&second, None);
        assert!(!standings.is_due(&first));
        standings.settle(&first, failure());
        assert_eq!(closed(&standings), 0);
        standings.settle(&second, failure());
        assert!(standings.is_due(&deciding(3)), "an activation is looked at without a pause");
        standings.keep_only(&HashSet::new());
        assert_eq!(closed(&standings), 0, "a workspace that is gone is not closed");
    }

    #[test]
    fn so_many_are_named_and_all_are_counted() {
        let standings = Standings::default();
        for workspace in (1..=5).rev() {
            standings.settle(&Deciding { workspace: WorkspaceId(Uuid::from_u128(workspace)), ..deciding(1) }, failure());
        }
        let (count, shown) = standings.closed(2, |_| true);
        assert_eq!((count, shown.iter().map(|closed| closed.workspace.0.as_u128()).collect::<Vec<_>>()), (5, vec![1, 2]));
    }
}
