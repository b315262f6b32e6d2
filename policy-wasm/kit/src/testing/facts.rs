//! The world as contexts and columns.

use std::collections::BTreeSet;

use super::{Caller, Person, Row, World};
use crate::{Column, Context, Fact, Held, NumberColumn, Rows, Subject, UNASSIGNED};

/// When the world's calls happen and its people were created, in milliseconds since 1970.
const NOW_MS: u64 = 1_800_000_000_000;

impl World {
    pub(super) fn full_context(&self, caller: &Caller, action: &str) -> Context {
        let top = self.top(caller);
        let parents = self.groups.iter().map(|group| group.parent.or(top).map_or(UNASSIGNED, position));
        let parents = parents.chain(top.map(|_| UNASSIGNED));
        let keys = self.groups.iter().map(|group| Some(group.key.as_str())).chain(top.map(|_| None));
        Context {
            action: action.to_owned(),
            now_ms: NOW_MS,
            settings: self.settings.clone(),
            subject: self.subject(caller),
            groups: rows("group", vec![single("parent", parents), text("key", keys)], self.groups.len() + usize::from(top.is_some())),
            roles: rows(
                "role",
                vec![
                    text("key", self.roles.iter().map(|role| Some(role.key.as_str()))),
                    texts("permissions", self.roles.iter().map(|role| role.permissions.iter().map(String::as_str).collect())),
                ],
                self.roles.len(),
            ),
            facts: Vec::new(),
        }
    }

    pub(super) fn full_rows(&self, caller: &Caller, kind: &str) -> Rows {
        let listed = self.listed(kind);
        let columns = match kind {
            "user" => {
                let mut columns = self.user_columns(caller, "", &listed);
                columns.push(flag("self", listed.iter().map(|row| self.is_caller(caller, *row))));
                columns
            }
            "group" => self.group_columns(caller),
            "role" => self.role_columns(caller),
            "membership" => {
                let mut columns = self.user_columns(caller, "user.", &listed);
                columns.push(single("groups", listed.iter().map(|row| self.limit(*row).map_or(UNASSIGNED, position))));
                columns.push(flag("manager", listed.iter().map(|row| self.is_manager(*row))));
                columns.push(flag("self", listed.iter().map(|row| self.is_caller(caller, *row))));
                columns
            }
            "grant" => {
                let mut columns = self.user_columns(caller, "user.", &listed);
                columns.push(single("groups", listed.iter().map(|row| self.limit(*row).map_or(UNASSIGNED, position))));
                columns.push(single("role", listed.iter().map(|row| self.role_of(*row).map_or(UNASSIGNED, position))));
                columns.push(text("provenance", listed.iter().map(|_| Some("manual"))));
                columns.push(flag("self", listed.iter().map(|row| self.is_caller(caller, *row))));
                columns
            }
            _ => Vec::new(),
        };
        let mut rows = rows(kind, columns, listed.len());
        if kind == "user" {
            let created = NumberColumn { name: "created".to_owned(), ends: vec![], items: vec![NOW_MS.cast_signed(); listed.len()] };
            rows.numbers.push(created);
        }
        rows.columns.push(flag("created-by-me", listed.iter().map(|_| false)));
        rows
    }

