//! `acme`: 40 people, 15 groups five deep, decided by `standard`.

use directory::{
    model::Status,
    store::{AttributeDefinition, ImportGroup, ImportRole},
};

use super::sample::{
    Line,
    Office::{Berlin, London, NewYork, Sydney},
    Person, attribute, definition, group, groups, person, role, roles,
};

/// Members see their own subtree; of their peers neither e-mail address nor telephone number (nor what else is withheld by default).
pub(super) const SETTINGS: &str = r#"{"members_see":"subtree"}"#;

/// Those whom the printed table presents, with what is special about them.
pub(super) const PRESENTED: [(&str, &str); 7] = [
    ("amara.okafor", "administrator: sees and may do everything"),
    ("kenji.tanaka", "manages `platform`: everybody below it, with all fields"),
    ("lea.moreau", "member of `databases`: peers and below, without their e-mail and phone"),
    ("noor.haddad", "in no group but the top one: sees herself"),
    ("ingrid.halvorsen", "manages the top group, and so sees everybody without any role"),
    ("daniel.mensah", "helpdesk within `commercial`: `user.read` and `user.suspend` there"),
    ("yusuf.demir", "people-reader: reads everybody, changes nobody"),
];

const GROUPS: [(&str, &str, &str, &str); 15] = [
    ("engineering", "Engineering", "", "Builds and runs the product."),
    ("platform", "Platform", "engineering", "What the product stands on."),
    ("databases", "Databases", "platform", "Keeps the data."),
    ("storage-engine", "Storage Engine", "databases", "Writes it down."),
    ("compaction", "Compaction", "storage-engine", "Makes it small."),
    ("networking", "Networking", "platform", "Brings it there."),
    ("product-engineering", "Product Engineering", "engineering", "What customers see."),
    ("web", "Web", "product-engineering", "In the browser."),
    ("mobile", "Mobile", "product-engineering", "On the phone."),
    ("commercial", "Commercial", "", "Everybody who talks to customers."),
    ("sales", "Sales", "commercial", "New customers."),
    ("sales-emea", "Sales EMEA", "sales", "Europe, the Middle East and Africa."),
    ("support", "Customer Support", "commercial", "Customers with questions."),
    ("people-operations", "People Operations", "", "Hires, pays and looks after everybody."),
    ("finance", "Finance", "", "Counts."),
];

const ROLES: [(&str, &str, &str, &[&str]); 4] = [
    (
        "helpdesk",
        "Help Desk",
        "Shuts people out and lets them in again.",
        &["user.read", "user.suspend", "user.activate", "user.set-password"],
    ),
    ("people-reader", "People Reader", "Reads everybody.", &["user.read"]),
    ("team-builder", "Team Builder", "Shapes groups.", &["group.create", "group.update", "membership.add", "membership.remove"]),
    (
        "policy-author",
        "Policy Author",
        "Writes and activates policies.",
        &["policy.read", "policy.upload", "policy.activate", "policy.rollback"],
    ),
];

