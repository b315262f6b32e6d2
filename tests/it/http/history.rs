//! The history over HTTP: who is named to whom, and its pages.

use bailiwick::ids::Ids;
use directory::access::{Forced, Operator, OperatorVia};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    host::NOW,
    model::{Grant, Person, Role, World},
    naive::policy::Asker,
    on_each_database,
};

/// Everybody sees themselves alone, administrators everybody.
const SETTINGS: &str = r#"{"members_see":"self"}"#;

/// An administrator, and somebody who may read policies and sees nobody.
async fn workspace(host: &TestHost) -> (World, String, String) {
    let mut world = World::empty("history".to_owned());
    world.roles.push(Role {
        key: "auditor".to_owned(),
        name: "auditor".to_owned(),
        permissions: vec!["policy.read".to_owned()],
        ..Role::default()
    });
    for name in ["ada", "bob"] {
        world.people.push(Person { texts: [("userName", name.to_owned())].into(), status: "active", ..Person::default() });
    }
    let role = |key: &str| world.roles.iter().position(|role| role.key == key).unwrap();
    let grants = [(0, role("administrator")), (1, role("auditor"))];
    world.grants.extend(grants.map(|(person, role)| Grant { person, role, ..Grant::default() }));
    host.import_world(&mut world, SETTINGS).await;
    let (ada, bob) = (host.token(&world, &Asker::person(0)).await, host.token(&world, &Asker::person(1)).await);
    (world, ada, bob)
}

async fn get(host: &TestHost, token: &str, query: &str) -> (StatusCode, Json) {
    let response = host.page(Method::GET, &format!("/v1/policies/history{query}"), token).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn steps(host: &TestHost, token: &str) -> Vec<Json> {
    let (status, page) = get(host, token, "").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page["steps"].as_array().unwrap().clone()
}

async fn set(host: &TestHost, token: &str, members_see: &str) -> StatusCode {
    let body = json!({ "expected": "standard", "standardSettings": { "members_see": members_see }, "note": members_see });
    host.page(Method::PUT, "/v1/policies/settings", token).json(&body).send().await.unwrap().status()
}

#[test]
fn whoever_is_not_seen_is_not_named() {
    on_each_database(async |host| {
        let (world, ada, bob) = workspace(host).await;
        assert_eq!(set(host, &ada, "self").await, StatusCode::OK);
        let step = &steps(host, &ada).await[0];
        assert_eq!((&step["step"], &step["note"]), (&json!("settings-changed"), &json!("self")));
        assert_eq!(step["by"], json!({ "kind": "user", "id": world.people[0].id }));
        assert_eq!((&step["via"], &step["peer"], &step["withheld"]), (&json!("http"), &json!("127.0.0.1"), &json!([])));
        let seen = &steps(host, &bob).await[0];
        assert_eq!((&seen["by"], &seen["peer"], &seen["withheld"]), (&Json::Null, &Json::Null, &json!(["by", "peer"])));
        for field in ["number", "step", "at", "via", "module", "version", "note", "reasons"] {
            assert_eq!(seen[field], step[field], "{field}");
        }
        // Under these settings he sees her.
        assert_eq!(set(host, &ada, "workspace").await, StatusCode::OK);
        assert!(steps(host, &bob).await.iter().all(|step| step["by"]["id"] == json!(world.people[0].id)));
    });
}

#[test]
fn whoever_may_not_read_the_policy_reads_no_history() {
    on_each_database(async |host| {
        let (world, ada, _) = workspace(host).await;
        let scopes = Some(vec!["user.read".to_owned()]);
        let limited = host.token(&world, &Asker { person: Some(0), scopes }).await;
        assert_eq!(get(host, &limited, "").await.0, StatusCode::FORBIDDEN);
        assert_eq!(get(host, "bwk_unknown", "").await.0, StatusCode::UNAUTHORIZED);
        for (query, status) in [
            ("?first=0", 400),
            ("?first=101", 400),
            ("?first=1&first=2", 400),
            ("?after=x", 400),
            ("?after=0", 400),
            ("?else=1", 400),
            ("?first=100&after=5", 200),
        ] {
            let (found, answer) = get(host, &ada, query).await;
            assert_eq!(found.as_u16(), status, "{query}: {answer}");
        }
    });
}

#[test]
fn pages_follow_one_another() {
    on_each_database(async |host| {
        let (world, ada, _) = workspace(host).await;
        assert_eq!(get(host, &ada, "").await.1, json!({ "steps": [], "more": false }));
        let (operator, mut ids) = (Operator::new(OperatorVia::CommandLine), Ids::seeded("history", NOW));
        for at in 0..5 {
            let forced = Forced { standard_settings: Some(SETTINGS.to_owned()), note: Some(at.to_string()), ..Forced::default() };
            host.gate().force_policy(&operator, world.id.parse().unwrap(), forced, NOW, &mut ids).await.unwrap();
        }
        let (mut notes, mut after, mut pages) = (String::new(), String::new(), 0);
        loop {
            let (_, page) = get(host, &ada, &format!("?first=2{after}")).await;
            let steps = page["steps"].as_array().unwrap();
            notes.extend(steps.iter().map(|step| step["note"].as_str().unwrap()));
            pages += 1;
            if page["more"] == false {
                break;
            }
            after = format!("&after={}", steps.last().unwrap()["number"]);
        }
        assert_eq!((notes.as_str(), pages), ("43210", 3), "the latest first");
    });
}
