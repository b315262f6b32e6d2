//! Organisations from files: what is refused and why, what is odd, all or nothing, and nothing the second time.

use std::path::Path;

use bailiwick::{
    config::{Config, Layers},
    organisations::{self, File, Oddity, Plan},
    wiring::Database,
};
use directory::{
    Error,
    access::{Operator, OperatorVia},
    model::Role,
    store::ImportSummary,
};
use serde_json::{Value, json};

/// A file of one organisation, with these keys in place of a valid one's.
fn organisation(changed: Value) -> Value {
    let mut valid = json!({
        "key": "acme",
        "owners": ["Ada"],
        "members": ["bob", "Cy"],
        "teams": [
            { "key": "b", "parent": "a", "members": ["BOB", "dan"] },
            { "key": "a", "maintainers": ["Cy"], "members": ["Ada"] }
        ]
    });
    for (key, value) in changed.as_object().unwrap() {
        valid[key] = value.clone();
    }
    valid
}

fn file(organisations: &[Value]) -> File {
    organisations::parse(&json!({ "organisations": organisations }).to_string()).unwrap()
}

fn plan(changed: Value) -> Result<Plan, String> {
    organisations::plan(&file(&[organisation(changed)]), 0)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

#[track_caller]
fn refused(changed: Value, expected: &[&str]) {
    let error = plan(changed).unwrap_err();
    for part in expected {
        assert!(error.contains(part), "`{part}` is missing in: {error}");
    }
}

#[test]
fn a_file_of_another_form_is_refused_with_line_and_column() {
    for (text, expected) in [
        ("", "line 1, column 0: EOF"),
        ("{\"organisations\": [\n{\"key\": 5}]}", "line 2, column 9: invalid type: integer `5`, expected a string"),
        ("{\"organisations\": [{\"key\": \"a\", \"owner\": []}]}", "unknown field `owner`, expected one of"),
        ("{\"organisations\": [{}]}", "missing field `key`"),
        ("[]", "line 1, column"),
    ] {
        let error = organisations::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(error.contains("docs/organisations-format.md"), "{error}");
    }
}

#[test]
fn broken_rules_are_refused_with_their_paths() {
    refused(json!({ "key": " " }), &["organisations[0].key: ` ` is empty", "give it"]);
    refused(json!({ "key": "k".repeat(129) }), &["organisations[0].key", "more than 128 characters; shorten it"]);
    refused(json!({ "owners": [] }), &["organisations[0].owners: is empty", "name an owner"]);
    refused(json!({ "members": ["a\u{0}b"] }), &["organisations[0].members[0]", "control character; remove it"]);
    let unknown = json!({ "teams": [{ "key": "a" }, { "key": "b", "parent": "nobody" }] });
    refused(unknown, &["organisations[0].teams[1].parent: `nobody` is the key of no team", "name another parent"]);
    let twice = json!({ "teams": [{ "key": "a" }, { "key": "b" }, { "key": "A", "parent": "b" }] });
    refused(twice, &["organisations[0].teams[2].key: `A` is the key of teams[0], too", "rename one"]);
    let circle = json!({ "teams": [{ "key": "a", "parent": "b" }, { "key": "b", "parent": "a" }] });
    refused(circle, &["organisations[0].teams[0].parent: `a` is below itself", "organisations[0].teams[1].parent"]);
}

#[test]
fn the_tree_may_have_64_levels_and_not_65() {
    let chain = |levels: usize| -> Vec<Value> {
        let team = |level: usize| json!({ "key": format!("t{level}"), "parent": level.checked_sub(1).map(|parent| format!("t{parent}")) });
        (0..levels).map(team).collect()
    };
    assert_eq!(plan(json!({ "teams": chain(64) })).unwrap().groups.len(), 64);
    refused(json!({ "teams": chain(65) }), &["organisations[0].teams[64].parent", "level 65", "at most 64"]);
}

#[test]
fn two_organisations_do_not_share_a_key() {
    let file = file(&[organisation(json!({})), organisation(json!({ "key": "ACME" }))]);
    assert!(organisations::plan(&file, 0).is_ok());
    let errors = organisations::plan(&file, 1).unwrap_err();
    assert!(errors[0].to_string().contains("organisations[1].key: `ACME` is the key of organisations[0], too"), "{errors:?}");
}

#[test]
fn people_are_known_by_their_folded_handles() {
    let plan = plan(json!({ "members": ["bob", "Cy", "Bob", "ada"] })).unwrap();
    let handles: Vec<_> = plan.people.iter().map(|person| person.identifier.as_str()).collect();
    assert_eq!(handles, ["ada", "bob", "cy", "dan"]);
    assert_eq!(plan.people[0].texts[0].1, "Ada", "the first spelling is kept");
    let roles = |index: usize| plan.people[index].grants.iter().map(|(role, _)| role.as_str()).collect::<Vec<_>>();
    assert_eq!((roles(0), roles(1), roles(3)), (vec![Role::ADMINISTRATOR, Role::MEMBER], vec![Role::MEMBER], vec![]));
    assert_eq!(plan.people[2].memberships, [("a".to_owned(), true)]);
    assert_eq!(plan.groups.iter().map(|group| group.key.as_str()).collect::<Vec<_>>(), ["a", "b"], "parents come first");
    let odd: Vec<_> = plan.odd.iter().map(|odd| (odd.oddity, odd.handle.as_str(), odd.place.as_str())).collect();
    assert_eq!(
        odd,
        [
            (Oddity::Twice, "Bob", "members"),
            (Oddity::OtherCase, "ada", "members"),
            (Oddity::OwnerAndMember, "ada", "members"),
            (Oddity::OtherCase, "BOB", "teams[0].members"),
            (Oddity::Outside, "dan", "teams[0].members"),
        ]
    );
}

/// An empty database in a folder of its own.
async fn database(folder: &Path) -> Database {
    let mut layers = Layers::new().unwrap();
    layers.option("--data", "data", folder.to_str().unwrap());
    let database = Database::open(&Config::load(&layers).unwrap()).await.unwrap();
    database.migrate().await.unwrap();
    database
}

async fn bring_in(database: &Database, changed: Value) -> Result<ImportSummary, Error> {
    let operator = Operator::new(OperatorVia::CommandLine);
    organisations::import(database.store().as_ref(), &operator, plan(changed).unwrap(), "", &|_| {}).await
}

#[tokio::test]
async fn a_second_time_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let first = bring_in(&database, json!({})).await.unwrap();
    assert!(first.created);
    let counts = (first.users_added, first.groups_added, first.memberships_added, first.grants_added, first.accounts_added);
    assert_eq!(counts, (4, 2, 4, 3, 4));
    let second = bring_in(&database, json!({})).await.unwrap();
    assert_eq!(second, ImportSummary { workspace: first.workspace, ..ImportSummary::default() });
}

