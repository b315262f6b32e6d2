//! The compiled modules that are kept, by digest.

use std::{collections::HashMap, sync::Arc};

use directory::contract::{Digest, Manifest};

use crate::{bindings::PolicyPre, guest::Limiter};

/// A compiled module and what it says of itself.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) module: PolicyPre<Limiter>,
    pub(crate) manifest: Arc<Manifest>,
}

/// At most `limit` modules; the one that was asked for longest ago makes room.
pub(crate) struct Cache<Entry = Loaded> {
    limit: usize,
    /// Counts what was asked, in place of a clock.
    now: u64,
    entries: HashMap<Digest, (u64, Entry)>,
}

impl<Entry: Clone> Cache<Entry> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), now: 0, entries: HashMap::new() }
    }

    pub(crate) fn get(&mut self, digest: Digest) -> Option<Entry> {
        self.now += 1;
        let (used, entry) = self.entries.get_mut(&digest)?;
        *used = self.now;
        Some(entry.clone())
    }

    pub(crate) fn insert(&mut self, digest: Digest, entry: Entry) {
        self.now += 1;
        if self.entries.len() >= self.limit && !self.entries.contains_key(&digest) {
            let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used).map(|(digest, _)| *digest);
            oldest.map(|oldest| self.entries.remove(&oldest));
        }
        self.entries.insert(digest, (self.now, entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_asked_for_longest_ago_makes_room() {
        let [a, b, c] = [1, 2, 3].map(|byte| Digest([byte; 32]));
        let mut cache = Cache::new(2);
        cache.insert(a, 'a');
        cache.insert(b, 'b');
        assert_eq!(cache.get(a), Some('a'));
        cache.insert(a, 'A');
        cache.insert(c, 'c');
        assert_eq!([cache.get(a), cache.get(b), cache.get(c)], [Some('A'), None, Some('c')]);
    }
}
