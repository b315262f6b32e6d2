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
        let (sender, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..count.max(1))
            .map(|_| {
                let receiver = Arc::clone(&receiver);
                Builder::new().name(name.to_owned()).stack_size(stack_bytes).spawn(move || work(&receiver))
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
