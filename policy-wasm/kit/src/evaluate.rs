//! Terms, evaluated on the columns: the policy's side of what the host does in SQL.

use crate::groups::PositionSet;
use crate::{Ask, Mask, Rows, Term, Text, UNASSIGNED};

/// Evaluates terms over one call's rows, a column at a time.
#[derive(Clone, Copy, Debug)]
pub struct Evaluator<'a> {
    ask: &'a Ask<'a>,
    rows: &'a Rows,
    vocabulary: Vocabulary<'a>,
}

/// The names that exist in the workspace; a term over any other is false, negated or not.
///
/// With `None` a key exists if the call refers to it. That never opens more than the host's scope does, but a negated term over
/// the key of a group that no row is in then holds for the host alone; prefer positions, or terms that are not negated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vocabulary<'a> {
    /// Folded keys of groups.
    pub group_keys: Option<&'a [String]>,
    /// Folded keys of roles.
    pub role_keys: Option<&'a [String]>,
    /// Names of custom attributes.
    pub attributes: Option<&'a [String]>,
}

/// Whether the columns of `kind` answer `test`, so that a table may use it.
#[must_use]
pub fn computable(kind: &str, test: &str) -> bool {
    source(kind, test).is_some()
}

impl<'a> Evaluator<'a> {
    /// Over `rows`, knowing only the names that the call refers to.
    #[must_use]
    pub fn new(ask: &'a Ask<'a>, rows: &'a Rows) -> Self {
        Self { ask, rows, vocabulary: Vocabulary::default() }
    }

    /// Knowing which names exist.
    #[must_use]
    pub fn knowing(self, vocabulary: Vocabulary<'a>) -> Self {
        Self { vocabulary, ..self }
    }

    /// The rows that pass every term; all of them if there is none.
    #[must_use]
    pub fn clause(&self, terms: &[Term]) -> Mask {
        terms.iter().fold(Mask::all(self.rows.height()), |mask, term| mask.and(&self.term(term)))
    }

    /// The rows that pass; none if the term cannot be evaluated.
    #[must_use]
    pub fn term(&self, term: &Term) -> Mask {
        self.passing(term).unwrap_or_else(|| Mask::none(self.rows.height()))
    }

    fn passing(&self, term: &Term) -> Option<Mask> {
        if term.is_impossible() {
            return None;
        }
        let wanted = !term.wire.negate;
        let test = &term.wire.test;
        let source = match term.flag {
            Some(column) => Source { column: column.to_owned(), reading: Reading::Flag },
            None => source(&self.rows.kind, &test.name)?,
        };
        let column = source.column.as_str();
        match source.reading {
            Reading::Flag => Some(self.collect(self.rows.flags(column)?.are(wanted))),
            Reading::Text => self.text(self.rows.text(column)?, &test.values, wanted),
            Reading::Attribute => {
                let (name, values) = test.values.split_first()?;
                listed(self.vocabulary.attributes, name)?;
                self.attribute(&format!("{column}{name}"), values, wanted)
            }
            Reading::Groups(cell, test_of) => {
                let set = self.group_set(test_of, term)?;
                let positions = self.rows.positions(column, self.ask.tree().len())?.iter();
                Some(self.collect(positions.map(|groups| cell.passes(groups, &set, wanted))))
            }
            Reading::Roles(cell, test_of) => {
                let set = self.role_set(test_of, term)?;
                let positions = self.rows.positions(column, self.ask.role_count())?.iter();
                Some(self.collect(positions.map(|roles| cell.passes(roles, &set, wanted))))
            }
        }
    }

    fn text(&self, column: Text<'_>, values: &[String], wanted: bool) -> Option<Mask> {
        let hits = hits(column.dictionary(), values);
        Some(self.collect(column.items().iter().map(|item| hits.get(*item as usize).is_some_and(|hit| *hit == wanted))))
    }

    fn attribute(&self, column: &str, values: &[String], wanted: bool) -> Option<Mask> {
        let column = self.rows.texts(column)?;
        let hits = hits(column.dictionary(), values);
        let hit = |item: &u32| hits.get(*item as usize).copied().unwrap_or_default();
        Some(self.collect(column.items().map(|cell| !cell.is_empty() && cell.iter().any(hit) == wanted)))
    }

    fn group_set(&self, test_of: GroupTest, term: &Term) -> Option<PositionSet> {
        let tree = self.ask.tree();
        let keyed = || {
            let positions = self.keyed(&term.wire.test.values, self.vocabulary.group_keys, tree.keys(), tree.len());
            positions.map(|positions| (tree, positions))
        };
        match test_of {
            GroupTest::In => Some(tree.set(&term.wire.test.groups)),
            GroupTest::Under => Some(tree.under(&term.wire.test.groups)),
            GroupTest::InKey => keyed().map(|(tree, positions)| tree.set(&positions)),
            GroupTest::UnderKey => keyed().map(|(tree, positions)| tree.under(&positions)),
            GroupTest::Mine => Some(tree.set(self.ask.groups())),
        }
    }

