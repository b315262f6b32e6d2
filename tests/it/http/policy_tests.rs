//! `/v1/policies/tests`: policy tests are kept with the workspace, run on uploads, and are a gate of every activation.

use std::cell::Cell;

use bailiwick::wiring;
use directory::access::TestRun;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value as Json, json};
use tests::on_each_database;

use super::site::{Site, answer, code, on_site, on_sites, production};
use crate::writes::stage::Stage;

/// Two people of whom nobody sees anybody else; what `need-to-know` and `standard` both say of them.
const STRANGERS: &str = "people = { ada = {}, bob = {} }\nlists.ada.user = 'ada'\n";
/// Two people of one group, who see each other: under `standard` they do, and under `need-to-know` they do not.
const PEERS: &str = "groups = ['x']\npeople = { ada.groups = 'x', bob.groups = 'x' }\nlists.ada.user = ['ada', 'bob']\n";

fn tests(site: &Site) -> RequestBuilder {
    site.request(Method::GET, "/v1/policies/tests").bearer_auth(site.admin())
}

fn set(site: &Site, expected: i64, text: &str) -> RequestBuilder {
    let request = site.request(Method::PUT, &format!("/v1/policies/tests?expected={expected}"));
    request.header(header::CONTENT_TYPE, "application/toml").bearer_auth(site.admin()).body(text.to_owned())
}

fn upload(site: &Site, bytes: impl Into<reqwest::Body>) -> RequestBuilder {
    let request = site.request(Method::PUT, "/v1/policies").header(header::CONTENT_TYPE, "application/wasm");
    request.bearer_auth(site.admin()).body(bytes)
}

fn send(site: &Site, method: Method, path: &str, body: &Json) -> RequestBuilder {
    site.request(method, &format!("/v1/policies{path}")).bearer_auth(site.admin()).json(body)
}

async fn done(request: RequestBuilder) -> Json {
    let (status, body) = answer(request).await;
    assert!(status.is_success(), "{status} {body}");
    body
}

/// The reasons of an activation that the tests alone refuse.
async fn refused(request: RequestBuilder) -> String {
    let (status, body) = answer(request).await;
    assert_eq!((status, code(&body)), (StatusCode::UNPROCESSABLE_ENTITY, "ACTIVATION_REFUSED"), "{body}");
    let reasons = body["error"]["reasons"].as_array().unwrap();
    assert!(reasons.iter().all(|reason| reason["gate"] == "tests"), "{body}");
    reasons.iter().map(|reason| reason["text"].as_str().unwrap()).collect::<Vec<_>>().join("; ")
}

/// The latest step of the history, with its reasons.
async fn last_step(site: &Site) -> (String, String) {
    let mut history = done(site.request(Method::GET, "/v1/policies/history").bearer_auth(site.admin())).await;
    let step = history["steps"][0].take();
    let reasons = step["reasons"].as_array().unwrap().iter().map(|reason| reason["text"].as_str().unwrap()).collect::<Vec<_>>();
    (step["step"].as_str().unwrap().to_owned(), reasons.join("; "))
}

async fn active(site: &Site) -> Json {
    done(site.request(Method::GET, "/v1/policies").bearer_auth(site.admin())).await["active"].take()
}

