//! Chance from a seed: the same seed makes the same workspace, policy and query on every machine.

use std::env;

/// A small generator (SplitMix64): what a seed makes must not change with a dependency.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way every time.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for a part of what `self` makes, so that a change in one part leaves the others as they were.
    #[must_use]
    pub fn part(&mut self, part: u64) -> Self {
        let mut dice = Self(self.0 ^ part.wrapping_mul(0xd134_2543_de82_ef95));
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    /// A number from `from` up to and including `to`.
    pub fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from + 1)
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// At most `limit` different ones, in their order; often none.
    pub fn some<T: Clone>(&mut self, of: &[T], limit: usize) -> Vec<T> {
        let wanted = self.below(limit + 1).min(of.len());
        let mut left = wanted;
        let mut chosen = Vec::with_capacity(wanted);
        for (at, one) in of.iter().enumerate() {
            if left > 0 && self.below(of.len() - at) < left {
                chosen.push(one.clone());
                left -= 1;
            }
        }
        chosen
    }
}

/// The first seed: `BAILIWICK_TEST_SEED`, or the one that the suite always starts from.
#[must_use]
pub fn first_seed() -> u64 {
    number("BAILIWICK_TEST_SEED").unwrap_or(1)
}

/// How many cases: `BAILIWICK_TEST_CASES`, or so many as the suite always runs.
#[must_use]
pub fn cases(usual: usize) -> usize {
    number("BAILIWICK_TEST_CASES").map_or(usual, |cases| usize::try_from(cases).unwrap())
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`; set it to a whole number, or leave it unset")))
}
