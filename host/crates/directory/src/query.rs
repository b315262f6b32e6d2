//! What a caller may ask of a list: one filter algebra for every interface, an order, a window.

use crate::{
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
    model::{Provenance, Status, Timestamp, UserText},
};

/// A condition over predicates of one kind. Two-valued: a predicate on an unassigned value is false, its negation true.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter<P> {
    /// All of these; true if empty.
    And(Vec<Self>),
    /// Any of these; false if empty.
    Or(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// A single condition.
    Is(P),
}

impl<P> Filter<P> {
    /// Every predicate, outer ones first.
    pub fn predicates<'a>(&'a self, found: &mut Vec<&'a P>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.predicates(found)),
            Self::Not(part) => part.predicates(found),
            Self::Is(predicate) => found.push(predicate),
        }
    }

    /// The same condition with every predicate replaced.
    ///
    /// # Errors
    /// The first that `change` returns.
    pub fn try_map<Q, E>(self, change: &mut impl FnMut(P) -> Result<Filter<Q>, E>) -> Result<Filter<Q>, E> {
        Ok(match self {
            Self::And(parts) => Filter::And(parts.into_iter().map(|part| part.try_map(change)).collect::<Result<_, E>>()?),
            Self::Or(parts) => Filter::Or(parts.into_iter().map(|part| part.try_map(change)).collect::<Result<_, E>>()?),
            Self::Not(part) => Filter::Not(Box::new(part.try_map(change)?)),
            Self::Is(predicate) => change(predicate)?,
        })
    }
}

/// A comparison of a text, always on folded text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextMatch {
    /// Equal to one of these.
    In(Vec<String>),
    /// Starts with this.
    StartsWith(String),
    /// Ends with this.
    EndsWith(String),
    /// Contains this.
    Contains(String),
    /// Is assigned.
    Present,
}

/// A range of instants: from inclusive, until exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Not before this.
    pub from: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
}

/// A condition on a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserPredicate {
    /// One of these ids.
    Ids(Vec<UserId>),
    /// A text field compares so.
    Text(UserText, TextMatch),
    /// One of these statuses.
    Status(Vec<Status>),
    /// Exclusive, or not.
    Exclusive(bool),
    /// Created in this period.
    Created(Period),
    /// Last changed in this period.
    Updated(Period),
    /// A custom attribute has a value that compares so.
    Attribute(String, TextMatch),
    /// Directly in one of these groups, by a visible membership in a visible group.
    InGroup(Vec<GroupId>),
    /// In, or below, one of these groups, by a visible membership in a visible group.
    UnderGroup(Vec<GroupId>),
    /// Manages one of these groups, by a visible membership.
    Manages(Vec<GroupId>),
    /// Holds one of these roles, by a visible grant.
    HasRole(Vec<RoleId>),
    /// Every one of these words is a prefix of a word in one of these fields.
    Search {
        /// Folded words.
        words: Vec<String>,
        /// The fields that may be searched; nothing is found if empty.
        fields: Vec<UserText>,
    },
}

/// A text field of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupText {
    /// Its key.
    Key,
    /// Its name.
    Name,
    /// Its description.
    Description,
}

impl GroupText {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Key, Self::Name, Self::Description];

    /// The register's name of the field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Name => "name",
            Self::Description => "description",
        }
    }
}

/// A condition on a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupPredicate {
    /// One of these ids.
    Ids(Vec<GroupId>),
    /// A text field compares so.
    Text(GroupText, TextMatch),
    /// Created in this period.
    Created(Period),
    /// Last changed in this period.
    Updated(Period),
    /// A custom attribute has a value that compares so.
    Attribute(String, TextMatch),
    /// Strictly below one of these groups.
    Below(Vec<GroupId>),
    /// One of these users is a direct member, by a visible membership.
    HasMember(Vec<UserId>),
    /// Every one of these words is a prefix of a word in one of these fields.
    Search {
        /// Folded words.
        words: Vec<String>,
        /// The fields that may be searched; nothing is found if empty.
        fields: Vec<GroupText>,
    },
}

