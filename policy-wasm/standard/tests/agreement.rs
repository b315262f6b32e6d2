//! `scope` and `check` say the same of random worlds, under every setting.

use policy_kit::testing::{Dice, World};
use standard::Standard;

const SETTINGS: [&str; 6] = [
    "",
    r#"{"members_see": "self"}"#,
    r#"{"members_see": "groups"}"#,
    r#"{"members_see": "subtree", "peer_fields_withheld": ["attributes.project", "phone"]}"#,
    r#"{"members_see": "workspace", "managers_invite": true}"#,
    r#"{"members_see": "workspace", "peer_fields_withheld": []}"#,
];
const KINDS: [&str; 6] = ["user", "group", "role", "membership", "grant", "workspace"];

#[test]
fn scope_agrees_with_check() {
    let mut dice = Dice::seeded(7);
    let mut cases = 0;
    let mut admitted = 0;
    while cases < 12_000 {
        let settings = SETTINGS[dice.below(SETTINGS.len())];
        let world = World::random(&mut dice, settings);
        for kind in KINDS {
            let caller = world.random_caller(&mut dice);
            assert_eq!(world.disagreements::<Standard>(caller.clone(), kind), Vec::<String>::new(), "{settings}\n{world:#?}");
            admitted += usize::from(!world.visible::<Standard>(caller, kind).is_empty());
            cases += 1;
        }
    }
    assert!(admitted > cases / 3, "the worlds are too closed to say anything: {admitted} of {cases}");
}
