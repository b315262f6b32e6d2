//! What is hidden answers writes as what is absent.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use tests::host::RULES;

use super::stage::{Stage, on_stage};

/// Each mutation with an input that names things by id.
fn inputs(user: &str, group: &str, role: &str, grant: &str, mine: &str) -> Vec<(&'static str, Json)> {
    vec![
        ("updateUser", json!({ "userId": user, "title": "x" })),
        ("activateUser", json!({ "userId": user })),
        ("activateUsers", json!({ "userIds": [user] })),
        ("suspendUser", json!({ "userId": user })),
        ("suspendUsers", json!({ "userIds": [mine, user] })),
        ("removeUser", json!({ "userId": user, "expectedVersion": 7 })),
        ("removeUsers", json!({ "userIds": [user] })),
        ("restoreUser", json!({ "userId": user })),
        (
            "addUser",
            json!({ "user": { "userName": "n", "groups": [{ "groupId": group }], "roles": [{ "roleId": role, "withinId": group }] } }),
        ),
        ("createGroup", json!({ "name": "x", "parentId": group })),
        ("updateGroup", json!({ "groupId": group, "name": "x" })),
        ("moveGroup", json!({ "groupId": group, "parentId": null })),
        ("deleteGroup", json!({ "groupId": group, "mode": "SUBTREE" })),
        ("restoreGroup", json!({ "groupId": group })),
        ("addGroupMembers", json!({ "groupId": group, "members": [{ "userId": user }] })),
        ("removeGroupMembers", json!({ "groupId": group, "userIds": [user] })),
        ("setGroupManagers", json!({ "groupId": group, "members": [{ "userId": user, "manager": true }] })),
        ("updateRole", json!({ "roleId": role, "name": "x" })),
        ("deleteRole", json!({ "roleId": role })),
        ("restoreRole", json!({ "roleId": role })),
        ("addGrants", json!({ "grants": [{ "userId": user, "roleId": role, "withinId": group }] })),
        ("removeGrants", json!({ "grantIds": [grant] })),
        ("replaceGrants", json!({ "userId": user, "expectedVersion": "0-0", "grants": [] })),
        ("revokeToken", json!({ "tokenId": user.replace("usr_", "tok_") })),
        (
            "onboardPartner",
            json!({ "group": { "name": "x", "parentId": group }, "users": [{ "user": { "userName": "n" } }], "roleIds": [role] }),
        ),
    ]
}

/// The answer with every id of these taken out.
async fn answer(stage: &Stage<'_>, who: &str, mutation: &str, input: &Json, ids: &[&str]) -> String {
    let mut text = stage.ask(who, mutation, input.clone(), "").await.to_string();
    for id in ids {
        // Behind its prefix: an id of a user also stands for that of a token.
        text = text.replace(&id[4..], "*");
    }
    text
}

#[test]
fn hidden_and_absent_are_one_answer() {
    on_stage(async |stage| {
        let grants = stage.query("ada", "{ grants(first: 100) { nodes { id user { userName } } } }").await;
        let grants = grants["grants"]["nodes"].as_array().unwrap();
        let grant = grants.iter().find(|grant| grant["user"]["userName"] == "sue").unwrap()["id"].as_str().unwrap();
        let hidden = [stage.user("eve"), stage.group("east"), stage.role("reader"), grant.to_owned()];
        let absent = hidden.clone().map(|id| {
            let (prefix, rest) = id.split_at(4);
            format!("{prefix}{}", rest.chars().map(|digit| if digit == 'f' { '0' } else { 'f' }).collect::<String>())
        });
        // Ned sees his own group, and eve's in no way; hal sees sales only, and may do much there.
        for who in ["ned", "hal", "mia"] {
            let mine = stage.user("ned");
            let [of_hidden, of_absent] = [&hidden, &absent].map(|[user, group, role, grant]| inputs(user, group, role, grant, &mine));
            for ((mutation, hidden_input), (_, absent_input)) in of_hidden.iter().zip(&of_absent) {
                let hidden_ids: Vec<&str> = hidden.iter().map(String::as_str).collect();
                let absent_ids: Vec<&str> = absent.iter().map(String::as_str).collect();
                let one = answer(stage, who, mutation, hidden_input, &hidden_ids).await;
                let other = answer(stage, who, mutation, absent_input, &absent_ids).await;
                assert_eq!(one, other, "{who} tells hidden from absent by {mutation}");
                assert!(!one.contains("\"userErrors\":[]"), "{who} did {mutation}");
            }
        }
        let names = stage.query("ada", "{ users(filter: { status: [ACTIVE] }) { totalCount } }").await;
        assert_eq!(names["users"]["totalCount"], 9, "nothing happened");
    });
}

