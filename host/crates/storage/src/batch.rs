//! Rows on their way into the database, many in one statement.

use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use crate::sql::Value;

/// Binds that SQLite allows in one statement.
const BINDS: usize = 32_766;

/// A column of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Column {
    Ids(Vec<Option<Uuid>>),
    Texts(Vec<Option<String>>),
    Integers(Vec<Option<i64>>),
    Flags(Vec<bool>),
}

/// What a column holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    Ids,
    Texts,
    Integers,
    Flags,
}

/// One value of a row.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Id(Option<Uuid>),
    Text(Option<String>),
    Integer(i64),
    Flag(bool),
}

/// Rows as columns, all of one length.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    columns: Vec<Column>,
    rows: usize,
}

impl Batch {
    /// No rows yet.
    pub(crate) fn new(columns: &[Of]) -> Self {
        let columns = columns
            .iter()
            .map(|of| match of {
                Of::Ids => Column::Ids(Vec::new()),
                Of::Texts => Column::Texts(Vec::new()),
                Of::Integers => Column::Integers(Vec::new()),
                Of::Flags => Column::Flags(Vec::new()),
            })
            .collect();
        Self { columns, rows: 0 }
    }

    /// Adds a row; cells stand in the order of the columns.
    pub(crate) fn push(&mut self, cells: impl IntoIterator<Item = Cell>) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match (column, cell) {
                (Column::Ids(column), Cell::Id(id)) => column.push(id),
                (Column::Texts(column), Cell::Text(text)) => column.push(text),
                (Column::Integers(column), Cell::Integer(number)) => column.push(Some(number)),
                (Column::Flags(column), Cell::Flag(flag)) => column.push(flag),
                (column, cell) => debug_assert!(false, "{cell:?} does not fit {column:?}"),
            }
        }
        self.rows += 1;
    }

    /// How many rows.
    pub(crate) const fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The same rows in batches that fit one statement each.
    pub(crate) fn split(mut self) -> Vec<Self> {
        let most = BINDS / self.columns.len().max(1);
        let mut batches = Vec::with_capacity(self.rows / most + 1);
        while self.rows > most {
            let rest = self.columns.iter_mut().map(|column| column.split_off(most)).collect();
            let rest = Self { columns: rest, rows: self.rows - most };
            self.rows = most;
            batches.push(std::mem::replace(&mut self, rest));
        }
        batches.push(self);
        batches
    }
}

impl Column {
    /// The value of one row; the rows of a batch have one in every column.
    pub(crate) fn value(&self, row: usize) -> Value {
        match self {
            Self::Ids(ids) => Value::OptionalId(ids.get(row).copied().flatten()),
            Self::Texts(texts) => Value::OptionalText(texts.get(row).cloned().flatten()),
            Self::Integers(numbers) => Value::OptionalInteger(numbers.get(row).copied().flatten()),
            Self::Flags(flags) => Value::Flag(flags.get(row).copied().unwrap_or_default()),
        }
    }

    pub(crate) fn push_array(&self, builder: &mut QueryBuilder<Postgres>) {
        match self {
            Self::Ids(ids) => builder.push_bind(ids.clone()),
            Self::Texts(texts) => builder.push_bind(texts.clone()),
            Self::Integers(numbers) => builder.push_bind(numbers.clone()),
            Self::Flags(flags) => builder.push_bind(flags.clone()),
        };
    }

    fn split_off(&mut self, at: usize) -> Self {
        match self {
            Self::Ids(ids) => Self::Ids(ids.split_off(at)),
            Self::Texts(texts) => Self::Texts(texts.split_off(at)),
            Self::Integers(numbers) => Self::Integers(numbers.split_off(at)),
            Self::Flags(flags) => Self::Flags(flags.split_off(at)),
        }
    }
}

macro_rules! into_cell {
    ($($from:ty => |$value:ident| $into:expr;)*) => {
        $(impl From<$from> for Cell {
            fn from($value: $from) -> Self {
                $into
            }
        })*
    };
}

into_cell! {
    Uuid => |id| Self::Id(Some(id));
    Option<Uuid> => |id| Self::Id(id);
    String => |text| Self::Text(Some(text));
    &str => |text| Self::Text(Some(text.to_owned()));
    Option<String> => |text| Self::Text(text);
    i64 => |number| Self::Integer(number);
    bool => |flag| Self::Flag(flag);
}
