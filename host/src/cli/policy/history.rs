//! `bailiwick policy history`.

use directory::{
    limits::HISTORY_PAGE,
    model::{Author, StepNumber, ToldStep},
};

use super::super::{open, print};
use crate::{config::Config, policy_history};

/// Show what was done with a workspace's policy, by whom, from where and why
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints the steps of a workspace's policy, the latest first: what came in, what was refused and by which gate, what was \
        activated, rolled back or forced. With --json, one object a line. People are told by their ids.",
    after_long_help = "\
Examples:
  bailiwick policy history --workspace acme
  bailiwick policy history --workspace acme --first 1000 --json"
)]
pub(in crate::cli) struct History {
    /// The workspace's key
    #[arg(long, value_name = "KEY")]
    workspace: String,
    /// At most so many steps
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    first: u32,
    /// Only steps before that of this number
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..))]
    after: Option<i64>,
    /// One JSON object a line, as `GET /v1/policies/history` has them
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: History, config: &Config) -> anyhow::Result<()> {
    let History { workspace, first, after, json } = arguments;
    let database = open::database(config).await?;
    let store = database.store();
    let workspace = open::workspace(store.as_ref(), &workspace).await?.id;
    let (mut left, mut after) = (usize::try_from(first)?, after.map(StepNumber));
    while left > 0 {
        let page = open::operator().policy_history(store.as_ref(), workspace, after, left.min(HISTORY_PAGE)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.number);
        left = left.saturating_sub(page.len());
        for step in &page {
            print(&if json { policy_history::step(step).to_string() } else { line(step) });
        }
    }
    database.close().await;
    Ok(())
}

/// A step on a line, and each of its reasons on one of its own.
fn line(step: &ToldStep) -> String {
    let by = match step.by.shown() {
        Some(Author::User(id)) => id.to_string(),
        Some(Author::Service(id)) => format!("service {id}"),
        Some(Author::Operator) => "operator".to_owned(),
        None => "somebody".to_owned(),
    };
    let peer = step.peer.shown().copied().flatten().map_or_else(String::new, |peer| format!(" from {peer}"));
    let about = step.version.map(|id| id.to_string()).or_else(|| step.module.map(|id| id.to_string())).unwrap_or_default();
    let at = policy_history::instant(step.at).unwrap_or_default();
    let mut line = format!("{:>5}  {at}  {}  {about}  {by} via {}{peer}", step.number.0, step.step.name(), step.via);
    if let Some(note) = step.note.shown().and_then(Option::as_ref) {
        line.push_str(&format!("  {note:?}"));
    }
    for reason in &step.reasons {
        line.push_str(&format!("\n       - {reason}"));
    }
    line
}
