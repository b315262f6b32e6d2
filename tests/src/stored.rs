//! What is stored, read past the server: what it derives is compared with what it is derived from.

use std::collections::BTreeSet;

use directory::{
    contract::Digest,
    ids::{GroupId, UserId, WorkspaceId},
};
use sqlx::{PgPool, Postgres, SqlitePool, Transaction};
use uuid::Uuid;

/// A database of one test.
pub struct Stored {
    url: String,
}

const BYTES: &str = "
select bytes
from policy_modules
where workspace_id = $1
  and digest = $2";

const REPLACE_BYTES: &str = "
update policy_modules
set bytes = $3
where workspace_id = $1
  and digest = $2";

const LISTENERS: &str = "
select count(*)
from pg_stat_activity
where datname = current_database()
  and application_name = 'bailiwick listens'
  and query like 'LISTEN %'";

const KILL_LISTENERS: &str = "
select count(pg_terminate_backend(pid))
from pg_stat_activity
where datname = current_database()
  and application_name = 'bailiwick listens'";

const KILL_NEWEST_VIEW: &str = "
select count(pg_terminate_backend(pid))
from (
  select pid
  from pg_stat_activity
  where datname = current_database()
    and state = 'idle in transaction'
  order by xact_start desc
  limit 1
) newest";

const HOLD_WORKSPACE: &str = "
select id
from workspaces
where id = $1
for update";

const WAITING: &str = "
select count(*)
from pg_stat_activity
where datname = current_database()
  and wait_event_type = 'Lock'";

const LOCK_SHADOW: &str = "
select id
from policy_shadows
where workspace_id = $1
for update nowait";

const MEMBERSHIPS: &str = "select user_id, group_id, manager from memberships";

/// Rows of the closure that are not as the tree has them.
const UNTRUE_CLOSURE: &str = "
with recursive tree (workspace_id, ancestor_id, group_id, parent_id, distance) as (
  select workspace_id, id, id, parent_id, 0
  from groups
  union all
  select t.workspace_id, g.id, t.group_id, g.parent_id, t.distance + 1
  from tree t
  join groups g
    on g.workspace_id = t.workspace_id
    and g.id = t.parent_id
)
select count(*)
from (
  select * from (
    select workspace_id, ancestor_id, group_id, distance from tree
    except
    select workspace_id, ancestor_id, group_id, distance from group_closure
  ) missing
  union all
  select * from (
    select workspace_id, ancestor_id, group_id, distance from group_closure
    except
    select workspace_id, ancestor_id, group_id, distance from tree
  ) untrue
) wrong";

/// Rows of the effective memberships, as they will be when every move is counted, that are not as memberships, closure and status have
/// them.
const UNTRUE_EFFECTIVE: &str = "
with truth as (
  select m.workspace_id, c.ancestor_id as group_id, m.user_id, count(*) as paths, case when u.status = 'active' then 1 else 0 end as active
  from memberships m
  join group_closure c
    on c.workspace_id = m.workspace_id
    and c.group_id = m.group_id
  join users u
    on u.workspace_id = m.workspace_id
    and u.id = m.user_id
  group by m.workspace_id, c.ancestor_id, m.user_id, u.status
), held as (
  select workspace_id, group_id, user_id, paths, case when active then 1 else 0 end as active
  from (
    select
      e.workspace_id,
      e.group_id,
      e.user_id,
      e.paths + coalesce((
        select case when d.joins = true then m.paths else -m.paths end
        from deferred_moves d
        join effective_memberships m
          on m.workspace_id = d.workspace_id
          and m.group_id = d.moved_id
          and m.user_id = e.user_id
        where d.workspace_id = e.workspace_id
          and d.ancestor_id = e.group_id
      ), 0) as paths,
      e.active
    from effective_memberships e
    where not exists (
      select 1
      from deferred_moves d
      join effective_memberships m
        on m.workspace_id = d.workspace_id
        and m.group_id = d.moved_id
        and m.user_id = e.user_id
      where d.workspace_id = e.workspace_id
        and d.ancestor_id = e.group_id
        and d.joins = false
        and m.paths >= e.paths
    )
    union all
    select d.workspace_id, d.ancestor_id, m.user_id, m.paths, m.active
    from deferred_moves d
    join effective_memberships m
      on m.workspace_id = d.workspace_id
      and m.group_id = d.moved_id
    where d.joins = true
      and not exists (
        select 1
        from effective_memberships e
        where e.workspace_id = d.workspace_id
          and e.group_id = d.ancestor_id
          and e.user_id = m.user_id
      )
  ) now
)
select count(*)
from (
  select * from (select * from truth except select * from held) missing
  union all
  select * from (select * from held except select * from truth) untrue
) wrong";

