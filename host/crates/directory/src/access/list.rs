//! Lists: the policy's scope and the caller's filter in one statement, then one `check` for the page.

mod kinds;

use std::{collections::HashSet, sync::Arc};

use uuid::Uuid;

use super::{Directory, Sealed, Visible, resource::Resource};
use crate::{
    Error,
    contract::Failure,
    ids::{GroupId, RoleId, UserId},
    limits,
    model::{Grant, Group, Membership, Role, User},
    query::{
        End, Filter, GrantPredicate, GroupPredicate, IdSort, Keyset, MembershipPredicate, NameSort, Order, RolePredicate, UserPredicate,
        UserSort, Window,
    },
    register::Kind,
    scope::{GroupTest, RoleTest, Scope, Searchable, Term, Test, UserTest},
    store::{AmongGrants, AmongGroups, AmongMemberships, AmongRoles, AmongUsers, List, Listed, Sight},
};
pub(super) use kinds::Listable;

/// What a caller asks of a list: which one, its own condition, order and window.
#[derive(Clone, Debug)]
pub struct Ask<A, P, S> {
    /// Which list; each parent has a window of its own.
    pub among: A,
    /// The caller's own condition.
    pub filter: Option<Filter<P>>,
    /// The order.
    pub order: Order<S>,
    /// The window; `rows` at most [`limits::PAGE_ROWS`] for callers outside.
    pub window: Window,
}

/// An ask for users.
pub type UserAsk = Ask<AmongUsers, UserPredicate, UserSort>;
/// An ask for groups.
pub type GroupAsk = Ask<AmongGroups, GroupPredicate, NameSort>;
/// An ask for roles.
pub type RoleAsk = Ask<AmongRoles, RolePredicate, NameSort>;
/// An ask for memberships.
pub type MembershipAsk = Ask<AmongMemberships, MembershipPredicate, IdSort>;
/// An ask for grants.
pub type GrantAsk = Ask<AmongGrants, GrantPredicate, IdSort>;

/// One parent's page, in the order asked for.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// Visible rows with their positions.
    pub rows: Vec<(Keyset, Visible<T>)>,
    /// Whether more rows follow in the direction of paging, or may.
    pub more: bool,
    /// Where the scan stopped, if the scan cap made the page short.
    pub scan_capped: Option<Keyset>,
}

/// How many rows a list has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// Exactly so many that the subject may see.
    Exact(u64),
    /// The policy's scope is a superset, or was found to be one, so that only reading every row would tell.
    Unknown,
}

/// The ids that a filter names and the subject may see; others are unknown to the filter.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) users: HashSet<UserId>,
    pub(super) groups: HashSet<GroupId>,
    pub(super) roles: HashSet<RoleId>,
}

