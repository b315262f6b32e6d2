//! Crash safety: the real program is killed amid writes and activations, and started again on what it left behind.
//!
//! What was acknowledged is there, what was in flight is there as a whole or not at all, and whatever is derived agrees with its rows.
//! The dice are seeded, but what a kill hits depends on the machine, too. `BAILIWICK_TEST_KILLS=200` looks harder.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, iter,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use directory::limits::GROUP_DEPTH;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tests::{Backend, dice, dice::Dice, postgres, program};
use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{sleep, timeout},
};

/// Kills on each database, unless `BAILIWICK_TEST_KILLS` says otherwise.
const KILLS: usize = 20;
/// Those who write at once.
const WRITERS: usize = 4;
/// Steps of a writer before a kill, so many that the kill always comes first.
const STEPS: usize = 10_000;
/// Groups of one writer: all of them in one line are still less deep than a tree may be.
const GROUPS: usize = 40;
/// Pages of one list.
const PAGES: usize = 1_000;
/// From the start of a server until it is ready.
const START: Duration = Duration::from_secs(30);
/// Between two looks at whether it is.
const PAUSE: Duration = Duration::from_millis(20);
/// Milliseconds that a request may take: tests share few cores, and here only a kill may leave one without an answer.
const PATIENCE_MS: u64 = 60_000;
/// The key of the group above all others, in which everybody's writes meet.
const EVERYONE: &str = "everyone";
/// Under what the id of the active policy version is kept.
const ACTIVE: &str = "the active policy version";
const SETTINGS: &str = "/v1/policies/settings";

#[test]
fn what_was_acknowledged_outlives_every_kill() {
    let kills = env::var("BAILIWICK_TEST_KILLS").map_or(KILLS, |text| text.parse().expect("BAILIWICK_TEST_KILLS is a whole number"));
    let seed = dice::first_seed();
    for backend in Backend::available() {
        // Shown if the test fails.
        println!("{backend:?}: {kills} kills; BAILIWICK_TEST_SEED={seed} throws the dice the same way");
        Runtime::new().unwrap().block_on(kill_often(backend, kills, Dice::seeded(seed)));
    }
}

async fn kill_often(backend: Backend, kills: usize, mut dice: Dice) {
    let place = Place::prepare(backend).await;
    let mut server = Server::start(&place).await;
    let ada = place.token("ada@crash.example");
    for (mutation, input) in [
        ("createGroup", json!({ "name": EVERYONE, "key": EVERYONE })),
        ("addUser", json!({ "user": { "userName": "mia", "status": "ACTIVE" } })),
    ] {
        server.caller(&ada).send(&Step::mutation(mutation, input, Made::default())).await.expect("nothing is killed yet");
    }
    let mia = place.token("mia");
    let ids = Seen::read(&server, &ada, &mia).await.ids;
    let mut writers: Vec<Writer> = (0..WRITERS).map(|number| Writer::new(number, dice.part(number as u64), ids.clone())).collect();
    for kill in 1..=kills {
        let mut writing = JoinSet::new();
        for writer in writers.drain(..) {
            writing.spawn(writer.write(server.caller(&ada)));
        }
        // Most kills come amid the quick writes, every fourth amid an activation, which looks at every gate first.
        let longest = if kill % 4 == 0 { 8_000 } else { 400 };
        sleep(Duration::from_millis(dice.between(30, longest) as u64)).await;
        server.kill();
        writers = writing.join_all().await;
        println!("kill {kill}, after {} acknowledged steps", writers.iter().map(|writer| writer.acknowledged).sum::<usize>());
        server = Server::start(&place).await;
        let seen = Seen::read(&server, &ada, &mia).await;
        for writer in &mut writers {
            writer.settle(&server.caller(&ada), &seen).await;
        }
    }
    let seen = Seen::read(&server, &ada, &mia).await;
    writers.iter().for_each(|writer| writer.compare(&seen.made_by(writer.number), None));
    let active = writers.iter().any(|writer| writer.made.policy.is_some());
    let steps: usize = writers.iter().map(|writer| writer.acknowledged).sum();
    assert!(steps >= kills && (active || kills < KILLS), "{steps} steps in {kills} kills, activations: {active}");
}

