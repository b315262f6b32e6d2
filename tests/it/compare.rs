//! A candidate beside the active policy: every line of a comparison against what both policies say when they are active themselves.
//!
//! `BAILIWICK_TEST_SEED` starts elsewhere, `BAILIWICK_TEST_CASES` compares more workspaces.

mod oracle;
mod program;

use std::{collections::BTreeSet, sync::Arc};

use bailiwick::wiring;
use directory::{
    Error,
    access::{Candidate, CandidateModule, Compare, ComparePairs},
    limits, register,
};
use oracle::{COMPARE, Found, Line, Said, count, expected, writes};
use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    dice::{self, Dice},
    generate,
    host::RULES,
    model::World,
    naive::{
        Kind,
        policy::{Asker, Policy},
        sight::Sight,
        standard::{Mode, Standard},
    },
    on_each_database,
};

use crate::{
    hostile::guest::{Guest, Part},
    writes::stage::on_stage,
};

/// Pairs of policies, over all workspaces of one database.
const CASES: usize = 40;
/// Pairs of policies in one workspace.
const POLICIES: usize = 4;
/// Pairs of a small piece.
const PIECE: i64 = 20;

#[test]
fn each_line_is_what_both_policies_say() {
    on_each_database(async |host: &TestHost| {
        let wanted = dice::cases(CASES);
        let (mut cases, mut changes) = (0, 0);
        for seed in dice::first_seed().. {
            let mut dice = Dice::seeded(seed);
            let size = 1 + usize::try_from(seed).unwrap() % 3;
            let mut world = generate::world(&mut dice.part(0), format!("compare{seed}"), size);
            host.import_world(&mut world, "").await;
            for at in 0..POLICIES {
                let mut dice = dice.part(1 + at as u64);
                let (active, candidate) = (generate::policy(&mut dice, &world), generate::policy(&mut dice, &world));
                let asker = somebody_who_may_ask(&mut dice, &world);
                changes += agree(host, &world, &asker, &active, &candidate).await.unwrap_or_else(|difference| {
                    panic!("BAILIWICK_TEST_SEED={seed}, policies {at}\n{asker:?}\n{active:?}\n{candidate:?}\n{difference}")
                });
                cases += 1;
            }
            if cases >= wanted {
                break;
            }
        }
        assert!(changes > 20 * cases, "{changes} changes in {cases} comparisons say little");
        println!("{:?}: {cases} comparisons with {changes} changes, each as both policies say", host.backend);
    });
}

/// The administrator, or somebody else who may explain the policy and perhaps sees little.
fn somebody_who_may_ask(dice: &mut Dice, world: &World) -> Asker {
    let may = |person: &usize| {
        let asker = Asker::person(*person);
        world.people[*person].status == "active" && tests::naive::policy::Subject::new(world, &asker).holds("policy.explain")
    };
    let all: Vec<usize> = (0..world.people.len()).filter(may).collect();
    Asker::person(*dice.pick(&all))
}

/// Compares in one piece and in small ones; how many changes there are, or the first line that is not as it must be.
async fn agree(host: &TestHost, world: &World, asker: &Asker, active: &Policy, candidate: &Policy) -> Result<usize, String> {
    host.activate(world, active).await;
    let before = Said::read(host, world, active).await;
    let input = json!({ "candidate": proposed(host, world, candidate).await, "sample": limits::COMPARE_SAMPLE, "examples": 50 });
    let token = host.token(world, asker).await;
    let whole = Found::walk(host, &token, &input).await;
    let mut small = input.clone();
    small["pairs"] = PIECE.into();
    let pieces = Found::walk(host, &token, &small).await;
    host.activate(world, candidate).await;
    let after = Said::read(host, world, candidate).await;

    let sight = Sight::new(world, asker, active);
    let expected = expected(world, &sight, &before, &after);
    if whole.lines != expected.lines {
        return Err(format!("in one piece\n{:#?}\nexpected {:#?}", whole.lines, expected.lines));
    }
    if pieces.lines != expected.lines {
        return Err(format!("in pieces\n{:#?}\nexpected {:#?}", pieces.lines, expected.lines));
    }
    assert!(pieces.pieces as i64 > (expected.pairs - 1) / PIECE, "{} pieces of {} pairs", pieces.pieces, expected.pairs);
    for found in [&whole, &pieces] {
        assert_eq!(found.failures, Vec::<Json>::new());
        assert_eq!((found.done, found.total), (expected.pairs, expected.pairs), "each pair once");
    }
    // A small piece has so few changes that each is an example.
    if pieces.named != expected.named {
        let missing: Vec<_> = expected.named.difference(&pieces.named).collect();
        let wrong: Vec<_> = pieces.named.difference(&expected.named).collect();
        return Err(format!("missing {missing:#?}\nwrong {wrong:#?}"));
    }
    assert!(whole.named.is_subset(&expected.named));
    Ok(expected.lines.values().map(|line| usize::try_from(line.gained + line.lost + line.fields_changed).unwrap()).sum())
}

