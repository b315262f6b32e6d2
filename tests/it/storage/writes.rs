//! Every kind of write once, as an administrator makes them, up to the day when the recycle bin is emptied.

use directory::model::Timestamp;
use serde_json::{Value as Json, json};

use crate::writes::stage::Stage;

/// Far beyond the days that anything waits in the recycle bin.
const MUCH_LATER: Timestamp = Timestamp(9_000_000_000_000_000);

/// Makes every kind of write.
pub(super) async fn do_everything(stage: &Stage<'_>) {
    of_users(stage).await;
    of_groups(stage).await;
    of_roles_and_grants(stage).await;
    of_settings(stage).await;
    of_the_operator(stage).await;
}

async fn done(stage: &Stage<'_>, mutation: &str, input: Json) {
    stage.done("ada", mutation, input, "").await;
}

async fn of_users(stage: &Stage<'_>) {
    let (ned, eve) = (stage.user("ned"), stage.user("eve"));
    let start = json!({ "userName": "new", "groups": [{ "groupId": stage.group("east") }], "roles": [{ "roleId": stage.role("reader") }] });
    let add = json!({ "user": start, "idempotencyKey": "the-first-of-all" });
    done(stage, "addUser", add.clone()).await;
    done(stage, "addUser", add).await;
    let attributes = json!([{ "name": "department", "values": ["A"] }]);
    done(stage, "updateUser", json!({ "userId": ned, "title": "Dr", "exclusive": true, "attributes": attributes })).await;
    done(stage, "suspendUsers", json!({ "userIds": [ned, eve] })).await;
    done(stage, "activateUsers", json!({ "userIds": [ned, eve] })).await;
    done(stage, "removeUsers", json!({ "userIds": [ned, eve] })).await;
    done(stage, "restoreUser", json!({ "userId": ned })).await;
    let partner = json!({ "group": { "name": "Partner" }, "users": [{ "user": { "userName": "pat" }, "manager": true }] });
    done(stage, "onboardPartner", partner).await;
}

async fn of_groups(stage: &Stage<'_>) {
    let (north, harbour, sam) = (stage.group("north"), stage.group("harbour"), stage.user("sam"));
    done(stage, "updateGroup", json!({ "groupId": north, "description": "Up" })).await;
    done(stage, "addGroupMembers", json!({ "groupId": north, "members": [{ "userId": sam }] })).await;
    done(stage, "setGroupManagers", json!({ "groupId": north, "members": [{ "userId": sam, "manager": true }] })).await;
    done(stage, "moveGroup", json!({ "groupId": harbour, "parentId": stage.group("east") })).await;
    done(stage, "moveGroup", json!({ "groupId": harbour, "parentId": north })).await;
    for mode in ["LIFT", "SUBTREE"] {
        done(stage, "deleteGroup", json!({ "groupId": north, "mode": mode })).await;
        done(stage, "restoreGroup", json!({ "groupId": north })).await;
    }
    done(stage, "removeGroupMembers", json!({ "groupId": north, "userIds": [sam] })).await;
    done(stage, "deleteGroup", json!({ "groupId": stage.group("support"), "mode": "SUBTREE" })).await;
}

async fn of_roles_and_grants(stage: &Stage<'_>) {
    let (reader, sam) = (stage.role("reader"), stage.user("sam"));
    done(stage, "createRole", json!({ "name": "Auditor", "permissions": ["user.read"] })).await;
    done(stage, "updateRole", json!({ "roleId": reader, "description": "Reads" })).await;
    done(stage, "addGrants", json!({ "grants": [{ "userId": sam, "roleId": reader, "withinId": stage.group("south") }] })).await;
    done(stage, "deleteRole", json!({ "roleId": reader })).await;
    done(stage, "restoreRole", json!({ "roleId": reader })).await;
    let version = stage.of_user(&sam, "grantsVersion").await;
    done(stage, "replaceGrants", json!({ "userId": sam, "expectedVersion": version, "grants": [{ "roleId": reader }] })).await;
    let grants = stage.of_user(&sam, "grants(first: 1) { nodes { id } }").await;
    done(stage, "removeGrants", json!({ "grantIds": [grants["nodes"][0]["id"]] })).await;
    done(stage, "deleteRole", json!({ "roleId": reader })).await;
}

async fn of_settings(stage: &Stage<'_>) {
    done(stage, "defineAttribute", json!({ "name": "badge", "unique": true, "type": "INTEGER" })).await;
    let badge = json!([{ "name": "badge", "values": ["7"] }]);
    done(stage, "updateUser", json!({ "userId": stage.user("sam"), "attributes": badge })).await;
    done(stage, "updateAttribute", json!({ "name": "badge", "searchable": false })).await;
    done(stage, "removeAttribute", json!({ "name": "badge", "mode": "ERASE" })).await;
    done(stage, "updateWorkspace", json!({ "name": "Everything" })).await;
    done(stage, "updateUserCodeSettings", json!({ "minLength": 2 })).await;
    let token = stage.done("ada", "createToken", json!({ "name": "ci", "kind": "SERVICE", "scopes": ["user.read"] }), "token { id }").await;
    done(stage, "revokeToken", json!({ "tokenId": token["token"]["id"] })).await;
    stage.query("ada", "{ tokens { id } userCodeSettings { minLength } attributes { name } }").await;
}

async fn of_the_operator(stage: &Stage<'_>) {
    let workspace = stage.world.id.parse().unwrap();
    let quota = stage.host.operator.set_quota(workspace, Some(100), tests::host::NOW);
    stage.host.store().write(quota).await.unwrap();
    let purged = stage.host.store().purge(stage.host.operator.purge(MUCH_LATER)).await.unwrap();
    assert_eq!(purged, 3, "a user, a group and a role wait in the recycle bin");
}
