//! `need-to-know`: people see each other only where they share a project. Everything else is `standard`'s.

use super::{
    Kind,
    policy::{Scope, Subject},
    standard::Standard,
    text::fold,
};

/// The policy with its default settings.
#[derive(Clone, Debug)]
pub struct NeedToKnow {
    /// What decides the rest.
    pub standard: Standard,
}

/// What colleagues do not see of each other.
const CONTACT: [&str; 2] = ["email", "phone"];

impl NeedToKnow {
    /// See [`super::policy::Policy::judge`].
    #[must_use]
    pub fn judge(&self, subject: &Subject<'_>, kind: Kind, row: usize) -> Option<Vec<String>> {
        if kind != Kind::User {
            return self.standard.judge(subject, kind, row);
        }
        if subject.is(row) {
            return Some(Vec::new());
        }
        let contact = || Some(CONTACT.map(str::to_owned).to_vec());
        let (own, theirs) = (projects(subject, subject.asker.person), projects(subject, Some(row)));
        match (own.iter().any(|project| theirs.contains(project)), leads(subject), audits(subject)) {
            (true, true, _) => Some(Vec::new()),
            (true, false, _) | (false, _, true) => contact(),
            (false, _, false) => None,
        }
    }

    /// See [`super::policy::Policy::scope`].
    #[must_use]
    pub fn scope(&self, subject: &Subject<'_>, kind: Kind) -> Scope {
        if kind != Kind::User {
            return self.standard.scope(subject, kind);
        }
        let colleagues = !projects(subject, subject.asker.person).is_empty() && !leads(subject);
        if !colleagues && !audits(subject) {
            return Scope::open();
        }
        let fields = Kind::User.fields().iter().filter(|field| !CONTACT.contains(field));
        Scope { searchable: fields.map(|field| (*field).to_owned()).collect(), ..Scope::open() }
    }
}

fn projects(subject: &Subject<'_>, person: Option<usize>) -> Vec<String> {
    let values = person.and_then(|person| subject.world.people[person].attributes.get("project"));
    values.into_iter().flatten().map(|value| fold(value)).collect()
}

fn leads(subject: &Subject<'_>) -> bool {
    let lead = subject.asker.person.and_then(|person| subject.world.people[person].attributes.get("lead"));
    lead.into_iter().flatten().any(|value| fold(value) == "yes")
}

fn audits(subject: &Subject<'_>) -> bool {
    let held = subject.asker.person.into_iter().flat_map(|person| subject.world.grants_of(person));
    held.into_iter().any(|grant| fold(&subject.world.roles[grant.role].key) == "auditor")
}
