//! Rules about changes, for the comparison tests: what may be set to which value, where people may be added, what may be handed on.
//!
//! It shows what a policy of a tenant's own can read from the contract's `change`. What it does not decide is left to the standard
//! policy.

use policy_kit::{Answer, Ask, Change, Manifest, Mask, Policy, RowFilter, Rows, Verdict, Verdicts, settings};

/// The policy.
#[derive(Debug)]
pub struct HouseRules;

/// The only departments that somebody may be put into.
const DEPARTMENTS: [&str; 2] = ["sales", "support"];

/// The key of a group that, once deleted, never comes back.
const CLOSED: &str = "harbour";

impl Policy for HouseRules {
    fn manifest() -> Manifest {
        Manifest::named("house-rules", env!("CARGO_PKG_VERSION"), "Rules about what may be changed, and by whom.")
            .needs(&["rows.attributes.department", "rows.groups", "rows.permissions", "rows.name", "rows.unique", "groups.key"])
            .decides(&[
                "user.update",
                "user.suspend",
                "membership.add",
                "grant.add",
                "group.restore",
                "attribute.create",
                "attribute.update",
                "attribute.delete",
            ])
            .otherwise_standard()
            .fields(&["user.displayName", "user.title", "user.status", "user.attributes.*", "membership.manager"])
    }

    fn validate(settings: &str) -> Result<(), Vec<String>> {
        settings::none(settings)
    }

    fn scope(_ask: &Ask<'_>, _kind: &str) -> RowFilter {
        RowFilter::nothing("this policy reads nothing")
    }

    fn check(ask: &Ask<'_>, rows: &Rows, change: Option<&Change>) -> Verdicts {
        let height = rows.height();
        let Some(change) = change else {
            return Answer::new(height, Verdict::allow("it could be allowed")).finish();
        };
        let (allowed, reason, why_not) = match ask.action() {
            "user.update" => (known_department(change, height), "a department that there is", "there is no such department"),
            "user.suspend" => (in_support(ask, rows), "support is suspended by anybody", "only support may be suspended"),
            "membership.add" => (below_mine(ask, change, height), "below your group", "not below a group that you manage"),
            "grant.add" => (mine_to_give(ask, change, height), "yours to give", "you do not hold all of it"),
            "group.restore" => (open(ask, change, height), "it may open again", "what was closed stays closed"),
            "attribute.create" | "attribute.update" => (house_attribute(change.after.as_ref(), height), OF_THE_HOUSE, NOT_OF_THE_HOUSE),
            "attribute.delete" => (house_attribute(Some(rows), height), OF_THE_HOUSE, NOT_OF_THE_HOUSE),
            _ => (Mask::none(height), "", "this policy does not decide it"),
        };
        let mut answer = Answer::new(height, Verdict::deny(why_not));
        // Titles are given by nobody.
        let withheld: &[&str] = if ask.action() == "user.update" { &["title"] } else { &[] };
        answer.give(&allowed, Verdict::allow(reason).without(withheld));
        answer.finish()
    }
}

const OF_THE_HOUSE: &str = "an attribute of the house";
const NOT_OF_THE_HOUSE: &str = "only attributes whose names begin with `house-` may change, and they are not unique";

/// The rows of attributes of the house, as they are or would be.
fn house_attribute(rows: Option<&Rows>, height: usize) -> Mask {
    match rows.and_then(|rows| Some((rows.text("name")?, rows.flags("unique")?))) {
        Some((names, unique)) => {
            let of_house = |name: Option<&str>| name.is_some_and(|name| name.starts_with("house-"));
            Mask::collect(height, names.iter().zip(unique.iter()).map(|(name, unique)| of_house(name) && unique == Some(false)))
        }
        None => Mask::none(height),
    }
}

/// The rows whose department would be one of [`DEPARTMENTS`], or stays away from the change.
fn known_department(change: &Change, height: usize) -> Mask {
    if change.fields.iter().all(|field| field != "attributes.department") {
        return Mask::all(height);
    }
    match change.after.as_ref().and_then(|after| after.texts("attributes.department")) {
        Some(departments) => Mask::collect(height, departments.iter().map(|mut values| values.all(|value| DEPARTMENTS.contains(&value)))),
        None => Mask::none(height),
    }
}

/// The rows of people in, or below, the group whose key is `support`.
fn in_support(ask: &Ask<'_>, rows: &Rows) -> Mask {
    let keys = ask.tree().keys();
    let support = keys.and_then(|keys| keys.iter().position(|key| key == Some("support"))).and_then(|at| u32::try_from(at).ok());
    let set = ask.tree().under(&support.into_iter().collect::<Vec<_>>());
    match rows.positions("groups", ask.tree().len()) {
        Some(groups) => Mask::collect(rows.height(), groups.iter().map(|cell| set.any(cell))),
        None => Mask::none(rows.height()),
    }
}

/// The rows of groups, as they would be, but the one whose key is [`CLOSED`].
fn open(ask: &Ask<'_>, change: &Change, height: usize) -> Mask {
    let keys: Option<Vec<Option<&str>>> = ask.tree().keys().map(|keys| keys.iter().collect());
    match (keys, change.after.as_ref().and_then(|after| after.positions("groups", ask.tree().len()))) {
        (Some(keys), Some(groups)) => {
            let key = |cell: &[u32]| keys.get(*cell.first()? as usize).copied().flatten();
            Mask::collect(height, groups.iter().map(|cell| key(cell).is_some_and(|key| key != CLOSED)))
        }
        _ => Mask::none(height),
    }
}

/// The rows that would come to be in, or below, a group that the subject manages.
fn below_mine(ask: &Ask<'_>, change: &Change, height: usize) -> Mask {
    let set = ask.tree().under(ask.manages());
    match change.after.as_ref().and_then(|after| after.positions("groups", ask.tree().len())) {
        Some(groups) => Mask::collect(height, groups.iter().map(|cell| set.any(cell))),
        None => Mask::none(height),
    }
}

/// The rows whose role holds nothing that the subject does not hold in the whole workspace.
fn mine_to_give(ask: &Ask<'_>, change: &Change, height: usize) -> Mask {
    let role = change.parties.iter().find(|party| party.name == "role").map(|party| &party.rows);
    match role.and_then(|role| role.texts("permissions")) {
        Some(permissions) => Mask::collect(height, permissions.iter().map(|mut held| held.all(|name| ask.holds(name)))),
        None => Mask::none(height),
    }
}

policy_kit::export!(HouseRules);
