//! Explaining the policy: the decision log, single answers, who could, and looking as somebody else.

use std::{sync::Arc, time::Duration};

use bailiwick::wiring;
use directory::{
    access::{Ask, Gate, LogSettings},
    contract::{RowFilter, Verdict},
    decisions::{DecisionFilter, DecisionOrder, Outcome},
    query::{Order, Window},
    store::AmongUsers,
};
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use tests::{Backend, host::NOW, naive::policy::Asker};

use crate::{
    hostile::guest::{Guest, Part},
    writes::stage::{Stage, on_stage},
};

const ENTRIES: &str = "query ($filter: DecisionFilterInput, $first: Int, $after: String) {
  decisions(filter: $filter, first: $first, after: $after) {
    nodes {
      number at user { userName } serviceId via purpose action objectIds rows outcome withheldFields fields reason
      policyVersionId digest factsDigest fuel weight
    }
    hasNextPage endCursor firstNumber lastNumber
  }
}";

async fn log(stage: &Stage<'_>, who: &str, filter: Json) -> Vec<Json> {
    let answer = stage.host.graphql(stage.token(who), ENTRIES, json!({ "filter": filter, "first": 100 })).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer["data"]["decisions"]["nodes"].as_array().unwrap().clone()
}

/// Gives somebody leave to explain the policy, and nothing else.
async fn let_explain(stage: &Stage<'_>, who: &str) {
    let input = json!({ "key": "explainer", "name": "Explainer", "permissions": ["policy.explain"] });
    let role = stage.ask("ada", "createRole", input, "role { id }").await["role"]["id"].clone();
    assert!(role.is_string());
    let grants = json!({ "grants": [{ "userId": stage.user(who), "roleId": role }] });
    let done = stage.ask("ada", "addGrants", grants, "grants { id }").await;
    assert_eq!(done["userErrors"], json!([]));
}

