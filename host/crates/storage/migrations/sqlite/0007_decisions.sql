-- What policies decided. `objects` is a JSON list of ids; where there is only one, `object_id` has it, too.
create table decisions (
  workspace_id blob not null references workspaces (id),
  number integer not null,
  at integer not null,
  actor text check (actor in ('user', 'service')),
  actor_id blob,
  via text not null,
  purpose text not null check (purpose in ('read', 'ask', 'write')),
  action text not null,
  kind text not null,
  object_id blob,
  objects text not null,
  row_count integer not null,
  outcome text not null check (outcome in ('allowed', 'denied', 'failed', 'missing')),
  withheld text not null,
  fields text not null,
  reason text not null,
  version_id blob,
  digest text,
  facts text,
  fuel integer not null,
  weight integer not null,
  primary key (workspace_id, number)
) strict, without rowid;

create index decisions_by_actor on decisions (workspace_id, actor_id, number);

-- The number of the newest entry of each workspace.
create table decision_logs (
  workspace_id blob not null references workspaces (id),
  last integer not null,
  primary key (workspace_id)
) strict, without rowid;
