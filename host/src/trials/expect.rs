//! What a file expects: matrices of subjects, actions and resources, and what lists show.
//!
//! Whatever of a matrix is not named as allowed is expected to be denied.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::Hash,
};

use directory::{
    access::Object,
    model::Status,
    register::{self, Kind},
};

use super::{
    document::{Entry, Item, Value},
    limits::EXPECTATIONS,
    reader::{Fields, Reader, quoted},
    world::{Resource, World},
};

/// What a matrix may say.
const MATRIX: [&str; 5] = ["subjects", "actions", "resources", "allow", "deny"];
/// What an entry of `allow` may say.
const ALLOW: [&str; 6] = ["subjects", "actions", "resources", "hides", "shows", "reason"];
/// What an entry of `deny` may say.
const DENY: [&str; 4] = ["subjects", "actions", "resources", "reason"];
/// Everything, wherever there is a choice.
const ALL: &str = "*";

/// Everything that a file expects.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    pub(super) cells: Vec<Cell>,
    pub(super) lists: Vec<Listing>,
}

impl Expectations {
    pub(super) const fn len(&self) -> usize {
        self.cells.len() + self.lists.len()
    }
}

/// A cell of a matrix.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) line: usize,
    /// The position of a person.
    pub(super) subject: usize,
    pub(super) action: Action,
    pub(super) resource: Resource,
    pub(super) expected: Expected,
}

/// An action of the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Action {
    pub(super) kind: Kind,
    pub(super) verb: &'static str,
}

impl Action {
    /// `kind.verb`.
    pub(super) fn name(self) -> String {
        format!("{}.{}", self.kind.name(), self.verb)
    }

    /// Whether rows of its kind are read by it.
    pub(super) fn reads(self) -> bool {
        self.verb == "read"
    }
}

/// What is expected of a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) allowed: bool,
    /// Exactly these fields are withheld; `None` where nobody says.
    pub(super) hidden: Option<BTreeSet<String>>,
    pub(super) reason: Option<String>,
}

/// What a list is expected to show: exactly these.
#[derive(Debug)]
pub(super) struct Listing {
    pub(super) line: usize,
    pub(super) subject: usize,
    pub(super) kind: Kind,
    pub(super) shows: BTreeSet<Resource>,
}

/// Reads the parts of a document that say what is expected.
pub(super) fn read(world: &World, reader: &mut Reader, fields: &mut Fields) -> Expectations {
    let mut expectations = Expectations::default();
    if let Some(Entry { at, value, .. }) = fields.take("expect") {
        for item in reader.list(at, "`expect`", value) {
            if reader.is_full() || expectations.len() > EXPECTATIONS {
                break;
            }
            matrix(world, reader, item, &mut expectations);
        }
    }
    if let Some(Entry { at, value, .. }) = fields.take("lists") {
        lists(world, reader, at, value, &mut expectations);
    }
    if expectations.len() > EXPECTATIONS {
        let problem = format!("the file has more than {EXPECTATIONS} expectations; make its matrices smaller, or split the file");
        reader.wrong(0, problem);
    }
    expectations
}

/// A matrix, or the part of one that an entry names.
struct Axes {
    subjects: Vec<usize>,
    actions: Vec<Action>,
    resources: Vec<Resource>,
}

/// The cells of a matrix that its entries name, each with its line and what is said of it.
type Named = HashMap<(usize, Action, Resource), (usize, Expected)>;

fn matrix(world: &World, reader: &mut Reader, Item { at, value }: Item, expectations: &mut Expectations) {
    let Some(mut fields) = reader.table(at, "a matrix of `expect`", value) else { return };
    let mut axis = |reader: &mut Reader, name: &str| match fields.take(name) {
        Some(Entry { at, value, .. }) => reader.texts(at, &format!("`{name}`"), value),
        None => {
            reader.wrong(at, format!("`{name}` is missing; a matrix has subjects, actions and resources"));
            Vec::new()
        }
    };
    let [by_subject, by_action, by_resource] = ["subjects", "actions", "resources"].map(|name| axis(reader, name));
    let axes = Axes {
        subjects: subjects(world, reader, by_subject),
        actions: actions(reader, by_action),
        resources: resources(world, reader, by_resource),
    };
    if axes.count() > EXPECTATIONS {
        reader.wrong(at, format!("the matrix has {} cells, and a file may have {EXPECTATIONS}; make it smaller", axes.count()));
        return;
    }
    axes.require_use(reader, at);
    let mut named = Named::new();
    for (name, allowed) in [("allow", true), ("deny", false)] {
        let Some(Entry { at, value, .. }) = fields.take(name) else { continue };
        for item in reader.list(at, &format!("`{name}`"), value) {
            if reader.is_full() {
                return;
            }
            part(world, reader, &axes, item, allowed, &mut named);
        }
    }
    fields.finish(reader, "a matrix", &MATRIX);
    let line = reader.line(at);
    for (subject, action, resource) in axes.cells() {
        let (line, expected) = named.remove(&(subject, action, resource)).unwrap_or_else(|| (line, Expected::default()));
        expectations.cells.push(Cell { line, subject, action, resource, expected });
    }
}

