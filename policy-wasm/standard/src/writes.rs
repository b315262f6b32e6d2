//! Who does what: every action but reads.

use policy_kit::{Answer, Ask, Change, Mask, Rows, UNASSIGNED, Verdict, Verdicts};

use crate::hand_on::{self, Reach};
use crate::offices;
use crate::settings::Settings;

/// An action on rows.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) kind: &'static str,
    pub(crate) verb: &'static str,
    pub(crate) rows: &'a Rows,
    /// `None` asks whether it could be allowed for some field or party.
    pub(crate) change: Option<&'a Change>,
}

const BY_MANAGING: &str = "you manage a group above";
const BY_PROVISIONING: &str = "provisioning may";
const BY_ROLE: &str = "a role of yours permits it";
const BY_ROLE_HERE: &str = "a role of yours permits it in this group";
const NOT_PERMITTED: &str = "no role of yours permits it here";
const OFFICES_BEYOND_YOURS: &str = "it makes a manager of a group in which you may not do all that a manager may";
const WIDENS_YOURS: &str = "it brings a group to where you may do more with it";
const BEYOND_YOURS: &str = "you do not hold every permission that it hands on as widely";

/// One verdict a row, for any action but a read.
pub(crate) fn verdicts(ask: &Ask<'_>, settings: &Settings, write: &Write<'_>) -> Verdicts {
    match (ask.subject_kind(), write.kind) {
        ("user", _) => by_user(ask, settings, write),
        ("service", _) => by_service(ask, write),
        ("scim", "user" | "group" | "membership") => write.all(Verdict::allow(BY_PROVISIONING)).finish(),
        ("scim", "grant") => hand_on::ceiling(ask, write),
        _ => write.all(Verdict::deny(NOT_PERMITTED)).finish(),
    }
}

fn by_user(ask: &Ask<'_>, settings: &Settings, write: &Write<'_>) -> Verdicts {
    let mut answer = write.all(Verdict::deny(NOT_PERMITTED));
    if write.is_for_managers(settings) {
        answer.give(&write.under(ask, ask.manages()), Verdict::allow(BY_MANAGING));
    }
    if ask.holds(ask.action()) {
        answer.give(&write.every_row(), Verdict::allow(BY_ROLE));
    } else {
        answer.give(&write.under(ask, &ask.within(ask.action())), Verdict::allow(BY_ROLE_HERE));
    }
    answer.give(&hand_on::too_much(ask, write, Reach::of), Verdict::deny(BEYOND_YOURS));
    answer.give(&offices::beyond(ask, write), Verdict::deny(OFFICES_BEYOND_YOURS));
    answer.give(&offices::widened(ask, write), Verdict::deny(WIDENS_YOURS));
    answer.finish()
}

/// A service acts in the whole workspace or not at all: it is in no group, and manages none.
fn by_service(ask: &Ask<'_>, write: &Write<'_>) -> Verdicts {
    if !ask.holds(ask.action()) {
        return write.all(Verdict::deny(NOT_PERMITTED)).finish();
    }
    let mut answer = write.all(Verdict::allow(BY_ROLE));
    answer.give(&hand_on::too_much(ask, write, Reach::of_workspace), Verdict::deny(BEYOND_YOURS));
    answer.give(&offices::beyond(ask, write), Verdict::deny(OFFICES_BEYOND_YOURS));
    answer.finish()
}

impl<'a> Write<'a> {
    pub(crate) fn all(&self, verdict: Verdict) -> Answer {
        Answer::new(self.rows.height(), verdict)
    }

    pub(crate) fn every_row(&self) -> Mask {
        Mask::all(self.rows.height())
    }

    pub(crate) fn no_row(&self) -> Mask {
        Mask::none(self.rows.height())
    }

    /// Whether rows come into being, or back, so that `after` and the parties say where.
    pub(crate) fn creates(&self) -> bool {
        matches!(self.verb, "create" | "add" | "restore")
    }

    fn is_for_managers(&self, settings: &Settings) -> bool {
        match (self.kind, self.verb) {
            ("membership", "add" | "remove" | "update") => true,
            ("invitation", "create") => settings.managers_invite,
            _ => false,
        }
    }

    /// The rows that are, or would come to be, in or below one of `groups`.
    fn under(&self, ask: &Ask<'_>, groups: &[u32]) -> Mask {
        if groups.is_empty() || !matches!(self.kind, "user" | "group" | "membership" | "grant" | "invitation") {
            return self.no_row();
        }
        let set = ask.tree().under(groups);
        let inside = |rows: &Rows| match groups_of(ask, rows) {
            Some(cells) => self.mask(cells.map(|cell| set.any(cell))),
            None => self.no_row(),
        };
        match self.change {
            Some(change) if self.creates() => {
                let after = change.after.as_ref().filter(|after| groups_of(ask, after).is_some());
                let places = after.map_or_else(|| parties(change, &["group", "within"]).collect(), |after| vec![after]);
                let places = places.into_iter().fold(self.no_row(), |mask, place| mask.or(&inside(place)));
                // What comes back must have been inside, too: a restoration is no way to fetch it from elsewhere.
                if self.verb == "restore" { places.and(&inside(self.rows)) } else { places }
            }
            // What moves must be inside, and stay there.
            Some(change) => parties(change, &["to"]).fold(inside(self.rows), |mask, to| mask.and(&inside(to))),
            None if self.creates() => {
                // Rows that are yet to be say nothing of where: it could be allowed somewhere inside.
                let nowhere = |cell: &[u32]| cell.iter().all(|group| *group == UNASSIGNED);
                let cells = groups_of(ask, self.rows);
                cells.map_or_else(|| self.every_row(), |cells| self.mask(cells.map(|cell| set.any(cell) || nowhere(cell))))
            }
            None => inside(self.rows),
        }
    }

    /// A mask of the rows from one answer a row, or from one answer for all of them; no row from any other number.
    pub(crate) fn mask(&self, answers: impl Iterator<Item = bool>) -> Mask {
        let answers: Vec<bool> = answers.collect();
        match (answers.as_slice(), self.rows.height()) {
            (answers, height) if answers.len() == height => Mask::collect(height, answers.iter().copied()),
            ([true], _) => self.every_row(),
            _ => self.no_row(),
        }
    }
}

/// The parties of these names.
pub(crate) fn parties<'a>(change: &'a Change, names: &'a [&str]) -> impl Iterator<Item = &'a Rows> {
    change.parties.iter().filter(|party| names.contains(&party.name.as_str())).map(|party| &party.rows)
}

/// Each row's groups, if the column is there and well formed.
pub(crate) fn groups_of<'a>(ask: &Ask<'_>, rows: &'a Rows) -> Option<impl Iterator<Item = &'a [u32]> + use<'a>> {
    rows.positions("groups", ask.tree().len()).map(|column| column.iter())
}
