//! Lists of groups. There are few enough of them that the planner may choose its own way, but for what hangs on parents: a list for each
//! of fifty users must not look at every group fifty times.

use directory::{
    Error,
    model::Group,
    query::NameSort,
    store::{AmongGroups, GroupList, Listed},
};
use uuid::Uuid;

use super::{Branch, Listing, Shape, Sorting};
use crate::{
    cond::Cond,
    filter_sql::filter,
    lookup, rows,
    scope_sql::{Eye, GROUP, GroupAt, MEMBERSHIP_EDGE},
    snapshot::View,
    sql::sql,
};

const SHAPE: Shape<Group> = Shape { table: "groups g", workspace: "g.workspace_id", id: "g.id", columns: rows::GROUP, read: rows::group };

/// A list of groups.
pub(crate) async fn groups(view: &mut View, list: &GroupList) -> Result<Vec<Listed<Group>>, Error> {
    let sorting = Sorting { key: key(list.order.by), direction: list.order.direction };
    let listing = Listing { parents: parents(list), branches: branches(view, list).await?, sorting, window: &list.window };
    super::fetch(view, SHAPE, listing).await
}

/// Its counts.
pub(crate) async fn count_groups(view: &mut View, list: &GroupList) -> Result<Vec<u64>, Error> {
    let branches = branches(view, list).await?;
    super::count(view, parents(list), branches).await
}

const fn key(by: NameSort) -> Option<&'static str> {
    match by {
        NameSort::Id => None,
        NameSort::Name => Some("g.name_key"),
        NameSort::Key => Some("g.key_key"),
    }
}

fn parents(list: &GroupList) -> Option<Vec<Uuid>> {
    match &list.among {
        AmongGroups::All => None,
        AmongGroups::Below { groups, .. } => Some(groups.iter().map(|id| id.0).collect()),
        AmongGroups::Of(users) => Some(users.iter().map(|id| id.0).collect()),
    }
}

async fn branches(view: &mut View, list: &GroupList) -> Result<Vec<Branch>, Error> {
    let open = lookup::open_move(view).await?;
    let eye = Eye { workspace: view.workspace, sight: &list.sight, probes: false, open: &open };
    let asked = filter(list.filter.as_ref(), &|predicate| eye.group_predicate(predicate));
    let among = match &list.among {
        AmongGroups::All => Cond::True,
        AmongGroups::Below { levels, .. } => below(eye, *levels),
        AmongGroups::Of(_) => return Ok(of_parent(eye, Cond::all([eye.group(GROUP), asked]))),
    };
    Ok(super::from(SHAPE.table, SHAPE.workspace, view.workspace, SHAPE.id, Cond::all([eye.group(GROUP), asked, among])))
}

/// Those of which the parent, if it is in sight, is a member by a membership in sight.
fn of_parent(eye: Eye<'_>, cond: Cond) -> Vec<Branch> {
    let cond = Cond::all([eye.membership(MEMBERSHIP_EDGE), eye.user(MEMBERSHIP_EDGE.user), cond]);
    if cond.is_false() {
        return Vec::new();
    }
    vec![Branch { from: sql!(OF_PARENT, eye.workspace, eye.workspace), id: SHAPE.id, cond }]
}

const OF_PARENT: &str = "from memberships e
cross join groups g
where e.workspace_id = {}
  and e.user_id = p.id
  and g.workspace_id = {}
  and g.id = e.group_id";

/// Strictly below the parent, at most `levels` of groups in sight: those between the two that are hidden do not count.
fn below(eye: Eye<'_>, levels: Option<u32>) -> Cond {
    let of = eye.workspace;
    let between = eye.group(GroupAt { id: "x.ancestor_id", row: false });
    let levels = match levels {
        None => return all_below(eye, Cond::True),
        Some(0) => return Cond::False,
        Some(levels) => i64::from(levels),
    };
    if between.is_true() && levels == 1 {
        return sql!("g.parent_id = p.id").into();
    }
    let near = if between.is_true() {
        sql!("b.distance <= {}", levels)
    } else {
        sql!(
            "(select count(*) from group_closure x where x.workspace_id = {} and x.group_id = b.group_id and x.distance > 0 \
              and x.distance < b.distance{}) < {}",
            of,
            between.and(),
            levels
        )
    };
    all_below(eye, near.into())
}

fn all_below(eye: Eye<'_>, near: Cond) -> Cond {
    sql!(
        "g.id in (select b.group_id from group_closure b where b.workspace_id = {} and b.ancestor_id = p.id and b.distance > 0{})",
        eye.workspace,
        near.and()
    )
    .into()
}
