//! The made-up workspace as a module is shown it: columns of the register's shapes, of what the module asks for.

use directory::{
    contract::{Change, Column, Context, Fact, NumberColumn, Party, Rows, SubjectView, UNASSIGNED, UNASSIGNED_NUMBER},
    register::{self, ColumnDef, Kind, Shape},
};

use crate::world::{self, GROUPS, ROLES, Row, Subject, User};

/// Its clock: 2026-01-01.
const NOW_MS: u64 = 1_767_225_600_000;
/// Milliseconds in a day.
const DAY_MS: i64 = 86_400_000;

/// The generator for one module.
pub(crate) struct Facts<'a> {
    /// The manifest's `needs`: only these columns are filled.
    pub(crate) needs: &'a [String],
    /// The settings under which the module would run.
    pub(crate) settings: &'a str,
    /// Keys that the first groups and roles shall have.
    pub(crate) keys: Keys,
}

/// Keys of groups and roles, by position; those without have names of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(crate) groups: Vec<String>,
    pub(crate) roles: Vec<String>,
}

impl Keys {
    /// The key of a group.
    pub(crate) fn group(&self, position: u32) -> String {
        self.groups.get(position as usize).cloned().unwrap_or_else(|| format!("group-{position}"))
    }

    /// The key of a role.
    pub(crate) fn role(&self, position: u32) -> String {
        self.roles.get(position as usize).cloned().unwrap_or_else(|| format!("role-{position}"))
    }
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
    pub(crate) fn rows_before(&self, kind: Kind, action: &str, subject: Subject, len: u32) -> Rows {
        if creates(action) {
            return Rows { kind: kind.name().to_owned(), len, ..Rows::default() };
        }
        self.rows(kind, subject, len)
    }

    /// What `action` would do; nothing, if it only reads.
    pub(crate) fn change(&self, kind: Kind, action: &str, subject: Subject, len: u32) -> Option<Change> {
        let (_, verb) = register::action(action)?;
        let sets = creates(action) || matches!(verb, "update" | "move");
        let parties: &[(&str, Kind)] = match action {
            "user.create" => &[("group", Kind::Group), ("role", Kind::Role)],
            "membership.add" | "membership.remove" => &[("user", Kind::User), ("group", Kind::Group)],
            "grant.add" | "grant.remove" => &[("user", Kind::User), ("role", Kind::Role), ("within", Kind::Group)],
            "group.move" => &[("from", Kind::Group), ("to", Kind::Group)],
            _ => &[],
        };
        let party = |&(name, kind): &(&str, Kind)| Party { name: name.to_owned(), rows: self.rows(kind, subject, 1) };
        (verb != "read").then(|| Change {
            fields: if sets { kind.fields().iter().map(|field| (*field).to_owned()).collect() } else { Vec::new() },
            after: sets.then(|| self.rows(kind, subject, len)),
            parties: parties.iter().map(party).collect(),
        })
    }

    /// Rows of a kind with every column that the module needs.
    pub(crate) fn rows(&self, kind: Kind, subject: Subject, len: u32) -> Rows {
        let mut rows = Rows { kind: kind.name().to_owned(), len, ..Rows::default() };
        let made: Vec<Row> = (0..len).map(|at| Row::of(kind, subject, at)).collect();
        for name in self.needs.iter().filter_map(|need| need.strip_prefix("rows.")) {
            if let Some(def) = kind.columns().iter().find(|def| names(def, name)) {
                fill(&mut rows, def, name, &made);
            }
        }
        rows
    }

