-- The candidate that answers a workspace's live traffic beside the active version, or did so last. It ends with that version.
create table policy_shadows (
  workspace_id blob not null references workspaces (id),
  id blob not null,
  active_id blob not null,
  policy_id blob,
  digest blob,
  settings text not null,
  standard blob not null,
  standard_settings text not null,
  started_by blob,
  started_at integer not null,
  stopped_at integer,
  note text,
  primary key (workspace_id)
) strict, without rowid;

-- What came of it. `counted` says what is counted; `action` and `field` are empty where it is about no one in particular.
create table policy_shadow_counts (
  workspace_id blob not null references workspaces (id),
  counted text not null,
  action text not null,
  field text not null,
  count integer not null,
  primary key (workspace_id, counted, action, field)
) strict, without rowid;

-- The first differences of each kind, and the first failures.
create table policy_shadow_samples (
  workspace_id blob not null references workspaces (id),
  number integer not null,
  action text not null,
  change text not null check (change in ('gained', 'lost', 'fields', 'active-failed', 'candidate-failed')),
  subject_id blob,
  object_kind text,
  object_id blob,
  hidden text not null,
  shown text not null,
  active_reason text not null,
  candidate_reason text not null,
  primary key (workspace_id, number)
) strict, without rowid;
