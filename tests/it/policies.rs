//! The life of a policy over GraphQL; `http::policies` has the same over HTTP.

use bailiwick::wiring;
use directory::contract::Verdict;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::{
    hostile::guest::{Guest, Part},
    writes::stage::{Stage, on_stage},
};

async fn upload(stage: &Stage<'_>, bytes: &[u8]) -> Json {
    let request = stage.host.page(Method::PUT, "/v1/policies?note=first", stage.token("ada"));
    request.header("content-type", "application/wasm").body(bytes.to_vec()).send().await.unwrap().json().await.unwrap()
}

async fn active(stage: &Stage<'_>) -> Json {
    stage.query("ada", "{ workspace { policy { id name number } } }").await["workspace"]["policy"].clone()
}

#[test]
fn a_module_is_listed_activated_and_rolled_back_and_all_of_it_is_history() {
    on_stage(async |stage| {
        let before = active(stage).await;
        let uploaded = upload(stage, &wiring::need_to_know().bytes).await;
        let refused = upload(stage, b"no module").await;
        assert_eq!(refused["status"], "rejected");
        let modules = stage.query("ada", "{ policyModules { id digest name status reasons size uploadedBy { userName } note } }").await;
        let of = |id: &Json| modules["policyModules"].as_array().unwrap().iter().find(|module| module["id"] == *id).unwrap();
        let (rejected, module) = (of(&refused["id"]), of(&uploaded["id"]));
        assert_eq!((&rejected["status"], &rejected["reasons"]), (&json!("REJECTED"), &refused["reasons"]));
        assert_eq!((&module["id"], &module["digest"], &module["name"]), (&uploaded["id"], &uploaded["digest"], &json!("need-to-know")));
        assert_eq!((&module["uploadedBy"]["userName"], &module["note"]), (&json!("ada"), &json!("first")));
        assert_eq!(module["size"].as_u64().unwrap(), wiring::need_to_know().bytes.len() as u64);

        let input = json!({ "policyId": uploaded["id"], "expectedVersionId": before["id"], "note": "go" });
        let done = stage.ask("ada", "activatePolicy", input.clone(), "policy { id name number note }").await;
        assert_eq!(done["userErrors"], json!([]));
        assert_eq!((&done["policy"]["name"], &done["policy"]["note"]), (&json!("need-to-know"), &json!("go")));
        let stale = stage.ask("sue", "activatePolicy", input, "policy { id }").await;
        assert_eq!((&stale["userErrors"][0]["code"], &stale["policy"]), (&json!("STALE"), &Json::Null));

        let versions = stage.query("ada", "{ policyVersions { id number policyId activatedBy { userName } repeatsId note } }").await;
        let versions = versions["policyVersions"].as_array().unwrap();
        assert_eq!((&versions[0]["id"], &versions[0]["policyId"]), (&done["policy"]["id"], &uploaded["id"]));
        assert_eq!((&versions[1]["id"], &versions[1]["policyId"]), (&before["id"], &Json::Null));

        let seen = json!({ "expectedVersionId": before["id"] });
        let stale = stage.ask("sue", "rollBackPolicy", seen, "policy { id }").await;
        assert_eq!((&stale["userErrors"][0]["code"], &stale["policy"]), (&json!("STALE"), &Json::Null));
        let back = json!({ "expectedVersionId": done["policy"]["id"] });
        let back = stage.ask("sue", "rollBackPolicy", back, "policy { id name }").await;
        assert_eq!((&back["userErrors"], &back["policy"]["name"]), (&json!([]), &json!("standard")));
        let history = "{ policyHistory(first: 3) { nodes { number kind author user { userName } via policyId policyVersionId note reasons { gate message } }
                       hasNextPage endCursor } }";
        let history = stage.query("ada", history).await["policyHistory"].clone();
        let nodes = history["nodes"].as_array().unwrap();
        assert_eq!((&nodes[0]["kind"], &nodes[0]["user"]["userName"]), (&json!("ROLLED_BACK"), &json!("sue")));
        assert_eq!((&nodes[1]["kind"], &nodes[1]["note"], &nodes[1]["via"]), (&json!("ACTIVATED"), &json!("go"), &json!("graphql")));
        assert_eq!((&nodes[1]["policyId"], &nodes[1]["policyVersionId"]), (&uploaded["id"], &done["policy"]["id"]));
        assert_eq!((&nodes[2]["kind"], &nodes[2]["author"]), (&json!("REJECTED"), &json!("USER")));
        assert_eq!(history["hasNextPage"], true);
        let rest = format!("{{ policyHistory(after: {}) {{ nodes {{ kind }} hasNextPage }} }}", history["endCursor"]);
        let rest = stage.query("ada", &rest).await["policyHistory"].clone();
        let kinds: Vec<&str> = rest["nodes"].as_array().unwrap().iter().map(|node| node["kind"].as_str().unwrap()).collect();
        assert_eq!((kinds.as_slice(), &rest["hasNextPage"]), (&["UPLOADED", "VALIDATED", "UPLOADED"][..], &json!(false)));
    });
}

