//! Roles and grants.

use std::sync::Arc;

use serde_json::json;
use tests::host::RULES;

use super::stage::{on_stage, only};

#[test]
fn roles_are_made_changed_deleted_and_restored_with_their_grants() {
    on_stage(async |stage| {
        let input = json!({ "name": "Clerk", "key": "clerk", "permissions": ["user.read", "group.read", "user.read"] });
        let role = stage.done("ada", "createRole", input.clone(), "role { id key permissions builtin version }").await["role"].take();
        assert_eq!(role["permissions"], json!(["user.read", "group.read"]), "each once, in the register's order");
        let id = role["id"].as_str().unwrap();
        assert_eq!(stage.refused("ada", "createRole", input).await[0].0, "TAKEN");
        let unknown = json!({ "name": "X", "permissions": ["user.read", "user.fly"] });
        assert_eq!(stage.refused("ada", "createRole", unknown).await, only("INVALID", "permissions.1"));
        let grants = json!({ "grants": [{ "userId": stage.user("ned"), "roleId": id, "withinId": stage.group("east") }] });
        stage.done("ada", "addGrants", grants, "").await;
        let update = json!({ "roleId": id, "expectedVersion": 1, "permissions": ["role.read"] });
        stage.done("ada", "updateRole", update.clone(), "").await;
        assert_eq!(stage.refused("ada", "updateRole", update).await, only("STALE", "expectedVersion"));
        stage.done("ada", "deleteRole", json!({ "roleId": id }), "deletedRoleId").await;
        assert_eq!(stage.roles_of(&stage.user("ned")).await, Vec::<String>::new());
        let back = stage.done("ada", "restoreRole", json!({ "roleId": id }), "complete role { key permissions }").await;
        assert_eq!(back["role"], json!({ "key": "clerk", "permissions": ["role.read"] }));
        assert_eq!(stage.roles_of(&stage.user("ned")).await, ["clerk@east"]);
        for mutation in ["updateRole", "deleteRole"] {
            let builtin = json!({ "roleId": stage.role("member") });
            assert_eq!(stage.refused("ada", mutation, builtin).await, only("BUILT_IN", "roleId"));
        }
    });
}

#[test]
fn grants_are_added_once_and_removed() {
    on_stage(async |stage| {
        let ned = stage.user("ned");
        let input = json!({ "grants": [
            { "userId": ned, "roleId": stage.role("reader") },
            { "userId": ned, "roleId": stage.role("reader"), "withinId": stage.group("east") },
        ]});
        let fields = "grants { id provenance grantedBy { userName } within { key } }";
        let payload = stage.done("ada", "addGrants", input.clone(), fields).await;
        assert_eq!(payload["grants"][0]["provenance"], "MANUAL");
        assert_eq!(payload["grants"][0]["grantedBy"]["userName"], "ada");
        assert_eq!(stage.done("ada", "addGrants", input, fields).await, payload, "what is there stays");
        let ids = json!([payload["grants"][0]["id"], payload["grants"][1]["id"]]);
        let removed = stage.done("ada", "removeGrants", json!({ "grantIds": ids }), "removedGrantIds").await;
        assert_eq!(removed["removedGrantIds"], ids);
        assert_eq!(stage.refused("ada", "removeGrants", json!({ "grantIds": ids })).await[0].0, "NOT_FOUND");
    });
}

#[test]
fn a_stale_form_drops_no_role() {
    on_stage(async |stage| {
        let ned = stage.user("ned");
        let version = async || stage.of_user(&ned, "grantsVersion").await.as_str().unwrap().to_owned();
        let first = version().await;
        let hold = |version: &str, grants: serde_json::Value| json!({ "userId": ned, "expectedVersion": version, "grants": grants });
        let reader = json!({ "roleId": stage.role("reader") });
        let helpdesk = json!({ "roleId": stage.role("helpdesk"), "withinId": stage.group("sales") });
        stage.done("ada", "replaceGrants", hold(&first, json!([reader])), "user { grantsVersion }").await;
        assert_eq!(stage.refused("ada", "replaceGrants", hold(&first, json!([helpdesk]))).await, only("STALE", "expectedVersion"));
        assert_eq!(stage.roles_of(&ned).await, ["reader"]);
        stage.done("ada", "replaceGrants", hold(&version().await, json!([helpdesk, reader])), "").await;
        assert_eq!(stage.roles_of(&ned).await, ["helpdesk@sales", "reader"]);
        stage.done("ada", "replaceGrants", hold(&version().await, json!([])), "").await;
        assert_eq!((stage.roles_of(&ned).await, version().await), (Vec::new(), first), "the same grants are the same version");
    });
}

#[test]
fn a_grant_whose_limit_is_hidden_is_neither_widened_nor_ended() {
    on_stage(async |stage| {
        // Gil sees users, roles and grants, and groups within sales only.
        stage.give("gil", &["user.read", "role.read", "grant.read", "grant.add", "grant.remove", "group.read"], None).await;
        let sam = stage.user("sam");
        let grant = json!({ "userId": sam, "roleId": stage.role("reader"), "withinId": stage.group("support") });
        stage.done("ada", "addGrants", json!({ "grants": [grant] }), "").await;
        let workspace = stage.world.id.parse().unwrap();
        let module = stage.host.install(workspace, "rules", Arc::from(RULES)).await;
        let everything = json!({ "clauses": [[]] });
        let sees = json!({ "user": everything, "role": everything, "grant": everything, "group": { "clauses": [[{ "test": "mine" }]] } });
        stage.host.force(workspace, Some(module), sees.to_string()).await;
        let user = format!("{{ user(by: {{ id: \"{sam}\" }}) {{ grantsVersion grants {{ nodes {{ within {{ id }} limited }} }} }} }}");
        let shown = stage.query("gil", &user).await["user"].take();
        assert_eq!(shown["grants"]["nodes"], json!([{ "within": null, "limited": true }]));
        let replace = json!({ "userId": sam, "expectedVersion": shown["grantsVersion"], "grants": [] });
        stage.done("gil", "replaceGrants", replace, "").await;
        stage.host.force(workspace, None, String::new()).await;
        assert_eq!(stage.roles_of(&sam).await, ["reader@support"]);
    });
}
