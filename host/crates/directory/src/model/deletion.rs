//! The recycle bin.

use super::{Group, Role, Status, Timestamp};
use crate::{
    change::DeleteMode,
    ids::{DeletionId, GroupId, RoleId, UserId},
};

/// What was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deleted {
    /// A user.
    User(UserId),
    /// A group, and perhaps everything below it.
    Group(GroupId),
    /// A role.
    Role(RoleId),
}

impl Deleted {
    /// The object's id, without its kind.
    #[must_use]
    pub const fn id(&self) -> uuid::Uuid {
        match self {
            Self::User(id) => id.0,
            Self::Group(id) => id.0,
            Self::Role(id) => id.0,
        }
    }
}

/// A deletion that can still be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Unique everywhere.
    pub id: DeletionId,
    /// What was deleted.
    pub of: Deleted,
    /// What became of what was in a group.
    pub mode: DeleteMode,
    /// What a user's status was.
    pub status: Option<Status>,
    /// Whether a user managed the top group.
    pub managed_top: bool,
    /// Who deleted it, if a user did.
    pub by: Option<UserId>,
    /// When. It is purged [`crate::limits::BIN_DAYS`] days later.
    pub at: Timestamp,
}

/// What a user in the recycle bin would have again.
#[derive(Clone, Debug)]
pub struct BinnedUser {
    /// The user.
    pub user: UserId,
    /// The groups, still there, in which it was.
    pub groups: Vec<GroupId>,
    /// The roles, still there, that it held.
    pub roles: Vec<RoleId>,
}

/// What a restoration brings back, on which its policy decides.
#[derive(Clone, Debug, Default)]
pub struct Binned {
    /// The deleted groups, as they were, parents before children.
    pub groups: Vec<Group>,
    /// Those of these groups that somebody would manage again.
    pub managed: Vec<GroupId>,
    /// The deleted role, as it was.
    pub role: Option<Role>,
    /// For a user: the groups, still there, in which it was, and whether it managed them.
    pub memberships: Vec<(GroupId, bool)>,
    /// The roles, still there, that come back to somebody: with whom and the limit.
    pub grants: Vec<(UserId, RoleId, Option<GroupId>)>,
}
