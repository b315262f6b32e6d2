//! A workspace of its own for one trial: the world of a file in an embedded database, decided by the candidate.

use std::{collections::HashMap, sync::Arc};

use directory::{
    Error, Visible,
    access::{Actor, Ask, Directory, Forced, Gate, Operator, OperatorVia, Origin, Page, Subject},
    contract::Engine,
    ids::{GrantId, GroupId, MembershipId, PolicyVersionId, RoleId, TokenId, UserId, WorkspaceId},
    model::{Group, Provenance, Role, Timestamp, User, UserText},
    query::{Order, Window},
    register::Kind,
    store::{
        AmongGrants, AmongGroups, AmongMemberships, AmongRoles, AmongUsers, AttributeDefinition, IdSource as _, ImportGroup, ImportPerson,
        ImportRole, ImportWorkspace, NewPolicyVersion,
    },
    text::fold,
    trials::Candidate,
};
use tempfile::TempDir;
use uuid::Uuid;

use super::{
    let_in::LetIn,
    limits::EDGES,
    world::{Resource, World},
};
use crate::{ids::Ids, wiring::Database};

/// The key of the workspace, and of what else needs a name.
const NAME: &str = "trial";

/// A world that can be asked about.
pub(super) struct Scratch {
    gate: Arc<Gate>,
    workspace: WorkspaceId,
    now: Timestamp,
    ids: Found,
    database: Database,
    _folder: TempDir,
}

/// The ids of everything, in the positions of the world.
#[derive(Default)]
struct Found {
    people: Vec<UserId>,
    groups: Vec<GroupId>,
    roles: Vec<RoleId>,
    memberships: Vec<MembershipId>,
    grants: Vec<GrantId>,
}

impl Scratch {
    /// Makes the world, and lets the candidate decide in it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a module that is rejected or a world that can not be made; those of the store.
    pub(super) async fn make(engine: Arc<dyn Engine>, world: &World, candidate: &Candidate) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("bailiwick-trial-").tempdir();
        let folder =
            folder.map_err(|error| Error::Store(format!("no temporary folder can be made: {error}; set TMPDIR to a writable one")))?;
        let database = Database::scratch(folder.path()).await?;
        let gate = Gate::new(database.store(), Arc::new(LetIn(engine)), candidate.standard.clone());
        let gate = Arc::new(gate.behind_glass());
        let operator = Operator::new(OperatorVia::Trial);
        let mut ids = Ids::seeded(NAME, world.now);
        let policy = NewPolicyVersion {
            id: PolicyVersionId(ids.next_id()),
            module: None,
            settings: String::new(),
            standard: candidate.standard.digest,
            standard_settings: candidate.standard_settings.clone(),
            activated_by: None,
            activated_at: world.now,
            repeats: None,
            note: None,
        };
        let imported = gate.store().import(operator.import(import(world, policy)), &|_| {}).await?;
        let workspace = imported.workspace.ok_or_else(|| Error::Store("the import names no workspace".to_owned()))?;
        // While `standard` decides alone, a service with every permission to read sees everything.
        let ids_found = Found::look(&open(&gate, workspace, everything(), world.now).await?, world).await?;
        if let Some(module) = &candidate.module {
            let policy = gate.install_policy(&operator, workspace, module.bytes.clone(), world.now, &mut ids).await?;
            let forced = Forced { module: Some(policy), settings: Some(candidate.settings.clone()), ..Forced::default() };
            gate.force_policy(&operator, workspace, forced, world.now, &mut ids).await?;
        }
        Ok(Self { gate, workspace, now: world.now, ids: ids_found, database, _folder: folder })
    }

    /// The directory as a person sees it: one request.
    pub(super) async fn as_person(&self, person: usize) -> Result<Directory, Error> {
        let actor = Actor::User(id(&self.ids.people, person)?);
        open(&self.gate, self.workspace, (actor, None), self.now).await
    }

    pub(super) fn user(&self, at: usize) -> Result<UserId, Error> {
        id(&self.ids.people, at)
    }

    pub(super) fn group(&self, at: usize) -> Result<GroupId, Error> {
        id(&self.ids.groups, at)
    }

    pub(super) fn role(&self, at: usize) -> Result<RoleId, Error> {
        id(&self.ids.roles, at)
    }

    pub(super) fn membership(&self, at: usize) -> Result<MembershipId, Error> {
        id(&self.ids.memberships, at)
    }

    pub(super) fn grant(&self, at: usize) -> Result<GrantId, Error> {
        id(&self.ids.grants, at)
    }

    /// What rows of a list are, in the world.
    pub(super) fn resource(&self, kind: Kind, row: Uuid) -> Option<Resource> {
        fn at<T: Copy>(all: &[T], is: impl Fn(T) -> bool) -> Option<usize> {
            all.iter().position(|id| is(*id))
        }
        match kind {
            Kind::User => at(&self.ids.people, |id| id.0 == row).map(Resource::User),
            Kind::Group => at(&self.ids.groups, |id| id.0 == row).map(Resource::Group),
            Kind::Role => at(&self.ids.roles, |id| id.0 == row).map(Resource::Role),
            Kind::Membership => at(&self.ids.memberships, |id| id.0 == row).map(Resource::Membership),
            Kind::Grant => at(&self.ids.grants, |id| id.0 == row).map(Resource::Grant),
            _ => None,
        }
    }

    /// Forgets everything.
    pub(super) async fn close(self) {
        drop(self.gate);
        self.database.close().await;
    }
}

