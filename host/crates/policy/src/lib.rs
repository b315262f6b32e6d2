//! The sandbox: runs the policies that workspaces upload, as WebAssembly components, behind [`directory::contract::Engine`].
//!
//! # What it is for
//! A [`Sandbox`] turns bytes into code ([`validate`](directory::contract::Engine::validate),
//! [`load`](directory::contract::Engine::load)) and opens [`Session`](directory::contract::Session)s, each a guest of its own for one
//! request. Whatever a guest does, the caller gets a well-formed answer or a [`Failure`](directory::contract::Failure) within the
//! bounds of [`limits`]. Guests run on threads of the sandbox's own; the compiler in a process of its own ([`Compiling`]).
//!
//! # What it must never do
//! - Decide. A failure is handed up as a failure, and never becomes an answer.
//! - Lend a guest anything: no clock that runs, no randomness, no files, no network, no memory of an earlier request.
//! - Run a call without fuel, a memory limit and a limit on its answer, or on an async worker.
//! - Let one workspace take what its neighbours need: their requests find threads, places and processor time whatever it does.
//! - Load compiled code that came from outside. Only bytes of WebAssembly come in; machine code is loaded from the compiler's own process,
//!   or from a file that carries a MAC of this server.
//!
//! # How to add a version of the contract
//! 1. Put its WIT beside the frozen one and a second `bindgen!` into `bindings`, with its names of the two interfaces.
//! 2. Give `convert` the functions between its types and those of [`directory::contract`].
//! 3. Make `bindings::Decide` an enum of the versions served, and let `module::compile` pick the newest one that the exports fit.
//! 4. Add its hostile guests to the suite, and keep those of the old one.

mod agree;
mod answers;
mod bindings;
mod cache;
mod compiler;
mod componentize;
mod convert;
mod disk;
mod engine;
mod facts;
mod fuel;
mod guest;
mod imports;
pub mod limits;
mod module;
mod outline;
mod probe;
mod process;
mod sample;
mod sandbox;
mod session;
mod share;
mod validate;
mod wasi;
mod worker;
mod world;

pub use disk::CodeFolder;
pub use engine::{CompilerPlace, SandboxConfig};
pub use fuel::FuelBudget;
pub use outline::is_core_module;
pub use process::{Compiling, CompilingBounds, compile_module};
pub use sample::{Sample, samples};
pub use sandbox::{Error, Sandbox};
pub use share::{ShareLimits, Stopwatch};
