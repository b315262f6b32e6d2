//! A candidate that answers beside the active policy: what it finds, what it may use, and that nobody notices.

use std::{sync::Arc, time::Duration};

use bailiwick::{clock::Clock, ids::Ids};
use directory::{
    access::{Actor, Forced, Gate, Operator, OperatorVia, Origin, ShadowRules, Subject},
    contract::Verdict,
};
use serde_json::{Value as Json, json};
use tests::{Backend, TestHost, host::NOW};
use tokio::task::JoinSet;

use crate::{
    hostile::guest::{Guest, Part},
    writes::stage::{Stage, on_stage},
};

/// Members see nobody but themselves.
const STRICT: &str = "{\"members_see\": \"self\"}";
/// Members see everybody.
const WIDE: &str = "{\"members_see\": \"workspace\"}";
/// Looks for what a shadow found, 20 a second.
const LOOKS: u32 = 600;

const SHADOW: &str = "{ policyShadow { id running note startedBy { userName } stoppedAt policyId settings standardSettings skipped
    activeCalls activeFuel candidateCalls candidateFuel
    actions { action compared gained lost fieldsChanged fields { name hidden shown }
      examples { change subject { userName } object { id } hiddenFields activeReason candidateReason } }
    failures { side action pairs reason } } }";

async fn look(stage: &Stage<'_>, who: &str) -> Json {
    stage.query(who, SHADOW).await["policyShadow"].clone()
}

