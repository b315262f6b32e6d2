-- What was done with a workspace's policy, by whom, from where, and why. Modules are named and not referred to: they are forgotten sooner.

create table policy_history (
  workspace_id uuid not null references workspaces (id),
  number bigint not null,
  step text not null check (step in (
    'uploaded', 'validated', 'rejected', 'tested', 'compared', 'shadow-started', 'shadow-stopped', 'activation-refused', 'activated',
    'settings-changed', 'rolled-back', 'rolled-back-automatically', 'activation-forced', 'rollback-forced'
  )),
  at bigint not null,
  author text not null check (author in ('user', 'service', 'operator')),
  author_id uuid,
  via text not null,
  peer text,
  policy_id uuid,
  digest bytea,
  version_id uuid,
  note text,
  reasons text not null,
  primary key (workspace_id, number)
);

create index policy_history_by_version on policy_history (workspace_id, version_id, number) where version_id is not null;
