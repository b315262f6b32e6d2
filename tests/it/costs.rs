//! What a query costs: as many SQL statements and policy calls for twice the page, and as many as are written down here.

use reqwest::StatusCode;
use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    answers::assert_shape,
    dice::Dice,
    generate,
    naive::{
        policy::{Asker, Policy},
        standard::{Mode, Standard},
    },
    on_each_database,
};

/// The query of graphql.md, "What a query may cost", with six fields each.
fn query(users: usize, groups: usize, grants: usize) -> String {
    format!(
        "{{ users(first: {users}) {{ nodes {{ id userName displayName email status createdAt
             groups(first: {groups}) {{ nodes {{ id key name description createdAt version
               ancestors {{ id key name description createdAt version }} }} }}
             grants(first: {grants}) {{ nodes {{ id limited provenance grantedAt withheldFields viewerCan(actions: []) {{ allowed }}
               role {{ id key name description builtin permissions }} }} }} }} }} }}"
    )
}

/// One `scope` for each of the five kinds; one `check` for users, their groups, the ancestors, the grants and their roles.
const POLICY_CALLS: u64 = 10;
/// The workspace and its head, and for each list or lookup its rows and the facts that its check needs; the subject's own are kept, and where
/// a group is in the tree is read once a request.
const STATEMENTS: u64 = 12;

#[test]
fn twice_the_page_costs_as_many_statements_and_calls() {
    on_each_database(async |host: &TestHost| {
        let mut dice = Dice::seeded(3);
        let mut world = generate::world(&mut dice, "costs".to_owned(), 40);
        host.import_world(&mut world, "").await;
        for mode in Mode::ALL {
            host.activate(&world, &Policy::Standard(Standard::new(mode))).await;
            let token = host.token(&world, &Asker::person(0)).await;
            // What is read of the subject and of the policy version is kept between requests.
            explained(host, &token, &query(1, 1, 1)).await;
            let mut costs = Vec::new();
            for size in [1, 2, 4] {
                costs.push(explained(host, &token, &query(10 * size, 5 * size, 3 * size)).await);
            }
            assert_eq!(costs, [(POLICY_CALLS, STATEMENTS); 3], "{:?} in mode {}", host.backend, mode.name());
        }
    });
}

/// What a page of the recycle bin costs, with a user, a group and a role in it: a `check` for each kind, and one for who deleted them.
const BIN_CALLS: u64 = 4;
const BIN_STATEMENTS: u64 = 13;

#[test]
fn a_page_of_the_recycle_bin_costs_as_many_statements_however_long_it_is() {
    on_each_database(async |host: &TestHost| {
        let mut world = generate::world(&mut Dice::seeded(3), "costs".to_owned(), 40);
        host.import_world(&mut world, "").await;
        host.activate(&world, &Policy::Standard(Standard::new(Mode::ALL[0]))).await;
        let token = host.token(&world, &Asker::person(0)).await;
        let mutate = async |query: String| {
            let answer = host.graphql(&token, &query, Json::Null).await;
            assert_eq!(answer["data"]["done"]["userErrors"], json!([]), "{query}: {answer}");
        };
        let made = host.graphql(
            &token,
            "mutation { group: createGroup(input: { name: \"Gone\" }) { group { id } } role: createRole(input: { name: \"Gone\", permissions: [] }) { role { id } } }",
            Json::Null,
        );
        let made = made.await["data"].take();
        mutate(format!(
            "mutation {{ done: deleteGroup(input: {{ groupId: {}, mode: SUBTREE }}) {{ userErrors {{ code }} }} }}",
            made["group"]["group"]["id"]
        ))
        .await;
        mutate(format!("mutation {{ done: deleteRole(input: {{ roleId: {} }}) {{ userErrors {{ code }} }} }}", made["role"]["role"]["id"]))
            .await;
        let bin = "{ recycleBin(first: 100) { nodes { id kind name deletedBy { id userName } } } }";
        let active: Vec<&str> =
            world.people.iter().skip(1).filter(|person| person.status == "active").map(|person| person.id.as_str()).collect();
        let mut costs = Vec::new();
        for removed in active.chunks(active.len() / 2).take(2) {
            let users = serde_json::to_string(removed).unwrap();
            mutate(format!("mutation {{ done: removeUsers(input: {{ userIds: {users} }}) {{ userErrors {{ code }} }} }}")).await;
            costs.push(explained(host, &token, bin).await);
        }
        assert_eq!(costs, [(BIN_CALLS, BIN_STATEMENTS); 2], "{:?}", host.backend);
    });
}

#[test]
fn only_whoever_may_read_the_policy_is_told_what_it_costs() {
    on_each_database(async |host: &TestHost| {
        let mut world = generate::world(&mut Dice::seeded(7), "explained".to_owned(), 4);
        host.import_world(&mut world, "").await;
        let may_not = (0..world.people.len()).find(|person| {
            world.people[*person].status == "active" && world.grants_of(*person).all(|grant| world.roles[grant.role].key != "administrator")
        });
        let token = host.token(&world, &Asker::person(may_not.expect("an active person without that role"))).await;
        assert_eq!(answer(host, &token, "{ users { totalCount } }").await["extensions"].get("policy"), None);
    });
}

async fn explained(host: &TestHost, token: &str, query: &str) -> (u64, u64) {
    let answer = answer(host, token, query).await;
    assert_eq!(answer.get("errors"), None);
    let policy = &answer["extensions"]["policy"];
    assert!(policy["fuel"].as_u64().is_some_and(|fuel| fuel > 0) && policy["module"].is_string(), "{policy}");
    (policy["calls"].as_u64().unwrap(), policy["sqlStatements"].as_u64().unwrap())
}

async fn answer(host: &TestHost, token: &str, query: &str) -> Json {
    let response = host.request(token).header("bailiwick-explain", "1").json(&json!({ "query": query })).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let answer = response.json().await.unwrap();
    assert_shape(query, &answer);
    answer
}
