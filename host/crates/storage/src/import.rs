//! Bringing in a whole workspace: one transaction, all or nothing, and nothing at all the second time.
//!
//! People are streamed: memory holds the groups, one chunk of people, and for a workspace that exists the ids of those seen.

mod accounts;
mod derived;
mod edges;
mod groups;
mod people;
mod settle;
mod workspace;

use std::collections::{BTreeMap, HashMap};

use directory::{
    Error, Warrant,
    ids::{GroupId, RoleId, WorkspaceId},
    model::{Provenance, Timestamp},
    store::{IdSource, ImportProgress, ImportSummary, ImportWorkspace},
};
use uuid::Uuid;

use crate::{
    Database,
    batch::Batch,
    exec::Tx,
    head,
    put::{self, Attributes},
};

/// Where an import reports to.
pub(crate) type Progress<'a> = &'a (dyn Fn(ImportProgress) + Send + Sync);

/// What the parts of an import share.
pub(crate) struct Import {
    tx: Tx,
    workspace: WorkspaceId,
    now: Timestamp,
    ids: Box<dyn IdSource>,
    provenance: Provenance,
    /// Declared attributes.
    attributes: Vec<String>,
    /// Groups by folded key.
    groups: HashMap<String, GroupId>,
    /// Roles by folded key.
    roles: HashMap<String, RoleId>,
    summary: ImportSummary,
    /// Whether anything at all was written.
    changed: bool,
    /// Whether the tree is another one.
    tree_changed: bool,
    /// Whether memberships, or those who hold them, are others.
    edges_changed: bool,
}

/// Creates a workspace or brings it up to date.
pub(crate) async fn run(database: &Database, warrant: Warrant<ImportWorkspace>, progress: Progress<'_>) -> Result<ImportSummary, Error> {
    let tx = database.begin_write().await?;
    let done = write(tx, warrant, progress).await;
    settle::after(database, done.as_ref().is_ok_and(|(_, changed)| *changed)).await;
    done.map(|(summary, _)| summary)
}

async fn write(mut tx: Tx, warrant: Warrant<ImportWorkspace>, progress: Progress<'_>) -> Result<(ImportSummary, bool), Error> {
    settle::before(&mut tx).await?;
    let (expected, epoch) = (warrant.workspace(), warrant.epoch());
    let ImportWorkspace { key, name, user_quota, attributes, groups, roles, people, policy, provenance, now, mut ids } =
        warrant.into_change();
    let target = workspace::Target { key, name, user_quota };
    let found = workspace::find(&mut tx, &target.key).await?;
    if expected.is_some() && expected != found {
        return Err(Error::NotFound(format!("workspace `{}`", target.key)));
    }
    let workspace = found.unwrap_or_else(|| WorkspaceId(ids.next_id()));
    if found.is_some() {
        head::lock(&mut tx, workspace, epoch).await?;
    }
    let mut import = Import {
        tx,
        workspace,
        now,
        ids,
        provenance,
        attributes: Vec::new(),
        groups: HashMap::new(),
        roles: HashMap::new(),
        summary: ImportSummary { workspace: Some(workspace), created: found.is_none(), ..ImportSummary::default() },
        changed: false,
        tree_changed: false,
        edges_changed: false,
    };
    workspace::write(&mut import, &target, policy).await?;
    workspace::declare(&mut import, attributes).await?;
    workspace::roles(&mut import, roles).await?;
    groups::write(&mut import, groups, progress).await?;
    people::write(&mut import, people, target.user_quota, progress).await?;
    derived::write(&mut import, progress).await?;
    workspace::finish(&mut import).await?;
    let Import { tx, summary, changed, .. } = import;
    tx.commit().await?;
    Ok((summary, changed))
}

impl Import {
    fn next_id(&mut self) -> Uuid {
        self.ids.next_id()
    }

    /// Runs a statement with one hole on every part of a batch; answers how many rows were written.
    async fn insert(&mut self, statement: &'static str, batch: Batch) -> Result<u64, Error> {
        let written = put::insert(&mut self.tx, statement, batch).await?;
        self.changed |= written > 0;
        Ok(written)
    }

    /// The declared names and folded values of custom attributes, and their JSON.
    fn attributes(&self, of: &str, given: &[(String, Vec<String>)]) -> Result<Attributes, Error> {
        let mut assigned: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, values) in given.iter().filter(|(_, values)| !values.is_empty()) {
            if !self.attributes.contains(name) {
                return Err(Error::Invalid(format!("{of}: attribute `{name}` is not declared; declare it in `attributes`")));
            }
            assigned.entry(name).or_default().extend(values.iter().map(String::as_str));
        }
        let names = assigned.into_iter().map(|(name, values)| (name.to_owned(), values.into_iter().map(str::to_owned).collect()));
        Ok(Attributes(names.collect()))
    }
}

/// Reports after every chunk of people and every stage.
fn report(progress: Progress<'_>, stage: &'static str, done: u64) {
    progress(ImportProgress { stage, done });
}
