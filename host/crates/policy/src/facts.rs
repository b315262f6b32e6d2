//! Facts made up from the register, the same ones every time: shaped like real ones, and true of nobody.

use directory::{
    contract::{Change, Column, Context, Fact, Held, NumberColumn, Party, Rows, SubjectView, UNASSIGNED, UNASSIGNED_NUMBER},
    register::{self, ColumnDef, Kind, Shape},
};

/// Groups of the made-up workspace.
const GROUPS: u32 = 8;
/// Its roles.
const ROLES: u32 = 4;
/// Its clock: 2026-01-01.
const NOW_MS: u64 = 1_767_225_600_000;
/// What texts are drawn from where the register does not say.
const WORDS: &[&str] = &["berlin", "engineering", "staff"];

/// The generator for one module.
pub(crate) struct Facts<'a> {
    /// The manifest's `needs`: only these columns are filled.
    pub(crate) needs: &'a [String],
    /// The settings under which the module would run.
    pub(crate) settings: &'a str,
}

/// On whose behalf the probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A person in groups, with grants, who manages.
    Manager,
    /// A person without any group or role.
    Newcomer,
    /// A token's.
    Service,
}

impl Subject {
    pub(crate) const ALL: [Self; 3] = [Self::Manager, Self::Newcomer, Self::Service];
}

impl Facts<'_> {
    pub(crate) fn context(&self, action: &str, subject: Subject) -> Context {
        Context {
            action: action.to_owned(),
            now_ms: NOW_MS,
            settings: self.settings.to_owned(),
            subject: self.subject(subject, action),
            groups: self.groups(),
            roles: self.roles(),
            facts: Vec::new(),
        }
    }

    /// The rows as they are before `action`; those of a create have no facts yet.
    pub(crate) fn rows_before(&self, kind: Kind, action: &str, len: u32) -> Rows {
        if creates(action) {
            return Rows { kind: kind.name().to_owned(), len, ..Rows::default() };
        }
        self.rows(kind, len)
    }

    /// What `action` would do; nothing, if it only reads.
    pub(crate) fn change(&self, kind: Kind, action: &str, len: u32) -> Option<Change> {
        let (_, verb) = register::action(action)?;
        let sets = creates(action) || matches!(verb, "update" | "move");
        let parties: &[(&str, Kind)] = match action {
            "user.create" => &[("group", Kind::Group), ("role", Kind::Role)],
            "membership.add" | "membership.remove" => &[("user", Kind::User), ("group", Kind::Group)],
            "grant.add" | "grant.remove" => &[("user", Kind::User), ("role", Kind::Role), ("within", Kind::Group)],
            "group.move" => &[("from", Kind::Group), ("to", Kind::Group)],
            _ => &[],
        };
        let party = |&(name, kind): &(&str, Kind)| Party { name: name.to_owned(), rows: self.rows(kind, 1) };
        (verb != "read").then(|| Change {
            fields: if sets { kind.fields().iter().map(|field| (*field).to_owned()).collect() } else { Vec::new() },
            after: sets.then(|| self.rows(kind, len)),
            parties: parties.iter().map(party).collect(),
        })
    }

    /// Rows of a kind with every column that the module needs.
    fn rows(&self, kind: Kind, len: u32) -> Rows {
        let mut rows = Rows { kind: kind.name().to_owned(), len, ..Rows::default() };
        let needed = self.needs.iter().filter_map(|need| need.strip_prefix("rows."));
        for (phase, name) in (0..).zip(needed) {
            let Some(def) = kind.columns().iter().find(|def| names(def, name)) else { continue };
            fill(&mut rows, def, name, phase);
        }
        rows
    }

    fn subject(&self, subject: Subject, action: &str) -> SubjectView {
        let fact = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned() };
        let id = fact("id", "019b7615-2c00-7000-8000-000000000001");
        let person = SubjectView {
            kind: "user".to_owned(),
            facts: vec![id.clone(), fact("via", "graphql"), fact("status", "active")],
            ..SubjectView::default()
        };
        match subject {
            Subject::Newcomer => person,
            Subject::Manager => SubjectView {
                groups: vec![1, 3],
                manages: vec![1],
                grants: vec![Held { role: 0, within: UNASSIGNED }, Held { role: 1, within: 2 }],
                permissions: vec![action.to_owned()],
                facts: [person.facts, vec![fact("attributes.team", "engineering")]].concat(),
                ..person
            },
            Subject::Service => SubjectView {
                kind: "service".to_owned(),
                permissions: vec![action.to_owned()],
                facts: vec![id, fact("via", "http"), fact("token-scope", action)],
                ..SubjectView::default()
            },
        }
    }

    /// A tree: each group lies below the one of half its position.
    fn groups(&self) -> Rows {
        let parent = |position: u32| if position == 0 { UNASSIGNED } else { position / 2 };
        let mut columns = vec![column("parent", &[], Vec::new(), (0..GROUPS).map(parent).collect())];
        if self.needs("groups.key") {
            columns.push(keys(GROUPS));
        }
        Rows { kind: "group".to_owned(), len: GROUPS, columns, numbers: Vec::new() }
    }

    fn roles(&self) -> Rows {
        let mut columns = Vec::new();
        if self.needs("roles.key") {
            columns.push(keys(ROLES));
        }
        if self.needs("roles.permissions") {
            let (ends, items) = ragged(ROLES, 0, 3);
            columns.push(column("permissions", &["user.read", "group.read", "grant.add"], ends, items));
        }
        Rows { kind: "role".to_owned(), len: ROLES, columns, numbers: Vec::new() }
    }

    fn needs(&self, need: &str) -> bool {
        self.needs.iter().any(|needed| needed == need)
    }
}