    fn subject(&self, subject: Subject, action: &str) -> SubjectView {
        let fact = |name: &str, value: &str| Fact { name: name.to_owned(), value: value.to_owned() };
        let id = fact("id", "019b7615-2c00-7000-8000-000000000001");
        let mut facts = match subject {
            Subject::Service => vec![id, fact("via", "http"), fact("token-scope", action)],
            _ => vec![id, fact("via", "graphql"), fact("status", "active")],
        };
        let attributes = self.needs.iter().filter_map(|need| need.strip_prefix("rows."));
        let mut attributes: Vec<&str> =
            attributes.map(|name| name.strip_prefix("user.").unwrap_or(name)).filter(|name| name.starts_with("attributes.")).collect();
        attributes.sort_unstable();
        attributes.dedup();
        facts.extend(attributes.iter().flat_map(|name| subject.attribute().iter().map(|value| fact(name, value))));
        SubjectView {
            kind: if subject.is_person() { "user" } else { "service" }.to_owned(),
            groups: subject.groups().to_vec(),
            manages: subject.manages().to_vec(),
            grants: subject.grants().to_vec(),
            permissions: match subject {
                Subject::Manager => permissions_of_role(0).chain([action.to_owned()]).collect(),
                Subject::Service => vec![action.to_owned()],
                Subject::Member | Subject::Newcomer => Vec::new(),
            },
            facts,
        }
    }

    fn groups(&self) -> Rows {
        let parents = (0..GROUPS).map(|group| world::parent(group).unwrap_or(UNASSIGNED)).collect();
        let mut columns = vec![column("parent", Vec::new(), Vec::new(), parents)];
        if self.needs("groups.key") {
            columns.push(texts("key", (0..GROUPS).map(|group| Some(self.keys.group(group)))));
        }
        Rows { kind: "group".to_owned(), len: GROUPS, columns, numbers: Vec::new() }
    }

    fn roles(&self) -> Rows {
        let mut columns = Vec::new();
        if self.needs("roles.key") {
            columns.push(texts("key", (0..world::roles()).map(|role| Some(self.keys.role(role)))));
        }
        if self.needs("roles.permissions") {
            columns.push(ragged_texts("permissions", ROLES.iter().map(|permissions| permissions.to_vec())));
        }
        Rows { kind: "role".to_owned(), len: world::roles(), columns, numbers: Vec::new() }
    }

    fn needs(&self, need: &str) -> bool {
        self.needs.iter().any(|needed| needed == need)
    }
}

fn permissions_of_role(role: usize) -> impl Iterator<Item = String> {
    ROLES.get(role).copied().unwrap_or_default().iter().map(|permission| (*permission).to_owned())
}

fn creates(action: &str) -> bool {
    register::action(action).is_some_and(|(_, verb)| matches!(verb, "create" | "add" | "upload"))
}

fn names(def: &ColumnDef, name: &str) -> bool {
    def.name == name || def.name.strip_suffix('*').is_some_and(|start| name.starts_with(start))
}

