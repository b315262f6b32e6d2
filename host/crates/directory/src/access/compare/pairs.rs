//! Who is asked about what: the subjects and rows of a comparison, in the order of their ids.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use uuid::Uuid;

use super::{ComparePairs, KINDS, ObjectId};
use crate::{
    Error,
    access::{Actor, Directory, Sealed, list::Listable, resource::Resource},
    decisions::{DecisionFilter, DecisionOrder},
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
    limits,
    model::{Grant, Group, Membership, Role, Status, User},
    query::{Filter, Keyset, Order, UserPredicate, Window},
    register::Kind,
    scope::Scope,
    store::{AmongUsers, List, Sight, Urn, UserList},
};

/// What a comparison is made of. Ids are in order.
pub(super) struct Pairs {
    /// `None` for every active user.
    subjects: Option<Vec<UserId>>,
    rows: Rows,
}

enum Rows {
    /// Every one of these kinds.
    Every(Vec<Kind>),
    /// These.
    These(HashMap<Kind, Vec<Uuid>>),
    /// To each subject its own.
    Own(Own),
}

/// The rows of each subject, by kind.
type Own = HashMap<Kind, BTreeMap<UserId, BTreeSet<Uuid>>>;

impl Pairs {
    /// The first subject from one of them on that has rows of its own of a kind behind `row`, which is one of that subject's, and at most so
    /// many of these rows; `None` at the end, or where the pairs are of another sort.
    pub(super) fn next_own(&self, kind: Kind, subject: Option<UserId>, row: Option<Uuid>, rows: usize) -> Option<(UserId, Vec<Uuid>)> {
        let Rows::Own(own) = &self.rows else { return None };
        let from = own.get(&kind)?.iter().filter(|(of, _)| subject.is_none_or(|subject| **of >= subject));
        let left = from.map(|(of, ids)| {
            let is_behind = |id: &&Uuid| Some(*of) != subject || row.is_none_or(|row| **id > row);
            (*of, ids.iter().filter(is_behind).take(rows).copied().collect::<Vec<Uuid>>())
        });
        left.into_iter().find(|(_, ids)| !ids.is_empty())
    }

    /// Whether each subject has rows of its own.
    pub(super) const fn are_own(&self) -> bool {
        matches!(self.rows, Rows::Own(_))
    }
}

/// A kind of rows that policies are compared on.
pub(super) trait Compared: Listable {
    /// The row's id with its type.
    fn id(&self) -> ObjectId;
    /// The rows that an edge joins, without which it is not shown.
    fn joined(&self) -> Vec<ObjectId> {
        Vec::new()
    }
}

impl Compared for User {
    fn id(&self) -> ObjectId {
        ObjectId::User(self.id)
    }
}

impl Compared for Group {
    fn id(&self) -> ObjectId {
        ObjectId::Group(self.id)
    }
}

impl Compared for Role {
    fn id(&self) -> ObjectId {
        ObjectId::Role(self.id)
    }
}

impl Compared for Membership {
    fn id(&self) -> ObjectId {
        ObjectId::Membership(self.id)
    }

    fn joined(&self) -> Vec<ObjectId> {
        vec![ObjectId::User(self.user), ObjectId::Group(self.group)]
    }
}

impl Compared for Grant {
    fn id(&self) -> ObjectId {
        ObjectId::Grant(self.id)
    }

    fn joined(&self) -> Vec<ObjectId> {
        vec![ObjectId::User(self.user), ObjectId::Role(self.role)]
    }
}

impl Directory {
    /// Finds out who and what is compared. `None` if the asker does not see all that is named.
    pub(super) async fn pairs(&self, asked: &ComparePairs, actions: &[(Kind, Vec<String>)], newest: u64) -> Result<Option<Pairs>, Error> {
        let kinds = || actions.iter().map(|(kind, _)| *kind);
        match asked {
            ComparePairs::Named { subjects, objects } => {
                let subjects = distinct(subjects.iter().copied());
                let by_kind = by_kind(objects);
                if !self.all_are_seen(&subjects, &by_kind).await? {
                    return Ok(None);
                }
                self.require_active(&subjects).await?;
                let compared = by_kind.into_iter().filter(|(kind, _)| kinds().any(|compared| compared == *kind));
                let rows = if objects.is_empty() { Rows::Every(kinds().collect()) } else { Rows::These(compared.collect()) };
                Ok(Some(Pairs { subjects: Some(subjects).filter(|subjects| !subjects.is_empty()), rows }))
            }
            ComparePairs::Sample { size, seed } => {
                let subjects = self.drawn(Urn::ActiveUsers, *size, *seed).await?.into_iter().map(UserId).collect();
                let mut rows = HashMap::new();
                for kind in kinds() {
                    rows.insert(kind, self.drawn(urn(kind), *size, *seed).await?);
                }
                Ok(Some(Pairs { subjects: Some(subjects), rows: Rows::These(rows) }))
            }
            ComparePairs::Recorded { entries } => {
                let mut own = self.recorded(*entries, newest).await?;
                own.retain(|kind, _| kinds().any(|compared| compared == *kind));
                Ok(Some(Pairs { subjects: None, rows: Rows::Own(own) }))
            }
        }
    }

