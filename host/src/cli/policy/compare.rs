//! `bailiwick policy compare`.

pub(super) mod report;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::{
    Usage, print,
    progress::Progress,
    remote::{Place, Remote},
    settings::Settings,
};

/// See what another policy would change, before it is activated
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Compares a candidate with the active policy over real people and rows: who gains and who loses sight of what, which \
        fields become hidden or shown, and which actions open and close. Counts are exact over what was compared. Without --user and \
        --object, a sample of both. Nothing is changed. It takes somebody who may explain the policy.",
    after_long_help = "\
Examples:
  bailiwick policy compare --candidate pol_0190c7f1a5b87e1c9d2f3a4b5c6d7e8f
  bailiwick policy compare --candidate standard --settings @open.json --sample 200
  bailiwick policy compare --candidate standard --settings @strict.json --recorded 1000
  bailiwick policy compare --candidate standard --settings @strict.json --user lea.moreau --json"
)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    candidate: Candidate,
    /// Only for this user, by id or user name; repeat it for more
    #[arg(long, value_name = "USER")]
    user: Vec<String>,
    /// Only about this user, group, role, membership or grant, by id; repeat it for more
    #[arg(long, value_name = "ID")]
    object: Vec<String>,
    /// Sample so many users, and so many rows of each kind [default: 50]
    #[arg(long, value_name = "N", conflicts_with_all = ["user", "object"])]
    sample: Option<i32>,
    /// Sample others with another number
    #[arg(long, value_name = "N", conflicts_with_all = ["user", "object"])]
    seed: Option<i32>,
    /// For whom and about what the latest so many entries of the decision log are
    #[arg(long, value_name = "N", conflicts_with_all = ["user", "object", "sample", "seed"])]
    recorded: Option<i32>,
    /// Only this action, such as `user.read`; repeat it for more
    #[arg(long, value_name = "ACTION")]
    action: Vec<String>,
    /// Go on behind this cursor, which the same comparison printed when it ended early; the sums are of what is left
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Show at most so many examples of each change
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(0..=EXAMPLES))]
    examples: u8,
    /// Print the sums as JSON
    #[arg(long)]
    json: bool,
}

/// A policy that might be activated.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(in crate::cli) struct Candidate {
    /// The module's id, or `standard` for the embedded policy alone [default: the active module]
    #[arg(long, value_name = "POL|standard")]
    candidate: Option<String>,
    /// The candidate's settings, or the file that has them [default: the active ones if the module stays, else its defaults]
    #[arg(long, value_name = "JSON|@FILE")]
    settings: Option<Settings>,
    /// The settings of the `standard` behind a module, or the file that has them [default: the active ones]
    #[arg(long, value_name = "JSON|@FILE")]
    standard_settings: Option<Settings>,
}

impl Candidate {
    /// As a `PolicyCandidateInput`.
    pub(super) fn input(self) -> anyhow::Result<Value> {
        let Self { candidate, settings, standard_settings } = self;
        let mut proposed = Map::new();
        let alone = candidate.as_deref() == Some("standard");
        match candidate {
            Some(_) if alone => drop(proposed.insert("standard".to_owned(), true.into())),
            Some(id) => drop(proposed.insert("policyId".to_owned(), id.into())),
            None => {}
        }
        if alone && settings.is_some() && standard_settings.is_some() {
            return Err(Usage("--candidate standard has one kind of settings; leave --standard-settings out").into());
        }
        for (name, given) in [(if alone { "standardSettings" } else { "settings" }, settings), ("standardSettings", standard_settings)] {
            if let Some(Settings(text)) = given {
                proposed.insert(name.to_owned(), text.into());
            }
        }
        Ok(proposed.into())
    }
}

/// Examples that a server gives of each change in one piece, at most.
const EXAMPLES: i64 = 50;

const COMPARE: &str = "query ($input: ComparePoliciesInput!, $after: String) {
  comparePolicies(input: $input, after: $after) {
    activeVersion done total hasNextPage endCursor
    actions { action compared gained lost fieldsChanged unseen fields { name hidden shown } examples { ...example } }
    failures { side action pairs reason }
  }
}";

/// The fragment `example`, for the end of a query.
pub(super) const EXAMPLE: &str = "
fragment person on User { id displayName userName }
fragment example on PolicyComparisonExample {
  change hiddenFields shownFields activeReason candidateReason
  subject { ...person }
  object {
    __typename id
    ... on User { ...person }
    ... on Group { name key }
    ... on Role { name key }
    ... on Membership { user { ...person } group { id name key } }
    ... on Grant { user { ...person } role { id name key } }
  }
}";

const USER: &str = "query ($name: String!) { user(by: { userName: $name }) { id } }";

/// A comparison, or a piece of one.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Comparison {
    active_version: String,
    done: u64,
    total: u64,
    actions: Vec<Line>,
    failures: Vec<Failure>,
    #[serde(skip_serializing)]
    has_next_page: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_cursor: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    action: String,
    compared: u64,
    gained: u64,
    lost: u64,
    fields_changed: u64,
    /// Not told of shadows.
    #[serde(default)]
    unseen: u64,
    fields: Vec<FieldLine>,
    examples: Vec<Example>,
}

