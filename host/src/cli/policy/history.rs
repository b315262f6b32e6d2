//! `bailiwick policy history`.

use directory::{limits::HISTORY_PAGE, model::StepNumber};
use serde::Deserialize;
use serde_json::Value;

use super::super::{
    open, print,
    remote::{OptionalPlace, Remote},
};
use crate::{config::Config, policy_history};

/// Show what was done with a workspace's policy, by whom, from where and why
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints the steps of a workspace's policy, the latest first: what came in, what was refused and by which gate, what was \
        activated, rolled back or forced. With --json, one object a line. People are told by their ids. Through a server, with somebody's \
        token, or with --workspace, for whoever has the database.",
    after_long_help = "\
Examples:
  bailiwick policy history
  bailiwick policy history --workspace acme
  bailiwick policy history --workspace acme --first 1000 --json"
)]
pub(in crate::cli) struct History {
    #[command(flatten)]
    place: OptionalPlace,
    /// The workspace's key: read in the database itself
    #[arg(long, value_name = "KEY")]
    workspace: Option<String>,
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

/// A page of the history, as the server has it.
#[derive(Deserialize)]
struct Page {
    steps: Vec<Value>,
    more: bool,
}

pub(super) async fn run(arguments: History, config: &Config) -> anyhow::Result<()> {
    let History { place, workspace, first, after, json } = arguments;
    let (mut left, mut after) = (usize::try_from(first)?, after);
    let show = |steps: &[Value]| steps.iter().for_each(|step| print(&if json { step.to_string() } else { line(step) }));
    let Some(workspace) = workspace else {
        let remote = Remote::new(place.place()?)?;
        while left > 0 {
            let before = after.map_or_else(String::new, |after| format!("&after={after}"));
            let page = remote.get(&format!("/v1/policies/history?first={}{before}", left.min(HISTORY_PAGE))).await?;
            let Page { steps, more } = serde_json::from_str(&page)?;
            show(&steps);
            after = steps.last().and_then(|step| step.get("number")).and_then(Value::as_i64);
            left = if more { left.saturating_sub(steps.len()) } else { 0 };
        }
        return Ok(());
    };
    let database = open::database(config).await?;
    let store = database.store();
    let workspace = open::workspace(store.as_ref(), &workspace).await?.id;
    while left > 0 {
        let page = open::operator().policy_history(store.as_ref(), workspace, after.map(StepNumber), left.min(HISTORY_PAGE)).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.number.0);
        left = left.saturating_sub(page.len());
        show(&page.iter().map(|step| policy_history::step(step)).collect::<Vec<_>>());
    }
    database.close().await;
    Ok(())
}

/// A step on a line, and each of its reasons on one of its own.
fn line(step: &Value) -> String {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let by = step.get("by").unwrap_or(&Value::Null);
    let by = match text(by, "kind").as_deref() {
        Some("user") => text(by, "id").unwrap_or_default(),
        Some("service") => format!("service {}", text(by, "id").unwrap_or_default()),
        Some(other) => other.to_owned(),
        None => "somebody".to_owned(),
    };
    let peer = text(step, "peer").map_or_else(String::new, |peer| format!(" from {peer}"));
    let about = text(step, "version").or_else(|| text(step, "module")).unwrap_or_default();
    let number = step.get("number").and_then(Value::as_i64).unwrap_or_default();
    let [at, name, via] = ["at", "step", "via"].map(|name| text(step, name).unwrap_or_default());
    let mut line = format!("{number:>5}  {at}  {name}  {about}  {by} via {via}{peer}");
    if let Some(note) = text(step, "note") {
        line.push_str(&format!("  {note:?}"));
    }
    for reason in step.get("reasons").and_then(Value::as_array).into_iter().flatten() {
        let gate = text(reason, "gate").map_or_else(String::new, |gate| format!("{gate}: "));
        line.push_str(&format!("\n       - {gate}{}", text(reason, "text").unwrap_or_default()));
    }
    line
}
