//! The columns of each kind, one function a kind, as the register lists them.

use std::collections::{HashMap, HashSet};

use super::{GroupTable, Loaded, RoleTable, RowSet, SubjectContext, length};
use crate::{
    access::decide::Needs,
    contract::{Column, NumberColumn, Rows, UNASSIGNED},
    ids::{GroupId, UserId},
    model::{Attribute, Attributes, Field, Grant, Group, Membership, Role, User},
    register::Kind,
    text::fold,
};

/// Everything that columns are made from.
pub(super) struct Columns<'a> {
    pub(super) me: Option<UserId>,
    pub(super) mine: &'a SubjectContext,
    pub(super) needs: &'a Needs,
    pub(super) groups: &'a GroupTable,
    pub(super) roles: &'a RoleTable,
    pub(super) loaded: &'a Loaded,
}

/// Collects the columns that are needed.
struct Builder<'a> {
    needs: &'a Needs,
    rows: Rows,
}

impl Builder<'_> {
    fn flags(&mut self, name: &str, flags: impl Iterator<Item = bool>) {
        if self.needs.column(name) {
            self.rows.columns.push(plain(name, flags.map(u32::from).collect()));
        }
    }

    fn items(&mut self, name: &str, items: impl Iterator<Item = Option<u32>>) {
        if self.needs.column(name) {
            self.rows.columns.push(plain(name, items.map(|item| item.unwrap_or(UNASSIGNED)).collect()));
        }
    }

    fn ragged(&mut self, name: &str, rows: impl Iterator<Item = Vec<u32>>) {
        if self.needs.column(name) {
            let (ends, items) = flatten(rows);
            self.rows.columns.push(Column { name: name.to_owned(), dictionary: Vec::new(), ends, items });
        }
    }

    fn texts(&mut self, name: &str, texts: impl Iterator<Item = Option<String>>) {
        if self.needs.column(name) {
            self.rows.columns.push(texts_of(name, texts));
        }
    }

    fn attributes<'r>(&mut self, prefix: &str, rows: impl Iterator<Item = Option<&'r Attributes>> + Clone) {
        for attribute in self.needs.attributes(prefix) {
            let values = |row: Option<&Attributes>| {
                let found = row.and_then(|row| row.iter().find(|(name, _)| name == attribute));
                found.map(|(_, values)| values.iter().map(|value| fold(value)).collect()).unwrap_or_default()
            };
            self.rows.columns.push(ragged_texts(&format!("{prefix}{attribute}"), rows.clone().map(values)));
        }
    }
}

