//! The register: every kind, action, field, column and test that the contract speaks of. Normative.
//!
//! The docs (`docs/register.md`), the roles' permission picker, the validation of uploads and the access code all read it. To add
//! a fact, add a row here, fill it in `access::facts`, and run `just bless`. A row may never change its meaning or disappear.

/// A kind of resource that a policy decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A person's membership in the workspace.
    User,
    /// A node of the group tree.
    Group,
    /// A named set of permissions.
    Role,
    /// That a user is in a group.
    Membership,
    /// That a user holds a role.
    Grant,
    /// The workspace itself.
    Workspace,
    /// An invitation by mail.
    Invitation,
    /// An API or SCIM token.
    Token,
    /// A signed-in session.
    Session,
    /// A policy module or version.
    Policy,
    /// A webhook.
    Webhook,
    /// The declaration of a custom attribute.
    Attribute,
    /// The workspace's settings.
    Settings,
    /// An entry of the event feed.
    Event,
    /// An entry of the audit trail.
    Audit,
}

impl Kind {
    /// Every kind, in the register's order.
    pub const ALL: [Self; 15] = [
        Self::User,
        Self::Group,
        Self::Role,
        Self::Membership,
        Self::Grant,
        Self::Workspace,
        Self::Invitation,
        Self::Token,
        Self::Session,
        Self::Policy,
        Self::Webhook,
        Self::Attribute,
        Self::Settings,
        Self::Event,
        Self::Audit,
    ];

    /// The name as the contract spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
            Self::Membership => "membership",
            Self::Grant => "grant",
            Self::Workspace => "workspace",
            Self::Invitation => "invitation",
            Self::Token => "token",
            Self::Session => "session",
            Self::Policy => "policy",
            Self::Webhook => "webhook",
            Self::Attribute => "attribute",
            Self::Settings => "settings",
            Self::Event => "event",
            Self::Audit => "audit",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The action `kind.read`.
    #[must_use]
    pub fn read(self) -> String {
        format!("{}.read", self.name())
    }

    /// What the kind's actions are called after the dot.
    #[must_use]
    pub const fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::User => &["read", "create", "update", "delete", "restore", "suspend", "activate", "set-password"],
            Self::Group => &["read", "create", "update", "delete", "restore", "move"],
            Self::Role => &["read", "create", "update", "delete", "restore"],
            Self::Membership => &["read", "add", "update", "remove"],
            Self::Grant => &["read", "add", "remove"],
            Self::Workspace => &["read", "update"],
            Self::Invitation => &["read", "create", "resend", "revoke"],
            Self::Token => &["read", "create", "revoke"],
            Self::Session => &["read", "revoke"],
            Self::Policy => &["read", "upload", "activate", "rollback", "explain"],
            Self::Webhook | Self::Attribute => &["read", "create", "update", "delete"],
            Self::Settings => &["read", "update"],
            Self::Event => &["read"],
            Self::Audit => &["read", "export"],
        }
    }

    /// The governed fields: those that a verdict may withhold. `attributes.*` stands for every declared attribute.
    ///
    /// `id`, `createdAt`, `updatedAt` and `version` are not governed: whoever may read the row may read them.
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
            Self::Workspace => &["key", "name", "userQuota", "userCount"],
            Self::Policy => &["settings", "note", "author"],
            _ => &[],
        }
    }

    /// The columns that `needs` may name, without the prefix `rows.`.
    #[must_use]
    pub const fn columns(self) -> &'static [ColumnDef] {
        match self {
            Self::User => USER_COLUMNS,
            Self::Group => GROUP_COLUMNS,
            Self::Role => ROLE_COLUMNS,
            Self::Membership => MEMBERSHIP_COLUMNS,
            Self::Grant => GRANT_COLUMNS,
            Self::Attribute => ATTRIBUTE_COLUMNS,
            _ => OTHER_COLUMNS,
        }
    }

    /// The tests that a scope over this kind may use.
    #[must_use]
    pub const fn tests(self) -> &'static [TestDef] {
        match self {
            Self::User => USER_TESTS,
            Self::Group => GROUP_TESTS,
            Self::Role => ROLE_TESTS,
            Self::Membership => MEMBERSHIP_TESTS,
            Self::Grant => GRANT_TESTS,
            _ => OTHER_TESTS,
        }
    }
}

