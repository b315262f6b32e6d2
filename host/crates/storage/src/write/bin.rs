//! The recycle bin: what is deleted goes there whole, and comes back whole.
//!
//! An edge waits with the deletion of one of its ends. If that end comes back while the other one is still deleted, the edge goes on
//! waiting with the other's deletion. So the order in which things come back makes no difference.

mod edges;

use std::collections::HashMap;

use directory::{
    Error, Rule,
    change::{DeleteMode, UserAfter},
    ids::{DeletionId, GroupId, RoleId, UserId},
    limits::SUBTREE_GROUPS,
    model::{Status, Timestamp, Version},
};
use uuid::Uuid;

use super::{Versioned, Writer, closure, effective, groups, users};
use edges::{bring_back_edges, forget};

use crate::{
    batch::{Batch, Of},
    exec::Row,
    put::{
        self, Attributes,
        groups::{Group, Stamp},
    },
    rows,
    sql::{among, sql},
};

const INSERT_DELETIONS: &str = "
insert into deletions (workspace_id, id, kind, object_id, name, mode, status, managed_top, deleted_by, deleted_at)
{}";

/// A row of the recycle bin.
struct Deletion {
    id: DeletionId,
    kind: &'static str,
    object: Uuid,
    name: String,
    mode: &'static str,
    status: Option<String>,
    managed_top: bool,
}

async fn insert_deletions(writer: &mut Writer, deletions: Vec<Deletion>) -> Result<(), Error> {
    let (id, text) = (Of::Ids, Of::Texts);
    let mut batch = Batch::new(&[id, id, text, id, text, text, text, Of::Flags, id, Of::Integers]);
    for Deletion { id, kind, object, name, mode, status, managed_top } in deletions {
        batch.push([
            writer.of.0.into(),
            id.0.into(),
            kind.into(),
            object.into(),
            name.into(),
            mode.into(),
            status.into(),
            managed_top.into(),
            writer.by.map(|id| id.0).into(),
            writer.now.0.into(),
        ]);
    }
    put::insert(&mut writer.tx, INSERT_DELETIONS, batch).await.map(drop)
}

const BIN_MEMBERSHIPS_OF_USERS: &str = "
insert into deleted_memberships (workspace_id, deletion_id, id, user_id, group_id, manager, lifted, created_by, created_at)
select m.workspace_id, d.id, m.id, m.user_id, m.group_id, m.manager, false, m.created_by, m.created_at
from deletions d
join memberships m
  on m.workspace_id = d.workspace_id
  and m.user_id = d.object_id
where d.workspace_id = {}
  and d.id {}";

const BIN_GRANTS_OF_USERS: &str = "
insert into deleted_grants (workspace_id, deletion_id, id, user_id, role_id, within_group_id, provenance, granted_by, granted_at)
select a.workspace_id, d.id, a.id, a.user_id, a.role_id, a.within_group_id, a.provenance, a.granted_by, a.granted_at
from deletions d
join grants a
  on a.workspace_id = d.workspace_id
  and a.user_id = d.object_id
where d.workspace_id = {}
  and d.id {}";

const DELETE_MEMBERSHIPS_OF_USERS: &str = "
delete from memberships
where workspace_id = {}
  and user_id {}";

const DELETE_GRANTS_OF_USERS: &str = "
delete from grants
where workspace_id = {}
  and user_id {}";

const TOP_MANAGERS: &str = "
select t.user_id
from top_managers t
where t.workspace_id = {}
  and t.user_id {}";

const DELETE_TOP_MANAGERS: &str = "
delete from top_managers
where workspace_id = {}
  and user_id {}";

const LABELS: &str = "
select u.id, u.user_name, u.status
from users u
where u.workspace_id = {}
  and u.id {}";

const SET_DELETED: &str = "
update users
set status = 'deleted',
  updated_at = {},
  version = version + 1
where workspace_id = {}
  and id {}";