/// What a shadow found, once it is enough.
pub(crate) async fn until(stage: &Stage<'_>, who: &str, enough: impl Fn(&Json) -> bool) -> Json {
    for _ in 0..LOOKS {
        let shadow = look(stage, who).await;
        if enough(&shadow) {
            return shadow;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not enough came of it: {:#}", look(stage, who).await);
}

/// Lets `standard` decide with other settings.
pub(crate) async fn set(stage: &Stage<'_>, settings: &str) {
    let input = json!({ "expectedVersionId": active(stage).await, "standardSettings": settings });
    stage.done("ada", "updatePolicySettings", input, "").await;
}

async fn start(stage: &Stage<'_>, candidate: Json) -> String {
    let started =
        stage.done("ada", "startPolicyShadow", json!({ "candidate": candidate, "note": "ticket 12" }), "shadow { id running }").await;
    assert_eq!(started["shadow"]["running"], true);
    started["shadow"]["id"].as_str().unwrap().to_owned()
}

/// The line of an action; nothing while it was not compared.
fn line<'a>(shadow: &'a Json, action: &str) -> &'a Json {
    shadow["actions"].as_array().unwrap().iter().find(|line| line["action"] == action).unwrap_or(&Json::Null)
}

fn compared(action: &'static str, least: i64) -> impl Fn(&Json) -> bool {
    move |shadow| line(shadow, action)["compared"].as_i64() >= Some(least)
}

/// A user whom somebody looks up, over and over.
async fn look_up(stage: &Stage<'_>, who: &str, whom: &str, times: usize) {
    let query = "query ($id: ID!) { user(by: { id: $id }) { userName } }";
    for _ in 0..times {
        let seen = stage.host.graphql(stage.token(who), query, json!({ "id": stage.user(whom) })).await;
        assert_eq!(seen["data"]["user"], json!({ "userName": whom }));
    }
}

async fn install(stage: &Stage<'_>, name: &'static str, guest: Guest) -> Json {
    let workspace = stage.world.id.parse().unwrap();
    json!({ "policyId": stage.host.install(workspace, name, guest.component().into()).await.to_string() })
}

#[test]
fn reads_are_compared_and_answered_as_before() {
    on_stage(async |stage| {
        set(stage, WIDE).await;
        let id = start(stage, json!({ "standardSettings": STRICT })).await;
        look_up(stage, "ned", "mia", 3).await;
        look_up(stage, "ned", "ned", 2).await;
        let shadow = until(stage, "ada", compared("user.read", 5)).await;
        assert_eq!((&shadow["id"], &shadow["running"], &shadow["note"]), (&json!(id), &json!(true), &json!("ticket 12")));
        assert_eq!((&shadow["startedBy"]["userName"], &shadow["standardSettings"]), (&json!("ada"), &json!(STRICT)));
        let read = line(&shadow, "user.read");
        assert_eq!((&read["gained"], &read["lost"], &read["fieldsChanged"]), (&json!(0), &json!(3), &json!(0)));
        let example = &read["examples"][0];
        assert_eq!((&example["change"], &example["subject"]["userName"]), (&json!("LOST"), &json!("ned")));
        assert_eq!(example["object"]["id"], stage.user("mia"));
        assert!(example["activeReason"] != example["candidateReason"], "{example}");
        assert_eq!(read["examples"].as_array().unwrap().len(), 1, "of the same two one is enough");
        assert!(shadow["candidateCalls"].as_i64() >= Some(1) && shadow["candidateFuel"].as_i64() > Some(0), "{shadow}");
        assert_eq!((&shadow["skipped"], &shadow["failures"]), (&json!(0), &json!([])));
    });
}

#[test]
fn what_a_list_would_have_besides_is_found_by_drawing() {
    on_stage(async |stage| {
        set(stage, STRICT).await;
        start(stage, json!({ "standardSettings": WIDE })).await;
        let listed = stage.query("ned", "{ users(first: 50) { nodes { userName } } }").await;
        assert_eq!(listed["users"]["nodes"], json!([{ "userName": "ned" }]));
        let gained = |shadow: &Json| line(shadow, "user.read")["gained"].as_i64() > Some(0);
        let shadow = until(stage, "ada", gained).await;
        assert_eq!(line(&shadow, "user.read")["lost"], 0);
    });
}

#[test]
fn whoever_activates_without_pause_keeps_nobody_from_uploading_and_repairing() {
    on_stage(async |stage| {
        // Gates look at this for seconds, and then refuse it.
        let looping = "(loop $again (br $again)) (unreachable)";
        let candidate = install(stage, "loops", Guest::new().armed(Part::Check, looping)).await;
        let input = json!({ "policyId": candidate["policyId"], "settings": "armed", "expectedVersionId": active(stage).await });
        let activate = "mutation ($input: ActivatePolicyInput!) { activatePolicy(input: $input) { userErrors { code } } }";
        let attack = async {
            let mut asking = JoinSet::new();
            for _ in 0..20 {
                let body = json!({ "query": activate, "variables": { "input": input } });
                let request = stage.host.request(stage.token("ada")).json(&body);
                asking.spawn(async { request.send().await.unwrap().json::<Json>().await.unwrap() });
            }
            let own = "2 activations and roll backs of one person or service at once";
            asking.join_all().await.iter().filter(|answer| answer.to_string().contains(own)).count()
        };
        let colleague = async {
            for _ in 0..10 {
                let report = "{ policyTestReport(candidate: { standard: true }) { passed } }";
                let answer = stage.host.graphql(stage.token("sue"), report, json!({})).await;
                assert_eq!((&answer["data"], answer.get("errors")), (&json!({ "policyTestReport": null }), None));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let input = json!({ "expectedVersionId": active(stage).await, "standardSettings": STRICT });
            stage.done("sue", "updatePolicySettings", input, "").await;
        };
        let (turned_away, ()) = tokio::join!(attack, colleague);
        assert!(turned_away >= 15, "{turned_away}");
    });
}

#[test]
fn a_look_over_somebodys_shoulder_is_put_to_no_shadow() {
    on_stage(async |stage| {
        set(stage, STRICT).await;
        start(stage, json!({ "standardSettings": WIDE })).await;
        let list = json!({ "query": "{ groups(first: 5) { nodes { name } } }" });
        for _ in 0..3 {
            let request = stage.host.request(stage.token("ada")).header("bailiwick-view-as", stage.user("ned")).json(&list);
            let answer: Json = request.send().await.unwrap().json().await.unwrap();
            assert_eq!(answer["data"]["groups"]["nodes"], json!([{ "name": "Sales" }, { "name": "North" }]), "{answer}");
        }
        // What is asked later is compared later: this list was put to it, and those were not.
        stage.query("ned", "{ users(first: 5) { nodes { userName } } }").await;
        let shadow = until(stage, "ada", compared("user.read", 1)).await;
        for action in ["group.read", "role.read", "grant.read"] {
            assert_eq!(line(&shadow, action), &Json::Null, "{action}: {shadow:#}");
        }
    });
}

#[test]
fn what_is_active_is_no_shadow_of_itself() {
    on_stage(async |stage| {
        set(stage, WIDE).await;
        for candidate in [json!({}), json!({ "standard": true, "standardSettings": WIDE })] {
            let refused = stage.ask("ada", "startPolicyShadow", json!({ "candidate": candidate }), "shadow { id }").await;
            let message = refused["userErrors"][0]["message"].as_str().unwrap();
            assert!(refused["shadow"].is_null() && message.contains("the candidate is what is active"), "{refused}");
        }
        assert_eq!(look(stage, "ada").await, Json::Null);
    });
}

#[test]
fn writes_are_put_to_the_candidate_as_they_were() {
    on_stage(async |stage| {
        let mut guest = Guest::new().describing(|manifest| {
            manifest.decides = vec!["group.create".to_owned(), "user.update".to_owned()];
            manifest.otherwise = "standard".to_owned();
        });
        let denied = guest.table(&[Verdict { reason: "not today".to_owned(), ..Verdict::default() }]);
        start(stage, install(stage, "no-writes", guest.with(Part::Check, &denied)).await).await;
        let title = json!({ "userId": stage.user("ned"), "title": "Clerk" });
        stage.done("ada", "updateUser", title, "user { id }").await;
        let created = stage.done("ada", "createGroup", json!({ "name": "West" }), "group { id name }").await;
        assert_eq!(created["group"]["name"], "West");
        let shadow = until(stage, "ada", |shadow| compared("user.update", 1)(shadow) && compared("group.create", 1)(shadow)).await;
        let update = line(&shadow, "user.update");
        assert_eq!((&update["compared"], &update["lost"]), (&json!(1), &json!(1)));
        let example = &update["examples"][0];
        assert_eq!((&example["candidateReason"], &example["object"]["id"]), (&json!("not today"), &json!(stage.user("ned"))));
        assert_eq!(line(&shadow, "group.create")["lost"], 1);
        // What it leaves to `standard` is as it was.
        stage.done("ada", "suspendUser", json!({ "userId": stage.user("ned") }), "").await;
        let shadow = until(stage, "ada", compared("user.suspend", 1)).await;
        assert_eq!(line(&shadow, "user.suspend")["lost"], 0);
    });
}

#[test]
fn a_candidate_that_fails_is_told_of_and_hurts_nobody() {
    on_stage(async |stage| {
        set(stage, WIDE).await;
        let mut candidate = install(stage, "traps", Guest::new().armed(Part::Check, "unreachable")).await;
        candidate["settings"] = "armed".into();
        start(stage, candidate).await;
        look_up(stage, "ned", "mia", 30).await;
        let failed = |shadow: &Json| shadow["failures"].as_array().unwrap().iter().any(|failure| failure["pairs"].as_i64() >= Some(5));
        let shadow = until(stage, "ada", failed).await;
        let failure = &shadow["failures"][0];
        assert_eq!((&failure["side"], &failure["action"]), (&json!("CANDIDATE"), &json!("user.read")));
        assert!(!failure["reason"].as_str().unwrap().is_empty());
        assert_eq!(line(&shadow, "user.read"), &Json::Null, "nothing was compared");
        let history = stage.query("ada", "{ policyHistory(first: 1) { nodes { kind } } }").await;
        assert_eq!(history["policyHistory"]["nodes"][0]["kind"], "SHADOW_STARTED", "nothing was rolled back");
    });
}

#[test]
fn a_shadow_uses_no_more_than_its_budget() {
    on_stage(async |stage| {
        set(stage, WIDE).await;
        let id = start(stage, json!({ "standardSettings": STRICT })).await;
        // A server of its own, on which nobody but this test asks, and a budget of less than one question a day.
        let (store, engine) = (stage.host.gate().store().clone(), stage.host.gate().engine().clone());
        let gate = Gate::new(store, engine, bailiwick::wiring::standard()).with_shadows(ShadowRules { fuel_a_second: 1 });
        let gate = Arc::new(gate);
        let worker = gate.clone();
        let mut working = JoinSet::new();
        working.spawn(async move { worker.keep_shadows(|| Clock::system().now()).await });
        let [ned, mia] = ["ned", "mia"].map(|name| stage.user(name).parse().unwrap());
        let subject = Subject {
            workspace: stage.world.id.parse().unwrap(),
            actor: Actor::User(ned),
            scopes: None,
            expires_at: None,
            origin: Origin::within("graphql"),
        };
        let ask = async || {
            let directory = gate.open(subject.clone(), Clock::system().now()).await.unwrap();
            assert!(directory.users(&[mia]).await.unwrap()[0].is_some());
        };
        ask().await;
        // What is asked before the first answer was paid for would wait with it, however much that is.
        until(stage, "ada", |shadow| line(shadow, "user.read")["lost"] == 1).await;
        for _ in 1..20 {
            ask().await;
        }
        // A worker that did not mind what it owes would ask on.
        tokio::time::sleep(Duration::from_millis(500)).await;
        working.shutdown().await;
        gate.flush_shadows().await;
        // Whoever looks asks, too.
        stage.done("ada", "stopPolicyShadow", json!({ "shadowId": id }), "").await;
        // Of ned's questions one was asked, one waits for days, and the others were too many. The other server asks about ada only.
        let shadow = look(stage, "ada").await;
        assert_eq!((&shadow["skipped"], &line(&shadow, "user.read")["lost"]), (&json!(18), &json!(1)));
    });
}

#[test]
fn examples_are_of_whom_and_what_the_asker_sees() {
    on_stage(async |stage| {
        set(stage, WIDE).await;
        start(stage, json!({ "standardSettings": STRICT })).await;
        look_up(stage, "ned", "mia", 2).await;
        // Whoever looks is compared, too.
        until(stage, "ada", |shadow| line(shadow, "user.read")["lost"].as_i64() >= Some(2)).await;
        stage.give("eve", &["policy.explain", "policy.read"], None).await;
        // What it found stays, and is told as each reader may know it by now.
        set(stage, STRICT).await;
        let shadow = look(stage, "eve").await;
        let read = line(&shadow, "user.read");
        assert_eq!((&read["lost"], &read["examples"]), (&json!(2), &json!([])));
    });
}

#[test]
fn a_shadow_is_started_and_stopped_by_whoever_may_activate() {
    on_stage(async |stage| {
        let strict = json!({ "candidate": { "standardSettings": STRICT } });
        assert_eq!(look(stage, "ada").await, Json::Null);
        for (who, mutation, input) in [
            ("mia", "startPolicyShadow", strict.clone()),
            ("mia", "stopPolicyShadow", json!({ "shadowId": "shd_00000000000000000000000000000000" })),
        ] {
            let refused = stage.ask(who, mutation, input, "shadow { id }").await;
            assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN", "{refused}");
        }
        let unseen = stage.host.graphql(stage.token("mia"), SHADOW, json!({})).await;
        assert_eq!(unseen["errors"][0]["extensions"]["code"], "FORBIDDEN");
        let wrong = stage.ask("ada", "startPolicyShadow", json!({ "candidate": { "standardSettings": "{\"x\":1}" } }), "").await;
        assert_eq!(wrong["userErrors"][0]["code"], "INVALID", "{wrong}");

        let id = start(stage, json!({ "standardSettings": STRICT })).await;
        let second = stage.ask("sue", "startPolicyShadow", strict.clone(), "shadow { id }").await;
        assert!(second["userErrors"][0]["message"].as_str().unwrap().contains("stop it first"), "{second}");
        let stopped = stage.done("sue", "stopPolicyShadow", json!({ "shadowId": id }), "shadow { running stoppedAt }").await;
        assert_eq!(stopped["shadow"]["running"], false);
        assert!(stopped["shadow"]["stoppedAt"].is_string());
        let again = stage.ask("sue", "stopPolicyShadow", json!({ "shadowId": id }), "").await;
        assert_eq!(again["userErrors"][0]["code"], "NOT_FOUND");
        let history = stage.query("ada", "{ policyHistory(first: 2) { nodes { kind note user { userName } reasons { message } } } }").await;
        let nodes = &history["policyHistory"]["nodes"];
        assert_eq!((&nodes[0]["kind"], &nodes[0]["user"]["userName"]), (&json!("SHADOW_STOPPED"), &json!("sue")));
        assert!(nodes[0]["reasons"][0]["message"].as_str().unwrap().contains("rows were compared"), "{nodes}");
        assert_eq!((&nodes[1]["kind"], &nodes[1]["note"]), (&json!("SHADOW_STARTED"), &json!("ticket 12")));
    });
}

#[test]
fn a_shadow_ends_with_the_version_that_it_stands_beside() {
    on_stage(async |stage| {
        set(stage, WIDE).await;
        start(stage, json!({ "standardSettings": STRICT })).await;
        look_up(stage, "ned", "mia", 1).await;
        until(stage, "ada", compared("user.read", 1)).await;
        set(stage, STRICT).await;
        let shadow = look(stage, "ada").await;
        assert_eq!(shadow["running"], false);
        assert!(shadow["stoppedAt"].is_string(), "{shadow}");
        assert_eq!(line(&shadow, "user.read")["lost"], 1, "what it found stays");
        let history = stage.query("ada", "{ policyHistory(first: 2) { nodes { kind note user { userName } reasons { message } } } }").await;
        let nodes = &history["policyHistory"]["nodes"];
        assert_eq!((&nodes[0]["kind"], &nodes[1]["kind"]), (&json!("SETTINGS_CHANGED"), &json!("SHADOW_STOPPED")));
        assert_eq!(nodes[1]["user"]["userName"], "ada");
        assert_eq!(nodes[1]["reasons"][0]["message"], "the version that it stood beside is no longer active");
        start(stage, json!({ "standardSettings": "{}" })).await;
        assert_eq!(look(stage, "ada").await["actions"], json!([]), "another one begins with nothing");
    });
}

#[test]
fn what_the_operator_forces_ends_a_shadow_in_the_operators_name() {
    on_stage(async |stage| {
        let candidate = install(stage, "candidate", Guest::new()).await;
        start(stage, candidate.clone()).await;
        let (operator, mut ids) = (Operator::new(OperatorVia::CommandLine), Ids::seeded("shadow", NOW));
        let forced = Forced { standard_settings: Some(STRICT.to_owned()), note: Some("ticket 13".to_owned()), ..Forced::default() };
        stage.host.gate().force_policy(&operator, stage.world.id.parse().unwrap(), forced, NOW, &mut ids).await.unwrap();
        let shadow = look(stage, "ada").await;
        assert_eq!((&shadow["running"], &shadow["policyId"]), (&json!(false), &candidate["policyId"]));
        let history = stage.query("ada", "{ policyHistory(first: 2) { nodes { kind note via author policyId policyVersionId } } }").await;
        let nodes = &history["policyHistory"]["nodes"];
        assert_eq!((&nodes[0]["kind"], &nodes[0]["note"]), (&json!("ACTIVATION_FORCED"), &json!("ticket 13")));
        let ended = json!({
            "kind": "SHADOW_STOPPED", "note": null, "via": "command-line", "author": "OPERATOR", "policyId": candidate["policyId"],
            "policyVersionId": null
        });
        assert_eq!(nodes[1], ended);
    });
}

#[test]
fn of_several_hosts_each_shades_what_it_is_asked() {
    on_stage(async |stage| {
        if stage.host.backend != Backend::Postgres {
            return;
        }
        set(stage, WIDE).await;
        let other = stage.host.beside("other").await;
        start(stage, json!({ "standardSettings": STRICT })).await;
        let ask = async |host: &TestHost| {
            let query = format!("{{ user(by: {{ id: \"{}\" }}) {{ userName }} }}", stage.user("mia"));
            let seen = host.graphql(stage.token("ned"), &query, Json::Null).await;
            assert_eq!(seen["data"]["user"]["userName"], "mia");
        };
        for _ in 0..20 {
            tokio::join!(ask(stage.host), ask(&other));
        }
        let shadow = until(stage, "ada", |shadow| line(shadow, "user.read")["lost"].as_i64() >= Some(40)).await;
        assert_eq!((&line(&shadow, "user.read")["lost"], &shadow["skipped"]), (&json!(40), &json!(0)), "once each: {shadow}");
        assert_eq!(line(&shadow, "user.read")["examples"].as_array().unwrap().len(), 1, "the same two are told of once: {shadow}");
        other.stop().await;
    });
}

#[test]
fn what_a_shadow_found_is_added_only_after_whoever_changes_what_decides() {
    on_stage(async |stage| {
        if stage.host.backend != Backend::Postgres {
            return;
        }
        set(stage, WIDE).await;
        start(stage, json!({ "standardSettings": STRICT })).await;
        let stored = stage.host.stored();
        let mut held = stored.hold(stage.world.id.parse().unwrap()).await;
        look_up(stage, "ned", "mia", 1).await;
        let mut looks = 0;
        while held.waiting().await == 0 {
            assert!(looks < LOOKS, "nothing waits");
            looks += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(held.takes_shadow().await, "whoever has the workspace is never kept from its shadow, or both would wait for good");
        held.release().await;
        until(stage, "ada", compared("user.read", 1)).await;
    });
}

async fn active(stage: &Stage<'_>) -> Json {
    stage.query("ada", "{ workspace { policy { id } } }").await["workspace"]["policy"]["id"].clone()
}

#[test]
fn a_workspace_does_so_much_long_work_at_once_and_its_neighbour_waits_for_nobody() {
    on_stage(async |stage| {
        let other = Stage::named(stage.host, "neighbour").await;
        // Each row costs a second or so, under these settings.
        let looping = "(loop $again (br $again)) (unreachable)";
        let mut candidate = install(stage, "loops", Guest::new().armed(Part::Check, looping)).await;
        candidate["settings"] = "armed".into();
        let input = json!({ "candidate": candidate });
        let compare = "query ($input: ComparePoliciesInput!) { comparePolicies(input: $input) { done } }";
        let attack = async || {
            let mut asking = JoinSet::new();
            for _ in 0..40 {
                let body = json!({ "query": compare, "variables": { "input": input } });
                let request = stage.host.request(stage.token("ada")).json(&body);
                asking.spawn(async { request.send().await.unwrap().json::<Json>().await.unwrap() });
            }
            let answers = asking.join_all().await;
            answers.iter().filter(|answer| answer["errors"][0]["extensions"]["code"] == "POLICY_UNAVAILABLE").count()
        };
        let neighbour = async || {
            for _ in 0..20 {
                look_up(&other, "mia", "ned", 1).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // A colleague, too, who does what takes a place among the same requests.
        let colleague = async {
            for _ in 0..20 {
                let report = "{ policyTestReport(candidate: { standard: true }) { passed } }";
                let answer = stage.host.graphql(stage.token("sue"), report, json!({})).await;
                assert_eq!((&answer["data"], answer.get("errors")), (&json!({ "policyTestReport": null }), None));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let (turned_away, (), ()) = tokio::join!(attack(), neighbour(), colleague);
        assert!(turned_away >= 30, "{turned_away}");
        // When they are done, others may begin.
        let done = stage.host.graphql(stage.token("ada"), compare, json!({ "input": { "candidate": { "standard": true } } })).await;
        assert!(done["data"]["comparePolicies"]["done"].as_i64() > Some(0), "{done}");
    });
}
