//! How the users of a list are found: from which end the question is asked. The database's planner can not know, because it
//! guesses how many users a scope admits, and a wrong guess reads a million rows for a page of fifty.
//!
//! Three ways, with their cost for a page of fifty among a million users on SQLite:
//!
//! - **Stream**: `effective_memberships` holds the users in and below a group in the order of their ids, so that a page by id is
//!   its first entries, for a scope of any size. Several groups or clauses are streams merged.
//! - **Collect**: for another order, a small set is read from its streams and sorted: 2 to 3 us a user.
//! - **Walk**: a large set is met soon enough by walking the order's index and looking each user up in `effective_memberships`,
//!   or, for many groups at once, in its memberships and the tree: some 13 ms for 5,000 users, 0.3 ms for 900,000.
//!
//! The same holds for those who hold a role or have a value of an attribute; words are collected or not used. Collect and walk
//! meet at about [`limits::SORTED_ROWS`], which is why a set is counted up to there and no further.

use directory::{
    Error,
    query::{Filter, TextMatch, UserPredicate, UserSort},
    store::AmongUsers,
};
use uuid::Uuid;

use crate::{
    cond::Cond,
    filter_sql::filter,
    limits,
    list::{Branch, is_indexed, numbered},
    open_move::Groups,
    scope_sql::{Eye, USER, UserAt},
    snapshot::View,
    sql::{Part, Sql, sql},
    streams::{self, Choice, Group, Stream},
};

/// What is asked of users, without order and window.
pub(crate) struct Asked<'a> {
    pub(crate) eye: Eye<'a>,
    pub(crate) among: &'a AmongUsers,
    pub(crate) filter: Option<&'a Filter<UserPredicate>>,
}

/// How the lists of some parents, or of the workspace, are read.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The positions of the parents; `None` for the list of the workspace.
    pub(crate) parents: Option<Vec<usize>>,
    /// The branches whose union is what is asked for.
    pub(crate) branches: Vec<Branch>,
}

/// One way to find a superset of the users: for each part, any of its choices; the parts together are the set.
type Way = Vec<Vec<Choice>>;

/// What the users are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// A page in the order of ids, which streams have.
    Page,
    /// A page in another order, which streams do not have.
    Sorted,
    /// All of them.
    Count,
}

/// From which end one list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The parent's own stream.
    Parent,
    /// The streams of the scope or of a condition.
    Streams,
    /// Everybody, in the list's own order.
    Walk,
}

/// How many users each end has to look at.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    parent: Option<i64>,
    streams: Option<i64>,
}

/// How far streams are counted: what is longer is long.
#[derive(Clone, Copy, Debug)]
struct Caps {
    /// Each parent's.
    parent: i64,
    /// The others, of which there is one set for all parents.
    streams: i64,
}

impl Caps {
    /// What is worth sorting.
    const SORTED: Self = Self { parent: limits::SORTED_ROWS, streams: limits::SORTED_ROWS };
}

