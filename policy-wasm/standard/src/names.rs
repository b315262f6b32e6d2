//! What the module knows of the register: fields, actions and columns. What is not named here is withheld, denied or not asked for.

/// Every governed field, as `kind.field`.
pub const FIELDS: &[&str] = &[
    "user.userName",
    "user.displayName",
    "user.givenName",
    "user.familyName",
    "user.email",
    "user.phone",
    "user.locale",
    "user.timeZone",
    "user.title",
    "user.avatarUrl",
    "user.externalId",
    "user.code",
    "user.exclusive",
    "user.status",
    "user.attributes.*",
    "group.key",
    "group.name",
    "group.description",
    "group.attributes.*",
    "role.key",
    "role.name",
    "role.description",
    "role.builtin",
    "role.permissions",
    "membership.manager",
    "grant.provenance",
    "grant.grantedBy",
    "workspace.key",
    "workspace.name",
    "workspace.userQuota",
    "workspace.userCount",
    "policy.settings",
    "policy.note",
    "policy.author",
];

/// Every kind with the verbs of its actions.
pub const ACTIONS: &[(&str, &[&str])] = &[
    ("user", &["read", "create", "update", "delete", "restore", "suspend", "activate", "set-password"]),
    ("group", &["read", "create", "update", "delete", "restore", "move"]),
    ("role", &["read", "create", "update", "delete", "restore"]),
    ("membership", &["read", "add", "update", "remove"]),
    ("grant", &["read", "add", "remove"]),
    ("workspace", &["read", "update"]),
    ("invitation", &["read", "create", "resend", "revoke"]),
    ("token", &["read", "create", "revoke"]),
    ("session", &["read", "revoke"]),
    ("policy", &["read", "upload", "activate", "rollback", "explain"]),
    ("webhook", &["read", "create", "update", "delete"]),
    ("attribute", &["read", "create", "update", "delete"]),
    ("settings", &["read", "update"]),
    ("event", &["read"]),
    ("audit", &["read", "export"]),
];

/// Every kind's pattern, for the manifest.
pub const DECIDES: &[&str] = &[
    "user.*",
    "group.*",
    "role.*",
    "membership.*",
    "grant.*",
    "workspace.*",
    "invitation.*",
    "token.*",
    "session.*",
    "policy.*",
    "webhook.*",
    "attribute.*",
    "settings.*",
    "event.*",
    "audit.*",
];

/// The columns that the rules read.
pub const NEEDS: &[&str] = &[
    "rows.self",
    "rows.status",
    "rows.shares-group",
    "rows.below-my-groups",
    "rows.above-my-groups",
    "rows.managed-by-me",
    "rows.mine",
    "rows.groups",
    "rows.manager",
    "rows.role",
    "rows.permissions",
    "roles.permissions",
];

/// Splits `kind.verb` if the module knows it.
pub(crate) fn action(name: &str) -> Option<(&'static str, &'static str)> {
    let (kind, verb) = name.split_once('.')?;
    let (kind, verbs) = ACTIONS.iter().find(|(known, _)| *known == kind)?;
    let verb = verbs.iter().find(|known| **known == verb)?;
    Some((kind, verb))
}
