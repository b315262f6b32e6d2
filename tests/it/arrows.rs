//! The arrows between crates and modules, as `docs/ARCHITECTURE.md` draws them. `deny.toml` holds those to crates from elsewhere.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const OURS: [&str; 4] = ["bailiwick", "directory", "policy", "storage"];

#[test]
fn crates_depend_on_what_they_may() {
    let check = |krate: &str, ours: &[&str], never: &[&str]| {
        let found = dependencies(krate);
        let of_us: BTreeSet<&str> = found.iter().map(String::as_str).filter(|name| OURS.contains(name)).collect();
        assert_eq!(of_us, ours.iter().copied().collect(), "`{krate}`");
        assert_eq!(found.iter().find(|name| never.contains(&name.as_str())), None, "`{krate}`");
    };
    check("host/crates/directory", &[], &["sqlx", "wasmtime", "poem", "async-graphql", "serde", "serde_json", "reqwest", "hyper"]);
    check("host/crates/storage", &["directory"], &["wasmtime", "poem", "async-graphql"]);
    check("host/crates/policy", &["directory"], &["sqlx", "poem", "async-graphql", "wasmtime-wasi"]);
    check("host", &["directory", "policy", "storage"], &["sqlx", "wasmtime", "async-graphql-poem"]);
    check("policy-wasm/kit", &[], &["directory"]);
    check("policy-wasm/standard", &[], &["directory"]);
    check("policy-wasm/need-to-know", &[], &["directory"]);
    check("policy-wasm/rules", &[], &["directory"]);
    check("policy-wasm/house-rules", &[], &["directory"]);
}

#[test]
fn only_the_wiring_names_the_adapters() {
    for (path, text) in sources("host/src") {
        if path.ends_with("wiring.rs") {
            continue;
        }
        // `policy` is also a module of the command line, so it is told apart by what the crate exports.
        for adapter in ["storage::", "policy::Sandbox", "policy::SandboxConfig", "policy::FuelBudget", "policy::limits", "use policy"] {
            assert!(!names(&text, adapter), "`{}` names `{adapter}`; go through a port", path.display());
        }
    }
}

#[test]
fn interfaces_do_not_import_one_another() {
    for (path, text) in sources("host/src/graphql") {
        for other in ["crate::http", "crate::cli", "crate::demo", "crate::wiring", "poem::"] {
            assert!(!names(&text, other), "`{}` names `{other}`; interfaces meet in the directory", path.display());
        }
    }
    for (path, text) in sources("host/src/http") {
        for other in ["crate::cli", "crate::wiring"] {
            assert!(!names(&text, other), "`{}` names `{other}`", path.display());
        }
    }
}

/// Whether code names something that is not the end of a longer name. Comments are no code.
fn names(text: &str, what: &str) -> bool {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.match_indices(what).map(move |(at, _)| line[..at].chars().next_back()))
        .any(|before| before.is_none_or(|before| !before.is_alphanumeric() && !['_', ':', '"'].contains(&before)))
}

/// What a crate is built with, its tests excepted.
fn dependencies(krate: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap();
    let section = text.split("\n[").find_map(|section| section.strip_prefix("dependencies]")).expect("dependencies");
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    section.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).map(name).collect()
}

/// Every Rust file of a module: `NAME.rs` and what is below `NAME/`.
fn sources(module: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut waiting = vec![root().join(module), root().join(format!("{module}.rs"))];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") && path.exists() {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
    assert!(!files.is_empty(), "`{module}` has no files");
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
