//! Typed views of columns, looked up once a call; their iterators then touch integers only.
//!
//! A view exists only of a column that is there and well formed: one item a row, or `ends` that ascend to the last item, and
//! every item within its dictionary. Whoever asks for another gets `None` and has to deny.

use crate::{Column, Rows, UNASSIGNED, UNASSIGNED_NUMBER};

/// One yes or no a row.
#[derive(Clone, Copy, Debug)]
pub struct Flags<'a>(&'a [u32]);

/// At most one text a row.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    dictionary: &'a [String],
    items: &'a [u32],
}

/// Any number of texts a row.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    dictionary: &'a [String],
    cells: Cells<'a, u32>,
}

/// Positions in `context.groups` or `context.roles`, any number a row.
#[derive(Clone, Copy, Debug)]
pub struct Positions<'a>(Cells<'a, u32>);

/// At most one instant a row, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Instants<'a>(&'a [i64]);

impl Rows {
    /// The flag column of that name.
    #[must_use]
    pub fn flags(&self, name: &str) -> Option<Flags<'_>> {
        let column = self.single(name)?;
        column.dictionary.is_empty().then_some(Flags(&column.items))
    }

    /// The text column of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Text<'_>> {
        let column = self.single(name)?;
        within(&column.items, column.dictionary.len()).then_some(Text { dictionary: &column.dictionary, items: &column.items })
    }

    /// The multi-valued text column of that name.
    #[must_use]
    pub fn texts(&self, name: &str) -> Option<Texts<'_>> {
        let column = self.column(name)?;
        let cells = Cells::new(&column.ends, &column.items, self.height())?;
        within(&column.items, column.dictionary.len()).then_some(Texts { dictionary: &column.dictionary, cells })
    }

    /// The column of positions of that name, each below `bound` or [`UNASSIGNED`].
    #[must_use]
    pub fn positions(&self, name: &str, bound: usize) -> Option<Positions<'_>> {
        let column = self.column(name)?;
        let cells = Cells::new(&column.ends, &column.items, self.height())?;
        (column.dictionary.is_empty() && within(&column.items, bound)).then_some(Positions(cells))
    }

    /// The column of instants of that name.
    #[must_use]
    pub fn instants(&self, name: &str) -> Option<Instants<'_>> {
        let column = self.numbers.iter().find(|column| column.name == name)?;
        (column.ends.is_empty() && column.items.len() == self.height()).then_some(Instants(&column.items))
    }

    /// How many rows, as an index.
    #[must_use]
    pub fn height(&self) -> usize {
        self.len as usize
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    fn single(&self, name: &str) -> Option<&Column> {
        self.column(name).filter(|column| column.ends.is_empty() && column.items.len() == self.height())
    }
}

impl<'a> Flags<'a> {
    /// Each row's flag; `None` for anything but 0 and 1.
    pub fn iter(self) -> impl Iterator<Item = Option<bool>> + use<'a> {
        self.0.iter().map(|item| match item {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        })
    }

    /// Whether each row's flag is `wanted`; false where it is unknown.
    pub(crate) fn are(self, wanted: bool) -> impl Iterator<Item = bool> + use<'a> {
        let wanted = u32::from(wanted);
        self.0.iter().map(move |item| *item == wanted)
    }
}

impl<'a> Text<'a> {
    /// Each row's text; `None` where unassigned.
    pub fn iter(self) -> impl Iterator<Item = Option<&'a str>> + use<'a> {
        self.items.iter().map(move |item| self.dictionary.get(*item as usize).map(String::as_str))
    }

    /// The distinct texts that items point into.
    #[must_use]
    pub fn dictionary(self) -> &'a [String] {
        self.dictionary
    }

    /// Each row's position in the dictionary; [`UNASSIGNED`] for none.
    #[must_use]
    pub fn items(self) -> &'a [u32] {
        self.items
    }
}

impl<'a> Texts<'a> {
    /// Each row's texts; empty where unassigned.
    pub fn iter(self) -> impl Iterator<Item = impl Iterator<Item = &'a str> + use<'a>> + use<'a> {
        self.cells.iter().map(move |items| items.iter().filter_map(move |item| self.dictionary.get(*item as usize)).map(String::as_str))
    }

    /// The distinct texts that items point into.
    #[must_use]
    pub fn dictionary(self) -> &'a [String] {
        self.dictionary
    }

    /// Each row's positions in the dictionary.
    pub fn items(self) -> impl Iterator<Item = &'a [u32]> + use<'a> {
        self.cells.iter()
    }
}

