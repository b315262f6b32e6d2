//! Several hosts on one database: what one activates the others have loaded before anybody asks them, what one can not load is closed there
//! alone, and of two administrators one is told.

use std::time::Duration;

use bailiwick::follow::Pauses;
use directory::{
    contract::Digest,
    ids::WorkspaceId,
    store::{PolicyEvent, PolicyNews},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tests::{Backend, TestHost, dice::Dice, generate, model::World, naive::policy::Asker, on_each_database};
use tokio::time::{sleep, timeout};

use crate::hostile::guest::Guest;

/// Longer than any test: whatever happens then does not happen by this.
const NEVER: Duration = Duration::from_secs(3_600);
/// Nothing but news.
const NEWS: Pauses = Pauses { look: NEVER, again: NEVER };
/// Nothing but looks, as far as the database tells nobody anything.
const LOOKS: Pauses = Pauses { look: Duration::from_millis(100), again: Duration::from_millis(10) };
/// Until something has happened for certain, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at whether it has.
const PAUSE: Duration = Duration::from_millis(20);
/// Changes that two administrators attempt at once.
const RACES: usize = 20;

fn on_postgres(case: impl AsyncFn(&TestHost) + Sync) {
    on_each_database(async |host| {
        if host.backend == Backend::Postgres {
            case(host).await;
        }
    });
}

async fn eventually(what: &str, happened: impl AsyncFn() -> bool) {
    let waiting = async {
        while !happened().await {
            sleep(PAUSE).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "not within {PATIENCE:?}: {what}");
}

/// A workspace, and a token of its administrator.
async fn workspace(host: &TestHost, key: &str) -> (World, WorkspaceId, String) {
    let mut world = generate::world(&mut Dice::seeded(7), key.to_owned(), 3);
    host.import_world(&mut world, "").await;
    let (id, token) = (world.id.parse().unwrap(), host.token(&world, &Asker::person(0)).await);
    (world, id, token)
}

/// A module like no other, which leaves to `standard` what it does not decide.
fn module(name: &str) -> (Digest, Vec<u8>) {
    let guest = Guest::new().describing(|manifest| {
        manifest.name = name.to_owned();
        manifest.otherwise = "standard".to_owned();
    });
    let bytes = guest.component();
    (Digest(Sha256::digest(&bytes).into()), bytes)
}

fn is_loaded(host: &TestHost, digest: Digest) -> bool {
    host.gate().engine().loaded(digest).is_some()
}

#[test]
fn what_one_host_activates_the_other_has_loaded_before_anybody_asks_it() {
    on_postgres(async |host| {
        let (_, workspace, _) = workspace(host, "told").await;
        let (digest, bytes) = module("activated");
        let installed = host.install(workspace, "activated", bytes.into()).await;
        let mut other = host.beside("other").await;
        other.follow(NEWS);
        eventually("the other listens and has looked", async || host.stored().listeners().await == 1 && !other.gate().is_loading()).await;
        assert!(!is_loaded(&other, digest), "it was there before, and is not active");
        host.force(workspace, Some(installed), String::new()).await;
        eventually("what was activated is loaded", async || is_loaded(&other, digest)).await;

        let (digest, bytes) = module("uploaded");
        host.install(workspace, "uploaded", bytes.into()).await;
        eventually("what was let in is loaded", async || is_loaded(&other, digest)).await;
        other.stop().await;
    });
}

#[test]
fn a_listener_that_is_cut_off_listens_again_and_says_that_it_missed_something() {
    on_postgres(async |host| {
        let (_, workspace, _) = workspace(host, "missed").await;
        let mut news = host.store().news();
        assert_eq!(next(&mut news).await, PolicyEvent::Missed, "nobody listened before");
        let activate = async || host.force(workspace, None, String::new()).await;
        activate().await;
        assert_eq!(next(&mut news).await, PolicyEvent::Activated(workspace));
        assert_eq!(host.stored().kill_listeners().await, 1);
        activate().await;
        assert_eq!(next(&mut news).await, PolicyEvent::Missed);
        activate().await;
        assert_eq!(next(&mut news).await, PolicyEvent::Activated(workspace));
        let (digest, bytes) = module("told of");
        host.install(workspace, "told of", bytes.into()).await;
        assert_eq!(next(&mut news).await, PolicyEvent::Uploaded(workspace, digest));
    });
}

async fn next(news: &mut Box<dyn PolicyNews>) -> PolicyEvent {
    timeout(PATIENCE, news.next()).await.expect("something happened").unwrap()
}

#[test]
fn what_was_missed_is_looked_for() {
    on_postgres(async |host| {
        let (_, workspace, _) = workspace(host, "cut-off").await;
        let (digest, bytes) = module("missed");
        let installed = host.install(workspace, "missed", bytes.into()).await;
        let mut other = host.beside("other").await;
        // It does not look by itself again, but after it was cut off.
        other.follow(Pauses { look: NEVER, ..LOOKS });
        eventually("the other listens and has looked", async || host.stored().listeners().await == 1 && !other.gate().is_loading()).await;
        host.stored().kill_listeners().await;
        host.force(workspace, Some(installed), String::new()).await;
        eventually("what was activated is loaded", async || is_loaded(&other, digest)).await;
        other.stop().await;
    });
}

#[test]
fn where_nobody_tells_of_activations_they_are_looked_for() {
    on_each_database(async |host| {
        if host.backend == Backend::Sqlite {
            let (_, workspace, _) = workspace(host, "untold").await;
            let (digest, bytes) = module("found");
            let installed = host.install(workspace, "found", bytes.into()).await;
            // As the command line activates while a server runs on the same file.
            let mut server = host.beside("server").await;
            server.follow(LOOKS);
            eventually("the server has looked", async || !server.gate().is_loading()).await;
            assert!(!is_loaded(&server, digest));
            host.force(workspace, Some(installed), String::new()).await;
            eventually("what was activated is loaded", async || is_loaded(&server, digest)).await;
            server.stop().await;
        }
    });
}

#[test]
fn a_module_that_does_not_load_on_one_host_closes_its_workspace_there_and_nothing_else() {
    on_each_database(async |host| {
        let (mut tokens, mut modules) = (Vec::new(), Vec::new());
        for name in ["damaged", "replaced", "intact"] {
            let (_, workspace, token) = workspace(host, name).await;
            let (digest, bytes) = module(name);
            let installed = host.install(workspace, name, bytes.into()).await;
            host.force(workspace, Some(installed), String::new()).await;
            tokens.push(token);
            modules.push((workspace, digest));
        }
        let ([damaged, replaced, _], stored) = (<[_; 3]>::try_from(modules).unwrap(), host.stored());
        let bytes = stored.replace_module(damaged.0, damaged.1, b"no module").await;
        stored.replace_module(replaced.0, replaced.1, &bytes).await;

        let mut other = host.beside("other").await;
        other.follow(LOOKS);
        eventually("the other has looked", async || !other.gate().is_loading()).await;
        let (status, ready) = readiness(&other).await;
        assert_eq!((status, &ready["status"]), (StatusCode::OK, &json!("ready")), "one workspace takes no host out of rotation: {ready}");
        let closed = &ready["closedWorkspaces"];
        assert_eq!(closed["count"], 2, "{ready}");
        for (workspace, digest) in [damaged, replaced] {
            let named = closed["workspaces"].as_array().unwrap().iter().find(|closed| closed["workspace"] == workspace.to_string());
            let named = named.unwrap_or_else(|| panic!("{workspace} is not named: {ready}"));
            assert_eq!(named["digest"], digest.to_string());
            assert!(named["reason"].as_str().unwrap().contains("are not its own"), "{named}");
        }
        assert!(metrics(&other).await.contains("\npolicy_closed_workspaces 2\n"));
        assert_eq!(answers(&other, &tokens).await, [false, false, true]);
        assert_eq!(answers(host, &tokens).await, [true, true, true], "what a host has loaded it has");

        stored.replace_module(damaged.0, damaged.1, &bytes).await;
        host.force(replaced.0, None, String::new()).await;
        eventually("both are open again", async || readiness(&other).await == (StatusCode::OK, json!({ "status": "ready" }))).await;
        assert_eq!(answers(&other, &tokens).await, [true, true, true]);
        assert!(metrics(&other).await.contains("\npolicy_closed_workspaces 0\n"));
        other.stop().await;
    });
}

async fn readiness(host: &TestHost) -> (StatusCode, Json) {
    let response = host.page(Method::GET, "/readyz", "").send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

async fn metrics(host: &TestHost) -> String {
    host.page(Method::GET, "/metrics", "").send().await.unwrap().text().await.unwrap()
}

/// Whether somebody of each workspace is answered, or closed out with the one code for it.
async fn answers(host: &TestHost, tokens: &[String]) -> Vec<bool> {
    let mut answered = Vec::new();
    for token in tokens {
        let answer = host.graphql(token, "{ users { totalCount } }", Json::Null).await;
        let users = answer["data"]["users"].is_object();
        assert!(users || answer["errors"][0]["extensions"]["code"] == "POLICY_UNAVAILABLE", "{answer}");
        answered.push(users);
    }
    answered
}

#[test]
fn of_two_administrators_who_change_the_policy_at_once_one_is_told() {
    on_each_database(async |host| {
        let (world, _, first) = workspace(host, "raced").await;
        let second = host.token(&world, &Asker::person(0)).await;
        // Postgres has several hosts; SQLite has one.
        let other = if host.backend == Backend::Postgres { Some(host.beside("other").await) } else { None };
        let there = other.as_ref().unwrap_or(host);
        let set = async |host: &TestHost, token: &str, expected: &Json, sees: &str| {
            let change = json!({ "expected": expected, "standardSettings": { "members_see": sees } });
            let response = host.page(Method::PUT, "/v1/policies/settings", token).json(&change).send().await.unwrap();
            (response.status(), response.json::<Json>().await.unwrap())
        };
        let mut wins = [0, 0];
        for race in 0..RACES {
            let expected = active(host, &first).await["id"].take();
            // Who is sent off first takes turns.
            let (one, two) = if race % 2 == 0 {
                tokio::join!(set(host, &first, &expected, "self"), set(there, &second, &expected, "workspace"))
            } else {
                let (two, one) = tokio::join!(set(there, &second, &expected, "workspace"), set(host, &first, &expected, "self"));
                (one, two)
            };
            let winner = usize::from(two.0 == StatusCode::OK);
            let [won, told, sees] = if winner == 0 {
                [&one, &two, &(StatusCode::OK, json!("self"))]
            } else {
                [&two, &one, &(StatusCode::OK, json!("workspace"))]
            };
            assert_eq!(won.0, StatusCode::OK, "nobody won: {one:?} {two:?}");
            assert_eq!((told.0, &told.1["error"]["code"]), (StatusCode::PRECONDITION_FAILED, &json!("STALE")), "{one:?} {two:?}");
            let now = active(there, &second).await;
            assert_eq!((&now["id"], &now["standardSettings"]), (&won.1["version"], &json!(json!({ "members_see": sees.1 }).to_string())));
            wins[winner] += 1;
        }
        println!("{:?}: of {RACES} races {wins:?} were won", host.backend);
        if let Some(other) = other {
            other.stop().await;
        }
    });
}

async fn active(host: &TestHost, token: &str) -> Json {
    let mut list: Json = host.page(Method::GET, "/v1/policies", token).send().await.unwrap().json().await.unwrap();
    list["active"].take()
}
