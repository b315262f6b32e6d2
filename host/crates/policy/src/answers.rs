//! What an answer must look like before anybody acts on it. Each rule has one line here, and its text is what administrators read.
//!
//! Whether a name in `withheld` or `searchable` exists is left to the caller: an unknown one is a defect of the row or of the
//! list, not of the answer.

use directory::{
    contract::{Fact, Manifest, RowFilter, Term, Verdict, Verdicts},
    register::Kind,
};

use crate::limits;

/// The rule that an answer breaks.
pub(crate) type Broken = String;

/// One valid position a row, into a bounded table.
pub(crate) fn verdicts(answer: &Verdicts, rows: usize) -> Result<(), Broken> {
    if answer.rows.len() != rows {
        return Err(format!("{} rows were asked about and {} answered", rows, answer.rows.len()));
    }
    at_most("the table of verdicts", answer.table.len(), limits::VERDICTS)?;
    let highest = answer.rows.iter().copied().max();
    if let Some(position) = highest.filter(|position| *position as usize >= answer.table.len()) {
        return Err(format!("position {position} is outside the table of {} verdicts", answer.table.len()));
    }
    answer.table.iter().try_for_each(verdict)
}

/// A bounded filter whose tests exist for `kind` and whose positions lie within `groups` groups.
pub(crate) fn row_filter(answer: &RowFilter, kind: Option<Kind>, groups: u32) -> Result<(), Broken> {
    at_most("`any-of`", answer.any_of.len(), limits::CLAUSES)?;
    for clause in &answer.any_of {
        at_most("a clause", clause.len(), limits::TERMS)?;
        clause.iter().try_for_each(|asked| term(asked, kind, groups))?;
    }
    names("`searchable`", &answer.searchable)?;
    text("`reason`", &answer.reason)?;
    notes(&answer.notes)
}

/// Bounded lists and texts; what they say is checked in [`crate::validate`].
pub(crate) fn manifest(answer: &Manifest) -> Result<(), Broken> {
    name("`name`", &answer.name)?;
    name("`version`", &answer.version)?;
    text("`summary`", &answer.summary)?;
    name("`otherwise`", &answer.otherwise)?;
    names("`needs`", &answer.needs)?;
    names("`decides`", &answer.decides)?;
    names("`fields`", &answer.fields)?;
    notes(&answer.notes)
}

/// A bounded list of bounded texts.
pub(crate) fn settings_errors(errors: &[String]) -> Result<(), Broken> {
    at_most("the list of errors", errors.len(), limits::SETTINGS_ERRORS)?;
    errors.iter().try_for_each(|error| text("an error", error))
}

fn verdict(verdict: &Verdict) -> Result<(), Broken> {
    names("`withheld`", &verdict.withheld)?;
    text("`reason`", &verdict.reason)?;
    notes(&verdict.notes)
}

fn term(term: &Term, kind: Option<Kind>, groups: u32) -> Result<(), Broken> {
    let test = &term.test;
    name("a test's name", &test.name)?;
    if !kind.is_some_and(|kind| knows_test(kind, &test.name)) {
        let of = kind.map_or("no kind", Kind::name);
        return Err(format!("`{}` is not a test of {of}", test.name));
    }
    if let Some(position) = test.groups.iter().find(|position| **position >= groups) {
        return Err(format!("test `{}` names group {position}, but the context has {groups} groups", test.name));
    }
    at_most("the values of a test", test.values.len(), limits::TEST_VALUES)?;
    test.values.iter().try_for_each(|value| text("a test's value", value))
}

/// Whether the register has that test for `kind`, by itself or as `user.TEST`, `group.TEST`, `role.TEST`.
fn knows_test(kind: Kind, name: &str) -> bool {
    kind.tests().iter().any(|test| match test.name.strip_suffix(".*") {
        None => test.name == name,
        Some(end) => name
            .strip_prefix(end)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|rest| Kind::named(end).is_some_and(|end| knows_test(end, rest))),
    })
}

fn notes(notes: &[Fact]) -> Result<(), Broken> {
    at_most("`notes`", notes.len(), limits::NOTES)?;
    notes.iter().try_for_each(|note| {
        name("a note's name", &note.name)?;
        text("a note", &note.value)
    })
}

fn names(what: &str, list: &[String]) -> Result<(), Broken> {
    at_most(what, list.len(), limits::NAMES)?;
    list.iter().try_for_each(|entry| name("a name", entry).map_err(|broken| format!("{what}: {broken}")))
}

fn name(what: &str, name: &str) -> Result<(), Broken> {
    bounded(what, name, limits::NAME_BYTES)
}

