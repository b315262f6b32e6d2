//! `bailiwick compile-module`, which the server calls for itself.

use std::process::ExitCode;

use crate::wiring;

/// Compile a policy module, as the server has it done
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Reads a module from standard input and writes machine code to standard output, within these bounds. The server starts \
        this for each module that it compiles, so that a module which is hard on the compiler is hard on nobody else. The code is of \
        use to a server of the same build on the same machine only.",
    after_long_help = "\
Examples:
  bailiwick compile-module --cpu-seconds 90 --address-bytes 4294967296 --module-bytes 33554432 --memory-bytes 67108864 < module.wasm"
)]
pub(super) struct Arguments {
    /// Seconds of processor time
    #[arg(long)]
    cpu_seconds: u64,
    /// Bytes of address space
    #[arg(long)]
    address_bytes: u64,
    /// Bytes that the module may have
    #[arg(long)]
    module_bytes: usize,
    /// Bytes of memory that the policy may use when it runs
    #[arg(long)]
    memory_bytes: usize,
}

/// Before anything else of the program is set up: what is not there can not be broken.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let Arguments { cpu_seconds, address_bytes, module_bytes, memory_bytes } = *arguments;
    wiring::compile_module(wiring::CompilingBounds { cpu_seconds, address_bytes, module_bytes, memory_bytes })
}