#[test]
fn tests_are_kept_replaced_and_removed() {
    on_sites(async |site| {
        let none = json!({ "text": "", "version": 0, "changedBy": null, "changedAt": null });
        assert_eq!(done(tests(site)).await, none);
        assert_eq!(done(set(site, 0, "")).await, json!({ "version": 0, "expectations": 0 }), "none again is no change");
        let history = done(site.request(Method::GET, "/v1/policies/history").bearer_auth(site.admin())).await;
        assert_eq!(history["steps"], json!([]));
        assert_eq!(done(set(site, 0, STRANGERS)).await, json!({ "version": 1, "expectations": 1 }));
        assert_eq!(done(set(site, 1, STRANGERS)).await, json!({ "version": 1, "expectations": 1 }), "and neither is the same text");
        let kept = done(tests(site)).await;
        assert_eq!((&kept["text"], &kept["version"]), (&json!(STRANGERS), &json!(1)));
        let step = |what: &str| ("tests-replaced".to_owned(), what.to_owned());
        assert_eq!(last_step(site).await, step("the tests have one expectation"));
        let amara = site.demo.workspaces[0].people.iter().find(|person| person.name == "Amara Okafor").unwrap();
        assert_eq!((&kept["changedBy"], &kept["changedAt"]), (&json!(amara.id.to_string()), &json!("2025-01-01T12:00:00.000000Z")));

        for stale in [0, 2] {
            let (status, body) = answer(set(site, stale, PEERS)).await;
            assert_eq!((status, code(&body)), (StatusCode::PRECONDITION_FAILED, "STALE"), "{body}");
        }
        assert_eq!(done(set(site, 1, PEERS)).await["version"], 2);
        assert_eq!(done(set(site, 2, " \n")).await, json!({ "version": 3, "expectations": 0 }));
        assert_eq!(last_step(site).await, step("the tests were removed"), "what is refused is no step");
        let removed = done(tests(site)).await;
        assert_eq!((&removed["text"], &removed["version"]), (&json!(""), &json!(3)), "a version never comes again");
        assert_eq!(done(set(site, 3, STRANGERS)).await["version"], 4);
    });
}

#[test]
fn bad_tests_are_refused_whole_and_nothing_is_kept_of_them() {
    on_sites(async |site| {
        let request = |query: &str, media: &'static str, body: Vec<u8>| {
            let request = site.request(Method::PUT, &format!("/v1/policies/tests{query}"));
            request.header(header::CONTENT_TYPE, media).bearer_auth(site.admin()).body(body)
        };
        let toml = "application/toml";
        let text = || STRANGERS.as_bytes().to_vec();
        let large = |bytes: usize| format!("{STRANGERS}#{}", "x".repeat(bytes - STRANGERS.len() - 1)).into_bytes();
        for (query, media, body, status, says) in [
            ("?expected=0", toml, b"people.ada = 1\nlists.bob.usr = 1\n".to_vec(), 400, "line 1: person `ada` is a number"),
            ("?expected=0", toml, b"x =".to_vec(), 400, "line 1: the file is no TOML: it ends too soon"),
            ("?expected=0", toml, b"\xff".to_vec(), 400, "not UTF-8 from byte 0"),
            ("?expected=0", toml, large(262_145), 413, "more than 262144 bytes"),
            ("?expected=0", "application/json", text(), 415, "send it as `application/toml`"),
            ("?expected=x", toml, text(), 400, "`expected` is missing, or no version"),
            ("?expected=-1", toml, text(), 400, "`expected` is missing, or no version"),
            ("", toml, text(), 400, "`expected` is missing, or no version"),
            ("?note=x", toml, text(), 400, "parameter `note` is not expected"),
        ] {
            let (found, refused) = answer(request(query, media, body)).await;
            let message = refused["error"]["message"].as_str().unwrap();
            assert!(found.as_u16() == status && message.contains(says), "{query} {media}: {found} {message}");
        }
        let (_, refused) = answer(set(site, 0, "people.ada = 1\nlists.bob.usr = 1\n")).await;
        assert!(refused["error"]["message"].as_str().unwrap().contains("; line 2: "), "every mistake at once: {refused}");
        assert_eq!(done(tests(site)).await["version"], 0);
        assert_eq!(done(request("?expected=0", toml, large(262_144))).await["version"], 1);
    });
}