impl Axes {
    /// The cells: every subject with every action and every resource that the action can be asked of.
    fn cells(&self) -> impl Iterator<Item = (usize, Action, Resource)> {
        self.subjects.iter().flat_map(move |subject| {
            self.actions.iter().flat_map(move |action| {
                let asked = self.resources.iter().filter(|resource| Object::answers(resource.kind(), action.kind));
                asked.map(move |resource| (*subject, *action, *resource))
            })
        })
    }

    /// How many cells there are, without making them.
    fn count(&self) -> usize {
        let rows = Object::KINDS.map(|kind| (kind, self.resources.iter().filter(|resource| resource.kind() == kind).count()));
        let asked = |action: &Action| {
            let rows = rows.iter().filter(|(of, _)| Object::answers(*of, action.kind));
            rows.map(|(_, count)| count).sum::<usize>()
        };
        let pairs = self.actions.iter().map(asked).fold(0, usize::saturating_add);
        self.subjects.len().saturating_mul(pairs)
    }

    /// Refuses an action that is asked of nothing, and a resource of which nothing is asked: somebody thinks that it is tested.
    fn require_use(&self, reader: &mut Reader, at: usize) {
        let resources: BTreeSet<Kind> = self.resources.iter().map(|resource| resource.kind()).collect();
        let actions: BTreeSet<Kind> = self.actions.iter().map(|action| action.kind).collect();
        if resources.is_empty() || actions.is_empty() {
            return;
        }
        for kind in actions.iter().filter(|action| !resources.iter().any(|of| Object::answers(*of, **action))) {
            let kind = kind.name();
            let problem = format!("actions `{kind}.*` can be asked of none of these resources; add what they are about, or leave them out");
            reader.wrong(at, problem);
        }
        for kind in resources.iter().filter(|of| !actions.iter().any(|action| Object::answers(**of, *action))) {
            let kind = kind.name();
            reader.wrong(at, format!("none of these actions can be asked of a {kind}; add one that can, or leave `{kind}:...` out"));
        }
    }
}

/// The cells that an entry of `allow` or `deny` names, with what it says of them.
fn part(world: &World, reader: &mut Reader, axes: &Axes, Item { at, value }: Item, allowed: bool, named: &mut Named) {
    let list = if allowed { "allow" } else { "deny" };
    let (chosen, expected) = match value {
        Value::Text(text) => (words(world, reader, axes, at, &text), Some(Expected { allowed, ..Expected::default() })),
        Value::Table(entries) => {
            let mut fields = Fields::new(entries);
            let chosen = choose(world, reader, axes, &mut fields);
            let expected = says(reader, &mut fields, chosen.as_ref(), allowed);
            fields.finish(reader, &format!("an entry of `{list}`"), if allowed { &ALLOW } else { &DENY });
            (chosen, expected)
        }
        other => {
            reader.wrong(at, format!("an entry of `{list}` is {}; write `SUBJECT RESOURCE`, or a table", other.name()));
            return;
        }
    };
    let (Some(chosen), Some(expected)) = (chosen, expected) else { return };
    let line = reader.line(at);
    let before = named.len();
    for (subject, action, resource) in chosen.cells() {
        if let Some((earlier, _)) = named.insert((subject, action, resource), (line, expected.clone())) {
            let who = world.people.get(subject).map_or("", |person| person.name.as_str());
            let what = format!("{who} {} {}", action.name(), world.full_name(resource));
            reader.wrong(at, format!("{what} is named in line {earlier}, too; name a cell once"));
            return;
        }
    }
    if named.len() == before {
        reader
            .wrong(at, format!("this entry of `{list}` names no cell: its actions can not be asked of its resources; correct one of both"));
    }
}

/// `SUBJECT RESOURCE`, of every action, or `SUBJECT ACTION RESOURCE`.
fn words(world: &World, reader: &mut Reader, axes: &Axes, at: usize, text: &str) -> Option<Axes> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (subject, action, resource) = match words.as_slice() {
        [subject, resource] => (*subject, ALL, *resource),
        [subject, action, resource] => (*subject, *action, *resource),
        _ => {
            let problem = format!("{} is neither `SUBJECT RESOURCE` nor `SUBJECT ACTION RESOURCE`; write one, or a table", quoted(text));
            reader.wrong(at, problem);
            return None;
        }
    };
    chosen(world, reader, axes, [subject, action, resource].map(|word| Some(vec![(at, word.to_owned())])))
}

