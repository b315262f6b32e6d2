//! The first oracle: generated workspaces, subjects, policies and queries, through the GraphQL endpoint, against the naive reading.
//!
//! `BAILIWICK_TEST_SEED` starts elsewhere, `BAILIWICK_TEST_CASES` runs more: 100,000 on demand. A failure prints the smallest
//! workspace of its seed that fails, the policy's settings, the query, and both answers.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value as Json;
use tests::{
    TestHost,
    answers::difference,
    dice::{self, Dice},
    document::{Arguments, Field, Window, document, leaves},
    generate,
    generate::queries,
    model::World,
    naive::{
        Kind,
        policy::{Asker, Policy},
        server,
        sight::Sight,
    },
    on_each_database,
};

/// Queries on each database.
const CASES: usize = 10_000;
/// Sizes of workspaces.
const SIZES: usize = 6;
/// Policies of one workspace.
const POLICIES: usize = 5;
/// Subjects under one policy.
const ASKERS: usize = 4;
/// Queries of one subject, one of which is walked page by page.
const QUERIES: usize = 10;
/// Workspaces that are looked at at once.
const LANES: u64 = 2;

#[test]
fn answers_are_those_of_the_naive_reading() {
    on_each_database(async |host: &TestHost| {
        let cases = AtomicUsize::new(0);
        let wanted = dice::cases(CASES);
        let lane = async |lane: u64| {
            for seed in (dice::first_seed() + lane..).step_by(LANES as usize) {
                if cases.load(Ordering::Relaxed) >= wanted {
                    return;
                }
                let size = 1 + usize::try_from(seed).unwrap_or(0) % SIZES;
                let found = examine(host, seed, size, "").await;
                if let Err(failure) = found {
                    panic!("{}", smallest(host, seed, size, failure).await);
                }
                cases.fetch_add(found.unwrap_or_default(), Ordering::Relaxed);
            }
        };
        tokio::join!(lane(0), lane(1));
        let cases = cases.into_inner();
        assert!(cases >= wanted, "{cases} cases");
        println!("{:?}: {cases} queries answered as the naive reading answers them", host.backend);
    });
}

/// The failure of the smallest workspace of a seed that fails.
async fn smallest(host: &TestHost, seed: u64, size: usize, failure: String) -> String {
    for smaller in 1..size {
        if let Err(failure) = examine(host, seed, smaller, "again").await {
            return failure;
        }
    }
    failure
}

/// Compares one workspace; how many queries agreed, or the first that did not.
async fn examine(host: &TestHost, seed: u64, size: usize, again: &str) -> Result<usize, String> {
    let mut dice = Dice::seeded(seed);
    let mut world = generate::world(&mut dice.part(0), format!("w{seed}-{size}{again}"), size);
    host.import_world(&mut world, "").await;
    let mut cases = 0;
    for at in 0..POLICIES {
        let mut dice = dice.part(1 + at as u64);
        let policy = generate::policy(&mut dice, &world);
        host.activate(&world, &policy).await;
        for _ in 0..ASKERS {
            let asker = generate::asker(&mut dice, &world);
            let token = host.token(&world, &asker).await;
            let sight = Sight::new(&world, &asker, &policy);
            let scene = Scene { host, token: &token, sight: &sight };
            let told = |difference: String| report(seed, size, &world, &asker, &policy, &difference);
            let documents: Vec<Vec<Field>> = (1..QUERIES).map(|_| queries::query(&mut dice, &world, &asker)).collect();
            scene.compare(&documents).await.map_err(told)?;
            let (kind, arguments) = queries::walk(&mut dice, &world, &asker);
            scene.walk(kind, &arguments, dice.between(1, 7), dice.one_in(2)).await.map_err(told)?;
            cases += QUERIES;
        }
    }
    Ok(cases)
}

/// Somebody before the server, and what they must see.
struct Scene<'a> {
    host: &'a TestHost,
    token: &'a str,
    sight: &'a Sight<'a>,
}

impl Scene<'_> {
    async fn compare(&self, queries: &[Vec<Field>]) -> Result<(), String> {
        let documents: Vec<String> = queries.iter().map(|fields| document(fields)).collect();
        let answers = self.host.graphql_all(self.token, &documents).await;
        for ((fields, document), answer) in queries.iter().zip(&documents).zip(answers) {
            difference(document, &server::answer(self.sight, fields), answer)?;
        }
        Ok(())
    }

    /// Reads a list to its end in pages, forwards or backwards, by the cursors that the server hands out.
    async fn walk(&self, kind: Kind, arguments: &Arguments, rows: usize, backwards: bool) -> Result<(), String> {
        let Some(expected) = server::rows(self.sight, kind, arguments) else { return Ok(()) };
        let window = Some(if backwards { Window::Last(rows) } else { Window::First(rows) });
        let mut cursor = None;
        let mut met = 0;
        loop {
            let arguments = Arguments { window, cursor: cursor.clone(), ..arguments.clone() };
            let page = leaves(&["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"]);
            let edges = vec![Field::leaf("cursor"), Field::of("node", leaves(&["id"]))];
            let fields = vec![Field::of("edges", edges), Field::of("pageInfo", page)];
            let query = vec![Field::with(queries::list_of(kind), arguments, fields).alias("page")];
            let text = document(&query);
            let answer = self.host.graphql(self.token, &text, Json::Null).await;
            let info = answer["data"]["page"]["pageInfo"].clone();
            let found = answer["data"]["page"]["edges"].as_array().map_or(0, Vec::len);
            difference(&text, &server::answer(self.sight, &query), answer)?;
            met += found;
            let (more, next) = if backwards { ("hasPreviousPage", "startCursor") } else { ("hasNextPage", "endCursor") };
            if info[more] != true {
                break;
            }
            let at = if backwards { expected.len() - met } else { met - 1 };
            cursor = info[next].as_str().map(|cursor| (cursor.to_owned(), at));
        }
        if met == expected.len() {
            Ok(())
        } else {
            Err(format!("{met} of {} rows of {kind}s in pages of {rows}: {arguments:?}", expected.len()))
        }
    }
}

fn report(seed: u64, size: usize, world: &World, asker: &Asker, policy: &Policy, difference: &str) -> String {
    let policy = match policy {
        Policy::Rules(rules, standard) => format!("rules {}\nstandard {}", rules.settings(world), standard.settings()),
        Policy::Standard(standard) => format!("standard {}", standard.settings()),
        Policy::NeedToKnow(policy) => format!("need-to-know, standard {}", policy.standard.settings()),
    };
    format!(
        "BAILIWICK_TEST_SEED={seed} (size {size})\n{asker:?}\n{policy}\n{difference}\n\ngroups {:#?}\nroles {:#?}\npeople {:#?}\nmemberships {:#?}\ngrants {:#?}",
        world.groups, world.roles, world.people, world.memberships, world.grants
    )
}
