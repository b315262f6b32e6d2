//! `bailiwick token`.

use anyhow::{Context as _, bail};
use directory::{
    Visible,
    ids::{TokenId, WorkspaceId},
    model::{Timestamp, Token, TokenKind},
    register,
    store::{RevokeToken, Store},
};
use jiff::{SignedDuration, Timestamp as Instant};

use super::{open, print};
use crate::{clock::Clock, config::Config, ids::Ids, tokens};

/// Make, list and revoke tokens
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token and print it, once
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Makes a token and prints it on standard output. It is shown this once: the server keeps only a hash. A token of a \
        user acts as that user, a token of a service has the permissions of --scopes, a token of the operator may do what `bailiwick` \
        may. Clients send it as `Authorization: Bearer TOKEN`.",
    after_long_help = "\
Examples:
  bailiwick token create --workspace acme --user ada@acme.example --expires 30d
  bailiwick token create --workspace acme --user ada@acme.example --scopes user.read,group.read
  bailiwick token create --workspace acme --service payroll --scopes user.read
  bailiwick token create --operator --name laptop --expires 8h"
)]
#[command(group(clap::ArgGroup::new("holder").required(true).args(["user", "service", "operator"])))]
pub(super) struct Create {
    /// The workspace's key
    #[arg(long, value_name = "KEY", required_unless_present = "operator", conflicts_with = "operator")]
    workspace: Option<String>,
    /// Act as the user of this user name
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Act as a service of the workspace, of this name
    #[arg(long, value_name = "NAME", requires = "scopes")]
    service: Option<String>,
    /// Act as the operator of the server
    #[arg(long)]
    operator: bool,
    /// What the token is for, for people
    #[arg(long, default_value = "cli", conflicts_with = "service")]
    name: String,
    /// Permissions that the token is limited to; without, a user's token may do all that the user may
    #[arg(long, value_name = "PERMISSION", value_delimiter = ',', conflicts_with = "operator")]
    scopes: Vec<String>,
    /// When it stops working: after a time (30d, 8h), at an instant (2027-01-31T00:00:00Z), or never
    #[arg(long, value_name = "WHEN", default_value = "90d")]
    expires: Expiry,
}

/// List the tokens of a workspace or of the operator, without their secrets
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints id, kind, name, user, scopes and end of each token, newest first, at most 1,000.",
    after_long_help = "\
Examples:
  bailiwick token list --workspace acme
  bailiwick token list --operator"
)]
pub(super) struct List {
    #[command(flatten)]
    of: Of,
}

// Whose tokens. No doc comment: it would become the help of the commands that share this.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Of {
    /// The workspace's key
    #[arg(long, value_name = "KEY")]
    workspace: Option<String>,
    /// The operator's own tokens
    #[arg(long)]
    operator: bool,
}

/// Make a token stop working at once
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Revokes a token. Whoever presents it is refused from then on. It can not be undone.",
    after_long_help = "\
Examples:
  bailiwick token revoke --workspace acme tok_0190c7f1a5b87e1c9d2f3a4b5c6d7e8f"
)]
pub(super) struct Revoke {
    #[command(flatten)]
    of: Of,
    /// The token's id, as `token list` prints it: the first part of the token itself
    token: TokenId,
}

/// When a token stops working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiry {
    Never,
    After(SignedDuration),
    At(Timestamp),
}

impl std::str::FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "never" {
            return Ok(Self::Never);
        }
        if let Ok(instant) = text.parse::<Instant>() {
            return Ok(Self::At(Timestamp(instant.as_microsecond())));
        }
        let wrong = || "expected a time such as `30d` or `8h`, an instant such as `2027-01-31T00:00:00Z`, or `never`".to_owned();
        let number = |unit: char| text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok()).map(i64::from);
        let hours = number('d').map(|days| days * 24).or_else(|| number('h')).filter(|hours| *hours > 0).ok_or_else(wrong)?;
        Ok(Self::After(SignedDuration::from_hours(hours)))
    }
}

