//! Verdicts, and the table they travel in.

use crate::{Mask, Verdict, Verdicts};

impl Verdict {
    /// Allowed, with every field.
    #[must_use]
    pub fn allow(reason: &str) -> Self {
        Self { allow: true, reason: reason.to_owned(), ..Self::default() }
    }

    /// Denied.
    #[must_use]
    pub fn deny(reason: &str) -> Self {
        Self { allow: false, reason: reason.to_owned(), ..Self::default() }
    }

    /// Without these fields: removed from what is read, refused in what is written.
    #[must_use]
    pub fn without(mut self, fields: &[impl AsRef<str>]) -> Self {
        self.withheld.extend(fields.iter().map(|field| field.as_ref().to_owned()));
        self
    }
}

/// Builds [`Verdicts`]: equal verdicts share an entry of the table, and a row is one integer.
#[derive(Clone, Debug)]
pub struct Answer {
    table: Vec<Verdict>,
    rows: Vec<u32>,
}

impl Answer {
    /// `verdict` for each of `len` rows, until [`Answer::give`] says otherwise.
    #[must_use]
    pub fn new(len: usize, verdict: Verdict) -> Self {
        Self { table: vec![verdict], rows: vec![0; len] }
    }

    /// `verdict` for these rows.
    pub fn give(&mut self, rows: &Mask, verdict: Verdict) {
        if rows.is_empty() {
            return;
        }
        let found = (0..).zip(&self.table).find(|(_, known)| **known == verdict).map(|(index, _)| index);
        let index = found.unwrap_or_else(|| {
            self.table.push(verdict);
            // A table never has more entries than rules were given, far from the type's limit.
            u32::try_from(self.table.len() - 1).unwrap_or_default()
        });
        for row in rows.rows() {
            if let Some(entry) = self.rows.get_mut(row) {
                *entry = index;
            }
        }
    }

    /// The table and one index a row.
    #[must_use]
    pub fn finish(self) -> Verdicts {
        Verdicts { table: self.table, rows: self.rows }
    }
}
