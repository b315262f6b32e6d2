//! Users: added, changed, suspended, removed, restored.

use serde_json::{Value as Json, json};
use tests::on_each_database;

use super::stage::{Stage, on_stage, only};

#[test]
fn whoever_is_limited_to_a_subtree_restores_users_of_it() {
    on_stage(async |stage| {
        let (ned, eve) = (stage.user("ned"), stage.user("eve"));
        stage.give("hal", &["user.restore"], Some("sales")).await;
        for user in [&ned, &eve] {
            stage.done("ada", "removeUser", json!({ "userId": user }), "").await;
        }
        let bin = "{ recycleBin { nodes { id } } }";
        assert_eq!(stage.query("hal", bin).await["recycleBin"]["nodes"], json!([{ "id": ned }]));
        assert_eq!(stage.query("mia", bin).await["recycleBin"]["nodes"], json!([{ "id": ned }]), "she managed him");
        assert_eq!(stage.query("sam", bin).await["recycleBin"]["nodes"], json!([]));
        assert_eq!(stage.refused("sam", "restoreUser", json!({ "userId": ned })).await, only("NOT_FOUND", "userId"));
        assert_eq!(stage.refused("hal", "restoreUser", json!({ "userId": eve })).await, only("NOT_FOUND", "userId"));
        assert_eq!(stage.done("hal", "restoreUser", json!({ "userId": ned }), "user { userName }").await["user"]["userName"], "ned");
        assert_eq!(stage.groups_of(&ned).await, ["north"]);
        assert_eq!(stage.refused("hal", "restoreUser", json!({ "userId": ned })).await, only("NOT_RESTORABLE", "userId"));
    });
}

#[test]
fn a_user_begins_with_what_it_is_given() {
    on_stage(async |stage| {
        let input = json!({ "user": {
            "email": "Zoë@stage.example", "givenName": "Zoë", "status": "ACTIVE",
            "attributes": [{ "name": "department", "values": ["sales"] }],
            "groups": [{ "groupId": stage.group("north"), "manager": true }],
            "roles": [{ "roleId": stage.role("reader"), "withinId": stage.group("sales") }],
        }});
        let fields = "user { id userName givenName status version attributes { name values } }";
        let user = stage.done("ada", "addUser", input, fields).await["user"].take();
        let id = user["id"].as_str().unwrap();
        assert_eq!(user["userName"], "Zoë@stage.example", "the address is the name");
        assert_eq!((&user["status"], &user["version"]), (&json!("ACTIVE"), &json!(1)));
        assert_eq!(user["attributes"], json!([{ "name": "department", "values": ["sales"] }]));
        assert_eq!(stage.groups_of(id).await, ["north*"]);
        assert_eq!(stage.roles_of(id).await, ["reader@sales"]);
        let names = stage.members(&stage.group("sales")).await;
        assert_eq!(names, ["Zoë@stage.example", "mia", "ned", "sam"]);
        let found = stage.query("ada", "{ users(filter: { search: \"zoe\" }) { totalCount } }").await;
        assert_eq!(found["users"]["totalCount"], 1, "words are indexed");
    });
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    on_stage(async |stage| {
        let user = json!({
            "email": "nobody", "avatarUrl": "javascript:alert(1)", "givenName": " ", "code": "",
            "attributes": [{ "name": "shoe-size", "values": ["42"] }],
            "groups": [{ "groupId": stage.group("north").replace('0', "f") }],
        });
        let mut errors = stage.refused("ada", "addUser", json!({ "user": user })).await;
        errors.sort();
        let wanted = [
            ("INVALID", "user.attributes.0"),
            ("INVALID", "user.avatarUrl"),
            ("INVALID", "user.code"),
            ("INVALID", "user.email"),
            ("INVALID", "user.givenName"),
            ("NOT_FOUND", "user.groups.0.groupId"),
        ];
        assert_eq!(errors, wanted.map(|(code, field)| (code.to_owned(), field.to_owned())));
        assert_eq!(stage.refused("ada", "addUser", json!({ "user": {} })).await, only("INVALID", "user.userName"));
        assert_eq!(stage.query("ada", "{ users { totalCount } }").await["users"]["totalCount"], 9, "nothing was added");
    });
}