#[test]
fn what_gates_have_against_a_version_is_told_reason_by_reason() {
    on_stage(async |stage| {
        // It decides about policies, and allows nothing.
        let mut guest = Guest::new().describing(|manifest| {
            manifest.decides = vec!["policy.*".to_owned()];
            manifest.otherwise = "standard".to_owned();
        });
        let denied = guest.table(&[Verdict { reason: "nobody may".to_owned(), ..Verdict::default() }]);
        let closed = upload(stage, &guest.with(Part::Check, &denied).component()).await;
        assert_eq!(closed["status"], "validated", "{closed}");
        let input = json!({ "policyId": closed["id"], "expectedVersionId": active(stage).await["id"] });
        let refused = stage.ask("ada", "activatePolicy", input, "policy { id }").await;
        let errors = refused["userErrors"].as_array().unwrap();
        assert!(errors.iter().all(|error| error["code"] == "ACTIVATION_REFUSED"), "{refused}");
        assert!(errors[0]["message"].as_str().unwrap().starts_with("lock-out: "), "{refused}");
        let settings = json!({ "expectedVersionId": active(stage).await["id"], "standardSettings": "{\"x\":1}" });
        let refused = stage.ask("ada", "updatePolicySettings", settings, "policy { id }").await;
        assert!(refused["userErrors"][0]["message"].as_str().unwrap().starts_with("settings: "), "{refused}");
        let module = json!({ "expectedVersionId": active(stage).await["id"], "settings": "x" });
        let refused = stage.ask("ada", "activatePolicy", module, "policy { id }").await;
        assert_eq!((&refused["userErrors"][0]["code"], &refused["userErrors"][0]["field"]), (&json!("INVALID"), &json!(["settings"])));
        let nobody = stage.ask("ned", "rollBackPolicy", json!({}), "policy { id }").await;
        assert_eq!(nobody["userErrors"][0]["code"], "FORBIDDEN");
        let unread = stage
            .host
            .graphql(stage.token("ned"), "{ policyModules { id } policyVersions { id } policyHistory { nodes { kind } } }", json!({}))
            .await;
        assert_eq!(unread["data"], json!({ "policyModules": null, "policyVersions": null, "policyHistory": null }));
        assert!(unread["errors"].as_array().unwrap().iter().all(|error| error["extensions"]["code"] == "FORBIDDEN"));
    });
}

