//! A policy whose rules are its settings, so that one module can be compared with the host on any number of random rule sets.
//!
//! `scope` hands the settings' clauses to the host, which answers them in SQL; `check` answers the very same clauses from the
//! columns. A disagreement is a defect of one of the two. The grammar is in [`settings`]; every action but reads is left to the
//! standard policy.

pub mod settings;

use policy_kit::{Answer, Ask, Change, Evaluator, Manifest, Mask, Policy, RowFilter, Rows, Verdict, Verdicts, Vocabulary};

use settings::{KindRules, Settings};

/// The policy.
#[derive(Debug)]
pub struct Rules;

/// The attributes whose columns are asked for.
pub const ATTRIBUTES: [&str; 3] = ["project", "team", "level"];

const NEEDS: &[&str] = &[
    "groups.key",
    "roles.key",
    "rows.self",
    "rows.created-by-me",
    "rows.groups",
    "rows.managed-by-me",
    "rows.roles",
    "rows.status",
    "rows.attributes.project",
    "rows.attributes.team",
    "rows.attributes.level",
    "rows.mine",
    "rows.held-by-me",
    "rows.builtin",
    "rows.manager",
    "rows.role",
    "rows.provenance",
    "rows.user.groups",
    "rows.user.created-by-me",
    "rows.user.managed-by-me",
    "rows.user.roles",
    "rows.user.status",
    "rows.user.attributes.project",
    "rows.user.attributes.team",
    "rows.user.attributes.level",
];

const DECIDES: &[&str] = &["user.read", "group.read", "role.read", "membership.read", "grant.read", "workspace.read"];

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
    "group.key",
    "group.name",
    "group.description",
    "group.attributes.*",
    "role.key",
    "role.name",
    "role.description",
    "role.builtin",
    "role.permissions",
    "membership.manager",
    "grant.provenance",
    "grant.grantedBy",
    "workspace.key",
    "workspace.name",
    "workspace.userQuota",
    "workspace.userCount",
    "policy.settings",
    "policy.note",
    "policy.author",
];

const BY_RULE: &str = "a rule of the settings admits it";
const NO_RULE: &str = "no rule of the settings admits it";
const INVALID_SETTINGS: &str = "the settings of this policy are invalid";
const OPEN_TO_ALL: &str = "the workspace is open to everybody in it";

impl Policy for Rules {
    fn manifest() -> Manifest {
        Manifest::named("rules", env!("CARGO_PKG_VERSION"), "Reads are decided by the clauses in the settings.")
            .needs(NEEDS)
            .decides(DECIDES)
            .otherwise_standard()
            .fields(FIELDS)
    }

    fn validate(settings: &str) -> Result<(), Vec<String>> {
        Settings::parse(settings).map(|_| ())
    }

    fn scope(ask: &Ask<'_>, kind: &str) -> RowFilter {
        match Settings::parse(ask.settings()) {
            Err(_) => RowFilter::nothing(INVALID_SETTINGS),
            Ok(_) if kind == "workspace" => RowFilter::everything(OPEN_TO_ALL),
            Ok(settings) => settings.kind(kind).map_or_else(|| RowFilter::nothing(NO_RULE), |rules| filter(ask, kind, rules)),
        }
    }

    fn check(ask: &Ask<'_>, rows: &Rows, _change: Option<&Change>) -> Verdicts {
        let all = |verdict| Answer::new(rows.height(), verdict).finish();
        match Settings::parse(ask.settings()) {
            Err(_) => all(Verdict::deny(INVALID_SETTINGS)),
            Ok(_) if rows.kind == "workspace" => all(Verdict::allow(OPEN_TO_ALL)),
            Ok(settings) => match settings.kind(&rows.kind) {
                None => all(Verdict::deny(NO_RULE)),
                Some(rules) => verdicts(ask, &settings, rules, rows),
            },
        }
    }
}

fn filter(ask: &Ask<'_>, kind: &str, rules: &KindRules) -> RowFilter {
    let clauses = rules.superset.as_ref().filter(|_| !rules.exact).unwrap_or(&rules.clauses);
    let mut filter = RowFilter::any().searchable(&rules.searchable).because(BY_RULE);
    for clause in clauses {
        filter = filter.clause(clause.iter().map(|term| term.resolve(ask, kind)));
    }
    if rules.exact { filter } else { filter.inexact() }
}

fn verdicts(ask: &Ask<'_>, settings: &Settings, rules: &KindRules, rows: &Rows) -> Verdicts {
    let vocabulary =
        Vocabulary { group_keys: Some(&settings.group_keys), role_keys: Some(&settings.role_keys), attributes: Some(&settings.attributes) };
    let evaluator = Evaluator::new(ask, rows).knowing(vocabulary);
    let passing =
        |terms: &[settings::RuleTerm]| evaluator.clause(&terms.iter().map(|term| term.resolve(ask, &rows.kind)).collect::<Vec<_>>());
    let admitted = rules.clauses.iter().fold(Mask::none(rows.height()), |mask, clause| mask.or(&passing(clause)));
    // Each entry splits what is admitted in two: the rows that keep its fields and the rows that lose them.
    let mut parts = vec![(admitted, Vec::new())];
    for entry in &rules.withhold {
        let spared = passing(&entry.unless);
        parts = parts
            .into_iter()
            .flat_map(|(rows, fields)| {
                let losing = [fields.clone(), entry.fields.clone()].concat();
                [(rows.clone().and(&spared), fields), (rows.minus(&spared), losing)]
            })
            .filter(|(rows, _)| !rows.is_empty())
            .collect();
    }
    let mut answer = Answer::new(rows.height(), Verdict::deny(NO_RULE));
    for (rows, fields) in parts {
        answer.give(&rows, Verdict::allow(BY_RULE).without(&fields));
    }
    answer.finish()
}

policy_kit::export!(Rules);