/// A policy as the input of a comparison has it.
async fn proposed(host: &TestHost, world: &World, policy: &Policy) -> Json {
    let workspace = world.id.parse().unwrap();
    let standard = policy.standard().settings();
    match policy {
        Policy::Standard(_) => json!({ "standard": true, "standardSettings": standard }),
        Policy::NeedToKnow(_) => {
            let module = host.install(workspace, "need-to-know", wiring::need_to_know().bytes).await;
            json!({ "policyId": module.to_string(), "settings": "", "standardSettings": standard })
        }
        Policy::Rules(rules, _) => {
            let module = host.install(workspace, "rules", Arc::from(RULES)).await;
            json!({ "policyId": module.to_string(), "settings": rules.settings(world), "standardSettings": standard })
        }
    }
}

/// `standard` that shows everybody, and `standard` that shows nobody.
fn open_and_closed() -> [Standard; 2] {
    [Standard::new(Mode::Workspace), Standard::new(Mode::Itself)]
}

async fn world(host: &TestHost, key: &str, size: usize) -> World {
    let mut world = generate::world(&mut Dice::seeded(5), key.to_owned(), size);
    host.import_world(&mut world, "").await;
    let [open, _] = open_and_closed();
    host.activate(&world, &Policy::Standard(open)).await;
    world
}

fn closing() -> Json {
    let [_, closed] = open_and_closed();
    json!({ "standard": true, "standardSettings": closed.settings() })
}

#[test]
fn who_and_what_is_named_is_compared_and_nothing_else() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "named", 4).await;
        let token = host.token(&world, &Asker::person(0)).await;
        let active: Vec<&String> = world.people.iter().filter(|person| person.status == "active").map(|person| &person.id).collect();
        let rows: usize = Kind::ALL.into_iter().map(|kind| count(&world, kind)).sum();
        let (person, group, role) = (active[1], &world.groups[0].id, &world.roles[0].id);
        let (membership, grant) = (&world.memberships[0].id, &world.grants[0].id);
        for (users, objects, pairs) in [
            (Some(vec![person]), None, rows),
            (Some(vec![person, person, active[0]]), None, 2 * rows),
            (None, Some(vec![person]), active.len()),
            (None, Some(vec![person, group, role, membership, grant]), 5 * active.len()),
            (Some(vec![person, active[0]]), Some(vec![person, group]), 4),
        ] {
            let input = json!({ "candidate": closing(), "userIds": users, "objectIds": objects, "pairs": 30 });
            let found = Found::walk(host, &token, &input).await;
            assert_eq!((found.done, found.total), (pairs as i64, pairs as i64), "{input}");
            let reads: i64 = found.lines.iter().filter(|(action, _)| action.ends_with(".read")).map(|(_, line)| line.compared).sum();
            assert_eq!(reads, pairs as i64, "{input}");
            let users = users.unwrap_or_else(|| active.clone());
            let is_named = |object: &String| objects.as_ref().is_none_or(|objects| objects.contains(&object));
            assert!(found.named.iter().all(|(_, _, subject, object, ..)| users.contains(&subject) && is_named(object)));
        }
        // Only these actions, of only these kinds.
        let input = json!({ "candidate": closing(), "userIds": [person], "actions": ["user.update", "user.read"] });
        let found = Found::walk(host, &token, &input).await;
        assert_eq!(found.lines.keys().collect::<Vec<_>>(), ["user.read", "user.update"]);
        assert_eq!(found.total, world.people.len() as i64);
    });
}