#[derive(Debug, Deserialize, Serialize)]
struct FieldLine {
    name: String,
    hidden: u64,
    shown: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Example {
    change: Change,
    subject: Value,
    object: Value,
    hidden_fields: Vec<String>,
    shown_fields: Vec<String>,
    active_reason: String,
    candidate_reason: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Change {
    Gained,
    Lost,
    FieldsChanged,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Failure {
    side: String,
    action: String,
    pairs: u64,
    reason: String,
}

/// Compares piece after piece, and prints the sums.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (json, most, after) = (arguments.json, usize::from(arguments.examples), arguments.after.clone());
    let remote = Remote::new(arguments.place.clone())?;
    let input = input(&remote, arguments).await?;
    let progress = Progress::new();
    let (found, ended) = compare(&remote, &input, after, most, &progress).await;
    progress.finish();
    let Some(found) = found else { return ended };
    print(&if json { serde_json::to_string_pretty(&found)? } else { report::table(&found) });
    ended.with_context(|| {
        let cursor = found.end_cursor.as_deref().unwrap_or_default();
        format!(
            "the comparison ended early, after {} of {} pairs; go on, with the same question, with `--after {cursor}`",
            found.done, found.total
        )
    })
}

async fn input(remote: &Remote, arguments: Arguments) -> anyhow::Result<Value> {
    let Arguments { candidate, user, object, sample, seed, recorded, action, examples, .. } = arguments;
    let mut input = Map::new();
    let mut give = |name: &str, value: Value| drop(input.insert(name.to_owned(), value));
    give("candidate", candidate.input()?);
    give("examples", examples.into());
    if !user.is_empty() {
        let mut ids = Vec::with_capacity(user.len());
        for name in user {
            ids.push(user_id(remote, name).await?);
        }
        give("userIds", ids.into());
    }
    if !object.is_empty() {
        give("objectIds", object.into());
    }
    if !action.is_empty() {
        give("actions", action.into());
    }
    for (name, number) in [("sample", sample), ("seed", seed), ("recorded", recorded)] {
        if let Some(number) = number {
            give(name, number.into());
        }
    }
    Ok(input.into())
}

async fn user_id(remote: &Remote, name: String) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Found {
        user: Option<Id>,
    }
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    if name.parse::<directory::ids::UserId>().is_ok() {
        return Ok(name);
    }
    let found: Found = remote.graphql(USER, &json!({ "name": name })).await?;
    let user = found.user.with_context(|| format!("user `{name}` is not there, or you may not see it; give an id or a user name"))?;
    Ok(user.id)
}

/// The sums of all pieces that were answered, if there is one, and what kept the next from being answered.
async fn compare(
    remote: &Remote,
    input: &Value,
    after: Option<String>,
    examples: usize,
    progress: &Progress,
) -> (Option<Comparison>, anyhow::Result<()>) {
    let mut sum: Option<Comparison> = None;
    loop {
        let from = sum.as_ref().map_or(after.as_deref(), |sum| sum.end_cursor.as_deref());
        let answer = tokio::select! {
            answer = piece(remote, input, from) => answer,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        let piece = match answer {
            Ok(piece) => piece,
            Err(error) => return (sum, Err(error)),
        };
        progress.tell_of("comparing pairs:", piece.done, piece.total);
        let whole = match sum.take() {
            None => piece,
            Some(sum) => sum.and(piece, examples),
        };
        if !whole.has_next_page {
            return (Some(whole), Ok(()));
        }
        sum = Some(whole);
    }
}

async fn piece(remote: &Remote, input: &Value, after: Option<&str>) -> anyhow::Result<Comparison> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        compare_policies: Option<Comparison>,
    }
    let answer: Answer = remote.graphql(&format!("{COMPARE}{EXAMPLE}"), &json!({ "input": input, "after": after })).await?;
    answer.compare_policies.context("one of the users or objects is not there, or you may not see it; check the ids")
}

impl Comparison {
    /// With the next piece.
    fn and(mut self, piece: Self, examples: usize) -> Self {
        for line in piece.actions {
            match self.actions.iter_mut().find(|known| known.action == line.action) {
                Some(known) => known.add(line, examples),
                None => self.actions.push(line),
            }
        }
        for failure in piece.failures {
            match self.failures.iter_mut().find(|known| known.side == failure.side && known.action == failure.action) {
                Some(known) => known.pairs += failure.pairs,
                None => self.failures.push(failure),
            }
        }
        let (done, total, has_next_page, end_cursor) = (piece.done, piece.total, piece.has_next_page, piece.end_cursor);
        Self { done, total, has_next_page, end_cursor, ..self }
    }
}

impl Line {
    /// How often both policies answered.
    pub(super) const fn compared(&self) -> u64 {
        self.compared
    }

    fn add(&mut self, line: Self, examples: usize) {
        self.compared += line.compared;
        self.gained += line.gained;
        self.lost += line.lost;
        self.fields_changed += line.fields_changed;
        self.unseen += line.unseen;
        for field in line.fields {
            match self.fields.iter_mut().find(|known| known.name == field.name) {
                Some(known) => (known.hidden, known.shown) = (known.hidden + field.hidden, known.shown + field.shown),
                None => self.fields.push(field),
            }
        }
        for example in line.examples {
            if self.examples.iter().filter(|known| known.change == example.change).count() < examples {
                self.examples.push(example);
            }
        }
    }
}
