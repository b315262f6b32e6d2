//! Every mutation, with the policy actions that it asks: without any one of them it is refused, and with just these it is done.
//!
//! A mutation of the schema without a row fails a test. Rows stand in an order in which each finds what it needs.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use tests::{TestHost, answers::TYPES, naive::policy::Asker};

use super::stage::{Stage, on_stage};

/// A mutation, its input, and the actions that the policy is asked about.
struct Row {
    mutation: &'static str,
    input: Json,
    actions: &'static [&'static str],
}

/// `NEW_...` stands for ids that earlier rows made.
fn rows(stage: &Stage<'_>) -> Vec<Row> {
    let (ned, sam, eve) = (stage.user("ned"), stage.user("sam"), stage.user("eve"));
    let (north, south, east, harbour) = (stage.group("north"), stage.group("south"), stage.group("east"), stage.group("harbour"));
    let row = |mutation, input, actions| Row { mutation, input, actions };
    vec![
        row("createRole", json!({ "name": "Nothing", "key": "nothing", "permissions": [] }), &["role.create"]),
        row(
            "addUser",
            json!({ "user": { "userName": "new", "groups": [{ "groupId": east }], "roles": [{ "roleId": "NEW_ROLE", "withinId": east }] } }),
            &["user.create", "membership.add", "grant.add", "group.read", "role.read"],
        ),
        row("addUsers", json!({ "users": [{ "userName": "newer" }] }), &["user.create"]),
        row("updateUser", json!({ "userId": ned, "title": "Clerk" }), &["user.read", "user.update"]),
        row("suspendUser", json!({ "userId": sam }), &["user.read", "user.suspend"]),
        row("activateUser", json!({ "userId": sam }), &["user.read", "user.activate"]),
        row("suspendUsers", json!({ "userIds": [sam, eve] }), &["user.read", "user.suspend"]),
        row("activateUsers", json!({ "userIds": [sam, eve] }), &["user.read", "user.activate"]),
        row("removeUser", json!({ "userId": sam }), &["user.read", "user.delete"]),
        row("restoreUser", json!({ "userId": sam }), &["user.read", "user.restore"]),
        row("removeUsers", json!({ "userIds": [sam] }), &["user.read", "user.delete"]),
        row("createGroup", json!({ "name": "New", "parentId": east }), &["group.read", "group.create"]),
        row("updateGroup", json!({ "groupId": north, "description": "Up" }), &["group.read", "group.update"]),
        row("moveGroup", json!({ "groupId": harbour, "parentId": south }), &["group.read", "group.move"]),
        row("deleteGroup", json!({ "groupId": harbour }), &["group.read", "group.delete"]),
        row("restoreGroup", json!({ "groupId": harbour }), &["group.read", "group.restore"]),
        row("addGroupMembers", json!({ "groupId": east, "members": [{ "userId": ned }] }), &["group.read", "user.read", "membership.add"]),
        row(
            "setGroupManagers",
            json!({ "groupId": east, "members": [{ "userId": ned, "manager": true }] }),
            // Nobody makes a manager who could do more than they, so that a manager's own rights count, too.
            &["group.read", "user.read", "membership.read", "membership.update", "membership.add", "membership.remove"],
        ),
        row(
            "removeGroupMembers",
            json!({ "groupId": east, "userIds": [ned] }),
            &["group.read", "user.read", "membership.read", "membership.remove"],
        ),
        row(
            "addGrants",
            json!({ "grants": [{ "userId": ned, "roleId": "NEW_ROLE", "withinId": east }] }),
            &["user.read", "role.read", "group.read", "grant.add"],
        ),
        row("removeGrants", json!({ "grantIds": ["NEW_GRANT"] }), &["user.read", "role.read", "grant.read", "grant.remove"]),
        row(
            "replaceGrants",
            json!({ "userId": stage.user("hal"), "expectedVersion": "NEW_VERSION", "grants": [{ "roleId": "NEW_ROLE" }] }),
            &["user.read", "role.read", "grant.read", "grant.add", "grant.remove", "user.suspend", "user.activate", "user.update"],
        ),
        row("updateRole", json!({ "roleId": "NEW_ROLE", "name": "Nought" }), &["role.read", "role.update"]),
        row("deleteRole", json!({ "roleId": "NEW_ROLE" }), &["role.read", "role.delete"]),
        row("restoreRole", json!({ "roleId": "NEW_ROLE" }), &["role.read", "role.restore"]),
        row("defineAttribute", json!({ "name": "badge" }), &["attribute.create"]),
        row("updateAttribute", json!({ "name": "badge", "unique": true }), &["attribute.read", "attribute.update"]),
        row("removeAttribute", json!({ "name": "badge" }), &["attribute.read", "attribute.delete"]),
        row("updateWorkspace", json!({ "name": "Renamed" }), &["workspace.read", "workspace.update"]),
        row("updateUserCodeSettings", json!({ "minLength": 2 }), &["settings.update"]),
        row("createToken", json!({ "kind": "PERSONAL", "name": "mine", "scopes": ["webhook.read"] }), &["token.create"]),
        row(
            "updatePolicySettings",
            json!({ "expectedVersionId": "NOW_ACTIVE", "standardSettings": "{\"members_see\":\"groups\"}" }),
            &["policy.activate"],
        ),
        row("activatePolicy", json!({ "expectedVersionId": "NOW_ACTIVE", "standardSettings": "" }), &["policy.activate"]),
        row("startPolicyShadow", json!({ "candidate": { "standardSettings": "{}" } }), &["policy.activate"]),
        row("stopPolicyShadow", json!({ "shadowId": "NEW_SHADOW" }), &["policy.activate"]),
        row("updatePolicyTests", json!({ "expectedVersion": 0, "text": "" }), &["policy.upload"]),
        row("rollBackPolicy", json!({}), &["policy.rollback"]),
        row("revokeToken", json!({ "tokenId": "NEW_TOKEN" }), &["token.read", "token.revoke"]),
        row(
            "onboardPartner",
            json!({ "group": { "name": "Partner", "parentId": east }, "users": [{ "user": { "userName": "partner" } }] }),
            &["group.read", "group.create", "user.create", "membership.add"],
        ),
    ]
}

