//! The real program, run as people run it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

/// The program in a folder of its own, without any variable of this environment that would configure it.
fn bailiwick(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bailiwick"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BAILIWICK_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(arguments);
    command
}

fn run(folder: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    Ok(bailiwick(folder, arguments).output()?)
}

/// Standard output of a command that succeeds.
fn succeed(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = run(folder, arguments)?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Standard error of a command that fails with that exit code and prints no result.
fn fail(command: &mut Command, code: i32) -> anyhow::Result<String> {
    let output = command.output()?;
    let text = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(code), "{:?}: {text}", output.status);
    ensure!(output.stdout.is_empty(), "a failure prints no result");
    Ok(text)
}

/// A running server, killed when the test ends.
struct Server {
    child: Child,
    address: String,
    /// The line that `demo --json` prints.
    line: Value,
}

impl Server {
    fn demo(folder: &Path) -> anyhow::Result<Self> {
        let mut child = bailiwick(folder, &["demo", "--listen", "127.0.0.1:0", "--json"]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("standard output is piped")?).read_line(&mut line)?;
        let line: Value = serde_json::from_str(&line)?;
        let address =
            line.get("url").and_then(Value::as_str).and_then(|url| url.strip_prefix("http://")).context("the line has a URL")?.to_owned();
        Ok(Self { child, address, line })
    }

    /// Status and body of a GraphQL request.
    fn ask(&self, token: &str, query: &str) -> anyhow::Result<(u16, Value)> {
        let body = serde_json::json!({ "query": query }).to_string();
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "POST /graphql HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\naccept: application/json\r\n\
             content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
        let status = head.split_whitespace().nth(1).context("a head has a status")?.parse()?;
        Ok((status, serde_json::from_str(body).with_context(|| body.to_owned())?))
    }

    fn people(&self, workspace: &str) -> anyhow::Result<&Vec<Value>> {
        let workspaces = self.line.get("workspaces").and_then(Value::as_array).context("the line has workspaces")?;
        let found = workspaces.iter().find(|one| one.get("key").is_some_and(|key| key == workspace)).context("the workspace is there")?;
        found.get("people").and_then(Value::as_array).context("it has people")
    }

    /// Ends it as a process manager does, and waits.
    fn stop(mut self) -> anyhow::Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "the signal is sent");
        let status = self.child.wait()?;
        ensure!(status.success(), "a server that is asked to stop ends with 0, not {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

#[test]
fn help_is_printed_and_wrong_usage_ends_with_2() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    ensure!(succeed(folder.path(), &["--help"])?.contains("Examples:"));
    ensure!(succeed(folder.path(), &["import", "organisations", "--help"])?.contains("--dry-run"));
    fail(&mut bailiwick(folder.path(), &["serv"]), 2)?;
    fail(&mut bailiwick(folder.path(), &["token", "create", "--user", "ada"]), 2)?;
    Ok(())
}

#[test]
fn an_unknown_key_refuses_to_start() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let text = fail(bailiwick(folder.path(), &["serve"]).env("BAILIWICK_LISTN", "127.0.0.1:0"), 2)?;
    ensure!(text.contains("`BAILIWICK_LISTN`") && text.contains("`BAILIWICK_LISTEN`"), "{text}");
    std::fs::write(folder.path().join("b.toml"), "[limits]\nrequest_sm = 5\n")?;
    let text = fail(&mut bailiwick(folder.path(), &["serve", "--config", "b.toml"]), 2)?;
    ensure!(text.contains("the file `b.toml`") && text.contains("`limits.request_ms`"), "{text}");
    Ok(())
}

#[test]
fn the_configuration_is_printed_with_its_sources() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let text = succeed(folder.path(), &["--data", "here", "config"])?;
    ensure!(text.contains("data = \"here\"  # the option `--data`"), "{text}");
    ensure!(text.contains("limits.request_ms = 10000  # the default"), "{text}");
    Ok(())
}

