//! The group tree as the subject may see it: hidden groups are skipped, and what lies below them moves up.

use std::collections::{HashMap, HashSet};

use super::{Directory, Visible, list::Ask};
use crate::{
    Error,
    ids::GroupId,
    limits,
    model::Group,
    query::{Order, Window},
    store::{AmongGroups, GroupFact},
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
        let parents = parents(self.snapshot.lock().await.group_chains(&distinct).await?.open());
        let above: HashSet<GroupId> = distinct.iter().flat_map(|group| chain(*group, &parents)).collect();
        let mut above: Vec<GroupId> = above.into_iter().collect();
        above.sort_unstable();
        let visible: HashMap<GroupId, Visible<Group>> =
            self.groups(&above).await?.into_iter().flatten().map(|group| (group.id, group)).collect();
        let ancestors = |group: &GroupId| chain(*group, &parents).filter_map(|id| visible.get(&id).cloned()).collect();
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
        let parents = self.snapshot.lock().await.parents(&ids).await?.open().into_iter().collect();
        Ok(GroupTree { nodes: arrange(groups, &parents, levels), truncated: more })
    }
}

fn parents(chains: Vec<GroupFact>) -> HashMap<GroupId, Option<GroupId>> {
    chains.into_iter().map(|fact| (fact.id, fact.parent)).collect()
}

/// The strict ancestors of a group, the nearest first.
fn chain(group: GroupId, parents: &HashMap<GroupId, Option<GroupId>>) -> impl Iterator<Item = GroupId> {
    std::iter::successors(parents.get(&group).copied().flatten(), |group| parents.get(group).copied().flatten())
}

/// Parents before children, depth first, without recursion: a tree may be deep.
fn arrange(groups: Vec<Visible<Group>>, parents: &HashMap<GroupId, Option<GroupId>>, levels: Option<u32>) -> Vec<TreeNode> {
    let mut listed: HashMap<GroupId, Visible<Group>> = groups.into_iter().map(|group| (group.id, group)).collect();
    let known: HashSet<GroupId> = listed.keys().copied().collect();
    let mut children: HashMap<Option<GroupId>, Vec<GroupId>> = HashMap::new();
    for group in &known {
        let parent = chain(*group, parents).find(|ancestor| known.contains(ancestor));
        children.entry(parent).or_default().push(*group);
    }
    children.values_mut().for_each(|siblings| siblings.sort_unstable_by(|one, other| other.cmp(one)));
    let mut nodes: Vec<TreeNode> = Vec::with_capacity(known.len());
    let mut waiting: Vec<(GroupId, Option<usize>, u32)> = Vec::new();
    let push = |waiting: &mut Vec<_>, of: Option<GroupId>, parent: Option<usize>, depth: u32| {
        waiting.extend(children.get(&of).into_iter().flatten().map(|child| (*child, parent, depth)));
    };
    push(&mut waiting, None, None, 1);
    while let Some((id, parent, depth)) = waiting.pop() {
        if levels.is_some_and(|levels| depth > levels) {
            continue;
        }
        if let Some(group) = listed.remove(&id) {
            nodes.push(TreeNode { group, parent, depth });
            push(&mut waiting, Some(id), Some(nodes.len() - 1), depth + 1);
        }
    }
    nodes
}