#[test]
fn every_write_is_recorded_and_so_is_every_refusal() {
    on_stage(async |stage| {
        let ned = stage.user("ned");
        let suspended = stage.ask("ada", "suspendUser", json!({ "userId": ned }), "user { id }").await;
        assert_eq!(suspended["userErrors"], json!([]));
        let entries = log(stage, "ada", json!({ "action": "user.suspend" })).await;
        let misspelled = stage.host.graphql(stage.token("ada"), ENTRIES, json!({ "filter": { "action": "user.suspended" } })).await;
        assert_eq!(misspelled["errors"][0]["message"], "`user.suspended` is no action; the register in the docs lists them");
        let [entry] = entries.as_slice() else { panic!("{entries:#?}") };
        assert_eq!(entry["user"]["userName"], "ada");
        assert_eq!((&entry["purpose"], &entry["outcome"], &entry["weight"]), (&json!("WRITE"), &json!("ALLOWED"), &json!(1)));
        assert_eq!((&entry["objectIds"], &entry["rows"]), (&json!([ned]), &json!(1)));
        assert_eq!(entry["digest"], wiring::standard().digest.to_string());
        assert!(entry["fuel"].as_i64().unwrap() > 0 && entry["factsDigest"].as_str().unwrap().len() == 64);
        assert_eq!(entry["at"], "2025-01-01T12:00:00.000000Z");

        let sam = stage.user("sam");
        let refused = stage.ask("hal", "updateUser", json!({ "userId": sam, "exclusive": true, "title": "Boss" }), "user { id }").await;
        assert_eq!(refused["userErrors"], json!([]), "hal may update whoever is below sales");
        let fields = log(stage, "ada", json!({ "action": "user.update" })).await;
        assert_eq!((&fields[0]["fields"], &fields[0]["user"]["userName"]), (&json!(["title", "exclusive"]), &json!("hal")));

        let refused = stage.ask("eve", "updateUser", json!({ "userId": stage.user("eve"), "displayName": "Eve" }), "user { id }").await;
        assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN");
        let denied = log(stage, "ada", json!({ "outcome": "DENIED", "purpose": "WRITE" })).await;
        let [entry] = denied.as_slice() else { panic!("{denied:#?}") };
        assert_eq!((&entry["user"]["userName"], &entry["action"]), (&json!("eve"), &json!("user.update")));
        assert!(refused["userErrors"][0]["message"].as_str().unwrap().contains(entry["reason"].as_str().unwrap()));

        // A bulk is one entry for all that is answered alike.
        let members = json!({ "groupId": stage.group("support"), "members": [{ "userId": sam }, { "userId": ned }] });
        let added = stage.ask("ada", "addGroupMembers", members, "memberships { id }").await;
        assert_eq!(added["userErrors"], json!([]));
        let entries = log(stage, "ada", json!({ "action": "membership.add" })).await;
        let ids: Vec<&Json> = added["memberships"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
        assert_eq!((entries.len(), &entries[0]["rows"], &entries[0]["objectIds"]), (1, &json!(2), &json!(ids)));
        let by_object = log(stage, "ada", json!({ "objectId": ids[1] })).await;
        assert_eq!(by_object, entries, "an entry is found by each of its objects");
        let by_subject = log(stage, "ada", json!({ "subjectId": stage.user("eve") })).await;
        assert_eq!(by_subject, denied);
        let none = log(stage, "ada", json!({ "until": "2025-01-01T12:00:00Z" })).await;
        assert_eq!(none, Vec::<Json>::new());
    });
}

#[test]
fn a_write_that_does_not_happen_leaves_no_allowance_behind() {
    on_stage(async |stage| {
        let before = log(stage, "ada", json!({})).await.len();
        let taken = stage.ask("ada", "createGroup", json!({ "name": "Again", "key": "sales" }), "group { id }").await;
        assert_eq!(taken["userErrors"][0]["code"], "TAKEN");
        assert_eq!(log(stage, "ada", json!({})).await.len(), before);
    });
}

#[test]
fn the_log_is_for_whoever_may_explain_and_hides_what_they_may_not_see() {
    on_stage(async |stage| {
        let answer = stage.host.graphql(stage.token("hal"), ENTRIES, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
        assert_eq!(answer["data"]["decisions"], Json::Null);
        stage.ask("ada", "suspendUser", json!({ "userId": stage.user("sam") }), "user { id }").await;
        let_explain(stage, "eve").await;
        let entries = log(stage, "eve", json!({ "action": "user.suspend" })).await;
        let [entry] = entries.as_slice() else { panic!("{entries:#?}") };
        assert_eq!((&entry["user"], &entry["objectIds"], &entry["rows"]), (&Json::Null, &json!([]), &json!(1)));
        assert_eq!((&entry["reason"], &entry["factsDigest"], &entry["fields"]), (&json!(""), &Json::Null, &json!([])));
        // Who sees every user, but not what they hold, might find that out from the digest of the facts.
        let role = json!({ "name": "Reader of people", "permissions": ["policy.explain", "user.read"] });
        let role = stage.done("ada", "createRole", role, "role { id }").await["role"]["id"].clone();
        stage.done("ada", "addGrants", json!({ "grants": [{ "userId": stage.user("ula"), "roleId": role }] }), "").await;
        let entries = log(stage, "ula", json!({ "action": "user.suspend" })).await;
        let [entry] = entries.as_slice() else { panic!("{entries:#?}") };
        assert_eq!((&entry["user"]["userName"], &entry["factsDigest"]), (&json!("ada"), &Json::Null));
        // What may not be seen is not found by its id either.
        let found = log(stage, "eve", json!({ "objectId": stage.user("sam") })).await;
        assert_eq!(found, Vec::<Json>::new());
        let found = log(stage, "eve", json!({ "subjectId": stage.user("ada") })).await;
        assert_eq!(found, Vec::<Json>::new());
    });
}

#[test]
fn whoever_changes_the_workspace_keeps_nothing_from_the_log() {
    on_stage(async |stage| {
        if stage.host.backend != Backend::Postgres {
            return;
        }
        // As long as somebody moves a large group, for one.
        let held = stage.host.stored().hold(stage.world.id.parse().unwrap()).await;
        let refused = stage.refused("ned", "createGroup", json!({ "name": "Mine" }));
        let refused = tokio::time::timeout(Duration::from_secs(5), refused).await.expect("a refusal waits for nobody");
        assert_eq!(refused[0].0, "FORBIDDEN");
        let entries = log(stage, "ada", json!({ "action": "group.create" })).await;
        assert_eq!(entries.len(), 1, "{entries:#?}");
        held.release().await;
    });
}

#[test]
fn the_log_pages_and_makes_room() {
    on_stage(async |stage| {
        let gate = Gate::new(stage.host.gate().store().clone(), stage.host.gate().engine().clone(), wiring::standard());
        let gate = Arc::new(gate.with_log(LogSettings { sample: 1, keep: 20 }));
        let own = stage.host.directory(&stage.world, &Asker::person(0)).await;
        let directory = gate.open(own.subject().clone(), NOW).await.unwrap();
        let ask = || Ask { among: AmongUsers::All, filter: None, order: Order::default(), window: Window { rows: 9, ..Window::default() } };
        // The import and the tokens are the operator's and not decided.
        for round in 1..=30_u64 {
            assert_eq!(directory.list_users(ask()).await.unwrap()[0].rows.len(), 9);
            gate.flush_decisions(NOW).await.unwrap();
            let (entries, span) = directory_of(stage, own.subject())
                .await
                .decisions(&DecisionFilter::default(), DecisionOrder::NewestBefore(None), 5)
                .await
                .unwrap();
            assert_eq!(span.last, 9 * round);
            assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), (9 * round - 4..=9 * round).rev().collect::<Vec<_>>());
            assert!(entries.iter().all(|entry| entry.record.outcome == Outcome::Allowed && entry.record.action == "user.read"));
            let kept = span.last - span.first + 1;
            assert!(span.first == 1 && span.last < 256 || kept < 20 + 256, "{span:?}");
        }
        let (_, span) = directory_of(stage, own.subject())
            .await
            .decisions(&DecisionFilter::default(), DecisionOrder::NewestBefore(None), 1)
            .await
            .unwrap();
        assert!(span.first > 200, "{span:?}");
        // Through the interface, page by page.
        let mut after = Json::Null;
        let mut numbers = Vec::new();
        loop {
            let answer = stage.host.graphql(stage.token("ada"), ENTRIES, json!({ "first": 7, "after": after })).await;
            let page = &answer["data"]["decisions"];
            numbers.extend(page["nodes"].as_array().unwrap().iter().map(|node| node["number"].as_u64().unwrap()));
            if page["hasNextPage"] == false {
                assert_eq!((page["firstNumber"].as_u64(), page["lastNumber"].as_u64()), (Some(span.first), Some(span.last)));
                break;
            }
            after = page["endCursor"].clone();
        }
        assert_eq!(numbers, (span.first..=span.last).rev().collect::<Vec<_>>());
        // As JSON lines, oldest first.
        let (mut from, mut lines) = (0, Vec::new());
        loop {
            let path = format!("/v1/policies/decisions?from={from}&limit=15");
            let answer = stage.host.page(reqwest::Method::GET, &path, stage.token("ada")).send().await.unwrap();
            assert_eq!((answer.status(), answer.headers()["content-type"].to_str().unwrap()), (StatusCode::OK, "application/x-ndjson"));
            let text = answer.text().await.unwrap();
            let page: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            lines.extend(page.iter().map(|line| line["number"].as_u64().unwrap()));
            assert!(page.iter().all(|line| line["objects"].as_array().unwrap().len() == 1 && line["user"] == stage.user("ada")));
            if page.len() < 15 {
                break;
            }
            from = lines.last().unwrap() + 1;
        }
        assert_eq!(lines, (span.first..=span.last).collect::<Vec<_>>());
        for (path, who, status) in [
            ("?from=x", "ada", StatusCode::BAD_REQUEST),
            ("?limit=0", "ada", StatusCode::BAD_REQUEST),
            ("?limit=1&limit=1", "ada", StatusCode::BAD_REQUEST),
            ("?since=1", "ada", StatusCode::BAD_REQUEST),
            ("", "hal", StatusCode::FORBIDDEN),
        ] {
            let answer =
                stage.host.page(reqwest::Method::GET, &format!("/v1/policies/decisions{path}"), stage.token(who)).send().await.unwrap();
            assert_eq!(answer.status(), status, "{path} {who}");
        }
    });
}

