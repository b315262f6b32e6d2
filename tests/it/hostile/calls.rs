//! Calls that come to no good answer: one row a misdeed, pinned at the upload and in a request.

use directory::{
    contract::{Engine, Failure, RowFilter, Verdict, Verdicts},
    limits::CHECK_ROWS,
};

use super::{
    facts::{MEMORY_BYTES, ask, load, sandbox, session},
    guest::{
        Guest,
        Part::{self, Check, Scope},
        filter_of, rows_len, term,
    },
};

/// What `body` makes of `part`: the upload is refused with `refusal`, and armed it fails a request about one row with `failure`.
async fn check(part: Part, further: &str, body: impl Fn(&mut Guest) -> String, refusal: &str, failure: Failure) {
    let sandbox = sandbox();
    let make = |armed: bool| {
        let mut guest = Guest::new().and(further);
        let body = body(&mut guest);
        if armed { guest.armed(part, &body) } else { guest.with(part, &body) }.component()
    };
    let reasons = sandbox.validate(&make(false), "").await.reasons;
    assert!(reasons.iter().any(|reason| reason.contains(refusal)), "{reasons:#?} lack {refusal:?}");

    let armed = make(true);
    assert_eq!(sandbox.validate(&armed, "").await.reasons, Vec::<String>::new(), "an armed guest gets past the upload");
    let digest = load(&sandbox, armed).await.unwrap();
    assert_eq!(ask(&sandbox, digest, part, 1).await, Err(failure));

    let behaving = load(&sandbox, Guest::new().component()).await.unwrap();
    assert_eq!(ask(&sandbox, behaving, part, 1).await, Ok(()), "the sandbox serves on");
}

const FOREVER: &str = "(loop $forever (br $forever)) (unreachable)";
const RECURSE: &str = "(func $recurse (param i32) (result i32) (i32.add (call $recurse (local.get 0)) (i32.const 1)))";
/// Fuel of a check of one row, and of a scope.
const CHECK_FUEL: u64 = 100_200_000;
const SCOPE_FUEL: u64 = 100_000_000;

fn trap(what: &str) -> Failure {
    Failure::Trap(what.into())
}

fn malformed(rule: &str) -> Failure {
    Failure::Malformed(rule.into())
}

#[tokio::test]
async fn endless_loops_run_out_of_fuel() {
    let body = |_: &mut Guest| FOREVER.to_owned();
    check(Check, "", body, "`check of user.read`: the policy used up its fuel", Failure::Fuel(CHECK_FUEL)).await;
    check(Scope, "", body, "`scope of user`: the policy used up its fuel", Failure::Fuel(SCOPE_FUEL)).await;
}

#[tokio::test]
async fn bulk_instructions_pay_for_their_bytes() {
    let fill = |_: &mut Guest| {
        "(loop $forever (memory.fill (i32.const 65536) (i32.const 0) (i32.const 65536)) (br $forever)) (unreachable)".into()
    };
    check(Check, "", fill, "used up its fuel", Failure::Fuel(CHECK_FUEL)).await;
    let grow = |_: &mut Guest| "(loop $forever (drop (memory.grow (i32.const 0))) (br $forever)) (unreachable)".into();
    check(Check, "", grow, "used up its fuel", Failure::Fuel(CHECK_FUEL)).await;
}

#[tokio::test]
async fn endless_recursion_ends_at_the_stack() {
    let body = |_: &mut Guest| "(call $recurse (i32.const 0))".to_owned();
    let failure = trap("call stack exhausted in `recurse`");
    check(Check, RECURSE, body, "call stack exhausted", failure.clone()).await;
    check(Scope, RECURSE, body, "call stack exhausted", failure).await;
}

#[tokio::test]
async fn memory_ends_at_its_limit() {
    // Takes page after page; traps at the limit, and loops for ever if it got more than that.
    let body = |_: &mut Guest| {
        format!(
            "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
             (if (i32.gt_u (memory.size) (i32.const {})) (then (loop $forever (br $forever))))
             (i32.div_u (i32.const 1) (i32.const 0))",
            MEMORY_BYTES >> 16
        )
    };
    check(Check, "", body, "integer divide by zero", trap("integer divide by zero")).await;
}

