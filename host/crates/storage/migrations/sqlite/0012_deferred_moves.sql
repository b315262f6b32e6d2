-- A move of a large subtree, of which the groups above have not counted everybody in and out yet.
alter table workspaces add column deferred integer not null default 0 check (deferred in (0, 1));

-- The groups above which the moved one joins or leaves. A workspace has one such move at most.
create table deferred_moves (
  workspace_id blob not null references workspaces (id),
  ancestor_id blob not null,
  moved_id blob not null,
  joins integer not null check (joins in (0, 1)),
  primary key (workspace_id, ancestor_id)
) strict, without rowid;
