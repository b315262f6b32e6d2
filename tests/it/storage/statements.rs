//! Every statement that is executed names the workspace of every table of a workspace that it touches, under that table's alias.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use directory::{
    decisions::{DecisionFilter, DecisionOrder, DecisionSpan, Outcome, Purpose},
    model::Timestamp,
    store::{Sight, Store as _, Urn},
};
use rand::{SeedableRng as _, rngs::SmallRng};
use serde_json::{Value as Json, json};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use uuid::Uuid;

use super::{
    backends,
    cases::Asker,
    tokens,
    world::{Plan, World},
    writes,
};
use crate::writes::stage::Stage;
use tests::on_each_database_in_one_thread;

/// Tables that are found without a workspace, because they tell it, and the workspaces themselves.
const WITHOUT: &[&str] = &["accounts", "standard_modules", "tokens", "workspaces"];

/// Tables that only writes touch.
const FOR_WRITES: &[&str] =
    &["deleted_grants", "deleted_groups", "deleted_memberships", "deleted_roles", "deletions", "lifted_groups", "requests"];

/// Items of a large bulk: as many as the server takes.
const MANY: usize = directory::limits::BULK;
/// Items of a small one. A single item would be another case: some of what is asked about it is asked in another way.
const FEW: usize = 2;
/// Statements of a bulk, those of signing in, deciding, writing and reading back included. The longest, `onboardPartner`, takes less than
/// sixty.
const STATEMENTS: usize = 70;
/// Statements by which a large bulk may exceed a small one: rows that do not fit into one statement take a second one.
const MORE: usize = 5;

/// Collects the statements of one thread.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<BTreeSet<String>>>);

struct Statement(Option<String>);

impl Visit for Statement {
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "sql" {
            self.0 = Some(value.to_owned());
        }
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "storage::sql" {
            let mut statement = Statement(None);
            event.record(&mut statement);
            self.0.lock().unwrap().extend(statement.0);
        }
    }
}

/// Counts the statements of one thread.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Counter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "storage::sql" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn every_statement_names_the_workspace_of_every_table() {
    let tables = tables_of_a_workspace("sqlite");
    // While there is only one subscriber, the thread that meets a statement first decides whether anybody wants it.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    for backend in backends().await {
        let recorder = Recorder::default();
        let recording = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorder.clone()));
        for seed in [3, 4] {
            let world = Plan::generate(seed).import(&backend.store).await;
            read_everything(&backend.store, &world).await;
            tokens::use_everything(&backend.store, &world).await;
        }
        drop(recording);
        let statements = recorder.0.lock().unwrap();
        assert!(statements.len() > 300, "{} different statements were recorded", statements.len());
        let read: BTreeSet<String> = tables.iter().filter(|table| !FOR_WRITES.contains(&table.as_str())).cloned().collect();
        assert_eq!(touched(&statements, &tables, backend.name), read, "{}: these tables were touched", backend.name);
    }
}

#[test]
fn every_statement_of_a_write_names_the_workspace_of_every_table() {
    let tables = tables_of_a_workspace("sqlite");
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    on_each_database_in_one_thread(async |host| {
        let recorder = Recorder::default();
        let recording = tracing::subscriber::set_default(tracing_subscriber::registry().with(recorder.clone()));
        writes::do_everything(&Stage::set(host).await).await;
        drop(recording);
        let statements = recorder.0.lock().unwrap();
        assert!(statements.len() > 150, "{} different statements were recorded", statements.len());
        let touched = touched(&statements, &tables, host.backend);
        for table in FOR_WRITES {
            assert!(touched.contains(*table), "{:?}: `{table}` was not touched", host.backend);
        }
    });
}