impl Columns<'_> {
    /// The rows of one call.
    pub(super) fn of(&self, rows: RowSet<'_>) -> Rows {
        let (kind, len) = match rows {
            RowSet::Users(rows) => (Kind::User, rows.len()),
            RowSet::Groups(rows) => (Kind::Group, rows.len()),
            RowSet::Roles(rows) => (Kind::Role, rows.len()),
            RowSet::Memberships(rows) => (Kind::Membership, rows.len()),
            RowSet::Grants(rows) => (Kind::Grant, rows.len()),
            RowSet::Tokens(rows) => (Kind::Token, rows.len()),
            RowSet::Attributes(rows) => (Kind::Attribute, rows.len()),
            RowSet::Others(kind, len) => (kind, len),
        };
        let rows_of = Rows { kind: kind.name().to_owned(), len: length(len), ..Rows::default() };
        let mut builder = Builder { needs: self.needs, rows: rows_of };
        match rows {
            RowSet::Users(rows) => self.users(&mut builder, rows),
            RowSet::Groups(rows) => self.group_rows(&mut builder, rows),
            RowSet::Roles(rows) => self.role_rows(&mut builder, rows),
            RowSet::Memberships(rows) => self.memberships(&mut builder, rows),
            RowSet::Grants(rows) => self.grants(&mut builder, rows),
            RowSet::Tokens(rows) => {
                let me = |id: Option<UserId>| id.is_some() && id == self.me;
                builder.flags("self", rows.iter().map(|row| me(row.user)));
                builder.flags("created-by-me", rows.iter().map(|row| me(row.created_by)));
            }
            RowSet::Attributes(rows) => attribute_rows(&mut builder, rows),
            RowSet::Others(..) => {
                builder.flags("self", std::iter::repeat_n(false, len));
                builder.flags("created-by-me", std::iter::repeat_n(false, len));
            }
        }
        builder.rows
    }

    fn users(&self, builder: &mut Builder<'_>, rows: &[User]) {
        let ids: Vec<(UserId, Option<&User>)> = rows.iter().map(|row| (row.id, Some(row))).collect();
        builder.flags("self", rows.iter().map(|row| Some(row.id) == self.me));
        self.user_columns(builder, "", &ids);
        if self.needs.column("created") {
            let items = rows.iter().map(|row| row.created_at.millis()).collect();
            builder.rows.numbers.push(NumberColumn { name: "created".to_owned(), ends: Vec::new(), items });
        }
    }

    /// The columns that users, memberships and grants share, behind a prefix.
    fn user_columns(&self, builder: &mut Builder<'_>, prefix: &str, users: &[(UserId, Option<&User>)]) {
        let name = |column: &str| format!("{prefix}{column}");
        let none = Vec::new();
        let groups = |user: UserId| self.loaded.groups.get(&user).unwrap_or(&none);
        let mine: HashSet<GroupId> = self.mine.facts.groups.iter().copied().collect();
        let managed: HashSet<GroupId> = self.mine.facts.manages.iter().copied().collect();
        let mut below: HashMap<GroupId, bool> = HashMap::new();
        let mut below_managed: HashMap<GroupId, bool> = HashMap::new();
        builder.ragged(
            &name("groups"),
            users.iter().map(|(id, _)| groups(*id).iter().filter_map(|group| self.groups.at(Some(*group))).collect()),
        );
        builder.flags(&name("shares-group"), users.iter().map(|(id, _)| groups(*id).iter().any(|group| mine.contains(group))));
        builder.flags(
            &name("below-my-groups"),
            users
                .iter()
                .map(|(id, _)| groups(*id).iter().any(|group| *below.entry(*group).or_insert_with(|| self.groups.is_under(*group, &mine)))),
        );
        builder.flags(
            &name("managed-by-me"),
            users.iter().map(|(id, _)| {
                self.mine.facts.manages_top
                    || groups(*id)
                        .iter()
                        .any(|group| *below_managed.entry(*group).or_insert_with(|| self.groups.is_under(*group, &managed)))
            }),
        );
        let none = Vec::new();
        builder.ragged(
            &name("roles"),
            users.iter().map(|(id, _)| self.loaded.roles.get(id).unwrap_or(&none).iter().filter_map(|role| self.roles.at(*role)).collect()),
        );
        let created = |row: Option<&User>| row.is_some_and(|row| self.me.is_some() && row.created_by == self.me);
        builder.flags(&name("created-by-me"), users.iter().map(|(_, row)| created(*row)));
        let status = |row: &User| row.status.shown().map(|status| status.name().to_owned());
        builder.texts(&name("status"), users.iter().map(|(_, row)| row.and_then(status)));
        builder.flags(&name("exclusive"), users.iter().map(|(_, row)| row.is_some_and(|row| row.exclusive == Field::Shown(true))));
        builder.attributes(&name("attributes."), users.iter().map(|(_, row)| row.map(|row| &row.attributes)));
    }

    fn group_rows(&self, builder: &mut Builder<'_>, rows: &[Group]) {
        let mine: HashSet<GroupId> = self.mine.facts.groups.iter().copied().collect();
        let managed: HashSet<GroupId> = self.mine.facts.manages.iter().copied().collect();
        let mut above = HashSet::new();
        for group in &mine {
            let mut next = Some(*group);
            while let Some(group) = next.filter(|group| above.insert(*group)) {
                next = self.groups.parent(group);
            }
        }
        // The row says where it is, or would be: the table says where it is stored.
        let under = |row: &Group, set: &HashSet<GroupId>| {
            set.contains(&row.id) || row.parent.is_some_and(|parent| self.groups.is_under(parent, set))
        };
        let at = |id: Option<GroupId>| id.and_then(|id| self.groups.at(Some(id)));
        let own = |row: &Group| if row.is_top() { self.groups.at(None) } else { at(Some(row.id)) };
        builder.ragged("groups", rows.iter().map(|row| own(row).into_iter().chain(at(row.parent)).collect()));
        builder.flags("mine", rows.iter().map(|row| mine.contains(&row.id)));
        builder.flags("managed-by-me", rows.iter().map(|row| self.mine.facts.manages_top || under(row, &managed)));
        builder.flags("below-my-groups", rows.iter().map(|row| under(row, &mine)));
        builder.flags("above-my-groups", rows.iter().map(|row| above.contains(&row.id)));
        builder.items("depth", rows.iter().map(|row| Some(row.depth)));
        builder.flags("created-by-me", rows.iter().map(|row| self.me.is_some() && row.created_by == self.me));
        builder.attributes("attributes.", rows.iter().map(|row| Some(&row.attributes)));
    }

    fn role_rows(&self, builder: &mut Builder<'_>, rows: &[Role]) {
        let held = |row: &Role| self.mine.facts.grants.iter().any(|(role, _)| *role == row.id);
        builder.flags("held-by-me", rows.iter().map(held));
        builder.flags("builtin", rows.iter().map(|row| row.builtin == Field::Shown(true)));
        builder.items("roles", rows.iter().map(|row| self.roles.at(row.id)));
        builder.flags("created-by-me", rows.iter().map(|row| self.me.is_some() && row.created_by == self.me));
        if self.needs.column("permissions") {
            let permissions = rows.iter().map(|row| row.permissions.shown().cloned().unwrap_or_default());
            builder.rows.columns.push(ragged_texts("permissions", permissions));
        }
    }

    fn memberships(&self, builder: &mut Builder<'_>, rows: &[Membership]) {
        let users: Vec<_> = rows.iter().map(|row| (row.user, self.loaded.users.get(&row.user))).collect();
        builder.items("groups", rows.iter().map(|row| self.groups.at(Some(row.group))));
        builder.flags("manager", rows.iter().map(|row| row.manager == Field::Shown(true)));
        builder.flags("self", rows.iter().map(|row| Some(row.user) == self.me));
        builder.flags("created-by-me", rows.iter().map(|row| self.me.is_some() && row.created_by == self.me));
        self.user_columns(builder, "user.", &users);
    }

    fn grants(&self, builder: &mut Builder<'_>, rows: &[Grant]) {
        let users: Vec<_> = rows.iter().map(|row| (row.user, self.loaded.users.get(&row.user))).collect();
        let granted_by_me = |row: &Grant| self.me.is_some() && row.granted_by == Field::Shown(self.me);
        builder.items("groups", rows.iter().map(|row| row.within.and_then(|group| self.groups.at(Some(group)))));
        builder.items("role", rows.iter().map(|row| self.roles.at(row.role)));
        builder.texts("provenance", rows.iter().map(|row| row.provenance.shown().map(|provenance| provenance.name().to_owned())));
        builder.flags("self", rows.iter().map(|row| Some(row.user) == self.me));
        builder.flags("created-by-me", rows.iter().map(granted_by_me));
        self.user_columns(builder, "user.", &users);
    }
}

