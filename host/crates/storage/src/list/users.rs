//! Lists of users, as the plan says: one statement for all parents that are read alike.

use directory::{
    Error,
    ids::WorkspaceId,
    model::User,
    store::{Listed, UserList},
};
use uuid::Uuid;

use super::{Listing, Shape, Sorting};
use crate::{
    filter_sql::user_key,
    lookup,
    open_move::OpenMove,
    plan::{self, Asked},
    rows,
    scope_sql::Eye,
    snapshot::View,
};

const SHAPE: Shape<User> = Shape { table: "users u", workspace: "u.workspace_id", id: "u.id", columns: rows::USER, read: rows::user };

/// A list of users.
pub(crate) async fn users(view: &mut View, list: &UserList) -> Result<Vec<Listed<User>>, Error> {
    let sorting = Sorting { key: list.order.by.text().map(user_key), direction: list.order.direction };
    let mut listed = Vec::new();
    let open = lookup::open_move(view).await?;
    for plan in asked(view.workspace, list, &open).page(view, list.order.by).await? {
        let listing = Listing { parents: some(list, &plan.parents), branches: plan.branches, sorting, window: &list.window };
        for mut row in super::fetch(view, SHAPE, listing).await? {
            row.parent = position(&plan.parents, row.parent);
            listed.push(row);
        }
    }
    // Stable: within a parent, rows stay in their order.
    listed.sort_by_key(|row| row.parent);
    Ok(listed)
}

/// Its counts.
pub(crate) async fn count_users(view: &mut View, list: &UserList) -> Result<Vec<u64>, Error> {
    let mut counts = vec![0; plan::ids_of(&list.among).map_or(1, |ids| ids.len())];
    let open = lookup::open_move(view).await?;
    for plan in asked(view.workspace, list, &open).count(view).await? {
        let found = super::count(view, some(list, &plan.parents), plan.branches).await?;
        for (place, count) in found.into_iter().enumerate() {
            if let Some(slot) = counts.get_mut(position(&plan.parents, place)) {
                *slot = count;
            }
        }
    }
    Ok(counts)
}

fn asked<'a>(workspace: WorkspaceId, list: &'a UserList, open: &'a OpenMove) -> Asked<'a> {
    let eye = Eye { workspace, sight: &list.sight, probes: true, open };
    Asked { eye, among: &list.among, filter: list.filter.as_ref() }
}

/// The parents at these positions.
fn some(list: &UserList, positions: &Option<Vec<usize>>) -> Option<Vec<Uuid>> {
    let ids = plan::ids_of(&list.among)?;
    Some(positions.iter().flatten().filter_map(|position| ids.get(*position).copied()).collect())
}

/// The position in the whole list of a place in a plan.
fn position(positions: &Option<Vec<usize>>, place: usize) -> usize {
    positions.as_ref().and_then(|positions| positions.get(place).copied()).unwrap_or(place)
}