/// A directory whose snapshot begins now, and whose reads are not recorded.
async fn directory_of(stage: &Stage<'_>, subject: &directory::access::Subject) -> directory::access::Directory {
    stage.host.gate().open(subject.clone(), NOW).await.unwrap()
}

const EXPLAIN: &str = "query ($user: ID!, $action: String!, $object: ID) {
  explain(userId: $user, action: $action, objectId: $object) {
    action allowed reason hiddenFields failure policyVersionId
    calls { module digest factsDigest fuel facts { name values withheld } }
  }
}";

async fn explain(stage: &Stage<'_>, who: &str, user: &str, action: &str, object: Option<String>) -> Json {
    let variables = json!({ "user": stage.user(user), "action": action, "object": object });
    let mut answer = stage.host.graphql(stage.token(who), EXPLAIN, variables).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer["data"]["explain"].take()
}

fn fact<'a>(explanation: &'a Json, name: &str) -> &'a Json {
    let facts = explanation["calls"][0]["facts"].as_array().unwrap();
    facts.iter().find(|fact| fact["name"] == name).unwrap_or_else(|| panic!("{name}: {facts:#?}"))
}

#[test]
fn an_answer_is_explained_with_what_the_policy_was_shown() {
    on_stage(async |stage| {
        let seen = explain(stage, "ada", "mia", "user.read", Some(stage.user("ned"))).await;
        assert_eq!((&seen["allowed"], &seen["hiddenFields"]), (&json!(true), &json!([])));
        assert_eq!(fact(&seen, "subject.manages")["values"], json!(["sales"]));
        assert_eq!(fact(&seen, "user.managed-by-me")["values"], json!(["true"]));
        assert_eq!(fact(&seen, "user.status")["values"], json!(["active"]));
        assert!(seen["calls"][0]["module"].as_str().unwrap().starts_with("standard "));
        assert_eq!(seen["calls"][0]["digest"], wiring::standard().digest.to_string());

        let unseen = explain(stage, "ada", "eve", "user.read", Some(stage.user("ned"))).await;
        assert_eq!((&unseen["allowed"], &unseen["calls"].as_array().unwrap().len()), (&json!(false), &1));
        let helped = explain(stage, "ada", "hal", "user.suspend", Some(stage.user("ned"))).await;
        assert_eq!((&helped["allowed"], &fact(&helped, "subject.grants")["values"]), (&json!(true), &json!(["helpdesk in sales"])));
        let elsewhere = explain(stage, "ada", "hal", "user.suspend", Some(stage.user("eve"))).await;
        assert_eq!(elsewhere["allowed"], false);
        let policy = explain(stage, "ada", "ada", "policy.activate", None).await;
        assert_eq!(policy["allowed"], true);

        // The same as the policy says to the one themself.
        for (who, whom) in [("ada", "ned"), ("ned", "sam"), ("mia", "ned"), ("eve", "ada"), ("hal", "sam")] {
            for action in ["user.read", "user.update", "user.suspend", "membership.add"] {
                let explained = explain(stage, "ada", who, action, Some(stage.user(whom))).await;
                let query =
                    "query ($id: ID!, $actions: [String!]!) { user(by: { id: $id }) { viewerCan(actions: $actions) { allowed reason } } }";
                let own = stage.host.graphql(stage.token(who), query, json!({ "id": stage.user(whom), "actions": [action] })).await;
                match &own["data"]["user"] {
                    Json::Null => {
                        let read = explain(stage, "ada", who, "user.read", Some(stage.user(whom))).await;
                        assert_eq!(read["allowed"], false, "{who} {whom}");
                    }
                    user => {
                        let own = &user["viewerCan"][0];
                        assert_eq!(
                            (&own["allowed"], &own["reason"]),
                            (&explained["allowed"], &explained["reason"]),
                            "{who} {action} {whom}"
                        );
                    }
                }
            }
        }
    });
}

