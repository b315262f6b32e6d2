//! Calls that come to no good answer: one row a misdeed, pinned at the upload and in a request.

use directory::{
    contract::{Engine, Failure, RowFilter, Verdict, Verdicts},
    limits::CHECK_ROWS,
};
use policy::{FuelBudget, Sandbox, SandboxConfig};

use super::{
    facts::{MEMORY_BYTES, ask, config, load, sandbox, session},
    guest::{
        Guest,
        Part::{self, Check, Scope},
        filter_of, rows_len, term,
    },
    table::{Row, named},
};

/// What `body` makes of `part`: the upload is refused with `refusal`, and armed it fails a request about one row.
async fn check(guest: Row, part: Part, further: &str, body: impl Fn(&mut Guest) -> String, refusal: &str) {
    let sandbox = sandbox();
    let make = |armed: bool| {
        let mut guest = Guest::new().and(further);
        let body = body(&mut guest);
        if armed { guest.armed(part, &body) } else { guest.with(part, &body) }.component()
    };
    let reasons = sandbox.validate(&make(false), "").await.reasons;
    assert!(reasons.iter().any(|reason| reason.contains(refusal)), "{guest:?}: {reasons:#?} lack {refusal:?}");

    let armed = make(true);
    assert_eq!(sandbox.validate(&armed, "").await.reasons, Vec::<String>::new(), "{guest:?}: armed it gets past the upload");
    let digest = load(&sandbox, armed).await.unwrap();
    guest.stops(&ask(&sandbox, digest, part, 1).await.unwrap_err().to_string());

    let behaving = load(&sandbox, Guest::new().component()).await.unwrap();
    assert_eq!(ask(&sandbox, behaving, part, 1).await, Ok(()), "{guest:?}: the sandbox serves on");
}

const RECURSE: &str = "(func $recurse (param i32) (result i32) (i32.add (call $recurse (local.get 0)) (i32.const 1)))";

fn forever(body: &str) -> String {
    format!("(loop $forever {body} (br $forever)) (unreachable)")
}

#[tokio::test]
async fn endless_loops_run_out_of_fuel() {
    let body = |_: &mut Guest| forever("");
    check(named("loops-in-check"), Check, "", body, "`check of user.read`: the policy used up its fuel").await;
    check(named("loops-in-scope"), Scope, "", body, "`scope of user`: the policy used up its fuel").await;
    let indirect = "(table $self 1 funcref) (type $call (func)) (elem (i32.const 0) $again)
        (func $again (call_indirect (type $call) (i32.const 1)))
        (func $spin (loop $spin (br $spin)))";
    let indirect = format!("{indirect} (elem declare func $spin)");
    let body = |_: &mut Guest| "(drop (table.grow $self (ref.func $spin) (i32.const 1))) (call $again) (unreachable)".to_owned();
    check(named("loops-through-a-table-of-its-own-making"), Check, &indirect, body, "used up its fuel").await;
}

#[tokio::test]
async fn bulk_instructions_pay_for_their_bytes() {
    let refusal = "used up its fuel";
    let fill = |_: &mut Guest| forever("(memory.fill (i32.const 65536) (i32.const 0) (i32.const 65536))");
    check(named("fills-memory-for-ever"), Check, "", fill, refusal).await;
    let copy = |_: &mut Guest| forever("(memory.copy (i32.const 0) (i32.const 65536) (i32.const 65536))");
    check(named("copies-memory-for-ever"), Check, "", copy, refusal).await;
    let grow = |_: &mut Guest| forever("(drop (memory.grow (i32.const 0)))");
    check(named("grows-memory-by-nothing-for-ever"), Check, "", grow, refusal).await;
    let refused = |_: &mut Guest| forever("(drop (memory.grow (i32.const 65536)))");
    check(named("asks-for-four-gigabytes-for-ever"), Check, "", refused, refusal).await;
    let table = "(table $table 20000 funcref)";
    let fill = |_: &mut Guest| forever("(table.fill $table (i32.const 0) (ref.null func) (i32.const 20000))");
    check(named("fills-a-table-for-ever"), Check, table, fill, refusal).await;
    let copy = |_: &mut Guest| forever("(table.copy $table $table (i32.const 0) (i32.const 1) (i32.const 19999))");
    check(named("copies-a-table-for-ever"), Check, table, copy, refusal).await;
    let grow = |_: &mut Guest| forever("(drop (table.grow $table (ref.null func) (i32.const 0)))");
    check(named("grows-a-table-by-nothing-for-ever"), Check, table, grow, refusal).await;
    let data = format!("(data $passive \"{}\")", "x".repeat(60_000));
    let init = |_: &mut Guest| forever("(memory.init $passive (i32.const 0) (i32.const 0) (i32.const 60000))");
    check(named("copies-a-data-segment-for-ever"), Check, &data, init, refusal).await;
}

