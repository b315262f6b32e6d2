//! Groups: created, changed, moved, deleted, restored; and who is in them.

use serde_json::{Value as Json, json};

use super::stage::{Stage, on_stage, only};

async fn parent(stage: &Stage<'_>, group: &str) -> Json {
    stage.query("ada", &format!("{{ group(by: {{ id: \"{group}\" }}) {{ parent {{ key }} depth }} }}")).await["group"].take()
}

#[test]
fn groups_are_created_and_changed() {
    on_stage(async |stage| {
        let input = json!({ "name": "Quay 1", "parentId": stage.group("harbour"), "description": "By the water" });
        let group = stage.done("ada", "createGroup", input, "group { id key name description depth version }").await["group"].take();
        assert!(group["key"].as_str().unwrap().starts_with("quay-1-"), "{group}");
        assert_eq!((&group["depth"], &group["version"]), (&json!(4), &json!(1)));
        let id = group["id"].as_str().unwrap();
        let update = json!({ "groupId": id, "expectedVersion": 1, "name": "Quay 2", "description": null });
        let group = stage.done("ada", "updateGroup", update.clone(), "group { name description version }").await["group"].take();
        assert_eq!(group, json!({ "name": "Quay 2", "description": null, "version": 2 }));
        assert_eq!(stage.refused("ada", "updateGroup", update).await, only("STALE", "expectedVersion"));
        let top = stage.done("ada", "createGroup", json!({ "name": "West", "key": "west" }), "group { depth parent { id } }").await;
        assert_eq!(top["group"], json!({ "depth": 1, "parent": null }));
        assert_eq!(stage.refused("ada", "createGroup", json!({ "name": "WEST" })).await[0].0, "TAKEN", "names ignore case");
        assert_eq!(stage.refused("ada", "createGroup", json!({ "name": "X", "key": "west" })).await[0].0, "TAKEN");
        assert_eq!(stage.refused("ada", "createGroup", json!({ "name": "X", "key": "a b" })).await, only("INVALID", "key"));
    });
}

#[test]
fn a_move_takes_everybody_along() {
    on_stage(async |stage| {
        let (north, harbour, east) = (stage.group("north"), stage.group("harbour"), stage.group("east"));
        stage
            .done(
                "ada",
                "addGroupMembers",
                json!({ "groupId": harbour, "members": [{ "userId": stage.user("ned") }, { "userId": stage.user("eve") }] }),
                "",
            )
            .await;
        let preview = format!(
            "{{ previewGroupMove(input: {{ groupId: \"{north}\", parentId: \"{east}\" }}) {{ groups people leaves {{ key }} joins {{ key }} \
             losingManagers {{ user {{ userName }} }} losingGrants {{ role {{ key }} }} gainingGrants {{ id }} userErrors {{ code }} }} }}"
        );
        let seen = stage.query("ada", &preview).await["previewGroupMove"].take();
        assert_eq!((&seen["groups"], &seen["people"]), (&json!(2), &json!(2)));
        assert_eq!((&seen["leaves"], &seen["joins"]), (&json!([{ "key": "sales" }]), &json!([{ "key": "east" }])));
        assert_eq!(seen["losingManagers"], json!([{ "user": { "userName": "mia" } }]));
        assert_eq!(seen["losingGrants"].as_array().unwrap().len(), 2, "helpdesk and granter within sales");
        assert_eq!((&seen["gainingGrants"], &seen["userErrors"]), (&json!([]), &json!([])));
        stage.done("ada", "moveGroup", json!({ "groupId": north, "parentId": east, "expectedVersion": 1 }), "group { depth }").await;
        assert_eq!(parent(stage, &harbour).await, json!({ "parent": { "key": "north" }, "depth": 3 }));
        assert_eq!(stage.members(&stage.group("sales")).await, ["mia", "sam"]);
        assert_eq!(stage.members(&east).await, ["eve", "ned"], "each once, by however many ways");
        stage.done("ada", "removeGroupMembers", json!({ "groupId": harbour, "userIds": [stage.user("eve")] }), "").await;
        assert_eq!(stage.members(&east).await, ["eve", "ned"], "one of two ways is left");
        stage.done("ada", "moveGroup", json!({ "groupId": harbour, "parentId": null }), "").await;
        assert_eq!(parent(stage, &harbour).await, json!({ "parent": null, "depth": 1 }));
        assert_eq!(stage.members(&harbour).await, ["ned"]);
    });
}

