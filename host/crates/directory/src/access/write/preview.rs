//! What a move would do to whoever stands around it, before it is made. Only what the subject sees is spoken of.

use std::collections::HashSet;

use super::{MoveGroup, targets::Problems};
use crate::access::{
    Directory, Visible,
    list::{Ask, Count},
};
use crate::{
    Error, Problem, Refusal, Rule,
    ids::GroupId,
    limits::PAGE_ROWS,
    model::{Grant, Group, Membership},
    query::{Filter, GrantPredicate, MembershipPredicate, Order, Window},
    store::{AmongGrants, AmongGroups, AmongMemberships, AmongUsers, GroupFact},
};

/// Who gains and who loses what by a move.
#[derive(Clone, Debug)]
pub struct MovePreview {
    /// The group.
    pub group: Visible<Group>,
    /// How many groups would move, the group itself included; `None` where the policy's scope is inexact.
    pub groups: Option<u64>,
    /// How many people are in or below it; likewise.
    pub people: Option<u64>,
    /// The groups above that the people in it would no longer be below, nearest first.
    pub leaves: Vec<Visible<Group>>,
    /// The groups above that they would come to be below, nearest first.
    pub joins: Vec<Visible<Group>>,
    /// Whoever manages it and what is below by a group that it leaves.
    pub losing_managers: Vec<Visible<Membership>>,
    /// Whoever would manage it by a group that it joins.
    pub gaining_managers: Vec<Visible<Membership>>,
    /// Grants that reach it by a group that it leaves.
    pub losing_grants: Vec<Visible<Grant>>,
    /// Grants that would reach it by a group that it joins.
    pub gaining_grants: Vec<Visible<Grant>>,
    /// Whether one of the four lists is longer than [`PAGE_ROWS`] and was cut.
    pub truncated: bool,
    /// Why the move would be refused.
    pub problems: Vec<Problem>,
}

impl Directory {
    /// What a move would do; nothing is changed.
    ///
    /// # Errors
    /// [`Refusal::Problems`] if the group or its new parent is not there for the subject; those of policy and store.
    pub async fn preview_move(&self, asked: &MoveGroup) -> Result<MovePreview, Refusal> {
        let mut problems = match self.plan_move_group(asked).await {
            Ok(_) => Vec::new(),
            Err(Refusal::Problems(problems)) => problems,
            Err(failed) => return Err(failed),
        };
        if problems.iter().any(|problem| matches!(problem.error, Error::NotFound(_))) {
            return Err(Refusal::Problems(problems));
        }
        let not_found = || Problem::at("groupId", Error::NotFound(format!("group `{}`", asked.group)));
        let group = self.groups(&[asked.group]).await?.into_iter().flatten().next().ok_or_else(not_found)?;
        let ends: Vec<GroupId> = std::iter::once(asked.group).chain(asked.to).collect();
        let chains = self.chains(&ends, self.snapshot.lock().await.as_mut()).await?;
        let before: Vec<GroupId> = above(&chains, asked.group);
        let after: Vec<GroupId> = asked.to.iter().copied().chain(asked.to.iter().flat_map(|to| above(&chains, *to))).collect();
        if after.contains(&asked.group) {
            let mut cycle = Problems::default();
            let message = "the group would be below itself; choose another parent".to_owned();
            cycle.add("parentId", Error::Broken { rule: Rule::Cycle, message });
            problems.extend(cycle.0);
        }
        let stays: HashSet<GroupId> = before.iter().filter(|id| after.contains(id)).copied().collect();
        let leaves: Vec<GroupId> = before.iter().filter(|id| !stays.contains(id)).copied().collect();
        let joins: Vec<GroupId> = after.iter().filter(|id| !stays.contains(id) && **id != asked.group).copied().collect();
        let leaves: Vec<Visible<Group>> = self.groups(&leaves).await?.into_iter().flatten().collect();
        let joins: Vec<Visible<Group>> = self.groups(&joins).await?.into_iter().flatten().collect();
        let (losing_managers, cut_1) = self.managers_of(&leaves).await?;
        let (gaining_managers, cut_2) = self.managers_of(&joins).await?;
        let (losing_grants, cut_3) = self.grants_within(&leaves).await?;
        let (gaining_grants, cut_4) = self.grants_within(&joins).await?;
        let below = AmongGroups::Below { groups: vec![asked.group], levels: None };
        let groups = self.count_groups(Ask { among: below, filter: None, order: Order::default(), window: Window::default() }).await?;
        let people = AmongUsers::Under(vec![asked.group]);
        let people = self.count_users(Ask { among: people, filter: None, order: Order::default(), window: Window::default() }).await?;
        Ok(MovePreview {
            group,
            groups: exact(&groups).map(|below| below + 1),
            people: exact(&people),
            leaves,
            joins,
            losing_managers,
            gaining_managers,
            losing_grants,
            gaining_grants,
            truncated: cut_1 || cut_2 || cut_3 || cut_4,
            problems,
        })
    }

    async fn managers_of(&self, groups: &[Visible<Group>]) -> Result<(Vec<Visible<Membership>>, bool), Error> {
        if groups.is_empty() {
            return Ok((Vec::new(), false));
        }
        let filter = Filter::And(vec![
            Filter::Is(MembershipPredicate::Groups(groups.iter().map(|group| group.id).collect())),
            Filter::Is(MembershipPredicate::Manager(true)),
        ]);
        let window = Window { rows: PAGE_ROWS, ..Window::default() };
        let ask = Ask { among: AmongMemberships::All, filter: Some(filter), order: Order::default(), window };
        let page = self.list_memberships(ask).await?.into_iter().next();
        Ok(page.map(|page| (page.rows.into_iter().map(|(_, row)| row).collect(), page.more)).unwrap_or_default())
    }

    async fn grants_within(&self, groups: &[Visible<Group>]) -> Result<(Vec<Visible<Grant>>, bool), Error> {
        if groups.is_empty() {
            return Ok((Vec::new(), false));
        }
        let filter = Filter::Is(GrantPredicate::Within(groups.iter().map(|group| group.id).collect()));
        let window = Window { rows: PAGE_ROWS, ..Window::default() };
        let ask = Ask { among: AmongGrants::All, filter: Some(filter), order: Order::default(), window };
        let page = self.list_grants(ask).await?.into_iter().next();
        Ok(page.map(|page| (page.rows.into_iter().map(|(_, row)| row).collect(), page.more)).unwrap_or_default())
    }
}

fn exact(counts: &[Count]) -> Option<u64> {
    match counts.first() {
        Some(Count::Exact(count)) => Some(*count),
        _ => None,
    }
}

/// The groups strictly above, nearest first.
fn above(chains: &[GroupFact], group: GroupId) -> Vec<GroupId> {
    let parent = |of: GroupId| chains.iter().find(|fact| fact.id == of).and_then(|fact| fact.parent);
    std::iter::successors(parent(group), |above| parent(*above)).take(crate::limits::GROUP_DEPTH).collect()
}
