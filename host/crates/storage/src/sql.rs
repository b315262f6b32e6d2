//! SQL that can not be injected into: constant texts with `{}` for holes, which are filled with bound values, never with texts.
//!
//! One text serves both databases. [`Sql::render`] numbers or marks the binds as each wants them, and is the only place that
//! knows how a list of ids or a batch of rows travels to either.

use sqlx::{Postgres, QueryBuilder, Sqlite};
use uuid::Uuid;

use crate::batch::Batch;

/// A part of a statement, made from constant texts and bound values only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sql {
    parts: Vec<Part>,
    /// Whether the statement's text is always the same, so that a connection may keep it prepared.
    fixed: bool,
}

/// What fills a hole.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// Constant text: an alias, a column, an operator.
    Text(&'static str),
    /// One value.
    Bind(Value),
    /// `in (...)` or `= any(...)`, with all its values in one bind.
    In(List),
    /// `values (...), (...)` or `select * from unnest(...)`.
    Rows(Batch),
    /// The function that finds a text in a text, from 1.
    Position,
    /// Another part of a statement.
    Sql(Sql),
}

/// A value to be bound.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Id(Uuid),
    OptionalId(Option<Uuid>),
    Text(String),
    OptionalText(Option<String>),
    Integer(i64),
    OptionalInteger(Option<i64>),
    Bytes(Vec<u8>),
    OptionalBytes(Option<Vec<u8>>),
    Flag(bool),
}

/// Values to be looked for.
#[derive(Clone, Debug)]
pub(crate) enum List {
    Ids(Vec<Uuid>),
    Texts(Vec<String>),
}

/// Fills the holes of a constant text: `sql!("name = {} and id {}", name, among(ids))`.
macro_rules! sql {
    ($text:expr $(, $part:expr)* $(,)?) => {
        $crate::sql::Sql::new($text, vec![$($crate::sql::Part::from($part)),*])
    };
}
pub(crate) use sql;

/// The test that something is one of these ids.
///
/// A single one is an equality, which both planners estimate better and SQLite finds twice as fast.
pub(crate) fn among(ids: impl IntoIterator<Item = Uuid>) -> Part {
    let ids: Vec<Uuid> = ids.into_iter().collect();
    match ids.as_slice() {
        [only] => Part::Sql(sql!("= {}", *only)),
        _ => Part::In(List::Ids(ids)),
    }
}

/// The test that something is one of these texts.
pub(crate) fn among_texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Part {
    Part::In(List::Texts(texts.into_iter().map(Into::into).collect()))
}

impl Sql {
    /// The text with its holes filled, in order.
    pub(crate) fn new(text: &'static str, holes: Vec<Part>) -> Self {
        let mut parts = Vec::with_capacity(2 * holes.len() + 1);
        let mut texts = text.split("{}");
        parts.extend(texts.next().map(Part::Text));
        for (hole, text) in holes.into_iter().zip(texts) {
            parts.extend([hole, Part::Text(text)]);
        }
        Self { parts, fixed: false }
    }

    /// Says that the text is always the same.
    pub(crate) fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }

    /// Whether a connection may keep the statement prepared.
    pub(crate) const fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// Adds a part.
    pub(crate) fn push(&mut self, part: impl Into<Part>) {
        self.parts.push(part.into());
    }

    /// The parts with `between` between them.
    pub(crate) fn join(parts: impl IntoIterator<Item = Self>, between: &'static str) -> Self {
        let mut joined = Self::default();
        for (position, part) in parts.into_iter().enumerate() {
            if position > 0 {
                joined.push(between);
            }
            joined.push(part);
        }
        joined
    }

    /// Writes the statement for one database.
    pub(crate) fn render<D: Dialect>(&self, builder: &mut QueryBuilder<D>) {
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    builder.push(text);
                }
                Part::Bind(value) => D::bind(builder, value),
                Part::In(list) => D::list(builder, list),
                Part::Rows(batch) => D::rows(builder, batch),
                Part::Position => {
                    builder.push(D::POSITION);
                }
                Part::Sql(sql) => sql.render(builder),
            }
        }
    }
}

/// How one database wants values.
pub(crate) trait Dialect: sqlx::Database + sqlx::database::HasStatementCache {
    /// The function that finds a text in a text.
    const POSITION: &'static str;

    fn bind(builder: &mut QueryBuilder<Self>, value: &Value);
    fn list(builder: &mut QueryBuilder<Self>, list: &List);
    fn rows(builder: &mut QueryBuilder<Self>, batch: &Batch);
}

