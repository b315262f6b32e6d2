//! A digest of what a policy is shown.

use sha2::{Digest as _, Sha256};

use crate::contract::{Change, Column, Context, Digest, Fact, NumberColumn, Rows};

/// SHA-256 of a call's facts. The clock is left out: the same question about the same world has the same digest at any time.
///
/// Every text and list is preceded by its length, so that no two different calls read the same.
pub(in crate::access) fn digest(context: &Context, rows: &Rows, change: Option<&Change>) -> Digest {
    let mut feed = Feed(Sha256::new());
    feed.text(&context.action);
    feed.text(&context.settings);
    let subject = &context.subject;
    feed.text(&subject.kind);
    feed.numbers(&subject.groups);
    feed.numbers(&subject.manages);
    feed.list(&subject.grants, |feed, held| feed.numbers(&[held.role, held.within]));
    feed.texts(&subject.permissions);
    feed.facts(&subject.facts);
    feed.rows(&context.groups);
    feed.rows(&context.roles);
    feed.facts(&context.facts);
    feed.rows(rows);
    feed.list(change.as_slice(), |feed, change| {
        feed.texts(&change.fields);
        feed.list(change.after.as_slice(), Feed::rows);
        feed.list(&change.parties, |feed, party| {
            feed.text(&party.name);
            feed.rows(&party.rows);
        });
    });
    Digest(feed.0.finalize().into())
}

struct Feed(Sha256);

impl Feed {
    fn length(&mut self, length: usize) {
        self.0.update((length as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text);
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.length(items.len());
        items.iter().for_each(|item| each(self, item));
    }

    fn texts(&mut self, texts: &[String]) {
        self.list(texts, |feed, text| feed.text(text));
    }

    fn numbers(&mut self, numbers: &[u32]) {
        self.list(numbers, |feed, number| feed.0.update(number.to_le_bytes()));
    }

    fn facts(&mut self, facts: &[Fact]) {
        self.list(facts, |feed, fact| {
            feed.text(&fact.name);
            feed.text(&fact.value);
        });
    }

    fn rows(&mut self, rows: &Rows) {
        self.text(&rows.kind);
        self.numbers(&[rows.len]);
        self.list(&rows.columns, Self::column);
        self.list(&rows.numbers, Self::number_column);
    }

    fn column(&mut self, column: &Column) {
        self.text(&column.name);
        self.texts(&column.dictionary);
        self.numbers(&column.ends);
        self.numbers(&column.items);
    }

    fn number_column(&mut self, column: &NumberColumn) {
        self.text(&column.name);
        self.numbers(&column.ends);
        self.list(&column.items, |feed, item| feed.0.update(item.to_le_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> (Context, Rows, Change) {
        let texts = |text: &str| Column { name: text.to_owned(), dictionary: vec![text.to_owned()], ends: Vec::new(), items: vec![0] };
        let rows = Rows { kind: "user".to_owned(), len: 1, columns: vec![texts("status")], numbers: Vec::new() };
        let context = Context { action: "user.read".to_owned(), now_ms: 1, groups: rows.clone(), ..Context::default() };
        (context, rows.clone(), Change { fields: vec!["email".to_owned()], after: Some(rows), parties: Vec::new() })
    }

    #[test]
    fn the_clock_alone_makes_no_difference() {
        let (mut context, rows, change) = facts();
        let of = |context: &Context| digest(context, &rows, Some(&change));
        let before = of(&context);
        context.now_ms = 2;
        assert_eq!(of(&context), before);
    }

    #[test]
    fn every_other_fact_makes_one() {
        let (context, rows, change) = facts();
        let before = digest(&context, &rows, Some(&change));
        let check = |spoil: fn(&mut Context, &mut Rows, &mut Change)| {
            let (mut context, mut rows, mut change) = facts();
            spoil(&mut context, &mut rows, &mut change);
            assert_ne!(digest(&context, &rows, Some(&change)), before);
        };
        assert_ne!(digest(&context, &rows, None), before);
        check(|context, _, _| context.action.push('s'));
        check(|context, _, _| context.settings.push('s'));
        check(|context, _, _| context.subject.groups.push(0));
        check(|context, _, _| context.subject.manages.push(0));
        check(|context, _, _| context.subject.permissions.push(String::new()));
        check(|context, _, _| context.subject.facts.push(Fact::default()));
        check(|context, _, _| context.groups.columns.clear());
        check(|context, _, _| context.roles.len = 1);
        check(|context, _, _| context.facts.push(Fact::default()));
        check(|_, rows, _| rows.columns[0].items[0] = 1);
        check(|_, rows, _| rows.columns[0].ends.push(1));
        check(|_, rows, _| rows.numbers.push(NumberColumn::default()));
        check(|_, _, change| change.fields[0] = "phone".to_owned());
        check(|_, _, change| change.after = None);
        check(|_, _, change| change.parties.push(crate::contract::Party::default()));
    }
}