fn creates(action: &str) -> bool {
    register::action(action).is_some_and(|(_, verb)| matches!(verb, "create" | "add" | "upload"))
}

fn names(def: &ColumnDef, name: &str) -> bool {
    def.name == name || def.name.strip_suffix('*').is_some_and(|start| name.starts_with(start))
}

/// Adds a column of the register's shape; `phase` makes columns differ.
fn fill(rows: &mut Rows, def: &ColumnDef, name: &str, phase: u32) {
    let len = rows.len;
    let single = |modulus: u32| (0..len).map(|row| (row + phase) % modulus).collect::<Vec<_>>();
    // One position past the last stands for none.
    let or_none = |last: u32| single(last + 1).into_iter().map(|item| if item == last { UNASSIGNED } else { item }).collect();
    let words = dictionary(name);
    let (dictionary, (ends, items)) = match def.shape {
        Shape::Instant => {
            let days = single(400).into_iter().map(|days| match days {
                0 => UNASSIGNED_NUMBER,
                days => 1_767_225_600_000 - i64::from(days) * 86_400_000,
            });
            rows.numbers.push(NumberColumn { name: name.to_owned(), ends: Vec::new(), items: days.collect() });
            return;
        }
        Shape::Flag => (&[][..], (Vec::new(), single(2))),
        Shape::Count => (&[][..], (Vec::new(), single(5))),
        Shape::Text => (words, (Vec::new(), single(count(words)))),
        Shape::Texts => (words, ragged(len, phase, count(words))),
        Shape::Groups => (&[][..], ragged(len, phase, GROUPS)),
        Shape::Group => (&[][..], (Vec::new(), or_none(GROUPS))),
        Shape::Roles => (&[][..], ragged(len, phase, ROLES)),
        Shape::Role => (&[][..], (Vec::new(), single(ROLES))),
    };
    rows.columns.push(column(name, dictionary, ends, items));
}

fn dictionary(name: &str) -> &'static [&'static str] {
    match name {
        "status" | "user.status" => &["invited", "inactive", "active", "suspended", "deleted"],
        "provenance" => &["manual", "scim", "import", "invitation"],
        "permissions" => &["user.read", "group.read", "grant.add"],
        _ => WORDS,
    }
}

fn count(words: &[&str]) -> u32 {
    u32::try_from(words.len()).unwrap_or(u32::MAX)
}

/// No item, one or two for each row, below `modulus`.
fn ragged(len: u32, phase: u32, modulus: u32) -> (Vec<u32>, Vec<u32>) {
    let (mut ends, mut items) = (Vec::new(), Vec::new());
    let mut end = 0;
    for row in 0..len {
        let owned = (row + phase) % 3;
        items.extend((0..owned).map(|item| (row + item) % modulus));
        end += owned;
        ends.push(end);
    }
    (ends, items)
}

fn keys(len: u32) -> Column {
    let names = (0..len).map(|position| format!("key-{position}")).collect::<Vec<_>>();
    Column { name: "key".to_owned(), dictionary: names, ends: Vec::new(), items: (0..len).collect() }
}

fn column(name: &str, dictionary: &[&str], ends: Vec<u32>, items: Vec<u32>) -> Column {
    Column { name: name.to_owned(), dictionary: dictionary.iter().map(|word| (*word).to_owned()).collect(), ends, items }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every column of the register, by name.
    fn everything() -> Vec<String> {
        let columns = Kind::ALL.into_iter().flat_map(Kind::columns).map(|def| format!("rows.{}", def.name));
        columns.chain(register::CONTEXT_NEEDS.iter().map(|(name, _)| (*name).to_owned())).collect()
    }

    #[test]
    fn every_column_of_every_kind_is_well_formed() {
        let needs = everything();
        let facts = Facts { needs: &needs, settings: "" };
        for kind in Kind::ALL {
            let rows = facts.rows(kind, 40);
            for def in kind.columns() {
                let here = rows.columns.iter().map(|column| &column.name).chain(rows.numbers.iter().map(|column| &column.name));
                assert!(here.into_iter().any(|name| name == def.name), "{} lacks {}", kind.name(), def.name);
            }
            for column in rows.columns {
                let def = kind.columns().iter().find(|def| def.name == column.name).unwrap();
                let bound = match def.shape {
                    Shape::Flag => 2,
                    Shape::Count => 5,
                    Shape::Text | Shape::Texts => count(dictionary(def.name)),
                    Shape::Groups | Shape::Group => GROUPS,
                    Shape::Roles | Shape::Role => ROLES,
                    Shape::Instant => unreachable!("instants are numbers"),
                };
                assert!(column.items.iter().all(|item| *item < bound || *item == UNASSIGNED), "{column:?}");
                match column.ends.last() {
                    None => assert_eq!(column.items.len(), 40),
                    Some(end) => assert_eq!((column.ends.len(), column.items.len()), (40, *end as usize)),
                }
            }
        }
    }

    #[test]
    fn only_what_is_needed_is_filled() {
        let needs = ["rows.self".to_owned(), "rows.attributes.team".to_owned()];
        let facts = Facts { needs: &needs, settings: "" };
        let names = |kind| facts.rows(kind, 1).columns.into_iter().map(|column| column.name).collect::<Vec<_>>();
        assert_eq!(names(Kind::User), ["self", "attributes.team"]);
        assert_eq!(names(Kind::Role), Vec::<String>::new());
        assert_eq!(facts.context("user.read", Subject::Manager).groups.columns.len(), 1);
    }
}