/// What the keys of a table choose; without one, all of the matrix.
fn choose(world: &World, reader: &mut Reader, axes: &Axes, fields: &mut Fields) -> Option<Axes> {
    let mut given = |name: &str| {
        let Entry { at, value, .. } = fields.take(name)?;
        Some(reader.texts(at, &format!("`{name}`"), value))
    };
    let given = ["subjects", "actions", "resources"].map(&mut given);
    chosen(world, reader, axes, given)
}

/// The part of a matrix that is named; `None` if a name is wrong.
fn chosen(world: &World, reader: &mut Reader, axes: &Axes, given: [Option<Vec<(usize, String)>>; 3]) -> Option<Axes> {
    let [by_subject, by_action, by_resource] = given;
    let subjects = narrow(reader, &axes.subjects, "subjects", by_subject, |reader, given| subjects(world, reader, vec![given]));
    let actions = narrow(reader, &axes.actions, "actions", by_action, |reader, given| actions(reader, vec![given]));
    let resources = narrow(reader, &axes.resources, "resources", by_resource, |reader, (at, name)| {
        // Of a kind as a whole the matrix has some, however many there are in the world.
        let kind = name.strip_suffix(":*").and_then(Kind::named).filter(|kind| Object::KINDS.contains(kind));
        match kind {
            Some(kind) => axes.resources.iter().copied().filter(|resource| resource.kind() == kind).collect(),
            None => resources(world, reader, vec![(at, name)]),
        }
    });
    Some(Axes { subjects: subjects?, actions: actions?, resources: resources? })
}

/// The part of an axis that is named. Each name must name some of it.
fn narrow<T: Copy + Eq + Hash>(
    reader: &mut Reader,
    all: &[T],
    axis: &str,
    given: Option<Vec<(usize, String)>>,
    read: impl Fn(&mut Reader, (usize, String)) -> Vec<T>,
) -> Option<Vec<T>> {
    let Some(given) = given.filter(|given| given.iter().all(|(_, name)| name != ALL)) else { return Some(all.to_vec()) };
    let mut found: Vec<T> = Vec::new();
    for (at, name) in given {
        let told = reader.told();
        let named = read(reader, (at, name.clone()));
        let before = found.len();
        found.extend(named.into_iter().filter(|one| all.contains(one)));
        if found.len() == before && reader.told() == told {
            reader.wrong(at, format!("{} is not among the `{axis}` of this matrix; add it there, or leave it out here", quoted(&name)));
        }
    }
    let found = once(found);
    (!found.is_empty()).then_some(found)
}

/// What an entry says of its cells beside that they are allowed or denied.
fn says(reader: &mut Reader, fields: &mut Fields, chosen: Option<&Axes>, allowed: bool) -> Option<Expected> {
    let reason = fields.take("reason").map(|entry| reader.text(entry.at, "`reason`", entry.value));
    let mut expected = Expected { allowed, hidden: None, reason: reason.flatten() };
    if !allowed {
        return Some(expected);
    }
    let hides = fields.take("hides").map(|entry| (entry, false));
    let shows = fields.take("shows").map(|entry| (entry, true));
    let (Entry { key, at, value }, complement) = match (hides, shows) {
        (None, None) => return Some(expected),
        (Some((Entry { at, .. }, _)), Some(_)) => {
            reader.wrong(at, "`hides` and `shows` say the same in two ways; keep one of both");
            return None;
        }
        (Some(one), None) | (None, Some(one)) => one,
    };
    let Some(kind) = read_kind(chosen?) else {
        let problem =
            format!("`{key}` is about what a row that is read shows; name one action `KIND.read`, and resources of that kind only");
        reader.wrong(at, problem);
        return None;
    };
    let mut fields = BTreeSet::new();
    for (at, name) in reader.texts(at, &format!("`{key}`"), value) {
        let known = register::knows_field(&name, Some(kind)) && !name.starts_with(&format!("{}.", kind.name()));
        if known && (!complement || kind.fields().contains(&name.as_str())) {
            fields.insert(name);
        } else {
            reader.unknown(at, &name, &format!("no field of a {}", kind.name()), kind.fields().iter().copied());
        }
    }
    if complement {
        fields = kind.fields().iter().map(|field| (*field).to_owned()).filter(|field| !fields.contains(field)).collect();
    }
    expected.hidden = Some(fields);
    Some(expected)
}

/// The kind that all cells read rows of; `None` if there is another action, or another kind.
fn read_kind(axes: &Axes) -> Option<Kind> {
    let [action] = axes.actions.as_slice() else { return None };
    let of_kind = axes.resources.iter().all(|resource| resource.kind() == action.kind);
    (action.reads() && of_kind).then_some(action.kind)
}

