//! Lists of memberships and grants: in sight if they are themselves and both their ends are.

use directory::{
    Error,
    model::{Grant, Membership},
    query::{GrantPredicate, MembershipPredicate},
    store::{AmongGrants, AmongMemberships, AmongUsers, GrantList, Listed, MembershipList},
};
use uuid::Uuid;

use super::{Branch, IS_PARENT, Listing, Shape, Sorting, union};
use crate::{
    cond::Cond,
    filter_sql::filter,
    lookup,
    plan::{Asked, conjuncts},
    rows,
    scope_sql::{Eye, GRANT, MEMBERSHIP},
    snapshot::View,
    sql::sql,
};

const MEMBERSHIPS: Shape<Membership> =
    Shape { table: "memberships m", workspace: "m.workspace_id", id: "m.id", columns: rows::MEMBERSHIP, read: rows::membership };

/// A list of memberships.
pub(crate) async fn memberships(view: &mut View, list: &MembershipList) -> Result<Vec<Listed<Membership>>, Error> {
    let branches = membership_branches(view, list, true).await?;
    let sorting = Sorting { key: None, direction: list.order.direction };
    let listing = Listing { parents: membership_parents(list), branches, sorting, window: &list.window };
    super::fetch(view, MEMBERSHIPS, listing).await
}

/// Its counts.
pub(crate) async fn count_memberships(view: &mut View, list: &MembershipList) -> Result<Vec<u64>, Error> {
    let branches = membership_branches(view, list, false).await?;
    super::count(view, membership_parents(list), branches).await
}

fn membership_parents(list: &MembershipList) -> Option<Vec<Uuid>> {
    match &list.among {
        AmongMemberships::All => None,
        AmongMemberships::OfUsers(users) => Some(users.iter().map(|id| id.0).collect()),
        AmongMemberships::OfGroups(groups) => Some(groups.iter().map(|id| id.0).collect()),
    }
}

/// `probes` as in [`Eye`]: for pages, not for counts.
async fn membership_branches(view: &mut View, list: &MembershipList, probes: bool) -> Result<Vec<Branch>, Error> {
    let open = lookup::open_move(view).await?;
    let eye = Eye { workspace: view.workspace, sight: &list.sight, probes, open: &open };
    let among = match &list.among {
        AmongMemberships::All => Cond::True,
        AmongMemberships::OfUsers(_) => sql!("m.user_id {}", IS_PARENT).into(),
        AmongMemberships::OfGroups(_) => sql!("m.group_id {}", IS_PARENT).into(),
    };
    let asked = filter(list.filter.as_ref(), &|predicate| eye.membership_predicate(predicate));
    let others = Cond::all([eye.membership(MEMBERSHIP), eye.group(MEMBERSHIP.group), asked, among]);
    let mut conditions = Vec::new();
    conjuncts(list.filter.as_ref(), &mut conditions);
    let pointed = matches!(list.among, AmongMemberships::OfUsers(_))
        || conditions.iter().any(|predicate| matches!(predicate, MembershipPredicate::Users(_)));
    edges(view, eye, &MEMBERSHIP_TABLE, others, pointed).await
}

const GRANTS: Shape<Grant> = Shape { table: "grants a", workspace: "a.workspace_id", id: "a.id", columns: rows::GRANT, read: rows::grant };

/// A list of grants.
pub(crate) async fn grants(view: &mut View, list: &GrantList) -> Result<Vec<Listed<Grant>>, Error> {
    let branches = grant_branches(view, list, true).await?;
    let sorting = Sorting { key: None, direction: list.order.direction };
    let listing = Listing { parents: grant_parents(list), branches, sorting, window: &list.window };
    super::fetch(view, GRANTS, listing).await
}

/// Its counts.
pub(crate) async fn count_grants(view: &mut View, list: &GrantList) -> Result<Vec<u64>, Error> {
    let branches = grant_branches(view, list, false).await?;
    super::count(view, grant_parents(list), branches).await
}

fn grant_parents(list: &GrantList) -> Option<Vec<Uuid>> {
    match &list.among {
        AmongGrants::All => None,
        AmongGrants::OfUsers(users) => Some(users.iter().map(|id| id.0).collect()),
        AmongGrants::OfRoles(roles) => Some(roles.iter().map(|id| id.0).collect()),
    }
}

/// `probes` as in [`Eye`]: for pages, not for counts.
async fn grant_branches(view: &mut View, list: &GrantList, probes: bool) -> Result<Vec<Branch>, Error> {
    let open = lookup::open_move(view).await?;
    let eye = Eye { workspace: view.workspace, sight: &list.sight, probes, open: &open };
    let among = match &list.among {
        AmongGrants::All => Cond::True,
        AmongGrants::OfUsers(_) => sql!("a.user_id {}", IS_PARENT).into(),
        AmongGrants::OfRoles(_) => sql!("a.role_id {}", IS_PARENT).into(),
    };
    let asked = filter(list.filter.as_ref(), &|predicate| eye.grant_predicate(predicate));
    let others = Cond::all([eye.grant(GRANT), eye.role(GRANT.role), asked, among]);
    let mut conditions = Vec::new();
    conjuncts(list.filter.as_ref(), &mut conditions);
    let pointed =
        matches!(list.among, AmongGrants::OfUsers(_)) || conditions.iter().any(|predicate| matches!(predicate, GrantPredicate::Users(_)));
    edges(view, eye, &GRANT_TABLE, others, pointed).await
}

/// Where edges are found, by themselves or by a set of users `d`.
struct Table {
    id: &'static str,
    user: crate::scope_sql::UserAt,
    all: &'static str,
    of_users: &'static str,
}

const MEMBERSHIP_TABLE: Table = Table {
    id: MEMBERSHIPS.id,
    user: MEMBERSHIP.user,
    all: "from memberships m\nwhere m.workspace_id = {}",
    of_users: "from ({}) d\ncross join memberships m\nwhere m.workspace_id = {}\n  and m.user_id = d.id",
};

const GRANT_TABLE: Table = Table {
    id: GRANTS.id,
    user: GRANT.user,
    all: "from grants a\nwhere a.workspace_id = {}",
    of_users: "from ({}) d\ncross join grants a\nwhere a.workspace_id = {}\n  and a.user_id = d.id",
};

/// A few users in sight are collected and asked for their edges. Otherwise edges are read in their own order, and soon met.
async fn edges(view: &mut View, eye: Eye<'_>, table: &Table, others: Cond, pointed: bool) -> Result<Vec<Branch>, Error> {
    let everybody = eye.user(table.user);
    if others.is_false() || everybody.is_false() {
        return Ok(Vec::new());
    }
    if !pointed && !everybody.is_true() {
        let users = Asked { eye, among: &AmongUsers::All, filter: None };
        if let Some(users) = users.small(view).await? {
            if users.is_empty() {
                return Ok(Vec::new());
            }
            let from = sql!(table.of_users, union(users), view.workspace);
            return Ok(vec![Branch { from, id: table.id, cond: others }]);
        }
    }
    Ok(vec![Branch { from: sql!(table.all, view.workspace), id: table.id, cond: Cond::all([everybody, others]) }])
}