/// Each with groups (a star: manages it) and roles beside `member`.
const PEOPLE: [(Line, &str, &str); 40] = [
    (("ingrid.halvorsen", "Ingrid", "Halvorsen", "Chief Executive", "nb-NO", London), "", ""),
    (("amara.okafor", "Amara", "Okafor", "Head of IT", "en-NG", London), "people-operations", "administrator"),
    (("rafael.souza", "Rafael", "Souza", "VP Engineering", "pt-BR", NewYork), "engineering*", ""),
    (("kenji.tanaka", "Kenji", "Tanaka", "Director of Platform", "ja-JP", Berlin), "platform*", ""),
    (("sofia.lindqvist", "Sofía", "Lindqvist", "Staff Engineer", "sv-SE", Berlin), "platform engineering", "team-builder@platform"),
    (("lea.moreau", "Léa", "Moreau", "Database Engineer", "fr-FR", Berlin), "databases", ""),
    (("arjun.nair", "Arjun", "Nair", "Databases Lead", "en-IN", London), "databases*", ""),
    (("wanjiru.kamau", "Wanjirũ", "Kamau", "Database Engineer", "en-KE", London), "databases networking", ""),
    (("piotr.wisniewski", "Piotr", "Wiśniewski", "Storage Lead", "pl-PL", Berlin), "storage-engine*", ""),
    (("mei.chen", "Méi", "Chén", "Storage Engineer", "zh-CN", Sydney), "storage-engine", ""),
    (("tomas.novak", "Tomáš", "Novák", "Storage Engineer", "cs-CZ", Berlin), "storage-engine compaction", ""),
    (("hana.yilmaz", "Hana", "Yılmaz", "Compaction Engineer", "tr-TR", Berlin), "compaction", ""),
    (("liam.oconnor", "Liam", "O’Connor", "Compaction Engineer", "en-IE", London), "compaction", ""),
    (("fatou.diop", "Fatou", "Diop", "Networking Lead", "fr-SN", London), "networking*", ""),
    (("oskar.bergmann", "Oskar", "Bergmann", "Network Engineer", "de-DE", Berlin), "networking", ""),
    (("priya.raman", "Priya", "Raman", "Network Engineer", "ta-IN", Sydney), "networking", ""),
    (("grace.kim", "Grace", "Kim", "Director of Product Engineering", "ko-KR", NewYork), "product-engineering*", ""),
    (("diego.herrera", "Diego", "Herrera", "Web Lead", "es-MX", NewYork), "web*", ""),
    (("elena.popescu", "Elena", "Popescu", "Web Engineer", "ro-RO", Berlin), "web", ""),
    (("samuel.adeyemi", "Samuel", "Adéyẹmí", "Web Engineer", "yo-NG", London), "web mobile", ""),
    (("zoe.papadaki", "Zoë", "Papadáki", "Designer", "el-GR", Berlin), "web mobile", ""),
    (("minh.nguyen", "Minh", "Nguyễn", "Mobile Lead", "vi-VN", Sydney), "mobile*", ""),
    (("aroha.ngata", "Aroha", "Ngata", "Mobile Engineer", "mi-NZ", Sydney), "mobile", ""),
    (("ivan.horvat", "Ivan", "Horvat", "Security Engineer", "hr-HR", Berlin), "engineering", "policy-author"),
    (("charlotte.dubois", "Charlotte", "Dubois", "Chief Commercial Officer", "fr-BE", London), "commercial*", ""),
    (("marcus.reid", "Marcus", "Reid", "Head of Sales", "en-US", NewYork), "sales*", ""),
    (("aisha.rahman", "Aisha", "Rahman", "Account Executive", "bn-BD", NewYork), "sales", ""),
    (("jack.williams", "Jack", "Williams", "Account Executive", "en-AU", Sydney), "sales", ""),
    (("giulia.conti", "Giulia", "Conti", "Sales Lead EMEA", "it-IT", London), "sales-emea*", ""),
    (("omar.el-sayed", "Omar", "El-Sayed", "Account Executive", "ar-EG", London), "sales-emea", ""),
    (("katarzyna.zielinska", "Katarzyna", "Zielińska", "Account Executive", "pl-PL", Berlin), "sales-emea support", ""),
    (("daniel.mensah", "Daniel", "Mensah", "Help Desk", "en-GH", London), "support", "helpdesk@commercial"),
    (("nadia.petrova", "Nadia", "Petrova", "Head of Support", "bg-BG", Berlin), "support*", ""),
    (("viktor.lindholm", "Viktor", "Lindholm", "Support Engineer", "fi-FI", Berlin), "support", ""),
    (("camila.rojas", "Camila", "Rojas", "Head of People Operations", "es-CL", NewYork), "people-operations*", "people-reader"),
    (("yusuf.demir", "Yusuf", "Demir", "People Partner", "tr-TR", Berlin), "people-operations", "people-reader"),
    (("harriet.ashworth", "Harriet", "Ashworth", "Chief Financial Officer", "en-GB", London), "finance*", ""),
    (("chidi.eze", "Chidi", "Eze", "Accountant", "ig-NG", London), "finance", ""),
    (("lena.fischer", "Lena", "Fischer", "Consultant", "de-AT", Berlin), "finance engineering", ""),
    (("noor.haddad", "Noor", "Haddad", "Intern", "ar-LB", London), "", ""),
];

pub(super) fn attributes() -> Vec<AttributeDefinition> {
    ["office", "languages", "cost-center"].map(definition).into()
}

pub(super) fn all_groups() -> Vec<ImportGroup> {
    GROUPS
        .iter()
        .zip(1..)
        .map(|(line, number)| {
            let mut group = group(line);
            group.attributes.push(attribute("cost-center", &[&format!("CC-{:03}", number * 10)]));
            group
        })
        .collect()
}

pub(super) fn all_roles() -> Vec<ImportRole> {
    ROLES.iter().map(role).collect()
}

pub(super) fn people() -> Vec<Person> {
    PEOPLE
        .iter()
        .zip(1..)
        .map(|((line, in_groups, with_roles), number)| {
            let mut person = person(line, domain(line.0), number);
            person.groups = groups(in_groups);
            person.roles.extend(roles(with_roles));
            person.manages_top = person.user_name == "ingrid.halvorsen";
            person.status = if person.user_name == "viktor.lindholm" { Status::Suspended } else { Status::Active };
            let native = person.locale.split('-').next().unwrap_or_default().to_owned();
            let languages: &[&str] = if native == "en" { &["en"] } else { &["en", &native] };
            person.attributes = vec![attribute("office", &[person.office.name()]), attribute("languages", languages)];
            person
        })
        .collect()
}

/// The consultant is known by the same address in `globex`.
fn domain(user_name: &str) -> &'static str {
    if user_name == "lena.fischer" { "fischer-consulting.example" } else { "acme.example" }
}
