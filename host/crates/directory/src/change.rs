//! What a write does to a workspace, once it is allowed: the changes that a [`Warrant`](crate::Warrant) carries to the store.
//!
//! A change is complete: its ids are made, its texts are checked, and a row that is updated stands here as it shall be, withheld
//! fields included. The store applies all changes of one [`Write`] in one transaction, or none. To add a change: its case here, its
//! statement in storage, its plan in `access::write`, and its row in the coverage table.

use crate::{
    contract::Digest,
    decisions::RecordDecisions,
    ids::{AccountId, DeletionId, GrantId, GroupId, MembershipId, RoleId, TokenId, UserId},
    model::{AttributeType, Attributes, CodeRule, Provenance, Status, Timestamp, Token, UserText, Version},
};

/// Changes that are made together.
#[derive(Clone, Debug)]
pub struct Write {
    /// In the order in which they are applied.
    pub changes: Vec<Change>,
    /// Who makes them, if a user does.
    pub by: Option<UserId>,
    /// The clock.
    pub now: Timestamp,
    /// What makes the same request again be answered instead of repeated.
    pub once: Option<Once>,
    /// The decisions that allowed it, to be recorded with it.
    pub decisions: RecordDecisions,
}

/// An idempotency key, for whom it is kept, and what was done under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The user or service that sent it; keys of different subjects are different keys.
    pub subject: uuid::Uuid,
    /// As sent.
    pub key: String,
    /// SHA-256 of what was asked for; a key is good for one request.
    pub digest: Digest,
    /// The ids that answer the request, in its order.
    pub result: Vec<uuid::Uuid>,
}

/// What a write came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was made now.
    Made,
    /// It was made now, but something that was to come back from the recycle bin could not.
    Partly,
    /// It was made before, under the same key, with these ids.
    Before(Vec<uuid::Uuid>),
}

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// New users.
    AddUsers(Vec<NewUser>),
    /// A user as it shall be.
    UpdateUser(Box<UserAfter>),
    /// Users become active or suspended. Whoever is suspended loses every token.
    SetStatus {
        /// Each with the version that was decided on.
        users: Vec<(UserId, Version)>,
        /// `Active` or `Suspended`.
        status: Status,
    },
    /// Users go to the recycle bin, with everything that hangs on them.
    RemoveUsers(Vec<(UserId, Version, DeletionId)>),
    /// A user comes back from the recycle bin, with everything that hung on it.
    RestoreUser(Box<UserAfter>),
    /// A new group.
    CreateGroup(NewGroup),
    /// A group as it shall be.
    UpdateGroup(GroupAfter),
    /// A group, and everything below it, goes below another.
    MoveGroup {
        /// Which.
        group: GroupId,
        /// The version that was decided on.
        seen: Version,
        /// The new parent; `None` for the first level.
        to: Option<GroupId>,
    },
    /// A group goes to the recycle bin.
    DeleteGroup {
        /// Which.
        group: GroupId,
        /// The version that was decided on.
        seen: Version,
        /// What becomes of what is in it.
        mode: DeleteMode,
        /// Under which it can be restored.
        deletion: DeletionId,
    },
    /// A group comes back from the recycle bin.
    RestoreGroup {
        /// The group that was deleted.
        group: GroupId,
        /// The deletion.
        deletion: DeletionId,
        /// Where to; `None` for the first level.
        parent: Option<GroupId>,
        /// Its name.
        name: String,
        /// Its key.
        key: String,
    },
    /// Memberships that are not there yet.
    AddMemberships(Vec<NewMembership>),
    /// Memberships end.
    RemoveMemberships(Vec<MembershipId>),
    /// Who manages, and who does not.
    SetManagers(Vec<(MembershipId, bool)>),
    /// A new role.
    CreateRole(NewRole),
    /// A role as it shall be.
    UpdateRole {
        /// The version that was decided on.
        seen: Version,
        /// As it shall be; its key stays.
        role: NewRole,
    },
    /// A role goes to the recycle bin with the grants of it.
    DeleteRole {
        /// Which.
        role: RoleId,
        /// The version that was decided on.
        seen: Version,
        /// Under which it can be restored.
        deletion: DeletionId,
    },
    /// A role comes back from the recycle bin, with the grants of it.
    RestoreRole {
        /// Which.
        role: RoleId,
        /// The deletion.
        deletion: DeletionId,
        /// Its key.
        key: String,
    },
    /// Grants that are not there yet.
    AddGrants(Vec<NewGrant>),
    /// Grants end.
    RemoveGrants(Vec<GrantId>),
    /// The declaration of a new custom attribute.
    DefineAttribute(AttributeAfter),
    /// A declaration as it shall be.
    UpdateAttribute {
        /// The version that was decided on.
        seen: Version,
        /// As it shall be.
        attribute: AttributeAfter,
    },
    /// A declaration goes, and its values for good if they may.
    RemoveAttribute {
        /// Its name.
        name: String,
        /// The version that was decided on.
        seen: Version,
        /// Whether it may have values.
        values: ValuesOfRemoved,
    },
    /// The workspace's own fields.
    UpdateWorkspace {
        /// The version that was decided on.
        seen: Version,
        /// For people.
        name: String,
    },
    /// The rules for user codes.
    SetCodeRules {
        /// The version of the workspace that was decided on.
        seen: Version,
        /// The rules.
        rules: CodeRules,
    },
    /// How many users the workspace may have; the operator's alone.
    SetQuota(Option<u64>),
    /// A token, by the hash of its secret.
    CreateToken {
        /// The token, without its secret.
        token: Token,
        /// SHA-256 of the secret as presented.
        hash: [u8; 32],
    },
    /// A token stops working at once.
    RevokeToken(TokenId),
}