/// What was made, by names: nobody knows the id of what was in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Made {
    /// The keys of the groups that a user is a direct member of; `None` once it is removed.
    users: BTreeMap<String, Option<BTreeSet<String>>>,
    /// The keys of groups, with those of the groups right above; empty at the first level.
    groups: BTreeMap<String, String>,
    /// The note of the active policy version.
    policy: Option<String>,
}

impl Made {
    /// A group and those above it, the nearest first.
    fn above<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a str> {
        let parent = move |group: &&'a str| self.groups.get(*group).map(String::as_str).filter(|parent| !parent.is_empty());
        iter::successors(Some(group), parent).take(GROUP_DEPTH)
    }

    /// Who is in or below each group.
    fn effective(&self) -> BTreeMap<&str, BTreeSet<String>> {
        let mut effective: BTreeMap<_, _> = self.groups.keys().map(|key| (key.as_str(), BTreeSet::new())).collect();
        for (name, groups) in &self.users {
            for group in groups.iter().flatten().flat_map(|group| self.above(group)) {
                effective.entry(group).or_default().insert(name.clone());
            }
        }
        effective
    }

    /// No version is half active: the newest is, with the settings of its note, and decides so, as somebody without roles and groups
    /// sees by the number of users that are shown.
    fn check_policy(&self, policies: &Json, users: usize, shown: &Json) {
        let (active, versions) = (&policies["active"], policies["versions"].as_array().unwrap());
        assert_eq!(versions[0]["id"], active["id"]);
        for (version, number) in versions.iter().zip((0..=active["number"].as_u64().unwrap()).rev()) {
            assert_eq!(version["number"], number, "every activation counts");
        }
        let sees = self.policy.as_ref().and_then(|note| note.split(' ').next());
        let settings = sees.map(|sees| json!({ "members_see": sees }).to_string()).unwrap_or_default();
        assert_eq!(active["standardSettings"], settings, "{active}");
        assert_eq!(*shown, if sees == Some("workspace") { users } else { 1 }, "{active}");
    }

    /// What of this is not so in `other`.
    fn unlike(&self, other: &Self) -> String {
        let users: Vec<_> = self.users.iter().filter(|(name, groups)| other.users.get(*name) != Some(*groups)).collect();
        let groups: Vec<_> = self.groups.iter().filter(|(key, parent)| other.groups.get(*key) != Some(*parent)).collect();
        format!("users {users:?}, groups {groups:?}, policy {:?}", self.policy)
    }
}

/// One request that writes.
struct Step {
    method: Method,
    path: &'static str,
    body: Json,
    /// What its writer has made once it is done.
    after: Made,
    /// Whose id it is answered with.
    name: Option<String>,
}

impl Step {
    fn mutation(mutation: &str, input: Json, after: Made) -> Self {
        let (first, rest) = mutation.split_at(1);
        let input_type = format!("{}{rest}Input!", first.to_uppercase());
        let (made, name) = match mutation {
            "addUser" => ("made: user { id }", input["user"]["userName"].as_str()),
            "createGroup" => ("made: group { id }", input["key"].as_str()),
            _ => ("", None),
        };
        let name = name.map(str::to_owned);
        let query =
            format!("mutation ($input: {input_type}) {{ done: {mutation}(input: $input) {{ {made} userErrors {{ code message }} }} }}");
        let body = json!({ "query": query, "variables": { "input": input } });
        Self { method: Method::POST, path: "/graphql", body, after, name }
    }
}

