//! The sample workspaces: made once, found again, the same for everybody.
//!
//! They are written as the operator would write real ones: by import, by installing a policy, by making tokens. Their tokens are
//! derived from the server's secret, so that a second start prints the same ones. To add a workspace: a module beside [`acme`](mod@acme) and
//! its line in [`prepare`].

mod acme;
mod globex;
mod initech;
mod report;
mod sample;

use std::sync::Arc;

use directory::{
    Error,
    access::{Forced, Gate, Operator, OperatorVia},
    contract::Module,
    ids::{PolicyVersionId, UserId, WorkspaceId},
    limits,
    model::{Provenance, Status, Timestamp, TokenKind},
    store::{IdSource as _, ImportProgress, ImportWorkspace, NewPolicyVersion},
};

use crate::{ids::Ids, secret::Secret, tokens, wiring};
use initech::Size;
use sample::Person;

/// The fewest people that a generated workspace can have.
pub const PEOPLE_LEAST: u64 = Size::LEAST;
/// The most that one is tried with.
pub const PEOPLE_MOST: u64 = 5_000_000;

/// The instant at which the samples are made, so that they are the same for everybody: 2026-01-05, 09:00 UTC.
const MADE_AT: Timestamp = Timestamp(1_767_603_600_000_000);

/// The sample workspaces as they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demo {
    /// The operator's token.
    pub operator_token: String,
    /// The workspaces.
    pub workspaces: Vec<Workspace>,
}

/// A sample workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Its key.
    pub key: String,
    /// What decides.
    pub policy: Policy,
    /// Everybody with a token: all who may sign in, of a generated workspace somebody of each sort.
    pub people: Vec<Member>,
}

/// What decides in a sample workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The module's name.
    pub name: String,
    /// The module's version.
    pub version: String,
    /// SHA-256 of its bytes, in hexadecimal.
    pub digest: String,
}

/// Somebody of a sample workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub id: UserId,
    /// Given and family name.
    pub name: String,
    /// Unique in the workspace.
    pub user_name: String,
    /// Address.
    pub email: String,
    /// Keys of the roles, wherever limited to.
    pub roles: Vec<String>,
    /// Keys of the groups, the top one left out.
    pub groups: Vec<String>,
    /// What `Authorization: Bearer` carries.
    pub token: String,
    /// What is special about them, for those whom the printed table presents.
    pub about: Option<&'static str>,
}

/// Where the samples are made.
pub struct Place {
    /// The gate of the server.
    pub gate: Arc<Gate>,
    /// The server's secret.
    pub secret: Secret,
}

