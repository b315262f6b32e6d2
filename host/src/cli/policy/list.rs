//! `bailiwick policy list`.

use directory::{ids::WorkspaceId, store::Store};
use serde::Deserialize;
use serde_json::Value;

use super::super::{
    open, print,
    remote::{OptionalPlace, Remote},
};
use crate::{config::Config, http::policies::view};

/// List what was active in a workspace, the active version first
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints the policy versions of a workspace (module, settings and `standard` as they were activated together), the \
        active one first, and the modules that were uploaded. Through a server, with somebody's token, or with --workspace, for whoever has \
        the database.",
    after_long_help = "\
Examples:
  bailiwick policy list
  bailiwick policy list --workspace acme
  bailiwick policy list --json | jq -r .versions[0].id"
)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    place: OptionalPlace,
    /// The workspace's key: read in the database itself
    #[arg(long, value_name = "KEY")]
    workspace: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// As `GET /v1/policies` has them.
#[derive(Deserialize)]
struct Listed {
    versions: Vec<Version>,
    modules: Vec<Module>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    id: String,
    module: String,
    activated_at: Option<String>,
    repeats: Option<String>,
}

#[derive(Deserialize)]
struct Module {
    id: String,
    status: String,
    name: String,
    version: String,
    digest: String,
}

pub(super) async fn run(List { place, workspace, json }: List, config: &Config) -> anyhow::Result<()> {
    let listed = match workspace {
        None => serde_json::from_str(&Remote::new(place.place()?)?.get("/v1/policies").await?)?,
        Some(workspace) => {
            let database = open::database(config).await?;
            let workspace = open::workspace(database.store().as_ref(), &workspace).await?.id;
            let listed = stored(database.store().as_ref(), workspace).await?;
            database.close().await;
            listed
        }
    };
    if json {
        print(&serde_json::to_string_pretty(&listed)?);
        return Ok(());
    }
    show(listed)
}

/// The policy versions and modules of a workspace, as the operator sees them.
async fn stored(store: &dyn Store, workspace: WorkspaceId) -> anyhow::Result<Value> {
    let (versions, modules) = open::operator().policies(store, workspace).await?;
    Ok(view::listed(versions.iter().map(|version| &**version), modules.iter().map(|module| &**module)).into())
}

/// Prints the policy versions and modules of a workspace, for people.
pub(in crate::cli) async fn show_stored(store: &dyn Store, workspace: WorkspaceId) -> anyhow::Result<()> {
    show(stored(store, workspace).await?)
}

fn show(listed: Value) -> anyhow::Result<()> {
    let Listed { versions, modules } = serde_json::from_value(listed)?;
    for (index, version) in versions.iter().enumerate() {
        let module = modules.iter().find(|module| module.id == version.module);
        let name = module.map_or_else(|| version.module.clone(), |module| format!("{} {}", module.name, module.version));
        let state = if index == 0 { "active" } else { "earlier" };
        let at = version.activated_at.as_deref().unwrap_or_default();
        let repeats = version.repeats.as_ref().map_or_else(String::new, |id| format!("  repeats: {id}"));
        print(&format!("{}  {state}  {name}  activated: {at}{repeats}", version.id));
    }
    for Module { id, status, name, version, digest } in modules {
        print(&format!("{id}  {status}  {name} {version}  {digest}"));
    }
    Ok(())
}