    fn user_columns(&self, caller: &Caller, prefix: &str, listed: &[Row]) -> Vec<Column> {
        let people: Vec<&Person> = listed.iter().filter_map(|row| self.person_of(*row)).collect();
        let subject = self.caller(caller);
        let mine = subject.map(|person| self.groups_of(person)).unwrap_or_default();
        let named = |name: &str| format!("{prefix}{name}");
        let flags = |name: &str, holds: &dyn Fn(&Person) -> bool| flag(&named(name), people.iter().map(|person| holds(person)));
        let below = |person: &Person, groups: &[usize]| self.groups_of(person).iter().any(|group| self.is_below(*group, groups));
        let mut columns = vec![
            ragged(&named("groups"), people.iter().map(|person| self.groups_of(person))),
            ragged(&named("roles"), people.iter().map(|person| self.roles_of(person))),
            text(&named("status"), people.iter().map(|person| Some(person.status.as_str()))),
            flags("shares-group", &|person| self.groups_of(person).iter().any(|group| mine.contains(group))),
            flags("below-my-groups", &|person| below(person, &mine)),
            flags("managed-by-me", &|person| {
                subject.is_some_and(|subject| subject.manages_top || below(person, &self.managed_by(subject)))
            }),
            flags("exclusive", &|_| false),
            flags("created-by-me", &|_| false),
        ];
        let names: BTreeSet<&String> = self.people.iter().flat_map(|person| &person.attributes).map(|(name, _)| name).collect();
        for name in names {
            let values = people.iter().map(|person| values_of(&person.attributes, name));
            columns.push(texts(&named(&format!("attributes.{name}")), values));
        }
        columns
    }

    fn group_columns(&self, caller: &Caller) -> Vec<Column> {
        let subject = self.caller(caller);
        let mine = subject.map(|person| self.groups_of(person)).unwrap_or_default();
        let managed = subject.map(|person| self.managed_by(person)).unwrap_or_default();
        let everything = subject.is_some_and(|person| person.manages_top);
        let all = 0..self.groups.len();
        let itself_and_parent = |group: usize| std::iter::once(group).chain(self.groups[group].parent).collect();
        let mut columns = vec![
            ragged("groups", all.clone().map(itself_and_parent)),
            flag("mine", all.clone().map(|group| mine.contains(&group))),
            flag("managed-by-me", all.clone().map(|group| everything || self.is_below(group, &managed))),
            flag("below-my-groups", all.clone().map(|group| self.is_below(group, &mine))),
            flag("above-my-groups", all.clone().map(|group| mine.iter().any(|below| self.is_below(*below, &[group])))),
            single("depth", all.map(|group| position(self.path(group).count()))),
        ];
        let names: BTreeSet<&String> = self.groups.iter().flat_map(|group| &group.attributes).map(|(name, _)| name).collect();
        for name in names {
            let values = self.groups.iter().map(|group| values_of(&group.attributes, name));
            columns.push(texts(&format!("attributes.{name}"), values));
        }
        columns
    }

    fn role_columns(&self, caller: &Caller) -> Vec<Column> {
        let held = self.caller(caller).map(|person| self.roles_of(person)).unwrap_or_default();
        let all = 0..self.roles.len();
        vec![
            flag("held-by-me", all.clone().map(|role| held.contains(&role))),
            flag("builtin", all.clone().map(|_| false)),
            single("roles", all.map(position)),
            texts("permissions", self.roles.iter().map(|role| role.permissions.iter().map(String::as_str).collect())),
        ]
    }

    fn subject(&self, caller: &Caller) -> Subject {
        match caller {
            Caller::Service(permissions) => token("service", permissions),
            Caller::Scim(permissions) => token("scim", permissions),
            Caller::Person(name) => self.person_subject(name, None),
            Caller::Token(name, scopes) => self.person_subject(name, Some(scopes)),
        }
    }

    fn person_subject(&self, name: &str, scopes: Option<&[String]>) -> Subject {
        let person = &self.people[self.person_index(name)];
        let top = person.manages_top.then_some(self.groups.len());
        let held = |grant: &super::Grant| Held {
            role: position(self.role_index(&grant.role)),
            within: grant.within.as_ref().map_or(UNASSIGNED, |group| position(self.group_index(group))),
        };
        let everywhere = person.grants.iter().filter(|grant| grant.within.is_none());
        let permissions: BTreeSet<&String> = everywhere.flat_map(|grant| &self.roles[self.role_index(&grant.role)].permissions).collect();
        let in_scope = |permission: &&&String| scopes.is_none_or(|scopes| scopes.contains(permission));
        let attributes = person.attributes.iter().map(|(name, value)| fact(&format!("attributes.{name}"), value));
        let scopes_facts = scopes.unwrap_or_default().iter().map(|scope| fact("token-scope", scope));
        Subject {
            kind: "user".to_owned(),
            groups: self.groups_of(person).into_iter().map(position).collect(),
            manages: self.managed_by(person).into_iter().chain(top).map(position).collect(),
            grants: person.grants.iter().map(held).collect(),
            permissions: permissions.iter().filter(in_scope).map(|permission| (*permission).clone()).collect(),
            facts: attributes.chain(scopes_facts).chain([fact("id", name), fact("status", &person.status)]).collect(),
        }
    }