/// One of those who write, one step after the other. What it makes, nobody else touches, so that it knows what must be there.
struct Writer {
    number: usize,
    dice: Dice,
    /// Steps that it made up.
    count: usize,
    /// What was acknowledged.
    made: Made,
    /// The step that was not answered.
    open: Option<Step>,
    /// Ids by names and keys.
    ids: BTreeMap<String, String>,
    /// Steps that were done and said to be.
    acknowledged: usize,
}

impl Writer {
    fn new(number: usize, dice: Dice, ids: BTreeMap<String, String>) -> Self {
        Self { number, dice, count: 0, made: Made::default(), open: None, ids, acknowledged: 0 }
    }

    /// Writes until there is no answer.
    async fn write(mut self, caller: Caller) -> Self {
        for _ in 0..STEPS {
            let step = self.step();
            self.send(&caller, step).await;
            if self.open.is_some() {
                return self;
            }
        }
        panic!("the server outlived {STEPS} steps of a writer")
    }

    /// Sends a step and remembers what became of it.
    async fn send(&mut self, caller: &Caller, step: Step) {
        match caller.send(&step).await {
            Some(Outcome::Done(id)) => {
                self.made = step.after;
                self.ids.extend(step.name.map(|name| (name, id)));
                self.acknowledged += 1;
            }
            Some(Outcome::Stale) => {}
            None => self.open = Some(step),
        }
    }

    /// Finds out what became of the step that was not answered; with an idempotency key, by sending it again.
    async fn settle(&mut self, caller: &Caller, seen: &Seen) {
        let step = self.open.take().expect("a writer ends with a step that is not answered");
        let found = seen.made_by(self.number);
        self.compare(&found, Some(&step));
        self.made = found;
        self.ids.extend(seen.ids.clone());
        if step.body["variables"]["input"]["idempotencyKey"].is_string() {
            let (name, after) = (step.name.clone().unwrap(), step.after.clone());
            self.send(caller, step).await;
            assert!(self.made == after, "`{name}` is refused under its own key");
            assert!(seen.ids.get(&name).is_none_or(|known| *known == self.ids[&name]), "`{name}` is added twice under one key");
        }
    }

    /// All that was acknowledged is there and nothing else, but for what was in flight, all of it.
    fn compare(&self, found: &Made, open: Option<&Step>) {
        let whole = *found == self.made || open.is_some_and(|step| *found == step.after);
        let (lost, more) = (self.made.unlike(found), found.unlike(&self.made));
        assert!(whole, "writer {}\nacknowledged: {lost}\nfound: {more}\nin flight: {:?}", self.number, open.map(|step| &step.body));
    }

    fn step(&mut self) -> Step {
        self.count += 1;
        // One alone activates, so that it knows what it sees as active.
        if self.number == 0 && self.dice.one_in(3) {
            return self.activate();
        }
        let users: Vec<&String> = self.made.users.iter().filter(|(_, groups)| groups.is_some()).map(|(name, _)| name).collect();
        let user = (!users.is_empty()).then(|| (*self.dice.pick(&users)).clone());
        let groups: Vec<&String> = self.made.groups.keys().collect();
        let group = (!groups.is_empty()).then(|| (*self.dice.pick(&groups)).clone());
        match (self.dice.below(8), user, group) {
            (0, _, Some(group)) => self.move_group(&group),
            (1 | 2, Some(user), Some(group)) => self.join(&user, group),
            (3, Some(user), _) => self.remove(&user),
            (4 | 5, ..) if self.made.groups.len() < GROUPS => self.create_group(),
            _ => self.add_user(),
        }
    }

    fn add_user(&mut self) -> Step {
        let name = format!("w{}-u{}", self.number, self.count);
        let known: Vec<String> = self.made.groups.keys().cloned().collect();
        let groups = self.dice.some(&known, 4);
        let start: Vec<Json> = groups.iter().map(|key| json!({ "groupId": self.ids[key] })).collect();
        let user = json!({ "userName": name, "status": "ACTIVE", "groups": start });
        let mut step = self.mutation("addUser", json!({ "user": user, "idempotencyKey": name }));
        step.after.users.insert(name, Some(groups.into_iter().collect()));
        step
    }