    /// Who asked for what, as the latest entries of the decision log up to the `newest` have it. Of those who are active by now.
    async fn recorded(&self, entries: usize, newest: u64) -> Result<Own, Error> {
        let mut snapshot = self.snapshot.lock().await;
        let order = DecisionOrder::NewestBefore(Some(newest.saturating_add(1)));
        let found = snapshot.decisions(&DecisionFilter::default(), order, entries).await?;
        let mut own = Own::new();
        for record in found.into_iter().map(|entry| entry.open().record) {
            if let (Some(Actor::User(user)), true) = (record.actor, KINDS.contains(&record.kind)) {
                own.entry(record.kind).or_default().entry(user).or_default().extend(record.objects);
            }
        }
        let subjects = distinct(own.values().flat_map(BTreeMap::keys).copied());
        let rows = snapshot.users_by_id(&subjects).await?.into_iter().map(Sealed::open);
        let active: BTreeSet<UserId> = rows.filter(|row| row.status.shown() == Some(&Status::Active)).map(|row| row.id).collect();
        own.values_mut().for_each(|subjects| subjects.retain(|subject, _| active.contains(subject)));
        Ok(own)
    }

    /// How many pairs there are.
    pub(super) async fn count_pairs(&self, pairs: &Pairs) -> Result<u64, Error> {
        let rows = match &pairs.rows {
            Rows::These(ids) => ids.values().map(Vec::len).sum::<usize>() as u64,
            Rows::Own(own) => return Ok(own.values().flat_map(BTreeMap::values).map(BTreeSet::len).sum::<usize>() as u64),
            Rows::Every(kinds) => {
                let mut sum = 0;
                for kind in kinds {
                    sum += match kind {
                        Kind::User => self.count_every::<User>().await?,
                        Kind::Group => self.count_every::<Group>().await?,
                        Kind::Role => self.count_every::<Role>().await?,
                        Kind::Membership => self.count_every::<Membership>().await?,
                        _ => self.count_every::<Grant>().await?,
                    };
                }
                sum
            }
        };
        let subjects = match &pairs.subjects {
            Some(subjects) => subjects.len() as u64,
            None => self.snapshot.lock().await.count_users(&active_users(None)).await?.iter().sum(),
        };
        Ok(subjects.saturating_mul(rows))
    }

    /// The subjects behind one of them, at most [`limits::COMPARE_SUBJECTS`].
    pub(super) async fn next_subjects(&self, pairs: &Pairs, after: Option<UserId>) -> Result<Vec<UserId>, Error> {
        if let Some(subjects) = &pairs.subjects {
            let behind = subjects.iter().filter(|id| after.is_none_or(|after| **id > after));
            return Ok(behind.take(limits::COMPARE_SUBJECTS).copied().collect());
        }
        let found = self.snapshot.lock().await.list_users(&active_users(after.map(|id| id.0))).await?;
        Ok(found.into_iter().map(|listed| listed.row.open().id).collect())
    }

    /// The rows behind one of them, at most so many, as stored: for facts only.
    pub(super) async fn next_rows<R: Compared>(&self, pairs: &Pairs, after: Option<Uuid>, rows: usize) -> Result<Vec<R>, Error> {
        let mut snapshot = self.snapshot.lock().await;
        let mut found: Vec<R> = match &pairs.rows {
            Rows::Every(_) => {
                let list = every::<R>(Window { after: after.map(by_id), rows, ..Window::default() });
                R::list(snapshot.as_mut(), &list).await?.into_iter().map(|listed| listed.row.open()).collect()
            }
            Rows::These(ids) => {
                let behind = ids.get(&R::KIND).into_iter().flatten().filter(|id| after.is_none_or(|after| **id > after));
                let ids: Vec<Uuid> = behind.take(rows).copied().collect();
                R::load(snapshot.as_mut(), &ids).await?.into_iter().map(Sealed::open).collect()
            }
            Rows::Own(_) => Vec::new(),
        };
        found.sort_unstable_by_key(Resource::key);
        Ok(found)
    }

