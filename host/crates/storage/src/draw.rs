//! Samples: ids in the order of their random ends.

use directory::{Error, Sealed, store::Urn};
use uuid::Uuid;

use crate::{
    exec::Row,
    snapshot::View,
    sql::{Part, sql},
};

/// An id of version 7 begins with the time and ends in random bits. Whoever reads ids in the order of their ends from some place on, and
/// round, draws by chance, and draws the same again. Every id is read once: there is no index in this order.
const DRAWN: &str = "
select {}
from {}
where {} = {}{}
order by {} < {}, {}, {}
limit {}";

/// The last eight bytes of an id. Postgres takes no part of a UUID, and SQLite stores the bytes themselves.
const END_SQLITE: &str = "substr({}, 9)";
const END_POSTGRES: &str = "substr(uuid_send({}), 9)";

/// So many ids, in the order of their ends from `start` on.
pub(crate) async fn ids(view: &mut View, urn: Urn, start: u64, rows: usize) -> Result<Sealed<Vec<Uuid>>, Error> {
    let (id, workspace, table) = table(urn);
    let only = if urn == Urn::ActiveUsers { "\n  and u.status = 'active'" } else { "" };
    let start = start.to_be_bytes().to_vec();
    let end = || -> Part { sql!(if view.is_sqlite() { END_SQLITE } else { END_POSTGRES }, id).into() };
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let statement = sql!(DRAWN, id, table, workspace, view.workspace, only, end(), start, end(), id, rows);
    let found = view.fetch(statement.fixed()).await?;
    found.iter().map(Row::only).collect::<Result<_, _>>().map(Sealed::new)
}

/// The columns of id and workspace, and the table with its alias.
const fn table(urn: Urn) -> (&'static str, &'static str, &'static str) {
    match urn {
        Urn::ActiveUsers | Urn::Users => ("u.id", "u.workspace_id", "users u"),
        Urn::Groups => ("g.id", "g.workspace_id", "groups g"),
        Urn::Roles => ("r.id", "r.workspace_id", "roles r"),
        Urn::Memberships => ("m.id", "m.workspace_id", "memberships m"),
        Urn::Grants => ("a.id", "a.workspace_id", "grants a"),
    }
}