/// Runs `bailiwick policy ...` as somebody: exit code, standard output, standard error.
async fn program(stage: &Stage<'_>, who: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = tokio::process::Command::new(tests::program::path());
    command.arg("policy").args(arguments).env("BAILIWICK_SERVER", &stage.host.url).env("BAILIWICK_TOKEN", stage.token(who));
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_line_leads_a_module_through_its_life() {
    on_stage(async |stage| {
        let folder = tempfile::tempdir().unwrap();
        let (good, bad) = (folder.path().join("good.wasm"), folder.path().join("bad.wasm"));
        std::fs::write(&good, wiring::need_to_know().bytes).unwrap();
        std::fs::write(&bad, b"no module").unwrap();
        let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());

        let core = folder.path().join("core.wasm");
        std::fs::write(&core, Guest::new().module()).unwrap();
        let (code, text, errors) = program(stage, "ada", &["push", core.to_str().unwrap()]).await;
        assert!(code == 0 && text.contains("a core module, which the server has made a component of"), "{text}{errors}");
        let (code, text, errors) = program(stage, "ada", &["push", bad]).await;
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("rejected") && errors.contains("not a WebAssembly module"), "{text}{errors}");
        let (code, _, errors) = program(stage, "ned", &["push", good]).await;
        assert_eq!(code, 1);
        assert!(errors.contains("FORBIDDEN"), "{errors}");
        let (code, text, errors) = program(stage, "ada", &["push", good, "--note", "a b & c", "--json"]).await;
        assert_eq!(code, 0, "{errors}");
        let uploaded: Json = serde_json::from_str(&text).unwrap();
        let notes = stage.query("ada", "{ policyModules { id note } }").await;
        let module = notes["policyModules"].as_array().unwrap().iter().find(|module| module["id"] == uploaded["id"]).unwrap();
        assert_eq!(module["note"], "a b & c");

        let before = active(stage).await;
        let id = uploaded["id"].as_str().unwrap();
        let (code, text, errors) = program(stage, "ada", &["activate", id, "--note", "go"]).await;
        let now = active(stage).await;
        assert_eq!(
            (code, text.trim(), &now["name"]),
            (0, format!("active: {}", now["id"].as_str().unwrap()).as_str(), &json!("need-to-know")),
            "{errors}"
        );
        let expected = before["id"].as_str().unwrap();
        let (code, _, errors) = program(stage, "ada", &["activate", "standard", "--expected", expected]).await;
        assert!(code == 1 && errors.contains("STALE"), "{errors}");
        let (code, _, errors) = program(stage, "ada", &["rollback", "--note", "too strict"]).await;
        assert_eq!((code, &active(stage).await["name"]), (0, &json!("standard")), "{errors}");
        let (code, text, errors) = program(stage, "ada", &["push", good, "--activate"]).await;
        assert_eq!((code, &active(stage).await["name"]), (0, &json!("need-to-know")), "{text}{errors}");
        let (code, _, errors) = program(stage, "ada", &["rollback", "--to", expected]).await;
        assert_eq!((code, &active(stage).await["name"]), (0, &json!("standard")), "{errors}");

        let (code, text, errors) = program(stage, "ada", &["list"]).await;
        let head = format!("{}  active  standard  ", active(stage).await["id"].as_str().unwrap());
        assert!(code == 0 && text.starts_with(&head) && text.contains("need-to-know"), "{text}{errors}");
        let (code, text, errors) = program(stage, "ada", &["list", "--json"]).await;
        let listed: Json = serde_json::from_str(&text).unwrap_or_default();
        assert!(code == 0 && listed["versions"][0]["id"] == active(stage).await["id"] && listed["modules"].is_array(), "{text}{errors}");
        let (code, text, errors) = program(stage, "ada", &["history", "--first", "2"]).await;
        assert!(code == 0 && text.lines().next().unwrap().contains("rolled-back") && text.lines().count() == 2, "{text}{errors}");
        let (code, text, errors) = program(stage, "ada", &["history", "--first", "200", "--json"]).await;
        let steps: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(code == 0 && steps.last().unwrap()["number"] == 1 && steps.len() > 5, "{text}{errors}");
        assert!(steps.iter().any(|step| step["step"] == "rolled-back" && step["note"] == "too strict"), "{text}");

        let (code, text, errors) = program(stage, "ada", &["shadow", "show"]).await;
        assert!(code == 1 && errors.contains("shadow start"), "{text}{errors}");
        let (code, text, errors) = program(stage, "ada", &["shadow", "start", "--candidate", id, "--note", "try"]).await;
        assert!(code == 0 && text.starts_with("started: shd_"), "{text}{errors}");
        let (code, text, errors) = program(stage, "ada", &["shadow", "start", "--candidate", id]).await;
        assert!(code == 1 && errors.contains("stop it first"), "{text}{errors}");
        let (code, text, errors) = program(stage, "ada", &["shadow", "show"]).await;
        assert!(code == 0 && text.contains("running") && text.contains(" rows compared, "), "{text}{errors}");
        let (code, text, errors) = program(stage, "ada", &["shadow", "show", "--json"]).await;
        assert!(code == 0 && serde_json::from_str::<Json>(&text).unwrap()["note"] == "try", "{text}{errors}");
        let (code, text, errors) = program(stage, "ada", &["shadow", "stop"]).await;
        assert_eq!((code, text.trim()), (0, "stopped"), "{errors}");
        let (code, text, errors) = program(stage, "ada", &["shadow", "stop"]).await;
        assert!(code == 1 && errors.contains("NOT_FOUND"), "{text}{errors}");
        let settings = folder.path().join("settings.json");
        std::fs::write(&settings, "{\"members_see\": \"self\"}").unwrap();
        let settings = format!("@{}", settings.to_str().unwrap());
        for arguments in [&["compare", "--settings", &settings][..], &["shadow", "start", "--settings", &settings]] {
            let (code, text, errors) = program(stage, "ada", arguments).await;
            assert!(code == 1 && errors.contains("send `standardSettings`"), "{arguments:?}: {text}{errors}");
        }

        let (code, lines, errors) = program(stage, "ada", &["log", "--json"]).await;
        assert_eq!(code, 0, "{errors}");
        let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let count =
            |action: &str, outcome: &str| lines.iter().filter(|line| line["action"] == action && line["outcome"] == outcome).count();
        assert_eq!((count("policy.upload", "denied"), count("policy.rollback", "allowed")), (1, 2), "{lines:#?}");
        let (code, text, _) = program(stage, "ada", &["log", "--from", "2"]).await;
        assert_eq!((code, text.lines().count()), (0, lines.len() - 1), "{text}");
        let nobody =
            tokio::process::Command::new(tests::program::path()).args(["policy", "rollback"]).env_remove("BAILIWICK_TOKEN").output();
        let nobody = nobody.await.unwrap();
        assert_eq!(nobody.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&nobody.stderr).contains("BAILIWICK_TOKEN"));
    });
}