#[test]
fn an_activation_is_refused_until_the_tests_are_met() {
    on_sites(async |site| {
        done(set(site, 0, PEERS)).await;
        let before = active(site).await;
        let uploaded = done(upload(site, wiring::need_to_know().bytes.to_vec())).await;
        assert_eq!(
            (&uploaded["status"], &uploaded["tests"]["passed"], &uploaded["tests"]["failed"]),
            (&json!("validated"), &json!(0), &json!(1))
        );
        assert_eq!(uploaded["tests"]["failures"][0]["found"]["shows"], json!(["ada"]));
        assert_eq!(uploaded["tests"]["unfinished"], Json::Null);
        let (step, why) = last_step(site).await;
        assert!(step == "tested" && why.starts_with("1 of 1 expectations are not met"), "{step}: {why}");

        let path = format!("/{}/activate", uploaded["id"].as_str().unwrap());
        let message = refused(send(site, Method::POST, &path, &json!({ "expected": before["id"] }))).await;
        assert!(
            message.contains("1 of 1 expectations are not met") && message.contains("line 3: ada user.read list of each user"),
            "{message}"
        );
        assert_eq!(last_step(site).await, ("activation-refused".to_owned(), message));
        let narrow = json!({ "expected": before["id"], "standardSettings": { "members_see": "self" } });
        refused(send(site, Method::PUT, "/settings", &narrow)).await;
        assert_eq!(active(site).await, before, "a refused activation changes nothing");

        // Other tests, and the same activation goes through.
        done(set(site, 1, STRANGERS)).await;
        assert_eq!(done(upload(site, wiring::need_to_know().bytes.to_vec())).await["tests"]["passed"], 1);
        assert_eq!(last_step(site).await, ("tested".to_owned(), "all of 1 expectations are met".to_owned()));
        done(send(site, Method::POST, &path, &json!({ "expected": before["id"] }))).await;
        // Going back is an activation like any other.
        done(set(site, 2, &PEERS.replace("['ada', 'bob']", "'ada'"))).await;
        let message = refused(send(site, Method::POST, "/rollback", &json!({}))).await;
        assert!(message.contains("found shows ada, bob"), "{message}");
        done(set(site, 3, "")).await;
        done(send(site, Method::POST, "/rollback", &json!({}))).await;
        assert_eq!(active(site).await["module"], "standard");
    });
}

#[test]
fn tests_that_are_replaced_without_pause_hold_no_activation_up() {
    const ACTIVATIONS: usize = 8;
    on_sites(async |site| {
        let (site, over) = (&*site, Cell::new(false));
        let replacing = async {
            let mut version = 0;
            while !over.get() {
                let text = format!("# after {version}\n{STRANGERS}");
                let (status, body) = answer(set(site, version, &text)).await;
                // Whoever waits for long is turned away.
                assert!(status.is_success() || code(&body) == "POLICY_UNAVAILABLE", "{status} {body}");
                version = body["version"].as_i64().unwrap_or(version);
            }
            version
        };
        let activating = async {
            for sees in ["self", "groups"].into_iter().cycle().take(ACTIVATIONS) {
                let settings = json!({ "expected": "standard", "standardSettings": { "members_see": sees } });
                let (status, body) = answer(send(site, Method::PUT, "/settings", &settings)).await;
                assert!(status.is_success(), "{status} {body}");
            }
            over.set(true);
        };
        let (replaced, ()) = tokio::join!(replacing, activating);
        assert!(replaced > 1, "nor does an activation keep the tests");

        // An activation that takes long has them wait, and not for ever.
        let workspace = site.demo.workspaces[0].id;
        let stay = site.gate.keep_tests(workspace).await;
        let ask = async || answer(set(site, replaced, "")).await;
        let (one, two, three, four) = tokio::join!(ask(), ask(), ask(), ask());
        let mut told = [one, two, three, four].map(|(status, body)| {
            assert_eq!((status, code(&body)), (StatusCode::SERVICE_UNAVAILABLE, "POLICY_UNAVAILABLE"), "{body}");
            let message = body["error"]["message"].as_str().unwrap();
            ["no other policy tests while activations rest on these", "3 replacements of its policy tests of one person"]
                .map(|rule| message.contains(rule))
        });
        told.sort_unstable();
        let (waited, turned_away) = ([true, false], [false, true]);
        assert_eq!(told, [turned_away, waited, waited, waited], "one person has three that wait");
        let (status, body) = answer(set(site, replaced - 1, "")).await;
        assert_eq!((status, code(&body)), (StatusCode::PRECONDITION_FAILED, "STALE"), "nobody waits for what is stale: {body}");
        drop(stay);
        assert_eq!(done(set(site, replaced, "")).await["version"], replaced + 1);
    });
}

