//! The five kinds of rows that lists are made of, and how fields are taken away from them.

use uuid::Uuid;

use super::{Sealed, facts::RowSet};
use crate::{
    Error, ids,
    model::{Attributes, Field, Grant, Group, Membership, Role, User, UserText, Workspace},
    register::{self, Kind},
    store::Snapshot,
};

/// The fields that one verdict takes away, over one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    /// In the register's order; attributes as the policy named them.
    names: Vec<String>,
    /// The only attributes that the module knows; `None` for all.
    known_attributes: Option<Vec<String>>,
}

impl Hidden {
    /// What `withheld` names, and what the module's `fields` do not.
    pub(super) fn new(kind: Kind, withheld: &[String], fields: &[String]) -> Self {
        let names_any = |names: &[String], field: &str| names.iter().any(|name| register::names_field(name, kind, field));
        let mut names = Vec::new();
        for field in kind.fields() {
            if names_any(withheld, field) || (!names_any(fields, field) && *field != "attributes.*") {
                names.push((*field).to_owned());
            }
        }
        let mut known_attributes = None;
        if kind.fields().contains(&"attributes.*") && !names.iter().any(|name| name == "attributes.*") {
            if !names_any(fields, "attributes.*") {
                let attribute = |name: &String| {
                    let bare = name.strip_prefix(kind.name()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name);
                    bare.strip_prefix("attributes.").map(str::to_owned)
                };
                known_attributes = Some(fields.iter().filter_map(attribute).collect());
                names.push("attributes.*".to_owned());
            }
            let mut single: Vec<String> = withheld.iter().filter_map(|name| attribute_name(name)).collect();
            single.sort_unstable();
            single.dedup();
            names.extend(single);
        }
        Self { names, known_attributes }
    }

    /// What either takes away.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut names = self.names.clone();
        names.extend(other.names.iter().filter(|name| !self.names.contains(name)).cloned());
        let known_attributes = match (&self.known_attributes, &other.known_attributes) {
            (None, None) => None,
            (Some(known), None) if !other.hides("attributes.*") => Some(known.clone()),
            (None, Some(known)) if !self.hides("attributes.*") => Some(known.clone()),
            (Some(one), Some(other)) => Some(one.iter().filter(|name| other.contains(name)).cloned().collect()),
            // One of them takes every attribute away.
            _ => Some(Vec::new()),
        };
        Self { names, known_attributes }
    }

    /// Takes nothing away.
    pub(super) const fn nothing() -> Self {
        Self { names: Vec::new(), known_attributes: None }
    }

    /// The names of what is taken away.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether a core field is taken away.
    pub(super) fn hides(&self, field: &str) -> bool {
        self.names.iter().any(|name| name == field)
    }

    /// Whether a field is taken away; attributes are named `attributes.NAME`.
    pub(super) fn takes(&self, field: &str) -> bool {
        match (field.strip_prefix("attributes."), &self.known_attributes) {
            (Some(name), Some(known)) => !known.iter().any(|known| known == name) || self.hides(field),
            (Some(_), None) => self.hides("attributes.*") || self.hides(field),
            (None, _) => self.hides(field),
        }
    }

    /// The first of these fields that may not be set.
    pub(super) fn first_of<'a>(&self, fields: &'a [String]) -> Option<&'a str> {
        fields.iter().map(String::as_str).find(|field| self.takes(field))
    }

    fn field<T>(&self, name: &str, field: &mut Field<T>) {
        if self.hides(name) {
            *field = Field::Withheld;
        }
    }

    fn attributes(&self, attributes: &mut Attributes) {
        match &self.known_attributes {
            None if self.hides("attributes.*") => attributes.clear(),
            None => attributes.retain(|(name, _)| !self.hides(&format!("attributes.{name}"))),
            Some(known) => {
                attributes.retain(|(name, _)| known.contains(name) && !self.hides(&format!("attributes.{name}")));
            }
        }
    }
}

fn attribute_name(name: &str) -> Option<String> {
    let at = name.find("attributes.")?;
    name.get(at..).filter(|name| *name != "attributes.*").map(str::to_owned)
}

/// A kind of row that the gate opens.
pub(super) trait Resource: Sized + Send + Sync + 'static {
    /// Its kind.
    const KIND: Kind;

    /// Its id without the type.
    fn key(&self) -> Uuid;

    /// The rows as facts are gathered about them.
    fn rows(rows: &[Self]) -> RowSet<'_>;

    /// Takes away what a verdict withholds.
    fn withhold(&mut self, hidden: &Hidden);

    /// Rows by id, in no particular order.
    fn load(snapshot: &mut dyn Snapshot, ids: &[Uuid]) -> impl Future<Output = Result<Vec<Sealed<Self>>, Error>> + Send;
}

