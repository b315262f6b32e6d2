//! Who reads what: one table of rules for each kind.

use policy_kit::{Ask, Table, term};

use crate::names::FIELDS;
use crate::settings::{MembersSee, Settings};

const MAY_READ_ALL: &str = "a role of yours opens all of them";

/// The rules for `kind.read`.
pub(crate) fn table(ask: &Ask<'_>, settings: &Settings, kind: &'static str) -> Table {
    match (ask.subject_kind(), kind) {
        ("scim", "user" | "group" | "membership") => everything(kind, "provisioning covers all of them"),
        ("scim", _) => Table::new(kind, FIELDS),
        ("user", "user") => users(ask, settings),
        ("user", "group") => groups(ask, settings),
        ("service", "group") if ask.holds("user.read") => everything(kind, MAY_READ_ALL),
        ("user" | "service", "membership" | "grant") => everything(kind, "visible where both ends are"),
        ("user" | "service", "workspace") => workspace(ask),
        ("user" | "service", _) if ask.holds(&format!("{kind}.read")) => everything(kind, MAY_READ_ALL),
        _ => Table::new(kind, FIELDS),
    }
}

fn users(ask: &Ask<'_>, settings: &Settings) -> Table {
    if ask.holds("user.read") {
        return everything("user", MAY_READ_ALL);
    }
    let active = || term::status("active");
    let mut table = Table::new("user", FIELDS);
    table.allow("this is you", [term::is("self")]);
    table.allow("you manage a group above", [term::managed(ask)]);
    table.allow("a role of yours covers its groups", [term::under_group(&ask.within("user.read"))]);
    let peers = match settings.members_see {
        MembersSee::Itself => return table,
        MembersSee::Groups => table.allow("shares your group", [term::shares_group(ask), active()]),
        MembersSee::Subtree => table.allow("is in or below your group", [term::below_my_groups(ask), active()]),
        MembersSee::Workspace => table.allow("is in your workspace", [active()]),
    };
    peers.without(&settings.peer_fields_withheld);
    table
}

fn groups(ask: &Ask<'_>, settings: &Settings) -> Table {
    if ask.holds("user.read") || ask.holds("group.read") {
        return everything("group", MAY_READ_ALL);
    }
    if settings.members_see == MembersSee::Workspace {
        return everything("group", "everybody sees the workspace's groups");
    }
    let covered = [ask.within("user.read"), ask.within("group.read")].concat();
    let above = ask.tree().above(ask.groups());
    let mut table = Table::new("group", FIELDS);
    table.allow("you are a member", [term::in_group(ask.groups()).as_flag("mine")]);
    table.allow("it is above your group", [term::in_group(&above).as_flag("above-my-groups")]);
    if settings.members_see == MembersSee::Subtree {
        table.allow("it is below your group", [term::below_my_groups(ask)]);
    }
    table.allow("you manage it or a group above", [term::managed(ask)]);
    table.allow("a role of yours covers it", [term::under_group(&covered)]);
    table
}

fn workspace(ask: &Ask<'_>) -> Table {
    let mut table = Table::new("workspace", FIELDS);
    let rule = table.allow("it is your workspace", []);
    if !ask.holds("user.read") && !ask.holds("workspace.update") {
        rule.without(&["userQuota", "userCount"]);
    }
    table
}

fn everything(kind: &'static str, reason: &'static str) -> Table {
    let mut table = Table::new(kind, FIELDS);
    table.allow(reason, []);
    table
}
