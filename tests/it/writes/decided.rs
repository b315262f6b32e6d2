//! What the policy decides from the contract's `change`: with `standard`, and with a policy of the workspace's own.

use std::sync::Arc;

use serde_json::json;

use super::stage::{Stage, on_stage, only};
use crate::hostile::guest::{Guest, Part};

/// Rules about changes; see `policy-wasm/house-rules`.
const HOUSE_RULES: &[u8] = include_bytes!("../../../policy-wasm/dist/house-rules.wasm");

async fn decided_by_house_rules(stage: &Stage<'_>) {
    let workspace = stage.world.id.parse().unwrap();
    let module = stage.host.install(workspace, "house-rules", Arc::from(HOUSE_RULES)).await;
    stage.host.force(workspace, Some(module), String::new()).await;
}

#[test]
fn managers_add_people_below_their_group_only() {
    on_stage(async |stage| {
        for policy in ["standard", "house-rules"] {
            if policy == "house-rules" {
                decided_by_house_rules(stage).await;
            }
            let add = |group: &str| json!({ "groupId": stage.group(group), "members": [{ "userId": stage.user("ned") }] });
            stage.done("mia", "addGroupMembers", add("harbour"), "").await;
            stage.done("mia", "removeGroupMembers", json!({ "groupId": stage.group("harbour"), "userIds": [stage.user("ned")] }), "").await;
            // East is not there for mia at all; where she sees it, she may add nobody to it.
            assert_eq!(stage.refused("mia", "addGroupMembers", add("east")).await[0].0, "NOT_FOUND", "{policy}");
            let reader = json!({ "grants": [{ "userId": stage.user("mia"), "roleId": stage.role("reader") }] });
            stage.done(if policy == "standard" { "ada" } else { "sue" }, "addGrants", reader, "").await;
            assert_eq!(stage.refused("mia", "addGroupMembers", add("east")).await, only("FORBIDDEN", "members.0"), "{policy}");
            let grants = stage.of_user(&stage.user("mia"), "grants { nodes { id } }").await;
            stage.done("ada", "removeGrants", json!({ "grantIds": [grants["nodes"][0]["id"]] }), "").await;
        }
    });
}

#[test]
fn nobody_grants_what_they_do_not_hold() {
    on_stage(async |stage| {
        let grant = |role: &str, within: Option<&str>| json!({ "grants": [{ "userId": stage.user("ned"), "roleId": stage.role(role), "withinId": within.map(|group| stage.group(group)) }] });
        // Gil sees roles within sales only, which is to say none: roles are in no group.
        assert_eq!(stage.refused("gil", "addGrants", grant("reader", Some("north"))).await, only("NOT_FOUND", "grants.0.roleId"));
        let wide = json!({ "grants": [{ "userId": stage.user("gil"), "roleId": stage.role("granter") }] });
        stage.done("ada", "addGrants", wide, "").await;
        assert_eq!(stage.refused("gil", "addGrants", grant("reader", None)).await, only("FORBIDDEN", "grants.0"), "group.read is not his");
        stage.done("gil", "addGrants", grant("granter", Some("north")), "").await;
        assert_eq!(stage.roles_of(&stage.user("ned")).await, ["granter@north"]);
        decided_by_house_rules(stage).await;
        assert_eq!(stage.refused("gil", "addGrants", grant("helpdesk", None)).await, only("FORBIDDEN", "grants.0"));
        stage.done("gil", "addGrants", grant("granter", None), "").await;
    });
}

