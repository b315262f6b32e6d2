//! What one workspace may take of the sandbox, so that its neighbours do not notice what it does there.
//!
//! A workspace has so many guests at once, so many calls that run at once, and so much fuel a second. Whoever asks for more waits; whoever
//! waits too long gets [`Failure::Share`], which denies like any other failure. A workspace that uses much of its fuel is moved to the
//! threads of low priority, where it takes only what the others leave.
//!
//! The policy that ships with the server has no share: it is asked beside a module, within requests that hold a guest of the workspace
//! already, and what is left to it is answered whatever the module takes.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use directory::{contract::Failure, ids::WorkspaceId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use crate::{limits, worker::Lane};

/// The share of each workspace. Every default is in [`crate::limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareLimits {
    /// Guests that exist at once.
    pub guests: usize,
    /// Calls that run at once; 0 for half of the threads, one at least.
    pub calls: usize,
    /// Units of fuel that its calls use in a second, in the long run. A second's worth may be used at once.
    pub fuel_a_second: u64,
}

impl ShareLimits {
    /// Everything: where nobody has neighbours.
    pub const UNBOUNDED: Self = Self { guests: usize::MAX, calls: usize::MAX, fuel_a_second: u64::MAX };
}

impl Default for ShareLimits {
    fn default() -> Self {
        Self { guests: limits::SHARE_GUESTS, calls: 0, fuel_a_second: limits::SHARE_FUEL_A_SECOND }
    }
}

/// How much time has passed since some moment. Never goes back.
#[derive(Clone)]
pub struct Stopwatch(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Stopwatch {
    /// The time that `passed` tells.
    pub fn new(passed: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(passed))
    }

    fn passed(&self) -> Duration {
        (self.0)()
    }
}

impl Default for Stopwatch {
    /// The machine's.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine how much time has passed; tests bring their own")]
    fn default() -> Self {
        let start = Instant::now();
        Self::new(move || start.elapsed())
    }
}

impl fmt::Debug for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stopwatch({:?})", self.passed())
    }
}

/// The shares of the workspaces that have asked lately.
pub(crate) struct Shares {
    limits: ShareLimits,
    stopwatch: Stopwatch,
    wait: Duration,
    known: Mutex<HashMap<WorkspaceId, Arc<Share>>>,
}

impl Shares {
    /// Shares of `limits` each, in which nobody waits longer than `wait`.
    pub(crate) fn new(limits: ShareLimits, stopwatch: Stopwatch, wait: Duration) -> Self {
        Self { limits, stopwatch, wait, known: Mutex::default() }
    }

    /// The share of a workspace.
    pub(crate) fn of(&self, workspace: WorkspaceId) -> Arc<Share> {
        let mut known = locked(&self.known);
        if let Some(share) = known.get(&workspace) {
            return Arc::clone(share);
        }
        if known.len() >= limits::SHARES {
            // What is used by nobody and owes nothing is as good as new. What is left are workspaces with a request under way, or in
            // debt for a few seconds, so that the map has no more entries than such workspaces, and those of the last calls.
            let now = self.stopwatch.passed();
            known.retain(|_, share| Arc::strong_count(share) > 1 || !locked(&share.fuel).is_full(now));
        }
        let share = Arc::new(Share {
            limits: self.limits,
            stopwatch: self.stopwatch.clone(),
            wait: self.wait,
            guests: semaphore(self.limits.guests),
            calls: semaphore(self.limits.calls),
            fuel: Mutex::new(Bucket::full(self.limits.fuel_a_second, self.stopwatch.passed())),
        });
        known.insert(workspace, Arc::clone(&share));
        share
    }
}

/// What one workspace has left.
pub(crate) struct Share {
    limits: ShareLimits,
    stopwatch: Stopwatch,
    wait: Duration,
    guests: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    fuel: Mutex<Bucket>,
}

/// What a workspace can run short of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scarce {
    Guests,
    Calls,
    Fuel,
}

impl Scarce {
    const fn name(self) -> &'static str {
        match self {
            Self::Guests => "guests",
            Self::Calls => "calls",
            Self::Fuel => "fuel",
        }
    }
}

/// Leave to run one call. INVARIANT: it goes with the call to its thread, so that a caller who leaves neither frees it nor goes unpaid.
pub(crate) struct Turn {
    share: Arc<Share>,
    _call: OwnedSemaphorePermit,
}

impl Turn {
    /// The threads that the call belongs on.
    pub(crate) fn lane(&self) -> Lane {
        if locked(&self.share.fuel).is_low(self.share.stopwatch.passed()) { Lane::Low } else { Lane::First }
    }

    /// The call is over, and has used so much.
    pub(crate) fn spend(self, fuel: u64) {
        locked(&self.share.fuel).take(fuel, self.share.stopwatch.passed());
    }
}

