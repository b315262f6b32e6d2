//! `bailiwick policy check`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use directory::contract::{Engine, Manifest, Validation};
use serde_json::{Value, json};

use crate::{
    cli::{print, progress, settings::Settings},
    config::Config,
    wiring,
};

/// Bytes of a module from which on it takes a while to compile.
const LARGE_BYTES: usize = 1024 * 1024;

/// Do to a module what an upload does, here
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Compiles a module within the server's bounds, asks it what it is, and puts made-up facts to it for every kind and \
        action that it decides: exactly what a server does to an upload, without one, and without a database. Prints what the module is \
        and what a row costs, or every reason why it would be rejected, each with its remedy; then the exit code is 1. Bounds that a \
        server's operator has changed are read from --config, as the server does.",
    after_long_help = "\
Examples:
  bailiwick policy check policy.wasm
  bailiwick policy check policy.wasm --settings '{\"mode\": \"strict\"}'
  bailiwick policy check policy.wasm --json"
)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    module: ModuleFile,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

// What is looked at. No doc comment: it would become the help of the commands that share this.
#[derive(Debug, clap::Args)]
pub(super) struct ModuleFile {
    /// The module: a component, or a core module built with wit-bindgen
    #[arg(value_name = "WASM")]
    file: PathBuf,
    /// Also look at it under these settings, or those of a file, as an activation does
    #[arg(long, value_name = "JSON|@FILE")]
    settings: Option<Settings>,
}

/// What an upload would find.
pub(super) struct Findings {
    pub(super) validation: Validation,
    pub(super) settings: String,
    bytes: usize,
    core: bool,
}

pub(super) async fn run(check: Check, config: &Config) -> anyhow::Result<()> {
    let findings = check.module.examine(wiring::engine(config)?.as_ref()).await?;
    print(&if check.json { findings.json().to_string() } else { findings.text() });
    match findings.validation.reasons.len() {
        0 => Ok(()),
        1 => bail!("the module would be rejected"),
        count => bail!("the module would be rejected, for {count} reasons"),
    }
}

impl ModuleFile {
    /// Puts the module to everything that an upload is put to.
    pub(super) async fn examine(self, engine: &dyn Engine) -> anyhow::Result<Findings> {
        let Self { file, settings } = self;
        let bytes = read(&file)?;
        let waiting = compiling(bytes.len());
        let settings = settings.unwrap_or_default().0;
        // An upload is looked at under the module's defaults, whatever it will be activated with.
        let mut validation = engine.validate(&bytes, "").await;
        if !settings.is_empty() && validation.manifest.is_some() {
            let under = engine.validate(&bytes, &settings).await;
            let further: Vec<String> = under.reasons.into_iter().filter(|reason| !validation.reasons.contains(reason)).collect();
            validation.reasons.extend(further.into_iter().map(|reason| format!("under the settings given: {reason}")));
            validation.fuel_per_row = under.fuel_per_row;
        }
        drop(waiting);
        Ok(Findings { validation, settings, bytes: bytes.len(), core: wiring::is_core_module(&bytes) })
    }
}

/// Says that a large module is compiled, until it is dropped.
pub(super) fn compiling(bytes: usize) -> Option<progress::Waiting> {
    let what = || format!("compiling {} MB of WebAssembly, which takes a core 10 to 20 s", bytes / 1_000_000);
    (bytes >= LARGE_BYTES).then(|| progress::Waiting::begin(&what()))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("the module `{}` can not be read", file.display()))
}

impl Findings {
    fn text(&self) -> String {
        let Validation { digest, manifest, reasons, fuel_per_row, .. } = &self.validation;
        let accepted = if reasons.is_empty() { "accepted" } else { "rejected" };
        let named = manifest.as_ref().map_or_else(String::new, |manifest| format!(": {} {}", manifest.name, manifest.version));
        let core = if self.core { ", a core module, which the server turns into a component" } else { "" };
        let mut lines = vec![format!("{accepted}{named}")];
        if let Some(Manifest { summary, .. }) = manifest {
            lines.push(format!("  {summary}"));
        }
        lines.push(line("digest", &digest.to_string()));
        lines.push(line("size", &format!("{} bytes{core}", progress::grouped(self.bytes as u64))));
        if let Some(Manifest { needs, decides, otherwise, fields, .. }) = manifest {
            lines.push(line("decides", &listed(decides)));
            lines.push(line("otherwise", otherwise));
            lines.push(line("needs", &listed(needs)));
            lines.push(line("fields", &listed(fields)));
        }
        for (kind, fuel) in fuel_per_row {
            let (fuel, budget) = (progress::grouped(*fuel), progress::grouped(wiring::ROW_FUEL));
            lines.push(line("fuel", &format!("{fuel} for a row of `{kind}`, of {budget}")));
        }
        lines.extend((1..).zip(reasons).map(|(number, reason)| format!("  {number}. {reason}")));
        lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> Value {
        let Validation { digest, manifest, reasons, fuel_per_row, .. } = &self.validation;
        json!({
            "accepted": reasons.is_empty(),
            "digest": digest.to_string(),
            "bytes": self.bytes,
            "coreModule": self.core,
            "manifest": manifest.as_ref().map(manifest_json),
            "fuelPerRow": fuel_per_row.iter().cloned().collect::<BTreeMap<_, _>>(),
            "reasons": reasons,
        })
    }
}

fn manifest_json(manifest: &Manifest) -> Value {
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "summary": manifest.summary,
        "needs": manifest.needs,
        "decides": manifest.decides,
        "otherwise": manifest.otherwise,
        "fields": manifest.fields,
    })
}

/// A line about one thing, with what it is in a column of its own.
fn line(what: &str, text: &str) -> String {
    format!("  {what:<10} {text}")
}

/// A line without characters that would do something to a terminal: much of it is a stranger's words.
pub(super) fn printable(line: &str) -> String {
    line.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(" ") }
}
