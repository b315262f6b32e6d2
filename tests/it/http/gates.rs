//! The gates before an activation: each refusing and letting through, two at once, and what the caller may know of it.
//!
//! Guests are armed by their settings, so that what is uploaded behaves.

use std::collections::BTreeSet;

use bailiwick::ids::Ids;
use directory::{
    Error,
    access::{Forced, Operator, OperatorVia},
    contract::{RowFilter, Verdict},
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value as Json, json};
use tests::host::NOW;

use super::site::{Site, answer, code, on_sites, on_sites_with};
use crate::hostile::guest::{Guest, PERMISSIONS_LEN, Part};

/// Who changes the policy: the only administrator, and somebody who may do just that and sees the engineers.
const ADMINISTRATOR: &str = "Amara Okafor";
const AUTHOR: &str = "Ivan Horvat";

/// A guest that decides about users, and leaves the rest to `standard`.
fn of_users() -> Guest {
    Guest::new().describing(|manifest| {
        manifest.decides = vec!["user.*".to_owned()];
        manifest.otherwise = "standard".to_owned();
    })
}

/// The filter that admits everybody, or nobody.
fn filter(everybody: bool, exact: bool, searchable: &[&str]) -> RowFilter {
    RowFilter {
        any_of: if everybody { vec![Vec::new()] } else { Vec::new() },
        exact,
        searchable: searchable.iter().map(|field| (*field).to_owned()).collect(),
        ..RowFilter::default()
    }
}

fn verdict(allow: bool, withheld: &[&str]) -> Verdict {
    Verdict { allow, withheld: withheld.iter().map(|field| (*field).to_owned()).collect(), ..Verdict::default() }
}

/// A guest whose scope and check say these things once it is armed.
fn saying(filter: &RowFilter, verdict: Verdict) -> Guest {
    let mut guest = of_users();
    let (scope, check) = (guest.filter(filter), guest.table(&[verdict]));
    guest.armed(Part::Scope, &scope).armed(Part::Check, &check)
}

pub(super) async fn uploaded(site: &Site, guest: &Guest) -> String {
    let request = site.request(Method::PUT, "/v1/policies").header(header::CONTENT_TYPE, "application/wasm");
    let (status, uploaded) = answer(request.bearer_auth(site.admin()).body(guest.component())).await;
    assert_eq!(status, StatusCode::CREATED, "{uploaded}");
    uploaded["id"].as_str().unwrap().to_owned()
}

pub(super) async fn list(site: &Site) -> Json {
    answer(site.request(Method::GET, "/v1/policies").bearer_auth(site.admin())).await.1
}

/// What an activation by somebody is answered with.
pub(super) async fn activated(site: &Site, who: &str, guest: &str, settings: &str) -> (StatusCode, Json) {
    let seen = list(site).await["active"]["id"].take();
    let body = json!({ "expected": seen, "settings": settings, "note": "try" });
    answer(site.request(Method::POST, &format!("/v1/policies/{guest}/activate")).bearer_auth(site.token(who)).json(&body)).await
}

/// The latest step of the history, as the holder of a token reads it.
async fn last_step(site: &Site, token: &str) -> Json {
    let (status, mut page) = answer(site.request(Method::GET, "/v1/policies/history?first=1").bearer_auth(token)).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page["steps"][0].take()
}

/// The gates that refuse a guest and what they say, once it is armed; without settings it is let through.
async fn refusals(site: &Site, who: &str, guest: &Guest) -> Vec<(String, String)> {
    let guest = uploaded(site, guest).await;
    let before = list(site).await;
    let (status, refused) = activated(site, who, &guest, "armed").await;
    assert_eq!((status, code(&refused)), (StatusCode::UNPROCESSABLE_ENTITY, "ACTIVATION_REFUSED"), "{refused}");
    assert_eq!(list(site).await, before, "a refused activation changes nothing");
    let reasons = refused["error"]["reasons"].as_array().unwrap();
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let reasons: Vec<(String, String)> = reasons.iter().map(|reason| (text(&reason["gate"]), text(&reason["text"]))).collect();
    let message = refused["error"]["message"].as_str().unwrap();
    for (gate, reason) in &reasons {
        assert!(message.contains(&format!("{gate}: {reason}")), "{message}");
    }
    let step = last_step(site, site.admin()).await;
    assert_eq!((&step["step"], &step["module"], &step["note"]), (&json!("activation-refused"), &json!(guest), &json!("try")));
    assert_eq!(step["reasons"].as_array().unwrap().len(), reasons.len(), "the history has them all");
    let (status, answer) = activated(site, who, &guest, "").await;
    assert_eq!(status, StatusCode::OK, "it is let through where it behaves: {answer}");
    reasons
}

