//! The row constructors: which columns a kind is read from, and what they become. Reviewed with the gate: what is built here is
//! sealed at once.

use directory::{
    Error, Sealed,
    change::{CodeRules, DeleteMode},
    contract::Digest,
    decisions::{DecisionEntry, DecisionRecord, Outcome, Purpose},
    ids::{DeletionId, GrantId, GroupId, MembershipId, PolicyId, PolicyVersionId, RoleId, ShadowId, TokenId, UserId, WorkspaceId},
    model::{
        Attribute, AttributeType, Attributes, Author, CodeRule, Deleted, Deletion, Epoch, Field, Grant, Group, Membership, PolicyGate,
        PolicyModule, PolicyStatus, PolicyStep, PolicyTests, PolicyVersion, Provenance, Quote, Reason, Role, Status, Step, StepNumber,
        TestsChange, Timestamp, Token, TokenKind, User, Version, Workspace,
    },
    register::{self, Kind},
    shadow::Shadow,
    store::Deciding,
};
use uuid::Uuid;

use crate::{decisions, exec::Columns};

/// Columns of a user, from `users u`.
pub(crate) const USER: &str = "u.id, u.user_name, u.display_name, u.given_name, u.family_name, u.email, u.phone, u.locale,
  u.time_zone, u.title, u.avatar_url, u.external_id, u.code, u.exclusive, u.status, u.attributes, u.created_by, u.created_at,
  u.updated_at, u.version";

pub(crate) fn user(columns: &mut Columns<'_>) -> Result<Sealed<User>, Error> {
    let id = UserId(columns.take()?);
    let mut texts = [const { Field::Shown(None) }; 12];
    for text in &mut texts {
        *text = Field::Shown(columns.take()?);
    }
    Ok(Sealed::new(User {
        id,
        texts,
        exclusive: Field::Shown(columns.take()?),
        status: Field::Shown(status(columns)?),
        attributes: attributes(columns)?,
        created_by: optional(columns)?.map(UserId),
        created_at: Timestamp(columns.take()?),
        updated_at: Timestamp(columns.take()?),
        version: Version(columns.take()?),
        withheld: Vec::new(),
    }))
}

/// Columns of a group, from `groups g`.
pub(crate) const GROUP: &str = "g.id, g.parent_id, g.depth, g.key, g.name, g.description, g.attributes, g.created_by, g.created_at,
  g.updated_at, g.version";

pub(crate) fn group(columns: &mut Columns<'_>) -> Result<Sealed<Group>, Error> {
    group_row(columns).map(Sealed::new)
}

/// The same of the recycle bin, where it is part of something that is sealed as a whole.
pub(crate) fn group_row(columns: &mut Columns<'_>) -> Result<Group, Error> {
    Ok(Group {
        id: GroupId(columns.take()?),
        parent: optional(columns)?.map(GroupId),
        depth: number(columns)?,
        key: Field::Shown(columns.take()?),
        name: Field::Shown(columns.take()?),
        description: Field::Shown(columns.take()?),
        attributes: attributes(columns)?,
        created_by: optional(columns)?.map(UserId),
        created_at: Timestamp(columns.take()?),
        updated_at: Timestamp(columns.take()?),
        version: Version(columns.take()?),
        withheld: Vec::new(),
    })
}

/// Columns of a role, from `roles r`.
pub(crate) const ROLE: &str = "r.id, r.key, r.name, r.description, r.builtin, r.permissions, r.created_by, r.created_at,
  r.updated_at, r.version";

pub(crate) fn role(columns: &mut Columns<'_>) -> Result<Sealed<Role>, Error> {
    role_row(columns).map(Sealed::new)
}

/// Likewise.
pub(crate) fn role_row(columns: &mut Columns<'_>) -> Result<Role, Error> {
    let id = RoleId(columns.take()?);
    let key: String = columns.take()?;
    let name: String = columns.take()?;
    let description: Option<String> = columns.take()?;
    let builtin: bool = columns.take()?;
    let permissions = permissions(&key, builtin, texts(columns)?);
    Ok(Role {
        id,
        key: Field::Shown(key),
        name: Field::Shown(name),
        description: Field::Shown(description),
        builtin: Field::Shown(builtin),
        permissions: Field::Shown(permissions),
        created_by: optional(columns)?.map(UserId),
        created_at: Timestamp(columns.take()?),
        updated_at: Timestamp(columns.take()?),
        version: Version(columns.take()?),
        withheld: Vec::new(),
    })
}

