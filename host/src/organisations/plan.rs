//! One organisation, checked, as the store will bring it in.

use std::collections::{HashMap, HashSet};

use directory::{
    limits::{DESCRIPTION_CHARS, GROUP_DEPTH, KEY_CHARS, TEXT_CHARS},
    model::{Role, Status, UserText},
    store::{ImportGroup, ImportPerson},
    text::fold,
};

use super::{
    Error, Odd, Oddity,
    file::{File, Organisation, Team, text},
};

/// An organisation that keeps every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The workspace's key.
    pub key: String,
    /// The workspace's name.
    pub name: String,
    /// Parents before children.
    pub groups: Vec<ImportGroup>,
    /// In the order in which the file first names them.
    pub people: Vec<ImportPerson>,
    /// What is odd.
    pub odd: Vec<Odd>,
}

/// Checks the organisation at a position of the file.
///
/// # Errors
/// Every problem at once, each with its path.
pub fn plan(file: &File, index: usize) -> Result<Plan, Vec<Error>> {
    let place = format!("organisations[{index}]");
    let Some(organisation) = file.organisations.get(index) else {
        return Err(vec![Error { place, problem: format!("there are only {} organisations", file.organisations.len()) }]);
    };
    let mut checks = Checks { place, errors: Vec::new() };
    let key = checks.text("key", &organisation.key, KEY_CHARS);
    let name = organisation.name.as_deref().map_or_else(|| key.clone(), |name| checks.text("name", name, TEXT_CHARS));
    let issuer = text(&file.issuer, KEY_CHARS).unwrap_or_else(|rule| {
        checks.errors.push(Error { place: "issuer".to_owned(), problem: format!("`{}` {rule}", file.issuer) });
        String::new()
    });
    let earlier = file.organisations.iter().take(index).position(|other| fold(&other.key) == fold(&key));
    if let Some(earlier) = earlier {
        checks.wrong("key", format!("`{key}` is the key of organisations[{earlier}], too; give each organisation a key of its own"));
    }
    let groups = groups(&mut checks, &organisation.teams);
    let mut people = People { issuer, ..People::default() };
    people.organisation(&mut checks, organisation);
    for (index, team) in organisation.teams.iter().enumerate() {
        people.team(&mut checks, index, team);
    }
    if !checks.errors.is_empty() {
        return Err(checks.errors);
    }
    Ok(Plan { key, name, groups, people: people.list, odd: people.odd })
}

/// What is wrong so far, and where we are.
struct Checks {
    place: String,
    errors: Vec<Error>,
}

impl Checks {
    fn wrong(&mut self, at: &str, problem: String) {
        self.errors.push(Error { place: format!("{}.{at}", self.place), problem });
    }

    fn text(&mut self, at: &str, given: &str, limit: usize) -> String {
        text(given, limit).unwrap_or_else(|rule| {
            let shown: String = given.chars().take(64).collect();
            self.wrong(at, format!("`{}` {rule}", shown.escape_debug()));
            String::new()
        })
    }
}

/// The teams as groups, parents before children.
fn groups(checks: &mut Checks, teams: &[Team]) -> Vec<ImportGroup> {
    let mut positions: HashMap<String, usize> = HashMap::new();
    for (index, team) in teams.iter().enumerate() {
        let key = checks.text(&format!("teams[{index}].key"), &team.key, KEY_CHARS);
        if let Some(earlier) = positions.insert(fold(&key), index) {
            let problem =
                format!("`{key}` is the key of teams[{earlier}], too; keys are unique in an organisation, wherever nested: rename one");
            checks.wrong(&format!("teams[{index}].key"), problem);
        }
        let description = team.description.as_deref().unwrap_or_default();
        if description.chars().count() > DESCRIPTION_CHARS || description.contains('\0') {
            let problem = format!("has more than {DESCRIPTION_CHARS} characters, or a null character; shorten it, or remove that");
            checks.wrong(&format!("teams[{index}].description"), problem);
        }
    }
    let parents: Vec<Option<usize>> = teams.iter().enumerate().map(|(index, team)| parent(checks, &positions, index, team)).collect();
    let mut ordered: Vec<(usize, usize, &Team)> = Vec::with_capacity(teams.len());
    for (index, team) in teams.iter().enumerate() {
        match depth(&parents, index) {
            Some(depth) if depth <= GROUP_DEPTH => ordered.push((depth, index, team)),
            Some(depth) => checks.wrong(
                &format!("teams[{index}].parent"),
                format!("`{}` would be on level {depth} of the tree, and there are at most {GROUP_DEPTH}; nest it less deeply", team.key),
            ),
            None => checks.wrong(
                &format!("teams[{index}].parent"),
                format!("`{}` is below itself; a tree has no circles: name another parent", team.key),
            ),
        }
    }
    ordered.sort_by_key(|(depth, index, _)| (*depth, *index));
    ordered.into_iter().map(|(_, _, team)| group(team)).collect()
}

