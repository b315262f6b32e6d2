//! The caller's own condition, as a condition of a `where`. Groups, roles and members are reached by edges in sight only.

use directory::query::{
    Filter, GrantPredicate, GroupPredicate, GroupText, MembershipPredicate, Period, RolePredicate, RoleText, TextMatch, UserPredicate,
};
use directory::{
    model::{Role, UserText},
    register,
    text::after_prefix,
};

use crate::{
    cond::Cond,
    keys,
    open_move::Groups,
    scope_sql::{Eye, GRANT_EDGE, MEMBERSHIP_EDGE, UserAt, is_few, one_of},
    sql::{Part, Sql, among, sql},
};

/// The condition that a filter makes of its predicates.
pub(crate) fn filter<P>(filter: Option<&Filter<P>>, predicate: &impl Fn(&P) -> Cond) -> Cond {
    let Some(of) = filter else { return Cond::True };
    match of {
        Filter::And(parts) => Cond::all(parts.iter().map(|part| self::filter(Some(part), predicate))),
        Filter::Or(parts) => Cond::any(parts.iter().map(|part| self::filter(Some(part), predicate))),
        Filter::Not(part) => self::filter(Some(part), predicate).not(),
        Filter::Is(asked) => predicate(asked),
    }
}

impl Eye<'_> {
    /// A condition on `users u`, which is in sight itself.
    pub(crate) fn user_predicate(&self, predicate: &UserPredicate, at: UserAt) -> Cond {
        match predicate {
            UserPredicate::Ids(ids) => sql!("{} {}", at.id, among(ids.iter().map(|id| id.0))).into(),
            UserPredicate::Text(which, test) => text(user_key(*which), Keyed::Prefixed, test),
            UserPredicate::Status(statuses) => sql!("u.status {}", one_of(statuses.iter().map(|status| status.name().to_owned()))).into(),
            UserPredicate::Exclusive(exclusive) => sql!("u.exclusive = {}", *exclusive).into(),
            UserPredicate::Created(period) => within("u.created_at", period),
            UserPredicate::Updated(period) => within("u.updated_at", period),
            UserPredicate::Attribute(name, _) if name.contains('\0') => Cond::False,
            UserPredicate::Attribute(name, test) => self.with_text(
                sql!("user_attributes t where t.workspace_id = {} and t.user_id = {} and t.name = {}", self.workspace, at.id, name.clone()),
                test,
            ),
            UserPredicate::InGroup(groups) => self.member(at, among(groups.iter().map(|id| id.0)), Cond::True),
            UserPredicate::Manages(groups) => self.member(at, among(groups.iter().map(|id| id.0)), sql!("e.manager = true").into()),
            UserPredicate::UnderGroup(groups) => self.member_below(at, Groups::Named(groups)),
            UserPredicate::HasRole(roles) => {
                let seen = Cond::all([self.grant(GRANT_EDGE), self.role(GRANT_EDGE.role)]);
                self.with(
                    sql!(
                        "grants e where e.workspace_id = {} and e.user_id = {} and e.role_id {}",
                        self.workspace,
                        at.id,
                        among(roles.iter().map(|id| id.0))
                    ),
                    seen,
                )
            }
            UserPredicate::Search { words, fields } => {
                let fields = bits(&UserText::SEARCHED, fields);
                found(words, fields, |from, until| {
                    self.exists(sql!(
                        "user_words t where t.workspace_id = {} and t.user_id = {} and t.word >= {} and t.word < {} and t.fields & {} <> 0",
                        self.workspace,
                        at.id,
                        from,
                        until,
                        fields
                    ))
                })
            }
        }
    }

    /// The user, who is in sight, has a visible membership in one of these groups.
    pub(crate) fn member(&self, at: UserAt, groups: Part, and: Cond) -> Cond {
        let seen = Cond::all([and, self.membership(MEMBERSHIP_EDGE), self.group(MEMBERSHIP_EDGE.group)]);
        self.with(sql!("memberships e where e.workspace_id = {} and e.user_id = {} and e.group_id {}", self.workspace, at.id, groups), seen)
    }

    /// The user, who is in sight, has a visible membership in or below one of these groups.
    pub(crate) fn member_below(&self, at: UserAt, groups: Groups<'_>) -> Cond {
        let (few, groups_test) = match groups {
            Groups::Named(named) => (is_few(named), among(named.iter().map(|id| id.0))),
            Groups::Parent => (true, Part::Text("= p.id")),
        };
        if few && self.sees_every_edge() {
            return self.below(at, groups, false);
        }
        let seen = Cond::all([self.membership(MEMBERSHIP_EDGE), self.group(MEMBERSHIP_EDGE.group)]);
        self.with(
            sql!(
                "memberships e join group_closure c on c.workspace_id = e.workspace_id and c.group_id = e.group_id \
                 where e.workspace_id = {} and e.user_id = {} and c.ancestor_id {}",
                self.workspace,
                at.id,
                groups_test
            ),
            seen,
        )
    }

    /// An edge for which something else holds as well.
    fn with(&self, edge: Sql, and: Cond) -> Cond {
        if and.is_false() { Cond::False } else { self.exists(sql!("{}{}", edge, and.and())) }
    }

    /// A row of `..._attributes t` whose value compares so.
    fn with_text(&self, row: Sql, test: &TextMatch) -> Cond {
        self.with(row, text("t.value_key", Keyed::Bare, test))
    }

    /// A condition on `groups g`, which is in sight itself.
    pub(crate) fn group_predicate(&self, predicate: &GroupPredicate) -> Cond {
        match predicate {
            GroupPredicate::Ids(ids) => sql!("g.id {}", among(ids.iter().map(|id| id.0))).into(),
            GroupPredicate::Text(which, test) => text(group_key(*which), Keyed::Prefixed, test),
            GroupPredicate::Created(period) => within("g.created_at", period),
            GroupPredicate::Updated(period) => within("g.updated_at", period),
            GroupPredicate::Attribute(name, _) if name.contains('\0') => Cond::False,
            GroupPredicate::Attribute(name, test) => self.with_text(
                sql!("group_attributes t where t.workspace_id = {} and t.group_id = g.id and t.name = {}", self.workspace, name.clone()),
                test,
            ),
            GroupPredicate::Below(groups) => self.exists(sql!(
                "group_closure t where t.workspace_id = {} and t.group_id = g.id and t.distance > 0 and t.ancestor_id {}",
                self.workspace,
                among(groups.iter().map(|id| id.0))
            )),
            GroupPredicate::HasMember(users) => self.has_member(among(users.iter().map(|id| id.0))),
            GroupPredicate::Search { words, fields } => {
                let fields = bits(&GroupText::ALL, fields);
                found(words, fields, |from, until| {
                    sql!(
                        "g.id in (select t.group_id from group_words t where t.workspace_id = {} and t.word >= {} and t.word < {} and t.fields & {} <> 0)",
                        self.workspace,
                        from,
                        until,
                        fields
                    )
                    .into()
                })
            }
        }
    }

    /// `groups g`, which is in sight, has a visible membership of one of these users.
    pub(crate) fn has_member(&self, users: Part) -> Cond {
        let seen = Cond::all([self.membership(MEMBERSHIP_EDGE), self.user(MEMBERSHIP_EDGE.user)]);
        self.with(sql!("memberships e where e.workspace_id = {} and e.group_id = g.id and e.user_id {}", self.workspace, users), seen)
    }

    /// A condition on `roles r`.
    pub(crate) fn role_predicate(&self, predicate: &RolePredicate) -> Cond {
        match predicate {
            RolePredicate::Ids(ids) => sql!("r.id {}", among(ids.iter().map(|id| id.0))).into(),
            RolePredicate::Text(which, test) => text(role_key(*which), Keyed::Prefixed, test),
            RolePredicate::Builtin(builtin) => sql!("r.builtin = {}", *builtin).into(),
            RolePredicate::Permissions(names) => Cond::all(names.iter().map(|name| permission(name))),
            RolePredicate::Search { words, fields } => {
                let fields = bits(&RoleText::ALL, fields);
                found(words, fields, |from, until| {
                    sql!(
                        "r.id in (select t.role_id from role_words t where t.workspace_id = {} and t.word >= {} and t.word < {} and t.fields & {} <> 0)",
                        self.workspace,
                        from,
                        until,
                        fields
                    )
                    .into()
                })
            }
        }
    }

    /// A condition on `memberships m`, which is in sight itself.
    pub(crate) fn membership_predicate(&self, predicate: &MembershipPredicate) -> Cond {
        match predicate {
            MembershipPredicate::Ids(ids) => sql!("m.id {}", among(ids.iter().map(|id| id.0))).into(),
            MembershipPredicate::Users(ids) => sql!("m.user_id {}", among(ids.iter().map(|id| id.0))).into(),
            MembershipPredicate::Groups(ids) => sql!("m.group_id {}", among(ids.iter().map(|id| id.0))).into(),
            MembershipPredicate::UnderGroups(ids) => self.exists(sql!(
                "group_closure t where t.workspace_id = {} and t.group_id = m.group_id and t.ancestor_id {}",
                self.workspace,
                among(ids.iter().map(|id| id.0))
            )),
            MembershipPredicate::Manager(manager) => sql!("m.manager = {}", *manager).into(),
            MembershipPredicate::Created(period) => within("m.created_at", period),
        }
    }

    /// A condition on `grants a`, which is in sight itself.
    pub(crate) fn grant_predicate(&self, predicate: &GrantPredicate) -> Cond {
        match predicate {
            GrantPredicate::Ids(ids) => sql!("a.id {}", among(ids.iter().map(|id| id.0))).into(),
            GrantPredicate::Users(ids) => sql!("a.user_id {}", among(ids.iter().map(|id| id.0))).into(),
            GrantPredicate::Roles(ids) => sql!("a.role_id {}", among(ids.iter().map(|id| id.0))).into(),
            GrantPredicate::Within(ids) => sql!("coalesce(a.within_group_id {}, false)", among(ids.iter().map(|id| id.0))).into(),
            GrantPredicate::WorkspaceWide(true) => sql!("a.within_group_id is null").into(),
            GrantPredicate::WorkspaceWide(false) => sql!("a.within_group_id is not null").into(),
            GrantPredicate::Provenance(from) => {
                sql!("a.provenance {}", one_of(from.iter().map(|provenance| provenance.name().to_owned()))).into()
            }
            GrantPredicate::Created(period) => within("a.granted_at", period),
        }
    }
}

