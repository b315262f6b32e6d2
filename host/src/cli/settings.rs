//! Settings of a policy on the command line.

use std::{fs, path::Path, str::FromStr};

/// Settings as a policy takes them: given as they are, or read from a file that is named behind `@`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings(pub(super) String);

impl FromStr for Settings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(file) = text.strip_prefix('@') else {
            // No policy takes a path for settings: whoever forgets the `@` would be told of bad JSON, or of nothing at all.
            return if !text.is_empty() && Path::new(text).is_file() {
                Err(format!("that is a file; give `@{text}` to have its settings read"))
            } else {
                Ok(Self(text.to_owned()))
            };
        };
        fs::read_to_string(file).map(Self).map_err(|error| format!("the settings in `{file}` can not be read: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn settings_are_a_text_or_a_file_behind_a_sign() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("strict.json");
        std::fs::write(&file, "{\"a\": 1}\n").unwrap();
        let file = file.to_str().unwrap();
        assert_eq!("{}".parse(), Ok(Settings("{}".to_owned())));
        assert_eq!("".parse(), Ok(Settings::default()));
        assert_eq!(format!("@{file}").parse(), Ok(Settings("{\"a\": 1}\n".to_owned())));
        assert_eq!(file.parse::<Settings>(), Err(format!("that is a file; give `@{file}` to have its settings read")));
        let missing = format!("@{file}.old").parse::<Settings>().unwrap_err();
        assert!(missing.starts_with(&format!("the settings in `{file}.old` can not be read")), "{missing}");
    }
}
