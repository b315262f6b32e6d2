//! Reads around changes: the recycle bin, edges by their ends, declared attributes, tokens, and what was done under a key.

use std::collections::BTreeMap;

use directory::{
    Error, Sealed,
    contract::Digest,
    ids::{DeletionId, GroupId, RoleId, TokenId, UserId},
    limits::TOKENS,
    model::{Attribute, Binned, BinnedUser, Deleted, Deletion, Group, Membership, Role, Timestamp, Token},
};
use uuid::Uuid;

use crate::{
    exec::{Columns, Row},
    rows,
    snapshot::View,
    sql::{among, sql},
    write,
};

const MEMBERSHIPS_BETWEEN: &str = "
select {}
from memberships m
where m.workspace_id = {}
  and m.user_id {}
  and m.group_id {}";

/// Every membership of these users in these groups.
pub(crate) async fn memberships_between(view: &mut View, users: &[UserId], groups: &[GroupId]) -> Result<Vec<Sealed<Membership>>, Error> {
    if users.is_empty() || groups.is_empty() {
        return Ok(Vec::new());
    }
    let (users, groups) = (among(users.iter().map(|id| id.0)), among(groups.iter().map(|id| id.0)));
    let found = view.fetch(sql!(MEMBERSHIPS_BETWEEN, rows::MEMBERSHIP, view.workspace, users, groups).fixed()).await?;
    found.iter().map(|row| rows::membership(&mut row.columns())).collect()
}

const SUBTREE: &str = "
select {}
from group_closure c
join groups g
  on g.workspace_id = c.workspace_id
  and g.id = c.group_id
where c.workspace_id = {}
  and c.ancestor_id = {}
order by c.distance, c.group_id
limit {}";

/// A group and everything below it.
pub(crate) async fn subtree(view: &mut View, group: GroupId, most: usize) -> Result<Vec<Sealed<Group>>, Error> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let found = view.fetch(sql!(SUBTREE, rows::GROUP, view.workspace, group, most).fixed()).await?;
    found.iter().map(|row| rows::group(&mut row.columns())).collect()
}

const ATTRIBUTES: &str = "
select {}
from attribute_definitions f
where f.workspace_id = {}
order by f.name";

/// The declared attributes.
pub(crate) async fn attributes(view: &mut View) -> Result<Vec<Sealed<Attribute>>, Error> {
    let found = view.fetch(sql!(ATTRIBUTES, rows::ATTRIBUTE, view.workspace).fixed()).await?;
    found.iter().map(|row| rows::attribute(&mut row.columns())).collect()
}

const TOKENS_OF: &str = "
select {}
from tokens k
where k.workspace_id = {}
  and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > {})
order by k.created_at desc, k.id desc
limit {}";

/// The tokens that work.
pub(crate) async fn tokens(view: &mut View, now: Timestamp) -> Result<Vec<Sealed<Token>>, Error> {
    let most = i64::try_from(TOKENS).unwrap_or(i64::MAX);
    let found = view.fetch(sql!(TOKENS_OF, rows::TOKEN, view.workspace, now, most).fixed()).await?;
    found.iter().map(|row| rows::token(&mut row.columns())).collect()
}

const ACCEPTS: &str = "
select 1
from tokens k
where k.workspace_id = {}
  and k.hash = {}
  and k.revoked_at is null";

/// Whether there is a token with this hash that is not revoked.
pub(crate) async fn accepts(view: &mut View, hash: [u8; 32]) -> Result<bool, Error> {
    Ok(!view.fetch(sql!(ACCEPTS, view.workspace, hash.to_vec()).fixed()).await?.is_empty())
}

const TOKEN: &str = "
select {}
from tokens k
where k.workspace_id = {}
  and k.id = {}
  and k.revoked_at is null";

/// One token that is not revoked.
pub(crate) async fn token(view: &mut View, id: TokenId) -> Result<Option<Sealed<Token>>, Error> {
    let found = view.fetch(sql!(TOKEN, rows::TOKEN, view.workspace, id).fixed()).await?;
    found.first().map(|row| rows::token(&mut row.columns())).transpose()
}