/// How a column's items are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One item a row: 0 or 1.
    Flag,
    /// One item a row: a position in the dictionary.
    Text,
    /// Ragged: positions in the dictionary, none where unassigned.
    Texts,
    /// Ragged: positions in `context.groups`.
    Groups,
    /// One position in `context.groups`, or unassigned.
    Group,
    /// Ragged: positions in `context.roles`.
    Roles,
    /// One position in `context.roles`.
    Role,
    /// One small number a row.
    Count,
    /// One 64-bit number a row: milliseconds since 1970.
    Instant,
}

/// A column of the register.
#[derive(Clone, Copy, Debug)]
pub struct ColumnDef {
    /// Its name in `rows`; `attributes.*` stands for one column a declared attribute.
    pub name: &'static str,
    /// How its items are to be read.
    pub shape: Shape,
    /// What it says, for the docs.
    pub doc: &'static str,
}

/// A test of the register.
#[derive(Clone, Copy, Debug)]
pub struct TestDef {
    /// Its name.
    pub name: &'static str,
    /// What `groups` and `values` mean, for the docs.
    pub arguments: &'static str,
    /// When it holds, for the docs.
    pub doc: &'static str,
}

const fn column(name: &'static str, shape: Shape, doc: &'static str) -> ColumnDef {
    ColumnDef { name, shape, doc }
}

const fn test(name: &'static str, arguments: &'static str, doc: &'static str) -> TestDef {
    TestDef { name, arguments, doc }
}

const USER_COLUMNS: &[ColumnDef] = &[
    column("groups", Shape::Groups, "its direct memberships; never the top group"),
    column("self", Shape::Flag, "it is the subject"),
    column("created-by-me", Shape::Flag, "the subject created it"),
    column("shares-group", Shape::Flag, "it shares a direct group with the subject"),
    column("below-my-groups", Shape::Flag, "it is in, or below, a direct group of the subject"),
    column("managed-by-me", Shape::Flag, "it is in, or below, a group that the subject manages"),
    column("roles", Shape::Roles, "the roles that it holds, wherever they are limited to"),
    column("status", Shape::Text, "`invited`, `inactive`, `active`, `suspended` or `deleted`"),
    column("exclusive", Shape::Flag, "it belongs to this workspace only"),
    column("attributes.*", Shape::Texts, "the values of a custom attribute, folded; no item where unassigned"),
    column("created", Shape::Instant, "when it was created"),
];

const GROUP_COLUMNS: &[ColumnDef] = &[
    column("groups", Shape::Groups, "the group itself and then its parent, if that is not the top group"),
    column("mine", Shape::Flag, "the subject is a direct member"),
    column("managed-by-me", Shape::Flag, "it is, or is below, a group that the subject manages"),
    column("below-my-groups", Shape::Flag, "it is, or is below, a direct group of the subject"),
    column("above-my-groups", Shape::Flag, "it is, or is above, a direct group of the subject"),
    column("depth", Shape::Count, "1 for a group right below the top group"),
    column("attributes.*", Shape::Texts, "as for users"),
    column("created-by-me", Shape::Flag, "the subject created it"),
];

const ROLE_COLUMNS: &[ColumnDef] = &[
    column("held-by-me", Shape::Flag, "the subject holds it, wherever it is limited to"),
    column("builtin", Shape::Flag, "it ships with the server"),
    column("roles", Shape::Role, "the role's own position in `context.roles`"),
    column("permissions", Shape::Texts, "the names of its permissions"),
    column("created-by-me", Shape::Flag, "the subject created it"),
];

const MEMBERSHIP_COLUMNS: &[ColumnDef] = &[
    column("groups", Shape::Group, "the group"),
    column("manager", Shape::Flag, "the membership makes its user a manager of the group"),
    column("self", Shape::Flag, "its user is the subject"),
    column("created-by-me", Shape::Flag, "the subject added it"),
    column("user.groups", Shape::Groups, "as the column of its user"),
    column("user.created-by-me", Shape::Flag, "as the column of its user"),
    column("user.shares-group", Shape::Flag, "as the column of its user"),
    column("user.below-my-groups", Shape::Flag, "as the column of its user"),
    column("user.managed-by-me", Shape::Flag, "as the column of its user"),
    column("user.roles", Shape::Roles, "as the column of its user"),
    column("user.status", Shape::Text, "as the column of its user"),
    column("user.exclusive", Shape::Flag, "as the column of its user"),
    column("user.attributes.*", Shape::Texts, "as the column of its user"),
];

