//! A neighbour of an attacker: how long its lists take while another workspace's module loops to the end of its fuel in every call.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use bailiwick::{
    config::{Config, Layers},
    graphql::{self, Schema},
    ids::Ids,
    wiring,
};
use directory::{
    Error,
    access::{Actor, Ask, Forced, Gate, Operator, OperatorVia, Origin, Subject},
    contract::Failure,
    ids::{UserId, WorkspaceId},
    model::Timestamp,
    query::{Order, Window},
    store::AmongUsers,
};
use tokio::task::JoinSet;

use crate::{
    guest::{Guest, Part},
    lists::execute,
    measure::{Times, millis},
    people,
};

/// People of the neighbour, and of the attacker.
const SIZES: [u64; 2] = [20_000, 1_000];
/// Requests that the attacker has under way at any time.
const CLIENTS: usize = 8;
/// Times that each state is measured, in turns, so that what the machine does besides falls on all of them alike.
const ROUNDS: usize = 10;
/// Lists of the neighbour in a round.
const CALLS: usize = 400;
/// How long a state lasts before anybody measures.
const SETTLE: Duration = Duration::from_secs(2);
/// How much the neighbour may notice.
const BAR: f64 = 1.05;

const LIST: &str = "{ users(first: 50) { nodes { id userName displayName givenName familyName status } } }";

/// Prints what the neighbour's lists take with and without the attacker, within the shares and without any.
pub async fn run(name: &str, url: Option<String>) -> Result<()> {
    println!("\n## Neighbours under attack, on {name}\n");
    println!(
        "A list of 50 of {} people, while {CLIENTS} clients of another workspace ask a module that loops in every `check`. {ROUNDS} rounds of \
         {CALLS} lists each, in turns.\n",
        SIZES[0]
    );
    println!("| shares | attacker | median ms | p99 ms | p99, beside no attacker | attacker's calls | its fuel a second, M |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let reached = measure("as they are", url.clone(), |_| ()).await?;
    // What the shares are good for: the same with shares that bound nothing.
    measure("none", url, |config| {
        config.policy.workspace_guests = 100;
        config.policy.workspace_calls = 100;
        config.policy.workspace_fuel = u64::MAX;
    })
    .await?;
    println!("\nBar: p99 within +{:.0}%; reached: {:+.1}%.", (BAR - 1.0) * 100.0, (reached - 1.0) * 100.0);
    Ok(())
}

/// One server, its neighbour and its attacker.
struct Scene {
    schema: Schema,
    gate: Arc<Gate>,
    neighbour: (WorkspaceId, UserId),
    attacker: (WorkspaceId, UserId),
}

/// What the attacker has got done.
#[derive(Default)]
struct Attack {
    stop: AtomicBool,
    calls: AtomicU64,
    /// What the calls used that looped until their fuel was gone; the others were turned away.
    fuel: AtomicU64,
}

/// Measures one kind of shares; the ratio of the neighbour's p99 with and without the attacker.
async fn measure(shares: &str, url: Option<String>, change: impl FnOnce(&mut Config)) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let mut config = Config::load(&Layers::new()?)?;
    config.data = folder.path().to_owned();
    config.database = url;
    // The attacker's module is not given up, however often it fails.
    config.policy.watch_minutes = 0;
    change(&mut config);
    let database = wiring::Database::open(&config).await?;
    database.migrate().await?;
    let mut workspaces = Vec::new();
    for (who, size) in ["neighbour", "attacker"].into_iter().zip(SIZES) {
        let key = format!("{who}-{}", shares.replace(' ', "-"));
        let workspace = people::import_as(database.store().as_ref(), &key, size, size / 100).await?;
        workspaces.push((workspace, people::first(database.store().as_ref(), workspace).await?[0]));
    }
    let scene = Scene {
        schema: graphql::schema(),
        gate: wiring::gate(&config, &database, None)?,
        neighbour: workspaces[0],
        attacker: workspaces[1],
    };
    scene.arm().await?;
    let (mut quiet, mut attacked) = (Vec::new(), Vec::new());
    let mut under_attack = Duration::ZERO;
    let attack = Arc::new(Attack::default());
    for _ in 0..ROUNDS {
        tokio::time::sleep(SETTLE).await;
        quiet.extend(scene.neighbour().await?);
        attack.stop.store(false, Ordering::Relaxed);
        let start = std::time::Instant::now();
        let clients = scene.attack(&attack);
        tokio::time::sleep(SETTLE).await;
        attacked.extend(scene.neighbour().await?);
        attack.stop.store(true, Ordering::Relaxed);
        clients.join_all().await;
        under_attack += start.elapsed();
    }
    let (quiet, attacked) = (Times::sorted(quiet), Times::sorted(attacked));
    let ratio = attacked.p99().as_secs_f64() / quiet.p99().as_secs_f64();
    println!("| {shares} | none | {} | {} | 1.00 | - | - |", millis(quiet.median()), millis(quiet.p99()));
    let fuel = attack.fuel.load(Ordering::Relaxed) as f64 / under_attack.as_secs_f64() / 1e6;
    println!(
        "| {shares} | {CLIENTS} clients | {} | {} | {ratio:.2} | {} | {fuel:.0} |",
        millis(attacked.median()),
        millis(attacked.p99()),
        attack.calls.load(Ordering::Relaxed)
    );
    drop(scene);
    database.close().await;
    Ok(ratio)
}

