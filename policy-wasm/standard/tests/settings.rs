//! What the settings may say, and what happens when they say something else.

use policy_kit::Policy;
use policy_kit::testing::{Person, World};
use standard::{MembersSee, Settings, Standard};

#[test]
fn everything_has_a_default() {
    for text in ["", "  ", "{}"] {
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.members_see, MembersSee::Subtree);
        assert_eq!(settings.peer_fields_withheld, ["email", "phone", "externalId", "attributes.*"]);
        assert!(!settings.managers_invite);
    }
}

#[test]
fn every_key_is_read() {
    let text = r#"{"members_see": "workspace", "peer_fields_withheld": ["title", "attributes.team"], "managers_invite": true}"#;
    let settings = Settings::parse(text).unwrap();
    assert_eq!(settings.members_see, MembersSee::Workspace);
    assert_eq!(settings.peer_fields_withheld, ["title", "attributes.team"]);
    assert!(settings.managers_invite);
}

#[test]
fn every_error_is_reported_at_once() {
    let errors = Settings::parse(
        r#"{"members_see": "all", "peer_fields_withheld": ["email", "shoeSize", 4, "attributes."], "managers_invite": 1, "colour": "red"}"#,
    )
    .unwrap_err();
    insist(
        &errors,
        6,
        &["`\"all\"`", "one of `self`, `groups`, `subtree`, `workspace`", "`\"shoeSize\"`", "`4`", "`true` or `false`", "`colour`"],
    );
}

#[test]
fn a_key_is_there_once() {
    let twice = r#"{"members_see": "self", "managers_invite": true, "members_see": "workspace", "\u006dembers_see": "self"}"#;
    insist(&Settings::parse(twice).unwrap_err(), 1, &["`members_see` is given more than once; keep one"]);
    // The same name within a value is another one's affair, and so is its own mistake.
    let nested = r#"{"members_see": {"a": 1, "a": 1}}"#;
    insist(&Settings::parse(nested).unwrap_err(), 1, &["one of `self`"]);
}

#[test]
fn what_is_no_object_is_refused() {
    insist(&Settings::parse("[]").unwrap_err(), 1, &["must be a JSON object"]);
    insist(&Settings::parse("{").unwrap_err(), 1, &["not JSON"]);
    insist(&Settings::parse(r#"{"peer_fields_withheld": "email"}"#).unwrap_err(), 1, &["a list of"]);
}

#[test]
fn invalid_settings_deny_everything() {
    let world = World::new()
        .settings(r#"{"members_see": "all"}"#)
        .role("administrator", &["user.read", "policy.read"])
        .person(Person::named("ada").holds("administrator"));
    assert!(Standard::validate(r#"{"members_see": "all"}"#).is_err());
    for kind in ["user", "group", "membership", "workspace"] {
        assert!(world.scope::<Standard>("ada", kind).any_of.is_empty(), "{kind}");
        assert!(world.visible::<Standard>("ada", kind).is_empty(), "{kind}");
    }
    let verdict = world.verdict::<Standard>("ada", "user.read", "ada");
    assert!(verdict.reason.contains("settings"), "{}", verdict.reason);
}

#[track_caller]
fn insist(errors: &[String], count: usize, parts: &[&str]) {
    assert_eq!(errors.len(), count, "{errors:#?}");
    for part in parts {
        assert!(errors.iter().any(|error| error.contains(part)), "no {part} in {errors:#?}");
    }
}