#[test]
fn a_bulk_is_all_or_nothing_and_says_which_item() {
    on_stage(async |stage| {
        let users = json!([{ "userName": "one" }, { "userName": "NED" }, { "userName": "three" }]);
        let fields = "users { id } results { index done userErrors { code } }";
        let payload = stage.ask("ada", "addUsers", json!({ "users": users }), fields).await;
        assert_eq!(payload["users"], json!(null));
        assert_eq!(
            payload["results"],
            json!([
                { "index": 0, "done": false, "userErrors": [] },
                { "index": 1, "done": false, "userErrors": [{ "code": "TAKEN" }] },
                { "index": 2, "done": false, "userErrors": [] },
            ])
        );
        let many: Vec<_> =
            (0..500).map(|at| json!({ "userName": format!("bulk-{at}"), "groups": [{ "groupId": stage.group("north") }] })).collect();
        let payload = stage.done("ada", "addUsers", json!({ "users": many }), "users { id } results { done }").await;
        assert_eq!(payload["users"].as_array().unwrap().len(), 500);
        assert!(payload["results"].as_array().unwrap().iter().all(|item| item["done"] == true));
        let one_more: Vec<_> = (0..501).map(|at| json!({ "userName": format!("more-{at}") })).collect();
        assert_eq!(stage.refused("ada", "addUsers", json!({ "users": one_more })).await, only("LIMIT_EXCEEDED", "users"));
        assert_eq!(stage.refused("ada", "addUsers", json!({ "users": [] })).await, only("LIMIT_EXCEEDED", "users"));
    });
}

#[test]
fn fields_are_set_cleared_and_left_alone() {
    on_stage(async |stage| {
        let ned = stage.user("ned");
        let input = json!({ "userId": ned, "expectedVersion": 1, "title": "Clerk", "displayName": null, "email": "ned.b@stage.example" });
        let user = stage.done("ada", "updateUser", input.clone(), "user { title displayName email userName version }").await["user"].take();
        assert_eq!(user, json!({ "title": "Clerk", "displayName": null, "email": "ned.b@stage.example", "userName": "ned", "version": 2 }));
        assert_eq!(stage.refused("ada", "updateUser", input).await, only("STALE", "expectedVersion"));
        let again = stage.done("ada", "updateUser", json!({ "userId": ned, "title": "Clerk" }), "user { version }").await;
        assert_eq!(again["user"]["version"], 2, "what changes nothing is no change");
        let clear = json!({ "userId": ned, "userName": null });
        assert_eq!(stage.refused("ada", "updateUser", clear).await, only("INVALID", "userName"));
        // A user name that is the address stays the address.
        stage.done("ada", "updateUser", json!({ "userId": ned, "userName": "NED.B@stage.example" }), "").await;
        stage.done("ada", "updateUser", json!({ "userId": ned, "email": "new@stage.example" }), "").await;
        assert_eq!(stage.of_user(&ned, "userName").await, "new@stage.example");
    });
}

#[test]
fn codes_tell_users_of_one_address_apart() {
    on_stage(async |stage| {
        let rules = json!({ "minLength": 3, "maxLength": 4, "rule": "LETTERS_AND_DIGITS" });
        let fields = "userCodeSettings { minLength maxLength rule }";
        let settings = stage.done("ada", "updateUserCodeSettings", rules.clone(), fields).await;
        assert_eq!(settings["userCodeSettings"], rules);
        assert_eq!(stage.query("ada", "{ userCodeSettings { minLength maxLength rule } }").await["userCodeSettings"], rules);
        assert_eq!(stage.query("ned", "{ userCodeSettings { rule } }").await["userCodeSettings"], json!(null));
        let add = |code: &str| json!({ "user": { "email": "shared@stage.example", "code": code, "exclusive": true } });
        for code in ["ab", "abcde", "a-c"] {
            assert_eq!(stage.refused("ada", "addUser", add(code)).await, only("INVALID", "user.code"), "{code}");
        }
        let user = stage.done("ada", "addUser", add("abc"), "user { userName code exclusive }").await["user"].take();
        assert_eq!(user, json!({ "userName": "shared@stage.example#abc", "code": "abc", "exclusive": true }));
        assert_eq!(stage.refused("ada", "addUser", add("ABC")).await[0].0, "TAKEN", "codes ignore case");
        stage.done("ada", "addUser", add("xyz"), "").await;
        let bad = json!({ "minLength": 5 });
        assert_eq!(stage.refused("ada", "updateUserCodeSettings", bad).await, only("INVALID", "minLength"));
        let bad = json!({ "minLength": -1, "maxLength": 65 });
        let both = [only("INVALID", "minLength"), only("INVALID", "maxLength")].concat();
        assert_eq!(stage.refused("ada", "updateUserCodeSettings", bad).await, both);
    });
}

