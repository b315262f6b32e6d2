//! `bailiwick policy log`.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::super::{
    print,
    remote::{Place, Remote},
};

/// Show what the policy decided
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints the decision log of a workspace, oldest first: changes and refusals one and all, reads as a sample. It takes \
        somebody who may explain the policy. With --follow it goes on until Ctrl-C; with --json, one object a line, as \
        `GET /v1/policies/decisions` has them.",
    after_long_help = "\
Examples:
  bailiwick policy log
  bailiwick policy log --from 1200 --json > decisions.jsonl
  bailiwick policy log --follow"
)]
pub(in crate::cli) struct Log {
    #[command(flatten)]
    place: Place,
    /// Begin with the entry of this number, or the oldest that is kept if that is later
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    from: u64,
    /// Wait for more when the end is reached
    #[arg(long)]
    follow: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Entries that are asked for at once.
const PAGE: usize = 1_000;
/// Between two looks at a log that is followed.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    number: u64,
    at: Option<String>,
    user: Option<String>,
    service: Option<String>,
    action: String,
    objects: Vec<String>,
    rows: u64,
    outcome: String,
    withheld: Vec<String>,
    reason: String,
    weight: u64,
}

pub(super) async fn run(Log { place, mut from, follow, json }: Log) -> anyhow::Result<()> {
    let remote = Remote::new(place)?;
    loop {
        let page = remote.get(&format!("/v1/policies/decisions?from={from}&limit={PAGE}")).await?;
        let mut lines = 0;
        for text in page.lines() {
            let value: Value = serde_json::from_str(text)?;
            let entry: Entry = serde_json::from_value(value)?;
            from = entry.number + 1;
            lines += 1;
            print(&if json { text.to_owned() } else { line(&entry) });
        }
        if lines < PAGE {
            if !follow {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// An entry on a line.
fn line(entry: &Entry) -> String {
    let at = entry.at.as_deref().unwrap_or_default();
    let Entry { number, action, outcome, reason, weight, .. } = entry;
    if outcome == "missing" {
        return format!("{number:>7}  {at}  {weight} decisions could not be recorded");
    }
    let who = match (&entry.user, &entry.service) {
        (Some(user), _) => user.clone(),
        (_, Some(service)) => format!("service {service}"),
        _ => "somebody".to_owned(),
    };
    let about = match entry.objects.as_slice() {
        [] => String::new(),
        [only] => format!("  {only}"),
        [first, ..] => format!("  {first} and {} more", entry.rows.saturating_sub(1)),
    };
    let withheld = if entry.withheld.is_empty() { String::new() } else { format!("  without {}", entry.withheld.join(", ")) };
    let stands_for = if *weight > 1 { format!("  (1 of {weight})") } else { String::new() };
    let reason = if reason.is_empty() { String::new() } else { format!("  {reason:?}") };
    format!("{number:>7}  {at}  {outcome:<7}  {action}{about}  by {who}{withheld}{reason}{stands_for}")
}
