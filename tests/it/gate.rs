//! The walls of the gate that no type holds, and what happens when the policy behind it fails.

use std::{collections::BTreeSet, fs, path::Path};

use bailiwick::{ids::Ids, wiring};
use directory::{
    Error,
    access::{RoleAsk, RollBack, UserAsk},
    contract::{Manifest, Module, Verdict},
    query::{Order, Window},
    register::{self, Kind},
    store::{AmongRoles, AmongUsers},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use tests::{
    TestHost,
    dice::Dice,
    generate,
    host::{NOW, RULES},
    naive::policy::Asker,
    on_each_database,
};
use wit_parser::{Resolve, TypeDefKind};

use crate::hostile::guest::{Guest, Part};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// Lines of code of a file: neither comments nor tests.
fn code(path: &str) -> String {
    let text = read(path);
    let code = text.split("#[cfg(test)]").next().unwrap().lines().filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

#[test]
fn only_the_gate_opens_seals_and_makes_what_is_visible() {
    let code = code("host/crates/directory/src/access/sealed.rs");
    for item in ["fn open(self) -> T", "const fn new(row: T) -> Self", "const fn new(workspace: Option<WorkspaceId>"] {
        assert!(code.contains(&format!("pub(in crate::access) {item}")), "`{item}` is no longer for the gate alone");
    }
    // `Sealed::new` is for anyone; nothing else of the three types is.
    let public: Vec<&str> = code.lines().map(str::trim).filter(|line| line.starts_with("pub ") && line.contains(" fn ")).collect();
    assert_eq!(
        public,
        [
            "pub const fn new(row: T) -> Self {",
            "pub const fn workspace(&self) -> Option<WorkspaceId> {",
            "pub const fn epoch(&self) -> Option<Epoch> {",
            "pub const fn change(&self) -> &C {",
            "pub fn into_change(self) -> C {",
        ]
    );
}

#[test]
fn storage_lends_nobody_an_unsealed_row() {
    let root = code("host/crates/storage/src/lib.rs");
    let exported: BTreeSet<&str> = root.lines().map(str::trim).filter(|line| line.starts_with("pub ")).collect();
    assert_eq!(exported, BTreeSet::from(["pub mod limits;", "pub use database::{Database, Options};"]));
    // Of what is exported, only the port returns rows, and the port's rows are sealed.
    let port = code("host/crates/directory/src/store.rs");
    let mut signature = String::new();
    for line in port.lines().map(str::trim) {
        signature = if line.starts_with("async fn") { line.to_owned() } else { format!("{signature} {line}") };
        if line.ends_with(';') && signature.starts_with("async fn") {
            let returns = signature.rsplit("->").next().unwrap();
            for row in
                ["User", "Group", "Role", "Membership", "Grant", "Workspace", "Token", "PolicyModule", "PolicyVersion", "SubjectFacts"]
            {
                let bare =
                    returns.replace("PolicyVersionId", "").replace(&format!("Sealed<{row}>"), "").replace(&format!("Listed<{row}>"), "");
                let names = bare.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == row);
                assert!(!names, "the port returns a bare {row}: {signature}");
            }
            signature.clear();
        }
    }
    for path in ["database.rs", "backup.rs"] {
        for line in
            code(&format!("host/crates/storage/src/{path}")).lines().filter(|line| line.contains("pub async fn") || line.contains("pub fn"))
        {
            assert!(
                line.contains("Result<(), Error>")
                    || line.contains("Result<Self, Error>")
                    || line.contains("Vec<String>")
                    || !line.contains("->"),
                "{line}"
            );
        }
    }
}

#[test]
fn the_guests_speak_the_registers_words() {
    on_each_database(async |host: &TestHost| {
        let load = async |bytes: &[u8]| {
            let bytes = std::sync::Arc::from(bytes);
            let validation = host.gate().engine().validate(&bytes, "").await;
            assert_eq!(validation.reasons, Vec::<String>::new());
            host.gate().engine().load(&Module { digest: validation.digest, bytes }).await.unwrap()
        };
        let standard = load(&wiring::standard().bytes).await;
        let need_to_know = load(&wiring::need_to_know().bytes).await;
        let rules = load(RULES).await;
        for manifest in [&standard, &need_to_know, &rules] {
            knows_its_words(manifest);
        }
        // The one that decides wherever no module does leaves nothing out.
        let every_field: BTreeSet<String> =
            Kind::ALL.into_iter().flat_map(|kind| kind.fields().iter().map(move |field| format!("{}.{field}", kind.name()))).collect();
        assert_eq!(standard.fields.iter().cloned().collect::<BTreeSet<_>>(), every_field);
        for action in register::actions() {
            assert!(standard.decides.iter().any(|pattern| register::covers(pattern, &action)), "nobody decides {action}");
        }
    });
}

fn knows_its_words(manifest: &Manifest) {
    for need in &manifest.needs {
        assert!(register::knows_need(need), "{} needs {need}", manifest.name);
    }
    for field in &manifest.fields {
        assert!(register::knows_field(field, None), "{} names the field {field}", manifest.name);
    }
    for pattern in &manifest.decides {
        assert!(register::actions().any(|action| register::covers(pattern, &action)), "{} decides {pattern}", manifest.name);
    }
}

/// Records are compared exactly by the runtime: a field more or less breaks every module that was ever uploaded.
const RECORDS: [(&str, &[&str]); 18] = [
    ("column", &["name", "dictionary", "ends", "items"]),
    ("number-column", &["name", "ends", "items"]),
    ("rows", &["kind", "len", "columns", "numbers"]),
    ("fact", &["name", "value"]),
    ("held", &["role", "within"]),
    ("subject", &["kind", "groups", "manages", "grants", "permissions", "facts"]),
    ("context", &["action", "now-ms", "settings", "subject", "groups", "roles", "facts"]),
    ("party", &["name", "rows"]),
    ("change", &["fields", "after", "parties"]),
    ("verdict", &["allow", "withheld", "reason", "notes"]),
    ("verdicts", &["table", "rows"]),
    ("test", &["name", "groups", "values"]),
    ("term", &["negate", "test"]),
    ("row-filter", &["any-of", "exact", "searchable", "reason", "notes"]),
    ("manifest", &["name", "version", "summary", "needs", "decides", "otherwise", "fields", "notes"]),
    ("describe", &[]),
    ("scope", &["context", "kind"]),
    ("check", &["context", "rows", "change"]),
];

#[test]
fn the_contract_has_the_records_that_it_froze() {
    let mut resolve = Resolve::default();
    resolve.push_source("policy.wit", &read("wit/policy.wit")).unwrap();
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for (_, of) in &resolve.types {
        if let (Some(name), TypeDefKind::Record(record)) = (&of.name, &of.kind) {
            found.push((name.clone(), record.fields.iter().map(|field| field.name.clone()).collect()));
        }
    }
    for (_, interface) in &resolve.interfaces {
        let functions = interface.functions.values().filter(|function| function.name != "validate-settings");
        found.extend(functions.map(|function| (function.name.clone(), function.params.iter().map(|param| param.name.clone()).collect())));
    }
    let frozen: Vec<(String, Vec<String>)> =
        RECORDS.iter().map(|(name, fields)| ((*name).to_owned(), fields.iter().map(|field| (*field).to_owned()).collect())).collect();
    let sorted = |mut records: Vec<_>| {
        records.sort_unstable();
        records
    };
    assert_eq!(sorted(found), sorted(frozen));
}

/// Every list and lookup at once, over what a guest is asked about.
const EVERYTHING: &str =
    "{ users { totalCount } groups { totalCount } roles { totalCount } memberships { totalCount } grants { totalCount }
    groupTree { truncated } workspace { key } viewer { id name status user { id } } }";

