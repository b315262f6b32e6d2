//! Asks a scratch workspace what a file expects, as requests would, and compares.
//!
//! All that a file says of one subject, action and kind is asked in one request and one call, whichever matrices it stands in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use directory::{
    Error, Visible,
    access::{ActionDecision, Directory, Object},
    limits::TEST_DIFFERENCES,
    register::Kind,
    store::{AmongGrants, AmongGroups, AmongMemberships, AmongRoles, AmongUsers},
    trials::{Difference, Outcome, Report},
};
use uuid::Uuid;

use super::{
    expect::{Action, Cell, Expectations, Listing},
    reader::place,
    scratch::{Scratch, all, whole},
    world::{Resource, World},
};

/// What stands for a reason where the policy allows to read an edge, and the gate does not show it.
const HIDDEN_END: &str = "an end of it is hidden";

/// What the policy says of one resource.
struct Answer {
    outcome: Outcome,
    reason: String,
}

/// Tries everything that is expected.
///
/// # Errors
/// Those of the store. What the policy fails at is an outcome.
pub(super) async fn run(scratch: &Scratch, world: &World, expectations: &Expectations) -> Result<Report, Error> {
    let mut wanted: BTreeMap<(usize, Action, Kind), BTreeSet<Resource>> = BTreeMap::new();
    for cell in &expectations.cells {
        wanted.entry((cell.subject, cell.action, cell.resource.kind())).or_default().insert(cell.resource);
    }
    let mut answers: HashMap<(usize, Action, Resource), Answer> = HashMap::new();
    for ((subject, action, _), resources) in wanted {
        let resources: Vec<Resource> = resources.into_iter().collect();
        let found = ask(scratch, subject, action, &resources).await?;
        answers.extend(resources.into_iter().zip(found).map(|(resource, answer)| ((subject, action, resource), answer)));
    }
    let mut differences: Vec<(usize, Difference)> = Vec::new();
    for cell in &expectations.cells {
        let answer = answers.get(&(cell.subject, cell.action, cell.resource));
        let answer = answer.ok_or_else(|| Error::Store("an answer is missing".to_owned()))?;
        differences.extend(compare(world, cell, answer).map(|difference| (cell.line, difference)));
    }
    for listing in &expectations.lists {
        differences.extend(list(scratch, world, listing).await?.map(|difference| (listing.line, difference)));
    }
    differences.sort_by_key(|(line, _)| *line);
    let failed = differences.len();
    let differences = differences.into_iter().take(TEST_DIFFERENCES).map(|(_, difference)| difference).collect();
    Ok(Report { passed: expectations.len() - failed, failed, differences, unfinished: None })
}

/// One answer for each resource, all of one kind, in order.
async fn ask(scratch: &Scratch, subject: usize, action: Action, resources: &[Resource]) -> Result<Vec<Answer>, Error> {
    match decide(scratch, subject, action, resources).await {
        Err(error) => {
            let outcome = Outcome::NoAnswer(failed(error)?);
            Ok(resources.iter().map(|_| Answer { outcome: outcome.clone(), reason: String::new() }).collect())
        }
        answers => answers,
    }
}

/// What went wrong, where it is the policy that failed.
fn failed(error: Error) -> Result<String, Error> {
    match error {
        Error::Policy(failure) if !failure.is_of_server() => Ok(failure.to_string()),
        // The bounds that any list has.
        Error::TooLarge(why) => Ok(why),
        other => Err(other),
    }
}

async fn decide(scratch: &Scratch, subject: usize, action: Action, resources: &[Resource]) -> Result<Vec<Answer>, Error> {
    let directory = scratch.as_person(subject).await?;
    let object = object(scratch, resources)?;
    let decisions = directory.can(&[action.name()], &object).await?;
    let reads = action.reads() && resources.iter().all(|resource| resource.kind() == action.kind);
    let read = if reads { Some(read(&directory, object).await?) } else { None };
    let mut answers = Vec::with_capacity(resources.len());
    for position in 0..resources.len() {
        let decision = decisions.get(position).and_then(|of| of.first()).ok_or_else(|| Error::Store("a decision is missing".to_owned()))?;
        let shown = read.as_ref().map(|rows| rows.get(position).cloned().flatten());
        answers.push(answer(decision, shown));
    }
    Ok(answers)
}

/// What was decided, and of a row that was read what was shown: the outer `None` where none was read, the inner where it was hidden.
fn answer(decision: &ActionDecision, shown: Option<Option<Vec<String>>>) -> Answer {
    let ActionDecision { allowed, reason, .. } = decision;
    match (allowed, shown) {
        (true, Some(None)) => Answer { outcome: Outcome::Denied, reason: HIDDEN_END.to_owned() },
        (true, shown) => Answer { outcome: Outcome::Allowed { hidden: shown.flatten() }, reason: reason.clone() },
        (false, _) => Answer { outcome: Outcome::Denied, reason: reason.clone() },
    }
}

