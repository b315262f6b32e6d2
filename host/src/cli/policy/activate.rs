//! `bailiwick policy activate`.

use directory::{
    Error,
    access::Forced,
    ids::{InvalidId, PolicyId, PolicyVersionId},
};

use super::{
    super::{
        Usage, open, print,
        remote::{OptionalPlace, Remote},
        settings::Settings,
        warn,
        workspace::check_settings,
    },
    change,
};
use crate::{clock::Clock, config::Config, ids::Ids, wiring};

/// Activate a module, or `standard`: through a server, or with --workspace past every gate
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Lets a module that was uploaded decide from the next request on. Through a server, with somebody's token, it passes every \
        gate: settings, lock-out guard, agreement, policy tests.\n\n\
        With --workspace, for whoever has the database, it breaks the glass: lets a module that was uploaded to a workspace, or `standard` alone, decide from now on, without asking the \
        policy that decides now and past every gate: settings, lock-out guard, agreement, policy tests. Servers follow with their next request. It stands \
        in the history as forced, and can be rolled back.",
    after_long_help = "\
Examples:
  bailiwick policy activate pol_0190c7f1a5b87e1c9d2f3a4b5c6d7e8f --note 'ticket 12'
  bailiwick policy activate pol_0190c7f1a5b87e1c9d2f3a4b5c6d7e8f --settings @strict.json
  bailiwick policy activate --workspace acme standard --note 'ticket 12'
  bailiwick policy activate --workspace acme pol_0190c7f1a5b87e1c9d2f3a4b5c6d7e8f --settings '{\"mode\": \"strict\"}'
  bailiwick policy activate --workspace acme standard --settings '{\"members_see\": \"self\"}'"
)]
pub(in crate::cli) struct Activate {
    #[command(flatten)]
    place: OptionalPlace,
    /// The workspace's key: past every gate, in the database itself
    #[arg(long, value_name = "KEY")]
    workspace: Option<String>,
    /// The version that must be active until now [default: whichever is]
    #[arg(long, value_name = "ID", conflicts_with = "workspace")]
    expected: Option<PolicyVersionId>,
    /// The module's id, as `policy list` prints it, or `standard`
    #[arg(value_name = "MODULE")]
    module: Module,
    /// Settings of the module, or a file with them; of `standard` if it decides alone [default: the active ones, or else its own defaults]
    #[arg(long, value_name = "JSON|@FILE")]
    settings: Option<Settings>,
    /// Settings of the `standard` behind a module, or a file with them [default: the active ones]
    #[arg(long, value_name = "JSON|@FILE")]
    standard_settings: Option<Settings>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// A module, or `standard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Module(Option<PolicyId>);

impl std::str::FromStr for Module {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == "standard" { Ok(Self(None)) } else { text.parse().map(|id| Self(Some(id))) }
    }
}

/// Nobody is kept from breaking the glass.
fn warn_of(settings: &str) {
    warn(&format!("{settings}; it is activated all the same and denies everything under them, until others are activated in this way"));
}

pub(super) async fn run(arguments: Activate, config: &Config) -> anyhow::Result<()> {
    let Activate { place, workspace, expected, module: Module(module), settings, standard_settings, note } = arguments;
    if module.is_none() && settings.is_some() && standard_settings.is_some() {
        let both = "`--settings` and `--standard-settings` are both those of `standard` where it decides alone; give one of them";
        return Err(Usage(both).into());
    }
    let (settings, standard_settings) = (settings.map(|given| given.0), standard_settings.map(|given| given.0));
    let (settings, standard_settings) = match module {
        Some(_) => (settings, standard_settings),
        None => (None, settings.or(standard_settings)),
    };
    let Some(workspace) = workspace else {
        let remote = Remote::new(place.place()?)?;
        let expected = match expected {
            Some(expected) => expected.to_string(),
            None => change::active(&remote).await?,
        };
        let module = module.map(|module| module.to_string());
        let active = change::activate(&remote, module.as_deref(), &expected, (settings, standard_settings), note).await?;
        print(&format!("active: {active}"));
        return Ok(());
    };
    let database = open::database(config).await?;
    let workspace = open::workspace(database.store().as_ref(), &workspace).await?.id;
    let gate = wiring::gate(config, &database, None)?;
    if let Some(settings) = &standard_settings
        && let Err(refused) = check_settings(gate.engine().as_ref(), settings).await
    {
        warn_of(&format!("{refused:#}"));
    }
    if let (Some(module), Some(settings)) = (module, &settings) {
        match gate.objections(workspace, module, settings).await {
            Ok(errors) if errors.is_empty() => {}
            Err(refused @ (Error::NotFound(_) | Error::Refused(_))) => return Err(refused.into()),
            Ok(errors) => warn_of(&format!("`{module}` refuses its settings: {}", errors.join("; "))),
            Err(failure) => warn(&format!("`{module}` can not be asked about its settings: {failure}; it is activated all the same")),
        }
    }
    let forced = Forced { module, settings, standard_settings, note };
    let (now, mut ids) = (Clock::system().now(), Ids::random(Clock::system()));
    let active = gate.force_policy(&open::operator(), workspace, forced, now, &mut ids).await?;
    print(&format!("active: {active}"));
    database.close().await;
    Ok(())
}
