//! The watch window: a version that fails too often is left by the server itself, once. Counts, and no clock that runs.

use std::sync::Arc;

use bailiwick::{config::Config, ids::Ids, tokens, wiring};
use directory::{
    Error,
    access::{Caller, Forced, Gate, Operator, OperatorVia, Origin, UserAsk, WatchRules, authenticate},
    contract::Verdict,
    ids::PolicyVersionId,
    model::{Timestamp, TokenKind},
    query::{Order, Window},
    store::AmongUsers,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use tests::host::NOW;

use super::{
    gates::{activated, list, uploaded},
    site::{Site, answer, on_sites_with},
};
use crate::hostile::guest::{Guest, Part, SUBJECT_KIND_LEN};

/// Failures that it takes. A request of a service asks twice: the scope, and `check`, which fails.
const FAILURES: u64 = 3;
const ADMINISTRATOR: &str = "Amara Okafor";
const MINUTE: i64 = 60_000_000;

fn watching(config: &mut Config) {
    (config.policy.watch_failures, config.policy.watch_percent) = (FAILURES, 10);
}

/// Does something else for services, and otherwise as a guest that behaves.
fn of_services(part: Part, body: impl FnOnce(&mut Guest) -> String) -> Guest {
    let mut guest = Guest::new().describing(|manifest| {
        manifest.decides = vec!["user.*".to_owned()];
        manifest.otherwise = "standard".to_owned();
    });
    let body = body(&mut guest);
    let behave = if matches!(part, Part::Scope) { &guest.scope } else { &guest.check };
    // `service` has seven letters, and `user` four.
    let service = format!("(i32.eq (i32.load offset={SUBJECT_KIND_LEN} (local.get $arguments)) (i32.const 7))");
    let body = format!("(if (result i32) {service} (then {body}) (else {behave}))");
    guest.armed(part, &body)
}

fn trapping() -> Guest {
    of_services(Part::Check, |_| "(unreachable)".to_owned())
}

/// The token of a service that may read users.
async fn service(site: &Site) -> String {
    let request = tokens::Request {
        kind: TokenKind::Service,
        name: "payroll".to_owned(),
        user: None,
        scopes: vec!["user.read".to_owned()],
        expires_at: None,
        created_at: NOW,
    };
    let issued = tokens::issue(request, &mut Ids::seeded("service", NOW));
    let operator = Operator::new(OperatorVia::CommandLine);
    site.gate.store().create_token(operator.create_token(Some(site.demo.workspaces[0].id), issued.change)).await.unwrap();
    issued.text
}

/// Asks for users so many times, and says whether every answer was one.
async fn ask(site: &Site, token: &str, times: u64) -> bool {
    let mut all = true;
    for _ in 0..times {
        let body = json!({ "query": "{ users { nodes { id } } }" }).to_string();
        let (status, answer) = answer(site.post(body).bearer_auth(token)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        all &= answer.get("errors").is_none();
    }
    all
}

async fn active(site: &Site) -> Json {
    list(site).await["active"].take()
}

async fn steps(site: &Site) -> Vec<Json> {
    let (_, page) = answer(site.request(Method::GET, "/v1/policies/history").bearer_auth(site.admin())).await;
    page["steps"].as_array().unwrap().clone()
}

async fn automatic_steps(site: &Site) -> usize {
    steps(site).await.iter().filter(|step| step["step"] == "rolled-back-automatically").count()
}

async fn force(site: &Site, module: &str, settings: &str, at: Timestamp, seed: &str) -> PolicyVersionId {
    let forced = Forced { module: Some(module.parse().unwrap()), settings: Some(settings.to_owned()), ..Forced::default() };
    let (operator, mut ids) = (Operator::new(OperatorVia::CommandLine), Ids::seeded(seed, NOW));
    site.gate.force_policy(&operator, site.demo.workspaces[0].id, forced, at, &mut ids).await.unwrap()
}

#[test]
fn a_version_that_fails_too_often_is_left_once() {
    on_sites_with(watching, async |site| {
        let before = active(site).await;
        let token = service(site).await;
        let module = uploaded(site, &trapping()).await;
        // The gates try people alone where a person activates.
        let (status, answered) = activated(site, ADMINISTRATOR, &module, "armed").await;
        assert_eq!(status, StatusCode::OK, "{answered}");
        assert!(ask(site, site.admin(), 2).await, "people are answered");
        assert!(!ask(site, &token, FAILURES - 1).await);
        assert_eq!(active(site).await["module"], json!(module), "one failure is left");
        assert!(!ask(site, &token, 1).await);

        let now = active(site).await;
        assert_eq!((&now["module"], &now["repeats"], &now["activatedBy"]), (&json!("standard"), &before["id"], &Json::Null));
        let step = &steps(site).await[0];
        assert_eq!((&step["step"], &step["version"]), (&json!("rolled-back-automatically"), &now["id"]));
        assert_eq!((&step["by"]["kind"], &step["via"], &step["peer"]), (&json!("operator"), &json!("server"), &Json::Null));
        let why = step["reasons"][0]["text"].as_str().unwrap();
        assert!(why.starts_with("3 of ") && why.contains("(3 trap)") && why.ends_with("at most 2 may, or 10 of a hundred"), "{why}");
        let metrics = site.request(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains("policy_automatic_rollbacks_total"), "{metrics}");

        assert!(ask(site, &token, 2 * FAILURES).await, "the version before answers");
        assert_eq!(automatic_steps(site).await, 1);
    });
}

#[test]
fn of_several_servers_one_goes_back() {
    on_sites_with(watching, async |site| {
        let token = service(site).await;
        let module = uploaded(site, &trapping()).await;
        assert_eq!(activated(site, ADMINISTRATOR, &module, "armed").await.0, StatusCode::OK);
        let rules = WatchRules { minutes: 10, failures: FAILURES, percent: 10 };
        let other = Gate::new(site.gate.store().clone(), site.gate.engine().clone(), wiring::standard());
        let other = Arc::new(other.with_watch(rules, Box::new(Ids::seeded("another server", NOW))));
        let caller = authenticate(other.store().as_ref(), tokens::hash(&token), NOW, Origin::within("graphql")).await.unwrap();
        let Ok(Caller::Subject(subject)) = caller else { panic!("{caller:?}") };
        let mut requests = Vec::new();
        for _ in 0..FAILURES {
            requests.push(other.open(subject.clone(), NOW).await.unwrap());
        }
        ask(site, &token, FAILURES).await;
        let back = active(site).await;
        assert_eq!(back["module"], "standard");
        // These began under the version that failed, and fail now that another server has left it.
        for request in requests {
            let window = Window { rows: 5, ..Window::default() };
            let users = UserAsk { among: AmongUsers::All, filter: None, order: Order::default(), window };
            assert!(matches!(request.list_users(users).await, Err(Error::Policy(_))));
        }
        assert_eq!((active(site).await, automatic_steps(site).await), (back, 1));
    });
}

#[test]
fn few_failures_among_many_calls_are_borne() {
    let patient = |config: &mut Config| (config.policy.watch_failures, config.policy.watch_percent) = (FAILURES, 40);
    on_sites_with(patient, async |site| {
        let token = service(site).await;
        let module = uploaded(site, &trapping()).await;
        assert_eq!(activated(site, ADMINISTRATOR, &module, "armed").await.0, StatusCode::OK);
        // Two calls each: three failures of sixteen calls are less than 40 of a hundred.
        assert!(ask(site, site.admin(), 5).await);
        ask(site, &token, FAILURES).await;
        assert_eq!(active(site).await["module"], json!(module));
        // Half of what follows fails: in the end more than 40 of a hundred have.
        ask(site, &token, 40).await;
        assert_eq!(active(site).await["module"], "standard");
    });
}

#[test]
fn answers_that_are_defects_count() {
    on_sites_with(watching, async |site| {
        let defect = uploaded(site, &of_services(Part::Check, |guest| guest.table(&[Verdict::default()]))).await;
        let token = service(site).await;
        let (status, answered) = activated(site, ADMINISTRATOR, &defect, "armed").await;
        assert_eq!(status, StatusCode::OK, "{answered}");
        ask(site, &token, FAILURES - 1).await;
        assert_eq!(active(site).await["module"], json!(defect));
        ask(site, &token, 1).await;
        assert_eq!(active(site).await["module"], "standard");
        let why = steps(site).await[0]["reasons"][0]["text"].as_str().unwrap().to_owned();
        assert!(why.contains("(3 defect)"), "however many rows a page has: {why}");
    });
}

#[test]
fn the_window_ends_and_can_be_closed() {
    let off = |config: &mut Config| (config.policy.watch_failures, config.policy.watch_minutes) = (FAILURES, 0);
    on_sites_with(off, async |site| {
        let token = service(site).await;
        let module = uploaded(site, &trapping()).await;
        assert_eq!(activated(site, ADMINISTRATOR, &module, "armed").await.0, StatusCode::OK);
        ask(site, &token, 3 * FAILURES).await;
        assert_eq!(active(site).await["module"], json!(module), "nothing is watched");
    });
    on_sites_with(watching, async |site| {
        let token = service(site).await;
        let module = uploaded(site, &trapping()).await;
        force(site, &module, "armed", Timestamp(NOW.0 - 10 * MINUTE), "late").await;
        ask(site, &token, 3 * FAILURES).await;
        assert_eq!(active(site).await["module"], json!(module), "ten minutes ago is too long ago");
        force(site, &module, "armed", Timestamp(NOW.0 - 10 * MINUTE + 1), "soon").await;
        ask(site, &token, FAILURES).await;
        assert_eq!(automatic_steps(site).await, 1);
    });
}

#[test]
fn what_the_server_went_back_to_is_not_left_by_itself() {
    on_sites_with(watching, async |site| {
        let token = service(site).await;
        let module = uploaded(site, &trapping()).await;
        let first = force(site, &module, "armed", NOW, "first").await;
        force(site, &module, "armed anew", NOW, "second").await;
        ask(site, &token, FAILURES).await;
        let back = active(site).await;
        assert_eq!(back["repeats"], json!(first.to_string()));
        ask(site, &token, 3 * FAILURES).await;
        assert_eq!(active(site).await, back, "further back goes a person");
        assert_eq!(automatic_steps(site).await, 1);
        let request = site.request(Method::POST, "/v1/policies/rollback").bearer_auth(site.admin()).json(&json!({}));
        let (status, answered) = answer(request).await;
        assert_eq!(status, StatusCode::OK, "{answered}");
        assert_eq!(active(site).await["module"], "standard");
    });
}
