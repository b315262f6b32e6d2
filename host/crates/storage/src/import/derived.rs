//! Tables that repeat what others say, in the shape in which it is asked: closure, effective memberships.

use directory::Error;

use super::{Import, Progress, report};
use crate::{sql::sql, write};

const DELETE_CLOSURE: &str = "
delete from group_closure
where workspace_id = {}";

const INSERT_CLOSURE: &str = "
insert into group_closure (workspace_id, ancestor_id, group_id, distance)
with recursive chain (ancestor_id, group_id, parent_id, distance) as (
  select g.id, g.id, g.parent_id, 0
  from groups g
  where g.workspace_id = {}
  union all
  select g.id, c.group_id, g.parent_id, c.distance + 1
  from chain c
  join groups g
    on g.workspace_id = {}
    and g.id = c.parent_id
)
select {}, ancestor_id, group_id, distance
from chain
order by ancestor_id, group_id";

const DELETE_EFFECTIVE: &str = "
delete from effective_memberships
where workspace_id = {}";

/// In the order of the primary key, so that it grows at its end.
const INSERT_EFFECTIVE: &str = "
insert into effective_memberships (workspace_id, group_id, user_id, paths, active)
select {}, c.ancestor_id, m.user_id, count(*), count(*) filter (where u.status = 'active') > 0
from memberships m
join group_closure c
  on c.workspace_id = m.workspace_id
  and c.group_id = m.group_id
join users u
  on u.workspace_id = m.workspace_id
  and u.id = m.user_id
where m.workspace_id = {}
group by c.ancestor_id, m.user_id
order by c.ancestor_id, m.user_id";

/// Rebuilds what the import made untrue.
pub(super) async fn write(import: &mut Import, progress: Progress<'_>) -> Result<(), Error> {
    let of = import.workspace;
    if import.tree_changed {
        import.tx.execute(sql!(DELETE_CLOSURE, of)).await?;
        import.tx.execute(sql!(INSERT_CLOSURE, of, of, of)).await?;
    }
    if import.tree_changed || import.edges_changed {
        report(progress, "effective memberships", 0);
        write::forget_deferred(&mut import.tx, of).await?;
        import.tx.execute(sql!(DELETE_EFFECTIVE, of)).await?;
        let rows = import.tx.execute(sql!(INSERT_EFFECTIVE, of, of)).await?;
        report(progress, "effective memberships", rows);
    }
    Ok(())
}