#[tokio::test]
async fn tables_end_at_their_limit() {
    let body = |_: &mut Guest| {
        format!(
            "(loop $more (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 1)) (i32.const -1))))
             (if (i32.gt_u (table.size $table) (i32.const {})) (then (loop $forever (br $forever))))
             (i32.div_u (i32.const 1) (i32.const 0))",
            policy::limits::TABLE_ELEMENTS
        )
    };
    check(Check, "(table $table 1 funcref)", body, "integer divide by zero", trap("integer divide by zero")).await;
}

#[tokio::test]
async fn traps_are_named() {
    let unreachable = "wasm `unreachable` instruction executed";
    let body = |_: &mut Guest| "(unreachable)".to_owned();
    check(Check, "", body, "`check of user.read`: the policy trapped: wasm `unreachable`", trap("wasm `unreachable` instruction executed"))
        .await;
    check(Scope, "", body, "`scope of group`: the policy trapped: wasm `unreachable`", trap(unreachable)).await;
    let load = |_: &mut Guest| "(i32.load (i32.const -4))".to_owned();
    check(Check, "", load, "out of bounds memory access", trap("out of bounds memory access")).await;
    let table = "(table 1 funcref) (type $call (func (result i32)))";
    let call = |_: &mut Guest| "(call_indirect (type $call) (i32.const 0))".to_owned();
    check(Check, table, call, "uninitialized element", trap("uninitialized element")).await;
}

#[tokio::test]
async fn positions_lie_inside_the_table() {
    let body = |guest: &mut Guest| guest.table(&[]);
    let rule = "position 0 is outside the table of 0 verdicts";
    check(Check, "", body, rule, malformed(rule)).await;
    let body = |guest: &mut Guest| {
        let table = guest.table(&[Verdict::default(); 1]);
        format!("(i32.store (i32.load offset=8 {table}) (i32.const 7)) (i32.const 16)")
    };
    let rule = "position 7 is outside the table of 1 verdicts";
    check(Check, "", body, rule, malformed(rule)).await;
}

#[tokio::test]
async fn every_row_has_one_position() {
    let verdicts = |rows: Vec<u32>| Verdicts { table: vec![Verdict::default()], rows };
    let few = |guest: &mut Guest| guest.verdicts(&verdicts(Vec::new()));
    check(Check, "", few, "16 rows were asked about and 0 answered", malformed("1 rows were asked about and 0 answered")).await;
    let many = |guest: &mut Guest| guest.verdicts(&verdicts(vec![0; 17]));
    check(Check, "", many, "16 rows were asked about and 17 answered", malformed("1 rows were asked about and 17 answered")).await;
}

#[tokio::test]
async fn answers_have_a_size() {
    let grown = |answer: &str| format!("(drop (memory.grow (i32.const 200))) {answer}");
    let refusal = "it cannot be read within";
    let unreadable = |bytes: usize| {
        malformed(&format!(
            "it cannot be read within {bytes} bytes: too much data is being copied between the host and the guest: fuel \
             allocated for hostcalls has been exhausted"
        ))
    };
    let of_check = || unreadable(policy::limits::ANSWER_BYTES + policy::limits::ANSWER_ROW_BYTES);
    let verdicts = |_: &mut Guest| grown(&format!("(call $answer (i32.const 65536) (i32.const 400000) {})", rows_len()));
    check(Check, "", verdicts, refusal, of_check()).await;
    let positions = |guest: &mut Guest| {
        let table = guest.table(&[Verdict::default()]);
        grown(&format!("(i32.store offset=12 {table} (i32.const 1000000)) (i32.const 16)"))
    };
    check(Check, "", positions, refusal, of_check()).await;
    // A verdict whose reason is 10 MB of zeros.
    let reason = |guest: &mut Guest| {
        let verdict = guest.image.words(&[1, 0, 0, 65_536, 10_000_000, 0, 0]);
        grown(&format!("(call $answer (i32.const {verdict}) (i32.const 1) {})", rows_len()))
    };
    check(Check, "", reason, refusal, of_check()).await;
    let filter = |guest: &mut Guest| {
        let filter = guest.image.words(&[0, 0, 1, 0, 0, 65_536, 10_000_000, 0, 0]);
        grown(&format!("(i32.const {filter})"))
    };
    check(Scope, "", filter, refusal, unreadable(policy::limits::ANSWER_BYTES)).await;
}

