//! `bailiwick import`.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::{Context as _, bail};
use directory::store::ImportSummary;
use serde_json::{Value, json};

use super::{open, print, progress::Progress, settings::Settings, workspace::check_settings};
use crate::{
    config::Config,
    organisations::{self, FILE_BYTES, Oddity, Plan},
    wiring,
};

/// Handles of one sort of oddity that the summary for people names.
const NAMED: usize = 5;

/// Bring in data of other systems
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Organisations(Organisations),
}

/// Bring in organisations with their teams from a file
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Makes each organisation of a file a workspace, or brings that workspace up to date: teams become groups, maintainers \
        managers, owners administrators, handles accounts. All or nothing for each organisation; the others are brought in all the \
        same, and the exit code is 1. Adds and changes, never removes; a second time changes nothing. Prints what was done and what \
        was odd. docs/organisations-format.md describes the format.",
    after_long_help = "\
Examples:
  bailiwick import organisations kubernetes-org.json --dry-run
  bailiwick import organisations kubernetes-org.json
  bailiwick import organisations kubernetes-org.json --settings '{\"members_see\": \"workspace\"}' --json"
)]
pub(super) struct Organisations {
    /// The file (JSON)
    file: PathBuf,
    /// Only check file and settings, and say what is odd in it
    #[arg(long)]
    dry_run: bool,
    /// Print one line of JSON instead of a summary for people
    #[arg(long)]
    json: bool,
    /// Settings of `standard`, or a file with them, for workspaces that are not there yet [default: its own]
    #[arg(long, value_name = "JSON|@FILE", default_value = "", hide_default_value = true)]
    settings: Settings,
}

/// What became of one organisation.
struct Outcome {
    key: String,
    result: Result<(Plan, Option<ImportSummary>), Vec<String>>,
}

pub(super) async fn run(Command::Organisations(arguments): Command, config: &Config) -> anyhow::Result<()> {
    let file = organisations::parse(&read(&arguments.file)?).with_context(|| format!("`{}`", arguments.file.display()))?;
    let plans = file.organisations.iter().enumerate().map(|(index, organisation)| {
        let plan = organisations::plan(&file, index);
        (organisation.key.clone(), plan.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>()))
    });
    let plans: Vec<_> = plans.collect();
    let settings = &arguments.settings.0;
    if !settings.is_empty() {
        check_settings(wiring::engine(config)?.as_ref(), settings).await?;
    }
    let outcomes = if arguments.dry_run {
        plans.into_iter().map(|(key, plan)| Outcome { key, result: plan.map(|plan| (plan, None)) }).collect()
    } else {
        bring_in(plans, settings, config).await?
    };
    print(&if arguments.json { for_programs(&outcomes) } else { for_people(&outcomes) });
    let failed = outcomes.iter().filter(|outcome| outcome.result.is_err()).count();
    if failed > 0 {
        bail!("{failed} of {} organisations were not brought in, and nothing of them was changed", outcomes.len());
    }
    Ok(())
}

fn read(file: &PathBuf) -> anyhow::Result<String> {
    let name = file.display();
    let size = std::fs::metadata(file).with_context(|| format!("`{name}` can not be read; check the path"))?.len();
    if size > FILE_BYTES {
        bail!("`{name}` has {size} bytes, and a file of organisations has at most {FILE_BYTES}; split it");
    }
    let bytes = std::fs::read(file).with_context(|| format!("`{name}` can not be read"))?;
    String::from_utf8(bytes)
        .map_err(|error| anyhow::anyhow!("`{name}` is not UTF-8 from byte {} on; save it as UTF-8", error.utf8_error().valid_up_to()))
}