/// Writes the binding of a value, which reads the same for every database and has no type in common.
macro_rules! bind {
    ($builder:expr, $value:expr) => {
        match $value {
            Value::Id(value) => $builder.push_bind(*value),
            Value::OptionalId(value) => $builder.push_bind(*value),
            Value::Text(value) => $builder.push_bind(value.clone()),
            Value::OptionalText(value) => $builder.push_bind(value.clone()),
            Value::Integer(value) => $builder.push_bind(*value),
            Value::OptionalInteger(value) => $builder.push_bind(*value),
            Value::Bytes(value) => $builder.push_bind(value.clone()),
            Value::OptionalBytes(value) => $builder.push_bind(value.clone()),
            Value::Flag(value) => $builder.push_bind(*value),
        }
    };
}

impl Dialect for Sqlite {
    const POSITION: &'static str = "instr";

    fn bind(builder: &mut QueryBuilder<Self>, value: &Value) {
        bind!(builder, value);
    }

    /// SQLite has no arrays; JSON is the one list that fits one bind, and JSON has no bytes.
    fn list(builder: &mut QueryBuilder<Self>, list: &List) {
        match list {
            List::Ids(ids) => {
                let json = serde_json::Value::from_iter(ids.iter().map(|id| id.simple().to_string()));
                builder.push("in (select unhex(value) from json_each(").push_bind(json.to_string()).push("))");
            }
            List::Texts(texts) => {
                let json = serde_json::Value::from_iter(texts.iter().map(String::as_str));
                builder.push("in (select value from json_each(").push_bind(json.to_string()).push("))");
            }
        }
    }

    /// Bound one by one: reading thirty columns out of JSON costs more than binding them.
    fn rows(builder: &mut QueryBuilder<Self>, batch: &Batch) {
        for row in 0..batch.len() {
            builder.push(if row == 0 { "values (" } else { ", (" });
            for (position, column) in batch.columns().iter().enumerate() {
                if position > 0 {
                    builder.push(", ");
                }
                bind!(builder, &column.value(row));
            }
            builder.push(")");
        }
    }
}

impl Dialect for Postgres {
    const POSITION: &'static str = "strpos";

    fn bind(builder: &mut QueryBuilder<Self>, value: &Value) {
        bind!(builder, value);
    }

    fn list(builder: &mut QueryBuilder<Self>, list: &List) {
        builder.push("= any(");
        match list {
            List::Ids(ids) => builder.push_bind(ids.clone()),
            // Postgres stores no text with a NUL, so that none is equal to one, and refuses to be asked.
            List::Texts(texts) => builder.push_bind(texts.iter().filter(|text| !text.contains('\0')).cloned().collect::<Vec<_>>()),
        };
        builder.push(")");
    }

    /// One array a column: 65,535 binds would not do for a thousand rows of users.
    fn rows(builder: &mut QueryBuilder<Self>, batch: &Batch) {
        builder.push("select * from unnest(");
        for (position, column) in batch.columns().iter().enumerate() {
            if position > 0 {
                builder.push(", ");
            }
            column.push_array(builder);
        }
        builder.push(")");
    }
}

macro_rules! into_part {
    ($($from:ty => |$value:ident| $into:expr;)*) => {
        $(impl From<$from> for Part {
            fn from($value: $from) -> Self {
                $into
            }
        })*
    };
}

into_part! {
    &'static str => |text| Self::Text(text);
    Value => |value| Self::Bind(value);
    Sql => |sql| Self::Sql(sql);
    Batch => |batch| Self::Rows(batch);
    Uuid => |id| Self::Bind(Value::Id(id));
    Option<Uuid> => |id| Self::Bind(Value::OptionalId(id));
    String => |text| Self::Bind(Value::Text(text));
    Option<String> => |text| Self::Bind(Value::OptionalText(text));
    i64 => |number| Self::Bind(Value::Integer(number));
    Option<i64> => |number| Self::Bind(Value::OptionalInteger(number));
    bool => |flag| Self::Bind(Value::Flag(flag));
    Vec<u8> => |bytes| Self::Bind(Value::Bytes(bytes));
    Option<Vec<u8>> => |bytes| Self::Bind(Value::OptionalBytes(bytes));
    directory::ids::WorkspaceId => |id| Self::Bind(Value::Id(id.0));
    directory::ids::UserId => |id| Self::Bind(Value::Id(id.0));
    directory::ids::GroupId => |id| Self::Bind(Value::Id(id.0));
    directory::ids::RoleId => |id| Self::Bind(Value::Id(id.0));
    directory::ids::TokenId => |id| Self::Bind(Value::Id(id.0));
    directory::ids::PolicyId => |id| Self::Bind(Value::Id(id.0));
    directory::ids::PolicyVersionId => |id| Self::Bind(Value::Id(id.0));
    directory::model::Timestamp => |instant| Self::Bind(Value::Integer(instant.0));
}
