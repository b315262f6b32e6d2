//! What modules do to the compiler, and what somebody does to the code that it made.

use std::{fs, path::Path, process::Command, time::Duration};

use directory::contract::{Digest, Engine, Module};
use policy::{CodeFolder, CompilerPlace, Compiling, CompilingBounds, Sandbox, SandboxConfig};
use reqwest::{Method, header};
use sha2::{Digest as _, Sha256};
use tests::{Backend, program};
use tokio::task::JoinSet;

use super::{
    facts::ask,
    guest::{Guest, Part},
    table::{Row, named},
};
use crate::crash::{Place, Server};

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn bombs_go_off_in_their_own_process() {
    // Each is within every bound that is looked at before compiling, and large by its number of functions, of types, or of targets.
    let functions = Guest::new().and(&"(func)".repeat(300_000)).component();
    let types: String = (0..40_000).map(|at| format!("(type (func (param {})))", "i32 ".repeat(at % 200))).collect();
    let types = Guest::new().and(&types).component();
    let blocks = 2_000;
    let (open, close, targets) = ("(block ".repeat(blocks), ")".repeat(blocks), "0 ".repeat(200_000));
    let jumps = Guest::new().and(&format!("(func (param i32) {open} (br_table {targets} (local.get 0)) {close})")).component();
    let sandbox = Sandbox::new(&bounded(|bounds| bounds.cpu_seconds = 2)).unwrap();
    let stops = async |guest: Row, bytes: Vec<u8>| guest.stops_alone(&sandbox.validate(&bytes, "").await.reasons);
    stops(named("has-three-hundred-thousand-functions"), functions).await;
    assert_eq!(sandbox.validate(&types, "").await.reasons, Vec::<String>::new(), "types that nobody uses are cheap");
    stops(named("jumps-to-two-hundred-thousand-places"), jumps).await;
    assert_eq!(sandbox.validate(&Guest::new().component(), "").await.reasons, Vec::<String>::new());
}

/// As the server has it done, by this program.
fn compiling(program: &Path) -> SandboxConfig {
    let defaults = SandboxConfig { instances: 4, memory_bytes: 4 * 1024 * 1024, ..SandboxConfig::default() };
    let bounds = CompilingBounds {
        cpu_seconds: 90,
        address_bytes: 4096 * MIB,
        module_bytes: defaults.module_bytes,
        memory_bytes: defaults.memory_bytes,
    };
    let compiling = Compiling { program: program.to_owned(), arguments: vec!["compile-module".into()], bounds };
    SandboxConfig { compiler: CompilerPlace::Process(compiling), ..defaults }
}

/// The same within other bounds.
fn bounded(change: impl FnOnce(&mut CompilingBounds)) -> SandboxConfig {
    let mut config = compiling(program::path());
    if let CompilerPlace::Process(compiling) = &mut config.compiler {
        change(&mut compiling.bounds);
    }
    config
}