    fn create_group(&mut self) -> Step {
        let key = format!("w{}-g{}", self.number, self.count);
        let parent = self.parent(|_| true);
        let input = json!({ "name": key, "key": key, "parentId": self.ids[&parent], "idempotencyKey": key });
        let mut step = self.mutation("createGroup", input);
        step.after.groups.insert(key, parent);
        step
    }

    fn move_group(&mut self, group: &str) -> Step {
        let made = self.made.clone();
        let parent = self.parent(|key| made.above(key).all(|above| above != group));
        let mut step = self.mutation("moveGroup", json!({ "groupId": self.ids[group], "parentId": self.ids[&parent] }));
        step.after.groups.insert(group.to_owned(), parent);
        step
    }

    /// A group to be above another: one of its own that fits, or the one above all others.
    fn parent(&mut self, fits: impl Fn(&str) -> bool) -> String {
        let own = self.made.groups.keys().filter(|key| fits(key)).cloned();
        let parents: Vec<String> = own.chain([EVERYONE.to_owned()]).collect();
        self.dice.pick(&parents).clone()
    }

    fn join(&self, user: &str, group: String) -> Step {
        let members = json!([{ "userId": self.ids[user] }]);
        let mut step = self.mutation("addGroupMembers", json!({ "groupId": self.ids[&group], "members": members }));
        step.after.users.get_mut(user).unwrap().as_mut().unwrap().insert(group);
        step
    }

    fn remove(&self, user: &str) -> Step {
        let mut step = self.mutation("removeUser", json!({ "userId": self.ids[user] }));
        step.after.users.insert(user.to_owned(), None);
        step
    }

    /// Lets members see nobody and everybody by turns; the note tells one activation from any other.
    fn activate(&self) -> Step {
        let open = self.made.policy.as_ref().is_some_and(|note| note.starts_with("workspace"));
        let sees = if open { "self" } else { "workspace" };
        let note = format!("{sees} {}", self.count);
        let body = json!({ "expected": self.ids[ACTIVE], "standardSettings": { "members_see": sees }, "note": note });
        let after = Made { policy: Some(note), ..self.made.clone() };
        Step { method: Method::PUT, path: SETTINGS, body, after, name: Some(ACTIVE.to_owned()) }
    }

    fn mutation(&self, mutation: &str, input: Json) -> Step {
        Step::mutation(mutation, input, self.made.clone())
    }
}

/// Everything that is there, as the administrator reads it.
struct Seen {
    made: Made,
    /// Ids by names and keys.
    ids: BTreeMap<String, String>,
}

