//! `/v1/policies/decisions`: the decision log as JSON lines, oldest first, for whoever collects it.

use std::{sync::Arc, time::Duration};

use directory::{
    access::{Actor, Caller, Directory},
    decisions::{DecisionEntry, DecisionFilter, DecisionOrder},
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
    limits::LOG_ROWS,
    register::Kind,
};
use poem::{Request, Response, http::StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Edge, Failure, auth, code::Code};

/// Lines of one answer, where the caller does not say.
const LINES: usize = 1_000;
/// Lines of one answer at most.
const LINES_MAX: usize = 10_000;

/// `GET /v1/policies/decisions?from=NUMBER&limit=LINES`.
pub(super) async fn export(edge: Arc<Edge>, request: Request) -> Result<Response, Failure> {
    let limits = &edge.app.config.limits;
    let work = async {
        let subject = match auth::caller(&edge, &request, "http").await? {
            None => return Err(auth::missing()),
            Some(Caller::Subject(subject)) => subject,
            Some(Caller::Operator(_)) => {
                return Err(Failure::new(
                    Code::FORBIDDEN,
                    "operator tokens read no workspace's log; use the token of somebody of the workspace",
                ));
            }
        };
        let Window { from, lines } = window(&request)?;
        let directory = edge.app.gate.open(subject, edge.app.clock.now()).await?;
        let body = read(&directory, from, lines).await?;
        Ok(Response::builder().status(StatusCode::OK).content_type("application/x-ndjson").body(body))
    };
    tokio::time::timeout(Duration::from_millis(limits.request_ms), work).await.unwrap_or_else(|_| Err(Failure::deadline()))
}

/// Which entries are wanted.
struct Window {
    /// The number of the first.
    from: u64,
    lines: usize,
}

fn window(request: &Request) -> Result<Window, Failure> {
    let refused = |why: String| Failure::new(Code::BAD_REQUEST, format!("{why}; the parameters are `from` and `limit`, each once"));
    let parameters = request.params::<Vec<(String, String)>>();
    let parameters = parameters.map_err(|error| refused(format!("the query string can not be read: {error}")))?;
    let (mut from, mut lines) = (None, None);
    for (name, value) in parameters {
        let shown: String = name.chars().take(64).collect();
        let number: Option<u64> = value.parse().ok();
        let place = match name.as_str() {
            "from" => &mut from,
            "limit" => &mut lines,
            _ => return Err(refused(format!("parameter `{shown}` is not expected"))),
        };
        if place.is_some() {
            return Err(refused(format!("parameter `{shown}` is given twice")));
        }
        *place = Some(number.ok_or_else(|| refused(format!("`{shown}` is no whole number")))?);
    }
    let lines = lines.map_or(Some(LINES), |lines| usize::try_from(lines).ok()).filter(|lines| (1..=LINES_MAX).contains(lines));
    let lines = lines.ok_or_else(|| refused(format!("`limit` is not between 1 and {LINES_MAX}")))?;
    Ok(Window { from: from.unwrap_or_default(), lines })
}

async fn read(directory: &Directory, mut from: u64, mut lines: usize) -> Result<String, Failure> {
    let mut body = String::new();
    while lines > 0 {
        let wanted = lines.min(LOG_ROWS);
        let (entries, _) = directory.decisions(&DecisionFilter::default(), DecisionOrder::OldestFrom(from), wanted).await?;
        for entry in &entries {
            body.push_str(&line(entry).to_string());
            body.push('\n');
        }
        match entries.last() {
            Some(last) if entries.len() == wanted => from = last.number + 1,
            _ => break,
        }
        lines -= wanted;
    }
    Ok(body)
}

fn line(DecisionEntry { number, record }: &DecisionEntry) -> Value {
    let (user, service) = match &record.actor {
        Some(Actor::User(id)) => (Some(id.to_string()), None),
        Some(Actor::Service(id)) => (None, Some(id.to_string())),
        None => (None, None),
    };
    json!({
        "number": number,
        "at": jiff::Timestamp::from_microsecond(record.at.0).ok().map(|at| format!("{at:.6}")),
        "user": user,
        "service": service,
        "via": record.via,
        "purpose": record.purpose.name(),
        "action": record.action,
        "objects": record.objects.iter().filter_map(|id| object(record.kind, *id)).collect::<Vec<_>>(),
        "rows": record.rows,
        "outcome": record.outcome.name(),
        "withheld": record.withheld,
        "fields": record.fields,
        "reason": record.reason,
        "version": record.version.map(|version| version.to_string()),
        "digest": record.digest.map(|digest| digest.to_string()),
        "factsDigest": record.facts.map(|digest| digest.to_string()),
        "fuel": record.fuel,
        "weight": record.weight,
    })
}

fn object(kind: Kind, id: Uuid) -> Option<String> {
    Some(match kind {
        Kind::User => UserId(id).to_string(),
        Kind::Group => GroupId(id).to_string(),
        Kind::Role => RoleId(id).to_string(),
        Kind::Membership => MembershipId(id).to_string(),
        Kind::Grant => GrantId(id).to_string(),
        _ => return None,
    })
}
