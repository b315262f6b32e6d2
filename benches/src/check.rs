//! `check` of `standard` in the sandbox, the same compiled natively, and the same question put to cedar-policy and regorus.

use std::{str::FromStr as _, sync::Arc};

use anyhow::{Result, anyhow};
use cedar_policy::{Authorizer, Context as CedarContext, Decision, Entities, EntityUid, PolicySet, Request};
use directory::{
    contract::{Column, Context, Engine, Rows, SubjectView, UNASSIGNED},
    ids::WorkspaceId,
};
use policy_kit::{Ask, Policy as _};
use standard::Standard;

use crate::{
    measure::{Times, micros},
    native,
};

const CEDAR: &str = r#"
permit(principal, action, resource) when { resource.self };
permit(principal, action, resource) when { resource.managed };
permit(principal, action, resource) when { resource.below && resource.status == "active" };
"#;

const REGO: &str = r#"
package directory
import rego.v1
default allow := false
allow if input.self
allow if input.managed
allow if { input.below; input.status == "active" }
"#;

/// Prints nanoseconds a row by rows a call, and the cost of a fresh sandbox.
pub async fn run() -> Result<()> {
    let module = bailiwick::wiring::standard();
    let config = policy::SandboxConfig { own: vec![module.digest], ..policy::SandboxConfig::default() };
    let sandbox = policy::Sandbox::new(&config).map_err(|error| anyhow!("{error}"))?;
    sandbox.load(&module).await?;
    println!("## One `check`, `standard`, \"may the subject see this user?\"\n");
    println!("| rows a call | sandbox, ns a row | native, ns a row | cedar-policy, ns a row | regorus, ns a row | allowed |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for rows in [1, 100, 1_000, 10_000] {
        row_costs(&sandbox, &module, rows).await?;
    }
    let context = Arc::new(context());
    let fresh = Times::of_async(200, 5_000, || async {
        let mut session = sandbox.session(nobody(), module.digest).expect("loaded");
        session.check(context.clone(), self::rows(1), None).await.expect("answers");
    })
    .await;
    println!("\nA fresh sandbox and one row: median {} µs, p99 {} µs (bar: 60 µs).", micros(fresh.median()), micros(fresh.p99()));
    Ok(())
}

/// The workspace that asks; the server's own module has no share of it.
fn nobody() -> WorkspaceId {
    WorkspaceId::from_str(&format!("wsp_{:032x}", 1)).expect("an id")
}

async fn row_costs(sandbox: &policy::Sandbox, module: &directory::contract::Module, len: u32) -> Result<()> {
    let calls = (200_000 / len as usize).clamp(30, 2_000);
    let context = Arc::new(context());
    let mut guest = Vec::new();
    for _ in 0..calls {
        // Fuel is bounded a request: as in the server, a session is not kept. Its first, cold call is not measured.
        let mut session = sandbox.session(nobody(), module.digest)?;
        session.check(context.clone(), rows(1), None).await?;
        let input: Vec<Rows> = chunks(len);
        let start = std::time::Instant::now();
        for rows in input {
            session.check(context.clone(), rows, None).await?;
        }
        guest.push(start.elapsed());
    }
    guest.sort_unstable();
    let guest = guest[guest.len() / 2];
    let (native_context, native_rows) = (native::context(&context), native::rows(&rows(len)));
    let mut allowed = 0;
    let native = Times::of(20, calls, || {
        let verdicts = Standard::check(&Ask::new(&native_context), &native_rows, None);
        allowed = verdicts.rows.iter().filter(|row| verdicts.table[**row as usize].allow).count();
    });
    let cedar = cedar(len, allowed)?;
    let rego = rego(len, allowed)?;
    let per_row = |time: std::time::Duration| format!("{:.0}", time.as_secs_f64() * 1e9 / f64::from(len));
    println!(
        "| {len} | {} | {} | {} | {} | {allowed} |",
        per_row(guest),
        per_row(native.median()),
        per_row(cedar.median()),
        per_row(rego.median())
    );
    Ok(())
}

/// The three facts of row `at` that matter.
fn facts(at: u32) -> (bool, bool, bool, bool) {
    (at == 0, at % 7 == 0, at % 3 != 0, at % 10 != 9)
}

