//! Managers: nobody makes one who could do more than they do, and nobody moves a group to where they could do more with it.

use policy_kit::{Ask, Mask, PositionSet, Rows, UNASSIGNED};

use crate::hand_on::Reach;
use crate::writes::{Write, groups_of, parties};

/// What a manager may do, in and below the group, without any role.
const OFFICE: [&str; 4] = ["user.read", "membership.add", "membership.update", "membership.remove"];

/// The rows that make a manager, now or again, of a group in which the subject may not do all of [`OFFICE`].
pub(crate) fn beyond(ask: &Ask<'_>, write: &Write<'_>) -> Mask {
    let Some(change) = write.change else { return write.no_row() };
    let offices = Offices::of(ask);
    let made = match (write.kind, change.after.as_ref()) {
        ("membership", Some(after)) if change.fields.iter().any(|field| field == "manager") => offices.made(ask, write, after),
        _ => write.no_row(),
    };
    parties(change, &["manages"]).fold(made, |mask, group| match groups_of(ask, group) {
        Some(cells) => mask.or(&write.every_row().minus(&write.mask(cells.map(|cell| offices.covers(cell.first().copied()))))),
        None => write.every_row(),
    })
}

/// The rows of groups that would come below one that the subject manages, or to which a grant of its is limited, although it may not do
/// the same where they are.
pub(crate) fn widened(ask: &Ask<'_>, write: &Write<'_>) -> Mask {
    let (("group", "move" | "restore"), Some(change)) = ((write.kind, write.verb), write.change) else { return write.no_row() };
    let cells = |rows: &Rows, at: usize| groups_of(ask, rows).map(|cells| cells.map(|cell| cell.get(at).copied()).collect::<Vec<_>>());
    // What moves still stands where it is. What comes back stands where it would be, so that its parent says where it was.
    let before = cells(write.rows, usize::from(write.verb == "restore"));
    let (Some(before), Some(after)) = (before, change.after.as_ref().and_then(|after| cells(after, 1))) else { return write.every_row() };
    let widens = |(before, after): (&Option<u32>, &Option<u32>)| gains(ask, *before, *after);
    Mask::collect(write.rows.height(), before.iter().zip(&after).map(widens))
}

/// Whether the subject could do more below `after` than it can where `before` is; `None` is the first level.
fn gains(ask: &Ask<'_>, before: Option<u32>, after: Option<u32>) -> bool {
    let enters = |place: u32| {
        let below = ask.tree().under(&[place]);
        after.is_some_and(|after| below.contains(after)) && !before.is_some_and(|before| below.contains(before))
    };
    let mut managed = ask.manages().iter().filter(|place| enters(**place)).peekable();
    if managed.peek().is_some() && !Offices::of(ask).covers(before) {
        return true;
    }
    let mut limited = ask.grants().iter().filter(|grant| grant.within != UNASSIGNED && enters(grant.within)).peekable();
    if limited.peek().is_none() {
        return false;
    }
    let Some(permissions) = ask.context().roles.texts("permissions") else { return true };
    let of_role: Vec<&[u32]> = permissions.items().collect();
    let held = |name: &String| Reach::of(ask, name).covers(before.unwrap_or(UNASSIGNED));
    let held: Vec<bool> = permissions.dictionary().iter().map(held).collect();
    limited.any(|grant| {
        let items = of_role.get(grant.role as usize);
        items.is_none_or(|items| items.iter().any(|item| !held.get(*item as usize).copied().unwrap_or_default()))
    })
}

/// Where the subject could make somebody a manager.
struct Offices {
    managed: PositionSet,
    /// For each permission of [`OFFICE`] that is not held in the whole workspace: where it is held.
    held: Vec<PositionSet>,
}

impl Offices {
    fn of(ask: &Ask<'_>) -> Self {
        let limited = OFFICE.iter().filter(|permission| !ask.holds(permission));
        Self {
            managed: ask.tree().under(ask.manages()),
            held: limited.map(|permission| ask.tree().under(&ask.within(permission))).collect(),
        }
    }

    /// Whether that is so of a group; `None` is the top group, for who does not manage it.
    fn covers(&self, group: Option<u32>) -> bool {
        group.is_some_and(|group| self.managed.contains(group))
            || self.held.iter().all(|held| group.is_some_and(|group| held.contains(group)))
    }

    /// The memberships that would make a manager beyond these.
    fn made(&self, ask: &Ask<'_>, write: &Write<'_>, after: &Rows) -> Mask {
        let (Some(managers), Some(groups)) = (after.flags("manager"), groups_of(ask, after)) else { return write.every_row() };
        let beyond = |(manager, cell): (Option<bool>, &[u32])| manager != Some(false) && !self.covers(cell.first().copied());
        Mask::collect(write.rows.height(), managers.iter().zip(groups).map(beyond))
    }
}
