//! `bailiwick policy`: what the operator does with a workspace's policies, and what its own people do through a server.

mod activate;
mod bench;
mod change;
mod check;
mod compare;
mod history;
pub(super) mod list;
mod log;
mod new;
mod push;
mod shadow;
mod templates;
mod test;

use directory::{access::RollBack, ids::PolicyVersionId};

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
    List(list::List),
    Activate(activate::Activate),
    Rollback(Rollback),
    Compare(compare::Arguments),
    #[command(subcommand)]
    Shadow(shadow::Command),
    History(history::History),
    Log(log::Log),
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
    #[arg(long, value_name = "TEXT")]
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
        Command::List(arguments) => list::run(arguments, config).await,
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
        let active = change::roll_back(&remote, to.map(text), expected.map(text), note).await?;
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