fn attribute_rows(builder: &mut Builder<'_>, rows: &[Attribute]) {
    builder.texts("name", rows.iter().map(|row| Some(row.name.clone())));
    builder.texts("type", rows.iter().map(|row| Some(row.type_.name().to_owned())));
    builder.flags("required", rows.iter().map(|row| row.required));
    builder.flags("unique", rows.iter().map(|row| row.unique));
    builder.flags("multivalued", rows.iter().map(|row| row.multivalued));
    builder.flags("searchable", rows.iter().map(|row| row.searchable));
}

/// One item a row.
pub(super) fn plain(name: &str, items: Vec<u32>) -> Column {
    Column { name: name.to_owned(), items, ..Column::default() }
}

/// One text a row, through a dictionary.
pub(super) fn texts_of(name: &str, texts: impl Iterator<Item = Option<String>>) -> Column {
    let mut dictionary = Dictionary::default();
    let items = texts.map(|text| text.map_or(UNASSIGNED, |text| dictionary.at(text))).collect();
    Column { name: name.to_owned(), dictionary: dictionary.texts, ends: Vec::new(), items }
}

/// Any number of texts a row, through a dictionary.
pub(super) fn ragged_texts(name: &str, rows: impl Iterator<Item = Vec<String>>) -> Column {
    let mut dictionary = Dictionary::default();
    let (ends, items) = flatten(rows.map(|row| row.into_iter().map(|text| dictionary.at(text)).collect()));
    Column { name: name.to_owned(), dictionary: dictionary.texts, ends, items }
}

fn flatten(rows: impl Iterator<Item = Vec<u32>>) -> (Vec<u32>, Vec<u32>) {
    let (mut ends, mut items) = (Vec::new(), Vec::new());
    for row in rows {
        items.extend(row);
        ends.push(length(items.len()));
    }
    (ends, items)
}

#[derive(Default)]
struct Dictionary {
    texts: Vec<String>,
    index: HashMap<String, u32>,
}

impl Dictionary {
    fn at(&mut self, text: String) -> u32 {
        if let Some(at) = self.index.get(&text) {
            return *at;
        }
        let at = length(self.texts.len());
        self.index.insert(text.clone(), at);
        self.texts.push(text);
        at
    }
}