#[test]
fn no_group_is_below_itself_and_no_tree_too_deep() {
    on_stage(async |stage| {
        let (sales, harbour) = (stage.group("sales"), stage.group("harbour"));
        for to in [&sales, &harbour] {
            let input = json!({ "groupId": sales, "parentId": to });
            assert_eq!(stage.refused("ada", "moveGroup", input).await[0].0, "CYCLE");
        }
        let mut parent = harbour;
        for depth in 4..=64 {
            let input = json!({ "name": format!("Level {depth}"), "parentId": parent });
            parent = stage.done("ada", "createGroup", input, "group { id }").await["group"]["id"].as_str().unwrap().to_owned();
        }
        assert_eq!(stage.refused("ada", "createGroup", json!({ "name": "Too deep", "parentId": parent })).await[0].0, "TOO_DEEP");
        let deeper = json!({ "groupId": stage.group("sales"), "parentId": stage.group("east") });
        assert_eq!(stage.refused("ada", "moveGroup", deeper).await[0].0, "TOO_DEEP");
    });
}

#[test]
fn deleting_refuses_lifts_or_takes_the_subtree_and_restoring_undoes_it() {
    on_stage(async |stage| {
        let north = stage.group("north");
        let grant = json!({ "grants": [{ "userId": stage.user("eve"), "roleId": stage.role("reader"), "withinId": north }] });
        stage.done("ada", "addGrants", grant, "").await;
        let managers = json!({ "groupId": north, "members": [{ "userId": stage.user("ned"), "manager": true }] });
        stage.done("ada", "setGroupManagers", managers, "").await;
        let tree = "{ groupTree { nodes { depth group { id key } parent { key } } } memberships(first: 100) { nodes { id manager createdAt } } \
                    grants(first: 100) { nodes { id } } }";
        let before = stage.query("ada", tree).await;
        assert_eq!(stage.refused("ada", "deleteGroup", json!({ "groupId": north })).await[0].0, "NOT_EMPTY");
        for mode in ["LIFT", "SUBTREE"] {
            stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": mode }), "deletedGroupId").await;
            let gone = stage.query("ada", &format!("{{ group(by: {{ id: \"{north}\" }}) {{ id }} }}")).await;
            assert_eq!(gone["group"], json!(null));
            let (members, roles) = (stage.members(&stage.group("sales")).await, stage.roles_of(&stage.user("eve")).await);
            match mode {
                "LIFT" => {
                    assert_eq!(members, ["mia", "ned", "sam"]);
                    assert_eq!(stage.groups_of(&stage.user("ned")).await, ["sales"], "nobody manages by being lifted");
                    assert_eq!(parent(stage, &stage.group("harbour")).await["parent"]["key"], "sales");
                }
                _ => assert_eq!(members, ["mia", "sam"]),
            }
            assert_eq!(roles, Vec::<String>::new(), "what was limited to it is gone with it");
            let back = stage.done("ada", "restoreGroup", json!({ "groupId": north }), "complete").await;
            assert_eq!(back["complete"], true, "{mode}");
            assert_eq!(stage.query("ada", tree).await, before, "{mode}");
            assert_eq!(stage.members(&stage.group("sales")).await, ["mia", "ned", "sam"]);
        }
    });
}

