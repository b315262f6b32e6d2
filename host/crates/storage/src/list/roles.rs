//! Lists of roles.

use directory::{
    Error,
    model::Role,
    query::NameSort,
    store::{AmongRoles, Listed, RoleList},
};
use uuid::Uuid;

use super::{Branch, Listing, Shape, Sorting};
use crate::{
    cond::Cond,
    filter_sql::filter,
    lookup, rows,
    scope_sql::{Eye, GRANT_EDGE, ROLE},
    snapshot::View,
    sql::sql,
};

const SHAPE: Shape<Role> = Shape { table: "roles r", workspace: "r.workspace_id", id: "r.id", columns: rows::ROLE, read: rows::role };

/// A list of roles.
pub(crate) async fn roles(view: &mut View, list: &RoleList) -> Result<Vec<Listed<Role>>, Error> {
    let sorting = Sorting { key: key(list.order.by), direction: list.order.direction };
    let listing = Listing { parents: parents(list), branches: branches(view, list).await?, sorting, window: &list.window };
    super::fetch(view, SHAPE, listing).await
}

/// Its counts.
pub(crate) async fn count_roles(view: &mut View, list: &RoleList) -> Result<Vec<u64>, Error> {
    let branches = branches(view, list).await?;
    super::count(view, parents(list), branches).await
}

const fn key(by: NameSort) -> Option<&'static str> {
    match by {
        NameSort::Id => None,
        NameSort::Name => Some("r.name_key"),
        NameSort::Key => Some("r.key_key"),
    }
}

fn parents(list: &RoleList) -> Option<Vec<Uuid>> {
    match &list.among {
        AmongRoles::All => None,
        AmongRoles::Of(users) => Some(users.iter().map(|id| id.0).collect()),
    }
}

async fn branches(view: &mut View, list: &RoleList) -> Result<Vec<Branch>, Error> {
    let open = lookup::open_move(view).await?;
    let eye = Eye { workspace: view.workspace, sight: &list.sight, probes: false, open: &open };
    let among = match &list.among {
        AmongRoles::All => Cond::True,
        AmongRoles::Of(_) => held(eye),
    };
    let asked = filter(list.filter.as_ref(), &|predicate| eye.role_predicate(predicate));
    Ok(super::from(SHAPE.table, SHAPE.workspace, view.workspace, SHAPE.id, Cond::all([eye.role(ROLE), asked, among])))
}

/// The parent, if it is in sight, holds the role by a grant in sight.
fn held(eye: Eye<'_>) -> Cond {
    let seen = Cond::all([eye.grant(GRANT_EDGE), eye.user(GRANT_EDGE.user)]);
    if seen.is_false() {
        return Cond::False;
    }
    sql!("exists (select 1 from grants e where e.workspace_id = {} and e.user_id = p.id and e.role_id = r.id{})", eye.workspace, seen.and())
        .into()
}