/// Puts users into the recycle bin.
pub(super) async fn remove_users(writer: &mut Writer, removed: &[(UserId, Version, DeletionId)]) -> Result<(), Error> {
    let (of, now) = (writer.of, writer.now);
    let seen: Vec<_> = removed.iter().map(|(id, seen, _)| (id.0, *seen)).collect();
    writer.require_versions(Versioned::Users, &seen).await?;
    let ids = || removed.iter().map(|(id, ..)| id.0);
    let managers: Vec<Uuid> =
        writer.tx.fetch(sql!(TOP_MANAGERS, of, among(ids()))).await?.iter().map(Row::only).collect::<Result<_, _>>()?;
    let mut labels: HashMap<Uuid, (String, String)> = HashMap::new();
    for row in writer.tx.fetch(sql!(LABELS, of, among(ids()))).await? {
        let mut columns = row.columns();
        labels.insert(columns.take()?, (columns.take()?, columns.take()?));
    }
    let deletion = |(user, _, id): &(UserId, Version, DeletionId)| {
        let (name, status) = labels.remove(&user.0).unwrap_or_default();
        let managed_top = managers.contains(&user.0);
        Deletion { id: *id, kind: "user", object: user.0, name, mode: "one", status: Some(status), managed_top }
    };
    let deletions = removed.iter().map(deletion).collect();
    insert_deletions(writer, deletions).await?;
    let binned = || among(removed.iter().map(|(.., deletion)| deletion.0));
    writer.tx.execute(sql!(BIN_MEMBERSHIPS_OF_USERS, of, binned())).await?;
    writer.tx.execute(sql!(BIN_GRANTS_OF_USERS, of, binned())).await?;
    writer.tx.execute(sql!(DELETE_MEMBERSHIPS_OF_USERS, of, among(ids()))).await?;
    writer.tx.execute(sql!(DELETE_GRANTS_OF_USERS, of, among(ids()))).await?;
    writer.tx.execute(sql!(DELETE_TOP_MANAGERS, of, among(ids()))).await?;
    effective::forget_users(&mut writer.tx, of, ids()).await?;
    writer.tx.execute(sql!(SET_DELETED, now, of, among(ids()))).await?;
    users::revoke_tokens(writer, ids()).await?;
    users::count(writer, -(removed.len() as i64)).await
}

const DELETION_OF_USER: &str = "
select d.id, d.status, d.managed_top
from deletions d
where d.workspace_id = {}
  and d.object_id = {}";

const SET_STATUS: &str = "
update users
set status = {}
where workspace_id = {}
  and id = {}";

const INSERT_TOP_MANAGER: &str = "
insert into top_managers (workspace_id, user_id)
values ({}, {})";

/// Takes a user out of the recycle bin, as it was, with the texts that it shall have.
pub(super) async fn restore_user(writer: &mut Writer, after: UserAfter) -> Result<(), Error> {
    let (of, id) = (writer.of, after.id);
    writer.require_versions(Versioned::Users, &[(id.0, after.seen)]).await?;
    let found = writer.tx.fetch(sql!(DELETION_OF_USER, of, id)).await?;
    let Some(row) = found.first() else { return Err(super::stale()) };
    let mut columns = row.columns();
    let deletion = DeletionId(columns.take()?);
    let status: Option<String> = columns.take()?;
    let managed_top: bool = columns.take()?;
    let status = status.as_deref().and_then(Status::named).unwrap_or(Status::Suspended);
    keep_place(writer, &after).await?;
    users::write(writer, after).await?;
    writer.tx.execute(sql!(SET_STATUS, status.name().to_owned(), of, id)).await?;
    if managed_top {
        writer.tx.execute(sql!(INSERT_TOP_MANAGER, of, id)).await?;
    }
    bring_back_edges(writer, deletion).await?;
    forget(writer, deletion).await?;
    users::count(writer, 1).await
}

/// Refuses to bring back somebody who belongs to another workspace exclusively by now.
async fn keep_place(writer: &mut Writer, after: &UserAfter) -> Result<(), Error> {
    let found = writer.tx.fetch(sql!(ACCOUNT, writer.of, after.id)).await?;
    let Some(account) = found.first().map(Row::only).transpose()?.map(directory::ids::AccountId) else { return Err(super::stale()) };
    let elsewhere = put::accounts::elsewhere(&mut writer.tx, writer.of, std::iter::once(account)).await?;
    users::keep_exclusive(&elsewhere, account, after.exclusive)
}

const ACCOUNT: &str = "
select account_id
from users
where workspace_id = {}
  and id = {}";

const GROUP: &str = "
select g.parent_id, g.name
from groups g
where g.workspace_id = {}
  and g.id = {}";

const BIN_GROUPS: &str = "
insert into deleted_groups (
  workspace_id, deletion_id, id, parent_id, depth, key, name, description, attributes, created_by, created_at, version
)
select g.workspace_id, d.id, g.id, g.parent_id, g.depth, g.key, g.name, g.description, g.attributes, g.created_by, g.created_at,
  g.version
