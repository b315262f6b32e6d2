//! A small workspace with everybody whom the rules speak of, and short words for what they do.

use std::{collections::HashMap, sync::Arc};

use bailiwick::{clock::Clock, ids::Ids};
use directory::{
    Refusal,
    access::{Actor, Command, Done, Gate, Origin, Request, Subject},
};
use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    host::NOW,
    model::{Grant, Group, Membership, Person, Role, World},
    naive::policy::Asker,
    on_each_database,
};

/// The workspace, and a token for each person.
pub(crate) struct Stage<'a> {
    pub(crate) host: &'a TestHost,
    pub(crate) world: World,
    tokens: HashMap<String, String>,
}

/// Groups by key, with their parents; names are keys with a capital.
const GROUPS: [(&str, Option<usize>); 6] =
    [("sales", None), ("north", Some(0)), ("south", Some(0)), ("harbour", Some(1)), ("east", None), ("support", None)];

/// Who is who: groups (a star makes a manager) and roles (behind an `@` the group).
const PEOPLE: [(&str, &str, &str); 9] = [
    ("ada", "", "administrator"),
    ("sue", "", "administrator"),
    ("mia", "sales*", ""),
    ("ned", "north", ""),
    ("sam", "south", ""),
    ("eve", "east", ""),
    ("ula", "support", ""),
    ("hal", "", "helpdesk@sales"),
    ("gil", "", "granter@sales"),
];

/// What the roles permit.
const ROLES: [(&str, &[&str]); 3] = [
    ("helpdesk", &["user.read", "user.suspend", "user.activate", "user.update"]),
    ("granter", &["user.read", "role.read", "grant.add", "grant.remove", "user.suspend"]),
    ("reader", &["user.read", "group.read", "role.read"]),
];

