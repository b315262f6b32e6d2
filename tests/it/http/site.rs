//! One more server beside the test host's, on the same gate, set up as a case wants it.

use std::sync::Arc;

use bailiwick::{
    clock::Clock,
    config::{Config, Layers, Mode},
    demo::{self, Demo, Place},
    http::{self, DemoPeople},
    ids::Ids,
    secret::Secret,
    trials::Runner,
    wiring,
};
use directory::access::Gate;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header};
use serde_json::{Value as Json, json};
use tests::{Backend, TestHost, host::NOW, on_each_database};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// A server with the demo's people.
pub(super) struct Site {
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub(super) url: String,
    /// The gate that it asks: the test host's database and engine, and the watch that the configuration wants.
    pub(super) gate: Arc<Gate>,
    /// The demo.
    pub(super) demo: Demo,
    /// A client that keeps no connections, so that each request has one of its own.
    pub(super) client: Client,
    stop: Option<oneshot::Sender<()>>,
    /// The running server.
    pub(super) served: JoinHandle<std::io::Result<()>>,
}

/// Runs a case on a server in production mode on each database.
pub(super) fn on_sites(case: impl AsyncFn(&mut Site) + Sync) {
    on_each_database(async |host| run(host, &production, &case).await);
}

/// The same on a server set up by `change`.
pub(super) fn on_sites_with(change: impl Fn(&mut Config) + Sync, case: impl AsyncFn(&mut Site) + Sync) {
    on_each_database(async |host| run(host, &change, &case).await);
}

/// Runs a case that no database has to do with, on a server set up by `change`.
pub(super) fn on_site(change: impl Fn(&mut Config) + Sync, case: impl AsyncFn(&mut Site) + Sync) {
    on_each_database(async |host| {
        if host.backend == Backend::Sqlite {
            run(host, &change, &case).await;
        }
    });
}

pub(super) fn production(_: &mut Config) {}

pub(super) fn development(config: &mut Config) {
    config.mode = Mode::Development;
}

async fn run(host: &TestHost, change: &impl Fn(&mut Config), case: &impl AsyncFn(&mut Site)) {
    let mut site = Site::start(host, change).await;
    case(&mut site).await;
    site.stop();
    site.served.await.unwrap().unwrap();
}

impl Site {
    async fn start(host: &TestHost, change: impl Fn(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::load(&Layers::new().unwrap()).unwrap();
        change(&mut config);
        let secret = || Secret::load(Some(&"5e".repeat(32)), folder.path()).unwrap();
        let engine = host.gate().engine().clone();
        let trials = Arc::new(Runner::new(engine.clone()));
        let gate = Gate::new(host.gate().store().clone(), engine, wiring::standard())
            .with_log(wiring::log_settings(&config))
            .with_gate_views(wiring::gate_views(&config))
            .with_long_views(wiring::long_views(&config));
        let gate = Arc::new(gate.with_watch(wiring::watch(&config), Box::new(Ids::seeded("watch", NOW))).with_trials(trials));
        let demo = demo::prepare(&Place { gate: gate.clone(), secret: secret() }, None, &|_, _| {}).await.unwrap();
        let mut app = wiring::app(config, gate.clone(), &secret(), Clock::fixed(NOW));
        app.demo = Some(DemoPeople::new(demo.people()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        #[expect(clippy::disallowed_methods, reason = "the site owns the task, and its tests join it")]
        let served = tokio::spawn(http::serve(Arc::new(app), listener, async { drop(stopped.await) }));
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { url, gate, demo, client, stop: Some(stop), served }
    }

    /// Begins to stop the server.
    pub(super) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Where it listens, without the scheme.
    pub(super) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// The token of somebody of `acme`.
    pub(super) fn token(&self, name: &str) -> &str {
        let acme = self.demo.workspaces.iter().find(|workspace| workspace.key == "acme").unwrap();
        &acme.people.iter().find(|person| person.name == name).unwrap().token
    }

    pub(super) fn admin(&self) -> &str {
        self.token("Amara Okafor")
    }

    pub(super) fn member(&self) -> &str {
        self.token("Léa Moreau")
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A POST to `/graphql` without a token.
    pub(super) fn post(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, "/graphql").header(header::CONTENT_TYPE, "application/json").body(body)
    }

    /// A query as the administrator.
    pub(super) fn ask(&self, query: &str) -> RequestBuilder {
        self.post(json!({ "query": query }).to_string()).bearer_auth(self.admin())
    }
}

/// The status and the JSON of an answer.
pub(super) async fn answer(request: RequestBuilder) -> (StatusCode, Json) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

/// The code of the only error of an answer, inside GraphQL or outside.
#[track_caller]
pub(super) fn code(answer: &Json) -> &str {
    let errors = answer["errors"].as_array();
    let code = match errors {
        Some(errors) => {
            assert_eq!(errors.len(), 1, "{answer}");
            &errors[0]["extensions"]["code"]
        }
        None => &answer["error"]["code"],
    };
    code.as_str().unwrap_or_else(|| panic!("no code in {answer}"))
}

/// A header of an answer, empty if it is missing.
pub(super) fn head<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}