from groups g
join deletions d
  on d.workspace_id = g.workspace_id
  and d.id = {}
where g.workspace_id = {}
  and g.id {}";

const BIN_MEMBERSHIPS_IN_GROUPS: &str = "
insert into deleted_memberships (workspace_id, deletion_id, id, user_id, group_id, manager, lifted, created_by, created_at)
select m.workspace_id, d.id, m.id, m.user_id, m.group_id, m.manager, {}, m.created_by, m.created_at
from memberships m
join deletions d
  on d.workspace_id = m.workspace_id
  and d.id = {}
where m.workspace_id = {}
  and m.group_id {}";

const BIN_GRANTS_WITHIN: &str = "
insert into deleted_grants (workspace_id, deletion_id, id, user_id, role_id, within_group_id, provenance, granted_by, granted_at)
select a.workspace_id, d.id, a.id, a.user_id, a.role_id, a.within_group_id, a.provenance, a.granted_by, a.granted_at
from grants a
join deletions d
  on d.workspace_id = a.workspace_id
  and d.id = {}
where a.workspace_id = {}
  and a.within_group_id {}";

const DELETE_MEMBERSHIPS_IN: &str = "
delete from memberships
where workspace_id = {}
  and group_id {}";

const DELETE_GRANTS_WITHIN: &str = "
delete from grants
where workspace_id = {}
  and within_group_id {}";

const DELETE_GROUPS: &str = "
delete from groups
where workspace_id = {}
  and id {}";

const COUNT_MEMBERS: &str = "
select count(*)
from memberships m
where m.workspace_id = {}
  and m.group_id = {}";

/// Puts a group into the recycle bin.
pub(super) async fn delete_group(
    writer: &mut Writer,
    group: GroupId,
    seen: Version,
    mode: DeleteMode,
    deletion: DeletionId,
) -> Result<(), Error> {
    let of = writer.of;
    writer.require_versions(Versioned::Groups, &[(group.0, seen)]).await?;
    let found = writer.tx.fetch(sql!(GROUP, of, group)).await?;
    let Some(row) = found.first() else { return Err(super::stale()) };
    let mut columns = row.columns();
    let parent = rows::optional(&mut columns)?.map(GroupId);
    let name: String = columns.take()?;
    let below = closure::below(&mut writer.tx, of, group, SUBTREE_GROUPS + 1).await?;
    if below.len() > SUBTREE_GROUPS {
        return Err(Error::TooLarge(format!("more than {SUBTREE_GROUPS} groups would be deleted at once; delete parts of them")));
    }
    let (mode, gone) = match mode {
        DeleteMode::Empty => {
            require_empty(writer, group, below.len()).await?;
            ("one", vec![group.0])
        }
        DeleteMode::Lift => ("lift", vec![group.0]),
        DeleteMode::Subtree => ("subtree", below.iter().map(|(id, _)| id.0).collect()),
    };
    let row = Deletion { id: deletion, kind: "group", object: group.0, name, mode, status: None, managed_top: false };
    insert_deletions(writer, vec![row]).await?;
    let gone = || gone.iter().copied();
    if mode == "lift" {
        lift(writer, group, parent, deletion).await?;
    } else {
        let above = closure::above(&mut writer.tx, of, group).await?;
        effective::leave(&mut writer.tx, of, group, &above).await?;
        writer.tx.execute(sql!(BIN_MEMBERSHIPS_IN_GROUPS, false, deletion.0, of, among(gone()))).await?;
    }
    writer.tx.execute(sql!(BIN_GRANTS_WITHIN, deletion.0, of, among(gone()))).await?;
    writer.tx.execute(sql!(BIN_GROUPS, deletion.0, of, among(gone()))).await?;
    writer.tx.execute(sql!(DELETE_MEMBERSHIPS_IN, of, among(gone()))).await?;
    writer.tx.execute(sql!(DELETE_GRANTS_WITHIN, of, among(gone()))).await?;
    effective::forget_groups(&mut writer.tx, of, gone()).await?;
    closure::forget(&mut writer.tx, of, gone()).await?;
    put::groups::unindex(&mut writer.tx, of, gone()).await?;
    writer.tx.execute(sql!(DELETE_GROUPS, of, among(gone()))).await.map(drop)
}

