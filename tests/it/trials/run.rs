//! What comes of tests that are tried on a module: in the real sandbox, on a real gate.

use std::{
    fs,
    path::Path,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bailiwick::{trials::Runner, wiring};
use directory::{
    access::Object,
    contract::{Digest, Engine, Module},
    register::Kind,
    trials::{Candidate, Difference, Outcome, Report, Trials as _},
};
use sha2::{Digest as _, Sha256};

use super::files::WORLD;
use crate::{
    docs::blocks,
    hostile::{
        guest::{Guest, Part},
        sandbox,
    },
};

/// Under the embedded policy, without settings.
fn standard() -> Candidate {
    Candidate { module: None, settings: String::new(), standard: wiring::standard(), standard_settings: String::new() }
}

fn of_module(bytes: impl Into<Arc<[u8]>>) -> Candidate {
    let bytes = bytes.into();
    let module = Module { digest: Digest(Sha256::digest(&bytes).into()), bytes };
    Candidate { module: Some(module), ..standard() }
}

/// One sandbox for all of these tests.
async fn run(text: &str, candidate: &Candidate) -> Report {
    static SANDBOX: LazyLock<Arc<dyn Engine>> = LazyLock::new(|| Arc::new(sandbox()));
    // With turns of its own, so that none of them waits for another.
    Runner::new(SANDBOX.clone()).run(text, candidate).await.unwrap()
}

/// Everything is met.
async fn passes(text: &str, candidate: &Candidate) -> usize {
    let report = run(text, candidate).await;
    assert!(report.is_passed(), "{text}\n{report:#?}");
    report.passed
}

/// Nothing but this is different.
async fn differs(text: &str, candidate: &Candidate) -> Difference {
    let report = run(text, candidate).await;
    assert_eq!((report.failed, &report.unfinished, report.is_passed()), (1, &None, false), "{text}\n{report:#?}");
    let [difference] = report.differences.as_slice() else { panic!("{report:#?}") };
    difference.clone()
}

/// A cell of `user.read`, with what an entry says of it.
fn cell(subject: &str, resource: &str, entry: &str) -> String {
    format!("{WORLD}[[expect]]\nsubjects = '{subject}'\nactions = 'user.read'\nresources = '{resource}'\n{entry}\n")
}

#[tokio::test]
async fn a_cell_is_allowed_or_denied_with_fields_and_a_reason() {
    let peers = ["attributes.*", "email", "externalId", "phone"].map(str::to_owned).to_vec();
    let world = WORLD.replace("cyd = {", "dee = { groups = 'field' }\ncyd = {").replace(", 'helpdesk']", "]");
    let of = |text: &str| text.replace(WORLD, &world);
    for entry in [
        "allow = ['dee user:dee']",
        "allow = ['dee user.read user:dee']",
        "allow = [{}]",
        "allow = [{ hides = [], reason = 'this is you' }]",
    ] {
        passes(&of(&cell("dee", "user:dee", entry)), &standard()).await;
    }
    let seen = cell("bob", "user:dee", "allow = [{ hides = [], reason = 'a role of yours covers its groups' }]");
    passes(&of(&seen), &standard()).await;
    passes(&of(&cell("dee", "user:cyd", "")), &standard()).await;
    passes(&of(&cell("dee", "user:cyd", "deny = ['dee user:cyd']")), &standard()).await;

    let found = differs(&of(&cell("dee", "user:dee", "")), &standard()).await;
    assert_eq!((found.expected, found.found_reason.as_str()), (Outcome::Denied, "this is you"));
    assert_eq!(found.found, Outcome::Allowed { hidden: Some(Vec::new()) });
    let found = differs(&of(&cell("dee", "user:cyd", "allow = [{}]")), &standard()).await;
    assert_eq!((found.expected, found.found), (Outcome::Allowed { hidden: None }, Outcome::Denied));
    assert_eq!((found.subject.as_str(), found.action.as_str(), found.resource.as_str()), ("dee", "user.read", "user:cyd"));
    let found = differs(&of(&cell("dee", "user:dee", "allow = [{ reason = 'it is me' }]")), &standard()).await;
    assert_eq!((found.expected_reason.as_deref(), found.found_reason.as_str()), (Some("it is me"), "this is you"));
    let found = differs(&of(&cell("dee", "user:cyd", "deny = [{ reason = 'for no reason' }]")), &standard()).await;
    assert_eq!((&found.expected, &found.found), (&Outcome::Denied, &Outcome::Denied));

    // What is hidden is said exactly: neither less nor more, by either of two words.
    let under = Candidate { standard_settings: r#"{"members_see": "workspace"}"#.to_owned(), ..standard() };
    let all = Kind::User.fields();
    let shown = |hidden: &[&str]| {
        all.iter().copied().filter(|field| !hidden.contains(field)).map(|field| format!("'{field}'")).collect::<Vec<_>>().join(", ")
    };
    for entry in [
        "allow = [{ hides = ['email', 'phone', 'externalId', 'attributes.*'] }]".to_owned(),
        format!("allow = [{{ shows = [{}] }}]", shown(&["email", "phone", "externalId", "attributes.*"])),
    ] {
        passes(&of(&cell("dee", "user:ada", &entry)), &under).await;
    }
    for entry in [
        "allow = [{ hides = [] }]".to_owned(),
        "allow = [{ hides = ['email', 'phone', 'externalId'] }]".to_owned(),
        "allow = [{ hides = ['email', 'phone', 'externalId', 'attributes.*', 'title'] }]".to_owned(),
        format!("allow = [{{ shows = [{}] }}]", shown(&["email"])),
    ] {
        let found = differs(&of(&cell("dee", "user:ada", &entry)), &under).await;
        assert_eq!(found.found, Outcome::Allowed { hidden: Some(peers.clone()) }, "{entry}");
    }
}

#[tokio::test]
async fn lists_show_exactly_these() {
    let list = |shows: &str| format!("{WORLD}[lists]\n{shows}\n");
    for shows in [
        "ada = { user = '*', group = '*', role = '*', membership = '*', grant = '*' }",
        "bob = { user = ['cyd', 'bob', 'ada'], group = '*', role = [], membership = ['bob/sales', 'cyd/field'], grant = [] }",
        "ada.grant = ['ada/administrator', 'bob/helpdesk', 'bob/helpdesk@sales']",
    ] {
        passes(&list(shows), &standard()).await;
    }
    let found = differs(&list("ada.user = ['ada', 'bob']"), &standard()).await;
    let names = |names: &[&str]| Outcome::Shows(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!((found.expected, found.found), (names(&["ada", "bob"]), names(&["ada", "bob", "cyd"])));
    let found = differs(&list("ada.membership = []"), &standard()).await;
    assert_eq!(found.found, names(&["bob/sales", "cyd/field"]));
}

#[tokio::test]
async fn an_edge_is_read_where_both_its_ends_are() {
    let world = "
groups = ['a', 'b']
[roles]
reader = []
[people]
ann = { groups = 'a', roles = 'reader' }
ben = { groups = ['a', 'b'] }
";
    let matrix = |allow: &str| {
        let asked = "actions = 'membership.read'\nresources = 'membership:*'";
        format!(
            "{world}[[expect]]\nsubjects = 'ann'\n{asked}\nallow = [{allow}]\ndeny = [{{ resources = 'membership:ben/b', reason = 'an end of it is hidden' }}]\n"
        )
    };
    // `standard` allows every edge, and leaves it to the gate to hide those whose ends are.
    passes(&matrix("'ann membership:ann/a', 'ann membership:ben/a'"), &standard()).await;
    passes(&format!("{world}[lists]\nann.membership = ['ann/a', 'ben/a']"), &standard()).await;
}

#[tokio::test]
async fn settings_of_the_file_come_before_those_of_the_candidate() {
    let peers = |settings: &str| format!("{settings}\npeople = {{ ada = {{}}, bob = {{}} }}\nlists.ada.user = ['ada', 'bob']\n");
    let narrow = Candidate { standard_settings: r#"{"members_see": "self"}"#.to_owned(), ..standard() };
    let wide = Candidate { standard_settings: r#"{"members_see": "workspace"}"#.to_owned(), ..standard() };
    passes(&peers(""), &wide).await;
    differs(&peers(""), &narrow).await;
    passes(&peers("standard-settings = { members_see = 'workspace' }"), &narrow).await;
    passes(&peers("standard-settings = '{\"members_see\": \"workspace\"}'"), &narrow).await;

    let project = |settings: &str, hides: &str| {
        format!(
            "{settings}\n[people]\nada.attributes.project = 'x'\nbob.attributes.project = 'x'\n[[expect]]\nsubjects = 'ada'\n\
             actions = 'user.read'\nresources = 'user:bob'\nallow = [{{ hides = [{hides}] }}]\n"
        )
    };
    let need_to_know = of_module(wiring::need_to_know().bytes);
    passes(&project("", "'email', 'phone'"), &need_to_know).await;
    passes(&project("settings.contact_fields = ['title']", "'title'"), &need_to_know).await;
    let other = Candidate { settings: r#"{"contact_fields": ["title"]}"#.to_owned(), ..need_to_know };
    passes(&project("", "'title'"), &other).await;
    for (settings, candidate, why) in [
        ("settings.contact_fields = ['nothing']", &other, "the policy refuses the `settings`"),
        ("standard-settings.x = 1", &other, "the policy refuses the `standard-settings`"),
        ("settings.x = 1", &standard(), "`standard` decides alone"),
    ] {
        let report = run(&project(settings, ""), candidate).await;
        let unfinished = report.unfinished.clone().unwrap_or_default();
        assert!(unfinished.contains(why) && !report.is_passed() && report.passed == 0, "{report:#?}");
    }
}

#[tokio::test]
async fn the_clock_stands_where_the_file_says() {
    // A guest that fails at 2031-02-03T03:05:06Z, and at no other instant.
    let guest = Guest::new();
    let at = "(i64.eq (i64.load offset=8 (local.get $arguments)) (i64.const 1927854306000))";
    let body = format!("(if (result i32) {at} (then unreachable) (else {}))", guest.check);
    let candidate = Candidate { settings: "armed".to_owned(), ..of_module(guest.armed(Part::Check, &body).component()) };
    let text = |now: &str| {
        format!("{now}\npeople.ada = {{}}\n[[expect]]\nsubjects = 'ada'\nactions = 'user.read'\nresources = 'user:ada'\nallow = ['* *']\n")
    };
    passes(&text(""), &candidate).await;
    passes(&text("now = 2031-02-03T04:05:06Z"), &candidate).await;
    let found = differs(&text("now = 2031-02-03T04:05:06+01:00"), &candidate).await;
    assert!(matches!(found.found, Outcome::NoAnswer(_)), "{found:?}");
}

/// A failure is no denial: tests that expect nothing but denials are not met by a policy that traps.
#[tokio::test]
async fn a_policy_that_fails_meets_no_expectation() {
    let text = "people = { ada.roles = 'administrator', bob = {} }\n[[expect]]\nsubjects = ['ada', 'bob']\nactions = ['user.read', 'policy.read']\nresources = ['user:*', 'workspace']\n";
    let armed = of_module(
        Guest::new().armed(Part::Check, "unreachable").describing(|manifest| manifest.decides = vec!["*".to_owned()]).component(),
    );
    let report = run(text, &Candidate { settings: "armed".to_owned(), ..armed.clone() }).await;
    assert_eq!((report.passed, report.failed, &report.unfinished), (0, 8, &None), "{report:#?}");
    let no_answer = |found: &Outcome| matches!(found, Outcome::NoAnswer(why) if why.contains("trapped"));
    assert!(report.differences.iter().all(|difference| no_answer(&difference.found)), "also of administrators' `policy.*`: {report:#?}");

    // Disarmed, it allows everything, which is what is found then.
    let report = run(text, &armed).await;
    assert!(report.differences.iter().all(|difference| matches!(difference.found, Outcome::Allowed { .. })), "{report:#?}");
    let scope = of_module(Guest::new().armed(Part::Scope, "unreachable").component());
    // What everybody's list shows is expected of everybody's.
    let everybody = "people = { ada = {}, bob = {} }\n[lists]\n'*' = { user = 'ada' }\n";
    let report = run(everybody, &standard()).await;
    assert_eq!((report.passed, report.failed, &report.unfinished), (1, 1, &None), "{report:#?}");
    let report = run("people.ada = { status = 'suspended' }\nlists.'*'.user = 'ada'\n", &standard()).await;
    assert!(report.unfinished.as_deref().is_some_and(|why| why.contains("nobody in the file is active")), "{report:#?}");
    let listed = "people.ada = {}\nlists.ada.user = []\n";
    let report = run(listed, &Candidate { settings: "armed".to_owned(), ..scope }).await;
    assert!(report.failed == 1 && no_answer(&report.differences[0].found), "{report:#?}");
}

#[tokio::test]
async fn what_can_not_be_tried_is_not_passed() {
    let text = "people.ada = {}\nlists.ada.user = 'ada'\n";
    for (text, candidate, why) in
        [(text, of_module(*b"no module"), "was rejected"), ("people = 1", standard(), "the tests can not be used: line 1")]
    {
        let report = run(text, &candidate).await;
        assert!(report.unfinished.as_ref().is_some_and(|found| found.contains(why)) && !report.is_passed(), "{report:#?}");
    }
}

#[tokio::test]
async fn a_trial_has_its_time() {
    let text = "people.ada = {}\nlists.ada.user = 'ada'\n";
    let report = Runner::new(Arc::new(sandbox())).with_time(Duration::ZERO).run(text, &standard()).await.unwrap();
    assert!(report.unfinished.as_ref().is_some_and(|why| why.contains("took longer than 0 s")) && !report.is_passed(), "{report:#?}");
}

#[tokio::test]
async fn differences_are_counted_past_those_that_are_named() {
    let people: String = (0..20).map(|at| format!("p{at} = {{}}\n")).collect();
    let text = format!("[people]\n{people}[[expect]]\nsubjects = '*'\nactions = 'user.read'\nresources = 'user:*'\nallow = ['* *']\n");
    let report = run(&text, &standard()).await;
    assert_eq!((report.passed, report.failed, report.differences.len()), (20, 380, 100));
}

/// What a file may ask is what the gate answers: were there a pair too many, the trial could not be finished.
#[tokio::test]
async fn every_action_is_asked_of_everything_that_it_can_be_asked_of() {
    let resources = "['user:*', 'group:*', 'role:*', 'membership:*', 'grant:*', 'workspace']";
    let text = format!("{WORLD}[[expect]]\nsubjects = 'ada'\nactions = '*'\nresources = {resources}\n");
    let report = run(&text, &standard()).await;
    assert_eq!(report.unfinished, None, "{report:#?}");
    let actions = |of: Kind| Kind::ALL.into_iter().filter(|kind| Object::answers(of, *kind)).map(|kind| kind.verbs().len()).sum::<usize>();
    let rows = [(Kind::User, 3), (Kind::Group, 3), (Kind::Role, 3), (Kind::Membership, 2), (Kind::Grant, 3), (Kind::Workspace, 1)];
    assert_eq!(report.passed + report.failed, rows.map(|(kind, rows)| actions(kind) * rows).iter().sum::<usize>());
}

/// The samples beside the modules, and the page's own example.
#[tokio::test]
async fn samples_are_met() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let read = |path: &str| fs::read(root.join(path)).unwrap();
    let text = |path: &str| String::from_utf8(read(path)).unwrap();
    passes(&text("policy-wasm/policy-tests/need-to-know.toml"), &of_module(read("policy-wasm/dist/need-to-know.wasm"))).await;
    passes(&text("policy-wasm/policy-tests/house-rules.toml"), &of_module(read("policy-wasm/dist/house-rules.wasm"))).await;
    let page = text("docs/policy-tests.md");
    let examples = blocks(&page, "toml");
    assert!(!examples.is_empty());
    for example in examples {
        passes(example, &standard()).await;
    }
}
