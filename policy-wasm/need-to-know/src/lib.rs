//! People see each other only where they work on the same project.
//!
//! The showcase of the kit: `people` is the whole policy. What it does not decide is left to the standard policy. A tenant's
//! projects are the values of the attribute `project`, its leads have the attribute `lead` with the value `yes`, its auditors hold
//! the role `auditor`. Tokens work on no project, so services and provisioning see nobody.

use policy_kit::settings::Reader;
use policy_kit::{Answer, Ask, Change, Manifest, Policy, RowFilter, Rows, Table, Verdict, Verdicts, term};

/// The policy.
#[derive(Debug)]
pub struct NeedToKnow;

/// Who sees whom, most generous rule first.
fn people(ask: &Ask<'_>, contact: &[String]) -> Table {
    let on_my_projects = term::attribute("project", ask.facts("attributes.project"));
    let mut table = Table::new("user", FIELDS);
    table.allow("this is you", [term::is("self")]);
    if ask.has_fact("attributes.lead", "yes") {
        table.allow("you lead one of its projects", [on_my_projects]);
    } else {
        table.allow("works on one of your projects", [on_my_projects]).without(contact);
    }
    if ask.holds_role("auditor") {
        table.allow("you are an auditor", []).without(contact);
    }
    table
}

/// The fields of users; what is not named here is withheld.
const FIELDS: &[&str] = &[
    "user.userName",
    "user.displayName",
    "user.givenName",
    "user.familyName",
    "user.email",
    "user.phone",
    "user.locale",
    "user.timeZone",
    "user.title",
    "user.avatarUrl",
    "user.externalId",
    "user.code",
    "user.exclusive",
    "user.status",
    "user.attributes.*",
];

/// The one setting, `contact_fields`: what colleagues do not see of each other. The default is `email` and `phone`.
fn contact_fields(settings: &str) -> Result<Vec<String>, Vec<String>> {
    let mut reader = Reader::new(settings);
    let known = |name: &str| FIELDS.iter().any(|field| field.strip_prefix("user.") == Some(name));
    let fields = reader.names("contact_fields", &["email", "phone"], "names of user fields (`email`, `attributes.*`)", known);
    reader.finish().map(|()| fields)
}

const INVALID_SETTINGS: &str = "the settings of this policy are invalid";

impl Policy for NeedToKnow {
    fn manifest() -> Manifest {
        let summary = "People see each other where they share a project, without contact fields unless they lead it.";
        Manifest::named("need-to-know", env!("CARGO_PKG_VERSION"), summary)
            .needs(&["rows.self", "rows.attributes.project", "roles.key"])
            .decides(&["user.read"])
            .otherwise_standard()
            .fields(FIELDS)
    }

    fn validate(settings: &str) -> Result<(), Vec<String>> {
        contact_fields(settings).map(|_| ())
    }

    fn scope(ask: &Ask<'_>, _kind: &str) -> RowFilter {
        match contact_fields(ask.settings()) {
            Ok(contact) => people(ask, &contact).filter(),
            Err(_) => RowFilter::nothing(INVALID_SETTINGS),
        }
    }

    fn check(ask: &Ask<'_>, rows: &Rows, _change: Option<&Change>) -> Verdicts {
        match contact_fields(ask.settings()) {
            Ok(contact) => people(ask, &contact).verdicts(ask, rows),
            Err(_) => Answer::new(rows.height(), Verdict::deny(INVALID_SETTINGS)).finish(),
        }
    }
}

policy_kit::export!(NeedToKnow);
