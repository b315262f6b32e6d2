//! Lists and their counts: one statement however many rows, and however many parents have a page each.
//!
//! Every list has the same shape: branches find ids, a page is cut from their union, and only then are whole rows read.

mod edges;
mod groups;
mod roles;
mod users;

use directory::{
    Error, Sealed,
    ids::WorkspaceId,
    model::UserText,
    query::{Direction, End, Keyset, Window},
    store::Listed,
};
use uuid::Uuid;

pub(crate) use edges::{count_grants, count_memberships, grants, memberships};
pub(crate) use groups::{count_groups, groups};
pub(crate) use roles::{count_roles, roles};
pub(crate) use users::{count_users, users};

use crate::{
    batch::{Batch, Of},
    cond::Cond,
    exec::Columns,
    rows,
    snapshot::View,
    sql::{Part, Sql, sql},
};

/// A part of what a list is taken from.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    /// From `from` on, with the beginning of a `where`.
    pub(crate) from: Sql,
    /// The column of the id.
    pub(crate) id: &'static str,
    /// What else must hold.
    pub(crate) cond: Cond,
}

/// How rows of a kind are read.
#[derive(Clone, Copy, Debug)]
struct Shape<T> {
    /// The table with its alias.
    table: &'static str,
    workspace: &'static str,
    id: &'static str,
    columns: &'static str,
    read: fn(&mut Columns<'_>) -> Result<Sealed<T>, Error>,
}

/// The order of a list: a key, if it has one, then the id.
#[derive(Clone, Copy, Debug)]
struct Sorting {
    key: Option<&'static str>,
    direction: Direction,
}

/// What a list is about: branches for each parent, or for the workspace.
struct Listing<'a> {
    parents: Option<Vec<Uuid>>,
    branches: Vec<Branch>,
    sorting: Sorting,
    window: &'a Window,
}

const ROWS: &str = "
select {}, {}, {}, {}
from ({}) page
join {}
  on {} = {}
  and {} = page.id
order by {}";

/// SQLite has no lateral joins; its `in` runs once a parent, and finds each row by its key.
const ROWS_BY_PARENT_SQLITE: &str = "
with parents (position, id) as ({})
select p.position, {}, {}, {}
from parents p
cross join {}
where {} = {}
  and {} in (select page.id from ({}) page)
order by p.position, {}";

/// Postgres would run that `in` for every parent with every row of the table.
const ROWS_BY_PARENT_POSTGRES: &str = "
with parents (position, id) as ({})
select p.position, {}, {}, {}
from parents p
cross join lateral ({}) page
join {}
  on {} = {}
  and {} = page.id
order by p.position, {}";

/// Fetches the windows of a list.
async fn fetch<T>(view: &mut View, shape: Shape<T>, listing: Listing<'_>) -> Result<Vec<Listed<T>>, Error> {
    let Listing { parents, branches, sorting, window } = listing;
    if branches.is_empty() || window.rows == 0 || parents.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let page = page(branches, sorting, window);
    let of = view.workspace;
    let key = sorting.key.unwrap_or("''");
    let order = order(sorting.key, shape.id, sorting.direction == Direction::Descending);
    let statement = match parents {
        None => sql!(ROWS, 0_i64, key, shape.id, shape.columns, page, shape.table, shape.workspace, of, shape.id, order),
        Some(parents) if view.is_sqlite() => sql!(
            ROWS_BY_PARENT_SQLITE,
            numbered(&parents),
            key,
            shape.id,
            shape.columns,
            shape.table,
            shape.workspace,
            of,
            shape.id,
            page,
            order,
        ),
        Some(parents) => sql!(
            ROWS_BY_PARENT_POSTGRES,
            numbered(&parents),
            key,
            shape.id,
            shape.columns,
            page,
            shape.table,
            shape.workspace,
            of,
            shape.id,
            order,
        ),
    };
    let found = view.fetch(statement).await?;
    let read = |columns: &mut Columns<'_>| {
        let parent = rows::number(columns)?;
        let key = columns.take()?;
        let id = columns.take()?;
        Ok(Listed { parent, keyset: Keyset { key, id }, row: (shape.read)(columns)? })
    };
    found.iter().map(|row| read(&mut row.columns())).collect()
}

const COUNT_BY_PARENT: &str = "
with parents (position, id) as ({})
select ({})
from parents p
order by p.position";

