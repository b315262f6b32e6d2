//! Attributes, the workspace, tokens.

use serde_json::{Value as Json, json};

use super::stage::{on_stage, only};

#[test]
fn attributes_are_typed_required_unique_and_checked_against_what_is_there() {
    on_stage(async |stage| {
        let ned = stage.user("ned");
        let set = |user: &str, name: &str, values: Json| json!({ "userId": user, "attributes": [{ "name": name, "values": values }] });
        let attribute = json!({ "name": "badge", "type": "INTEGER", "unique": true });
        let fields = "attribute { name type required unique multivalued searchable version }";
        let made = stage.done("ada", "defineAttribute", attribute.clone(), fields).await["attribute"].take();
        assert_eq!((&made["type"], &made["multivalued"], &made["version"]), (&json!("INTEGER"), &json!(false), &json!(1)));
        assert_eq!(stage.refused("ada", "defineAttribute", attribute).await[0].0, "TAKEN");
        for bad in [json!(["x"]), json!(["1", "2"])] {
            assert_eq!(stage.refused("ada", "updateUser", set(&ned, "badge", bad)).await, only("INVALID", "attributes.0"));
        }
        stage.done("ada", "updateUser", set(&ned, "badge", json!(["7"])), "").await;
        assert_eq!(stage.refused("ada", "updateUser", set(&stage.user("eve"), "badge", json!(["7"]))).await[0].0, "TAKEN");
        let required = json!({ "name": "badge", "required": true });
        assert_eq!(stage.refused("ada", "updateAttribute", required).await[0].0, "INVALID", "there are people without one");
        stage.done("ada", "updateUser", set(&ned, "department", json!(["a", "b"])), "").await;
        for narrower in [json!({ "multivalued": false }), json!({ "type": "DATE" })] {
            let mut input = narrower;
            input["name"] = json!("department");
            assert_eq!(stage.refused("ada", "updateAttribute", input).await[0].0, "INVALID");
        }
        assert_eq!(stage.refused("ada", "removeAttribute", json!({ "name": "badge" })).await[0].0, "NOT_EMPTY");
        stage.done("ada", "removeAttribute", json!({ "name": "badge", "mode": "ERASE" }), "removedAttribute").await;
        assert_eq!(stage.of_user(&ned, "attributes { name }").await, json!([{ "name": "department" }]));
        let names = stage.query("ada", "{ attributes { name } }").await;
        assert_eq!(names["attributes"], json!([{ "name": "department" }]));
        assert_eq!(stage.query("ned", "{ attributes { name } }").await["attributes"], json!(null));
    });
}

#[test]
fn what_is_not_searchable_is_not_searched() {
    on_stage(async |stage| {
        stage.done("ada", "defineAttribute", json!({ "name": "salary", "searchable": false }), "").await;
        let query = "{ users(filter: { attribute: { name: \"salary\", value: { eq: \"1\" } } }) { totalCount } }";
        let answer = stage.host.graphql(stage.token("ada"), query, Json::Null).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FIELD_NOT_SEARCHABLE");
    });
}

#[test]
fn the_workspace_has_a_name_and_the_operator_a_quota() {
    on_stage(async |stage| {
        let renamed = stage.done("ada", "updateWorkspace", json!({ "name": "The stage" }), "workspace { name version }").await;
        assert_eq!(renamed["workspace"]["name"], "The stage");
        let stale = json!({ "name": "Another", "expectedVersion": 1 });
        assert_eq!(stage.refused("ada", "updateWorkspace", stale).await, only("STALE", "expectedVersion"));
        let workspace = stage.world.id.parse().unwrap();
        stage.host.store().write(stage.host.operator.set_quota(workspace, Some(10), tests::host::NOW)).await.unwrap();
        stage.done("ada", "addUser", json!({ "user": { "userName": "ten" } }), "").await;
        let payload = stage.ask("ada", "addUser", json!({ "user": { "userName": "eleven" } }), "").await;
        assert_eq!(payload["userErrors"][0]["code"], "QUOTA_EXCEEDED");
        let message = payload["userErrors"][0]["message"].as_str().unwrap();
        assert!(message.contains("11 users") && message.contains("quota is 10"), "{message}");
        stage.done("ada", "removeUser", json!({ "userId": stage.user("ned") }), "").await;
        stage.done("ada", "addUser", json!({ "user": { "userName": "eleven" } }), "").await;
        assert_eq!(stage.refused("ada", "restoreUser", json!({ "userId": stage.user("ned") })).await[0].0, "QUOTA_EXCEEDED");
        stage.host.store().write(stage.host.operator.set_quota(workspace, None, tests::host::NOW)).await.unwrap();
        stage.done("ada", "restoreUser", json!({ "userId": stage.user("ned") }), "").await;
    });
}

