//! Prints `DECISIONS.md` from the rules themselves and compares; `UPDATE=1 cargo test -p standard` blesses it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fmt::Write as _;

use policy_kit::testing::{Caller, Person, World};
use policy_kit::{Change, Party, Rows, Verdict};
use standard::{Standard, names};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/DECISIONS.md");

const INTRODUCTION: &str = "\
# What the standard policy decides

Generated from the rules by `tests/decisions.rs`; bless a change with `UPDATE=1 cargo test -p standard`.

Each column is how somebody without any other claim relates to the row (for a create: to where the row would be):

| column | the row |
| --- | --- |
| none | is unrelated |
| self | is the subject, or its group |
| peer | shares the subject's group; for groups, is right above it |
| below | is below the subject's group |
| inactive | is a peer who is suspended |
| managed | is below a group that the subject manages |
| granted | is below a group within which the subject holds a role with just this permission |
| everywhere | is unrelated, but the subject holds such a role in the whole workspace |
| service | is asked for by a service with just this permission; without it a service gets what *none* gets of edges and workspace, else nothing |
| scim | is asked for by a provisioning client with just this permission |

Each cell is **no**, **yes**, or **part**: yes, without some fields (`peer_fields_withheld` of peers, quotas of the workspace). Where
the setting `members_see` matters, the cell names the modes; in all others the answer is *no*. `managers_invite` is on.
Grants are of a role without permissions: whoever hands on more than they hold is denied, whatever the cell says. Nor does anybody make a
manager of a group in which they may not do all that a manager may, or bring a group to where they may do more with it.
Roles, and everything after grants but invitations into a group, are in no group: only a role in the whole workspace opens them.
";

const MODES: [&str; 4] = ["self", "groups", "subtree", "workspace"];
const RELATIONS: [&str; 10] = ["none", "self", "peer", "below", "inactive", "managed", "granted", "everywhere", "service", "scim"];

#[test]
fn the_page_is_what_the_rules_say() {
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let found = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(found == page, "DECISIONS.md is stale: run `UPDATE=1 cargo test -p standard`, and read the difference");
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (kind, verbs) in names::ACTIONS {
        write!(page, "\n## {kind}\n\n| action | {} |\n|{}\n", RELATIONS.join(" | "), " --- |".repeat(RELATIONS.len() + 1)).unwrap();
        for verb in *verbs {
            let cells: Vec<String> = RELATIONS.iter().map(|relation| cell(kind, verb, relation)).collect();
            writeln!(page, "| `{kind}.{verb}` | {} |", cells.join(" | ")).unwrap();
        }
    }
    page
}

/// One answer if the modes agree, otherwise the modes under which it is not `no`.
fn cell(kind: &str, verb: &str, relation: &str) -> String {
    let answers = MODES.map(|mode| answer(kind, verb, relation, mode));
    if answers.iter().all(|answer| *answer == answers[0]) {
        return answers[0].to_owned();
    }
    let named = |wanted: &str| {
        let modes: Vec<&str> = MODES.into_iter().zip(answers).filter(|(_, answer)| *answer == wanted).map(|(mode, _)| mode).collect();
        (!modes.is_empty()).then(|| format!("{wanted}: {}", modes.join(", ")))
    };
    ["yes", "part"].into_iter().filter_map(named).collect::<Vec<_>>().join("; ")
}

fn answer(kind: &str, verb: &str, relation: &str, mode: &str) -> &'static str {
    let action = format!("{kind}.{verb}");
    let me = Person::named("me").member_of("team");
    let me = match relation {
        "managed" => me.manages("led"),
        "granted" => me.holds_within("tested", "there"),
        "everywhere" => me.holds("tested"),
        _ => me,
    };
    let caller = match relation {
        "service" => Caller::Service(vec![action.clone()]),
        "scim" => Caller::Scim(vec![action.clone()]),
        _ => Caller::from("me"),
    };
    let staged = stage(mode, &action, me);
    let verdict = match (staged.row_name(kind, relation), verb) {
        (Some(name), "read") => staged.0.verdict::<Standard>(caller, &action, &name),
        (name, _) => staged.write(caller, &action, name.as_deref(), relation),
    };
    match verdict {
        Verdict { allow: false, .. } => "no",
        Verdict { withheld, .. } if withheld.is_empty() => "yes",
        _ => "part",
    }
}

struct Staged(World);

/// Somebody of every relation to `me`, each holding a role without permissions in their group.
fn stage(mode: &str, action: &str, me: Person) -> Staged {
    let in_group = |name: &str, group: &str| Person::named(name).member_of(group).holds_within("bare", group);
    let me = me.holds_within("bare", "team");
    Staged(
        World::new()
            .settings(&format!(r#"{{"members_see": "{mode}", "managers_invite": true}}"#))
            .group("home")
            .group("home/team")
            .group("team/sub")
            .group("led")
            .group("led/office")
            .group("there")
            .group("there/yonder")
            .group("away")
            .role("bare", &[])
            .role("tested", &[action])
            .person(in_group("stranger", "away"))
            .person(in_group("peer", "team"))
            .person(in_group("low", "sub"))
            .person(in_group("idle", "team").status("suspended"))
            .person(in_group("report", "office"))
            .person(in_group("local", "yonder"))
            .person(me),
    )
}

impl Staged {
    /// Asks for a write of the row of that name, or of one without facts of its own, in the group of the relation.
    fn write(&self, caller: Caller, action: &str, name: Option<&str>, relation: &str) -> Verdict {
        let kind = action.split('.').next().unwrap();
        let bare = || Rows { kind: kind.to_owned(), len: 1, ..Rows::default() };
        let rows = name.map_or_else(bare, |name| self.0.row::<Standard>(&caller, kind, name));
        let group = self.0.row::<Standard>(&caller, "group", self.row_name("group", relation).as_deref().unwrap());
        let parties = if kind == "invitation" { vec![Party { name: "group".to_owned(), rows: group }] } else { Vec::new() };
        let change = Change { after: Some(rows.clone()), parties, ..Change::default() };
        self.0.check::<Standard>(caller, action, &rows, Some(&change)).swap_remove(0)
    }

    /// The row of `kind` that relates so to `me`.
    fn row_name(&self, kind: &str, relation: &str) -> Option<String> {
        let (person, group, itself) = match relation {
            "self" => ("me", "team", "team"),
            "peer" => ("peer", "team", "home"),
            "below" => ("low", "sub", "sub"),
            "inactive" => ("idle", "team", "team"),
            "managed" => ("report", "office", "office"),
            "granted" => ("local", "yonder", "yonder"),
            _ => ("stranger", "away", "away"),
        };
        match kind {
            "user" => Some(person.to_owned()),
            "group" => Some(itself.to_owned()),
            "role" => Some("bare".to_owned()),
            "membership" => Some(format!("{person}@{group}")),
            "grant" => Some(format!("{person}:bare@{group}")),
            "workspace" => Some("workspace".to_owned()),
            _ => None,
        }
    }
}