fn text(what: &str, text: &str) -> Result<(), Broken> {
    bounded(what, text, limits::TEXT_BYTES)
}

fn bounded(what: &str, text: &str, bytes: usize) -> Result<(), Broken> {
    if text.len() > bytes {
        return Err(format!("{what} is {} bytes long; at most {bytes} are allowed", text.len()));
    }
    Ok(())
}

fn at_most(what: &str, len: usize, limit: usize) -> Result<(), Broken> {
    if len > limit {
        return Err(format!("{what} has {len} entries; at most {limit} are allowed"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use directory::contract::Test;

    use super::*;

    fn filter(test: &str, groups: &[u32]) -> RowFilter {
        let test = Test { name: test.into(), groups: groups.into(), values: Vec::new() };
        RowFilter { any_of: vec![vec![Term { negate: false, test }]], ..RowFilter::default() }
    }

    #[test]
    fn tests_are_those_of_the_kind() {
        let check = |kind, test, known| assert_eq!(row_filter(&filter(test, &[]), Some(kind), 0).is_ok(), known, "{test}");
        check(Kind::User, "self", true);
        check(Kind::User, "builtin", false);
        check(Kind::User, "user.self", false);
        check(Kind::Membership, "user.status", true);
        check(Kind::Membership, "group.mine", true);
        check(Kind::Membership, "group.self", false);
        check(Kind::Membership, "user.user.self", false);
        check(Kind::Membership, "user.*", false);
        check(Kind::Membership, "user", false);
        check(Kind::Grant, "role.role-key", true);
        check(Kind::Grant, "group.mine", false);
        check(Kind::Token, "created-by-me", true);
    }

    #[test]
    fn group_positions_lie_within_the_context() {
        let check = |position, groups| row_filter(&filter("in-group", &[position]), Some(Kind::User), groups);
        assert_eq!(check(2, 3), Ok(()));
        assert_eq!(check(3, 3), Err("test `in-group` names group 3, but the context has 3 groups".into()));
        assert!(check(u32::MAX, u32::MAX).is_err());
    }

    #[test]
    fn every_limit_holds_at_n_and_breaks_at_n_plus_1() {
        fn check<T: Clone>(limit: usize, item: &T, broken: impl Fn(Vec<T>) -> bool) {
            assert!(!broken(vec![item.clone(); limit]));
            assert!(broken(vec![item.clone(); limit + 1]));
        }
        let filter = |filter: RowFilter| row_filter(&filter, Some(Kind::User), 0).is_err();
        let term = Term { negate: true, test: Test { name: "self".into(), ..Test::default() } };
        check(limits::CLAUSES, &Vec::new(), |any_of| filter(RowFilter { any_of, ..RowFilter::default() }));
        check(limits::TERMS, &term, |clause| filter(RowFilter { any_of: vec![clause], ..RowFilter::default() }));
        check(limits::NAMES, &"email".to_owned(), |searchable| filter(RowFilter { searchable, ..RowFilter::default() }));
        check(limits::NOTES, &Fact::default(), |notes| filter(RowFilter { notes, ..RowFilter::default() }));
        check(limits::TEXT_BYTES, &b'x', |bytes| filter(RowFilter { reason: String::from_utf8(bytes).unwrap(), ..RowFilter::default() }));
        check(limits::TEST_VALUES, &String::new(), |values| {
            let test = Test { name: "status".into(), values, ..Test::default() };
            filter(RowFilter { any_of: vec![vec![Term { negate: false, test }]], ..RowFilter::default() })
        });
        check(limits::VERDICTS, &Verdict::default(), |table| verdicts(&Verdicts { table, rows: Vec::new() }, 0).is_err());
        check(limits::SETTINGS_ERRORS, &String::new(), |errors| settings_errors(&errors).is_err());
        check(limits::NAME_BYTES, &b'x', |bytes| {
            manifest(&Manifest { name: String::from_utf8(bytes).unwrap(), ..Manifest::default() }).is_err()
        });
    }

    #[test]
    fn each_row_has_one_position_inside_the_table() {
        let check = |table, rows: &[u32]| verdicts(&Verdicts { table: vec![Verdict::default(); table], rows: rows.into() }, 2);
        assert_eq!(check(2, &[0, 1]), Ok(()));
        assert_eq!(check(2, &[0, 2]), Err("position 2 is outside the table of 2 verdicts".into()));
        assert_eq!(check(0, &[0, 0]), Err("position 0 is outside the table of 0 verdicts".into()));
        assert_eq!(check(1, &[0]), Err("2 rows were asked about and 1 answered".into()));
        assert_eq!(check(1, &[0; 3]), Err("2 rows were asked about and 3 answered".into()));
    }
}
