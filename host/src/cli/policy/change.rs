//! Changes of what decides, through a server.

use anyhow::{Context as _, anyhow};
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

/// Nothing, or what is wrong: several things in a list, under one code where they have the same.
pub(super) fn none_of(errors: &[UserError]) -> anyhow::Result<()> {
    match errors {
        [] => Ok(()),
        [only] => Err(anyhow!("{} ({})", only.message, only.code)),
        [first, others @ ..] if others.iter().all(|error| error.code == first.code) => {
            let lines: String = errors.iter().map(|error| format!("\n- {}", error.message)).collect();
            Err(anyhow!("{}:{lines}", first.code))
        }
        errors => {
            Err(anyhow!("refused:{}", errors.iter().map(|error| format!("\n- {} ({})", error.message, error.code)).collect::<String>()))
        }
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
    none_of(&payload.user_errors)?;
    Ok(payload.policy.map_or_else(|| "something that you may not see".to_owned(), |version| version.id))
}