    async fn count_every<R: Compared>(&self) -> Result<u64, Error> {
        Ok(R::count(self.snapshot.lock().await.as_mut(), &every::<R>(Window::default())).await?.iter().sum())
    }

    pub(super) async fn drawn(&self, urn: Urn, size: usize, seed: u64) -> Result<Vec<Uuid>, Error> {
        let ids = self.snapshot.lock().await.drawn(urn, end_of_an_id(seed), size).await?.open();
        Ok(distinct(ids.into_iter()))
    }

    async fn all_are_seen(&self, subjects: &[UserId], objects: &HashMap<Kind, Vec<Uuid>>) -> Result<bool, Error> {
        macro_rules! seen {
            ($read:ident, $kind:ident, $id:ident) => {{
                let ids: Vec<$id> = objects.get(&Kind::$kind).into_iter().flatten().copied().map($id).collect();
                self.$read(&ids).await?.iter().all(Option::is_some)
            }};
        }
        Ok(self.users(subjects).await?.iter().all(Option::is_some)
            && seen!(users, User, UserId)
            && seen!(groups, Group, GroupId)
            && seen!(roles, Role, RoleId)
            && seen!(memberships, Membership, MembershipId)
            && seen!(grants, Grant, GrantId))
    }

    /// No policy is asked about what somebody who is not active might do: nothing.
    async fn require_active(&self, subjects: &[UserId]) -> Result<(), Error> {
        let rows = self.snapshot.lock().await.users_by_id(subjects).await?.into_iter().map(Sealed::open);
        match rows.into_iter().find(|row| row.status.shown() != Some(&Status::Active)) {
            Some(row) => Err(Error::Invalid(format!("user `{}` is not active and may do nothing under any policy; leave it out", row.id))),
            None => Ok(()),
        }
    }
}

/// Every row of a kind, by id.
fn every<R: Listable>(window: Window) -> List<R::Among, R::Predicate, R::Sort> {
    let mut sight = Sight::default();
    let everything = Arc::new(Scope::everything());
    for kind in R::ends(&R::all(), &[]) {
        match kind {
            Kind::User => sight.user = Some(everything.clone()),
            Kind::Group => sight.group = Some(everything.clone()),
            _ => sight.role = Some(everything.clone()),
        }
    }
    *R::sight(&mut sight) = Some(everything);
    List { among: R::all(), sight, filter: None, order: Order::default(), window }
}

/// The active users behind one of them, by id.
fn active_users(after: Option<Uuid>) -> UserList {
    List {
        among: AmongUsers::All,
        filter: Some(Filter::Is(UserPredicate::Status(vec![Status::Active]))),
        ..every::<User>(Window { after: after.map(by_id), rows: limits::COMPARE_SUBJECTS, ..Window::default() })
    }
}

/// A position in an order by id.
const fn by_id(id: Uuid) -> Keyset {
    Keyset { key: String::new(), id }
}

fn by_kind(objects: &[ObjectId]) -> HashMap<Kind, Vec<Uuid>> {
    let parts = || objects.iter().map(|object| object.parts());
    let of = |kind: Kind| distinct(parts().filter(|(of, _)| *of == kind).map(|(_, id)| id));
    KINDS.into_iter().map(|kind| (kind, of(kind))).collect()
}

fn distinct<T: Ord>(ids: impl Iterator<Item = T>) -> Vec<T> {
    let mut ids: Vec<T> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

pub(super) const fn urn(kind: Kind) -> Urn {
    match kind {
        Kind::User => Urn::Users,
        Kind::Group => Urn::Groups,
        Kind::Role => Urn::Roles,
        Kind::Membership => Urn::Memberships,
        _ => Urn::Grants,
    }
}

/// The last eight bytes that an id may have, far from those of the next seed: a step of SplitMix64 behind the two bits that all ids have
/// there (RFC 9562 section 4.1).
const fn end_of_an_id(seed: u64) -> u64 {
    let seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((seed ^ (seed >> 31)) >> 2) | (1 << 63)
}