const GRANT_COLUMNS: &[ColumnDef] = &[
    column("groups", Shape::Group, "the group that it is limited to; unassigned for the whole workspace"),
    column("role", Shape::Role, "the role"),
    column("provenance", Shape::Text, "`manual`, `scim`, `import` or `invitation`"),
    column("self", Shape::Flag, "its user is the subject"),
    column("created-by-me", Shape::Flag, "the subject granted it"),
    column("user.groups", Shape::Groups, "as the column of its user"),
    column("user.created-by-me", Shape::Flag, "as the column of its user"),
    column("user.shares-group", Shape::Flag, "as the column of its user"),
    column("user.below-my-groups", Shape::Flag, "as the column of its user"),
    column("user.managed-by-me", Shape::Flag, "as the column of its user"),
    column("user.roles", Shape::Roles, "as the column of its user"),
    column("user.status", Shape::Text, "as the column of its user"),
    column("user.exclusive", Shape::Flag, "as the column of its user"),
    column("user.attributes.*", Shape::Texts, "as the column of its user"),
];

const ATTRIBUTE_COLUMNS: &[ColumnDef] = &[
    column("name", Shape::Text, "its name, as declared"),
    column("type", Shape::Text, "`text`, `integer`, `boolean` or `date`"),
    column("required", Shape::Flag, "users must have a value"),
    column("unique", Shape::Flag, "no two users may have the same value"),
    column("multivalued", Shape::Flag, "somebody may have several values"),
    column("searchable", Shape::Flag, "it may be filtered by where the policy agrees"),
];

const OTHER_COLUMNS: &[ColumnDef] =
    &[column("self", Shape::Flag, "it is the subject's own"), column("created-by-me", Shape::Flag, "the subject created it")];

const USER_TESTS: &[TestDef] = &[
    test("self", "none", "the user is the subject"),
    test("in-group", "groups: positions", "it is a direct member of one of them; never of the top group"),
    test("under-group", "groups: positions", "it is in, or below, one of them; always true of the top group"),
    test("in-group-key", "values: group keys", "as `in-group`; an unknown key makes the term false, negated or not"),
    test("under-group-key", "values: group keys", "as `under-group`; likewise"),
    test("has-role-key", "values: role keys", "it holds one of them, wherever limited to; an unknown key as above"),
    test("status", "values: statuses", "its status is one of them"),
    test(
        "attribute",
        "values: the attribute's name, then values",
        "it has one of the values; unassigned or undeclared makes the term false, negated or not",
    ),
    test("created-by-me", "none", "the subject created it"),
];

const GROUP_TESTS: &[TestDef] = &[
    test("in-group", "groups: positions", "the group is one of them"),
    test("under-group", "groups: positions", "it is, or is below, one of them"),
    test("in-group-key", "values: group keys", "it is the group of that key; an unknown key makes the term false either way"),
    test("under-group-key", "values: group keys", "it is, or is below, that group; likewise"),
    test("mine", "none", "the subject is a direct member"),
    test("attribute", "values: the attribute's name, then values", "as for users"),
    test("created-by-me", "none", "the subject created it"),
];

const ROLE_TESTS: &[TestDef] = &[
    test("held-by-me", "none", "the subject holds it, wherever it is limited to"),
    test("builtin", "none", "it ships with the server"),
    test("role-key", "values: role keys", "it is one of them; an unknown key makes the term false either way"),
    test("created-by-me", "none", "the subject created it"),
];

const MEMBERSHIP_TESTS: &[TestDef] = &[
    test("self", "none", "its user is the subject"),
    test("manager", "none", "it makes its user a manager"),
    test("in-group", "groups: positions", "its group is one of them"),
    test("under-group", "groups: positions", "its group is, or is below, one of them"),
    test("created-by-me", "none", "the subject added it"),
    test("user.*", "as for users", "every test of users, of its user"),
    test("group.*", "as for groups", "every test of groups, of its group"),
];