#[test]
fn what_happened_in_between_is_reported_and_never_overwritten() {
    on_stage(async |stage| {
        let (north, harbour, ned) = (stage.group("north"), stage.group("harbour"), stage.user("ned"));
        stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": "SUBTREE" }), "").await;
        assert_eq!(stage.refused("ada", "restoreGroup", json!({ "groupId": harbour })).await[0].0, "NOT_RESTORABLE", "it went with north");
        stage.done("ada", "createGroup", json!({ "name": "north", "parentId": stage.group("sales"), "key": "north" }), "").await;
        assert_eq!(stage.refused("ada", "restoreGroup", json!({ "groupId": north })).await[0].0, "TAKEN");
        stage.done("ada", "removeUser", json!({ "userId": ned }), "").await;
        stage
            .done(
                "ada",
                "deleteGroup",
                json!({ "groupId": stage.query("ada", "{ group(by: { key: \"north\" }) { id } }").await["group"]["id"] }),
                "",
            )
            .await;
        stage.done("ada", "restoreGroup", json!({ "groupId": north }), "complete").await;
        assert_eq!(stage.members(&north).await, Vec::<String>::new(), "ned is still removed");
        stage.done("ada", "restoreUser", json!({ "userId": ned }), "complete").await;
        assert_eq!(stage.groups_of(&ned).await, ["north"], "and is back where he was when both are back");
        // The same the other way round: the person first, then the group.
        stage.done("ada", "removeUser", json!({ "userId": ned }), "").await;
        stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": "SUBTREE" }), "").await;
        stage.done("ada", "restoreUser", json!({ "userId": ned }), "").await;
        assert_eq!(stage.groups_of(&ned).await, Vec::<String>::new());
        stage.done("ada", "restoreGroup", json!({ "groupId": north }), "").await;
        assert_eq!(stage.groups_of(&ned).await, ["north"]);
        // A parent that is gone asks for another place.
        stage.done("ada", "deleteGroup", json!({ "groupId": harbour }), "").await;
        stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": "SUBTREE" }), "").await;
        assert_eq!(stage.refused("ada", "restoreGroup", json!({ "groupId": harbour })).await, only("NOT_RESTORABLE", "parentId"));
        stage.done("ada", "restoreGroup", json!({ "groupId": harbour, "parentId": null }), "").await;
        assert_eq!(parent(stage, &harbour).await["parent"], json!(null));
    });
}

#[test]
fn members_come_and_go_in_bulk() {
    on_stage(async |stage| {
        let east = stage.group("east");
        let members = json!([{ "userId": stage.user("ned"), "manager": true }, { "userId": stage.user("eve") }]);
        let fields = "memberships { user { userName } manager } results { done }";
        let payload = stage.done("ada", "addGroupMembers", json!({ "groupId": east, "members": members }), fields).await;
        assert_eq!(
            payload["memberships"],
            json!([{ "user": { "userName": "ned" }, "manager": true }, { "user": { "userName": "eve" }, "manager": false }]),
            "whoever was a member stays as they were"
        );
        let twice = json!({ "groupId": east, "userIds": [stage.user("ned"), stage.user("ned")] });
        assert_eq!(stage.refused("ada", "removeGroupMembers", twice).await, only("INVALID", "userIds.1"));
        let stranger = json!({ "groupId": east, "userIds": [stage.user("ned"), stage.user("mia")] });
        assert_eq!(stage.refused("ada", "removeGroupMembers", stranger).await, only("NOT_FOUND", "userIds.1"));
        stage.done("ada", "removeGroupMembers", json!({ "groupId": east, "userIds": [stage.user("ned"), stage.user("eve")] }), "").await;
        assert_eq!(stage.members(&east).await, Vec::<String>::new());
    });
}

#[test]
fn a_lifted_group_that_comes_back_elsewhere_takes_nobody_along() {
    on_stage(async |stage| {
        let (north, sales, ned) = (stage.group("north"), stage.group("sales"), stage.user("ned"));
        stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": "LIFT" }), "").await;
        let back = stage.done("ada", "restoreGroup", json!({ "groupId": north, "parentId": stage.group("east") }), "complete").await;
        assert_eq!(back["complete"], false);
        assert_eq!(stage.members(&north).await, Vec::<String>::new());
        assert_eq!(stage.groups_of(&ned).await, ["sales"]);
        assert_eq!(parent(stage, &stage.group("harbour")).await["parent"]["key"], "sales");
        stage.done("ada", "deleteGroup", json!({ "groupId": sales, "mode": "SUBTREE" }), "").await;
        assert_eq!(stage.done("ada", "restoreGroup", json!({ "groupId": sales }), "complete").await["complete"], true);
        assert_eq!(stage.members(&sales).await, ["mia", "ned", "sam"]);
    });
}

