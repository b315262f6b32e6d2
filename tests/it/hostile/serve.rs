//! What a sandbox does for guests that behave, and between sessions.

use directory::{
    contract::{Cost, Engine, Fact, Failure, Verdict},
    limits::CHECK_ROWS,
};
use policy::{Sandbox, SandboxConfig};

use super::{
    facts::{ask, check, context, load, rows, sandbox, scope, session},
    guest::{Guest, Part, manifest},
};

#[tokio::test]
async fn a_guest_that_behaves_is_let_in_and_answers() {
    let sandbox = sandbox();
    let component = Guest::new().component();
    let validation = sandbox.validate(&component, "").await;
    assert_eq!(validation.reasons, Vec::<String>::new());
    assert_eq!(validation.manifest, Some(manifest()));
    assert_eq!(validation.fuel_per_row.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["user", "group"]);
    assert_eq!(sandbox.loaded(validation.digest).as_deref(), Some(&manifest()), "what was validated is loaded");

    let mut session = session(&sandbox, validation.digest).unwrap();
    assert_eq!(session.cost(), Cost::default(), "nothing runs before the first call");
    assert_eq!(scope(&mut *session).await.unwrap().any_of, [vec![]]);
    let verdicts = check(&mut *session, 3).await.unwrap();
    assert_eq!((verdicts.table.len(), verdicts.rows), (1, vec![0; 3]));
    assert_eq!(session.cost().calls, 2);
}

#[tokio::test]
async fn a_core_module_of_wit_bindgen_becomes_a_component() {
    let sandbox = sandbox();
    let validation = sandbox.validate(&Guest::new().module(), "").await;
    assert_eq!(validation.reasons, Vec::<String>::new());
    ask(&sandbox, validation.digest, Part::Check, 1).await.unwrap();
}

#[tokio::test]
async fn the_same_call_costs_the_same_fuel() {
    let sandbox = sandbox();
    let digest = load(&sandbox, Guest::new().component()).await.unwrap();
    let mut costs = Vec::new();
    for _ in 0..2 {
        let mut session = session(&sandbox, digest).unwrap();
        check(&mut *session, 100).await.unwrap();
        costs.push(session.cost());
    }
    assert_eq!(costs[0], costs[1]);
    assert!(costs[0].fuel > 0);
}

#[tokio::test]
async fn every_session_starts_from_nothing() {
    // Leaves a mark in a global, in a table, in fresh memory and over its own data, and traps where it finds one.
    let marks = [
        ("(global.get $mark)", "(global.set $mark (i32.const 1))"),
        ("(i32.eqz (ref.is_null (table.get $marks (i32.const 9))))", "(table.set $marks (i32.const 9) (ref.func $mark))"),
        ("(i32.load (i32.const 100000))", "(i32.store (i32.const 100000) (i32.const 1))"),
        ("(i32.eqz (i32.load (i32.const 1024)))", "(i32.store (i32.const 1024) (i32.const 0))"),
        ("(i32.gt_u (memory.size) (i32.const 2))", "(drop (memory.grow (i32.const 1)))"),
    ];
    let further = "(global $mark (mut i32) (i32.const 0)) (table $marks 10 funcref) (func $mark) (elem declare func $mark)";
    let sandbox = sandbox();
    for (find, leave) in marks {
        let mut guest = Guest::new().and(further);
        guest.check = format!("(if {find} (then (unreachable))) {leave} {}", guest.check);
        let digest = load(&sandbox, guest.component()).await.unwrap();
        for _ in 0..10 {
            ask(&sandbox, digest, Part::Check, 1).await.unwrap();
        }
        let mut session = session(&sandbox, digest).unwrap();
        check(&mut *session, 1).await.unwrap();
        assert!(matches!(check(&mut *session, 1).await, Err(Failure::Trap(_))), "one session is one guest: {find}");
    }
}

#[tokio::test]
async fn standard_is_served_after_every_kind_of_failure() {
    let sandbox = sandbox();
    for body in [
        "(unreachable)",
        "(loop $forever (br $forever)) (unreachable)",
        "(i32.const 17)",
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)",
    ] {
        let digest = load(&sandbox, Guest::new().with(Part::Check, body).component()).await.unwrap();
        ask(&sandbox, digest, Part::Check, 1).await.unwrap_err();
    }
    let standard = include_bytes!("../../../policy-wasm/dist/standard.wasm");
    let validation = sandbox.validate(standard, "").await;
    assert_eq!(validation.reasons, Vec::<String>::new());
    let mut session = session(&sandbox, validation.digest).unwrap();
    let context = || context("");
    session.scope(context(), "user").await.unwrap();
    assert_eq!(session.check(context(), rows(50), None).await.unwrap().rows.len(), 50);
}

