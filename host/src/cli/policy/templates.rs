//! What `bailiwick policy new` writes: the templates of `policy-wasm/templates`, the contract, and for Rust the author's kit, each
//! from where it is maintained. A new file of any of them gets its line here; a test compares.

/// A file of the new folder: its path in there, and its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    /// With slashes.
    pub(super) path: &'static str,
    /// As it stands in the repository.
    pub(super) text: &'static str,
}

/// The name that the templates have in place of the policy's.
pub(super) const PLACEHOLDER: &str = "my-policy";

/// Files by their paths in a folder of the repository, and where that folder's files go.
macro_rules! files {
    ($from:literal, $to:literal, [$($path:literal),* $(,)?]) => {
        &[$(File {
            path: concat!($to, $path),
            text: include_str!(concat!("../../../../", $from, "/", $path)),
        }),*]
    };
}

/// Python.
pub(super) const PYTHON: &[File] = files!(
    "policy-wasm/templates/python",
    "",
    [".gitignore", "README.md", "kit.py", "requirements.txt", "rules.py", "test_rules.py", "world.py"]
);

/// JavaScript.
pub(super) const JAVASCRIPT: &[File] = files!(
    "policy-wasm/templates/js",
    "",
    [".gitignore", "README.md", "kit.js", "package-lock.json", "package.json", "rules.js", "rules.test.js", "world.js"]
);

/// Rust.
pub(super) const RUST: &[File] = files!(
    "policy-wasm/templates/rust",
    "",
    [".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "rustfmt.toml", "src/lib.rs", "tests/rules.rs"]
);

/// The contract, for every language.
pub(super) const CONTRACT: &[File] = files!("wit", "wit/", ["policy.wit"]);

/// The author's kit, which is in no registry. It looks for the contract two folders above itself.
pub(super) const KIT: &[File] = files!(
    "policy-wasm/kit",
    "vendor/kit/",
    [
        "Cargo.toml",
        "src/answer.rs",
        "src/ask.rs",
        "src/bindings.rs",
        "src/columns.rs",
        "src/evaluate.rs",
        "src/filter.rs",
        "src/groups.rs",
        "src/lib.rs",
        "src/manifest.rs",
        "src/mask.rs",
        "src/settings.rs",
        "src/table.rs",
        "src/term.rs",
        "src/testing.rs",
        "src/testing/facts.rs",
        "src/testing/judge.rs",
        "src/testing/random.rs",
    ]
);

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    /// The files below a folder, those that tools write excepted.
    fn below(folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if ["target", "node_modules", "__pycache__"].contains(&name) {
                continue;
            }
            if path.is_dir() { files.extend(below(&path)) } else { files.push(path) }
        }
        files.sort();
        files
    }

    #[test]
    fn every_file_is_there() {
        let check = |files: &[File], from: &str, to: &str| {
            let folder = root().join(from);
            let mut paths: Vec<_> = files.iter().map(|file| folder.join(file.path.strip_prefix(to).unwrap())).collect();
            paths.sort();
            assert_eq!(paths, below(&folder), "{from}");
        };
        check(PYTHON, "policy-wasm/templates/python", "");
        check(JAVASCRIPT, "policy-wasm/templates/js", "");
        check(RUST, "policy-wasm/templates/rust", "");
        check(CONTRACT, "wit", "wit/");
        check(KIT, "policy-wasm/kit", "vendor/kit/");
    }

    /// The kit of a new policy is built from what it is tested with here.
    #[test]
    fn the_lock_file_of_rust_is_of_the_versions_of_this_repository() {
        // Which of its optional dependencies a package has is each workspace's own affair.
        let package = |entry: &str| entry.split("dependencies = [").next().unwrap_or_default().trim_end().to_owned();
        let packages = |text: &str| text.split("\n[[package]]\n").skip(1).map(package).collect::<Vec<_>>();
        let ours = packages(&fs::read_to_string(root().join("policy-wasm/Cargo.lock")).unwrap());
        let theirs = packages(RUST.iter().find(|file| file.path == "Cargo.lock").unwrap().text);
        assert!(theirs.len() > 10);
        for package in theirs.iter().filter(|package| !package.starts_with("name = \"my-policy\"")) {
            assert!(ours.contains(package), "`policy-wasm/Cargo.lock` has no such entry: {package}");
        }
    }

    #[test]
    fn the_manifest_of_rust_has_the_versions_of_this_repository() {
        let ours = fs::read_to_string(root().join("policy-wasm/Cargo.toml")).unwrap();
        let theirs = RUST.iter().find(|file| file.path == "Cargo.toml").unwrap().text;
        for name in ["serde_json = ", "wit-bindgen = ", "edition = ", "rust-version = "] {
            let line = |text: &str| text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
            assert_eq!(line(theirs), line(&ours), "{name}");
            assert!(line(theirs).is_some());
        }
    }
}