#[test]
fn nobody_edits_hands_on_or_revives_what_they_do_not_hold() {
    on_stage(async |stage| {
        let editor = json!({ "name": "Editor", "key": "editor", "permissions":
            ["role.read", "role.create", "role.update", "role.delete", "role.restore", "user.read", "user.create", "user.restore", "user.delete",
             "token.create", "grant.read"] });
        let editor = stage.done("ada", "createRole", editor, "role { id }").await["role"]["id"].take();
        stage.done("ada", "addGrants", json!({ "grants": [{ "userId": stage.user("ned"), "roleId": editor }] }), "").await;
        let create = |permissions: &[&str]| json!({ "name": "New", "permissions": permissions });
        assert_eq!(stage.refused("ned", "createRole", create(&["policy.activate"])).await[0].0, "FORBIDDEN");
        let role = stage.done("ned", "createRole", create(&["user.read"]), "role { id }").await["role"]["id"].take();
        let wider = json!({ "roleId": role, "permissions": ["user.read", "policy.activate"] });
        assert_eq!(stage.refused("ned", "updateRole", wider).await, only("FORBIDDEN", "roleId"));
        let with_role = |role: &str| json!({ "user": { "userName": "puppet", "roles": [{ "roleId": stage.role(role) }] } });
        assert!(stage.refused("ned", "addUser", with_role("administrator")).await.iter().all(|(code, _)| code == "FORBIDDEN"));
        let robot = |scope: &str| json!({ "kind": "SERVICE", "name": "robot", "scopes": [scope] });
        assert_eq!(stage.refused("ned", "createToken", robot("policy.activate")).await[0].0, "FORBIDDEN");
        stage.done("ned", "createToken", robot("user.read"), "").await;
        // An administrator who was removed comes back by another administrator only.
        stage.done("ada", "removeUser", json!({ "userId": stage.user("sue") }), "").await;
        assert_eq!(stage.refused("ned", "restoreUser", json!({ "userId": stage.user("sue") })).await, only("FORBIDDEN", "userId"));
        stage.done("ada", "restoreUser", json!({ "userId": stage.user("sue") }), "").await;
        let gone = json!({ "roleId": stage.role("helpdesk") });
        stage.done("ada", "deleteRole", gone.clone(), "").await;
        assert_eq!(stage.refused("ned", "restoreRole", gone).await, only("FORBIDDEN", "roleId"));
    });
}

#[test]
fn a_limited_helpdesk_suspends_only_there() {
    on_stage(async |stage| {
        stage.done("hal", "suspendUser", json!({ "userId": stage.user("sam") }), "").await;
        assert_eq!(stage.refused("hal", "suspendUser", json!({ "userId": stage.user("eve") })).await, only("NOT_FOUND", "userId"));
        let both = json!({ "userIds": [stage.user("ned"), stage.user("eve")] });
        assert_eq!(stage.refused("hal", "suspendUsers", both).await, only("NOT_FOUND", "userIds.1"));
        assert_eq!(stage.of_user(&stage.user("ned"), "status").await, "ACTIVE", "all or nothing");
        let reader = json!({ "grants": [{ "userId": stage.user("hal"), "roleId": stage.role("reader") }] });
        stage.done("ada", "addGrants", reader, "").await;
        assert_eq!(stage.refused("hal", "suspendUser", json!({ "userId": stage.user("eve") })).await, only("FORBIDDEN", "userId"));
        decided_by_house_rules(stage).await;
        stage.done("hal", "suspendUser", json!({ "userId": stage.user("ula") }), "").await;
        assert_eq!(stage.refused("hal", "suspendUser", json!({ "userId": stage.user("ned") })).await, only("FORBIDDEN", "userId"));
    });
}

#[test]
fn a_policy_of_its_own_says_which_field_may_have_which_value() {
    on_stage(async |stage| {
        decided_by_house_rules(stage).await;
        let ned = stage.user("ned");
        let department = |value: &str| json!({ "userId": ned, "attributes": [{ "name": "department", "values": [value] }] });
        stage.done("ada", "updateUser", department("Support"), "").await;
        assert_eq!(stage.refused("ada", "updateUser", department("magic")).await, only("FORBIDDEN", "userId"));
        stage.done("ada", "updateUser", json!({ "userId": ned, "displayName": "Ned" }), "").await;
        let payload = stage.ask("ada", "updateUser", json!({ "userId": ned, "displayName": "Edward", "title": "King" }), "").await;
        let message = payload["userErrors"][0]["message"].as_str().unwrap();
        assert!(message.contains("field `title` may not be set"), "{message}");
        assert_eq!(stage.of_user(&ned, "displayName").await, "Ned", "the write is refused whole");
        // What the module has never heard of may not be set either.
        let payload = stage.ask("ada", "updateUser", json!({ "userId": ned, "phone": "1" }), "").await;
        assert!(payload["userErrors"][0]["message"].as_str().unwrap().contains("`phone`"), "{payload}");
    });
}

