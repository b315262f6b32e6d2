//! The workspace's own row, its declared attributes and its roles.

use std::collections::HashMap;

use directory::{
    Error,
    change::NewRole,
    ids::{RoleId, WorkspaceId},
    model::Role,
    store::{AttributeDefinition, ImportRole, NewPolicyVersion},
    text::fold,
};

use super::Import;
use crate::{
    batch::{Batch, Of},
    exec::{Row, Tx},
    keys::key,
    policy,
    put::{self, groups::Stamp},
    rows,
    sql::sql,
};

/// What a workspace shall be.
pub(super) struct Target {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) user_quota: Option<u64>,
}

impl Target {
    fn quota(&self) -> Option<i64> {
        self.user_quota.map(|quota| i64::try_from(quota).unwrap_or(i64::MAX))
    }
}

const FIND: &str = "
select id
from workspaces
where key_key = {}";

/// The workspace of that key.
pub(super) async fn find(tx: &mut Tx, name: &str) -> Result<Option<WorkspaceId>, Error> {
    let found = tx.fetch(sql!(FIND, key(Some(name)))).await?;
    found.first().map(Row::only).transpose().map(|id| id.map(WorkspaceId))
}

const INSERT: &str = "
insert into workspaces (id, key, key_key, name, user_quota, epoch, policy_version_id, created_at, updated_at, version)
values ({}, {}, {}, {}, {}, 1, {}, {}, {}, 1)";

const UPDATE: &str = "
update workspaces
set name = {},
  user_quota = {}
where id = {}
  and (name <> {} or user_quota is distinct from {})";

/// Makes the row with its first policy version, or changes what differs.
pub(super) async fn write(import: &mut Import, target: &Target, version: NewPolicyVersion) -> Result<(), Error> {
    let (workspace, now) = (import.workspace, import.now);
    if !import.summary.created {
        let update = sql!(UPDATE, target.name.clone(), target.quota(), workspace, target.name.clone(), target.quota());
        import.changed |= import.tx.execute(update).await? > 0;
        return Ok(());
    }
    let insert =
        sql!(INSERT, workspace, target.key.clone(), key(Some(&target.key)), target.name.clone(), target.quota(), version.id, now, now,);
    import.tx.execute(insert).await?;
    import.changed = true;
    policy::insert_version(&mut import.tx, workspace, version).await
}

const ATTRIBUTES: &str = "
select name
from attribute_definitions
where workspace_id = {}";

const DECLARE: &str = "
insert into attribute_definitions (workspace_id, name, searchable)
{}";

/// Declares the attributes that are not there yet.
pub(super) async fn declare(import: &mut Import, definitions: Vec<AttributeDefinition>) -> Result<(), Error> {
    for row in import.tx.fetch(sql!(ATTRIBUTES, import.workspace)).await? {
        import.attributes.push(row.only()?);
    }
    let mut batch = Batch::new(&[Of::Ids, Of::Texts, Of::Flags]);
    for definition in definitions {
        if !import.attributes.contains(&definition.name) {
            batch.push([import.workspace.0.into(), definition.name.as_str().into(), definition.searchable.into()]);
            import.attributes.push(definition.name);
        }
    }
    if import.attributes.len() > directory::limits::ATTRIBUTES {
        return Err(Error::TooLarge(format!(
            "the workspace would declare {} custom attributes, and may declare {}; leave some out",
            import.attributes.len(),
            directory::limits::ATTRIBUTES
        )));
    }
    import.insert(DECLARE, batch).await.map(drop)
}

const ROLES: &str = "
select id, key_key, name, description, permissions
from roles
where workspace_id = {}";

