//! What a comparison must say, from what both policies say when they are active themselves, and what it does say.

use std::collections::{BTreeMap, BTreeSet};

use directory::{access::Object, register::Kind as Registered};
use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    model::World,
    naive::{
        Kind,
        policy::{Asker, Policy},
        sight::Sight,
    },
};

/// The whole of a comparison.
pub(super) const COMPARE: &str =
    "query ($input: ComparePoliciesInput!, $after: String) { compared: comparePolicies(input: $input, after: $after) {
    activeVersion done total hasNextPage endCursor
    actions { action compared gained lost fieldsChanged unseen fields { name hidden shown }
      examples { change subject { id } object { id } hiddenFields shownFields activeReason candidateReason } }
    failures { side action pairs reason } } }";

/// What a policy says while it is active, of every active person: what they see by the naive reading, and what they may do by the gate.
pub(super) struct Said {
    pub(super) people: Vec<Of>,
}

pub(super) struct Of {
    pub(super) person: usize,
    /// The fields that each row loses; `None` where it is hidden.
    pub(super) rows: [Vec<Option<BTreeSet<String>>>; 5],
    /// By action, whether it is allowed on each row.
    pub(super) may: BTreeMap<String, Vec<bool>>,
}

impl Said {
    pub(super) async fn read(host: &TestHost, world: &World, policy: &Policy) -> Self {
        let mut people = Vec::new();
        for person in (0..world.people.len()).filter(|person| world.people[*person].status == "active") {
            let asker = Asker::person(person);
            let sight = Sight::new(world, &asker, policy);
            let lost = |kind: Kind, row: usize| {
                sight.sees(kind, row).then(|| fields(world, kind).into_iter().filter(|field| sight.hides(kind, row, field)).collect())
            };
            let rows = Kind::ALL.map(|kind| (0..count(world, kind)).map(|row| lost(kind, row)).collect());
            let directory = host.directory(world, &asker).await;
            let mut may = BTreeMap::new();
            for kind in Kind::ALL {
                let actions = writes(kind);
                let decided = directory.can(&actions, &every(world, kind)).await.unwrap();
                for (at, action) in actions.iter().enumerate() {
                    may.insert(action.clone(), decided.iter().map(|row| row[at].allowed).collect());
                }
            }
            people.push(Of { person, rows, may });
        }
        Self { people }
    }
}

/// Every field that a policy may take from a row of a kind, custom attributes one by one.
pub(super) fn fields(world: &World, kind: Kind) -> Vec<String> {
    let own = kind.fields().iter().filter(|field| **field != "attributes.*").map(|field| (*field).to_owned());
    let custom = world.attributes.iter().filter(|_| kind.fields().contains(&"attributes.*")).map(|name| format!("attributes.{name}"));
    own.chain(custom).collect()
}

/// The actions of a kind on what is there, reads left out.
pub(super) fn writes(kind: Kind) -> Vec<String> {
    let verbs = Registered::named(kind.name()).unwrap().verbs().iter();
    verbs.filter(|verb| !["read", "create", "add", "restore"].contains(verb)).map(|verb| format!("{kind}.{verb}")).collect()
}

pub(super) const fn count(world: &World, kind: Kind) -> usize {
    match kind {
        Kind::User => world.people.len(),
        Kind::Group => world.groups.len(),
        Kind::Role => world.roles.len(),
        Kind::Membership => world.memberships.len(),
        Kind::Grant => world.grants.len(),
    }
}

pub(super) fn every(world: &World, kind: Kind) -> Object {
    macro_rules! ids {
        ($rows:ident) => {
            world.$rows.iter().map(|row| row.id.parse().unwrap()).collect()
        };
    }
    match kind {
        Kind::User => Object::Users(ids!(people)),
        Kind::Group => Object::Groups(ids!(groups)),
        Kind::Role => Object::Roles(ids!(roles)),
        Kind::Membership => Object::Memberships(ids!(memberships)),
        Kind::Grant => Object::Grants(ids!(grants)),
    }
}

/// What changes for one action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) compared: i64,
    pub(super) gained: i64,
    pub(super) lost: i64,
    pub(super) fields_changed: i64,
    pub(super) unseen: i64,
    /// By name: how often it becomes hidden, and shown.
    pub(super) fields: BTreeMap<String, (i64, i64)>,
}

/// A change by name: action, what becomes of it, for whom, of what, and fields that become hidden and shown.
pub(super) type Named = (String, String, String, String, Vec<String>, Vec<String>);

#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) lines: BTreeMap<String, Line>,
    pub(super) named: BTreeSet<Named>,
    pub(super) pairs: i64,
}