#[test]
fn a_sample_is_the_same_for_the_same_seed_and_another_for_another() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "sampled", 30).await;
        let token = host.token(&world, &Asker::person(0)).await;
        let sampled = async |seed: i32| {
            let input = json!({ "candidate": closing(), "sample": 8, "seed": seed, "examples": 50, "actions": ["user.read"] });
            Found::walk(host, &token, &input).await
        };
        let (one, again, other) = (sampled(1).await, sampled(1).await, sampled(2).await);
        assert_eq!((one.total, other.total), (64, 64));
        assert!(!one.named.is_empty() && one.named == again.named && one.lines == again.lines);
        assert_ne!(one.named, other.named);
        // Over several seeds everybody has a turn.
        let mut drawn = BTreeSet::new();
        for seed in 0..60 {
            drawn.extend(sampled(seed).await.named.into_iter().map(|(_, _, subject, ..)| subject));
        }
        let active = world.people.iter().filter(|person| person.status == "active").count();
        assert!(drawn.len() > active * 3 / 4, "{} of {active}", drawn.len());
    });
}

#[test]
fn a_cursor_goes_on_with_its_own_comparison_only() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "cursors", 3).await;
        let token = host.token(&world, &Asker::person(0)).await;
        let input = json!({ "candidate": closing(), "pairs": 20 });
        let ask = async |input: &Json, after: &Json| host.graphql(&token, COMPARE, json!({ "input": input, "after": after })).await;
        let first = ask(&input, &Json::Null).await;
        let cursor = &first["data"]["compared"]["endCursor"];
        assert!(cursor.is_string());
        let second = ask(&input, cursor).await;
        assert!(second["data"]["compared"]["done"].as_i64() > first["data"]["compared"]["done"].as_i64());
        for (name, value) in [
            ("candidate", json!({ "standard": true })),
            ("seed", json!(1)),
            ("sample", json!(2)),
            ("pairs", json!(21)),
            ("actions", json!(["user.read"])),
        ] {
            let mut other = input.clone();
            other[name] = value;
            assert_eq!(code(&ask(&other, cursor).await), "BAD_USER_INPUT", "{name}");
        }
        let elsewhere = self::world(host, "elsewhere", 3).await;
        let stranger = host.token(&elsewhere, &Asker::person(0)).await;
        let answer = host.graphql(&stranger, COMPARE, json!({ "input": input, "after": cursor })).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT");
        // The policy that it was compared with is active no more.
        host.activate(&world, &Policy::Standard(Standard::new(Mode::Groups))).await;
        let answer = ask(&input, cursor).await;
        assert_eq!(code(&answer), "STALE", "{answer}");
        assert!(answer["errors"][0]["message"].as_str().unwrap().starts_with("the active policy version has changed"));
    });
}

#[test]
fn a_candidate_that_fails_is_counted_and_opens_nothing() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "failing", 2).await;
        let token = host.token(&world, &Asker::person(0)).await;
        let active = world.people.iter().filter(|person| person.status == "active").count() as i64;
        let guests: [(&str, &str, &str, &[&str]); 3] = [
            ("traps", "(unreachable)", "the policy trapped", &["*"]),
            ("loops", "(loop $on (br $on)) (unreachable)", "the policy used up its fuel", &["*"]),
            ("traps on users", "(unreachable)", "the policy trapped", &["user.*"]),
        ];
        for (name, body, reason, decides) in guests {
            let guest = Guest::new().describing(|manifest| {
                manifest.decides = decides.iter().map(|pattern| (*pattern).to_owned()).collect();
                manifest.otherwise = "standard".to_owned();
            });
            let module = host.install(world.id.parse().unwrap(), name, guest.armed(Part::Check, body).component().into()).await;
            let candidate = json!({ "policyId": module.to_string(), "settings": "armed" });
            let input = json!({ "candidate": candidate, "objectIds": [world.people[0].id, world.groups[0].id] });
            let found = Found::walk(host, &token, &input).await;
            assert_eq!((found.done, found.total), (2 * active, 2 * active), "{name}: a failure does not end the comparison");
            let failed = |action: &str| found.failures.iter().filter(|failure| failure["action"] == action).collect::<Vec<_>>();
            for action in writes(Kind::User).iter().map(String::as_str).chain(["user.read"]) {
                let failures = failed(action);
                let pairs: i64 = failures.iter().map(|failure| failure["pairs"].as_i64().unwrap()).sum();
                assert_eq!(pairs, active, "{name}: {action}");
                for failure in failures {
                    assert_eq!(failure["side"], "CANDIDATE", "{name}: {failure}");
                    assert!(failure["reason"].as_str().unwrap().starts_with(reason), "{name}: {failure}");
                }
                assert_eq!(found.lines.get(action).cloned().unwrap_or_default(), Line::default(), "{name}: {action}");
            }
            // What `standard` decides is compared all the same, in a sandbox of its own.
            let whole = decides == ["*"];
            assert_eq!(failed("group.read").is_empty(), !whole, "{name}");
            assert_eq!(found.lines.get("group.read").map(|line| line.compared), (!whole).then_some(active), "{name}");
        }
    });
}

