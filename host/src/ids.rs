//! New ids and secrets as parameters.

use directory::{model::Timestamp, store::IdSource};
use uuid::{Builder, Uuid};

use crate::clock::Clock;

/// Fills with random bytes, or with what stands for them.
type Fill = Box<dyn FnMut(&mut [u8]) + Send>;

/// UUIDv7 ids (RFC 9562 section 5.7) of a clock and random bytes; within one millisecond a counter keeps them in order.
pub struct Ids {
    clock: Clock,
    fill: Fill,
    millis: u64,
    counter: u16,
}

impl Ids {
    /// Ids of the machine's randomness.
    #[must_use]
    pub fn random(clock: Clock) -> Self {
        Self::new(clock, Box::new(random))
    }

    /// The same ids every time, for deterministic samples.
    #[must_use]
    pub fn seeded(seed: &str, at: Timestamp) -> Self {
        let mut output = blake3::Hasher::new_derive_key("bailiwick sample ids").update(seed.as_bytes()).finalize_xof();
        Self::new(Clock::fixed(at), Box::new(move |bytes| output.fill(bytes)))
    }

    fn new(clock: Clock, fill: Fill) -> Self {
        Self { clock, fill, millis: 0, counter: 0 }
    }
}

impl IdSource for Ids {
    fn next_id(&mut self) -> Uuid {
        let now = u64::try_from(self.clock.now().millis()).unwrap_or_default();
        let mut bytes = [0; 10];
        (self.fill)(&mut bytes);
        if now > self.millis {
            (self.millis, self.counter) = (now, 0);
        } else if self.counter == 0x0fff {
            (self.millis, self.counter) = (self.millis + 1, 0);
        } else {
            self.counter += 1;
        }
        // The 12 bits behind the version count within a millisecond (method 1 of section 6.2).
        let [high, low] = self.counter.to_be_bytes();
        let [first, second, ..] = &mut bytes;
        (*first, *second) = (high, low);
        Builder::from_unix_timestamp_millis(self.millis, &bytes).into_uuid()
    }
}

/// Fills with bytes from the operating system.
///
/// Without them no secret is one, and the process ends.
#[expect(clippy::disallowed_methods, reason = "the one place where the operating system is asked for randomness")]
pub fn random(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        tracing::error!(%error, "the operating system gives no random bytes");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_and_of_version_7() {
        let mut ids = Ids::seeded("x", Timestamp(1_700_000_000_000_000));
        let made: Vec<Uuid> = (0..10_000).map(|_| ids.next_id()).collect();
        assert!(made.is_sorted() && made.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(made.iter().all(|id| id.get_version_num() == 7));
        assert_eq!(made[0], Ids::seeded("x", Timestamp(1_700_000_000_000_000)).next_id());
    }
}