#[tokio::test]
async fn tables_texts_and_lists_are_short() {
    let table = |guest: &mut Guest| guest.table(&vec![Verdict::default(); 257]);
    let rule = "the table of verdicts has 257 entries; at most 256 are allowed";
    check(Check, "", table, rule, malformed(rule)).await;
    let long = |guest: &mut Guest| guest.table(&[Verdict { reason: "x".repeat(4_097), ..Verdict::default() }]);
    let rule = "`reason` is 4097 bytes long; at most 4096 are allowed";
    check(Check, "", long, rule, malformed(rule)).await;
    let withheld = |guest: &mut Guest| guest.table(&[Verdict { withheld: vec!["email".into(); 257], ..Verdict::default() }]);
    let rule = "`withheld` has 257 entries; at most 256 are allowed";
    check(Check, "", withheld, rule, malformed(rule)).await;
}

#[tokio::test]
async fn filters_are_small_and_speak_of_what_exists() {
    let with = |filter: RowFilter| move |guest: &mut Guest| guest.filter(&filter);
    let unknown = with(filter_of(term("is-nice", &[])));
    check(Scope, "", unknown, "`is-nice` is not a test of user", malformed("`is-nice` is not a test of user")).await;
    let others = with(filter_of(term("held-by-me", &[])));
    check(Scope, "", others, "`held-by-me` is not a test of user", malformed("`held-by-me` is not a test of user")).await;
    let nowhere = with(filter_of(term("in-group", &[3_000_000])));
    let rule = "test `in-group` names group 3000000, but the context has 3 groups";
    check(Scope, "", nowhere, "test `in-group` names group 3000000, but the context has 8 groups", malformed(rule)).await;
    let clauses = with(RowFilter { any_of: vec![Vec::new(); 65], ..RowFilter::default() });
    let rule = "`any-of` has 65 entries; at most 64 are allowed";
    check(Scope, "", clauses, rule, malformed(rule)).await;
    let terms = with(RowFilter { any_of: vec![vec![term("self", &[]); 17]], ..RowFilter::default() });
    let rule = "a clause has 17 entries; at most 16 are allowed";
    check(Scope, "", terms, rule, malformed(rule)).await;
}

#[tokio::test]
async fn addresses_and_bytes_are_not_believed() {
    let of_check = |why: &str| malformed(&format!("it cannot be read within 262148 bytes: {why}"));
    let text = |guest: &mut Guest| {
        let bytes = guest.image.raw(&[0xff, 0xfe]);
        let verdict = guest.image.words(&[1, 0, 0, bytes, 2, 0, 0]);
        format!("(call $answer (i32.const {verdict}) (i32.const 1) {})", rows_len())
    };
    let why = "invalid utf-8 sequence of 1 bytes from index 0";
    check(Check, "", text, why, of_check(why)).await;
    let list = |_: &mut Guest| format!("(call $answer (i32.const 1024) (i32.const -1) {})", rows_len());
    let why = "list pointer/length out of bounds of memory";
    check(Check, "", list, why, of_check(why)).await;
    let unaligned = |_: &mut Guest| "(i32.const 17)".to_owned();
    let why = "return pointer not aligned";
    check(Check, "", unaligned, why, of_check(why)).await;
    let outside = |_: &mut Guest| "(i32.const -16)".to_owned();
    let why = "pointer out of bounds of memory";
    check(Check, "", outside, why, of_check(why)).await;
}