#[test]
fn tokens_are_made_used_and_revoked_and_reach_no_further_than_their_maker() {
    on_stage(async |stage| {
        let input = json!({ "kind": "PERSONAL", "name": "script", "scopes": ["user.read", "token.create", "token.read"] });
        let payload = stage.done("ada", "createToken", input, "secret token { id name scopes kind user { userName } }").await;
        assert_eq!(payload["token"]["user"]["userName"], "ada");
        let secret = payload["secret"].as_str().unwrap().to_owned();
        let call = async |token: &str, query: &str, variables: Json| stage.host.graphql(token, query, variables).await;
        assert_eq!(call(&secret, "{ users { totalCount } }", Json::Null).await["data"]["users"]["totalCount"], 9);
        let create = "mutation ($input: CreateTokenInput!) { createToken(input: $input) { secret userErrors { code field } } }";
        for scopes in [json!(null), json!([]), json!(["user.delete"])] {
            let input = json!({ "input": { "kind": "PERSONAL", "name": "wider", "scopes": scopes } });
            let answer = call(&secret, create, input).await;
            assert_eq!(answer["data"]["createToken"]["secret"], json!(null));
            assert_eq!(answer["data"]["createToken"]["userErrors"][0]["code"], "INVALID", "{scopes}");
        }
        // A token that ends makes none that outlives it.
        let ends =
            json!({ "kind": "PERSONAL", "name": "short", "scopes": ["token.create", "token.read"], "expiresAt": "2035-01-01T00:00:00Z" });
        let short = stage.done("ada", "createToken", ends, "secret").await["secret"].as_str().unwrap().to_owned();
        for (end, good) in [(json!(null), false), (json!("2035-01-01T00:00:01Z"), false), (json!("2035-01-01T00:00:00Z"), true)] {
            let input = json!({ "input": { "kind": "PERSONAL", "name": "wider", "scopes": ["token.read"], "expiresAt": end } });
            let answer = call(&short, create, input).await["data"]["createToken"].take();
            assert_eq!(answer["secret"].is_string(), good, "{end} {answer}");
            let fields = answer["userErrors"].as_array().unwrap().iter();
            assert!(fields.clone().all(|error| error["field"] == json!(["expiresAt"])), "{answer}");
        }
        let service = json!({ "kind": "SERVICE", "name": "robot", "scopes": ["user.read"] });
        let robot = stage.done("ada", "createToken", service, "secret token { kind user { id } }").await;
        assert_eq!(robot["token"], json!({ "kind": "SERVICE", "user": null }));
        assert_eq!(call(robot["secret"].as_str().unwrap(), "{ users { totalCount } }", Json::Null).await["data"]["users"]["totalCount"], 9);
        assert_eq!(stage.refused("ada", "createToken", json!({ "kind": "SERVICE", "name": "x" })).await, only("INVALID", "scopes"));
        let past = json!({ "kind": "PERSONAL", "name": "x", "expiresAt": "2020-01-01T00:00:00Z" });
        assert_eq!(stage.refused("ada", "createToken", past).await, only("INVALID", "expiresAt"));
        assert_eq!(stage.refused("ned", "createToken", json!({ "kind": "PERSONAL", "name": "x" })).await[0].0, "FORBIDDEN");
        let listed = stage.query("ada", "{ tokens { name } }").await;
        let named = listed["tokens"].as_array().unwrap().iter().filter(|token| token["name"] != "a test").count();
        assert_eq!(named, 4, "the newest among those of the stage");
        assert_eq!(stage.query("ned", "{ tokens { name } }").await["tokens"], json!([]));
        // Nor does it make one with the request in which it is revoked.
        let input = json!({ "kind": "PERSONAL", "name": "last", "scopes": ["token.create", "token.read", "token.revoke"] });
        let last = stage.done("ada", "createToken", input, "secret token { id }").await;
        let both = "mutation ($token: ID!) {
          revokeToken(input: { tokenId: $token }) { revokedTokenId userErrors { code } }
          createToken(input: { kind: PERSONAL, name: \"heir\", scopes: [\"token.read\"] }) { secret userErrors { code } }
        }";
        let answer = call(last["secret"].as_str().unwrap(), both, json!({ "token": last["token"]["id"] })).await;
        assert_eq!(answer["data"]["revokeToken"], json!({ "revokedTokenId": last["token"]["id"], "userErrors": [] }));
        assert_eq!(answer["data"]["createToken"], Json::Null, "{answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
        stage.done("ada", "revokeToken", json!({ "tokenId": payload["token"]["id"] }), "revokedTokenId").await;
        let answer = stage.host.request(&secret).json(&json!({ "query": "{ viewer { id } }" })).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(stage.refused("ada", "revokeToken", json!({ "tokenId": payload["token"]["id"] })).await, only("NOT_FOUND", "tokenId"));
    });
}