/// A service that may read everything.
fn everything() -> (Actor, Option<Vec<String>>) {
    let kinds = [Kind::User, Kind::Group, Kind::Role, Kind::Membership, Kind::Grant];
    (Actor::Service(TokenId(Uuid::nil())), Some(kinds.map(Kind::read).to_vec()))
}

async fn open(
    gate: &Arc<Gate>,
    workspace: WorkspaceId,
    (actor, scopes): (Actor, Option<Vec<String>>),
    now: Timestamp,
) -> Result<Directory, Error> {
    gate.open(Subject { workspace, actor, scopes, expires_at: None, origin: Origin::within("graphql") }, now).await
}

fn id<T: Copy>(all: &[T], at: usize) -> Result<T, Error> {
    all.get(at).copied().ok_or_else(lost)
}

fn lost() -> Error {
    Error::Store("something of the world was not found again".to_owned())
}

/// All of one list.
pub(super) fn all<A, P, S: Default>(among: A) -> Ask<A, P, S> {
    Ask { among, filter: None, order: Order::default(), window: Window { rows: EDGES, ..Window::default() } }
}

/// The rows of the only page of a list; one that is cut short is a failure.
pub(super) fn whole<T>(pages: Vec<Page<T>>) -> Result<Vec<Visible<T>>, Error> {
    let mut rows = Vec::new();
    for page in pages {
        if page.more || page.scan_capped.is_some() {
            return Err(Error::TooLarge(format!("a list has more than {EDGES} rows; make the world smaller")));
        }
        rows.extend(page.rows.into_iter().map(|(_, row)| row));
    }
    Ok(rows)
}