#[test]
fn a_server_does_not_start_on_an_old_schema() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let old = folder.path().join("old.db");
    std::fs::write(&old, "")?;
    let text = fail(&mut bailiwick(folder.path(), &["--database", "sqlite:old.db", "serve"]), 1)?;
    ensure!(text.contains("schema is behind") && text.contains("bailiwick migrate"), "{text}");
    ensure!(succeed(folder.path(), &["migrate", "--dry-run"])?.contains("0001"));
    ensure!(succeed(folder.path(), &["migrate"])?.contains("0001"));
    ensure!(succeed(folder.path(), &["migrate"])? == "nothing to do");
    Ok(())
}

#[test]
fn a_folder_that_is_mistyped_is_not_made() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    for arguments in [
        vec!["serve"],
        vec!["backup", "copy.db"],
        vec!["workspace", "list"],
        vec!["policy", "history", "--workspace", "acme"],
        vec!["policy", "rollback", "--workspace", "acme"],
    ] {
        let text = fail(bailiwick(folder.path(), &["--data", "dta"]).args(&arguments), 1)?;
        ensure!(text.contains("`dta/bailiwick.db`") && text.contains("--data"), "{arguments:?}: {text}");
        let text = fail(bailiwick(folder.path(), &["--database", "sqlite:dta.db"]).args(&arguments), 1)?;
        ensure!(text.contains("`dta.db`") && text.contains("--database"), "{arguments:?}: {text}");
    }
    ensure!(std::fs::read_dir(folder.path())?.next().is_none(), "nothing was made");
    Ok(())
}

#[test]
fn a_backup_is_a_database() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let at = folder.path();
    succeed(at, &["migrate"])?;
    succeed(at, &["workspace", "create", "acme", "--administrator", "ada@acme.example"])?;
    let listed = succeed(at, &["workspace", "list"])?;
    ensure!(listed.contains("  acme  acme  users: 1"), "{listed}");
    succeed(at, &["backup", "copy.db"])?;
    ensure!(succeed(at, &["--database", "sqlite:copy.db", "workspace", "list"])? == listed);
    let text = fail(&mut bailiwick(at, &["backup", "copy.db"]), 1)?;
    ensure!(text.contains("`copy.db` exists"), "{text}");
    let text = fail(&mut bailiwick(at, &["workspace", "create", "ACME", "--administrator", "ada@acme.example"]), 1)?;
    ensure!(text.contains("`ACME` exists"), "{text}");
    Ok(())
}

#[test]
fn wrong_names_are_told_with_their_remedy() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let at = folder.path();
    succeed(at, &["migrate"])?;
    succeed(at, &["workspace", "create", "acme", "--administrator", "ada@acme.example"])?;
    std::fs::write(at.join("none.json"), "{\"organisations\": []}")?;
    for (arguments, expected) in [
        (&["token", "create", "--workspace", "acm", "--user", "ada@acme.example"][..], "workspace `acm` does not exist"),
        (&["token", "create", "--workspace", "acme", "--user", "bob"], "user name `bob`"),
        (&["token", "create", "--workspace", "acme", "--service", "pay", "--scopes", "user.rea"], "did you mean `user.read`"),
        (&["policy", "rollback", "--workspace", "acme"], "there is no version before the active one"),
        (&["workspace", "create", "x", "--administrator", "ada"], "no e-mail address"),
        (&["workspace", "create", "x", "--administrator", "a@x", "--settings", "{\"members_see\": 1}"], "members_see"),
        (&["import", "organisations", "nowhere.json"], "`nowhere.json` can not be read"),
        (&["import", "organisations", "none.json", "--dry-run", "--settings", "{\"members_see\": 1}"], "members_see"),
    ] {
        let text = fail(&mut bailiwick(at, arguments), 1)?;
        ensure!(text.contains(expected), "{arguments:?}: {text}");
    }
    ensure!(succeed(at, &["workspace", "list"])?.lines().count() == 1, "nothing was created");
    Ok(())
}

