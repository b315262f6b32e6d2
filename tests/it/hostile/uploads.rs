//! Uploads that are refused before anybody asks them anything, or by what they say of themselves.

use directory::contract::{Engine, Failure, Module};

use super::{
    facts::{load, sandbox, session},
    guest::{Guest, WIT},
    table::{Row, named},
};

/// The upload is refused with the words of the table alone.
async fn check(guest: Row, bytes: &[u8]) {
    guest.stops_alone(&sandbox().validate(bytes, "").await.reasons);
}

#[tokio::test]
async fn what_is_no_module_is_refused() {
    check(named("is-empty"), b"").await;
    check(named("is-javascript"), b"export function check() {}").await;
    check(named("is-webassembly-text"), b"(component)").await;
    check(named("is-packed"), b"\x1f\x8b\x08\0\0\0\0\0").await;
    check(named("is-a-program-for-linux"), b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0").await;
    let component = Guest::new().component();
    check(named("is-cut-short"), &component[..component.len() - 1]).await;
    check(named("has-more-behind-it"), &[component.as_slice(), b"more"].concat()).await;
    check(named("is-of-another-version-of-webassembly"), &[&component[..4], &[0x63, 0, 1, 0], &component[8..]].concat()).await;
    // A section of custom bytes that says it is as long as numbers go.
    check(named("has-a-section-longer-than-itself"), &[component.as_slice(), &[0, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat()).await;
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
    check(named("is-larger-than-32-mib"), &vec![0; directory::limits::MODULE_BYTES + 1]).await;
}

#[tokio::test]
async fn megabytes_of_custom_sections_are_only_bytes() {
    let mut component = Guest::new().component();
    let bytes = vec![7; 8 * 1024 * 1024];
    component.push(0);
    let len = bytes.len() + 2;
    component.extend([len as u8 & 0x7f | 0x80, (len >> 7) as u8 & 0x7f | 0x80, (len >> 14) as u8 & 0x7f | 0x80, (len >> 21) as u8]);
    component.extend([1, b'x']);
    component.extend(&bytes);
    let sandbox = sandbox();
    assert_eq!(sandbox.validate(&component, "").await.reasons, Vec::<String>::new());
    assert!(sandbox.validate(&component[..component.len() - 1], "").await.reasons[0].starts_with("these bytes are not"));
}

#[tokio::test]
async fn a_core_module_without_metadata_is_refused() {
    check(named("is-a-core-module-without-metadata"), &Guest::new().core()).await;
    check(named("is-a-module-of-nothing"), &wat::parse_str("(module)").unwrap()).await;
    check(named("is-a-component-of-nothing"), &wat::parse_str("(component)").unwrap()).await;
    let forged = Guest::new().and("(@custom \"component-type:policy\" \"\\00\\61\\73\\6d forged\")").core();
    check(named("forges-its-metadata"), &forged).await;
    let mut elsewhere = Guest::new();
    elsewhere.wit = WIT.replace("world policy {", "world policy { import acme:tools/files;")
        + "package acme:tools { interface files { read: func(name: string) -> list<u8>; } }";
    elsewhere.imports = "(import \"env\" \"system\" (func $system (param i32) (result i32)))".into();
    check(named("is-a-core-module-that-imports-the-system"), &elsewhere.module()).await;
}

#[tokio::test]
async fn imports_are_refused_by_name() {
    let importing = |name: &str, package: &str, import: &str| {
        let mut guest = Guest::new();
        guest.wit = WIT.replace("world policy {", &format!("world policy {{ import {name};")) + package;
        guest.imports = format!("(import \"{name}\" {import})");
        guest.component()
    };
    let count = "interface preopens { count: func() -> u32; }";
    let files = importing(
        "wasi:filesystem/preopens@0.2.6",
        &format!("package wasi:filesystem@0.2.6 {{ {count} }}"),
        "\"count\" (func (result i32))",
    );
    check(named("imports-files"), &files).await;
    let sockets = importing(
        "wasi:sockets/tcp@0.2.6",
        "package wasi:sockets@0.2.6 { interface tcp { connect: func() -> u32; } }",
        "\"connect\" (func (result i32))",
    );
    check(named("imports-sockets"), &sockets).await;
    let http = importing(
        "wasi:http/outgoing-handler@0.2.6",
        "package wasi:http@0.2.6 { interface outgoing-handler { handle: func() -> u32; } }",
        "\"handle\" (func (result i32))",
    );
    check(named("imports-http"), &http).await;
    let later = importing(
        "wasi:random/random@0.3.0",
        "package wasi:random@0.3.0 { interface random { get-random-u64: func() -> u64; } }",
        "\"get-random-u64\" (func (result i64))",
    );
    check(named("imports-a-later-wasi"), &later).await;
    let clock =
        importing("acme:tools/clock", "package acme:tools { interface clock { now: func() -> u64; } }", "\"now\" (func (result i64))");
    check(named("imports-what-nobody-has"), &clock).await;
    let typed = importing(
        "wasi:random/random@0.2.6",
        "package wasi:random@0.2.6 { interface random { get-random-u64: func() -> string; } }",
        "\"get-random-u64\" (func (param i32))",
    );
    check(named("imports-randomness-of-another-type"), &typed).await;
    let many: String = (0..1_000).map(|at| format!("(import \"acme:t{at}/x\" (instance))")).collect();
    let reasons = sandbox().validate(&wat::parse_str(format!("(component {many})")).unwrap(), "").await.reasons;
    assert_eq!(reasons.len(), policy::limits::NAMED_IMPORTS, "no more are named than anybody reads");
    named("imports-a-thousand-things").stops(&reasons[0]);
}

#[tokio::test]
async fn exports_that_do_not_fit_quote_the_contract() {
    let with_wit = |wit: String| {
        let mut guest = Guest::new();
        guest.wit = wit;
        guest.component()
    };
    let without = with_wit(WIT.lines().filter(|line| !line.trim_start().starts_with("check: func")).collect::<Vec<_>>().join("\n"));
    check(named("exports-no-check"), &without).await;
    let other = with_wit(WIT.replace("allow: bool,", "allow: bool, because: string,"));
    check(named("exports-a-check-of-another-type"), &other).await;
    let older = with_wit(WIT.replace("bailiwick:policy@1.0.0", "bailiwick:policy@0.9.0"));
    check(named("speaks-another-version"), &older).await;
    let reasons = sandbox().validate(&exporting("bailiwick:policy/decide@1.0.0"), "").await.reasons;
    assert_eq!(reasons.len(), 4, "every function that is missing is named: {reasons:#?}");
    named("exports-a-contract-of-nothing").stops(&reasons[0]);
}

/// A component that exports an interface of nothing under that name.
fn exporting(name: &str) -> Vec<u8> {
    let component = format!("(component (component $c) (instance $i (instantiate $c)) (export \"{name}\" (instance $i)))");
    wat::parse_str(component).unwrap()
}

#[tokio::test]
async fn names_of_exports_are_compared_letter_by_letter() {
    check(named("exports-without-a-version"), &exporting("bailiwick:policy/decide")).await;
    check(named("exports-a-version-to-be"), &exporting("bailiwick:policy/decide@1.0.1-rc.1")).await;
    check(named("exports-somebody-elses-contract"), &exporting("acme:policy/decide@1.0.0")).await;
}

#[tokio::test]
async fn what_the_sandbox_does_not_run_is_refused() {
    let with_memory = |memory: &str| {
        let mut guest = Guest::new();
        guest.memory = memory.into();
        guest.component()
    };
    let with = |further: &str| Guest::new().and(further).component();
    check(named("wants-more-memory-at-once"), &with_memory("(memory (export \"memory\") 257)")).await;
    check(named("shares-its-memory"), &with_memory("(memory (export \"memory\") 2 4 shared)")).await;
    check(named("has-three-memories"), &with("(memory 1) (memory 1)")).await;
    check(named("has-a-memory-of-64-bits"), &with("(memory i64 1)")).await;
    check(named("throws-exceptions"), &with("(tag)")).await;
    check(named("has-a-table-of-20001"), &with("(table 20001 funcref)")).await;
    check(named("has-17-tables"), &with(&"(table 1 funcref)".repeat(17))).await;
    check(named("uses-relaxed-simd"), &with("(func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))")).await;
    check(named("uses-atomics"), &with("(func (drop (i32.atomic.load (i32.const 0))))")).await;
    check(named("switches-stacks"), &with("(type $f (func)) (type $c (cont $f))")).await;
}

#[tokio::test]
async fn a_component_has_so_many_instances() {
    let instances: String = (0..65).map(|at| format!("(core instance $i{at} (instantiate $m))")).collect();
    let component = wat::parse_str(format!("(component (core module $m) {instances})")).unwrap();
    check(named("has-65-core-instances"), &component).await;
    // 65,536 of them are refused before anybody reckons what they take.
    let instances = "(core instance (instantiate $m))".repeat(70_000);
    let component = wat::parse_str(format!("(component (core module $m) {instances})")).unwrap();
    check(named("has-seventy-thousand-core-instances"), &component).await;
}

#[tokio::test]
async fn what_costs_the_compiler_too_much_is_refused() {
    let body = "(drop (i32.const 0))".repeat(policy::limits::FUNCTION_BYTES / 3);
    check(named("has-a-giant-function"), &Guest::new().and(&format!("(func {body})")).component()).await;
    let targets = "0 ".repeat(policy::limits::FUNCTION_BYTES + 1);
    let table = Guest::new().and(&format!("(func (param i32) (block (br_table {targets} (local.get 0))))")).component();
    check(named("has-a-giant-jump-table"), &table).await;
    let locals = Guest::new().and(&format!("(func {})", "(local i64)".repeat(50_001))).component();
    check(named("has-50001-locals"), &locals).await;
    // The encoder of components would refuse it itself.
    let parameters = wat::parse_str(format!("(module (func {}))", "(param i64)".repeat(1_001))).unwrap();
    check(named("has-1001-parameters"), &around(&parameters)).await;
    let nested = (0..=policy::limits::NESTED_COMPONENTS).fold(String::new(), |inner, _| format!("(component {inner})"));
    check(named("nests-components"), &wat::parse_str(&nested).unwrap()).await;
    let composed = "(component (component
        (core module $m (func (export \"f\")))
        (core instance $i (instantiate $m))
        (func (export \"f\") (canon lift (core func $i \"f\")))))";
    check(named("is-composed-of-several"), &wat::parse_str(composed).unwrap()).await;
}

#[tokio::test]
async fn types_are_neither_deep_nor_wide() {
    let with = |types: &str| wat::parse_str(format!("(component {types})")).unwrap();
    let nested: String = (0..300).map(|at| format!("(type $t{} (list $t{at}))", at + 1)).collect();
    check(named("has-a-type-300-lists-deep"), &with(&format!("(type $t0 (list u8)) {nested}"))).await;
    let fields: String = (0..20_000).map(|at| format!("(field \"f{at}\" u8)")).collect();
    check(named("has-a-record-of-20000-fields"), &with(&format!("(type (record {fields}))"))).await;
    // Each type is twice the one before: 2^60 of them, for whoever writes it out.
    let doubled: String = (0..60).map(|at| format!("(type $t{} (tuple $t{at} $t{at}))", at + 1)).collect();
    check(named("has-a-type-that-doubles-60-times"), &with(&format!("(type $t0 (tuple u64 u64)) {doubled}"))).await;
}

#[tokio::test]
async fn deep_nesting_does_not_reach_the_compilers_own_stack() {
    // Bytes, since the text's own parser has a bound: a hundred thousand blocks, each in the one before.
    let blocks = 100_000;
    let body = [vec![0], [0x02, 0x40].repeat(blocks), vec![0x0b; blocks + 1]].concat();
    let code = [vec![1], leb(body.len()), body].concat();
    let core = [b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a".to_vec(), leb(code.len()), code].concat();
    check(named("nests-a-hundred-thousand-blocks"), &around(&core)).await;
    let sandbox = sandbox();
    assert_eq!(sandbox.validate(&Guest::new().component(), "").await.reasons, Vec::<String>::new(), "the compiler is alive");
}

/// The component that has a core module in it and nothing else.
fn around(core: &[u8]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0\x01".to_vec(), leb(core.len()), core.to_vec()].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

#[tokio::test]
async fn data_lies_within_memory() {
    let sandbox = sandbox();
    let stops = async |guest: Row, further: &str| {
        let reasons = sandbox.validate(&Guest::new().and(further).component(), "").await.reasons;
        assert_eq!(reasons.len(), 2, "{reasons:#?}");
        guest.stops(&reasons[0]);
    };
    stops(named("has-data-beyond-its-memory"), "(data (i32.const 0x7fffffff) \"x\")").await;
    stops(named("has-elements-beyond-its-table"), "(table 1 funcref) (func $f) (elem (i32.const 1) $f)").await;
    // As much as the memory may have, with a byte in its last page: it takes what any guest may take, and is let in.
    let mut guest = Guest::new().and("(data (i32.const 16777215) \"x\")");
    guest.memory = "(memory (export \"memory\") 256)".into();
    assert_eq!(sandbox.validate(&guest.component(), "").await.reasons, Vec::<String>::new());
}

#[tokio::test]
async fn a_module_that_never_starts_is_refused() {
    let sandbox = sandbox();
    let stops = async |guest: Row, further: &str, body: &str| {
        let component = Guest::new().and(&format!("{further} (start $start) (func $start {body})")).component();
        let reasons = sandbox.validate(&component, "").await.reasons;
        let [describe, settings] = reasons.as_slice() else { panic!("{reasons:#?}") };
        guest.stops(describe);
        assert_eq!(settings.replace("validate-settings", "describe"), *describe);
        assert!(load(&sandbox, component).await.is_err());
    };
    stops(named("starts-for-ever"), "", "(loop $forever (br $forever))").await;
    stops(named("starts-by-trapping"), "", "(unreachable)").await;
    stops(named("starts-by-recursion"), "", "(call $start)").await;
    let take =
        "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (drop (i32.div_u (i32.const 1) (i32.const 0)))";
    stops(named("starts-by-taking-all-memory"), "", take).await;
}

#[tokio::test]
async fn what_describe_gets_wrong_is_named() {
    let with = |change: fn(&mut directory::contract::Manifest)| Guest::new().describing(change).component();
    check(named("knows-fields-that-there-are-not"), &with(|it| it.fields.push("salary".into()))).await;
    check(named("needs-what-there-is-not"), &with(|it| it.needs.push("rows.salary".into()))).await;
    check(named("needs-everything-at-once"), &with(|it| it.needs.push("*".into()))).await;
    check(named("decides-what-there-is-not"), &with(|it| it.decides.push("user.pay".into()))).await;
    check(named("decides-by-a-pattern-of-its-own"), &with(|it| it.decides.push("*.read".into()))).await;
    check(named("decides-nothing"), &with(|it| it.decides.clear())).await;
    check(named("leaves-the-rest-to-everybody"), &with(|it| it.otherwise = "allow".into())).await;
    check(named("has-no-name"), &with(|it| it.name.clear())).await;
    check(named("has-a-name-for-terminals"), &with(|it| it.name = "good\u{1b}[2Jbad".into())).await;
    check(named("has-a-name-that-turns-round"), &with(|it| it.name = "lenient\u{202e}drawkcab".into())).await;
    check(named("needs-257-things"), &with(|it| it.needs = vec!["rows.self".into(); 257])).await;
    check(named("has-a-summary-of-4097-bytes"), &with(|it| it.summary = "x".repeat(4_097))).await;
}

#[tokio::test]
async fn describe_itself_may_fail() {
    let sandbox = sandbox();
    let stops = async |guest: Row, body: &str| {
        let recurse = "(func $recurse (param i32) (result i32) (i32.add (call $recurse (local.get 0)) (i32.const 1)))";
        let mut hostile = Guest::new().and(recurse);
        hostile.describe = body.into();
        guest.stops_alone(&sandbox.validate(&hostile.component(), "").await.reasons);
    };
    stops(named("describes-itself-for-ever"), "(loop $forever (br $forever)) (unreachable)").await;
    stops(named("describes-itself-by-recursion"), "(call $recurse (i32.const 0))").await;
    stops(named("describes-itself-by-trapping"), "(unreachable)").await;
    stops(named("describes-itself-where-nothing-is-aligned"), "(i32.const 2)").await;
}

#[tokio::test]
async fn validate_settings_may_fail() {
    let with = |body: &str| {
        let mut guest = Guest::new();
        guest.validate_settings = body.into();
        guest.component()
    };
    check(named("looks-at-settings-for-ever"), &with("(loop $forever (br $forever)) (unreachable)")).await;
    check(named("looks-at-settings-by-trapping"), &with("(unreachable)")).await;
    let mut guest = Guest::new();
    let unknown = guest.image.words(&[7, 0, 0]);
    guest.validate_settings = format!("(i32.const {unknown})");
    check(named("answers-neither-ok-nor-an-error"), &guest.component()).await;
    let mut guest = Guest::new();
    let silent = guest.image.settings(Some(&[]));
    guest.validate_settings = format!("(i32.const {silent})");
    check(named("refuses-settings-without-a-word"), &guest.component()).await;
    let mut guest = Guest::new();
    let loud = guest.image.settings(Some(&vec!["no".to_owned(); 101]));
    guest.validate_settings = format!("(i32.const {loud})");
    check(named("has-101-errors-about-its-settings"), &guest.component()).await;
    let mut guest = Guest::new();
    let tricky = guest.image.settings(Some(&["all is well\u{202e}\u{1b}[8m".to_owned()]));
    guest.validate_settings = format!("(i32.const {tricky})");
    check(named("hides-its-errors-about-settings"), &guest.component()).await;
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
    assert!(matches!(failure, Failure::Unloadable(_)), "{failure:?}");
    named("comes-under-anothers-digest").stops(&failure.to_string());
    assert!(session(&sandbox, digest).is_err(), "and it is not there");
}
