//! Two administrators and a manager do whatever they like, one after the other and all at once: no invariant is ever broken.
//!
//! The reference is a few maps and the rules of the domain as the product's pages put them. A membership keeps its number wherever it
//! is lifted to and however long it waits in the recycle bin: by it the reference knows what is still as it was lifted.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bailiwick::{clock::Clock, ids::Ids};
use directory::{
    Refusal,
    access::{
        Actor, AddGrants, AddMembers, Command, CreateGroup, DeleteGroup, Done, Gate, GrantDraft, Member, MoveGroup, Origin, RemoveGrants,
        RemoveMembers, RemoveUsers, Request, RestoreGroup, RestoreUser, SetStatus, Subject,
    },
    change::DeleteMode,
    ids::{GrantId, GroupId, RoleId, UserId},
    model::Status,
};
use tests::{dice::Dice, host::NOW};

use super::stage::{Stage, on_stage};

/// Sequences on each database, and commands in each.
const SEQUENCES: usize = 10_000;
const COMMANDS: usize = 4;
/// Sequences between two looks at everything.
const LOOK: usize = 250;
/// Groups that there may be, those in the recycle bin included.
const GROUPS: usize = 24;
/// Each kind of deletion is done more often than this, and something that was lifted comes down again more often.
const OFTEN: usize = 5;

/// A person.
#[derive(Clone, Debug, Default)]
struct Person {
    suspended: bool,
    administers: bool,
    /// Whether it administered when it was removed.
    removed: Option<bool>,
}

/// That somebody is in a group.
#[derive(Clone, Copy, Debug)]
struct Edge {
    user: UserId,
    group: GroupId,
    manager: bool,
}

/// A membership in the recycle bin, and what must come back for it to come back.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    with: With,
    number: usize,
    edge: Edge,
    /// Whether it was lifted to the parent of its group.
    lifted: bool,
}

/// What was deleted: a user, or a group with all that went with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum With {
    User(UserId),
    Group(GroupId),
}

/// A deleted group.
#[derive(Clone, Debug, Default)]
struct Binned {
    /// It and what was deleted with it, with their parents.
    groups: BTreeMap<GroupId, Option<GroupId>>,
    /// What was right below it and went to its parent instead.
    lifted: BTreeSet<GroupId>,
}

/// The reference.
#[derive(Clone, Debug, Default)]
struct Model {
    people: BTreeMap<UserId, Person>,
    /// Parents of the groups that there are.
    groups: BTreeMap<GroupId, Option<GroupId>>,
    /// Memberships by number.
    edges: BTreeMap<usize, Edge>,
    /// The number of the next one.
    next: usize,
    bin: BTreeMap<GroupId, Binned>,
    waiting: Vec<Waiting>,
    /// Groups and memberships that were lifted and came down again.
    sunk: usize,
    /// Whether something did not come back with what was restored last.
    partly: bool,
}

impl Model {
    fn above(&self, group: GroupId) -> Vec<GroupId> {
        std::iter::successors(Some(group), |group| self.groups.get(group).copied().flatten()).collect()
    }

    fn below(&self, group: GroupId) -> BTreeSet<GroupId> {
        self.groups.keys().copied().filter(|other| self.above(*other).contains(&group)).collect()
    }

    fn active(&self, user: UserId) -> bool {
        self.people.get(&user).is_some_and(|person| !person.suspended && person.removed.is_none())
    }

    fn administers(&self, user: UserId) -> bool {
        self.active(user) && self.people[&user].administers
    }

    fn administrators(&self) -> usize {
        self.people.keys().filter(|user| self.administers(**user)).count()
    }

    fn edges_of(&self, user: UserId) -> impl Iterator<Item = &Edge> {
        self.edges.values().filter(move |edge| edge.user == user)
    }

    /// The number of a membership.
    fn edge(&self, user: UserId, group: GroupId) -> Option<usize> {
        self.edges.iter().find(|(_, edge)| edge.user == user && edge.group == group).map(|(number, _)| *number)
    }

    fn manages(&self, user: UserId, group: GroupId) -> bool {
        let above = self.above(group);
        self.edges_of(user).any(|edge| edge.manager && above.contains(&edge.group))
    }

