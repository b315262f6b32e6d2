//! What authors do on their own machine: `bailiwick policy new`, `check` and `bench`, with the program itself.
//!
//! That the templates build and run through their languages' own packages, `.ci/steps/authors.sh` shows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use bailiwick::wiring;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tests::program;

use crate::hostile::guest::{Guest, Part, WIT, rows_len};

const LANGUAGES: [&str; 3] = ["rust", "js", "python"];

/// `bailiwick policy`, in a folder and without this environment's configuration.
fn policy(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program::path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BAILIWICK_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).arg("policy").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output of what ends with that code.
fn ends(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The one JSON object that is printed.
fn object(output: &Output, code: i32) -> Json {
    serde_json::from_str(&ends(output, code)).unwrap()
}

/// A folder with these bytes as `policy.wasm`.
fn with_module(bytes: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("policy.wasm"), bytes).unwrap();
    folder
}

/// What `check --json` says of a module, and what was told meanwhile.
fn check(bytes: &[u8], further: &[&str], code: i32) -> (Json, String) {
    let folder = with_module(bytes);
    let output = policy(folder.path(), &[&["check", "policy.wasm", "--json"], further].concat());
    (object(&output, code), text(&output.stderr))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file below a folder, by its path in there.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.strip_prefix(folder).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_new_policy_is_the_template_under_its_name() {
    for language in LANGUAGES {
        let folder = TempDir::new().unwrap();
        let said = ends(&policy(folder.path(), &["new", "--language", language, "who-sees"]), 0);
        let written = files(&folder.path().join("who-sees"));
        assert!(said.starts_with(&format!("{} files in who-sees", written.len())), "{said}");
        let mut expected: Vec<(PathBuf, String)> = files(&root().join("policy-wasm/templates").join(language))
            .into_iter()
            .map(|(path, text)| (path, text.replace("my-policy", "who-sees").replace("my_policy", "who_sees")))
            .collect();
        expected.extend(files(&root().join("wit")).into_iter().map(|(path, text)| (Path::new("wit").join(path), text)));
        if language == "rust" {
            let kit = files(&root().join("policy-wasm/kit")).into_iter();
            expected.extend(kit.map(|(path, text)| (Path::new("vendor/kit").join(path), text)));
        }
        expected.sort();
        // Where the entry stands in it, the unit test tells.
        let lines = |files: Vec<(PathBuf, String)>| -> Vec<(PathBuf, Vec<String>)> {
            let sorted = |path: &Path, text: &str| {
                let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
                if path == Path::new("Cargo.lock") {
                    lines.sort();
                }
                lines
            };
            files.into_iter().map(|(path, text)| (path.clone(), sorted(&path, &text))).collect()
        };
        assert_eq!(lines(written), lines(expected), "{language}");
    }
}

#[test]
fn a_new_policy_goes_where_it_is_told() {
    let folder = TempDir::new().unwrap();
    for language in LANGUAGES {
        fs::create_dir(folder.path().join(language)).unwrap();
        ends(&policy(folder.path(), &["new", "--language", language, "mine", "--folder", language]), 0);
        ends(&policy(folder.path(), &["new", "--language", language, "mine", "--folder", &format!("a/b/{language}")]), 0);
        assert_eq!(files(&folder.path().join(language)), files(&folder.path().join("a/b").join(language)));
    }
    assert!(!folder.path().join("mine").exists());
}

#[test]
fn a_new_policy_disturbs_nothing() {
    for language in LANGUAGES {
        let folder = TempDir::new().unwrap();
        let at = folder.path();
        fs::create_dir(at.join("full")).unwrap();
        fs::write(at.join("full/notes.txt"), "mine").unwrap();
        fs::write(at.join("file"), "mine").unwrap();
        let before = files(at);
        for (arguments, reason) in [
            (&["full"][..], "the folder `full` is not empty"),
            (&["other", "--folder", "full"], "the folder `full` is not empty"),
            (&["file"], "`file` can not be used as a folder"),
            (&["Who"], "`Who` can not be the name of a policy: it has at most 64 lower-case letters"),
            (&["../up"], "`../up` can not be the name of a policy"),
        ] {
            let output = policy(at, &[&["new", "--language", language], arguments].concat());
            assert_eq!(ends(&output, 1), "", "{arguments:?}");
            assert!(text(&output.stderr).contains(reason), "{arguments:?}: {}", text(&output.stderr));
        }
        assert_eq!(files(at), before, "{language}");
        assert_eq!(fs::read_dir(at).unwrap().count(), 2, "no folder was made");
    }
    let folder = TempDir::new().unwrap();
    for (language, name) in [("rust", "match"), ("rust", "serde_json"), ("js", "node_modules")] {
        let output = policy(folder.path(), &["new", "--language", language, name]);
        ends(&output, 1);
        assert!(text(&output.stderr).contains("has another use for it; choose another one"), "{}", text(&output.stderr));
    }
    ends(&policy(folder.path(), &["new", "--language", "cobol", "mine"]), 2);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_module_that_an_upload_would_take_is_described() {
    let module = wiring::need_to_know();
    let (found, told) = check(&module.bytes, &[], 0);
    assert_eq!(found["digest"], json!(module.digest.to_string()));
    assert_eq!((&found["accepted"], &found["reasons"], &found["coreModule"]), (&json!(true), &json!([]), &json!(false)));
    assert_eq!(found["bytes"], json!(module.bytes.len()));
    let manifest = &found["manifest"];
    assert_eq!(
        (&manifest["name"], &manifest["decides"], &manifest["otherwise"]),
        (&json!("need-to-know"), &json!(["user.read"]), &json!("standard"))
    );
    assert!(found["fuelPerRow"]["user"].as_u64().unwrap() > 0);
    assert_eq!(told, "", "what is small is compiled before anybody wonders");

    let folder = with_module(&module.bytes);
    let said = ends(&policy(folder.path(), &["check", "policy.wasm"]), 0);
    for expected in [
        "accepted: need-to-know 1.0.0\n  People see each other where they share a project",
        &format!("\n  digest     {}", module.digest),
        "\n  decides    user.read\n  otherwise  standard\n  needs      rows.self rows.attributes.project roles.key\n",
        " for a row of `user`, of 200,000",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in {said}");
    }
}

#[test]
fn a_core_module_is_told_apart() {
    let core = Guest::new().module();
    assert_eq!(check(&core, &[], 0).0["coreModule"], json!(true));
    let folder = with_module(&core);
    let said = ends(&policy(folder.path(), &["check", "policy.wasm"]), 0);
    assert!(said.contains(" bytes, a core module, which the server turns into a component\n"), "{said}");
}

#[test]
fn a_module_that_an_upload_would_reject_is_told_every_reason() {
    let bad = Guest::new().describing(|it| {
        it.summary = String::new();
        it.name = "bad\u{1b}[31m".to_owned();
        it.needs.push("rows.shoes".to_owned());
    });
    let (found, told) = check(&bad.component(), &[], 1);
    assert_eq!(found["accepted"], json!(false));
    let reasons: Vec<&str> = found["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect();
    let starts =
        ["the manifest's `name` has a control character", "the manifest's `summary` is empty", "the manifest's `needs` names `rows.shoes`"];
    assert!(reasons.len() == 3 && reasons.iter().zip(starts).all(|(reason, start)| reason.starts_with(start)), "{reasons:#?}");
    assert_eq!(told, "error: the module would be rejected, for 3 reasons\n");

    let folder = with_module(&bad.component());
    let said = ends(&policy(folder.path(), &["check", "policy.wasm"]), 1);
    assert!(said.starts_with("rejected: bad [31m 1\n") && said.contains("\n  2. the manifest's `summary` is empty; "), "{said}");
    assert!(!said.contains('\u{1b}'), "a stranger's words do nothing to a terminal");

    let (found, _) = check(b"(component)", &[], 1);
    assert_eq!(found["manifest"], Json::Null);
    assert!(found["reasons"][0].as_str().unwrap().starts_with("these bytes are not a WebAssembly module"), "{found}");
    let output = policy(folder.path(), &["check", "nowhere.wasm"]);
    ends(&output, 1);
    assert!(text(&output.stderr).contains("the module `nowhere.wasm` can not be read"));
}

#[test]
fn settings_are_looked_at_as_an_activation_does() {
    let module = wiring::need_to_know().bytes;
    let (found, _) = check(&module, &["--settings", r#"{"contact_fields": ["email"]}"#], 0);
    assert_eq!(found["accepted"], json!(true));
    let (found, _) = check(&module, &["--settings", r#"{"contact_fields": ["shoes"]}"#], 1);
    let [reason] = found["reasons"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert!(
        reason.as_str().unwrap().starts_with("under the settings given: the policy refuses its settings: `contact_fields`"),
        "{reason}"
    );
}

/// As toolchains for JavaScript and Python leave them: large, and with WASI inside.
#[test]
fn modules_of_other_toolchains_are_taken_and_told_how_to_leave_wasi_out() {
    let importing = |interface: &str, package: &str, import: &str| {
        let mut guest = Guest::new();
        guest.wit = WIT.replace("world policy {", &format!("world policy {{ import {interface};")) + package;
        guest.imports = format!("(import \"{interface}\" {import})");
        guest.and(&format!("(data \"{}\")", "x".repeat(1_100_000))).component()
    };
    let clock = importing(
        "wasi:clocks/monotonic-clock@0.2.6",
        "package wasi:clocks@0.2.6 { interface monotonic-clock { now: func() -> u64; } }",
        "\"now\" (func (result i64))",
    );
    let (found, told) = check(&clock, &[], 0);
    assert_eq!(found["reasons"], json!([]), "{found}");
    assert_eq!(told, "compiling 1 MB of WebAssembly, which takes a core 10 to 20 s\n");
    let files = importing(
        "wasi:filesystem/preopens@0.2.6",
        "package wasi:filesystem@0.2.6 { interface preopens { count: func() -> u32; } }",
        "\"count\" (func (result i32))",
    );
    let reasons = check(&files, &[], 1).0["reasons"].take();
    assert!(reasons[0].as_str().unwrap().contains("`disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event']`"), "{reasons}");
}

#[test]
fn costs_stand_beside_those_of_the_shipped_policy() {
    let module = wiring::need_to_know().bytes;
    let folder = with_module(&module);
    let said = ends(&policy(folder.path(), &["bench", "policy.wasm"]), 0);
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["kind", "policy", "fuel", "time", "fuel", "time", "of", "budget"]);
    assert_eq!((&lines[2][..3], &lines[3][..2]), (&["user", "need-to-know", "1.0.0"][..], &["standard", "1.0.0"][..]), "{said}");
    assert_eq!(lines[4].join(" "), "1,000 rows a call of `check`; medians of 21 calls");

    let found = object(&policy(folder.path(), &["bench", "policy.wasm", "--json", "--rows", "256"]), 0);
    let [kind] = found["module"]["kinds"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!((&kind["kind"], &kind["action"]), (&json!("user"), &json!("user.read")));
    // Fuel is deterministic, and so are the facts.
    assert_eq!(kind["row"]["fuel"], check(&module, &[], 0).0["fuelPerRow"]["user"]);
    assert!(kind["scope"]["fuel"].as_u64().unwrap() > 0 && kind["scope"]["nanoseconds"].as_u64().unwrap() > 0);
    let percent = kind["budgetPercent"].as_f64().unwrap();
    assert!(percent > 0.0 && percent < 100.0, "{percent}");
    assert!(found["standard"]["kinds"].as_array().unwrap().len() > 10, "{found}");
}

#[test]
fn what_does_not_stay_within_its_budget_is_said_to() {
    // An upload's probe does not ask about so many rows.
    let guest = Guest::new();
    let behave = guest.check.clone();
    let many = format!("(i32.gt_u {} (i32.const 900))", rows_len());
    let endless = guest.with(Part::Check, &format!("(if (result i32) {many} (then (loop $on (br $on)) (unreachable)) (else {behave}))"));
    let folder = with_module(&endless.component());
    ends(&policy(folder.path(), &["bench", "policy.wasm", "--rows", "900"]), 0);
    let output = policy(folder.path(), &["bench", "policy.wasm"]);
    assert_eq!(ends(&output, 1), "");
    let told = text(&output.stderr);
    assert!(told.starts_with("error: `lenient`, asked about 1000 rows of `user`: the policy used up its fuel of 300"), "{told}");

    let folder = with_module(b"no module");
    let output = policy(folder.path(), &["bench", "policy.wasm"]);
    assert_eq!(ends(&output, 1), "");
    assert!(text(&output.stderr).contains("the module would be rejected: these bytes are not a WebAssembly module"));
    ends(&policy(folder.path(), &["bench", "policy.wasm", "--rows", "4097"]), 2);
    ends(&policy(folder.path(), &["bench", "policy.wasm", "--rows", "31"]), 2);
}
