//! `bailiwick policy list`.

use directory::{
    ids::WorkspaceId,
    model::{PolicyModule, PolicyVersion},
    store::Store,
};
use serde::Deserialize;

use super::super::{
    open, print,
    remote::{OptionalPlace, Remote},
};
use crate::{config::Config, policy_history::instant};

/// List what was active in a workspace, the active version first
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints the policy versions of a workspace (module, settings and `standard` as they were activated together), the \
        active one first, and the modules that were uploaded. Through a server, with somebody's token, or with --workspace, for whoever has \
        the database.",
    after_long_help = "\
Examples:
  bailiwick policy list
  bailiwick policy list --workspace acme"
)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    place: OptionalPlace,
    /// The workspace's key: read in the database itself
    #[arg(long, value_name = "KEY")]
    workspace: Option<String>,
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

pub(super) async fn run(List { place, workspace }: List, config: &Config) -> anyhow::Result<()> {
    let Some(workspace) = workspace else {
        let page = Remote::new(place.place()?)?.get("/v1/policies").await?;
        show(&serde_json::from_str(&page)?);
        return Ok(());
    };
    let database = open::database(config).await?;
    let store = database.store();
    let workspace = open::workspace(store.as_ref(), &workspace).await?.id;
    stored(store.as_ref(), workspace).await?;
    database.close().await;
    Ok(())
}

/// Prints the policy versions and modules of a workspace, as the operator.
pub(in crate::cli) async fn stored(store: &dyn Store, workspace: WorkspaceId) -> anyhow::Result<()> {
    let (versions, modules) = open::operator().policies(store, workspace).await?;
    let version = |version: &PolicyVersion| Version {
        id: version.id.to_string(),
        module: version.module.map_or_else(|| "standard".to_owned(), |module| module.to_string()),
        activated_at: instant(version.activated_at),
        repeats: version.repeats.map(|id| id.to_string()),
    };
    let module = |module: &PolicyModule| Module {
        id: module.id.to_string(),
        status: module.status.name().to_owned(),
        name: module.name.clone(),
        version: module.version.clone(),
        digest: module.digest.to_string(),
    };
    show(&Listed { versions: versions.iter().map(|row| version(row)).collect(), modules: modules.iter().map(|row| module(row)).collect() });
    Ok(())
}

fn show(Listed { versions, modules }: &Listed) {
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
}
