//! `bailiwick policy`: what the operator does with a workspace's policies, and what its own people do through a server.

mod activate;
mod bench;
mod change;
mod check;
mod compare;
mod history;
mod log;
mod new;
mod push;
mod shadow;
mod templates;
mod test;

use directory::{
    access::RollBack,
    ids::{PolicyVersionId, WorkspaceId},
    store::Store,
};
use jiff::Timestamp as Instant;

use super::{
    open, print,
    remote::{OptionalPlace, Remote},
};
use crate::{clock::Clock, config::Config, ids::Ids, wiring};

/// Write and test policies, look at those of a workspace, compare them, and break the glass
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    New(new::New),
    Check(check::Check),
    Bench(bench::Bench),
    Test(test::Test),
    Push(push::Push),
    List(List),
    Activate(activate::Activate),
    Rollback(Rollback),
    Compare(compare::Arguments),
    #[command(subcommand)]
    Shadow(shadow::Command),
    History(history::History),
    Log(log::Log),
}

/// List what was active in a workspace, the active version first
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints the policy versions of a workspace (module, settings and `standard` as they were activated together), the \
        active one first, and the modules that were uploaded.",
    after_long_help = "\
Examples:
  bailiwick policy list --workspace acme"
)]
pub(super) struct List {
    /// The workspace's key
    #[arg(long, value_name = "KEY")]
    workspace: String,
}

/// Activate an earlier policy version again: through a server, or with --workspace past every gate
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Activates an earlier policy version of a workspace again, settings included. Through a server, with somebody's token, it \
        passes every gate.\n\n\
        With --workspace, for whoever has the database, it breaks the glass, without asking the active one. Servers follow with their next request. It is itself an activation, and can be rolled back.",
    after_long_help = "\
Examples:
  bailiwick policy rollback                        To the version before
  bailiwick policy rollback --expected pov_0190c7f1a5b87e1c9d2f3a4b5c6d7e8f
  bailiwick policy rollback --workspace acme       The same, past every gate
  bailiwick policy rollback --workspace acme --note 'ticket 12'
  bailiwick policy rollback --workspace acme --to pov_0190c7f1a5b87e1c9d2f3a4b5c6d7e8f"
)]
pub(super) struct Rollback {
    #[command(flatten)]
    place: OptionalPlace,
    /// The workspace's key: past every gate, in the database itself
    #[arg(long, value_name = "KEY")]
    workspace: Option<String>,
    /// The version's id, as `policy list` prints it [default: the one before the active one]
    #[arg(long, value_name = "ID")]
    to: Option<PolicyVersionId>,
    /// The version that must be active until now, so that two who go back at once do not go back twice [default: whichever is]
    #[arg(long, value_name = "ID", conflicts_with = "workspace")]
    expected: Option<PolicyVersionId>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", requires = "workspace")]
    note: Option<String>,
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    match command {
        Command::New(new) => new::run(new),
        Command::Check(check) => check::run(check, config).await,
        Command::Bench(bench) => bench::run(bench, config).await,
        Command::Test(test) => test::run(test, config).await,
        Command::Push(push) => push::run(push).await,
        Command::Log(log) => log::run(log).await,
        Command::Compare(arguments) => compare::run(arguments).await,
        Command::Shadow(command) => shadow::run(command).await,
        Command::List(List { workspace }) => {
            let database = open::database(config).await?;
            let store = database.store();
            let workspace = open::workspace(store.as_ref(), &workspace).await?.id;
            list(store.as_ref(), workspace).await?;
            database.close().await;
            Ok(())
        }
        Command::Activate(arguments) => activate::run(arguments, config).await,
        Command::Rollback(arguments) => roll_back(arguments, config).await,
        Command::History(arguments) => history::run(arguments, config).await,
    }
}

async fn roll_back(arguments: Rollback, config: &Config) -> anyhow::Result<()> {
    let Rollback { place, workspace, to, expected, note } = arguments;
    let Some(workspace) = workspace else {
        let remote = Remote::new(place.place()?)?;
        let text = |version: PolicyVersionId| version.to_string();
        let active = change::roll_back(&remote, to.map(text), expected.map(text)).await?;
        print(&format!("active: {active}"));
        return Ok(());
    };
    let database = open::database(config).await?;
    let workspace = open::workspace(database.store().as_ref(), &workspace).await?.id;
    let gate = wiring::gate(config, &database, None)?;
    let (now, mut ids) = (Clock::system().now(), Ids::random(Clock::system()));
    let active = gate.force_roll_back(&open::operator(), workspace, RollBack { to, note }, now, &mut ids).await?;
    print(&format!("active: {active}"));
    database.close().await;
    Ok(())
}

/// Prints the policy versions and modules of a workspace.
pub(super) async fn list(store: &dyn Store, workspace: WorkspaceId) -> anyhow::Result<()> {
    let (versions, modules) = open::operator().policies(store, workspace).await?;
    for (index, version) in versions.iter().enumerate() {
        let module = modules.iter().find(|module| Some(module.id) == version.module);
        let name = module.map_or_else(|| "standard".to_owned(), |module| format!("{} {}", module.name, module.version));
        let at = Instant::from_microsecond(version.activated_at.0).unwrap_or(Instant::UNIX_EPOCH);
        let state = if index == 0 { "active" } else { "earlier" };
        let repeats = version.repeats.map_or_else(String::new, |id| format!("  repeats: {id}"));
        print(&format!("{}  {state}  {name}  activated: {at:.0}{repeats}", version.id));
    }
    for module in modules {
        print(&format!("{}  {}  {} {}  {}", module.id, module.status.name(), module.name, module.version, module.digest));
    }
    Ok(())
}
