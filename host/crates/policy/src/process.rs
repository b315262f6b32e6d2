//! Compiling in a process of its own, the one step that fuel can not bound: whatever a module does to the compiler, it does it to a
//! process that has so much memory, so much processor time and so much patience, and no more.
//!
//! The module goes to the process's standard input. What comes out of its standard output is machine code if it ends well, and the
//! reasons against the module, with a NUL between them, if it ends with [`REFUSED`].

use std::{
    ffi::OsString,
    io::{self, Read, Write as _},
    path::PathBuf,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use crate::{
    engine::{SandboxConfig, compiling_engine},
    limits,
    module::{self, Reasons, Uncompiled},
    worker::stand_back,
};

/// How the process says that the module is at fault, and not the compiler.
const REFUSED: u8 = 3;

/// The program that compiles, and what it may use for one module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiling {
    /// A program that hands its arguments to [`compile_module`].
    pub program: PathBuf,
    /// What stands before the bounds among its arguments.
    pub arguments: Vec<OsString>,
    /// Bounds on one compilation.
    pub bounds: CompilingBounds,
}

/// What the compilation of one module may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompilingBounds {
    /// Seconds of processor time.
    pub cpu_seconds: u64,
    /// Bytes of address space.
    pub address_bytes: u64,
    /// Bytes of the module.
    pub module_bytes: usize,
    /// Bytes of linear memory of one guest: the code is made for it.
    pub memory_bytes: usize,
}

