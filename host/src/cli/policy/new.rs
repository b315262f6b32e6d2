//! `bailiwick policy new`.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use super::templates::{CONTRACT, JAVASCRIPT, KIT, PLACEHOLDER, PYTHON, RUST};
use crate::cli::print;

/// Bytes of a name.
const NAME_BYTES: usize = 64;

/// Begin a policy: rules, tests and all that it takes to build it
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Writes a policy that works into a new folder: a table of rules, what makes them answers to the contract, tests that run \
        without a server, the contract itself, and a README with the commands. The rules are the same in every language. Nothing else \
        is read or written, and nothing is fetched.",
    after_long_help = "\
Examples:
  bailiwick policy new --language rust colleagues
  bailiwick policy new --language js colleagues
  bailiwick policy new --language python colleagues --folder policies/colleagues"
)]
pub(in crate::cli) struct New {
    /// The language to write it in
    #[arg(long, value_name = "LANGUAGE")]
    language: Language,
    /// The policy's name: lower-case letters, digits, `-` and `_`
    name: String,
    /// Write into this folder, which is made unless it is there and empty [default: one of the policy's name]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// What a policy can be begun in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    /// With the author's kit, built by cargo
    Rust,
    /// JavaScript, built by componentize-js on Node.js
    Js,
    /// Built by componentize-py
    Python,
}

/// A file to be written.
#[derive(Debug)]
struct Text {
    path: &'static str,
    text: String,
}

pub(super) fn run(new: New) -> anyhow::Result<()> {
    let New { language, name, folder } = new;
    if let Some(fault) = language.fault(&name) {
        bail!("{fault}");
    }
    let folder = folder.unwrap_or_else(|| PathBuf::from(&name));
    let made = write(&folder, &texts(language, &name))?;
    print(&format!("{made} files in {}; README.md there has the commands", folder.display()));
    Ok(())
}

impl Language {
    /// Why a policy of this language can not have that name.
    fn fault(self, name: &str) -> Option<String> {
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ['-', '_'].contains(&c);
        if name.len() > NAME_BYTES || !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(letters) {
            let rule = format!("at most {NAME_BYTES} lower-case letters, digits, `-` and `_`, and begins with a letter");
            return Some(format!("`{name}` can not be the name of a policy: it has {rule}; choose another one"));
        }
        let taken = match self {
            Self::Rust => RUST_WORDS.contains(&crate_name(name).as_str()) || locked().any(|known| crate_name(known) == crate_name(name)),
            // The one folder that npm keeps for itself.
            Self::Js => name == "node_modules",
            // The name is no module's.
            Self::Python => false,
        };
        let who = if self == Self::Js { "npm" } else { "Rust" };
        taken.then(|| format!("`{name}` can not be the name of a policy: {who} has another use for it; choose another one"))
    }
}

/// Names that are no crate's, or one's that is always there.
const RUST_WORDS: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "policy_kit",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The crates that a policy is built from, by the lock file.
fn locked() -> impl Iterator<Item = &'static str> {
    let lock = RUST.iter().find(|file| file.path == LOCK).map_or("", |file| file.text);
    lock.split(PACKAGE).skip(1).map(package_name).filter(|name| *name != PLACEHOLDER)
}

const LOCK: &str = "Cargo.lock";
/// What comes before each entry of a lock file.
const PACKAGE: &str = "\n[[package]]\n";

/// The name in an entry of a lock file.
fn package_name(entry: &str) -> &str {
    entry.split('"').nth(1).unwrap_or_default()
}

/// A package as code names it.
fn crate_name(package: &str) -> String {
    package.replace('-', "_")
}

/// Every file of a policy of that name.
fn texts(language: Language, name: &str) -> Vec<Text> {
    let (own, kit) = match language {
        Language::Rust => (RUST, KIT),
        Language::Js => (JAVASCRIPT, &[][..]),
        Language::Python => (PYTHON, &[][..]),
    };
    let own = own.iter().map(|file| {
        let text = file.text.replace(PLACEHOLDER, name).replace(&crate_name(PLACEHOLDER), &crate_name(name));
        Text { path: file.path, text: if file.path == LOCK { sorted(&text, name) } else { text } }
    });
    let others = CONTRACT.iter().chain(kit).map(|file| Text { path: file.path, text: file.text.to_owned() });
    own.chain(others).collect()
}

