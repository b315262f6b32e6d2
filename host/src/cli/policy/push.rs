//! `bailiwick policy push`.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{
        print,
        remote::{Place, Remote, refused},
        settings::Settings,
    },
    change,
};

/// Upload a module to a server
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Uploads a module (a component, or a core module of wit-bindgen, which the server makes one of), and prints its id. A module \
        that the server rejects is told with every reason, and the exit code is 1. With --activate it decides from the next request on, if \
        every gate lets it through.",
    after_long_help = "\
Examples:
  bailiwick policy push policy.wasm --note 'ticket 12'
  bailiwick policy push policy.wasm --activate
  bailiwick policy push policy.wasm --activate --settings @settings.json"
)]
pub(in crate::cli) struct Push {
    #[command(flatten)]
    place: Place,
    /// The module
    #[arg(value_name = "WASM")]
    module: PathBuf,
    /// For people, and for the history
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Activate it, too
    #[arg(long)]
    activate: bool,
    /// Its settings, or the file that has them [default: the active ones, or else its own defaults]
    #[arg(long, value_name = "JSON|@FILE", requires = "activate")]
    settings: Option<Settings>,
    /// Print the server's answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uploaded {
    id: String,
    status: String,
    digest: String,
    #[serde(default)]
    core_module: bool,
    #[serde(default)]
    reasons: Vec<String>,
}

pub(super) async fn run(arguments: Push) -> anyhow::Result<()> {
    let Push { place, module, note, activate, settings, json } = arguments;
    let bytes = std::fs::read(&module).with_context(|| format!("{} can not be read", module.display()))?;
    let remote = Remote::new(place)?;
    // Before the upload, so that whoever activates something meanwhile is not overwritten.
    let seen = if activate { Some(change::active(&remote).await?) } else { None };
    let mut path = "/v1/policies".to_owned();
    if let Some(note) = &note {
        path = format!("{path}?note={}", encoded(note));
    }
    let page = remote.put(&path, "application/wasm", bytes).await?;
    let Ok(uploaded) = serde_json::from_str::<Uploaded>(&page.body) else { return Err(refused(&page)) };
    if json {
        print(serde_json::from_str::<Value>(&page.body)?.to_string().as_str());
    } else {
        let core = if uploaded.core_module { "  (a core module, which the server has made a component of)" } else { "" };
        print(&format!("{}  {}  {}{core}", uploaded.id, uploaded.status, uploaded.digest));
    }
    if uploaded.status != "validated" {
        let reasons: Vec<String> = uploaded.reasons.iter().map(|reason| format!("\n- {reason}")).collect();
        bail!("the module is rejected:{}", reasons.concat());
    }
    if let Some(expected) = seen {
        let active = change::activate(&remote, Some(&uploaded.id), &expected, (settings.map(|settings| settings.0), None), note).await?;
        print(&format!("active: {active}"));
    }
    Ok(())
}

/// A text as part of a query string.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn any_note_is_part_of_an_address() {
        assert_eq!(encoded("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