macro_rules! by_id {
    ($(#[$doc:meta])* $name:ident, $id:ty, $row:ty) => {
        $(#[$doc])*
        ///
        /// One answer an id, in order; absent and hidden are both `None`.
        ///
        /// # Errors
        /// Those of policy and store.
        pub async fn $name(&self, ids: &[$id]) -> Result<Vec<Option<Visible<$row>>>, Error> {
            self.fetch(&ids.iter().map(|id| id.0).collect::<Vec<_>>()).await
        }
    };
}

macro_rules! list {
    ($(#[$doc:meta])* $list:ident, $count:ident, $ask:ty, $row:ty) => {
        $(#[$doc])*
        ///
        /// One page a parent.
        ///
        /// # Errors
        /// [`Error::NotSearchable`] for a field that may not be touched, [`Error::TooLarge`] past a limit; those of policy and store.
        pub async fn $list(
            &self,
            ask: $ask,
        ) -> Result<Vec<Page<$row>>, Error> {
            self.list::<$row>(ask).await
        }

        /// How many rows the same list has, its window ignored; one count a parent.
        ///
        /// # Errors
        /// As for the list.
        pub async fn $count(
            &self,
            ask: $ask,
        ) -> Result<Vec<Count>, Error> {
            self.count::<$row>(ask).await
        }
    };
}

impl Directory {
    list!(/** Lists users. */ list_users, count_users, UserAsk, User);
    list!(/** Lists groups. */ list_groups, count_groups, GroupAsk, Group);
    list!(/** Lists roles. */ list_roles, count_roles, RoleAsk, Role);
    list!(/** Lists memberships whose both ends are visible. */ list_memberships, count_memberships, MembershipAsk, Membership);
    list!(/** Lists grants whose both ends are visible. */ list_grants, count_grants, GrantAsk, Grant);
    by_id!(/** Users by id. */ users, UserId, User);
    by_id!(/** Groups by id. */ groups, GroupId, Group);
    by_id!(/** Roles by id. */ roles, RoleId, Role);

    /// Memberships by id, where both ends are visible.
    ///
    /// # Errors
    /// Those of policy and store.
    pub async fn memberships(&self, ids: &[crate::ids::MembershipId]) -> Result<Vec<Option<Visible<Membership>>>, Error> {
        let rows: Vec<Option<Visible<Membership>>> = self.fetch(&ids.iter().map(|id| id.0).collect::<Vec<_>>()).await?;
        let users = self.users(&rows.iter().flatten().map(|row| row.user).collect::<Vec<_>>()).await?;
        let groups = self.groups(&rows.iter().flatten().map(|row| row.group).collect::<Vec<_>>()).await?;
        Ok(with_both_ends(rows, &users, &groups))
    }

    /// Grants by id, where both ends are visible.
    ///
    /// # Errors
    /// Those of policy and store.
    pub async fn grants(&self, ids: &[crate::ids::GrantId]) -> Result<Vec<Option<Visible<Grant>>>, Error> {
        let rows: Vec<Option<Visible<Grant>>> = self.fetch(&ids.iter().map(|id| id.0).collect::<Vec<_>>()).await?;
        let users = self.users(&rows.iter().flatten().map(|row| row.user).collect::<Vec<_>>()).await?;
        let roles = self.roles(&rows.iter().flatten().map(|row| row.role).collect::<Vec<_>>()).await?;
        Ok(with_both_ends(rows, &users, &roles))
    }

    /// Loads and opens rows by id: one statement, one `check`.
    pub(super) async fn fetch<R: Resource + Clone>(&self, ids: &[Uuid]) -> Result<Vec<Option<Visible<R>>>, Error> {
        let mut distinct = ids.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.is_empty() {
            return Ok(Vec::new());
        }
        let rows = R::load(self.snapshot.lock().await.as_mut(), &distinct).await?;
        let visible: std::collections::HashMap<Uuid, Visible<R>> =
            self.open(rows).await?.into_iter().flatten().map(|row| (row.key(), row)).collect();
        Ok(ids.iter().map(|id| visible.get(id).cloned()).collect())
    }

    async fn list<R: Listable>(&self, ask: Ask<R::Among, R::Predicate, R::Sort>) -> Result<Vec<Page<R>>, Error> {
        let parents = R::parents(&ask.among);
        if ask.window.rows.saturating_mul(parents) > limits::LEVEL_ROWS.max(ask.window.rows) {
            return Err(Error::TooLarge(format!(
                "{parents} parents times {} rows is more than {} rows of one level; ask for smaller pages",
                ask.window.rows,
                limits::LEVEL_ROWS,
            )));
        }
        let rows = ask.window.rows;
        let Some((mut list, scope)) = self.plan::<R>(ask).await? else {
            return Ok((0..parents).map(|_| Page { rows: Vec::new(), more: false, scan_capped: None }).collect());
        };
        if !scope.exact {
            let mut pages = Vec::with_capacity(parents);
            for parent in 0..parents {
                pages.push(self.refill::<R>(List { among: R::one(&list.among, parent), ..list.clone() }, rows).await?);
            }
            return Ok(pages);
        }
        list.window.rows = rows + 1;
        let mut found = R::list(self.snapshot.lock().await.as_mut(), &list).await?;
        let more = cut(&mut found, parents, rows, list.window.end);
        let (places, sealed): (Vec<_>, Vec<_>) = found.into_iter().map(|row| ((row.parent, row.keyset), row.row)).unzip();
        let mut pages: Vec<Page<R>> = more.into_iter().map(|more| Page { rows: Vec::new(), more, scan_capped: None }).collect();
        for ((parent, keyset), row) in places.into_iter().zip(self.open(sealed).await?) {
            match (row, pages.get_mut(parent)) {
                (Some(row), Some(page)) => page.rows.push((keyset, row)),
                (None, _) => self.scope_defect(R::KIND),
                (Some(_), None) => return Err(Error::Store(format!("a row of parent {parent} of {parents}"))),
            }
        }
        self.count_defects().await;
        Ok(pages)
    }

    async fn count<R: Listable>(&self, ask: Ask<R::Among, R::Predicate, R::Sort>) -> Result<Vec<Count>, Error> {
        let parents = R::parents(&ask.among);
        let Some((list, scope)) = self.plan::<R>(ask).await? else { return Ok(vec![Count::Exact(0); parents]) };
        // A scope that was caught at calling itself exact counts rows that nobody may see.
        if !scope.exact || self.is_scope_defective(R::KIND) {
            return Ok(vec![Count::Unknown; parents]);
        }
        let counts = R::count(self.snapshot.lock().await.as_mut(), &list).await?;
        Ok(counts.into_iter().map(Count::Exact).collect())
    }

    /// Turns an ask into a statement's worth: sights, and a filter that touches only what may be searched. `None`: nothing is visible.
    async fn plan<R: Listable>(
        &self,
        ask: Ask<R::Among, R::Predicate, R::Sort>,
    ) -> Result<Option<(List<R::Among, R::Predicate, R::Sort>, Arc<Scope>)>, Error> {
        let mut predicates = Vec::new();
        ask.filter.iter().for_each(|filter| filter.predicates(&mut predicates));
        let own = if R::needs_exact(&ask.among) { self.exact_scope(R::KIND).await? } else { self.scope_of_list(R::KIND).await? };
        if own.is_nothing() {
            return Ok(None);
        }
        let fields = predicates.iter().filter_map(|predicate| R::field(predicate)).chain(R::sorted_by(ask.order.by).map(Into::into));
        let fields: Vec<String> = fields.collect();
        for field in &fields {
            self.searchable(&own, R::KIND, field)?;
        }
        self.require_searchable_attributes(R::KIND, &fields).await?;
        for (kind, field) in predicates.iter().filter_map(|predicate| R::field_of_edge(predicate)) {
            let edges = self.scope_of_list(kind).await?;
            if !edges.is_nothing() {
                self.searchable(&edges, kind, field)?;
            }
        }
        let mut sight = Sight { me: self.subject.user(), ..Sight::default() };
        for kind in R::ends(&ask.among, &predicates) {
            let scope = self.exact_scope(kind).await?;
            match kind {
                Kind::User => sight.user = Some(scope),
                Kind::Group => sight.group = Some(scope),
                Kind::Role => sight.role = Some(scope),
                Kind::Membership => sight.membership = Some(scope),
                Kind::Grant => sight.grant = Some(scope),
                _ => {}
            }
        }
        *R::sight(&mut sight) = Some(own.clone());
        let named = self.named::<R>(&predicates).await?;
        let filter = match ask.filter {
            Some(filter) => Some(filter.try_map(&mut |predicate| Ok::<_, Error>(Filter::Is(R::narrow(predicate, &named, &own))))?),
            None => None,
        };
        Ok(Some((List { among: ask.among, sight, filter, order: ask.order, window: ask.window }, own)))
    }

    /// Refuses attributes that the workspace declares as not to be searched. One that is not declared has no value to be found.
    async fn require_searchable_attributes(&self, kind: Kind, fields: &[String]) -> Result<(), Error> {
        let names: Vec<&str> = fields.iter().filter_map(|field| field.strip_prefix("attributes.")).collect();
        if names.is_empty() {
            return Ok(());
        }
        let declared = self.snapshot.lock().await.attributes().await?.into_iter().map(Sealed::open);
        match declared.into_iter().find(|attribute| !attribute.searchable && names.contains(&attribute.name.as_str())) {
            Some(attribute) => Err(Error::NotSearchable { kind: kind.name(), field: format!("attributes.{}", attribute.name) }),
            None => Ok(()),
        }
    }

    /// Looks up which of the ids that a filter names are visible.
    async fn named<R: Listable>(&self, predicates: &[&R::Predicate]) -> Result<Named, Error> {
        let mut named = Named::default();
        predicates.iter().for_each(|predicate| R::names(predicate, &mut named));
        let users: Vec<UserId> = named.users.drain().collect();
        let groups: Vec<GroupId> = named.groups.drain().collect();
        let roles: Vec<RoleId> = named.roles.drain().collect();
        named.users.extend(self.users(&users).await?.iter().flatten().map(|row| row.id));
        named.groups.extend(self.groups(&groups).await?.iter().flatten().map(|row| row.id));
        named.roles.extend(self.roles(&roles).await?.iter().flatten().map(|row| row.id));
        Ok(named)
    }

    /// Fills one parent's page under a superset scope, reading at most [`limits::SCAN_ROWS`] rows.
    async fn refill<R: Listable>(&self, mut list: List<R::Among, R::Predicate, R::Sort>, rows: usize) -> Result<Page<R>, Error> {
        let mut page = Page { rows: Vec::new(), more: false, scan_capped: None };
        let mut scanned = 0;
        // Each attempt doubles: most pages fill at once, and one that is all but empty still takes few statements and calls.
        let mut attempt = (2 * rows).max(64);
        loop {
            let wanted = attempt.min(limits::SCAN_ROWS - scanned);
            attempt = (2 * attempt).min(limits::CHECK_ROWS);
            list.window.rows = wanted;
            let found = R::list(self.snapshot.lock().await.as_mut(), &list).await?;
            let exhausted = found.len() < wanted;
            scanned += found.len();
            let edge = match list.window.end {
                End::Front => found.last(),
                End::Back => found.first(),
            };
            let edge = edge.map(|row| row.keyset.clone());
            let (keysets, sealed): (Vec<_>, Vec<_>) = found.into_iter().map(|row| (row.keyset, row.row)).unzip();
            let visible = keysets.into_iter().zip(self.open(sealed).await?);
            let visible = visible.filter_map(|(keyset, row)| row.map(|row| (keyset, row)));
            match list.window.end {
                End::Front => page.rows.extend(visible),
                End::Back => page.rows = visible.chain(std::mem::take(&mut page.rows)).collect(),
            }
            if page.rows.len() > rows {
                page.more = true;
                match list.window.end {
                    End::Front => page.rows.truncate(rows),
                    End::Back => drop(page.rows.drain(..page.rows.len() - rows)),
                }
                return Ok(page);
            }
            if exhausted {
                return Ok(page);
            }
            if scanned >= limits::SCAN_ROWS {
                page.more = true;
                page.scan_capped = edge;
                return Ok(page);
            }
            match list.window.end {
                End::Front => list.window.after = edge,
                End::Back => list.window.before = edge,
            }
        }
    }

    /// The scope over `kind` without rows that `check` would deny. A superset is read and checked once a request, up to the scan cap.
    ///
    /// Edges, trees and filters over them need it: a row that joins others can not be confirmed after the fact.
    pub(super) async fn exact_scope(&self, kind: Kind) -> Result<Arc<Scope>, Error> {
        let scope = self.scope_of_list(kind).await?;
        if scope.exact {
            return Ok(scope);
        }
        let cell = match kind {
            Kind::User => &self.scopes.exact_user,
            Kind::Group => &self.scopes.exact_group,
            Kind::Role => &self.scopes.exact_role,
            _ => {
                return Err(Error::Policy(Failure::Malformed(format!(
                    "the scope over {}s is inexact, which a list or filter that joins others can not use",
                    kind.name()
                ))));
            }
        };
        let resolve = || async {
            let test = match kind {
                Kind::User => Test::User(UserTest::Is(self.confirmed::<User>().await?.into_iter().map(UserId).collect())),
                Kind::Group => Test::Group(GroupTest::Is(self.confirmed::<Group>().await?.into_iter().map(GroupId).collect())),
                _ => Test::Role(RoleTest::Is(self.confirmed::<Role>().await?.into_iter().map(RoleId).collect())),
            };
            let nothing = matches!(
                &test,
                Test::User(UserTest::Is(ids)) if ids.is_empty()
            ) || matches!(&test, Test::Group(GroupTest::Is(ids)) if ids.is_empty())
                || matches!(&test, Test::Role(RoleTest::Is(ids)) if ids.is_empty());
            let clauses = if nothing { Vec::new() } else { vec![vec![Term { negate: false, test }]] };
            Ok::<_, Error>(Arc::new(Scope { clauses, exact: true, searchable: scope.searchable.clone() }))
        };
        cell.get_or_try_init(resolve).await.cloned()
    }

    async fn confirmed<R: Listable>(&self) -> Result<Vec<Uuid>, Error> {
        let mut sight = Sight { me: self.subject.user(), ..Sight::default() };
        *R::sight(&mut sight) = Some(self.scope_of_list(R::KIND).await?);
        let list = List { among: R::all(), sight, filter: None, order: Order::default(), window: Window::default() };
        let page = self.refill::<R>(list, limits::SCAN_ROWS).await?;
        if page.more {
            return Err(Error::TooLarge(format!(
                "the policy's scope over {}s is inexact and wider than {} rows, which a list or filter that joins them can not use; \
                 ask for the {}s themselves",
                R::KIND.name(),
                limits::SCAN_ROWS,
                R::KIND.name(),
            )));
        }
        Ok(page.rows.iter().map(|(_, row)| row.key()).collect())
    }
}

impl Searchable {
    /// Whether a field may be searched, by the name of the register.
    pub(super) fn has(&self, kind: Kind, field: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.iter().any(|name| crate::register::names_field(name, kind, field)),
        }
    }
}

/// Removes the row beyond each parent's page and says for whom there was one.
fn cut<T>(found: &mut Vec<Listed<T>>, parents: usize, rows: usize, end: End) -> Vec<bool> {
    let mut totals = vec![0_usize; parents];
    for row in found.iter() {
        if let Some(total) = totals.get_mut(row.parent) {
            *total += 1;
        }
    }
    let mut seen = vec![0_usize; parents];
    found.retain(|row| {
        let (Some(total), Some(seen)) = (totals.get(row.parent), seen.get_mut(row.parent)) else { return false };
        *seen += 1;
        match end {
            End::Front => *seen <= rows,
            End::Back => *seen > total.saturating_sub(rows),
        }
    });
    totals.into_iter().map(|total| total > rows).collect()
}

fn with_both_ends<E, A, B>(
    rows: Vec<Option<Visible<E>>>,
    one: &[Option<Visible<A>>],
    other: &[Option<Visible<B>>],
) -> Vec<Option<Visible<E>>> {
    let mut ends = one.iter().zip(other);
    rows.into_iter().map(|row| row.filter(|_| matches!(ends.next(), Some((Some(_), Some(_)))))).collect()
}
