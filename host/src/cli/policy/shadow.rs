//! `bailiwick policy shadow`.

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        print,
        progress::grouped,
        remote::{Place, Remote},
    },
    change::{UserError, none_of},
    compare::{Candidate, EXAMPLE, Failure, Line, report},
};

/// Let a candidate answer live traffic beside the active policy, and see what differs
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    Start(Start),
    Show(Show),
    Stop(Stop),
}

/// Start a shadow: a candidate answers beside the active policy, and none of its answers is used
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Lets a candidate answer what traffic asks, beside the active policy. What differs is counted, within a budget of the \
        server's, and none of the candidate's answers is used. It runs until it is stopped, or another version becomes active. It takes \
        somebody who may activate policies.",
    after_long_help = "\
Examples:
  bailiwick policy shadow start --candidate pol_0190c7f1a5b87e1c9d2f3a4b5c6d7e8f --note 'ticket 12'
  bailiwick policy shadow start --candidate standard --settings @strict.json
  bailiwick policy shadow show
  bailiwick policy shadow stop"
)]
pub(in crate::cli) struct Start {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    candidate: Candidate,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// Show what differs so far, for whoever may explain the policy
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints what the shadow that runs, or ran last, has found: which rows and fields are gained and lost, with examples of those \
        that you may see, where a policy failed, and what both have cost. It takes somebody who may explain and read the policy.",
    after_long_help = "\
Examples:
  bailiwick policy shadow show
  bailiwick policy shadow show --json"
)]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    place: Place,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Stop the shadow; what it found stays until the next one starts
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Stops the shadow that runs. What it found stays until the next one starts. It takes somebody who may activate policies.",
    after_long_help = "\
Examples:
  bailiwick policy shadow stop"
)]
pub(in crate::cli) struct Stop {
    #[command(flatten)]
    place: Place,
}

const SHOW: &str = "{
  policyShadow {
    id running startedAt startedBy { ...person } stoppedAt note activeVersionId policyId digest skipped
    activeCalls activeFuel candidateCalls candidateFuel
    actions { action compared gained lost fieldsChanged fields { name hidden shown } examples { ...example } }
    failures { side action pairs reason }
  }
}";

const START: &str = "mutation ($input: StartPolicyShadowInput!) {
  answer: startPolicyShadow(input: $input) { shadow { id } userErrors { code message } }
}";

const STOP: &str = "mutation ($input: StopPolicyShadowInput!) {
  answer: stopPolicyShadow(input: $input) { userErrors { code message } }
}";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shadow {
    id: String,
    running: bool,
    started_at: String,
    active_version_id: String,
    policy_id: Option<String>,
    skipped: u64,
    active_fuel: u64,
    candidate_calls: u64,
    candidate_fuel: u64,
    actions: Vec<Line>,
    failures: Vec<Failure>,
}

#[derive(Deserialize)]
struct Answer {
    answer: Option<Payload>,
}

/// `None` for whoever may not see what comes of it, and where one is stopped.
#[derive(Deserialize)]
struct Started {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    shadow: Option<Started>,
    user_errors: Vec<UserError>,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Start(Start { place, candidate, note }) => {
            let remote = Remote::new(place)?;
            let input = json!({ "candidate": candidate.input()?, "note": note });
            let started = done(remote.graphql(START, &json!({ "input": input })).await?)?;
            print(&started.map_or_else(|| "started".to_owned(), |Started { id }| format!("started: {id}")));
        }
        Command::Show(Show { place, json }) => {
            let (shadow, value) = last(&Remote::new(place)?).await?;
            print(&if json {
                serde_json::to_string_pretty(&value)?
            } else {
                report::changes(head(&shadow), &shadow.actions, &shadow.failures)
            });
        }
        Command::Stop(Stop { place }) => {
            done(Remote::new(place)?.graphql(STOP, &json!({ "input": {} })).await?)?;
            print("stopped");
        }
    }
    Ok(())
}

/// The shadow that runs, or ran last; also as the server tells it.
async fn last(remote: &Remote) -> anyhow::Result<(Shadow, Value)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Seen {
        policy_shadow: Option<Value>,
    }
    let seen: Seen = remote.graphql(&format!("{SHOW}{EXAMPLE}"), &json!({})).await?;
    let value = seen.policy_shadow.context("there never was a shadow; start one with `policy shadow start`")?;
    Ok((serde_json::from_value(value.clone())?, value))
}

fn head(shadow: &Shadow) -> String {
    let Shadow { id, running, started_at, active_version_id, policy_id, skipped, active_fuel, candidate_calls, candidate_fuel, .. } =
        shadow;
    let state = if *running { "running" } else { "ended" };
    let compared = shadow.actions.iter().map(|line| line.compared()).sum();
    format!(
        "{id}  {state}  started: {started_at}\n{} beside {active_version_id}\n{} rows compared, {} skipped\n{} calls of the candidate with {} \
         units of fuel; {} for the active policy",
        policy_id.as_deref().unwrap_or("standard"),
        grouped(compared),
        grouped(*skipped),
        grouped(*candidate_calls),
        grouped(*candidate_fuel),
        grouped(*active_fuel),
    )
}

fn done(Answer { answer }: Answer) -> anyhow::Result<Option<Started>> {
    let payload = answer.context("the server answers without a payload")?;
    none_of(&payload.user_errors)?;
    Ok(payload.shadow)
}