#[test]
fn an_explanation_tells_no_more_than_its_asker_may_see() {
    on_stage(async |stage| {
        assert_eq!(
            stage
                .host
                .graphql(stage.token("hal"), EXPLAIN, json!({ "user": stage.user("hal"), "action": "user.read", "object": null }))
                .await["errors"][0]["extensions"]["code"],
            "FORBIDDEN"
        );
        let_explain(stage, "ned").await;
        // Whom one does not see is not there, as subject and as object.
        assert_eq!(explain(stage, "ned", "eve", "user.read", Some(stage.user("ned"))).await, Json::Null);
        assert_eq!(explain(stage, "ned", "ned", "user.read", Some(stage.user("eve"))).await, Json::Null);
        // Ned sees himself in north; of what he holds he sees the roles that he may see.
        let own = explain(stage, "ned", "ned", "user.read", Some(stage.user("ned"))).await;
        assert_eq!(own["allowed"], true);
        assert_eq!(fact(&own, "subject.groups")["values"], json!(["north"]));
        // A workspace whose policy lets ned see everybody, but not that they are in any group.
        let open = json!({ "members_see": "workspace" });
        let active = stage.host.graphql(stage.token("ada"), "{ workspace { policy { id } } }", json!({})).await;
        let path = "/v1/policies/settings";
        let body = json!({ "expected": active["data"]["workspace"]["policy"]["id"], "standardSettings": open });
        let changed = stage.host.page(reqwest::Method::PUT, path, stage.token("ada")).json(&body).send().await.unwrap();
        assert_eq!(changed.status(), StatusCode::OK);
        let seen = explain(stage, "ned", "ada", "user.read", Some(stage.user("sam"))).await;
        assert_eq!(seen["allowed"], true);
        let withheld = fact(&seen, "subject.permissions");
        assert_eq!((&withheld["values"], &withheld["withheld"]), (&json!([]), &json!(true)), "ned sees no grants of ada's");
        assert_eq!(fact(&seen, "subject.grants"), &json!({ "name": "subject.grants", "values": [], "withheld": true }));
    });
}

