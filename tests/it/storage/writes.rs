//! Every kind of write once, as an administrator makes them, up to the day when the recycle bin is emptied; and what is left when it
//! is, or when an attribute is erased.

use bailiwick::{clock::Clock, ids::Ids};
use directory::{
    Error, Refusal, Rule,
    access::{Actor, Command, DeleteRole, Done, Origin, RemoveUsers, Request, RestoreUser, Subject},
    ids::UserId,
    limits::{ATTRIBUTE_VALUES, BIN_DAYS},
    model::{Timestamp, Version},
};
use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    host::NOW,
    model::{Grant, Group, Membership, Person, World},
    naive::policy::Asker,
    on_each_database,
};

use crate::writes::stage::{Stage, on_stage};

/// Far beyond the days that anything waits in the recycle bin.
const MUCH_LATER: Timestamp = Timestamp(9_000_000_000_000_000);
/// Microseconds in a day.
const DAY: i64 = 24 * 3_600_000_000;
/// More deletions, and more rows, than one portion of a purge takes.
const CROWD: usize = 210;

/// Makes every kind of write.
pub(super) async fn do_everything(stage: &Stage<'_>) {
    of_users(stage).await;
    of_groups(stage).await;
    of_roles_and_grants(stage).await;
    of_settings(stage).await;
    of_policy_tests(stage).await;
    of_shadows(stage).await;
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

async fn of_policy_tests(stage: &Stage<'_>) {
    let text = "people.ada = {}\nlists.ada.user = 'ada'\n";
    for (seen, text) in [(0, text), (1, "")] {
        let directory = stage.host.directory(&stage.world, &Asker::person(0)).await;
        let checked = directory.set_policy_tests(Version(seen), text).await.unwrap();
        assert_eq!(checked.version, Version(seen + 1));
    }
}

async fn of_shadows(stage: &Stage<'_>) {
    let candidate = json!({ "candidate": { "standardSettings": "{\"members_see\": \"self\"}" } });
    crate::shadow::set(stage, "{\"members_see\": \"workspace\"}").await;
    let started = stage.done("ada", "startPolicyShadow", candidate, "shadow { id }").await;
    stage.query("mia", "{ users(first: 20) { nodes { id email } } }").await;
    let lost = |shadow: &Json| shadow["actions"].as_array().unwrap().iter().any(|action| action["lost"].as_i64() > Some(0));
    crate::shadow::until(stage, "ada", lost).await;
    stage.done("ada", "stopPolicyShadow", json!({ "shadowId": started["shadow"]["id"] }), "").await;
}

async fn of_the_operator(stage: &Stage<'_>) {
    let workspace = stage.world.id.parse().unwrap();
    let quota = stage.host.operator.set_quota(workspace, Some(100), tests::host::NOW);
    stage.host.store().write(quota).await.unwrap();
    let purged = stage.host.store().purge(stage.host.operator.purge(MUCH_LATER)).await.unwrap();
    assert_eq!(purged, 3, "a user, a group and a role wait in the recycle bin");
}

/// A workspace of one administrator and of people who are all in one group and have as many values as they may.
async fn crowd(host: &TestHost, key: &str) -> World {
    let mut world = World::empty(key.to_owned());
    world.attributes = vec!["department".to_owned()];
    world.groups.push(Group { key: "all".to_owned(), name: "All".to_owned(), ..Group::default() });
    let person = |name: String, values: usize| Person {
        texts: [("userName", name)].into(),
        status: "active",
        attributes: [("department".to_owned(), (0..values).map(|value| format!("value {value}")).collect())].into(),
        ..Person::default()
    };
    world.people.push(person("ada".to_owned(), 1));
    world.grants.push(Grant { person: 0, role: 0, ..Grant::default() });
    for at in 1..=CROWD {
        world.people.push(person(format!("person-{at}"), ATTRIBUTE_VALUES));
        world.memberships.push(Membership { person: at, group: 0, ..Membership::default() });
    }
    host.import_world(&mut world, "").await;
    world
}

/// Does something as the first person of a world.
async fn write(host: &TestHost, world: &World, command: Command, now: Timestamp) -> Result<Done, Refusal> {
    let actor = Actor::User(world.people[0].id.parse().unwrap());
    let subject =
        Subject { workspace: world.id.parse().unwrap(), actor, scopes: None, expires_at: None, origin: Origin::within("graphql") };
    let mut ids = Ids::random(Clock::system());
    host.gate().write(&subject, &Request { command, key: None }, now, &mut ids).await
}

#[test]
fn a_purge_goes_in_portions_and_past_a_workspace_in_which_it_fails() {
    on_each_database(async |host| {
        let mut worlds = [crowd(host, "crowd-1").await, crowd(host, "crowd-2").await];
        for world in &worlds {
            let users: Vec<UserId> = world.people.iter().skip(1).map(|person| person.id.parse().unwrap()).collect();
            write(host, world, Command::RemoveUsers(RemoveUsers { users, expected: None }), NOW).await.unwrap();
        }
        // A purge goes by the ids of workspaces. In the first one, an import puts somebody of the bin into a group, so that they can
        // not be erased.
        worlds.sort_by(|one, other| one.id.cmp(&other.id));
        let mut held = worlds[0].clone();
        held.people.truncate(2);
        held.people[1].status = "deleted";
        held.memberships.retain(|membership| membership.person < 2);
        held.index();
        assert_eq!(host.import(held.import(1, "")).await.memberships_added, 1);
        let purged = host.store().purge(host.operator.purge(MUCH_LATER)).await.unwrap();
        assert_eq!(purged, CROWD as u64, "all of the second workspace, and nothing of the first");
        let restore = async |world: &World| {
            let user = world.people[2].id.parse().unwrap();
            write(host, world, Command::RestoreUser(RestoreUser { user, texts: Vec::new() }), NOW).await
        };
        let half_erased = restore(&worlds[0]).await;
        let Err(Refusal::Problems(problems)) = &half_erased else { panic!("{half_erased:?}") };
        assert!(matches!(problems[0].error, Error::Broken { rule: Rule::Restore, .. }), "{problems:?}");
        let gone = restore(&worlds[1]).await;
        let Err(Refusal::Problems(problems)) = &gone else { panic!("{gone:?}") };
        assert!(matches!(problems[0].error, Error::NotFound(_)), "{problems:?}");
    });
}

#[test]
fn what_comes_back_without_an_edge_that_was_erased_says_so() {
    on_stage(async |stage| {
        let (ned, east, reader) = (stage.user("ned"), stage.group("east"), stage.role("reader"));
        done(stage, "addGrants", json!({ "grants": [{ "userId": ned, "roleId": reader, "withinId": east }] })).await;
        done(stage, "removeUser", json!({ "userId": ned })).await;
        done(stage, "deleteGroup", json!({ "groupId": east, "mode": "SUBTREE" })).await;
        let delete = Command::DeleteRole(DeleteRole { role: reader.parse().unwrap(), expected: None });
        write(stage.host, &stage.world, delete, Timestamp(NOW.0 + 20 * DAY)).await.unwrap();
        // The grant waits with the role from now on; the group, which it needs too, is the first to be erased.
        let back = stage.done("ada", "restoreUser", json!({ "userId": ned }), "complete").await;
        assert_eq!(back["complete"], true, "what waits is not lost");
        let purge = stage.host.operator.purge(Timestamp(NOW.0 + (BIN_DAYS + 1) * DAY));
        assert_eq!(stage.host.store().purge(purge).await.unwrap(), 1, "the group");
        let back = stage.done("ada", "restoreRole", json!({ "roleId": reader }), "complete").await;
        assert_eq!(back["complete"], false);
        assert_eq!(stage.roles_of(&ned).await, Vec::<String>::new());
    });
}

#[test]
fn an_erased_attribute_is_erased_in_the_recycle_bin_and_others_stay() {
    on_stage(async |stage| {
        let (ned, north, harbour) = (stage.user("ned"), stage.group("north"), stage.group("harbour"));
        let values = json!([{ "name": "badge", "values": ["7"] }, { "name": "department", "values": ["A \"b\"", "Ä"] }]);
        done(stage, "defineAttribute", json!({ "name": "badge" })).await;
        done(stage, "updateUser", json!({ "userId": ned, "attributes": values })).await;
        for group in [&north, &harbour] {
            done(stage, "updateGroup", json!({ "groupId": group, "attributes": values })).await;
        }
        done(stage, "deleteGroup", json!({ "groupId": harbour })).await;
        done(stage, "removeAttribute", json!({ "name": "department", "mode": "ERASE" })).await;
        // It is declared again, so that nothing hides what would be left.
        done(stage, "defineAttribute", json!({ "name": "department" })).await;
        done(stage, "restoreGroup", json!({ "groupId": harbour })).await;
        let left = json!([{ "name": "badge", "values": ["7"] }]);
        assert_eq!(stage.of_user(&ned, "attributes { name values }").await, left);
        for group in [&north, &harbour] {
            let query = format!("{{ group(by: {{ id: \"{group}\" }}) {{ attributes {{ name values }} }} }}");
            assert_eq!(stage.query("ada", &query).await["group"]["attributes"], left);
        }
        // Nobody but a group in the bin has a value.
        let no_badge = json!([{ "name": "badge", "values": [] }]);
        done(stage, "updateUser", json!({ "userId": ned, "attributes": no_badge })).await;
        done(stage, "updateGroup", json!({ "groupId": north, "attributes": no_badge })).await;
        done(stage, "deleteGroup", json!({ "groupId": harbour })).await;
        assert_eq!(stage.refused("ada", "removeAttribute", json!({ "name": "badge" })).await[0].0, "NOT_EMPTY");
        assert_eq!(stage.refused("ada", "updateAttribute", json!({ "name": "badge", "type": "DATE" })).await[0].0, "INVALID");
        done(stage, "updateAttribute", json!({ "name": "badge", "type": "INTEGER" })).await;
    });
}

#[test]
fn values_are_checked_as_they_were_given() {
    on_stage(async |stage| {
        let ned = stage.user("ned");
        let set = |values: Json| json!({ "userId": ned, "attributes": [{ "name": "department", "values": values }] });
        let boolean = json!({ "name": "department", "type": "BOOLEAN" });
        let single = json!({ "name": "department", "multivalued": false });
        done(stage, "updateUser", set(json!(["TRUE"]))).await;
        assert_eq!(stage.refused("ada", "updateAttribute", boolean.clone()).await[0].0, "INVALID");
        done(stage, "updateUser", set(json!(["true", "TRUE"]))).await;
        assert_eq!(stage.refused("ada", "updateAttribute", single.clone()).await[0].0, "INVALID", "one when folded, and two");
        done(stage, "updateUser", set(json!(["true"]))).await;
        done(stage, "updateAttribute", boolean).await;
        done(stage, "updateAttribute", single).await;
    });
}