#[tokio::test]
async fn a_failed_session_stays_failed() {
    let sandbox = sandbox();
    let digest = load(&sandbox, Guest::new().armed(Part::Check, "(unreachable)").component()).await.unwrap();
    let mut session = session(&sandbox, digest).unwrap();
    let failure = check(&mut *session, 1).await.unwrap_err();
    assert_eq!(scope(&mut *session).await.unwrap_err(), failure, "though `scope` would have answered");
    assert_eq!(session.cost().calls, 1);
}

#[tokio::test]
async fn a_page_has_at_most_its_rows() {
    let sandbox = sandbox();
    let digest = load(&sandbox, Guest::new().component()).await.unwrap();
    ask(&sandbox, digest, Part::Check, CHECK_ROWS as u32).await.unwrap();
    let failure = ask(&sandbox, digest, Part::Check, CHECK_ROWS as u32 + 1).await.unwrap_err();
    let expected = format!("{} rows were put to it at once; at most {CHECK_ROWS} are allowed", CHECK_ROWS + 1);
    assert_eq!(failure, Failure::Malformed(expected));
}

#[tokio::test]
async fn an_answer_may_be_as_large_as_its_limits_together() {
    let reason = "r".repeat(policy::limits::TEXT_BYTES);
    let note = Fact { name: "n".into(), value: "v".repeat(512) };
    let table = vec![Verdict { reason, notes: vec![note; 2], ..Verdict::default() }; 40];
    let mut guest = Guest::new();
    let body = guest.table(&table);
    guest.memory = "(memory (export \"memory\") 8)".into();
    let sandbox = sandbox();
    let digest = load(&sandbox, guest.with(Part::Check, &body).component()).await.unwrap();
    ask(&sandbox, digest, Part::Check, CHECK_ROWS as u32).await.unwrap();
}

#[tokio::test]
async fn who_waits_too_long_for_a_place_is_told_so() {
    let sandbox = Sandbox::new(&SandboxConfig { instances: 1, wait_ms: 20, ..SandboxConfig::default() }).unwrap();
    let digest = load(&sandbox, Guest::new().component()).await.unwrap();
    let mut first = session(&sandbox, digest).unwrap();
    check(&mut *first, 1).await.unwrap();
    assert_eq!(ask(&sandbox, digest, Part::Check, 1).await, Err(Failure::Busy(20)));
    drop(first);
    // The place comes back from another thread, within the next waiting time or the one after.
    let mut outcome = Err(Failure::Busy(20));
    for _ in 0..100 {
        outcome = ask(&sandbox, digest, Part::Check, 1).await;
        if outcome.is_ok() {
            break;
        }
    }
    assert_eq!(outcome, Ok(()));
}

#[tokio::test]
async fn the_pool_is_never_empty_for_whoever_has_a_place() {
    let sandbox = sandbox();
    let digest = load(&sandbox, Guest::new().component()).await.unwrap();
    let calls = (0..64).map(|_| ask(&sandbox, digest, Part::Check, 10));
    for outcome in join_all(calls).await {
        outcome.unwrap();
    }
}

#[tokio::test]
async fn settings_are_put_to_the_module_that_is_loaded() {
    let mut guest = Guest::new();
    let refuse = guest.image.settings(Some(&["`members_see` is unknown".into(), "too long".into()]));
    guest.validate_settings = format!("(select (i32.const {refuse}) {} (local.get $len))", guest.validate_settings);
    let sandbox = sandbox();
    let digest = load(&sandbox, guest.component()).await.unwrap();
    assert_eq!(sandbox.validate_settings(None, digest, "").await, Ok(Vec::new()));
    let errors = sandbox.validate_settings(None, digest, "{}").await.unwrap();
    assert_eq!(errors, ["`members_see` is unknown", "too long"]);
    let reasons = sandbox.validate(&guest.component(), "{}").await.reasons;
    assert_eq!(reasons, ["the policy refuses its settings: `members_see` is unknown", "the policy refuses its settings: too long"]);
}

/// Polls all of them at once on this task.
async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pending = futures.map(|future| (Box::pin(future), None)).collect::<Vec<_>>();
    std::future::poll_fn(|cx| {
        for (future, outcome) in &mut pending {
            if outcome.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(cx)
            {
                *outcome = Some(ready);
            }
        }
        if pending.iter().all(|(_, outcome)| outcome.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    pending.into_iter().filter_map(|(_, outcome)| outcome).collect()
}
