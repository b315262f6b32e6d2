//! Groups and who is in them.

use super::{Attributes, Field, TextField, Timestamp, Version};
use crate::ids::{GroupId, MembershipId, UserId};

/// A node of the workspace's tree (D12 to D15). The top group is implicit and never one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Unique everywhere.
    pub id: GroupId,
    /// The parent in the whole tree; `None` right below the top group. Whether the subject may see it is another question.
    pub parent: Option<GroupId>,
    /// 1 right below the top group. In the whole tree, like `parent`.
    pub depth: u32,
    /// Stable, unique in the workspace, for policies and configuration.
    pub key: Field<String>,
    /// Unique among siblings, ignoring case.
    pub name: Field<String>,
    /// For people.
    pub description: TextField,
    /// Custom attributes.
    pub attributes: Attributes,
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

impl Group {
    /// What stands for the top group where a write involves it: it has no row, no key and no name of its own.
    #[must_use]
    pub const fn top() -> Self {
        Self {
            id: GroupId(uuid::Uuid::nil()),
            parent: None,
            depth: 0,
            key: Field::Shown(String::new()),
            name: Field::Shown(String::new()),
            description: Field::Shown(None),
            attributes: Vec::new(),
            created_by: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            version: Version(0),
            withheld: Vec::new(),
        }
    }

    /// Whether it stands for the top group.
    #[must_use]
    pub const fn is_top(&self) -> bool {
        self.id.0.is_nil()
    }
}

/// That a user is in a group, directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Unique everywhere.
    pub id: MembershipId,
    /// Who.
    pub user: UserId,
    /// In which group.
    pub group: GroupId,
    /// Whether the user manages the group and everything below.
    pub manager: Field<bool>,
    /// Who added it, if a user did.
    pub created_by: Option<UserId>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Names of the fields that the policy withheld; empty as stored.
    pub withheld: Vec<String>,
}