impl<'a> Positions<'a> {
    /// Each row's positions; a single unassigned one is the lone item [`UNASSIGNED`].
    pub fn iter(self) -> impl Iterator<Item = &'a [u32]> + use<'a> {
        self.0.iter()
    }
}

impl<'a> Instants<'a> {
    /// Each row's instant; `None` where unassigned.
    pub fn iter(self) -> impl Iterator<Item = Option<i64>> + use<'a> {
        self.0.iter().map(|item| (*item != UNASSIGNED_NUMBER).then_some(*item))
    }
}

/// Items cut into rows: one each if `ends` is empty, ragged otherwise.
#[derive(Debug)]
struct Cells<'a, T> {
    ends: &'a [u32],
    items: &'a [T],
}

// Derives would ask for `T: Copy`.
impl<T> Clone for Cells<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Cells<'_, T> {}

impl<'a, T> Cells<'a, T> {
    fn new(ends: &'a [u32], items: &'a [T], height: usize) -> Option<Self> {
        let whole = if ends.is_empty() {
            items.len() == height
        } else {
            ends.len() == height && ends.is_sorted() && ends.last().is_some_and(|end| *end as usize == items.len())
        };
        whole.then_some(Self { ends, items })
    }

    fn iter(self) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let singles = if self.ends.is_empty() { self.items } else { &[] };
        let mut start = 0;
        let ragged = self.ends.iter().map(move |end| {
            let cell = self.items.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            cell
        });
        singles.chunks(1).chain(ragged)
    }
}

fn within(items: &[u32], bound: usize) -> bool {
    items.iter().all(|item| (*item as usize) < bound || *item == UNASSIGNED)
}

#[cfg(test)]
mod tests {
    use crate::{Column, NumberColumn, Rows, UNASSIGNED, UNASSIGNED_NUMBER};

    fn rows(len: u32, dictionary: &[&str], ends: &[u32], items: &[u32]) -> Rows {
        let column = Column {
            name: "x".into(),
            dictionary: dictionary.iter().map(ToString::to_string).collect(),
            ends: ends.to_vec(),
            items: items.to_vec(),
        };
        Rows { kind: "user".into(), len, columns: vec![column], numbers: vec![] }
    }

    #[test]
    fn reads_each_shape() {
        let flags = rows(3, &[], &[], &[0, 1, UNASSIGNED]);
        assert_eq!(flags.flags("x").unwrap().iter().collect::<Vec<_>>(), [Some(false), Some(true), None]);
        let text = rows(2, &["a", "b"], &[], &[1, UNASSIGNED]);
        assert_eq!(text.text("x").unwrap().iter().collect::<Vec<_>>(), [Some("b"), None]);
        let texts = rows(3, &["a", "b"], &[2, 2, 3], &[1, 0, 0]);
        let read: Vec<Vec<_>> = texts.texts("x").unwrap().iter().map(Iterator::collect).collect();
        assert_eq!(read, [vec!["b", "a"], vec![], vec!["a"]]);
        let positions = rows(2, &[], &[], &[4, UNASSIGNED]);
        assert_eq!(positions.positions("x", 5).unwrap().iter().collect::<Vec<_>>(), [[4], [UNASSIGNED]]);
        let mut instants = rows(2, &[], &[], &[]);
        instants.numbers.push(NumberColumn { name: "at".into(), ends: vec![], items: vec![7, UNASSIGNED_NUMBER] });
        assert_eq!(instants.instants("at").unwrap().iter().collect::<Vec<_>>(), [Some(7), None]);
    }

    #[test]
    fn a_malformed_column_is_no_column() {
        assert!(rows(2, &[], &[], &[1]).flags("x").is_none(), "one item short");
        assert!(rows(1, &[], &[], &[1]).flags("y").is_none(), "another name");
        assert!(rows(1, &["a"], &[], &[1]).text("x").is_none(), "beyond the dictionary");
        assert!(rows(1, &[], &[], &[0]).texts("x").is_none(), "a text without a dictionary");
        assert!(rows(2, &["a"], &[2, 1], &[0, 0]).texts("x").is_none(), "ends descend");
        assert!(rows(2, &["a"], &[1, 1], &[0, 0]).texts("x").is_none(), "items left over");
        assert!(rows(1, &[], &[], &[5]).positions("x", 5).is_none(), "beyond the groups");
    }
}
