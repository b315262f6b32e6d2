//! Swaps under load: two modules with opposite rules take turns while people ask. Every request is answered, and by one version alone.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use directory::contract::{RowFilter, Verdict};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value as Json, json};
use tests::{Backend, TestHost, dice::Dice, generate, naive::policy::Asker, on_each_database};
use tokio::task::JoinSet;

use crate::hostile::guest::{Guest, Part};

/// Activations on each database.
const SWAPS: usize = 200;
/// Every so many of them are roll backs.
const ROLL_BACK: usize = 5;
/// Those who ask at once.
const CLIENTS: usize = 4;
/// The modules: one shows everything, the other nothing.
const MODULES: [&str; 2] = ["open", "shut"];

/// Several decisions on several kinds, which a request that was answered by two versions would mix.
const QUERY: &str = "{
    viewer { id user { id displayName } }
    users(first: 100) { totalCount nodes { id displayName } }
    groups(first: 100) { totalCount nodes { id } }
    again: users(first: 1) { totalCount nodes { displayName } }
}";

#[test]
fn every_request_amid_swaps_is_answered_and_by_one_version_alone() {
    on_each_database(async |host| {
        let mut world = generate::world(&mut Dice::seeded(7), "swapped".to_owned(), 4);
        host.import_world(&mut world, "").await;
        let token = host.token(&world, &Asker::person(0)).await;
        let workspace = world.id.parse().unwrap();
        let [open, shut] = [guest(MODULES[0], true), guest(MODULES[1], false)];
        let ids = [host.install(workspace, MODULES[0], open.into()).await, host.install(workspace, MODULES[1], shut.into()).await];

        let mut swapper = Swapper { host, token: token.clone(), ids: ids.map(|id| id.to_string()), active: 0, version: String::new() };
        swapper.version = host.force(workspace, Some(ids[0]), String::new()).await.to_string();
        let mut answers = vec![answer(request(host, &token)).await];
        swapper.swap(0).await;
        answers.push(answer(request(host, &token)).await);
        let answers: [Json; 2] = answers.try_into().unwrap();
        assert_opposite(&answers);

        // Postgres has several hosts; SQLite has one.
        let other = if host.backend == Backend::Postgres { Some(host.beside("other").await) } else { None };
        let stop = Arc::new(AtomicBool::new(false));
        let mut asking = JoinSet::new();
        for client in 0..CLIENTS {
            let there = other.as_ref().filter(|_| client % 2 == 1).unwrap_or(host);
            asking.spawn(ask(request(there, &token), answers.clone(), stop.clone()));
        }
        for swap in 1..=SWAPS {
            swapper.swap(swap).await;
        }
        stop.store(true, Ordering::Relaxed);
        let seen = asking.join_all().await;
        println!("{:?}: {SWAPS} swaps, answers of {MODULES:?} to each client: {seen:?}", host.backend);
        for seen in seen {
            assert!(seen.iter().all(|seen| *seen > 0), "a client met one module only: {seen:?}");
        }
        if let Some(other) = other {
            other.stop().await;
        }
    });
}

/// A module that shows all users and groups, or none; everything else is decided by `standard`, so that an administrator stays one.
fn guest(name: &str, open: bool) -> Vec<u8> {
    let mut guest = Guest::new().describing(|manifest| {
        manifest.name = name.to_owned();
        manifest.otherwise = "standard".to_owned();
    });
    if !open {
        let nothing = guest.filter(&RowFilter { exact: true, reason: "nobody may".to_owned(), ..RowFilter::default() });
        let denied = guest.table(&[Verdict { reason: "nobody may".to_owned(), ..Verdict::default() }]);
        guest = guest.with(Part::Scope, &nothing).with(Part::Check, &denied);
    }
    guest.component()
}

fn assert_opposite([open, shut]: &[Json; 2]) {
    for list in ["users", "groups", "again"] {
        assert_ne!(open[list]["totalCount"], 0, "{list} of {open}");
        assert_eq!((&shut[list]["totalCount"], &shut[list]["nodes"]), (&json!(0), &json!([])), "{list}");
    }
    assert!(open["viewer"]["user"].is_object() && shut["viewer"]["user"].is_null(), "{open} {shut}");
}

fn request(host: &TestHost, token: &str) -> RequestBuilder {
    host.request(token).header("bailiwick-explain", "1").json(&json!({ "query": QUERY }))
}

/// Asks again and again; how often each module answered.
async fn ask(request: RequestBuilder, expected: [Json; 2], stop: Arc<AtomicBool>) -> [usize; 2] {
    let mut seen = [0, 0];
    while !stop.load(Ordering::Relaxed) {
        let (module, data) = explained(request.try_clone().unwrap()).await;
        assert_eq!(data, expected[module], "not the answer of `{}`", MODULES[module]);
        seen[module] += 1;
    }
    seen
}

async fn answer(request: RequestBuilder) -> Json {
    explained(request).await.1
}

/// Which module answered, and what.
async fn explained(request: RequestBuilder) -> (usize, Json) {
    let response = request.send().await.expect("every request is answered");
    let status = response.status();
    let mut answer: Json = response.json().await.unwrap();
    assert!(status == StatusCode::OK && answer.get("errors").is_none(), "{status} {answer}");
    let named = answer["extensions"]["policy"]["module"].as_str().unwrap_or_default();
    let module = MODULES.iter().position(|module| named == format!("{module} 1"));
    (module.unwrap_or_else(|| panic!("no module, or another: {answer}")), answer["data"].take())
}

/// Lets the modules take turns.
struct Swapper<'a> {
    host: &'a TestHost,
    token: String,
    ids: [String; 2],
    /// The position of the active module, and the active version.
    active: usize,
    version: String,
}

impl Swapper<'_> {
    async fn swap(&mut self, swap: usize) {
        self.active = 1 - self.active;
        let (path, body) = if swap % ROLL_BACK == ROLL_BACK - 1 {
            ("/v1/policies/rollback".to_owned(), json!({}))
        } else {
            (format!("/v1/policies/{}/activate", self.ids[self.active]), json!({ "expected": self.version }))
        };
        let response = self.host.page(Method::POST, &path, &self.token).json(&body).send().await.unwrap();
        let (status, answer) = (response.status(), response.json::<Json>().await.unwrap());
        assert_eq!(status, StatusCode::OK, "swap {swap}: {answer}");
        self.version = answer["version"].as_str().unwrap().to_owned();
    }
}