async fn require_empty(writer: &mut Writer, group: GroupId, groups: usize) -> Result<(), Error> {
    let found = writer.tx.fetch(sql!(COUNT_MEMBERS, writer.of, group)).await?;
    let members: i64 = found.first().map_or(Ok(0), Row::only)?;
    if groups <= 1 && members == 0 {
        return Ok(());
    }
    // Whoever deletes may see nothing of what is in it, so that nothing is named and nothing counted.
    let message = "the group is not empty, perhaps by something you can not see; choose what becomes of what is in it".to_owned();
    Err(Error::Broken { rule: Rule::NotEmpty, message })
}

const CHILDREN: &str = "
select g.id
from groups g
where g.workspace_id = {}
  and g.parent_id = {}
order by g.id";

const INSERT_LIFTED: &str = "
insert into lifted_groups (workspace_id, deletion_id, group_id)
{}";

/// The members of a group who are not in its parent already.
const LIFT_MEMBERS: &str = "
update memberships
set group_id = {},
  manager = {}
where workspace_id = {}
  and group_id = {}
  and not exists (
    select 1
    from memberships m
    where m.workspace_id = {}
      and m.group_id = {}
      and m.user_id = memberships.user_id
  )";

const TO_LIFT: &str = "
select m.id
from memberships m
where m.workspace_id = {}
  and m.group_id = {}";

/// Moves what is in a group to its parent: the groups below it, and its members, who manage nothing by it.
async fn lift(writer: &mut Writer, group: GroupId, parent: Option<GroupId>, deletion: DeletionId) -> Result<(), Error> {
    let of = writer.of;
    let found = writer.tx.fetch(sql!(CHILDREN, of, group)).await?;
    let children: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    let mut batch = Batch::new(&[Of::Ids, Of::Ids, Of::Ids]);
    for child in &children {
        batch.push([of.0.into(), deletion.0.into(), (*child).into()]);
    }
    put::insert(&mut writer.tx, INSERT_LIFTED, batch).await?;
    for child in children {
        groups::rehang(writer, GroupId(child), parent).await?;
    }
    writer.tx.execute(sql!(BIN_MEMBERSHIPS_IN_GROUPS, parent.is_some(), deletion.0, of, among([group.0]))).await?;
    let found = writer.tx.fetch(sql!(TO_LIFT, of, group)).await?;
    let members: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    effective::lose(&mut writer.tx, of, effective::by_ids(members.iter().copied())).await?;
    if let Some(parent) = parent {
        writer.tx.execute(sql!(LIFT_MEMBERS, parent, false, of, group, of, parent)).await?;
        let lifted = sql!("m.group_id = {} and {}", parent, effective::by_ids(members));
        effective::gain(&mut writer.tx, of, lifted).await?;
    }
    Ok(())
}

const DELETED_GROUPS: &str = "
select g.id, g.parent_id, g.depth, g.key, g.name, g.description, g.attributes, g.created_by, g.created_at, g.version
from deleted_groups g
where g.workspace_id = {}
  and g.deletion_id = {}
order by g.depth, g.id";

const DELETE_DELETED_GROUPS: &str = "
delete from deleted_groups
where workspace_id = {}
  and deletion_id = {}";

/// Takes a group, and what was deleted with it, out of the recycle bin.
pub(super) async fn restore_group(writer: &mut Writer, deletion: DeletionId, parent: Option<GroupId>, name: String) -> Result<(), Error> {
    let (of, now) = (writer.of, writer.now);
    let found = writer.tx.fetch(sql!(DELETED_GROUPS, of, deletion.0)).await?;
    let mut groups: Vec<(Group, Stamp)> = found.iter().map(|row| deleted_group(row, now)).collect::<Result<_, _>>()?;
    let Some((root, _)) = groups.first_mut() else { return Err(super::stale()) };
    let (root_id, before, depth) = (root.id, root.parent, root.depth);
    (root.parent, root.name) = (parent, name);
    let sunk = writer.depth(parent).await? + 1 - depth;
    for (group, _) in &mut groups {
        group.depth += sunk;
    }
    groups::check_depth(groups.iter().map(|(group, _)| group.depth).max().unwrap_or_default())?;
    put::groups::add(&mut writer.tx, of, groups.iter().map(|(group, stamp)| (group, *stamp))).await?;
    writer.tx.execute(sql!(DELETE_DELETED_GROUPS, of, deletion.0)).await?;
    closure::add(&mut writer.tx, of, groups.iter().map(|(group, _)| group.id.0)).await?;
    if parent == before {
        sink_lifted(writer, deletion, root_id, before).await?;
    } else {
        // Nobody decided that what was lifted should follow to another place: it stays, and what is lost of it is told.
        writer.incomplete |= lifted_groups(writer, deletion).await? > 0;
    }
    bring_back_edges(writer, deletion).await?;
    forget(writer, deletion).await
}