/// The administrator's permissions are not stored: they are all there are.
fn permission(name: &str) -> Cond {
    let quoted = serde_json::Value::from(name).to_string();
    let stored = sql!("{}(r.permissions, {}) > 0", Part::Position, quoted).into();
    if register::action(name).is_none() {
        return stored;
    }
    Cond::any([stored, sql!("(r.builtin = true and r.key_key = {})", keys::key_of_folded(Role::ADMINISTRATOR)).into()])
}

/// Whether a column holds keys behind `0` with a bare `1` for unassigned, or folded texts as they are.
#[derive(Clone, Copy)]
enum Keyed {
    Prefixed,
    Bare,
}

/// A comparison of a folded text. Unassigned is false.
fn text(column: &'static str, keyed: Keyed, test: &TextMatch) -> Cond {
    let stored = |text: &str| match keyed {
        Keyed::Prefixed => keys::key_of_folded(text),
        Keyed::Bare => keys::capped(text).to_owned(),
    };
    let (folded, assigned): (_, Cond) = match keyed {
        Keyed::Prefixed => (sql!("substr({}, 2)", column), sql!("{} < {}", column, keys::UNASSIGNED.to_owned()).into()),
        Keyed::Bare => (sql!("{}", column), Cond::True),
    };
    match test {
        TextMatch::Present => assigned,
        TextMatch::In(texts) => sql!("{} {}", column, one_of(texts.iter().map(|text| stored(text)))).into(),
        // No text that can be stored has it, and Postgres would not even be asked.
        TextMatch::StartsWith(part) | TextMatch::EndsWith(part) | TextMatch::Contains(part) if part.contains('\0') => Cond::False,
        TextMatch::StartsWith(prefix) => {
            let prefix = stored(prefix);
            let until = after_prefix(&prefix).map_or(Cond::True, |until| sql!("{} < {}", column, until).into());
            Cond::all([sql!("{} >= {}", column, prefix).into(), until])
        }
        TextMatch::EndsWith(suffix) => {
            let characters = i64::try_from(suffix.chars().count()).unwrap_or(i64::MAX);
            let ends = sql!(
                "(length({}) >= {} and substr({}, length({}) - cast({} as integer) + 1) = {})",
                folded.clone(),
                characters,
                folded.clone(),
                folded,
                characters,
                suffix.clone()
            );
            Cond::all([assigned, ends.into()])
        }
        TextMatch::Contains(part) => Cond::all([assigned, sql!("{}({}, {}) > 0", Part::Position, folded, part.clone()).into()]),
    }
}