#[tokio::test]
async fn endless_recursion_ends_at_the_stack() {
    let body = |_: &mut Guest| "(call $recurse (i32.const 0))".to_owned();
    check(named("recurses-in-check"), Check, RECURSE, body, "call stack exhausted").await;
    check(named("recurses-in-scope"), Scope, RECURSE, body, "call stack exhausted").await;
    let locals = "(local i64)".repeat(1_000);
    let frames = format!("(func $frames {locals} (local.set 0 (i64.const 1)) (call $frames))");
    let body = |_: &mut Guest| "(call $frames) (unreachable)".to_owned();
    check(named("recurses-with-large-frames"), Check, &frames, body, "call stack exhausted").await;
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
    check(named("takes-all-memory"), Check, "", body, "integer divide by zero").await;
    // Reaches for what it did not get.
    let body =
        |_: &mut Guest| "(drop (memory.grow (i32.const 65535))) (i32.store (i32.const 0x7fff0000) (i32.const 1)) (i32.const 16)".to_owned();
    check(named("writes-to-memory-that-it-did-not-get"), Check, "", body, "out of bounds memory access").await;
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
    check(named("takes-a-whole-table"), Check, "(table $table 1 funcref)", body, "integer divide by zero").await;
}

#[tokio::test]
async fn traps_are_named() {
    let body = |_: &mut Guest| "(unreachable)".to_owned();
    check(named("traps-in-check"), Check, "", body, "`check of user.read`: the policy trapped: wasm `unreachable`").await;
    check(named("traps-in-scope"), Scope, "", body, "`scope of group`: the policy trapped: wasm `unreachable`").await;
    let load = |_: &mut Guest| "(i32.load (i32.const -4))".to_owned();
    check(named("reads-beyond-its-memory"), Check, "", load, "out of bounds memory access").await;
    let wrap = |_: &mut Guest| "(i32.load offset=0xffffffff (i32.const -1))".to_owned();
    check(named("reads-at-an-address-that-overflows"), Check, "", wrap, "out of bounds memory access").await;
    let table = "(table 1 funcref) (type $call (func (result i32)))";
    let call = |at: i32| move |_: &mut Guest| format!("(call_indirect (type $call) (i32.const {at}))");
    check(named("calls-a-null-function"), Check, table, call(0), "uninitialized element").await;
    check(named("calls-beyond-its-table"), Check, table, call(-1), "undefined element").await;
    let typed = format!("{table} (elem (i32.const 0) $other) (func $other)");
    check(named("calls-a-function-of-another-type"), Check, &typed, call(0), "indirect call type mismatch").await;
    let overflow = |_: &mut Guest| "(i32.div_s (i32.const 0x80000000) (i32.const -1))".to_owned();
    check(named("divides-beyond-the-integers"), Check, "", overflow, "integer overflow").await;
    let nan = |_: &mut Guest| "(i32.trunc_f64_s (f64.div (f64.const 0) (f64.const 0)))".to_owned();
    check(named("makes-an-integer-of-no-number"), Check, "", nan, "invalid conversion to integer").await;
}

