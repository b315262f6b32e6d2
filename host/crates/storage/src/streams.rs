//! Streams of users: what an index holds in the order of ids, each user once. Plans are made of them.

use directory::{
    ids::{GroupId, RoleId, UserId},
    query::{TextMatch, UserPredicate},
    scope::{Term, Test, UserTest},
    text::after_prefix,
};

use crate::{
    keys, limits,
    open_move::{Groups, OpenMove},
    scope_sql::{Eye, USER, UserAt, is_active, only_active},
    sql::{Part, Sql, among, sql},
};

/// Users in the order of their ids, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// These users.
    These(Vec<UserId>),
    /// The members of a group.
    In(Group),
    /// The members of a group and of those below; only the active ones, if `active`.
    Under(Group, bool),
    /// Those whom the moved group brings to the parent in hand, and who are not counted there yet.
    JoiningParent,
    /// The members of any of many groups, or of those below as well; only the active ones, if `active`. Has to be sorted.
    Among { below: bool, groups: Vec<GroupId>, active: bool },
    /// Those who hold a role.
    Holding(RoleId),
    /// Those of whom an attribute has a value.
    With(String, String),
    /// Those of whom a text has a word from the first on and before the second. Has to be sorted.
    Found(String, String),
}

/// A group that is named, or that of the parent in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Named(GroupId),
    Parent,
}

/// One way to find what one clause asks for, or a superset of what a condition asks for.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) streams: Vec<Stream>,
    /// For a clause of the scope: its terms that the streams do not prove themselves. All other choices prove nothing.
    pub(crate) rest: Option<Vec<Term>>,
}

/// The terms of a clause of which there are streams.
pub(crate) fn of_clause(clause: &[Term], eye: Eye<'_>) -> Vec<Choice> {
    let streamed = clause.iter().enumerate().filter_map(|(at, term)| Some((at, of_term(term, eye)?)));
    let choices = streamed.map(|(at, mut streams)| {
        let mut rest: Vec<Term> = clause.to_vec();
        rest.remove(at);
        // Effective memberships know who is active: the term need not be asked again.
        let knows = |stream: &Stream| matches!(stream, Stream::Under(..) | Stream::Among { below: true, .. });
        if streams.iter().all(knows) && rest.iter().any(is_active) {
            rest.retain(|term| !is_active(term));
            for stream in &mut streams {
                if let Stream::Under(_, active) | Stream::Among { active, .. } = stream {
                    *active = true;
                }
            }
        }
        Choice { streams, rest: Some(rest) }
    });
    choices.collect()
}

/// The users for whom a term holds, if there are streams of them.
fn of_term(term: &Term, eye: Eye<'_>) -> Option<Vec<Stream>> {
    let Term { negate: false, test: Test::User(test) } = term else { return None };
    match test {
        UserTest::Self_ => Some(eye.sight.me.map(|me| Stream::These(vec![me])).into_iter().collect()),
        UserTest::Is(users) => Some(vec![Stream::These(users.clone())]),
        UserTest::InGroup(groups) => Some(of_groups(groups, false)),
        UserTest::UnderGroup(groups) => Some(below(groups, eye.open)),
        UserTest::HasRole(roles) => Some(roles.iter().map(|id| Stream::Holding(*id)).collect()),
        UserTest::Attribute(name, values) => with(name, values),
        UserTest::Status(_) | UserTest::CreatedByMe => None,
    }
}

/// Every set of streams that holds whoever meets a condition of the caller. It proves nothing: edges may be out of sight.
pub(crate) fn of_predicate(predicate: &UserPredicate, open: &OpenMove) -> Vec<Choice> {
    let streams = match predicate {
        UserPredicate::Ids(users) => vec![vec![Stream::These(users.clone())]],
        UserPredicate::InGroup(groups) | UserPredicate::Manages(groups) => vec![of_groups(groups, false)],
        UserPredicate::UnderGroup(groups) => vec![below(groups, open)],
        UserPredicate::HasRole(roles) => vec![roles.iter().map(|id| Stream::Holding(*id)).collect()],
        UserPredicate::Attribute(name, TextMatch::In(values)) => with(name, values).into_iter().collect(),
        UserPredicate::Search { words, .. } => {
            words.iter().filter_map(|word| Some(vec![Stream::Found(word.clone(), after_prefix(word)?)])).collect()
        }
        _ => Vec::new(),
    };
    streams.into_iter().map(|streams| Choice { streams, rest: None }).collect()
}

/// The members of groups and of those below. A group that one of them was joined by brings a stream of its own.
fn below(groups: &[GroupId], open: &OpenMove) -> Vec<Stream> {
    of_groups(&open.with_joining(groups), true)
}

/// A few groups are a stream each.
fn of_groups(groups: &[GroupId], below: bool) -> Vec<Stream> {
    if groups.len() > limits::STREAMS {
        return vec![Stream::Among { below, groups: groups.to_vec(), active: false }];
    }
    let stream = |id: &GroupId| if below { Stream::Under(Group::Named(*id), false) } else { Stream::In(Group::Named(*id)) };
    groups.iter().map(stream).collect()
}

