//! Swapping under load: modules come in, take turns and are rolled back while people ask over HTTP.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bailiwick::wiring;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use crate::{
    measure::{Times, millis},
    people,
    served::{self, Served},
};

/// People of the workspace.
const PEOPLE: u64 = 1_000;
/// Modules that are uploaded and activated at once.
const UPLOADS: usize = 20;
/// Activations under load.
const SWAPS: usize = 1_000;
/// Every so many of them are roll backs.
const ROLL_BACK: usize = 5;
/// Those who ask at once.
const CLIENTS: usize = 4;
/// What they ask: two decisions, which an answer of two versions would mix.
const QUERY: &str = "{ users(first: 50) { totalCount nodes { id displayName } } again: users(first: 1) { totalCount } }";
/// The opposite settings of the two modules.
const SEES: [&str; 2] = ["workspace", "self"];

/// Measures one database.
pub async fn run(name: &str, url: Option<String>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = served::config(folder.path(), url)?;
    let database = wiring::Database::open(&config).await?;
    database.migrate().await?;
    let store = database.store();
    let workspace = people::import(store.as_ref(), PEOPLE).await?;
    let [administrator, _, member] = people::first(store.as_ref(), workspace).await?;
    let administrator = served::token(store.as_ref(), workspace, administrator).await?;
    let member = served::token(store.as_ref(), workspace, member).await?;
    drop(store);
    database.close().await;

    let served = Served::start(folder.path(), &config).await?;
    served.ready().await?;
    let mut desk = Desk { served: &served, token: administrator, version: String::new() };
    desk.version = desk.active().await?;
    println!("\n## Swaps on {name}\n");
    println!("`standard` of {} KB as a workspace's own module; {CLIENTS} people ask at once.\n", wiring::standard().bytes.len() / 1_000);
    println!("| what | calls | median ms | p99 ms | bar |\n| --- | --- | --- | --- | --- |");
    let ids = desk.uploads().await?;
    desk.swaps(&ids, &member).await
}

/// The administrator at work.
struct Desk<'a> {
    served: &'a Served,
    token: String,
    /// The active version.
    version: String,
}