/// What stands in one row of a column.
enum Cell {
    Flag(bool),
    Number(Option<u32>),
    Positions(Vec<u32>),
    Text(Option<&'static str>),
    Texts(Vec<&'static str>),
    Instant(i64),
}

/// Adds a column of the register's shape. A fact that the made-up workspace does not have is false, or unassigned.
fn fill(rows: &mut Rows, def: &ColumnDef, name: &str, made: &[Row]) {
    let cells = (0..).zip(made).map(|(at, row)| cell(row, name, at));
    let flag = |cell: Cell| u32::from(matches!(cell, Cell::Flag(true)));
    let number = |cell: Cell| if let Cell::Number(Some(number)) = cell { number } else { UNASSIGNED };
    let positions = |cell: Cell| if let Cell::Positions(positions) = cell { positions } else { Vec::new() };
    let column = match def.shape {
        Shape::Instant => {
            let items = cells.map(|cell| if let Cell::Instant(instant) = cell { instant } else { UNASSIGNED_NUMBER }).collect();
            rows.numbers.push(NumberColumn { name: name.to_owned(), ends: Vec::new(), items });
            return;
        }
        Shape::Flag => column(name, Vec::new(), Vec::new(), cells.map(flag).collect()),
        Shape::Count | Shape::Group | Shape::Role => column(name, Vec::new(), Vec::new(), cells.map(number).collect()),
        Shape::Text => texts(name, cells.map(|cell| if let Cell::Text(text) = cell { text.map(str::to_owned) } else { None })),
        Shape::Texts => ragged_texts(name, cells.map(|cell| if let Cell::Texts(texts) = cell { texts } else { Vec::new() })),
        Shape::Groups | Shape::Roles => {
            let (ends, items) = flattened(cells.map(positions));
            self::column(name, Vec::new(), ends, items)
        }
    };
    rows.columns.push(column);
}

fn cell(row: &Row, name: &str, at: u32) -> Cell {
    match row {
        Row::User(user) => match name {
            "self" => Cell::Flag(user.own),
            "created" => Cell::Instant(i64::try_from(NOW_MS).unwrap_or(i64::MAX) - i64::from(at % 400) * DAY_MS),
            name => of_user(user, name),
        },
        Row::Group(group) => match name {
            "groups" => Cell::Positions(group.with_parent()),
            "mine" => Cell::Flag(group.is_mine()),
            "managed-by-me" => Cell::Flag(group.is_managed_by_me()),
            "below-my-groups" => Cell::Flag(group.is_below_mine()),
            "above-my-groups" => Cell::Flag(group.is_above_mine()),
            "depth" => Cell::Number(Some(group.depth())),
            "created-by-me" => Cell::Flag(group.created_by_me()),
            name => Cell::Texts(name.strip_prefix("attributes.").map(|name| group.attribute(name)).unwrap_or_default()),
        },
        Row::Role(role) => match name {
            "held-by-me" => Cell::Flag(role.is_held_by_me()),
            "builtin" => Cell::Flag(role.builtin()),
            "roles" => Cell::Number(Some(role.position)),
            "permissions" => Cell::Texts(role.permissions().to_vec()),
            _ => Cell::Flag(role.created_by_me()),
        },
        Row::Membership { user, group, manager, created_by_me } => match name {
            "groups" => Cell::Number(Some(group.position)),
            "manager" => Cell::Flag(*manager),
            "self" => Cell::Flag(user.own),
            "created-by-me" => Cell::Flag(*created_by_me),
            name => of_user(user, name.strip_prefix("user.").unwrap_or(name)),
        },
        Row::Grant { user, role, within, provenance, created_by_me } => match name {
            "groups" => Cell::Number(within.map(|group| group.position)),
            "role" => Cell::Number(Some(role.position)),
            "provenance" => Cell::Text(Some(provenance)),
            "self" => Cell::Flag(user.own),
            "created-by-me" => Cell::Flag(*created_by_me),
            name => of_user(user, name.strip_prefix("user.").unwrap_or(name)),
        },
        Row::Other { own, created_by_me } => match name {
            "self" => Cell::Flag(*own),
            "created-by-me" => Cell::Flag(*created_by_me),
            "name" => Cell::Text(Some("team")),
            "type" => Cell::Text(Some("text")),
            _ => Cell::Flag(at.is_multiple_of(2)),
        },
    }
}

fn of_user(user: &User, name: &str) -> Cell {
    match name {
        "created-by-me" => Cell::Flag(user.created_by_me),
        "groups" => Cell::Positions(user.groups.clone()),
        "shares-group" => Cell::Flag(user.shares_group()),
        "below-my-groups" => Cell::Flag(user.is_below_my_groups()),
        "managed-by-me" => Cell::Flag(user.is_managed_by_me()),
        "roles" => Cell::Positions(user.roles.clone()),
        "status" => Cell::Text(Some(user.status)),
        "exclusive" => Cell::Flag(user.exclusive),
        name => Cell::Texts(name.strip_prefix("attributes.").map(|name| user.attribute(name)).unwrap_or_default()),
    }
}

/// One text a row, through a dictionary.
fn texts(name: &str, texts: impl Iterator<Item = Option<String>>) -> Column {
    let mut dictionary = Vec::new();
    let items = texts.map(|text| text.map_or(UNASSIGNED, |text| position(&mut dictionary, &text))).collect();
    column(name, dictionary, Vec::new(), items)
}

/// Any number of texts a row, through a dictionary.
fn ragged_texts(name: &str, texts: impl Iterator<Item = Vec<&'static str>>) -> Column {
    let mut dictionary = Vec::new();
    let (ends, items) = flattened(texts.map(|texts| texts.iter().map(|text| position(&mut dictionary, text)).collect()));
    column(name, dictionary, ends, items)
}

fn position(dictionary: &mut Vec<String>, text: &str) -> u32 {
    let at = dictionary.iter().position(|known| known == text).unwrap_or_else(|| {
        dictionary.push(text.to_owned());
        dictionary.len() - 1
    });
    u32::try_from(at).unwrap_or(UNASSIGNED)
}

fn flattened(rows: impl Iterator<Item = Vec<u32>>) -> (Vec<u32>, Vec<u32>) {
    let (mut ends, mut items) = (Vec::new(), Vec::new());
    for row in rows {
        items.extend(row);
        ends.push(u32::try_from(items.len()).unwrap_or(u32::MAX));
    }
    (ends, items)
}

fn column(name: &str, dictionary: Vec<String>, ends: Vec<u32>, items: Vec<u32>) -> Column {
    Column { name: name.to_owned(), dictionary, ends, items }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every column of the register, by name.
    fn everything() -> Vec<String> {
        let columns = Kind::ALL.into_iter().flat_map(Kind::columns).map(|def| format!("rows.{}", def.name.replace('*', "team")));
        columns.chain(register::CONTEXT_NEEDS.iter().map(|(name, _)| (*name).to_owned())).collect()
    }

    #[test]
    fn every_column_of_every_kind_is_well_formed_and_says_something() {
        let needs = everything();
        let facts = Facts { needs: &needs, settings: "", keys: Keys::default() };
        for kind in Kind::ALL {
            let rows = facts.rows(kind, Subject::Manager, 40);
            for def in kind.columns() {
                let name = def.name.replace('*', "team");
                if def.shape == Shape::Instant {
                    let column = rows.numbers.iter().find(|column| column.name == name).unwrap();
                    assert_eq!(column.items.len(), 40);
                    continue;
                }
                let column = rows.columns.iter().find(|column| column.name == name).unwrap();
                let bound = match def.shape {
                    Shape::Flag => 2,
                    Shape::Count => 5,
                    Shape::Text | Shape::Texts => u32::try_from(column.dictionary.len()).unwrap(),
                    Shape::Groups | Shape::Group => GROUPS,
                    Shape::Roles | Shape::Role => world::roles(),
                    Shape::Instant => unreachable!("instants are numbers"),
                };
                assert!(column.items.iter().all(|item| *item < bound || *item == UNASSIGNED), "{}: {column:?}", kind.name());
                assert!(column.items.iter().any(|item| *item != UNASSIGNED), "{}: {column:?}", kind.name());
                match column.ends.last() {
                    None => assert_eq!(column.items.len(), 40),
                    Some(end) => assert_eq!((column.ends.len(), column.items.len()), (40, *end as usize)),
                }
                let constant = def.name == "name" || def.name == "type";
                let differs = column.items.iter().any(|item| *item != column.items[0]);
                assert!(differs || constant, "{}: every row says the same: {column:?}", kind.name());
            }
        }
    }

    #[test]
    fn only_what_is_needed_is_filled() {
        let needs = ["rows.self".to_owned(), "rows.attributes.team".to_owned()];
        let facts = Facts { needs: &needs, settings: "", keys: Keys::default() };
        let names = |kind| facts.rows(kind, Subject::Member, 1).columns.into_iter().map(|column| column.name).collect::<Vec<_>>();
        assert_eq!(names(Kind::User), ["self", "attributes.team"]);
        assert_eq!(names(Kind::Role), Vec::<String>::new());
        let context = facts.context("user.read", Subject::Manager);
        assert_eq!(context.groups.columns.len(), 1);
        assert!(context.subject.facts.iter().any(|fact| fact.name == "attributes.team"));
    }
}
