//! The rules, tried in a pretend workspace.

use my_policy::Rules;
use policy_kit::Policy as _;
use policy_kit::testing::{Person, World};

fn world() -> World {
    World::new()
        .group("sales")
        .group("sales/north")
        .group("research")
        .person(Person::named("ada").manages("sales"))
        .person(Person::named("bob").member_of("north"))
        .person(Person::named("cleo").member_of("north"))
        .person(Person::named("dan").member_of("research"))
        .person(Person::named("eve").member_of("north").status("suspended"))
}

#[test]
fn everybody_sees_who_works_here() {
    assert_eq!(world().visible::<Rules>("dan", "user"), ["ada", "bob", "cleo", "dan"]);
}

#[test]
fn managers_also_see_who_is_suspended_below_them() {
    assert_eq!(world().visible::<Rules>("ada", "user"), ["ada", "bob", "cleo", "dan", "eve"]);
}

#[test]
fn how_to_reach_people_is_for_colleagues_and_managers() {
    let verdict = |caller: &str, name: &str| world().verdict::<Rules>(caller, "user.read", name);
    assert!(verdict("ada", "bob").withheld.is_empty());
    assert_eq!(verdict("bob", "cleo").withheld, ["phone"]);
    assert_eq!(verdict("bob", "dan").withheld, ["email", "phone"]);
    assert_eq!(verdict("bob", "dan").reason, "works here");
}

#[test]
fn scope_and_check_say_the_same_of_everybody() {
    for caller in ["ada", "bob", "cleo", "dan", "eve"] {
        assert!(world().disagreements::<Rules>(caller, "user").is_empty());
    }
}

#[test]
fn there_are_no_settings() {
    assert_eq!(Rules::validate(""), Ok(()));
    assert!(Rules::validate(r#"{"mode": "strict"}"#).is_err());
}