fn of_agreement((gate, text): &(String, String), begins: &str, contains: &str) {
    assert_eq!(gate, "agreement", "{text}");
    assert!(text.starts_with(begins) && text.contains(contains), "{text}");
}

#[test]
fn a_scope_that_is_wider_than_check_is_refused_unless_it_says_so() {
    on_sites(async |site| {
        let wide = refusals(site, ADMINISTRATOR, &saying(&filter(true, true, &[]), verdict(false, &[]))).await;
        for reason in &wide {
            of_agreement(reason, "users, for usr_", "the scope admits usr_");
        }
        assert!(wide.len() > 1, "more than one subject is tried");
        let guest = uploaded(site, &saying(&filter(true, false, &[]), verdict(false, &[]))).await;
        let (status, answer) = activated(site, ADMINISTRATOR, &guest, "armed").await;
        assert_eq!(status, StatusCode::OK, "a superset is confirmed row by row: {answer}");
    });
}

#[test]
fn a_scope_that_is_narrower_than_check_is_refused_exact_or_not() {
    on_sites(async |site| {
        for exact in [true, false] {
            let narrow = refusals(site, ADMINISTRATOR, &saying(&filter(false, exact, &[]), verdict(true, &[]))).await;
            for reason in &narrow {
                of_agreement(reason, "users, for usr_", "the scope leaves out usr_");
            }
        }
    });
}

#[test]
fn what_is_withheld_may_not_be_searched() {
    on_sites(async |site| {
        for searchable in ["*", "email", "user.email"] {
            let guest = saying(&filter(true, true, &[searchable]), verdict(true, &["email"]));
            for reason in refusals(site, ADMINISTRATOR, &guest).await {
                of_agreement(&reason, "users, for usr_", "`email` may be searched and `check` withholds it from usr_");
            }
        }
        let guest = uploaded(site, &saying(&filter(true, true, &["displayName"]), verdict(true, &["email"]))).await;
        assert_eq!(activated(site, ADMINISTRATOR, &guest, "armed").await.0, StatusCode::OK);
    });
}

#[test]
fn what_is_withheld_must_be_a_field() {
    on_sites(async |site| {
        let guest = saying(&filter(true, true, &[]), verdict(true, &["shoeSize"]));
        for reason in refusals(site, ADMINISTRATOR, &guest).await {
            of_agreement(&reason, "users, for usr_", "withholds `shoeSize` from usr_");
        }
        let guest = uploaded(site, &saying(&filter(true, true, &[]), verdict(true, &["attributes.gone"]))).await;
        let (status, answer) = activated(site, ADMINISTRATOR, &guest, "armed").await;
        assert_eq!(status, StatusCode::OK, "attributes come and go: {answer}");
    });
}

#[test]
fn a_guest_that_fails_on_a_sample_is_refused() {
    on_sites(async |site| {
        for (part, what) in [(Part::Scope, "trapped"), (Part::Check, "trapped")] {
            for reason in refusals(site, ADMINISTRATOR, &of_users().armed(part, "(unreachable)")).await {
                of_agreement(&reason, "users, for usr_", what);
            }
        }
    });
}

#[test]
fn rows_are_named_to_whoever_sees_them() {
    on_sites(async |site| {
        let guest = uploaded(site, &saying(&filter(true, true, &[]), verdict(false, &[]))).await;
        let (_, refused) = activated(site, AUTHOR, &guest, "armed").await;
        assert_eq!(code(&refused), "ACTIVATION_REFUSED", "{refused}");
        let texts = |reasons: &Json| -> Vec<String> {
            reasons.as_array().unwrap().iter().map(|reason| reason["text"].as_str().unwrap().to_owned()).collect()
        };
        let hidden = |text: &String| text.contains("something you can not see");
        let told = texts(&refused["error"]["reasons"]);
        assert!(told.iter().any(hidden), "he sees engineers alone: {told:?}");
        let himself = site.demo.workspaces[0].people.iter().find(|person| person.name == AUTHOR).unwrap().id;
        assert!(told.iter().any(|text| text.starts_with(&format!("users, for {himself}"))), "and himself: {told:?}");
        // The history has the same reasons, tells an administrator all of them, and the author what he may know.
        assert_eq!(texts(&last_step(site, site.token(AUTHOR)).await["reasons"]), told);
        let whole = texts(&last_step(site, site.admin()).await["reasons"]);
        assert_eq!(whole.len(), told.len());
        assert!(!whole.iter().any(hidden), "{whole:?}");
    });
}