#[test]
fn a_bulk_takes_as_many_statements_however_many_items_it_has() {
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    on_each_database_in_one_thread(async |host| {
        let stage = Stage::set(host).await;
        let counter = Counter::default();
        let counting = tracing::subscriber::set_default(tracing_subscriber::registry().with(counter.clone()));
        // The first request after the import reads what is kept for later ones.
        stage.query("ada", "{ viewer { id } }").await;
        let mut counts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for (at, items) in [FEW, MANY].into_iter().enumerate() {
            for (mutation, count) in count_bulks(&stage, &counter, items).await {
                counts.entry(mutation).or_default()[at] = count;
            }
        }
        drop(counting);
        assert_eq!(counts.len(), 10, "{counts:?}");
        for (mutation, [few, many]) in counts {
            let of = format!("{:?}: {mutation} of {FEW} takes {few} statements, of {MANY} {many}", host.backend);
            assert!(few > 0 && many <= few + MORE && many <= STATEMENTS, "{of}");
        }
    });
}

/// Every kind of bulk with so many items, each of which is changed by it: its name, and the statements that it took.
async fn count_bulks(stage: &Stage<'_>, counter: &Counter, items: usize) -> Vec<(&'static str, usize)> {
    let (north, east) = (stage.group("north"), stage.group("east"));
    let (helpdesk, reader) = (stage.role("helpdesk"), stage.role("reader"));
    let mut counts = Vec::new();
    let mut bulk = async |mutation: &'static str, input: Json, fields: &str| {
        let before = counter.0.load(Ordering::Relaxed);
        let done = stage.done("ada", mutation, input, &format!("{fields} results {{ done }}")).await;
        counts.push((mutation, counter.0.load(Ordering::Relaxed) - before));
        assert_eq!(done["results"].as_array().map(Vec::len), Some(items), "{mutation}");
        done
    };
    // A request has at most 64 KiB, which are too few for 500 users with a group and a role each: every other one has both.
    let start = |at: usize| {
        let mut user = json!({ "userName": format!("u{items}-{at}"), "groups": [{ "groupId": north }] });
        if at.is_multiple_of(2) {
            user["roles"] = json!([{ "roleId": reader }]);
        }
        user
    };
    let users = bulk("addUsers", json!({ "users": (0..items).map(start).collect::<Vec<_>>() }), "users { id }").await;
    let users: Vec<Json> = users["users"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect();
    let each = |item: &dyn Fn(&Json) -> Json| users.iter().map(item).collect::<Vec<_>>();

    let members = each(&|user: &Json| json!({ "userId": user }));
    bulk("addGroupMembers", json!({ "groupId": east, "members": members }), "memberships { id }").await;
    let managers = each(&|user: &Json| json!({ "userId": user, "manager": true }));
    bulk("setGroupManagers", json!({ "groupId": east, "members": managers }), "memberships { manager }").await;
    bulk("removeGroupMembers", json!({ "groupId": east, "userIds": users }), "group { key }").await;

    let grants = each(&|user: &Json| json!({ "userId": user, "roleId": helpdesk }));
    let grants = bulk("addGrants", json!({ "grants": grants }), "grants { id }").await;
    let grants: Vec<&Json> = grants["grants"].as_array().unwrap().iter().map(|grant| &grant["id"]).collect();
    bulk("removeGrants", json!({ "grantIds": grants }), "removedGrantIds").await;

    // Whoever is added is not active yet.
    for mutation in ["activateUsers", "suspendUsers", "removeUsers"] {
        bulk(mutation, json!({ "userIds": users }), "users { status }").await;
    }
    let partners: Vec<Json> = (0..items).map(|at| json!({ "user": { "userName": format!("p{items}-{at}") } })).collect();
    let group = json!({ "name": format!("Partner {items}"), "parentId": north });
    bulk("onboardPartner", json!({ "group": group, "users": partners, "roleIds": [helpdesk] }), "users { id }").await;
    counts
}

