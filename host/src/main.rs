//! The command line of Bailiwick.

use std::process::ExitCode;

fn main() -> ExitCode {
    bailiwick::cli::main()
}
