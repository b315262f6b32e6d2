//! Active modules that answer wrongly: through the whole server, on both databases. Whatever they say, nobody sees a row that `check` did
//! not allow, lists go on, and counts are of what can be seen or there is none.

use bailiwick::ids::Ids;
use directory::{
    access::{Ask, Directory},
    contract::{Fact, RowFilter, Verdict, Verdicts},
    query::{Order, Window},
    store::AmongUsers,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};
use tests::{TestHost, dice::Dice, generate, host::NOW, model::World, naive::policy::Asker, on_each_database};

use super::{
    guest::{
        Guest,
        Part::{self, Check, Scope},
        filter_of, rows_len, term,
    },
    table::{Row, named},
};

const USERS: &str = "{ users(first: 100) { nodes { id userName displayName email } totalCount pageInfo { hasNextPage } } }";

/// A workspace whose administrator asks, and the person that is asked about alone.
struct Scene<'a> {
    host: &'a TestHost,
    world: World,
    token: String,
    guests: usize,
}

impl<'a> Scene<'a> {
    async fn set(host: &'a TestHost, key: &str) -> Self {
        let mut world = generate::world(&mut Dice::seeded(7), key.to_owned(), 3);
        host.import_world(&mut world, "").await;
        let token = host.token(&world, &Asker::person(0)).await;
        Self { host, world, token, guests: 0 }
    }

    /// Lets a guest decide that lies in `part`. It behaves at the upload, and lies once its settings are not empty.
    async fn activate(&mut self, part: Part, body: impl FnOnce(&mut Guest) -> String) {
        // A module is known by its bytes: each differs from the others by its name.
        self.guests += 1;
        let name = format!("liar-{}", self.guests);
        let mut guest = Guest::new().describing(|manifest| manifest.name.clone_from(&name));
        guest.memory = "(memory (export \"memory\") 8)".into();
        let body = body(&mut guest);
        let workspace = self.world.id.parse().unwrap();
        let mut ids = Ids::seeded(&format!("{}:{name}", self.world.key), NOW);
        let gate = self.host.gate();
        let bytes = guest.armed(part, &body).component().into();
        let module = gate.install_policy(&self.host.operator, workspace, bytes, NOW, &mut ids).await.unwrap();
        self.host.force(workspace, Some(module), "armed".to_owned()).await;
    }

    async fn ask(&self, query: &str) -> Json {
        self.host.graphql(&self.token, query, Json::Null).await
    }

    async fn directory(&self) -> Directory {
        self.host.directory(&self.world, &Asker::person(0)).await
    }

    /// How many rows of a list of all users were withheld as defects.
    async fn defects(&self) -> u64 {
        let directory = self.directory().await;
        directory.list_users(everybody()).await.unwrap();
        directory.cost().await.defects
    }

    /// The list fails, the caller is told one code and nothing else, and the words of the table are the administrator's.
    async fn fails(&mut self, guest: Row, part: Part, body: impl FnOnce(&mut Guest) -> String) {
        self.activate(part, body).await;
        let answer = self.ask(USERS).await;
        assert_eq!(answer["data"]["users"], Json::Null, "{guest:?}: {answer}");
        let errors = answer["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{answer}");
        assert_eq!(errors[0]["extensions"]["code"], "POLICY_UNAVAILABLE");
        assert_eq!(errors[0]["message"], "the workspace's policy gave no usable answer");
        let failure = self.directory().await.list_users(everybody()).await.unwrap_err();
        let cause = std::error::Error::source(&failure).unwrap().to_string();
        guest.stops(&cause);
    }

    fn people(&self) -> u64 {
        self.world.people.len() as u64
    }
}

fn everybody() -> directory::access::UserAsk {
    Ask { among: AmongUsers::All, filter: None, order: Order::default(), window: Window { rows: 100, ..Window::default() } }
}

fn nodes(answer: &Json) -> &[Json] {
    answer["data"]["users"]["nodes"].as_array().unwrap()
}

/// What the metrics and the log know of rows that a defect withheld.
fn withheld(defects: u64, of: u64) -> String {
    format!("{defects} of {of} rows withheld and counted as defects")
}

