//! The part of WASI 0.2 that toolchains link into modules whether these use it or not, answered with nothing.
//!
//! No variables and no arguments; clocks that stand still; the same randomness in every session; output that ends in the log, and no
//! input. Whatever would wait is refused when it is called. Files, sockets and everything else are refused at the upload
//! ([`crate::imports`]). A real WASI would sleep, block and tell requests apart; a policy is a function of its arguments.

use wasmtime::{
    Engine, StoreContextMut, Trap,
    component::{Component, ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType, types::ComponentItem},
};

use crate::{guest::Limiter, limits};

/// The interfaces, of any version 0.2.
const SERVED: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Whether an import is an interface of this module.
pub(crate) fn serves(import: &str) -> bool {
    interface(import).is_some()
}

/// The interface without its version.
fn interface(import: &str) -> Option<&str> {
    let (interface, version) = import.split_once('@')?;
    (version.starts_with("0.2.") && SERVED.contains(&interface)).then_some(interface)
}

/// What a guest's store keeps for these calls.
#[derive(Debug, Default)]
pub(crate) struct Wasi {
    /// What was written, up to [`limits::OUTPUT_BYTES`].
    pub(crate) output: Vec<u8>,
    /// Numbers drawn so far.
    drawn: u64,
}

/// A call that no policy gets an answer to.
#[derive(Debug, thiserror::Error)]
#[error("it called `{0}`, which ends or waits; a policy can do neither")]
pub(crate) struct Refused(String);