#[test]
fn adding_whoever_is_there_already_tells_nothing() {
    on_stage(async |stage| {
        // Hal sees ned in sales, and may add nobody: whether ned is in the group or not, he is told the same.
        let add = |group: &str| json!({ "groupId": stage.group(group), "members": [{ "userId": stage.user("ned") }] });
        let [there, not_there] =
            [stage.ask("hal", "addGroupMembers", add("north"), "").await, stage.ask("hal", "addGroupMembers", add("south"), "").await];
        assert_eq!(there["userErrors"][0]["code"], "FORBIDDEN");
        assert_eq!(there, not_there);
    });
}

#[test]
fn what_can_not_be_seen_is_not_named_where_it_stands_in_the_way() {
    on_stage(async |stage| {
        // A role that deletes groups within north, and sees groups only by being in them.
        let role = json!({ "name": "Gardener", "key": "gardener", "permissions": ["group.delete"] });
        let role = stage.done("ada", "createRole", role, "role { id }").await["role"]["id"].take();
        let grant = json!({ "grants": [{ "userId": stage.user("ned"), "roleId": role, "withinId": stage.group("north") }] });
        stage.done("ada", "addGrants", grant, "").await;
        stage
            .done("ada", "addGroupMembers", json!({ "groupId": stage.group("harbour"), "members": [{ "userId": stage.user("sue") }] }), "")
            .await;
        let payload = stage.ask("ned", "deleteGroup", json!({ "groupId": stage.group("harbour") }), "").await;
        assert_eq!(payload["userErrors"][0]["code"], "NOT_EMPTY");
        let message = payload["userErrors"][0]["message"].as_str().unwrap();
        assert!(message.contains("something you can not see") && !message.contains("sue"), "{message}");
        // Whoever may not know the quota is told no numbers.
        let adder = json!({ "name": "Adder", "key": "adder", "permissions": ["user.create"] });
        let adder = stage.done("ada", "createRole", adder, "role { id }").await["role"]["id"].take();
        stage.done("ada", "addGrants", json!({ "grants": [{ "userId": stage.user("ned"), "roleId": adder }] }), "").await;
        let workspace = stage.world.id.parse().unwrap();
        stage.host.store().write(stage.host.operator.set_quota(workspace, Some(9), tests::host::NOW)).await.unwrap();
        let payload = stage.ask("ned", "addUser", json!({ "user": { "userName": "ten" } }), "").await;
        assert_eq!(payload["userErrors"][0]["code"], "QUOTA_EXCEEDED");
        assert!(!payload["userErrors"][0]["message"].as_str().unwrap().contains('9'), "{payload}");
    });
}