/// An instant lies in a period.
fn within(column: &'static str, period: &Period) -> Cond {
    Cond::all([
        period.from.map_or(Cond::True, |from| sql!("{} >= {}", column, from).into()),
        period.until.map_or(Cond::True, |until| sql!("{} < {}", column, until).into()),
    ])
}

/// Every word is a prefix of a word of one of the fields.
fn found(words: &[String], fields: i64, prefix: impl Fn(String, String) -> Cond) -> Cond {
    if fields == 0 {
        return Cond::False;
    }
    Cond::all(words.iter().map(|word| match after_prefix(word) {
        Some(until) if !word.contains('\0') => prefix(word.clone(), until),
        _ => Cond::False,
    }))
}

/// Fields as the bits under which their words are stored.
fn bits<F: PartialEq>(stored: &[F], asked: &[F]) -> i64 {
    let positions = stored.iter().enumerate().filter(|(_, field)| asked.contains(field));
    positions.fold(0, |bits, (position, _)| bits | 1 << position)
}

/// The column in which the key of a user's text is stored.
pub(crate) const fn user_key(text: UserText) -> &'static str {
    match text {
        UserText::UserName => "u.user_name_key",
        UserText::DisplayName => "u.display_name_key",
        UserText::GivenName => "u.given_name_key",
        UserText::FamilyName => "u.family_name_key",
        UserText::Email => "u.email_key",
        UserText::Phone => "u.phone_key",
        UserText::Locale => "u.locale_key",
        UserText::TimeZone => "u.time_zone_key",
        UserText::Title => "u.title_key",
        UserText::AvatarUrl => "u.avatar_url_key",
        UserText::ExternalId => "u.external_id_key",
        UserText::Code => "u.code_key",
    }
}

const fn group_key(text: GroupText) -> &'static str {
    match text {
        GroupText::Key => "g.key_key",
        GroupText::Name => "g.name_key",
        GroupText::Description => "g.description_key",
    }
}

const fn role_key(text: RoleText) -> &'static str {
    match text {
        RoleText::Key => "r.key_key",
        RoleText::Name => "r.name_key",
        RoleText::Description => "r.description_key",
    }
}