    /// Whether somebody without roles sees somebody: themself, whoever they manage, and who is active in or below a group of theirs.
    fn sees(&self, user: UserId, other: UserId) -> bool {
        let mine: Vec<GroupId> = self.edges_of(user).map(|edge| edge.group).collect();
        let peers = |group: GroupId| self.active(other) && self.above(group).iter().any(|above| mine.contains(above));
        user == other || self.edges_of(other).any(|edge| self.manages(user, edge.group) || peers(edge.group))
    }

    fn members(&self, group: GroupId) -> BTreeSet<UserId> {
        let below = self.below(group);
        self.edges.values().filter(|edge| below.contains(&edge.group)).map(|edge| edge.user).collect()
    }

    /// Memberships end with a user or with groups, and wait.
    fn put_aside(&mut self, with: With, which: impl Fn(&Edge) -> bool) {
        let (gone, left): (BTreeMap<usize, Edge>, BTreeMap<usize, Edge>) =
            std::mem::take(&mut self.edges).into_iter().partition(|(_, edge)| which(edge));
        self.edges = left;
        self.waiting.extend(gone.into_iter().map(|(number, edge)| Waiting { with, number, edge, lifted: false }));
    }

    /// What waited comes back if both its ends are there, and otherwise waits for the one that is missing.
    fn bring_back(&mut self, with: With) {
        let (back, left): (Vec<Waiting>, Vec<Waiting>) = std::mem::take(&mut self.waiting).into_iter().partition(|one| one.with == with);
        self.waiting = left;
        for one in back {
            let Edge { user, group, .. } = one.edge;
            if self.people[&user].removed.is_some() {
                self.waiting.push(Waiting { with: With::User(user), ..one });
            } else if let Some((root, _)) = self.bin.iter().find(|(_, binned)| binned.groups.contains_key(&group)) {
                self.waiting.push(Waiting { with: With::Group(*root), ..one });
            } else if self.edge(user, group).is_none() {
                self.edges.insert(one.number, one.edge);
            }
        }
    }

    /// A group is deleted with everything below it.
    fn bury(&mut self, group: GroupId) {
        let gone: BTreeMap<GroupId, Option<GroupId>> = self.below(group).into_iter().map(|id| (id, self.groups[&id])).collect();
        self.groups.retain(|id, _| !gone.contains_key(id));
        self.put_aside(With::Group(group), |edge| gone.contains_key(&edge.group));
        self.bin.insert(group, Binned { groups: gone, lifted: BTreeSet::new() });
    }

    /// A group is deleted, and what is in it goes to its parent: groups, and members, unless they are in the parent already. Nobody
    /// manages by it. From the first level members go nowhere.
    fn lift(&mut self, group: GroupId) {
        let parent = self.groups.remove(&group).unwrap();
        let lifted: BTreeSet<GroupId> = self.groups.iter().filter(|(_, of)| **of == Some(group)).map(|(id, _)| *id).collect();
        for child in &lifted {
            self.groups.insert(*child, parent);
        }
        let members: Vec<(usize, Edge)> =
            self.edges.iter().filter(|(_, edge)| edge.group == group).map(|(number, edge)| (*number, *edge)).collect();
        for (number, edge) in members {
            self.edges.remove(&number);
            let to = parent.filter(|parent| self.edge(edge.user, *parent).is_none());
            self.waiting.push(Waiting { with: With::Group(group), number, edge, lifted: to.is_some() });
            self.edges.extend(to.map(|group| (number, Edge { group, manager: false, ..edge })));
        }
        self.bin.insert(group, Binned { groups: BTreeMap::from([(group, parent)]), lifted });
    }

    /// What was lifted from a group comes down to it again, as far as it still is as it was lifted, or was when it was deleted since.
    fn sink(&mut self, group: GroupId, parent: Option<GroupId>, lifted: &BTreeSet<GroupId>) {
        for child in lifted {
            let deleted = self.bin.get_mut(child).and_then(|binned| binned.groups.get_mut(child));
            if let Some(place) = self.groups.get_mut(child).or(deleted).filter(|place| **place == parent) {
                *place = Some(group);
                self.sunk += 1;
            } else {
                self.partly = true;
            }
        }
        let Some(parent) = parent else { return };
        let own = |one: &Waiting| one.lifted && one.with == With::Group(group);
        let (own, left): (Vec<Waiting>, Vec<Waiting>) = std::mem::take(&mut self.waiting).into_iter().partition(own);
        self.waiting = left;
        for one in own {
            // In the parent, or in the recycle bin on its way to it. Otherwise it has ended, or has become another's and stays that.
            let waiting = self.waiting.iter_mut().filter(|other| other.number == one.number).map(|other| &mut other.edge);
            let mut lives = self.edges.get_mut(&one.number).into_iter().chain(waiting);
            if let Some(edge) = lives.find(|edge| edge.group == parent && !edge.manager) {
                *edge = one.edge;
                self.sunk += 1;
            } else {
                self.partly = true;
            }
        }
    }

