//! Writes that depend on where, and on what is handed on; `DECISIONS.md` has the rest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use policy_kit::testing::{Caller, Person, World};
use policy_kit::{Change, Party, Rows};
use standard::Standard;

fn world() -> World {
    World::new()
        .settings(r#"{"managers_invite": true}"#)
        .group("west")
        .group("west/sales")
        .group("sales/north")
        .group("east")
        .role("clerk", &["membership.add"])
        .role("granter", &["grant.add", "grant.remove", "membership.add"])
        .role("mover", &["group.move", "group.create"])
        .role("editor", &["role.update", "role.create", "user.create", "membership.add"])
        .role("viewer", &["user.read"])
        .role("empty", &[])
        .role("restorer", &["user.restore"])
        .role("appointer", &["user.restore", "user.read", "membership.add", "membership.update", "membership.remove"])
        .person(Person::named("mia").manages("sales"))
        .person(Person::named("kim").manages("north"))
        .person(Person::named("moa").holds("mover").holds_within("viewer", "north"))
        .person(Person::named("mov").holds("mover").manages("sales"))
        .person(Person::named("mot").holds("mover").manages_everybody())
        .person(Person::named("mow").holds("mover").holds("viewer").holds_within("viewer", "sales"))
        .person(Person::named("rex").holds_within("restorer", "west"))
        .person(Person::named("ann").holds_within("appointer", "west").holds_within("appointer", "east"))
        .person(Person::named("max").manages("sales").holds_within("restorer", "west"))
        .person(Person::named("top").manages_everybody())
        .person(Person::named("gil").holds_within("granter", "sales"))
        .person(Person::named("gwen").holds("granter"))
        .person(Person::named("moe").holds_within("mover", "west"))
        .person(Person::named("edd").holds("editor"))
        .person(Person::named("bob").member_of("north").holds_within("clerk", "north").holds("viewer"))
        .person(Person::named("eve").member_of("east").holds_within("clerk", "east"))
}

/// A change of one row: what it would be, and who else it involves, each as `(party, kind, name)`.
struct Case<'a> {
    action: &'a str,
    row: Option<&'a str>,
    after: bool,
    parties: &'a [(&'a str, &'a str, &'a str)],
}

#[track_caller]
fn check(caller: impl Into<Caller>, case: &Case<'_>, allowed: bool) {
    let (world, caller) = (world(), caller.into());
    let kind = case.action.split('.').next().unwrap();
    let bare = || Rows { kind: kind.to_owned(), len: 1, ..Rows::default() };
    let rows = case.row.map_or_else(bare, |name| world.row::<Standard>(&caller, kind, name));
    let party =
        |(name, kind, row): &(&str, &str, &str)| Party { name: (*name).to_owned(), rows: world.row::<Standard>(&caller, kind, row) };
    let change = Change { after: case.after.then(|| rows.clone()), parties: case.parties.iter().map(party).collect(), ..Change::default() };
    let verdict = world.check::<Standard>(caller.clone(), case.action, &rows, Some(&change)).swap_remove(0);
    assert_eq!(verdict.allow, allowed, "{caller:?} {} {:?} {:?}: {}", case.action, case.row, case.parties, verdict.reason);
}

#[test]
fn managers_move_people_and_invite_below_their_groups_only() {
    let add = |name| Case { action: "membership.add", row: Some(name), after: true, parties: &[] };
    check("mia", &add("bob@north"), true);
    check("mia", &add("eve@east"), false);
    check("top", &add("eve@east"), true);
    check("bob", &add("bob@north"), true);
    check("bob", &add("eve@east"), false);
    let into = |group| Case { action: "membership.add", row: None, after: false, parties: group };
    check("mia", &into(&[("group", "group", "north")]), true);
    check("mia", &into(&[("group", "group", "west")]), false);
    check("mia", &into(&[]), false);
    let invite = |group| Case { action: "invitation.create", row: None, after: true, parties: group };
    check("mia", &invite(&[("group", "group", "sales")]), true);
    check("mia", &invite(&[("group", "group", "east")]), false);
    check("mia", &invite(&[("group", "group", "sales"), ("role", "role", "empty")]), true);
    check("mia", &invite(&[("group", "group", "sales"), ("role", "role", "viewer")]), false);
    check("mia", &Case { action: "user.update", row: Some("bob"), after: true, parties: &[] }, false);
}

