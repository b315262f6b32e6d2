//! Puts generated facts to a module before anybody depends on it: each export, for every kind and action that it decides.

use std::sync::Arc;

use directory::{
    contract::{Context, Failure, Manifest, Session, Verdicts},
    register::{Kind, knows_field},
};

use crate::{
    agree::agree,
    facts::{Facts, Keys},
    guest::quoted,
    module::Reasons,
    sample::decided,
    session::GuestSession,
    validate::failed,
    world::Subject,
};

/// Rows of an ordinary probe.
const FEW_ROWS: u32 = 16;
/// Rows of the second probe, from whose extra cost that of one row is reckoned.
const MANY_ROWS: u32 = 256;

/// What the probe found.
#[derive(Default)]
pub(crate) struct Probe {
    /// What speaks against the module; one reason for each kind and export at most.
    pub(crate) reasons: Reasons,
    /// The fuel that one row of `check` takes, for each kind that the module decides.
    pub(crate) fuel_per_row: Vec<(String, u64)>,
}

pub(crate) async fn probe(session: &impl Fn() -> GuestSession, manifest: &Manifest, settings: &str) -> Probe {
    let mut probe = Probe::default();
    let facts = Facts { needs: &manifest.needs, settings, keys: Keys::default() };
    for kind in Kind::ALL {
        let actions = decided(manifest, kind);
        let Some(first) = actions.first() else { continue };
        let reads = actions.contains(&kind.read());
        let before = probe.reasons.len();
        if reads {
            probe.reasons.extend(scope(session, &facts, kind).await.err());
        }
        match check(session, &facts, kind, &actions).await {
            Err(reason) => probe.reasons.push(reason),
            Ok(()) => match fuel_per_row(session(), &facts, kind, first).await {
                Err(failure) => probe.reasons.push(failed(&format!("check of {first}"), &failure)),
                Ok(fuel) => probe.fuel_per_row.push((kind.name().to_owned(), fuel)),
            },
        }
        // Whatever failed by itself agrees with nothing.
        if reads && probe.reasons.len() == before {
            probe.reasons.extend(agree(session, &facts, manifest, kind).await.err());
        }
        if session().is_spent() {
            let spent = "all the fuel of an upload was used up before the module was tried to the end; make `check` and `scope` cheaper";
            probe.reasons.push(spent.to_owned());
            break;
        }
    }
    probe
}

/// Asks for the scope of a kind, on behalf of everybody.
async fn scope(session: &impl Fn() -> GuestSession, facts: &Facts<'_>, kind: Kind) -> Result<(), String> {
    for subject in Subject::ALL {
        let call = format!("scope of {}", kind.name());
        let context = Arc::new(facts.context(&kind.read(), subject));
        let filter = session().scope(context, kind.name()).await.map_err(|failure| failed(&call, &failure))?;
        let unknown = filter.searchable.iter().find(|field| *field != "*" && !knows_field(field, Some(kind)));
        unknown.map_or(Ok(()), |field| Err(unknown_field(&call, "searchable", field, kind)))?;
    }
    Ok(())
}

/// Asks about every decided action of a kind, with and without knowing the change, on behalf of everybody.
async fn check(session: &impl Fn() -> GuestSession, facts: &Facts<'_>, kind: Kind, actions: &[String]) -> Result<(), String> {
    for action in actions {
        let call = format!("check of {action}");
        for subject in Subject::ALL {
            let mut session = session();
            let context = Arc::new(facts.context(action, subject));
            let rows = || facts.rows_before(kind, action, subject, FEW_ROWS);
            let changes = [None, facts.change(kind, action, subject, FEW_ROWS)];
            let asked = if changes.iter().all(Option::is_none) { 1 } else { 2 };
            for change in changes.into_iter().take(asked) {
                let verdicts = session.check(Arc::clone(&context), rows(), change).await;
                let verdicts = verdicts.map_err(|failure| failed(&call, &failure))?;
                unknown_withheld(&verdicts, kind).map_or(Ok(()), |field| Err(unknown_field(&call, "withheld", field, kind)))?;
            }
        }
    }
    Ok(())
}

/// What one more row costs, once the guest is warm.
async fn fuel_per_row(mut session: GuestSession, facts: &Facts<'_>, kind: Kind, action: &str) -> Result<u64, Failure> {
    let subject = Subject::Manager;
    let context: Arc<Context> = Arc::new(facts.context(action, subject));
    let mut fuel = [0; 3];
    for (fuel, rows) in fuel.iter_mut().zip([FEW_ROWS, FEW_ROWS, MANY_ROWS]) {
        let before = session.cost().fuel;
        let change = facts.change(kind, action, subject, rows);
        session.check(Arc::clone(&context), facts.rows_before(kind, action, subject, rows), change).await?;
        *fuel = session.cost().fuel - before;
    }
    let [_, few, many] = fuel;
    Ok(many.saturating_sub(few) / u64::from(MANY_ROWS - FEW_ROWS))
}

fn unknown_withheld(verdicts: &Verdicts, kind: Kind) -> Option<&String> {
    verdicts.table.iter().flat_map(|verdict| &verdict.withheld).find(|field| !knows_field(field, Some(kind)))
}

fn unknown_field(call: &str, list: &str, field: &str, kind: Kind) -> String {
    let known = match kind.fields() {
        [] => "no governed fields".to_owned(),
        fields => format!("`{}`", fields.join("`, `")),
    };
    format!("`{call}`: `{list}` names `{}`, which {} does not have; it has {known}", quoted(field), kind.name())
}
