//! The real server in process: a real database, the real sandbox, real HTTP on a port of its own; only clock and ids are fixed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
    thread,
};

use bailiwick::{
    app::App,
    clock::Clock,
    config::{Config, Layers},
    follow::{Pauses, follow},
    http,
    ids::Ids,
    secret::Secret,
    tokens,
    trials::Runner,
    wiring::{self, Database},
};
use directory::{
    access::{Directory, Forced, Gate, Operator, OperatorVia, Origin, Subject},
    contract::Engine,
    ids::{PolicyId, PolicyVersionId, WorkspaceId},
    model::{Timestamp, TokenKind},
    store::{ImportSummary, ImportWorkspace, Store},
};
use reqwest::{Client, RequestBuilder, StatusCode, header};
use serde_json::{Value as Json, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};
use tracing_subscriber::EnvFilter;

use crate::{
    answers::assert_shape,
    document::NEW_YEAR,
    model::{LEARN, World},
    naive::policy::{Asker, Policy},
    postgres, program,
    stored::Stored,
};

/// What the server's clock says: noon of 2025-01-01.
pub const NOW: Timestamp = Timestamp(NEW_YEAR + 43_200_000_000);
/// The policy whose rules are its settings.
pub const RULES: &[u8] = include_bytes!("../../policy-wasm/dist/rules.wasm");
/// Operations in one request; the server takes no more.
pub const BATCH: usize = 10;
/// Bytes of stack of every thread that runs tests or serves them: futures are large in debug builds.
const STACK_BYTES: usize = 8 * 1024 * 1024;
/// Milliseconds that a request or a wait for a sandbox may take: tests share few cores.
const PATIENCE_MS: u64 = 60_000;

/// A database to test on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// SQLite, in a file of a temporary folder.
    Sqlite,
    /// Postgres, a database of its own on a throwaway server.
    Postgres,
}

impl Backend {
    /// Every database that can be had here.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let postgres = postgres::throwaway().map(|_| Self::Postgres);
        std::iter::once(Self::Sqlite).chain(postgres).collect()
    }
}

/// Runs a case on a fresh server on each database.
pub fn on_each_database(case: impl AsyncFn(&TestHost) + Sync) {
    on_each(&case, || tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build().unwrap());
}