/// What becomes of what is in a group that is deleted. Grants that are limited to it go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeleteMode {
    /// It must be empty: neither groups below it nor members.
    Empty,
    /// The groups below it, and its members, go to its parent; nobody becomes a manager by it.
    Lift,
    /// Everything below it is deleted with it.
    Subtree,
}

/// Whether an attribute that is removed may have values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValuesOfRemoved {
    /// It must have none.
    None,
    /// They are erased, for good.
    Erased,
}

/// The governed texts of a user, one each of [`UserText::ALL`].
pub type Texts = [Option<String>; UserText::ALL.len()];

/// A user to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// Whose membership it is.
    pub account: AccountName,
    /// The account's id if it is new.
    pub account_id: AccountId,
    /// Governed texts; at least the user name.
    pub texts: Texts,
    /// Belongs to this workspace only.
    pub exclusive: bool,
    /// See [`Status`].
    pub status: Status,
    /// Custom attributes.
    pub attributes: Attributes,
}

/// What makes an account the same in several workspaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountName {
    /// Who names the person: `email`, or the name of a provider or format.
    pub issuer: String,
    /// The person's identifier there, folded.
    pub identifier: String,
}

/// The account of a user whose texts tell of another person by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// What the account is called if it follows from the texts as they are. An account of another name stays: whoever signs somebody in
    /// has named it.
    pub from: AccountName,
    /// What follows from the texts as they shall be.
    pub to: AccountName,
    /// The account's id if it is new.
    pub id: AccountId,
}

/// A user as it shall be, status and edges excepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAfter {
    /// Which.
    pub id: UserId,
    /// The version that was decided on.
    pub seen: Version,
    /// Another account, if one follows from the texts.
    pub account: Option<NewAccount>,
    /// Governed texts.
    pub texts: Texts,
    /// Belongs to this workspace only.
    pub exclusive: bool,
    /// Custom attributes.
    pub attributes: Attributes,
    /// Whether anything but texts differs: what decisions rest on.
    pub facts_changed: bool,
}

/// A group to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGroup {
    /// Its id.
    pub id: GroupId,
    /// `None` right below the top group.
    pub parent: Option<GroupId>,
    /// Unique in the workspace.
    pub key: String,
    /// Unique among siblings, ignoring case.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Custom attributes.
    pub attributes: Attributes,
}

/// A group as it shall be, its place excepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupAfter {
    /// Which.
    pub id: GroupId,
    /// The version that was decided on.
    pub seen: Version,
    /// Unique among siblings, ignoring case.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Custom attributes.
    pub attributes: Attributes,
    /// Whether attributes differ: what decisions rest on.
    pub facts_changed: bool,
}

/// A membership to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewMembership {
    /// Its id.
    pub id: MembershipId,
    /// Who.
    pub user: UserId,
    /// In which group.
    pub group: GroupId,
    /// Whether it makes a manager.
    pub manager: bool,
}

/// A role to be, or as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRole {
    /// Its id.
    pub id: RoleId,
    /// Unique in the workspace.
    pub key: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Action names, in the register's order.
    pub permissions: Vec<String>,
}

/// A grant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// Its id.
    pub id: GrantId,
    /// Who.
    pub user: UserId,
    /// Which role.
    pub role: RoleId,
    /// The subtree that it is limited to; `None` for the whole workspace.
    pub within: Option<GroupId>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// The declaration of a custom attribute (D7), as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeAfter {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub type_: AttributeType,
    /// Whether users must have a value.
    pub required: bool,
    /// Whether no two users may have the same value.
    pub unique: bool,
    /// Whether somebody may have several values.
    pub multivalued: bool,
    /// Whether it may be filtered by where the policy agrees.
    pub searchable: bool,
}

/// What user codes must be like (D6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeRules {
    /// Characters at least.
    pub min_length: u32,
    /// Characters at most.
    pub max_length: u32,
    /// Which characters.
    pub rule: CodeRule,
}

impl Change {
    /// Whether it takes away what somebody may do, so that an administrator could be lost.
    #[must_use]
    pub const fn takes_away(&self) -> bool {
        match self {
            Self::SetStatus { status, .. } => !matches!(status, Status::Active),
            Self::RemoveUsers(_) | Self::RemoveGrants(_) => true,
            _ => false,
        }
    }

    /// Whether decisions that were taken before it may be wrong after it, so that the authority epoch ends with it.
    #[must_use]
    pub const fn ends_epoch(&self) -> bool {
        match self {
            Self::UpdateUser(user) => user.facts_changed,
            Self::UpdateGroup(group) => group.facts_changed,
            Self::UpdateWorkspace { .. } | Self::SetQuota(_) | Self::CreateToken { .. } => false,
            _ => true,
        }
    }
}
