//! `bailiwick policy test`.

use std::{
    fmt::Write as _,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use directory::{
    contract::{Digest, Module},
    limits::{MODULE_BYTES, TESTS_BYTES},
    trials::{Candidate, Difference, Mistake, Outcome, Report, Trials as _},
};
use sha2::{Digest as _, Sha256};

use super::{
    super::{print, settings::Settings},
    check::{compiling, printable},
};
use crate::{
    config::Config,
    trials::{self, Runner, mistakes_json, report_json},
    wiring,
};

/// Try a file of policy tests on a module
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Makes the small workspace that the file describes, lets the module decide in it, asks everything that the file expects, and \
        prints what is different. It is what the server does with a workspace's tests before an upload becomes active; it needs neither \
        a server nor a database. The exit code is 1 if anything is different. docs/policy-tests.md describes the format.",
    after_long_help = "\
Examples:
  bailiwick policy test house.toml                 Under `standard`
  bailiwick policy test house.toml --module policy.wasm
  bailiwick policy test house.toml --module policy.wasm --settings '{\"mode\": \"strict\"}' --json"
)]
pub(in crate::cli) struct Test {
    /// The tests (TOML)
    file: PathBuf,
    /// The module: a component, or a core module [default: `standard` alone]
    #[arg(long, value_name = "WASM")]
    module: Option<PathBuf>,
    /// The module's settings, or a file with them, where the tests have none [default: its own defaults]
    #[arg(long, value_name = "JSON|@FILE", requires = "module")]
    settings: Option<Settings>,
    /// The settings of `standard`, or a file with them, where the tests have none [default: its own defaults]
    #[arg(long, value_name = "JSON|@FILE")]
    standard_settings: Option<Settings>,
    /// Print one line of JSON instead of a text for people
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Test, config: &Config) -> anyhow::Result<()> {
    let Test { file, module, settings, standard_settings, json } = arguments;
    let text = String::from_utf8(read(&file, TESTS_BYTES)?);
    let text = text.with_context(|| format!("`{}` is not UTF-8; save it as UTF-8", file.display()))?;
    let candidate = Candidate {
        module: module.as_deref().map(load).transpose()?,
        settings: settings.unwrap_or_default().0,
        standard: wiring::standard(),
        standard_settings: standard_settings.unwrap_or_default().0,
    };
    if let Err(mistakes) = trials::check(&text) {
        if json {
            print(&mistakes_json(&mistakes).to_string());
        }
        let told: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
        bail!("`{}` can not be used:\n  {}", file.display(), told.join("\n  "));
    }
    let engine = wiring::engine(config)?;
    if let Some(module) = &candidate.module {
        // Here, since compiling may take longer than a trial.
        let _waiting = compiling(module.bytes.len());
        let reasons = engine.validate(&module.bytes, "").await.reasons;
        if !reasons.is_empty() {
            bail!("the module would be rejected: {}", reasons.join("; "));
        }
    }
    let report = Runner::new(engine).run(&text, &candidate).await?;
    if json {
        print(&report_json(&report).to_string());
    } else if report.unfinished.is_none() {
        print(&for_people(&report));
    }
    if let Some(why) = report.unfinished {
        bail!("the tests could not be run: {why}");
    }
    if report.failed > 0 {
        bail!("{} of {} expectations are not met", report.failed, report.passed + report.failed);
    }
    Ok(())
}

fn read(file: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let name = file.display();
    let opened = std::fs::File::open(file).with_context(|| format!("`{name}` can not be opened; check the path"))?;
    let mut bytes = Vec::new();
    opened.take(most as u64 + 1).read_to_end(&mut bytes).with_context(|| format!("`{name}` can not be read"))?;
    if bytes.len() > most {
        bail!("`{name}` has more than {most} bytes; make it smaller");
    }
    Ok(bytes)
}

fn load(file: &Path) -> anyhow::Result<Module> {
    let bytes: Arc<[u8]> = read(file, MODULE_BYTES)?.into();
    Ok(Module { digest: Digest(Sha256::digest(&bytes).into()), bytes })
}

/// Each difference with what was expected above what was found, then the counts.
fn for_people(report: &Report) -> String {
    let mut text = String::new();
    for Difference { place, subject, action, resource, expected, expected_reason, found, found_reason } in &report.differences {
        let lines = [
            format!("{place}: {subject} {action} {resource}"),
            format!("  expected  {}", line(expected, expected_reason.as_deref())),
            format!("  found     {}", line(found, Some(found_reason))),
        ];
        let marks = marked(expected, found).into_iter().map(|mark| format!("            {mark}"));
        for line in lines.into_iter().chain(marks) {
            let _infallible = writeln!(text, "{}", printable(&line));
        }
    }
    let left_out = report.failed.saturating_sub(report.differences.len());
    if left_out > 0 {
        let _infallible = writeln!(text, "and {left_out} more");
    }
    let _infallible = write!(text, "{} passed, {} failed", report.passed, report.failed);
    text
}

fn line(outcome: &Outcome, reason: Option<&str>) -> String {
    match reason {
        Some(reason) if !reason.is_empty() => format!("{outcome}  \"{reason}\""),
        _ => outcome.to_string(),
    }
}

/// Of fields and rows, which are missing (`-`) and which nobody expected (`+`).
fn marked(expected: &Outcome, found: &Outcome) -> Vec<String> {
    let (expected, found) = match (expected, found) {
        (Outcome::Allowed { hidden: Some(expected) }, Outcome::Allowed { hidden: Some(found) }) => (expected, found),
        (Outcome::Shows(expected), Outcome::Shows(found)) => (expected, found),
        _ => return Vec::new(),
    };
    let missing = expected.iter().filter(|name| !found.contains(name)).map(|name| format!("- {name}"));
    missing.chain(found.iter().filter(|name| !expected.contains(name)).map(|name| format!("+ {name}"))).collect()
}