/// Adds the built-in roles to a new workspace, then adds and changes its own.
pub(super) async fn roles(import: &mut Import, roles: Vec<ImportRole>) -> Result<(), Error> {
    let mut known: HashMap<String, (RoleId, ImportRole)> = HashMap::new();
    for row in import.tx.fetch(sql!(ROLES, import.workspace)).await? {
        let mut columns = row.columns();
        let id = RoleId(columns.take()?);
        let key: String = columns.take()?;
        let stored = ImportRole {
            key: crate::keys::folded(&key).to_owned(),
            name: columns.take()?,
            description: columns.take()?,
            permissions: rows::texts(&mut columns)?,
        };
        known.insert(stored.key.clone(), (id, stored));
    }
    if import.summary.created {
        for role in builtin() {
            add_role(import, &role, true).await?;
        }
    }
    for role in roles {
        let key = fold(&role.key);
        if builtin().iter().any(|builtin| builtin.key == key) {
            return Err(Error::Invalid(format!("role `{}` is built in and can not be changed; choose another key", role.key)));
        }
        if import.roles.contains_key(&key) {
            return Err(Error::Invalid(format!("role `{}` stands twice in the import; keep one", role.key)));
        }
        match known.get(&key) {
            None => add_role(import, &role, false).await?,
            Some((id, stored)) => {
                if (&stored.name, &stored.description, &stored.permissions) != (&role.name, &role.description, &role.permissions) {
                    change_role(import, *id, &role).await?;
                }
                import.roles.insert(key, *id);
            }
        }
    }
    for (key, (id, _)) in known {
        import.roles.entry(key).or_insert(id);
    }
    Ok(())
}

fn builtin() -> [ImportRole; 2] {
    let role = |key: &str, name: &str, description: &str, permissions: &[&str]| ImportRole {
        key: key.to_owned(),
        name: name.to_owned(),
        description: Some(description.to_owned()),
        permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
    };
    [
        role(Role::ADMINISTRATOR, "Administrator", "Holds every permission, those of later servers included.", &[]),
        role(Role::MEMBER, "Member", "Reads roles, and otherwise what the policy shows to everybody.", &["role.read"]),
    ]
}

async fn add_role(import: &mut Import, role: &ImportRole, builtin: bool) -> Result<(), Error> {
    let role = new_role(RoleId(import.next_id()), role);
    put::roles::add(&mut import.tx, import.workspace, &role, builtin, Stamp::new(None, import.now)).await?;
    import.changed = true;
    import.roles.insert(fold(&role.key), role.id);
    Ok(())
}

async fn change_role(import: &mut Import, id: RoleId, role: &ImportRole) -> Result<(), Error> {
    put::roles::update(&mut import.tx, import.workspace, &new_role(id, role), import.now).await?;
    import.changed = true;
    Ok(())
}

fn new_role(id: RoleId, role: &ImportRole) -> NewRole {
    let ImportRole { key, name, description, permissions } = role.clone();
    NewRole { id, key, name, description, permissions }
}

const COUNT: &str = "
select count(*)
from users
where workspace_id = {}
  and status <> 'deleted'";

const FINISH: &str = "
update workspaces
set user_count = {},
  epoch = epoch + {},
  updated_at = {},
  version = version + {}
where id = {}";

/// Counts the users and, if anything changed, ends every decision that was taken before.
pub(super) async fn finish(import: &mut Import) -> Result<(), Error> {
    if !import.changed {
        return Ok(());
    }
    let users: i64 = import.tx.fetch(sql!(COUNT, import.workspace)).await?.first().map_or(Ok(0), Row::only)?;
    let bump = i64::from(!import.summary.created);
    import.tx.execute(sql!(FINISH, users, bump, import.now, bump, import.workspace)).await?;
    Ok(())
}

/// Refuses more users than the quota allows.
pub(super) fn check_quota(users: u64, quota: Option<u64>) -> Result<(), Error> {
    match quota {
        Some(quota) if users > quota => Err(Error::TooLarge(format!(
            "the workspace would have at least {users} users, and its quota is {quota}; raise the quota or import fewer"
        ))),
        _ => Ok(()),
    }
}
