//! Times of single calls.

use std::time::{Duration, Instant};

/// Sorted times of single calls.
pub struct Times(Vec<Duration>);

impl Times {
    /// Runs `call` `warm` times unmeasured and `calls` times measured.
    pub fn of(warm: usize, calls: usize, mut call: impl FnMut()) -> Self {
        (0..warm).for_each(|_| call());
        Self::sorted((0..calls).map(|_| time(&mut call)))
    }

    /// The same for calls that are awaited.
    pub async fn of_async<F: Future<Output = ()>>(warm: usize, calls: usize, mut call: impl FnMut() -> F) -> Self {
        for _ in 0..warm {
            call().await;
        }
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let start = Instant::now();
            call().await;
            times.push(start.elapsed());
        }
        Self::sorted(times)
    }

    /// Times that were taken one by one.
    pub fn sorted(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }

    /// How many calls were timed.
    pub fn calls(&self) -> usize {
        self.0.len()
    }

    /// The time that half of the calls did not exceed.
    pub fn median(&self) -> Duration {
        self.at(0.5)
    }

    /// The time that 99 of 100 calls did not exceed.
    pub fn p99(&self) -> Duration {
        self.at(0.99)
    }

    fn at(&self, share: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0[(last as f64 * share).round() as usize]
    }
}

fn time(call: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    call();
    start.elapsed()
}

/// Microseconds with one decimal.
pub fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

/// Milliseconds with two decimals.
pub fn millis(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
