//! For whom, and on which rows, a candidate is tried: a bounded sample that is the same for the same workspace.
//!
//! Rows are taken from both ends of the ids and from places between them, and from around the subjects: what they are in, and who is
//! there with them. So large workspaces are tried where rules differ, and small ones whole.

use std::{collections::BTreeSet, sync::Arc};

use uuid::Uuid;

use super::super::{Actor, Directory, Subject, list::Listable};
use crate::{
    Error,
    ids::{GroupId, UserId},
    limits::AGREEMENT_ROWS,
    model::{Grant, Group, Membership, Role, Status, User},
    query::{End, Filter, Keyset, MembershipPredicate, Order, Window},
    scope::{Scope, Searchable, Term, Test, UserTest},
    store::{AmongGrants, AmongMemberships, AmongUsers, List, Sight},
};

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// Administrators beside the caller.
    administrators: usize,
    managers: usize,
    members: usize,
    /// Places between both ends of the ids, in fifths of the way.
    fifths: &'static [u128],
}

impl Extent {
    /// For what has not decided yet.
    pub(super) const FULL: Self = Self { administrators: 2, managers: 3, members: 4, fifths: &[1, 2, 3, 4] };
    /// For what has passed once and is wanted back: somebody who rolls back is in a hurry.
    pub(super) const BRIEF: Self = Self { administrators: 1, managers: 1, members: 1, fifths: &[] };
}

/// What a candidate is tried on.
pub(super) struct Sample {
    /// The caller first.
    pub(super) subjects: Vec<Subject>,
    pub(super) users: Vec<Uuid>,
    pub(super) groups: Vec<Uuid>,
    pub(super) roles: Vec<Uuid>,
    pub(super) memberships: Vec<Uuid>,
    pub(super) grants: Vec<Uuid>,
}

impl Directory {
    /// A sample of the workspace as it is.
    pub(super) async fn sample(&self, extent: Extent) -> Result<Sample, Error> {
        let (some, active) = (AGREEMENT_ROWS / 2, Sight { user: Some(active_users()), ..everything() });
        let Extent { administrators, managers: of_managers, members: of_members, fifths } = extent;
        let of = |manager| Some(Filter::Is(MembershipPredicate::Manager(manager)));
        let managers: Vec<Membership> = self.spread(of(true), &active, some, fifths).await?;
        let members: Vec<Membership> = self.spread(of(false), &active, some, fifths).await?;
        let people: Vec<User> = self.spread(None, &active, some, fifths).await?;
        let groupless = self.groupless(&people).await?;
        let mut users: Vec<UserId> = self.subject.user().into_iter().collect();
        users.extend(self.other_administrators(administrators).await?.0);
        users.extend(of_different_groups(&managers, of_managers));
        users.extend(of_different_groups(&members, of_members));
        users.extend(groupless);
        let mut met = BTreeSet::new();
        users.retain(|user| met.insert(*user));
        let mut subjects: Vec<Subject> =
            users.iter().filter(|user| Some(**user) != self.subject.user()).map(|user| self.as_user(*user)).collect();
        subjects.insert(0, self.without_ceiling());
        self.rows(subjects, users, fifths).await
    }

    /// The rows around these users, and others from all over the workspace.
    async fn rows(&self, subjects: Vec<Subject>, users: Vec<UserId>, fifths: &[u128]) -> Result<Sample, Error> {
        let half = AGREEMENT_ROWS / 2;
        let each = Window { rows: half / users.len().max(1) + 1, ..Window::default() };
        let of_users = AmongMemberships::OfUsers(users.clone());
        let memberships: Vec<Membership> = self.stored(of_users, None, everything(), each.clone()).await?;
        let grants: Vec<Grant> = self.stored(AmongGrants::OfUsers(users.clone()), None, everything(), each).await?;
        let groups: BTreeSet<GroupId> = memberships.iter().map(|row| row.group).collect();
        let each = Window { rows: half / groups.len().max(1) + 1, ..Window::default() };
        let beside: Vec<User> = self.stored(AmongUsers::In(groups.iter().copied().collect()), None, everything(), each).await?;
        let everybody: Vec<User> = self.spread(None, &everything(), half, fifths).await?;
        let every_group: Vec<Group> = self.spread(None, &everything(), half, fifths).await?;
        let every_role: Vec<Role> = self.spread(None, &everything(), AGREEMENT_ROWS, fifths).await?;
        let every_membership: Vec<Membership> = self.spread(None, &everything(), half, fifths).await?;
        let every_grant: Vec<Grant> = self.spread(None, &everything(), half, fifths).await?;
        Ok(Sample {
            users: ids([users.iter().map(|user| user.0).collect(), keys(&everybody), keys(&beside)]),
            groups: ids([groups.into_iter().map(|group| group.0).take(half).collect(), keys(&every_group)]),
            roles: ids([keys(&every_role)]),
            memberships: ids([keys(&every_membership), keys(&memberships)]),
            grants: ids([keys(&every_grant), keys(&grants)]),
            subjects,
        })
    }

