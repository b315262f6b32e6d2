//! Guests with parts of WASI inside: what is answered with nothing, what ends the call, and that neither lends them anything.

use directory::contract::{Engine, Failure};

use super::{
    facts::{ask, check, load, sandbox, session},
    guest::{Guest, Part::Check, WIT},
    table::{Row, named},
};

/// Interfaces as a toolchain would declare them, as far as these guests use them.
const PACKAGES: &str = "
package wasi:random@0.2.6 { interface random { get-random-u64: func() -> u64; get-random-bytes: func(len: u64) -> list<u8>; } }
package wasi:clocks@0.2.6 { interface monotonic-clock { now: func() -> u64; } }
package wasi:io@0.2.6 {
  interface error { resource error; }
  interface poll { resource pollable { block: func(); } poll: func(in: list<u32>) -> list<u32>; }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
  }
}
package wasi:cli@0.2.6 {
  interface environment { get-environment: func() -> list<tuple<string, string>>; }
  interface exit { exit: func(status: result); }
  interface stdout { use wasi:io/streams@0.2.6.{output-stream}; get-stdout: func() -> output-stream; }
}";

const IMPORTS: &str = r#"
(import "wasi:random/random@0.2.6" "get-random-u64" (func $random (result i64)))
(import "wasi:random/random@0.2.6" "get-random-bytes" (func $random_bytes (param i64 i32)))
(import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
(import "wasi:io/poll@0.2.6" "poll" (func $poll (param i32 i32 i32)))
(import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
(import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))
(import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
(import "wasi:cli/stdout@0.2.6" "get-stdout" (func $stdout (result i32)))
"#;

/// A guest that imports all of these, and in a check does `first` before it behaves.
fn guest(first: &str) -> Vec<u8> {
    let guest = imports_all();
    let behave = guest.check.clone();
    // Armed by its settings, so that the upload's own probes see it behave.
    guest.armed(Check, &format!("{first} {behave}")).component()
}

/// A guest that imports all of these, and calls none.
fn imports_all() -> Guest {
    let mut guest = Guest::new();
    let worlds = ["random/random", "clocks/monotonic-clock", "io/poll", "io/streams", "cli/environment", "cli/exit", "cli/stdout"];
    let imports: String = worlds.iter().map(|name| format!("import wasi:{name}@0.2.6;")).collect();
    guest.wit = WIT.replace("world policy {", &format!("world policy {{ {imports}")) + PACKAGES;
    guest.imports = IMPORTS.into();
    guest
}

/// What a request comes to in which the guest does `first`.
async fn outcome(first: &str) -> Result<(), Failure> {
    let sandbox = sandbox();
    let bytes = guest(first);
    assert_eq!(sandbox.validate(&bytes, "").await.reasons, Vec::<String>::new());
    let digest = load(&sandbox, bytes).await.unwrap();
    ask(&sandbox, digest, Check, 1).await
}

#[tokio::test]
async fn the_system_is_empty() {
    // No time passes, nothing is set, and what is written goes nowhere that the guest could see.
    let still = "(if (i64.ne (call $now) (i64.const 0)) (then unreachable))";
    let bare = "(call $environment (i32.const 64)) (if (i32.load (i32.const 68)) (then unreachable))";
    let says = "(call $write (call $stdout) (i32.const 1024) (i32.const 5) (i32.const 64)) \
                (if (i32.load8_u (i32.const 64)) (then unreachable))";
    assert_eq!(outcome(&format!("{still} {bare} {says}")).await, Ok(()));
}

#[tokio::test]
async fn randomness_is_the_same_in_every_session() {
    // Traps unless the first number is the one that every session draws first.
    let draw = |expected: u64| format!("(if (i64.ne (call $random) (i64.const {expected})) (then unreachable))");
    assert!(matches!(outcome(&draw(1)).await, Err(Failure::Trap(_))));
    let sandbox = sandbox();
    let digest = load(&sandbox, guest(&draw(0xe220_a839_7b1d_cdaf))).await.unwrap();
    for _ in 0..10 {
        let mut session = session(&sandbox, digest).unwrap();
        check(&mut *session, 1).await.unwrap();
        // Within a session the numbers go on.
        assert!(check(&mut *session, 1).await.is_err());
    }
}

#[tokio::test]
async fn waiting_and_leaving_end_the_call() {
    let stops = async |guest: Row, body: &str| guest.stops(&outcome(body).await.unwrap_err().to_string());
    stops(named("waits"), "(call $poll (i32.const 0) (i32.const 0) (i32.const 64))").await;
    stops(named("leaves"), "(call $exit (i32.const 0))").await;
    stops(named("draws-more-than-64-kib-of-randomness"), "(call $random_bytes (i64.const 65537) (i32.const 64))").await;
    stops(named("draws-more-randomness-than-there-is-memory"), "(call $random_bytes (i64.const -1) (i32.const 64))").await;
    stops(named("writes-what-it-does-not-have"), "(call $write (call $stdout) (i32.const -16) (i32.const 64) (i32.const 64))").await;
    stops(named("writes-to-a-stream-that-it-was-not-given"), "(call $write (i32.const 77) (i32.const 0) (i32.const 1) (i32.const 64))")
        .await;
}

#[tokio::test]
async fn calls_of_the_system_cost_fuel() {
    let stops = async |guest: Row, body: &str| {
        let failure = outcome(&format!("(loop $forever {body} (br $forever)) unreachable")).await.unwrap_err();
        guest.stops(&failure.to_string());
    };
    stops(named("takes-streams-for-ever"), "(drop (call $stdout))").await;
    stops(named("draws-numbers-for-ever"), "(drop (call $random))").await;
    stops(named("asks-for-the-time-for-ever"), "(drop (call $now))").await;
    stops(named("looks-for-variables-for-ever"), "(call $environment (i32.const 64))").await;
    // The stream is taken once, since a handle costs much; its number is kept where the guest has nothing else.
    let write = "(call $write (i32.load (i32.const 48)) (i32.const 0) (i32.const 4096) (i32.const 64))";
    let failure = outcome(&format!("(i32.store (i32.const 48) (call $stdout)) (loop $forever {write} (br $forever)) unreachable")).await;
    named("writes-for-ever").stops(&failure.unwrap_err().to_string());
    // Random bytes take memory of the guest's own, and end at that limit first.
    stops(named("draws-bytes-for-ever"), "(call $random_bytes (i64.const 65536) (i32.const 64))").await;
}

#[tokio::test]
async fn an_allocation_calls_nobody() {
    // While an argument is copied in, the guest may not call out: it would be in two places at once.
    let mut hostile = imports_all();
    hostile.realloc = "(drop (call $random)) (call $allocate (local.get $bytes))".into();
    let sandbox = sandbox();
    let digest = load(&sandbox, hostile.component()).await.unwrap();
    named("calls-out-while-it-allocates").stops(&ask(&sandbox, digest, Check, 1).await.unwrap_err().to_string());
}