/// The tables that statements touch, each with its workspace.
fn touched(statements: &BTreeSet<String>, tables: &BTreeSet<String>, backend: impl std::fmt::Debug) -> BTreeSet<String> {
    let mut touched = BTreeSet::new();
    for statement in statements {
        for (alias, (count, table)) in aliases(statement, tables) {
            let named = if alias.is_empty() { "workspace_id".to_owned() } else { format!("{alias}.workspace_id") };
            assert!(statement.matches(&named).count() >= count, "{backend:?}: `{table} {alias}` without a workspace: {statement}");
            touched.insert(table);
        }
    }
    touched
}

#[test]
fn a_statement_without_a_workspace_is_found() {
    let tables = BTreeSet::from(["users".to_owned(), "grants".to_owned()]);
    let named = aliases("select 1 from users u cross join grants\nwhere u.workspace_id = $1", &tables);
    assert_eq!(named["u"], (1, "users".to_owned()));
    assert_eq!(named[""], (1, "grants".to_owned()));
}

#[test]
fn the_workspace_leads_every_key_and_both_schemas_have_the_same_tables() {
    let [sqlite, postgres] = ["sqlite", "postgres"].map(|dialect| (migrations(dialect), tables_of_a_workspace(dialect)));
    assert_eq!(sqlite.0.keys().collect::<Vec<_>>(), postgres.0.keys().collect::<Vec<_>>(), "the same numbered names");
    assert_eq!(sqlite.1, postgres.1);
    for text in sqlite.0.values().chain(postgres.0.values()) {
        for table in text.split("create table ").skip(1) {
            let (name, body) = table.split_once(" (").unwrap();
            if WITHOUT.contains(&name) {
                continue;
            }
            let body = body.split("\n)").next().unwrap();
            assert!(["primary key (workspace_id, ", "primary key (workspace_id)"].iter().any(|key| body.contains(key)), "{name}");
            for key in body.split("foreign key (").skip(1) {
                assert!(key.starts_with("workspace_id, "), "{name}: {key}");
            }
        }
        for index in text.lines().filter(|line| line.starts_with("create ")).filter_map(|line| line.split_once(" index ")) {
            let index = index.1;
            let columns = index.split_once(" (").unwrap().1;
            // Signing in and exclusive users ask by account.
            assert!(columns.starts_with("workspace_id, ") || index.starts_with("users_by_account "), "{index}");
        }
    }
}