/// Runs a case on a fresh stage on each database.
pub(crate) fn on_stage(case: impl AsyncFn(&Stage<'_>) + Sync) {
    on_each_database(async |host| {
        let stage = Stage::set(host).await;
        case(&stage).await;
    });
}

impl<'a> Stage<'a> {
    pub(crate) async fn set(host: &'a TestHost) -> Self {
        Self::named(host, "stage").await
    }

    /// The same in a workspace of another key, with the same people.
    pub(crate) async fn named(host: &'a TestHost, key: &str) -> Self {
        let mut world = World::empty(key.to_owned());
        world.attributes = vec!["department".to_owned()];
        for (key, parent) in GROUPS {
            let (first, rest) = key.split_at(1);
            let name = format!("{}{rest}", first.to_uppercase());
            world.groups.push(Group { key: key.to_owned(), name, parent, ..Group::default() });
        }
        for (key, permissions) in ROLES {
            let permissions = permissions.iter().map(|name| (*name).to_owned()).collect();
            world.roles.push(Role { key: key.to_owned(), name: key.to_owned(), permissions, ..Role::default() });
        }
        for (at, (name, groups, roles)) in PEOPLE.iter().enumerate() {
            let email = format!("{name}@stage.example");
            let texts = [("userName", (*name).to_owned()), ("displayName", (*name).to_owned()), ("email", email)];
            world.people.push(Person { texts: texts.into(), status: "active", ..Person::default() });
            for word in groups.split_whitespace() {
                let (key, manager) = word.strip_suffix('*').map_or((word, false), |key| (key, true));
                world.memberships.push(Membership { person: at, group: group_at(key), manager, ..Membership::default() });
            }
            for word in roles.split_whitespace() {
                let (key, within) = word.split_once('@').map_or((word, None), |(key, group)| (key, Some(group_at(group))));
                let role = world.roles.iter().position(|role| role.key == key).unwrap();
                world.grants.push(Grant { person: at, role, within, ..Grant::default() });
            }
        }
        host.import_world(&mut world, "").await;
        let mut tokens = HashMap::new();
        for (at, (name, ..)) in PEOPLE.iter().enumerate() {
            tokens.insert((*name).to_owned(), host.token(&world, &Asker::person(at)).await);
        }
        Self { host, world, tokens }
    }

    /// Somebody's token.
    pub(crate) fn token(&self, who: &str) -> &str {
        &self.tokens[who]
    }

    /// Somebody as the gate knows them, who comes over GraphQL.
    pub(crate) fn subject(&self, who: &str) -> Subject {
        let actor = Actor::User(self.user(who).parse().unwrap());
        Subject { workspace: self.world.id.parse().unwrap(), actor, scopes: None, expires_at: None, origin: Origin::within("graphql") }
    }

    /// Somebody's id.
    pub(crate) fn user(&self, name: &str) -> String {
        self.world.people.iter().find(|person| person.texts["userName"] == name).unwrap().id.clone()
    }

    /// A group's id.
    pub(crate) fn group(&self, key: &str) -> String {
        self.world.groups.iter().find(|group| group.key == key).unwrap().id.clone()
    }

    /// A role's id.
    pub(crate) fn role(&self, key: &str) -> String {
        self.world.roles.iter().find(|role| role.key == key).unwrap().id.clone()
    }

    /// A payload, whose `userErrors` are asked for beside `fields`.
    pub(crate) async fn ask(&self, who: &str, mutation: &str, input: Json, fields: &str) -> Json {
        let (first, rest) = mutation.split_at(1);
        let type_ = format!("{}{rest}Input!", first.to_uppercase());
        let query = format!(
            "mutation ($input: {type_}) {{ answer: {mutation}(input: $input) {{ {fields} userErrors {{ code field message }} }} }}"
        );
        let mut answer = self.host.graphql(self.token(who), &query, json!({ "input": input })).await;
        assert_eq!(answer.get("errors"), None, "{mutation} {input}");
        answer["data"]["answer"].take()
    }

    /// A payload of something that must succeed.
    pub(crate) async fn done(&self, who: &str, mutation: &str, input: Json, fields: &str) -> Json {
        let payload = self.ask(who, mutation, input.clone(), fields).await;
        assert_eq!(payload["userErrors"], json!([]), "{who} {mutation} {input}");
        payload
    }

    /// Gives somebody a new role with these permissions, within a group or everywhere; answers its id.
    pub(crate) async fn give(&self, who: &str, permissions: &[&str], within: Option<&str>) -> String {
        let input = json!({ "name": permissions.join(" "), "permissions": permissions });
        let role = self.done("ada", "createRole", input, "role { id }").await["role"]["id"].as_str().unwrap().to_owned();
        let grant = json!({ "userId": self.user(who), "roleId": role, "withinId": within.map(|group| self.group(group)) });
        self.done("ada", "addGrants", json!({ "grants": [grant] }), "").await;
        role
    }

    /// The codes and fields of something that must be refused.
    pub(crate) async fn refused(&self, who: &str, mutation: &str, input: Json) -> Vec<(String, String)> {
        let payload = self.ask(who, mutation, input.clone(), "").await;
        let errors = payload["userErrors"].as_array().unwrap();
        assert!(!errors.is_empty(), "{who} may {mutation} {input}");
        let path =
            |error: &Json| error["field"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect::<Vec<_>>().join(".");
        errors.iter().map(|error| (error["code"].as_str().unwrap().to_owned(), path(error))).collect()
    }

    /// What a query answers.
    pub(crate) async fn query(&self, who: &str, query: &str) -> Json {
        let mut answer = self.host.graphql(self.token(who), query, Json::Null).await;
        assert_eq!(answer.get("errors"), None, "{query}");
        answer["data"].take()
    }

    /// One field of a user, as the administrator sees it.
    pub(crate) async fn of_user(&self, id: &str, field: &str) -> Json {
        let name = field.split([' ', '(', '{']).next().unwrap().to_owned();
        self.query("ada", &format!("{{ user(by: {{ id: \"{id}\" }}) {{ {field} }} }}")).await["user"][name].take()
    }

    /// The keys of a user's groups, with a star where it manages, sorted.
    pub(crate) async fn groups_of(&self, id: &str) -> Vec<String> {
        let edges = self.of_user(id, "memberships(first: 100) { nodes { manager group { key } } }").await;
        let word = |edge: &Json| format!("{}{}", edge["group"]["key"].as_str().unwrap(), if edge["manager"] == true { "*" } else { "" });
        let mut words: Vec<String> = edges["nodes"].as_array().unwrap().iter().map(word).collect();
        words.sort();
        words
    }

    /// The user names of everybody in or below a group, sorted; counted exactly.
    pub(crate) async fn members(&self, group: &str) -> Vec<String> {
        let query = format!(
            "{{ group(by: {{ id: \"{group}\" }}) {{ members(scope: EFFECTIVE, first: 100) {{ totalCount nodes {{ userName }} }} }} }}"
        );
        let members = self.query("ada", &query).await["group"]["members"].take();
        let mut names: Vec<String> =
            members["nodes"].as_array().unwrap().iter().map(|node| node["userName"].as_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(members["totalCount"], names.len());
        names
    }

    /// The roles that a user holds, `role@group`, sorted.
    pub(crate) async fn roles_of(&self, id: &str) -> Vec<String> {
        let grants = self.of_user(id, "grants(first: 100) { nodes { role { key } within { key } } }").await;
        let word = |grant: &Json| match grant["within"]["key"].as_str() {
            Some(group) => format!("{}@{group}", grant["role"]["key"].as_str().unwrap()),
            None => grant["role"]["key"].as_str().unwrap().to_owned(),
        };
        let mut words: Vec<String> = grants["nodes"].as_array().unwrap().iter().map(word).collect();
        words.sort();
        words
    }
}

/// Writes past HTTP.
pub(crate) async fn write(gate: &Arc<Gate>, subject: &Subject, command: Command) -> Result<Done, Refusal> {
    gate.write(subject, &Request { command, key: None }, NOW, &mut Ids::random(Clock::system())).await
}

fn group_at(key: &str) -> usize {
    GROUPS.iter().position(|(known, _)| *known == key).unwrap()
}

/// A refusal of one part of the input.
pub(crate) fn only(code: &str, field: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), field.to_owned())]
}
