-- A move of a large subtree, of which the groups above have not counted everybody in and out yet.
alter table workspaces add column deferred boolean not null default false;

-- The groups above which the moved one joins or leaves. A workspace has one such move at most.
create table deferred_moves (
  workspace_id uuid not null references workspaces (id),
  ancestor_id uuid not null,
  moved_id uuid not null,
  joins boolean not null,
  primary key (workspace_id, ancestor_id)
);
