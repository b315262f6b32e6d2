//! What `bailiwick demo` prints once the server is ready.

use serde_json::{Value, json};

use super::{Demo, Member, Workspace};

/// A query whose answer depends on who asks.
const QUERY: &str = "{ viewer { user { displayName } } users(first: 5) { totalCount nodes { displayName email withheldFields } } }";

impl Demo {
    /// One line of JSON: where the server is, and everybody's tokens. Keys are only ever added.
    #[must_use]
    pub fn json(&self, url: &str) -> String {
        let graphql = format!("{url}/graphql");
        json!({ "url": url, "graphql": graphql, "operatorToken": self.operator_token, "workspaces": self.people() }).to_string()
    }

    /// The workspaces of that line, for GraphiQL's switch between people.
    #[must_use]
    pub fn people(&self) -> Value {
        self.workspaces.iter().map(workspace).collect()
    }

    /// The same for people: whom to be, what to expect, and lines to paste.
    #[must_use]
    pub fn table(&self, url: &str) -> String {
        let mut text = format!("Bailiwick is ready: {url}/ is GraphiQL, {url}/graphql the endpoint.\n");
        for workspace in &self.workspaces {
            text += &section(workspace);
        }
        text += "\nThe same query, asked by different people:\n";
        for member in self.workspaces.iter().flat_map(|workspace| workspace.people.iter().filter(|member| member.about.is_some()).take(4)) {
            text += &curl(url, member);
        }
        text += &format!("\nEverybody's tokens: run again with --json. The operator's token:\n  {}\n", self.operator_token);
        text + "Ctrl-C stops the server; the next start finds everything as it is left.\n"
    }
}

fn workspace(workspace: &Workspace) -> Value {
    let policy = &workspace.policy;
    let people: Vec<Value> = workspace.people.iter().map(member).collect();
    json!({
        "id": workspace.id.to_string(),
        "key": workspace.key,
        "policy": { "name": policy.name, "version": policy.version, "digest": policy.digest },
        "people": people,
    })
}

fn member(member: &Member) -> Value {
    json!({
        "id": member.id.to_string(),
        "name": member.name,
        "email": member.email,
        "roles": member.roles,
        "groups": member.groups,
        "token": member.token,
    })
}

fn section(workspace: &Workspace) -> String {
    let policy = &workspace.policy;
    let mut text = format!("\n{}, decided by {} {}\n", workspace.key, policy.name, policy.version);
    let presented = || workspace.people.iter().filter_map(|member| Some((member, member.about?)));
    let width = presented().map(|(member, _)| member.name.chars().count()).max().unwrap_or_default();
    for (member, about) in presented() {
        text += &format!("  {:width$}  {about}\n", member.name);
    }
    let others = workspace.people.len() - presented().count();
    if others > 0 {
        text += &format!("  and {others} more\n");
    }
    text
}

fn curl(url: &str, member: &Member) -> String {
    let body = json!({ "query": QUERY });
    format!(
        "\n# {}\ncurl -s {url}/graphql -H 'content-type: application/json' \\\n  -H 'authorization: Bearer {}' \\\n  -d '{body}'\n",
        member.name, member.token
    )
}
