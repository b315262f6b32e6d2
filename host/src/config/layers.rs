//! Where settings come from, weakest layer first, and what is said about those that nobody knows.

use std::{fs, path::Path};

use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format as _, Toml},
    value::{Dict, Map, Value},
};

use super::Config;

/// Every setting with its default.
const DEFAULT: &str = include_str!("../../config.default.toml");
/// The one setting without a default.
const DATABASE: &str = "database";
/// What every variable's name begins with.
const PREFIX: &str = "BAILIWICK_";
/// Variables that are no settings: the secret, the name of the file of settings, and which server commands ask as whom.
const OTHER_VARIABLES: [&str; 4] = ["BAILIWICK_SECRET", "BAILIWICK_CONFIG", "BAILIWICK_SERVER", "BAILIWICK_TOKEN"];
/// Variables of the test suite.
const TEST_PREFIX: &str = "BAILIWICK_TEST_";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the configuration file `{path}` can not be read: {cause}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file is not TOML; the text has line and column.
    #[error("{source_name} is not TOML: {text}")]
    Syntax {
        /// Where the text came from.
        source_name: String,
        /// The parser's own words.
        text: String,
    },
    /// Nobody knows this key.
    #[error("{source_name} sets `{key}`, which is no setting; did you mean `{nearest}`? `bailiwick config` prints every setting")]
    Unknown {
        /// Where the key stands.
        source_name: String,
        /// The key.
        key: String,
        /// The known key that it resembles most.
        nearest: String,
    },
    /// The value does not fit.
    #[error("{source_name} sets `{key}` to a value that does not fit: {text}")]
    Value {
        /// Where the value stands.
        source_name: String,
        /// The key.
        key: String,
        /// What is expected.
        text: String,
    },
}

/// Settings from several places; later layers win.
#[derive(Clone, Debug, Default)]
pub struct Layers(Vec<Layer>);

/// Settings from one place.
#[derive(Clone, Debug)]
struct Layer {
    name: String,
    values: Dict,
}

/// One setting as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, such as `limits.request_ms`.
    pub key: String,
    /// Its value as TOML; `None` if there is none.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: String,
}

impl Layers {
    /// The defaults alone.
    ///
    /// # Errors
    /// None, as long as `config.default.toml` is TOML, which a test holds.
    pub fn new() -> Result<Self, Error> {
        let mut layers = Self::default();
        layers.add("the default".to_owned(), DEFAULT)?;
        Ok(layers)
    }

    /// Adds a file of settings in TOML.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::Syntax`], [`Error::Unknown`].
    pub fn file(&mut self, path: &Path) -> Result<(), Error> {
        let text = fs::read_to_string(path).map_err(|cause| Error::Unreadable { path: path.display().to_string(), cause })?;
        self.add(format!("the file `{}`", path.display()), &text)
    }

    /// Adds the settings among the variables of an environment; `BAILIWICK_LIMITS__REQUEST_MS` is `limits.request_ms`.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a variable that begins with `BAILIWICK_` and names no setting.
    pub fn environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<(), Error> {
        for (name, value) in variables {
            let Some(key) = name.strip_prefix(PREFIX) else { continue };
            if OTHER_VARIABLES.contains(&name.as_str()) || name.starts_with(TEST_PREFIX) {
                continue;
            }
            let key = key.to_ascii_lowercase().replace("__", ".");
            if !self.known().contains(&key) {
                let nearest = PREFIX.to_owned() + &self.nearest(&key).replace('.', "__").to_ascii_uppercase();
                return Err(Error::Unknown { source_name: "the environment".to_owned(), key: name, nearest });
            }
            self.set(format!("the environment variable `{name}`"), &key, &value);
        }
        Ok(())
    }

    /// Adds one setting, as an option of the command line gives it.
    pub fn option(&mut self, option: &str, key: &str, value: &str) {
        self.set(format!("the option `{option}`"), key, value);
    }

