//! Moves that are counted afterwards.
//!
//! A large subtree that goes from branch to branch changes a row of every group above for everybody below. The tree itself is changed at
//! once, and so is what it means: [`OpenMove`](crate::open_move::OpenMove) is how whoever reads tells who is below the groups that were left
//! or joined. Their rows follow, one group above to a transaction, so that other writes come in between.
//!
//! INVARIANT: a workspace has one such move at most, and until it is counted, no `paths` of the workspace change but by counting it: every
//! function of [`effective`](super) that counts somebody in or out begins with [`finish`]. Otherwise rows of the moved group could be
//! counted out of groups above that were never counted in.

use directory::{
    Error,
    change::Change,
    ids::{GroupId, WorkspaceId},
};

use super::{count_in, count_out};
use crate::{
    Database,
    exec::{Row, Tx},
    head,
    sql::{among, sql},
    write::{Writer, give_time},
};

/// The groups above are chosen from a table, since neither database makes rows of a bound list in the same words.
const INSERT: &str = "
insert into deferred_moves (workspace_id, ancestor_id, moved_id, joins)
select {}, g.id, {}, {}
from groups g
where g.workspace_id = {}
  and g.id {}";

const SET_DEFERRED: &str = "
update workspaces
set deferred = exists (
    select 1
    from deferred_moves d
    where d.workspace_id = {}
  )
where id = {}";

/// Leaves it for later to count everybody in or below `moved` out of groups above it and in to others.
pub(in crate::write) async fn note(writer: &mut Writer, moved: GroupId, leaving: &[GroupId], joining: &[GroupId]) -> Result<(), Error> {
    finish(writer).await?;
    let of = writer.of;
    for (above, joins) in [(leaving, false), (joining, true)] {
        if !above.is_empty() {
            writer.tx.execute(sql!(INSERT, of, moved, joins, of, among(above.iter().map(|id| id.0)))).await?;
        }
    }
    writer.tx.execute(sql!(SET_DEFERRED, of, of)).await?;
    writer.deferred = true;
    Ok(())
}

/// Counts what was left for later, if anything was, with the other changes of a transaction.
pub(in crate::write) async fn finish(writer: &mut Writer) -> Result<(), Error> {
    if std::mem::take(&mut writer.deferred) {
        while portion(&mut writer.tx, writer.of).await? {}
    }
    Ok(())
}

/// Whether [`finish`] comes before a change.
pub(in crate::write) const fn comes_after(change: &Change) -> bool {
    matches!(
        change,
        Change::AddUsers(_)
            | Change::RemoveUsers(_)
            | Change::RestoreUser(_)
            | Change::MoveGroup { .. }
            | Change::DeleteGroup { .. }
            | Change::RestoreGroup { .. }
            | Change::AddMemberships(_)
            | Change::RemoveMemberships(_)
    )
}

const WORKSPACES: &str = "
select distinct d.workspace_id
from deferred_moves d";

/// Counts for one group above in each workspace where something was left for later; answers whether there was any. A workspace in which
/// that fails, or in which somebody else is at work, holds up no other.
pub(crate) async fn finish_some(database: &Database) -> Result<bool, Error> {
    let mut any = false;
    for row in &database.fetch(sql!(WORKSPACES).fixed()).await? {
        let of = WorkspaceId(row.only()?);
        match try_portion(database, of).await {
            Ok(found) => any |= found,
            Err(error) => tracing::warn!(workspace = %of, %error, "a move could not be counted; the next look tries again"),
        }
    }
    Ok(any)
}

/// The same in one workspace; nobody's connection waits for the workspace meanwhile.
async fn try_portion(database: &Database, of: WorkspaceId) -> Result<bool, Error> {
    let (_turn, mut tx) = database.begin_write_in(of).await?;
    if head::try_lock(&mut tx, of).await? { commit_portion(tx, of).await } else { Ok(false) }
}

/// Counts for one group above in one workspace, when it is its turn; answers whether there was one.
pub(in crate::write) async fn finish_portion(database: &Database, of: WorkspaceId) -> Result<bool, Error> {
    let (_turn, mut tx) = database.begin_write_in(of).await?;
    head::lock(&mut tx, of, None).await?;
    commit_portion(tx, of).await
}

async fn commit_portion(mut tx: Tx, of: WorkspaceId) -> Result<bool, Error> {
    give_time(&mut tx).await?;
    let found = portion(&mut tx, of).await?;
    tx.commit().await?;
    Ok(found)
}

/// Those who left come first: lists of whom everybody left are the slowest.
const NEXT: &str = "
select d.ancestor_id, d.moved_id, d.joins
from deferred_moves d
where d.workspace_id = {}
order by d.joins, d.ancestor_id
limit 1";

const FORGET_ONE: &str = "
delete from deferred_moves
where workspace_id = {}
  and ancestor_id = {}";

/// Counts for one group above; answers whether there was one.
async fn portion(tx: &mut Tx, of: WorkspaceId) -> Result<bool, Error> {
    let found = tx.fetch(sql!(NEXT, of)).await?;
    let Some((above, moved, joins)) = found.first().map(read).transpose()? else { return Ok(false) };
    if joins {
        count_in(tx, of, moved, &[above]).await?;
    } else {
        count_out(tx, of, moved, &[above]).await?;
    }
    tx.execute(sql!(FORGET_ONE, of, above)).await?;
    tx.execute(sql!(SET_DEFERRED, of, of)).await?;
    Ok(true)
}

fn read(row: &Row) -> Result<(GroupId, GroupId, bool), Error> {
    let mut columns = row.columns();
    Ok((GroupId(columns.take()?), GroupId(columns.take()?), columns.take()?))
}

const FORGET_ALL: &str = "
delete from deferred_moves
where workspace_id = {}";

/// Forgets what was left for later, of a workspace whose effective memberships are made anew.
pub(crate) async fn forget(tx: &mut Tx, of: WorkspaceId) -> Result<(), Error> {
    tx.execute(sql!(FORGET_ALL, of)).await?;
    tx.execute(sql!(SET_DEFERRED, of, of)).await.map(drop)
}
