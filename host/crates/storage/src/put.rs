//! How rows are written, for imports and changes alike: the row, the keys by which it is compared, and the words by which it is found.
//!
//! Functions take rows that were checked, and many at once: a bulk is a handful of statements.

pub(crate) mod accounts;
pub(crate) mod edges;
pub(crate) mod groups;
pub(crate) mod roles;
pub(crate) mod users;

use std::collections::{BTreeMap, BTreeSet};

use directory::Error;

use crate::{batch::Batch, exec::Tx, keys, sql::sql};

/// Runs a statement with one hole on every part of a batch; answers how many rows were written.
pub(crate) async fn insert(tx: &mut Tx, statement: &'static str, batch: Batch) -> Result<u64, Error> {
    let mut written = 0;
    if batch.is_empty() {
        return Ok(written);
    }
    for part in batch.split() {
        written += tx.execute(sql!(statement, part)).await?;
    }
    Ok(written)
}

/// Custom attributes of one row, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(pub(crate) Vec<(String, Vec<String>)>);

impl Attributes {
    /// As stored in the row.
    pub(crate) fn json(&self) -> String {
        serde_json::json!(self.0).to_string()
    }

    /// As stored for comparison: each name with each folded value, once.
    pub(crate) fn keys(&self) -> BTreeSet<(&str, String)> {
        let values = self.0.iter().flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value)));
        values.map(|(name, value)| (name, keys::capped(&directory::text::fold(value)).to_owned())).collect()
    }

    /// These, with what `newer` says of the attributes that it names.
    pub(crate) fn overlaid(mut self, newer: &Self) -> Self {
        self.0.retain(|(name, _)| newer.0.iter().all(|(newer, _)| newer != name));
        self.0.extend(newer.0.iter().cloned());
        self.0.sort();
        self
    }
}

/// The words of several texts, each once, with the texts that hold it: bit n is text n.
fn words<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> BTreeMap<String, i64> {
    let mut found = BTreeMap::new();
    for (position, text) in texts.into_iter().enumerate() {
        for word in text.map(directory::text::words).unwrap_or_default() {
            *found.entry(word).or_default() |= 1 << position;
        }
    }
    found
}