    /// Groups that there are, and those that may come back.
    fn every_group(&self) -> usize {
        self.groups.len() + self.bin.values().map(|binned| binned.groups.len()).sum::<usize>()
    }
}

/// A command and whom it is by.
struct Move<'a> {
    by: UserId,
    model: &'a mut Model,
    grants: &'a mut BTreeMap<UserId, GrantId>,
    administrator: RoleId,
}

impl Move<'_> {
    /// A command, and what the reference makes of it: `None` where it must be refused.
    fn make(&mut self, dice: &mut Dice, count: usize) -> (Command, Option<Model>) {
        let people: Vec<UserId> = self.model.people.keys().copied().collect();
        let groups: Vec<GroupId> = self.model.groups.keys().copied().collect();
        let user = *dice.pick(&people);
        let group = *dice.pick(&groups);
        let to = if dice.one_in(4) { None } else { Some(*dice.pick(&groups)) };
        let spare = self.model.below(group).len() < groups.len();
        match dice.below(16) {
            0 => self.set_status(user, Status::Suspended),
            1 => self.set_status(user, Status::Active),
            2 => self.remove(user),
            3 => self.restore(user),
            4 => self.grant(user),
            5 => self.revoke(user),
            6 => self.add(user, group, dice.one_in(3)),
            7 => self.leave(user, group),
            8 => self.move_group(group, to),
            9 if spare => self.delete(group, DeleteMode::Subtree),
            10 if spare => self.delete(group, DeleteMode::Lift),
            11 if spare => self.delete(group, DeleteMode::Empty),
            9..=14 if !self.model.bin.is_empty() => {
                let deleted: Vec<GroupId> = self.model.bin.keys().copied().collect();
                self.restore_group(*dice.pick(&deleted))
            }
            _ => self.create(to, count),
        }
    }

    /// The model as it would be, if an administrator may do it.
    fn if_administrator(&self, change: impl FnOnce(&mut Model) -> bool) -> Option<Model> {
        let mut after = self.model.clone();
        (self.model.administers(self.by) && change(&mut after) && after.administrators() > 0).then_some(after)
    }

    fn set_status(&self, user: UserId, status: Status) -> (Command, Option<Model>) {
        let own = user == self.by && status == Status::Suspended;
        let after = self.if_administrator(|after| {
            let person = after.people.get_mut(&user).unwrap();
            person.suspended = status == Status::Suspended;
            !own && person.removed.is_none()
        });
        (Command::SetStatus(SetStatus { users: vec![user], status, expected: None }), after)
    }

    fn remove(&self, user: UserId) -> (Command, Option<Model>) {
        let after = self.if_administrator(|after| {
            let person = after.people.get_mut(&user).unwrap();
            let there = person.removed.is_none();
            person.removed = Some(std::mem::take(&mut person.administers));
            after.put_aside(With::User(user), |edge| edge.user == user);
            there && user != self.by
        });
        (Command::RemoveUsers(RemoveUsers { users: vec![user], expected: None }), after)
    }

    fn restore(&self, user: UserId) -> (Command, Option<Model>) {
        let after = self.if_administrator(|after| {
            let person = after.people.get_mut(&user).unwrap();
            let Some(administered) = person.removed.take() else { return false };
            person.administers = administered;
            after.bring_back(With::User(user));
            true
        });
        (Command::RestoreUser(RestoreUser { user, texts: Vec::new() }), after)
    }

    fn grant(&self, user: UserId) -> (Command, Option<Model>) {
        let after = self.if_administrator(|after| {
            let person = after.people.get_mut(&user).unwrap();
            person.administers = true;
            person.removed.is_none()
        });
        let grants = vec![GrantDraft { user, role: self.administrator, within: None }];
        (Command::AddGrants(AddGrants { grants }), after)
    }

    fn revoke(&self, user: UserId) -> (Command, Option<Model>) {
        let known = self.grants.get(&user).copied();
        let after = self.if_administrator(|after| {
            let person = after.people.get_mut(&user).unwrap();
            let held = std::mem::take(&mut person.administers) && person.removed.is_none();
            held && user != self.by
        });
        let grant = known.unwrap_or(GrantId(uuid::Uuid::max()));
        (Command::RemoveGrants(RemoveGrants { grants: vec![grant] }), after)
    }

    fn add(&self, user: UserId, group: GroupId, manager: bool) -> (Command, Option<Model>) {
        let by_managing = self.model.active(self.by) && self.model.manages(self.by, group) && self.model.sees(self.by, user);
        let mut after = self.model.clone();
        let there = after.people[&user].removed.is_none();
        if after.edge(user, group).is_none() {
            after.edges.insert(after.next, Edge { user, group, manager });
            after.next += 1;
        }
        let command = Command::AddMembers(AddMembers { group, members: vec![Member { id: user, manager }] });
        (command, (there && (self.model.administers(self.by) || by_managing)).then_some(after))
    }

    fn leave(&self, user: UserId, group: GroupId) -> (Command, Option<Model>) {
        let by_managing = self.model.active(self.by) && self.model.manages(self.by, group);
        let mut after = self.model.clone();
        let there = after.edge(user, group).is_some_and(|number| after.edges.remove(&number).is_some());
        let command = Command::RemoveMembers(RemoveMembers { group, users: vec![user] });
        (command, (there && (self.model.administers(self.by) || by_managing)).then_some(after))
    }

    fn move_group(&self, group: GroupId, to: Option<GroupId>) -> (Command, Option<Model>) {
        let after = self.if_administrator(|after| {
            let cycle = to.is_some_and(|to| after.above(to).contains(&group));
            after.groups.insert(group, to);
            !cycle
        });
        (Command::MoveGroup(MoveGroup { group, expected: None, to }), after)
    }

    fn delete(&self, group: GroupId, mode: DeleteMode) -> (Command, Option<Model>) {
        let after = self.if_administrator(|after| match mode {
            DeleteMode::Empty if after.below(group).len() > 1 || after.edges.values().any(|edge| edge.group == group) => false,
            DeleteMode::Empty | DeleteMode::Subtree => {
                after.bury(group);
                true
            }
            DeleteMode::Lift => {
                after.lift(group);
                true
            }
        });
        (Command::DeleteGroup(DeleteGroup { group, expected: None, mode }), after)
    }

    fn restore_group(&self, group: GroupId) -> (Command, Option<Model>) {
        let after = self.if_administrator(|after| {
            let Binned { groups, lifted } = after.bin.remove(&group).unwrap();
            let parent = groups[&group];
            let there = parent.is_none_or(|parent| after.groups.contains_key(&parent));
            after.groups.extend(groups);
            after.partly = false;
            after.sink(group, parent, &lifted);
            after.bring_back(With::Group(group));
            there
        });
        (Command::RestoreGroup(RestoreGroup { group, name: None, key: None, parent: None }), after)
    }

    fn create(&self, parent: Option<GroupId>, count: usize) -> (Command, Option<Model>) {
        let room = self.model.every_group() < GROUPS;
        let after = self.if_administrator(|_| room);
        // Where there is no room for the reference, the name is none.
        let name = if room { format!("Group {count}") } else { String::new() };
        (Command::CreateGroup(CreateGroup { parent, name, ..CreateGroup::default() }), after)
    }
}

