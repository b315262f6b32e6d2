//! `bailiwick policy bench`.

use std::time::Instant;

use anyhow::bail;
use directory::{
    contract::{Digest, Engine, Failure, Manifest, Session},
    ids::WorkspaceId,
    limits::CHECK_ROWS,
};
use serde_json::{Value, json};

use super::check::{Findings, ModuleFile, printable};
use crate::{
    cli::{print, progress::grouped},
    config::Config,
    wiring::{self, Sample},
};

/// Calls of which each figure is the median.
const RUNS: usize = 21;
/// Rows of the call from whose cost that of a further row is reckoned.
const FEW_ROWS: u32 = 16;

/// Tell what a module's answers cost
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Asks a module about made-up rows and prints, for each kind that it decides, the fuel and the time of one row of `check` \
        and of a call of `scope`, beside those of the policy that ships with the server. Fuel is the same on every machine; times are \
        those of this one, as medians of 21 calls. `check` is asked about the kind's `read`, or the first action that the module \
        decides. A row's figures are what one more row costs once the sandbox is warm; `scope` begins with a fresh sandbox, as the first \
        call of a request does. The budget is what the server lets a call use: 100,000,000 of fuel, and 200,000 for each row.",
    after_long_help = "\
Examples:
  bailiwick policy bench policy.wasm
  bailiwick policy bench policy.wasm --rows 4096
  bailiwick policy bench policy.wasm --json"
)]
pub(in crate::cli) struct Bench {
    #[command(flatten)]
    module: ModuleFile,
    /// Rows of a call of `check`, from 32 to 4,096
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(32..=CHECK_ROWS as i64))]
    rows: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What a module's answers about one kind cost.
struct Figures {
    kind: &'static str,
    action: String,
    /// One more row of `check`.
    row: Spent,
    /// A call of `scope`, where the kind's reads are decided.
    scope: Option<Spent>,
    /// The larger part of its budget that a call used, in percent.
    budget_percent: f64,
}

/// What a call used.
#[derive(Clone, Copy)]
struct Spent {
    fuel: u64,
    nanos: u64,
}

/// One policy in the table.
struct Column {
    name: String,
    figures: Vec<Figures>,
}

pub(super) async fn run(bench: Bench, config: &Config) -> anyhow::Result<()> {
    let Bench { module, rows, json } = bench;
    let engine = wiring::engine(config)?;
    let Findings { validation, settings, .. } = module.examine(engine.as_ref()).await?;
    let Some(manifest) = validation.manifest.filter(|_| validation.reasons.is_empty()) else {
        bail!("the module would be rejected: {}", printable(&validation.reasons.join("; ")));
    };
    let own = column(engine.as_ref(), validation.digest, &manifest, &settings, rows).await?;
    let standard = wiring::standard();
    let shipped = engine.load(&standard).await?;
    let shipped = column(engine.as_ref(), standard.digest, &shipped, "", rows).await?;
    print(&if json { object(&own, &shipped, rows).to_string() } else { table(&own, &shipped, rows) });
    Ok(())
}

/// Measures a module that is loaded.
async fn column(engine: &dyn Engine, digest: Digest, manifest: &Manifest, settings: &str, rows: u32) -> anyhow::Result<Column> {
    let mut figures = Vec::new();
    for sample in wiring::samples(manifest, settings) {
        let measured = measure(engine, digest, &sample, rows).await;
        figures.push(measured.map_err(|failure| {
            let name = printable(&manifest.name);
            anyhow::anyhow!("`{name}`, asked about {rows} rows of `{}`: {failure}", sample.kind.name())
        })?);
    }
    Ok(Column { name: format!("{} {}", manifest.name, manifest.version), figures })
}

/// The workspace that asks; here there are none.
const fn nobody() -> WorkspaceId {
    WorkspaceId(uuid::Uuid::nil())
}

async fn measure(engine: &dyn Engine, digest: Digest, sample: &Sample<'_>, rows: u32) -> Result<Figures, Failure> {
    let (mut per_row, mut whole, mut scopes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let mut session = engine.session(nobody(), digest)?;
        check(session.as_mut(), sample, FEW_ROWS).await?;
        let few = check(session.as_mut(), sample, FEW_ROWS).await?;
        let many = check(session.as_mut(), sample, rows).await?;
        let more = u64::from(rows - FEW_ROWS);
        per_row.push(Spent { fuel: many.fuel.saturating_sub(few.fuel) / more, nanos: many.nanos.saturating_sub(few.nanos) / more });
        whole.push(many);
        if sample.lists() {
            scopes.push(scope(engine.session(nobody(), digest)?.as_mut(), sample).await?);
        }
    }
    let percent = |spent: Spent, rows| 100.0 * spent.fuel as f64 / sample.budget(rows) as f64;
    let (row, whole, scope) = (median(&per_row), median(&whole), median(&scopes));
    let of_check = whole.map_or(0.0, |whole| percent(whole, rows));
    let of_scope = scope.map_or(0.0, |scope| percent(scope, 0));
    Ok(Figures {
        kind: sample.kind.name(),
        action: sample.action.clone(),
        row: row.unwrap_or(Spent { fuel: 0, nanos: 0 }),
        scope,
        budget_percent: of_check.max(of_scope),
    })
}

