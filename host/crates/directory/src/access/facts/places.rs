//! Where groups are in the tree, as far as a request has read it: a group's place is read once, by whomever it is needed.

use std::collections::{HashMap, HashSet};

use super::RowSet;
use crate::{ids::GroupId, model::Group, store::GroupFact, text::fold};

/// The places that are known. All are of one moment: they belong to one view of the database, or to several of the same epoch.
#[derive(Default)]
pub(in crate::access) struct Places(HashMap<GroupId, GroupFact>);

impl Places {
    /// Takes in what was read.
    pub(in crate::access) fn learn(&mut self, facts: impl IntoIterator<Item = GroupFact>) {
        self.0.extend(facts.into_iter().map(|fact| (fact.id, fact)));
    }

    /// Takes in what rows tell of themselves.
    pub(super) fn learn_rows(&mut self, rows: RowSet<'_>) {
        if let RowSet::Groups(rows) = rows {
            // One that somebody was shown has lost its place, and the top group has none.
            self.learn(rows.iter().filter(|row| row.depth > 0).filter_map(place));
        }
    }

    /// The parent of a group; `None` of one that is not known.
    pub(in crate::access) fn parent(&self, group: GroupId) -> Option<Option<GroupId>> {
        self.0.get(&group).map(|fact| fact.parent)
    }

    /// Of these groups and everything above them, those that are to be read: what is above them comes with them.
    pub(in crate::access) fn missing(&self, groups: &[GroupId]) -> Vec<GroupId> {
        let mut missing: Vec<GroupId> = self.walk(groups).filter(|group| !self.0.contains_key(group)).collect();
        missing.sort_unstable();
        missing
    }

    /// These groups and everything above them, by id, so far as they are known.
    pub(super) fn chains(&self, groups: &[GroupId]) -> Vec<GroupFact> {
        let mut chains: Vec<GroupFact> = self.walk(groups).filter_map(|group| self.0.get(&group).cloned()).collect();
        chains.sort_unstable_by_key(|fact| fact.id);
        chains
    }

    /// These groups and everything above them, each once, and none beyond one that is not known.
    fn walk(&self, groups: &[GroupId]) -> impl Iterator<Item = GroupId> {
        let mut met = HashSet::with_capacity(groups.len());
        groups.iter().flat_map(move |group| {
            let mut chain = Vec::new();
            let mut next = Some(*group);
            while let Some(group) = next.filter(|group| met.insert(*group)) {
                chain.push(group);
                next = self.parent(group).flatten();
            }
            chain
        })
    }
}

/// The place of a stored row. A key of other letters may be stored shorter than it is folded here, so that it is left to the store.
fn place(row: &Group) -> Option<GroupFact> {
    let key = row.key.shown().filter(|key| key.is_ascii())?;
    Some(GroupFact { id: row.id, parent: row.parent, key: fold(key) })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn group(id: u128) -> GroupId {
        GroupId(Uuid::from_u128(id))
    }

    fn fact(id: u128, parent: u128) -> GroupFact {
        GroupFact { id: group(id), parent: (parent > 0).then(|| group(parent)), key: id.to_string() }
    }

    #[test]
    fn what_is_above_comes_with_a_group_and_is_read_once() {
        let mut places = Places::default();
        assert_eq!(places.missing(&[group(3), group(9), group(3)]), [group(3), group(9)]);
        places.learn([fact(3, 2), fact(2, 1), fact(1, 0)]);
        assert_eq!(places.missing(&[group(3), group(2)]), []);
        let ids = |facts: Vec<GroupFact>| facts.into_iter().map(|fact| fact.id).collect::<Vec<_>>();
        assert_eq!(ids(places.chains(&[group(3)])), [group(1), group(2), group(3)]);
        assert_eq!(ids(places.chains(&[group(2), group(9)])), [group(1), group(2)], "and nothing besides");
    }

    #[test]
    fn a_row_tells_its_own_place_unless_it_was_shown() {
        let stored = Group { id: group(5), parent: Some(group(4)), depth: 2, ..Group::top() };
        let shown = Group { id: group(6), ..Group::top() };
        let mut places = Places::default();
        places.learn_rows(RowSet::Groups(&[stored, shown, Group::top()]));
        assert_eq!(places.parent(group(5)), Some(Some(group(4))));
        assert_eq!((places.parent(group(6)), places.0.len()), (None, 1));
        assert_eq!(places.missing(&[group(5)]), [group(4)]);
    }
}