fn subject(stage: &Stage<'_>, user: UserId) -> Subject {
    let actor = Actor::User(user);
    Subject { workspace: stage.world.id.parse().unwrap(), actor, scopes: None, expires_at: None, origin: Origin::within("graphql") }
}

async fn write(gate: &Arc<Gate>, subject: &Subject, command: Command, ids: &mut Ids) -> Result<Done, Refusal> {
    gate.write(subject, &Request { command, key: None }, NOW, ids).await
}

/// The reference of a stage that nobody touched.
fn model(stage: &Stage<'_>) -> Model {
    let mut model = Model::default();
    for group in &stage.world.groups {
        let parent = group.parent.map(|parent| stage.world.groups[parent].id.parse().unwrap());
        model.groups.insert(group.id.parse().unwrap(), parent);
    }
    for (at, person) in stage.world.people.iter().enumerate() {
        let administers = stage.world.grants.iter().any(|grant| grant.person == at && grant.role == 0);
        model.people.insert(person.id.parse().unwrap(), Person { administers, ..Person::default() });
    }
    for edge in &stage.world.memberships {
        let user = stage.world.people[edge.person].id.parse().unwrap();
        let group = stage.world.groups[edge.group].id.parse().unwrap();
        model.edges.insert(model.next, Edge { user, group, manager: edge.manager });
        model.next += 1;
    }
    model
}