#[test]
fn a_policy_that_fails_changes_nothing() {
    on_stage(async |stage| {
        let workspace = stage.world.id.parse().unwrap();
        let trap = Guest::new().describing(|manifest| manifest.decides = vec!["*".to_owned()]).armed(Part::Check, "(unreachable)");
        let trap = stage.host.install(workspace, "trap", trap.component().into()).await;
        stage.host.force(workspace, Some(trap), "armed".to_owned()).await;
        let query = "mutation ($input: AddUserInput!) { addUser(input: $input) { userErrors { code } } }";
        let input = json!({ "input": { "user": { "userName": "nobody" } } });
        let answer = stage.host.graphql(stage.token("ada"), query, input).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "POLICY_UNAVAILABLE", "{answer}");
        assert_eq!(answer["data"], json!({ "addUser": null }));
        stage.host.force(workspace, None, String::new()).await;
        assert_eq!(stage.query("ada", "{ users { totalCount } }").await["users"]["totalCount"], 9);
    });
}

#[test]
fn nobody_brings_back_a_manager_whom_they_could_not_make() {
    on_stage(async |stage| {
        let (sam, ned) = (stage.user("sam"), stage.user("ned"));
        stage.give("gil", &["user.restore", "user.read"], None).await;
        let office = json!({ "groupId": stage.group("south"), "members": [{ "userId": sam, "manager": true }] });
        stage.done("ada", "setGroupManagers", office, "").await;
        stage.done("ada", "removeUsers", json!({ "userIds": [sam, ned] }), "").await;
        stage.done("gil", "restoreUser", json!({ "userId": ned }), "").await;
        assert_eq!(stage.refused("gil", "restoreUser", json!({ "userId": sam })).await, only("FORBIDDEN", "userId"));
        stage.give("gil", &["membership.add"], Some("south")).await;
        assert_eq!(stage.refused("gil", "restoreUser", json!({ "userId": sam })).await, only("FORBIDDEN", "userId"));
        // Nor in two steps: with the group.
        stage.give("gil", &["group.read", "group.restore"], None).await;
        let south = stage.group("south");
        stage.done("ada", "deleteGroup", json!({ "groupId": south, "mode": "SUBTREE" }), "").await;
        stage.done("gil", "restoreUser", json!({ "userId": sam }), "").await;
        assert_eq!(stage.refused("gil", "restoreGroup", json!({ "groupId": south })).await, only("FORBIDDEN", "groupId"));
        stage.done("ada", "restoreGroup", json!({ "groupId": south }), "").await;
        stage.done("ada", "removeUser", json!({ "userId": sam }), "").await;
        stage.give("gil", &["membership.add", "membership.update", "membership.remove"], Some("south")).await;
        stage.done("gil", "restoreUser", json!({ "userId": sam }), "").await;
        assert_eq!(stage.groups_of(&sam).await, ["south*"]);
    });
}

#[test]
fn whatever_comes_back_with_a_group_is_asked_about_too() {
    on_stage(async |stage| {
        let north = stage.group("north");
        stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": "SUBTREE" }), "").await;
        // The north may come back, but the harbour below it was closed.
        decided_by_house_rules(stage).await;
        let payload = stage.ask("ada", "restoreGroup", json!({ "groupId": north }), "").await;
        assert_eq!(payload["userErrors"][0]["code"], "FORBIDDEN");
        let message = payload["userErrors"][0]["message"].as_str().unwrap();
        assert!(message.contains("what was closed stays closed"), "ada sees the harbour: {message}");
        let elsewhere = json!({ "groupId": north, "parentId": stage.group("east") });
        assert_eq!(stage.refused("ada", "restoreGroup", elsewhere).await, only("FORBIDDEN", "groupId"));
        let south = stage.group("south");
        stage.done("ada", "deleteGroup", json!({ "groupId": south, "mode": "SUBTREE" }), "").await;
        stage.done("ada", "restoreGroup", json!({ "groupId": south }), "").await;
    });
}

#[test]
fn a_policy_of_its_own_says_which_attribute_may_change() {
    on_stage(async |stage| {
        decided_by_house_rules(stage).await;
        let define = |name: &str, unique: bool| json!({ "name": name, "unique": unique, "searchable": false });
        stage.done("ada", "defineAttribute", define("house-colour", false), "").await;
        assert_eq!(stage.refused("ada", "defineAttribute", define("colour", false)).await, only("FORBIDDEN", "name"));
        assert_eq!(stage.refused("ada", "defineAttribute", define("house-number", true)).await, only("FORBIDDEN", "name"), "not unique");
        let update = |name: &str, field: &str| json!({ "name": name, field: true });
        stage.done("ada", "updateAttribute", update("house-colour", "searchable"), "").await;
        assert_eq!(stage.refused("ada", "updateAttribute", update("house-colour", "unique")).await, only("FORBIDDEN", "name"));
        assert_eq!(stage.refused("ada", "updateAttribute", update("department", "searchable")).await, only("FORBIDDEN", "name"));
        assert_eq!(
            stage.refused("ada", "removeAttribute", json!({ "name": "department", "mode": "ERASE" })).await,
            only("FORBIDDEN", "name")
        );
        stage.done("ada", "removeAttribute", json!({ "name": "house-colour" }), "").await;
    });
}