async fn bring_in(plans: Vec<(String, Result<Plan, Vec<String>>)>, settings: &str, config: &Config) -> anyhow::Result<Vec<Outcome>> {
    let database = open::database(config).await?;
    let (store, operator, progress) = (database.store(), open::operator(), Progress::new());
    let mut outcomes = Vec::with_capacity(plans.len());
    for (key, plan) in plans {
        let result = match plan {
            Ok(plan) => {
                let told = |at| progress.tell(&key, at);
                let done = organisations::import(store.as_ref(), &operator, plan.clone(), settings, &told).await;
                done.map(|summary| (plan, Some(summary))).map_err(|error| vec![error.to_string()])
            }
            Err(errors) => Err(errors),
        };
        outcomes.push(Outcome { key, result });
    }
    progress.finish();
    database.close().await;
    Ok(outcomes)
}

fn for_people(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for Outcome { key, result } in outcomes {
        let _infallible = match result {
            Ok((plan, summary)) => write!(text, "{key}: {}{}", done(plan, summary.as_ref()), oddities(plan)),
            Err(errors) => write!(text, "{key}: not brought in\n  error: {}\n", errors.join("\n  error: ")),
        };
    }
    text.truncate(text.trim_end().len());
    text
}

fn done(plan: &Plan, summary: Option<&ImportSummary>) -> String {
    let Some(summary) = summary else {
        let memberships: usize = plan.people.iter().map(|person| person.memberships.len()).sum();
        return format!(
            "{} people, {} groups, {memberships} memberships; nothing changed (dry run)\n",
            plan.people.len(),
            plan.groups.len()
        );
    };
    let state = if summary.created { "created" } else { "brought up to date" };
    format!(
        "{state}; users +{} ~{}, groups +{} ~{}, memberships +{} ~{}, grants +{}; left as they are: {} users, {} groups that are not in the file\n",
        summary.users_added,
        summary.users_changed,
        summary.groups_added,
        summary.groups_changed,
        summary.memberships_added,
        summary.memberships_changed,
        summary.grants_added,
        summary.users_absent,
        summary.groups_absent,
    )
}

fn oddities(plan: &Plan) -> String {
    let mut text = String::new();
    for oddity in Oddity::ALL {
        let odd: Vec<String> =
            plan.odd.iter().filter(|odd| odd.oddity == oddity).map(|odd| format!("{} ({})", odd.handle, odd.place)).collect();
        if !odd.is_empty() {
            let more = if odd.len() > NAMED { ", ..." } else { "" };
            let named: Vec<&str> = odd.iter().take(NAMED).map(String::as_str).collect();
            text += &format!("  odd: {} {}: {}{more}\n", odd.len(), oddity.words(), named.join(", "));
        }
    }
    text
}

fn for_programs(outcomes: &[Outcome]) -> String {
    let organisation = |Outcome { key, result }: &Outcome| match result {
        Err(errors) => json!({ "key": key, "errors": errors }),
        Ok((plan, summary)) => {
            let odd = |odd: &organisations::Odd| json!({ "oddity": odd.oddity.name(), "handle": odd.handle, "place": odd.place });
            let odd: Vec<Value> = plan.odd.iter().map(odd).collect();
            let planned = json!({ "people": plan.people.len(), "groups": plan.groups.len() });
            json!({ "key": key, "errors": [], "planned": planned, "odd": odd, "done": summary.as_ref().map(summary_json) })
        }
    };
    json!({ "organisations": outcomes.iter().map(organisation).collect::<Vec<Value>>() }).to_string()
}

fn summary_json(summary: &ImportSummary) -> Value {
    json!({
        "workspace": summary.workspace.map(|id| id.to_string()),
        "created": summary.created,
        "usersAdded": summary.users_added,
        "usersChanged": summary.users_changed,
        "usersAbsent": summary.users_absent,
        "groupsAdded": summary.groups_added,
        "groupsChanged": summary.groups_changed,
        "groupsAbsent": summary.groups_absent,
        "membershipsAdded": summary.memberships_added,
        "membershipsChanged": summary.memberships_changed,
        "grantsAdded": summary.grants_added,
        "accountsAdded": summary.accounts_added,
    })
}