#[test]
fn any_sequence_of_commands_does_what_the_reference_does() {
    on_stage(async |stage| {
        let mut dice = Dice::seeded(33);
        let mut ids = Ids::seeded("invariants", NOW);
        let mut model = model(stage);
        let mut grants = BTreeMap::new();
        let administrator: RoleId = stage.role("administrator").parse().unwrap();
        let actors: Vec<UserId> = ["ada", "sue", "mia"].map(|name| stage.user(name).parse().unwrap()).to_vec();
        look(stage, &model, &mut grants).await;
        let (mut done, mut refused) = (0, 0);
        let mut deletions: HashMap<DeleteMode, usize> = HashMap::new();
        for sequence in 0..SEQUENCES {
            for step in 0..COMMANDS {
                let by = *dice.pick(&actors);
                let (command, expected) =
                    Move { by, model: &mut model, grants: &mut grants, administrator }.make(&mut dice, sequence * COMMANDS + step);
                let shown = format!("sequence {sequence}, step {step}: {command:?}");
                let restored = matches!(command, Command::RestoreGroup(_));
                let new_group = matches!(command, Command::CreateGroup(_));
                let granted = if let Command::AddGrants(grant) = &command { Some(grant.grants[0].user) } else { None };
                let deleted = if let Command::DeleteGroup(deletion) = &command { Some(deletion.mode) } else { None };
                match (write(stage.host.gate(), &subject(stage, by), command, &mut ids).await, expected) {
                    (Ok(written), Some(after)) => {
                        let parent = new_parent(&shown);
                        model = after;
                        assert_eq!(written.partly, restored && model.partly, "{shown}");
                        if new_group {
                            model.groups.insert(GroupId(written.ids[0]), parent);
                        }
                        if let Some(user) = granted {
                            grants.insert(user, GrantId(written.ids[0]));
                        }
                        if let Some(mode) = deleted {
                            *deletions.entry(mode).or_default() += 1;
                        }
                        done += 1;
                    }
                    (Err(_), None) => refused += 1,
                    (written, expected) => panic!("{shown}\nwritten {written:?}\nexpected {}", expected.is_some()),
                }
            }
            assert!(model.administrators() > 0);
            if sequence % LOOK == 0 {
                look(stage, &model, &mut grants).await;
            }
        }
        look(stage, &model, &mut grants).await;
        assert!(done > SEQUENCES / 2 && refused > SEQUENCES / 2, "{done} done, {refused} refused: the dice are loaded");
        let often = |mode: DeleteMode| deletions.get(&mode).is_some_and(|times| *times > OFTEN);
        let each = [DeleteMode::Empty, DeleteMode::Lift, DeleteMode::Subtree].into_iter().all(often);
        assert!(each && model.sunk > OFTEN, "{deletions:?}, {} came down again: the dice are loaded", model.sunk);
    });
}

/// The parent that a `CreateGroup` names, from how it is shown.
fn new_parent(shown: &str) -> Option<GroupId> {
    let (_, rest) = shown.split_once("CreateGroup(CreateGroup { parent: Some(GroupId(")?;
    rest.split(')').next()?.parse().ok().map(GroupId)
}

