//! The oracle goes on: a write, and everybody's eyes on what it left; and again.
//!
//! The writes go through GraphQL as the administrator under `standard`, and into the world by hand. Then some policy decides, and
//! generated subjects ask generated queries, whose answers the naive reading of the world must give, too.

use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    answers::difference,
    dice::{self, Dice},
    document::document,
    generate,
    generate::queries,
    host::NOW,
    model::{Grant, Group, Made, Membership, Person, Role, World},
    naive::{
        policy::{Asker, Policy},
        server,
        sight::Sight,
    },
    on_each_database,
};

/// Queries on each database.
const CASES: usize = 3_000;
/// Writes in one workspace.
const WRITES: usize = 30;
/// Subjects who look at what one write left, and their queries.
const ASKERS: usize = 3;
const QUERIES: usize = 5;

/// What made a row: the administrator, now.
const MADE: Option<Made> = Some(Made { by: 0, at: NOW.0 });

#[test]
fn the_naive_reading_and_the_server_agree_after_every_write() {
    on_each_database(async |host: &TestHost| {
        let wanted = dice::cases(CASES);
        let (mut cases, mut seed) = (0, dice::first_seed());
        while cases < wanted {
            cases += examine(host, seed).await;
            seed += 1;
        }
    });
}

async fn examine(host: &TestHost, seed: u64) -> usize {
    let mut dice = Dice::seeded(seed);
    let mut world = generate::world(&mut dice.part(0), format!("written-{seed}"), 1 + usize::try_from(seed % 4).unwrap());
    host.import_world(&mut world, "").await;
    let administrator = host.token(&world, &Asker::person(0)).await;
    let workspace = world.id.parse().unwrap();
    let mut cases = 0;
    for step in 0..WRITES {
        let mut dice = dice.part(1 + step as u64);
        host.force(workspace, None, String::new()).await;
        let done = Writer { host, token: &administrator, world: &mut world }.write(&mut dice, step).await;
        world.settle();
        let policy: Policy = generate::policy(&mut dice, &world);
        host.activate(&world, &policy).await;
        for _ in 0..ASKERS {
            let asker = generate::asker(&mut dice, &world);
            let token = host.token(&world, &asker).await;
            let sight = Sight::new(&world, &asker, &policy);
            let asked: Vec<_> = (0..QUERIES).map(|_| queries::query(&mut dice, &world, &asker)).collect();
            let documents: Vec<String> = asked.iter().map(|fields| document(fields)).collect();
            let answers = host.graphql_all(&token, &documents).await;
            for ((fields, text), answer) in asked.iter().zip(&documents).zip(answers) {
                if let Err(found) = difference(text, &server::answer(&sight, fields), answer) {
                    panic!("BAILIWICK_TEST_SEED={seed}, write {step}: {done}\n{asker:?}\n{found}\n{world:#?}");
                }
            }
            cases += QUERIES;
        }
    }
    cases
}

/// The administrator at work on server and world alike.
struct Writer<'a> {
    host: &'a TestHost,
    token: &'a str,
    world: &'a mut World,
}

