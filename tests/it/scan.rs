//! Pages under an inexact scope end at the scan cap, say so, and go on from there in both directions.

use directory::limits::SCAN_ROWS;
use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    host::NOW,
    model::{Person, World},
    naive::{
        Kind,
        policy::{Asker, Policy},
        rules::{KindRules, Rules, Term},
        standard::{Mode, Standard},
    },
    on_each_database,
};

/// The few that the policy shows, by their place in the order.
const SHOWN: [usize; 4] = [2, SCAN_ROWS - 1, SCAN_ROWS + 100, PEOPLE - 2];
const PEOPLE: usize = 2 * SCAN_ROWS + 500;

#[test]
fn a_page_that_the_scan_cap_made_short_says_so_and_goes_on() {
    on_each_database(async |host: &TestHost| {
        let mut world = sparse();
        world.id = host.import(world.import(NOW.0, "")).await.workspace.unwrap().to_string();
        let first = [world.people[0].texts["userName"].as_str()];
        let found = host.operator.users_named(host.store(), world.id.parse().unwrap(), &first).await.unwrap();
        world.people[0].id = found[0].unwrap().to_string();
        host.activate(&world, &shows_the_suspended()).await;
        let token = host.token(&world, &Asker::person(0)).await;
        // The first two are met before the cap, the last two behind it; then again from the other end.
        assert_eq!(
            walk(host, &token, "first", "after").await,
            [(vec![2, SCAN_ROWS - 1], true), (vec![SCAN_ROWS + 100], true), (vec![PEOPLE - 2], false)]
        );
        let backwards = walk(host, &token, "last", "before").await;
        assert_eq!(backwards.iter().map(|(_, capped)| *capped).collect::<Vec<_>>(), [true, true, false]);
        let met: Vec<usize> = backwards.into_iter().rev().flat_map(|(people, _)| people).collect();
        assert_eq!(met, SHOWN);
    });
}

/// People without groups, a few of them suspended.
fn sparse() -> World {
    let mut world = World::empty("sparse".to_owned());
    world.people = (0..PEOPLE)
        .map(|at| Person {
            texts: [("userName", format!("p{at:05}"))].into(),
            status: if SHOWN.contains(&at) { "suspended" } else { "active" },
            ..Person::default()
        })
        .collect();
    world.index();
    world
}

/// Rules that show suspended people, by a scope that admits everybody.
fn shows_the_suspended() -> Policy {
    let suspended = Term { negate: false, test: "status".to_owned(), values: vec!["suspended".to_owned()], groups: None };
    let users = KindRules { clauses: vec![vec![suspended]], superset: Some(vec![Vec::new()]), ..KindRules::default() };
    Policy::Rules(Rules { kinds: [(Kind::User, users)].into() }, Standard::new(Mode::ALL[0]))
}

/// Each page's people, and whether it was short because of the cap.
async fn walk(host: &TestHost, token: &str, rows: &str, from: &str) -> Vec<(Vec<usize>, bool)> {
    let query = format!(
        "query ($from: String) {{ all: users({rows}: 3, {from}: $from) {{ nodes {{ userName }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    );
    let (more, next) = if rows == "first" { ("hasNextPage", "endCursor") } else { ("hasPreviousPage", "startCursor") };
    let mut pages = Vec::new();
    let mut cursor = Json::Null;
    loop {
        let answer = host.graphql(token, &query, json!({ "from": cursor })).await;
        assert_eq!(answer.get("errors"), None, "{answer}");
        let page = &answer["data"]["all"];
        let people = page["nodes"].as_array().unwrap().iter().map(|node| node["userName"].as_str().unwrap()[1..].parse().unwrap());
        let capped = answer["extensions"].get("scanCapped").cloned();
        assert!(capped.is_none() || capped == Some(json!([["all"]])), "{answer}");
        pages.push((people.collect(), capped.is_some()));
        if page["pageInfo"][more] != true {
            return pages;
        }
        cursor = page["pageInfo"][next].clone();
    }
}
