//! A start with many workspaces on many modules, with the code that an earlier start kept and without.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use bailiwick::{clock::Clock, ids::Ids, wiring};
use directory::{
    contract::Digest,
    ids::{PolicyId, UserId, WorkspaceId},
    model::{Author, PolicyModule, PolicyStatus, Step},
    store::{ActivatePolicy, IdSource as _, NewPolicyStep, NewPolicyVersion, Store, UploadPolicy},
};
use sha2::{Digest as _, Sha256};

use crate::{
    people,
    served::{self, OPERATOR, Served},
};

/// Workspaces, each with its administrator.
const WORKSPACES: usize = 1_000;
/// Modules that they share.
const MODULES: usize = 100;
/// Starts with kept code.
const STARTS: usize = 3;
const QUERY: &str = "{ viewer { id user { id displayName } } users(first: 10) { totalCount } }";

/// Measures one database.
pub async fn run(name: &str, url: Option<String>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = served::config(folder.path(), url)?;
    let database = wiring::Database::open(&config).await?;
    database.migrate().await?;
    let store = database.store();
    let mut last = None;
    for number in 0..WORKSPACES {
        if number % 100 == 0 {
            eprintln!("start: {number} workspaces on {name}");
        }
        last = Some(workspace(store.as_ref(), number).await?);
    }
    // By its id, which grows with time, it is looked at last.
    let (workspace, user) = last.context("a workspace")?;
    let token = served::token(store.as_ref(), workspace, user).await?;
    drop(store);
    database.close().await;

    println!("\n## A start with {WORKSPACES} workspaces on {MODULES} modules on {name}\n");
    println!(
        "| start | ready after | first answer after | memory, MB | of it in no file | kept code, MB |\n| --- | --- | --- | --- | --- | --- |"
    );
    for start in 0..=STARTS {
        let served = Served::start(folder.path(), &config).await?;
        let (ready, answered) = tokio::try_join!(served.ready(), first_answer(&served, &token))?;
        let what = if start == 0 { "without kept code" } else { "with kept code" };
        let (memory, anonymous) = served.memory()?;
        let code = megabytes(&folder.path().join("code"))?;
        println!("| {what} | {} | {} | {memory:.0} | {anonymous:.0} | {code:.0} |", seconds(ready), seconds(answered));
    }
    Ok(())
}

/// Asks until it is answered, from when the server listens; how long after its start that was.
async fn first_answer(served: &Served, token: &str) -> Result<Duration> {
    served::data(served.query(token, QUERY)).await?;
    Ok(served.started.elapsed())
}

/// A workspace on one of the modules, and its administrator; past the validation, which would compile.
async fn workspace(store: &dyn Store, number: usize) -> Result<(WorkspaceId, UserId)> {
    let workspace = people::import_as(store, &format!("start-{number}"), 3, 3).await?;
    let [administrator, ..] = people::first(store, workspace).await?;
    let clock = Clock::system();
    let mut ids = Ids::random(clock.clone());
    let bytes: Arc<[u8]> = served::distinct(number % MODULES).into();
    let module = PolicyModule {
        id: PolicyId(ids.next_id()),
        digest: Digest(Sha256::digest(&bytes).into()),
        name: "standard".to_owned(),
        version: "1".to_owned(),
        status: PolicyStatus::Validated,
        reasons: Vec::new(),
        size: bytes.len() as u64,
        uploaded_by: None,
        uploaded_at: clock.now(),
        note: None,
    };
    let module = store.upload_policy(OPERATOR.upload_policy(workspace, UploadPolicy { module, bytes, steps: Vec::new() })).await?;
    let active = store.snapshot(workspace).await?.context("the workspace")?.head().await?.version;
    let version = NewPolicyVersion { module: Some(module), ..people::standard(&mut ids, clock.now()) };
    let step = NewPolicyStep::new(Step::ActivationForced, clock.now(), Author::Operator, "command-line");
    let step = NewPolicyStep { module: Some(module), version: Some(version.id), ..step };
    let change = ActivatePolicy { expected: active, version, step, tests: None };
    store.activate_policy(OPERATOR.activate_policy(workspace, change)).await?;
    Ok((workspace, administrator))
}

/// MB of the files of a folder.
fn megabytes(folder: &Path) -> Result<f64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes as f64 / 1e6)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