#[test]
fn who_sees_no_edges_is_told_nothing_that_follows_from_them() {
    on_stage(async |stage| {
        let whole = explain(stage, "ada", "mia", "user.read", Some(stage.user("ned"))).await;
        assert_eq!(whole["calls"][0]["factsDigest"].as_str().unwrap().len(), 64);
        let mut guest = Guest::new().describing(|manifest| {
            manifest.decides = vec!["membership.read".to_owned(), "grant.read".to_owned()];
            manifest.otherwise = "standard".to_owned();
        });
        let denied = guest.table(&[Verdict { reason: "no edges".to_owned(), ..Verdict::default() }]);
        let nothing = guest.filter(&RowFilter { exact: true, ..RowFilter::default() });
        let guest = guest.with(Part::Check, &denied).with(Part::Scope, &nothing);
        let workspace = stage.world.id.parse().unwrap();
        let module = stage.host.install(workspace, "no-edges", guest.component().into()).await;
        stage.host.force(workspace, Some(module), String::new()).await;
        let seen = explain(stage, "ada", "mia", "user.read", Some(stage.user("ned"))).await;
        assert_eq!((&seen["allowed"], &seen["calls"][0]["factsDigest"]), (&json!(true), &Json::Null));
        assert_eq!(seen["calls"][0]["fuel"], Json::Null, "it would tell how many there are");
        for name in ["subject.groups", "subject.manages", "user.managed-by-me"] {
            assert_eq!(fact(&seen, name), &json!({ "name": name, "values": [], "withheld": true }));
        }
        // Nor whether there are any: eve is in a group, and hal in none.
        for who in ["eve", "hal"] {
            let seen = explain(stage, "ada", who, "user.read", Some(stage.user("ula"))).await;
            for name in ["subject.groups", "subject.manages", "subject.grants", "user.groups"] {
                assert_eq!(fact(&seen, name), &json!({ "name": name, "values": [], "withheld": true }), "{who}");
            }
        }
        // Rows that hang on somebody are no more told of than they are listed.
        for (action, whom) in [("membership.remove", "ned"), ("grant.remove", "hal")] {
            let edge = explain(stage, "ada", "ada", action, Some(stage.user(whom))).await;
            let facts = edge["calls"].as_array().unwrap().iter().flat_map(|call| call["facts"].as_array().unwrap());
            for fact in facts.filter(|fact| !fact["name"].as_str().unwrap().starts_with("subject.")) {
                assert!(!fact["values"].to_string().contains("north") && !fact["values"].to_string().contains("helpdesk"), "{fact}");
            }
        }
    });
}

#[test]
fn nobody_is_signed_out_for_asking_about_somebody_who_is_not_active() {
    on_stage(async |stage| {
        stage.done("ada", "suspendUser", json!({ "userId": stage.user("ned") }), "").await;
        let variables = json!({ "user": stage.user("ned"), "action": "user.read", "object": null });
        let answer = stage.host.graphql(stage.token("ada"), EXPLAIN, variables).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
    });
}

const WHO: &str = "query ($action: String!, $object: ID, $first: Int, $after: String) {
  whoCan(action: $action, objectId: $object, first: $first, after: $after) {
    nodes { user { userName } reason hiddenFields } hasNextPage endCursor failed
  }
}";

