//! The last step of building a guest, and the digests that say whether `dist/` is of the sources at hand.
//!
//! ```text
//! componentize component MODULE.wasm COMPONENT.wasm   turns a core module built with wit-bindgen into a component
//! componentize digests                                prints the digest file of the sources
//! componentize check                                  compares `dist/SOURCES.sha256` with the sources; fails if it is stale
//! ```
//!
//! Both digest commands run in `policy-wasm/`. The component must import nothing, for the server links nothing.
//! To add a guest, add it to [`GUESTS`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// The crates that become components; `dist/NAME.wasm` each.
const GUESTS: [&str; 4] = ["standard", "need-to-know", "rules", "house-rules"];
/// What every guest is built from, beside its own crate.
const SHARED: [&str; 4] = ["Cargo.lock", "Cargo.toml", "kit", "../wit"];
/// What a crate's folder contributes: code, not pages.
const EXTENSIONS: [&str; 3] = ["rs", "toml", "wit"];
/// Where the digests are kept.
const DIGEST_FILE: &str = "dist/SOURCES.sha256";

const HEADER: &str = "\
# The sources that each component was built from: SHA-256, two spaces, the component.
# Compared by `build.sh --check`. The algorithm, exactly:
#   1. Take the files Cargo.lock and Cargo.toml of policy-wasm/, and every file below kit/, ../wit/ and the guest's own folder
#      whose name ends in .rs, .toml or .wit.
#   2. Name each by its path from the repository's root, with slashes (policy-wasm/kit/src/lib.rs, wit/policy.wit), and sort by
#      the bytes of the names.
#   3. For each file append to one SHA-256: the name, a zero byte, the content's length in bytes as 8 bytes little-endian, the
#      content.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["component", module, component] => componentize(Path::new(module), Path::new(component)),
        ["digests"] => digest_file().map(|text| print!("{text}")).map_err(|error| error.to_string()),
        ["check"] => check(),
        _ => Err("usage: componentize component MODULE COMPONENT | digests | check".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("componentize: {error}");
            ExitCode::FAILURE
        }
    }
}

fn componentize(module: &Path, component: &Path) -> Result<(), String> {
    let module = fs::read(module).map_err(|error| format!("cannot read `{}`: {error}", module.display()))?;
    let imports = imports_of(&module).map_err(|error| format!("the module is malformed: {error}"))?;
    if !imports.is_empty() {
        return Err(format!("the module imports {}, but the server links nothing; find what drags it in", imports.join(", ")));
    }
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|encoder| encoder.encode())
        .map_err(|error| format!("the module is no component: {error:#}"))?;
    fs::write(component, encoded).map_err(|error| format!("cannot write `{}`: {error}", component.display()))
}

fn imports_of(module: &[u8]) -> wasmparser::Result<Vec<String>> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(imports) = payload? {
            for import in imports.into_imports() {
                let import = import?;
                names.push(format!("`{}` from `{}`", import.name, import.module));
            }
        }
    }
    Ok(names)
}

fn check() -> Result<(), String> {
    let expected = digest_file().map_err(|error| error.to_string())?;
    let found = fs::read_to_string(DIGEST_FILE).unwrap_or_default();
    if found == expected { Ok(()) } else { Err(format!("`{DIGEST_FILE}` is of other sources; run `./build.sh` and commit `dist/`")) }
}

/// The digest file as it must be for the sources at hand.
fn digest_file() -> io::Result<String> {
    let mut text = HEADER.to_owned();
    for guest in GUESTS {
        text.push_str(&format!("{}  {guest}.wasm\n", digest_of(guest)?));
    }
    Ok(text)
}

fn digest_of(guest: &str) -> io::Result<String> {
    let mut files = Vec::new();
    for path in SHARED.into_iter().chain([guest]) {
        collect(Path::new(path), &mut files)?;
    }
    let mut named: Vec<(String, PathBuf)> = files.into_iter().map(|path| (name(&path), path)).collect();
    named.sort();
    let mut hasher = Sha256::new();
    for (name, path) in named {
        let content = fs::read(path)?;
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(content);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A named file itself, or the sources below a folder.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let below = entry?.path();
        let is_source = below.extension().is_some_and(|found| EXTENSIONS.iter().any(|extension| found == *extension));
        if below.is_dir() || is_source {
            collect(&below, files)?;
        }
    }
    Ok(())
}

/// The path from the repository's root, with slashes.
fn name(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    match parts.split_first() {
        Some((up, rest)) if up == ".." => rest.join("/"),
        _ => format!("policy-wasm/{}", parts.join("/")),
    }
}