#[test]
fn nobody_makes_a_manager_who_could_do_more_than_they() {
    on_stage(async |stage| {
        let south = stage.group("south");
        stage.give("hal", &["group.read", "membership.add", "membership.update", "membership.read"], Some("south")).await;
        let add = |who: &str, manager: bool| json!({ "groupId": south, "members": [{ "userId": stage.user(who), "manager": manager }] });
        assert_eq!(stage.refused("hal", "addGroupMembers", add("hal", true)).await, only("FORBIDDEN", "members.0"));
        stage.done("hal", "addGroupMembers", add("hal", false), "").await;
        assert_eq!(stage.refused("hal", "setGroupManagers", add("hal", true)).await, only("FORBIDDEN", "members.0"));
        assert_eq!(stage.refused("hal", "setGroupManagers", add("sam", true)).await, only("FORBIDDEN", "members.0"));
        // Whoever manages above makes managers, and ends it.
        stage.done("mia", "setGroupManagers", add("sam", true), "").await;
        stage.done("hal", "setGroupManagers", add("sam", false), "").await;
    });
}

#[test]
fn nobody_moves_a_group_to_where_they_may_do_more_with_it() {
    on_stage(async |stage| {
        let (east, sales) = (stage.group("east"), stage.group("sales"));
        stage.give("hal", &["group.read", "group.move", "group.restore"], None).await;
        let to = |group: &str, parent: Option<&str>| json!({ "groupId": group, "parentId": parent });
        // Hal may suspend within sales, and not in the east.
        assert_eq!(stage.refused("hal", "moveGroup", to(&east, Some(&sales))).await, only("FORBIDDEN", "groupId"));
        stage.done("hal", "moveGroup", to(&east, Some(&stage.group("support"))), "").await;
        stage.done("hal", "moveGroup", to(&stage.group("harbour"), Some(&stage.group("south"))), "").await;
        stage.done("ada", "deleteGroup", json!({ "groupId": east, "mode": "SUBTREE" }), "").await;
        assert_eq!(stage.refused("hal", "restoreGroup", to(&east, Some(&sales))).await, only("FORBIDDEN", "groupId"));
        stage.done("hal", "restoreGroup", json!({ "groupId": east }), "").await;
        // Mia manages sales.
        stage.give("mia", &["group.read", "group.move"], None).await;
        assert_eq!(stage.refused("mia", "moveGroup", to(&east, Some(&sales))).await, only("FORBIDDEN", "groupId"));
        stage.done("ada", "moveGroup", to(&east, Some(&sales)), "").await;
    });
}

#[test]
fn one_user_may_begin_with_what_two_may() {
    on_stage(async |stage| {
        let rights = ["user.read", "group.read", "user.create", "membership.add", "grant.add"];
        stage.give("hal", &rights, Some("sales")).await;
        stage.give("hal", &["role.read"], None).await;
        let small = json!({ "name": "Small", "key": "small", "permissions": ["user.read"] });
        let small = stage.done("ada", "createRole", small, "role { id }").await["role"]["id"].take();
        let draft = |name: &str, role: &serde_json::Value, within: Option<&str>| {
            let roles = json!([{ "roleId": role, "withinId": within.map(|group| stage.group(group)) }]);
            json!({ "userName": name, "groups": [{ "groupId": stage.group("north") }], "roles": roles })
        };
        for count in [1, 2] {
            let users = |role: &serde_json::Value, within: Option<&str>| json!({ "users": (0..count).map(|at| draft(&format!("{count}-{at}"), role, within)).collect::<Vec<_>>() });
            let granter = json!(stage.role("granter"));
            for (role, within) in [(&small, None), (&granter, Some("north"))] {
                let told = stage.refused("hal", "addUsers", users(role, within)).await;
                let expected: Vec<_> = (0..count).map(|at| ("FORBIDDEN".to_owned(), format!("users.{at}.roles"))).collect();
                assert_eq!(told, expected, "{count} with {role} in {within:?}");
            }
            stage.done("hal", "addUsers", users(&small, Some("north")), "").await;
        }
    });
}
