//! Lists of groups. There are few enough of them that the planner may choose its own way.

use directory::{
    Error,
    model::Group,
    query::NameSort,
    store::{AmongGroups, GroupList, Listed},
};
use uuid::Uuid;

use super::{Branch, IS_PARENT, Listing, Shape, Sorting};
use crate::{
    cond::Cond,
    filter_sql::filter,
    rows,
    scope_sql::{Eye, GROUP, GroupAt},
    snapshot::View,
    sql::sql,
};

const SHAPE: Shape<Group> = Shape { table: "groups g", workspace: "g.workspace_id", id: "g.id", columns: rows::GROUP, read: rows::group };

/// A list of groups.
pub(crate) async fn groups(view: &mut View, list: &GroupList) -> Result<Vec<Listed<Group>>, Error> {
    let sorting = Sorting { key: key(list.order.by), direction: list.order.direction };
    let listing = Listing { parents: parents(list), branches: branches(view, list), sorting, window: &list.window };
    super::fetch(view, SHAPE, listing).await
}

/// Its counts.
pub(crate) async fn count_groups(view: &mut View, list: &GroupList) -> Result<Vec<u64>, Error> {
    let branches = branches(view, list);
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

fn branches(view: &View, list: &GroupList) -> Vec<Branch> {
    let eye = Eye { workspace: view.workspace, sight: &list.sight, probes: false };
    let among = match &list.among {
        AmongGroups::All => Cond::True,
        AmongGroups::Below { levels, .. } => below(eye, *levels),
        AmongGroups::Of(_) => eye.has_member(IS_PARENT),
    };
    let asked = filter(list.filter.as_ref(), &|predicate| eye.group_predicate(predicate));
    super::from(SHAPE.table, SHAPE.workspace, view.workspace, SHAPE.id, Cond::all([eye.group(GROUP), asked, among]))
}

/// Strictly below the parent, at most `levels` of groups in sight: those between the two that are hidden do not count.
fn below(eye: Eye<'_>, levels: Option<u32>) -> Cond {
    let of = eye.workspace;
    let between = eye.group(GroupAt { id: "x.ancestor_id", row: false });
    let levels = match levels {
        None => return exists_below(eye, Cond::True),
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
            "(select count(*) from group_closure x where x.workspace_id = {} and x.group_id = g.id and x.distance > 0 \
              and x.distance < b.distance{}) < {}",
            of,
            between.and(),
            levels
        )
    };
    exists_below(eye, near.into())
}

fn exists_below(eye: Eye<'_>, near: Cond) -> Cond {
    sql!(
        "exists (select 1 from group_closure b where b.workspace_id = {} and b.ancestor_id = p.id and b.group_id = g.id \
          and b.distance > 0{})",
        eye.workspace,
        near.and()
    )
    .into()
}