#[test]
fn every_mutation_of_the_schema_has_a_row() {
    on_stage(async |stage| {
        let schema: BTreeSet<&str> = TYPES["Mutation"].keys().map(String::as_str).collect();
        let covered: BTreeSet<&str> = rows(stage).iter().map(|row| row.mutation).collect();
        assert_eq!(schema, covered);
    });
}

#[test]
fn each_mutation_asks_for_just_its_actions() {
    on_stage(async |stage| {
        let mut new: Vec<(&str, String)> = Vec::new();
        for row in rows(stage) {
            let mut input = row.input.to_string();
            if row.mutation == "replaceGrants" {
                // Hal's own is limited to a group that the token does not see, so that it stays.
                let wide = json!({ "userId": stage.user("hal"), "roleId": stage.role("helpdesk") });
                stage.done("ada", "addGrants", json!({ "grants": [wide] }), "").await;
                let version = stage.of_user(&stage.user("hal"), "grantsVersion").await;
                new.push(("NEW_VERSION", version.as_str().unwrap().to_owned()));
            }
            if input.contains("NOW_ACTIVE") {
                let active = stage.query("ada", "{ workspace { policy { id } } }").await["workspace"]["policy"]["id"].clone();
                input = input.replace("NOW_ACTIVE", active.as_str().unwrap());
            }
            for (name, id) in &new {
                input = input.replace(name, id);
            }
            let input: Json = serde_json::from_str(&input).unwrap();
            for left_out in row.actions {
                let answer = limited(stage, &row, &input, Some(left_out)).await;
                let done = answer["data"]["answer"]["userErrors"] == json!([]);
                assert!(!done, "{} does not ask for {left_out}: {answer}", row.mutation);
            }
            let answer = limited(stage, &row, &input, None).await;
            assert_eq!(answer["data"]["answer"]["userErrors"], json!([]), "{} {input}: {answer}", row.mutation);
            learn(stage, row.mutation, &mut new).await;
        }
    });
}

