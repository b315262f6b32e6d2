//! The command line: `serve` and `demo`, and what the operator does with direct access to the database.
//!
//! Standard output is for results only; logs, progress and errors go to standard error. To add a command: a module here with its
//! arguments and its `run`, and its line in [`Command`].

mod backup;
mod compile;
mod config;
mod demo;
mod import;
mod logs;
mod migrate;
mod open;
mod policy;
mod progress;
mod remote;
mod schema;
mod serve;
mod settings;
mod token;
mod workspace;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::config::Layers;

/// Something failed.
const FAILURE: u8 = 1;
/// The command line or the configuration is wrong; what the parser itself ends with, too.
const USAGE: u8 = 2;
/// Stack of the threads that answer requests: resolvers of deep documents nest.
const THREAD_STACK_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Parser)]
#[command(
    name = "bailiwick",
    version,
    about = "A multi-tenant directory over GraphQL, decided by WebAssembly policies",
    long_about = "A directory of users, groups and roles for products with many tenants. Each workspace decides who sees what and who \
        may do what with its own WebAssembly policy, swapped while the server runs.",
    after_help = "Exit codes: 0 success, 1 failure, 2 wrong usage or configuration.",
    after_long_help = "\
Settings come from, weakest first: the defaults, the file of --config, variables BAILIWICK_* (`bailiwick config` prints them all \
with where each comes from), options. The server's secret is in DATA/secret, made on first use, or in BAILIWICK_SECRET.

Examples:
  bailiwick demo                                   Try it: sample workspaces, GraphiQL, tokens to paste
  bailiwick serve --migrate                        Serve what is in ./data
  bailiwick workspace create acme --administrator ada@acme.example
  bailiwick token create --workspace acme --user ada@acme.example

Exit codes: 0 success, 1 failure, 2 wrong usage or configuration.",
    propagate_version = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

// Options of every command. No doc comment: it would become the help of the program.
#[derive(Debug, Args)]
struct Global {
    /// Read settings from this file (TOML)
    #[arg(long, global = true, value_name = "FILE", env = "BAILIWICK_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Use this database: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: bailiwick.db in the data folder]
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// Keep the embedded database and the secret in this folder [default: ./data; for demo ./bailiwick-demo]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Demo(demo::Arguments),
    Migrate(migrate::Arguments),
    #[command(subcommand)]
    Workspace(workspace::Command),
    #[command(subcommand)]
    Token(token::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Import(import::Command),
    Backup(backup::Arguments),
    Schema(schema::Arguments),
    Config(config::Arguments),
    #[command(hide = true)]
    CompileModule(compile::Arguments),
}

/// Parses the command line, runs the command, and says what went wrong.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    if let Command::CompileModule(arguments) = &command {
        return compile::run(arguments);
    }
    let layers = match layers(&global, &command) {
        Ok(layers) => layers,
        Err(error) => return failed(&error.into(), USAGE),
    };
    let settings = match crate::config::Config::load(&layers) {
        Ok(settings) => settings,
        Err(error) => return failed(&error.into(), USAGE),
    };
    if let Err(error) = logs::start(&settings.log) {
        return failed(&error, USAGE);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(THREAD_STACK_BYTES).build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(command, settings, &layers)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, if error.is::<Usage>() { USAGE } else { FAILURE }),
    }
}

async fn run(command: Command, settings: crate::config::Config, layers: &Layers) -> anyhow::Result<()> {
    match command {
        Command::Serve(arguments) => serve::run(arguments, settings).await,
        Command::Demo(arguments) => demo::run(arguments, settings).await,
        Command::Migrate(arguments) => migrate::run(arguments, &settings).await,
        Command::Workspace(command) => workspace::run(command, &settings).await,
        Command::Token(command) => token::run(command, &settings).await,
        Command::Policy(command) => policy::run(command, &settings).await,
        Command::Import(command) => import::run(command, &settings).await,
        Command::Backup(arguments) => backup::run(arguments, &settings).await,
        Command::Schema(arguments) => {
            schema::run(&arguments);
            Ok(())
        }
        Command::Config(arguments) => {
            config::run(&arguments, layers);
            Ok(())
        }
        // It has ended by now.
        Command::CompileModule(_) => Ok(()),
    }
}

/// Defaults, file, environment, options. Whatever is no server logs for people; `demo` has more defaults of its own.
fn layers(global: &Global, command: &Command) -> Result<Layers, crate::config::Error> {
    let mut layers = Layers::new()?;
    match command {
        Command::Serve(_) | Command::Config(_) => {}
        Command::Demo(_) => demo::defaults(&mut layers),
        _ => layers.fixed("of the operator", "log.format", "text"),
    }
    if let Some(file) = &global.config {
        layers.file(file)?;
    }
    layers.environment(std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))))?;
    if let Some(database) = &global.database {
        layers.option("--database", "database", database);
    }
    if let Some(data) = &global.data {
        layers.option("--data", "data", &data.to_string_lossy());
    }
    match command {
        Command::Serve(arguments) => serve::options(arguments, &mut layers),
        Command::Demo(arguments) => demo::options(arguments, &mut layers),
        _ => {}
    }
    Ok(layers)
}

/// Options that do not fit together, as only the command itself can tell.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(&'static str);

/// Says what went wrong, with every cause that adds something.
fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let _gone = writeln!(std::io::stderr(), "error: {text}");
    ExitCode::from(code)
}

/// Says what may not be what was meant, and is done all the same.
fn warn(text: &str) {
    let _gone = writeln!(std::io::stderr(), "warning: {text}");
}

/// Prints a result. A reader that has gone away is no failure of ours.
fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    let _gone = output.write_all(text.as_bytes()).and_then(|()| output.write_all(b"\n")).and_then(|()| output.flush());
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;

    fn walk(command: &Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "{path} says what it does");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{path} {} says what it is", argument.get_id());
        }
        if command.has_subcommands() {
            command.get_subcommands().for_each(|command| walk(command, &path));
        } else {
            let examples = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            assert!(command.get_long_about().is_some() && examples.starts_with("Examples:"), "{path} has long help with examples");
        }
    }

    #[test]
    fn every_command_has_complete_help() {
        let command = Cli::command();
        command.clone().debug_assert();
        walk(&command, "");
        assert_eq!(
            command.get_about().map(ToString::to_string).unwrap_or_default(),
            "A multi-tenant directory over GraphQL, decided by WebAssembly policies"
        );
    }
}