fn parent(checks: &mut Checks, positions: &HashMap<String, usize>, index: usize, team: &Team) -> Option<usize> {
    let parent = team.parent.as_deref()?;
    let found = positions.get(&fold(parent)).copied();
    if found.is_none() {
        let shown: String = parent.chars().take(64).collect();
        let problem =
            format!("`{}` is the key of no team of the organisation; add that team, or name another parent", shown.escape_debug());
        checks.wrong(&format!("teams[{index}].parent"), problem);
    }
    found
}

/// 1 for a team without a parent; `None` in a circle.
fn depth(parents: &[Option<usize>], index: usize) -> Option<usize> {
    let mut at = index;
    for depth in 1..=parents.len() {
        match parents.get(at).copied().flatten() {
            Some(parent) => at = parent,
            None => return Some(depth),
        }
    }
    None
}

fn group(team: &Team) -> ImportGroup {
    let trimmed = |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let key = team.key.trim().to_owned();
    ImportGroup { name: key.clone(), key, description: trimmed(&team.description), parent: trimmed(&team.parent), attributes: Vec::new() }
}

/// Everybody whom the organisation names.
#[derive(Default)]
struct People {
    issuer: String,
    list: Vec<ImportPerson>,
    /// Positions in `list` by folded handle.
    positions: HashMap<String, usize>,
    odd: Vec<Odd>,
}

/// Whom a list of handles says to be what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As<'a> {
    Owner,
    Member,
    Maintainer(&'a Team),
    TeamMember(&'a Team),
}

impl People {
    fn organisation(&mut self, checks: &mut Checks, organisation: &Organisation) {
        self.list(checks, "owners", &organisation.owners, As::Owner);
        self.list(checks, "members", &organisation.members, As::Member);
        if organisation.owners.is_empty() {
            checks.wrong("owners", "is empty; a workspace has at least one administrator: name an owner".to_owned());
        }
    }

    fn team(&mut self, checks: &mut Checks, index: usize, team: &Team) {
        self.list(checks, &format!("teams[{index}].maintainers"), &team.maintainers, As::Maintainer(team));
        self.list(checks, &format!("teams[{index}].members"), &team.members, As::TeamMember(team));
    }

    fn list(&mut self, checks: &mut Checks, place: &str, handles: &[String], role: As<'_>) {
        let mut seen = HashSet::new();
        for (index, handle) in handles.iter().enumerate() {
            let handle = checks.text(&format!("{place}[{index}]"), handle, TEXT_CHARS);
            if !seen.insert(fold(&handle)) {
                self.note(Oddity::Twice, &handle, place);
                continue;
            }
            self.one(&handle, place, role);
        }
    }

    fn one(&mut self, handle: &str, place: &str, role: As<'_>) {
        let folded = fold(handle);
        let position = match self.positions.get(&folded).copied() {
            Some(position) => {
                self.compare(position, handle, place);
                position
            }
            None => {
                self.positions.insert(folded.clone(), self.list.len());
                self.list.push(person(&self.issuer, handle, folded));
                self.list.len() - 1
            }
        };
        let Some(person) = self.list.get_mut(position) else { return };
        let odd = match role {
            As::Owner => {
                person.grants.push((Role::ADMINISTRATOR.to_owned(), None));
                None
            }
            As::Member => {
                let odd = (!person.grants.is_empty()).then_some(Oddity::OwnerAndMember);
                person.grants.push((Role::MEMBER.to_owned(), None));
                odd
            }
            As::Maintainer(team) => join(person, team, true),
            As::TeamMember(team) => join(person, team, false),
        };
        if let Some(odd) = odd {
            self.note(odd, handle, place);
        }
    }

    fn compare(&mut self, position: usize, handle: &str, place: &str) {
        let known = self.list.get(position).and_then(|person| person.texts.first()).map(|(_, name)| name.as_str());
        if known.is_some_and(|known| known != handle) {
            self.note(Oddity::OtherCase, handle, place);
        }
    }

    fn note(&mut self, oddity: Oddity, handle: &str, place: &str) {
        self.odd.push(Odd { oddity, handle: handle.to_owned(), place: place.to_owned() });
    }
}

/// Puts somebody into a team; says what is odd about it.
fn join(person: &mut ImportPerson, team: &Team, manager: bool) -> Option<Oddity> {
    let key = team.key.trim();
    if person.memberships.iter().any(|(group, _)| group == key) {
        return Some(Oddity::MaintainerAndMember);
    }
    person.memberships.push((key.to_owned(), manager));
    person.grants.is_empty().then_some(Oddity::Outside)
}

fn person(issuer: &str, handle: &str, folded: String) -> ImportPerson {
    ImportPerson {
        issuer: issuer.to_owned(),
        identifier: folded,
        texts: vec![(UserText::UserName, handle.to_owned())],
        exclusive: false,
        status: Status::Active,
        attributes: Vec::new(),
        memberships: Vec::new(),
        manages_top: false,
        grants: Vec::new(),
    }
}