#[test]
fn who_can_is_everybody_who_can_and_nobody_else() {
    on_stage(async |stage| {
        let names = ["ada", "sue", "mia", "ned", "sam", "eve", "ula", "hal", "gil"];
        for whom in ["ned", "ada", "eve"] {
            let mut expected = Vec::new();
            for name in names {
                let query = "query ($id: ID!) { user(by: { id: $id }) { withheldFields } }";
                let own = stage.host.graphql(stage.token(name), query, json!({ "id": stage.user(whom) })).await;
                if let Some(user) = own["data"]["user"].as_object() {
                    expected.push((name.to_owned(), user["withheldFields"].clone()));
                }
            }
            for first in [1, 2, 100] {
                let (mut after, mut found) = (Json::Null, Vec::new());
                loop {
                    let variables = json!({ "action": "user.read", "object": stage.user(whom), "first": first, "after": after });
                    let answer = stage.host.graphql(stage.token("ada"), WHO, variables).await;
                    let page = &answer["data"]["whoCan"];
                    assert_eq!(page["failed"], 0);
                    let node = |node: &Json| (node["user"]["userName"].as_str().unwrap().to_owned(), node["hiddenFields"].clone());
                    found.extend(page["nodes"].as_array().unwrap().iter().map(node));
                    if page["hasNextPage"] == false {
                        break;
                    }
                    after = page["endCursor"].clone();
                }
                found.sort_by_key(|(name, _)| names.iter().position(|known| known == name));
                assert_eq!(found, expected, "{whom} {first}");
            }
        }
        let hidden = stage.host.graphql(stage.token("eve"), WHO, json!({ "action": "user.read", "object": stage.user("ned") })).await;
        assert_eq!(hidden["errors"][0]["extensions"]["code"], "FORBIDDEN");
        let_explain(stage, "eve").await;
        let hidden = stage.host.graphql(stage.token("eve"), WHO, json!({ "action": "user.read", "object": stage.user("ned") })).await;
        assert_eq!((hidden.get("errors"), &hidden["data"]["whoCan"]), (None, &Json::Null));
        let seen = stage.host.graphql(stage.token("eve"), WHO, json!({ "action": "user.read", "object": stage.user("eve") })).await;
        let nodes = &seen["data"]["whoCan"]["nodes"];
        assert_eq!(nodes.as_array().unwrap().len(), 1, "of those who see her, eve sees herself: {nodes}");
    });
}

#[test]
fn nobody_can_do_what_a_request_of_theirs_would_not_find() {
    on_stage(async |stage| {
        // Gil reads every membership, and no group but his own; hal, within sales, suspends whom he sees there.
        stage.give("gil", &["membership.read"], None).await;
        stage.give("ula", &["user.suspend"], None).await;
        let query = "{ memberships(first: 100) { nodes { id user { userName } } } }";
        let listed = stage.query("ada", query).await;
        let edges = listed["memberships"]["nodes"].as_array().unwrap();
        let edge = edges.iter().find(|edge| edge["user"]["userName"] == "eve").unwrap()["id"].as_str().unwrap().to_owned();
        for (who, action, object, query) in [
            ("gil", "membership.read", edge.clone(), format!("{{ node(id: \"{edge}\") {{ id }} }}")),
            ("ula", "user.suspend", stage.user("eve"), format!("{{ node(id: \"{}\") {{ id }} }}", stage.user("eve"))),
        ] {
            assert_eq!(stage.query(who, &query).await["node"], Json::Null, "{who} does not see it");
            let explained = explain(stage, "ada", who, action, Some(object.clone())).await;
            assert_eq!(explained["allowed"], false, "{who} {action}: {explained}");
            assert!(explained["reason"].as_str().unwrap().contains("hidden from them"), "{explained}");
            let answer = stage.host.graphql(stage.token("ada"), WHO, json!({ "action": action, "object": object, "first": 100 })).await;
            let named = answer["data"]["whoCan"]["nodes"].as_array().unwrap().iter().any(|node| node["user"]["userName"] == who);
            assert!(!named, "{who} {action}: {answer}");
        }
    });
}

const ALL: &str = "{
  viewer { id name permissions user { userName } }
  users(first: 100) { nodes { id userName displayName email status withheldFields groups(first: 50) { nodes { id key } } } pageInfo { hasNextPage } }
  groups(first: 100) { nodes { id key name } }
  roles(first: 100) { nodes { id key permissions } }
}";