/// Compares everything with the reference, as an administrator reads it.
async fn look(stage: &Stage<'_>, model: &Model, grants: &mut BTreeMap<UserId, GrantId>) {
    let who = ["ada", "sue"].into_iter().find(|name| model.administers(stage.user(name).parse().unwrap()));
    let other = model.people.keys().copied().find(|user| model.administers(*user)).unwrap();
    let reader = who.map_or(other, |name| stage.user(name).parse().unwrap());
    let directory = stage.host.gate().open(subject(stage, reader), NOW).await.unwrap();
    let tree = directory.group_tree(None, None).await.unwrap();
    let found: BTreeMap<GroupId, Option<GroupId>> =
        tree.nodes.iter().map(|node| (node.group.id, node.parent.map(|parent| tree.nodes[parent].group.id))).collect();
    assert_eq!(found, model.groups);
    let groups: Vec<GroupId> = model.groups.keys().copied().collect();
    let window = directory::query::Window { rows: 100, ..Default::default() };
    let among = directory::store::AmongUsers::Under(groups.clone());
    let ask = directory::access::Ask { among, filter: None, order: directory::query::Order::default(), window };
    let counts = directory.count_users(ask.clone()).await.unwrap();
    for ((group, page), count) in groups.iter().zip(directory.list_users(ask).await.unwrap()).zip(counts) {
        let members: BTreeSet<UserId> = page.rows.iter().map(|(_, row)| row.id).collect();
        assert_eq!(members, model.members(*group), "in or below {group}");
        assert_eq!(count, directory::access::Count::Exact(members.len() as u64));
    }
    let edges: BTreeSet<(UserId, GroupId, bool)> = model.edges.values().map(|edge| (edge.user, edge.group, edge.manager)).collect();
    assert_eq!(stage.host.stored().memberships().await, edges);
    assert_eq!(stage.host.stored().untrue().await, (0, 0), "rows of closure and of effective memberships that are not as they follow");
    let workspace = directory.workspace().await.unwrap().unwrap();
    let there = model.people.values().filter(|person| person.removed.is_none()).count() as u64;
    assert_eq!(workspace.user_count.shown(), Some(&there));
    let window = directory::query::Window { rows: 1_000, ..Default::default() };
    let among = directory::store::AmongGrants::All;
    let ask = directory::access::Ask { among, filter: None, order: directory::query::Order::default(), window };
    let held = directory.list_grants(ask).await.unwrap().remove(0).rows;
    let administrator: RoleId = stage.role("administrator").parse().unwrap();
    // Grants that wait in the recycle bin keep their ids.
    let found: BTreeMap<UserId, GrantId> =
        held.iter().filter(|(_, grant)| grant.role == administrator).map(|(_, grant)| (grant.user, grant.id)).collect();
    let wanted: BTreeSet<UserId> = model.people.iter().filter(|(_, person)| person.administers).map(|(user, _)| *user).collect();
    assert_eq!(found.keys().copied().collect::<BTreeSet<_>>(), wanted);
    grants.extend(found);
}

#[test]
fn whatever_happens_at_once_an_administrator_is_left() {
    on_stage(async |stage| {
        let gate = stage.host.gate().clone();
        let administrator: RoleId = stage.role("administrator").parse().unwrap();
        let people: Vec<UserId> = stage.world.people.iter().map(|person| person.id.parse().unwrap()).collect();
        let all = people.iter().map(|user| GrantDraft { user: *user, role: administrator, within: None }).collect();
        let mut ids = Ids::seeded("at once", NOW);
        write(&gate, &subject(stage, people[0]), Command::AddGrants(AddGrants { grants: all }), &mut ids).await.unwrap();
        let mut racers = tokio::task::JoinSet::new();
        for (at, user) in people.iter().copied().enumerate() {
            let (gate, people, by) = (gate.clone(), people.clone(), subject(stage, user));
            racers.spawn(async move {
                let (mut dice, mut ids) = (Dice::seeded(at as u64), Ids::random(Clock::system()));
                for _ in 0..20 {
                    let other = *dice.pick(&people);
                    let command = match dice.below(3) {
                        0 => Command::RemoveUsers(RemoveUsers { users: vec![other], expected: None }),
                        _ => Command::SetStatus(SetStatus { users: vec![other], status: Status::Suspended, expected: None }),
                    };
                    // Most are refused: whoever acts is out by then, or it is themself, or the last one.
                    let _ = write(&gate, &by, command, &mut ids).await;
                }
            });
        }
        while let Some(raced) = racers.join_next().await {
            raced.unwrap();
        }
        let mut left = 0;
        for user in people {
            left += usize::from(gate.open(subject(stage, user), NOW).await.is_ok());
        }
        assert_eq!(left, 1, "everybody else is out, and the last one stays");
    });
}
