//! The manifest names what the module knows.

use policy_kit::Policy;
use standard::{Standard, names};

#[test]
fn it_decides_every_kind_it_names() {
    let patterns: Vec<String> = names::ACTIONS.iter().map(|(kind, _)| format!("{kind}.*")).collect();
    assert_eq!(names::DECIDES, patterns);
    assert_eq!(Standard::manifest().decides, patterns);
    assert_eq!(Standard::manifest().otherwise, "deny");
    assert_eq!(Standard::manifest().version, "1.0.0");
}

#[test]
fn every_field_is_of_a_kind_it_decides() {
    for field in names::FIELDS {
        assert!(names::ACTIONS.iter().any(|(kind, _)| field.split_once('.').is_some_and(|(of, _)| of == *kind)), "{field}");
    }
    assert_eq!(Standard::manifest().fields, names::FIELDS);
}