impl Desk<'_> {
    /// Modules that nobody has met; the ids of the last two.
    async fn uploads(&mut self) -> Result<[String; 2]> {
        progress("uploads");
        let (mut ids, mut uploads, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        // Another run may have left some behind.
        let first = usize::try_from(self.served.started.elapsed().subsec_nanos())? % 900_000;
        for number in first..first + UPLOADS {
            let start = Instant::now();
            let id = self.upload(served::distinct(number)).await?;
            uploads.push(start.elapsed());
            self.activate(&id, SEES[0]).await?;
            whole.push(start.elapsed());
            ids.push(id);
        }
        line("an upload: validated, compiled, probed", Times::sorted(uploads), "none");
        line("from an upload to the active module", Times::sorted(whole), "1,000 ms, for 50 KB");
        let last = ids.len().checked_sub(2).and_then(|last| ids.get(last..)).context("two modules")?;
        Ok(last.to_vec().try_into().map_err(|_| anyhow::anyhow!("two modules"))?)
    }

    async fn swaps(&mut self, ids: &[String; 2], member: &str) -> Result<()> {
        progress("swaps");
        let mut answers = Vec::new();
        for (id, sees) in ids.iter().zip(SEES) {
            self.activate(id, sees).await?;
            answers.push(served::data(self.served.query(member, QUERY)).await?);
        }
        let answers: Arc<[Json]> = answers.into();
        ensure!(answers.first() != answers.get(1), "opposite rules answer alike: {answers:?}");
        let stop = Arc::new(AtomicBool::new(false));
        let mut asking = JoinSet::new();
        for _ in 0..CLIENTS {
            asking.spawn(ask(self.served.query(member, QUERY), answers.clone(), stop.clone()));
        }
        let (mut activations, mut roll_backs, mut active, start) = (Vec::new(), Vec::new(), 1, Instant::now());
        for swap in 1..=SWAPS {
            active = 1 - active;
            let start = Instant::now();
            if swap % ROLL_BACK == 0 {
                self.change(Method::POST, "/v1/policies/rollback", json!({})).await?;
                roll_backs.push(start.elapsed());
            } else {
                let id = ids.get(active).context("two modules")?;
                self.activate(id, SEES.get(active).context("two settings")?).await?;
                activations.push(start.elapsed());
            }
        }
        let took = start.elapsed();
        stop.store(true, Ordering::Relaxed);
        let mut tally = Tally::default();
        for of in asking.join_all().await {
            tally.add(of);
        }
        line("an activation under load", Times::sorted(activations), "none");
        line("a roll back under load", Times::sorted(roll_backs), "100 ms");
        line("a request amid them", Times::sorted(std::mem::take(&mut tally.times)), "none");
        let rate = |count: usize| count as f64 / took.as_secs_f64();
        let asked = tally.of.iter().sum::<usize>() + tally.mixed + tally.failed;
        println!("\n| swaps | a second | requests | a second | of one module | of the other | mixed | failed |");
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        let [one, other] = tally.of;
        println!("| {SWAPS} | {:.0} | {asked} | {:.0} | {one} | {other} | {} | {} |", rate(SWAPS), rate(asked), tally.mixed, tally.failed);
        Ok(())
    }

    async fn upload(&self, bytes: Vec<u8>) -> Result<String> {
        let request = self.served.request(Method::PUT, "/v1/policies", &self.token).header(header::CONTENT_TYPE, "application/wasm");
        let response = request.body(bytes).send().await?;
        let status = response.status();
        let answer: Json = response.json().await?;
        ensure!(status == StatusCode::CREATED, "{status} {answer}");
        Ok(answer["id"].as_str().context("an id")?.to_owned())
    }

    async fn activate(&mut self, id: &str, sees: &str) -> Result<()> {
        let body = json!({ "expected": self.version, "settings": { "members_see": sees } });
        self.change(Method::POST, &format!("/v1/policies/{id}/activate"), body).await
    }

    async fn change(&mut self, method: Method, path: &str, body: Json) -> Result<()> {
        let response = self.served.request(method, path, &self.token).json(&body).send().await?;
        let status = response.status();
        let answer: Json = response.json().await?;
        ensure!(status == StatusCode::OK, "{path}: {status} {answer}");
        self.version = answer["version"].as_str().context("a version")?.to_owned();
        Ok(())
    }

    async fn active(&self) -> Result<String> {
        let list: Json = self.served.request(Method::GET, "/v1/policies", &self.token).send().await?.json().await?;
        Ok(list["active"]["id"].as_str().context("the active version")?.to_owned())
    }
}

/// What became of requests.
#[derive(Default)]
struct Tally {
    /// Those that each of the two answered.
    of: [usize; 2],
    /// Those that neither answered alone.
    mixed: usize,
    failed: usize,
    times: Vec<Duration>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        for (sum, more) in self.of.iter_mut().zip(other.of) {
            *sum += more;
        }
        self.mixed += other.mixed;
        self.failed += other.failed;
        self.times.extend(other.times);
    }
}

/// Asks again and again.
async fn ask(request: RequestBuilder, expected: Arc<[Json]>, stop: Arc<AtomicBool>) -> Tally {
    let mut tally = Tally::default();
    while let Some(request) = request.try_clone().filter(|_| !stop.load(Ordering::Relaxed)) {
        let start = Instant::now();
        let answer = served::data(request).await;
        tally.times.push(start.elapsed());
        match answer.map(|answer| expected.iter().position(|expected| *expected == answer)) {
            Ok(Some(module)) => tally.of[module] += 1,
            Ok(None) => tally.mixed += 1,
            Err(error) => {
                eprintln!("swap: {error:#}");
                tally.failed += 1;
            }
        }
    }
    tally
}

fn line(what: &str, times: Times, bar: &str) {
    println!("| {what} | {} | {} | {} | {bar} |", times.calls(), millis(times.median()), millis(times.p99()));
}

fn progress(what: &str) {
    eprintln!("swap: {what}");
}