/// Each kind of list, many times, and every read by id.
async fn read_everything(store: &storage::Database, world: &World) {
    let mut snapshot = store.snapshot(world.id.unwrap()).await.unwrap().unwrap();
    let mut asker = Asker { world, rng: SmallRng::seed_from_u64(5) };
    for _ in 0..60 {
        let users = asker.users();
        let _ = snapshot.list_users(&users).await.unwrap();
        snapshot.count_users(&users).await.unwrap();
        let groups = asker.groups_list();
        let _ = snapshot.list_groups(&groups).await.unwrap();
        snapshot.count_groups(&groups).await.unwrap();
        let roles = asker.roles();
        let _ = snapshot.list_roles(&roles).await.unwrap();
        snapshot.count_roles(&roles).await.unwrap();
        let memberships = asker.memberships();
        let _ = snapshot.list_memberships(&memberships).await.unwrap();
        snapshot.count_memberships(&memberships).await.unwrap();
        let grants = asker.grants();
        let _ = snapshot.list_grants(&grants).await.unwrap();
        snapshot.count_grants(&grants).await.unwrap();
    }
    let users: Vec<_> = world.users.iter().map(|user| user.id).collect();
    let groups: Vec<_> = world.groups.iter().map(|group| group.id).collect();
    let roles: Vec<_> = world.roles.iter().map(|role| role.id).collect();
    let memberships: Vec<_> = world.memberships.iter().map(|membership| membership.id).collect();
    let grants: Vec<_> = world.grants.iter().map(|grant| grant.id).collect();
    assert_eq!(snapshot.users_by_id(&users).await.unwrap().len(), users.len());
    assert_eq!(snapshot.groups_by_id(&groups).await.unwrap().len(), groups.len());
    assert_eq!(snapshot.roles_by_id(&roles).await.unwrap().len(), roles.len());
    assert_eq!(snapshot.memberships_by_id(&memberships).await.unwrap().len(), memberships.len());
    assert_eq!(snapshot.grants_by_id(&grants).await.unwrap().len(), grants.len());
    let _ = snapshot.subject_facts(users[0]).await.unwrap();
    let _ = snapshot.group_chains(&groups).await.unwrap();
    let _ = snapshot.direct_groups(&users).await.unwrap();
    let _ = snapshot.held_roles(&users).await.unwrap();
    let _ = snapshot.role_facts(&roles).await.unwrap();
    let _ = snapshot.groups_by_key(&["g-0".to_owned(), "nul\0".to_owned()]).await.unwrap();
    let _ = snapshot.roles_by_key(&["member".to_owned()]).await.unwrap();
    for urn in [Urn::ActiveUsers, Urn::Users, Urn::Groups, Urn::Roles, Urn::Memberships, Urn::Grants] {
        let _ = snapshot.drawn(urn, 7, 10).await.unwrap();
    }
    let _ = snapshot.workspace().await.unwrap();
    let _ = snapshot.policy_tests().await.unwrap();
    let some = Uuid::from_u128(1);
    let filter = DecisionFilter {
        actor: Some(some),
        object: Some(some),
        action: Some("user.read".to_owned()),
        outcome: Some(Outcome::Denied),
        purpose: Some(Purpose::Write),
        since: Some(Timestamp(1)),
        until: Some(Timestamp(2)),
    };
    for order in [DecisionOrder::NewestBefore(None), DecisionOrder::NewestBefore(Some(9)), DecisionOrder::OldestFrom(1)] {
        assert!(snapshot.decisions(&filter, order, 5).await.unwrap().is_empty());
        assert!(snapshot.decisions(&DecisionFilter::default(), order, 5).await.unwrap().is_empty());
    }
    assert_eq!(snapshot.decision_span().await.unwrap(), DecisionSpan::default());
    assert!(snapshot.shadow().await.unwrap().is_none());
    let _ = snapshot.shadow_findings().await.unwrap();
    let version = snapshot.head().await.unwrap().version;
    assert!(snapshot.policy_version(version).await.unwrap().is_some());
    let nothing = Sight::default();
    let before = snapshot.statements();
    let list = directory::store::UserList { sight: nothing, ..asker.users() };
    assert!(snapshot.list_users(&list).await.unwrap().is_empty());
    assert_eq!(snapshot.statements(), before, "nothing in sight costs no statement");
}

fn migrations(dialect: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/crates/storage/migrations").join(dialect);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())).collect()
}

fn tables_of_a_workspace(dialect: &str) -> BTreeSet<String> {
    let texts = migrations(dialect);
    let names =
        texts.values().flat_map(|text| text.split("create table ").skip(1)).map(|table| table.split(' ').next().unwrap().to_owned());
    names.filter(|name| !WITHOUT.contains(&name.as_str())).collect()
}

/// How often each alias stands for one of the tables.
fn aliases(statement: &str, tables: &BTreeSet<String>) -> BTreeMap<String, (usize, String)> {
    let words: Vec<&str> = statement.split(|c: char| c.is_whitespace() || "(),".contains(c)).filter(|word| !word.is_empty()).collect();
    let mut found: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for window in words.windows(2) {
        let [before, table] = window else { continue };
        if !["from", "join", "into", "update"].contains(before) || !tables.contains(*table) {
            continue;
        }
        let at = words.iter().position(|word| std::ptr::eq(*word, *table)).unwrap();
        let next = words.get(at + 1).copied().unwrap_or_default();
        let alias = if next.len() == 1 { next } else { "" };
        found.entry(alias.to_owned()).or_insert((0, (*table).to_owned())).0 += 1;
    }
    found
}
