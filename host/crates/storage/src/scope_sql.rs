//! What a subject may see, as conditions: the tests of a policy's scopes, and the edges whose both ends are in sight.
//!
//! Tests read facts: every membership counts, seen or not. Edges are what the caller may know of: the scope of the edge itself
//! and those of both its ends.

use directory::{
    ids::{GroupId, WorkspaceId},
    model::Status,
    scope::{GroupTest, RoleTest, Scope, Term, Test, UserTest},
    store::Sight,
};

use crate::{
    cond::Cond,
    keys, limits,
    open_move::{Groups, OpenMove},
    sql::{Part, Sql, among, among_texts, sql},
};

/// A user in a statement: the column of its id, and whether its row stands there as `u`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserAt {
    pub(crate) id: &'static str,
    pub(crate) row: bool,
}

/// A group in a statement: the column of its id, which may be null, and whether its row stands there as `g`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupAt {
    pub(crate) id: &'static str,
    pub(crate) row: bool,
}

/// A role in a statement: the column of its id, and whether its row stands there as `r`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoleAt {
    pub(crate) id: &'static str,
    pub(crate) row: bool,
}

/// The columns of a membership.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MembershipAt {
    pub(crate) user: UserAt,
    pub(crate) group: GroupAt,
    manager: &'static str,
    created_by: &'static str,
}

/// The columns of a grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GrantAt {
    pub(crate) user: UserAt,
    pub(crate) role: RoleAt,
    within: GroupAt,
    provenance: &'static str,
    granted_by: &'static str,
}

/// `users u`.
pub(crate) const USER: UserAt = UserAt { id: "u.id", row: true };
/// `groups g`.
pub(crate) const GROUP: GroupAt = GroupAt { id: "g.id", row: true };
/// `roles r`.
pub(crate) const ROLE: RoleAt = RoleAt { id: "r.id", row: true };
/// `memberships m`.
pub(crate) const MEMBERSHIP: MembershipAt = MembershipAt {
    user: UserAt { id: "m.user_id", row: false },
    group: GroupAt { id: "m.group_id", row: false },
    manager: "m.manager",
    created_by: "m.created_by",
};
/// `memberships e`, an edge on the way to another row.
pub(crate) const MEMBERSHIP_EDGE: MembershipAt = MembershipAt {
    user: UserAt { id: "e.user_id", row: false },
    group: GroupAt { id: "e.group_id", row: false },
    manager: "e.manager",
    created_by: "e.created_by",
};
/// `grants a`.
pub(crate) const GRANT: GrantAt = GrantAt {
    user: UserAt { id: "a.user_id", row: false },
    role: RoleAt { id: "a.role_id", row: false },
    within: GroupAt { id: "a.within_group_id", row: false },
    provenance: "a.provenance",
    granted_by: "a.granted_by",
};
/// `grants e`, an edge on the way to another row.
pub(crate) const GRANT_EDGE: GrantAt = GrantAt {
    user: UserAt { id: "e.user_id", row: false },
    role: RoleAt { id: "e.role_id", row: false },
    within: GroupAt { id: "e.within_group_id", row: false },
    provenance: "e.provenance",
    granted_by: "e.granted_by",
};

/// A subject's sight of one workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eye<'a> {
    pub(crate) workspace: WorkspaceId,
    pub(crate) sight: &'a Sight,
    /// Whether each row is to be looked up in the edges by itself.
    pub(crate) probes: bool,
    /// The move that is still to be counted, if there is one.
    pub(crate) open: &'a OpenMove,
}

/// Whether a user is looked up in each of these groups: what each look costs is the same however many people the group has.
pub(crate) const fn is_few(groups: &[GroupId]) -> bool {
    groups.len() <= limits::PROBED_GROUPS
}

/// Only rows of effective memberships of active users, if so.
pub(crate) fn only_active(row: &'static str, active: bool) -> Sql {
    if active { sql!(" and {}.active = true", row) } else { Sql::default() }
}

