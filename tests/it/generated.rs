//! Files that are generated and committed, each compared with what generates it. `just bless` writes those that this test can write.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use directory::register::{self, Kind};
use sha2::{Digest, Sha256};
use wit_parser::{Docs, Resolve, TypeDefKind};

#[test]
fn the_schema_is_that_of_the_server() {
    compare("schema.graphql", &bailiwick::graphql::sdl());
}

#[test]
fn the_register_page_is_that_of_the_register() {
    compare("docs/register.md", &bailiwick::reference::register());
}

/// The algorithm stands in `policy-wasm/README.md`, and once more in `policy-wasm/tools/componentize`, which wrote the file.
#[test]
fn the_components_are_of_the_sources_at_hand() {
    let path = root().join("policy-wasm/dist/SOURCES.sha256");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<(&str, &str)> =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once("  ").expect("`DIGEST  NAME.wasm`")).collect();
    assert!(!lines.is_empty());
    for (digest, component) in lines {
        let guest = component.strip_suffix(".wasm").expect("a component's file name");
        assert!(root().join("policy-wasm/dist").join(component).is_file(), "`policy-wasm/dist/{component}` is missing");
        assert_eq!(
            digest,
            digest_of_sources(guest),
            "`policy-wasm/dist/{component}` was built from other sources; run `policy-wasm/build.sh` and commit `policy-wasm/dist/`"
        );
    }
}

#[test]
fn everything_in_the_contract_is_documented() {
    let mut resolve = Resolve::default();
    resolve.push_dir(root().join("wit")).unwrap();
    let mut bare = Vec::new();
    let mut look = |what: String, docs: &Docs| {
        if docs.contents.as_deref().unwrap_or_default().trim().is_empty() {
            bare.push(what);
        }
    };
    resolve.packages.iter().for_each(|(_, package)| look(package.name.to_string(), &package.docs));
    resolve.worlds.iter().for_each(|(_, world)| look(world.name.clone(), &world.docs));
    for (_, interface) in resolve.interfaces.iter() {
        look(interface.name.clone().unwrap(), &interface.docs);
        interface.functions.values().for_each(|function| look(function.name.clone(), &function.docs));
    }
    // What has a name and no fields is a `use` of another interface's record.
    for (_, definition) in resolve.types.iter() {
        if let (Some(name), TypeDefKind::Record(record)) = (&definition.name, &definition.kind) {
            look(name.clone(), &definition.docs);
            record.fields.iter().for_each(|field| look(format!("{name}.{}", field.name), &field.docs));
        }
    }
    assert_eq!(bare, Vec::<String>::new(), "without documentation in `wit/policy.wit`");
}

/// Modules that are out there were built against this. What is said about it may be said better.
#[test]
fn the_contract_is_the_frozen_one() {
    let bare = |path: &str| -> Vec<String> {
        let text = fs::read_to_string(root().join(path)).unwrap();
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("///")).map(str::to_owned).collect()
    };
    assert_eq!(bare("wit/policy.wit"), bare("tests/frozen/policy-1.0.0.wit"), "a change of the contract is another version of it");
}

/// Names may be added, by `just bless`; none may go, or become something else.
#[test]
fn no_name_of_the_register_is_lost() {
    let path = root().join("tests/frozen/register-1.0.0.txt");
    let frozen = fs::read_to_string(&path).unwrap_or_default();
    let (frozen, names) = (frozen.lines().map(str::to_owned).collect::<BTreeSet<_>>(), names_of_the_register());
    let lost: Vec<_> = frozen.difference(&names).collect();
    assert_eq!(lost, Vec::<&String>::new(), "modules rely on these");
    if env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        fs::write(path, names.into_iter().map(|name| format!("{name}\n")).collect::<String>()).unwrap();
    } else {
        let new: Vec<_> = names.difference(&frozen).collect();
        assert_eq!(new, Vec::<&String>::new(), "new names are kept from now on; run `just bless`");
    }
}

/// Every name that a module may rely on, with what it is.
fn names_of_the_register() -> BTreeSet<String> {
    let mut names: BTreeSet<String> = register::actions().map(|action| format!("action {action}")).collect();
    for kind in Kind::ALL {
        let of = kind.name();
        names.extend(kind.fields().iter().map(|field| format!("field {of}.{field}")));
        names.extend(kind.columns().iter().map(|column| format!("column {of} {} {:?}", column.name, column.shape)));
        names.extend(kind.tests().iter().map(|test| format!("test {of} {} of {}", test.name, test.arguments)));
    }
    names.extend(register::SUBJECT_FACTS.iter().map(|(fact, _)| format!("fact of the subject {fact}")));
    names.extend(register::CONTEXT_NEEDS.iter().map(|(need, _)| format!("fact of the workspace {need}")));
    for write in register::WRITES {
        names.insert(format!("write {}", write.action));
        names.extend(write.parties.iter().map(|(party, _)| format!("party {} {party}", write.action)));
    }
    names
}

/// Compares a committed file with what it must be; with `BLESS=1` writes it instead.
fn compare(path: &str, expected: &str) {
    let file = root().join(path);
    if env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        fs::write(file, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    if found != expected {
        let differs = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
        let line = differs.unwrap_or_else(|| found.lines().count().min(expected.lines().count()));
        let shown = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
        panic!(
            "`{path}` is stale from line {} on; run `just bless` and look at the difference\n found: {}\n wanted: {}",
            line + 1,
            shown(&found),
            shown(expected)
        );
    }
}

fn digest_of_sources(guest: &str) -> String {
    let mut files = vec!["policy-wasm/Cargo.lock".to_owned(), "policy-wasm/Cargo.toml".to_owned()];
    for folder in ["policy-wasm/kit", "wit", &format!("policy-wasm/{guest}")] {
        sources(folder, &mut files);
    }
    files.sort();
    let mut hasher = Sha256::new();
    for name in files {
        let content = fs::read(root().join(&name)).unwrap();
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update((content.len() as u64).to_le_bytes());
        hasher.update(content);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of the sources below a folder, from the repository's root, with slashes.
fn sources(folder: &str, names: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            sources(&name, names);
        } else if ["rs", "toml", "wit"].iter().any(|extension| Path::new(&name).extension().is_some_and(|found| found == *extension)) {
            names.push(name);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