#[test]
fn nobody_brings_back_a_manager_whom_they_could_not_make() {
    let back = |parties| Case { action: "user.restore", row: Some("bob"), after: true, parties };
    for who in ["rex", "ann", "max"] {
        check(who, &back(&[("group", "group", "north")]), true);
    }
    let north: &[_] = &[("group", "group", "north"), ("manages", "group", "north")];
    check("rex", &back(north), false);
    check("ann", &back(north), true);
    check("max", &back(north), true);
    let both: &[_] = &[("manages", "group", "north"), ("manages", "group", "east")];
    check("ann", &back(both), true);
    check("max", &back(both), false);
}

#[test]
fn nobody_grants_what_they_do_not_hold_as_widely() {
    let add = |name| Case { action: "grant.add", row: Some(name), after: true, parties: &[] };
    check("gil", &add("bob:clerk@north"), true);
    check("gil", &add("eve:clerk@east"), false);
    check("gil", &add("bob:viewer"), false);
    check("gwen", &add("eve:clerk@east"), true);
    check("gwen", &add("bob:viewer"), false);
    let party = |parties| Case { action: "grant.add", row: None, after: false, parties };
    check("gil", &party(&[("role", "role", "clerk"), ("within", "group", "north")]), true);
    check("gil", &party(&[("role", "role", "clerk"), ("within", "group", "west")]), false);
    check("gil", &party(&[("role", "role", "clerk")]), false);
    check("gil", &party(&[("role", "role", "viewer"), ("within", "group", "north")]), false);
    check("gwen", &party(&[("role", "role", "clerk")]), true);
    check("gwen", &party(&[("role", "role", "editor")]), false);
    check("gwen", &party(&[]), false);
    let remove = |name| Case { action: "grant.remove", row: Some(name), after: false, parties: &[] };
    check("gil", &remove("bob:clerk@north"), true);
    check("gil", &remove("eve:clerk@east"), false);
    check("gwen", &remove("bob:viewer"), false);
}

#[test]
fn nobody_edits_into_a_role_what_they_do_not_hold() {
    for action in ["role.create", "role.update"] {
        let role = |name| Case { action, row: Some(name), after: true, parties: &[] };
        check("edd", &role("clerk"), true);
        check("edd", &role("viewer"), false);
        check("edd", &Case { action, row: Some("clerk"), after: false, parties: &[] }, false);
    }
    // What somebody begins with is asked about as `grant.add`, with its limit; who is invited or comes back is asked about at once.
    let create = |parties| Case { action: "user.create", row: None, after: false, parties };
    check("edd", &create(&[("role", "role", "viewer")]), true);
    let back = |parties| Case { action: "user.restore", row: Some("bob"), after: true, parties };
    check("rex", &back(&[("role", "role", "restorer")]), false);
    check("rex", &back(&[("role", "role", "empty")]), true);
}

#[test]
fn nobody_makes_a_manager_who_could_do_more_than_they() {
    for (who, row, fields, allowed) in [
        ("gil", "kim@north", &["manager"][..], false),
        ("gil", "bob@north", &[], true),
        ("mia", "kim@north", &["manager"], true),
        ("top", "kim@north", &["manager"], true),
        ("ann", "kim@north", &["manager"], true),
        ("mia", "eve@east", &["manager"], false),
    ] {
        let (world, caller) = (world(), Caller::from(who));
        let after = Some(world.row::<Standard>(&caller, "membership", row));
        let rows = Rows { kind: "membership".to_owned(), len: 1, ..Rows::default() };
        let change = Change { fields: fields.iter().map(|field| (*field).to_owned()).collect(), after, ..Change::default() };
        let verdict = world.check::<Standard>(caller, "membership.add", &rows, Some(&change)).swap_remove(0);
        assert_eq!(verdict.allow, allowed, "{who} {row} {fields:?}: {}", verdict.reason);
    }
}

#[test]
fn nobody_moves_a_group_to_where_they_may_do_more_with_it() {
    for (who, row, to, allowed) in [
        ("moa", "east", "west", true),
        ("moa", "east", "north", false),
        ("mov", "east", "sales", false),
        ("mov", "north", "west", true),
        ("mot", "east", "west", true),
        ("mow", "east", "sales", true),
    ] {
        let (world, caller) = (world(), Caller::from(who));
        let rows = world.row::<Standard>(&caller, "group", row);
        let party = |name: &str, group: &str| Party { name: name.to_owned(), rows: world.row::<Standard>(&caller, "group", group) };
        // As it would be: itself, and its parent to be.
        let mut after = rows.clone();
        let [own, parent] = [row, to].map(|group| world.row::<Standard>(&caller, "group", group).columns[0].items[0]);
        let column = after.columns.iter_mut().find(|column| column.name == "groups").unwrap();
        (column.items, column.ends) = (vec![own, parent], vec![2]);
        let change = Change { fields: vec!["parent".to_owned()], after: Some(after), parties: vec![party("to", to)] };
        let verdict = world.check::<Standard>(caller.clone(), "group.move", &rows, Some(&change)).swap_remove(0);
        assert_eq!(verdict.allow, allowed, "{who} {row} to {to}: {}", verdict.reason);
    }
}