#[test]
fn whoever_is_suspended_is_out_at_once_and_their_tokens_stay_out() {
    on_stage(async |stage| {
        let ned = stage.user("ned");
        stage.query("ned", "{ viewer { id } }").await;
        let user = stage.done("hal", "suspendUser", json!({ "userId": ned }), "user { status }").await;
        assert_eq!(user["user"]["status"], "SUSPENDED");
        let answer = stage.host.request(stage.token("ned")).json(&json!({ "query": "{ viewer { id } }" })).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(stage.groups_of(&ned).await, ["north"], "groups stay");
        let again = stage.done("hal", "suspendUser", json!({ "userId": ned }), "user { version }").await;
        assert_eq!(again["user"]["version"], 2, "suspending twice is once");
        stage.done("hal", "activateUser", json!({ "userId": ned, "expectedVersion": 2 }), "").await;
        let answer = stage.host.request(stage.token("ned")).json(&json!({ "query": "{ viewer { id } }" })).send().await.unwrap();
        assert_eq!(answer.status(), 401, "a token that ended does not come back");
        assert_eq!(stage.refused("hal", "suspendUser", json!({ "userId": stage.user("eve") })).await[0].0, "NOT_FOUND", "not in sales");
    });
}

#[test]
fn what_is_removed_comes_back_as_it_was() {
    on_stage(async |stage| {
        let (mia, reader) = (stage.user("mia"), stage.role("reader"));
        let grant = json!({ "grants": [{ "userId": mia, "roleId": reader, "withinId": stage.group("east") }] });
        stage.done("ada", "addGrants", grant, "").await;
        let whole = "userName email status groups { nodes { key } } memberships { nodes { id manager createdAt } } \
                     grants { nodes { id grantedAt provenance } }";
        let query = format!("{{ user(by: {{ id: \"{mia}\" }}) {{ {whole} }} }}");
        let before = stage.query("ada", &query).await;
        stage.done("ada", "removeUser", json!({ "userId": mia }), "user { status }").await;
        assert_eq!(stage.groups_of(&mia).await, Vec::<String>::new());
        assert_eq!(stage.members(&stage.group("sales")).await, ["ned", "sam"]);
        let counts = stage.query("ada", "{ workspace { userCount } }").await;
        assert_eq!(counts["workspace"]["userCount"], 8);
        assert_eq!(stage.refused("ada", "updateUser", json!({ "userId": mia, "title": "x" })).await, only("IN_RECYCLE_BIN", "userId"));
        let payload = stage.done("ada", "restoreUser", json!({ "userId": mia }), "complete").await;
        assert_eq!(payload["complete"], true);
        assert_eq!(stage.query("ada", &query).await, before);
        assert_eq!(stage.members(&stage.group("sales")).await, ["mia", "ned", "sam"]);
        assert_eq!(stage.refused("ada", "restoreUser", json!({ "userId": mia })).await, only("NOT_RESTORABLE", "userId"));
    });
}

#[test]
fn the_names_of_whoever_was_removed_are_free() {
    on_stage(async |stage| {
        let add = json!({ "user": { "userName": "zed", "email": "zed@stage.example", "groups": [{ "groupId": stage.group("north") }] } });
        let ned = stage.done("ada", "addUser", add, "user { id }").await["user"]["id"].as_str().unwrap().to_owned();
        stage.done("ada", "removeUser", json!({ "userId": ned }), "").await;
        let add = json!({ "user": { "userName": "zed", "email": "zed@stage.example" } });
        let other = stage.done("ada", "addUser", add, "user { id }").await["user"]["id"].take();
        assert_eq!(stage.groups_of(other.as_str().unwrap()).await, Vec::<String>::new(), "and bring nothing with them");
        let found = stage.query("ada", "{ user(by: { userName: \"zed\" }) { id } }").await;
        assert_eq!(found["user"]["id"], other, "the one who is there is found");
        assert_eq!(stage.refused("ada", "restoreUser", json!({ "userId": ned })).await[0].0, "TAKEN", "nothing is overwritten");
        let half = json!({ "userId": ned, "userName": "zed-2" });
        assert_eq!(stage.refused("ada", "restoreUser", half).await[0].0, "TAKEN", "the person is there already");
        let renamed = json!({ "userId": ned, "userName": "zed-2", "email": "zed-2@stage.example" });
        stage.done("ada", "restoreUser", renamed, "").await;
        assert_eq!(stage.groups_of(&ned).await, ["north"]);
    });
}

