//! A policy's row filter after its names were looked up: what storage turns into SQL.
//!
//! [`compile`] folds everything that is already known (unknown keys, the top group, empty lists) into clauses that are left out or
//! terms that are left out, so that storage knows neither "unknown" nor "the top group".

use std::collections::HashMap;

use crate::{
    contract,
    ids::{GroupId, RoleId, UserId},
    limits,
    model::{Provenance, Status},
    register::{self, Kind},
    text::fold,
};

/// Which rows of one kind a list may contain: any clause, each clause all its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// No clause admits nothing; a clause without terms admits everything.
    pub clauses: Vec<Vec<Term>>,
    /// False: a superset, and each row must be confirmed.
    pub exact: bool,
    /// The fields that filters, searches, sorts and lookups may touch.
    pub searchable: Searchable,
}

impl Scope {
    /// Admits nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { clauses: Vec::new(), exact: true, searchable: Searchable::These(Vec::new()) }
    }

    /// Admits every row, and any search: for reads whose rows nobody is shown, or the operator's.
    pub(crate) fn everything() -> Self {
        Self { clauses: vec![Vec::new()], exact: true, searchable: Searchable::All }
    }

    /// Whether it admits every row.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.exact && self.clauses.iter().any(Vec::is_empty)
    }

    /// Admits no row.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.clauses.is_empty()
    }
}

/// The fields that may be searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Searchable {
    /// Every field that the module's manifest names.
    All,
    /// These, as the policy wrote them.
    These(Vec<String>),
}

/// A test or its opposite, both of which require that the test's subject matter is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Whether the test must fail. For attributes: assigned, and none of the values.
    pub negate: bool,
    /// The test.
    pub test: Test,
}

/// A test of a row. For memberships and grants, `User`, `Group` and `Role` test the user, group or role that they join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The row's user (the row itself, for users) is the subject.
    Self_,
    /// The subject created the row (granted the grant, added the membership).
    CreatedByMe,
    /// A test of a user.
    User(UserTest),
    /// A test of a group. For grants: of the group that it is limited to, false for the whole workspace.
    Group(GroupTest),
    /// A test of a role.
    Role(RoleTest),
    /// The membership makes a manager.
    Manager,
    /// The grant came from one of these.
    Provenance(Vec<Provenance>),
}

/// A test of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserTest {
    /// It is the subject.
    Self_,
    /// It is one of these; never empty. Policies can not say this: it stands for a superset that was confirmed.
    Is(Vec<UserId>),
    /// The subject created it.
    CreatedByMe,
    /// It is a direct member of one of these; never empty.
    InGroup(Vec<GroupId>),
    /// It is in, or below, one of these; never empty.
    UnderGroup(Vec<GroupId>),
    /// It holds one of these; never empty.
    HasRole(Vec<RoleId>),
    /// Its status is one of these.
    Status(Vec<Status>),
    /// It has one of these values of the attribute; folded.
    Attribute(String, Vec<String>),
}

/// A test of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupTest {
    /// It is a group at all: a grant that is limited to one.
    Any,
    /// It is one of these; never empty.
    Is(Vec<GroupId>),
    /// It is, or is below, one of these; never empty.
    Under(Vec<GroupId>),
    /// The subject is a direct member.
    Mine,
    /// The subject created it.
    CreatedByMe,
    /// It has one of these values of the attribute; folded.
    Attribute(String, Vec<String>),
}

/// A test of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleTest {
    /// It is one of these; never empty.
    Is(Vec<RoleId>),
    /// The subject holds it.
    HeldByMe,
    /// It ships with the server.
    Builtin,
    /// The subject created it.
    CreatedByMe,
}

/// The group and role keys that a filter names, to be looked up before [`compile`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Group keys, folded.
    pub groups: Vec<String>,
    /// Role keys, folded.
    pub roles: Vec<String>,
}

/// The keys that a filter names.
#[must_use]
pub fn keys(filter: &contract::RowFilter) -> Keys {
    let mut keys = Keys::default();
    for test in filter.any_of.iter().flatten().map(|term| &term.test) {
        let name = test.name.rsplit('.').next().unwrap_or_default();
        let list = match name {
            "in-group-key" | "under-group-key" => &mut keys.groups,
            "has-role-key" | "role-key" => &mut keys.roles,
            _ => continue,
        };
        list.extend(test.values.iter().map(|key| fold(key)));
    }
    keys
}