impl Found {
    async fn look(directory: &Directory, world: &World) -> Result<Self, Error> {
        let name = |user: &Visible<User>| user.text(UserText::UserName).shown().cloned().flatten().map(|name| (fold(&name), user.id));
        let users: HashMap<String, UserId> = whole(directory.list_users(all(AmongUsers::All)).await?)?.iter().filter_map(name).collect();
        let key = |group: &Visible<Group>| group.key.shown().map(|key| (fold(key), group.id));
        let groups: HashMap<String, GroupId> = whole(directory.list_groups(all(AmongGroups::All)).await?)?.iter().filter_map(key).collect();
        let key = |role: &Visible<Role>| role.key.shown().map(|key| (fold(key), role.id));
        let roles: HashMap<String, RoleId> = whole(directory.list_roles(all(AmongRoles::All)).await?)?.iter().filter_map(key).collect();
        let memberships = whole(directory.list_memberships(all(AmongMemberships::All)).await?)?;
        let memberships: HashMap<_, _> = memberships.iter().map(|edge| ((edge.user, edge.group), edge.id)).collect();
        let grants = whole(directory.list_grants(all(AmongGrants::All)).await?)?;
        let grants: HashMap<_, _> = grants.iter().map(|grant| ((grant.user, grant.role, grant.within), grant.id)).collect();

        let mut found = Self::default();
        for person in &world.people {
            found.people.push(*users.get(&fold(&person.name)).ok_or_else(lost)?);
        }
        for group in &world.groups {
            found.groups.push(*groups.get(&fold(&group.key)).ok_or_else(lost)?);
        }
        for role in &world.roles {
            found.roles.push(*roles.get(&fold(&role.key)).ok_or_else(lost)?);
        }
        for edge in &world.memberships {
            let ends = (id(&found.people, edge.person)?, id(&found.groups, edge.group)?);
            found.memberships.push(*memberships.get(&ends).ok_or_else(lost)?);
        }
        for grant in &world.grants {
            let within = grant.within.map(|at| id(&found.groups, at)).transpose()?;
            let ends = (id(&found.people, grant.person)?, id(&found.roles, grant.role)?, within);
            found.grants.push(*grants.get(&ends).ok_or_else(lost)?);
        }
        Ok(found)
    }
}

/// The world as the operator would bring it in.
fn import(world: &World, policy: NewPolicyVersion) -> ImportWorkspace {
    let declared = |name: &str| AttributeDefinition { name: name.to_owned(), searchable: true };
    let group = |group: &super::world::Group| ImportGroup {
        key: group.key.clone(),
        name: group.name.clone(),
        description: group.description.clone(),
        parent: group.parent.and_then(|at| world.groups.get(at)).map(|parent| parent.key.clone()),
        attributes: group.attributes.clone(),
    };
    let role = |role: &super::world::Role| ImportRole {
        key: role.key.clone(),
        name: role.name.clone(),
        description: None,
        permissions: role.permissions.clone(),
    };
    ImportWorkspace {
        key: NAME.to_owned(),
        name: NAME.to_owned(),
        user_quota: None,
        attributes: world.attribute_names().into_iter().map(declared).collect(),
        groups: world.groups.iter().map(group).collect(),
        roles: world.roles.iter().filter(|role| !role.builtin).map(role).collect(),
        people: Box::new(people(world).into_iter()),
        policy,
        provenance: Provenance::Manual,
        now: world.now,
        ids: Box::new(Ids::seeded("trial world", world.now)),
    }
}

fn people(world: &World) -> Vec<ImportPerson> {
    let group = |at: usize| world.groups.get(at).map(|group| group.key.clone()).unwrap_or_default();
    let mut people: Vec<ImportPerson> = world.people.iter().map(person).collect();
    for edge in &world.memberships {
        if let Some(person) = people.get_mut(edge.person) {
            person.memberships.push((group(edge.group), edge.manager));
        }
    }
    for grant in &world.grants {
        if let (Some(person), Some(role)) = (people.get_mut(grant.person), world.roles.get(grant.role)) {
            person.grants.push((role.key.clone(), grant.within.map(group)));
        }
    }
    people
}

fn person(person: &super::world::Person) -> ImportPerson {
    let name = std::iter::once((UserText::UserName, person.name.clone()));
    ImportPerson {
        issuer: NAME.to_owned(),
        identifier: fold(&person.name),
        texts: name.chain(person.texts.iter().cloned()).collect(),
        exclusive: person.exclusive,
        status: person.status,
        attributes: person.attributes.clone(),
        memberships: Vec::new(),
        manages_top: person.manages_top,
        grants: Vec::new(),
    }
}