#[test]
fn hidden_is_not_there_and_whoever_may_not_ask_is_told() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "refused", 4).await;
        let [_, closed] = open_and_closed();
        host.activate(&world, &Policy::Standard(closed)).await;
        let active = |person: &usize| world.people[*person].status == "active";
        let plain = (1..world.people.len()).filter(active).find(|person| world.grants_of(*person).next().is_none()).unwrap();
        let token = host.token(&world, &Asker::person(plain)).await;
        let input = json!({ "candidate": closing() });
        assert_eq!(code(&host.graphql(&token, COMPARE, json!({ "input": input })).await), "FORBIDDEN");

        // May explain, and sees nobody else.
        let scopes = Some(vec!["policy.explain".to_owned()]);
        let blind = host.token(&world, &Asker { person: Some(0), scopes }).await;
        let found =
            Found::walk(host, &blind, &json!({ "candidate": { "standard": true, "standardSettings": "{\"members_see\":\"workspace\"}" } }))
                .await;
        assert!(found.lines.values().any(|line| line.gained > 0) && found.named.is_empty());
        assert!(found.lines.values().all(|line| line.unseen == line.gained + line.lost + line.fields_changed), "{found:?}");
        let (hidden, absent) = (world.people[plain].id.clone(), "usr_00000000000070008000000000000000".to_owned());
        for (name, id) in [("userIds", &hidden), ("objectIds", &hidden), ("userIds", &absent), ("objectIds", &absent)] {
            let answer = host.graphql(&blind, COMPARE, json!({ "input": { "candidate": closing(), name: [id] } })).await;
            assert_eq!((answer.get("errors"), &answer["data"]["compared"]), (None, &Json::Null), "{name} {id}");
        }
    });
}

#[test]
fn what_can_not_be_compared_is_refused_with_the_remedy() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "limits", 3).await;
        let token = host.token(&world, &Asker::person(0)).await;
        let inactive = world.people.iter().find(|person| person.status != "active").map(|person| person.id.clone()).unwrap();
        let many = |count: usize| (0..count).map(|_| world.people[0].id.clone()).collect::<Vec<_>>();
        for (rest, code, says) in [
            (json!({ "pairs": 100_000 }), "", ""),
            (json!({ "pairs": 100_001 }), "LIMIT_EXCEEDED", "pairs at once: 100001 is not between 1 and 100000"),
            (json!({ "pairs": 0 }), "LIMIT_EXCEEDED", "pairs at once: 0"),
            (json!({ "pairs": -1 }), "BAD_USER_INPUT", "`pairs: -1` is negative"),
            (json!({ "examples": 50 }), "", ""),
            (json!({ "examples": 51 }), "LIMIT_EXCEEDED", "examples: 51"),
            (json!({ "sample": 500 }), "", ""),
            (json!({ "sample": 501 }), "LIMIT_EXCEEDED", "the sample: 501"),
            (json!({ "userIds": many(100), "objectIds": many(100) }), "", ""),
            (json!({ "userIds": many(101) }), "LIMIT_EXCEEDED", "users: 101"),
            (json!({ "objectIds": many(101) }), "LIMIT_EXCEEDED", "objects: 101"),
            (json!({ "userIds": many(1), "sample": 1 }), "BAD_USER_INPUT", "leave either out"),
            (json!({ "objectIds": [world.id] }), "BAD_USER_INPUT", "the workspace is no object of a comparison"),
            (json!({ "userIds": [inactive] }), "BAD_USER_INPUT", "is not active"),
            (json!({ "actions": ["user.create"] }), "BAD_USER_INPUT", "`user.create` is not decided about a row that is there"),
            (json!({ "actions": [] }), "BAD_USER_INPUT", "`actions` is an empty list"),
            (json!({ "userIds": [] }), "BAD_USER_INPUT", "`userIds` is an empty list"),
            (json!({ "objectIds": [] }), "BAD_USER_INPUT", "`objectIds` is an empty list"),
            (json!({ "actions": ["user.fly"] }), "BAD_USER_INPUT", "`user.fly` is no action"),
            (json!({ "candidate": { "standardSettings": "nonsense" } }), "BAD_USER_INPUT", "the policy refuses the settings of `standard`"),
            (json!({ "candidate": { "standard": true, "settings": "x" } }), "BAD_USER_INPUT", "send `standardSettings`"),
            (json!({ "candidate": { "policyId": "pol_00000000000070008000000000000000" } }), "NOT_FOUND", "was not found"),
        ] {
            let mut input = json!({ "candidate": closing(), "pairs": 20, "sample": null });
            for (name, value) in rest.as_object().unwrap() {
                input[name] = value.clone();
            }
            input.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            let answer = host.graphql(&token, COMPARE, json!({ "input": input })).await;
            match code {
                "" => assert_eq!(answer.get("errors"), None, "{input}"),
                code => {
                    assert_eq!(self::code(&answer), code, "{input}");
                    let message = answer["errors"][0]["message"].as_str().unwrap();
                    assert!(message.contains(says), "{input}: {message}");
                }
            }
        }
    });
}

