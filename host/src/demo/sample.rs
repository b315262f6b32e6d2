//! How sample workspaces are written down, and what an import makes of them.

use directory::{
    model::{Role, Status, UserText},
    store::{AttributeDefinition, ImportGroup, ImportPerson, ImportRole},
    text::fold,
};

/// Where somebody works. The telephone numbers are those that each country sets aside for fiction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Office {
    #[default]
    Berlin,
    London,
    NewYork,
    Sydney,
}

impl Office {
    pub(super) const ALL: [Self; 4] = [Self::Berlin, Self::London, Self::NewYork, Self::Sydney];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Berlin => "Berlin",
            Self::London => "London",
            Self::NewYork => "New York",
            Self::Sydney => "Sydney",
        }
    }

    pub(super) const fn time_zone(self) -> &'static str {
        match self {
            Self::Berlin => "Europe/Berlin",
            Self::London => "Europe/London",
            Self::NewYork => "America/New_York",
            Self::Sydney => "Australia/Sydney",
        }
    }

    fn phone(self, extension: usize) -> String {
        match self {
            Self::Berlin => format!("+49 30 23125 {:03}", extension % 1_000),
            Self::London => format!("+44 20 7946 0{:03}", extension % 1_000),
            Self::NewYork => format!("+1 212 555 01{:02}", extension % 100),
            Self::Sydney => format!("+61 2 5550 {:04}", extension % 10_000),
        }
    }
}

/// One person of a sample workspace.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// Unique in the workspace; the part of the address before the `@`.
    pub(super) user_name: String,
    /// What comes after the `@`. Somebody with the same address in two workspaces is one account.
    pub(super) domain: &'static str,
    pub(super) given_name: String,
    pub(super) family_name: String,
    pub(super) title: String,
    pub(super) locale: String,
    pub(super) office: Office,
    /// Makes the telephone number.
    pub(super) extension: usize,
    pub(super) status: Status,
    pub(super) attributes: Vec<(String, Vec<String>)>,
    /// Groups by key, and whether as a manager.
    pub(super) groups: Vec<(String, bool)>,
    pub(super) manages_top: bool,
    /// Roles by key, and the subtree's key.
    pub(super) roles: Vec<(String, Option<String>)>,
}

impl Person {
    pub(super) fn email(&self) -> String {
        format!("{}@{}", self.user_name, self.domain)
    }

    pub(super) fn display_name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }

    pub(super) fn import(self) -> ImportPerson {
        let email = self.email();
        let texts = vec![
            (UserText::DisplayName, self.display_name()),
            (UserText::UserName, self.user_name),
            (UserText::GivenName, self.given_name),
            (UserText::FamilyName, self.family_name),
            (UserText::Phone, self.office.phone(self.extension)),
            (UserText::Locale, self.locale),
            (UserText::TimeZone, self.office.time_zone().to_owned()),
            (UserText::Title, self.title),
            (UserText::ExternalId, format!("{:07}", self.extension)),
        ];
        ImportPerson {
            issuer: "email".to_owned(),
            identifier: fold(&email),
            texts: texts.into_iter().chain([(UserText::Email, email)]).collect(),
            exclusive: false,
            status: self.status,
            attributes: self.attributes,
            memberships: self.groups,
            manages_top: self.manages_top,
            grants: self.roles,
        }
    }
}

/// One line of a sample workspace's list of people: user name, given and family name, title, locale and office.
pub(super) type Line = (&'static str, &'static str, &'static str, &'static str, &'static str, Office);

/// A person with the role `member` and without groups.
pub(super) fn person(line: &Line, domain: &'static str, extension: usize) -> Person {
    let (user_name, given_name, family_name, title, locale, office) = *line;
    Person {
        user_name: user_name.to_owned(),
        domain,
        given_name: given_name.to_owned(),
        family_name: family_name.to_owned(),
        title: title.to_owned(),
        locale: locale.to_owned(),
        office,
        extension,
        status: Status::Active,
        attributes: Vec::new(),
        groups: Vec::new(),
        manages_top: false,
        roles: vec![(Role::MEMBER.to_owned(), None)],
    }
}

/// Reads `engineering sales*`: groups by key, a star behind those that the person manages.
pub(super) fn groups(text: &str) -> Vec<(String, bool)> {
    let group = |word: &str| word.strip_suffix('*').map_or_else(|| (word.to_owned(), false), |key| (key.to_owned(), true));
    text.split_whitespace().map(group).collect()
}

/// Reads `helpdesk@commercial auditor`: roles by key, behind the `@` the subtree that the grant is limited to.
pub(super) fn roles(text: &str) -> Vec<(String, Option<String>)> {
    let role = |word: &str| match word.split_once('@') {
        Some((role, group)) => (role.to_owned(), Some(group.to_owned())),
        None => (word.to_owned(), None),
    };
    text.split_whitespace().map(role).collect()
}

/// A custom attribute with its values.
pub(super) fn attribute(name: &str, values: &[&str]) -> (String, Vec<String>) {
    (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
}

pub(super) fn definition(name: &str) -> AttributeDefinition {
    AttributeDefinition { name: name.to_owned(), searchable: true }
}

/// A group: key, name, parent's key (empty right below the top group), description.
pub(super) fn group((key, name, parent, description): &(&str, &str, &str, &str)) -> ImportGroup {
    ImportGroup {
        key: (*key).to_owned(),
        name: (*name).to_owned(),
        description: Some((*description).to_owned()),
        parent: Some((*parent).to_owned()).filter(|parent| !parent.is_empty()),
        attributes: Vec::new(),
    }
}

/// A role: key, name, description, permissions.
pub(super) fn role((key, name, description, permissions): &(&str, &str, &str, &[&str])) -> ImportRole {
    ImportRole {
        key: (*key).to_owned(),
        name: (*name).to_owned(),
        description: Some((*description).to_owned()),
        permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
    }
}