#[test]
fn a_repeated_request_is_answered_and_not_repeated() {
    on_stage(async |stage| {
        let add = |name: &str, key: &str| json!({ "user": { "userName": name }, "idempotencyKey": key });
        let first = stage.done("ada", "addUser", add("once", "key-1"), "user { id }").await;
        assert_eq!(stage.done("ada", "addUser", add("once", "key-1"), "user { id }").await, first);
        assert_eq!(stage.refused("ada", "addUser", add("twice", "key-1")).await, only("KEY_REUSED", "idempotencyKey"));
        assert_eq!(stage.refused("ada", "addUser", add("twice", "bad key")).await, only("INVALID", "idempotencyKey"));
        // A key is its subject's own.
        stage.done("sue", "addUser", add("twice", "key-1"), "").await;
        let count = stage.query("ada", "{ users { totalCount } }").await;
        assert_eq!(count["users"]["totalCount"], 11);
    });
}

#[test]
fn a_partner_is_onboarded_in_one_call() {
    on_stage(async |stage| {
        let input = json!({
            "group": { "name": "Acme", "parentId": stage.group("east"), "key": "acme" },
            "users": [
                { "user": { "email": "boss@acme.example", "status": "ACTIVE" }, "manager": true },
                { "user": { "email": "clerk@acme.example" } },
            ],
            "roleIds": [stage.role("reader")],
            "idempotencyKey": "partner-1",
        });
        let fields = "group { id key parent { key } } users { id }";
        let payload = stage.done("ada", "onboardPartner", input.clone(), fields).await;
        assert_eq!(payload["group"]["parent"]["key"], "east");
        let boss = payload["users"][0]["id"].as_str().unwrap();
        assert_eq!((stage.groups_of(boss).await, stage.roles_of(boss).await), (vec!["acme*".to_owned()], vec!["reader@acme".to_owned()]));
        assert_eq!(stage.members(&stage.group("east")).await, ["boss@acme.example", "clerk@acme.example", "eve"]);
        assert_eq!(stage.done("ada", "onboardPartner", input.clone(), fields).await, payload, "repeated, and not twice");
        let mut bad = input;
        bad["idempotencyKey"] = json!("partner-2");
        bad["group"]["name"] = json!("Other");
        bad["group"]["key"] = json!("other");
        assert_eq!(stage.refused("ada", "onboardPartner", bad).await[0].0, "TAKEN");
        let group = stage.query("ada", "{ group(by: { key: \"other\" }) { id } }").await;
        assert_eq!(group["group"], json!(null), "all of it or nothing");
    });
}

#[test]
fn what_is_wrong_with_a_partner_is_said_where_the_input_has_it() {
    on_stage(async |stage| {
        let nobody = "rol_00000000000070008000000000000000";
        let nowhere = "grp_00000000000070008000000000000000";
        let input = json!({
            "group": { "name": "Acme" },
            "users": [
                { "user": { "email": "no address", "roles": [{ "roleId": nobody }] } },
                { "user": { "userName": "clerk", "groups": [{ "groupId": nowhere }], "attributes": [{ "name": "shoe", "values": ["46"] }] } },
            ],
            "roleIds": [stage.role("reader"), nobody],
        });
        let mut told = stage.refused("ada", "onboardPartner", input.clone()).await;
        told.sort();
        let expected = [
            ("INVALID", "users.0.user.email"),
            ("INVALID", "users.1.user.attributes.0"),
            ("NOT_FOUND", "roleIds.1"),
            ("NOT_FOUND", "users.0.user.roles.0.roleId"),
            ("NOT_FOUND", "users.1.user.groups.0.groupId"),
        ];
        assert_eq!(told, expected.map(|(code, field)| (code.to_owned(), field.to_owned())));
        // A refusal of what every one of them gets is told where that stands.
        stage.give("eve", &["group.read", "group.create", "user.create", "membership.add", "role.read"], None).await;
        let input = json!({ "group": { "name": "B" }, "users": [{ "user": { "userName": "b" } }], "roleIds": [stage.role("reader")] });
        assert_eq!(stage.refused("eve", "onboardPartner", input).await, only("FORBIDDEN", "roleIds"));
    });
}

