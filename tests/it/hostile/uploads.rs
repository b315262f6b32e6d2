//! Uploads that are refused before anybody asks them anything, or by what they say of themselves.

use directory::contract::{Engine, Failure, Module};

use super::{
    facts::{load, sandbox, session},
    guest::{Guest, WIT},
};

/// The upload is refused with exactly one reason, which starts like that and names that remedy.
async fn check(bytes: &[u8], reason: &str, remedy: &str) {
    let validation = sandbox().validate(bytes, "").await;
    let [only] = validation.reasons.as_slice() else { panic!("{:#?}", validation.reasons) };
    assert!(only.starts_with(reason), "{only:?} does not start with {reason:?}");
    assert!(only.contains(remedy), "{only:?} does not name {remedy:?}");
}

#[tokio::test]
async fn what_is_no_module_is_refused() {
    let start = "these bytes are not a WebAssembly module";
    let remedy = "upload the `.wasm` file";
    check(b"", start, remedy).await;
    check(b"export function check() {}", start, remedy).await;
    check(b"(component)", start, remedy).await;
    check(b"\x1f\x8b\x08\0\0\0\0\0", start, remedy).await;
    let component = Guest::new().component();
    check(&component[..component.len() - 1], start, remedy).await;
    check(&[component.as_slice(), b"more"].concat(), start, remedy).await;
}

#[tokio::test]
async fn a_part_of_a_module_is_refused_wherever_it_was_cut() {
    let sandbox = sandbox();
    let component = Guest::new().component();
    for len in (0..component.len()).step_by(13) {
        let reasons = sandbox.validate(&component[..len], "").await.reasons;
        assert_eq!(reasons.len(), 1, "cut at {len}: {reasons:#?}");
    }
}

#[tokio::test]
async fn damaged_modules_leave_the_sandbox_whole() {
    let sandbox = sandbox();
    let component = Guest::new().component();
    for position in (0..component.len()).step_by(17) {
        let mut damaged = component.clone();
        damaged[position] ^= 0x55;
        let validation = sandbox.validate(&damaged, "").await;
        let taken = validation.reasons.is_empty();
        assert_eq!(session(&sandbox, validation.digest).is_ok(), taken, "damaged at {position}: {:#?}", validation.reasons);
    }
    assert_eq!(sandbox.validate(&component, "").await.reasons, Vec::<String>::new());
}

#[tokio::test]
async fn a_module_that_is_too_large_is_refused() {
    let limit = directory::limits::MODULE_BYTES;
    let reason = format!("the module has {} bytes; at most {limit} are allowed", limit + 1);
    check(&vec![0; limit + 1], &reason, "strip debug information").await;
}

#[tokio::test]
async fn a_core_module_without_metadata_is_refused() {
    let reason = "the core module cannot become a component";
    check(&Guest::new().core(), reason, "build it with wit-bindgen").await;
    check(&wat::parse_str("(module)").unwrap(), reason, "build it with wit-bindgen").await;
    check(&wat::parse_str("(component)").unwrap(), "the module does not export `bailiwick:policy/decide@1.0.0`", "world `policy`").await;
}

#[tokio::test]
async fn imports_are_refused_by_name() {
    let importing = |name: &str, package: &str, import: &str| {
        let mut guest = Guest::new();
        guest.wit = WIT.replace("world policy {", &format!("world policy {{ import {name};")) + package;
        guest.imports = format!("(import \"{name}\" {import})");
        guest.component()
    };
    let files = importing(
        "wasi:filesystem/preopens@0.2.6",
        "package wasi:filesystem@0.2.6 { interface preopens { count: func() -> u32; } }",
        "\"count\" (func (result i32))",
    );
    check(&files, "the module imports `wasi:filesystem/preopens@0.2.6`", "`componentize-py --stub-wasi`").await;
    let clock =
        importing("acme:tools/clock", "package acme:tools { interface clock { now: func() -> u64; } }", "\"now\" (func (result i64))");
    check(&clock, "the module imports `acme:tools/clock`", "remove it").await;
}