/// People who can ask: who is not active is nobody's subject.
fn subjects(world: &World, reader: &mut Reader, given: Vec<(usize, String)>) -> Vec<usize> {
    let active = |position: usize| world.people.get(position).is_some_and(|person| person.status == Status::Active);
    let mut found = Vec::new();
    for (at, name) in given {
        if name == ALL {
            found.extend((0..world.people.len()).filter(|position| active(*position)));
            continue;
        }
        match world.person(&name) {
            Some(position) if active(position) => found.push(position),
            Some(_) => reader.wrong(at, format!("{} is not active and asks nothing; name somebody else", quoted(&name))),
            None => reader.unknown(at, &name, "no person of the file", world.people.iter().map(|person| person.name.as_str())),
        }
    }
    once(found)
}

/// Actions of the register, by name or pattern (`user.*`, `*`).
pub(super) fn actions(reader: &mut Reader, given: Vec<(usize, String)>) -> Vec<Action> {
    let all = || Kind::ALL.into_iter().flat_map(|kind| kind.verbs().iter().map(move |verb| Action { kind, verb }));
    let mut found = Vec::new();
    for (at, pattern) in given {
        let before = found.len();
        found.extend(all().filter(|action| register::covers(&pattern, &action.name())));
        if found.len() == before {
            let known: Vec<String> = register::actions().collect();
            reader.unknown(at, &pattern, "no action of the register", known.iter().map(String::as_str));
        }
    }
    once(found)
}

/// Things of the world: `user:ada`, `group:*`, `workspace`, `*`.
fn resources(world: &World, reader: &mut Reader, given: Vec<(usize, String)>) -> Vec<Resource> {
    let mut found = Vec::new();
    for (at, text) in given {
        match text.split_once(':') {
            None if text == ALL => found.extend(Object::KINDS.into_iter().flat_map(|kind| world.all(kind))),
            None if text == Kind::Workspace.name() => found.push(Resource::Workspace),
            Some((kind, name)) => match Kind::named(kind).filter(|kind| Object::KINDS.contains(kind)) {
                Some(kind) => named(world, reader, at, kind, name, &mut found),
                None => reader.unknown(at, kind, "no kind that can be asked about", Object::KINDS.iter().map(|kind| kind.name())),
            },
            None => {
                let problem = format!("{} is no resource; write `KIND:NAME` such as `user:ada`, `KIND:*`, or `workspace`", quoted(&text));
                reader.wrong(at, problem);
            }
        }
    }
    once(found)
}

/// What a name of a kind names; `*` is all of them.
fn named(world: &World, reader: &mut Reader, at: usize, kind: Kind, name: &str, found: &mut Vec<Resource>) {
    if name != ALL {
        match world.find(kind, name) {
            Ok(resource) => found.push(resource),
            Err(problem) => reader.wrong(at, problem),
        }
        return;
    }
    let all = world.all(kind);
    if all.is_empty() {
        reader.wrong(at, format!("the file has no {}; add one, or leave `{}:*` out", kind.name(), kind.name()));
    }
    found.extend(all);
}

fn once<T: Copy + Eq + Hash>(mut all: Vec<T>) -> Vec<T> {
    let mut met = HashSet::new();
    all.retain(|one| met.insert(*one));
    all
}

/// `[lists.SUBJECT]`, with what the list of each kind shows.
fn lists(world: &World, reader: &mut Reader, at: usize, value: Value, expectations: &mut Expectations) {
    let Some(table) = reader.table(at, "`lists`", value) else { return };
    for Entry { key: subject, at, value } in table.rest() {
        let found = subjects(world, reader, vec![(at, subject.clone())]);
        if found.is_empty() {
            // Said already, but where it is everybody.
            if subject == ALL {
                reader.wrong(at, "nobody in the file is active; add somebody, or leave this list out");
            }
            continue;
        }
        let Some(kinds) = reader.table(at, "what lists show", value) else { continue };
        for Entry { key, at, value } in kinds.rest() {
            if reader.is_full() || expectations.len() > EXPECTATIONS {
                return;
            }
            let listed = Kind::named(&key).filter(|kind| *kind != Kind::Workspace && Object::KINDS.contains(kind));
            let Some(kind) = listed else {
                let known = Object::KINDS.into_iter().filter(|kind| *kind != Kind::Workspace);
                reader.unknown(at, &key, "no kind that is listed", known.map(Kind::name));
                continue;
            };
            let mut shows = Vec::new();
            for (at, name) in reader.texts(at, &format!("the list of each {key}"), value) {
                named(world, reader, at, kind, &name, &mut shows);
            }
            let shows: BTreeSet<Resource> = shows.into_iter().collect();
            let line = reader.line(at);
            expectations.lists.extend(found.iter().map(|subject| Listing { line, subject: *subject, kind, shows: shows.clone() }));
        }
    }
}