#[test]
fn more_rows_cost_no_more_calls_and_statements() {
    on_each_database(async |host: &TestHost| {
        let mut costs = Vec::new();
        for (key, size) in [("few", 10), ("many", 40)] {
            let world = world(host, key, size).await;
            let active: Vec<usize> = (0..world.people.len()).filter(|person| world.people[*person].status == "active").collect();
            for people in [1, 4_u64] {
                let directory = host.directory(&world, &Asker::person(0)).await;
                let ask = Compare {
                    candidate: Candidate {
                        module: CandidateModule::Standard,
                        settings: None,
                        standard_settings: Some(open_and_closed()[1].settings()),
                    },
                    pairs: ComparePairs::Named {
                        subjects: active[..usize::try_from(people).unwrap()]
                            .iter()
                            .map(|person| world.people[*person].id.parse().unwrap())
                            .collect(),
                        objects: Vec::new(),
                    },
                    actions: None,
                    examples: 0,
                    piece: limits::COMPARE_PAIRS,
                };
                let found = directory.compare_policies(&ask, None).await.unwrap().unwrap();
                assert_eq!(found.next, None, "one piece");
                let [active, candidate] = found.cost;
                costs.push((people, active.calls, candidate.calls, directory.cost().await.statements));
            }
        }
        // An action of each kind, and the ends of memberships and of grants.
        let actions = register::actions().filter(|action| {
            let known = register::action(action).unwrap();
            Kind::ALL.iter().any(|kind| kind.name() == known.0.name()) && !["create", "add", "restore"].contains(&known.1)
        });
        let calls = actions.count() as u64 + 4;
        let statements = costs[0].3;
        for (people, of_active, of_candidate, of_sql) in &costs {
            assert_eq!((*of_active, *of_candidate), (people * calls, people * calls), "{costs:?}");
            // The facts of each further subject, in one to three statements: nothing is read of the roles of somebody who has none.
            assert!((statements..=statements + 3 * (people - 1)).contains(of_sql), "{costs:?}");
        }
    });
}

#[test]
fn who_goes_amid_a_chunk_of_rows_moves_nobody_else() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "chunks", 8).await;
        let token = host.token(&world, &Asker::person(0)).await;
        let mut people: Vec<&str> =
            world.people.iter().filter(|person| person.status == "active").map(|person| person.id.as_str()).collect();
        people.sort_unstable();
        let subjects = people.get(..4).unwrap();
        // Chunks of three memberships, of which a piece looks at one for one subject.
        let input = json!({ "candidate": closing(), "userIds": subjects, "actions": ["membership.read"], "pairs": 3 });
        let ask = async |after: &Json| {
            let answer = host.graphql(&token, COMPARE, json!({ "input": input, "after": after })).await;
            assert_eq!(answer.get("errors"), None, "{answer}");
            answer["data"]["compared"].clone()
        };
        let first = ask(&Json::Null).await;
        assert_eq!(first["done"], 3);
        let mut edges: Vec<String> =
            host.walk(&token, "memberships", "id").await.iter().map(|edge| edge["id"].as_str().unwrap().to_owned()).collect();
        edges.sort_unstable();
        assert_eq!(first["total"], 4 * edges.len());
        let gone = host.walk(&token, "memberships", "id group { id } user { id }").await;
        let gone = gone.iter().find(|edge| edge["id"] == edges[0].as_str()).unwrap();
        let input = json!({ "groupId": gone["group"]["id"], "userIds": [gone["user"]["id"]] });
        let remove = "mutation ($input: RemoveGroupMembersInput!) { removeGroupMembers(input: $input) { userErrors { message } } }";
        let removed = host.graphql(&token, remove, json!({ "input": input })).await;
        assert_eq!(removed["data"]["removeGroupMembers"]["userErrors"], json!([]));
        let mut page = first;
        while page["endCursor"].is_string() && page["hasNextPage"] != false {
            page = ask(&page["endCursor"]).await;
        }
        assert_eq!(page["done"], 4 * edges.len() - 3, "three subjects have a row less, and each of the others is met once by everybody");
    });
}