#[tokio::test]
async fn exports_that_do_not_fit_quote_the_contract() {
    let with_wit = |wit: String| {
        let mut guest = Guest::new();
        guest.wit = wit;
        guest.component()
    };
    let without = with_wit(WIT.lines().filter(|line| !line.trim_start().starts_with("check: func")).collect::<Vec<_>>().join("\n"));
    check(
        &without,
        "`check` of `bailiwick:policy/decide@1.0.0` is missing",
        "`check: func(context: context, rows: rows, change: option<change>) -> verdicts`",
    )
    .await;
    let other = with_wit(WIT.replace("allow: bool,", "allow: bool, because: string,"));
    check(&other, "`check` of `bailiwick:policy/decide@1.0.0` has another type", "-> verdicts`").await;
    let older = with_wit(WIT.replace("bailiwick:policy@1.0.0", "bailiwick:policy@0.9.0"));
    check(&older, "the module imports `bailiwick:policy/types@0.9.0`", "build it against `bailiwick:policy/types@1.0.0`").await;
}

#[tokio::test]
async fn what_the_sandbox_does_not_run_is_refused() {
    let reason = "the module does not compile";
    let remedy = "without threads, exceptions and 64-bit memories";
    let with_memory = |memory: &str| {
        let mut guest = Guest::new();
        guest.memory = memory.into();
        guest.component()
    };
    check(&with_memory("(memory (export \"memory\") 257)"), reason, "minimum").await;
    check(&with_memory("(memory (export \"memory\") 2 4 shared)"), reason, remedy).await;
    check(&Guest::new().and("(memory 1) (memory 1)").component(), reason, "memories").await;
    check(&Guest::new().and("(memory i64 1)").component(), reason, remedy).await;
    check(&Guest::new().and("(tag)").component(), reason, remedy).await;
    check(&Guest::new().and("(table 20001 funcref)").component(), reason, "table").await;
}

