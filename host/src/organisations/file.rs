//! The file as it is written.

use directory::text::is_unseen;
use serde::Deserialize;

use super::Error;

/// A file of organisations.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where the data is from, for people. Not kept.
    #[serde(default)]
    pub source: Option<String>,
    /// Who names the people: their handles are unique there, ignoring case.
    #[serde(default = "github")]
    pub issuer: String,
    /// The organisations, each a workspace.
    pub organisations: Vec<Organisation>,
}

fn github() -> String {
    "github".to_owned()
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Unique in the file and on the server, ignoring case.
    pub key: String,
    /// For people; the key if there is none.
    #[serde(default)]
    pub name: Option<String>,
    /// For people. Not kept: workspaces have none.
    #[serde(default)]
    pub description: Option<String>,
    /// Handles of those who administer it.
    #[serde(default)]
    pub owners: Vec<String>,
    /// Handles of its members.
    #[serde(default)]
    pub members: Vec<String>,
    /// Its teams, in any order.
    #[serde(default)]
    pub teams: Vec<Team>,
}

/// A team.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Unique in the organisation, wherever nested, ignoring case.
    pub key: String,
    /// The key of the team that it is part of.
    #[serde(default)]
    pub parent: Option<String>,
    /// For people.
    #[serde(default)]
    pub description: Option<String>,
    /// Not kept: the workspace's policy decides who sees the group.
    #[serde(default)]
    pub privacy: Option<String>,
    /// Handles of those who manage it.
    #[serde(default)]
    pub maintainers: Vec<String>,
    /// Handles of its other members.
    #[serde(default)]
    pub members: Vec<String>,
    /// Where the team is from, for people. Not kept.
    #[serde(default)]
    pub source: Option<String>,
}

/// Reads a file.
///
/// # Errors
/// [`Error`] with line and column if it is not JSON, or not of this form.
pub fn parse(json: &str) -> Result<File, Error> {
    serde_json::from_str(json.trim_start_matches('\u{feff}')).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        // The parser repeats the place at the end.
        let problem = error.to_string();
        let problem = problem.rsplit_once(" at line ").map_or(problem.as_str(), |(problem, _)| problem);
        Error { place, problem: format!("{problem}; docs/organisations-format.md describes the format") }
    })
}

/// A single-line text, trimmed; else the rule that it breaks, with the remedy.
///
/// # Errors
/// The rule, to be put behind the input.
pub fn text(given: &str, limit: usize) -> Result<String, String> {
    let given = given.trim();
    if given.is_empty() {
        return Err("is empty; give it at least one character".to_owned());
    }
    if given.chars().any(char::is_control) {
        return Err("has a control character; remove it".to_owned());
    }
    if let Some(unseen) = given.chars().find(|c| is_unseen(*c)) {
        return Err(format!("has the character U+{:04X}, which nobody sees; remove it", u32::from(unseen)));
    }
    if given.chars().count() > limit {
        return Err(format!("has more than {limit} characters; shorten it"));
    }
    Ok(given.to_owned())
}
