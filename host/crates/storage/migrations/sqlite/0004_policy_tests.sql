-- The tests that a module must pass before it is activated: one row for each workspace that ever had any, an empty text once it has none.
create table policy_tests (
  workspace_id blob not null references workspaces (id),
  version integer not null check (version > 0),
  text text not null,
  changed_by blob,
  changed_at integer not null,
  primary key (workspace_id, version)
) strict;