impl CompilingBounds {
    /// The bounds, each behind the name of its argument.
    const fn arguments(self) -> [(&'static str, u64); 4] {
        [
            ("--cpu-seconds", self.cpu_seconds),
            ("--address-bytes", self.address_bytes),
            ("--module-bytes", self.module_bytes as u64),
            ("--memory-bytes", self.memory_bytes as u64),
        ]
    }
}

/// Has a module compiled, within `deadline`.
pub(crate) fn precompile(with: &Compiling, bytes: &[u8], deadline: Duration) -> Result<Vec<u8>, Uncompiled> {
    let mut command = Command::new(&with.program);
    command.args(&with.arguments);
    for (name, bound) in with.bounds.arguments() {
        command.arg(name).arg(bound.to_string());
    }
    // Nothing of the server's own, such as its secret, is any of the compiler's business.
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = command.spawn().and_then(|child| converse(child, bytes, deadline));
    match ended {
        Ok(Ended { killed: true, .. }) => {
            Err(Uncompiled::Late(format!("compiling takes longer than {} ms; make the module smaller", deadline.as_millis())))
        }
        Ok(Ended { status, output, said, .. }) => Ok(judged(status, output, &said, with.bounds)?),
        Err(error) => {
            tracing::error!(%error, program = %with.program.display(), "the compiler does not start");
            Err(Uncompiled::Unable(format!("the compiler does not start ({error}); tell the operator of the server")))
        }
    }
}

/// How a process ended.
struct Ended {
    status: ExitStatus,
    output: Vec<u8>,
    /// The beginning of what it said to people.
    said: String,
    /// Because its time was over, or its output without end.
    killed: bool,
}

/// Gives the process its input, takes its output, and sees it to its end.
fn converse(mut child: Child, bytes: &[u8], deadline: Duration) -> io::Result<Ended> {
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|threads| {
        threads.spawn(move || {
            // A process that reads no further has its own reason, which its end tells.
            drop(input.map(|mut input| input.write_all(bytes)));
        });
        let said = threads.spawn(move || {
            let mut said = String::new();
            let read = errors.map(|errors| errors.take(limits::TEXT_BYTES as u64).read_to_string(&mut said));
            drop(read);
            said
        });
        let (sender, receiver) = channel();
        threads.spawn(move || {
            let mut code = Vec::new();
            let read = output.map_or(Ok(0), |output| output.take(limits::CODE_BYTES as u64 + 1).read_to_end(&mut code));
            drop(sender.send(read.map(|_| code)));
        });
        let (output, killed) = match receiver.recv_timeout(deadline) {
            Ok(Ok(code)) => (code, false),
            Ok(Err(error)) => {
                child.kill()?;
                child.wait()?;
                return Err(error);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => (Vec::new(), true),
        };
        let killed = killed || output.len() > limits::CODE_BYTES;
        if killed {
            child.kill()?;
        }
        let status = child.wait()?;
        Ok(Ended { status, output, said: said.join().unwrap_or_default(), killed })
    })
}

fn judged(status: ExitStatus, output: Vec<u8>, said: &str, bounds: CompilingBounds) -> Result<Vec<u8>, Reasons> {
    if status.success() {
        return Ok(output);
    }
    if status.code() == Some(i32::from(REFUSED)) {
        return Err(String::from_utf8_lossy(&output).split('\0').map(str::to_owned).collect());
    }
    if ran_out_of_time(status) {
        return Err(vec![format!("compiling takes more than {} s of processor time; make the module smaller", bounds.cpu_seconds)]);
    }
    tracing::warn!(%status, said, "the compiler failed on a module");
    let mib = bounds.address_bytes / (1024 * 1024);
    Err(vec![format!("the compiler failed on the module, within {mib} MiB of memory; make it smaller, or build it with other tools")])
}

/// The kernel ends a process at its limit of processor time by SIGXCPU.
#[cfg(unix)]
fn ran_out_of_time(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    status.signal() == Some(rustix::process::Signal::XCPU.as_raw())
}

#[cfg(not(unix))]
const fn ran_out_of_time(_: ExitStatus) -> bool {
    false
}

/// The process's own side: compiles the module on standard input within these bounds, and ends.
#[must_use]
pub fn compile_module(bounds: CompilingBounds) -> ExitCode {
    match confine(bounds).and_then(|()| answer(bounds)) {
        Ok(code) => code,
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn answer(bounds: CompilingBounds) -> io::Result<ExitCode> {
    let mut bytes = Vec::new();
    // One more than may be, so that a longer one is refused by its length.
    io::stdin().lock().take(bounds.module_bytes as u64 + 1).read_to_end(&mut bytes)?;
    let compile = move || {
        let sandbox = SandboxConfig { memory_bytes: bounds.memory_bytes, ..SandboxConfig::default() };
        let engine = compiling_engine(&sandbox).map_err(|error| vec![format!("the engine does not start: {error:#}")])?;
        module::precompile(&engine, &bytes, bounds.module_bytes)
    };
    let compiling = thread::Builder::new().stack_size(limits::COMPILER_THREAD_STACK_BYTES).spawn(compile)?;
    let compiled = compiling.join().map_err(|_| io::Error::other("the compiler panicked"))?;
    let (output, code) = match compiled {
        Ok(code) => (code, ExitCode::SUCCESS),
        Err(reasons) => {
            let reasons: Vec<String> = reasons.iter().map(|reason| reason.replace('\0', "")).collect();
            (reasons.join("\0").into_bytes(), ExitCode::from(REFUSED))
        }
    };
    io::stdout().lock().write_all(&output)?;
    Ok(code)
}

/// Takes from this process what a compiler does not need. It ends with the one that started it.
#[cfg(unix)]
fn confine(bounds: CompilingBounds) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let most = |value| Rlimit { current: Some(value), maximum: Some(value) };
    // Nobody's request is as urgent as those that need no module compiled.
    stand_back();
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // The kernel warns at the first number and kills at the second: told apart, one is known from any other death.
    setrlimit(Resource::Cpu, Rlimit { current: Some(bounds.cpu_seconds), maximum: Some(bounds.cpu_seconds.saturating_add(1)) })?;
    setrlimit(Resource::As, most(bounds.address_bytes))?;
    setrlimit(Resource::Core, most(0))?;
    setrlimit(Resource::Fsize, most(0))?;
    Ok(())
}

/// Where there are no such limits, the deadline is the only one.
#[cfg(not(unix))]
const fn confine(_: CompilingBounds) -> io::Result<()> {
    Ok(())
}