#[test]
fn every_active_user_is_met_however_many_there_are() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "everybody", 60).await;
        let active = world.people.iter().filter(|person| person.status == "active").count();
        assert!(active > limits::COMPARE_SUBJECTS, "{active} are fewer than are found at once");
        let token = host.token(&world, &Asker::person(0)).await;
        let object = world.people.iter().position(|person| person.status == "active" && person.id != world.people[0].id).unwrap();
        let input = json!({ "candidate": closing(), "objectIds": [world.people[object].id], "actions": ["user.read"], "examples": 50 });
        let found = Found::walk(host, &token, &input).await;
        assert_eq!((found.done, found.total, found.lines["user.read"].compared), (active as i64, active as i64, active as i64));
    });
}

/// The code of the only error of an answer.
fn code(answer: &Json) -> &str {
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{answer}");
    answer["errors"][0]["extensions"]["code"].as_str().unwrap()
}

#[test]
fn whoever_may_not_explain_is_refused_by_the_gate_itself() {
    on_each_database(async |host: &TestHost| {
        let world = world(host, "gate", 2).await;
        let asker = Asker { person: Some(0), scopes: Some(vec!["policy.read".to_owned()]) };
        let ask = Compare {
            candidate: Candidate { module: CandidateModule::Active, settings: None, standard_settings: None },
            pairs: ComparePairs::Sample { size: 1, seed: 0 },
            actions: None,
            examples: 0,
            piece: 1,
        };
        let refused = host.directory(&world, &asker).await.compare_policies(&ask, None).await;
        assert!(matches!(refused, Err(Error::Forbidden { action, .. }) if action == "policy.explain"));
    });
}

#[test]
fn what_was_recorded_is_compared_pair_by_pair() {
    on_stage(async |stage| {
        crate::shadow::set(stage, "{\"members_see\": \"workspace\"}").await;
        for (who, whom) in [("ada", "ned"), ("mia", "ned"), ("mia", "eve"), ("ada", "sam")] {
            // Refused or not, it is in the log.
            stage.ask(who, "updateUser", json!({ "userId": stage.user(whom), "title": who }), "").await;
        }
        stage.done("ada", "suspendUser", json!({ "userId": stage.user("sam") }), "").await;
        let candidate = json!({ "standardSettings": "{\"members_see\": \"self\"}" });
        let input = json!({ "candidate": candidate, "recorded": 1000, "actions": ["user.read"], "pairs": 1 });
        let (mut after, mut sums, mut lost) = (Json::Null, (0, 0), Vec::new());
        loop {
            let variables = json!({ "input": input, "after": after });
            let answer = stage.host.graphql(stage.token("ada"), COMPARE, variables).await;
            let piece = &answer["data"]["compared"];
            for action in piece["actions"].as_array().unwrap() {
                sums = (sums.0 + action["compared"].as_i64().unwrap(), sums.1 + action["lost"].as_i64().unwrap());
                lost.extend(action["examples"].as_array().unwrap().iter().map(|example| example["object"]["id"].clone()));
            }
            assert_eq!(piece["total"], 4, "{answer}");
            if piece["hasNextPage"] == false {
                assert_eq!(piece["done"], 4);
                break;
            }
            after = piece["endCursor"].clone();
            // What is recorded meanwhile is of the next comparison.
            stage.ask("ada", "updateUser", json!({ "userId": stage.user("ula"), "title": "meanwhile" }), "").await;
        }
        // Mia manages ned's group, and sees eve as everybody sees everybody.
        assert_eq!((sums, &lost), ((4, 1), &vec![json!(stage.user("eve"))]));
        let wrong = json!({ "candidate": candidate, "recorded": 10, "sample": 5 });
        let answer = stage.host.graphql(stage.token("ada"), COMPARE, json!({ "input": wrong, "after": null })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    });
}