/// A text field of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoleText {
    /// Its key.
    Key,
    /// Its name.
    Name,
    /// Its description.
    Description,
}

impl RoleText {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Key, Self::Name, Self::Description];

    /// The register's name of the field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Name => "name",
            Self::Description => "description",
        }
    }
}

/// A condition on a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolePredicate {
    /// One of these ids.
    Ids(Vec<RoleId>),
    /// A text field compares so.
    Text(RoleText, TextMatch),
    /// Built-in, or not.
    Builtin(bool),
    /// Has every one of these permissions.
    Permissions(Vec<String>),
    /// Every one of these words is a prefix of a word in one of these fields.
    Search {
        /// Folded words.
        words: Vec<String>,
        /// The fields that may be searched; nothing is found if empty.
        fields: Vec<RoleText>,
    },
}

/// A condition on a membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembershipPredicate {
    /// One of these ids.
    Ids(Vec<MembershipId>),
    /// Of one of these users.
    Users(Vec<UserId>),
    /// In one of these groups.
    Groups(Vec<GroupId>),
    /// In, or below, one of these groups.
    UnderGroups(Vec<GroupId>),
    /// Makes a manager, or not.
    Manager(bool),
    /// Added in this period.
    Created(Period),
}

/// A condition on a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantPredicate {
    /// One of these ids.
    Ids(Vec<GrantId>),
    /// Of one of these users.
    Users(Vec<UserId>),
    /// Of one of these roles.
    Roles(Vec<RoleId>),
    /// Limited to one of these groups.
    Within(Vec<GroupId>),
    /// In the whole workspace, or limited.
    WorkspaceWide(bool),
    /// From one of these.
    Provenance(Vec<Provenance>),
    /// Granted in this period.
    Created(Period),
}

/// Upwards or downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first; unassigned last.
    #[default]
    Ascending,
    /// Greatest first; unassigned first.
    Descending,
}

/// What users are sorted by; ties are broken by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UserSort {
    /// The id, which is about the time of creation.
    #[default]
    Id,
    /// User name, folded.
    UserName,
    /// Display name, folded.
    DisplayName,
    /// Given name, folded.
    GivenName,
    /// Family name, folded.
    FamilyName,
    /// E-mail address, folded.
    Email,
}

impl UserSort {
    /// The governed field that the order would reveal.
    #[must_use]
    pub const fn text(self) -> Option<UserText> {
        match self {
            Self::Id => None,
            Self::UserName => Some(UserText::UserName),
            Self::DisplayName => Some(UserText::DisplayName),
            Self::GivenName => Some(UserText::GivenName),
            Self::FamilyName => Some(UserText::FamilyName),
            Self::Email => Some(UserText::Email),
        }
    }
}

/// What groups and roles are sorted by; ties are broken by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NameSort {
    /// The id.
    #[default]
    Id,
    /// Name, folded.
    Name,
    /// Key, folded.
    Key,
}

/// What memberships and grants are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IdSort {
    /// The id.
    #[default]
    Id,
}

/// A sort and its direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Order<S> {
    /// By what.
    pub by: S,
    /// Which way.
    pub direction: Direction,
}

/// A position in an order: the sort key (empty for orders by id) and the id of a row.
///
/// It may name a row that the subject must not know of: interfaces encrypt it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyset {
    /// The folded sort key as stored.
    pub key: String,
    /// The row's id.
    pub id: uuid::Uuid,
}

/// Which end of a list a window is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum End {
    /// `first`.
    #[default]
    Front,
    /// `last`.
    Back,
}

/// A window on an ordered list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Only rows behind this position.
    pub after: Option<Keyset>,
    /// Only rows before this position.
    pub before: Option<Keyset>,
    /// At most so many rows.
    pub rows: usize,
    /// From this end.
    pub end: End,
}