#[tokio::test]
async fn a_traps_name_is_made_readable() {
    // The name of a function is the guest's own word, and reaches the log of whoever operates the server.
    let function = "(func $\"bad\\1b[31m\\e2\\80\\aename\" (result i32) (unreachable))";
    let body = |_: &mut Guest| "(call $\"bad\\1b[31m\\e2\\80\\aename\")".to_owned();
    check(named("traps-under-a-name-for-terminals"), Check, function, body, "in `bad [31m\u{fffd}name`").await;
}

#[tokio::test]
async fn positions_lie_inside_the_table() {
    let body = |guest: &mut Guest| guest.table(&[]);
    check(named("has-no-verdicts"), Check, "", body, "position 0 is outside the table of 0 verdicts").await;
    let outside = |position: i32| {
        move |guest: &mut Guest| {
            let table = guest.table(&[Verdict::default(); 1]);
            format!("(i32.store (i32.load offset=8 {table}) (i32.const {position})) (i32.const 16)")
        }
    };
    check(named("points-outside-its-verdicts"), Check, "", outside(7), "position 7 is outside the table of 1 verdicts").await;
    check(named("points-at-the-last-number"), Check, "", outside(-1), "position 4294967295 is outside the table of 1 verdicts").await;
}

#[tokio::test]
async fn every_row_has_one_position() {
    let verdicts = |rows: Vec<u32>| Verdicts { table: vec![Verdict::default()], rows };
    let none = |guest: &mut Guest| guest.verdicts(&verdicts(Vec::new()));
    check(named("answers-no-row"), Check, "", none, "16 rows were asked about and 0 answered").await;
    let many = |guest: &mut Guest| guest.verdicts(&verdicts(vec![0; 17]));
    check(named("answers-more-rows"), Check, "", many, "16 rows were asked about and 17 answered").await;
}

#[tokio::test]
async fn answers_have_a_size() {
    let grown = |answer: &str| format!("(drop (memory.grow (i32.const 200))) {answer}");
    let refusal = "it cannot be read within";
    // Each of a million verdicts is the same 28 bytes of nothing, so that they need no memory but their own.
    let verdicts =
        |_: &mut Guest| format!("(drop (memory.grow (i32.const 250))) (call $answer (i32.const 65536) (i32.const 500000) {})", rows_len());
    check(named("has-half-a-million-verdicts"), Check, "", verdicts, refusal).await;
    let positions = |guest: &mut Guest| {
        let table = guest.table(&[Verdict::default()]);
        grown(&format!("(i32.store offset=12 {table} (i32.const 1000000)) (i32.const 16)"))
    };
    check(named("has-a-million-positions"), Check, "", positions, refusal).await;
    // A verdict whose reason is 10 MB of zeros.
    let reason = |guest: &mut Guest| {
        let verdict = guest.image.words(&[1, 0, 0, 65_536, 10_000_000, 0, 0]);
        grown(&format!("(call $answer (i32.const {verdict}) (i32.const 1) {})", rows_len()))
    };
    check(named("has-a-reason-of-megabytes"), Check, "", reason, refusal).await;
    let withheld = |guest: &mut Guest| {
        let verdict = guest.image.words(&[1, 65_536, 1_000_000, 0, 0, 0, 0]);
        grown(&format!("(call $answer (i32.const {verdict}) (i32.const 1) {})", rows_len()))
    };
    check(named("withholds-a-million-fields"), Check, "", withheld, refusal).await;
    let filter = |guest: &mut Guest| {
        let filter = guest.image.words(&[0, 0, 1, 0, 0, 65_536, 10_000_000, 0, 0]);
        grown(&format!("(i32.const {filter})"))
    };
    check(named("has-a-filter-of-megabytes"), Scope, "", filter, refusal).await;
    let clauses = |guest: &mut Guest| {
        let filter = guest.image.words(&[65_536, 1_000_000, 1, 0, 0, 0, 0, 0, 0]);
        grown(&format!("(i32.const {filter})"))
    };
    check(named("has-a-million-clauses"), Scope, "", clauses, refusal).await;
    // Each of 200 reasons is the same 4 KiB: little memory here, 800 KiB in the host.
    let shared = |guest: &mut Guest| {
        let [text, len] = guest.image.text(&"r".repeat(policy::limits::TEXT_BYTES));
        let words: Vec<u32> = (0..200).flat_map(|_| [1, 0, 0, text, len, 0, 0]).collect();
        let table = guest.image.words(&words);
        format!("(call $answer (i32.const {table}) (i32.const 200) {})", rows_len())
    };
    check(named("lets-its-texts-overlap"), Check, "", shared, refusal).await;
}