#[test]
fn what_the_file_insists_on_the_module_has_to_accept() {
    on_site(production, async |site| {
        let settings = format!("settings.contact_fields = ['nothing']\n{STRANGERS}");
        done(set(site, 0, &settings)).await;
        let uploaded = done(upload(site, wiring::need_to_know().bytes.to_vec())).await;
        assert!(uploaded["tests"]["unfinished"].as_str().unwrap().contains("refuses the `settings`"), "{uploaded}");
        let path = format!("/{}/activate", uploaded["id"].as_str().unwrap());
        refused(send(site, Method::POST, &path, &json!({ "expected": "standard" }))).await;

        let (status, rejected) = answer(upload(site, "no module")).await;
        assert_eq!((status, &rejected["tests"]), (StatusCode::UNPROCESSABLE_ENTITY, &Json::Null), "what is rejected is not tried");
    });
}

#[test]
fn tests_are_for_whoever_may_read_and_upload() {
    on_site(production, async |site| {
        for token in [site.member(), &site.demo.operator_token] {
            for request in [tests(site), set(site, 0, STRANGERS)] {
                let mut request = request.build().unwrap();
                request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
                let response = site.client.execute(request).await.unwrap();
                assert_eq!(response.status(), StatusCode::FORBIDDEN);
            }
        }
        let (status, _) = answer(site.request(Method::GET, "/v1/policies/tests")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(done(tests(site)).await["version"], 0);
    });
}

/// The gate itself, for what has no page: a run on any module, the operator's way past, and a server that runs no tests.
#[test]
fn the_gate_runs_tests_and_lets_the_operator_past_them() {
    on_each_database(async |host| {
        let stage = Stage::set(host).await;
        let workspace = stage.world.id.parse().unwrap();
        let asker = tests::naive::policy::Asker::person(0);
        let directory = async || host.directory(&stage.world, &asker).await;
        let run = async |module, standard_settings: Option<&str>| {
            let run = TestRun { module, settings: None, standard_settings: standard_settings.map(str::to_owned) };
            directory().await.run_policy_tests(run).await
        };
        assert_eq!(run(None, None).await.unwrap(), None, "there are none");
        let version = directory().await.policy_tests().await.unwrap().version;
        directory().await.set_policy_tests(version, PEERS).await.unwrap();
        assert!(run(None, None).await.unwrap().unwrap().is_passed());
        let narrow = Some(r#"{"members_see": "self"}"#);
        assert_eq!(run(None, narrow).await.unwrap().unwrap().failed, 1);
        assert!(matches!(run(None, Some("x")).await, Err(directory::Error::Invalid(_))));
        let module = host.install(workspace, "need-to-know", wiring::need_to_know().bytes).await;
        assert_eq!(run(Some(module), None).await.unwrap().unwrap().failed, 1);
        let nobody = tests::naive::policy::Asker::person(3);
        let forbidden = host.directory(&stage.world, &nobody).await.policy_tests().await;
        assert!(matches!(forbidden, Err(directory::Error::Forbidden { .. })), "{forbidden:?}");

        let objections = async |settings| host.gate().objections(workspace, module, settings).await.unwrap();
        assert_eq!(objections("").await, Vec::<String>::new());
        let told = objections("{\"no\": 1}").await;
        assert!(told.len() == 1 && told[0].contains("`no`"), "the operator is told, and may all the same: {told:?}");
        host.force(workspace, Some(module), String::new()).await;
        assert_eq!(directory().await.policy_version().module, Some(module), "the operator is not asked for tests");

        // Whoever can not run them does not take them as passed.
        let gate = std::sync::Arc::new(directory::access::Gate::new(
            host.gate().store().clone(),
            host.gate().engine().clone(),
            wiring::standard(),
        ));
        let closed = gate.open(directory().await.subject().clone(), tests::host::NOW).await.unwrap();
        let mut ids = bailiwick::ids::Ids::random(bailiwick::clock::Clock::system());
        let refused = closed.roll_back_policy(None, None, &mut ids).await;
        let Err(directory::Error::Gates(reasons)) = &refused else { panic!("{refused:?}") };
        assert!(reasons.len() == 1 && reasons[0].text.contains("runs no policy tests"), "{reasons:?}");
        let unchecked = closed.set_policy_tests(directory::model::Version(1), STRANGERS).await;
        assert!(matches!(unchecked, Err(directory::Error::Refused(_))), "{unchecked:?}");
    });
}