/// A query as somebody else.
async fn view_as(stage: &Stage<'_>, who: &str, as_: &str, query: &str, headers: &[(&'static str, &str)]) -> (StatusCode, Json) {
    let mut request = stage.host.request(stage.token(who)).header("bailiwick-view-as", stage.user(as_));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.json(&json!({ "query": query })).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[test]
fn whoever_sees_everything_sees_exactly_what_the_other_one_sees() {
    on_stage(async |stage| {
        for name in ["ada", "sue", "mia", "ned", "eve", "hal", "gil"] {
            let own = stage.host.graphql(stage.token(name), ALL, json!({})).await;
            let (status, seen) = view_as(stage, "ada", name, ALL, &[]).await;
            assert_eq!((status, &seen["data"]), (StatusCode::OK, &own["data"]), "{name}");
            assert_eq!(seen["extensions"]["viewAs"]["userId"], stage.user(name));
            let query = "query ($id: ID!) { visibleTo(userId: $id) { user { userName } users(first: 100) { totalCount nodes { id displayName email } }
              groups { totalCount nodes { key } } roles { totalCount nodes { key } } } }";
            let lists = stage.host.graphql(stage.token("ada"), query, json!({ "id": stage.user(name) })).await;
            assert_eq!(lists.get("errors"), None, "{lists}");
            let lists = &lists["data"]["visibleTo"];
            let own = stage
                .host
                .graphql(
                    stage.token(name),
                    "{ users(first: 100) { totalCount nodes { id displayName email } } groups { totalCount nodes { key } } roles { totalCount nodes { key } } }",
                    json!({}),
                )
                .await;
            for list in ["users", "groups", "roles"] {
                assert_eq!(lists[list], own["data"][list], "{name} {list}");
            }
        }
    });
}