/// The resources, all of one kind, as the gate is asked about them.
fn object(scratch: &Scratch, resources: &[Resource]) -> Result<Object, Error> {
    let mut object = Object::Workspace;
    for resource in resources {
        match (&mut object, *resource) {
            (Object::Users(ids), Resource::User(at)) => ids.push(scratch.user(at)?),
            (Object::Groups(ids), Resource::Group(at)) => ids.push(scratch.group(at)?),
            (Object::Roles(ids), Resource::Role(at)) => ids.push(scratch.role(at)?),
            (Object::Memberships(ids), Resource::Membership(at)) => ids.push(scratch.membership(at)?),
            (Object::Grants(ids), Resource::Grant(at)) => ids.push(scratch.grant(at)?),
            (object, Resource::User(at)) => *object = Object::Users(vec![scratch.user(at)?]),
            (object, Resource::Group(at)) => *object = Object::Groups(vec![scratch.group(at)?]),
            (object, Resource::Role(at)) => *object = Object::Roles(vec![scratch.role(at)?]),
            (object, Resource::Membership(at)) => *object = Object::Memberships(vec![scratch.membership(at)?]),
            (object, Resource::Grant(at)) => *object = Object::Grants(vec![scratch.grant(at)?]),
            (_, Resource::Workspace) => {}
        }
    }
    Ok(object)
}

/// Reads the object's rows as any request does: of each that is shown, the fields that are withheld, sorted.
async fn read(directory: &Directory, object: Object) -> Result<Vec<Option<Vec<String>>>, Error> {
    fn withheld<T>(rows: Vec<Option<Visible<T>>>, of: impl Fn(&T) -> &Vec<String>) -> Vec<Option<Vec<String>>> {
        rows.into_iter().map(|row| row.map(|row| sorted(of(&row)))).collect()
    }
    Ok(match object {
        Object::Users(ids) => withheld(directory.users(&ids).await?, |row| &row.withheld),
        Object::Groups(ids) => withheld(directory.groups(&ids).await?, |row| &row.withheld),
        Object::Roles(ids) => withheld(directory.roles(&ids).await?, |row| &row.withheld),
        Object::Memberships(ids) => withheld(directory.memberships(&ids).await?, |row| &row.withheld),
        Object::Grants(ids) => withheld(directory.grants(&ids).await?, |row| &row.withheld),
        Object::Workspace => vec![directory.workspace().await?.map(|row| sorted(&row.withheld))],
    })
}

fn sorted(names: &[String]) -> Vec<String> {
    names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The difference, if there is one.
fn compare(world: &World, cell: &Cell, answer: &Answer) -> Option<Difference> {
    let Cell { line, subject, action, resource, expected } = cell;
    let hidden = expected.hidden.as_ref().map(|fields| fields.iter().cloned().collect::<Vec<_>>());
    let same = match &answer.outcome {
        Outcome::Denied => !expected.allowed,
        Outcome::Allowed { hidden: found } => expected.allowed && (hidden.is_none() || hidden == *found),
        Outcome::Shows(_) | Outcome::NoAnswer(_) => false,
    };
    if same && expected.reason.as_ref().is_none_or(|reason| *reason == answer.reason) {
        return None;
    }
    // Fields of which nobody speaks are no part of the difference.
    let found = match &answer.outcome {
        Outcome::Allowed { .. } if expected.allowed && hidden.is_none() => Outcome::Allowed { hidden: None },
        outcome => outcome.clone(),
    };
    Some(Difference {
        place: place(*line),
        subject: person(world, *subject),
        action: action.name(),
        resource: world.full_name(*resource),
        expected: if expected.allowed { Outcome::Allowed { hidden } } else { Outcome::Denied },
        expected_reason: expected.reason.clone(),
        found,
        found_reason: answer.reason.clone(),
    })
}

fn person(world: &World, at: usize) -> String {
    world.people.get(at).map(|person| person.name.clone()).unwrap_or_default()
}

/// The difference between what a list shows and what it should, if there is one.
async fn list(scratch: &Scratch, world: &World, listing: &Listing) -> Result<Option<Difference>, Error> {
    let Listing { line, subject, kind, shows } = listing;
    let shown = async { rows(&scratch.as_person(*subject).await?, *kind).await };
    let names = |resources: &BTreeSet<Resource>| Outcome::Shows(sorted(&resources.iter().map(|one| world.name(*one)).collect::<Vec<_>>()));
    let found = match shown.await {
        Ok(ids) => {
            let known = ids.into_iter().map(|id| scratch.resource(*kind, id));
            let found = known.collect::<Option<BTreeSet<Resource>>>();
            let found = found.ok_or_else(|| Error::Store("a list shows what is not of the world".to_owned()))?;
            if found == *shows {
                return Ok(None);
            }
            names(&found)
        }
        Err(error) => Outcome::NoAnswer(failed(error)?),
    };
    Ok(Some(Difference {
        place: place(*line),
        subject: person(world, *subject),
        action: kind.read(),
        resource: format!("list of each {}", kind.name()),
        expected: names(shows),
        expected_reason: None,
        found,
        found_reason: String::new(),
    }))
}

/// The rows that a list shows.
async fn rows(directory: &Directory, kind: Kind) -> Result<Vec<Uuid>, Error> {
    Ok(match kind {
        Kind::User => whole(directory.list_users(all(AmongUsers::All)).await?)?.iter().map(|row| row.id.0).collect(),
        Kind::Group => whole(directory.list_groups(all(AmongGroups::All)).await?)?.iter().map(|row| row.id.0).collect(),
        Kind::Role => whole(directory.list_roles(all(AmongRoles::All)).await?)?.iter().map(|row| row.id.0).collect(),
        Kind::Membership => whole(directory.list_memberships(all(AmongMemberships::All)).await?)?.iter().map(|row| row.id.0).collect(),
        _ => whole(directory.list_grants(all(AmongGrants::All)).await?)?.iter().map(|row| row.id.0).collect(),
    })
}
