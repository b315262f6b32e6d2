//! The group tree as the subject may see it: hidden groups are skipped, and what lies below them moves up.

use std::collections::{HashMap, HashSet};

use super::{Directory, Visible, list::Ask, locked};
use crate::{
    Error,
    ids::GroupId,
    limits,
    model::Group,
    query::{Order, Window},
    store::AmongGroups,
};

/// One group of a tree.
#[derive(Clone, Debug)]
pub struct TreeNode {
    /// The group.
    pub group: Visible<Group>,
    /// The position in the same list of its nearest ancestor that is listed, too.
    pub parent: Option<usize>,
    /// 1 for groups without a listed ancestor.
    pub depth: u32,
}

/// A whole tree, parents before their children, siblings by id.
#[derive(Clone, Debug)]
pub struct GroupTree {
    /// At most [`limits::TREE_GROUPS`].
    pub nodes: Vec<TreeNode>,
    /// Whether the limit left some out.
    pub truncated: bool,
}

impl Directory {
    /// The visible ancestors of each group, the nearest first.
    ///
    /// # Errors
    /// Those of policy and store.
    pub async fn ancestors(&self, groups: &[GroupId]) -> Result<Vec<Vec<Visible<Group>>>, Error> {
        let mut distinct = groups.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let chains = self.chains(&distinct, self.snapshot.lock().await.as_mut()).await?;
        let parents: HashMap<GroupId, Option<GroupId>> = chains.into_iter().map(|fact| (fact.id, fact.parent)).collect();
        let parent = |group: GroupId| parents.get(&group).copied().flatten();
        let above: HashSet<GroupId> = distinct.iter().flat_map(|group| chain(*group, parent)).collect();
        let mut above: Vec<GroupId> = above.into_iter().collect();
        above.sort_unstable();
        let visible: HashMap<GroupId, Visible<Group>> =
            self.groups(&above).await?.into_iter().flatten().map(|group| (group.id, group)).collect();
        let ancestors = |group: &GroupId| chain(*group, parent).filter_map(|id| visible.get(&id).cloned()).collect();
        Ok(groups.iter().map(ancestors).collect())
    }

    /// Everything visible at and below `root` (or of the workspace), with parents and depths over visible groups.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where an inexact scope is wider than the scan cap; those of policy and store.
    pub async fn group_tree(&self, root: Option<GroupId>, levels: Option<u32>) -> Result<GroupTree, Error> {
        let among = match root {
            None => AmongGroups::All,
            Some(root) => AmongGroups::Below { groups: vec![root], levels: None },
        };
        let window = Window { rows: limits::TREE_GROUPS, ..Window::default() };
        let page = self.list_groups(Ask { among, filter: None, order: Order::default(), window }).await?.into_iter().next();
        let (rows, more) = page.map(|page| (page.rows, page.more || page.scan_capped.is_some())).unwrap_or_default();
        let mut groups: Vec<Visible<Group>> = rows.into_iter().map(|(_, group)| group).collect();
        if let Some(root) = root {
            groups.extend(self.groups(&[root]).await?.into_iter().flatten());
        }
        let ids: Vec<GroupId> = groups.iter().map(|group| group.id).collect();
        // What was listed has told its own place; what lies between two listed groups may be hidden, and is still to be read.
        let missing = locked(&self.places).missing(&ids);
        let between = if missing.is_empty() { Vec::new() } else { self.snapshot.lock().await.parents(&missing).await?.open() };
        let between: HashMap<GroupId, Option<GroupId>> = between.into_iter().collect();
        let places = locked(&self.places);
        let parent = |group| places.parent(group).or_else(|| between.get(&group).copied()).flatten();
        Ok(GroupTree { nodes: arrange(groups, parent, levels), truncated: more })
    }
}

/// The strict ancestors of a group, the nearest first.
fn chain(group: GroupId, parent: impl Fn(GroupId) -> Option<GroupId>) -> impl Iterator<Item = GroupId> {
    std::iter::successors(parent(group), move |group| parent(*group))
}

/// Parents before children, depth first, without recursion: a tree may be deep.
fn arrange(mut groups: Vec<Visible<Group>>, parent: impl Fn(GroupId) -> Option<GroupId>, levels: Option<u32>) -> Vec<TreeNode> {
    groups.sort_unstable_by_key(|group| group.id);
    groups.dedup_by_key(|group| group.id);
    let ids: Vec<GroupId> = groups.iter().map(|group| group.id).collect();
    // By position; those without a parent here are the children of what comes after the last.
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); ids.len() + 1];
    for (at, group) in ids.iter().enumerate() {
        let parent = chain(*group, &parent).find_map(|above| ids.binary_search(&above).ok());
        if let Some(siblings) = children.get_mut(parent.unwrap_or(ids.len())) {
            siblings.push(at);
        }
    }
    let mut rows: Vec<Option<Visible<Group>>> = groups.into_iter().map(Some).collect();
    let mut nodes: Vec<TreeNode> = Vec::with_capacity(rows.len());
    let mut waiting: Vec<(usize, Option<usize>, u32)> = Vec::new();
    let push = |waiting: &mut Vec<_>, of: usize, parent: Option<usize>, depth: u32| {
        waiting.extend(children.get(of).into_iter().flatten().rev().map(|child| (*child, parent, depth)));
    };
    push(&mut waiting, rows.len(), None, 1);
    while let Some((at, parent, depth)) = waiting.pop() {
        if levels.is_some_and(|levels| depth > levels) {
            continue;
        }
        if let Some(group) = rows.get_mut(at).and_then(Option::take) {
            nodes.push(TreeNode { group, parent, depth });
            push(&mut waiting, at, Some(nodes.len() - 1), depth + 1);
        }
    }
    nodes
}
