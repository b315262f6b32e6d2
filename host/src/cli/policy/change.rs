//! Changes of what decides, through a server.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::json;

use super::super::remote::Remote;

#[derive(Deserialize)]
struct Seen {
    workspace: Option<Workspace>,
}

#[derive(Deserialize)]
struct Workspace {
    policy: Option<Version>,
}

#[derive(Deserialize)]
struct Version {
    id: String,
}

#[derive(Deserialize)]
struct Answer {
    answer: Option<Payload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    policy: Option<Version>,
    user_errors: Vec<UserError>,
}

/// What is wrong with the input of a mutation.
#[derive(Deserialize)]
pub(super) struct UserError {
    code: String,
    message: String,
}

impl std::fmt::Display for UserError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// The id of the version that decides now.
pub(super) async fn active(remote: &Remote) -> anyhow::Result<String> {
    let seen: Seen = remote.graphql("{ workspace { policy { id } } }", &json!({})).await?;
    let version = seen.workspace.and_then(|workspace| workspace.policy);
    Ok(version.context("you may not see what decides; activating takes `policy.read`, too")?.id)
}

/// Lets a module, or `standard` alone, decide; answers the id of the new version.
pub(super) async fn activate(
    remote: &Remote,
    module: Option<&str>,
    expected: &str,
    (settings, standard_settings): (Option<String>, Option<String>),
    note: Option<String>,
) -> anyhow::Result<String> {
    let query = "mutation ($input: ActivatePolicyInput!) {
      answer: activatePolicy(input: $input) { policy { id } userErrors { code message } }
    }";
    let input = json!({
        "policyId": module,
        "expectedVersionId": expected,
        "settings": settings,
        "standardSettings": standard_settings,
        "note": note,
    });
    done(remote.graphql(query, &json!({ "input": input })).await?)
}

/// Lets an earlier version decide again; answers the id of the new version.
pub(super) async fn roll_back(
    remote: &Remote,
    to: Option<String>,
    expected: Option<String>,
    note: Option<String>,
) -> anyhow::Result<String> {
    let query = "mutation ($input: RollBackPolicyInput!) {
      answer: rollBackPolicy(input: $input) { policy { id } userErrors { code message } }
    }";
    done(remote.graphql(query, &json!({ "input": { "versionId": to, "expectedVersionId": expected, "note": note } })).await?)
}

fn done(Answer { answer }: Answer) -> anyhow::Result<String> {
    let payload = answer.context("the server answers without a payload")?;
    if !payload.user_errors.is_empty() {
        bail!("{}", payload.user_errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n- "));
    }
    Ok(payload.policy.map_or_else(|| "something that you may not see".to_owned(), |version| version.id))
}

/// The text of a file of settings.
pub(super) fn text_of(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("{} can not be read", file.display()))
}
