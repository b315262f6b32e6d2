//! Automatic persisted documents: a client sends a document's SHA-256, and the document itself only where the server has forgotten it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::super::{
    Failure,
    code::Code,
    limits::{PERSISTED, PERSISTED_BYTES},
};

/// A document's SHA-256.
pub(super) type Hash = [u8; 32];

/// The documents that were asked for last. Found by their own hash, they are the same for everybody.
#[derive(Default)]
pub(in super::super) struct Persisted(Mutex<Documents>);

#[derive(Default)]
struct Documents {
    by_hash: HashMap<Hash, (u64, Arc<str>)>,
    /// Oldest use first.
    by_use: BTreeMap<u64, Hash>,
    uses: u64,
    bytes: usize,
}

impl Persisted {
    pub(super) fn get(&self, hash: &Hash) -> Option<Arc<str>> {
        self.documents().touch(hash)
    }

    /// Keeps a document, and forgets those that were not asked for the longest.
    pub(super) fn put(&self, hash: Hash, document: &str) {
        let mut documents = self.documents();
        if documents.touch(&hash).is_none() {
            documents.insert(hash, document);
        }
    }

    fn documents(&self) -> MutexGuard<'_, Documents> {
        // A poisoned cache is still a cache.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Documents {
    fn touch(&mut self, hash: &Hash) -> Option<Arc<str>> {
        let (used, document) = self.by_hash.get_mut(hash)?;
        self.uses += 1;
        self.by_use.remove(used);
        self.by_use.insert(self.uses, *hash);
        *used = self.uses;
        Some(document.clone())
    }

    fn insert(&mut self, hash: Hash, document: &str) {
        self.uses += 1;
        self.bytes += document.len();
        self.by_hash.insert(hash, (self.uses, document.into()));
        self.by_use.insert(self.uses, hash);
        while self.by_hash.len() > PERSISTED || self.bytes > PERSISTED_BYTES {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            self.bytes -= self.by_hash.remove(&oldest).map_or(0, |(_, document)| document.len());
        }
    }
}

/// The hash that an operation's `extensions.persistedQuery` names.
pub(super) fn hash(extensions: &Map<String, Value>) -> Result<Option<Hash>, Failure> {
    let Some(persisted) = extensions.get("persistedQuery") else { return Ok(None) };
    let hash = || {
        let mut hash = Hash::default();
        hex::decode_to_slice(persisted.get("sha256Hash")?.as_str()?, &mut hash).ok()?;
        (persisted.get("version")?.as_u64()? == 1).then_some(hash)
    };
    hash().map(Some).ok_or_else(|| {
        let rule =
            "`extensions.persistedQuery` must be `{\"version\": 1, \"sha256Hash\": SHA-256 in hexadecimal}`; correct it, or leave it out";
        Failure::new(Code::BAD_REQUEST, rule)
    })
}

/// Whether a document has that hash.
pub(super) fn matches(document: &str, hash: &Hash) -> bool {
    Sha256::digest(document.as_bytes()).as_slice() == hash
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number(n: usize) -> Hash {
        let mut hash = Hash::default();
        hash[..8].copy_from_slice(&n.to_be_bytes());
        hash
    }

    #[test]
    fn the_longest_unused_documents_are_forgotten() {
        let persisted = Persisted::default();
        for n in 0..PERSISTED {
            persisted.put(number(n), "{a}");
        }
        assert!(persisted.get(&number(0)).is_some());
        persisted.put(number(PERSISTED), "{b}");
        assert!(persisted.get(&number(0)).is_some() && persisted.get(&number(1)).is_none() && persisted.get(&number(2)).is_some());
    }

    #[test]
    fn documents_are_counted_in_bytes_too() {
        let persisted = Persisted::default();
        let document = "x".repeat(64 * 1024);
        let fit = PERSISTED_BYTES / document.len();
        for n in 0..=fit {
            persisted.put(number(n), &document);
            persisted.put(number(n), &document);
        }
        assert!(persisted.get(&number(0)).is_none() && persisted.get(&number(1)).is_some());
        assert_eq!(persisted.documents().bytes, PERSISTED_BYTES);
    }

    #[test]
    fn hashes_are_read_strictly() {
        let read = |persisted: Value| hash(json!({ "persistedQuery": persisted }).as_object().unwrap()).map_err(|failure| failure.code);
        let text = hex::encode(Sha256::digest("{a}"));
        let found = read(json!({"version": 1, "sha256Hash": text})).unwrap().unwrap();
        assert!(matches("{a}", &found) && !matches("{b}", &found));
        assert_eq!(hash(&Map::new()), Ok(None));
        for wrong in [json!(null), json!({}), json!({"version": 2, "sha256Hash": text}), json!({"version": 1, "sha256Hash": "abc"})] {
            assert_eq!(read(wrong), Err(Code::BAD_REQUEST));
        }
    }
}
