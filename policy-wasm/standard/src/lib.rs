//! The policy that every workspace starts with, and that `otherwise: "standard"` refers to.
//!
//! `reads` is who sees what, `writes` who does what, `hand_on` what nobody may pass on, `offices` who makes managers. All fail closed: invalid
//! settings, an unknown action, a missing or malformed column deny. The page `DECISIONS.md` beside this crate is printed from
//! these very rules. To add a kind or a verb, add it to [`names`] and bless the page.

mod hand_on;
pub mod names;
mod offices;
mod reads;
mod settings;
mod writes;

pub use settings::{MembersSee, Settings};

use policy_kit::{Answer, Ask, Change, Manifest, Policy, RowFilter, Rows, Verdict, Verdicts};

/// The standard policy.
#[derive(Debug)]
pub struct Standard;

/// The reason of every denial while the settings are invalid.
const INVALID_SETTINGS: &str = "the settings of the standard policy are invalid";
/// The reason of every denial of an action that the module does not know.
const UNKNOWN_ACTION: &str = "the standard policy does not know this action";

impl Policy for Standard {
    fn manifest() -> Manifest {
        let summary = "Members see the people around them; managers and roles open the rest.";
        Manifest::named("standard", env!("CARGO_PKG_VERSION"), summary).needs(names::NEEDS).decides(names::DECIDES).fields(names::FIELDS)
    }

    fn validate(settings: &str) -> Result<(), Vec<String>> {
        Settings::parse(settings).map(|_| ())
    }

    fn scope(ask: &Ask<'_>, kind: &str) -> RowFilter {
        let Ok(settings) = Settings::parse(ask.settings()) else { return RowFilter::nothing(INVALID_SETTINGS) };
        match names::action(&format!("{kind}.read")) {
            None => RowFilter::nothing(UNKNOWN_ACTION),
            // The register has no test of a role's permissions, so the host confirms each row.
            Some(("grant", _)) if ask.subject_kind() == "scim" => hand_on::ceiling_scope(),
            Some((kind, _)) => reads::table(ask, &settings, kind).filter(),
        }
    }

    fn check(ask: &Ask<'_>, rows: &Rows, change: Option<&Change>) -> Verdicts {
        let denied = |reason| Answer::new(rows.height(), Verdict::deny(reason)).finish();
        let Ok(settings) = Settings::parse(ask.settings()) else { return denied(INVALID_SETTINGS) };
        match names::action(ask.action()) {
            None => denied(UNKNOWN_ACTION),
            Some((kind, "read")) if !(kind == "grant" && ask.subject_kind() == "scim") => {
                reads::table(ask, &settings, kind).verdicts(ask, rows)
            }
            Some((kind, verb)) => writes::verdicts(ask, &settings, &writes::Write { kind, verb, rows, change }),
        }
    }
}

policy_kit::export!(Standard);