fn deleted_group(row: &Row, now: Timestamp) -> Result<(Group, Stamp), Error> {
    let mut columns = row.columns();
    let id = GroupId(columns.take()?);
    let parent = rows::optional(&mut columns)?.map(GroupId);
    let depth = columns.take()?;
    let (key, name, description) = (columns.take()?, columns.take()?, columns.take()?);
    let attributes = Attributes(rows::json(&columns.take::<String>()?)?);
    let created_by = rows::optional(&mut columns)?.map(UserId);
    let created_at = Timestamp(columns.take()?);
    let version = columns.take::<i64>()? + 1;
    let group = Group { id, key, name, description, parent, depth, attributes };
    Ok((group, Stamp { created_by, created_at, updated_at: now, version }))
}

/// Groups that were lifted, and are where they were lifted to.
const LIFTED_GROUPS: &str = "
select g.id
from lifted_groups l
join groups g
  on g.workspace_id = l.workspace_id
  and g.id = l.group_id
where l.workspace_id = {}
  and l.deletion_id = {}
  and g.parent_id is not distinct from {}
order by g.id";

const COUNT_LIFTED: &str = "
select count(*)
from lifted_groups l
where l.workspace_id = {}
  and l.deletion_id = {}";

/// Members who were lifted, and are as they were lifted.
const LIFTED_MEMBERS: &str = "
select m.id, b.manager
from deleted_memberships b
join memberships m
  on m.workspace_id = b.workspace_id
  and m.id = b.id
where b.workspace_id = {}
  and b.deletion_id = {}
  and b.lifted = {}
  and m.group_id = {}
  and m.manager = {}";

const SINK_MEMBERS: &str = "
update memberships
set group_id = {},
  manager = {}
where workspace_id = {}
  and id {}";

const FORGET_SUNK: &str = "
delete from deleted_memberships
where workspace_id = {}
  and deletion_id = {}
  and id {}";

/// Members who were in the parent already, or left it: their membership comes back as any other. One that lives on elsewhere, or
/// waits with another deletion, stays what it has become.
const UNLIFT: &str = "
update deleted_memberships
set lifted = {}
where workspace_id = {}
  and deletion_id = {}
  and lifted = {}
  and not exists (
    select 1
    from memberships m
    where m.workspace_id = {}
      and m.id = deleted_memberships.id
  )
  and not exists (
    select 1
    from deleted_memberships o
    where o.workspace_id = {}
      and o.id = deleted_memberships.id
      and o.deletion_id <> deleted_memberships.deletion_id
  )";

async fn lifted_groups(writer: &mut Writer, deletion: DeletionId) -> Result<i64, Error> {
    let found = writer.tx.fetch(sql!(COUNT_LIFTED, writer.of, deletion.0)).await?;
    found.first().map_or(Ok(0), Row::only)
}

/// Brings back what a group's deletion lifted to its parent, if it is still there.
async fn sink_lifted(writer: &mut Writer, deletion: DeletionId, group: GroupId, parent: Option<GroupId>) -> Result<(), Error> {
    let of = writer.of;
    let lifted = lifted_groups(writer, deletion).await?;
    let found = writer.tx.fetch(sql!(LIFTED_GROUPS, of, deletion.0, parent.map(|id| id.0))).await?;
    let children: Vec<Uuid> = found.iter().map(Row::only).collect::<Result<_, _>>()?;
    writer.incomplete |= (children.len() as i64) < lifted;
    for child in children.into_iter().filter(|child| *child != group.0) {
        groups::rehang(writer, GroupId(child), Some(group)).await?;
    }
    let Some(parent) = parent else { return Ok(()) };
    let found = writer.tx.fetch(sql!(LIFTED_MEMBERS, of, deletion.0, true, parent, false)).await?;
    let mut sunk: HashMap<bool, Vec<Uuid>> = HashMap::new();
    for row in &found {
        let mut columns = row.columns();
        let id: Uuid = columns.take()?;
        sunk.entry(columns.take()?).or_default().push(id);
    }
    for (manager, ids) in sunk {
        effective::lose(&mut writer.tx, of, effective::by_ids(ids.iter().copied())).await?;
        writer.tx.execute(sql!(SINK_MEMBERS, group, manager, of, among(ids.iter().copied()))).await?;
        effective::gain(&mut writer.tx, of, effective::by_ids(ids.iter().copied())).await?;
        writer.tx.execute(sql!(FORGET_SUNK, of, deletion.0, among(ids))).await?;
    }
    writer.tx.execute(sql!(UNLIFT, false, of, deletion.0, true, of, of)).await.map(drop)
}

