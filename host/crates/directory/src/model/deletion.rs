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
    /// When. It is purged [`crate::limits::BIN_DAYS`] days later.
    pub at: Timestamp,
}

/// What a restoration brings back, on which its policy decides.
#[derive(Clone, Debug, Default)]
pub struct Binned {
    /// The deleted group, as it was.
    pub group: Option<Group>,
    /// The deleted role, as it was.
    pub role: Option<Role>,
    /// For a user: the groups, still there, in which it was.
    pub groups: Vec<GroupId>,
    /// The roles, still there, that come back to somebody: with whom and the limit.
    pub grants: Vec<(UserId, RoleId, Option<GroupId>)>,
}
