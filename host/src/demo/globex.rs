//! `globex`: people who may know of each other only where they work on the same project, decided by `need-to-know`.

use directory::store::{AttributeDefinition, ImportGroup, ImportRole};

use super::sample::{
    Line,
    Office::{Berlin, London, NewYork, Sydney},
    Person, attribute, definition, group, groups, person, role, roles,
};

/// Those whom the printed table presents, with what is special about them.
pub(super) const PRESENTED: [(&str, &str); 6] = [
    ("hugo.stein", "administrator: may do everything, but sees only whom it works with"),
    ("adaeze.obi", "leads `borealis`: its people, with contact fields"),
    ("emma.johansson", "member on `helios`: its people, without contact fields"),
    ("ravi.kapoor", "auditor: everybody, nobody's contact fields"),
    ("bruno.martins", "manages `propulsion`, works on `borealis` and `helios`"),
    ("lucia.ferrari", "in no group but the top one, on no project: sees herself"),
];

const GROUPS: [(&str, &str, &str, &str); 5] = [
    ("research", "Research", "", "Finds things out."),
    ("propulsion", "Propulsion", "research", "Makes things go."),
    ("materials", "Materials", "research", "Makes things hold."),
    ("operations", "Operations", "", "Makes things happen."),
    ("launch", "Launch", "operations", "Makes things leave."),
];

const ROLES: [(&str, &str, &str, &[&str]); 1] =
    [("auditor", "Auditor", "Sees everybody, and nobody's contact fields.", &["audit.read", "policy.read"])];

/// Each with groups (a star: manages it), roles beside `member`, projects, and whether it leads them.
const PEOPLE: [(Line, &str, &str, &[&str], bool); 14] = [
    (("hugo.stein", "Hugo", "Stein", "Head of IT", "de-CH", Berlin), "operations", "administrator", &["helios"], false),
    (("adaeze.obi", "Adaeze", "Obi", "Programme Lead", "ig-NG", London), "propulsion", "", &["borealis"], true),
    (("bruno.martins", "Bruno", "Martins", "Head of Propulsion", "pt-PT", London), "propulsion*", "", &["borealis", "helios"], false),
    (("emma.johansson", "Emma", "Johansson", "Physicist", "sv-SE", Berlin), "materials", "", &["helios"], false),
    (("ravi.kapoor", "Ravi", "Kapoor", "Internal Audit", "hi-IN", London), "operations", "auditor", &[], false),
    (("lucia.ferrari", "Lucía", "Ferrari", "Intern", "es-AR", NewYork), "", "", &[], false),
    (("noa.levi", "Noa", "Levi", "Propulsion Engineer", "he-IL", Berlin), "propulsion", "", &["borealis"], false),
    (("tuan.pham", "Tuấn", "Phạm", "Propulsion Engineer", "vi-VN", Sydney), "propulsion", "", &["helios"], false),
    (("mariam.toure", "Mariam", "Touré", "Materials Lead", "fr-ML", London), "materials*", "", &["helios"], true),
    (("erik.dahl", "Erik", "Dahl", "Metallurgist", "nb-NO", Berlin), "materials", "", &["borealis", "meridian"], false),
    (("sora.ito", "Sora", "Itō", "Launch Director", "ja-JP", Sydney), "launch*", "", &["meridian"], true),
    (("kofi.asante", "Kofi", "Asante", "Range Safety", "en-GH", London), "launch", "", &["meridian"], false),
    (
        ("olga.kovalenko", "Olga", "Kovalenko", "Flight Controller", "uk-UA", Berlin),
        "launch operations",
        "",
        &["meridian", "helios"],
        false,
    ),
    (("lena.fischer", "Lena", "Fischer", "Consultant", "de-AT", Berlin), "operations", "", &["borealis"], false),
];

pub(super) fn attributes() -> Vec<AttributeDefinition> {
    ["project", "lead"].map(definition).into()
}

pub(super) fn all_groups() -> Vec<ImportGroup> {
    GROUPS.iter().map(group).collect()
}

pub(super) fn all_roles() -> Vec<ImportRole> {
    ROLES.iter().map(role).collect()
}

pub(super) fn people() -> Vec<Person> {
    PEOPLE
        .iter()
        .zip(1..)
        .map(|((line, in_groups, with_roles, projects, leads), number)| {
            let mut person = person(line, domain(line.0), number);
            person.groups = groups(in_groups);
            person.roles.extend(roles(with_roles));
            if !projects.is_empty() {
                person.attributes.push(attribute("project", projects));
            }
            if *leads {
                person.attributes.push(attribute("lead", &["yes"]));
            }
            person
        })
        .collect()
}

/// The consultant is known by the same address in `acme`.
fn domain(user_name: &str) -> &'static str {
    if user_name == "lena.fischer" { "fischer-consulting.example" } else { "globex.example" }
}