const ROLE: &str = "
select r.name
from roles r
where r.workspace_id = {}
  and r.id = {}";

const BIN_ROLE: &str = "
insert into deleted_roles (workspace_id, deletion_id, id, key, name, description, permissions, created_by, created_at, version)
select r.workspace_id, d.id, r.id, r.key, r.name, r.description, r.permissions, r.created_by, r.created_at, r.version
from roles r
join deletions d
  on d.workspace_id = r.workspace_id
  and d.object_id = r.id
where r.workspace_id = {}
  and r.id = {}";

const BIN_GRANTS_OF_ROLE: &str = "
insert into deleted_grants (workspace_id, deletion_id, id, user_id, role_id, within_group_id, provenance, granted_by, granted_at)
select a.workspace_id, d.id, a.id, a.user_id, a.role_id, a.within_group_id, a.provenance, a.granted_by, a.granted_at
from grants a
join deletions d
  on d.workspace_id = a.workspace_id
  and d.object_id = a.role_id
where a.workspace_id = {}
  and a.role_id = {}";

const DELETE_GRANTS_OF_ROLE: &str = "
delete from grants
where workspace_id = {}
  and role_id = {}";

const DELETE_ROLE: &str = "
delete from roles
where workspace_id = {}
  and id = {}";

/// Puts a role into the recycle bin, with the grants of it.
pub(super) async fn delete_role(writer: &mut Writer, role: RoleId, seen: Version, deletion: DeletionId) -> Result<(), Error> {
    let of = writer.of;
    writer.require_versions(Versioned::Roles, &[(role.0, seen)]).await?;
    writer.require_own(role).await?;
    let found = writer.tx.fetch(sql!(ROLE, of, role)).await?;
    let name: String = found.first().map(Row::only).transpose()?.ok_or_else(super::stale)?;
    let row = Deletion { id: deletion, kind: "role", object: role.0, name, mode: "one", status: None, managed_top: false };
    insert_deletions(writer, vec![row]).await?;
    writer.tx.execute(sql!(BIN_ROLE, of, role)).await?;
    writer.tx.execute(sql!(BIN_GRANTS_OF_ROLE, of, role)).await?;
    writer.tx.execute(sql!(DELETE_GRANTS_OF_ROLE, of, role)).await?;
    put::roles::unindex(&mut writer.tx, of, role).await?;
    writer.tx.execute(sql!(DELETE_ROLE, of, role)).await.map(drop)
}

const DELETED_ROLE: &str = "
select r.id, r.key, r.name, r.description, r.permissions, r.created_by, r.created_at, r.version
from deleted_roles r
where r.workspace_id = {}
  and r.deletion_id = {}";

const DELETE_DELETED_ROLE: &str = "
delete from deleted_roles
where workspace_id = {}
  and deletion_id = {}";

/// Takes a role out of the recycle bin, with the grants of it.
pub(super) async fn restore_role(writer: &mut Writer, deletion: DeletionId) -> Result<(), Error> {
    let (of, now) = (writer.of, writer.now);
    let found = writer.tx.fetch(sql!(DELETED_ROLE, of, deletion.0)).await?;
    let Some(row) = found.first() else { return Err(super::stale()) };
    let mut columns = row.columns();
    let role = directory::change::NewRole {
        id: RoleId(columns.take()?),
        key: columns.take()?,
        name: columns.take()?,
        description: columns.take()?,
        permissions: rows::texts(&mut columns)?,
    };
    let created_by = rows::optional(&mut columns)?.map(UserId);
    let created_at = Timestamp(columns.take()?);
    let version = columns.take::<i64>()? + 1;
    put::roles::add(&mut writer.tx, of, &role, false, Stamp { created_by, created_at, updated_at: now, version }).await?;
    writer.tx.execute(sql!(DELETE_DELETED_ROLE, of, deletion.0)).await?;
    bring_back_edges(writer, deletion).await?;
    forget(writer, deletion).await
}
