//! Identifiers: UUIDv7 inside, opaque type-prefixed texts outside (`usr_0190c7...`).

use uuid::Uuid;

/// Why a text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of this kind; expected `{prefix}_` and 32 hexadecimal digits")]
pub struct InvalidId {
    /// The text, cut to 64 characters.
    pub text: String,
    /// The prefix that was wanted.
    pub prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What stands before the underscore.
            pub const PREFIX: &'static str = $prefix;
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|hex| hex.len() == 32 && !hex.contains(|c: char| c.is_ascii_uppercase()))
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or_else(|| InvalidId { text: text.chars().take(64).collect(), prefix: $prefix })
            }
        }
    };
}

id!(
    /// A workspace: one tenant.
    WorkspaceId, "wsp");
id!(
    /// A person's identity across workspaces.
    AccountId, "acc");
id!(
    /// An account's membership in one workspace.
    UserId, "usr");
id!(
    /// A node of the group tree.
    GroupId, "grp");
id!(
    /// A role.
    RoleId, "rol");
id!(
    /// That a user is in a group.
    MembershipId, "mem");
id!(
    /// That a user holds a role.
    GrantId, "gra");
id!(
    /// A token.
    TokenId, "tok");
id!(
    /// A module as uploaded to one workspace.
    PolicyId, "pol");
id!(
    /// A deletion that can still be undone.
    DeletionId, "del");
id!(
    /// Module, settings and fallback as they were activated together.
    PolicyVersionId, "pov");
id!(
    /// A candidate beside the active policy.
    ShadowId, "shd");
