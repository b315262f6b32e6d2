//! Nobody grants, or edits into a role, a permission that they do not hold at least as widely.

use policy_kit::{Ask, Mask, PositionSet, RowFilter, Rows, Texts, UNASSIGNED, Verdict, Verdicts};

use crate::writes::{Write, groups_of, parties};

/// How widely the subject holds a permission.
pub(crate) enum Reach {
    Everywhere,
    Below(PositionSet),
    Nowhere,
}

/// How to find that out.
type ReachOf = fn(&Ask<'_>, &str) -> Reach;

const WITHIN_CEILING: &str = "the role is within the token's ceiling";
const BEYOND_CEILING: &str = "the role is beyond the token's ceiling";

/// The rows that hand on a permission beyond the subject's reach.
pub(crate) fn too_much(ask: &Ask<'_>, write: &Write<'_>, reach: ReachOf) -> Mask {
    let handed = Handed { ask, write, reach };
    let harmless = match (write.kind, write.verb, write.change) {
        ("grant", _, _) => handed.by_grants(),
        ("role", "create" | "update", Some(change)) => {
            change.after.as_ref().map_or_else(|| write.no_row(), |after| handed.by_roles(after, &[UNASSIGNED]))
        }
        // The roles that somebody begins with are asked about one by one as `grant.add`, with their limits.
        ("user", "create", _) => write.every_row(),
        // Whoever is invited may start with roles, and whoever comes back holds theirs again.
        (_, _, Some(change)) => {
            parties(change, &["role"]).fold(write.every_row(), |mask, role| mask.and(&handed.by_roles(role, &[UNASSIGNED])))
        }
        (_, _, None) => write.every_row(),
    };
    write.every_row().minus(&harmless)
}

/// What provisioning may do with grants: anything, if the role is within the token's ceiling.
pub(crate) fn ceiling(ask: &Ask<'_>, write: &Write<'_>) -> Verdicts {
    let mut answer = write.all(Verdict::allow(WITHIN_CEILING));
    answer.give(&too_much(ask, write, Reach::of_workspace), Verdict::deny(BEYOND_CEILING));
    answer.finish()
}

/// The grants that provisioning may see. The register has no test of a role's permissions, so [`ceiling`] confirms each row.
pub(crate) fn ceiling_scope() -> RowFilter {
    RowFilter::everything(WITHIN_CEILING).inexact()
}

impl Reach {
    /// By any grant.
    pub(crate) fn of(ask: &Ask<'_>, permission: &str) -> Self {
        if ask.holds(permission) { Self::Everywhere } else { Self::Below(ask.tree().under(&ask.within(permission))) }
    }

    /// By workspace-wide grants only.
    pub(crate) fn of_workspace(ask: &Ask<'_>, permission: &str) -> Self {
        if ask.holds(permission) { Self::Everywhere } else { Self::Nowhere }
    }

    /// Whether it covers what is limited to that group; [`UNASSIGNED`] is the whole workspace.
    pub(crate) fn covers(&self, limit: u32) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Below(groups) => groups.contains(limit),
            Self::Nowhere => false,
        }
    }
}

/// The permissions that a write hands on, against the subject's reach.
struct Handed<'a> {
    ask: &'a Ask<'a>,
    write: &'a Write<'a>,
    reach: ReachOf,
}

impl Handed<'_> {
    fn by_grants(&self) -> Mask {
        let write = self.write;
        let grants = match write.change {
            None if write.creates() => return write.every_row(),
            Some(change) if write.creates() => change.after.as_ref(),
            _ => Some(write.rows),
        };
        let within: Vec<&Rows> = write.change.iter().flat_map(|change| parties(change, &["within"])).collect();
        let limits = match (grants.and_then(|rows| self.limits(rows)), within.as_slice()) {
            (Some(limits), _) => limits,
            (None, []) => vec![UNASSIGNED],
            (None, [within, ..]) => self.limits(within).unwrap_or_default(),
        };
        let roles = write.change.iter().flat_map(|change| parties(change, &["role"])).map(|role| self.by_roles(role, &limits));
        let column = grants.and_then(|grants| self.by_role_column(grants, &limits));
        // A grant whose role is nowhere to be seen hands on who knows what.
        roles.chain(column).reduce(|mask, other| mask.and(&other)).unwrap_or_else(|| write.no_row())
    }

    /// The rows whose role, the one of `roles` or the one of its row, is covered.
    fn by_roles(&self, roles: &Rows, limits: &[u32]) -> Mask {
        let Some(permissions) = roles.texts("permissions") else { return self.write.no_row() };
        self.covered(permissions, limits, &permissions.items().map(Some).collect::<Vec<_>>())
    }

    /// The rows whose column `role` points at a role that is covered.
    fn by_role_column(&self, grants: &Rows, limits: &[u32]) -> Option<Mask> {
        let column = grants.positions("role", self.ask.role_count())?;
        let permissions = self.ask.context().roles.texts("permissions")?;
        let of_role: Vec<&[u32]> = permissions.items().collect();
        let items = column.iter().map(|cell| of_role.get(*cell.first()? as usize).copied());
        Some(self.covered(permissions, limits, &items.collect::<Vec<_>>()))
    }

    /// The rows all of whose `items`, positions in the dictionary of `permissions`, are held as widely as the row's limit.
    fn covered(&self, permissions: Texts<'_>, limits: &[u32], items: &[Option<&[u32]>]) -> Mask {
        let height = self.write.rows.height();
        let reaches: Vec<Reach> = permissions.dictionary().iter().map(|name| (self.reach)(self.ask, name)).collect();
        let covers = |limit: u32, item: &u32| reaches.get(*item as usize).is_some_and(|reach| reach.covers(limit));
        let covered = |row| {
            let limit = *at(limits, row, height)?;
            Some((*at(items, row, height)?)?.iter().all(|item| covers(limit, item)))
        };
        Mask::collect(height, (0..height).map(|row| covered(row).unwrap_or_default()))
    }

    /// The group that each row is limited to: a grant's own, or the first position of a group's row, which is itself.
    fn limits(&self, rows: &Rows) -> Option<Vec<u32>> {
        Some(groups_of(self.ask, rows)?.map(|cell| cell.first().copied().unwrap_or(UNASSIGNED)).collect())
    }
}

/// The cell of a row, from one cell a row or one for all.
fn at<T>(cells: &[T], row: usize, height: usize) -> Option<&T> {
    match cells {
        [only] => Some(only),
        _ if cells.len() == height => cells.get(row),
        _ => None,
    }
}