#[test]
fn whoever_activates_is_not_locked_out() {
    on_sites(async |site| {
        // Decides about users, and nobody about anything else.
        let mut guest = Guest::new();
        let deny = guest.table(&[verdict(false, &[])]);
        let reasons = refusals(
            site,
            ADMINISTRATOR,
            &guest.describing(|manifest| manifest.decides = vec!["*".to_owned()]).armed(Part::Check, &only_policies(&deny)),
        )
        .await;
        assert_eq!(reasons.len(), 4, "{reasons:?}");
        for ((gate, text), action) in reasons.iter().zip(["policy.read", "policy.upload", "policy.activate", "policy.rollback"]) {
            assert_eq!(gate, "lock-out");
            assert!(text.contains(&format!("could no longer `{action}`")), "{text}");
        }
        assert_eq!(last_step(site, site.admin()).await["step"], "activated");
    });
}

#[test]
fn whoever_could_no_longer_remove_the_tests_is_locked_out() {
    on_sites(async |site| {
        // Denies `policy.upload`, the only action of policies that has a `u` there, and by that the removal of tests.
        let mut guest = Guest::new();
        let deny = guest.table(&[verdict(false, &[])]);
        let uploads = "(i32.eq (i32.load8_u offset=7 (i32.load (local.get $arguments))) (i32.const 117))";
        let allow = guest.check.clone();
        let guest = guest.describing(|manifest| {
            manifest.decides = vec!["policy.*".to_owned()];
            manifest.otherwise = "standard".to_owned();
        });
        let guest = guest.armed(Part::Check, &format!("(if (result i32) {uploads} (then {deny}) (else {allow}))"));
        let reasons = refusals(site, ADMINISTRATOR, &guest).await;
        let [(gate, text)] = reasons.as_slice() else { panic!("{reasons:?}") };
        assert_eq!(gate, "lock-out");
        assert!(text.contains("could no longer `policy.upload`"), "{text}");
    });
}

/// Does `deny` where an action begins with `p`, and allows the rest with the verdict of a guest that behaves.
fn only_policies(deny: &str) -> String {
    let allow = &Guest::new().check;
    let policies = "(i32.eq (i32.load8_u (i32.load (local.get $arguments))) (i32.const 112))";
    format!("(if (result i32) {policies} (then {deny}) (else {allow}))")
}

#[test]
fn an_administrator_beside_the_caller_is_not_locked_out() {
    on_sites(async |site| {
        // Whoever has many permissions is kept from policies: the administrator, and not the author.
        let mut guest = Guest::new();
        let deny = guest.table(&[verdict(false, &[])]);
        let allow = &guest.check;
        let many = format!("(i32.gt_u (i32.load offset={PERMISSIONS_LEN} (local.get $arguments)) (i32.const 10))");
        let body = only_policies(&format!("(if (result i32) {many} (then {deny}) (else {allow}))"));
        let guest = guest.describing(|manifest| manifest.decides = vec!["*".to_owned()]).armed(Part::Check, &body);
        let reasons = refusals(site, AUTHOR, &guest).await;
        let [(gate, text)] = reasons.as_slice() else { panic!("{reasons:?}") };
        assert_eq!(gate, "lock-out");
        assert!(text.starts_with("none of the 1 active administrator(s)"), "{text}");
    });
}

#[test]
fn settings_are_refused_with_every_error_before_other_gates_look() {
    on_sites(async |site| {
        let mut guest = of_users();
        let errors = ["`mode` is unknown".to_owned(), "`peers` is no list".to_owned()];
        let refuse = guest.image.settings(Some(&errors));
        guest.validate_settings = format!("(select (i32.const {refuse}) {} (local.get $len))", guest.validate_settings);
        let reasons = refusals(site, ADMINISTRATOR, &guest.clone()).await;
        let told = |error: &String| ("settings".to_owned(), format!("the policy refuses the settings: {error}"));
        assert_eq!(reasons, errors.iter().map(told).collect::<Vec<_>>());

        let scope = guest.filter(&filter(false, true, &[]));
        let reasons = refusals(site, ADMINISTRATOR, &guest.armed(Part::Scope, &scope)).await;
        assert_eq!(reasons, errors.iter().map(told).collect::<Vec<_>>(), "what it would say under them is nothing");
    });
}

