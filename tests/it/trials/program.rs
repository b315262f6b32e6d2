//! `bailiwick policy test`, run as authors run it.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tests::program;

/// Two people, of whom neither sees the other.
const STRANGERS: &str = "people = { ada = {}, bob = {} }\n\n[lists]\nada.user = 'ada'\nbob.user = 'bob'\n";

/// Runs the program in a folder that has the tests as `tests.toml`.
fn run(tests: &str, arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("tests.toml"), tests).unwrap();
    fs::write(folder.path().join("broken.wasm"), "no module").unwrap();
    let mut command = Command::new(program::path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BAILIWICK_")) {
        command.env_remove(name);
    }
    let output = command.current_dir(folder.path()).args(["policy", "test", "tests.toml"]).args(arguments).output().unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "it needs no data folder, and makes none: {left:?}");
    output
}

#[track_caller]
fn ends(output: &Output, code: i32) -> (String, String) {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8(text.clone()).unwrap());
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

#[test]
fn tests_that_are_met_end_with_0() {
    let (out, err) = ends(&run(STRANGERS, &[]), 0);
    assert_eq!((out.as_str(), err.as_str()), ("2 passed, 0 failed\n", ""));
    let (out, _) = ends(&run(STRANGERS, &["--json"]), 0);
    assert_eq!(serde_json::from_str::<Json>(&out).unwrap(), json!({ "passed": 2, "failed": 0, "failures": [], "unfinished": null }));
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy-wasm/dist/need-to-know.wasm");
    let module = ["--module", dist.to_str().unwrap()];
    ends(&run(STRANGERS, &module), 0);
    let settings = [module.as_slice(), &["--settings", r#"{"contact_fields": []}"#]].concat();
    ends(&run(STRANGERS, &settings), 0);
}

#[test]
fn a_difference_is_shown_with_both_sides_and_ends_with_1() {
    let settings = ["--standard-settings", r#"{"members_see": "workspace"}"#];
    let (out, err) = ends(&run(STRANGERS, &settings), 1);
    let expected = "\
line 4: ada user.read list of each user
  expected  shows ada
  found     shows ada, bob
            + bob
line 5: bob user.read list of each user
  expected  shows bob
  found     shows ada, bob
            + ada
0 passed, 2 failed
";
    assert_eq!((out.as_str(), err.as_str()), (expected, "error: 2 of 2 expectations are not met\n"));

    let fields = format!(
        "{STRANGERS}[[expect]]\nsubjects = 'ada'\nactions = 'user.read'\nresources = 'user:*'\n\
        allow = ['ada user:ada', {{ resources = 'user:bob', hides = ['email', 'title'], reason = 'we met' }}]\n"
    );
    let (out, _) = ends(&run(&fields.replace("'ada'\nbob.user = 'bob'", "'*'"), &settings), 1);
    let expected = "\
line 9: ada user.read user:bob
  expected  allowed, hides email, title  \"we met\"
  found     allowed, hides attributes.*, email, externalId, phone  \"is in your workspace\"
            - title
            + attributes.*
            + externalId
            + phone
2 passed, 1 failed
";
    assert_eq!(out, expected);
    let (out, _) = ends(&run(&fields.replace("'ada'\nbob.user = 'bob'", "'*'"), &[settings.as_slice(), &["--json"]].concat()), 1);
    let found: Json = serde_json::from_str(&out).unwrap();
    let difference = json!({
        "place": "line 9",
        "subject": "ada",
        "action": "user.read",
        "resource": "user:bob",
        "expected": { "verdict": "allow", "hides": ["email", "title"], "shows": null, "failure": null, "reason": "we met" },
        "found": {
            "verdict": "allow",
            "hides": ["attributes.*", "email", "externalId", "phone"],
            "shows": null,
            "failure": null,
            "reason": "is in your workspace",
        },
    });
    assert_eq!(found, json!({ "passed": 2, "failed": 1, "failures": [difference], "unfinished": null }));
}

#[test]
fn what_can_not_be_tried_ends_with_1_and_says_why() {
    let (out, err) = ends(&run("people.ada = 1\nlists.bob.usr = 1\n", &[]), 1);
    assert_eq!(out, "");
    assert!(err.starts_with("error: `tests.toml` can not be used:\n  line 1: ") && err.contains("\n  line 2: "), "{err}");
    let (out, _) = ends(&run("people.ada = 1\n", &["--json"]), 1);
    let found: Json = serde_json::from_str(&out).unwrap();
    assert_eq!(found["mistakes"][0]["place"], "line 1", "{found}");
    let (out, err) = ends(&run(STRANGERS, &["--module", "broken.wasm"]), 1);
    assert!(out.is_empty() && err.contains("the module would be rejected"), "{err}");
    let (_, err) = ends(&run(STRANGERS, &["--module", "missing.wasm"]), 1);
    assert!(err.contains("`missing.wasm` can not be opened"), "{err}");
    let (_, err) = ends(&run(STRANGERS, &["--standard-settings", "{\"x\": 1}"]), 1);
    assert!(err.contains("refuses the `standard-settings`"), "{err}");
    ends(&run(STRANGERS, &["--settings", "{}"]), 2);
    let large = format!("# {}\n", "x".repeat(directory::limits::TESTS_BYTES));
    let (_, err) = ends(&run(&large, &[]), 1);
    assert!(err.contains("has more than 262144 bytes"), "{err}");
}
