//! What the server must answer, read off the contract's pages and nothing else: row by row, every tree walked, nothing cached.
//!
//! [`policy`] says which rows a subject may read and which fields they lose, [`sight`] adds what the host enforces (ends of edges,
//! token scopes), [`conditions`] decides filters, and [`server`] answers whole queries. It shares no code with the kit, the guests
//! or the host: where two of them misread the contract in the same way, this one does not follow.

pub mod conditions;
pub mod need_to_know;
pub mod policy;
pub mod rules;
pub mod server;
pub mod sight;
pub mod standard;
pub mod text;

use std::fmt;

/// The five kinds of rows that lists are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// People.
    User,
    /// Groups.
    Group,
    /// Roles.
    Role,
    /// Who is in what.
    Membership,
    /// Who holds what.
    Grant,
}

impl Kind {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::User, Self::Group, Self::Role, Self::Membership, Self::Grant];

    /// As the contract spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Membership => "membership",
            Self::Grant => "grant",
        }
    }

    /// The governed fields (policy-contract.md section 3, and graphql.md), in order.
    #[must_use]
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::User => &[
                "userName",
                "displayName",
                "givenName",
                "familyName",
                "email",
                "phone",
                "locale",
                "timeZone",
                "title",
                "avatarUrl",
                "externalId",
                "code",
                "exclusive",
                "status",
                "attributes.*",
            ],
            Self::Group => &["key", "name", "description", "attributes.*"],
            Self::Role => &["key", "name", "description", "builtin", "permissions"],
            Self::Membership => &["manager"],
            Self::Grant => &["provenance", "grantedBy"],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
