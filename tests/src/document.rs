//! Queries as data: written out for the server, walked by the naive reading.

use std::fmt::Write as _;

/// A selected field, with its arguments and selections.
#[derive(Clone, Debug, Default)]
pub struct Field {
    /// Its key in the answer, if not its name.
    pub alias: Option<String>,
    /// Its name, or `... on Type`.
    pub name: &'static str,
    /// Its arguments.
    pub arguments: Arguments,
    /// What is selected of it.
    pub fields: Vec<Self>,
}

/// The arguments that fields take.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// `first` or `last`.
    pub window: Option<Window>,
    /// `after` or `before`, by `window`: the cursor, and where in the whole list it points.
    pub cursor: Option<(String, usize)>,
    /// `filter`.
    pub filter: Option<Condition>,
    /// `orderBy`.
    pub order: Option<Order>,
    /// `scope: EFFECTIVE`.
    pub effective: bool,
    /// `maxDepth`.
    pub levels: Option<i32>,
    /// An id, under the name of its argument.
    pub id: Option<(&'static str, String)>,
    /// `ids`.
    pub ids: Option<Vec<String>>,
    /// `by`: the field, and its value.
    pub by: Option<(&'static str, String)>,
    /// `actions`.
    pub actions: Option<Vec<String>>,
}

/// How many rows from which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// From the front.
    First(usize),
    /// From the back.
    Last(usize),
}

/// A sort and its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The governed field; `id` for the order without one.
    pub field: &'static str,
    /// Greatest first.
    pub descending: bool,
}

