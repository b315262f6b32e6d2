//! Real organisations, and a generated one: everybody in every mode of `standard`, against the naive reading of the file.
//!
//! On Postgres, everybody of the real ones is looked at in one mode, in turn: what is SQL there, the oracle and the pairs compare.
//!
//! The file is `../shared/data/kubernetes-org.json` beside the repository; where it is not, the test says so and looks at the
//! generated organisation alone.

use std::{collections::BTreeMap, fs, path::Path};

use bailiwick::organisations;
use serde_json::Value as Json;
use tests::{
    Backend, TestHost,
    answers::difference,
    dice::Dice,
    document::{Arguments, Field, Window, document, leaves},
    generate,
    model::{Grant, Group, Membership, Person, World},
    naive::{
        Kind,
        policy::{Asker, Policy},
        server,
        sight::Sight,
        standard::{Mode, Standard},
        text::fold,
    },
    on_each_database,
};

/// People whose lists are read at once.
const LANES: usize = 4;
/// People up to which Postgres is asked in every mode, too.
const SHARED: usize = 200;
/// Visible rows of a kind that are all compared; of more, their count and three pages.
const COMPARED: usize = 200;

#[test]
fn everybody_of_every_real_organisation_sees_what_the_file_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/kubernetes-org.json");
    let Ok(text) = fs::read_to_string(&path) else {
        tests::skipped("real organisations (there is no `../shared/data/kubernetes-org.json`; it comes beside the repository)");
        return;
    };
    let read: Json = serde_json::from_str(&text).unwrap();
    let file = organisations::parse(&text).unwrap();
    on_each_database(async |host: &TestHost| {
        for (index, organisation) in read["organisations"].as_array().unwrap().iter().enumerate() {
            let mut world = world(organisation);
            let plan = organisations::plan(&file, index).unwrap();
            let summary = organisations::import(host.store(), &host.operator, plan, "", &|_| {}).await.unwrap();
            world.id = summary.workspace.unwrap().to_string();
            host.learn(&mut world).await;
            compare_everybody(host, &world).await;
        }
    });
}

#[test]
fn everybody_of_a_deep_organisation_sees_what_its_tree_says() {
    on_each_database(async |host: &TestHost| {
        let mut dice = Dice::seeded(8);
        let mut world = deepest(&mut dice);
        host.import_world(&mut world, "").await;
        compare_everybody(host, &world).await;
    });
}

/// The organisation as the file has it: owners administrate, members are members, maintainers manage, letter case means nothing.
fn world(organisation: &Json) -> World {
    let texts = |json: &Json| {
        json.as_array()
            .map(|items| items.iter().map(|item| item.as_str().unwrap().trim().to_owned()).collect::<Vec<_>>())
            .unwrap_or_default()
    };
    let mut world = World::empty(organisation["key"].as_str().unwrap().to_owned());
    let mut people: BTreeMap<String, usize> = BTreeMap::new();
    let mut person = |world: &mut World, handle: String| {
        *people.entry(fold(&handle)).or_insert_with(|| {
            world.people.push(Person { texts: BTreeMap::from([("userName", handle)]), status: "active", ..Person::default() });
            world.people.len() - 1
        })
    };
    for (list, role) in [("owners", 0), ("members", 1)] {
        for handle in texts(&organisation[list]) {
            let person = person(&mut world, handle);
            world.grants.push(Grant { person, role, ..Grant::default() });
        }
    }
    let teams = organisation["teams"].as_array().unwrap();
    let position = |key: &Json| teams.iter().position(|team| fold(team["key"].as_str().unwrap()) == fold(key.as_str().unwrap())).unwrap();
    for (group, team) in teams.iter().enumerate() {
        let key = team["key"].as_str().unwrap().trim().to_owned();
        let description = team["description"].as_str().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let parent = Some(&team["parent"]).filter(|parent| parent.is_string()).map(position);
        world.groups.push(Group { name: key.clone(), key, description, parent, ..Group::default() });
        for (list, manager) in [("maintainers", true), ("members", false)] {
            for handle in texts(&team[list]) {
                let person = person(&mut world, handle);
                if !world.memberships.iter().any(|edge| edge.person == person && edge.group == group) {
                    world.memberships.push(Membership { person, group, manager, ..Membership::default() });
                }
            }
        }
    }
    world.index();
    world
}

/// A generated organisation whose tree is eight deep, with somebody who manages, somebody in two branches and a limited grant.
fn deepest(dice: &mut Dice) -> World {
    loop {
        let world = generate::world(dice, "deep".to_owned(), 12);
        let depth = (0..world.groups.len()).map(|group| world.above(group).count() + 1).max();
        let branches = (0..world.people.len()).any(|person| {
            let groups: Vec<usize> = world.groups_of(person).collect();
            groups.iter().any(|one| groups.iter().any(|other| !world.is_under(*one, *other) && !world.is_under(*other, *one)))
        });
        let limited = world.grants.iter().any(|grant| grant.within.is_some() && !world.roles[grant.role].permissions.is_empty());
        if world.people.len() >= 60
            && depth == Some(8)
            && branches
            && limited
            && world.memberships.iter().any(|membership| membership.manager)
        {
            return world;
        }
    }
}