fn cedar(len: u32, allowed: usize) -> Result<Times> {
    let policies = PolicySet::from_str(CEDAR)?;
    let authorizer = Authorizer::new();
    let uid = |kind: &str, id: u32| EntityUid::from_str(&format!("{kind}::\"{id}\""));
    let (subject, action) = (uid("User", 0)?, uid("Action", 0)?);
    let mut requests = Vec::new();
    for at in 0..len {
        let (own, managed, below, active) = facts(at);
        let entity = serde_json::json!([{
            "uid": {"type": "Row", "id": at.to_string()}, "parents": [],
            "attrs": {"self": own, "managed": managed, "below": below, "status": if active { "active" } else { "suspended" }},
        }]);
        let request = Request::new(subject.clone(), action.clone(), uid("Row", at)?, CedarContext::empty(), None)?;
        requests.push((request, Entities::from_json_value(entity, None)?));
    }
    let mut found = 0;
    let times = Times::of(1, (20_000 / len as usize).clamp(3, 500), || {
        let decide = |(request, entities): &&(Request, Entities)| {
            authorizer.is_authorized(request, &policies, entities).decision() == Decision::Allow
        };
        found = requests.iter().filter(decide).count();
    });
    anyhow::ensure!(found == allowed, "cedar-policy allows {found} of {len}, `standard` {allowed}");
    Ok(times)
}

fn rego(len: u32, allowed: usize) -> Result<Times> {
    let mut engine = regorus::Engine::new();
    engine.add_policy("directory.rego".to_owned(), REGO.to_owned())?;
    let mut inputs = Vec::new();
    for at in 0..len {
        let (own, managed, below, active) = facts(at);
        let input =
            serde_json::json!({"self": own, "managed": managed, "below": below, "status": if active { "active" } else { "suspended" }});
        inputs.push(regorus::Value::from_json_str(&input.to_string())?);
    }
    let mut found = 0;
    let times = Times::of(1, (20_000 / len as usize).clamp(3, 500), || {
        found = inputs
            .iter()
            .filter(|input| {
                engine.set_input((*input).clone());
                matches!(engine.eval_rule("data.directory.allow".to_owned()), Ok(regorus::Value::Bool(true)))
            })
            .count();
    });
    anyhow::ensure!(found == allowed, "regorus allows {found} of {len}, `standard` {allowed}");
    Ok(times)
}

/// A subject in one group that manages another.
fn context() -> Context {
    let parents = Column { name: "parent".to_owned(), items: vec![UNASSIGNED, UNASSIGNED], ..Column::default() };
    Context {
        action: "user.read".to_owned(),
        now_ms: 1_700_000_000_000,
        subject: SubjectView { kind: "user".to_owned(), groups: vec![0], manages: vec![1], ..SubjectView::default() },
        groups: Rows { kind: "group".to_owned(), len: 2, columns: vec![parents], numbers: Vec::new() },
        roles: Rows { kind: "role".to_owned(), ..Rows::default() },
        ..Context::default()
    }
}

/// As the host would send them: in calls of at most as many rows as one call takes.
fn chunks(len: u32) -> Vec<Rows> {
    let most = directory::limits::CHECK_ROWS as u32;
    (0..len.div_ceil(most)).map(|chunk| rows((len - chunk * most).min(most))).collect()
}

fn rows(len: u32) -> Rows {
    let flag = |name: &str, of: fn((bool, bool, bool, bool)) -> bool| Column {
        name: name.to_owned(),
        items: (0..len).map(|at| u32::from(of(facts(at)))).collect(),
        ..Column::default()
    };
    let status = Column {
        name: "status".to_owned(),
        dictionary: vec!["active".to_owned(), "suspended".to_owned()],
        items: (0..len).map(|at| u32::from(!facts(at).3)).collect(),
        ..Column::default()
    };
    let groups =
        Column { name: "groups".to_owned(), ends: (1..=len).collect(), items: (0..len).map(|at| at % 2).collect(), ..Column::default() };
    Rows {
        kind: "user".to_owned(),
        len,
        columns: vec![
            flag("self", |facts| facts.0),
            flag("managed-by-me", |facts| facts.1),
            flag("below-my-groups", |facts| facts.2),
            flag("shares-group", |facts| facts.2),
            status,
            groups,
        ],
        numbers: Vec::new(),
    }
}