#[test]
fn other_settings_and_roll_backs_pass_the_same_gates() {
    on_sites(async |site| {
        let guest = uploaded(site, &saying(&filter(false, true, &[]), verdict(true, &[]))).await;
        let workspace = site.demo.workspaces[0].id;
        let (operator, mut ids) = (Operator::new(OperatorVia::CommandLine), Ids::seeded("force", NOW));
        let forced = Forced {
            module: Some(guest.parse().unwrap()),
            settings: Some("armed".to_owned()),
            note: Some("because".to_owned()),
            ..Forced::default()
        };
        let large = Forced { settings: Some(" ".repeat(65_537)), ..forced.clone() };
        let refused = site.gate.force_policy(&operator, workspace, large, NOW, &mut ids).await;
        assert!(matches!(refused, Err(Error::TooLarge(_))), "past the gates, and not past the bound: {refused:?}");
        let forced = site.gate.force_policy(&operator, workspace, forced, NOW, &mut ids).await.unwrap();
        let step = last_step(site, site.admin()).await;
        assert_eq!(
            (&step["step"], &step["by"]["kind"], &step["via"]),
            (&json!("activation-forced"), &json!("operator"), &json!("command-line"))
        );
        assert_eq!((&step["note"], &step["version"]), (&json!("because"), &json!(forced.to_string())));
        let (status, answered) = activated(site, ADMINISTRATOR, &guest, "armed").await;
        assert_eq!((status, code(&answered)), (StatusCode::UNPROCESSABLE_ENTITY, "ACTIVATION_REFUSED"), "other settings of what decides");
        assert_eq!(activated(site, ADMINISTRATOR, "standard", "{}").await.0, StatusCode::OK);
        let back = json!({ "to": forced.to_string() });
        let request = site.request(Method::POST, "/v1/policies/rollback").bearer_auth(site.admin()).json(&back);
        let (status, answered) = answer(request).await;
        assert_eq!((status, code(&answered)), (StatusCode::UNPROCESSABLE_ENTITY, "ACTIVATION_REFUSED"), "a roll back");
        assert_eq!(answered["error"]["reasons"][0]["gate"], "agreement");
    });
}

#[test]
fn reasons_are_told_in_the_same_order_however_many_views_a_gate_has() {
    let told = std::sync::Mutex::new(Vec::new());
    for connections in [3, 4, 16] {
        // A quarter of them are for views beside.
        on_sites_with(
            |config| config.limits.database_connections = connections,
            async |site| {
                let reasons = refusals(site, ADMINISTRATOR, &saying(&filter(false, true, &[]), verdict(true, &[]))).await;
                let subjects: BTreeSet<&str> = reasons.iter().filter_map(|(_, text)| text.split_whitespace().nth(2)).collect();
                assert!(subjects.len() > 4, "{reasons:?}");
                told.lock().unwrap().push(reasons);
            },
        );
    }
    let told = told.into_inner().unwrap();
    assert!(told.len() > 2 && told.iter().all(|reasons| *reasons == told[0]), "{told:#?}");
}

#[test]
fn a_token_that_is_limited_locks_nobody_out() {
    on_sites(async |site| {
        let limited = json!({ "query": "mutation { createToken(input: { kind: SERVICE, name: \"deploy\", scopes: [\"policy.activate\"] }) \
            { secret userErrors { message } } }" });
        let (_, made) = answer(site.post(limited.to_string()).bearer_auth(site.admin())).await;
        let token = made["data"]["createToken"]["secret"].as_str().unwrap_or_else(|| panic!("{made}"));
        let seen = list(site).await["active"]["id"].take();
        let body = json!({ "expected": seen, "settings": { "members_see": "self" } });
        let request = site.request(Method::POST, "/v1/policies/standard/activate").bearer_auth(token).json(&body);
        let (status, answered) = answer(request).await;
        assert_eq!(status, StatusCode::OK, "{answered}");
        let step = last_step(site, site.admin()).await;
        assert_eq!((&step["step"], &step["by"]["kind"], &step["via"]), (&json!("settings-changed"), &json!("service"), &json!("http")));
        assert_eq!(step["peer"], "127.0.0.1");
    });
}