impl Share {
    /// Waits until the workspace may have one more guest. The permit is the guest's, until it is dropped.
    pub(crate) async fn guest(&self) -> Result<OwnedSemaphorePermit, Failure> {
        self.permit(Scarce::Guests, &self.guests).await
    }

    /// Waits until the workspace may run one more call, and owes no fuel.
    pub(crate) async fn turn(self: &Arc<Self>) -> Result<Turn, Failure> {
        let call = self.permit(Scarce::Calls, &self.calls).await?;
        self.refilled().await?;
        Ok(Turn { share: Arc::clone(self), _call: call })
    }

    async fn permit(&self, of: Scarce, semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(permit) = Arc::clone(semaphore).try_acquire_owned() {
            return Ok(permit);
        }
        waits(of);
        let permit = timeout(self.wait, Arc::clone(semaphore).acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or_else(|| self.exceeded(of))
    }

    async fn refilled(&self) -> Result<(), Failure> {
        let mut owed = self.owed();
        if owed.is_zero() {
            return Ok(());
        }
        waits(Scarce::Fuel);
        let refilled = async {
            while !owed.is_zero() {
                sleep(owed.min(LOOK_AGAIN)).await;
                owed = self.owed();
            }
        };
        timeout(self.wait, refilled).await.map_err(|_| self.exceeded(Scarce::Fuel))
    }

    /// How long it takes until no fuel is owed.
    fn owed(&self) -> Duration {
        locked(&self.fuel).owed(self.stopwatch.passed())
    }

    fn exceeded(&self, of: Scarce) -> Failure {
        let ShareLimits { guests, calls, fuel_a_second } = self.limits;
        Failure::Share(match of {
            Scarce::Guests => format!("{} at once", counted(guests, "guest")),
            Scarce::Calls => format!("{} at once", counted(calls, "call")),
            Scarce::Fuel => format!("{fuel_a_second} units of fuel a second"),
        })
    }
}

/// A semaphore of so many permits, or of as many as there can be.
fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// How long nobody looks whether the fuel has come in: what is owed is known, but the stopwatch is not the timer's.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

fn waits(of: Scarce) {
    metrics::counter!("policy_share_waits_total", "for" => of.name()).increment(1);
}

/// Fuel that comes in at a rate, up to a second's worth. What a call takes is known when it is over, so that it may come to owe some.
struct Bucket {
    rate: u64,
    /// What is there; below zero it is owed.
    level: i128,
    at: Duration,
}

impl Bucket {
    fn full(rate: u64, now: Duration) -> Self {
        Self { rate, level: i128::from(rate), at: now }
    }

    fn take(&mut self, fuel: u64, now: Duration) {
        self.refill(now);
        self.level -= i128::from(fuel);
    }

    fn owed(&mut self, now: Duration) -> Duration {
        self.refill(now);
        let owed = u64::try_from(-self.level).unwrap_or_default();
        // Rounded up: a moment too early would be one more look.
        let nanos = u128::from(owed).saturating_mul(NANOS).div_ceil(u128::from(self.rate.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Less than half is there: the workspace has used more than half of its share of the last second or two.
    fn is_low(&mut self, now: Duration) -> bool {
        self.refill(now);
        self.level < i128::from(self.rate / 2)
    }

    fn is_full(&mut self, now: Duration) -> bool {
        self.refill(now);
        self.level == i128::from(self.rate)
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        let come_in = u128::from(self.rate).saturating_mul(passed.as_nanos()) / NANOS;
        // Of a moment too short for one unit nothing is lost: it is counted with the next.
        if come_in == 0 {
            return;
        }
        self.at = now;
        let come_in = i128::try_from(come_in).unwrap_or(i128::MAX);
        self.level = self.level.saturating_add(come_in).min(i128::from(self.rate));
    }
}

/// Nanoseconds in a second.
const NANOS: u128 = 1_000_000_000;

/// What is locked is replaced whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        str::FromStr as _,
        sync::atomic::{AtomicU64, Ordering},
    };

    use super::*;

    const LIMITS: ShareLimits = ShareLimits { guests: 2, calls: 1, fuel_a_second: 1_000 };

    /// Shares of [`LIMITS`], and the milliseconds that have passed for them.
    fn shares() -> (Shares, Arc<AtomicU64>) {
        let clock = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&clock);
        let stopwatch = Stopwatch::new(move || Duration::from_millis(read.load(Ordering::Relaxed)));
        (Shares::new(LIMITS, stopwatch, Duration::from_millis(20)), clock)
    }

    fn workspace(number: u8) -> WorkspaceId {
        format!("wsp_{number:032x}").parse().unwrap()
    }