#[tokio::test]
async fn tables_texts_and_lists_are_short() {
    let refused = async |guest: Row, verdicts: Vec<Verdict>| {
        let body = |guest: &mut Guest| guest.table(&verdicts);
        check(guest, Check, "", body, "entries; at most").await;
    };
    refused(named("has-257-verdicts"), vec![Verdict::default(); 257]).await;
    refused(named("withholds-257-fields"), vec![Verdict { withheld: vec!["email".into(); 257], ..Verdict::default() }]).await;
    let note = directory::contract::Fact::default();
    refused(named("has-33-notes"), vec![Verdict { notes: vec![note; 33], ..Verdict::default() }]).await;
    let long = |guest: &mut Guest| guest.table(&[Verdict { reason: "x".repeat(4_097), ..Verdict::default() }]);
    check(named("has-a-reason-of-4097-bytes"), Check, "", long, "`reason` is 4097 bytes long; at most 4096 are allowed").await;
    let field = |guest: &mut Guest| guest.table(&[Verdict { withheld: vec!["x".repeat(257)], ..Verdict::default() }]);
    check(named("withholds-a-field-with-a-name-of-257-bytes"), Check, "", field, "`withheld`: a name is 257 bytes long").await;
}

#[tokio::test]
async fn filters_are_small_and_speak_of_what_exists() {
    let with = |filter: RowFilter| move |guest: &mut Guest| guest.filter(&filter);
    let unknown = with(filter_of(term("is-nice", &[])));
    check(named("tests-what-there-is-not"), Scope, "", unknown, "`is-nice` is not a test of user").await;
    let others = with(filter_of(term("held-by-me", &[])));
    check(named("tests-users-as-if-they-were-roles"), Scope, "", others, "`held-by-me` is not a test of user").await;
    let case = with(filter_of(term("Self", &[])));
    check(named("tests-in-another-case"), Scope, "", case, "`Self` is not a test of user").await;
    let nowhere = with(filter_of(term("in-group", &[3_000_000])));
    let rule = "test `in-group` names group 3000000, but the context has 8 groups";
    check(named("tests-a-group-that-is-not-there"), Scope, "", nowhere, rule).await;
    let clauses = with(RowFilter { any_of: vec![Vec::new(); 65], ..RowFilter::default() });
    check(named("has-65-clauses"), Scope, "", clauses, "`any-of` has 65 entries; at most 64 are allowed").await;
    let terms = with(RowFilter { any_of: vec![vec![term("self", &[]); 17]], ..RowFilter::default() });
    check(named("has-17-terms"), Scope, "", terms, "a clause has 17 entries; at most 16 are allowed").await;
    let valued = |values: Vec<String>| {
        let mut term = term("status", &[]);
        term.test.values = values;
        with(filter_of(term))
    };
    let rule = "the values of a test has 1025 entries; at most 1024 are allowed";
    check(named("tests-1025-values"), Scope, "", valued(vec![String::new(); 1_025]), rule).await;
    let rule = "a test's value is 4097 bytes long; at most 4096 are allowed";
    check(named("tests-a-value-of-4097-bytes"), Scope, "", valued(vec!["x".repeat(4_097)]), rule).await;
}