    /// The top group's position, which is listed only for whoever manages it.
    pub(super) fn top(&self, caller: &Caller) -> Option<usize> {
        self.caller(caller).filter(|person| person.manages_top).map(|_| self.groups.len())
    }

    pub(super) fn caller(&self, caller: &Caller) -> Option<&Person> {
        caller.person().map(|name| &self.people[self.person_index(name)])
    }

    fn person_index(&self, name: &str) -> usize {
        let found = self.people.iter().position(|person| person.name == name);
        assert!(found.is_some(), "there is no person `{name}`");
        found.unwrap_or_default()
    }

    pub(super) fn is_caller(&self, caller: &Caller, row: Row) -> bool {
        self.person_of(row).is_some_and(|person| caller.person() == Some(&person.name))
    }

    /// The person that a row is, or is of.
    pub(super) fn person_of(&self, row: Row) -> Option<&Person> {
        match row {
            Row::User(person) | Row::Membership(person, _) | Row::Grant(person, _) => self.people.get(person),
            Row::Group(_) | Row::Role(_) | Row::Workspace => None,
        }
    }

    /// The group of a membership, or to which a grant is limited.
    pub(super) fn limit(&self, row: Row) -> Option<usize> {
        match row {
            Row::Membership(person, nth) => Some(self.group_index(&self.people[person].memberships[nth].group)),
            Row::Grant(person, nth) => self.people[person].grants[nth].within.as_ref().map(|group| self.group_index(group)),
            _ => None,
        }
    }

    pub(super) fn role_of(&self, row: Row) -> Option<usize> {
        match row {
            Row::Grant(person, nth) => Some(self.role_index(&self.people[person].grants[nth].role)),
            _ => None,
        }
    }

    pub(super) fn is_manager(&self, row: Row) -> bool {
        matches!(row, Row::Membership(person, nth) if self.people[person].memberships[nth].manager)
    }

    pub(super) fn groups_of(&self, person: &Person) -> Vec<usize> {
        person.memberships.iter().map(|membership| self.group_index(&membership.group)).collect()
    }

    pub(super) fn managed_by(&self, person: &Person) -> Vec<usize> {
        let managed = person.memberships.iter().filter(|membership| membership.manager);
        managed.map(|membership| self.group_index(&membership.group)).collect()
    }

    pub(super) fn roles_of(&self, person: &Person) -> Vec<usize> {
        person.grants.iter().map(|grant| self.role_index(&grant.role)).collect()
    }

    /// Whether a group is, or is below, one of `groups`.
    pub(super) fn is_below(&self, group: usize, groups: &[usize]) -> bool {
        self.path(group).any(|above| groups.contains(&above))
    }

    /// A group and what is above it.
    fn path(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(group), |group| self.groups[*group].parent)
    }

    pub(super) fn name(&self, row: Row) -> String {
        let person = self.person_of(row).map(|person| person.name.as_str()).unwrap_or_default();
        let limit = self.limit(row).map(|group| format!("@{}", self.groups[group].key)).unwrap_or_default();
        match row {
            Row::User(_) => person.to_owned(),
            Row::Group(group) => self.groups[group].key.clone(),
            Row::Role(role) => self.roles[role].key.clone(),
            Row::Membership(..) => format!("{person}{limit}"),
            Row::Grant(..) => format!("{person}:{}{limit}", self.roles[self.role_of(row).unwrap_or_default()].key),
            Row::Workspace => "workspace".to_owned(),
        }
    }
}