impl Expiry {
    fn from(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::After(time) => Some(Timestamp(now.0.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))),
            Self::At(instant) => Some(instant),
        }
    }
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<()> {
    let database = open::database(config).await?;
    let store = database.store();
    match command {
        Command::Create(create) => self::create(store.as_ref(), create).await?,
        Command::List(List { of }) => list(store.as_ref(), &of).await?,
        Command::Revoke(revoke) => self::revoke(store.as_ref(), &revoke).await?,
    }
    database.close().await;
    Ok(())
}

async fn create(store: &dyn Store, create: Create) -> anyhow::Result<()> {
    if let Some(unknown) = create.scopes.iter().find(|scope| register::action(scope).is_none()) {
        let near = |known: &String| strsim::damerau_levenshtein(unknown, known);
        let nearest = register::actions().min_by_key(near).unwrap_or_default();
        bail!("`{unknown}` of --scopes is no permission; did you mean `{nearest}`? docs/register.md lists them all");
    }
    let now = Clock::system().now();
    let expires_at = create.expires.from(now);
    if expires_at.is_some_and(|end| end <= now) {
        bail!("the instant of --expires is past; name a later one");
    }
    let operator = open::operator();
    let workspace = match &create.workspace {
        Some(key) => Some(open::workspace(store, key).await?.id),
        None => None,
    };
    let user = match (workspace, &create.user) {
        (Some(workspace), Some(name)) => {
            let found = operator.users_named(store, workspace, &[name]).await?.into_iter().next().flatten();
            Some(found.with_context(|| format!("no user of the workspace has the user name `{name}`; check its spelling"))?)
        }
        _ => None,
    };
    let kind = match (create.operator, user) {
        (true, _) => TokenKind::Operator,
        (false, Some(_)) => TokenKind::Personal,
        (false, None) => TokenKind::Service,
    };
    let name = create.service.unwrap_or(create.name);
    let request = tokens::Request { kind, name, user, scopes: create.scopes, expires_at, created_at: now };
    let issued = tokens::issue(request, &mut Ids::random(Clock::system()));
    store.create_token(operator.create_token(workspace, issued.change)).await?;
    print(&issued.text);
    Ok(())
}

async fn list(store: &dyn Store, of: &Of) -> anyhow::Result<()> {
    let workspace = of.workspace(store).await?;
    for token in open::operator().tokens(store, workspace).await? {
        print(&line(&token));
    }
    Ok(())
}

async fn revoke(store: &dyn Store, revoke: &Revoke) -> anyhow::Result<()> {
    let workspace = revoke.of.workspace(store).await?;
    let change = RevokeToken { token: revoke.token, now: Clock::system().now() };
    store.revoke_token(open::operator().revoke_token(workspace, change)).await?;
    print(&format!("revoked {}", revoke.token));
    Ok(())
}

impl Of {
    async fn workspace(&self, store: &dyn Store) -> anyhow::Result<Option<WorkspaceId>> {
        match &self.workspace {
            Some(key) => Ok(Some(open::workspace(store, key).await?.id)),
            None => Ok(None),
        }
    }
}

fn line(token: &Visible<Token>) -> String {
    let holder = match (token.kind, token.user) {
        (TokenKind::Operator, _) => "operator".to_owned(),
        (TokenKind::Service, _) => "service".to_owned(),
        (TokenKind::Personal, user) => user.map_or_else(String::new, |user| user.to_string()),
    };
    let scopes = if token.scopes.is_empty() { "all".to_owned() } else { token.scopes.join(",") };
    let ends = token.expires_at.and_then(|end| Instant::from_microsecond(end.0).ok());
    let ends = ends.map_or_else(|| "never".to_owned(), |end| format!("{end:.0}"));
    format!("{}  {holder}  name: {}  scopes: {scopes}  expires: {ends}", token.id, token.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiries_are_times_instants_or_never() {
        assert_eq!("never".parse(), Ok(Expiry::Never));
        assert_eq!("2d".parse(), Ok(Expiry::After(SignedDuration::from_hours(48))));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Expiry::At(Timestamp(1_000_000))));
        assert_eq!(Expiry::After(SignedDuration::from_hours(1)).from(Timestamp(0)), Some(Timestamp(3_600_000_000)));
        for wrong in ["", "d", "0h", "-1d", "soon", "5"] {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong}");
        }
    }
}
