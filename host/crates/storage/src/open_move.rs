//! A large move that the groups above have not counted yet, as whatever reads effective memberships takes it into account.
//!
//! Every membership that the moved group brings to a group above is counted in the rows of that group, or none is. So whoever has a row of a
//! group that was left is still below it if it counts more than the row of the moved group does; and below a group that was joined is
//! whoever has a row of it, or of the moved group. The rows of all other groups are true as they are.

use std::borrow::Cow;

use directory::{Error, ids::GroupId};

use crate::{
    exec::Row,
    sql::{Part, Sql, among, sql},
};

/// The move that is still to be counted in a workspace, or that there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenMove {
    moved: Option<GroupId>,
    /// Groups that everybody below the moved one is still to be counted out of.
    left: Vec<GroupId>,
    /// Groups that they are still to be counted in to.
    joined: Vec<GroupId>,
}

/// Groups of which rows are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Groups<'a> {
    /// These.
    Named(&'a [GroupId]),
    /// The parent in hand, `p.id`.
    Parent,
}

impl OpenMove {
    /// From rows of a group above, the moved one, and whether it joins.
    pub(crate) fn read(rows: &[Row]) -> Result<Self, Error> {
        let mut open = Self::default();
        for row in rows {
            let mut columns = row.columns();
            let (above, moved) = (GroupId(columns.take()?), GroupId(columns.take()?));
            open.moved = Some(moved);
            if columns.take()? { open.joined.push(above) } else { open.left.push(above) }
        }
        Ok(open)
    }

    /// These groups and, if it joined one of them, the moved one: together they have a row of whoever is below these.
    pub(crate) fn with_joining<'a>(&self, groups: &'a [GroupId]) -> Cow<'a, [GroupId]> {
        match self.moved {
            Some(moved) if groups.iter().any(|group| self.joined.contains(group)) && !groups.contains(&moved) => {
                let mut groups = groups.to_vec();
                groups.push(moved);
                groups.into()
            }
            _ => groups.into(),
        }
    }

    /// A row, by its alias, is of these groups and says that its user is below.
    pub(crate) fn rows(&self, row: &'static str, groups: Groups<'_>) -> Sql {
        match groups {
            Groups::Named(groups) => {
                let of = among(groups.iter().map(|id| id.0));
                sql!("{}.group_id {}{}", row, of, self.but_left(row, groups))
            }
            Groups::Parent => sql!("{}.group_id = p.id{}", row, self.but_left_parent(row)),
        }
    }

    /// A row, by its alias, is of somebody whom the moved group brings to the parent in hand; `None` if it joined none.
    pub(crate) fn joining_parent(&self, row: &'static str) -> Option<Sql> {
        let moved = self.moved.filter(|_| !self.joined.is_empty())?;
        Some(sql!("{}.group_id = {} and p.id {}", row, moved, among(self.joined.iter().map(|id| id.0))))
    }

    fn but_left(&self, row: &'static str, groups: &[GroupId]) -> Sql {
        let left: Vec<GroupId> = groups.iter().filter(|group| self.left.contains(group)).copied().collect();
        match (self.moved, left.is_empty()) {
            (Some(moved), false) if left.len() == groups.len() => sql!(" and not {}", has_left(row, moved)),
            (Some(moved), false) => {
                sql!(" and not ({}.group_id {} and {})", row, among(left.iter().map(|id| id.0)), has_left(row, moved))
            }
            _ => Sql::default(),
        }
    }

    fn but_left_parent(&self, row: &'static str) -> Sql {
        match self.moved {
            Some(moved) if !self.left.is_empty() => {
                sql!(" and not (p.id {} and {})", among(self.left.iter().map(|id| id.0)), has_left(row, moved))
            }
            _ => Sql::default(),
        }
    }
}

/// The row counts no more than the moved group brought.
fn has_left(row: &'static str, moved: GroupId) -> Part {
    Part::Sql(sql!(
        "exists (select 1 from effective_memberships o where o.workspace_id = {}.workspace_id and o.group_id = {} \
         and o.user_id = {}.user_id and o.paths >= {}.paths)",
        row,
        moved,
        row,
        row
    ))
}