/// Only what `needs` names; `parent` is always there.
pub(super) fn needed_context(mut context: Context, needs: &[String]) -> Context {
    let needed = |of: &str, column: &Column| column.name == "parent" || needs.contains(&format!("{of}.{}", column.name));
    context.groups.columns.retain(|column| needed("groups", column));
    context.roles.columns.retain(|column| needed("roles", column));
    context
}

/// Only the columns that `needs` names.
pub(super) fn needed_rows(mut rows: Rows, needs: &[String]) -> Rows {
    let needed = |name: &str| needs.iter().any(|need| need.strip_prefix("rows.") == Some(name));
    rows.columns.retain(|column| needed(&column.name));
    rows.numbers.retain(|column| needed(&column.name));
    rows
}

/// One row of many.
pub(super) fn only(mut rows: Rows, index: usize) -> Rows {
    let cell = |ends: &mut Vec<u32>| {
        if ends.is_empty() {
            return index..index + 1;
        }
        let start = if index > 0 { ends[index - 1] } else { 0 };
        let end = ends[index];
        *ends = vec![end - start];
        start as usize..end as usize
    };
    for column in &mut rows.columns {
        column.items = column.items[cell(&mut column.ends)].to_vec();
    }
    for column in &mut rows.numbers {
        column.items = column.items[cell(&mut column.ends)].to_vec();
    }
    rows.len = 1;
    rows
}

fn rows(kind: &str, columns: Vec<Column>, len: usize) -> Rows {
    Rows { kind: kind.to_owned(), len: position(len), columns, numbers: Vec::new() }
}

fn flag(name: &str, rows: impl Iterator<Item = bool>) -> Column {
    single(name, rows.map(u32::from))
}

fn single(name: &str, rows: impl Iterator<Item = u32>) -> Column {
    Column { name: name.to_owned(), items: rows.collect(), ..Column::default() }
}

fn ragged(name: &str, rows: impl Iterator<Item = Vec<usize>>) -> Column {
    let mut column = Column { name: name.to_owned(), ..Column::default() };
    for cell in rows {
        column.items.extend(cell.into_iter().map(position));
        column.ends.push(position(column.items.len()));
    }
    column
}

fn text<'w>(name: &str, rows: impl Iterator<Item = Option<&'w str>>) -> Column {
    let mut column = Column { name: name.to_owned(), ..Column::default() };
    for value in rows {
        let item = value.map_or(UNASSIGNED, |value| entry(&mut column.dictionary, value));
        column.items.push(item);
    }
    column
}

fn texts<'w>(name: &str, rows: impl Iterator<Item = Vec<&'w str>>) -> Column {
    let mut column = Column { name: name.to_owned(), ..Column::default() };
    for cell in rows {
        for value in cell {
            let item = entry(&mut column.dictionary, value);
            column.items.push(item);
        }
        column.ends.push(position(column.items.len()));
    }
    column
}

fn entry(dictionary: &mut Vec<String>, value: &str) -> u32 {
    let known = dictionary.iter().position(|text| text == value);
    position(known.unwrap_or_else(|| {
        dictionary.push(value.to_owned());
        dictionary.len() - 1
    }))
}

fn values_of<'w>(attributes: &'w [(String, String)], name: &str) -> Vec<&'w str> {
    attributes.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}

fn token(kind: &str, permissions: &[String]) -> Subject {
    Subject { kind: kind.to_owned(), permissions: permissions.to_vec(), ..Subject::default() }
}

fn fact(name: &str, value: &str) -> Fact {
    Fact { name: name.to_owned(), value: value.to_owned() }
}

fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(UNASSIGNED)
}