    /// Adds the fixed setting of a command.
    pub fn fixed(&mut self, command: &str, key: &str, value: &str) {
        self.set(format!("the command `{command}`"), key, value);
    }

    /// Every setting, in the order of its names, with where it comes from. Passwords are left out of the database's URL.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let setting = |key: String| {
            let found = self.0.iter().rev().find_map(|layer| Some((find(&layer.values, &key)?, &layer.name)));
            let value = found.map(|(value, _)| text(value, key == DATABASE));
            let source = found.map_or("the default".to_owned(), |(_, name)| name.clone());
            Setting { key, value, source }
        };
        let mut keys = self.known();
        keys.sort();
        keys.into_iter().map(setting).collect()
    }

    pub(super) fn extract(&self) -> Result<Config, Error> {
        let merged = self.0.iter().fold(Figment::new(), |figment, layer| figment.merge(layer));
        merged.extract().map_err(|error| Error::Value {
            source_name: error.metadata.as_ref().map_or("the configuration".to_owned(), |metadata| metadata.name.to_string()),
            key: error.path.join("."),
            text: error.kind.to_string(),
        })
    }

    fn add(&mut self, name: String, toml: &str) -> Result<(), Error> {
        let parsed = Toml::string(toml).data();
        let mut profiles = parsed.map_err(|error| Error::Syntax { source_name: name.clone(), text: error.kind.to_string() })?;
        let values = profiles.remove(&Profile::Default).unwrap_or_default();
        if !self.0.is_empty() {
            let known = self.known();
            if let Some(key) = keys(&values, "").into_iter().find(|key| !known.contains(key)) {
                return Err(Error::Unknown { source_name: name, nearest: self.nearest(&key), key });
            }
        }
        self.0.push(Layer { name, values });
        Ok(())
    }

    /// Texts stay texts where the default is one; everything else is read as TOML would.
    fn set(&mut self, name: String, key: &str, value: &str) {
        let default = self.0.first().and_then(|defaults| find(&defaults.values, key));
        let is_text = default.is_none_or(|default| default.as_str().is_some());
        let value = if is_text { Value::from(value) } else { value.parse().unwrap_or_else(|never| match never {}) };
        self.0.push(Layer { name, values: nest(key, value) });
    }

    fn known(&self) -> Vec<String> {
        let defaults = self.0.first().map(|defaults| keys(&defaults.values, "")).unwrap_or_default();
        defaults.into_iter().chain([DATABASE.to_owned()]).collect()
    }

    fn nearest(&self, key: &str) -> String {
        // `request_ms` alone is as near as `limits.request_ms`.
        let near = |known: &String| {
            let last = known.rsplit('.').next().unwrap_or(known);
            strsim::damerau_levenshtein(key, known).min(strsim::damerau_levenshtein(key, last))
        };
        self.known().into_iter().min_by_key(near).unwrap_or_default()
    }
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.values.clone())]))
    }
}

/// The dotted names of everything that is not a table.
fn keys(values: &Dict, prefix: &str) -> Vec<String> {
    values
        .iter()
        .flat_map(|(name, value)| match value.as_dict() {
            Some(inner) if !inner.is_empty() => keys(inner, &format!("{prefix}{name}.")),
            _ => vec![format!("{prefix}{name}")],
        })
        .collect()
}

fn find<'a>(values: &'a Dict, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        Some((table, rest)) => find(values.get(table)?.as_dict()?, rest),
        None => values.get(key),
    }
}

fn nest(key: &str, value: Value) -> Dict {
    match key.split_once('.') {
        Some((table, rest)) => Dict::from([(table.to_owned(), Value::from(nest(rest, value)))]),
        None => Dict::from([(key.to_owned(), value)]),
    }
}