/// The administrator's are not stored: they include those of later servers.
pub(crate) fn permissions(key: &str, builtin: bool, stored: Vec<String>) -> Vec<String> {
    if builtin && key == Role::ADMINISTRATOR { register::actions().collect() } else { stored }
}

/// Columns of an entry of the decision log, from `decisions d`.
pub(crate) const DECISION: &str = "d.number, d.at, d.actor, d.actor_id, d.via, d.purpose, d.action, d.kind, d.objects, d.row_count,
  d.outcome, d.withheld, d.fields, d.reason, d.version_id, d.digest, d.facts, d.fuel, d.weight";

pub(crate) fn decision(columns: &mut Columns<'_>) -> Result<Sealed<DecisionEntry>, Error> {
    let number = number(columns)?;
    let at = Timestamp(columns.take()?);
    let (actor, actor_id): (Option<String>, _) = (columns.take()?, optional(columns)?);
    let via = columns.take()?;
    let purpose = named(columns, Purpose::named)?;
    let action = columns.take()?;
    let kind = named(columns, Kind::named)?;
    let objects = texts(columns)?.iter().filter_map(|id| Uuid::try_parse(id).ok()).collect();
    let record = DecisionRecord {
        at,
        actor: decisions::actor(actor.as_deref(), actor_id),
        via,
        purpose,
        action,
        kind,
        objects,
        rows: self::number(columns)?,
        outcome: named(columns, Outcome::named)?,
        withheld: texts(columns)?,
        fields: texts(columns)?,
        reason: columns.take()?,
        version: optional(columns)?.map(PolicyVersionId),
        digest: decisions::digest(columns.take::<Option<String>>()?.as_deref()),
        facts: decisions::digest(columns.take::<Option<String>>()?.as_deref()),
        fuel: self::number(columns)?,
        weight: self::number(columns)?,
    };
    Ok(Sealed::new(DecisionEntry { number, record }))
}

/// Columns of a membership, from `memberships m`.
pub(crate) const MEMBERSHIP: &str = "m.id, m.user_id, m.group_id, m.manager, m.created_by, m.created_at";

pub(crate) fn membership(columns: &mut Columns<'_>) -> Result<Sealed<Membership>, Error> {
    Ok(Sealed::new(Membership {
        id: MembershipId(columns.take()?),
        user: UserId(columns.take()?),
        group: GroupId(columns.take()?),
        manager: Field::Shown(columns.take()?),
        created_by: optional(columns)?.map(UserId),
        created_at: Timestamp(columns.take()?),
        withheld: Vec::new(),
    }))
}

/// Columns of a grant, from `grants a`.
pub(crate) const GRANT: &str = "a.id, a.user_id, a.role_id, a.within_group_id, a.provenance, a.granted_by, a.granted_at";

pub(crate) fn grant(columns: &mut Columns<'_>) -> Result<Sealed<Grant>, Error> {
    Ok(Sealed::new(Grant {
        id: GrantId(columns.take()?),
        user: UserId(columns.take()?),
        role: RoleId(columns.take()?),
        within: optional(columns)?.map(GroupId),
        provenance: Field::Shown(named(columns, Provenance::named)?),
        granted_by: Field::Shown(optional(columns)?.map(UserId)),
        granted_at: Timestamp(columns.take()?),
        withheld: Vec::new(),
    }))
}

/// Columns of a workspace, from `workspaces w`.
pub(crate) const WORKSPACE: &str = "w.id, w.key, w.name, w.user_quota, w.user_count, w.epoch, w.policy_version_id, w.created_at,
  w.updated_at, w.version, w.code_min_length, w.code_max_length, w.code_rule";