const DELETIONS: &str = "
select {}
from deletions d
where d.workspace_id = {}
  and d.purging = {}
  and (d.deleted_at, d.id) < ({}, {})
order by d.deleted_at desc, d.id desc
limit {}";

/// Deletions behind a position, the latest first.
pub(crate) async fn deletions(
    view: &mut View,
    after: Option<(Timestamp, DeletionId)>,
    most: usize,
) -> Result<Vec<Sealed<Deletion>>, Error> {
    let (at, id) = after.unwrap_or((Timestamp(i64::MAX), DeletionId(Uuid::max())));
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let found = view.fetch(sql!(DELETIONS, rows::DELETION, view.workspace, false, at, id.0, most).fixed()).await?;
    found.iter().map(|row| rows::deletion(&mut row.columns())).collect()
}

const GROUPS_OF_USERS: &str = "
select distinct d.object_id, b.group_id
from deletions d
join deleted_memberships b
  on b.workspace_id = d.workspace_id
  and b.deletion_id = d.id
join groups g
  on g.workspace_id = b.workspace_id
  and g.id = b.group_id
where d.workspace_id = {}
  and d.object_id {}
order by d.object_id, b.group_id";

const ROLES_OF_USERS: &str = "
select distinct d.object_id, b.role_id
from deletions d
join deleted_grants b
  on b.workspace_id = d.workspace_id
  and b.deletion_id = d.id
join roles r
  on r.workspace_id = b.workspace_id
  and r.id = b.role_id
where d.workspace_id = {}
  and d.object_id {}
order by d.object_id, b.role_id";

/// What these users would have again.
pub(crate) async fn binned_users(view: &mut View, ids: &[UserId]) -> Result<Vec<Sealed<BinnedUser>>, Error> {
    let mut users: BTreeMap<UserId, BinnedUser> = BTreeMap::new();
    let ids = || among(ids.iter().map(|id| id.0));
    let entry = |user| BinnedUser { user, groups: Vec::new(), roles: Vec::new() };
    for row in view.fetch(sql!(GROUPS_OF_USERS, view.workspace, ids()).fixed()).await? {
        let mut columns = row.columns();
        let user = UserId(columns.take()?);
        users.entry(user).or_insert_with(|| entry(user)).groups.push(GroupId(columns.take()?));
    }
    for row in view.fetch(sql!(ROLES_OF_USERS, view.workspace, ids()).fixed()).await? {
        let mut columns = row.columns();
        let user = UserId(columns.take()?);
        users.entry(user).or_insert_with(|| entry(user)).roles.push(RoleId(columns.take()?));
    }
    Ok(users.into_values().map(Sealed::new).collect())
}

const BINNED_GROUPS: &str = "
select g.id, g.parent_id, g.depth, g.key, g.name, g.description, g.attributes, g.created_by, g.created_at, g.created_at, g.version
from deletions d
join deleted_groups g
  on g.workspace_id = d.workspace_id
  and g.deletion_id = d.id
  and g.id = d.object_id
where d.workspace_id = {}
  and d.object_id {}";

/// Those of these groups that were deleted by themselves.
pub(crate) async fn binned_groups(view: &mut View, ids: &[GroupId]) -> Result<Vec<Sealed<Group>>, Error> {
    let found = view.fetch(sql!(BINNED_GROUPS, view.workspace, among(ids.iter().map(|id| id.0))).fixed()).await?;
    found.iter().map(|row| rows::group(&mut row.columns())).collect()
}

const BINNED_ROLES: &str = "
select r.id, r.key, r.name, r.description, {}, r.permissions, r.created_by, r.created_at, r.created_at, r.version
from deleted_roles r
where r.workspace_id = {}
  and r.id {}";

/// Those of these roles that were deleted.
pub(crate) async fn binned_roles(view: &mut View, ids: &[RoleId]) -> Result<Vec<Sealed<Role>>, Error> {
    let found = view.fetch(sql!(BINNED_ROLES, false, view.workspace, among(ids.iter().map(|id| id.0)))).await?;
    found.iter().map(|row| rows::role(&mut row.columns())).collect()
}