/// What [`compile`] resolves names with.
#[derive(Clone, Debug, Default)]
pub struct Names<'a> {
    /// `context.groups`: ids by position; `None` is the top group.
    pub positions: &'a [Option<GroupId>],
    /// Groups by folded key. The top group has none.
    pub groups: HashMap<String, GroupId>,
    /// Roles by folded key.
    pub roles: HashMap<String, RoleId>,
}

/// What a term came to: already decided, or a test to be run.
enum Outcome {
    /// Holds for every row; its opposite for none.
    True,
    /// Holds for no row; its opposite for every row.
    False,
    /// Holds for no row, and neither does its opposite.
    Unknown,
    Test(Test),
}

/// Looks up the names of a policy's answer.
///
/// # Errors
/// A sentence that names the test which the kind does not have, or the argument that is wrong.
pub fn compile(filter: &contract::RowFilter, kind: Kind, names: &Names<'_>) -> Result<Scope, String> {
    let mut clauses = Vec::with_capacity(filter.any_of.len());
    'clauses: for clause in &filter.any_of {
        let mut terms = Vec::with_capacity(clause.len());
        for term in clause {
            let holds = match outcome(&term.test, kind, names)? {
                Outcome::True => !term.negate,
                Outcome::False => term.negate,
                Outcome::Unknown => false,
                Outcome::Test(test) => {
                    terms.push(Term { negate: term.negate, test });
                    continue;
                }
            };
            if !holds {
                continue 'clauses;
            }
        }
        clauses.push(terms);
    }
    Ok(Scope { clauses, exact: filter.exact, searchable: searchable(filter, kind)? })
}

fn searchable(filter: &contract::RowFilter, kind: Kind) -> Result<Searchable, String> {
    if filter.searchable.iter().any(|field| field == "*") {
        return Ok(Searchable::All);
    }
    if let Some(unknown) = filter.searchable.iter().find(|field| !register::knows_field(field, Some(kind))) {
        return Err(format!("`searchable` names `{unknown}`, which is no field of a {}", kind.name()));
    }
    Ok(Searchable::These(filter.searchable.clone()))
}

fn outcome(test: &contract::Test, kind: Kind, names: &Names<'_>) -> Result<Outcome, String> {
    let unknown = || format!("no test `{}` applies to a {}; see the register", test.name, kind.name());
    let (of, name) = match (kind, test.name.split_once('.')) {
        (Kind::Membership | Kind::Grant, Some(("user", name))) => (Kind::User, name),
        (Kind::Membership, Some(("group", name))) => (Kind::Group, name),
        (Kind::Grant, Some(("role", name))) => (Kind::Role, name),
        (_, Some(_)) => return Err(unknown()),
        (_, None) => (kind, test.name.as_str()),
    };
    match of {
        Kind::User => user_test(name, test, names),
        Kind::Group => group_test(name, test, names),
        Kind::Role => role_test(name, test, names),
        Kind::Membership if name == "manager" => Ok(Some(Outcome::Test(Test::Manager))),
        Kind::Grant if name == "provenance" => {
            Ok(Some(Outcome::Test(Test::Provenance(test.values.iter().filter_map(|value| Provenance::named(&fold(value))).collect()))))
        }
        // Every limit is below the top group; the whole workspace is no limit.
        Kind::Grant if name == "under-group" => by_position(test, names, true, |groups| group(GroupTest::Under(groups)))
            .map(|outcome| Some(if matches!(outcome, Outcome::True) { group(GroupTest::Any) } else { outcome })),
        Kind::Membership | Kind::Grant if matches!(name, "in-group" | "under-group") => group_test(name, test, names),
        _ if name == "self" && kind != Kind::Group && kind != Kind::Role => Ok(Some(Outcome::Test(Test::Self_))),
        _ if name == "created-by-me" => Ok(Some(Outcome::Test(Test::CreatedByMe))),
        _ => Ok(None),
    }?
    .ok_or_else(unknown)
}