#[tokio::test]
async fn addresses_and_bytes_are_not_believed() {
    let verdict = |words: [u32; 7]| {
        move |guest: &mut Guest| {
            let verdict = guest.image.words(&words);
            format!("(call $answer (i32.const {verdict}) (i32.const 1) {})", rows_len())
        }
    };
    let text = |bytes: &'static [u8]| {
        move |guest: &mut Guest| {
            let len = bytes.len() as u32;
            let bytes = guest.image.raw(bytes);
            let verdict = guest.image.words(&[1, 0, 0, bytes, len, 0, 0]);
            format!("(call $answer (i32.const {verdict}) (i32.const 1) {})", rows_len())
        }
    };
    check(named("has-a-reason-that-is-no-utf-8"), Check, "", text(&[0xff, 0xfe]), "invalid utf-8").await;
    check(named("has-a-surrogate-in-its-reason"), Check, "", text(&[0xed, 0xa0, 0x80]), "invalid utf-8").await;
    check(named("has-an-overlong-reason"), Check, "", text(&[0xc0, 0xaf]), "invalid utf-8").await;
    let beyond = "out of bounds of memory";
    check(named("has-a-reason-beyond-its-memory"), Check, "", verdict([1, 0, 0, 0xffff_fff0, 8, 0, 0]), "out of bounds").await;
    check(named("has-a-reason-that-ends-beyond-4-gigabytes"), Check, "", verdict([1, 0, 0, 1_024, 0xffff_ffff, 0, 0]), "out of bounds")
        .await;
    check(named("withholds-a-list-beyond-its-memory"), Check, "", verdict([1, 0xffff_fff0, 1, 0, 0, 0, 0]), beyond).await;
    check(named("withholds-a-list-that-is-not-aligned"), Check, "", verdict([1, 1_025, 1, 0, 0, 0, 0]), "list pointer is not aligned")
        .await;
    // 0x2492_4925 verdicts of 28 bytes are 4 GiB and 12 bytes: 12, for whoever reckons in 32 bits.
    let multiplies = |_: &mut Guest| format!("(call $answer (i32.const 1024) (i32.const 0x24924925) {})", rows_len());
    check(named("has-verdicts-whose-bytes-overflow"), Check, "", multiplies, beyond).await;
    let list = |_: &mut Guest| format!("(call $answer (i32.const 1024) (i32.const -1) {})", rows_len());
    check(named("has-the-most-verdicts-that-can-be-said"), Check, "", list, beyond).await;
    let unaligned = |_: &mut Guest| "(i32.const 17)".to_owned();
    check(named("answers-where-nothing-is-aligned"), Check, "", unaligned, "return pointer not aligned").await;
    let outside = |_: &mut Guest| "(i32.const -16)".to_owned();
    check(named("answers-beyond-its-memory"), Check, "", outside, beyond).await;
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
    named("withholds-what-there-is-not").stops(&reasons[0]);
    let digest = load(&sandbox, make(true)).await.unwrap();
    let mut session = session(&sandbox, digest).unwrap();
    assert_eq!(super::facts::check(&mut *session, 1).await.unwrap().table, [salary]);
}