/// A lock file with the entry of that name in its place: cargo takes no other order.
fn sorted(lock: &str, name: &str) -> String {
    let mut entries: Vec<&str> = lock.trim_end().split(PACKAGE).collect();
    let Some(own) = entries.iter().skip(1).position(|entry| package_name(entry) == name) else { return lock.to_owned() };
    let own = entries.remove(own + 1);
    let place = entries.iter().skip(1).position(|entry| package_name(entry) > name).map_or(entries.len(), |place| place + 1);
    entries.insert(place, own);
    let entries: Vec<&str> = entries.iter().map(|entry| entry.trim_end()).collect();
    format!("{}\n", entries.join(&format!("\n{PACKAGE}")))
}

/// Writes all files into a folder that is not there, or is empty, and says how many; or leaves it as it was.
fn write(folder: &Path, texts: &[Text]) -> anyhow::Result<usize> {
    let shown = folder.display();
    let there = match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => true,
        Ok(false) => bail!("the folder `{shown}` is not empty; name another one with --folder"),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => bail!("`{shown}` can not be used as a folder: {error}; name another one with --folder"),
    };
    let written = texts.iter().try_for_each(|text| write_one(&folder.join(text.path), &text.text));
    if written.is_err() {
        clear(folder, texts, there);
    }
    written.with_context(|| format!("the folder `{shown}` can not be written"))?;
    Ok(texts.len())
}

fn write_one(path: &Path, text: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    File::create_new(path)?.write_all(text.as_bytes())
}

/// Takes away what there is of the files, none of which was there before; and the folder, unless it was.
fn clear(folder: &Path, texts: &[Text], there: bool) {
    let tops: BTreeSet<&str> = texts.iter().filter_map(|text| text.path.split('/').next()).collect();
    for top in tops {
        let path = folder.join(top);
        let _absent = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    if !there {
        let _absent = fs::remove_dir(folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_language_takes() {
        for name in ["colleagues", "need-to-know", "a", "who_sees_whom2", &"a".repeat(NAME_BYTES)] {
            for language in [Language::Rust, Language::Js, Language::Python] {
                assert_eq!(language.fault(name), None, "{language:?} {name}");
            }
        }
        for name in ["", "Colleagues", "2nd", "-a", "a b", "a/b", "../a", "é", "a\"", &"a".repeat(NAME_BYTES + 1)] {
            for language in [Language::Rust, Language::Js, Language::Python] {
                assert!(language.fault(name).unwrap().contains("lower-case letters"), "{language:?} {name}");
            }
        }
        for name in ["match", "std", "policy-kit", "serde_json", "wit-bindgen"] {
            assert!(Language::Rust.fault(name).unwrap().contains("Rust has another use for it"), "{name}");
            assert_eq!(Language::Python.fault(name), None);
        }
        assert!(Language::Js.fault("node_modules").unwrap().contains("npm has another use for it"));
    }

    #[test]
    fn the_lock_file_is_in_the_order_of_cargo() {
        for name in ["aaa", "my-policy", "need-to-know", "zzz"] {
            let texts = texts(Language::Rust, name);
            let lock = &texts.iter().find(|text| text.path == LOCK).unwrap().text;
            let names: Vec<&str> = lock.split(PACKAGE).skip(1).map(package_name).collect();
            assert!(names.contains(&name) && names.is_sorted(), "{name}: {names:?}");
        }
        let own = RUST.iter().find(|file| file.path == LOCK).unwrap().text;
        assert_eq!(sorted(own, PLACEHOLDER), own, "what is in order stays as it is");
    }

    #[test]
    fn nothing_is_left_of_the_template_s_name() {
        for language in [Language::Rust, Language::Js, Language::Python] {
            let texts = texts(language, "colleagues");
            let left = texts.iter().find(|text| text.text.contains("my-policy") || text.text.contains("my_policy"));
            assert!(left.is_none(), "{left:?}");
            assert!(texts.iter().any(|text| text.text.contains("colleagues")));
        }
    }

    #[test]
    fn what_can_not_be_finished_is_taken_away() {
        let folder = tempfile::TempDir::new().unwrap();
        let text = |path| Text { path, text: "text".to_owned() };
        // A file can not be a folder, too.
        let texts = [text("a/b"), text("c"), text("c/d")];
        for at in [folder.path().to_owned(), folder.path().join("new")] {
            assert!(write(&at, &texts).is_err());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{}", at.display());
        }
        assert_eq!(write(&folder.path().join("new"), &texts[..2]).unwrap(), 2);
    }
}