fn text(value: &Value, is_url: bool) -> String {
    match (value.as_str(), value.to_i128(), value.to_bool()) {
        (Some(text), _, _) if is_url => format!("{:?}", without_password(text)),
        (Some(text), _, _) => format!("{text:?}"),
        (_, Some(number), _) => number.to_string(),
        (_, _, Some(flag)) => flag.to_string(),
        _ => format!("{value:?}"),
    }
}

/// `postgres://user:secret@host/name` without the secret, and without parameters if they have one.
pub(super) fn without_password(url: &str) -> String {
    let url = match url.split_once('?') {
        Some((url, parameters)) if parameters.contains("password") => url,
        _ => url,
    };
    let split = || {
        let (scheme, rest) = url.split_once("://")?;
        let (login, host) = rest.rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:***@{host}"))
    };
    split().unwrap_or_else(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(variables: &[(&str, &str)]) -> Result<Layers, Error> {
        let mut layers = Layers::new()?;
        layers.environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))?;
        Ok(layers)
    }

    fn refused(variables: &[(&str, &str)]) -> String {
        layers(variables).and_then(|layers| Config::load(&layers)).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_are_a_configuration() {
        let config = Config::load(&layers(&[]).unwrap()).unwrap();
        assert_eq!(config.database_url(), "sqlite:./data/bailiwick.db");
    }

    #[test]
    fn later_layers_win_and_are_named() {
        let mut layers = layers(&[("BAILIWICK_LIMITS__REQUEST_MS", "5"), ("BAILIWICK_DATA", "7"), ("PATH", "x")]).unwrap();
        layers.option("--data", "data", "here");
        let config = Config::load(&layers).unwrap();
        assert_eq!((config.limits.request_ms, config.data.as_path()), (5, Path::new("here")));
        let source = |key: &str| layers.settings().into_iter().find(|setting| setting.key == key).unwrap().source;
        assert_eq!(source("data"), "the option `--data`");
        assert_eq!(source("limits.request_ms"), "the environment variable `BAILIWICK_LIMITS__REQUEST_MS`");
        assert_eq!(source("limits.read_ms"), "the default");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_source_and_the_nearest_one() {
        let error = refused(&[("BAILIWICK_LIMITS__REQEST_MS", "5")]);
        assert!(error.contains("the environment sets `BAILIWICK_LIMITS__REQEST_MS`"), "{error}");
        assert!(error.contains("mean `BAILIWICK_LIMITS__REQUEST_MS`"), "{error}");
        let mut layers = Layers::new().unwrap();
        let error = layers.add("the file `x.toml`".into(), "[limits]\nrequest = 5").unwrap_err().to_string();
        assert!(error.contains("the file `x.toml` sets `limits.request`") && error.contains("mean `limits.request_ms`"), "{error}");
    }

    #[test]
    fn a_value_that_does_not_fit_is_named() {
        let error = refused(&[("BAILIWICK_LIMITS__REQUEST_MS", "soon")]);
        assert!(error.contains("`BAILIWICK_LIMITS__REQUEST_MS` sets `limits.request_ms`"), "{error}");
        let error = refused(&[("BAILIWICK_MODE", "loud")]);
        assert!(error.contains("`BAILIWICK_MODE` sets `mode`"), "{error}");
    }

    #[test]
    fn the_suites_own_variables_and_the_secret_are_no_settings() {
        assert!(layers(&[("BAILIWICK_TEST_POSTGRES", "x"), ("BAILIWICK_SECRET", "x")]).is_ok());
    }

    #[test]
    fn passwords_are_not_printed() {
        let layers = layers(&[("BAILIWICK_DATABASE", "postgres://me:hush@host/name")]).unwrap();
        assert!(layers.settings().iter().any(|setting| setting.value.as_deref() == Some(r#""postgres://me:***@host/name""#)));
        assert_eq!(without_password("postgres://host/name?user=me&password=hush"), "postgres://host/name");
        assert_eq!(without_password("postgres://host/name?sslmode=require"), "postgres://host/name?sslmode=require");
    }
}