async fn compare_everybody(host: &TestHost, world: &World) {
    let active: Vec<usize> = (0..world.people.len()).filter(|person| world.people[*person].status == "active").collect();
    let mut tokens = Vec::new();
    for person in &active {
        tokens.push((*person, host.token(world, &Asker::person(*person)).await));
    }
    let modes = Mode::ALL.len();
    // How many people share the modes among them: on SQLite each is looked at in all.
    let turns = if host.backend == Backend::Postgres && active.len() > SHARED { modes } else { 1 };
    let mut compared = 0;
    for (turn, mode) in Mode::ALL.into_iter().enumerate() {
        let policy = Policy::Standard(Standard::new(mode));
        host.activate(world, &policy).await;
        let mine: Vec<_> = tokens.iter().filter(|(person, _)| person % turns == turn % turns).collect();
        let lane = async |lane: usize| {
            for (person, token) in mine.iter().skip(lane).step_by(LANES) {
                compare(host, world, &policy, *person, token).await;
            }
        };
        tokio::join!(lane(0), lane(1), lane(2), lane(3));
        compared += mine.len();
    }
    assert_eq!(compared, active.len() * modes / turns);
    println!("{:?}: {} people of {}, {compared} times in {modes} modes", host.backend, active.len(), world.key);
}

/// Everything that one person sees, in one request.
async fn compare(host: &TestHost, world: &World, policy: &Policy, person: usize, token: &str) {
    let asker = Asker::person(person);
    let sight = Sight::new(world, &asker, policy);
    let mut dice = Dice::seeded(person as u64);
    let mut queries = vec![overview(&sight, &mut dice)];
    for kind in [Kind::User, Kind::Group] {
        let rows = sight.all(kind);
        if (100..=COMPARED).contains(&rows.len()) {
            // The overview has the first hundred; these are the rest.
            queries.push(vec![Field::with(list(kind), window(Window::Last(100)), vec![Field::of("nodes", leaves(&["id"]))])]);
        }
    }
    let documents: Vec<String> = queries.iter().map(|fields| document(fields)).collect();
    let answers = host.graphql_all(token, &documents).await;
    for ((fields, document), answer) in queries.iter().zip(&documents).zip(answers) {
        if let Err(difference) = difference(document, &server::answer(&sight, fields), answer) {
            let who = &world.people[person].texts["userName"];
            panic!("{who} of {} under {}:\n{difference}", world.key, policy.standard().settings());
        }
    }
}

/// Lists and counts, single objects seen and unseen, the tree, and one of the person's own groups from within.
fn overview(sight: &Sight<'_>, dice: &mut Dice) -> Vec<Field> {
    let world = sight.world;
    let mut fields = Vec::new();
    for kind in Kind::ALL {
        let seen = sight.all(kind).len();
        // Few rows are compared one by one; of many, the first and the last.
        let rows = if seen <= COMPARED { 100 } else { 20 };
        let page = vec![Field::of("nodes", leaves(&["id"])), Field::of("pageInfo", leaves(&["hasNextPage"])), Field::leaf("totalCount")];
        fields.push(Field::with(list(kind), window(Window::First(rows)), page));
        if seen > COMPARED {
            let last = vec![Field::of("nodes", leaves(&["id"]))];
            fields.push(Field::with(list(kind), window(Window::Last(20)), last).alias(format!("last_{}", list(kind))));
        }
    }
    let own: Vec<usize> = sight.subject.asker.person.into_iter().flat_map(|person| world.groups_of(person)).collect();
    let mut ids: Vec<String> = (0..20).map(|_| dice.pick(&world.people).id.clone()).collect();
    ids.extend((0..8).map(|_| dice.pick(&world.groups).id.clone()));
    ids.extend((0..8).map(|_| dice.pick(&world.memberships).id.clone()));
    ids.extend((0..4).map(|_| dice.pick(&world.grants).id.clone()));
    let mut node = leaves(&["__typename", "id"]);
    node.push(Field::of("... on User", leaves(&["userName", "withheldFields"])));
    node.push(Field::of("... on Group", leaves(&["key", "description"])));
    node.push(Field::of("... on Membership", leaves(&["manager"])));
    fields.push(Field::with("nodes", Arguments { ids: Some(ids), ..Arguments::default() }, node));
    if sight.all(Kind::Group).len() <= COMPARED || dice.one_in(50) {
        let nodes = vec![Field::of("group", leaves(&["id"])), Field::of("parent", leaves(&["id"])), Field::leaf("depth")];
        fields.push(Field::of("groupTree", vec![Field::of("nodes", nodes), Field::leaf("truncated")]));
    }
    if !own.is_empty() {
        let id = world.groups[*dice.pick(&own)].id.clone();
        let effective = Arguments { effective: true, ..window(Window::First(50)) };
        let members = vec![Field::of("nodes", leaves(&["id"])), Field::leaf("totalCount")];
        let group = vec![
            Field::of("parent", leaves(&["id"])),
            Field::of("ancestors", leaves(&["id"])),
            Field::leaf("depth"),
            Field::with("children", window(Window::First(50)), vec![Field::of("nodes", leaves(&["id"])), Field::leaf("totalCount")]),
            Field::of("descendants", leaves(&["totalCount"])),
            Field::with("members", effective, members),
            Field::of("memberships", leaves(&["totalCount"])),
        ];
        fields.push(Field::with("group", Arguments { by: Some(("id", id)), ..Arguments::default() }, group));
    }
    fields
}

fn window(window: Window) -> Arguments {
    Arguments { window: Some(window), ..Arguments::default() }
}

const fn list(kind: Kind) -> &'static str {
    generate::queries::list_of(kind)
}