    fn role_set(&self, test_of: RoleTest, term: &Term) -> Option<PositionSet> {
        let count = self.ask.role_count();
        let positions = match test_of {
            RoleTest::Held => self.ask.grants().iter().map(|grant| grant.role).collect(),
            RoleTest::Key => {
                let keys = self.ask.context().roles.text("key");
                self.keyed(&term.wire.test.values, self.vocabulary.role_keys, keys, count)?
            }
        };
        Some(PositionSet::of(count, &positions))
    }

    /// The positions of `values`; `None` if one of them does not exist. One that exists out of the call's sight has no position.
    fn keyed(&self, values: &[String], known: Option<&[String]>, keys: Option<Text<'_>>, len: usize) -> Option<Vec<u32>> {
        if keys.is_none() && len > 0 {
            return None;
        }
        let mut positions = Vec::new();
        for value in values {
            let position = keys.and_then(|keys| (0..).zip(keys.iter()).find(|(_, key)| *key == Some(value)));
            match (position, known) {
                (Some((position, _)), None) => positions.push(position),
                (None, None) => return None,
                (position, Some(known)) => {
                    listed(Some(known), value)?;
                    positions.extend(position.map(|(position, _)| position));
                }
            }
        }
        Some(positions)
    }

    fn collect(&self, rows: impl Iterator<Item = bool>) -> Mask {
        Mask::collect(self.rows.height(), rows)
    }
}

/// Where a test's answer is: a column, and how to read it.
struct Source {
    column: String,
    reading: Reading,
}

enum Reading {
    Flag,
    Text,
    /// The column's name lacks the attribute's.
    Attribute,
    Groups(Cell, GroupTest),
    Roles(Cell, RoleTest),
}

/// Which of a row's positions count.
#[derive(Clone, Copy)]
enum Cell {
    /// All of them; none is an answer, too.
    Any,
    /// The first, which must be there.
    First,
}

#[derive(Clone, Copy)]
enum GroupTest {
    In,
    Under,
    InKey,
    UnderKey,
    Mine,
}

#[derive(Clone, Copy)]
enum RoleTest {
    Key,
    Held,
}

impl Cell {
    fn passes(self, positions: &[u32], set: &PositionSet, wanted: bool) -> bool {
        match self {
            Self::Any => set.any(positions) == wanted,
            Self::First => positions.first().is_some_and(|first| *first != UNASSIGNED && set.contains(*first) == wanted),
        }
    }
}

/// Where the columns of `kind` answer `test`, by the register's tables of columns and tests.
fn source(kind: &str, test: &str) -> Option<Source> {
    let found = |column: &str, reading| Some(Source { column: column.to_owned(), reading });
    match (kind, test.split_once('.')) {
        ("membership" | "grant", Some(("user", "self"))) => found("self", Reading::Flag),
        ("membership" | "grant", Some(("user", test))) => {
            let of_user = source("user", test)?;
            Some(Source { column: format!("user.{}", of_user.column), ..of_user })
        }
        ("membership", Some(("group", "mine"))) => found("groups", Reading::Groups(Cell::First, GroupTest::Mine)),
        ("membership", Some(("group", test))) => found("groups", Reading::Groups(Cell::First, group_test(test)?)),
        ("grant", Some(("role", "role-key"))) => found("role", Reading::Roles(Cell::First, RoleTest::Key)),
        ("grant", Some(("role", "held-by-me"))) => found("role", Reading::Roles(Cell::First, RoleTest::Held)),
        (_, Some(_)) => None,
        (kind, None) => match (kind, test) {
            ("user", "status") | ("grant", "provenance") => found(test, Reading::Text),
            ("user" | "group", "attribute") => found("attributes.", Reading::Attribute),
            ("user", "has-role-key") => found("roles", Reading::Roles(Cell::Any, RoleTest::Key)),
            ("role", "role-key") => found("roles", Reading::Roles(Cell::First, RoleTest::Key)),
            ("group", "mine") | ("role", "held-by-me" | "builtin") | ("membership", "manager") => found(test, Reading::Flag),
            ("user", test) if group_test(test).is_some() => found("groups", Reading::Groups(Cell::Any, group_test(test)?)),
            // The first position of a group's row is the group, the second its parent.
            ("group", test) if group_test(test).is_some() => found("groups", Reading::Groups(Cell::First, group_test(test)?)),
            ("membership", "in-group" | "under-group") => found("groups", Reading::Groups(Cell::First, group_test(test)?)),
            // A grant in the whole workspace is limited to no group, and that is known.
            ("grant", "in-group" | "under-group") => found("groups", Reading::Groups(Cell::Any, group_test(test)?)),
            ("group" | "role", "self") => None,
            (_, "self" | "created-by-me") => found(test, Reading::Flag),
            _ => None,
        },
    }
}

fn group_test(test: &str) -> Option<GroupTest> {
    match test {
        "in-group" => Some(GroupTest::In),
        "under-group" => Some(GroupTest::Under),
        "in-group-key" => Some(GroupTest::InKey),
        "under-group-key" => Some(GroupTest::UnderKey),
        _ => None,
    }
}

fn hits(dictionary: &[String], values: &[String]) -> Vec<bool> {
    dictionary.iter().map(|text| values.contains(text)).collect()
}

fn listed(known: Option<&[String]>, name: &str) -> Option<()> {
    known.is_none_or(|known| known.iter().any(|listed| listed == name)).then_some(())
}