#[test]
fn the_operator_forces_a_policy_and_finds_it_in_the_history() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let at = folder.path();
    succeed(at, &["migrate"])?;
    succeed(at, &["workspace", "create", "acme", "--administrator", "ada@acme.example"])?;
    let of_acme = |arguments: &[&'static str]| [&["policy"], arguments, &["--workspace", "acme"]].concat();
    ensure!(succeed(at, &of_acme(&["history"]))?.is_empty(), "what a workspace begins with is no step");
    // Past the gates: nobody asks `standard` whether it knows the setting.
    let forced = succeed(at, &of_acme(&["activate", "standard", "--settings", "{\"no\": 1}", "--note", "ticket 12"]))?;
    let back = succeed(at, &of_acme(&["rollback", "--note", "a mistake"]))?;
    let lines = succeed(at, &of_acme(&["history", "--json"]))?;
    let steps = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let [last, first] = steps.as_slice() else { bail!("{lines}") };
    for (step, name, version, note) in [(first, "activation-forced", &forced, "ticket 12"), (last, "rollback-forced", &back, "a mistake")] {
        ensure!(step["step"] == name && step["note"] == note, "{step}");
        ensure!(version.ends_with(step["version"].as_str().unwrap_or("no version")), "{step}");
        ensure!(step["by"]["kind"] == "operator" && step["via"] == "command-line" && step["peer"].is_null(), "{step}");
    }
    let text = succeed(at, &of_acme(&["history", "--first", "1"]))?;
    ensure!(text.lines().count() == 1 && text.contains("rollback-forced") && text.contains("operator via command-line"), "{text}");
    for (arguments, code, expected) in [
        (&["activate", "pol_00000000000000000000000000000000"][..], 1, "was not found"),
        (&["activate", "standard", "--settings", "{}", "--standard-settings", "{}"], 2, "give one of them"),
    ] {
        let text = fail(&mut bailiwick(at, &of_acme(arguments)), code)?;
        ensure!(text.contains(expected), "{arguments:?}: {text}");
    }
    fail(&mut bailiwick(at, &of_acme(&["activate", "standart"])), 2)?;
    Ok(())
}

const WHO: &str = "{ viewer { user { id } } }";

#[test]
fn the_demo_is_found_again_and_knows_everybody() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let first = Server::demo(folder.path())?;
    for key in ["acme", "globex"] {
        for person in first.people(key)? {
            let (status, answer) = first.ask(person["token"].as_str().unwrap_or_default(), WHO)?;
            ensure!(status == 200 && answer["data"]["viewer"]["user"]["id"] == person["id"], "{person}: {answer}");
        }
        let sort = |test: fn(&Value) -> bool| first.people(key).is_ok_and(|people| people.iter().any(test));
        let has_role = |person: &Value, role: &str| person["roles"].as_array().is_some_and(|roles| roles.contains(&role.into()));
        ensure!(first.people(key)?.iter().any(|person| has_role(person, "administrator")), "{key} has an administrator");
        ensure!(sort(|person| person["groups"].as_array().is_some_and(Vec::is_empty)), "{key} has somebody in no group");
    }
    let workspaces = first.line["workspaces"].clone();
    first.stop()?;
    let second = Server::demo(folder.path())?;
    ensure!(second.line["workspaces"] == workspaces, "the second start prints the same");
    second.stop()
}

#[test]
fn a_token_works_until_it_is_revoked() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let at = folder.path();
    let server = Server::demo(at)?;
    let of_demo = |arguments: &[&str]| succeed(at, &[&["--data", "bailiwick-demo"], arguments].concat());
    let token = of_demo(&["token", "create", "--workspace", "acme", "--user", "Amara.Okafor", "--expires", "1h"])?;
    let (status, answer) = server.ask(&token, WHO)?;
    ensure!(status == 200 && answer["data"]["viewer"]["user"]["id"].is_string(), "{answer}");
    let Some(id) = token.split('_').nth(1) else { bail!("a token has an id") };
    let id = format!("tok_{id}");
    ensure!(of_demo(&["token", "list", "--workspace", "acme"])?.contains(&id));
    of_demo(&["token", "revoke", "--workspace", "acme", &id])?;
    let (status, _) = server.ask(&token, WHO)?;
    ensure!(status == 401, "a revoked token is refused, not answered with {status}");
    server.stop()
}