/// A condition of a filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Every one holds, as `and`.
    All(Vec<Self>),
    /// Any holds, as `or`.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// Every one holds, written side by side; of different names.
    Together(Vec<Self>),
    /// A governed text compares so.
    Text(&'static str, Comparison),
    /// A custom attribute compares so.
    Attribute(String, Comparison),
    /// Every word is the beginning of a word.
    Search(String),
    /// Rows, or ends of edges, of these ids, by the name of the condition.
    Ids(&'static str, Vec<String>),
    /// A yes or no.
    Flag(&'static str, bool),
    /// One of these, by the name of the condition: statuses or provenances.
    OneOf(&'static str, Vec<&'static str>),
    /// In a period of instants in microseconds.
    Period(&'static str, Option<i64>, Option<i64>),
    /// Has every one of these permissions.
    Permissions(Vec<String>),
}

/// A comparison of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq(String),
    /// Not equal.
    Ne(String),
    /// Equal to one of these.
    In(Vec<String>),
    /// Starts with this.
    StartsWith(String),
    /// Ends with this.
    EndsWith(String),
    /// Contains this.
    Contains(String),
    /// Whether a value is assigned.
    Present(bool),
}

impl Field {
    /// A field without arguments or selections.
    #[must_use]
    pub fn leaf(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// A field with selections.
    #[must_use]
    pub fn of(name: &'static str, fields: Vec<Self>) -> Self {
        Self { name, fields, ..Self::default() }
    }

    /// A field with selections and arguments.
    #[must_use]
    pub fn with(name: &'static str, arguments: Arguments, fields: Vec<Self>) -> Self {
        Self { name, arguments, fields, ..Self::default() }
    }

    /// The same under a key of its own.
    #[must_use]
    pub fn alias(self, alias: impl Into<String>) -> Self {
        Self { alias: Some(alias.into()), ..self }
    }

    /// The key in the answer.
    #[must_use]
    pub fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(self.name)
    }
}

/// Fields without arguments or selections.
#[must_use]
pub fn leaves(names: &[&'static str]) -> Vec<Field> {
    names.iter().map(|name| Field::leaf(name)).collect()
}

/// A document with these fields at the root.
#[must_use]
pub fn document(fields: &[Field]) -> String {
    let mut text = String::new();
    selections(&mut text, fields);
    text
}

fn selections(text: &mut String, fields: &[Field]) {
    text.push('{');
    for field in fields {
        text.push(' ');
        if let Some(alias) = &field.alias {
            write!(text, "{alias}: ").unwrap();
        }
        text.push_str(field.name);
        let arguments = field.arguments.text();
        if !arguments.is_empty() {
            write!(text, "({})", arguments.join(", ")).unwrap();
        }
        if !field.fields.is_empty() {
            text.push(' ');
            selections(text, &field.fields);
        }
    }
    text.push_str(" }");
}

impl Arguments {
    fn text(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let mut add = |name: &str, value: String| texts.push(format!("{name}: {value}"));
        match self.window {
            Some(Window::First(rows)) => add("first", rows.to_string()),
            Some(Window::Last(rows)) => add("last", rows.to_string()),
            None => {}
        }
        if let Some((cursor, _)) = &self.cursor {
            add(if matches!(self.window, Some(Window::Last(_))) { "before" } else { "after" }, quoted(cursor));
        }
        if let Some(filter) = &self.filter {
            add("filter", format!("{{{}}}", filter.text()));
        }
        if let Some(order) = self.order {
            add("orderBy", format!("{{field: {}, direction: {}}}", screaming(order.field), if order.descending { "DESC" } else { "ASC" }));
        }
        if self.effective {
            add("scope", "EFFECTIVE".to_owned());
        }
        if let Some(levels) = self.levels {
            add("maxDepth", levels.to_string());
        }
        if let Some((name, id)) = &self.id {
            add(name, quoted(id));
        }
        if let Some(ids) = &self.ids {
            add("ids", list(ids));
        }
        if let Some((field, value)) = &self.by {
            add("by", format!("{{{field}: {}}}", quoted(value)));
        }
        if let Some(actions) = &self.actions {
            add("actions", list(actions));
        }
        texts
    }
}

impl Condition {
    /// Its name in the filter's object.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::All(_) => "and",
            Self::Any(_) => "or",
            Self::Not(_) => "not",
            Self::Together(_) => "",
            Self::Attribute(..) => "attribute",
            Self::Search(_) => "search",
            Self::Permissions(_) => "permissions",
            Self::Text(name, _) | Self::Ids(name, _) | Self::Flag(name, _) | Self::OneOf(name, _) | Self::Period(name, ..) => name,
        }
    }

    fn text(&self) -> String {
        let parts = |parts: &[Self]| parts.iter().map(|part| format!("{{{}}}", part.text())).collect::<Vec<_>>().join(", ");
        let value = match self {
            Self::Together(parts) => return parts.iter().map(Self::text).collect::<Vec<_>>().join(", "),
            Self::All(of) | Self::Any(of) => format!("[{}]", parts(of)),
            Self::Not(part) => format!("{{{}}}", part.text()),
            Self::Text(_, comparison) => format!("{{{}}}", comparison.text()),
            Self::Attribute(name, comparison) => format!("{{name: {}, value: {{{}}}}}", quoted(name), comparison.text()),
            Self::Search(text) => quoted(text),
            Self::Ids(_, ids) => list(ids),
            Self::Flag(_, flag) => flag.to_string(),
            Self::OneOf(_, of) => format!("[{}]", of.iter().map(|one| one.to_uppercase()).collect::<Vec<_>>().join(", ")),
            Self::Period(_, from, until) => {
                let part = |name: &str, at: &Option<i64>| at.map(|at| format!("{name}: {}", quoted(&instant(at))));
                format!("{{{}}}", [part("from", from), part("until", until)].into_iter().flatten().collect::<Vec<_>>().join(", "))
            }
            Self::Permissions(names) => list(names),
        };
        format!("{}: {value}", self.name())
    }
}

impl Comparison {
    fn text(&self) -> String {
        match self {
            Self::Eq(text) => format!("eq: {}", quoted(text)),
            Self::Ne(text) => format!("ne: {}", quoted(text)),
            Self::In(texts) => format!("in: {}", list(texts)),
            Self::StartsWith(text) => format!("startsWith: {}", quoted(text)),
            Self::EndsWith(text) => format!("endsWith: {}", quoted(text)),
            Self::Contains(text) => format!("contains: {}", quoted(text)),
            Self::Present(present) => format!("present: {present}"),
        }
    }
}

/// An instant in microseconds, as the API writes it.
///
/// The generators' instants all lie on 2025-01-01.
#[must_use]
pub fn instant(micros: i64) -> String {
    let into_day = micros - NEW_YEAR;
    assert!((0..86_400_000_000).contains(&into_day), "{micros} is not on 2025-01-01");
    let (seconds, micros) = (into_day / 1_000_000, into_day % 1_000_000);
    format!("2025-01-01T{:02}:{:02}:{:02}.{micros:06}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// 2025-01-01 in microseconds: the beginning of time for generated workspaces.
pub const NEW_YEAR: i64 = 1_735_689_600_000_000;

/// `userName` as the enum has it: `USER_NAME`.
fn screaming(field: &str) -> String {
    field.chars().flat_map(|letter| letter.is_uppercase().then_some('_').into_iter().chain(letter.to_uppercase())).collect()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}
