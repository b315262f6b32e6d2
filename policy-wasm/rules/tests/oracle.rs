//! Random rules over random worlds: the columns say what the world says.

use policy_kit::Policy;
use policy_kit::testing::{Dice, World};
use rules::Rules;

/// Every test that the columns answer, with its arguments.
const TERMS: &[(&str, &[&str])] = &[
    (
        "user",
        &[
            r#""test": "self""#,
            r#""test": "created-by-me""#,
            r#""test": "in-group", "groups": "mine""#,
            r#""test": "in-group", "groups": "manages""#,
            r#""test": "under-group", "groups": "mine""#,
            r#""test": "under-group", "groups": "manages""#,
            r#""test": "in-group-key", "values": ["g1", "g2"]"#,
            r#""test": "in-group-key", "values": ["ghost"]"#,
            r#""test": "under-group-key", "values": ["g0"]"#,
            r#""test": "under-group-key", "values": ["g0", "ghost"]"#,
            r#""test": "has-role-key", "values": ["auditor"]"#,
            r#""test": "has-role-key", "values": ["ghost"]"#,
            r#""test": "status", "values": ["active", "deleted"]"#,
            r#""test": "attribute", "values": ["project", "apollo", "gemini"]"#,
            r#""test": "attribute", "values": ["ghost", "apollo"]"#,
        ],
    ),
    (
        "group",
        &[
            r#""test": "in-group", "groups": "mine""#,
            r#""test": "under-group", "groups": "manages""#,
            r#""test": "in-group-key", "values": ["g1"]"#,
            r#""test": "under-group-key", "values": ["g0"]"#,
            r#""test": "mine""#,
            r#""test": "created-by-me""#,
            r#""test": "attribute", "values": ["project", "apollo"]"#,
        ],
    ),
    (
        "role",
        &[
            r#""test": "held-by-me""#,
            r#""test": "builtin""#,
            r#""test": "created-by-me""#,
            r#""test": "role-key", "values": ["auditor", "r0"]"#,
            r#""test": "role-key", "values": ["ghost"]"#,
        ],
    ),
    (
        "membership",
        &[
            r#""test": "self""#,
            r#""test": "manager""#,
            r#""test": "in-group", "groups": "mine""#,
            r#""test": "under-group", "groups": "manages""#,
            r#""test": "user.self""#,
            r#""test": "user.under-group", "groups": "manages""#,
            r#""test": "user.in-group-key", "values": ["g0"]"#,
            r#""test": "user.status", "values": ["suspended"]"#,
            r#""test": "user.attribute", "values": ["project", "mercury"]"#,
            r#""test": "user.has-role-key", "values": ["r1"]"#,
            r#""test": "group.mine""#,
            r#""test": "group.in-group", "groups": "mine""#,
            r#""test": "group.under-group-key", "values": ["g1"]"#,
        ],
    ),
    (
        "grant",
        &[
            r#""test": "self""#,
            r#""test": "provenance", "values": ["manual"]"#,
            r#""test": "in-group", "groups": "mine""#,
            r#""test": "under-group", "groups": "manages""#,
            r#""test": "user.in-group", "groups": "mine""#,
            r#""test": "role.role-key", "values": ["auditor"]"#,
            r#""test": "role.held-by-me""#,
        ],
    ),
];

fn random_clauses(dice: &mut Dice, terms: &[&str]) -> String {
    let clauses: Vec<String> = (0..dice.below(4))
        .map(|_| {
            let terms = (0..1 + dice.below(3)).map(|_| {
                let term = terms.get(dice.below(terms.len())).copied().unwrap_or_default();
                format!("{{{term}, \"negate\": {}}}", dice.once_in(2))
            });
            format!("[{}]", terms.collect::<Vec<_>>().join(","))
        })
        .collect();
    format!("[{}]", clauses.join(","))
}

#[test]
fn columns_answer_as_the_world_does() {
    let mut dice = Dice::seeded(23);
    for _ in 0..4_000 {
        let shape = World::random(&mut dice, "");
        for (kind, terms) in TERMS {
            let clauses = random_clauses(&mut dice, terms);
            let settings = format!(
                r#"{{"groupKeys": [{}], "roleKeys": ["r0", "r1", "auditor"], "attributes": ["project"], "{kind}": {{"clauses": {clauses}}}}}"#,
                shape.group_keys().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(",")
            );
            assert_eq!(Rules::validate(&settings), Ok(()), "{settings}");
            let world = shape.clone().settings(&settings);
            let caller = world.random_caller(&mut dice);
            assert_eq!(world.disagreements::<Rules>(caller, kind), Vec::<String>::new(), "{settings}\n{world:#?}");
        }
    }
}

#[test]
fn an_inexact_scope_is_the_superset() {
    let world = World::random(&mut Dice::seeded(1), r#"{"user": {"clauses": [[{"test": "self"}]], "exact": false, "superset": [[]]}}"#);
    let filter = world.scope::<Rules>("p0", "user");
    assert!(!filter.exact);
    assert_eq!(filter.any_of, [vec![]]);
    assert_eq!(world.visible::<Rules>("p0", "user"), ["p0"]);
}

#[test]
fn fields_are_withheld_unless_the_terms_pass() {
    let settings = r#"{"user": {"clauses": [[]], "withhold": [
        {"fields": ["email"], "unless": [{"test": "self"}]},
        {"fields": ["phone"], "unless": [{"test": "status", "values": ["active"]}]}
    ]}}"#;
    let world = World::random(&mut Dice::seeded(1), settings);
    for (name, verdict) in world.verdicts::<Rules>("p0", "user.read") {
        assert_eq!(verdict.withheld.contains(&"email".to_owned()), name != "p0");
    }
}

#[test]
fn what_the_columns_cannot_answer_is_refused_by_name() {
    let check = |kind: &str, term: &str, named: &str| {
        let settings = format!(r#"{{"attributes": ["project", "site"], "{kind}": {{"clauses": [[{term}]]}}}}"#);
        let errors = Rules::validate(&settings).unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains(named), "{errors:?}");
    };
    check("membership", r#"{"test": "group.created-by-me"}"#, "group.created-by-me");
    check("membership", r#"{"test": "group.attribute", "values": ["project", "x"]}"#, "group.attribute");
    check("grant", r#"{"test": "role.builtin"}"#, "role.builtin");
    check("grant", r#"{"test": "role.created-by-me"}"#, "role.created-by-me");
    check("group", r#"{"test": "self"}"#, "self");
    check("user", r#"{"test": "mine"}"#, "mine");
    check("user", r#"{"test": "in-group"}"#, "needs groups");
    check("user", r#"{"test": "status"}"#, "needs values");
    check("user", r#"{"test": "attribute", "values": ["site", "rome"]}"#, "site");
    check("user", r#"{"tset": "self"}"#, "tset");
}

#[test]
fn at_most_seven_withholdings() {
    let settings = |entries: usize| {
        let entry = r#"{"fields": ["email"], "unless": []}"#;
        format!(r#"{{"user": {{"withhold": [{}]}}}}"#, vec![entry; entries].join(","))
    };
    assert_eq!(Rules::validate(&settings(7)), Ok(()));
    assert!(Rules::validate(&settings(8)).is_err());
}