#[test]
fn a_lifted_member_stays_what_it_has_become() {
    on_stage(async |stage| {
        let (north, south, sales) = (stage.group("north"), stage.group("south"), stage.group("sales"));
        let (ned, sam) = (stage.user("ned"), stage.user("sam"));
        let manages = json!({ "groupId": north, "members": [{ "userId": ned, "manager": true }] });
        stage.done("ada", "setGroupManagers", manages, "").await;
        for group in [&north, &south] {
            stage.done("ada", "deleteGroup", json!({ "groupId": group, "mode": "LIFT" }), "").await;
        }
        let leave = json!({ "groupId": sales, "userIds": [ned] });
        stage.done("ada", "removeGroupMembers", leave, "").await;
        let promoted = json!({ "groupId": sales, "members": [{ "userId": sam, "manager": true }] });
        stage.done("ada", "setGroupManagers", promoted, "").await;
        for group in [&north, &south] {
            assert_eq!(stage.done("ada", "restoreGroup", json!({ "groupId": group }), "complete").await["complete"], false);
        }
        assert_eq!(stage.groups_of(&ned).await, Vec::<String>::new(), "who was taken out stays out");
        assert_eq!(stage.groups_of(&sam).await, ["sales*"]);
        assert_eq!(stage.members(&sales).await, ["mia", "sam"]);
    });
}

#[test]
fn a_lifted_member_who_was_in_the_parent_too_comes_back_without_leaving_it() {
    on_stage(async |stage| {
        let (north, sales, ned) = (stage.group("north"), stage.group("sales"), stage.user("ned"));
        let also = json!({ "groupId": sales, "members": [{ "userId": ned }] });
        stage.done("ada", "addGroupMembers", also, "").await;
        stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": "LIFT" }), "").await;
        stage.done("ada", "removeGroupMembers", json!({ "groupId": sales, "userIds": [ned] }), "").await;
        assert_eq!(stage.done("ada", "restoreGroup", json!({ "groupId": north }), "complete").await["complete"], true);
        assert_eq!(stage.groups_of(&ned).await, ["north"]);
    });
}

#[test]
fn what_was_lifted_and_deleted_comes_back_in_any_order() {
    for first in ["north", "ned", "harbour"] {
        on_stage(async |stage| {
            let (north, harbour, ned) = (stage.group("north"), stage.group("harbour"), stage.user("ned"));
            let manages = json!({ "groupId": north, "members": [{ "userId": ned, "manager": true }] });
            stage.done("ada", "setGroupManagers", manages, "").await;
            stage.done("ada", "createGroup", json!({ "name": "Quay", "parentId": harbour, "key": "quay" }), "").await;
            stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": "LIFT" }), "").await;
            stage.done("ada", "removeUser", json!({ "userId": ned }), "").await;
            stage.done("ada", "deleteGroup", json!({ "groupId": harbour, "mode": "SUBTREE" }), "").await;
            let restore = [
                ("north", "restoreGroup", json!({ "groupId": north })),
                ("ned", "restoreUser", json!({ "userId": ned })),
                ("harbour", "restoreGroup", json!({ "groupId": harbour })),
            ];
            let (before, after): (Vec<_>, Vec<_>) = restore.into_iter().partition(|(name, ..)| *name == first);
            for (name, mutation, input) in before.into_iter().chain(after) {
                assert_eq!(stage.done("ada", mutation, input, "complete").await["complete"], true, "{name}, {first} first");
            }
            assert_eq!(stage.groups_of(&ned).await, ["north*"], "{first} first");
            assert_eq!(parent(stage, &harbour).await["parent"]["key"], "north", "{first} first");
            let tree = stage.query("ada", "{ groupTree { nodes { depth group { id key } } } }").await;
            let depths = tree["groupTree"]["nodes"].as_array().unwrap().iter();
            let depths: Vec<(&str, u64)> =
                depths.map(|node| (node["group"]["key"].as_str().unwrap(), node["depth"].as_u64().unwrap())).collect();
            assert!(depths.contains(&("harbour", 3)) && depths.contains(&("quay", 4)), "{depths:?}");
        });
    }
}

