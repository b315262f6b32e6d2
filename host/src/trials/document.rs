//! A TOML document as plain values, each of which knows where it stands.

use toml_edit::{ImDocument, Item as Parsed, TableLike, Value as ParsedValue};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Whole(i64),
    Fraction(f64),
    Flag(bool),
    /// As RFC 3339 writes it, or a part of that.
    Instant(String),
    List(Vec<Item>),
    Table(Vec<Entry>),
}

/// A value of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// The byte at which it begins.
    pub(super) at: usize,
    pub(super) value: Value,
}

/// A value of a table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The byte at which the key begins.
    pub(super) at: usize,
    pub(super) value: Value,
}

/// Reads a document. The parser bounds how deep it is.
///
/// # Errors
/// The byte of the first thing that is no TOML, and the parser's words for it.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, (usize, String)> {
    match ImDocument::parse(text) {
        Ok(document) => Ok(entries(document.as_table(), 0)),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let problem = match error.message().trim() {
                "" if text.get(at..).is_none_or(|rest| rest.trim().is_empty()) => "it ends too soon".to_owned(),
                "" => "what stands here has no place in it".to_owned(),
                words => words.replace('\n', ", "),
            };
            Err((at, problem))
        }
    }
}

/// What is in a table; what does not say where it stands, stands where the table does.
fn entries(table: &dyn TableLike, at: usize) -> Vec<Entry> {
    let entry = |(name, item): (&str, &Parsed)| {
        let at = table.key(name).and_then(toml_edit::Key::span).map_or(at, |span| span.start);
        Some(Entry { key: name.to_owned(), at, value: item_value(item, at)? })
    };
    table.iter().filter_map(entry).collect()
}

fn item_value(item: &Parsed, at: usize) -> Option<Value> {
    Some(match item {
        Parsed::None => return None,
        Parsed::Value(value) => plain(value, at),
        Parsed::Table(table) => Value::Table(entries(table, at)),
        Parsed::ArrayOfTables(tables) => {
            let item = |table: &toml_edit::Table| {
                let at = table.span().map_or(at, |span| span.start);
                Item { at, value: Value::Table(entries(table, at)) }
            };
            Value::List(tables.iter().map(item).collect())
        }
    })
}

fn plain(value: &ParsedValue, at: usize) -> Value {
    match value {
        ParsedValue::String(text) => Value::Text(text.value().clone()),
        ParsedValue::Integer(number) => Value::Whole(*number.value()),
        ParsedValue::Float(number) => Value::Fraction(*number.value()),
        ParsedValue::Boolean(flag) => Value::Flag(*flag.value()),
        ParsedValue::Datetime(instant) => Value::Instant(instant.value().to_string()),
        ParsedValue::Array(items) => {
            let item = |value: &ParsedValue| {
                let at = value.span().map_or(at, |span| span.start);
                Item { at, value: plain(value, at) }
            };
            Value::List(items.iter().map(item).collect())
        }
        ParsedValue::InlineTable(table) => Value::Table(entries(table, at)),
    }
}

impl Value {
    /// What it is, for messages.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Whole(_) | Self::Fraction(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::Instant(_) => "an instant",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The same as JSON; an instant is a text there.
    pub(super) fn into_json(self) -> serde_json::Value {
        match self {
            Self::Text(text) | Self::Instant(text) => text.into(),
            Self::Whole(number) => number.into(),
            Self::Fraction(number) => number.into(),
            Self::Flag(flag) => flag.into(),
            Self::List(items) => items.into_iter().map(|item| item.value.into_json()).collect(),
            Self::Table(entries) => {
                serde_json::Value::Object(entries.into_iter().map(|entry| (entry.key, entry.value.into_json())).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_knows_where_it_stands() {
        let text = "a = 1\n[b.c]\nd = [\n  'x',\n  { e = true },\n]\n[[f]]\ng.h = 2026-01-05T09:00:00Z\n";
        let line = |at: usize| text[..at].matches('\n').count() + 1;
        let mut places = Vec::new();
        fn walk(entries: &[Entry], places: &mut Vec<(String, usize)>) {
            for entry in entries {
                places.push((entry.key.clone(), entry.at));
                match &entry.value {
                    Value::Table(entries) => walk(entries, places),
                    Value::List(items) => {
                        for item in items {
                            places.push((item.value.name().to_owned(), item.at));
                            if let Value::Table(entries) = &item.value {
                                walk(entries, places);
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        walk(&parse(text).unwrap(), &mut places);
        let places: Vec<(&str, usize)> = places.iter().map(|(name, at)| (name.as_str(), line(*at))).collect();
        let expected =
            [("a", 1), ("b", 2), ("c", 2), ("d", 3), ("a text", 4), ("a table", 5), ("e", 5), ("f", 7), ("a table", 7), ("g", 8), ("h", 8)];
        assert_eq!(places, expected);
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_place() {
        for (text, at) in [("a = 1\nb = \n", 10), ("a = 1\na = 2\n", 6)] {
            let (found, message) = parse(text).unwrap_err();
            assert!(found.abs_diff(at) <= 1 && !message.is_empty(), "{text:?}: {found} {message}");
        }
        assert!(parse(&format!("a = {}1{}", "[".repeat(500), "]".repeat(500))).is_err(), "it is not read as deep as one likes");
        assert!(parse(&format!("{}a = 1", "a.".repeat(500))).is_err());
    }
}
