-- The candidate that answers a workspace's live traffic beside the active version, or did so last. It ends with that version.
create table policy_shadows (
  workspace_id uuid not null references workspaces (id),
  id uuid not null,
  active_id uuid not null,
  policy_id uuid,
  digest bytea,
  settings text not null,
  standard bytea not null,
  standard_settings text not null,
  started_by uuid,
  started_at bigint not null,
  stopped_at bigint,
  note text,
  primary key (workspace_id)
);

-- What came of it. `counted` says what is counted; `action` and `field` are empty where it is about no one in particular.
create table policy_shadow_counts (
  workspace_id uuid not null references workspaces (id),
  counted text not null,
  action text not null,
  field text not null,
  count bigint not null,
  primary key (workspace_id, counted, action, field)
);

-- The first differences of each kind, and the first failures.
create table policy_shadow_samples (
  workspace_id uuid not null references workspaces (id),
  number bigint not null,
  action text not null,
  change text not null check (change in ('gained', 'lost', 'fields', 'active-failed', 'candidate-failed')),
  subject_id uuid,
  object_kind text,
  object_id uuid,
  hidden text not null,
  shown text not null,
  active_reason text not null,
  candidate_reason text not null,
  primary key (workspace_id, number)
);