impl Seen {
    /// Reads it all; what is derived agrees with what it is derived from.
    async fn read(server: &Server, ada: &str, mia: &str) -> Self {
        let ada = server.caller(ada);
        let users = ada.walk("users(first: 100, after: $after)", "id userName status groups(first: 100) { nodes { key } }").await;
        let fields = "id key parent { key } members(scope: EFFECTIVE, first: 1) { totalCount }";
        let groups = ada.walk("groups(first: 100, after: $after)", fields).await;
        let (status, policies) = ada.answer(ada.request(Method::GET, "/v1/policies")).await.expect("nobody kills it now");
        assert_eq!(status, StatusCode::OK, "{policies}");
        let ids = users.iter().map(|user| (text(&user["userName"]), text(&user["id"])));
        let ids = ids.chain(groups.iter().map(|group| (text(&group["key"]), text(&group["id"]))));
        let ids: BTreeMap<_, _> = ids.chain([(ACTIVE.to_owned(), text(&policies["active"]["id"]))]).collect();
        assert_eq!(ids.len(), users.len() + groups.len() + 1, "everybody and everything is there once");
        let made = Made {
            users: users.iter().map(|user| (text(&user["userName"]), groups_of(user))).collect(),
            groups: groups.iter().map(|group| (text(&group["key"]), text(&group["parent"]["key"]))).collect(),
            policy: policies["active"]["note"].as_str().map(str::to_owned),
        };

        let effective = made.effective();
        for group in &groups {
            let members = &effective[group["key"].as_str().unwrap()];
            assert_eq!(group["members"]["totalCount"], members.len(), "in or below {}: {members:?}", group["key"]);
        }
        let below = format!("users(filter: {{ underGroups: [\"{}\"] }}, first: 100, after: $after)", ids[EVERYONE]);
        let everyone: BTreeSet<String> = ada.walk(&below, "userName").await.iter().map(|user| text(&user["userName"])).collect();
        assert_eq!(everyone, effective[EVERYONE]);
        let there = made.users.values().flatten().count();
        let workspace = ada.query("{ workspace { userCount policy { id } } }", Json::Null).await["workspace"].take();
        assert_eq!(workspace, json!({ "userCount": there, "policy": { "id": policies["active"]["id"] } }));
        let shown = server.caller(mia).query("{ users { totalCount } }", Json::Null).await["users"]["totalCount"].take();
        made.check_policy(&policies, there, &shown);
        Self { made, ids }
    }

    /// The part that a writer made.
    fn made_by(&self, writer: usize) -> Made {
        let (mut made, own) = (self.made.clone(), format!("w{writer}-"));
        made.users.retain(|name, _| name.starts_with(&own));
        made.groups.retain(|key, _| key.starts_with(&own));
        made.policy = made.policy.filter(|_| writer == 0);
        made
    }
}

/// The keys of a user's groups; `None` in the recycle bin, where nobody is in any.
fn groups_of(user: &Json) -> Option<BTreeSet<String>> {
    let groups: BTreeSet<String> = user["groups"]["nodes"].as_array().unwrap().iter().map(|group| text(&group["key"])).collect();
    let removed = user["status"] == "DELETED";
    assert!(!removed || groups.is_empty(), "{user}");
    (!removed).then_some(groups)
}

fn text(value: &Json) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What a server made of a step.
enum Outcome {
    /// It was done, and is answered with this id, if any.
    Done(String),
    /// Others changed so much meanwhile that it was not done.
    Stale,
}

/// A token, and the server to which it is presented.
pub(crate) struct Caller {
    client: Client,
    url: String,
    token: String,
}

impl Caller {
    /// `None` if there was no answer, or not to its end: it is open whether the step was done.
    async fn send(&self, step: &Step) -> Option<Outcome> {
        let (status, answer) = self.answer(self.request(step.method.clone(), step.path).json(&step.body)).await?;
        if step.path == SETTINGS && status == StatusCode::PRECONDITION_FAILED {
            return Some(Outcome::Stale);
        }
        assert!(status == StatusCode::OK && answer.get("errors").is_none(), "{}: {status} {answer}", step.body);
        if step.path == SETTINGS {
            return Some(Outcome::Done(text(&answer["version"])));
        }
        let done = &answer["data"]["done"];
        let refused = done["userErrors"].as_array().unwrap();
        assert!(refused.iter().all(|error| error["code"] == "STALE"), "{}: {refused:?}", step.body);
        Some(if refused.is_empty() { Outcome::Done(text(&done["made"]["id"])) } else { Outcome::Stale })
    }

    /// Every node of a list.
    async fn walk(&self, list: &str, fields: &str) -> Vec<Json> {
        let page = format!("page: {list} {{ totalCount nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }}");
        let query = format!("query ($after: String) {{ {page} }}");
        let (mut nodes, mut after) = (Vec::new(), Json::Null);
        for _ in 0..PAGES {
            let mut page = self.query(&query, json!({ "after": after })).await["page"].take();
            nodes.append(page["nodes"].as_array_mut().unwrap());
            if page["pageInfo"]["hasNextPage"] == false {
                assert_eq!(page["totalCount"], nodes.len(), "{list}");
                return nodes;
            }
            after = page["pageInfo"]["endCursor"].take();
        }
        panic!("{list} has more than {PAGES} pages")
    }

