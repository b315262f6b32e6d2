//! Reads by id: one statement however many ids.

use std::sync::Arc;

use directory::{
    Error, Sealed,
    ids::{GrantId, GroupId, MembershipId, PolicyVersionId, RoleId, ShadowId, UserId},
    model::{Epoch, Grant, Group, Membership, Role, User, Workspace},
    store::Head,
};

use crate::{
    exec::{Columns, Row},
    open_move::OpenMove,
    rows,
    snapshot::View,
    sql::{among, sql},
};

const WORKSPACE: &str = "
select {}
from workspaces w
where w.id = {}";

/// The workspace of the view.
pub(crate) async fn workspace(view: &mut View) -> Result<Sealed<Workspace>, Error> {
    let found = view.fetch(sql!(WORKSPACE, rows::WORKSPACE, view.workspace).fixed()).await?;
    rows::workspace(&mut only(&found)?)
}

const HEAD: &str = "
select w.epoch, w.policy_version_id, w.deferred, s.id
from workspaces w
left join policy_shadows s
  on s.workspace_id = w.id
  and s.active_id = w.policy_version_id
  and s.stopped_at is null
where w.id = {}";

/// What every request asks first.
pub(crate) async fn head(view: &mut View) -> Result<Head, Error> {
    let found = view.fetch(sql!(HEAD, view.workspace).fixed()).await?;
    let mut columns = only(&found)?;
    let (epoch, version) = (Epoch(columns.take()?), PolicyVersionId(columns.take()?));
    if !columns.take::<bool>()? {
        view.knows_open_move(Arc::default());
    }
    Ok(Head { epoch, version, shadow: rows::optional(&mut columns)?.map(ShadowId) })
}

const OPEN_MOVE: &str = "
select d.ancestor_id, d.moved_id, d.joins
from deferred_moves d
where d.workspace_id = {}";

/// The move that is still to be counted. Mostly [`head`] has found that there is none.
pub(crate) async fn open_move(view: &mut View) -> Result<Arc<OpenMove>, Error> {
    if let Some(known) = view.open_move() {
        return Ok(known);
    }
    let open = Arc::new(OpenMove::read(&view.fetch(sql!(OPEN_MOVE, view.workspace).fixed()).await?)?);
    view.knows_open_move(open.clone());
    Ok(open)
}

/// The one row of a view's workspace, which was there when the view was opened.
fn only(found: &[Row]) -> Result<Columns<'_>, Error> {
    found.first().map(Row::columns).ok_or_else(|| Error::NotFound("the workspace".to_owned()))
}

const USERS: &str = "
select {}
from users u
where u.workspace_id = {}
  and u.id {}";

/// Users by id.
pub(crate) async fn users(view: &mut View, ids: &[UserId]) -> Result<Vec<Sealed<User>>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = view.fetch(sql!(USERS, rows::USER, view.workspace, among(ids.iter().map(|id| id.0))).fixed()).await?;
    found.iter().map(|row| rows::user(&mut row.columns())).collect()
}

const GROUPS: &str = "
select {}
from groups g
where g.workspace_id = {}
  and g.id {}";

/// Groups by id.
pub(crate) async fn groups(view: &mut View, ids: &[GroupId]) -> Result<Vec<Sealed<Group>>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = view.fetch(sql!(GROUPS, rows::GROUP, view.workspace, among(ids.iter().map(|id| id.0))).fixed()).await?;
    found.iter().map(|row| rows::group(&mut row.columns())).collect()
}

const ROLES: &str = "
select {}
from roles r
where r.workspace_id = {}
  and r.id {}";

/// Roles by id.
pub(crate) async fn roles(view: &mut View, ids: &[RoleId]) -> Result<Vec<Sealed<Role>>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = view.fetch(sql!(ROLES, rows::ROLE, view.workspace, among(ids.iter().map(|id| id.0))).fixed()).await?;
    found.iter().map(|row| rows::role(&mut row.columns())).collect()
}

const MEMBERSHIPS: &str = "
select {}
from memberships m
where m.workspace_id = {}
  and m.id {}";

/// Memberships by id.
pub(crate) async fn memberships(view: &mut View, ids: &[MembershipId]) -> Result<Vec<Sealed<Membership>>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sql!(MEMBERSHIPS, rows::MEMBERSHIP, view.workspace, among(ids.iter().map(|id| id.0)));
    let found = view.fetch(sql.fixed()).await?;
    found.iter().map(|row| rows::membership(&mut row.columns())).collect()
}

const GRANTS: &str = "
select {}
from grants a
where a.workspace_id = {}
  and a.id {}";

/// Grants by id.
pub(crate) async fn grants(view: &mut View, ids: &[GrantId]) -> Result<Vec<Sealed<Grant>>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = view.fetch(sql!(GRANTS, rows::GRANT, view.workspace, among(ids.iter().map(|id| id.0))).fixed()).await?;
    found.iter().map(|row| rows::grant(&mut row.columns())).collect()
}