const OF_OBJECT: &str = "
select {}
from deletions d
where d.workspace_id = {}
  and (d.object_id = {} or d.id in (select g.deletion_id from deleted_groups g where g.workspace_id = {} and g.id = {}))";

/// The deletion by which an object is gone: its own, or that of a group above it.
pub(crate) async fn deletion_of(view: &mut View, object: Uuid) -> Result<Option<Sealed<Deletion>>, Error> {
    let of = view.workspace;
    let found = view.fetch(sql!(OF_OBJECT, rows::DELETION, of, object, of, object).fixed()).await?;
    found.first().map(|row| rows::deletion(&mut row.columns())).transpose()
}

const GROUPS: &str = "
select g.id, g.parent_id, g.depth, g.key, g.name, g.description, g.attributes, g.created_by, g.created_at, g.created_at, g.version
from deleted_groups g
where g.workspace_id = {}
  and g.deletion_id = {}
order by g.depth, g.id";

const ROLE: &str = "
select r.id, r.key, r.name, r.description, {}, r.permissions, r.created_by, r.created_at, r.created_at, r.version
from deleted_roles r
where r.workspace_id = {}
  and r.deletion_id = {}";

const GROUPS_OF_USER: &str = "
select b.group_id, b.manager
from deleted_memberships b
join groups g
  on g.workspace_id = b.workspace_id
  and g.id = b.group_id
where b.workspace_id = {}
  and b.deletion_id = {}
order by b.group_id";

const MANAGED: &str = "
select distinct b.group_id
from deleted_memberships b
where b.workspace_id = {}
  and b.deletion_id = {}
  and b.manager = {}
order by b.group_id";

const GRANTS: &str = "
select distinct b.user_id, b.role_id, b.within_group_id
from deleted_grants b
where b.workspace_id = {}
  and b.deletion_id = {}
order by b.user_id, b.role_id, b.within_group_id";

/// What a deletion would bring back, as far as a decision rests on it.
pub(crate) async fn binned(view: &mut View, deletion: &Deletion) -> Result<Sealed<Binned>, Error> {
    let (of, id) = (view.workspace, deletion.id.0);
    let mut binned = Binned::default();
    match deletion.of {
        Deleted::User(_) => {
            let membership = |row: &Row| {
                let mut columns: Columns<'_> = row.columns();
                Ok((GroupId(columns.take()?), columns.take()?))
            };
            let found = view.fetch(sql!(GROUPS_OF_USER, of, id).fixed()).await?;
            binned.memberships = found.iter().map(membership).collect::<Result<_, Error>>()?;
        }
        Deleted::Group(_) => {
            let found = view.fetch(sql!(GROUPS, of, id).fixed()).await?;
            binned.groups = found.iter().map(|row| rows::group_row(&mut row.columns())).collect::<Result<_, _>>()?;
            let found = view.fetch(sql!(MANAGED, of, id, true).fixed()).await?;
            binned.managed = found.iter().map(|row| row.only().map(GroupId)).collect::<Result<_, _>>()?;
        }
        Deleted::Role(_) => {
            let found = view.fetch(sql!(ROLE, false, of, id)).await?;
            binned.role = found.first().map(|row| rows::role_row(&mut row.columns())).transpose()?;
        }
    }
    let grant = |row: &Row| {
        let mut columns: Columns<'_> = row.columns();
        Ok((UserId(columns.take()?), RoleId(columns.take()?), rows::optional(&mut columns)?.map(GroupId)))
    };
    let found = view.fetch(sql!(GRANTS, of, id).fixed()).await?;
    binned.grants = found.iter().map(grant).collect::<Result<_, Error>>()?;
    Ok(Sealed::new(binned))
}

const REQUEST: &str = "
select t.digest, t.result
from requests t
where t.workspace_id = {}
  and t.subject_id = {}
  and t.key = {}";

/// What was done under an idempotency key.
pub(crate) async fn request(view: &mut View, subject: Uuid, key: &str) -> Result<Option<(Digest, Vec<Uuid>)>, Error> {
    let found = view.fetch(sql!(REQUEST, view.workspace, subject, key.to_owned()).fixed()).await?;
    found.first().map(write::request).transpose()
}
