//! Row filters, for policies whose scope is not a [`Table`](crate::Table).

use crate::{RowFilter, Term};

impl RowFilter {
    /// Admits nothing until a clause is added; exact; nothing searchable.
    #[must_use]
    pub fn any() -> Self {
        Self { exact: true, ..Self::default() }
    }

    /// Admits nothing.
    #[must_use]
    pub fn nothing(reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..Self::any() }
    }

    /// Admits every row, with every field searchable.
    #[must_use]
    pub fn everything(reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..Self::any().clause([]).searchable(&["*"]) }
    }

    /// Also admits the rows that pass all of these terms; a clause that no row can pass is left out.
    #[must_use]
    pub fn clause(mut self, terms: impl IntoIterator<Item = Term>) -> Self {
        let terms: Vec<Term> = terms.into_iter().collect();
        if !terms.iter().any(Term::is_impossible) {
            let clause = terms.into_iter().map(|term| term.wire).collect();
            if !self.any_of.contains(&clause) {
                self.any_of.push(clause);
            }
        }
        self
    }

    /// Lets filters, searches, sorts and lookups touch these fields; `*` for all of the manifest's.
    #[must_use]
    pub fn searchable(mut self, fields: &[impl AsRef<str>]) -> Self {
        self.searchable = fields.iter().map(|field| field.as_ref().to_owned()).collect();
        self
    }

    /// Has the host confirm each row with `check`, because the clauses admit too much.
    #[must_use]
    pub fn inexact(mut self) -> Self {
        self.exact = false;
        self
    }

    /// Why, for people.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = reason.to_owned();
        self
    }
}
