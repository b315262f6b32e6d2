//! Imports: what they refuse, with its reason, and that a refused one leaves nothing behind.

use std::sync::Mutex;

use directory::{
    Error,
    access::{Operator, OperatorVia},
    limits::GROUP_DEPTH,
    model::{Provenance, Status, Timestamp, UserText},
    query::{Filter, UserPredicate, UserSort},
    store::{AmongUsers, AttributeDefinition, ImportGroup, ImportPerson, ImportRole, ImportSummary, ImportWorkspace, Store as _},
};
use storage::Database;

use super::{Backend, Ids, backends, standard, world::everything};

/// Two groups, one above the other, and two people.
fn sample(key: &str) -> ImportWorkspace {
    let seed = key.bytes().fold(1, |seed: u128, byte| seed * 131 + u128::from(byte));
    ImportWorkspace {
        key: key.to_owned(),
        name: "Sample".to_owned(),
        user_quota: None,
        attributes: vec![AttributeDefinition { name: "badge".to_owned(), searchable: true }],
        groups: vec![group("top", None), group("low", Some("top"))],
        roles: vec![ImportRole {
            key: "clerk".to_owned(),
            name: "Clerk".to_owned(),
            description: None,
            permissions: vec!["user.read".to_owned()],
        }],
        people: Box::new(vec![person("ada"), person("grace")].into_iter()),
        policy: standard(seed),
        provenance: Provenance::Import,
        now: Timestamp(1),
        ids: Box::new(Ids(seed << 40)),
    }
}

fn group(key: &str, parent: Option<&str>) -> ImportGroup {
    let parent = parent.map(str::to_owned);
    ImportGroup { key: key.to_owned(), name: format!("Group {key}"), description: None, parent, attributes: Vec::new() }
}

fn person(name: &str) -> ImportPerson {
    ImportPerson {
        issuer: "email".to_owned(),
        identifier: format!("{name}@example.org"),
        texts: vec![(UserText::UserName, name.to_owned()), (UserText::Email, format!("{name}@example.org"))],
        exclusive: false,
        status: Status::Active,
        attributes: vec![("badge".to_owned(), vec!["blue".to_owned()])],
        memberships: vec![("low".to_owned(), false)],
        manages_top: false,
        grants: vec![("clerk".to_owned(), Some("top".to_owned()))],
    }
}

fn people(people: Vec<ImportPerson>) -> Box<dyn Iterator<Item = ImportPerson> + Send> {
    Box::new(people.into_iter())
}

async fn import(store: &Database, change: ImportWorkspace) -> Result<ImportSummary, Error> {
    store.import(Operator::new(OperatorVia::CommandLine).import(change), &|_| {}).await
}

/// A changed sample is refused with this message, by both databases, and leaves neither a workspace nor a change.
async fn refused(change: impl Fn(&mut ImportWorkspace), message: &str) {
    for Backend { name, store, _folder, .. } in backends().await {
        for existing in [false, true] {
            if existing {
                import(&store, sample("sample")).await.unwrap();
            }
            let before = state(&store).await;
            let mut changed = ImportWorkspace { ids: Box::new(Ids(1 << 100)), ..sample("sample") };
            change(&mut changed);
            let error = import(&store, changed).await.expect_err("a refusal");
            assert_eq!(error.to_string(), message, "{name}, existing: {existing}");
            assert_eq!(state(&store).await, before, "{name}: nothing is left behind");
        }
    }
}

/// Whether there is a workspace, its epoch, and how many users it has.
async fn state(store: &Database) -> Vec<(i64, u64)> {
    let mut found = Vec::new();
    for workspace in store.workspaces().await.unwrap() {
        drop(workspace);
        let id = import(store, sample("sample")).await.unwrap().workspace.unwrap();
        let mut snapshot = store.snapshot(id).await.unwrap().unwrap();
        let users = snapshot.count_users(&everything(AmongUsers::All, None, UserSort::Id)).await.unwrap();
        found.push((snapshot.head().await.unwrap().epoch.0, users[0]));
    }
    found
}

#[tokio::test]
async fn an_unknown_group_is_refused() {
    let change = |import: &mut ImportWorkspace| {
        import.people = people(vec![ImportPerson { memberships: vec![("hr".to_owned(), false)], ..person("ada") }]);
    };
    refused(change, "person `ada`: group `hr` is neither in the import nor in the workspace; add it or correct the key").await;
}