#[test]
fn whoever_sees_little_sees_no_more_as_an_administrator() {
    on_stage(async |stage| {
        let_explain(stage, "mia").await;
        let own = stage.host.graphql(stage.token("mia"), ALL, json!({})).await;
        let ids = |answer: &Json, list: &str| {
            let mut ids: Vec<String> =
                answer["data"][list]["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
            ids.sort();
            ids
        };
        // Ada is hidden from mia, so that nobody is there to be looked as.
        let (status, _) = view_as(stage, "mia", "ada", ALL, &[]).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        // Of somebody whom mia sees and who gets to see everything, she sees what she sees anyway.
        let grants = json!({ "grants": [{ "userId": stage.user("ned"), "roleId": stage.role("reader") }] });
        assert_eq!(stage.ask("ada", "addGrants", grants, "grants { id }").await["userErrors"], json!([]));
        let everything = stage.host.graphql(stage.token("ned"), ALL, json!({})).await;
        assert!(ids(&everything, "users").len() > ids(&own, "users").len());
        let (status, seen) = view_as(
            stage,
            "mia",
            "ned",
            "{ users(first: 100) { nodes { id email } } groups(first: 100) { nodes { id } } roles { nodes { id } } }",
            &[],
        )
        .await;
        assert_eq!(status, StatusCode::OK, "{seen}");
        for list in ["users", "groups", "roles"] {
            assert_eq!(ids(&seen, list), ids(&own, list), "{list}");
        }
        let (_, counted) = view_as(stage, "mia", "ned", "{ users { totalCount } }", &[]).await;
        assert_eq!(counted["errors"][0]["extensions"]["code"], "COUNT_UNAVAILABLE");
        let (_, named) = view_as(stage, "mia", "ned", "{ viewer { permissions } }", &[]).await;
        assert_eq!(named["data"]["viewer"]["permissions"], json!([]), "mia sees no grants of ned's");
        // Who is looked at may look at others: mia still sees no more.
        stage.give("ned", &["policy.explain"], None).await;
        let nested = format!(
            "{{ visibleTo(userId: \"{}\") {{ users(first: 100) {{ nodes {{ id email }} }} groups(first: 100) {{ nodes {{ id }} }} \
             roles {{ nodes {{ id }} }} }} }}",
            stage.user("ned")
        );
        let (status, seen) = view_as(stage, "mia", "ned", &nested, &[]).await;
        assert_eq!(status, StatusCode::OK, "{seen}");
        let seen = json!({ "data": seen["data"]["visibleTo"] });
        for list in ["users", "groups", "roles"] {
            assert_eq!(ids(&seen, list), ids(&own, list), "{list} of somebody whom somebody looks at who is looked at");
        }
    });
}

#[test]
fn looking_as_somebody_else_is_for_reading_and_for_whoever_may() {
    on_stage(async |stage| {
        let (status, refused) = view_as(stage, "ned", "ned", ALL, &[]).await;
        assert_eq!((status, &refused["errors"][0]["extensions"]["code"]), (StatusCode::FORBIDDEN, &json!("FORBIDDEN")));
        let mutation = format!("mutation {{ suspendUser(input: {{ userId: \"{}\" }}) {{ userErrors {{ code }} }} }}", stage.user("sam"));
        let (status, refused) = view_as(stage, "ada", "ned", &mutation, &[]).await;
        assert_eq!((status, &refused["errors"][0]["extensions"]["code"]), (StatusCode::FORBIDDEN, &json!("FORBIDDEN")));
        let sam = stage
            .host
            .graphql(stage.token("ada"), "query ($id: ID!) { user(by: { id: $id }) { status } }", json!({ "id": stage.user("sam") }))
            .await;
        assert_eq!(sam["data"]["user"]["status"], "ACTIVE");
        for (name, value) in [
            ("bailiwick-view-as-policy", "pol_x"),
            ("bailiwick-view-as-policy", "pol_00000000000000000000000000000000"),
            ("bailiwick-view-as-standard-settings", "{\"x\":1}"),
        ] {
            let (status, refused) = view_as(stage, "ada", "ned", ALL, &[(name, value)]).await;
            assert!(status.is_client_error(), "{name}: {value}: {refused}");
        }
        let misspelt = [("bailiwick-view-as-polcy", "standard")];
        let (status, refused) = view_as(stage, "ada", "ned", ALL, &misspelt).await;
        assert_eq!((status, &refused["errors"][0]["extensions"]["code"]), (StatusCode::BAD_REQUEST, &json!("BAD_REQUEST")), "{refused}");
        assert!(refused["errors"][0]["message"].as_str().unwrap().contains("`bailiwick-view-as-polcy` is not expected"), "{refused}");
        let without = stage.host.request(stage.token("ada")).header("bailiwick-view-as-policy", "standard").json(&json!({ "query": ALL }));
        assert_eq!(without.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
        let nobody = stage.host.request("x").header("bailiwick-view-as", stage.user("ned")).json(&json!({ "query": ALL }));
        assert_eq!(nobody.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    });
}

#[test]
fn a_candidate_is_tried_through_the_eyes_of_somebody() {
    on_stage(async |stage| {
        let users = "{ users(first: 100) { totalCount nodes { userName } } }";
        let own = stage.host.graphql(stage.token("ned"), users, json!({})).await;
        assert_eq!(own["data"]["users"]["totalCount"], 1);
        let open = [("bailiwick-view-as-standard-settings", "{\"members_see\":\"workspace\"}")];
        let (status, seen) = view_as(stage, "ada", "ned", users, &open).await;
        assert_eq!((status, &seen["data"]["users"]["totalCount"]), (StatusCode::OK, &json!(9)), "{seen}");
        let told = json!({ "userId": stage.user("ned"), "standardSettings": "{\"members_see\":\"workspace\"}" });
        assert_eq!(seen["extensions"]["viewAs"], told);
        let bytes = wiring::need_to_know().bytes;
        let upload = stage.host.page(reqwest::Method::PUT, "/v1/policies", stage.token("ada"));
        let upload = upload.header("content-type", "application/wasm").body(bytes.to_vec()).send().await.unwrap();
        let policy: Json = upload.json().await.unwrap();
        let (status, other) = view_as(stage, "ada", "ned", users, &[("bailiwick-view-as-policy", policy["id"].as_str().unwrap())]).await;
        assert_eq!(status, StatusCode::OK, "{other}");
        let query = "query ($id: ID!, $candidate: PolicyCandidateInput) { visibleTo(userId: $id, candidate: $candidate) { users(first: 100) { totalCount nodes { userName } } } }";
        let listed = stage
            .host
            .graphql(stage.token("ada"), query, json!({ "id": stage.user("ned"), "candidate": { "policyId": policy["id"] } }))
            .await;
        assert_eq!(listed["data"]["visibleTo"]["users"], other["data"]["users"]);
        // Nothing of it was activated.
        let own = stage.host.graphql(stage.token("ned"), users, json!({})).await;
        assert_eq!(own["data"]["users"]["totalCount"], 1);
    });
}
