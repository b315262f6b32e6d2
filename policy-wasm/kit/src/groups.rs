//! The part of the group tree that a call refers to.

use crate::columns::Text;
use crate::{Rows, UNASSIGNED};

/// `context.groups`, as a tree: positions and their parents.
///
/// The host lists a group together with its ancestors. It lists the top group only for a subject that manages it; then the
/// groups right below have it as their parent.
#[derive(Clone, Debug)]
pub struct Tree<'a> {
    parents: Vec<u32>,
    keys: Option<Text<'a>>,
}

/// A set of positions in `context.groups`, or in `context.roles`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PositionSet(Vec<bool>);

impl<'a> Tree<'a> {
    /// Reads the columns `parent` and `key`. Without a well-formed `parent` no group is below another.
    #[must_use]
    pub fn new(groups: &'a Rows) -> Self {
        let len = groups.height();
        let parents = groups.positions("parent", len).map(|column| column.iter().map(first).collect());
        Self { parents: parents.unwrap_or_else(|| vec![UNASSIGNED; len]), keys: groups.text("key") }
    }

    /// How many groups the call refers to.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether the call refers to no group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// The group right above, if it is listed.
    #[must_use]
    pub fn parent(&self, group: u32) -> Option<u32> {
        self.parents.get(group as usize).copied().filter(|parent| *parent != UNASSIGNED)
    }

    /// The groups above, nearest first.
    pub fn ancestors(&self, group: u32) -> impl Iterator<Item = u32> + '_ {
        // Bounded, in case the host ever sent a cycle.
        std::iter::successors(self.parent(group), |above| self.parent(*above)).take(self.len())
    }

    /// The groups' folded keys, if the manifest needs `groups.key`.
    #[must_use]
    pub fn keys(&self) -> Option<Text<'a>> {
        self.keys
    }

    /// Exactly these groups.
    #[must_use]
    pub fn set(&self, groups: &[u32]) -> PositionSet {
        PositionSet::of(self.len(), groups)
    }

    /// These groups and everything below them.
    #[must_use]
    pub fn under(&self, groups: &[u32]) -> PositionSet {
        let PositionSet(mut members) = self.set(groups);
        let mut settled = members.clone();
        let mut path = Vec::new();
        for start in (0..).take(self.len()) {
            // Climb to the first group whose answer is known; it is the answer of the whole path. A group counts as settled,
            // and as outside, from when the climb reaches it, so that a cycle would end it.
            let mut inside = false;
            let mut next = Some(start);
            while let Some(group) = next {
                match settled.get_mut(group as usize) {
                    Some(known) if !*known => *known = true,
                    _ => {
                        inside = members.get(group as usize).copied().unwrap_or_default();
                        break;
                    }
                }
                path.push(group);
                next = self.parent(group);
            }
            for group in path.drain(..) {
                if let Some(member) = members.get_mut(group as usize) {
                    *member = inside;
                }
            }
        }
        PositionSet(members)
    }

    /// These groups and everything above them, ascending.
    #[must_use]
    pub fn above(&self, groups: &[u32]) -> Vec<u32> {
        let mut found = vec![false; self.len()];
        for group in groups {
            let mut next = Some(*group);
            // A group that was already found has its ancestors in, too.
            while let Some(seen) = next.and_then(|group| found.get_mut(group as usize)).filter(|seen| !**seen) {
                *seen = true;
                next = next.and_then(|group| self.parent(group));
            }
        }
        (0..).zip(found).filter_map(|(group, found)| found.then_some(group)).collect()
    }
}

impl PositionSet {
    /// The positions below `len` that are among `members`.
    pub(crate) fn of(len: usize, members: &[u32]) -> Self {
        let mut set = vec![false; len];
        for member in members {
            if let Some(known) = set.get_mut(*member as usize) {
                *known = true;
            }
        }
        Self(set)
    }

    /// Whether `group` is in; never for [`UNASSIGNED`].
    #[must_use]
    pub fn contains(&self, group: u32) -> bool {
        self.0.get(group as usize).copied().unwrap_or_default()
    }

    /// Whether any of `groups` is in.
    #[must_use]
    pub fn any(&self, groups: &[u32]) -> bool {
        groups.iter().any(|group| self.contains(*group))
    }
}

fn first(cell: &[u32]) -> u32 {
    cell.first().copied().unwrap_or(UNASSIGNED)
}

#[cfg(test)]
mod tests {
    use super::Tree;
    use crate::{Column, Rows, UNASSIGNED};

    fn groups(parents: &[u32]) -> Rows {
        let column = Column { name: "parent".into(), items: parents.to_vec(), ..Column::default() };
        Rows { kind: "group".into(), len: parents.len().try_into().unwrap(), columns: vec![column], numbers: vec![] }
    }

    fn members(set: &super::PositionSet) -> Vec<u32> {
        (0..10).filter(|group| set.contains(*group)).collect()
    }

    #[test]
    fn climbs() {
        // 0 > 1 > 2, 0 > 3, 4 alone; listed children first to show that order does not matter.
        let rows = groups(&[UNASSIGNED, 0, 1, 0, UNASSIGNED]);
        let tree = Tree::new(&rows);
        assert_eq!(members(&tree.under(&[1])), [1, 2]);
        assert_eq!(members(&tree.under(&[0])), [0, 1, 2, 3]);
        assert_eq!(members(&tree.under(&[])), Vec::<u32>::new());
        assert_eq!(members(&tree.set(&[1, 99])), [1]);
        assert_eq!(tree.ancestors(2).collect::<Vec<_>>(), [1, 0]);
        assert_eq!(tree.above(&[2, 3]), [0, 1, 2, 3]);
        assert_eq!(tree.above(&[4]), [4]);
    }

    #[test]
    fn children_may_come_before_parents() {
        let rows = groups(&[1, 2, UNASSIGNED]);
        let tree = Tree::new(&rows);
        assert_eq!(members(&tree.under(&[2])), [0, 1, 2]);
        assert_eq!(members(&tree.under(&[1])), [0, 1]);
    }

    #[test]
    fn a_cycle_ends() {
        let rows = groups(&[1, 0, 1]);
        let tree = Tree::new(&rows);
        assert_eq!(members(&tree.under(&[2])), [2]);
        assert_eq!(members(&tree.under(&[0])), [0, 1, 2]);
        assert!(tree.ancestors(0).count() <= 3);
        assert_eq!(tree.above(&[0]), [0, 1]);
    }

    #[test]
    fn malformed_parents_put_nothing_below() {
        let rows = groups(&[7, 0]);
        assert_eq!(members(&Tree::new(&rows).under(&[0])), [0]);
    }
}