macro_rules! load {
    ($method:ident, $id:ident) => {
        async fn load(snapshot: &mut dyn Snapshot, ids: &[Uuid]) -> Result<Vec<Sealed<Self>>, Error> {
            let ids: Vec<_> = ids.iter().copied().map(ids::$id).collect();
            snapshot.$method(&ids).await
        }
    };
}

impl Resource for User {
    const KIND: Kind = Kind::User;

    fn key(&self) -> Uuid {
        self.id.0
    }

    fn rows(rows: &[Self]) -> RowSet<'_> {
        RowSet::Users(rows)
    }

    fn withhold(&mut self, hidden: &Hidden) {
        for (which, text) in UserText::ALL.into_iter().zip(&mut self.texts) {
            hidden.field(which.field(), text);
        }
        hidden.field("exclusive", &mut self.exclusive);
        hidden.field("status", &mut self.status);
        hidden.attributes(&mut self.attributes);
        hidden.names.clone_into(&mut self.withheld);
        self.created_by = None;
    }

    load!(users_by_id, UserId);
}

impl Resource for Group {
    const KIND: Kind = Kind::Group;

    fn key(&self) -> Uuid {
        self.id.0
    }

    fn rows(rows: &[Self]) -> RowSet<'_> {
        RowSet::Groups(rows)
    }

    /// `parent` and `depth` speak of the whole tree, hidden groups included, so they go too: ask the gate for them.
    fn withhold(&mut self, hidden: &Hidden) {
        hidden.field("key", &mut self.key);
        hidden.field("name", &mut self.name);
        hidden.field("description", &mut self.description);
        hidden.attributes(&mut self.attributes);
        hidden.names.clone_into(&mut self.withheld);
        self.created_by = None;
        self.parent = None;
        self.depth = 0;
    }

    load!(groups_by_id, GroupId);
}

impl Resource for Role {
    const KIND: Kind = Kind::Role;

    fn key(&self) -> Uuid {
        self.id.0
    }

    fn rows(rows: &[Self]) -> RowSet<'_> {
        RowSet::Roles(rows)
    }

    fn withhold(&mut self, hidden: &Hidden) {
        hidden.field("key", &mut self.key);
        hidden.field("name", &mut self.name);
        hidden.field("description", &mut self.description);
        hidden.field("builtin", &mut self.builtin);
        hidden.field("permissions", &mut self.permissions);
        hidden.names.clone_into(&mut self.withheld);
        self.created_by = None;
    }

    load!(roles_by_id, RoleId);
}

impl Resource for Membership {
    const KIND: Kind = Kind::Membership;

    fn key(&self) -> Uuid {
        self.id.0
    }

    fn rows(rows: &[Self]) -> RowSet<'_> {
        RowSet::Memberships(rows)
    }

    fn withhold(&mut self, hidden: &Hidden) {
        hidden.field("manager", &mut self.manager);
        hidden.names.clone_into(&mut self.withheld);
        self.created_by = None;
    }

    load!(memberships_by_id, MembershipId);
}

impl Resource for Grant {
    const KIND: Kind = Kind::Grant;

    fn key(&self) -> Uuid {
        self.id.0
    }

    fn rows(rows: &[Self]) -> RowSet<'_> {
        RowSet::Grants(rows)
    }

    fn withhold(&mut self, hidden: &Hidden) {
        hidden.field("provenance", &mut self.provenance);
        hidden.field("grantedBy", &mut self.granted_by);
        hidden.names.clone_into(&mut self.withheld);
    }

    load!(grants_by_id, GrantId);
}

impl Resource for Workspace {
    const KIND: Kind = Kind::Workspace;

    fn key(&self) -> Uuid {
        self.id.0
    }

    fn rows(rows: &[Self]) -> RowSet<'_> {
        RowSet::Others(Self::KIND, rows.len())
    }

    fn withhold(&mut self, hidden: &Hidden) {
        hidden.field("key", &mut self.key);
        hidden.field("name", &mut self.name);
        hidden.field("userQuota", &mut self.user_quota);
        hidden.field("userCount", &mut self.user_count);
        hidden.names.clone_into(&mut self.withheld);
    }

    async fn load(snapshot: &mut dyn Snapshot, _: &[Uuid]) -> Result<Vec<Sealed<Self>>, Error> {
        Ok(vec![snapshot.workspace().await?])
    }
}
