//! From uploaded bytes to code that can be instantiated. Everything here runs on the compiler's thread, or in its process.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};
use wasmtime::{
    Engine,
    component::{
        Component, ComponentNamedList, InstancePre, Lift, Linker, Lower,
        types::{ComponentFunc, ComponentItem},
    },
    wasmparser::Encoding,
};

use crate::{
    bindings::{DECIDE, PolicyPre, TYPES, signature, types},
    componentize::componentize,
    guest::{Limiter, shortened},
    imports, limits,
    outline::outline,
    wasi,
};

/// Every reason why bytes cannot be run, each with its remedy.
pub(crate) type Reasons = Vec<String>;

/// Why there is no code.
#[derive(Debug)]
pub(crate) enum Uncompiled {
    /// The module is at fault.
    Refused(Reasons),
    /// It took too long, which is the module's fault or a busy server's.
    Late(String),
    /// The server is at fault: another time it may go.
    Unable(String),
}

impl From<Reasons> for Uncompiled {
    fn from(reasons: Reasons) -> Self {
        Self::Refused(reasons)
    }
}

impl Uncompiled {
    /// As it is told to whoever uploads the module.
    pub(crate) fn reasons(self) -> Reasons {
        match self {
            Self::Refused(reasons) => reasons,
            Self::Late(why) | Self::Unable(why) => vec![why],
        }
    }
}

/// SHA-256 of a module's bytes as uploaded.
pub(crate) fn digest(bytes: &[u8]) -> directory::contract::Digest {
    directory::contract::Digest(Sha256::digest(bytes).into())
}

/// Compiles an upload of at most `limit_bytes` and holds it against the contract.
pub(crate) fn compile(engine: &Engine, bytes: &[u8], limit_bytes: usize) -> Result<PolicyPre<Limiter>, Reasons> {
    let component = Component::from_binary(engine, &component(bytes, limit_bytes)?).map_err(|error| uncompiled(&error))?;
    fit(engine, &component)
}

/// Compiles an upload of at most `limit_bytes` to machine code.
pub(crate) fn precompile(engine: &Engine, bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>, Reasons> {
    engine.precompile_component(&component(bytes, limit_bytes)?).map_err(|error| uncompiled(&error))
}

/// An upload as a component, if nothing speaks against compiling it.
fn component(bytes: &[u8], limit_bytes: usize) -> Result<Cow<'_, [u8]>, Reasons> {
    check_len(bytes, limit_bytes)?;
    let mut shape = outline(bytes).map_err(|reason| vec![reason])?;
    let component = match shape.encoding {
        Encoding::Component => None,
        Encoding::Module => Some(componentize(bytes).map_err(|reason| {
            let mut reasons = std::mem::take(&mut shape.reasons);
            reasons.push(reason);
            reasons
        })?),
    };
    if let Some(component) = &component {
        shape = outline(component).map_err(|reason| vec![reason])?;
    }
    shape.reasons.extend(imports::reasons(&shape.imports));
    if !shape.reasons.is_empty() {
        return Err(shape.reasons);
    }
    Ok(component.map_or(Cow::Borrowed(bytes), Cow::Owned))
}

/// Refuses what is too long.
pub(crate) fn check_len(bytes: &[u8], limit_bytes: usize) -> Result<(), Reasons> {
    if bytes.len() <= limit_bytes {
        return Ok(());
    }
    Err(vec![format!("the module has {} bytes; at most {limit_bytes} are allowed; strip debug information and unused code", bytes.len())])
}

fn uncompiled(error: &wasmtime::Error) -> Reasons {
    let why = shortened(&format!("{error:#}"), limits::TEXT_BYTES);
    vec![format!(
        "the module does not compile: {why}; build it without threads, exceptions and 64-bit memories, and within the \
         sandbox's limits"
    )]
}

/// Holds a compiled module against the contract.
pub(crate) fn fit(engine: &Engine, component: &Component) -> Result<PolicyPre<Limiter>, Reasons> {
    let instance = instance(engine, component).map_err(|error| uncompiled(&error))?;
    let reasons = type_reasons(engine, &instance);
    if !reasons.is_empty() {
        return Err(reasons);
    }
    PolicyPre::new(instance).map_err(|error| vec![format!("the module does not fit the contract: {error:#}")])
}

fn instance(engine: &Engine, component: &Component) -> wasmtime::Result<InstancePre<Limiter>> {
    let mut linker = Linker::new(engine);
    linker.instance(TYPES)?;
    wasi::define(engine, component, &mut linker)?;
    linker.instantiate_pre(component)
}

/// What the exports lack. Further exports are the generators' own affair.
fn type_reasons(engine: &Engine, instance: &InstancePre<Limiter>) -> Reasons {
    let component = instance.component().component_type();
    let Some(ComponentItem::ComponentInstance(decide)) = component.get_export(engine, DECIDE).map(|export| export.ty) else {
        return vec![format!("the module does not export `{DECIDE}`; build it for the world `policy` of that version")];
    };
    let export = |name| match decide.get_export(engine, name).map(|export| export.ty) {
        Some(ComponentItem::ComponentFunc(function)) => Some(function),
        _ => None,
    };
    let functions = [
        fault::<(), (types::Manifest,)>("describe", export("describe"), instance),
        fault::<(&str,), (Result<(), Vec<String>>,)>("validate-settings", export("validate-settings"), instance),
        fault::<(&types::Context, &str), (types::RowFilter,)>("scope", export("scope"), instance),
        fault::<(&types::Context, &types::Rows, Option<&types::Change>), (types::Verdicts,)>("check", export("check"), instance),
    ];
    functions.into_iter().flatten().collect()
}

fn fault<Parameters, Answer>(name: &str, function: Option<ComponentFunc>, instance: &InstancePre<Limiter>) -> Option<String>
where
    Parameters: ComponentNamedList + Lower,
    Answer: ComponentNamedList + Lift,
{
    let fault = match function {
        None => "is missing".to_owned(),
        Some(function) => {
            let mismatch = function.typecheck::<Parameters, Answer>(&instance.instance_type()).err()?;
            format!("has another type ({})", shortened(&format!("{mismatch:#}"), limits::TEXT_BYTES))
        }
    };
    Some(format!("`{name}` of `{DECIDE}` {fault}; the contract says `{}`", signature(name)))
}