/// Counts what branches find, for each parent.
async fn count(view: &mut View, parents: Option<Vec<Uuid>>, branches: Vec<Branch>) -> Result<Vec<u64>, Error> {
    let expected = parents.as_ref().map_or(1, Vec::len);
    if branches.is_empty() || expected == 0 {
        return Ok(vec![0; expected]);
    }
    let count = count_of(branches);
    let statement = match parents {
        None => count,
        Some(parents) => sql!(COUNT_BY_PARENT, numbered(&parents), count),
    };
    let found = view.fetch(statement).await?;
    found.iter().map(|row| rows::number(&mut row.columns())).collect()
}

/// Parents with their positions.
pub(crate) fn numbered(parents: &[Uuid]) -> Batch {
    let mut batch = Batch::new(&[Of::Integers, Of::Ids]);
    for (position, id) in (0_i64..).zip(parents) {
        batch.push([position.into(), (*id).into()]);
    }
    batch
}

/// The ids of one window, in no order that counts.
fn page(branches: Vec<Branch>, sorting: Sorting, window: &Window) -> Sql {
    let backwards = (sorting.direction == Direction::Descending) != (window.end == End::Back);
    let rows = i64::try_from(window.rows).unwrap_or(i64::MAX);
    let single = branches.len() == 1;
    let mut pages = branches.into_iter().map(|branch| {
        let bounds = bounds(&branch, sorting, window);
        sql!(
            "select {} as id{}\n{}{}{}\norder by {}\nlimit {}",
            branch.id,
            sorting.key.map_or_else(Sql::default, |key| sql!(", {} as sort_key", key)),
            branch.from,
            branch.cond.and(),
            bounds.and(),
            order(sorting.key, branch.id, backwards),
            rows
        )
    });
    if single && let Some(only) = pages.next() {
        return only;
    }
    let pages = Sql::join(pages.map(|page| sql!("select * from ({}) part", page)), "\nunion\n");
    let key = sorting.key.map(|_| "merged.sort_key");
    sql!("select merged.id from ({}) merged\norder by {}\nlimit {}", pages, order(key, "merged.id", backwards), rows)
}

/// How many ids the branches have between them.
fn count_of(branches: Vec<Branch>) -> Sql {
    if branches.len() == 1
        && let Some(only) = branches.first()
    {
        return sql!("select count(*)\n{}{}", only.from.clone(), only.cond.clone().and());
    }
    sql!("select count(*) from ({}) counted", union(branches))
}

/// Every id of the branches, once, as `id`.
fn union(branches: Vec<Branch>) -> Sql {
    let branches = branches.into_iter().map(|branch| sql!("select {} as id\n{}{}", branch.id, branch.from, branch.cond.and()));
    Sql::join(branches, "\nunion\n")
}

fn order(key: Option<&'static str>, id: &'static str, backwards: bool) -> Sql {
    let direction = if backwards { " desc" } else { "" };
    match key {
        None => sql!("{}{}", id, direction),
        Some(key) => sql!("{}{}, {}{}", key, direction, id, direction),
    }
}

/// Behind `after` and before `before`, in the list's own direction.
fn bounds(branch: &Branch, sorting: Sorting, window: &Window) -> Cond {
    let (behind, ahead) = match sorting.direction {
        Direction::Ascending => (">", "<"),
        Direction::Descending => ("<", ">"),
    };
    let bound = |keyset: &Option<Keyset>, side: &'static str| match (keyset, sorting.key) {
        (None, _) => Cond::True,
        (Some(keyset), None) => sql!("{} {} {}", branch.id, side, keyset.id).into(),
        (Some(keyset), Some(key)) => sql!("({}, {}) {} ({}, {})", key, branch.id, side, keyset.key.clone(), keyset.id).into(),
    };
    Cond::all([bound(&window.after, behind), bound(&window.before, ahead)])
}

/// The rows of a table that meet a condition: the one branch of lists that need no plan.
fn from(table: &'static str, workspace_column: &'static str, workspace: WorkspaceId, id: &'static str, cond: Cond) -> Vec<Branch> {
    if cond.is_false() {
        return Vec::new();
    }
    vec![Branch { from: sql!("from {}\nwhere {} = {}", table, workspace_column, workspace), id, cond }]
}

/// Whether users are found by an equal text through an index.
pub(crate) const fn is_indexed(text: UserText) -> bool {
    match text {
        UserText::UserName
        | UserText::DisplayName
        | UserText::GivenName
        | UserText::FamilyName
        | UserText::Email
        | UserText::ExternalId => true,
        UserText::Phone | UserText::Locale | UserText::TimeZone | UserText::Title | UserText::AvatarUrl | UserText::Code => false,
    }
}

/// The parent's id, as an equality behind a column.
const IS_PARENT: Part = Part::Text("= p.id");