/// The same with everything in one thread, so that a subscriber of that thread sees all that the server does.
pub fn on_each_database_in_one_thread(case: impl AsyncFn(&TestHost) + Sync) {
    on_each(&case, || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
}

fn on_each(case: &(impl AsyncFn(&TestHost) + Sync), runtime: impl Fn() -> tokio::runtime::Runtime + Sync) {
    for backend in Backend::available() {
        with_stack(|| {
            runtime().block_on(async {
                let host = TestHost::start(backend).await;
                case(&host).await;
                host.stop().await;
            });
        });
    }
}

fn with_stack(run: impl FnOnce() + Send) {
    let name = thread::current().name().unwrap_or("test").to_owned();
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn_scoped(scope, run).unwrap();
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// A running server.
pub struct TestHost {
    /// What it stores in.
    pub backend: Backend,
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub url: String,
    /// The operator, by whom tests set the scene.
    pub operator: Operator,
    app: Arc<App>,
    client: Client,
    ids: Mutex<Ids>,
    modules: Mutex<HashMap<(WorkspaceId, &'static str), PolicyId>>,
    stop: oneshot::Sender<()>,
    served: JoinSet<()>,
    following: JoinSet<()>,
    database: Database,
    _folder: tempfile::TempDir,
}

/// One sandbox a process, as in the server.
static ENGINE: OnceLock<Arc<dyn Engine>> = OnceLock::new();

impl TestHost {
    /// Starts a server on an empty database.
    ///
    /// What it logs is printed if the test fails: failures, or what `RUST_LOG` asks for.
    pub async fn start(backend: Backend) -> Self {
        // Only the first of a process sets the logger up.
        let _ = tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).with_test_writer().try_init();
        let database = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(postgres::throwaway().unwrap().database().await),
        };
        Self::on(backend, database, "tests", None).await
    }

    /// Starts another server on the same database, which shares nothing else with this one, as if on another machine; `name` is part of
    /// the ids that it makes.
    pub async fn beside(&self, name: &str) -> Self {
        let sandbox = policy::SandboxConfig { instances: 8, wait_ms: PATIENCE_MS, ..policy::SandboxConfig::default() };
        let engine: Arc<dyn Engine> = Arc::new(policy::Sandbox::new(&sandbox).unwrap());
        Self::on(self.backend, Some(self.app.config.database_url()), name, Some(engine)).await
    }

    /// Starts a server; without a database an embedded one is made, without an engine it is the one of this process.
    async fn on(backend: Backend, database: Option<String>, name: &str, engine: Option<Arc<dyn Engine>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::load(&Layers::new().unwrap()).unwrap();
        config.data = folder.path().to_owned();
        config.limits.request_ms = PATIENCE_MS;
        config.limits.mutation_ms = PATIENCE_MS;
        config.limits.statement_ms = PATIENCE_MS;
        // Most moves are left to be counted later, and nobody does: what is read meanwhile is what tests look at.
        config.limits.move_rows = 2;
        config.policy.wait_ms = PATIENCE_MS;
        config.policy.compiler = Some(program::path().to_owned());
        config.database = database;
        let database = Database::open(&config).await.unwrap();
        database.migrate().await.unwrap();
        let shared = || ENGINE.get_or_init(|| wiring::gate(&config, &database, None).unwrap().engine().clone()).clone();
        let engine = engine.unwrap_or_else(shared);
        let trials = Arc::new(Runner::new(engine.clone()));
        let gate = Gate::new(database.store(), engine, wiring::standard())
            .with_log(wiring::log_settings(&config))
            .with_gate_views(wiring::gate_views(&config))
            .with_long_views(wiring::long_views(&config));
        let gate = Arc::new(wiring::with_shadows(gate, &config).with_trials(trials));
        let secret = Secret::load(Some(&"5e".repeat(32)), folder.path()).unwrap();
        let app = Arc::new(wiring::app(config, gate, &secret, Clock::fixed(NOW)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = app.clone();
        let mut following = JoinSet::new();
        let shaded = app.gate.clone();
        following.spawn(async move { shaded.keep_shadows(|| Clock::system().now()).await });
        let mut served = JoinSet::new();
        served.spawn(async move {
            let stopped = async {
                // A test that ends without stopping its server stops it all the same.
                drop(stopped.await);
            };
            http::serve(serving, listener, stopped).await.unwrap();
        });
        Self {
            backend,
            url,
            operator: Operator::new(OperatorVia::CommandLine),
            app,
            client: Client::builder().no_proxy().build().unwrap(),
            ids: Mutex::new(Ids::seeded(name, NOW)),
            modules: Mutex::default(),
            stop,
            served,
            following,
            database,
            _folder: folder,
        }
    }

    /// Stops the server as an operator would.
    pub async fn stop(mut self) {
        self.stop.send(()).unwrap();
        drop(self.client);
        self.served.join_next().await.unwrap().unwrap();
        self.following.shutdown().await;
        drop(self.app);
        self.database.close().await;
    }

    /// Lets the server load what is active, from now on, as `serve` does.
    pub fn follow(&mut self, pauses: Pauses) {
        self.following.spawn(follow(self.gate().clone(), pauses));
    }

    /// The gate, for what has no page.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        &self.app.gate
    }

    /// The database, read past the server.
    #[must_use]
    pub fn stored(&self) -> Stored {
        Stored::at(self.app.config.database_url())
    }

    /// The store, for what the operator does.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.app.gate.store().as_ref()
    }

    /// Brings a workspace in as the operator.
    pub async fn import(&self, workspace: ImportWorkspace) -> ImportSummary {
        self.store().import(self.operator.import(workspace), &|_| {}).await.unwrap()
    }

    /// Brings a world in under `standard` with these settings, and learns its ids by reading as its administrator.
    pub async fn import_world(&self, world: &mut World, standard_settings: &str) {
        world.index();
        for now in world.instants() {
            let summary = self.import(world.import(now, standard_settings)).await;
            world.id = summary.workspace.unwrap().to_string();
        }
        self.learn(world).await;
    }

    /// Learns the ids of a world that is there, by reading as its administrator.
    pub async fn learn(&self, world: &mut World) {
        let names = [world.people[0].texts["userName"].as_str()];
        let found = self.operator.users_named(self.store(), world.id.parse().unwrap(), &names).await.unwrap();
        world.people[0].id = found[0].unwrap().to_string();
        let token = self.token(world, &Asker::person(0)).await;
        let mut nodes = Vec::new();
        for (list, fields) in LEARN {
            nodes.push(self.walk(&token, list, fields).await);
        }
        world.learn(&nodes);
    }

    /// Every node of a list of the workspace.
    pub async fn walk(&self, token: &str, list: &str, fields: &str) -> Vec<Json> {
        let query = format!(
            "query ($after: String) {{ page: {list}(first: 100, after: $after) {{ nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        let mut nodes = Vec::new();
        let mut after = Json::Null;
        loop {
            let mut answer = self.graphql(token, &query, json!({ "after": after })).await;
            assert_eq!(answer.get("errors"), None, "{list}");
            let page = &mut answer["data"]["page"];
            nodes.append(page["nodes"].as_array_mut().unwrap());
            if page["pageInfo"]["hasNextPage"] == false {
                return nodes;
            }
            after = page["pageInfo"]["endCursor"].take();
        }
    }

    /// A token for somebody of a world.
    pub async fn token(&self, world: &World, asker: &Asker) -> String {
        let user = asker.person.map(|person| world.people[person].id.parse().unwrap());
        let request = tokens::Request {
            kind: if user.is_some() { TokenKind::Personal } else { TokenKind::Service },
            name: "a test".to_owned(),
            user,
            scopes: asker.scopes.clone().unwrap_or_default(),
            expires_at: None,
            created_at: NOW,
        };
        let issued = tokens::issue(request, &mut *self.ids.lock().unwrap());
        let warrant = self.operator.create_token(Some(world.id.parse().unwrap()), issued.change);
        self.store().create_token(warrant).await.unwrap();
        issued.text
    }

    /// The directory as somebody of a world sees it: the gate itself, without HTTP.
    pub async fn directory(&self, world: &World, asker: &Asker) -> Directory {
        let person = asker.person.expect("services have tokens, and go through HTTP");
        let actor = directory::access::Actor::User(world.people[person].id.parse().unwrap());
        let subject = Subject {
            workspace: world.id.parse().unwrap(),
            actor,
            scopes: asker.scopes.clone(),
            expires_at: None,
            origin: Origin::within("graphql"),
        };
        self.gate().open(subject, NOW).await.unwrap()
    }

    /// Installs a module in a workspace as the operator, unless one of that name is there.
    pub async fn install(&self, workspace: WorkspaceId, name: &'static str, bytes: Arc<[u8]>) -> PolicyId {
        if let Some(known) = self.modules.lock().unwrap().get(&(workspace, name)) {
            return *known;
        }
        let mut ids = self.part_of_ids("install");
        let id = self.gate().install_policy(&self.operator, workspace, bytes, NOW, &mut ids).await.unwrap();
        self.modules.lock().unwrap().insert((workspace, name), id);
        id
    }

    /// Activates a module (or `standard`) with settings as the operator.
    pub async fn force(&self, workspace: WorkspaceId, module: Option<PolicyId>, settings: String) -> PolicyVersionId {
        let mut ids = self.part_of_ids("force");
        let forced = match module {
            Some(_) => Forced { module, settings: Some(settings), ..Forced::default() },
            None => Forced { standard_settings: Some(settings), ..Forced::default() },
        };
        self.gate().force_policy(&self.operator, workspace, forced, NOW, &mut ids).await.unwrap()
    }

    /// Lets a policy decide in a world.
    pub async fn activate(&self, world: &World, policy: &Policy) {
        let workspace = world.id.parse().unwrap();
        self.force(workspace, None, policy.standard().settings()).await;
        match policy {
            Policy::Standard(_) => {}
            Policy::NeedToKnow(_) => {
                let module = self.install(workspace, "need-to-know", wiring::need_to_know().bytes).await;
                self.force(workspace, Some(module), String::new()).await;
            }
            Policy::Rules(rules, _) => {
                let module = self.install(workspace, "rules", Arc::from(RULES)).await;
                self.force(workspace, Some(module), rules.settings(world)).await;
            }
        }
    }

    /// Ids that no other part of this host makes.
    fn part_of_ids(&self, part: &str) -> Ids {
        let next = directory::store::IdSource::next_id(&mut *self.ids.lock().unwrap());
        Ids::seeded(&format!("{part}:{next}"), NOW)
    }

    /// Asks one query; the answer has the shape that the query asks for.
    pub async fn graphql(&self, token: &str, query: &str, variables: Json) -> Json {
        let body = json!({ "query": query, "variables": variables });
        let answer = self.post(token, &body).await;
        assert_shape(query, &answer);
        answer
    }

    /// Asks any number of queries, in requests of [`BATCH`]; one answer a query, each of the shape that its query asks for.
    pub async fn graphql_all(&self, token: &str, queries: &[String]) -> Vec<Json> {
        let mut answers = Vec::with_capacity(queries.len());
        for queries in queries.chunks(BATCH) {
            let body: Vec<Json> = queries.iter().map(|query| json!({ "query": query })).collect();
            let Json::Array(found) = self.post(token, &json!(body)).await else { panic!("a batch is answered by a list") };
            assert_eq!(found.len(), queries.len());
            queries.iter().zip(&found).for_each(|(query, answer)| assert_shape(query, answer));
            answers.extend(found);
        }
        answers
    }

    async fn post(&self, token: &str, body: &Json) -> Json {
        let response = self.request(token).json(body).send().await.unwrap();
        let (status, media) = (response.status(), response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned());
        let answer: Json = response.json().await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}\n{answer}");
        assert!(media.starts_with("application/graphql-response+json"), "{media}");
        answer
    }

    /// A request to `/graphql` with a token.
    pub fn request(&self, token: &str) -> RequestBuilder {
        self.client.post(format!("{}/graphql", self.url)).bearer_auth(token).header(header::ACCEPT, "application/graphql-response+json")
    }

    /// A request to any page.
    pub fn page(&self, method: reqwest::Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token)
    }
}