fn user_test(name: &str, test: &contract::Test, names: &Names<'_>) -> Result<Option<Outcome>, String> {
    Ok(Some(match name {
        "self" => user(UserTest::Self_),
        "created-by-me" => user(UserTest::CreatedByMe),
        "in-group" => by_position(test, names, false, |groups| user(UserTest::InGroup(groups)))?,
        "under-group" => by_position(test, names, true, |groups| user(UserTest::UnderGroup(groups)))?,
        "in-group-key" => by_key(test, &names.groups, |groups| user(UserTest::InGroup(groups))),
        "under-group-key" => by_key(test, &names.groups, |groups| user(UserTest::UnderGroup(groups))),
        "has-role-key" => by_key(test, &names.roles, |roles| user(UserTest::HasRole(roles))),
        "status" => user(UserTest::Status(test.values.iter().filter_map(|value| Status::named(&fold(value))).collect())),
        "attribute" => {
            let (name, values) = attribute(test)?;
            user(UserTest::Attribute(name, values))
        }
        _ => return Ok(None),
    }))
}

fn group_test(name: &str, test: &contract::Test, names: &Names<'_>) -> Result<Option<Outcome>, String> {
    Ok(Some(match name {
        "in-group" => by_position(test, names, false, |groups| group(GroupTest::Is(groups)))?,
        "under-group" => by_position(test, names, true, |groups| group(GroupTest::Under(groups)))?,
        "in-group-key" => by_key(test, &names.groups, |groups| group(GroupTest::Is(groups))),
        "under-group-key" => by_key(test, &names.groups, |groups| group(GroupTest::Under(groups))),
        "mine" => group(GroupTest::Mine),
        "created-by-me" => group(GroupTest::CreatedByMe),
        "attribute" => {
            let (name, values) = attribute(test)?;
            group(GroupTest::Attribute(name, values))
        }
        _ => return Ok(None),
    }))
}

fn role_test(name: &str, test: &contract::Test, names: &Names<'_>) -> Result<Option<Outcome>, String> {
    Ok(Some(match name {
        "held-by-me" => Outcome::Test(Test::Role(RoleTest::HeldByMe)),
        "builtin" => Outcome::Test(Test::Role(RoleTest::Builtin)),
        "created-by-me" => Outcome::Test(Test::Role(RoleTest::CreatedByMe)),
        "role-key" => by_key(test, &names.roles, |roles| Outcome::Test(Test::Role(RoleTest::Is(roles)))),
        _ => return Ok(None),
    }))
}

const fn user(test: UserTest) -> Outcome {
    Outcome::Test(Test::User(test))
}

const fn group(test: GroupTest) -> Outcome {
    Outcome::Test(Test::Group(test))
}

/// Everything is under the top group, and nothing is in it.
fn by_position(
    test: &contract::Test,
    names: &Names<'_>,
    under: bool,
    make: impl FnOnce(Vec<GroupId>) -> Outcome,
) -> Result<Outcome, String> {
    let mut ids = Vec::with_capacity(test.groups.len());
    for &position in &test.groups {
        match names.positions.get(position as usize) {
            None => return Err(format!("test `{}` names group {position} of {}", test.name, names.positions.len())),
            Some(None) if under => return Ok(Outcome::True),
            Some(None) => {}
            Some(Some(id)) => ids.push(*id),
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(if ids.is_empty() { Outcome::False } else { make(ids) })
}

/// Unknown keys match nothing; a term in which one stands fails when negated, too.
fn by_key<T: Copy + Ord>(test: &contract::Test, known: &HashMap<String, T>, make: impl FnOnce(Vec<T>) -> Outcome) -> Outcome {
    let mut ids: Vec<T> = test.values.iter().filter_map(|key| known.get(&fold(key)).copied()).collect();
    if ids.len() < test.values.len() {
        return Outcome::Unknown;
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() { Outcome::False } else { make(ids) }
}

fn attribute(test: &contract::Test) -> Result<(String, Vec<String>), String> {
    let Some((name, values)) = test.values.split_first() else {
        return Err("test `attribute` needs the attribute's name as its first value".to_owned());
    };
    if name.is_empty() || name.chars().count() > limits::KEY_CHARS {
        return Err("test `attribute` names no attribute".to_owned());
    }
    Ok((name.clone(), values.iter().map(|value| fold(value)).collect()))
}