pub(crate) fn workspace(columns: &mut Columns<'_>) -> Result<Sealed<Workspace>, Error> {
    Ok(Sealed::new(Workspace {
        id: WorkspaceId(columns.take()?),
        key: Field::Shown(columns.take()?),
        name: Field::Shown(columns.take()?),
        user_quota: Field::Shown(columns.take::<Option<i64>>()?.map(i64::unsigned_abs)),
        user_count: Field::Shown(number(columns)?),
        epoch: Epoch(columns.take()?),
        policy: PolicyVersionId(columns.take()?),
        created_at: Timestamp(columns.take()?),
        updated_at: Timestamp(columns.take()?),
        version: Version(columns.take()?),
        code_rules: CodeRules { min_length: number(columns)?, max_length: number(columns)?, rule: named(columns, CodeRule::named)? },
        withheld: Vec::new(),
    }))
}

/// Columns of a module, from `policies p`.
pub(crate) const POLICY: &str = "p.id, p.digest, p.name, p.version, p.status, p.reasons, p.size, p.uploaded_by, p.uploaded_at, p.note";

pub(crate) fn policy(columns: &mut Columns<'_>) -> Result<Sealed<PolicyModule>, Error> {
    Ok(Sealed::new(PolicyModule {
        id: PolicyId(columns.take()?),
        digest: digest(columns.take()?)?,
        name: columns.take()?,
        version: columns.take()?,
        status: named(columns, |name| [PolicyStatus::Validated, PolicyStatus::Rejected].into_iter().find(|status| status.name() == name))?,
        reasons: texts(columns)?,
        size: number(columns)?,
        uploaded_by: optional(columns)?.map(UserId),
        uploaded_at: Timestamp(columns.take()?),
        note: columns.take()?,
    }))
}

/// Columns of a version, from `policy_versions v left join policies p`.
pub(crate) const POLICY_VERSION: &str = "v.id, v.policy_id, p.digest, v.settings, v.standard, v.standard_settings, v.number,
  v.activated_by, v.activated_at, v.repeats, v.note";

pub(crate) fn policy_version(columns: &mut Columns<'_>) -> Result<Sealed<PolicyVersion>, Error> {
    Ok(Sealed::new(PolicyVersion {
        id: PolicyVersionId(columns.take()?),
        module: optional(columns)?.map(PolicyId),
        digest: columns.take::<Option<Vec<u8>>>()?.map(digest).transpose()?,
        settings: columns.take()?,
        standard: digest(columns.take()?)?,
        standard_settings: columns.take()?,
        number: columns.take()?,
        activated_by: optional(columns)?.map(UserId),
        activated_at: Timestamp(columns.take()?),
        repeats: optional(columns)?.map(PolicyVersionId),
        note: columns.take()?,
    }))
}

/// Columns of a step of a policy's history, from `policy_history h`.
pub(crate) const POLICY_STEP: &str = "h.number, h.step, h.at, h.author, h.author_id, h.via, h.peer, h.policy_id, h.digest, h.version_id,
  h.note, h.reasons";

pub(crate) fn policy_step(columns: &mut Columns<'_>) -> Result<Sealed<PolicyStep>, Error> {
    Ok(Sealed::new(PolicyStep {
        number: StepNumber(columns.take()?),
        step: named(columns, Step::named)?,
        at: Timestamp(columns.take()?),
        by: author(columns)?,
        via: columns.take()?,
        peer: columns.take::<Option<String>>()?.map(|peer| peer.parse().map_err(unreadable)).transpose()?,
        module: optional(columns)?.map(PolicyId),
        digest: columns.take::<Option<Vec<u8>>>()?.map(digest).transpose()?,
        version: optional(columns)?.map(PolicyVersionId),
        note: columns.take()?,
        reasons: json::<Vec<StoredReason>>(&columns.take::<String>()?)?.into_iter().map(reason).collect::<Result<_, _>>()?,
    }))
}

