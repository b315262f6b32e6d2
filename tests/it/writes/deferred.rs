//! Moves that are counted afterwards: what is read and written meanwhile, and how they come to an end. Tests leave every larger move so
//! until they say otherwise.

use serde_json::{Value as Json, json};
use tests::model::Membership;

use super::stage::{Stage, on_stage};

/// What rests on who is in or below which group, for many groups at once and for one.
const READ: &str = "{
  groups(first: 50, orderBy: { field: KEY, direction: ASC }) { nodes { key
    page: members(scope: EFFECTIVE, first: 2, orderBy: { field: USER_NAME, direction: DESC }) { nodes { userName } pageInfo { hasNextPage } }
    all: members(scope: EFFECTIVE, first: 50) { totalCount nodes { userName } } } }
  users(first: 50) { totalCount nodes { userName } }
  below: users(first: 50, filter: { underGroups: [\"EAST\", \"SALES\"] }, orderBy: { field: USER_NAME, direction: ASC }) {
    totalCount nodes { userName } }
  others: users(first: 50, filter: { not: { underGroups: [\"EAST\"] } }) { totalCount nodes { userName } }
  many: users(first: 50, filter: { underGroups: [MANY] }) { totalCount nodes { userName } }
}";

/// More groups than are looked up one by one.
const MANY: usize = 20;

/// The same as everybody reads it who is on the stage: by their grants, their groups, and what they manage; and page by page.
async fn read(stage: &Stage<'_>, many: &[String]) -> Vec<Json> {
    let (east, sales) = (stage.group("east"), stage.group("sales"));
    let many: Vec<String> = many.iter().chain([&east, &sales]).map(|id| format!("\"{id}\"")).collect();
    let query = READ.replace("EAST", &east).replace("SALES", &sales).replace("MANY", &many.join(", "));
    let mut answers = Vec::new();
    for who in ["ada", "sue", "mia", "sam", "hal", "eve"] {
        answers.push(stage.query(who, &query).await);
    }
    for group in [&east, &sales] {
        for order in ["ID", "USER_NAME"] {
            for way in [["first", "after", "endCursor"], ["last", "before", "startCursor"]] {
                answers.push(paged(stage, group, order, way).await.into());
            }
        }
    }
    answers
}

/// The effective members of a group, one a page, in one direction or the other.
async fn paged(stage: &Stage<'_>, group: &str, order: &str, [rows, side, cursor]: [&str; 3]) -> Vec<Json> {
    let (mut found, mut from) = (Vec::new(), String::new());
    loop {
        let query = format!(
            "{{ group(by: {{ id: \"{group}\" }}) {{ members(scope: EFFECTIVE, {rows}: 1, orderBy: {{ field: {order}, direction: ASC }}{from}) {{ \
             nodes {{ userName }} pageInfo {{ {cursor} }} }} }} }}"
        );
        let page = stage.query("ada", &query).await["group"]["members"].take();
        let Some(node) = page["nodes"].get(0) else { return found };
        found.push(node["userName"].clone());
        from = format!(", {side}: {}", page["pageInfo"][cursor]);
    }
}

/// Creates more empty groups than are looked up one by one; answers their ids.
async fn many(stage: &Stage<'_>) -> Vec<String> {
    let mut ids = Vec::new();
    for at in 0..MANY {
        let made = stage.done("ada", "createGroup", json!({ "name": format!("Empty {at}") }), "group { id }").await;
        ids.push(made["group"]["id"].as_str().unwrap().to_owned());
    }
    ids
}

/// Counts a portion, if anything is left.
async fn portion(stage: &Stage<'_>) -> bool {
    stage.host.store().finish_moves().await.unwrap()
}

async fn is_true(stage: &Stage<'_>) {
    assert_eq!(stage.host.stored().untrue().await, (0, 0), "rows of closure and of effective memberships that are not as they follow");
}

async fn join(stage: &Stage<'_>, group: &str, users: &[&str]) {
    let members: Vec<Json> = users.iter().map(|name| json!({ "userId": stage.user(name) })).collect();
    stage.done("ada", "addGroupMembers", json!({ "groupId": stage.group(group), "members": members }), "").await;
}

async fn hang(stage: &Stage<'_>, group: &str, parent: Option<&str>) {
    let input = json!({ "groupId": stage.group(group), "parentId": parent.map(|key| stage.group(key)) });
    stage.done("ada", "moveGroup", input, "group { id }").await;
}

#[test]
fn what_is_read_is_exact_from_the_move_on_and_the_same_when_all_is_counted() {
    on_stage(async |stage| {
        join(stage, "harbour", &["ned", "eve", "sue"]).await;
        join(stage, "sales", &["eve"]).await;
        join(stage, "east", &["ned"]).await;
        let many = many(stage).await;
        hang(stage, "north", Some("east")).await;
        assert_eq!(stage.members(&stage.group("east")).await, ["eve", "ned", "sue"], "who joins, and each once");
        assert_eq!(stage.members(&stage.group("sales")).await, ["eve", "mia", "sam"], "who leaves, but who is there all the same");
        is_true(stage).await;
        let before = read(stage, &many).await;
        let mut portions = 0;
        while portion(stage).await {
            portions += 1;
            is_true(stage).await;
            assert_eq!(read(stage, &many).await, before, "after {portions}");
        }
        assert_eq!(portions, 2, "a group above each, the one that was left and the one that was joined");
        assert!(!portion(stage).await);
        // To no group above at all.
        hang(stage, "north", None).await;
        let before = read(stage, &many).await;
        assert_eq!(stage.members(&stage.group("east")).await, ["eve", "ned"]);
        while portion(stage).await {}
        assert_eq!(read(stage, &many).await, before);
        is_true(stage).await;
    });
}

#[test]
fn whatever_is_written_meanwhile_counts_as_ever() {
    on_stage(async |stage| {
        join(stage, "harbour", &["ned", "eve", "sue", "ula"]).await;
        join(stage, "sales", &["eve", "ula"]).await;
        let many = many(stage).await;
        hang(stage, "north", Some("east")).await;

        // Nobody is in a group that is new.
        stage.done("ada", "createGroup", json!({ "name": "New", "parentId": stage.group("east") }), "").await;
        // Whoever shuts somebody out does not wait until everybody is counted.
        for who in ["ned", "ula"] {
            stage.done("ada", "suspendUser", json!({ "userId": stage.user(who) }), "").await;
        }
        is_true(stage).await;
        let before = read(stage, &many).await;
        assert!(portion(stage).await, "it was not counted for that");
        is_true(stage).await;
        assert_eq!(read(stage, &many).await, before);
        for who in ["ned", "ula"] {
            stage.done("ada", "activateUser", json!({ "userId": stage.user(who) }), "").await;
        }
        is_true(stage).await;

        // Every other one counts the move first.
        let (north, harbour) = (stage.group("north"), stage.group("harbour"));
        for (mutation, input) in [
            ("addGroupMembers", json!({ "groupId": harbour, "members": [{ "userId": stage.user("sam") }] })),
            ("removeGroupMembers", json!({ "groupId": harbour, "userIds": [stage.user("sam")] })),
            ("removeUser", json!({ "userId": stage.user("sue") })),
            ("restoreUser", json!({ "userId": stage.user("sue") })),
            ("deleteGroup", json!({ "groupId": harbour, "mode": "LIFT" })),
            ("restoreGroup", json!({ "groupId": harbour })),
            ("deleteGroup", json!({ "groupId": north, "mode": "SUBTREE" })),
            ("restoreGroup", json!({ "groupId": north })),
        ] {
            for to in ["sales", "east"] {
                if !mutation.starts_with("restoreGroup") {
                    hang(stage, "north", Some(to)).await;
                    is_true(stage).await;
                }
            }
            stage.done("ada", mutation, input, "").await;
            is_true(stage).await;
            assert!(!portion(stage).await, "{mutation} has counted what was left");
        }
        assert_eq!(stage.members(&stage.group("east")).await, ["eve", "ned", "sue", "ula"]);
    });
}

#[test]
fn whom_an_open_move_brings_is_reckoned_with_by_the_next() {
    on_stage(async |stage| {
        join(stage, "harbour", &["sam", "sue", "ula"]).await;
        hang(stage, "north", Some("support")).await;
        // Without them it would be a small one: `support` has only `ula` of its own.
        hang(stage, "support", Some("sales")).await;
        assert!(portion(stage).await, "it is left for later as well");
        is_true(stage).await;
        assert_eq!(stage.members(&stage.group("sales")).await, ["mia", "ned", "sam", "sue", "ula"]);
        while portion(stage).await {}
        is_true(stage).await;
    });
}

#[test]
fn a_small_move_is_counted_at_once() {
    on_stage(async |stage| {
        join(stage, "harbour", &["ned"]).await;
        hang(stage, "harbour", Some("sales")).await;
        assert_eq!(stage.members(&stage.group("north")).await, ["ned"], "who is there all the same");
        assert!(!portion(stage).await);
        is_true(stage).await;
    });
}

#[test]
fn two_servers_count_and_a_third_party_writes() {
    on_stage(async |stage| {
        let beside = stage.host.beside("beside").await;
        join(stage, "harbour", &["ned", "eve", "sue"]).await;
        for turn in 0..6 {
            hang(stage, "north", Some(["east", "sales"][turn % 2])).await;
            let writes = async {
                let input = json!({ "groupId": stage.group("harbour"), "members": [{ "userId": stage.user("sam") }] });
                stage.done("ada", "addGroupMembers", input, "").await;
                let input = json!({ "groupId": stage.group("harbour"), "userIds": [stage.user("sam")] });
                stage.done("ada", "removeGroupMembers", input, "").await;
            };
            let there = async { while stage.host.store().finish_moves().await.unwrap() {} };
            let elsewhere = async { while beside.store().finish_moves().await.unwrap() {} };
            tokio::join!(there, elsewhere, writes);
            is_true(stage).await;
            assert!(!portion(stage).await);
        }
        beside.stop().await;
    });
}

#[test]
fn an_import_has_nothing_left_to_count() {
    on_stage(async |stage| {
        join(stage, "harbour", &["ned", "eve", "sue"]).await;
        hang(stage, "north", Some("east")).await;
        let mut again = stage.world.clone();
        let place = |key: &str| again.groups.iter().position(|group| group.key == key).unwrap();
        let person = |name: &str| again.people.iter().position(|person| person.texts["userName"] == name).unwrap();
        let joined: Vec<Membership> =
            ["ned", "eve", "sue"].map(|name| Membership { person: person(name), group: place("harbour"), ..Membership::default() }).into();
        again.memberships.extend(joined);
        stage.host.import_world(&mut again, "").await;
        is_true(stage).await;
        assert!(!portion(stage).await);
    });
}
