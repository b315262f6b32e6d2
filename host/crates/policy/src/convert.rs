//! Between the contract in plain Rust and the runtime's types. Vectors of integers are moved, never copied.

use directory::{contract as plain, text::readable};

use crate::bindings::types as wire;

/// Converts each item; the names on both sides are the same.
fn all<From, To>(items: Vec<From>, one: fn(From) -> To) -> Vec<To> {
    items.into_iter().map(one).collect()
}

pub(crate) fn context(context: plain::Context) -> wire::Context {
    let plain::Context { action, now_ms, settings, subject: who, groups, roles, facts } = context;
    let (subject, groups, roles, facts) = (subject(who), rows(groups), rows(roles), all(facts, fact));
    wire::Context { action, now_ms, settings, subject, groups, roles, facts }
}

pub(crate) fn rows(rows: plain::Rows) -> wire::Rows {
    let plain::Rows { kind, len, columns, numbers } = rows;
    wire::Rows { kind, len, columns: all(columns, column), numbers: all(numbers, number_column) }
}

pub(crate) fn change(change: plain::Change) -> wire::Change {
    let plain::Change { fields, after, parties } = change;
    wire::Change { fields, after: after.map(rows), parties: all(parties, party) }
}

pub(crate) fn verdicts(verdicts: wire::Verdicts) -> plain::Verdicts {
    plain::Verdicts { table: all(verdicts.table, verdict), rows: verdicts.rows }
}

pub(crate) fn row_filter(filter: wire::RowFilter) -> plain::RowFilter {
    let wire::RowFilter { any_of, exact, searchable, reason, notes } = filter;
    let any_of = any_of.into_iter().map(|clause| all(clause, term)).collect();
    plain::RowFilter { any_of, exact, searchable, reason: readable(reason), notes: all(notes, note) }
}

pub(crate) fn manifest(manifest: wire::Manifest) -> plain::Manifest {
    let wire::Manifest { name, version, summary, needs, decides, otherwise, fields, notes } = manifest;
    plain::Manifest { name, version, summary, needs, decides, otherwise, fields, notes: all(notes, note) }
}

fn subject(subject: plain::SubjectView) -> wire::Subject {
    let plain::SubjectView { kind, groups, manages, grants, permissions, facts } = subject;
    wire::Subject { kind, groups, manages, grants: all(grants, held), permissions, facts: all(facts, fact) }
}

fn held(held: plain::Held) -> wire::Held {
    wire::Held { role: held.role, within: held.within }
}

fn column(column: plain::Column) -> wire::Column {
    let plain::Column { name, dictionary, ends, items } = column;
    wire::Column { name, dictionary, ends, items }
}

fn number_column(column: plain::NumberColumn) -> wire::NumberColumn {
    let plain::NumberColumn { name, ends, items } = column;
    wire::NumberColumn { name, ends, items }
}

fn party(party: plain::Party) -> wire::Party {
    wire::Party { name: party.name, rows: rows(party.rows) }
}

fn fact(fact: plain::Fact) -> wire::Fact {
    wire::Fact { name: fact.name, value: fact.value }
}

/// What people read of an answer is made readable here, before anybody repeats it.
fn note(fact: wire::Fact) -> plain::Fact {
    plain::Fact { name: readable(fact.name), value: readable(fact.value) }
}

fn verdict(verdict: wire::Verdict) -> plain::Verdict {
    let wire::Verdict { allow, withheld, reason, notes } = verdict;
    plain::Verdict { allow, withheld, reason: readable(reason), notes: all(notes, note) }
}

fn term(term: wire::Term) -> plain::Term {
    let wire::Test { name, groups, values } = term.test;
    plain::Term { negate: term.negate, test: plain::Test { name, groups, values } }
}