/// A sample workspace as it shall be.
struct Plan {
    content: ImportWorkspace,
    /// The module that decides beside `standard`.
    module: Option<Module>,
    /// Those who get tokens, with what the printed table says of them.
    presented: Vec<(Person, Option<&'static str>)>,
}

/// Where an import of a workspace, named by its key, reports to.
pub type Progress<'a> = &'a (dyn Fn(&str, ImportProgress) + Send + Sync);

/// Makes what is not there yet of `acme`, `globex` and, with `people`, `initech`; answers all that is there.
///
/// # Errors
/// Those of the store, and of a policy that does not load.
pub async fn prepare(place: &Place, people: Option<u64>, progress: Progress<'_>) -> Result<Demo, Error> {
    let operator = Operator::new(OperatorVia::CommandLine);
    let found = operator.workspaces(place.gate.store().as_ref()).await?;
    let there = |key: &str| found.iter().find(|row| row.key.shown().is_some_and(|found| found == key)).map(|row| row.id);
    let mut plans = vec![(acme(), there("acme")), (globex(), there("globex"))];
    // What was generated once is only ever made larger.
    let generated = there("initech").and_then(|id| found.iter().find(|row| row.id == id)?.user_count.shown().copied());
    if let Some(size) = people.max(generated) {
        plans.push((initech(Size(size)), there("initech").filter(|_| generated == Some(size))));
    }
    let mut workspaces = Vec::new();
    for (plan, there) in plans {
        workspaces.push(workspace(place, &operator, plan, there, progress).await?);
    }
    Ok(Demo { operator_token: operator_token(place, &operator).await?, workspaces })
}

fn acme() -> Plan {
    let people = acme::people();
    Plan {
        module: None,
        presented: presented(&people, &acme::PRESENTED),
        content: ImportWorkspace {
            attributes: acme::attributes(),
            groups: acme::all_groups(),
            roles: acme::all_roles(),
            people: Box::new(people.into_iter().map(Person::import)),
            ..empty("acme", "Acme", acme::SETTINGS, "acme")
        },
    }
}

fn globex() -> Plan {
    let people = globex::people();
    Plan {
        module: Some(wiring::need_to_know()),
        presented: presented(&people, &globex::PRESENTED),
        content: ImportWorkspace {
            attributes: globex::attributes(),
            groups: globex::all_groups(),
            roles: globex::all_roles(),
            people: Box::new(people.into_iter().map(Person::import)),
            ..empty("globex", "Globex", "", "globex")
        },
    }
}

fn initech(size: Size) -> Plan {
    Plan {
        module: None,
        presented: size.presented().into_iter().map(|(person, about)| (person, Some(about))).collect(),
        content: ImportWorkspace {
            groups: size.groups(),
            roles: size.roles(),
            people: Box::new(size.people().map(Person::import)),
            ..empty("initech", "Initech", "", &format!("initech {}", size.0))
        },
    }
}

/// A workspace without anything in it, decided by `standard`. The same `seed` gives the same ids.
fn empty(key: &str, name: &str, settings: &str, seed: &str) -> ImportWorkspace {
    ImportWorkspace {
        key: key.to_owned(),
        name: name.to_owned(),
        user_quota: None,
        attributes: Vec::new(),
        groups: Vec::new(),
        roles: Vec::new(),
        people: Box::new(std::iter::empty()),
        policy: NewPolicyVersion {
            id: PolicyVersionId(Ids::seeded(&format!("{seed} policy"), MADE_AT).next_id()),
            module: None,
            settings: String::new(),
            standard: wiring::standard().digest,
            standard_settings: settings.to_owned(),
            activated_by: None,
            activated_at: MADE_AT,
            repeats: None,
            note: None,
        },
        provenance: Provenance::Import,
        now: MADE_AT,
        ids: Box::new(Ids::seeded(seed, MADE_AT)),
    }
}

/// Those who may sign in, the ones of the table first.
fn presented(people: &[Person], table: &[(&str, &'static str)]) -> Vec<(Person, Option<&'static str>)> {
    let rank = |person: &Person| table.iter().position(|(name, _)| *name == person.user_name);
    let mut people: Vec<Person> = people.iter().filter(|person| person.status == Status::Active).cloned().collect();
    people.sort_by_key(|person| rank(person).unwrap_or(table.len()));
    let about = |person: &Person| rank(person).and_then(|rank| table.get(rank)).map(|(_, about)| *about);
    people.into_iter().map(|person| (about(&person), person)).map(|(about, person)| (person, about)).collect()
}

async fn workspace(
    place: &Place,
    operator: &Operator,
    plan: Plan,
    there: Option<WorkspaceId>,
    progress: Progress<'_>,
) -> Result<Workspace, Error> {
    let key = plan.content.key.clone();
    let id = match there {
        Some(id) => id,
        None => {
            let imported = place.gate.store().import(operator.import(plan.content), &|at| progress(&key, at)).await?;
            imported.workspace.ok_or_else(|| Error::Store(format!("the import of `{key}` names no workspace")))?
        }
    };
    if let Some(module) = plan.module {
        install(place, operator, id, &module).await?;
    }
    let people = members(place, operator, (id, &key), plan.presented).await?;
    Ok(Workspace { id, policy: policy(place, operator, id).await?, people, key })
}

/// Installs a module where nobody has activated anything yet.
async fn install(place: &Place, operator: &Operator, workspace: WorkspaceId, module: &Module) -> Result<(), Error> {
    let gate = &place.gate;
    let (versions, _) = operator.policies(gate.store().as_ref(), workspace).await?;
    if versions.first().is_some_and(|active| active.number > 1) {
        return Ok(());
    }
    let mut ids = Ids::seeded(&format!("{workspace} module"), MADE_AT);
    let policy = gate.install_policy(operator, workspace, module.bytes.clone(), MADE_AT, &mut ids).await?;
    gate.force_policy(operator, workspace, Forced { module: Some(policy), ..Forced::default() }, MADE_AT, &mut ids).await.map(drop)
}

async fn policy(place: &Place, operator: &Operator, workspace: WorkspaceId) -> Result<Policy, Error> {
    let gate = &place.gate;
    let (versions, modules) = operator.policies(gate.store().as_ref(), workspace).await?;
    let active = versions.first().ok_or_else(|| Error::Store(format!("workspace `{workspace}` has no policy")))?;
    let digest = active.digest.unwrap_or(active.standard).to_string();
    if let Some(module) = modules.iter().find(|module| Some(module.id) == active.module) {
        return Ok(Policy { name: module.name.clone(), version: module.version.clone(), digest });
    }
    let manifest = gate.engine().load(gate.standard()).await?;
    Ok(Policy { name: manifest.name.clone(), version: manifest.version.clone(), digest })
}

async fn members(
    place: &Place,
    operator: &Operator,
    (workspace, key): (WorkspaceId, &str),
    presented: Vec<(Person, Option<&'static str>)>,
) -> Result<Vec<Member>, Error> {
    let store = place.gate.store().as_ref();
    let mut members = Vec::with_capacity(presented.len());
    for some in presented.chunks(limits::FILTER_VALUES) {
        let names: Vec<&str> = some.iter().map(|(person, _)| person.user_name.as_str()).collect();
        let ids = operator.users_named(store, workspace, &names).await?;
        for ((person, about), id) in some.iter().zip(ids) {
            // Whoever was removed since is left out.
            let Some(id) = id else { continue };
            let token = token(place, operator, (workspace, key), (id, &person.user_name)).await?;
            members.push(member(person, *about, id, token));
        }
    }
    Ok(members)
}

fn member(person: &Person, about: Option<&'static str>, id: UserId, token: String) -> Member {
    Member {
        id,
        name: person.display_name(),
        user_name: person.user_name.clone(),
        email: person.email(),
        roles: person.roles.iter().map(|(role, _)| role.clone()).collect(),
        groups: person.groups.iter().map(|(group, _)| group.clone()).collect(),
        token,
        about,
    }
}

/// The derived token of a user, stored if it is not yet.
async fn token(
    place: &Place,
    operator: &Operator,
    (workspace, key): (WorkspaceId, &str),
    (user, name): (UserId, &str),
) -> Result<String, Error> {
    let issued = tokens::derive(request(TokenKind::Personal, name, Some(user)), &place.secret, key);
    keep(place, operator, Some(workspace), issued).await
}

async fn operator_token(place: &Place, operator: &Operator) -> Result<String, Error> {
    let issued = tokens::derive(request(TokenKind::Operator, "demo operator", None), &place.secret, "");
    keep(place, operator, None, issued).await
}

async fn keep(place: &Place, operator: &Operator, workspace: Option<WorkspaceId>, issued: tokens::Issued) -> Result<String, Error> {
    let store = place.gate.store();
    if store.credential(issued.change.hash).await?.is_none() {
        store.create_token(operator.create_token(workspace, issued.change)).await?;
    }
    Ok(issued.text)
}

fn request(kind: TokenKind, name: &str, user: Option<UserId>) -> tokens::Request {
    tokens::Request { kind, name: name.to_owned(), user, scopes: Vec::new(), expires_at: None, created_at: MADE_AT }
}