pub(super) fn expected(world: &World, asker: &Sight<'_>, before: &Said, after: &Said) -> Expected {
    let mut expected = Expected::default();
    for (before, after) in before.people.iter().zip(&after.people) {
        for kind in Kind::ALL {
            for row in 0..count(world, kind) {
                expected.pairs += 1;
                let sees = asker.sees(Kind::User, before.person) && asker.sees(kind, row);
                let (old, new) = (&before.rows[kind as usize][row], &after.rows[kind as usize][row]);
                let mut note = |action: String, open: (bool, bool), fields: [Vec<String>; 2]| {
                    let line = expected.lines.entry(action.clone()).or_default();
                    line.compared += 1;
                    let [hidden, shown] = fields;
                    let (change, sum) = match open {
                        (false, true) => ("GAINED", &mut line.gained),
                        (true, false) => ("LOST", &mut line.lost),
                        (true, true) if !hidden.is_empty() || !shown.is_empty() => ("FIELDS_CHANGED", &mut line.fields_changed),
                        _ => return,
                    };
                    *sum += 1;
                    hidden.iter().for_each(|field| line.fields.entry(field.clone()).or_default().0 += 1);
                    shown.iter().for_each(|field| line.fields.entry(field.clone()).or_default().1 += 1);
                    if sees {
                        let (subject, object) = (world.people[before.person].id.clone(), asker.id(kind, row).to_owned());
                        expected.named.insert((action, change.to_owned(), subject, object, sorted(hidden), sorted(shown)));
                    } else {
                        line.unseen += 1;
                    }
                };
                let fields = match (old, new) {
                    (Some(old), Some(new)) => [new.difference(old).cloned().collect(), old.difference(new).cloned().collect()],
                    _ => [Vec::new(), Vec::new()],
                };
                note(format!("{kind}.read"), (old.is_some(), new.is_some()), fields);
                for action in writes(kind) {
                    let open = (old.is_some() && before.may[&action][row], new.is_some() && after.may[&action][row]);
                    note(action, open, [Vec::new(), Vec::new()]);
                }
            }
        }
    }
    expected
}

pub(super) fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

/// What the server says of a comparison, its pieces added up.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) lines: BTreeMap<String, Line>,
    pub(super) named: BTreeSet<Named>,
    pub(super) failures: Vec<Json>,
    pub(super) pieces: usize,
    pub(super) done: i64,
    pub(super) total: i64,
}

impl Found {
    pub(super) async fn walk(host: &TestHost, token: &str, input: &Json) -> Self {
        let mut found = Self::default();
        let mut after = Json::Null;
        loop {
            let mut answer = host.graphql(token, COMPARE, json!({ "input": input, "after": after })).await;
            assert_eq!(answer.get("errors"), None, "{input}");
            let piece = answer["data"]["compared"].take();
            let done = piece["done"].as_i64().unwrap();
            assert!(done >= found.done, "progress goes one way");
            found.add(&piece);
            if piece["hasNextPage"] == false {
                assert_eq!(piece["endCursor"], Json::Null);
                return found;
            }
            after = piece["endCursor"].clone();
        }
    }

    pub(super) fn add(&mut self, piece: &Json) {
        let number = |of: &Json, name: &str| of[name].as_i64().unwrap();
        let texts = |of: &Json| of.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>();
        self.pieces += 1;
        (self.done, self.total) = (number(piece, "done"), number(piece, "total"));
        self.failures.extend(piece["failures"].as_array().unwrap().iter().cloned());
        for found in piece["actions"].as_array().unwrap() {
            let action = found["action"].as_str().unwrap().to_owned();
            let line = self.lines.entry(action.clone()).or_default();
            line.compared += number(found, "compared");
            line.gained += number(found, "gained");
            line.lost += number(found, "lost");
            line.fields_changed += number(found, "fieldsChanged");
            line.unseen += number(found, "unseen");
            for field in found["fields"].as_array().unwrap() {
                let sums = line.fields.entry(field["name"].as_str().unwrap().to_owned()).or_default();
                *sums = (sums.0 + number(field, "hidden"), sums.1 + number(field, "shown"));
            }
            for example in found["examples"].as_array().unwrap() {
                let text = |of: &Json| of.as_str().unwrap().to_owned();
                let named = (
                    action.clone(),
                    text(&example["change"]),
                    text(&example["subject"]["id"]),
                    text(&example["object"]["id"]),
                    sorted(texts(&example["hiddenFields"])),
                    sorted(texts(&example["shownFields"])),
                );
                assert!(self.named.insert(named), "an example stands twice: {example}");
            }
        }
    }
}