#[test]
fn a_scope_that_is_wider_than_check_shows_nothing_and_counts_nothing() {
    on_each_database(async |host: &TestHost| {
        let mut scene = Scene::set(host, "wider").await;
        scene.activate(Check, |guest| guest.table(&[Verdict { reason: "nobody".into(), ..Verdict::default() }])).await;
        let answer = scene.ask(USERS).await;
        assert_eq!(nodes(&answer), [] as [Json; 0], "{answer}");
        assert_eq!(answer["data"]["users"]["pageInfo"]["hasNextPage"], false);
        assert_eq!(answer["data"]["users"]["totalCount"], Json::Null, "nobody can be seen, whatever the scope counts");
        assert_eq!(answer["errors"].as_array().unwrap().len(), 1, "{answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "COUNT_UNAVAILABLE");
        let one = format!("{{ node(id: \"{}\") {{ id }} }}", scene.world.people[1].id);
        assert_eq!(scene.ask(&one).await["data"], json!({ "node": null }));
        named("admits-everybody-and-allows-nobody").stops(&withheld(scene.defects().await, scene.people()));
    });
}

#[test]
fn a_row_that_check_denies_is_left_out_and_the_others_are_there() {
    on_each_database(async |host: &TestHost| {
        let mut scene = Scene::set(host, "one-less").await;
        // The first row of each call has the second verdict.
        let body = |guest: &mut Guest| {
            let [table, _] = guest.image.table(&[Verdict { allow: true, ..Verdict::default() }, Verdict::default()]);
            format!(
                "(drop (call $answer (i32.const {table}) (i32.const 2) {}))
                 (i32.store (i32.load (i32.const 24)) (i32.const 1)) (i32.const 16)",
                rows_len()
            )
        };
        scene.activate(Check, body).await;
        let answer = scene.ask(USERS).await;
        assert_eq!(nodes(&answer).len() as u64, scene.people() - 1, "{answer}");
        assert_eq!(answer["data"]["users"]["totalCount"], Json::Null);
        named("denies-the-first-row-of-a-page").stops(&withheld(scene.defects().await, scene.people()));
    });
}

#[test]
fn a_scope_that_is_narrower_than_check_lists_no_more_than_it_says() {
    on_each_database(async |host: &TestHost| {
        let mut scene = Scene::set(host, "narrower").await;
        scene.activate(Scope, |guest| guest.filter(&filter_of(term("self", &[])))).await;
        let answer = scene.ask(USERS).await;
        assert_eq!(nodes(&answer).len(), 1, "{answer}");
        assert_eq!((&answer["data"]["users"]["totalCount"], answer.get("errors")), (&json!(1), None));
        named("admits-one-and-allows-everybody").stops(&withheld(scene.defects().await, scene.people()));
        scene.activate(Scope, |guest| guest.filter(&RowFilter::default())).await;
        let answer = scene.ask(USERS).await;
        assert_eq!((nodes(&answer).len(), &answer["data"]["users"]["totalCount"], answer.get("errors")), (0, &json!(0), None));
    });
}

#[test]
fn answers_that_break_a_rule_fail_the_list_and_nothing_else() {
    on_each_database(async |host: &TestHost| {
        let mut scene = Scene::set(host, "rules").await;
        let outside = |guest: &mut Guest| {
            let [table, _] = guest.image.table(&[Verdict { allow: true, ..Verdict::default() }]);
            format!(
                "(drop (call $answer (i32.const {table}) (i32.const 1) {}))
                 (i32.store (i32.load (i32.const 24)) (i32.const 9)) (i32.const 16)",
                rows_len()
            )
        };
        scene.fails(named("points-outside-its-verdicts-when-active"), Check, outside).await;
        let allow = || Verdict { allow: true, ..Verdict::default() };
        let none = |guest: &mut Guest| guest.verdicts(&Verdicts { table: vec![allow()], rows: Vec::new() });
        scene.fails(named("answers-no-row-when-active"), Check, none).await;
        let twice = |guest: &mut Guest| {
            let [table, _] = guest.image.table(&[allow()]);
            format!("(call $answer (i32.const {table}) (i32.const 1) (i32.shl {} (i32.const 1)))", rows_len())
        };
        scene.fails(named("answers-each-row-twice-when-active"), Check, twice).await;
        let million = |guest: &mut Guest| {
            let [table, _] = guest.image.table(&[allow()]);
            format!("(drop (memory.grow (i32.const 480))) (call $answer (i32.const {table}) (i32.const 1000000) {})", rows_len())
        };
        scene.fails(named("has-a-million-verdicts-when-active"), Check, million).await;
        let unknown = |guest: &mut Guest| guest.filter(&filter_of(term("is-nice", &[])));
        scene.fails(named("tests-what-there-is-not-when-active"), Scope, unknown).await;
        let nowhere = |guest: &mut Guest| guest.filter(&filter_of(term("in-group", &[u32::MAX])));
        scene.fails(named("tests-the-last-group-when-active"), Scope, nowhere).await;
        let empty = |guest: &mut Guest| guest.filter(&filter_of(term("attribute", &[])));
        scene.fails(named("tests-an-attribute-without-a-name-when-active"), Scope, empty).await;
        let searchable = |guest: &mut Guest| {
            let filter = RowFilter { any_of: vec![Vec::new()], exact: true, searchable: vec!["salary".into()], ..RowFilter::default() };
            guest.filter(&filter)
        };
        scene.fails(named("searches-what-there-is-not-when-active"), Scope, searchable).await;
        scene.fails(named("loops-when-active"), Check, |_| "(loop $forever (br $forever)) (unreachable)".to_owned()).await;
        scene.fails(named("traps-when-active"), Scope, |_| "(unreachable)".to_owned()).await;
        // Who asks is known without the policy, and the administrator's own way out is not the policy's to close.
        let viewer = scene.ask("{ viewer { id status } }").await;
        assert_eq!((viewer.get("errors"), &viewer["data"]["viewer"]["status"]), (None, &json!("ACTIVE")));
    });
}

#[test]
fn what_is_withheld_is_not_there_whatever_its_name() {
    on_each_database(async |host: &TestHost| {
        let mut scene = Scene::set(host, "fields").await;
        let withhold = |name: &str| {
            let verdict = Verdict { allow: true, withheld: vec![name.to_owned()], ..Verdict::default() };
            move |guest: &mut Guest| guest.table(&[verdict])
        };
        scene.activate(Check, withhold("salary")).await;
        let answer = scene.ask(USERS).await;
        assert_eq!((nodes(&answer).len(), &answer["data"]["users"]["totalCount"]), (0, &Json::Null), "{answer}");
        let defects = scene.defects().await;
        // Each row counts twice: as an unknown name, and as one that the scope admits and nobody sees.
        assert!(defects > scene.people());
        named("withholds-what-there-is-not-when-active").stops(&withheld(defects - 1, scene.people()));
        // An attribute may have been deleted.
        scene.activate(Check, withhold("attributes.gone")).await;
        assert_eq!(nodes(&scene.ask(USERS).await).len() as u64, scene.people());
        scene.activate(Check, withhold("user.email")).await;
        let answer = scene.ask(USERS).await;
        assert_eq!(nodes(&answer).len() as u64, scene.people());
        for node in nodes(&answer) {
            // The manifest does not name `userName`.
            assert_eq!((&node["email"], &node["userName"]), (&Json::Null, &Json::Null), "{node}");
        }
        assert!(nodes(&answer).iter().any(|node| node["displayName"].is_string()), "{answer}");
    });
}

#[test]
fn only_fields_that_the_manifest_names_are_searched() {
    on_each_database(async |host: &TestHost| {
        let mut scene = Scene::set(host, "searches").await;
        let filter = RowFilter {
            any_of: vec![Vec::new()],
            exact: true,
            searchable: vec!["*".into(), "userName".into(), "user.phone".into()],
            ..RowFilter::default()
        };
        scene.activate(Scope, |guest| guest.filter(&filter)).await;
        let by = async |field: &str| {
            scene.ask(&format!("{{ users(filter: {{ {field}: {{ startsWith: \"a\" }} }}) {{ nodes {{ id }} }} }}")).await
        };
        for field in ["displayName", "email"] {
            assert_eq!(by(field).await.get("errors"), None, "{field}");
        }
        let refused = by("userName").await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FIELD_NOT_SEARCHABLE", "{refused}");
        named("searches-fields-that-it-does-not-know").stops(refused["errors"][0]["message"].as_str().unwrap());
        assert_eq!(by("phone").await["errors"][0]["extensions"]["code"], "FIELD_NOT_SEARCHABLE");
    });
}

#[test]
fn words_of_a_policy_are_shown_as_they_can_be_read() {
    on_each_database(async |host: &TestHost| {
        let mut scene = Scene::set(host, "words").await;
        let reason = "you \u{1b}[31mmay\u{1b}[0m\r\nlog: \u{202e}deined";
        let notes = vec![Fact { name: "a\nnote".into(), value: "\u{2066}".into() }; policy::limits::NOTES];
        let verdict = Verdict { allow: true, reason: reason.into(), notes, ..Verdict::default() };
        scene.activate(Check, |guest| guest.table(&[verdict])).await;
        let answer = scene.ask("{ users(first: 1) { nodes { viewerCan(actions: [\"user.update\"]) { allowed reason } } } }").await;
        let decision = &nodes(&answer)[0]["viewerCan"][0];
        assert_eq!(decision["allowed"], true, "{answer}");
        named("writes-its-reasons-for-terminals").stops(decision["reason"].as_str().unwrap());
    });
}

/// Allows in the first check of a request and denies from the second on.
const FICKLE: &str = "(global $asked (mut i32) (i32.const 0))";

#[test]
fn a_change_of_mind_lasts_no_longer_than_a_request() {
    on_each_database(async |host: &TestHost| {
        let mut scene = Scene::set(host, "fickle").await;
        scene
            .activate(Check, |guest| {
                guest.further.push_str(FICKLE);
                let [allow, _] = guest.image.table(&[Verdict { allow: true, ..Verdict::default() }]);
                let [deny, _] = guest.image.table(&[Verdict { allow: false, ..Verdict::default() }]);
                format!(
                    "(call $answer (select (i32.const {deny}) (i32.const {allow}) (global.get $asked)) (i32.const 1) {}
                       (global.set $asked (i32.const 1)))",
                    rows_len()
                )
            })
            .await;
        let page = |at: &str| format!("{at}: users(first: 100) {{ nodes {{ id }} totalCount }}");
        let both = format!("{{ {} }}", page("one"));
        for _ in 0..5 {
            // Each request begins anew: its first list is complete.
            let answer = scene.ask(&both).await;
            assert_eq!(answer["data"]["one"]["nodes"].as_array().unwrap().len() as u64, scene.people(), "{answer}");
        }
        // Within a request the second list finds everything denied. Nobody sees more than the check that it is decided by allows.
        let directory = scene.directory().await;
        let first = directory.list_users(everybody()).await.unwrap();
        let second = directory.list_users(everybody()).await.unwrap();
        assert_eq!((first[0].rows.len() as u64, second[0].rows.len()), (scene.people(), 0));
        named("changes-its-mind-within-a-request").stops(&withheld(directory.cost().await.defects, scene.people()));
    });
}