async fn check(session: &mut dyn Session, sample: &Sample<'_>, rows: u32) -> Result<Spent, Failure> {
    let (rows, change) = sample.rows(rows);
    let (fuel, began) = (session.cost().fuel, now());
    session.check(sample.context.clone(), rows, change).await?;
    Ok(Spent { nanos: nanos_since(began), fuel: session.cost().fuel - fuel })
}

async fn scope(session: &mut dyn Session, sample: &Sample<'_>) -> Result<Spent, Failure> {
    let began = now();
    session.scope(sample.context.clone(), sample.kind.name()).await?;
    Ok(Spent { nanos: nanos_since(began), fuel: session.cost().fuel })
}

#[expect(clippy::disallowed_methods, reason = "what is measured for people is measured by the machine's own clock")]
fn now() -> Instant {
    Instant::now()
}

fn nanos_since(began: Instant) -> u64 {
    u64::try_from(now().duration_since(began).as_nanos()).unwrap_or(u64::MAX)
}

/// The medians of fuel and of time; `None` of nothing.
fn median(spent: &[Spent]) -> Option<Spent> {
    let middle = |of: fn(&Spent) -> u64| {
        let mut sorted: Vec<u64> = spent.iter().map(of).collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    };
    Some(Spent { fuel: middle(|spent| spent.fuel)?, nanos: middle(|spent| spent.nanos)? })
}

/// Each kind that the module decides, and below it what the policy that ships with the server takes for it.
fn table(own: &Column, shipped: &Column, rows: u32) -> String {
    let width = [own, shipped].map(|column| column.name.chars().count()).into_iter().max().unwrap_or_default().max("policy".len());
    let head = ["fuel", "time", "fuel", "time", "of budget"].map(|head| format!("{head:>12}")).concat();
    let mut lines = vec![
        format!("{:<12} {:<width$}{:>24}{:>24}", "", "", "check, a row", "scope, a call"),
        format!("{:<12} {:<width$}{head}", "kind", "policy"),
    ];
    for figures in &own.figures {
        lines.push(line(figures.kind, &own.name, width, figures));
        let beside = shipped.figures.iter().find(|beside| beside.kind == figures.kind);
        lines.extend(beside.map(|beside| line("", &shipped.name, width, beside)));
    }
    lines.push(format!("{} rows a call of `check`; medians of {RUNS} calls", grouped(u64::from(rows))));
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

fn line(kind: &str, name: &str, width: usize, figures: &Figures) -> String {
    let scope = figures.scope.map_or_else(|| ["-".to_owned(), "-".to_owned()], |scope| [grouped(scope.fuel), time(scope.nanos)]);
    let [scope_fuel, scope_time] = scope;
    let cells = [grouped(figures.row.fuel), time(figures.row.nanos), scope_fuel, scope_time, format!("{:.2} %", figures.budget_percent)];
    format!("{kind:<12} {name:<width$}{}", cells.map(|cell| format!("{cell:>12}")).concat())
}

/// A time in the unit that suits it.
fn time(nanos: u64) -> String {
    match nanos {
        0..10_000 => format!("{} ns", grouped(nanos)),
        10_000..10_000_000 => format!("{} us", grouped(nanos / 1_000)),
        _ => format!("{} ms", grouped(nanos / 1_000_000)),
    }
}

fn object(own: &Column, shipped: &Column, rows: u32) -> Value {
    let spent = |spent: Spent| json!({ "fuel": spent.fuel, "nanoseconds": spent.nanos });
    let column = |column: &Column| {
        let figures = column.figures.iter().map(|figures| {
            json!({
                "kind": figures.kind,
                "action": figures.action,
                "row": spent(figures.row),
                "scope": figures.scope.map(spent),
                "budgetPercent": figures.budget_percent,
            })
        });
        json!({ "policy": column.name, "kinds": figures.collect::<Vec<_>>() })
    };
    json!({ "rows": rows, "runs": RUNS, "module": column(own), "standard": column(shipped) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_medians_of_their_own() {
        let spent = |fuel, nanos| Spent { fuel, nanos };
        let middle = median(&[spent(1, 30), spent(9, 10), spent(5, 20)]).map(|middle| (middle.fuel, middle.nanos));
        assert_eq!(middle, Some((5, 20)));
        assert!(median(&[]).is_none());
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        assert_eq!([0, 9_999, 10_000, 9_999_999, 12_000_000].map(time), ["0 ns", "9,999 ns", "10 us", "9,999 us", "12 ms"]);
    }

    #[test]
    fn each_kind_stands_beside_that_of_the_shipped_policy() {
        let figures = |kind, scope| Figures { kind, action: String::new(), row: Spent { fuel: 80, nanos: 25 }, scope, budget_percent: 0.5 };
        let scope = Some(Spent { fuel: 12_345, nanos: 61_000 });
        let own = Column { name: "mine 1".to_owned(), figures: vec![figures("user", scope), figures("token", None)] };
        let shipped = Column { name: "standard 1.0.0".to_owned(), figures: vec![figures("group", scope), figures("user", scope)] };
        let text = table(&own, &shipped, 1_000);
        let cells: Vec<Vec<&str>> = text.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        let spent = ["80", "25", "ns", "12,345", "61", "us", "0.50", "%"];
        assert_eq!(cells[0], [&["user", "mine", "1"][..], &spent].concat());
        assert_eq!(cells[1], [&["standard", "1.0.0"][..], &spent].concat());
        assert_eq!(cells[2], ["token", "mine", "1", "80", "25", "ns", "-", "-", "0.50", "%"]);
        assert_eq!(cells.len(), 4, "{text}");
    }
}