#[tokio::test]
async fn what_the_file_leaves_out_stays() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    bring_in(&database, json!({})).await.unwrap();
    let smaller = json!({ "members": [], "teams": [{ "key": "a", "members": ["ADA", "eve"] }] });
    let summary = bring_in(&database, smaller).await.unwrap();
    assert_eq!((summary.users_added, summary.users_absent, summary.groups_absent), (1, 3, 1));
    assert_eq!(bring_in(&database, json!({})).await.unwrap().users_added, 0);
}

#[tokio::test]
async fn an_organisation_comes_in_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    bring_in(&database, json!({})).await.unwrap();
    // `dan` is written first, and only then does the last person's name turn out to be taken: by `bob`, of another issuer.
    let mut other = plan(json!({ "teams": [{ "key": "new", "members": ["zed"] }] })).unwrap();
    for person in &mut other.people {
        if person.identifier == "bob" {
            person.issuer = "elsewhere".to_owned();
        }
    }
    let operator = Operator::new(OperatorVia::CommandLine);
    let failed = organisations::import(database.store().as_ref(), &operator, other, "", &|_| {}).await;
    assert!(matches!(failed, Err(Error::Taken(_))), "{failed:?}");
    let again = bring_in(&database, json!({})).await.unwrap();
    assert_eq!((again.users_absent, again.groups_absent, again.accounts_added), (0, 0, 0), "neither `zed` nor `new` is there");
}

#[tokio::test]
async fn the_real_organisations_come_in_twice() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/kubernetes-org.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        tests::skipped("import of real organisations (there is no `../shared/data/kubernetes-org.json`; it comes beside the repository)");
        return;
    };
    let file = organisations::parse(&text).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = database(folder.path()).await;
    let operator = Operator::new(OperatorVia::CommandLine);
    for (index, organisation) in file.organisations.iter().enumerate() {
        let plan = organisations::plan(&file, index).unwrap();
        assert_eq!(plan.groups.len(), organisation.teams.len());
        assert!(plan.odd.iter().all(|odd| odd.oddity == Oddity::OtherCase), "{:?}", plan.odd);
        let people = organisation.owners.len() + organisation.members.len();
        let first = organisations::import(database.store().as_ref(), &operator, plan.clone(), "", &|_| {}).await.unwrap();
        assert_eq!(first.users_added, people as u64);
        let second = organisations::import(database.store().as_ref(), &operator, plan, "", &|_| {}).await.unwrap();
        assert_eq!(second, ImportSummary { workspace: first.workspace, ..ImportSummary::default() });
    }
}