impl Asked<'_> {
    /// How a page by `by` is read best; no plan if nothing is in sight. Of many parents some are small and some are not: each
    /// goes with its like, so that there are three plans at most.
    pub(crate) async fn page(&self, view: &mut View, by: UserSort) -> Result<Vec<Plan>, Error> {
        self.plans(view, if by == UserSort::Id { Use::Page } else { Use::Sorted }).await
    }

    /// How a count is read best.
    pub(crate) async fn count(&self, view: &mut View) -> Result<Vec<Plan>, Error> {
        self.plans(view, Use::Count).await
    }

    /// The branches of a set, of all of the workspace, that is small enough to be collected; `None` if it is not, or can not be told.
    pub(crate) async fn small(&self, view: &mut View) -> Result<Option<Vec<Branch>>, Error> {
        let ways = self.ways();
        if ways.is_empty() {
            return Ok(None);
        }
        let (lengths, streams) = self.measured(view, ways, Caps::SORTED).await?;
        let short = lengths.first().and_then(|lengths| lengths.streams).is_some_and(|length| length <= limits::SORTED_ROWS);
        Ok(short.then(|| self.branches(End::Streams, &streams, Use::Count)))
    }

    async fn plans(&self, view: &mut View, purpose: Use) -> Result<Vec<Plan>, Error> {
        if self.is_nothing() {
            return Ok(Vec::new());
        }
        let mut ways = self.ways();
        let parent = !self.parent_streams().is_empty() && !self.is_pointed();
        let all = ids_of(self.among).map(|ids| (0..ids.len()).collect());
        if ways.is_empty() && !parent {
            return Ok(vec![Plan { parents: all, branches: self.branches(End::Walk, &[], purpose) }]);
        }
        // A page by id reads its only stream however long that is.
        if purpose != Use::Sorted && ways.len() + usize::from(parent) == 1 && ways.iter().flatten().all(|choices| is_ordered(choices)) {
            let end = if parent { End::Parent } else { End::Streams };
            let streams: Vec<Choice> = ways.pop().into_iter().flatten().flatten().collect();
            return Ok(vec![Plan { parents: all, branches: self.branches(end, &streams, purpose) }]);
        }
        let caps = match (purpose, parent) {
            (Use::Count, _) => Caps { parent: limits::COMPARED_ROWS, streams: limits::COUNTED_ROWS },
            (_, true) => Caps { parent: limits::SORTED_ROWS, streams: limits::COMPARED_ROWS },
            (_, false) => Caps::SORTED,
        };
        let (lengths, streams) = self.measured(view, ways, caps).await?;
        let ends: Vec<End> = lengths.into_iter().map(|lengths| best(lengths, caps, &streams, purpose)).collect();
        let plans = [End::Parent, End::Streams, End::Walk].into_iter().filter(|end| ends.contains(end)).map(|end| {
            let like = |(position, other): (usize, &End)| (*other == end).then_some(position);
            let parents = all.as_ref().map(|_| ends.iter().enumerate().filter_map(like).collect());
            Plan { parents, branches: self.branches(end, &streams, purpose) }
        });
        Ok(plans.collect())
    }

    /// Every way but that of the parents: the scope's clauses, if each has some stream, and the caller's conditions.
    fn ways(&self) -> Vec<Way> {
        if self.is_pointed() {
            return Vec::new();
        }
        let clauses = self.eye.sight.user.iter().map(|scope| &scope.clauses);
        let scope = clauses.map(|clauses| clauses.iter().map(|clause| streams::of_clause(clause, self.eye)).collect());
        let mut conditions = Vec::new();
        conjuncts(self.filter, &mut conditions);
        let asked =
            conditions.into_iter().flat_map(|predicate| streams::of_predicate(predicate, self.eye.open)).map(|choice| vec![vec![choice]]);
        let possible = |way: &Way| {
            let streams: usize = way.iter().flatten().map(|choice| choice.streams.len()).sum();
            streams <= limits::WAY_STREAMS && way.iter().all(|choices| !choices.is_empty())
        };
        scope.chain(asked).filter(possible).collect()
    }

    /// A text that is equal to one of a few beats every stream, and the planner sees that by itself.
    fn is_pointed(&self) -> bool {
        let mut conditions = Vec::new();
        conjuncts(self.filter, &mut conditions);
        conditions.iter().any(|predicate| matches!(predicate, UserPredicate::Text(which, TextMatch::In(_)) if is_indexed(*which)))
    }

    /// The streams that the lists of the parents are merged from.
    fn parent_streams(&self) -> Vec<Stream> {
        match self.among {
            AmongUsers::All => Vec::new(),
            AmongUsers::In(_) => vec![Stream::In(Group::Parent)],
            AmongUsers::Under(_) => {
                let joining = self.eye.open.joining_parent("d").map(|_| Stream::JoiningParent);
                [Stream::Under(Group::Parent, false)].into_iter().chain(joining).collect()
            }
        }
    }

    /// Counts all streams in one statement: a row for each parent, or one. Answers the lengths and the shortest way.
    async fn measured(&self, view: &mut View, ways: Vec<Way>, caps: Caps) -> Result<(Vec<Lengths>, Vec<Choice>), Error> {
        let eye = self.eye;
        let counted = ways.iter().flatten().flatten().flat_map(|choice| &choice.streams);
        let mut counts: Vec<Sql> = counted.map(|stream| stream.length(eye, caps.streams + 1)).collect();
        let streams = counts.len();
        let parents = ids_of(self.among);
        let of_parent = self.parent_streams();
        counts.extend(of_parent.iter().map(|stream| stream.length(eye, caps.parent + 1)));
        if counts.is_empty() {
            // A condition over no id has no stream to count, and nobody meets it.
            let (length, streams) = choose(&ways, Vec::new());
            return Ok((vec![Lengths { parent: None, streams: length }], streams));
        }
        let counts = Sql::join(counts, ",\n  ");
        let statement = match &parents {
            None => sql!("select {}", counts),
            Some(parents) => {
                sql!("with parents (position, id) as ({})\nselect {}\nfrom parents p\norder by p.position", numbered(parents), counts)
            }
        };
        let mut lengths = Vec::new();
        let mut shortest = (None, Vec::new());
        for row in view.fetch(statement).await? {
            let mut columns = row.columns();
            let found = (0..streams).map(|_| columns.take()).collect::<Result<Vec<i64>, _>>()?;
            if lengths.is_empty() {
                shortest = choose(&ways, found);
            }
            let parent = of_parent.iter().map(|_| columns.take::<i64>()).sum::<Result<i64, _>>()?;
            lengths.push(Lengths { parent: parents.is_some().then_some(parent), streams: shortest.0 });
        }
        Ok((lengths, shortest.1))
    }

    /// Whether it is plain from the question that nobody is in sight.
    fn is_nothing(&self) -> bool {
        Cond::all([self.eye.user(USER), self.asked(USER), self.belongs(USER)]).is_false()
    }

    /// The caller's own condition.
    fn asked(&self, at: UserAt) -> Cond {
        filter(self.filter, &|predicate| self.eye.user_predicate(predicate, at))
    }

    /// The user belongs to the list of the parent in hand.
    fn belongs(&self, at: UserAt) -> Cond {
        match self.among {
            AmongUsers::All => Cond::True,
            AmongUsers::In(_) => self.eye.member(at, Part::Text("= p.id"), Cond::True),
            AmongUsers::Under(_) => self.eye.member_below(at, Groups::Parent),
        }
    }

    fn branches(&self, end: End, streams: &[Choice], purpose: Use) -> Vec<Branch> {
        // Whoever counts everybody looks everybody up, and joins better.
        let eye = Eye { probes: purpose != Use::Count || end != End::Walk, ..self.eye };
        Asked { eye, ..*self }.branches_with(end, streams, purpose == Use::Sorted)
    }

    fn branches_with(&self, end: End, streams: &[Choice], sorted: bool) -> Vec<Branch> {
        let eye = self.eye;
        let everything = |at: UserAt| Cond::all([eye.user(at), self.asked(at), self.belongs(at)]);
        let branch = |stream: &Stream, cond: &dyn Fn(UserAt) -> Cond| {
            let row = sorted || self.filter.is_some() || !cond(UserAt { id: "d.user_id", row: false }).is_true();
            let (from, at) = stream.from(eye, row);
            Branch { from, id: at.id, cond: cond(at) }
        };
        let branches: Vec<Branch> = match end {
            End::Walk => {
                let from = sql!("from users u\nwhere u.workspace_id = {}", eye.workspace);
                vec![Branch { from, id: USER.id, cond: everything(USER) }]
            }
            End::Parent => {
                // Where every edge is in sight, the stream is the list.
                let proved = |at: UserAt| Cond::all([eye.user(at), self.asked(at)]);
                let cond: &dyn Fn(UserAt) -> Cond = if eye.sees_every_edge() { &proved } else { &everything };
                self.parent_streams().iter().map(|stream| branch(stream, cond)).collect()
            }
            End::Streams => {
                let streams = streams.iter().flat_map(|choice| choice.streams.iter().map(|stream| (stream, &choice.rest)));
                let branches = streams.map(|(stream, rest)| match rest {
                    None => branch(stream, &everything),
                    Some(rest) => branch(stream, &|at| Cond::all([eye.user_clause(rest, at), self.asked(at), self.belongs(at)])),
                });
                branches.collect()
            }
        };
        branches.into_iter().filter(|branch| !branch.cond.is_false()).collect()
    }
}

