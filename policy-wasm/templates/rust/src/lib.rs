//! Who sees whom. `cargo test` tries the rules, README.md says how to make a module of them.

use policy_kit::{Ask, Change, Manifest, Policy, RowFilter, Rows, Table, Verdicts, settings, term};

/// The fields of people that this policy has thought about; whatever is not named here is withheld.
const FIELDS: &[&str] =
    &["user.userName", "user.displayName", "user.givenName", "user.familyName", "user.title", "user.email", "user.phone", "user.status"];

/// Who sees whom, most generous rule first: the first rule that somebody passes decides their fields.
fn people(ask: &Ask<'_>) -> Table {
    let mut table = Table::new("user", FIELDS);
    table.allow("this is you", [term::is("self")]);
    table.allow("you manage a group above", [term::managed(ask)]);
    table.allow("shares your group", [term::shares_group(ask), term::status("active")]).without(&["phone"]);
    table.allow("works here", [term::status("active")]).without(&["email", "phone"]);
    table
}

/// The four questions of the contract, wit/policy.wit.
#[derive(Debug)]
pub struct Rules;

impl Policy for Rules {
    fn manifest() -> Manifest {
        let summary = "Everybody sees who works here; how to reach them is for colleagues and managers.";
        Manifest::named("my-policy", env!("CARGO_PKG_VERSION"), summary)
            // The columns that the terms above read; each term's comment in the kit says which.
            .needs(&["rows.self", "rows.managed-by-me", "rows.shares-group", "rows.status"])
            // What this policy decides; every other action is left to the policy that ships with the server.
            .decides(&["user.read"])
            .otherwise_standard()
            .fields(FIELDS)
    }

    fn validate(settings: &str) -> Result<(), Vec<String>> {
        settings::none(settings)
    }

    fn scope(ask: &Ask<'_>, _kind: &str) -> RowFilter {
        people(ask).filter()
    }

    fn check(ask: &Ask<'_>, rows: &Rows, _change: Option<&Change>) -> Verdicts {
        people(ask).verdicts(ask, rows)
    }
}

policy_kit::export!(Rules);