#[test]
fn the_account_follows_the_address() {
    on_each_database(async |host| {
        let (one, two) = (Stage::named(host, "one").await, Stage::named(host, "two").await);
        let add = |name: &str, email: &str| json!({ "user": { "userName": name, "email": email } });
        let id = |payload: Json| payload["user"]["id"].as_str().unwrap().to_owned();
        let kim = id(one.done("ada", "addUser", add("kim", "kim@acme.example"), "user { id }").await);
        // An address that somebody gave up is free, and taken for whoever had it.
        one.done("ada", "updateUser", json!({ "userId": kim, "email": "kim@other.example" }), "").await;
        one.done("ada", "addUser", add("kim-2", "kim@acme.example"), "").await;
        let back = one.ask("ada", "updateUser", json!({ "userId": kim, "email": "kim@acme.example" }), "").await;
        assert_eq!(back["userErrors"][0]["code"], "TAKEN");
        assert!(back["userErrors"][0]["message"].as_str().unwrap().contains("e-mail address"), "{back}");
        // Whoever is exclusive elsewhere does not come in by the back door.
        let mut only_here = add("lee", "lee@acme.example");
        only_here["user"]["exclusive"] = json!(true);
        let lee = id(one.done("ada", "addUser", only_here, "user { id }").await);
        assert_eq!(two.refused("ada", "addUser", add("lee", "lee@acme.example")).await[0].0, "EXCLUSIVE");
        let later = id(two.done("ada", "addUser", json!({ "user": { "userName": "lee" } }), "user { id }").await);
        let set = json!({ "userId": later, "email": "LEE@acme.example" });
        assert_eq!(two.refused("ada", "updateUser", set.clone()).await[0].0, "EXCLUSIVE");
        // With a code it is the workspace's own person; without it, it is lee again.
        two.done("ada", "updateUser", json!({ "userId": later, "email": "lee@acme.example", "code": "desk" }), "").await;
        assert_eq!(two.refused("ada", "updateUser", json!({ "userId": later, "code": null })).await[0].0, "EXCLUSIVE");
        // Nor by the recycle bin.
        two.done("ada", "removeUser", json!({ "userId": later }), "").await;
        one.done("ada", "updateUser", json!({ "userId": lee, "email": "lee@home.example" }), "").await;
        let bare = id(two.done("ada", "addUser", add("lee-2", "lee@acme.example"), "user { id }").await);
        two.done("ada", "removeUser", json!({ "userId": bare }), "").await;
        one.done("ada", "updateUser", json!({ "userId": lee, "email": "lee@acme.example" }), "").await;
        assert_eq!(two.refused("ada", "restoreUser", json!({ "userId": bare })).await[0].0, "EXCLUSIVE");
        let renamed = json!({ "userId": bare, "email": "lee@third.example", "userName": "lee-3" });
        two.done("ada", "restoreUser", renamed, "").await;
        assert_eq!(
            one.refused("ada", "addUser", json!({ "user": { "email": "lee@third.example", "exclusive": true } })).await[0].0,
            "EXCLUSIVE"
        );
    });
}

#[test]
fn nobody_comes_back_with_a_value_that_is_taken_by_now() {
    on_stage(async |stage| {
        stage.done("ada", "defineAttribute", json!({ "name": "badge", "unique": true }), "").await;
        let badge = |who: &str, value: &str| json!({ "userId": stage.user(who), "attributes": [{ "name": "badge", "values": [value] }] });
        stage.done("ada", "updateUser", badge("ned", "A-1"), "").await;
        stage.done("ada", "removeUser", json!({ "userId": stage.user("ned") }), "").await;
        stage.done("ada", "updateUser", badge("sam", "a-1"), "").await;
        assert_eq!(stage.refused("ada", "restoreUser", json!({ "userId": stage.user("ned") })).await[0].0, "TAKEN");
        stage.done("ada", "updateUser", badge("sam", "A-2"), "").await;
        stage.done("ada", "restoreUser", json!({ "userId": stage.user("ned") }), "").await;
    });
}