const GRANT_TESTS: &[TestDef] = &[
    test("self", "none", "its user is the subject"),
    test("in-group", "groups: positions", "it is limited to one of them"),
    test("under-group", "groups: positions", "it is limited to one of them, or to a group below; the whole workspace is below none"),
    test("provenance", "values: provenances", "it came from there"),
    test("created-by-me", "none", "the subject granted it"),
    test("user.*", "as for users", "every test of users, of its user"),
    test("role.*", "as for roles", "every test of roles, of its role"),
];

const OTHER_TESTS: &[TestDef] = &[test("self", "none", "it is the subject's own"), test("created-by-me", "none", "the subject created it")];

/// The facts of `subject.facts`.
pub const SUBJECT_FACTS: &[(&str, &str)] = &[
    ("id", "the subject's user or service id, as the API writes it"),
    ("via", "`graphql`, `http` or `cli`"),
    ("token-scope", "a permission that the token is limited to; absent for an unlimited one"),
    ("status", "the subject's status"),
    ("attributes.*", "a value of the subject's custom attribute, folded; repeated for several"),
];

/// The facts about the workspace in `context.groups` and `context.roles` that `needs` may name.
pub const CONTEXT_NEEDS: &[(&str, &str)] = &[
    ("groups.key", "the column `key` of `context.groups`, folded"),
    ("roles.key", "the column `key` of `context.roles`, folded"),
    ("roles.permissions", "the ragged column `permissions` of `context.roles`"),
];

/// What `change` holds for one action.
#[derive(Clone, Copy, Debug)]
pub struct WriteDef {
    /// `kind.verb`.
    pub action: &'static str,
    /// What the rows of `check` are.
    pub rows: &'static str,
    /// What stands in `fields`.
    pub fields: &'static str,
    /// What `after` holds.
    pub after: &'static str,
    /// Who and what else is involved, by the party's name; empty for nobody.
    pub parties: &'static [(&'static str, &'static str)],
}

const fn write(
    action: &'static str,
    rows: &'static str,
    fields: &'static str,
    after: &'static str,
    parties: &'static [(&'static str, &'static str)],
) -> WriteDef {
    WriteDef { action, rows, fields, after, parties }
}

const NEW: &str = "as many as come into being, without columns";
const THERE: &str = "as they are";
const SET: &str = "those that the caller sets";
const WOULD_BE: &str = "as they would be";
const NONE: &str = "none";
const ENDS: &[(&str, &str)] = &[("user", "of each row"), ("group", "one for all rows, or one of each")];
const GRANTED: &[(&str, &str)] = &[
    ("user", "of each row"),
    ("role", "of each row, with its permissions"),
    ("within", "of each row, if any is limited; without groups where one is not"),
];

/// What `change` holds, for every action that changes something and that the server performs.
///
/// The top group as a party has a row without groups, or with its own position where the subject manages it.
pub const WRITES: &[WriteDef] = &[
    write(
        "user.create",
        NEW,
        SET,
        "as they would be; `groups` and `roles` are those that they begin with, each of which is also asked about as `membership.add` or `grant.add`",
        &[
            ("group", "of a single user: a party for each group that it begins with"),
            ("role", "of a single user: likewise, with its permissions"),
        ],
    ),
    write("user.update", THERE, SET, WOULD_BE, &[]),
    write("user.suspend", THERE, "`status`", WOULD_BE, &[]),
    write("user.activate", THERE, "`status`", WOULD_BE, &[]),
    write("user.delete", THERE, NONE, NONE, &[]),
    write(
        "user.restore",
        "as it is in the recycle bin; `groups` and `roles` are those that come back",
        "texts that it shall come back with",
        "as it was before, with these texts",
        &[
            ("group", "a party for each group that it comes back to"),
            ("manages", "a party for each group that it comes back to as a manager"),
            ("role", "a party for each role that it comes back with"),
        ],
    ),
    write("group.create", NEW, SET, "as it would be; `groups` are itself and its parent", &[("group", "its parent")]),
    write("group.update", THERE, SET, WOULD_BE, &[]),
    write(
        "group.move",
        "as they are; several where a group that is deleted lifts what is below it",
        "`parent`",
        "as they would be; `context.groups` still says where they are",
        &[("from", "the parent that they have"), ("to", "the parent that they would have")],
    ),
    write("group.delete", "the group, and everything that goes with it", NONE, NONE, &[]),
    write(
        "group.restore",
        "the group as it was, by itself; then whatever was deleted with it",
        "of the group: `name`, `key` and `parent`, if it shall have others",
        "the groups where they would be",
        &[
            ("group", "the parent of each"),
            ("manages", "with the group by itself: a party for each group that somebody would manage again, at most 256 a call"),
            ("role", "a party for each role of the grants that come back"),
        ],
    ),
    write("role.create", NEW, SET, "as it would be, with its permissions", &[]),
    write("role.update", THERE, SET, "as it would be, with its permissions", &[]),
    write("role.delete", THERE, NONE, NONE, &[]),
    write("role.restore", "the role as it was", "`key`, if it shall have another", WOULD_BE, &[("role", "the role, with its permissions")]),
    write("membership.add", NEW, "`manager`, where it makes a manager", WOULD_BE, ENDS),
    write("membership.update", THERE, "`manager`", WOULD_BE, ENDS),
    write("membership.remove", THERE, NONE, NONE, ENDS),
    write("grant.add", NEW, NONE, WOULD_BE, GRANTED),
    write("grant.remove", THERE, NONE, NONE, GRANTED),
    write("workspace.update", "the workspace", SET, NONE, &[]),
    write("settings.update", "the settings of user codes", SET, NONE, &[]),
    write("attribute.create", NEW, SET, WOULD_BE, &[]),
    write("attribute.update", THERE, SET, WOULD_BE, &[]),
    write("attribute.delete", THERE, NONE, NONE, &[]),
    write(
        "token.create",
        NEW,
        "`name`; `scopes` and `expiresAt` where they are set",
        WOULD_BE,
        &[("role", "of a service: a role without a key, whose permissions are the token's scopes")],
    ),
    write("token.revoke", THERE, NONE, NONE, &[]),
];

