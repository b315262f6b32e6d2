//! The policy's table, case by case.

use need_to_know::NeedToKnow;
use policy_kit::Policy;
use policy_kit::testing::{Caller, Dice, Person, World};

fn world() -> World {
    let on =
        |name: &str, projects: &[&str]| projects.iter().fold(Person::named(name), |person, project| person.attribute("project", project));
    World::new()
        .group("rome")
        .role("auditor", &[])
        .person(on("ada", &["apollo", "gemini"]))
        .person(on("bob", &["apollo"]))
        .person(on("cyd", &["gemini"]).attribute("lead", "yes"))
        .person(on("dot", &["gemini"]).attribute("lead", "yes").holds("auditor"))
        .person(on("eve", &[]).holds_within("auditor", "rome"))
        .person(on("fay", &[]))
}

/// Who sees whom; `-` after a name means without contact fields, `+` with them.
#[test]
fn who_sees_whom() {
    let world = world();
    let check = |caller: &str, expected: &str| {
        let seen = world.verdicts::<NeedToKnow>(caller, "user.read").into_iter().filter(|(_, verdict)| verdict.allow);
        let marked = seen.map(|(name, verdict)| match verdict.withheld.as_slice() {
            [] => format!("{name}+"),
            fields => {
                assert_eq!(fields, ["email", "phone"]);
                format!("{name}-")
            }
        });
        assert_eq!(marked.collect::<Vec<_>>().join(" "), expected, "as {caller}");
    };
    check("ada", "ada+ bob- cyd- dot-");
    check("bob", "ada- bob+");
    check("cyd", "ada+ cyd+ dot+");
    check("dot", "ada+ bob- cyd+ dot+ eve- fay-");
    check("eve", "ada- bob- cyd- dot- eve+ fay-");
    check("fay", "fay+");
}

#[test]
fn tokens_see_nobody() {
    for caller in [Caller::Service(vec!["user.read".into()]), Caller::Scim(vec!["user.read".into()])] {
        assert_eq!(world().visible::<NeedToKnow>(caller, "user"), Vec::<String>::new());
    }
}

#[test]
fn contact_fields_are_searchable_only_where_nobody_withholds_them() {
    let check = |caller: &str, everything: bool| {
        let searchable = world().scope::<NeedToKnow>(caller, "user").searchable;
        assert_eq!(searchable == ["*"], everything, "as {caller}");
        assert!(!searchable.iter().any(|field| field == "email" || field == "phone"), "as {caller}");
    };
    check("ada", false);
    check("cyd", true);
    check("dot", false);
    check("eve", false);
    check("fay", true);
}

#[test]
fn settings_name_the_contact_fields() {
    let world = world().settings(r#"{"contact_fields": ["phone", "attributes.*"]}"#);
    assert_eq!(world.verdict::<NeedToKnow>("bob", "user.read", "ada").withheld, ["phone", "attributes.*"]);
}

#[test]
fn invalid_settings_are_reported_and_deny() {
    let invalid = r#"{"contact_fields": ["email", "shoeSize", 3], "colour": 1}"#;
    let errors = NeedToKnow::validate(invalid).unwrap_err();
    assert_eq!(errors.len(), 3, "{errors:?}");
    let world = world().settings(invalid);
    assert_eq!(world.visible::<NeedToKnow>("ada", "user"), Vec::<String>::new());
    assert_eq!(world.scope::<NeedToKnow>("ada", "user").any_of, Vec::<Vec<_>>::new());
}

#[test]
fn scope_agrees_with_check() {
    let mut dice = Dice::seeded(11);
    for _ in 0..10_000 {
        let world = World::random(&mut dice, "");
        let caller = world.random_caller(&mut dice);
        assert_eq!(world.disagreements::<NeedToKnow>(caller, "user"), Vec::<String>::new(), "{world:#?}");
    }
}