/// The way, and of each of its parts the choice, with the fewest users; `lengths` are those of all streams, in their order.
fn choose(ways: &[Way], lengths: Vec<i64>) -> (Option<i64>, Vec<Choice>) {
    let mut lengths = lengths.into_iter();
    let measured = ways.iter().map(|way| {
        let parts = way.iter().map(|part| {
            let choices = part.iter().map(|choice| (lengths.by_ref().take(choice.streams.len()).sum::<i64>(), choice));
            // Every choice is measured, so that the next part finds its own lengths.
            choices.collect::<Vec<_>>().into_iter().min_by_key(|(length, _)| *length)
        });
        let parts: Vec<(i64, &Choice)> = parts.flatten().collect();
        (parts.iter().map(|(length, _)| length).sum::<i64>(), parts)
    });
    match measured.collect::<Vec<_>>().into_iter().min_by_key(|(length, _)| *length) {
        None => (None, Vec::new()),
        Some((length, parts)) => (Some(length), parts.into_iter().map(|(_, choice)| choice.clone()).collect()),
    }
}

/// The end with the fewest users; for an order that streams do not have, only one that is short enough to be sorted.
fn best(lengths: Lengths, caps: Caps, streams: &[Choice], purpose: Use) -> End {
    let unordered = streams.iter().flat_map(|choice| &choice.streams).any(Stream::is_unordered);
    let ordered = purpose == Use::Count || (purpose == Use::Page && !unordered);
    let parent = lengths.parent.filter(|length| purpose != Use::Sorted || *length <= caps.parent);
    let streams = lengths.streams.filter(|length| ordered || *length <= caps.streams);
    match (parent, streams) {
        // How much longer a long parent is was not counted.
        (Some(parent), Some(streams)) if streams < parent || (parent > caps.parent && streams <= caps.streams) => End::Streams,
        (Some(_), _) => End::Parent,
        (None, Some(_)) => End::Streams,
        (None, None) => End::Walk,
    }
}

/// Whether there is nothing to choose and nothing to sort.
fn is_ordered(choices: &[Choice]) -> bool {
    matches!(choices, [only] if only.streams.iter().all(|stream| !stream.is_unordered()))
}

/// The conditions that must all hold.
pub(crate) fn conjuncts<'a, P>(filter: Option<&'a Filter<P>>, found: &mut Vec<&'a P>) {
    match filter {
        Some(Filter::And(parts)) => parts.iter().for_each(|part| conjuncts(Some(part), found)),
        Some(Filter::Is(predicate)) => found.push(predicate),
        Some(Filter::Or(_) | Filter::Not(_)) | None => {}
    }
}

/// The parents of a list, in their positions.
pub(crate) fn ids_of(among: &AmongUsers) -> Option<Vec<Uuid>> {
    match among {
        AmongUsers::All => None,
        AmongUsers::In(groups) | AmongUsers::Under(groups) => Some(groups.iter().map(|id| id.0).collect()),
    }
}
