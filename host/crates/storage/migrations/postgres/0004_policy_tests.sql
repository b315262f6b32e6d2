-- The tests that a module must pass before it is activated: one row for each workspace that ever had any, an empty text once it has none.
create table policy_tests (
  workspace_id uuid not null references workspaces (id),
  version bigint not null check (version > 0),
  text text not null,
  changed_by uuid,
  changed_at bigint not null,
  primary key (workspace_id, version)
);