#[tokio::test]
async fn what_costs_the_compiler_too_much_is_refused() {
    let body = "(drop (i32.const 0))".repeat(policy::limits::FUNCTION_BYTES / 3);
    let big = Guest::new().and(&format!("(func {body})")).component();
    check(&big, "a function's body is longer than", "split it").await;
    let nested = (0..=policy::limits::NESTED_COMPONENTS).fold(String::new(), |inner, _| format!("(component {inner})"));
    let nested = wat::parse_str(&nested).unwrap();
    check(&nested, "components are nested more than", "upload one component").await;
    let composed = "(component (component
        (core module $m (func (export \"f\")))
        (core instance $i (instantiate $m))
        (func (export \"f\") (canon lift (core func $i \"f\")))))";
    check(&wat::parse_str(composed).unwrap(), "the component is composed of several", "link the parts").await;
}

#[tokio::test]
async fn a_module_that_never_starts_is_refused() {
    let start = |body: &str| Guest::new().and(&format!("(start $start) (func $start {body})")).component();
    let sandbox = sandbox();
    let looping = sandbox.validate(&start("(loop $forever (br $forever))"), "").await;
    assert_eq!(
        looping.reasons,
        [
            "`describe`: the policy used up its fuel of 100000000; make the rules cheaper or ask for fewer columns",
            "`validate-settings`: the policy used up its fuel of 100000000; make the rules cheaper or ask for fewer columns",
        ]
    );
    let trapping = load(&sandbox, start("(unreachable)")).await;
    assert_eq!(trapping, Err(Failure::Trap("wasm `unreachable` instruction executed in `start`".into())));
}

#[tokio::test]
async fn what_describe_gets_wrong_is_named() {
    let with = |change: fn(&mut directory::contract::Manifest)| Guest::new().describing(change).component();
    check(&with(|it| it.fields.push("salary".into())), "the manifest's `fields` names `salary`", "`displayName`").await;
    check(&with(|it| it.needs.push("rows.salary".into())), "the manifest's `needs` names `rows.salary`", "`rows.groups`").await;
    check(&with(|it| it.decides.push("user.pay".into())), "the manifest's `decides` names `user.pay`", "`user.read`").await;
    check(&with(|it| it.otherwise = "allow".into()), "the manifest's `otherwise` is `allow`", "`deny` or `standard`").await;
    check(&with(|it| it.name.clear()), "the manifest's `name` is empty", "people").await;
}

#[tokio::test]
async fn describe_itself_may_fail() {
    let sandbox = sandbox();
    for (body, reason) in [
        ("(loop $forever (br $forever)) (unreachable)", "`describe`: the policy used up its fuel of 100000000"),
        ("(call $recurse (i32.const 0))", "`describe`: the policy trapped: call stack exhausted"),
        ("(unreachable)", "`describe`: the policy trapped: wasm `unreachable` instruction executed"),
        ("(i32.const 2)", "`describe`: the policy's answer is malformed: it cannot be read within 262144 bytes"),
    ] {
        let mut guest = Guest::new().and("(func $recurse (param i32) (result i32) (i32.add (call $recurse (local.get 0)) (i32.const 1)))");
        guest.describe = body.into();
        let reasons = sandbox.validate(&guest.component(), "").await.reasons;
        assert!(matches!(reasons.as_slice(), [only] if only.starts_with(reason)), "{reasons:#?} instead of {reason}");
    }
}

#[tokio::test]
async fn validate_settings_may_fail() {
    let endless = "(loop $forever (br $forever)) (unreachable)";
    let with = |body: &str| {
        let mut guest = Guest::new();
        guest.validate_settings = body.into();
        guest.component()
    };
    check(&with(endless), "`validate-settings`: the policy used up its fuel", "make the rules cheaper").await;
    check(&with("(unreachable)"), "`validate-settings`: the policy trapped", "unit test").await;
    let mut guest = Guest::new();
    let unknown = guest.image.words(&[7, 0, 0]);
    guest.validate_settings = format!("(i32.const {unknown})");
    check(&guest.component(), "`validate-settings`: the policy's answer is malformed", "guide").await;
    let mut guest = Guest::new();
    let silent = guest.image.settings(Some(&[]));
    guest.validate_settings = format!("(i32.const {silent})");
    check(&guest.component(), "the policy refuses its settings: the policy refuses the settings without saying why", "").await;
}

#[tokio::test]
async fn all_reasons_come_at_once() {
    let mut guest = Guest::new().describing(|manifest| {
        manifest.otherwise = "allow".into();
        manifest.fields.push("salary".into());
    });
    guest.validate_settings = "(unreachable)".into();
    guest.scope = "(unreachable)".into();
    guest.check = "(unreachable)".into();
    let reasons = sandbox().validate(&guest.component(), "").await.reasons;
    let starts = [
        "the manifest's `fields`",
        "the manifest's `otherwise`",
        "`validate-settings`: ",
        "`scope of user`: ",
        "`check of user.read`: ",
        "`scope of group`: ",
        "`check of group.read`: ",
    ];
    assert_eq!(reasons.len(), starts.len(), "{reasons:#?}");
    for (reason, start) in reasons.iter().zip(starts) {
        assert!(reason.starts_with(start), "{reason:?} does not start with {start:?}");
    }
}

#[tokio::test]
async fn bytes_are_loaded_under_their_own_digest_only() {
    let sandbox = sandbox();
    let bytes = Guest::new().component();
    let digest = sandbox.validate(b"other", "").await.digest;
    let failure = sandbox.load(&Module { digest, bytes: bytes.into() }).await.unwrap_err();
    assert_eq!(failure, Failure::Unloadable(format!("the stored bytes of module {digest} are not its own")));
    assert!(session(&sandbox, digest).is_err(), "and it is not there");
}
