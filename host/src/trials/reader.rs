//! Reads values of a document, and collects everything that is wrong with them.

use directory::{limits::TEST_MISTAKES, trials::Mistake};

use super::{
    document::{Entry, Item, Value},
    limits::QUOTED_CHARS,
};
use crate::organisations::text;

/// How alike a name must be to be what was meant.
const ALIKE: f64 = 0.75;

/// Every mistake so far, and where lines begin.
pub(super) struct Reader {
    lines: Vec<usize>,
    /// By line.
    mistakes: Vec<(usize, String)>,
}

impl Reader {
    pub(super) fn new(text: &str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { lines, mistakes: Vec::new() }
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at)
    }

    /// Notes what is wrong: the input, the rule and the remedy.
    pub(super) fn wrong(&mut self, at: usize, problem: impl Into<String>) {
        if self.mistakes.len() < TEST_MISTAKES {
            self.mistakes.push((self.line(at), problem.into()));
        }
    }

    /// Whether there are so many mistakes that no further one would be told.
    pub(super) const fn is_full(&self) -> bool {
        self.mistakes.len() >= TEST_MISTAKES
    }

    /// How many mistakes are told so far.
    pub(super) const fn told(&self) -> usize {
        self.mistakes.len()
    }

    /// Notes a name that nothing has. Nothing is compared once nobody would be told.
    pub(super) fn unknown<'a>(&mut self, at: usize, given: &str, what: &str, known: impl Iterator<Item = &'a str>) {
        if !self.is_full() {
            let instead =
                nearest(given, known).map_or_else(|| "add it, or correct the name".to_owned(), |name| format!("did you mean `{name}`?"));
            self.wrong(at, format!("{} is {what}; {instead}", quoted(given)));
        }
    }

    /// Everything that is wrong, in the order of the text: a mistake is noted where it is understood.
    pub(super) fn finish(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|(line, _)| *line);
        self.mistakes.into_iter().map(|(line, problem)| Mistake { place: place(line), problem }).collect()
    }

    /// The text of a value.
    pub(super) fn text(&mut self, at: usize, what: &str, value: Value) -> Option<String> {
        match value {
            Value::Text(text) => Some(text),
            other => self.other(at, what, "a text", &other),
        }
    }

    /// A single-line text of a value, trimmed and within a limit.
    pub(super) fn line_of(&mut self, at: usize, what: &str, value: Value, limit: usize) -> Option<String> {
        let given = self.text(at, what, value)?;
        match text(&given, limit) {
            Ok(text) => Some(text),
            Err(rule) => {
                self.wrong(at, format!("{what} {} {rule}", quoted(&given)));
                None
            }
        }
    }

    pub(super) fn flag(&mut self, at: usize, what: &str, value: Value) -> Option<bool> {
        match value {
            Value::Flag(flag) => Some(flag),
            other => self.other(at, what, "true or false", &other),
        }
    }

    /// The texts of a list, or the one text that stands for it.
    pub(super) fn texts(&mut self, at: usize, what: &str, value: Value) -> Vec<(usize, String)> {
        let items = match value {
            Value::Text(text) => return vec![(at, text)],
            Value::List(items) => items,
            other => return self.other(at, what, "a list of texts", &other).unwrap_or_default(),
        };
        items.into_iter().filter_map(|Item { at, value }| Some((at, self.text(at, what, value)?))).collect()
    }

    /// The items of a list.
    pub(super) fn list(&mut self, at: usize, what: &str, value: Value) -> Vec<Item> {
        match value {
            Value::List(items) => items,
            other => self.other(at, what, "a list", &other).unwrap_or_default(),
        }
    }

    /// The entries of a table.
    pub(super) fn table(&mut self, at: usize, what: &str, value: Value) -> Option<Fields> {
        match value {
            Value::Table(entries) => Some(Fields { entries }),
            other => self.other(at, what, "a table", &other),
        }
    }

    fn other<T>(&mut self, at: usize, what: &str, wanted: &str, found: &Value) -> Option<T> {
        self.wrong(at, format!("{what} is {}; write {wanted}", found.name()));
        None
    }
}

/// The entries of a table that were not read yet.
pub(super) struct Fields {
    entries: Vec<Entry>,
}

impl Fields {
    pub(super) const fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The entry of that key.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        Some(self.entries.remove(at))
    }

    /// What is left, where any key will do.
    pub(super) fn rest(self) -> Vec<Entry> {
        self.entries
    }

    /// Refuses what is left: nobody reads it.
    pub(super) fn finish(self, reader: &mut Reader, of: &str, known: &[&str]) {
        for Entry { key, at, .. } in self.entries {
            let instead = nearest(&key, known.iter().copied())
                .map_or_else(|| format!("known are {}", known.join(", ")), |known| format!("did you mean `{known}`?"));
            reader.wrong(at, format!("{} is no key of {of}; {instead}", quoted(&key)));
        }
    }
}

/// Where a line is, for people.
pub(super) fn place(line: usize) -> String {
    format!("line {line}")
}

/// A part of the input, cut and in backticks.
pub(super) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED_CHARS).collect();
    let cut = if shown.len() < text.len() { "..." } else { "" };
    format!("`{}{cut}`", shown.escape_debug())
}

/// The known name that a wrong one is most alike.
pub(super) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given: String = given.chars().take(QUOTED_CHARS).collect();
    let alike = known.map(|name| (strsim::jaro_winkler(&given, name), name)).filter(|(alike, _)| *alike >= ALIKE);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name)
}