fn author(columns: &mut Columns<'_>) -> Result<Author, Error> {
    let author: String = columns.take()?;
    match (author.as_str(), optional(columns)?) {
        ("user", Some(id)) => Ok(Author::User(UserId(id))),
        ("service", Some(id)) => Ok(Author::Service(TokenId(id))),
        ("operator", None) => Ok(Author::Operator),
        _ => Err(Error::Store(format!("`{author}` is stored as the author of a step"))),
    }
}

/// A reason as `policy_history` writes it.
#[derive(serde::Deserialize)]
struct StoredReason {
    gate: Option<String>,
    text: String,
    quotes: Vec<(String, String)>,
}

fn reason(stored: StoredReason) -> Result<Reason, Error> {
    let gate = stored.gate.as_deref().map(|name| PolicyGate::named(name).ok_or_else(|| unreadable(name))).transpose()?;
    let quote = |(kind, id): (String, String)| {
        let kind = Kind::named(&kind).ok_or_else(|| unreadable(kind))?;
        Ok(Quote { kind, id: Uuid::try_parse(&id).map_err(unreadable)? })
    };
    let quotes = stored.quotes.into_iter().map(quote).collect::<Result<_, Error>>()?;
    Ok(Reason::about(gate, &stored.text, quotes))
}

fn unreadable(what: impl std::fmt::Display) -> Error {
    Error::Store(format!("a stored step can not be read: {what}"))
}

/// What decides in a workspace, from `workspaces w` with its active `policy_versions v left join policies p`.
pub(crate) const DECIDING: &str = "w.id, v.id, v.number, p.digest, v.standard";

/// Not sealed: nothing in it is anybody's to see but the host's.
pub(crate) fn deciding(columns: &mut Columns<'_>) -> Result<Deciding, Error> {
    Ok(Deciding {
        workspace: WorkspaceId(columns.take()?),
        version: PolicyVersionId(columns.take()?),
        number: columns.take()?,
        module: columns.take::<Option<Vec<u8>>>()?.map(digest).transpose()?,
        standard: digest(columns.take()?)?,
    })
}

/// Columns of a shadow, from `policy_shadows s`.
pub(crate) const SHADOW: &str = "s.id, s.active_id, s.policy_id, s.digest, s.settings, s.standard, s.standard_settings, s.started_by,
  s.started_at, s.stopped_at, s.note";

pub(crate) fn shadow(columns: &mut Columns<'_>) -> Result<Sealed<Shadow>, Error> {
    let (id, active) = (ShadowId(columns.take()?), PolicyVersionId(columns.take()?));
    let mut candidate = PolicyVersion {
        id: PolicyVersionId(Uuid::nil()),
        module: optional(columns)?.map(PolicyId),
        digest: columns.take::<Option<Vec<u8>>>()?.map(digest).transpose()?,
        settings: columns.take()?,
        standard: digest(columns.take()?)?,
        standard_settings: columns.take()?,
        number: 0,
        activated_by: optional(columns)?.map(UserId),
        activated_at: Timestamp(columns.take()?),
        repeats: None,
        note: None,
    };
    let stopped_at = columns.take::<Option<i64>>()?.map(Timestamp);
    candidate.note = columns.take()?;
    Ok(Sealed::new(Shadow { id, active, candidate, stopped_at }))
}

/// Columns of policy tests, from `policy_tests t`.
pub(crate) const POLICY_TESTS: &str = "t.text, t.version, t.changed_by, t.changed_at";

pub(crate) fn policy_tests(columns: &mut Columns<'_>) -> Result<Sealed<PolicyTests>, Error> {
    Ok(Sealed::new(PolicyTests {
        text: columns.take()?,
        version: Version(columns.take()?),
        changed: Some(TestsChange { by: optional(columns)?.map(UserId), at: Timestamp(columns.take()?) }),
    }))
}

/// Columns of a token, from `tokens k`.
pub(crate) const TOKEN: &str = "k.id, k.kind, k.name, k.user_id, k.scopes, k.expires_at, k.created_at, k.created_by";

