//! The table of `docs/sandbox.md`: what each hostile guest tries, what stops it, and in which words. The tests take the words from there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// How many guests there must be.
const GUESTS: usize = 60;
/// Stands for any text in a reason: numbers of bytes that the toolchain decides, lists of all that there is.
const ANYTHING: char = '…';

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    guest: String,
    tries: String,
    stopped_by: String,
    reason: String,
    test: String,
}

static TABLE: LazyLock<BTreeMap<String, Row>> = LazyLock::new(|| {
    let mut table = BTreeMap::new();
    for row in rows(&fs::read_to_string(root().join("docs/sandbox.md")).unwrap()) {
        let guest = row.guest.clone();
        assert!(table.insert(guest.clone(), row).is_none(), "`{guest}` has two rows in `docs/sandbox.md`");
    }
    table
});

/// The row of a guest. Whoever makes a guest names it here, in a literal: the tests look for these.
#[track_caller]
pub(crate) fn named(guest: &str) -> Row {
    TABLE.get(guest).cloned().unwrap_or_else(|| panic!("`docs/sandbox.md` has no row for `{guest}`"))
}

impl Row {
    /// It was stopped, in the words of the table.
    #[track_caller]
    pub(crate) fn stops(&self, reason: &str) {
        assert!(
            matches(&self.reason, reason),
            "`{}` is stopped in other words than `docs/sandbox.md` has\n found: {reason}\n wanted: {}",
            self.guest,
            self.reason
        );
    }

    /// It was stopped by one reason alone, in the words of the table.
    #[track_caller]
    pub(crate) fn stops_alone(&self, reasons: &[String]) {
        let [only] = reasons else { panic!("`{}`: one reason is wanted, not {reasons:#?}", self.guest) };
        self.stops(only);
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let mut parts: Vec<&str> = pattern.split(ANYTHING).collect();
    let last = parts.pop().unwrap_or_default();
    let Some((first, middle)) = parts.split_first() else { return text == last };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

/// The rows of a page that have five cells; the head and the line below it are none.
fn rows(page: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let line = line.replace("\\|", "\u{0}");
        let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
        let [guest, tries, stopped_by, reason, test] =
            <[String; 5]>::try_from(cells).unwrap_or_else(|cells| panic!("five cells: {cells:?}"));
        let bare = |cell: &str| cell.trim_matches('`').to_owned();
        rows.push(Row { guest: bare(&guest), tries, stopped_by, reason, test: bare(&test) });
    }
    rows
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Each guest that the sources of this suite name, with the test that it is in.
fn guests() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/hostile");
    let mut guests = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let mut test = String::new();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            // Tests stand at the margin, and what they do does not.
            if let Some(name) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) {
                test = format!("{module}::{}", name.split('(').next().unwrap());
            }
            let names = line.split(concat!("named", "(\"")).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
            guests.extend(names.map(|name| (name, test.clone())));
        }
    }
    guests
}

#[test]
fn every_guest_has_its_row_and_every_row_its_guest() {
    let guests = guests();
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    guests.iter().for_each(|(guest, test)| named.entry(guest).or_default().push(test));
    for (guest, tests) in &named {
        let row = TABLE.get(*guest).unwrap_or_else(|| panic!("`docs/sandbox.md` has no row for `{guest}`, which is in {tests:?}"));
        assert_eq!(*tests, [row.test.as_str()], "`{guest}` is in one test, the one of its row");
    }
    for row in TABLE.values() {
        assert!(named.contains_key(row.guest.as_str()), "no test has the guest `{}` of `docs/sandbox.md`", row.guest);
        for (what, cell) in [("tries", &row.tries), ("is stopped by", &row.stopped_by), ("reason", &row.reason)] {
            assert!(!cell.is_empty(), "`{}`: what it {what} is missing", row.guest);
        }
    }
    assert!(TABLE.len() >= GUESTS, "{} guests are too few", TABLE.len());
}

#[test]
fn what_guests_try_is_different() {
    let tries: Vec<&str> = TABLE.values().map(|row| row.tries.as_str()).collect();
    for (at, one) in tries.iter().enumerate() {
        assert!(!tries[..at].contains(one), "two guests try the same: {one}");
    }
}

#[test]
fn a_reason_is_matched_from_end_to_end() {
    let check = |pattern, text, expected| assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    check("used up its fuel", "used up its fuel", true);
    check("used up its fuel", "used up its fuel of 1", false);
    check("fuel of …; do", "fuel of 17; do", true);
    check("fuel of …; do", "fuel of 17; do it", false);
    check("fuel of …", "fuel of 17", true);
    check("fuel of …", "the fuel of 17", false);
    check("a … b … c", "a 1 b 2 c", true);
    check("a … b … c", "a 1 c", false);
}