/// Defines what `component` imports of the interfaces, each under the version that it names.
pub(crate) fn define(engine: &Engine, component: &Component, linker: &mut Linker<Limiter>) -> wasmtime::Result<()> {
    for (import, external) in component.component_type().imports(engine) {
        let (Some(interface), ComponentItem::ComponentInstance(imported)) = (interface(import), external.ty) else { continue };
        let mut instance = linker.instance(import)?;
        for (name, external) in imported.exports(engine) {
            match external.ty {
                ComponentItem::Resource(_) => instance.resource(name, resource(name), |_, _| Ok(()))?,
                ComponentItem::ComponentFunc(_) => function(&mut instance, interface, name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// Handles of WASI; what they stand for is told by their kind, and of output streams does not matter.
enum InputStream {}
enum OutputStream {}
enum IoError {}
enum Other {}

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    #[expect(dead_code, reason = "output never fails; the case belongs to the type")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

/// `wasi:clocks/wall-clock.datetime`.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

fn resource(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "error" => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<Other>(),
    }
}

type Store<'a> = StoreContextMut<'a, Limiter>;

fn function(instance: &mut LinkerInstance<'_, Limiter>, interface: &str, name: &str) -> wasmtime::Result<()> {
    match (interface, name) {
        ("wasi:cli/environment", "get-environment") => instance.func_wrap(name, |store, ()| free(store, Vec::<(String, String)>::new())),
        ("wasi:cli/environment", "get-arguments") => instance.func_wrap(name, |store, ()| free(store, Vec::<String>::new())),
        ("wasi:cli/environment", "initial-cwd") => instance.func_wrap(name, |store, ()| free(store, None::<String>)),
        ("wasi:cli/stdin", "get-stdin") => instance.func_wrap(name, |store, ()| handle::<InputStream>(store)),
        ("wasi:cli/stdout", "get-stdout") | ("wasi:cli/stderr", "get-stderr") => {
            instance.func_wrap(name, |store, ()| handle::<OutputStream>(store))
        }
        ("wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr", _) => {
            instance.func_wrap(name, |store, ()| free(store, None::<Resource<Other>>))
        }
        ("wasi:clocks/wall-clock", "now" | "resolution") => {
            instance.func_wrap(name, |store, ()| free(store, Datetime { seconds: 0, nanoseconds: 0 }))
        }
        ("wasi:clocks/monotonic-clock", "now" | "resolution") => instance.func_wrap(name, |store, ()| free(store, 0_u64)),
        ("wasi:random/random" | "wasi:random/insecure", "get-random-bytes" | "get-insecure-random-bytes") => {
            instance.func_wrap(name, |store, (len,): (u64,)| Ok((bytes(store, len)?,)))
        }
        ("wasi:random/random" | "wasi:random/insecure", "get-random-u64" | "get-insecure-random-u64") => {
            instance.func_wrap(name, |mut store: Store<'_>, ()| Ok((draw(&mut store)?,)))
        }
        ("wasi:random/insecure-seed", "insecure-seed" | "get-insecure-seed") => {
            instance.func_wrap(name, |mut store: Store<'_>, ()| Ok(((draw(&mut store)?, draw(&mut store)?),)))
        }
        ("wasi:io/streams", _) => stream(instance, name),
        _ => refuse(instance, interface, name),
    }
}

fn stream(instance: &mut LinkerInstance<'_, Limiter>, name: &str) -> wasmtime::Result<()> {
    match name {
        "[method]output-stream.check-write" => instance
            .func_wrap(name, |store, (_,): (Resource<OutputStream>,)| free(store, Ok::<u64, StreamError>(limits::OUTPUT_BYTES as u64))),
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            instance.func_wrap(name, |store, (_, bytes): (Resource<OutputStream>, Vec<u8>)| write(store, &bytes))
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            instance.func_wrap(name, |store, (_,): (Resource<OutputStream>,)| free(store, Ok::<(), StreamError>(())))
        }
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            instance.func_wrap(name, |store, (_, _): (Resource<InputStream>, u64)| free(store, Err::<Vec<u8>, _>(StreamError::Closed)))
        }
        _ => refuse(instance, "wasi:io/streams", name),
    }
}

/// A function that ends the call.
fn refuse(instance: &mut LinkerInstance<'_, Limiter>, interface: &str, name: &str) -> wasmtime::Result<()> {
    let called = format!("{interface}.{name}");
    instance.func_new(name, move |_, _, _, _| Err(Refused(called.clone()).into()))
}

/// An answer that is always the same, for the fuel of a call.
fn free<Answer>(mut store: Store<'_>, answer: Answer) -> wasmtime::Result<(Answer,)> {
    pay(&mut store, limits::WASI_CALL_FUEL)?;
    Ok((answer,))
}

/// A handle, which takes room in the host's tables until the guest drops it: what its fuel buys stays within megabytes.
fn handle<Stream: 'static>(mut store: Store<'_>) -> wasmtime::Result<(Resource<Stream>,)> {
    pay(&mut store, limits::WASI_HANDLE_FUEL)?;
    Ok((Resource::new_own(0),))
}

fn write(mut store: Store<'_>, bytes: &[u8]) -> wasmtime::Result<(Result<(), StreamError>,)> {
    pay(&mut store, limits::WASI_CALL_FUEL + bytes.len() as u64)?;
    let output = &mut store.data_mut().wasi.output;
    let room = limits::OUTPUT_BYTES.saturating_sub(output.len());
    output.extend(bytes.iter().take(room));
    Ok((Ok(()),))
}

fn bytes(mut store: Store<'_>, len: u64) -> wasmtime::Result<Vec<u8>> {
    // Paid before anything is allocated; fuel alone would still let one call ask for gigabytes.
    pay(&mut store, limits::WASI_CALL_FUEL.saturating_add(len))?;
    if len > limits::RANDOM_BYTES {
        return Err(Refused(format!("wasi:random.get-random-bytes({len})")).into());
    }
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < len {
        bytes.extend(next(&mut store.data_mut().wasi).to_le_bytes());
    }
    bytes.truncate(usize::try_from(len)?);
    Ok(bytes)
}

fn draw(store: &mut Store<'_>) -> wasmtime::Result<u64> {
    pay(store, limits::WASI_CALL_FUEL)?;
    Ok(next(&mut store.data_mut().wasi))
}

/// SplitMix64 (Steele, Lea, Flood 2014) from zero: spread well, and the same in every session.
const fn next(wasi: &mut Wasi) -> u64 {
    wasi.drawn = wasi.drawn.wrapping_add(1);
    let mut mixed = wasi.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn pay(store: &mut Store<'_>, fuel: u64) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.checked_sub(fuel).ok_or(Trap::OutOfFuel)?;
    store.set_fuel(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_interfaces_of_version_0_2_are_served() {
        for (import, served) in [
            ("wasi:io/streams@0.2.0", true),
            ("wasi:io/streams@0.2.12", true),
            ("wasi:io/streams@0.3.0", false),
            ("wasi:io/streams", false),
            ("wasi:filesystem/types@0.2.6", false),
            ("wasi:sockets/tcp@0.2.6", false),
            ("wasi:http/types@0.2.6", false),
            ("acme:io/streams@0.2.0", false),
        ] {
            assert_eq!(serves(import), served, "{import}");
        }
    }

    #[test]
    fn randomness_is_that_of_the_reference() {
        let mut wasi = Wasi::default();
        // The first numbers of the reference implementation for the seed 0.
        assert_eq!([next(&mut wasi), next(&mut wasi)], [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4]);
    }
}
