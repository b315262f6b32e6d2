//! What a write is about: found, seen, and decided.

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

use crate::access::{
    Directory, Sealed,
    decide::Decision,
    facts::{Deed, Facts},
    resource::Resource,
};
use crate::{
    Error, Problem, Refusal, Rule,
    ids::{GroupId, RoleId, UserId},
    limits::BULK,
    model::{Field, Group, Membership, Role, Status, User, Version},
    query::{Order, Window},
    register::{self, Kind},
    scope::Scope,
    store::{AmongGrants, GrantList, Sight},
};

/// Problems as they are found: everything that is wrong is told at once.
#[derive(Debug, Default)]
pub(super) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// Notes a problem with the part of the input that `at` names.
    pub(super) fn add(&mut self, at: &str, error: Error) {
        self.0.push(Problem::at(at, error));
    }

    /// A value, or a note of why there is none.
    pub(super) fn keep<T>(&mut self, at: &str, value: Result<T, Error>) -> Option<T> {
        value.map_err(|error| self.add(at, error)).ok()
    }

    /// Ends the plan if there is any problem.
    pub(super) fn none(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::Problems(self.0)) }
    }

    /// Ends the plan if the policy refuses it, or else if there is any problem.
    ///
    /// Whoever may not do it at all learns none of the rules that it would have met. What is not there, or hidden, is told in any case.
    pub(super) fn judged(mut self, refused: Self) -> Result<(), Refusal> {
        if !refused.0.is_empty() {
            self.0.retain(|problem| matches!(problem.error, Error::NotFound(_)));
            self.0.extend(refused.0);
        }
        self.none()
    }
}

/// Rows that were found of those that the input names, in its order.
#[derive(Debug)]
pub(super) struct Found<R> {
    /// The rows.
    pub(super) rows: Vec<R>,
    /// The position in the input of each.
    places: Vec<usize>,
}

impl<R> Default for Found<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), places: Vec::new() }
    }
}

impl<R> Found<R> {
    /// Takes in the row that stands at a position of the input.
    pub(super) fn push(&mut self, position: usize, row: R) {
        self.rows.push(row);
        self.places.push(position);
    }

    /// Where in the input a row stands: `list.3`.
    pub(super) fn at(&self, list: &str, row: usize) -> String {
        self.places.get(row).map_or_else(|| list.to_owned(), |position| format!("{list}.{position}"))
    }
}

/// Refuses too many items at once, and none.
pub(super) fn bulk(at: &str, len: usize) -> Result<(), Refusal> {
    if (1..=BULK).contains(&len) {
        return Ok(());
    }
    Err(Problem::at(at, Error::TooLarge(format!("{len} items; send 1 to {BULK} at once"))).into())
}

/// Refuses the same thing twice.
pub(super) fn once<T: std::hash::Hash + Eq + Copy + std::fmt::Display>(
    problems: &mut Problems,
    at: impl Fn(usize) -> String,
    items: impl Iterator<Item = T>,
) {
    let mut seen = std::collections::HashSet::new();
    for (position, item) in items.enumerate() {
        if !seen.insert(item) {
            problems.add(&at(position), Error::Invalid(format!("`{item}` stands twice; leave one out")));
        }
    }
}

/// Refuses a version that is not the one that the caller has seen.
pub(super) fn expect(problems: &mut Problems, what: &str, expected: Option<i64>, version: Version) {
    if expected.is_some_and(|expected| expected != version.0) {
        let message = format!("{what}, now of version {},", version.0);
        problems.add("expectedVersion", Error::Stale(message));
    }
}

impl Directory {
    /// Rows as stored, of those that the subject may see, in the order of `ids`. Hidden and absent are both `None`.
    pub(super) async fn targets<R: Resource + Clone>(&self, ids: &[Uuid]) -> Result<Vec<Option<R>>, Error> {
        let mut distinct = ids.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let rows = R::load(self.snapshot.lock().await.as_mut(), &distinct).await?;
        let rows: Vec<R> = rows.into_iter().map(Sealed::open).collect();
        let decisions = self.decide(&R::KIND.read(), &rows).await?;
        let seen = rows.into_iter().zip(decisions).filter(|(_, decision)| decision.allows());
        let seen: HashMap<Uuid, R> = seen.map(|(row, _)| (row.key(), row)).collect();
        Ok(ids.iter().map(|id| seen.get(id).cloned()).collect())
    }

    /// Users that the subject sees. To be in the recycle bin is a problem that the policy is asked before: not everybody who sees a user
    /// sees its status.
    pub(super) async fn seen_users(
        &self,
        ids: &[UserId],
        at: impl Fn(usize) -> String,
        problems: &mut Problems,
    ) -> Result<Found<User>, Error> {
        let raw: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let mut found = Found::default();
        for (position, (id, user)) in ids.iter().zip(self.targets::<User>(&raw).await?).enumerate() {
            let Some(user) = user else {
                problems.add(&at(position), Error::NotFound(format!("user `{id}`")));
                continue;
            };
            if user.status == Field::Shown(Status::Deleted) {
                let message = format!("user `{id}` is in the recycle bin; restore it first");
                problems.add(&at(position), Error::Broken { rule: Rule::InBin, message });
            }
            found.push(position, user);
        }
        Ok(found)
    }

    /// One such user.
    pub(super) async fn seen_user(&self, id: UserId, at: &str, problems: &mut Problems) -> Result<User, Refusal> {
        let found = self.seen_users(&[id], |_| at.to_owned(), problems).await?;
        found.rows.into_iter().next().ok_or_else(|| Problem::at(at, Error::NotFound(format!("user `{id}`"))).into())
    }