#[test]
fn of_lifts_out_of_one_another_the_last_is_restored_first_and_managers_manage_again() {
    on_stage(async |stage| {
        let (north, harbour, ned) = (stage.group("north"), stage.group("harbour"), stage.user("ned"));
        stage.done("ada", "removeGroupMembers", json!({ "groupId": north, "userIds": [ned] }), "").await;
        let manages = json!({ "groupId": harbour, "members": [{ "userId": ned, "manager": true }] });
        stage.done("ada", "addGroupMembers", manages, "").await;
        for group in [&harbour, &north] {
            stage.done("ada", "deleteGroup", json!({ "groupId": group, "mode": "LIFT" }), "").await;
        }
        assert_eq!(stage.groups_of(&ned).await, ["sales"]);
        stage.done("ada", "removeUser", json!({ "userId": ned }), "").await;
        for group in [&north, &harbour] {
            assert_eq!(stage.done("ada", "restoreGroup", json!({ "groupId": group }), "complete").await["complete"], true);
        }
        assert_eq!(stage.done("ada", "restoreUser", json!({ "userId": ned }), "complete").await["complete"], true);
        assert_eq!(stage.groups_of(&ned).await, ["harbour*"]);
    });
}

#[test]
fn a_hidden_parent_looks_absent_whatever_version_is_expected() {
    on_stage(async |stage| {
        let south = stage.group("south");
        let to = |parent: &str| json!({ "groupId": south, "expectedVersion": 99, "parentId": parent });
        let absent = to("grp_00000000000070008000000000000000");
        let hidden = stage.refused("sam", "moveGroup", to(&stage.group("support"))).await;
        assert_eq!((&hidden, &hidden), (&stage.refused("sam", "moveGroup", absent).await, &only("NOT_FOUND", "parentId")));
    });
}

#[test]
fn somebody_of_one_subtree_fetches_no_group_of_another_from_the_bin() {
    on_stage(async |stage| {
        let permissions = json!(["group.read", "group.restore"]);
        let role = stage.done("ada", "createRole", json!({ "name": "Keeper", "permissions": permissions }), "role { id }").await;
        let reader = json!({ "userId": stage.user("eve"), "roleId": stage.role("reader") });
        let keeper = json!({ "userId": stage.user("eve"), "roleId": role["role"]["id"], "withinId": stage.group("sales") });
        stage.done("ada", "addGrants", json!({ "grants": [reader, keeper] }), "").await;
        for (group, allowed) in [("support", false), ("north", true)] {
            let id = stage.group(group);
            stage.done("ada", "deleteGroup", json!({ "groupId": id, "mode": "SUBTREE" }), "").await;
            let restore = json!({ "groupId": id, "parentId": stage.group("south") });
            if allowed {
                stage.done("eve", "restoreGroup", restore, "").await;
            } else {
                assert_eq!(stage.refused("eve", "restoreGroup", restore).await, only("FORBIDDEN", "groupId"));
            }
        }
    });
}