impl Scene {
    /// Lets the attacker's module decide in its workspace.
    async fn arm(&self) -> Result<()> {
        let looping = Guest::new().armed(Part::Check, "(loop $forever (br $forever)) (unreachable)").component();
        let now = Timestamp(1_700_000_000_000_000);
        let mut ids = Ids::seeded("an attacker", now);
        let operator = Operator::new(OperatorVia::CommandLine);
        let (workspace, _) = self.attacker;
        let module = self.gate.install_policy(&operator, workspace, looping.into(), now, &mut ids).await?;
        let armed = Forced { module: Some(module), settings: Some("armed".to_owned()), ..Forced::default() };
        self.gate.force_policy(&operator, workspace, armed, now, &mut ids).await?;
        Ok(())
    }

    /// What each of the neighbour's lists takes.
    async fn neighbour(&self) -> Result<Vec<Duration>> {
        let (workspace, user) = self.neighbour;
        let mut times = Vec::with_capacity(CALLS);
        for _ in 0..CALLS {
            let start = std::time::Instant::now();
            execute(&self.schema, &self.gate, workspace, user, LIST).await?;
            times.push(start.elapsed());
        }
        Ok(times)
    }

    /// Clients that ask and ask, whatever the answer, until they are told to stop.
    fn attack(&self, attack: &Arc<Attack>) -> JoinSet<()> {
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (gate, attack) = (self.gate.clone(), attack.clone());
            let (workspace, user) = self.attacker;
            clients.spawn(async move {
                while !attack.stop.load(Ordering::Relaxed) {
                    let failure = ask(&gate, workspace, user).await;
                    attack.calls.fetch_add(1, Ordering::Relaxed);
                    if let Some(Failure::Fuel(fuel)) = failure {
                        attack.fuel.fetch_add(fuel, Ordering::Relaxed);
                    }
                }
            });
        }
        clients
    }
}

/// Why the attacker's list came to nothing.
async fn ask(gate: &Arc<Gate>, workspace: WorkspaceId, user: UserId) -> Option<Failure> {
    let subject = Subject { workspace, actor: Actor::User(user), scopes: None, expires_at: None, origin: Origin::within("graphql") };
    let directory = gate.open(subject, Timestamp(1_700_000_000_000_000)).await.ok()?;
    let window = Window { rows: 50, ..Window::default() };
    match directory.list_users(Ask { among: AmongUsers::All, filter: None, order: Order::default(), window }).await {
        Err(Error::Policy(failure)) => Some(failure),
        _ => None,
    }
}