    #[tokio::test]
    async fn a_workspace_has_so_many_guests_and_calls_and_its_neighbours_have_theirs() {
        let (shares, _) = shares();
        let (one, other) = (shares.of(workspace(1)), shares.of(workspace(2)));
        let guests = [one.guest().await.unwrap(), one.guest().await.unwrap()];
        assert_eq!(one.guest().await.err(), Some(Failure::Share("2 guests at once".into())));
        let turn = one.turn().await.unwrap();
        assert_eq!(one.turn().await.err(), Some(Failure::Share("1 call at once".into())));
        assert!(other.guest().await.is_ok() && other.turn().await.is_ok());
        drop((guests, turn));
        assert!(one.guest().await.is_ok() && one.turn().await.is_ok(), "what was given back can be had again");
    }

    #[tokio::test]
    async fn a_share_of_everything_is_a_share() {
        let share = Shares::new(ShareLimits::UNBOUNDED, Stopwatch::default(), Duration::ZERO).of(workspace(1));
        assert!(share.guest().await.is_ok());
        share.turn().await.unwrap().spend(u64::MAX);
    }

    #[tokio::test]
    async fn what_a_call_took_too_much_is_waited_for() {
        let (shares, clock) = shares();
        let share = shares.of(workspace(1));
        share.turn().await.unwrap().spend(1_000);
        // Nothing is left, and nothing is owed: another call may begin, and owes what it takes.
        share.turn().await.unwrap().spend(4_000);
        assert_eq!(share.owed(), Duration::from_secs(4));
        assert_eq!(share.turn().await.err(), Some(Failure::Share("1000 units of fuel a second".into())));
        clock.store(3_999, Ordering::Relaxed);
        assert_eq!((share.owed(), share.turn().await.is_err()), (Duration::from_millis(1), true));
        clock.store(4_000, Ordering::Relaxed);
        assert!(share.turn().await.is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_for_fuel_goes_on_when_it_has_come_in() {
        let (shares, clock) = shares();
        let shares = Shares { wait: Duration::from_secs(60), ..shares };
        let share = shares.of(workspace(1));
        share.turn().await.unwrap().spend(2_000);
        let paid = async { clock.store(1_000, Ordering::Relaxed) };
        let (turn, ()) = tokio::join!(share.turn(), paid);
        assert!(turn.is_ok());
    }

    #[tokio::test]
    async fn who_uses_much_is_moved_to_the_threads_of_low_priority_and_back() {
        let (shares, clock) = shares();
        let share = shares.of(workspace(1));
        let lane = async || share.turn().await.unwrap().lane();
        assert_eq!(lane().await, Lane::First);
        share.turn().await.unwrap().spend(500);
        assert_eq!(lane().await, Lane::First);
        share.turn().await.unwrap().spend(1);
        assert_eq!(lane().await, Lane::Low);
        clock.store(1, Ordering::Relaxed);
        assert_eq!(lane().await, Lane::First);
    }

    #[tokio::test]
    async fn what_comes_in_is_no_more_than_a_second_worth() {
        let (shares, clock) = shares();
        let share = shares.of(workspace(1));
        clock.store(3_600_000, Ordering::Relaxed);
        share.turn().await.unwrap().spend(2_000);
        assert_eq!(share.owed(), Duration::from_secs(1));
    }

    #[test]
    fn fuel_comes_in_however_often_somebody_looks() {
        let mut bucket = Bucket { rate: 10, level: -10, at: Duration::ZERO };
        for millis in 0..=1_000 {
            bucket.refill(Duration::from_millis(millis));
        }
        assert_eq!(bucket.level, 0);
        let late = Duration::from_secs(u64::MAX);
        let mut bucket = Bucket { rate: u64::MAX, level: 0, at: Duration::ZERO };
        bucket.take(u64::MAX, late);
        assert_eq!((bucket.level, bucket.owed(late)), (0, Duration::ZERO));
        bucket.take(u64::MAX, late);
        assert_eq!(bucket.owed(late), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn whoever_owes_or_is_at_work_is_not_forgotten() {
        let (shares, _) = shares();
        shares.of(workspace(1)).turn().await.unwrap().spend(5_000);
        let busy = shares.of(workspace(2));
        let guest = busy.guest().await.unwrap();
        for number in 0..2 * u128::try_from(limits::SHARES).unwrap() {
            shares.of(WorkspaceId::from_str(&format!("wsp_{:032x}", number + 1_000)).unwrap());
            assert!(locked(&shares.known).len() <= limits::SHARES + 2);
        }
        assert!(shares.of(workspace(1)).turn().await.is_err());
        assert!(Arc::ptr_eq(&busy, &shares.of(workspace(2))));
        drop(guest);
    }
}