#[test]
fn what_moves_stays_inside() {
    let to = |parties| Case { action: "group.move", row: Some("north"), after: true, parties };
    check("moe", &to(&[("from", "group", "sales"), ("to", "group", "west")]), true);
    check("moe", &to(&[("from", "group", "sales"), ("to", "group", "east")]), false);
    check("moe", &Case { action: "group.move", row: Some("east"), after: true, parties: &[("to", "group", "west")] }, false);
    check("moe", &Case { action: "group.create", row: None, after: false, parties: &[("group", "group", "west")] }, true);
    check("moe", &Case { action: "group.create", row: None, after: false, parties: &[] }, false);
}

#[test]
fn provisioning_reaches_its_ceiling() {
    let scim = || Caller::Scim(vec!["membership.add".into()]);
    let add = |name| Case { action: "grant.add", row: Some(name), after: true, parties: &[] };
    check(scim(), &add("bob:clerk@north"), true);
    check(scim(), &add("bob:viewer"), false);
    check(scim(), &Case { action: "user.delete", row: Some("bob"), after: false, parties: &[] }, true);
    check(scim(), &Case { action: "role.delete", row: Some("clerk"), after: false, parties: &[] }, false);
    assert_eq!(world().visible::<Standard>(scim(), "grant"), ["bob:clerk@north", "eve:clerk@east"]);
    assert!(!world().scope::<Standard>(scim(), "grant").exact);
}

#[test]
fn a_token_narrows_limited_grants_too() {
    let token = |scope: &str| Caller::Token("gil".into(), vec![scope.into()]);
    let add = Case { action: "grant.add", row: Some("bob:clerk@north"), after: true, parties: &[] };
    check(token("user.read"), &add, false);
    check(token("grant.add"), &add, false);
    check(Caller::Token("gil".into(), vec!["grant.add".into(), "membership.add".into()]), &add, true);
}

/// `change: none` asks whether some field or party could be allowed.
#[test]
fn a_question_without_a_change_is_answered_generously() {
    let world = world();
    let could = |caller: &str, action: &str, rows: &Rows| world.check::<Standard>(caller, action, rows, None).swap_remove(0).allow;
    let row = |caller: &str, kind: &str, name: &str| world.row::<Standard>(&caller.into(), kind, name);
    let new = |kind: &str| Rows { kind: kind.to_owned(), len: 1, ..Rows::default() };
    assert!(could("mia", "membership.add", &new("membership")));
    assert!(could("mia", "invitation.create", &new("invitation")));
    assert!(could("gil", "grant.add", &new("grant")));
    assert!(!could("bob", "grant.add", &new("grant")));
    assert!(could("mia", "membership.add", &row("mia", "group", "north")));
    assert!(!could("mia", "membership.add", &row("mia", "group", "east")));
    assert!(could("edd", "role.update", &row("edd", "role", "viewer")));
    assert!(!could("gwen", "grant.remove", &row("gwen", "grant", "bob:viewer")));
    assert!(could("gwen", "grant.remove", &row("gwen", "grant", "bob:clerk@north")));
}

#[test]
fn unknown_actions_and_kinds_are_denied() {
    let world = world();
    let rows = Rows { kind: "user".into(), len: 2, ..Rows::default() };
    for action in ["user.frobnicate", "robot.read", "user", ""] {
        assert!(world.check::<Standard>("gwen", action, &rows, None).iter().all(|verdict| !verdict.allow), "{action}");
    }
    let other = Rows { kind: "group".into(), len: 1, ..Rows::default() };
    assert!(!world.check::<Standard>("bob", "user.read", &other, None)[0].allow);
    assert!(world.scope::<Standard>("bob", "robot").any_of.is_empty());
}

#[test]
fn missing_columns_deny() {
    let world = world();
    let blank = |kind: &str| Rows { kind: kind.into(), len: 1, ..Rows::default() };
    for action in ["user.read", "group.read", "membership.remove", "user.update", "grant.remove"] {
        let kind = action.split('.').next().unwrap();
        for caller in ["mia", "gil", "moe"] {
            let verdict = world.check::<Standard>(caller, action, &blank(kind), Some(&Change::default())).swap_remove(0);
            assert!(!verdict.allow, "{caller} {action}: {}", verdict.reason);
        }
    }
}