impl Eye<'_> {
    /// The user is in or below one of these groups, and active if `active`.
    pub(crate) fn below(&self, at: UserAt, groups: Groups<'_>, active: bool) -> Cond {
        let row = |of: Sql| {
            let rows = "effective_memberships t where t.workspace_id = {} and t.user_id = {} and {}{}";
            self.exists(sql!(rows, self.workspace, at.id, of, only_active("t", active)))
        };
        match groups {
            Groups::Named(groups) => row(self.open.rows("t", Groups::Named(&self.open.with_joining(groups)))),
            Groups::Parent => {
                let joining = self.open.joining_parent("t").map(row);
                Cond::any([row(self.open.rows("t", Groups::Parent))].into_iter().chain(joining))
            }
        }
    }

    /// Whoever reads a page, or starts from a small set, has few rows to look up. An offset keeps Postgres from joining all of
    /// them with the edges of everybody instead.
    pub(crate) fn exists(&self, edge: Sql) -> Cond {
        sql!("exists (select 1 from {}{})", edge, if self.probes { " limit 1 offset 0" } else { "" }).into()
    }

    /// The user is in sight.
    pub(crate) fn user(&self, at: UserAt) -> Cond {
        let clauses = self.sight.user.iter().flat_map(|scope| &scope.clauses);
        Cond::any(clauses.map(|clause| self.user_clause(clause, at)))
    }

    /// One clause of a scope over users. "Below a group and active" is one look at effective memberships, which know both.
    pub(crate) fn user_clause(&self, clause: &[Term], at: UserAt) -> Cond {
        let under = clause.iter().position(|term| matches!(term, Term { negate: false, test: Test::User(UserTest::UnderGroup(_)) }));
        let active = clause.iter().position(is_active);
        let few =
            |position: &usize| matches!(clause.get(*position), Some(Term { test: Test::User(UserTest::UnderGroup(of)), .. }) if is_few(of));
        let (Some(under), Some(active)) = (under.filter(few), active) else {
            return Cond::all(clause.iter().map(|term| self.user_term(term, at)));
        };
        Cond::all(clause.iter().enumerate().map(|(position, term)| match &term.test {
            Test::User(UserTest::UnderGroup(groups)) if position == under => self.under(groups, at, true),
            _ if position == active => Cond::True,
            _ => self.user_term(term, at),
        }))
    }

    fn under(&self, groups: &[GroupId], at: UserAt, active: bool) -> Cond {
        if !is_few(groups) {
            return self.exists(sql!(
                "memberships t join group_closure c on c.workspace_id = t.workspace_id and c.group_id = t.group_id \
                 where t.workspace_id = {} and t.user_id = {} and c.ancestor_id {}",
                self.workspace,
                at.id,
                among(groups.iter().map(|id| id.0))
            ));
        }
        self.below(at, Groups::Named(groups), active)
    }

    /// The group is in sight.
    pub(crate) fn group(&self, at: GroupAt) -> Cond {
        scoped(self.sight.group.as_deref(), |term| self.group_term(term, at))
    }

    /// The role is in sight.
    pub(crate) fn role(&self, at: RoleAt) -> Cond {
        scoped(self.sight.role.as_deref(), |term| self.role_term(term, at))
    }

    /// The membership is in sight, whatever its ends.
    pub(crate) fn membership(&self, at: MembershipAt) -> Cond {
        scoped(self.sight.membership.as_deref(), |term| match &term.test {
            Test::User(test) => self.negatable(term, self.user_test(test, at.user), |name| self.user_assigned(name, at.user)),
            Test::Group(test) => self.negatable(term, self.group_test(test, at.group), |name| self.group_assigned(name, at.group)),
            Test::Self_ => signed(term, self.is_me(at.user.id)),
            Test::CreatedByMe => signed(term, self.is_me(at.created_by)),
            Test::Manager => signed(term, sql!("{} = true", at.manager).into()),
            Test::Role(_) | Test::Provenance(_) => Cond::False,
        })
    }

    /// The grant is in sight, whatever its ends.
    pub(crate) fn grant(&self, at: GrantAt) -> Cond {
        scoped(self.sight.grant.as_deref(), |term| match &term.test {
            Test::User(test) => self.negatable(term, self.user_test(test, at.user), |name| self.user_assigned(name, at.user)),
            Test::Group(test) => self.negatable(term, self.group_test(test, at.within), |name| self.group_assigned(name, at.within)),
            Test::Role(test) => signed(term, self.role_test(test, at.role)),
            Test::Self_ => signed(term, self.is_me(at.user.id)),
            Test::CreatedByMe => signed(term, self.is_me(at.granted_by)),
            Test::Provenance(from) => {
                let names = among_texts(from.iter().map(|provenance| provenance.name()));
                signed(term, sql!("{} {}", at.provenance, names).into())
            }
            Test::Manager => Cond::False,
        })
    }

    /// Whether every membership with every group is in sight, so that the caller's edges are the facts.
    pub(crate) fn sees_every_edge(&self) -> bool {
        let everything = |scope: Option<&Scope>| scope.is_some_and(|scope| scope.clauses.iter().any(Vec::is_empty));
        everything(self.sight.membership.as_deref()) && everything(self.sight.group.as_deref())
    }

    /// One term of a scope over users.
    pub(crate) fn user_term(&self, term: &Term, at: UserAt) -> Cond {
        match &term.test {
            Test::User(test) => self.negatable(term, self.user_test(test, at), |name| self.user_assigned(name, at)),
            Test::Self_ => signed(term, self.is_me(at.id)),
            Test::CreatedByMe => signed(term, self.user_test(&UserTest::CreatedByMe, at)),
            Test::Group(_) | Test::Role(_) | Test::Manager | Test::Provenance(_) => Cond::False,
        }
    }

    fn group_term(&self, term: &Term, at: GroupAt) -> Cond {
        match &term.test {
            Test::Group(test) => self.negatable(term, self.group_test(test, at), |name| self.group_assigned(name, at)),
            Test::CreatedByMe => signed(term, self.group_test(&GroupTest::CreatedByMe, at)),
            Test::Self_ | Test::User(_) | Test::Role(_) | Test::Manager | Test::Provenance(_) => Cond::False,
        }
    }

    fn role_term(&self, term: &Term, at: RoleAt) -> Cond {
        match &term.test {
            Test::Role(test) => signed(term, self.role_test(test, at)),
            Test::CreatedByMe => signed(term, self.role_test(&RoleTest::CreatedByMe, at)),
            Test::Self_ | Test::User(_) | Test::Group(_) | Test::Manager | Test::Provenance(_) => Cond::False,
        }
    }

    /// A negated attribute must be assigned all the same.
    fn negatable(&self, term: &Term, holds: Cond, assigned: impl FnOnce(&str) -> Cond) -> Cond {
        match &term.test {
            Test::User(UserTest::Attribute(name, _)) | Test::Group(GroupTest::Attribute(name, _)) if term.negate => {
                Cond::all([assigned(name), holds.not()])
            }
            _ => signed(term, holds),
        }
    }

    /// The column names the subject. There is none for services: nothing is theirs.
    fn is_me(&self, column: &'static str) -> Cond {
        self.sight.me.map_or(Cond::False, |me| sql!("coalesce({} = {}, false)", column, me).into())
    }

    fn user_test(&self, test: &UserTest, at: UserAt) -> Cond {
        let of = self.workspace;
        match test {
            UserTest::Self_ => self.sight.me.map_or(Cond::False, |me| sql!("{} = {}", at.id, me).into()),
            UserTest::Is(users) => sql!("{} {}", at.id, among(users.iter().map(|id| id.0))).into(),
            UserTest::CreatedByMe => match self.sight.me {
                None => Cond::False,
                Some(_) if at.row => self.is_me("u.created_by"),
                Some(me) => self.exists(sql!("users t where t.workspace_id = {} and t.id = {} and t.created_by = {}", of, at.id, me)),
            },
            UserTest::InGroup(groups) => self.exists(sql!(
                "memberships t where t.workspace_id = {} and t.user_id = {} and t.group_id {}",
                of,
                at.id,
                among(groups.iter().map(|id| id.0))
            )),
            UserTest::UnderGroup(groups) => self.under(groups, at, false),
            UserTest::HasRole(roles) => self.exists(sql!(
                "grants t where t.workspace_id = {} and t.user_id = {} and t.role_id {}",
                of,
                at.id,
                among(roles.iter().map(|id| id.0))
            )),
            UserTest::Status(statuses) => {
                let statuses = one_of(statuses.iter().map(|status| status.name().to_owned()));
                if at.row {
                    sql!("u.status {}", statuses).into()
                } else {
                    self.exists(sql!("users t where t.workspace_id = {} and t.id = {} and t.status {}", of, at.id, statuses))
                }
            }
            UserTest::Attribute(name, _) if name.contains('\0') => Cond::False,
            UserTest::Attribute(name, values) => self.exists(sql!(
                "user_attributes t where t.workspace_id = {} and t.user_id = {} and t.name = {} and t.value_key {}",
                of,
                at.id,
                name.clone(),
                among_texts(values.iter().map(|value| keys::capped(value)))
            )),
        }
    }

    fn user_assigned(&self, name: &str, at: UserAt) -> Cond {
        if name.contains('\0') {
            return Cond::False;
        }
        self.exists(sql!(
            "user_attributes t where t.workspace_id = {} and t.user_id = {} and t.name = {}",
            self.workspace,
            at.id,
            name.to_owned()
        ))
    }

    fn group_test(&self, test: &GroupTest, at: GroupAt) -> Cond {
        let of = self.workspace;
        match test {
            GroupTest::Any => sql!("{} is not null", at.id).into(),
            GroupTest::Is(groups) => sql!("coalesce({} {}, false)", at.id, among(groups.iter().map(|id| id.0))).into(),
            GroupTest::Under(groups) => self.exists(sql!(
                "group_closure t where t.workspace_id = {} and t.group_id = {} and t.ancestor_id {}",
                of,
                at.id,
                among(groups.iter().map(|id| id.0))
            )),
            GroupTest::Mine => self.sight.me.map_or(Cond::False, |me| {
                self.exists(sql!("memberships t where t.workspace_id = {} and t.user_id = {} and t.group_id = {}", of, me, at.id))
            }),
            GroupTest::CreatedByMe => match self.sight.me {
                None => Cond::False,
                Some(_) if at.row => self.is_me("g.created_by"),
                Some(me) => self.exists(sql!("groups t where t.workspace_id = {} and t.id = {} and t.created_by = {}", of, at.id, me)),
            },
            GroupTest::Attribute(name, _) if name.contains('\0') => Cond::False,
            GroupTest::Attribute(name, values) => self.exists(sql!(
                "group_attributes t where t.workspace_id = {} and t.group_id = {} and t.name = {} and t.value_key {}",
                of,
                at.id,
                name.clone(),
                among_texts(values.iter().map(|value| keys::capped(value)))
            )),
        }
    }

    fn group_assigned(&self, name: &str, at: GroupAt) -> Cond {
        if name.contains('\0') {
            return Cond::False;
        }
        self.exists(sql!(
            "group_attributes t where t.workspace_id = {} and t.group_id = {} and t.name = {}",
            self.workspace,
            at.id,
            name.to_owned()
        ))
    }

    fn role_test(&self, test: &RoleTest, at: RoleAt) -> Cond {
        let of = self.workspace;
        match test {
            RoleTest::Is(roles) => sql!("{} {}", at.id, among(roles.iter().map(|id| id.0))).into(),
            RoleTest::HeldByMe => self.sight.me.map_or(Cond::False, |me| {
                self.exists(sql!("grants t where t.workspace_id = {} and t.user_id = {} and t.role_id = {}", of, me, at.id))
            }),
            RoleTest::Builtin if at.row => sql!("r.builtin = true").into(),
            RoleTest::Builtin => self.exists(sql!("roles t where t.workspace_id = {} and t.id = {} and t.builtin = true", of, at.id)),
            RoleTest::CreatedByMe => match self.sight.me {
                None => Cond::False,
                Some(_) if at.row => self.is_me("r.created_by"),
                Some(me) => self.exists(sql!("roles t where t.workspace_id = {} and t.id = {} and t.created_by = {}", of, at.id, me)),
            },
        }
    }
}

/// Any clause, each clause all its terms; a scope that is not there admits nothing.
fn scoped(scope: Option<&Scope>, term: impl Fn(&Term) -> Cond) -> Cond {
    Cond::any(scope.into_iter().flat_map(|scope| &scope.clauses).map(|clause| Cond::all(clause.iter().map(&term))))
}

/// The term that `active` of effective memberships repeats.
pub(crate) fn is_active(term: &Term) -> bool {
    matches!(term, Term { negate: false, test: Test::User(UserTest::Status(of)) } if of == &[Status::Active])
}

fn signed(term: &Term, holds: Cond) -> Cond {
    if term.negate { holds.not() } else { holds }
}

/// A single text as an equality, which both planners estimate better than a list. No stored text has a NUL.
pub(crate) fn one_of(texts: impl IntoIterator<Item = String>) -> Part {
    let mut texts: Vec<String> = texts.into_iter().filter(|text| !text.contains('\0')).collect();
    if texts.len() == 1
        && let Some(only) = texts.pop()
    {
        return Part::Sql(sql!("= {}", only));
    }
    among_texts(texts)
}