/// A guest with so many functions of so many instructions each: what the compiler sweats over.
fn heavy(functions: usize, instructions: usize) -> Vec<u8> {
    let step = "(local.set $a (i64.add (i64.mul (local.get $a) (local.get $b)) (i64.rotl (local.get $b) (local.get $a))))";
    let body = step.repeat(instructions);
    let function = |at: usize| format!("(func (export \"f{at}\") (param $a i64) (param $b i64) (result i64) {body} (local.get $a))");
    Guest::new().and(&(0..functions).map(function).collect::<String>()).component()
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

async fn only_reason(config: &SandboxConfig, bytes: &[u8]) -> String {
    let validation = Sandbox::new(config).unwrap().validate(bytes, "").await;
    let [reason] = validation.reasons.as_slice() else { panic!("{:#?}", validation.reasons) };
    reason.clone()
}

#[tokio::test]
async fn what_another_process_compiled_runs_here() {
    let sandbox = Sandbox::new(&compiling(program::path())).unwrap();
    let component = Guest::new().component();
    assert_eq!(sandbox.validate(&component, "").await.reasons, Vec::<String>::new());
    ask(&sandbox, digest_of(&component), Part::Check, 10).await.unwrap();
    let core = Guest::new().module();
    assert_eq!(sandbox.validate(&core, "").await.reasons, Vec::<String>::new(), "a core module becomes a component there");
}

#[tokio::test]
async fn a_refusal_comes_out_of_the_process_whole() {
    let wrong = [b"(component)".to_vec(), Guest::new().core(), wat::parse_str("(component)").unwrap(), vec![0; 33 * 1024 * 1024]];
    for bytes in wrong {
        let here = Sandbox::new(&SandboxConfig { instances: 1, ..SandboxConfig::default() }).unwrap().validate(&bytes, "").await;
        let there = Sandbox::new(&compiling(program::path())).unwrap().validate(&bytes, "").await;
        assert!(!here.reasons.is_empty());
        assert_eq!((there.digest, there.reasons), (here.digest, here.reasons));
    }
}

#[tokio::test]
async fn a_compilation_ends_at_its_processor_time() {
    let bounds = bounded(|bounds| bounds.cpu_seconds = 1);
    let reason = only_reason(&bounds, &heavy(400, 2_000)).await;
    named("takes-the-compiler-too-long").stops(&reason);
}

#[tokio::test]
async fn a_compilation_ends_at_its_memory() {
    let bounds = bounded(|bounds| bounds.address_bytes = 192 * MIB);
    assert_eq!(Sandbox::new(&bounds).unwrap().validate(&Guest::new().component(), "").await.reasons, Vec::<String>::new());
    let reason = only_reason(&bounds, &heavy(40, 20_000)).await;
    named("takes-the-compilers-memory").stops(&reason);
}

#[tokio::test]
async fn a_compilation_ends_at_its_deadline_and_leaves_nothing_running() {
    let config = SandboxConfig { compile_ms: 300, ..compiling(program::path()) };
    let sandbox = Sandbox::new(&config).unwrap();
    let validation = sandbox.validate(&heavy(400, 2_000), "").await;
    named("makes-everybody-wait-for-the-compiler").stops_alone(&validation.reasons);
    // The next one has the lane as soon as the killed one is gone.
    let config = SandboxConfig { compile_ms: 60_000, ..config };
    assert_eq!(Sandbox::new(&config).unwrap().validate(&Guest::new().component(), "").await.reasons, Vec::<String>::new());
    for _ in 0..200 {
        if compilers().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?} are running or were not buried", compilers());
}

/// The processes that this one has started to compile heavy modules, dead ones that nobody waited for included.
fn compilers() -> Vec<String> {
    let own = std::process::id().to_string();
    let children = |status: &str| status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|parent| parent.trim() == own));
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("status")).ok());
    processes.filter(|status| children(status) && status.contains("bailiwick") && status.contains("Z (zombie)")).collect()
}