/// As the administrator, with a token that is limited to the row's actions but one.
async fn limited(stage: &Stage<'_>, row: &Row, input: &Json, left_out: Option<&str>) -> Json {
    let mut scopes: Vec<String> =
        row.actions.iter().filter(|action| Some(**action) != left_out).map(|action| (*action).to_owned()).collect();
    // A token without scopes is not limited, so that one of no use here stands for none.
    scopes.push("webhook.read".to_owned());
    let token = stage.host.token(&stage.world, &Asker { person: Some(0), scopes: Some(scopes) }).await;
    let (first, rest) = row.mutation.split_at(1);
    let query = format!(
        "mutation ($input: {}{rest}Input!) {{ answer: {}(input: $input) {{ userErrors {{ code field message }} }} }}",
        first.to_uppercase(),
        row.mutation
    );
    stage.host.graphql(&token, &query, json!({ "input": input })).await
}

/// The ids that later rows need.
async fn learn(stage: &Stage<'_>, mutation: &str, new: &mut Vec<(&'static str, String)>) {
    let (name, query, path) = match mutation {
        "createRole" => ("NEW_ROLE", "{ role(by: { key: \"nothing\" }) { id } }", "/role/id"),
        "addGrants" => ("NEW_GRANT", "{ user(by: { userName: \"ned\" }) { grants { nodes { id } } } }", "/user/grants/nodes/0/id"),
        "startPolicyShadow" => ("NEW_SHADOW", "{ policyShadow { id } }", "/policyShadow/id"),
        "createToken" => ("NEW_TOKEN", "{ tokens { id name } }", "/tokens"),
        _ => return,
    };
    let answer = stage.query("ada", query).await;
    let found = answer.pointer(path).unwrap();
    let id = match found.as_array() {
        Some(tokens) => tokens.iter().find(|token| token["name"] == "mine").unwrap()["id"].clone(),
        None => found.clone(),
    };
    new.push((name, id.as_str().unwrap().to_owned()));
}

#[test]
fn strangers_and_others_change_nothing() {
    on_stage(async |stage| {
        let host: &TestHost = stage.host;
        let mut other = tests::model::World::empty("elsewhere".to_owned());
        other.people.push(tests::model::Person { texts: [("userName", "root".to_owned())].into(), status: "active", ..Default::default() });
        other.grants.push(tests::model::Grant::default());
        host.import_world(&mut other, "").await;
        let root = host.token(&other, &Asker::person(0)).await;
        let robot = host.token(&stage.world, &Asker { person: None, scopes: Some(vec!["webhook.read".to_owned()]) }).await;
        let before = everything(stage).await;
        for token in [root.as_str(), robot.as_str(), stage.token("ned")] {
            for row in rows(stage) {
                let own = [
                    "createRole",
                    "addUsers",
                    "defineAttribute",
                    "updateWorkspace",
                    "updateUserCodeSettings",
                    "createToken",
                    "rollBackPolicy",
                    "startPolicyShadow",
                    "updatePolicyTests",
                ];
                if token == root && own.contains(&row.mutation) {
                    // Of one's own workspace.
                    continue;
                }
                let (first, rest) = row.mutation.split_at(1);
                let query = format!(
                    "mutation ($input: {}{rest}Input!) {{ answer: {}(input: $input) {{ userErrors {{ code }} }} }}",
                    first.to_uppercase(),
                    row.mutation
                );
                let answer = host.graphql(token, &query, json!({ "input": row.input })).await;
                assert_ne!(answer["data"]["answer"]["userErrors"], json!([]), "{} {answer}", row.mutation);
            }
        }
        let answer =
            host.request("").json(&json!({ "query": "mutation { updateWorkspace(input: { name: \"x\" }) { userErrors { code } } }" }));
        assert!(!answer.send().await.unwrap().text().await.unwrap().contains("\"userErrors\":[]"));
        assert_eq!(everything(stage).await, before);
    });
}

async fn everything(stage: &Stage<'_>) -> Json {
    let query = "{ workspace { name version } users(first: 100) { nodes { id version status } } groups(first: 100) { nodes { id version } } \
                 roles(first: 100) { nodes { id version } } memberships(first: 100) { nodes { id manager } } grants(first: 100) { nodes { id } } \
                 attributes { name version } userCodeSettings { minLength } policyVersions { id } }";
    stage.query("ada", query).await
}
