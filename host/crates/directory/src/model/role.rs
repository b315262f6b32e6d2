//! Roles and who holds them.

use super::{Field, TextField, Timestamp, Version};
use crate::ids::{GrantId, GroupId, RoleId, UserId};

/// A named set of permissions (D17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Unique everywhere.
    pub id: RoleId,
    /// Stable, unique in the workspace.
    pub key: Field<String>,
    /// For people.
    pub name: Field<String>,
    /// For people.
    pub description: TextField,
    /// Ships with the server and cannot be changed.
    pub builtin: Field<bool>,
    /// Action names, in the register's order.
    pub permissions: Field<Vec<String>>,
    /// Who created it, if a user did.
    pub created_by: Option<UserId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How often it changed.
    pub version: Version,
    /// Names of the fields that the policy withheld; empty as stored.
    pub withheld: Vec<String>,
}

impl Role {
    /// The key of the built-in role that holds every permission, those of later servers included.
    pub const ADMINISTRATOR: &'static str = "administrator";
    /// The key of the built-in role that holds `role.read` only.
    pub const MEMBER: &'static str = "member";
}

/// Where a grant came from (D18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provenance {
    /// Granted by a person.
    Manual,
    /// Granted by an identity provider.
    Scim,
    /// Brought in by an import.
    Import,
    /// Promised in an invitation.
    Invitation,
}

impl Provenance {
    /// Every provenance.
    pub const ALL: [Self; 4] = [Self::Manual, Self::Scim, Self::Import, Self::Invitation];

    /// The name as stored and as policies see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Scim => "scim",
            Self::Import => "import",
            Self::Invitation => "invitation",
        }
    }

    /// The provenance of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provenance| provenance.name() == name)
    }
}

/// That a user holds a role, in the whole workspace or within a subtree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Unique everywhere.
    pub id: GrantId,
    /// Who.
    pub user: UserId,
    /// Which role.
    pub role: RoleId,
    /// The subtree that it is limited to; `None` for the whole workspace.
    pub within: Option<GroupId>,
    /// Where it came from.
    pub provenance: Field<Provenance>,
    /// Who granted it, if a user did.
    pub granted_by: Field<Option<UserId>>,
    /// When it was granted.
    pub granted_at: Timestamp,
    /// Names of the fields that the policy withheld; empty as stored.
    pub withheld: Vec<String>,
}