#[test]
fn a_policy_that_fails_denies_everything_and_can_be_rolled_back() {
    on_each_database(async |host: &TestHost| {
        for (name, part) in [("traps in check", Part::Check), ("traps in scope", Part::Scope)] {
            let mut world = generate::world(&mut Dice::seeded(7), name.replace(' ', "-"), 3);
            host.import_world(&mut world, "").await;
            let administrator = host.token(&world, &Asker::person(0)).await;
            let member = world.people.iter().enumerate().position(|(at, person)| at > 0 && person.status == "active").unwrap();
            let member = host.token(&world, &Asker::person(member)).await;
            let before = host.graphql(&administrator, EVERYTHING, Json::Null).await;
            assert_eq!(before.get("errors"), None);

            let workspace = world.id.parse().unwrap();
            let guest = Guest::new().describing(|manifest| manifest.decides = vec!["*".to_owned()]).armed(part, "(unreachable)");
            let module = host.install(workspace, name, guest.component().into()).await;
            host.force(workspace, Some(module), "armed".to_owned()).await;
            for token in [&administrator, &member] {
                let answer = host.graphql(token, EVERYTHING, Json::Null).await;
                denied(&answer, part);
            }

            match part {
                Part::Check => {
                    // The module failed on `policy.*` itself, so that `standard` answers: administrators, and nobody else.
                    let roll_back = |token: &str| host.page(Method::POST, "/v1/policies/rollback", token).json(&json!({})).send();
                    assert_ne!(roll_back(&member).await.unwrap().status(), StatusCode::OK, "a member broke the glass");
                    let back = roll_back(&administrator).await.unwrap();
                    assert_eq!(back.status(), StatusCode::OK, "{}", back.text().await.unwrap());
                }
                // The operator always can.
                Part::Scope => {
                    let mut ids = Ids::seeded(name, NOW);
                    host.gate().force_roll_back(&host.operator, workspace, RollBack::default(), NOW, &mut ids).await.unwrap();
                }
            }
            let after = host.graphql(&administrator, EVERYTHING, Json::Null).await;
            assert_eq!(after["data"], before["data"]);
        }
    });
}