#[test]
fn what_is_in_the_bin_is_listed_to_whoever_could_see_it() {
    on_stage(async |stage| {
        let bin =
            "{ recycleBin(first: 2) { nodes { id kind name mode deletedAt purgedAt deletedBy { userName } } hasNextPage endCursor } }";
        assert_eq!(stage.query("ada", bin).await["recycleBin"]["nodes"], json!([]));
        let (ned, north) = (stage.user("ned"), stage.group("north"));
        stage.done("ada", "removeUser", json!({ "userId": ned }), "").await;
        stage.done("sue", "deleteGroup", json!({ "groupId": north, "mode": "SUBTREE" }), "").await;
        stage.done("ada", "deleteRole", json!({ "roleId": stage.role("reader") }), "").await;
        let mut listed = Vec::new();
        let mut page = stage.query("ada", bin).await["recycleBin"].take();
        listed.append(page["nodes"].as_array_mut().unwrap());
        assert_eq!((listed.len(), &page["hasNextPage"]), (2, &json!(true)));
        let after = page["endCursor"].as_str().unwrap();
        let next = format!(
            "{{ recycleBin(first: 2, after: \"{after}\") {{ nodes {{ id kind name mode deletedBy {{ userName }} }} hasNextPage }} }}"
        );
        let mut page = stage.query("ada", &next).await["recycleBin"].take();
        assert_eq!(page["hasNextPage"], false);
        listed.append(page["nodes"].as_array_mut().unwrap());
        listed.sort_by_key(|entry| entry["kind"].to_string());
        let shown: Vec<Json> =
            listed.iter().map(|entry| json!([entry["kind"], entry["name"], entry["mode"], entry["deletedBy"]["userName"]])).collect();
        let expected =
            [json!(["GROUP", "North", "SUBTREE", "sue"]), json!(["ROLE", "reader", null, "ada"]), json!(["USER", "ned", null, "ada"])];
        assert_eq!(shown, expected, "the harbour went with the north, and is no entry of its own");
        assert_eq!(listed[0]["id"], north);
        // Mia sees what is in sales; eve sees none of it, and nobody else's cursor is one of hers.
        let kinds =
            |answer: &Json| answer["recycleBin"]["nodes"].as_array().unwrap().iter().map(|entry| entry["kind"].clone()).collect::<Vec<_>>();
        let mias = kinds(&stage.query("mia", "{ recycleBin { nodes { kind } } }").await);
        assert_eq!(mias, [json!("GROUP")], "ned was in the north, which is gone too: nobody knows him to be hers");
        assert_eq!(kinds(&stage.query("eve", "{ recycleBin { nodes { kind } } }").await), Vec::<Json>::new());
        stage.done("ada", "restoreGroup", json!({ "groupId": north }), "").await;
        // Nothing tells their order but their ids: the clock of the test stands.
        let mut left = kinds(&stage.query("ada", "{ recycleBin { nodes { kind } } }").await);
        left.sort_by_key(Json::to_string);
        assert_eq!(left, [json!("ROLE"), json!("USER")]);
    });
}

#[test]
fn what_comes_back_may_take_another_key() {
    on_stage(async |stage| {
        let (south, reader) = (stage.group("south"), stage.role("reader"));
        stage.done("ada", "deleteGroup", json!({ "groupId": south, "mode": "SUBTREE" }), "").await;
        stage.done("ada", "deleteRole", json!({ "roleId": reader }), "").await;
        stage.done("ada", "createGroup", json!({ "name": "New", "key": "South" }), "").await;
        stage.done("ada", "createRole", json!({ "name": "New", "key": "reader", "permissions": [] }), "").await;
        assert_eq!(stage.refused("ada", "restoreGroup", json!({ "groupId": south })).await[0].0, "TAKEN");
        assert_eq!(stage.refused("ada", "restoreRole", json!({ "roleId": reader })).await[0].0, "TAKEN");
        assert_eq!(stage.refused("ada", "restoreGroup", json!({ "groupId": south, "key": "a b" })).await, only("INVALID", "key"));
        stage.done("ada", "restoreGroup", json!({ "groupId": south, "key": "south-1" }), "").await;
        stage.done("ada", "restoreRole", json!({ "roleId": reader, "key": "reader-1" }), "").await;
        let found = stage.query("ada", "{ group(by: { key: \"SOUTH-1\" }) { id } role(by: { key: \"reader-1\" }) { id } }").await;
        assert_eq!(found, json!({ "group": { "id": south }, "role": { "id": reader } }));
        assert_eq!(stage.members(&south).await, ["sam"]);
    });
}

#[test]
fn a_group_gives_its_name_to_one_that_it_lifts() {
    on_stage(async |stage| {
        let north = stage.group("north");
        let twin = stage.done("ada", "createGroup", json!({ "name": "NORTH", "parentId": north, "key": "twin" }), "group { id }").await;
        stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": "LIFT" }), "").await;
        let above = async || parent(stage, twin["group"]["id"].as_str().unwrap()).await["parent"]["key"].take();
        assert_eq!(above().await, "sales");
        stage.done("ada", "restoreGroup", json!({ "groupId": north }), "").await;
        assert_eq!(above().await, "north");
        let names = stage.query("ada", "{ groups(first: 100, filter: { name: { eq: \"north\" } }) { nodes { id name } } }").await;
        assert_eq!(names["groups"]["nodes"].as_array().map(Vec::len), Some(2), "both have their names");
        let another = json!({ "name": "north", "parentId": north });
        assert_eq!(stage.refused("ada", "createGroup", another).await[0].0, "TAKEN", "also for whoever comes after");
    });
}