impl Stored {
    pub(crate) const fn at(url: String) -> Self {
        Self { url }
    }

    /// Every membership: who, where, and whether as a manager.
    pub async fn memberships(&self) -> BTreeSet<(UserId, GroupId, bool)> {
        let rows: Vec<(Uuid, Uuid, bool)> = if self.url.starts_with("sqlite:") {
            sqlx::query_as(MEMBERSHIPS).fetch_all(&self.sqlite().await).await.unwrap()
        } else {
            sqlx::query_as(MEMBERSHIPS).fetch_all(&self.postgres().await).await.unwrap()
        };
        rows.into_iter().map(|(user, group, manager)| (UserId(user), GroupId(group), manager)).collect()
    }

    /// How many rows of closure and effective memberships are missing, too many or wrong.
    pub async fn untrue(&self) -> (i64, i64) {
        if self.url.starts_with("sqlite:") {
            let pool = self.sqlite().await;
            let count = async |statement: &'static str| sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap();
            (count(UNTRUE_CLOSURE).await, count(UNTRUE_EFFECTIVE).await)
        } else {
            let pool = self.postgres().await;
            let count = async |statement: &'static str| sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap();
            (count(UNTRUE_CLOSURE).await, count(UNTRUE_EFFECTIVE).await)
        }
    }

    /// Puts other bytes in the place of a module's; returns those that were there.
    pub async fn replace_module(&self, workspace: WorkspaceId, digest: Digest, bytes: &[u8]) -> Vec<u8> {
        let digest = digest.0.to_vec();
        let (before, replaced): (Vec<u8>, u64) = if self.url.starts_with("sqlite:") {
            let pool = self.sqlite().await;
            let before = sqlx::query_scalar(BYTES).bind(workspace.0).bind(&digest).fetch_one(&pool).await.unwrap();
            let done = sqlx::query(REPLACE_BYTES).bind(workspace.0).bind(&digest).bind(bytes).execute(&pool).await.unwrap();
            (before, done.rows_affected())
        } else {
            let pool = self.postgres().await;
            let before = sqlx::query_scalar(BYTES).bind(workspace.0).bind(&digest).fetch_one(&pool).await.unwrap();
            let done = sqlx::query(REPLACE_BYTES).bind(workspace.0).bind(&digest).bind(bytes).execute(&pool).await.unwrap();
            (before, done.rows_affected())
        };
        assert_eq!(replaced, 1, "one module has that digest");
        before
    }

    /// How many hosts listen. Only on Postgres.
    pub async fn listeners(&self) -> i64 {
        sqlx::query_scalar(LISTENERS).fetch_one(&self.postgres().await).await.unwrap()
    }

    /// Ends the connections on which hosts listen; returns how many there were. Only on Postgres.
    pub async fn kill_listeners(&self) -> i64 {
        sqlx::query_scalar(KILL_LISTENERS).fetch_one(&self.postgres().await).await.unwrap()
    }

    /// Ends the connection of the view that was opened last, of those that nobody is reading from; returns how many there were. Only on
    /// Postgres.
    pub async fn kill_newest_view(&self) -> i64 {
        sqlx::query_scalar(KILL_NEWEST_VIEW).fetch_one(&self.postgres().await).await.unwrap()
    }

    /// Locks the row of a workspace, as whoever changes what decides in it does first. Only on Postgres.
    pub async fn hold(&self, workspace: WorkspaceId) -> Held {
        let mut held = self.postgres().await.begin().await.unwrap();
        sqlx::query(HOLD_WORKSPACE).bind(workspace.0).fetch_one(&mut *held).await.unwrap();
        Held { held, workspace }
    }

    async fn sqlite(&self) -> SqlitePool {
        SqlitePool::connect(&self.url).await.unwrap()
    }

    async fn postgres(&self) -> PgPool {
        PgPool::connect(&self.url).await.unwrap()
    }
}

/// The row of a workspace, locked until it is released.
pub struct Held {
    held: Transaction<'static, Postgres>,
    workspace: WorkspaceId,
}

impl Held {
    /// How many transactions of the database wait for a lock.
    pub async fn waiting(&mut self) -> i64 {
        sqlx::query_scalar(WAITING).fetch_one(&mut *self.held).await.unwrap()
    }

    /// Locks the workspace's shadow, too, if nobody has; whether that was so.
    pub async fn takes_shadow(&mut self) -> bool {
        sqlx::query(LOCK_SHADOW).bind(self.workspace.0).fetch_one(&mut *self.held).await.is_ok()
    }

    /// Gives both back.
    pub async fn release(self) {
        self.held.rollback().await.unwrap();
    }
}