/// What `change` holds for an action, if the server performs it.
#[must_use]
pub fn write_of(action: &str) -> Option<&'static WriteDef> {
    WRITES.iter().find(|write| write.action == action)
}

/// Every action, `kind.verb`, in the register's order. A permission's name is an action's name.
pub fn actions() -> impl Iterator<Item = String> {
    Kind::ALL.into_iter().flat_map(|kind| kind.verbs().iter().map(move |verb| format!("{}.{verb}", kind.name())))
}

/// Splits `kind.verb` if the register has it.
#[must_use]
pub fn action(name: &str) -> Option<(Kind, &'static str)> {
    let (kind, verb) = name.split_once('.')?;
    let kind = Kind::named(kind)?;
    let verb = kind.verbs().iter().find(|known| **known == verb)?;
    Some((kind, verb))
}

/// Whether a pattern of `decides` (`user.*`, `group.read`, `*`) covers an action.
#[must_use]
pub fn covers(pattern: &str, action: &str) -> bool {
    pattern == "*"
        || pattern == action
        || pattern.strip_suffix(".*").is_some_and(|kind| action.split_once('.').is_some_and(|(of, _)| of == kind))
}

/// Whether a name of a verdict's `withheld`, of `searchable` or of a manifest's `fields` names `field` of `kind`.
///
/// `email` and `user.email` both name a user's e-mail; `attributes.*` names every attribute.
#[must_use]
pub fn names_field(name: &str, kind: Kind, field: &str) -> bool {
    let name = name.strip_prefix(kind.name()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name);
    name == field || (name == "attributes.*" && field.starts_with("attributes."))
}

/// Whether the register has a field that `name` could name, in `kind` or (with `None`) in any kind.
#[must_use]
pub fn knows_field(name: &str, kind: Option<Kind>) -> bool {
    let kinds = kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
    kinds.into_iter().any(|kind| {
        let bare = name.strip_prefix(kind.name()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name);
        kind.fields().contains(&bare) || (bare.starts_with("attributes.") && kind.fields().contains(&"attributes.*"))
    })
}

/// Whether a manifest may name this in `needs`.
#[must_use]
pub fn knows_need(need: &str) -> bool {
    if CONTEXT_NEEDS.iter().any(|(name, _)| *name == need) {
        return true;
    }
    let Some(column) = need.strip_prefix("rows.") else { return false };
    Kind::ALL.into_iter().flat_map(|kind| kind.columns()).any(|def| {
        def.name == column || def.name.strip_suffix('*').is_some_and(|prefix| column.len() > prefix.len() && column.starts_with(prefix))
    })
}
