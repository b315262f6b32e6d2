//! The server as a process of its own, and people who ask it over HTTP.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use bailiwick::{
    clock::Clock,
    config::{Config, Layers},
    ids::Ids,
    tokens, wiring,
};
use directory::{
    access::{Operator, OperatorVia},
    ids::{UserId, WorkspaceId},
    model::TokenKind,
    store::Store,
};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value as Json, json};

/// Between two looks at something that is about to happen.
const PAUSE: Duration = Duration::from_millis(5);
/// Until it must have happened.
const PATIENCE: Duration = Duration::from_secs(600);

/// The operator, by whom scenes are set.
pub const OPERATOR: Operator = Operator::new(OperatorVia::CommandLine);

/// A running server, killed when it is dropped.
pub struct Served {
    child: Child,
    /// When it was started.
    pub started: Instant,
    url: String,
    client: Client,
}

impl Served {
    /// Starts `serve` on a database, and waits until it listens.
    pub async fn start(data: &Path, config: &Config) -> Result<Self> {
        let log = data.join("log");
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BAILIWICK_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--database", &config.database_url(), "--data"]).arg(data);
        // A file, unlike a pipe, takes whatever is logged without anybody reading along; requests are not logged.
        command.env("BAILIWICK_LOG__FILTER", "info,http=warn,audit=warn");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let started = Instant::now();
        let child = command.spawn()?;
        let client = Client::builder().no_proxy().build()?;
        let mut served = Self { child, started, url: String::new(), client };
        while served.url.is_empty() {
            ensure!(started.elapsed() < PATIENCE && served.child.try_wait()?.is_none(), "{}", fs::read_to_string(&log)?);
            tokio::time::sleep(PAUSE).await;
            let logged = fs::read_to_string(&log)?;
            let mut lines = logged.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
            let listening = lines.find(|line| line["message"] == "listening");
            served.url = listening.and_then(|line| Some(format!("http://{}", line["address"].as_str()?))).unwrap_or_default();
        }
        Ok(served)
    }

    /// Waits until it is ready; answers how long after its start that was.
    pub async fn ready(&self) -> Result<Duration> {
        loop {
            let answer = self.request(Method::GET, "/readyz", "").send().await?;
            if answer.status() == StatusCode::OK {
                let took = self.started.elapsed();
                let body: Json = answer.json().await?;
                ensure!(body["closedWorkspaces"].is_null(), "{body}");
                return Ok(took);
            }
            ensure!(self.started.elapsed() < PATIENCE, "it is not ready: {}", answer.text().await?);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// A request with a token.
    pub fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(token)
    }

    /// A query with a token.
    pub fn query(&self, token: &str, query: &str) -> RequestBuilder {
        self.request(Method::POST, "/graphql", token).json(&json!({ "query": query }))
    }

    /// MB that it holds in memory now, and those of them that are in no file.
    pub fn memory(&self) -> Result<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no `{name}`"))?;
            let kib: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?;
            anyhow::Ok(kib * 1024.0 / 1e6)
        };
        Ok((field("VmRSS")?, field("RssAnon")?))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

/// What an answer says, if it is 200 and says so without errors.
pub async fn data(request: RequestBuilder) -> Result<Json> {
    let response = request.send().await?;
    let status = response.status();
    let mut answer: Json = response.json().await?;
    if status != StatusCode::OK || !answer["errors"].is_null() {
        bail!("{status} {answer}");
    }
    Ok(answer["data"].take())
}

/// A token of somebody.
pub async fn token(store: &dyn Store, workspace: WorkspaceId, user: UserId) -> Result<String> {
    let clock = Clock::system();
    let request = tokens::Request {
        kind: TokenKind::Personal,
        name: "a benchmark".to_owned(),
        user: Some(user),
        scopes: Vec::new(),
        expires_at: None,
        created_at: clock.now(),
    };
    let issued = tokens::issue(request, &mut Ids::random(clock));
    store.create_token(OPERATOR.create_token(Some(workspace), issued.change)).await?;
    Ok(issued.text)
}

/// The configuration of a server that keeps its own in this folder.
pub fn config(data: &Path, database: Option<String>) -> Result<Config> {
    let mut config = Config::load(&Layers::new()?)?;
    config.data = data.to_owned();
    config.database = database;
    Ok(config)
}

/// `standard` as a module like no other: the same code with a section more, in which nobody looks.
pub fn distinct(number: usize) -> Vec<u8> {
    let mut bytes = wiring::standard().bytes.to_vec();
    let name = format!("number {number:06}");
    // A custom section: its id, its length, the length of its name, its name, and nothing in it.
    bytes.extend([0, name.len() as u8 + 1, name.len() as u8]);
    bytes.extend(name.as_bytes());
    bytes
}