impl Writer<'_> {
    /// One write; how it is called.
    async fn write(&mut self, dice: &mut Dice, step: usize) -> String {
        let there: Vec<usize> = (0..self.world.people.len()).filter(|at| self.world.people[*at].status != "deleted").collect();
        let person = *dice.pick(&there);
        let group = dice.below(self.world.groups.len());
        match dice.below(14) {
            0 | 1 => self.join(person, group, dice.one_in(3)).await,
            2 => self.leave(dice).await,
            3 => self.manage(dice).await,
            4 | 5 => self.grant(dice, person).await,
            6 => self.revoke(dice).await,
            7 => self.status(dice, person).await,
            8 | 9 => self.text(dice, person, step).await,
            10 => self.hang(dice, group).await,
            11 => self.rename(dice, group, step).await,
            12 => self.remove(person).await,
            _ => self.found(dice, step).await,
        }
    }

    /// What a mutation answers; it must succeed.
    async fn done(&self, mutation: &str, input: &Json, fields: &str) -> Json {
        let (first, rest) = mutation.split_at(1);
        let query = format!(
            "mutation ($input: {}{rest}Input!) {{ answer: {mutation}(input: $input) {{ {fields} userErrors {{ code message }} }} }}",
            first.to_uppercase()
        );
        let mut answer = self.host.graphql(self.token, &query, json!({ "input": input })).await;
        assert_eq!(answer["data"]["answer"]["userErrors"], json!([]), "{mutation} {input}: {answer}");
        answer["data"]["answer"].take()
    }

    async fn join(&mut self, person: usize, group: usize, manager: bool) -> String {
        let members = json!([{ "userId": self.world.people[person].id, "manager": manager }]);
        let input = json!({ "groupId": self.world.groups[group].id, "members": members });
        let payload = self.done("addGroupMembers", &input, "memberships { id }").await;
        let known = self.world.memberships.iter().any(|edge| (edge.person, edge.group) == (person, group));
        if !known {
            let id = payload["memberships"][0]["id"].as_str().unwrap().to_owned();
            self.world.memberships.push(Membership { id, person, group, manager, made: MADE });
        }
        format!("addGroupMembers {input}")
    }

    async fn leave(&mut self, dice: &mut Dice) -> String {
        if self.world.memberships.is_empty() {
            return "nobody leaves".to_owned();
        }
        let at = dice.below(self.world.memberships.len());
        let edge = self.world.memberships.remove(at);
        let input = json!({ "groupId": self.world.groups[edge.group].id, "userIds": [self.world.people[edge.person].id] });
        self.done("removeGroupMembers", &input, "").await;
        format!("removeGroupMembers {input}")
    }

    async fn manage(&mut self, dice: &mut Dice) -> String {
        if self.world.memberships.is_empty() {
            return "nobody manages".to_owned();
        }
        let at = dice.below(self.world.memberships.len());
        let edge = &mut self.world.memberships[at];
        edge.manager = !edge.manager;
        let members = json!([{ "userId": self.world.people[edge.person].id, "manager": edge.manager }]);
        let input = json!({ "groupId": self.world.groups[edge.group].id, "members": members });
        self.done("setGroupManagers", &input, "").await;
        format!("setGroupManagers {input}")
    }

    async fn grant(&mut self, dice: &mut Dice, person: usize) -> String {
        let role = dice.below(self.world.roles.len());
        let within = dice.one_in(2).then(|| dice.below(self.world.groups.len()));
        let limit = within.map(|group| self.world.groups[group].id.clone());
        let (user, role_id) = (&self.world.people[person].id, &self.world.roles[role].id);
        let input = json!({ "grants": [{ "userId": user, "roleId": role_id, "withinId": limit }] });
        let payload = self.done("addGrants", &input, "grants { id }").await;
        let known = self.world.grants.iter().any(|grant| (grant.person, grant.role, grant.within) == (person, role, within));
        if !known {
            let id = payload["grants"][0]["id"].as_str().unwrap().to_owned();
            self.world.grants.push(Grant { id, person, role, within, made: MADE });
        }
        format!("addGrants {input}")
    }

    async fn revoke(&mut self, dice: &mut Dice) -> String {
        // The first person's administration is what all of this is done with.
        let others: Vec<usize> = (0..self.world.grants.len()).filter(|at| self.world.grants[*at].person != 0).collect();
        if others.is_empty() {
            return "nothing is revoked".to_owned();
        }
        let grant = self.world.grants.remove(*dice.pick(&others));
        let input = json!({ "grantIds": [grant.id] });
        self.done("removeGrants", &input, "").await;
        format!("removeGrants {input}")
    }

    async fn status(&mut self, dice: &mut Dice, person: usize) -> String {
        if person == 0 {
            return "the administrator stays".to_owned();
        }
        let (mutation, status) = if dice.one_in(2) { ("suspendUser", "suspended") } else { ("activateUser", "active") };
        let input = json!({ "userId": self.world.people[person].id });
        self.done(mutation, &input, "").await;
        self.world.people[person].status = status;
        format!("{mutation} {input}")
    }

    async fn text(&mut self, dice: &mut Dice, person: usize, step: usize) -> String {
        let row = &mut self.world.people[person];
        let title = dice.one_in(2).then(|| format!("Zoë of step {step}"));
        let values: Vec<String> = dice.some(&["red", "Blue", "green"], 2).into_iter().map(str::to_owned).collect();
        let attribute = dice.pick(&self.world.attributes).clone();
        let input = json!({ "userId": row.id, "title": title, "attributes": [{ "name": attribute, "values": values }] });
        match title {
            Some(title) => row.texts.insert("title", title),
            None => row.texts.remove("title"),
        };
        row.attributes.remove(&attribute);
        if !values.is_empty() {
            row.attributes.insert(attribute, values);
        }
        self.done("updateUser", &input, "").await;
        format!("updateUser {input}")
    }

    async fn hang(&mut self, dice: &mut Dice, group: usize) -> String {
        let places: Vec<usize> = (0..self.world.groups.len()).filter(|other| !self.world.is_under(*other, group)).collect();
        let parent = if places.is_empty() || dice.one_in(4) { None } else { Some(*dice.pick(&places)) };
        let parent_id = parent.map(|parent| self.world.groups[parent].id.clone());
        let input = json!({ "groupId": self.world.groups[group].id, "parentId": parent_id });
        self.done("moveGroup", &input, "").await;
        self.world.groups[group].parent = parent;
        format!("moveGroup {input}")
    }

    async fn rename(&mut self, dice: &mut Dice, group: usize, step: usize) -> String {
        let row = &mut self.world.groups[group];
        row.name = format!("Grüße {step}");
        row.description = dice.one_in(2).then(|| format!("Renamed in step {step}"));
        let input = json!({ "groupId": row.id, "name": row.name, "description": row.description });
        self.done("updateGroup", &input, "").await;
        format!("updateGroup {input}")
    }

    async fn remove(&mut self, person: usize) -> String {
        if person == 0 {
            return "the administrator stays".to_owned();
        }
        let input = json!({ "userId": self.world.people[person].id });
        self.done("removeUser", &input, "").await;
        let row = &mut self.world.people[person];
        (row.status, row.manages_top) = ("deleted", false);
        self.world.memberships.retain(|edge| edge.person != person);
        self.world.grants.retain(|grant| grant.person != person);
        format!("removeUser {input}")
    }

    /// Somebody new, somewhere new, with a new role.
    async fn found(&mut self, dice: &mut Dice, step: usize) -> String {
        let parent = dice.below(self.world.groups.len());
        let (name, key) = (format!("New {step}"), format!("new-{step}"));
        let input = json!({ "name": name, "key": key, "parentId": self.world.groups[parent].id });
        let id = self.done("createGroup", &input, "group { id }").await["group"]["id"].as_str().unwrap().to_owned();
        self.world.groups.push(Group { id, key: key.clone(), name: name.clone(), parent: Some(parent), made: MADE, ..Group::default() });
        let input = json!({ "name": name, "key": key, "permissions": ["user.read"] });
        let id = self.done("createRole", &input, "role { id }").await["role"]["id"].as_str().unwrap().to_owned();
        let permissions = vec!["user.read".to_owned()];
        self.world.roles.push(Role { id, key: key.clone(), name, permissions, made: MADE, ..Role::default() });
        let (group, role) = (self.world.groups.len() - 1, self.world.roles.len() - 1);
        let groups = json!([{ "groupId": self.world.groups[group].id }]);
        let roles = json!([{ "roleId": self.world.roles[role].id }]);
        let input = json!({ "user": { "userName": key, "status": "ACTIVE", "groups": groups, "roles": roles } });
        let fields = "user { id memberships { nodes { id } } grants { nodes { id } } }";
        let user = self.done("addUser", &input, fields).await["user"].take();
        let text = |path: &str| user.pointer(path).unwrap().as_str().unwrap().to_owned();
        let person = self.world.people.len();
        let texts = [("userName", key)].into();
        self.world.people.push(Person { id: text("/id"), texts, status: "active", created: NOW.0, made: MADE, ..Person::default() });
        self.world.memberships.push(Membership { id: text("/memberships/nodes/0/id"), person, group, manager: false, made: MADE });
        self.world.grants.push(Grant { id: text("/grants/nodes/0/id"), person, role, within: None, made: MADE });
        format!("addUser {input}")
    }
}