#[test]
fn patterns_that_overlap_decide_once() {
    on_each_database(async |host: &TestHost| {
        let scene = Scene::set(host, "patterns").await;
        // Whatever the order and the number of patterns, an action has one judge, and what none of them covers has none.
        let guest = Guest::new().describing(|manifest| {
            manifest.name = "overlapping".to_owned();
            manifest.decides = ["user.*", "user.read", "user.*", "group.read", "user.read"].map(str::to_owned).to_vec();
        });
        let workspace = scene.world.id.parse().unwrap();
        let module = host.install(workspace, "overlapping", guest.component().into()).await;
        host.force(workspace, Some(module), String::new()).await;
        let answer = scene.ask("{ users(first: 100) { totalCount } roles { totalCount } }").await;
        assert_eq!((&answer["data"]["users"]["totalCount"], &answer["data"]["roles"]["totalCount"]), (&json!(scene.people()), &json!(0)));
        let cost = scene.directory().await;
        cost.list_users(everybody()).await.unwrap();
        assert_eq!(cost.cost().await.policy.calls, 2, "one scope and one check");
    });
}

#[test]
fn an_upload_that_lies_is_rejected_with_the_row_that_shows_it() {
    on_each_database(async |host: &TestHost| {
        let scene = Scene::set(host, "rejected").await;
        let upload = async |component: Vec<u8>| {
            let request = host.page(Method::PUT, "/v1/policies", &scene.token).header("content-type", "application/wasm").body(component);
            let response = request.send().await.unwrap();
            let status = response.status();
            let answer: Json = response.json().await.unwrap();
            assert_eq!((status, &answer["status"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("rejected")), "{answer}");
            let reasons = answer["reasons"].as_array().unwrap();
            reasons.iter().map(|reason| reason.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let allow = || Verdict { allow: true, reason: "because".into(), ..Verdict::default() };
        let lying = |part, lie: &dyn Fn(&mut Guest) -> String| {
            let mut guest = Guest::new().describing(|manifest| manifest.decides = vec!["user.read".to_owned()]);
            let body = lie(&mut guest);
            guest.with(part, &body).component()
        };
        let denies = lying(Check, &|guest| guest.table(&[Verdict { reason: "because".into(), ..Verdict::default() }]));
        named("is-uploaded-with-a-scope-wider-than-check").stops_alone(&upload(denies).await);
        let admits = lying(Scope, &|guest| guest.filter(&RowFilter { exact: true, ..filter_of(term("self", &[])) }));
        named("is-uploaded-with-a-scope-narrower-than-check").stops_alone(&upload(admits).await);
        let superset = lying(Scope, &|guest| guest.filter(&RowFilter { exact: false, ..filter_of(term("self", &[])) }));
        named("is-uploaded-with-a-superset-that-is-none").stops_alone(&upload(superset).await);
        let leaks = lying(Check, &|guest| guest.table(&[Verdict { withheld: vec!["email".into()], ..allow() }]));
        named("is-uploaded-with-a-withheld-field-that-is-searched").stops_alone(&upload(leaks).await);
    });
}
