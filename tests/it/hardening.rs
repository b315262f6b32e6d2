//! What is refused before it does anything, how little is said about much that is wrong, and what may be done anywhere.

use std::collections::BTreeMap;

use bailiwick::config::{Config, Layers};
use directory::limits::CHECK_ACTIONS;
use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use tests::{TestHost, naive::policy::Asker};

use crate::writes::stage::{Stage, on_stage, only};

const TOO_WIDE: &str = "it or a part of it is no integer of 32 bits; give one between -2147483648 and 2147483647.";
const NO_OBJECT: &str = "it or a part of it is no object; give one with the fields that the schema names.";

/// What is answered to somebody, with its status, whatever it is.
async fn raw(host: &TestHost, token: &str, query: &str, variables: &Json) -> (StatusCode, Json) {
    let response = host.request(token).json(&json!({ "query": query, "variables": variables })).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

/// The only message of a document that was refused as a whole: without data, which says that nothing of it ran.
async fn refused(stage: &Stage<'_>, query: &str, variables: &Json) -> String {
    let (status, answer) = raw(stage.host, stage.token("ada"), query, variables).await;
    assert_eq!((status, answer.get("data")), (StatusCode::BAD_REQUEST, None), "{query} {variables}: {answer}");
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!((errors.len(), &errors[0]["extensions"]["code"]), (1, &json!("GRAPHQL_VALIDATION_FAILED")), "{query}: {answer}");
    assert!(errors[0]["locations"][0]["line"].is_u64(), "{answer}");
    errors[0]["message"].as_str().unwrap().to_owned()
}

/// The document is refused for what it, or its variable `$x`, gives to an argument.
async fn check(stage: &Stage<'_>, query: &str, x: Json, argument: &str, why: &str) {
    let message = refused(stage, query, &json!({ "x": x })).await;
    assert_eq!(message, format!("Invalid value for argument \"{argument}\": {why}"), "{query} {x}");
}

#[test]
fn integers_beyond_32_bits_are_refused_in_every_place() {
    on_stage(async |stage| {
        let north = stage.group("north");
        let update = format!("updateGroup(input: {{ groupId: \"{north}\", expectedVersion: $x, name: \"Up\" }}) {{ group {{ id }} }}");
        let move_to = format!("previewGroupMove(input: {{ groupId: \"{north}\", expectedVersion: $x }}) {{ groups }}");
        let from_variable = [
            ("query ($x: Int) { groupTree(maxDepth: $x) { truncated } }".to_owned(), "maxDepth"),
            ("query ($x: Int) { users(first: $x) { totalCount } }".to_owned(), "first"),
            ("query ($x: Int) { users { nodes { groups(last: $x) { totalCount } } } }".to_owned(), "last"),
            ("query ($x: Int) { ...Tree } fragment Tree on Query { groupTree(maxDepth: $x) { truncated } }".to_owned(), "maxDepth"),
            (format!("query ($x: Int) {{ {move_to} }}"), "input"),
            (format!("mutation ($x: Int) {{ {update} }}"), "input"),
        ];
        for (query, argument) in &from_variable {
            for number in ["2147483648", "-2147483649", "4294967297", "9223372036854775807", "1.5"] {
                check(stage, query, serde_json::from_str(number).unwrap(), argument, TOO_WIDE).await;
                // As a literal, and as what the document says where the request says nothing.
                let literal = query.replace("($x: Int) ", "").replace("$x", number);
                check(stage, &literal, Json::Null, argument, TOO_WIDE).await;
                let by_default = query.replace("$x: Int)", &format!("$x: Int = {number})"));
                let message = refused(stage, &by_default, &json!({})).await;
                assert_eq!(message, format!("Invalid value for argument \"{argument}\": {TOO_WIDE}"), "{by_default}");
            }
        }
        let whole = "mutation ($x: MoveGroupInput!) { moveGroup(input: $x) { group { id } } }";
        check(stage, whole, json!({ "groupId": north, "expectedVersion": 2_147_483_648_u32 }), "input", TOO_WIDE).await;
        // The widest that fit are told what they are: versions that nothing has.
        for number in [i32::MIN, i32::MAX] {
            let input = json!({ "groupId": north, "expectedVersion": number, "name": "Up" });
            assert_eq!(stage.refused("ada", "updateGroup", input).await, only("STALE", "expectedVersion"));
        }
        stage.query("ada", "{ groupTree(maxDepth: 2147483647) { truncated } }").await;
    });
}

#[test]
fn what_is_no_object_is_refused_where_one_is_wanted() {
    on_stage(async |stage| {
        let east = stage.group("east");
        let members = format!("addGroupMembers(input: {{ groupId: \"{east}\", members: $x }}) {{ group {{ id }} }}");
        let one_of_them = format!("mutation ($x: MemberInput!) {{ {} }}", members.replace("$x", "[$x]"));
        for (query, of, argument) in [
            ("query ($x: UserFilter) { users(filter: $x) { totalCount } }", "UserFilter", "filter"),
            ("query ($x: UserFilter) { users(filter: { not: $x }) { totalCount } }", "UserFilter", "filter"),
            ("query ($x: UserFilter!) { users(filter: { and: [{ exclusive: true }, $x] }) { totalCount } }", "UserFilter!", "filter"),
            ("query ($x: UserBy!) { user(by: $x) { id } }", "UserBy!", "by"),
            ("mutation ($x: CreateGroupInput!) { createGroup(input: $x) { group { id } } }", "CreateGroupInput!", "input"),
            ("mutation ($x: NewUserInput!) { addUser(input: { user: $x }) { user { id } } }", "NewUserInput!", "input"),
            (one_of_them.as_str(), "MemberInput!", "input"),
        ] {
            for value in ["1", "\"x\"", "true", "[[1]]"] {
                check(stage, query, serde_json::from_str(value).unwrap(), argument, NO_OBJECT).await;
                let literal = query.replace(&format!("($x: {of}) "), "").replace("$x", value);
                check(stage, &literal, Json::Null, argument, NO_OBJECT).await;
            }
        }
        // Lists of them: the whole list, and one item among good ones.
        let list = format!("mutation ($x: [MemberInput!]!) {{ {members} }}");
        let good = json!({ "userId": stage.user("ned") });
        for bad in [json!(5), json!([good, "x"]), json!([[good], 1]), json!([true])] {
            check(stage, &list, bad, "input", NO_OBJECT).await;
        }
        assert_eq!(stage.members(&east).await, ["eve"]);
    });
}

#[test]
fn what_is_given_twice_is_refused() {
    on_stage(async |stage| {
        let north = stage.group("north");
        let document =
            format!("mutation {{ updateGroup(input: {{ groupId: \"{north}\", name: \"Up\", name: \"Down\" }}) {{ group {{ id }} }} }}");
        let message = refused(stage, &document, &Json::Null).await;
        assert_eq!(message, "an input object has the field `name` twice; give it once");
        let query = "mutation ($input: UpdateGroupInput!) { updateGroup(input: $input) { group { id } } }";
        let body = format!(r#"{{"query":"{query}","variables":{{"input":{{"groupId":"{north}","name":"Up","name":"Down"}}}}}}"#);
        let request = stage.host.request(stage.token("ada")).header("content-type", "application/json");
        let response = request.body(body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let answer: Json = response.json().await.unwrap();
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("an object has the name `name` twice"), "{answer}");
        let found = stage.query("ada", &format!("{{ group(by: {{ id: \"{north}\" }}) {{ name }} }}")).await;
        assert_eq!(found["group"]["name"], "North");
    });
}

#[test]
fn a_document_with_a_bad_number_changes_nothing() {
    on_stage(async |stage| {
        let tree = "{ groupTree { nodes { group { id name version } parent { id } } } }";
        let before = stage.query("ada", tree).await;
        let both = format!(
            "mutation ($version: Int) {{
               made: createGroup(input: {{ name: \"Made\" }}) {{ userErrors {{ code }} }}
               renamed: updateGroup(input: {{ groupId: \"{}\", expectedVersion: $version, name: \"Up\" }}) {{ userErrors {{ code }} }} }}",
            stage.group("north")
        );
        refused(stage, &both, &json!({ "version": 2_147_483_648_u32 })).await;
        assert_eq!(stage.query("ada", tree).await, before, "not even the mutation before the bad one was done");
        let (status, done) = raw(stage.host, stage.token("ada"), &both, &json!({ "version": 1 })).await;
        let nothing = json!({ "userErrors": [] });
        assert_eq!((status, &done["data"]), (StatusCode::OK, &json!({ "made": nothing, "renamed": nothing })));
    });
}

/// Four rows, of each of which so many fields fail, and whatever is asked beside them.
fn failing(fields: usize, beside: &str) -> String {
    let fields: String = (0..fields).map(|at| format!("a{at}: viewerCan(actions: [\"x\"]) {{ allowed }} ")).collect();
    format!("{{ users(first: 4) {{ nodes {{ {fields} }} }} {beside} }}")
}

#[test]
fn of_many_errors_a_hundred_are_told_and_the_others_counted() {
    on_stage(async |stage| {
        for (query, left_out) in
            [(failing(25, ""), None), (failing(25, "node(id: \"x\") { id }"), Some(1)), (failing(29, "node(id: \"x\") { id }"), Some(17))]
        {
            let answer = stage.host.graphql(stage.token("ada"), &query, Json::Null).await;
            let errors = answer["errors"].as_array().unwrap();
            assert_eq!(errors.len(), 100, "{left_out:?}");
            assert!(errors.iter().all(|error| error["extensions"]["code"] == "BAD_USER_INPUT"), "{answer}");
            assert_eq!(answer["extensions"].get("errorsLeftOut").and_then(Json::as_u64), left_out);
            assert_eq!(answer["data"]["users"]["nodes"].as_array().map(Vec::len), Some(4), "the data are there all the same");
        }
        let few = stage.host.graphql(stage.token("ada"), &failing(1, ""), Json::Null).await;
        assert_eq!((few["errors"].as_array().map(Vec::len), few["extensions"].get("errorsLeftOut")), (Some(4), None));
    });
}

#[test]
fn messages_are_cut_at_500_characters() {
    on_stage(async |stage| {
        let around = "Unknown field \"\" on type \"Query\".".len();
        for (chars, cut) in [(500, false), (501, true), (5_000, true)] {
            let message = refused(stage, &format!("{{ {} {{ id }} }}", "x".repeat(chars - around)), &json!({})).await;
            assert!(message.starts_with("Unknown field \"xxx"), "{message}");
            assert_eq!((message.chars().count(), message.ends_with('…')), (if cut { 501 } else { 500 }, cut), "of {chars}");
        }
        // So is what is said of the request around the document.
        let name = "o".repeat(1_000);
        let body = json!({ "query": "query A { __typename }", "operationName": name });
        let response = stage.host.request(stage.token("ada")).json(&body).send().await.unwrap();
        let answer: Json = response.json().await.unwrap();
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("the document has no operation named `ooo"), "{message}");
        assert_eq!((message.chars().count(), message.ends_with('…')), (501, true));
    });
}

/// Which of these actions somebody could do on anything in the workspace, with the reasons.
async fn anywhere(stage: &Stage<'_>, token: &str, actions: &[&str]) -> BTreeMap<String, (bool, String)> {
    let query = "query ($actions: [String!]!) { viewer { can(actions: $actions) { action allowed reason } } }";
    let answer = stage.host.graphql(token, query, json!({ "actions": actions })).await;
    assert_eq!(answer.get("errors"), None);
    let decided = answer["data"]["viewer"]["can"].as_array().unwrap();
    assert_eq!(decided.len(), actions.len());
    let text = |one: &Json, name: &str| one[name].as_str().unwrap().to_owned();
    decided.iter().map(|one| (text(one, "action"), (one["allowed"] == true, text(one, "reason")))).collect()
}

/// One action that a person may do somewhere, or nowhere.
async fn anywhere_as(stage: &Stage<'_>, who: &str, may: &[&str], may_not: &[&str]) {
    let found = anywhere(stage, stage.token(who), &[may, may_not].concat()).await;
    for (action, (allowed, reason)) in &found {
        assert_eq!(*allowed, may.contains(&action.as_str()), "{who}: {action}: {reason}");
    }
}

#[test]
fn what_is_allowed_in_one_subtree_is_allowed_somewhere() {
    on_stage(async |stage| {
        let permissions = json!(["group.read", "group.update"]);
        let role = stage.done("ada", "createRole", json!({ "name": "Gardener", "permissions": permissions }), "role { id }").await;
        let grant = json!({ "userId": stage.user("eve"), "roleId": role["role"]["id"], "withinId": stage.group("sales") });
        stage.done("ada", "addGrants", json!({ "grants": [grant] }), "").await;

        // By a role within a group, by managing one, by a role in the whole workspace, and by nothing of all that.
        anywhere_as(stage, "hal", &["user.read", "user.suspend", "user.activate", "user.update"], &["user.delete", "group.update"]).await;
        anywhere_as(stage, "eve", &["group.read", "group.update"], &["group.delete", "group.create", "user.suspend"]).await;
        anywhere_as(stage, "gil", &["grant.add", "user.suspend"], &["membership.add", "user.update"]).await;
        anywhere_as(stage, "mia", &["membership.add", "membership.update", "membership.remove"], &["user.suspend", "grant.add"]).await;
        anywhere_as(stage, "ada", &["user.suspend", "group.update", "membership.remove", "policy.activate"], &[]).await;
        let nothing = ["user.suspend", "group.update", "membership.add", "membership.remove", "grant.add", "policy.read", "role.read"];
        anywhere_as(stage, "sam", &["user.read", "group.read"], &nothing).await;
        let reads = anywhere(stage, stage.token("hal"), &["user.read", "role.read"]).await;
        assert_eq!(reads["user.read"], (true, "the policy shows you some of them".to_owned()));
        assert!(!reads["role.read"].0);

        // It is true: somewhere they may, and elsewhere they may not.
        stage.done("hal", "suspendUser", json!({ "userId": stage.user("sam") }), "").await;
        stage.done("eve", "updateGroup", json!({ "groupId": stage.group("north"), "description": "Up" }), "").await;
        let elsewhere = json!({ "groupId": stage.group("east"), "description": "Up" });
        assert_eq!(stage.refused("eve", "updateGroup", elsewhere).await[0].0, "FORBIDDEN");
    });
}

#[test]
fn a_token_limits_what_is_allowed_anywhere() {
    on_stage(async |stage| {
        let hal = stage.world.people.iter().position(|person| person.texts["userName"] == "hal");
        let limited = Asker { person: hal, scopes: Some(vec!["user.read".to_owned()]) };
        let found = anywhere(stage, &stage.host.token(&stage.world, &limited).await, &["user.read", "user.suspend"]).await;
        assert!(found["user.read"].0, "{found:?}");
        assert_eq!(found["user.suspend"], (false, "the token is not scoped to this action".to_owned()));
        // A service is in no group, and acts in the whole workspace or not at all.
        let service = Asker { person: None, scopes: Some(vec!["user.suspend".to_owned()]) };
        let found = anywhere(stage, &stage.host.token(&stage.world, &service).await, &["user.suspend", "membership.remove"]).await;
        assert_eq!((found["user.suspend"].0, found["membership.remove"].0), (true, false), "{found:?}");
    });
}

#[test]
fn whoever_may_explain_is_told_the_same_of_somebody_else() {
    on_stage(async |stage| {
        let actions = ["user.read", "user.suspend", "user.delete", "group.update", "membership.remove", "grant.add"];
        let query = "query ($subject: ID!, $object: ID, $actions: [String!]!) {
            checkPermissions(subject: $subject, object: $object, actions: $actions) { action allowed reason } }";
        for who in ["hal", "mia", "gil", "sam", "sue"] {
            let variables = json!({ "subject": stage.user(who), "actions": actions });
            let answer = stage.host.graphql(stage.token("ada"), query, variables).await;
            let told: BTreeMap<String, bool> = answer["data"]["checkPermissions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| (one["action"].as_str().unwrap().to_owned(), one["allowed"] == true))
                .collect();
            let own = anywhere(stage, stage.token(who), &actions).await;
            let own: BTreeMap<String, bool> = own.into_iter().map(|(action, (allowed, _))| (action, allowed)).collect();
            assert_eq!(told, own, "{who}");
        }
        // About one object: the subtree decides.
        for (user, allowed) in [("sam", true), ("eve", false)] {
            let variables = json!({ "subject": stage.user("gil"), "object": stage.user(user), "actions": ["user.suspend"] });
            let answer = stage.host.graphql(stage.token("ada"), query, variables).await;
            assert_eq!(answer["data"]["checkPermissions"][0]["allowed"], allowed, "{user}: {answer}");
        }
        let variables = json!({ "subject": stage.user("hal"), "actions": actions });
        let answer = stage.host.graphql(stage.token("sam"), query, variables).await;
        let found = (&answer["data"]["checkPermissions"], &answer["errors"][0]["extensions"]["code"]);
        assert_eq!(found, (&Json::Null, &json!("FORBIDDEN")), "{answer}");
        let many = vec!["user.read"; CHECK_ACTIONS + 1];
        let answer = stage.host.graphql(stage.token("ada"), query, json!({ "subject": stage.user("hal"), "actions": many })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED", "{answer}");
    });
}

#[test]
fn of_several_edges_one_that_may_be_ended_is_enough() {
    on_stage(async |stage| {
        // Each of them is in a group below `sales`, which mia manages, and in one elsewhere, which came before it or after it.
        for (group, who) in [("support", "sam"), ("south", "eve")] {
            let members = json!({ "groupId": stage.group(group), "members": [{ "userId": stage.user(who) }] });
            stage.done("ada", "addGroupMembers", members, "").await;
        }
        for (by, of, action, allowed) in [
            ("mia", "sam", "membership.remove", true),
            ("mia", "eve", "membership.remove", true),
            ("mia", "ned", "membership.remove", true),
            ("mia", "ned", "grant.remove", false),
            ("ned", "ned", "membership.remove", false),
            ("ada", "ned", "membership.remove", true),
            // Who is in no group has nothing to be ended, whoever asks; and so with grants. Whoever has some that the asker must not end, or
            // not even see, gets the same answer: it tells of none.
            ("ada", "sue", "membership.remove", false),
            ("ada", "ned", "grant.remove", false),
            ("ada", "sue", "grant.remove", true),
        ] {
            let user = stage.user(of);
            let query = format!("{{ user(by: {{ id: \"{user}\" }}) {{ viewerCan(actions: [\"{action}\"]) {{ allowed reason }} }} }}");
            let found = stage.query(by, &query).await["user"]["viewerCan"][0].take();
            assert_eq!(found["allowed"], allowed, "{by} on {of}: {action}: {found}");
            if !allowed {
                assert_eq!(found["reason"], "there is none of which it is allowed");
            }
        }
    });
}

/// Why these settings are no configuration.
fn refusal(key: &str, file: &str) -> [String; 2] {
    let variable = format!("BAILIWICK_{}", key.to_uppercase().replace('.', "__"));
    let mut from_environment = Layers::new().unwrap();
    from_environment.environment([(variable, "0".to_owned())]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("settings.toml");
    std::fs::write(&path, file).unwrap();
    let mut from_file = Layers::new().unwrap();
    from_file.file(&path).unwrap();
    [from_environment, from_file].map(|layers| Config::load(&layers).unwrap_err().to_string())
}

#[test]
fn a_limit_of_nothing_is_no_configuration() {
    for key in [
        "limits.request_ms",
        "limits.mutation_ms",
        "limits.statement_ms",
        "limits.read_ms",
        "limits.connections",
        "limits.database_connections",
        "policy.memory_mib",
    ] {
        let (table, name) = key.split_once('.').unwrap();
        for message in refusal(key, &format!("[{table}]\n{name} = 0\n")) {
            assert!(message.contains(&format!("sets `{key}` to a value that does not fit: it must be at least 1")), "{message}");
        }
    }
    // Where nothing has a meaning, it is taken.
    let zeros = [("BAILIWICK_POLICY__THREADS", "0"), ("BAILIWICK_LIMITS__REQUEST_MS", "1")];
    let mut layers = Layers::new().unwrap();
    layers.environment(zeros.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let config = Config::load(&layers).unwrap();
    assert_eq!((config.policy.threads, config.limits.request_ms), (0, 1));
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_reads_the_embedded_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::load(&Layers::new().unwrap()).unwrap();
    config.data = folder.path().join("data");
    let database = bailiwick::wiring::Database::open(&config).await.unwrap();
    database.migrate().await.unwrap();
    let modes: BTreeMap<String, u32> = std::fs::read_dir(&config.data)
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), file.metadata().unwrap().permissions().mode() & 0o777))
        .collect();
    assert!(modes.contains_key("bailiwick.db") && modes.contains_key("bailiwick.db-wal"), "{modes:?}");
    assert!(modes.values().all(|mode| *mode == 0o600), "{modes:?}");
    database.close().await;
}

#[test]
fn a_variable_that_is_not_sent_leaves_its_field_out() {
    on_stage(async |stage| {
        let (ned, north) = (stage.user("ned"), stage.group("north"));
        let update = "mutation ($user: ID!, $title: String, $phone: String) { updateUser(input: { userId: $user, title: $title, phone: $phone }) { userErrors { code } } }";
        for variables in [json!({ "user": ned, "title": "Lead", "phone": "+49 1" }), json!({ "user": ned, "title": "Head" })] {
            let answer = stage.host.graphql(stage.token("ada"), update, variables).await;
            assert_eq!(answer["data"]["updateUser"]["userErrors"], json!([]), "{answer}");
        }
        assert_eq!(stage.of_user(&ned, "phone").await, "+49 1");
        let answer = stage.host.graphql(stage.token("ada"), update, json!({ "user": ned, "phone": null })).await;
        assert_eq!(answer["data"]["updateUser"]["userErrors"], json!([]), "{answer}");
        assert_eq!((stage.of_user(&ned, "phone").await, stage.of_user(&ned, "title").await), (json!(null), json!("Head")));
        stage.done("ada", "deleteGroup", json!({ "groupId": north, "mode": "SUBTREE" }), "").await;
        let restore = "mutation ($group: ID!, $parent: ID) { restoreGroup(input: { groupId: $group, parentId: $parent }) { group { parent { key } } } }";
        let answer = stage.host.graphql(stage.token("ada"), restore, json!({ "group": north })).await;
        assert_eq!(answer["data"]["restoreGroup"]["group"]["parent"]["key"], "sales", "{answer}");
        let add = "mutation ($group: ID!, $user: ID!, $manager: Boolean) { addGroupMembers(input: { groupId: $group, members: [{ userId: $user, manager: $manager }] }) { userErrors { code } } }";
        let answer = stage.host.graphql(stage.token("ada"), add, json!({ "group": north, "user": stage.user("sam") })).await;
        assert_eq!(answer["data"]["addGroupMembers"]["userErrors"], json!([]), "{answer}");
    });
}
