//! Lays answers out in a guest's memory as the canonical ABI has them.
//!
//! Every record that a module answers with is a sequence of 32-bit words, little-endian.

use directory::contract::{Fact, Manifest, RowFilter, Term, Verdict, Verdicts};

/// Where the image begins. Everything below is left to the guest's own variables.
pub(super) const BASE: u32 = 1024;

/// The start of a linear memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub bytes: Vec<u8>,
}

impl Image {
    /// Places words and returns their address.
    pub(super) fn words(&mut self, words: &[u32]) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.raw(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }

    /// Places bytes and returns their address.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> u32 {
        let address = BASE + self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        address
    }

    pub(super) fn manifest(&mut self, manifest: &Manifest) -> u32 {
        let mut words = Vec::new();
        for text in [&manifest.name, &manifest.version, &manifest.summary] {
            words.extend(self.text(text));
        }
        words.extend(self.list(&manifest.needs, |image, name| image.name(name)));
        words.extend(self.list(&manifest.decides, |image, name| image.name(name)));
        words.extend(self.text(&manifest.otherwise));
        words.extend(self.list(&manifest.fields, |image, name| image.name(name)));
        words.extend(self.list(&manifest.notes, Self::fact));
        self.words(&words)
    }

    pub(super) fn row_filter(&mut self, filter: &RowFilter) -> u32 {
        let mut words = Vec::new();
        words.extend(self.list(&filter.any_of, |image, clause| image.list(clause, Self::term).into()));
        words.push(u32::from(filter.exact));
        words.extend(self.list(&filter.searchable, |image, name| image.name(name)));
        words.extend(self.text(&filter.reason));
        words.extend(self.list(&filter.notes, Self::fact));
        self.words(&words)
    }

    pub(super) fn verdicts(&mut self, verdicts: &Verdicts) -> u32 {
        let [table, len] = self.table(&verdicts.table);
        let rows = self.words(&verdicts.rows);
        self.words(&[table, len, rows, verdicts.rows.len() as u32])
    }

    /// The address and length of a table of verdicts.
    pub(super) fn table(&mut self, table: &[Verdict]) -> [u32; 2] {
        self.list(table, Self::verdict)
    }

    /// `ok`, or `err` with these errors.
    pub(crate) fn settings(&mut self, errors: Option<&[String]>) -> u32 {
        let list = errors.map(|errors| self.list(errors, |image, name| image.name(name))).unwrap_or_default();
        self.words(&[u32::from(errors.is_some()), list[0], list[1]])
    }

    pub(super) fn text(&mut self, text: &str) -> [u32; 2] {
        [self.raw(text.as_bytes()), text.len() as u32]
    }

    fn list<T>(&mut self, items: &[T], each: impl Fn(&mut Self, &T) -> Vec<u32>) -> [u32; 2] {
        let words = items.iter().flat_map(|item| each(self, item)).collect::<Vec<_>>();
        [self.words(&words), items.len() as u32]
    }

    fn name(&mut self, name: &str) -> Vec<u32> {
        self.text(name).into()
    }

    fn fact(&mut self, fact: &Fact) -> Vec<u32> {
        [self.text(&fact.name), self.text(&fact.value)].concat()
    }

    fn verdict(&mut self, verdict: &Verdict) -> Vec<u32> {
        let withheld = self.list(&verdict.withheld, |image, name| image.name(name));
        let notes = self.list(&verdict.notes, Self::fact);
        [&[u32::from(verdict.allow)][..], &withheld, &self.text(&verdict.reason), &notes].concat()
    }

    fn term(&mut self, term: &Term) -> Vec<u32> {
        let name = self.text(&term.test.name);
        let groups = [self.words(&term.test.groups), term.test.groups.len() as u32];
        let values = self.list(&term.test.values, |image, name| image.name(name));
        [&[u32::from(term.negate)][..], &name, &groups, &values].concat()
    }
}
