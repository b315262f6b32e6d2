//! `bailiwick policy compare` against a server.

use serde_json::{Value as Json, json};
use tests::{TestHost, naive::policy::Asker, on_each_database, program};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{closing, open_and_closed, oracle::Found, world};

/// The program against the server, with a token of somebody of the workspace.
async fn run_program(host: &TestHost, token: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = tokio::process::Command::new(program::path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BAILIWICK_")) {
        command.env_remove(name);
    }
    command.env("BAILIWICK_SERVER", &host.url).env("BAILIWICK_TOKEN", token).args(["policy", "compare"]).args(arguments);
    let output = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_line_adds_the_pieces_up() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "program", 6).await;
        let token = host.token(&world, &Asker::person(0)).await;
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("closed.json");
        std::fs::write(&settings, open_and_closed()[1].settings()).unwrap();
        let file = settings.to_str().unwrap();
        let settings = format!("@{}", settings.to_str().unwrap());
        let name = world.people[0].texts["userName"].as_str();
        for (choice, input) in [
            (vec!["--sample", "7", "--seed", "3"], json!({ "sample": 7, "seed": 3 })),
            (vec!["--user", name, "--action", "user.read"], json!({ "userIds": [world.people[0].id], "actions": ["user.read"] })),
            (vec!["--object", &world.people[1].id], json!({ "objectIds": [world.people[1].id] })),
        ] {
            let mut input = input;
            input["candidate"] = closing();
            let expected = Found::walk(host, &token, &input).await;
            let arguments = [&["--candidate", "standard", "--settings", &settings][..], &choice].concat();
            let (code, text, errors) = run_program(host, &token, &[&arguments[..], &["--json"]].concat()).await;
            assert_eq!(code, 0, "{errors}");
            let mut found = Found::default();
            found.add(&serde_json::from_str(&text).unwrap());
            assert_eq!((found.lines, found.done, found.total), (expected.lines.clone(), expected.done, expected.total), "{choice:?}");
            let (code, table, errors) = run_program(host, &token, &arguments).await;
            assert_eq!(code, 0, "{errors}");
            for (action, line) in &expected.lines {
                let changes = line.gained + line.lost + line.fields_changed > 0;
                let row = table.lines().any(|row| row.starts_with(action.as_str()) && row.contains(' '));
                assert_eq!(row, changes, "{action} in {table}");
            }
        }
        let alone = ["--candidate", "standard"];
        let named = |option: &'static str, value: &'static str| [&alone[..], &[option, value]].concat();
        for (token, arguments, (ends, says)) in [
            ("nonsense", alone.to_vec(), (1, "the token is unknown")),
            (&token, named("--user", "nobody at all"), (1, "user `nobody at all` is not there, or you may not see it")),
            (&token, named("--object", "usr_00000000000070008000000000000000"), (1, "is not there, or you may not see it")),
            (&token, vec!["--candidate", "pol_x"], (1, "is not an id of this kind")),
            (&token, vec!["--settings", "@/nowhere"], (2, "the settings in `/nowhere` can not be read")),
            (&token, vec!["--settings", file], (2, "to have its settings read")),
            (&token, named("--examples", "51"), (2, "51 is not in 0..=50")),
            (&token, vec!["--user", "nobody at all"], (2, "--candidate")),
        ] {
            let (code, text, errors) = run_program(host, token, &arguments).await;
            assert_eq!((code, text.as_str()), (ends, ""), "{arguments:?}: {errors}");
            assert!(errors.contains(says), "{arguments:?}: {errors}");
        }
    });
}

/// A server that answers one piece of a comparison, and then that it can not; gives back what it was asked.
async fn half_a_server(listener: &TcpListener, answers: [(&str, Json); 2]) -> Vec<Json> {
    let mut asked = Vec::new();
    for (status, answer) in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = Vec::new();
        let body = loop {
            let mut part = [0; 4096];
            let read = stream.read(&mut part).await.unwrap();
            sent.extend_from_slice(&part[..read]);
            let text = String::from_utf8(sent.clone()).unwrap();
            let whole = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Json>(body).ok());
            if let Some(body) = whole {
                break body;
            }
            assert!(read > 0, "it was asked nothing: {text}");
        };
        asked.push(body);
        let answer = answer.to_string();
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
        stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
    }
    asked
}

#[tokio::test]
async fn a_comparison_that_ends_early_prints_its_sums_and_how_to_go_on() {
    let piece = json!({ "data": { "comparePolicies": {
        "activeVersion": "pov_1", "done": 5, "total": 9, "hasNextPage": true, "endCursor": "there",
        "actions": [{ "action": "user.read", "compared": 5, "gained": 2, "lost": 0, "fieldsChanged": 0, "unseen": 0, "fields": [], "examples": [] }],
        "failures": []
    } } });
    let failed = json!({ "data": null, "errors": [{ "message": "the server stops", "extensions": { "code": "INTERNAL" } }] });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let program = async {
        let command = tokio::process::Command::new(program::path())
            .env_clear()
            .args(["policy", "compare", "--server", &url, "--token", "x", "--candidate", "standard", "--after", "here", "--json"])
            .output()
            .await;
        command.unwrap()
    };
    let (asked, output) = tokio::join!(half_a_server(&listener, [("200 OK", piece), ("500 Internal Server Error", failed)]), program);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!((&asked[0]["variables"]["after"], &asked[1]["variables"]["after"]), (&json!("here"), &json!("there")));
    assert_eq!(output.status.code(), Some(1));
    let sums: Json = serde_json::from_str(&text(&output.stdout)).unwrap();
    assert_eq!((&sums["done"], &sums["endCursor"], &sums["actions"][0]["gained"]), (&json!(5), &json!("there"), &json!(2)));
    let errors = text(&output.stderr);
    assert!(errors.contains("`--after there`") && errors.contains("5 of 9 pairs") && errors.contains("the server stops"), "{errors}");
}
