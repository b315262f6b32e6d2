//! Settings of a policy on the command line.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
    str::FromStr,
};

use directory::limits::SETTINGS_BYTES;

/// Bytes of a file that is read, with the mark that some editors write.
const FILE_BYTES: u64 = SETTINGS_BYTES as u64 + 3;

/// Settings as a policy takes them: given as they are, or read from a file that is named behind `@`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settings(pub(super) String);

impl FromStr for Settings {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let settings = match text.strip_prefix('@') {
            Some("") => return Err("the file is missing; give its path behind the `@`".to_owned()),
            Some(file) => read(file)?,
            // No policy takes a path for settings: whoever forgets the `@` would be told of bad JSON, or of nothing at all.
            None if !text.is_empty() && Path::new(text).is_file() => {
                return Err(format!("that is a file; give `@{text}` to have its settings read"));
            }
            None => text.to_owned(),
        };
        if settings.len() > SETTINGS_BYTES {
            return Err(format!("the settings have {} bytes, and may have {SETTINGS_BYTES}; shorten them", settings.len()));
        }
        Ok(Self(settings))
    }
}

fn read(file: &str) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("the settings in `{file}` can not be read: {error}");
    // One that never ends, or is another one by mistake, is not read whole to be refused.
    let mut bytes = Vec::new();
    File::open(file).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(format!("the settings in `{file}` have more than {SETTINGS_BYTES} bytes; shorten them"));
    }
    let settings = String::from_utf8(bytes).map_err(|error| format!("the settings in `{file}` are no UTF-8: {error}"))?;
    // Some editors write the mark; to a policy it would be a mistake at the first character, where nobody sees any.
    Ok(settings.strip_prefix('\u{feff}').unwrap_or(&settings).to_owned())
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
        assert_eq!("@".parse::<Settings>(), Err("the file is missing; give its path behind the `@`".to_owned()));

        std::fs::write(file, "\u{feff}{}").unwrap();
        assert_eq!(format!("@{file}").parse(), Ok(Settings("{}".to_owned())), "without the mark of an editor");
        std::fs::write(file, "x".repeat(65_536)).unwrap();
        assert!(format!("@{file}").parse::<Settings>().is_ok());
        std::fs::write(file, "x".repeat(65_537)).unwrap();
        let endless = "@/dev/zero".parse::<Settings>().unwrap_err();
        assert_eq!(endless, "the settings in `/dev/zero` have more than 65536 bytes; shorten them");
        let long = format!("@{file}").parse::<Settings>().unwrap_err();
        assert_eq!(long, "the settings have 65537 bytes, and may have 65536; shorten them");
    }
}