#[tokio::test]
async fn the_allocator_is_not_believed() {
    let sandbox = sandbox();
    let stops = async |guest: Row, further: &str, realloc: &str| {
        let mut hostile = Guest::new().and(further);
        // The answers need no allocation; the arguments do.
        hostile.check = hostile.verdicts(&Verdicts { table: vec![Verdict::default()], rows: vec![0] });
        hostile.realloc = realloc.into();
        let digest = load(&sandbox, hostile.component()).await.unwrap();
        guest.stops(&ask(&sandbox, digest, Check, 1).await.unwrap_err().to_string());
    };
    stops(named("allocates-for-ever"), "", &forever("")).await;
    stops(named("allocates-by-trapping"), "", "(unreachable)").await;
    stops(named("allocates-beyond-its-memory"), "", "(i32.const -64)").await;
    stops(named("allocates-where-nothing-is-aligned"), "", "(i32.const 1)").await;
    stops(named("allocates-by-recursion"), RECURSE, "(call $recurse (i32.const 0))").await;
    // The export itself, once more from within.
    let again = "(call $again (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 1048576))";
    let further = format!("(func $again (param i32 i32 i32) (param $bytes i32) (result i32) {again})");
    stops(named("allocates-by-allocating"), &further, again).await;
}

#[tokio::test]
async fn what_the_allocator_overwrites_is_its_own() {
    // Every argument lands on the same bytes. The call goes on with what is left of them; nothing but the guest can be wrong then.
    let mut guest = Guest::new();
    guest.check = guest.verdicts(&Verdicts { table: vec![Verdict { allow: true, ..Verdict::default() }], rows: vec![0; 17] });
    guest.realloc = "(i32.const 65536)".into();
    let sandbox = sandbox();
    let digest = load(&sandbox, guest.component()).await.unwrap();
    named("allocates-the-same-bytes-twice").stops(&ask(&sandbox, digest, Check, 1).await.unwrap_err().to_string());
    let behaving = load(&sandbox, Guest::new().component()).await.unwrap();
    assert_eq!(ask(&sandbox, behaving, Check, 1).await, Ok(()));
}

#[tokio::test]
async fn cleaning_up_counts_too() {
    let sandbox = sandbox();
    let stops = async |guest: Row, body: &str| {
        let name = "cabi_post_bailiwick:policy/decide@1.0.0#check";
        let component = Guest::new().and(&format!("(func (export \"{name}\") (param i32) {body})")).component();
        let digest = load(&sandbox, component).await.unwrap();
        guest.stops(&ask(&sandbox, digest, Check, 1).await.unwrap_err().to_string());
    };
    stops(named("cleans-up-for-ever"), "(loop $forever (br $forever))").await;
    stops(named("cleans-up-by-trapping"), "(unreachable)").await;
}

/// A guest that burns so much in every check before it answers.
fn spender(fuel: u32) -> Guest {
    let mut guest = Guest::new();
    let burn = format!(
        "(local $left i32) (local.set $left (i32.const {}))
         (loop $burn
           (local.set $left (i32.sub (local.get $left) (i32.const 1)))
           (br_if $burn (local.get $left)))",
        fuel / 8
    );
    guest.check = format!("{burn} {}", guest.check);
    guest
}

#[tokio::test]
async fn a_session_has_fuel_for_so_many_calls() {
    // Nearly all that a call about a full page gets.
    let sandbox = sandbox();
    let digest = load(&sandbox, spender(800_000_000).component()).await.unwrap();
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
    named("uses-a-little-less-than-a-call-may-again-and-again").stops(&failure.to_string());
    assert_eq!(session.cost().fuel, policy::limits::SESSION_FUEL);
}

#[tokio::test]
async fn an_upload_has_fuel_for_so_many_calls() {
    // No call of the probe is beyond its own bound, and there are dozens.
    let config = SandboxConfig { fuel: FuelBudget { upload: 1_000_000_000, ..FuelBudget::default() }, ..config() };
    let sandbox = Sandbox::new(&config).unwrap();
    let reasons = sandbox.validate(&spender(90_000_000).component(), "").await.reasons;
    assert_eq!(reasons.len(), 2, "{reasons:#?}");
    assert!(reasons[0].starts_with("`check of user."), "{reasons:#?}");
    named("uses-a-little-less-than-a-probe-may-again-and-again").stops(&reasons[1]);
    assert_eq!(sandbox.validate(&spender(8_000_000).component(), "").await.reasons, Vec::<String>::new());
}
