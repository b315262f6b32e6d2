//! Threads of the sandbox's own, so that neither a guest nor a compilation ever holds up an async worker.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvError, Sender, TryRecvError, channel},
    },
    thread::{Builder, JoinHandle, yield_now},
};

use tokio::sync::oneshot;

use crate::limits;

type Job = Box<dyn FnOnce() + Send>;

/// The threads that run guests. No guest of one lane waits for a thread that a guest of another has.
pub(crate) struct Lanes {
    first: Workers,
    low: Workers,
    aside: Workers,
}

/// Which of the threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Those of the server's own priority.
    First,
    /// Those that stand back, for workspaces that use much.
    Low,
    /// Those that stand back, for what is no part of a request: uploads that are tried, modules that describe themselves.
    Aside,
}

impl Lane {
    /// Its name in the metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Low => "low",
            Self::Aside => "aside",
        }
    }
}

impl Lanes {
    /// Starts `count` threads for each lane that serves requests.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let start = |name, count, begin: fn()| Workers::beginning(name, count, limits::GUEST_THREAD_STACK_BYTES, begin);
        Ok(Self {
            first: start("policy-guest", count, || ())?,
            low: start("policy-low", count, stand_back)?,
            aside: start("policy-aside", limits::ASIDE_THREADS, stand_back)?,
        })
    }

    /// The threads of a lane.
    pub(crate) const fn of(&self, lane: Lane) -> &Workers {
        match lane {
            Lane::First => &self.first,
            Lane::Low => &self.low,
            Lane::Aside => &self.aside,
        }
    }
}

/// A fixed number of threads that take jobs in the order of arrival.
///
/// The queue itself is not bounded: whoever sends jobs holds a permit for each of them. Dropping the pool finishes what was sent
/// and joins the threads.
pub(crate) struct Workers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// The job came to no end: it panicked.
#[derive(Debug)]
pub(crate) struct Lost;

impl Workers {
    /// Starts `count` threads of that name, each with `stack_bytes` of stack.
    pub(crate) fn start(name: &str, count: usize, stack_bytes: usize) -> io::Result<Self> {
        Self::beginning(name, count, stack_bytes, || ())
    }

    /// The same, with threads that each begin with `begin`.
    fn beginning(name: &str, count: usize, stack_bytes: usize, begin: fn()) -> io::Result<Self> {
        let (sender, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..count.max(1))
            .map(|_| {
                let receiver = Arc::clone(&receiver);
                Builder::new().name(name.to_owned()).stack_size(stack_bytes).spawn(move || {
                    begin();
                    work(&receiver);
                })
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { jobs: Some(sender), threads })
    }

    /// The same threads, for which a drop does not wait: they end with the job that they are at, or with the process.
    pub(crate) fn detached(mut self) -> Self {
        self.threads.clear();
        self
    }

    /// Runs `job` on one of the threads and waits for its result.
    ///
    /// A job that has begun runs to its end even when nobody waits any longer; one that has not is left out.
    pub(crate) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
        let (answer, waiting) = oneshot::channel();
        self.send(move || {
            if !answer.is_closed() {
                // A caller that has gone away drops what it would have received; there is nobody to tell.
                drop(answer.send(job()));
            }
        });
        waiting.await.map_err(|_| Lost)
    }

    /// Runs `job` on one of the threads, for its effect only.
    pub(crate) fn send(&self, job: impl FnOnce() + Send + 'static) {
        if let Some(jobs) = &self.jobs {
            // The receiver lives as long as the threads, and these as long as `self`.
            drop(jobs.send(Box::new(job)));
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// Lets every other thread of the server go first, from now on.
#[cfg(target_os = "linux")]
pub(crate) fn stand_back() {
    // On Linux, and only there, this is the priority of one thread. Where it may not be changed, the shares alone must do.
    if let Err(error) = rustix::process::setpriority_process(None, limits::LOW_PRIORITY) {
        tracing::warn!(%error, "threads of low priority are not to be had");
    }
}

/// Where a thread has no priority of its own.
#[cfg(not(target_os = "linux"))]
pub(crate) const fn stand_back() {}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let Ok(job) = next(&jobs.lock().unwrap_or_else(PoisonError::into_inner)) else { return };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
            tracing::error!(panic = message(panic.as_ref()), "a job of the sandbox panicked");
        }
    }
}

/// The next job. Waking a thread costs more than most calls take, so this one stays awake for a moment.
fn next(jobs: &Receiver<Job>) -> Result<Job, RecvError> {
    for _ in 0..limits::WORKER_YIELDS {
        match jobs.try_recv() {
            Ok(job) => return Ok(job),
            Err(TryRecvError::Empty) => yield_now(),
            Err(TryRecvError::Disconnected) => return Err(RecvError),
        }
    }
    jobs.recv()
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_costs_one_job_and_no_thread() {
        let workers = Workers::start("test", 1, 1 << 20).unwrap();
        let lost = workers.run(|| -> u32 { panic!("on purpose") }).await;
        assert!(matches!(lost, Err(Lost)));
        assert_eq!(workers.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun() {
        let workers = Workers::start("test", 1, 1 << 20).unwrap();
        let (release, held) = channel::<()>();
        workers.send(move || held.recv().unwrap_or_default());
        let (begun, count) = channel();
        let abandoned = workers.run(move || begun.send(()).unwrap_or_default());
        assert!(tokio::time::timeout(std::time::Duration::from_millis(10), abandoned).await.is_err());
        drop(release);
        drop(workers);
        assert_eq!(count.iter().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn every_thread_but_those_of_the_first_lane_stands_back() {
        let lanes = Lanes::start(2).unwrap();
        for (lane, expected) in [(Lane::First, 0), (Lane::Low, limits::LOW_PRIORITY), (Lane::Aside, limits::LOW_PRIORITY)] {
            // Both threads of a lane at once: each waits for the other's answer.
            let (tell, told) = channel();
            let met = Arc::new(std::sync::Barrier::new(2));
            for _ in 0..2 {
                let (tell, met) = (tell.clone(), Arc::clone(&met));
                lanes.of(lane).send(move || {
                    met.wait();
                    tell.send(rustix::process::getpriority_process(None).unwrap()).unwrap();
                });
            }
            drop(tell);
            let own = rustix::process::getpriority_process(None).unwrap();
            assert_eq!(told.iter().collect::<Vec<_>>(), [own.max(expected); 2], "{lane:?}");
        }
    }

    #[test]
    fn a_detached_pool_is_dropped_while_it_works() {
        let (release, held) = channel::<()>();
        let (done, finished) = channel();
        let workers = Workers::start("test", 1, 1 << 20).unwrap().detached();
        workers.send(move || {
            held.recv().unwrap_or_default();
            done.send(()).unwrap();
        });
        drop(workers);
        drop(release);
        finished.recv().unwrap();
    }

    #[test]
    fn dropping_the_pool_finishes_what_was_sent() {
        let (done, finished) = channel();
        let workers = Workers::start("test", 2, 1 << 20).unwrap();
        for job in 0..10 {
            let done = done.clone();
            workers.send(move || done.send(job).unwrap());
        }
        drop(workers);
        drop(done);
        assert_eq!(finished.iter().count(), 10);
    }
}
