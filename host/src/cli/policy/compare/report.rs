//! A comparison as a table for people.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Change, Comparison, Example, Failure, Line};
use crate::cli::progress::grouped;

/// The heads of the columns.
const HEADS: [&str; 6] = ["action", "compared", "gained", "lost", "fields changed", "unseen"];

/// The whole report, without a line break at its end.
pub(super) fn table(found: &Comparison) -> String {
    let head = format!("{} pairs compared with the active version {}", grouped(found.done), found.active_version);
    changes(head, &found.actions, &found.failures)
}

/// The same behind another head.
pub(in crate::cli::policy) fn changes(head: String, actions: &[Line], failed: &[Failure]) -> String {
    let mut text = format!("{head}\n");
    let changed = || actions.iter().filter(|line| line.changes() > 0);
    if changed().next().is_some() {
        text.push('\n');
        columns(&mut text, changed());
        changed().for_each(|line| details(&mut text, line));
    } else {
        text.push_str("\nNothing changes.\n");
    }
    failures(&mut text, failed);
    text.truncate(text.trim_end().len());
    text
}

impl Line {
    const fn changes(&self) -> u64 {
        self.gained + self.lost + self.fields_changed
    }
}

fn columns<'a>(text: &mut String, lines: impl Iterator<Item = &'a Line>) {
    let mut rows = vec![HEADS.map(str::to_owned)];
    rows.extend(lines.map(|line| {
        let [compared, gained, lost, fields, unseen] =
            [line.compared, line.gained, line.lost, line.fields_changed, line.unseen].map(grouped);
        [line.action.clone(), compared, gained, lost, fields, unseen]
    }));
    let mut widths = [0; HEADS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        for (position, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _infallible = if position == 0 { write!(text, "{cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        text.push('\n');
    }
}

/// Which fields, and examples.
fn details(text: &mut String, line: &Line) {
    let _infallible = writeln!(text, "\n{}", line.action);
    for field in &line.fields {
        let _infallible = writeln!(text, "  {}: hidden {}, shown {}", field.name, grouped(field.hidden), grouped(field.shown));
    }
    line.examples.iter().for_each(|example| this(text, example));
    if line.unseen > 0 {
        let changes = if line.unseen == 1 { "change is" } else { "changes are" };
        let _infallible = writeln!(text, "  {} {changes} about something that you can not see", grouped(line.unseen));
    }
}

fn this(text: &mut String, example: &Example) {
    let sign = match example.change {
        Change::Gained => '+',
        Change::Lost => '-',
        Change::FieldsChanged => '~',
    };
    let _infallible = writeln!(text, "  {sign} {}: {}", person(&example.subject), object(&example.object));
    for (what, fields) in [("hidden", &example.hidden_fields), ("shown", &example.shown_fields)] {
        if !fields.is_empty() {
            let _infallible = writeln!(text, "      {what}: {}", fields.join(", "));
        }
    }
    let _infallible =
        writeln!(text, "      active: {}\n      candidate: {}", reason(&example.active_reason), reason(&example.candidate_reason));
}

fn reason(reason: &str) -> String {
    if reason.is_empty() { "(no reason given)".to_owned() } else { shown(reason) }
}

fn failures(text: &mut String, failures: &[Failure]) {
    if !failures.is_empty() {
        text.push_str("\nNot compared, because a policy gave no usable answer:\n");
    }
    for Failure { side, action, pairs, reason } in failures {
        let _infallible = writeln!(text, "  {}, {action}, {} pairs: {}", side.to_lowercase(), grouped(*pairs), shown(reason));
    }
}

/// Who, as far as it is known.
fn person(user: &Value) -> String {
    named(user, &["displayName", "userName"])
}

fn object(node: &Value) -> String {
    let thing = |of: &str| named(node.get(of).unwrap_or(&Value::Null), &["name", "key"]);
    let user = || person(node.get("user").unwrap_or(&Value::Null));
    match node.get("__typename").and_then(Value::as_str).unwrap_or_default() {
        "User" => person(node),
        "Group" => format!("group {}", named(node, &["name", "key"])),
        "Role" => format!("role {}", named(node, &["name", "key"])),
        "Membership" => format!("{} in {}", user(), thing("group")),
        "Grant" => format!("{} as {}", user(), thing("role")),
        _ => named(node, &[]),
    }
}

/// The first of these fields that has a value, with the id, which is there in any case.
fn named(of: &Value, fields: &[&str]) -> String {
    let text = |field: &&str| of.get(*field).and_then(Value::as_str);
    let id = text(&"id").unwrap_or("(hidden)");
    fields.iter().find_map(text).map_or_else(|| id.to_owned(), |name| format!("{} ({id})", shown(name)))
}

/// A text on one line, without what would move the cursor of a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_has_sums_fields_examples_and_failures() {
        let example = json!({
            "change": "LOST", "hiddenFields": [], "shownFields": [], "activeReason": "a role\u{1b}[2J", "candidateReason": "",
            "subject": { "id": "usr_1", "displayName": "Ada", "userName": "ada" },
            "object": { "__typename": "Membership", "id": "mem_1", "user": { "id": "usr_2", "userName": "bob" },
                "group": { "id": "grp_1", "name": "Sales" } },
        });
        let found: Comparison = serde_json::from_value(json!({
            "activeVersion": "pov_1", "done": 12345, "total": 12345, "hasNextPage": false, "endCursor": null,
            "actions": [
                { "action": "user.read", "compared": 10, "gained": 0, "lost": 0, "fieldsChanged": 0, "unseen": 0, "fields": [], "examples": [] },
                { "action": "membership.read", "compared": 2000, "gained": 0, "lost": 2, "fieldsChanged": 1, "unseen": 1,
                    "fields": [{ "name": "manager", "hidden": 1, "shown": 0 }], "examples": [example] },
            ],
            "failures": [{ "side": "CANDIDATE", "action": "role.read", "pairs": 5, "reason": "it trapped" }],
        }))
        .unwrap();
        let expected = "\
12,345 pairs compared with the active version pov_1

action           compared  gained  lost  fields changed  unseen
membership.read     2,000       0     2               1       1

membership.read
  manager: hidden 1, shown 0
  - Ada (usr_1): bob (usr_2) in Sales (grp_1)
      active: a role [2J
      candidate: (no reason given)
  1 change is about something that you can not see

Not compared, because a policy gave no usable answer:
  candidate, role.read, 5 pairs: it trapped";
        assert_eq!(table(&found), expected);
    }
}