    /// About so many rows of a kind: from both ends of the ids, and from places between them.
    async fn spread<R: Listable>(
        &self,
        filter: Option<Filter<R::Predicate>>,
        sight: &Sight,
        rows: usize,
        fifths: &[u128],
    ) -> Result<Vec<R>, Error> {
        let some = (rows / (fifths.len() + 2)).max(1);
        let window = |end| Window { rows: some, end, ..Window::default() };
        let mut found: Vec<R> = self.stored(R::all(), filter.clone(), sight.clone(), window(End::Front)).await?;
        if found.len() < some {
            return Ok(found);
        }
        let last: Vec<R> = self.stored(R::all(), filter.clone(), sight.clone(), window(End::Back)).await?;
        let ends = |rows: &[R]| rows.iter().map(|row| row.key().as_u128()).max().unwrap_or_default();
        let (from, to) = (ends(&found), ends(&last));
        for fifth in fifths {
            let at = from + to.saturating_sub(from) / 5 * fifth;
            let after = Some(Keyset { key: String::new(), id: Uuid::from_u128(at) });
            let window = Window { after, rows: some, ..Window::default() };
            found.extend(self.stored(R::all(), filter.clone(), sight.clone(), window).await?);
        }
        found.extend(last);
        Ok(found)
    }

    /// The first of these who is in no group.
    async fn groupless(&self, people: &[User]) -> Result<Option<UserId>, Error> {
        let ids: Vec<UserId> = people.iter().map(|user| user.id).collect();
        let placed = self.snapshot.lock().await.direct_groups(&ids).await?.open();
        Ok(ids.into_iter().find(|id| placed.iter().all(|(user, _)| user != id)))
    }

    /// The caller as it is with any token of its own: that one token is limited locks nobody out. A service is its token.
    pub(super) fn without_ceiling(&self) -> Subject {
        match self.subject.actor {
            Actor::User(user) => self.as_user(user),
            Actor::Service(_) => self.subject.clone(),
        }
    }

    /// Rows as stored, for the gates alone: nobody is shown them.
    pub(super) async fn stored<R: Listable>(
        &self,
        among: R::Among,
        filter: Option<Filter<R::Predicate>>,
        sight: Sight,
        window: Window,
    ) -> Result<Vec<R>, Error> {
        let list = List { among, sight, filter, order: Order::default(), window };
        let found = R::list(self.snapshot.lock().await.as_mut(), &list).await?;
        Ok(found.into_iter().map(|listed| listed.row.open()).collect())
    }
}

/// Up to so many users, no two for the same group.
fn of_different_groups(memberships: &[Membership], most: usize) -> Vec<UserId> {
    let (mut groups, mut users, mut found) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for row in memberships {
        if found.len() < most && !users.contains(&row.user) && groups.insert(row.group) {
            users.insert(row.user);
            found.push(row.user);
        }
    }
    found
}

fn keys<R: Listable>(rows: &[R]) -> Vec<Uuid> {
    rows.iter().map(R::key).collect()
}

/// Each id once, in order of appearance, at most [`AGREEMENT_ROWS`].
fn ids<const N: usize>(lists: [Vec<Uuid>; N]) -> Vec<Uuid> {
    let mut met = BTreeSet::new();
    lists.into_iter().flatten().filter(|id| met.insert(*id)).take(AGREEMENT_ROWS).collect()
}

/// Every row: for the gates, which show nobody what they read.
pub(super) fn everything() -> Sight {
    let all = || Some(Arc::new(Scope::everything()));
    Sight { me: None, user: all(), group: all(), role: all(), membership: all(), grant: all() }
}

/// Everybody who can act.
pub(super) fn active_users() -> Arc<Scope> {
    let active = Term { negate: false, test: Test::User(UserTest::Status(vec![Status::Active])) };
    Arc::new(Scope { clauses: vec![vec![active]], exact: true, searchable: Searchable::All })
}
