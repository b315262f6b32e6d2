//! `bailiwick workspace`.

use anyhow::{Context as _, bail};
use directory::{
    access::Gate,
    contract::Engine,
    ids::PolicyVersionId,
    limits::{KEY_CHARS, TEXT_CHARS},
    model::{Provenance, Role, Status, UserText, Workspace},
    store::{IdSource as _, ImportPerson, ImportWorkspace, NewPolicyVersion},
    text::fold,
};

use super::{open, print, settings::Settings};
use crate::{clock::Clock, config::Config, ids::Ids, organisations::text, wiring};

/// List, show and create workspaces
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    List(List),
    Show(Show),
    Create(Create),
    Quota(Quota),
}

/// List every workspace
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints id, key, name and number of users of each workspace, in the order of their keys.",
    after_long_help = "\
Examples:
  bailiwick workspace list"
)]
pub(super) struct List {}

/// Show one workspace
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints what the operator may know of a workspace: id, key, name, users and quota, and what decides. Who is in it, it \
        only tells its own.",
    after_long_help = "\
Examples:
  bailiwick workspace show acme"
)]
pub(super) struct Show {
    /// The workspace's key
    key: String,
}

/// Say how many users a workspace may have
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Sets the number of users that a workspace may have, whoever adds them. Those that it has stay, also if they are more.",
    after_long_help = "\
Examples:
  bailiwick workspace quota acme 500
  bailiwick workspace quota acme none"
)]
pub(super) struct Quota {
    /// The workspace's key
    key: String,
    /// How many users, or `none` for no limit
    #[arg(value_name = "USERS", value_parser = limit)]
    users: Limit,
}

/// A quota, or none.
#[derive(Clone, Copy, Debug)]
struct Limit(Option<u64>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let number = text.parse().ok().filter(|number| *number > 0);
    number.map(|number| Limit(Some(number))).ok_or_else(|| "write a number from 1, or `none`".to_owned())
}

/// Create a workspace with one administrator
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Creates a workspace, decided by the policy `standard`, with one active user who holds the role `administrator`: a \
        workspace is never without one. `bailiwick token create` makes the token with which that user begins.",
    after_long_help = "\
Examples:
  bailiwick workspace create acme --administrator ada@acme.example
  bailiwick workspace create acme --name 'Acme Ltd' --quota 500 --administrator ada@acme.example \\
    --settings '{\"members_see\": \"workspace\"}'"
)]
pub(super) struct Create {
    /// Unique on the server, and never changed
    key: String,
    /// For people [default: the key]
    #[arg(long)]
    name: Option<String>,
    /// How many users it may have [default: no limit]
    #[arg(long, value_name = "USERS", value_parser = clap::value_parser!(u64).range(1..))]
    quota: Option<u64>,
    /// E-mail address, and user name, of the first user
    #[arg(long, value_name = "EMAIL")]
    administrator: String,
    /// Settings of `standard`, or a file with them [default: its own]
    #[arg(long, value_name = "JSON|@FILE", default_value = "", hide_default_value = true)]
    settings: Settings,
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let database = open::database(config).await?;
    let store = database.store();
    match command {
        Command::List(List {}) => {
            for row in open::operator().workspaces(store.as_ref()).await? {
                print(&line(&row));
            }
        }
        Command::Show(Show { key }) => {
            let workspace = open::workspace(store.as_ref(), &key).await?;
            print(&line(&workspace));
            let quota = workspace.user_quota.shown().copied().flatten();
            print(&format!("quota: {}", quota.map_or_else(|| "none".to_owned(), |quota| quota.to_string())));
            super::policy::list::show_stored(store.as_ref(), workspace.id).await?;
        }
        Command::Quota(Quota { key, users: Limit(quota) }) => {
            let workspace = open::workspace(store.as_ref(), &key).await?;
            store.write(open::operator().set_quota(workspace.id, quota, Clock::system().now())).await?;
            print(&format!("quota: {}", quota.map_or_else(|| "none".to_owned(), |quota| quota.to_string())));
        }
        Command::Create(create) => {
            let gate = wiring::gate(config, &database, None)?;
            self::create(&gate, create).await?;
        }
    }
    database.close().await;
    Ok(())
}

fn line(row: &Workspace) -> String {
    let [key, name] = [&row.key, &row.name].map(|text| text.shown().map_or("", String::as_str));
    format!("{}  {key}  {name}  users: {}", row.id, row.user_count.shown().copied().unwrap_or_default())
}

async fn create(gate: &Gate, create: Create) -> anyhow::Result<()> {
    let key = text(&create.key, KEY_CHARS).map_err(|rule| anyhow::anyhow!("the key `{}` {rule}", create.key))?;
    let name = create.name.as_deref().unwrap_or(&key);
    let name = text(name, TEXT_CHARS).map_err(|rule| anyhow::anyhow!("the name `{name}` {rule}"))?;
    let email = text(&create.administrator, TEXT_CHARS).ok().filter(|email| {
        email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
    });
    let email = email.with_context(|| format!("`{}` is no e-mail address; write for example ada@acme.example", create.administrator))?;
    check_settings(gate.engine().as_ref(), &create.settings.0).await?;
    let operator = open::operator();
    if open::workspace(gate.store().as_ref(), &key).await.is_ok() {
        bail!("workspace `{key}` exists; choose another key, or see `bailiwick workspace show {key}`");
    }
    let (now, mut ids) = (Clock::system().now(), Ids::random(Clock::system()));
    let policy = NewPolicyVersion {
        id: PolicyVersionId(ids.next_id()),
        module: None,
        settings: String::new(),
        standard: wiring::standard().digest,
        standard_settings: create.settings.0,
        activated_by: None,
        activated_at: now,
        repeats: None,
        note: None,
    };
    let administrator = ImportPerson {
        issuer: "email".to_owned(),
        identifier: fold(&email),
        texts: vec![(UserText::UserName, email.clone()), (UserText::Email, email)],
        exclusive: false,
        status: Status::Active,
        attributes: Vec::new(),
        memberships: Vec::new(),
        manages_top: false,
        grants: vec![(Role::ADMINISTRATOR.to_owned(), None)],
    };
    let workspace = ImportWorkspace {
        key: key.clone(),
        name,
        user_quota: create.quota,
        attributes: Vec::new(),
        groups: Vec::new(),
        roles: Vec::new(),
        people: Box::new(std::iter::once(administrator)),
        policy,
        provenance: Provenance::Manual,
        now,
        ids: Box::new(ids),
    };
    let summary = gate.store().import(operator.import(workspace), &|_| {}).await?;
    print(&format!("{}  {key}", summary.workspace.map_or_else(String::new, |id| id.to_string())));
    Ok(())
}

/// Refuses settings that `standard` refuses.
pub(super) async fn check_settings(engine: &dyn Engine, settings: &str) -> anyhow::Result<()> {
    let standard = wiring::standard();
    engine.load(&standard).await?;
    let errors = engine.validate_settings(None, standard.digest, settings).await?;
    if !errors.is_empty() {
        bail!("the policy `standard` refuses its settings: {}", errors.join("; "));
    }
    Ok(())
}