/// An action of policies is answered by `standard` where the module fails on this very one, and not where it was made to fail before.
#[test]
fn the_glass_is_broken_by_a_failure_on_the_action_itself() {
    on_each_database(async |host: &TestHost| {
        let mut world = generate::world(&mut Dice::seeded(7), "glass".to_owned(), 3);
        host.import_world(&mut world, "").await;
        let workspace = world.id.parse().unwrap();
        let member = (1..world.people.len()).find(|at| world.people[*at].status == "active").unwrap();
        let mut guest = Guest::new().describing(|manifest| manifest.decides = vec!["*".to_owned()]);
        let deny = guest.table(&[Verdict { reason: "not for you".to_owned(), ..Verdict::default() }]);
        // Denies `policy.*`, and fails at everything else.
        let policies = "(i32.eq (i32.load8_u (i32.load (local.get $arguments))) (i32.const 112))";
        let denies = guest.clone().armed(Part::Check, &format!("(if (result i32) {policies} (then {deny}) (else (unreachable)))"));
        let denies = host.install(workspace, "denies", denies.component().into()).await;
        let fails = host.install(workspace, "fails", guest.armed(Part::Check, "(unreachable)").component().into()).await;
        let users =
            || UserAsk { among: AmongUsers::All, filter: None, order: Order::default(), window: Window { rows: 5, ..Window::default() } };

        host.force(workspace, Some(denies), "armed".to_owned()).await;
        let directory = host.directory(&world, &Asker::person(0)).await;
        assert!(matches!(directory.list_users(users()).await, Err(Error::Policy(_))));
        let refused = directory.active_policy().await;
        assert!(matches!(&refused, Err(Error::Forbidden { reason, .. }) if reason == "not for you"), "asked anew, it answers: {refused:?}");
        // What it failed at fails again; it is asked anew once for each action, and then the failure stands.
        let roles =
            RoleAsk { among: AmongRoles::All, filter: None, order: Order::default(), window: Window { rows: 5, ..Window::default() } };
        assert!(matches!(directory.list_roles(roles).await, Err(Error::Policy(_))));
        assert!(matches!(directory.active_policy().await, Err(Error::Policy(_))), "nobody answers in its place");

        host.force(workspace, Some(fails), "armed".to_owned()).await;
        let directory = host.directory(&world, &Asker::person(0)).await;
        assert!(matches!(directory.list_users(users()).await, Err(Error::Policy(_))));
        for _ in 0..3 {
            directory.active_policy().await.unwrap();
            directory.policy_history(None, 5).await.unwrap();
        }
        let member = host.directory(&world, &Asker::person(member)).await;
        assert!(matches!(member.active_policy().await, Err(Error::Policy(_))), "a member breaks no glass");
    });
}

/// Nothing but who the viewer is, and one stable code wherever the policy had to be asked.
fn denied(answer: &Json, part: Part) {
    let data = &answer["data"];
    for list in ["users", "groups", "roles", "memberships", "grants", "groupTree"] {
        assert_eq!(data[list], Json::Null, "{list}");
    }
    assert!(data["viewer"]["id"].is_string() && data["viewer"]["status"] == "ACTIVE");
    if matches!(part, Part::Check) {
        assert_eq!((&data["workspace"], &data["viewer"]["user"]), (&Json::Null, &Json::Null));
    }
    let errors = answer["errors"].as_array().unwrap();
    assert!(errors.len() >= 6);
    for error in errors {
        assert_eq!(error["extensions"]["code"], "POLICY_UNAVAILABLE", "{error}");
        assert_eq!(error["message"], "the workspace's policy gave no usable answer", "nobody is told why");
    }
}