#[tokio::test]
async fn an_unknown_role_is_refused() {
    let change = |import: &mut ImportWorkspace| {
        import.people = people(vec![ImportPerson { grants: vec![("boss".to_owned(), None)], ..person("ada") }]);
    };
    refused(change, "person `ada`: role `boss` is neither in the import nor in the workspace; add it or correct the key").await;
}

#[tokio::test]
async fn an_undeclared_attribute_is_refused() {
    let change = |import: &mut ImportWorkspace| {
        import.people = people(vec![ImportPerson { attributes: vec![("shoe".to_owned(), vec!["9".to_owned()])], ..person("ada") }]);
    };
    refused(change, "person `ada`: attribute `shoe` is not declared; declare it in `attributes`").await;
}

#[tokio::test]
async fn a_missing_parent_is_refused() {
    let change = |import: &mut ImportWorkspace| import.groups = vec![group("x", Some("y")), group("y", None)];
    refused(change, "group `x`: its parent `y` is neither above it in the import nor in the workspace; put parents first").await;
}

#[tokio::test]
async fn siblings_of_one_name_are_refused() {
    let change =
        |import: &mut ImportWorkspace| import.groups.push(ImportGroup { name: "GROUP LOW".to_owned(), ..group("other", Some("top")) });
    for Backend { store, .. } in backends().await {
        let mut changed = sample("sample");
        change(&mut changed);
        let error = import(&store, changed).await.expect_err("a refusal").to_string();
        assert!(error.contains("is already taken") && error.contains("`low`") && error.contains("`other`"), "{error}");
    }
}

#[tokio::test]
async fn a_built_in_role_is_not_changed() {
    let role = ImportRole { key: "Administrator".to_owned(), name: "Boss".to_owned(), description: None, permissions: Vec::new() };
    refused(|import| import.roles.push(role.clone()), "role `Administrator` is built in and can not be changed; choose another key").await;
}

#[tokio::test]
async fn a_taken_user_name_is_named() {
    let other = ImportPerson { identifier: "other".to_owned(), texts: vec![(UserText::UserName, "ADA".to_owned())], ..person("ada") };
    refused(|import| import.people = people(vec![person("ada"), other.clone()]), "the user name `ADA` is already taken; choose another")
        .await;
}

#[tokio::test]
async fn a_taken_address_is_named_and_a_code_tells_people_apart() {
    let email = (UserText::Email, "Ada@example.org".to_owned());
    let other =
        ImportPerson { identifier: "other".to_owned(), texts: vec![(UserText::UserName, "bob".to_owned()), email], ..person("ada") };
    let message = "the e-mail address `Ada@example.org` without a code of person `bob` is already taken; choose another";
    refused(|import| import.people = people(vec![person("ada"), other.clone()]), message).await;
    for Backend { store, .. } in backends().await {
        let mut told = other.clone();
        told.texts.push((UserText::Code, "2".to_owned()));
        let summary = import(&store, ImportWorkspace { people: people(vec![person("ada"), told]), ..sample("sample") }).await.unwrap();
        assert_eq!(summary.users_added, 2);
    }
}

#[tokio::test]
async fn a_person_who_stands_twice_is_refused_however_far_apart() {
    let many: Vec<ImportPerson> = (0..1_500).map(|number| person(&format!("p{number}"))).collect();
    for at in [2, 1_400] {
        let mut twice = many.clone();
        twice.insert(at, ImportPerson { texts: vec![(UserText::UserName, "second".to_owned())], ..person("p0") });
        refused(|import| import.people = people(twice.clone()), "person `second` stands twice in the import; keep one").await;
    }
}

#[tokio::test]
async fn the_quota_holds_at_n_and_not_at_n_and_one() {
    let change = |import: &mut ImportWorkspace| {
        import.user_quota = Some(2);
        import.people = people(vec![person("ada"), person("grace"), person("alan")]);
    };
    let message = "the workspace would have at least 3 users, and its quota is 2; raise the quota or import fewer";
    refused(change, message).await;
    for Backend { store, .. } in backends().await {
        import(&store, ImportWorkspace { user_quota: Some(2), ..sample("sample") }).await.unwrap();
    }
}

#[tokio::test]
async fn a_cycle_is_refused() {
    for Backend { store, .. } in backends().await {
        import(&store, sample("sample")).await.unwrap();
        let moved = ImportWorkspace { groups: vec![group("top", Some("low"))], ..sample("sample") };
        let error = import(&store, moved).await.expect_err("a refusal").to_string();
        assert!(error.contains("would be below itself; choose another parent"), "{error}");
    }
}