    async fn query(&self, query: &str, variables: Json) -> Json {
        let body = json!({ "query": query, "variables": variables });
        let answer = self.answer(self.request(Method::POST, "/graphql").json(&body)).await;
        let (status, mut answer) = answer.expect("nobody kills it now");
        assert!(status == StatusCode::OK && answer.get("errors").is_none(), "{query}: {status} {answer}");
        answer["data"].take()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn answer(&self, request: RequestBuilder) -> Option<(StatusCode, Json)> {
        let response = request.send().await.ok()?;
        Some((response.status(), response.json().await.ok()?))
    }
}

/// A workspace with an administrator: what outlives every server.
pub(crate) struct Place {
    folder: TempDir,
    database: String,
}

impl Place {
    pub(crate) async fn prepare(backend: Backend) -> Self {
        let database = match backend {
            Backend::Sqlite => "sqlite:crash.db".to_owned(),
            Backend::Postgres => postgres::throwaway().unwrap().database().await,
        };
        let place = Self { folder: TempDir::new().unwrap(), database };
        place.run(&["migrate"]);
        place.run(&["workspace", "create", "crash", "--administrator", "ada@crash.example"]);
        place
    }

    pub(crate) fn token(&self, user: &str) -> String {
        self.run(&["token", "create", "--workspace", "crash", "--user", user])
    }

    /// Standard output of a command that succeeds.
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The program, configured by nothing of this environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program::path());
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("BAILIWICK_")) {
            command.env_remove(name);
        }
        for setting in ["LIMITS__REQUEST_MS", "LIMITS__STATEMENT_MS", "POLICY__WAIT_MS"] {
            command.env(format!("BAILIWICK_{setting}"), PATIENCE_MS.to_string());
        }
        // Most moves are counted after they are answered, and so is the server killed in between.
        command.env("BAILIWICK_LIMITS__MOVE_ROWS", "1");
        command.current_dir(self.folder.path()).args(["--database", &self.database]).args(arguments);
        command
    }
}

/// A running server, killed when the test ends, however it does.
pub(crate) struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts one, and waits until it is ready.
    pub(crate) async fn start(place: &Place) -> Self {
        let log = place.folder.path().join("log");
        let mut command = place.command(&["serve", "--migrate", "--listen", "127.0.0.1:0"]);
        // A file, unlike a pipe, takes whatever is logged without anybody reading along.
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut server = Self { child, url: String::new() };
        let ready = timeout(START, server.ready(&log)).await;
        assert!(ready.is_ok(), "not ready within {START:?}: {}", fs::read_to_string(&log).unwrap());
        server
    }

    async fn ready(&mut self, log: &Path) {
        while self.url.is_empty() {
            sleep(PAUSE).await;
            let logged = fs::read_to_string(log).unwrap();
            let mut lines = logged.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
            let listening = lines.find(|line| line["message"] == "listening");
            self.url = listening.map(|line| format!("http://{}", text(&line["address"]))).unwrap_or_default();
        }
        let caller = self.caller("");
        while caller.answer(caller.request(Method::GET, "/readyz")).await.is_none_or(|(status, _)| status != StatusCode::OK) {
            sleep(PAUSE).await;
        }
    }

    pub(crate) fn caller(&self, token: &str) -> Caller {
        let client = Client::builder().no_proxy().timeout(Duration::from_millis(PATIENCE_MS)).build().unwrap();
        Caller { client, url: self.url.clone(), token: token.to_owned() }
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Kills it by SIGKILL, of which the program hears nothing.
    pub(crate) fn kill(&mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}
