//! What changes of the policy are sent as.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use crate::http::json::Json;

/// The body of an activation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Activate {
    /// The version that the caller has seen as active.
    pub(super) expected: String,
    /// Of the module; of `standard` where that decides alone.
    pub(super) settings: Option<Settings>,
    pub(super) standard_settings: Option<Settings>,
    pub(super) note: Option<String>,
}

/// The body of a roll back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RollBack {
    pub(super) to: Option<String>,
    /// As in [`Activate::expected`]; without, whichever version is active is left.
    pub(super) expected: Option<String>,
    pub(super) note: Option<String>,
}

/// The body of a change of settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Set {
    /// As in [`Activate::expected`].
    pub(super) expected: String,
    pub(super) settings: Option<Settings>,
    pub(super) standard_settings: Option<Settings>,
    pub(super) note: Option<String>,
}

/// Settings as the policy is handed them: a text as it is, an object as compact JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings(pub(super) String);

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)?.0 {
            Value::String(text) => Ok(Self(text)),
            object @ Value::Object(_) => Ok(Self(object.to_string())),
            _ => Err(D::Error::custom("settings must be a text or an object")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_texts_or_objects() {
        let read = |json: &str| serde_json::from_str::<Activate>(json).map(|sent| sent.settings).map_err(|error| error.to_string());
        assert_eq!(read(r#"{"expected":"x"}"#), Ok(None));
        assert_eq!(read(r#"{"expected":"x","settings":null}"#), Ok(None));
        assert_eq!(read(r#"{"expected":"x","settings":"a = 1"}"#), Ok(Some(Settings("a = 1".to_owned()))));
        assert_eq!(read(r#"{"expected":"x","settings":{ "a" : [1, 2] }}"#), Ok(Some(Settings(r#"{"a":[1,2]}"#.to_owned()))));
        let twice = r#"{"expected":"x","settings":{"a":1,"a":2}}"#;
        for refused in [twice, r#"{"expected":"x","settings":1}"#, r#"{"expected":"x","else":1}"#, "{}", "[]"] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }
}
