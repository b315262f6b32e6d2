//! `bailiwick serve`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use directory::access::{Gate, Operator, OperatorVia};
use tokio::{net::TcpListener, task::JoinSet};

use super::open;
use crate::{
    app::App,
    clock::Clock,
    config::{Config, Layers},
    follow::{Pauses, follow},
    http, wiring,
};

/// Run the server
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Runs the server until Ctrl-C or SIGTERM; requests that run then are given `limits.shutdown_ms` to end.",
    after_long_help = "\
Examples:
  bailiwick serve                                  What is in ./data, on 127.0.0.1:8080
  bailiwick serve --migrate --listen 0.0.0.0:80    Bring the schema up to date first
  bailiwick serve --database postgres://bailiwick@db/bailiwick
  BAILIWICK_LOG__FORMAT=text bailiwick serve       Any setting by a variable"
)]
pub(super) struct Arguments {
    /// Listen here [default: 127.0.0.1:8080]; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Bring the database's schema up to date first, instead of refusing to start
    #[arg(long)]
    migrate: bool,
}

/// What the arguments set.
pub(super) fn options(arguments: &Arguments, layers: &mut Layers) {
    if let Some(listen) = arguments.listen {
        layers.option("--listen", "listen", &listen.to_string());
    }
}

pub(super) async fn run(arguments: Arguments, config: Config) -> anyhow::Result<()> {
    // First, so that a mistyped folder is not made.
    let database = if arguments.migrate { open::unchecked(&config).await? } else { open::database(&config).await? };
    let secret = open::secret(&config)?;
    if arguments.migrate {
        database.migrate().await?;
    }
    let gate = wiring::gate(&config, &database, Some(&secret))?;
    let stopped = stopped()?;
    let listener = listen(&config).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let app = wiring::app(config, gate, &secret, Clock::system());
    serve(app, listener, stopped).await?;
    database.close().await;
    Ok(())
}

/// Serves until `stopped` is ready, and does the server's own work meanwhile: the active policies are loaded, decisions recorded, shadows asked, the
/// recycle bin emptied, moves counted, and the database tidied.
pub(super) async fn serve(app: App, listener: TcpListener, stopped: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut work = JoinSet::new();
    work.spawn(follow(app.gate.clone(), Pauses::default()));
    work.spawn(purge(app.gate.clone(), app.clock.clone()));
    work.spawn(tidy(app.gate.clone()));
    work.spawn(finish_moves(app.gate.clone()));
    let (gate, clock) = (app.gate.clone(), app.clock.clone());
    work.spawn(async move { gate.keep_decisions(|| clock.now()).await });
    let (gate, clock) = (app.gate.clone(), app.clock.clone());
    work.spawn(async move { gate.keep_shadows(|| clock.now()).await });
    let (gate, clock) = (app.gate.clone(), app.clock.clone());
    http::serve(Arc::new(app), listener, stopped).await?;
    work.shutdown().await;
    gate.flush_decisions(clock.now()).await?;
    gate.flush_shadows().await;
    Ok(())
}

/// Between two looks at what stood in the recycle bin for long enough.
const PURGE_PAUSE: Duration = Duration::from_secs(3_600);

/// Empties the recycle bin, as the operator, as long as the server runs.
async fn purge(gate: Arc<Gate>, clock: Clock) {
    let operator = Operator::new(OperatorVia::Server);
    loop {
        match gate.store().purge(operator.purge(clock.now())).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "the recycle bin forgot what was older than it keeps"),
            Err(error) => tracing::warn!(%error, "the recycle bin could not be emptied, which is tried again in an hour"),
        }
        tokio::time::sleep(PURGE_PAUSE).await;
    }
}

/// Between two times that the database is tidied.
const TIDY_PAUSE: Duration = Duration::from_secs(10);

/// Tidies the database, as long as the server runs.
async fn tidy(gate: Arc<Gate>) {
    loop {
        tokio::time::sleep(TIDY_PAUSE).await;
        if let Err(error) = gate.store().tidy().await {
            tracing::debug!(%error, "the database was not tidied, which is tried again");
        }
    }
}

/// Between two looks for moves that are still to be counted.
const MOVES_PAUSE: Duration = Duration::from_millis(500);
/// Between two portions of one, for others who want to write.
const PORTIONS_PAUSE: Duration = Duration::from_millis(10);

/// Counts what moves of large groups have left for later, as long as the server runs.
async fn finish_moves(gate: Arc<Gate>) {
    loop {
        let pause = match gate.store().finish_moves().await {
            Ok(true) => PORTIONS_PAUSE,
            Ok(false) => MOVES_PAUSE,
            Err(error) => {
                tracing::warn!(%error, "a move could not be counted, which is tried again");
                MOVES_PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Listens as configured.
pub(super) async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.listen;
    TcpListener::bind(address).await.with_context(|| format!("can not listen on {address}; choose another address with --listen"))
}

/// Waits for Ctrl-C or SIGTERM. Listens from the call on, not only once it is awaited: call it before anybody is told that the server
/// runs.
///
/// # Errors
/// The system's, if it lets nobody listen.
#[cfg(unix)]
pub(super) fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        tracing::info!("stopping");
    })
}

/// Waits for Ctrl-C.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub(super) fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "Ctrl-C can not be awaited");
            std::future::pending::<()>().await;
        }
    })
}