#[tokio::test]
async fn the_tree_is_as_deep_as_its_limit() {
    let chain = |levels: usize| -> Vec<ImportGroup> {
        let above = |level: usize| level.checked_sub(1).map(|above| format!("level{above}"));
        (0..levels).map(|level| group(&format!("level{level}"), above(level).as_deref())).collect()
    };
    for Backend { store, .. } in backends().await {
        let deep = |levels| ImportWorkspace { groups: chain(levels), people: people(Vec::new()), ..sample("deep") };
        let error = import(&store, deep(GROUP_DEPTH + 1)).await.expect_err("a refusal");
        assert!(matches!(error, Error::TooLarge(_)), "{error}");
        assert_eq!(import(&store, deep(GROUP_DEPTH)).await.unwrap().groups_added, GROUP_DEPTH as u64);
    }
}

#[tokio::test]
async fn an_exclusive_person_is_in_one_workspace() {
    for Backend { store, .. } in backends().await {
        let exclusive = || people(vec![ImportPerson { exclusive: true, ..person("ada") }]);
        import(&store, ImportWorkspace { people: exclusive(), ..sample("one") }).await.unwrap();
        let error = import(&store, sample("two")).await.expect_err("a refusal").to_string();
        assert!(error.starts_with("person `ada` belongs to another workspace exclusively"), "{error}");
        let shared = ImportWorkspace { people: people(vec![person("grace")]), ..sample("two") };
        assert_eq!(import(&store, shared).await.unwrap().accounts_added, 1);
        let taken = ImportWorkspace { people: people(vec![ImportPerson { exclusive: true, ..person("grace") }]), ..sample("three") };
        let error = import(&store, taken).await.expect_err("a refusal").to_string();
        assert!(error.starts_with("person `grace` can not be exclusive"), "{error}");
        let again = ImportWorkspace { people: people(vec![person("grace")]), ..sample("four") };
        assert_eq!(import(&store, again).await.unwrap().accounts_added, 0, "an account is the same everywhere");
    }
}

#[tokio::test]
async fn an_import_changes_what_it_names_and_leaves_the_rest() {
    for Backend { store, name, _folder, .. } in backends().await {
        import(&store, sample("sample")).await.unwrap();
        let mut ada = person("ada");
        ada.texts.push((UserText::DisplayName, "Ada Lovelace".to_owned()));
        ada.memberships = vec![("LOW".to_owned(), true), ("top".to_owned(), false)];
        ada.status = Status::Suspended;
        let change = ImportWorkspace { groups: vec![], people: people(vec![ada]), ids: Box::new(Ids(1 << 100)), ..sample("Sample") };
        let summary = import(&store, change).await.unwrap();
        let expected = ImportSummary {
            workspace: summary.workspace,
            users_changed: 1,
            memberships_added: 1,
            memberships_changed: 1,
            users_absent: 1,
            groups_absent: 2,
            ..ImportSummary::default()
        };
        assert_eq!(summary, expected, "{name}");
        let mut snapshot = store.snapshot(summary.workspace.unwrap()).await.unwrap().unwrap();
        let mut count = async |predicate| {
            let list = everything(AmongUsers::All, Some(Filter::Is(predicate)), UserSort::Id);
            snapshot.count_users(&list).await.unwrap()[0]
        };
        let search = |word: &str| UserPredicate::Search { words: vec![word.to_owned()], fields: UserText::SEARCHED.to_vec() };
        assert_eq!(count(search("lovel")).await, 1, "{name}: new words are found");
        assert_eq!(count(search("ada")).await, 1, "{name}: old ones still are");
        // An import creates people with a status; only a person takes a status away.
        assert_eq!(count(UserPredicate::Status(vec![Status::Active])).await, 2, "{name}");
    }
}

#[tokio::test]
async fn progress_is_reported() {
    for Backend { store, .. } in backends().await {
        let stages = Mutex::new(Vec::new());
        let many = (0..2_500).map(|number| person(&format!("p{number}"))).collect();
        let warrant = Operator::new(OperatorVia::CommandLine).import(ImportWorkspace { people: people(many), ..sample("sample") });
        store.import(warrant, &|progress| stages.lock().unwrap().push((progress.stage, progress.done))).await.unwrap();
        let stages = stages.into_inner().unwrap();
        assert_eq!(stages.first(), Some(&("groups", 2)));
        assert!(stages.contains(&("people", 2_500)), "{stages:?}");
        assert_eq!(stages.last(), Some(&("effective memberships", 5_000)));
    }
}