#[tokio::test]
async fn an_unknown_withheld_field_is_refused_at_the_upload_and_left_to_the_caller_later() {
    let salary = Verdict { allow: true, withheld: vec!["salary".into()], ..Verdict::default() };
    let sandbox = sandbox();
    let make = |armed: bool| {
        let mut guest = Guest::new();
        let body = guest.table(std::slice::from_ref(&salary));
        if armed { guest.armed(Check, &body) } else { guest.with(Check, &body) }.component()
    };
    let reasons = sandbox.validate(&make(false), "").await.reasons;
    assert_eq!(reasons.len(), 2, "{reasons:#?}");
    assert!(reasons[0].starts_with("`check of user.read`: `withheld` names `salary`, which user does not have; it has `userName`"));
    let digest = load(&sandbox, make(true)).await.unwrap();
    let mut session = session(&sandbox, digest).unwrap();
    assert_eq!(super::facts::check(&mut *session, 1).await.unwrap().table, [salary]);
}

#[tokio::test]
async fn the_allocator_is_not_believed() {
    let sandbox = sandbox();
    let failure = |realloc: &'static str| {
        let mut guest = Guest::new();
        // The answers need no allocation; the arguments do.
        guest.check = guest.verdicts(&Verdicts { table: vec![Verdict::default()], rows: vec![0] });
        guest.realloc = realloc.into();
        let sandbox = &sandbox;
        async move {
            let digest = load(sandbox, guest.component()).await.unwrap();
            ask(sandbox, digest, Check, 1).await.unwrap_err()
        }
    };
    assert_eq!(failure(FOREVER).await, Failure::Fuel(CHECK_FUEL));
    assert_eq!(failure("(unreachable)").await, trap("wasm `unreachable` instruction executed"));
    let unreadable = |why: &str| malformed(&format!("it cannot be read within 262148 bytes: {why}"));
    assert_eq!(failure("(i32.const -64)").await, unreadable("realloc return: beyond end of memory"));
    assert_eq!(failure("(i32.const 1)").await, unreadable("realloc return: result not aligned"));
}

#[tokio::test]
async fn cleaning_up_counts_too() {
    let sandbox = sandbox();
    let post = |body: &str| {
        let name = "cabi_post_bailiwick:policy/decide@1.0.0#check";
        Guest::new().and(&format!("(func (export \"{name}\") (param i32) {body})")).component()
    };
    let digest = load(&sandbox, post("(loop $forever (br $forever))")).await.unwrap();
    assert_eq!(ask(&sandbox, digest, Check, 1).await, Err(Failure::Fuel(CHECK_FUEL)));
    let digest = load(&sandbox, post("(unreachable)")).await.unwrap();
    assert_eq!(ask(&sandbox, digest, Check, 1).await, Err(trap("wasm `unreachable` instruction executed")));
}

#[tokio::test]
async fn a_session_has_fuel_for_so_many_calls() {
    // Burns nearly all that a call about a full page gets, and then answers.
    let spend = "(local.set $left (i32.const 100000000))
         (loop $burn
           (local.set $left (i32.sub (local.get $left) (i32.const 1)))
           (br_if $burn (local.get $left)))";
    let mut guest = Guest::new();
    guest.check = format!("(local $left i32) {spend} {}", guest.check);
    let sandbox = sandbox();
    let digest = load(&sandbox, guest.component()).await.unwrap();
    let mut session = session(&sandbox, digest).unwrap();
    let mut answers = 0;
    let failure = loop {
        match super::facts::check(&mut *session, CHECK_ROWS as u32).await {
            Ok(_) => answers += 1,
            Err(failure) => break failure,
        }
        assert!(answers < 100, "a session goes on for ever");
    };
    assert!(matches!(failure, Failure::Fuel(left) if left < 919_200_000), "{failure}");
    assert_eq!(session.cost().fuel, policy::limits::SESSION_FUEL);
}