/// No stored text has a NUL.
fn with(name: &str, values: &[String]) -> Option<Vec<Stream>> {
    if name.contains('\0') {
        return None;
    }
    let values = values.iter().filter(|value| !value.contains('\0'));
    Some(values.map(|value| Stream::With(name.to_owned(), keys::capped(value).to_owned())).collect())
}

impl Stream {
    /// Whether it has to be sorted, and so may only be used where it is short.
    pub(crate) const fn is_unordered(&self) -> bool {
        matches!(self, Self::Found(..) | Self::Among { .. })
    }

    /// How long it is, counted up to `most`.
    pub(crate) fn length(&self, eye: Eye<'_>, most: i64) -> Sql {
        if let Self::These(users) = self {
            return sql!("{}", i64::try_from(users.len()).unwrap_or(i64::MAX));
        }
        let (table, rows) = match self {
            // Every word of a user counts: more than there are, and never fewer.
            Self::Found(from, until) => (sql!("user_words"), sql!("d.word >= {} and d.word < {}", from.clone(), until.clone())),
            Self::Among { below, groups, active } => (sql!("{}", members(*below)), of_many("d", *below, groups, *active, eye.open)),
            // Every grant counts, likewise.
            Self::Holding(role) => (sql!("grants"), sql!("d.role_id = {}", *role)),
            _ => self.table_and_rows(eye),
        };
        sql!("(select count(*) from (select 1 from {} d where d.workspace_id = {} and {} limit {}) x)", table, eye.workspace, rows, most)
    }

    /// From `from` on, with the beginning of a `where`; and where the user is, joined as `u` if its row is wanted.
    ///
    /// `cross join` keeps SQLite from starting at the other end.
    pub(crate) fn from(&self, eye: Eye<'_>, row: bool) -> (Sql, UserAt) {
        let workspace = eye.workspace;
        if let Self::These(users) = self {
            return (sql!("from users u\nwhere u.workspace_id = {}\n  and u.id {}", workspace, among(users.iter().map(|id| id.0))), USER);
        }
        let (table, rows) = self.table_and_rows(eye);
        let join = if row { "\ncross join users u" } else { "" };
        let on = if row { "\n  and u.workspace_id = d.workspace_id\n  and u.id = d.user_id" } else { "" };
        let from = sql!("from {} d{}\nwhere d.workspace_id = {}\n  and {}{}", table, join, workspace, rows, on);
        (from, UserAt { id: "d.user_id", row })
    }

    /// The table that holds the users as `d.user_id`, and which of its rows do.
    fn table_and_rows(&self, eye: Eye<'_>) -> (Sql, Sql) {
        let workspace = eye.workspace;
        let group = |group: &Group| match group {
            Group::Named(id) => Part::from(*id),
            Group::Parent => Part::Text("p.id"),
        };
        match self {
            Self::These(users) => (sql!("users"), sql!("d.id {}", among(users.iter().map(|id| id.0)))),
            Self::In(of) => (sql!("memberships"), sql!("d.group_id = {}", group(of))),
            Self::Under(of, active) => {
                let rows = match of {
                    Group::Named(id) => eye.open.rows("d", Groups::Named(&[*id])),
                    Group::Parent => eye.open.rows("d", Groups::Parent),
                };
                (sql!("effective_memberships"), sql!("{}{}", rows, only_active("d", *active)))
            }
            Self::JoiningParent => (sql!("effective_memberships"), eye.open.joining_parent("d").unwrap_or_else(|| sql!("false"))),
            // Who holds a role in several places stands there with the first of the grants only.
            Self::Holding(role) => (
                sql!("grants"),
                sql!(
                    "d.role_id = {} and not exists (select 1 from grants e where e.workspace_id = {} and e.user_id = d.user_id \
                     and e.role_id = d.role_id and e.id < d.id)",
                    *role,
                    workspace
                ),
            ),
            Self::Among { below, groups, active } => (
                sql!(
                    "(select distinct w.workspace_id, w.user_id from {} w where w.workspace_id = {} and {})",
                    members(*below),
                    workspace,
                    of_many("w", *below, groups, *active, eye.open)
                ),
                sql!("true"),
            ),
            Self::With(name, value) => (sql!("user_attributes"), sql!("d.name = {} and d.value_key = {}", name.clone(), value.clone())),
            Self::Found(from, until) => (
                sql!(
                    "(select distinct w.workspace_id, w.user_id from user_words w where w.workspace_id = {} and w.word >= {} \
                     and w.word < {})",
                    workspace,
                    from.clone(),
                    until.clone()
                ),
                sql!("true"),
            ),
        }
    }
}

/// A row of members, by its alias, is of one of many groups.
fn of_many(row: &'static str, below: bool, groups: &[GroupId], active: bool, open: &OpenMove) -> Sql {
    if below {
        return sql!("{}{}", open.rows(row, Groups::Named(groups)), only_active(row, active));
    }
    sql!("{}.group_id {}", row, among(groups.iter().map(|id| id.0)))
}

const fn members(below: bool) -> &'static str {
    if below { "effective_memberships" } else { "memberships" }
}