#[test]
fn whoever_may_do_nothing_learns_no_rules() {
    on_stage(async |stage| {
        stage.done("ada", "defineAttribute", json!({ "name": "badge", "type": "INTEGER" }), "").await;
        for who in &stage.world.people {
            let badge = json!({ "userId": who.id, "attributes": [{ "name": "badge", "values": ["7"] }] });
            stage.done("ada", "updateUser", badge, "").await;
        }
        stage.done("ada", "updateAttribute", json!({ "name": "badge", "required": true }), "").await;
        let bad = json!([{ "name": "badge", "values": ["x"] }, { "name": "no such", "values": ["y"] }]);
        let (north, ned) = (stage.group("north"), stage.user("ned"));
        let nowhere = "grp_00000000000070008000000000000000";
        // Ned sees everybody, whoever is gone too, and may do nothing to them.
        stage.give("ned", &["user.read", "group.read", "role.read", "membership.read"], None).await;
        let (sam, gone) = (stage.user("sam"), stage.user("ula"));
        stage.done("ada", "removeUser", json!({ "userId": gone }), "").await;
        let roles = stage.query("ada", "{ role(by: { key: \"administrator\" }) { id } }").await;
        let administrator = &roles["role"]["id"];
        for (mutation, input, allowed) in [
            ("addUser", json!({ "user": { "userName": "n", "code": "", "attributes": bad } }), &["INVALID"][..]),
            ("addUser", json!({ "user": { "userName": "n" } }), &["INVALID"]),
            ("addUsers", json!({ "users": [{ "userName": "n", "attributes": bad }, { "userName": "o" }] }), &["INVALID"]),
            ("addUser", json!({ "user": { "userName": "n", "groups": [{ "groupId": nowhere }] } }), &["NOT_FOUND", "INVALID"]),
            ("updateUser", json!({ "userId": ned, "attributes": bad, "expectedVersion": 99 }), &["INVALID", "STALE"]),
            ("createGroup", json!({ "name": "", "attributes": bad, "parentId": north }), &["INVALID"]),
            ("updateGroup", json!({ "groupId": north, "attributes": bad, "expectedVersion": 99 }), &["INVALID", "STALE"]),
            ("createRole", json!({ "name": "", "permissions": ["no.such"] }), &["INVALID"]),
            ("createToken", json!({ "kind": "SERVICE", "name": "t", "scopes": ["no.such"] }), &["INVALID"]),
            ("defineAttribute", json!({ "name": "no name" }), &["INVALID"]),
            ("suspendUser", json!({ "userId": gone }), &["IN_RECYCLE_BIN"]),
            ("removeUsers", json!({ "userIds": [sam, sam, gone] }), &["IN_RECYCLE_BIN", "INVALID"]),
            ("restoreUser", json!({ "userId": sam }), &["NOT_RESTORABLE"]),
            ("updateUser", json!({ "userId": gone, "title": "x" }), &["IN_RECYCLE_BIN"]),
            ("addGroupMembers", json!({ "groupId": north, "members": [{ "userId": gone }] }), &["IN_RECYCLE_BIN"]),
            ("removeGroupMembers", json!({ "groupId": north, "userIds": [ned, ned] }), &["INVALID"]),
            ("addGrants", json!({ "grants": [{ "userId": gone, "roleId": administrator }] }), &["IN_RECYCLE_BIN"]),
            ("updateRole", json!({ "roleId": administrator, "name": "x" }), &["BUILT_IN"]),
            ("deleteRole", json!({ "roleId": administrator, "expectedVersion": 9 }), &["BUILT_IN", "STALE"]),
        ] {
            let told: Vec<String> = stage.refused("ned", mutation, input.clone()).await.into_iter().map(|(code, _)| code).collect();
            assert!(told.contains(&"FORBIDDEN".to_owned()), "{mutation} {input}: {told:?}");
            assert!(told.iter().all(|code| ["FORBIDDEN", "NOT_FOUND"].contains(&code.as_str())), "{mutation} {input}: {told:?}");
            let told: Vec<String> = stage.refused("ada", mutation, input.clone()).await.into_iter().map(|(code, _)| code).collect();
            assert!(allowed.iter().all(|code| told.contains(&(*code).to_owned())), "{mutation} {input}: {told:?}");
        }
    });
}

#[test]
fn a_hidden_place_in_the_bin_looks_gone() {
    on_stage(async |stage| {
        // Eve restores anything, and sees the harbour only, not the group above it.
        stage.give("eve", &["group.restore"], None).await;
        let workspace = stage.world.id.parse().unwrap();
        let module = stage.host.install(workspace, "rules", Arc::from(RULES)).await;
        let sees = json!({ "groupKeys": ["harbour"], "group": { "clauses": [[{ "test": "in-group-key", "values": ["harbour"] }]] } });
        let harbour = stage.group("harbour");
        let mut answers = Vec::new();
        for group in ["harbour", "north"] {
            stage.done("ada", "deleteGroup", json!({ "groupId": stage.group(group), "mode": "SUBTREE" }), "").await;
            stage.host.force(workspace, Some(module), sees.to_string()).await;
            let listed = stage.query("eve", "{ recycleBin { nodes { name } } }").await;
            assert_eq!(listed["recycleBin"]["nodes"], json!([{ "name": "Harbour" }]));
            answers.push(stage.ask("eve", "restoreGroup", json!({ "groupId": harbour }), "").await);
            stage.host.force(workspace, None, String::new()).await;
        }
        assert_eq!(answers[0]["userErrors"][0]["code"], "NOT_RESTORABLE");
        assert_eq!(answers[0], answers[1]);
    });
}