    /// A group that the subject sees.
    pub(super) async fn seen_group(&self, id: GroupId, at: &str) -> Result<Group, Refusal> {
        let found = self.targets::<Group>(&[id.0]).await?.into_iter().flatten().next();
        found.ok_or_else(|| Problem::at(at, Error::NotFound(format!("group `{id}`"))).into())
    }

    /// A group that the subject sees, or what stands for the top group.
    pub(super) async fn place(&self, id: Option<GroupId>, at: &str) -> Result<Group, Refusal> {
        match id {
            Some(id) => self.seen_group(id, at).await,
            None => Ok(Group::top()),
        }
    }

    /// Groups that the subject sees.
    pub(super) async fn seen_groups(&self, ids: &[(GroupId, String)], problems: &mut Problems) -> Result<HashMap<GroupId, Group>, Error> {
        let raw: Vec<Uuid> = ids.iter().map(|(id, _)| id.0).collect();
        let found = self.targets::<Group>(&raw).await?;
        for ((id, at), _) in ids.iter().zip(&found).filter(|(_, group)| group.is_none()) {
            problems.add(at, Error::NotFound(format!("group `{id}`")));
        }
        Ok(found.into_iter().flatten().map(|group| (group.id, group)).collect())
    }

    /// Roles that the subject sees.
    pub(super) async fn seen_roles(&self, ids: &[(RoleId, String)], problems: &mut Problems) -> Result<HashMap<RoleId, Role>, Error> {
        let raw: Vec<Uuid> = ids.iter().map(|(id, _)| id.0).collect();
        let found = self.targets::<Role>(&raw).await?;
        for ((id, at), _) in ids.iter().zip(&found).filter(|(_, role)| role.is_none()) {
            problems.add(at, Error::NotFound(format!("role `{id}`")));
        }
        Ok(found.into_iter().flatten().map(|role| (role.id, role)).collect())
    }

    /// The memberships of these users in a group, as stored, by user; of those that the subject sees if `seen`.
    pub(super) async fn memberships_in(&self, group: GroupId, users: &[UserId], seen: bool) -> Result<HashMap<UserId, Membership>, Error> {
        let rows = self.snapshot.lock().await.memberships_between(users, &[group]).await?;
        let rows: Vec<Membership> = rows.into_iter().map(Sealed::open).collect();
        if !seen {
            return Ok(rows.into_iter().map(|row| (row.user, row)).collect());
        }
        let decisions = self.decide(&Kind::Membership.read(), &rows).await?;
        let rows = rows.into_iter().zip(decisions).filter(|(_, decision)| decision.allows());
        Ok(rows.map(|(row, _)| (row.user, row)).collect())
    }

    /// Every grant of these users, as stored.
    pub(in crate::access) async fn grants_of(&self, users: &[UserId]) -> Result<Vec<crate::model::Grant>, Error> {
        let everything = Arc::new(Scope::everything());
        let list = GrantList {
            among: AmongGrants::OfUsers(users.to_vec()),
            sight: Sight { user: Some(everything.clone()), role: Some(everything.clone()), grant: Some(everything), ..Sight::default() },
            filter: None,
            order: Order::default(),
            window: Window { rows: crate::limits::LEVEL_ROWS, ..Window::default() },
        };
        let found = self.snapshot.lock().await.list_grants(&list).await?;
        Ok(found.into_iter().map(|listed| listed.row.open()).collect())
    }

    /// Decides a write of the rows of one kind, one decision a row.
    pub(super) async fn decide_deed(&self, action: &str, kind: Kind, deed: &Deed<'_>) -> Result<Vec<Decision>, Error> {
        let len = deed.rows.or(deed.after).map_or(1, |rows| rows.len());
        debug_assert!(is_registered(action, deed), "the register does not describe what `{action}` shows");
        self.decide_facts(action, kind, &Facts::Deed(kind, deed), len).await
    }

    /// Decides a write, and notes what is refused: the action, or a field that may not be set.
    pub(super) async fn permit(
        &self,
        action: &str,
        kind: Kind,
        deed: &Deed<'_>,
        at: impl Fn(usize) -> String,
        problems: &mut Problems,
    ) -> Result<(), Error> {
        for (position, decision) in self.decide_deed(action, kind, deed).await?.iter().enumerate() {
            if let Some(error) = refused(action, decision, deed.fields) {
                problems.add(&at(position), error);
            }
        }
        Ok(())
    }
}

/// Whether the register describes the parties of a write. Reads of what is in the recycle bin have none.
fn is_registered(action: &str, deed: &Deed<'_>) -> bool {
    register::write_of(action).map_or(action.ends_with(".read") && deed.parties.is_empty(), |write| {
        deed.parties.iter().all(|(name, rows)| {
            let known = write.parties.iter().any(|(known, _)| known == name);
            let len = deed.rows.or(deed.after).map_or(1, |rows| rows.len());
            known && (rows.len() == 1 || rows.len() == len)
        })
    })
}

/// Why a decision refuses a write, if it does.
pub(super) fn refused(action: &str, decision: &Decision, fields: &[String]) -> Option<Error> {
    let reason = match decision {
        Decision::Deny { reason } => reason.to_string(),
        Decision::Allow { hidden, reason } => {
            let field = hidden.first_of(fields)?;
            if reason.is_empty() { format!("field `{field}` may not be set") } else { format!("field `{field}` may not be set ({reason})") }
        }
    };
    Some(Error::Forbidden { action: action.to_owned(), reason })
}