pub(crate) fn token(columns: &mut Columns<'_>) -> Result<Sealed<Token>, Error> {
    Ok(Sealed::new(Token {
        id: TokenId(columns.take()?),
        kind: token_kind(columns)?,
        name: columns.take()?,
        user: optional(columns)?.map(UserId),
        scopes: texts(columns)?,
        expires_at: columns.take::<Option<i64>>()?.map(Timestamp),
        created_at: Timestamp(columns.take()?),
        created_by: optional(columns)?.map(UserId),
    }))
}

/// Columns of an attribute's declaration, from `attribute_definitions f`.
pub(crate) const ATTRIBUTE: &str = "f.name, f.type, f.required, f.is_unique, f.multivalued, f.searchable, f.version";

pub(crate) fn attribute(columns: &mut Columns<'_>) -> Result<Sealed<Attribute>, Error> {
    Ok(Sealed::new(Attribute {
        name: columns.take()?,
        type_: named(columns, AttributeType::named)?,
        required: columns.take()?,
        unique: columns.take()?,
        multivalued: columns.take()?,
        searchable: columns.take()?,
        version: Version(columns.take()?),
    }))
}

/// Columns of a deletion, from `deletions d`.
pub(crate) const DELETION: &str = "d.id, d.kind, d.object_id, d.mode, d.status, d.managed_top, d.deleted_by, d.deleted_at";

pub(crate) fn deletion(columns: &mut Columns<'_>) -> Result<Sealed<Deletion>, Error> {
    let id = DeletionId(columns.take()?);
    let kind: String = columns.take()?;
    let object = columns.take()?;
    let of = match kind.as_str() {
        "user" => Deleted::User(UserId(object)),
        "group" => Deleted::Group(GroupId(object)),
        _ => Deleted::Role(RoleId(object)),
    };
    let mode = named(columns, |name| match name {
        "one" => Some(DeleteMode::Empty),
        "lift" => Some(DeleteMode::Lift),
        "subtree" => Some(DeleteMode::Subtree),
        _ => None,
    })?;
    let status = columns.take::<Option<String>>()?.as_deref().and_then(Status::named);
    let managed_top = columns.take()?;
    let by = optional(columns)?.map(UserId);
    Ok(Sealed::new(Deletion { id, of, mode, status, managed_top, by, at: Timestamp(columns.take()?) }))
}

/// The name under which a kind of token is stored.
pub(crate) const fn token_kind_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Personal => "personal",
        TokenKind::Service => "service",
        TokenKind::Operator => "operator",
    }
}

pub(crate) fn token_kind(columns: &mut Columns<'_>) -> Result<TokenKind, Error> {
    named(columns, |name| {
        [TokenKind::Personal, TokenKind::Service, TokenKind::Operator].into_iter().find(|kind| token_kind_name(*kind) == name)
    })
}

pub(crate) fn status(columns: &mut Columns<'_>) -> Result<Status, Error> {
    named(columns, Status::named)
}

pub(crate) fn optional(columns: &mut Columns<'_>) -> Result<Option<Uuid>, Error> {
    columns.take()
}

/// A list of texts, stored as JSON.
pub(crate) fn texts(columns: &mut Columns<'_>) -> Result<Vec<String>, Error> {
    json(&columns.take::<String>()?)
}

fn attributes(columns: &mut Columns<'_>) -> Result<Attributes, Error> {
    json(&columns.take::<String>()?)
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Store(format!("a stored list can not be read: {error}")))
}

pub(crate) fn digest(bytes: Vec<u8>) -> Result<Digest, Error> {
    let bytes = bytes.try_into().map_err(|_| Error::Store("a stored digest has not 32 bytes".to_owned()))?;
    Ok(Digest(bytes))
}

/// A number that is stored with a sign and never negative.
pub(crate) fn number<T: TryFrom<i64>>(columns: &mut Columns<'_>) -> Result<T, Error> {
    let stored: i64 = columns.take()?;
    T::try_from(stored).map_err(|_| Error::Store(format!("stored number {stored} is out of range")))
}

fn named<T>(columns: &mut Columns<'_>, find: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
    let stored: String = columns.take()?;
    find(&stored).ok_or_else(|| Error::Store(format!("`{stored}` is stored where this server knows no such name")))
}