#[tokio::test]
async fn the_compiler_ends_with_the_server_that_is_killed() {
    let place = Place::prepare(Backend::Sqlite).await;
    let mut server = Server::start(&place).await;
    let upload = server.caller(&place.token("ada@crash.example")).request(Method::PUT, "/v1/policies");
    let upload = upload.header(header::CONTENT_TYPE, "application/wasm").body(heavy(400, 2_000));
    let mut uploading = JoinSet::new();
    uploading.spawn(upload.send());
    let mut compiler = None;
    for _ in 0..6_000 {
        compiler = confined(server.process());
        if compiler.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let compiler = compiler.expect("the server compiles what is uploaded").to_string();
    // Stopped, it does not end by itself.
    assert!(Command::new("kill").args(["-STOP", &compiler]).status().unwrap().success());
    server.kill();
    assert!(uploading.join_next().await.unwrap().unwrap().is_err(), "nobody is left to answer");
    for _ in 0..200 {
        let status = fs::read_to_string(format!("/proc/{compiler}/status")).unwrap_or_default();
        if status.is_empty() || status.contains("Z (zombie)") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Command::new("kill").args(["-KILL", &compiler]).status().unwrap();
    panic!("the compiler {compiler} outlived its server");
}

/// A process that another one has started, once it has bounded its processor time, which it does right before it begins to work.
fn confined(parent: u32) -> Option<u32> {
    let started = |status: &str| status.lines().any(|line| line.strip_prefix("PPid:").is_some_and(|of| of.trim() == parent.to_string()));
    let limited = |limits: &str| limits.lines().any(|line| line.starts_with("Max cpu time") && !line.contains("unlimited"));
    let process = |entry: fs::DirEntry| {
        let read = |file| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        (started(&read("status")) && limited(&read("limits"))).then(|| entry.file_name().to_str()?.parse().ok())?
    };
    fs::read_dir("/proc").unwrap().filter_map(Result::ok).find_map(process)
}

#[tokio::test]
async fn a_compiler_that_is_not_there_lets_nothing_in() {
    let reason = only_reason(&compiling(Path::new("/nowhere/bailiwick")), &Guest::new().component()).await;
    assert!(reason.starts_with("the compiler does not start"), "{reason}");
    // One that is something else makes no code, or none that loads.
    let reason = only_reason(&compiling(Path::new("/bin/cat")), &Guest::new().component()).await;
    assert!(reason.starts_with("the compiler "), "{reason}");
}

/// A sandbox over a folder of code; without a program, whatever it loads comes from there.
fn keeping(folder: &Path, program: &Path, key: u8, bytes: u64) -> Sandbox {
    let code = CodeFolder { folder: folder.to_owned(), key: [key; 32], bytes };
    Sandbox::new(&SandboxConfig { code: Some(code), ..compiling(program) }).unwrap()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A module that differs from another by its name.
fn module_of(name: &str) -> Module {
    let bytes = Guest::new().describing(|manifest| manifest.name = name.to_owned()).component();
    Module { digest: digest_of(&bytes), bytes: bytes.into() }
}

#[tokio::test]
async fn compiled_code_outlives_the_process_and_nothing_else_passes_for_it() {
    const NOWHERE: &str = "/nowhere/bailiwick";
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let module = module_of("kept");
    let (here, gone) = (program::path(), Path::new(NOWHERE));
    keeping(folder, here, 1, 100 * MIB).load(&module).await.unwrap();
    let [file] = <[_; 1]>::try_from(files(folder)).unwrap();
    let written = fs::read(&file).unwrap();
    let sandbox = keeping(folder, gone, 1, 100 * MIB);
    assert_eq!(sandbox.load(&module).await.unwrap().name, "kept");
    ask(&sandbox, module.digest, Part::Check, 10).await.unwrap();
    // Another server's key, one bit, one byte less, another module's name. Whatever it is, it is not loaded, and made again if it can be.
    let refused = keeping(folder, gone, 2, 100 * MIB).load(&module).await.unwrap_err();
    named("is-code-under-anothers-key").stops(&refused.to_string());
    assert_eq!(files(folder), Vec::<std::path::PathBuf>::new(), "what is not one's own is cleared away");
    let mut damaged = written.clone();
    damaged[written.len() / 2] ^= 1;
    let forged = [written[..written.len() / 2].to_vec(), vec![0x90; written.len() / 2]].concat();
    for (guest, bad) in [
        (named("is-code-with-a-bit-turned"), damaged),
        (named("is-code-cut-short"), written[..written.len() - 1].to_vec()),
        (named("is-code-of-somebody-else"), forged),
        (named("is-no-code-at-all"), Vec::new()),
    ] {
        fs::write(&file, &bad).unwrap();
        guest.stops(&keeping(folder, gone, 1, 100 * MIB).load(&module).await.unwrap_err().to_string());
        assert_eq!(files(folder), Vec::<std::path::PathBuf>::new());
    }
    let other = module_of("other");
    let disguised = file.to_str().unwrap().replace(&module.digest.to_string(), &other.digest.to_string());
    fs::write(disguised, &written).unwrap();
    let refused = keeping(folder, gone, 1, 100 * MIB).load(&other).await.unwrap_err();
    named("is-code-under-anothers-name").stops(&refused.to_string());
    // Uploaded, it is bytes like any other, and never code.
    named("is-uploaded-as-code").stops_alone(&keeping(folder, here, 1, 100 * MIB).validate(&written, "").await.reasons);
    keeping(folder, here, 1, 100 * MIB).load(&module).await.unwrap();
    assert_eq!(files(folder), [file], "it is made again, and is the same");
}

#[tokio::test]
async fn the_folder_of_code_is_bounded_and_what_was_used_last_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let modules: Vec<Module> = ["one", "two", "three"].into_iter().map(module_of).collect();
    keeping(folder, program::path(), 1, 100 * MIB).load(&modules[0]).await.unwrap();
    let size = fs::metadata(&files(folder)[0]).unwrap().len();
    let room_for_two = 2 * size + size / 2;
    let sandbox = keeping(folder, program::path(), 1, room_for_two);
    for module in &modules {
        sandbox.load(module).await.unwrap();
        let total: u64 = files(folder).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
        assert!(total <= room_for_two, "{total}");
    }
    let gone = keeping(folder, Path::new("/nowhere/bailiwick"), 1, room_for_two);
    assert!(gone.load(&modules[0]).await.is_err());
    assert!(gone.load(&modules[1]).await.is_ok() && gone.load(&modules[2]).await.is_ok());
    keeping(folder, program::path(), 1, size / 2).load(&modules[0]).await.unwrap();
    assert_eq!(files(folder).len(), 0, "nothing fits, and nothing is kept");
}
