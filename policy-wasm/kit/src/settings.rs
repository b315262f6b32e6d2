//! Reads a module's settings: a JSON object of optional keys, where every mistake is reported at once.

use serde_json::{Map, Value};

/// The most of a wrong value that an error quotes, in characters.
const QUOTED_CHARS: usize = 60;

/// Takes known keys out of the settings and collects what is wrong with them.
///
/// Every error names the key, the value, the rule and the remedy.
#[derive(Debug)]
pub struct Reader {
    object: Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<String>,
}

/// Accepts empty settings only, for a module that has none.
///
/// # Errors
/// Every key that is there.
pub fn none(settings: &str) -> Result<(), Vec<String>> {
    Reader::new(settings).finish()
}

impl Reader {
    /// Parses the settings; an empty text is an empty object.
    #[must_use]
    pub fn new(settings: &str) -> Self {
        let mut reader = Self { object: Map::new(), known: Vec::new(), problems: Vec::new() };
        if settings.trim().is_empty() {
            return reader;
        }
        match serde_json::from_str(settings) {
            Ok(Value::Object(object)) => {
                reader.object = object;
                reader.problems.extend(repeated(settings).keys().map(|key| format!("`{key}` is given more than once; keep one")));
            }
            Ok(other) => reader
                .problems
                .push(format!("the settings are {}, but must be a JSON object; write `{{}}` for all defaults", quoted(&other))),
            Err(error) => reader
                .problems
                .push(format!("the settings are not JSON ({error}), but must be a JSON object; write `{{}}` for all defaults")),
        }
        reader
    }

    /// One of the named choices; the type's default by default.
    pub fn choice<T: Copy + Default>(&mut self, key: &'static str, choices: &[(&str, T)]) -> T {
        let Some(value) = self.take(key) else { return T::default() };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| value.as_str() == Some(name)) {
            return *choice;
        }
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        self.problem(key, &value, &format!("one of {}", names.join(", ")));
        T::default()
    }

    /// A yes or no; no by default.
    pub fn flag(&mut self, key: &'static str) -> bool {
        let Some(value) = self.take(key) else { return false };
        value.as_bool().unwrap_or_else(|| {
            self.problem(key, &value, "`true` or `false`");
            false
        })
    }

    /// A list of names that `accepts` takes, `what` in words.
    pub fn names(&mut self, key: &'static str, default: &[&str], what: &str, accepts: impl Fn(&str) -> bool) -> Vec<String> {
        let items = match self.take(key) {
            None => return default.iter().map(ToString::to_string).collect(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.problem(key, &other, &format!("a list of {what}"));
                return Vec::new();
            }
        };
        let mut names = Vec::new();
        for item in &items {
            match item.as_str().filter(|name| accepts(name)) {
                Some(name) => names.push(name.to_owned()),
                None => self.problems.push(format!("`{key}` contains {}, but may contain only {what}; correct or remove it", quoted(item))),
            }
        }
        names
    }

    /// The raw value of a key.
    pub fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.object.remove(key)
    }

    /// Reports a key whose value must be something else.
    pub fn problem(&mut self, key: &str, value: &Value, must_be: &str) {
        self.problems
            .push(format!("`{key}` is {}, but must be {must_be}; correct it, or leave the key out for its default", quoted(value)));
    }

    /// Done: what is left is unknown.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn finish(mut self) -> Result<(), Vec<String>> {
        let known: Vec<String> = self.known.iter().map(|key| format!("`{key}`")).collect();
        let rule = if known.is_empty() { "there are no settings".to_owned() } else { format!("the keys are {}", known.join(", ")) };
        for (key, value) in &self.object {
            self.problems.push(format!("`{key}` (set to {}) is unknown: {rule}; remove it", quoted(value)));
        }
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }
}

/// The keys that a JSON object has more than once: the parser keeps the last of two values, and whoever reviewed the settings may have seen
/// the first.
fn repeated(object: &str) -> Map<String, Value> {
    let (mut seen, mut repeated) = (Map::new(), Map::new());
    let (mut depth, mut start, mut escaped, mut text) = (0_usize, None, false, "");
    for (at, byte) in object.bytes().enumerate() {
        match (start, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(from), b'"') => (start, text) = (None, object.get(from..=at).unwrap_or_default()),
            (None, b'"') => start = Some(at),
            (None, b'{' | b'[') => depth += 1,
            (None, b'}' | b']') => depth -= 1,
            (None, b':') if depth == 1 => {
                if let Ok(Value::String(key)) = serde_json::from_str(text)
                    && seen.insert(key.clone(), Value::Null).is_some()
                {
                    repeated.insert(key, Value::Null);
                }
            }
            _ => {}
        }
    }
    repeated
}

fn quoted(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("`{}...`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}
