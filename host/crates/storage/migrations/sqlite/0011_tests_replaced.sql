-- A step more, and one less that was never taken. SQLite changes no check in place.

alter table policy_history rename to earlier_policy_history;

create table policy_history (
  workspace_id blob not null references workspaces (id),
  number integer not null,
  step text not null check (step in (
    'uploaded', 'validated', 'rejected', 'tested', 'tests-replaced', 'shadow-started', 'shadow-stopped', 'activation-refused', 'activated',
    'settings-changed', 'rolled-back', 'rolled-back-automatically', 'activation-forced', 'rollback-forced'
  )),
  at integer not null,
  author text not null check (author in ('user', 'service', 'operator')),
  author_id blob,
  via text not null,
  peer text,
  policy_id blob,
  digest blob,
  version_id blob,
  note text,
  reasons text not null,
  primary key (workspace_id, number)
) strict, without rowid;

insert into policy_history select * from earlier_policy_history;
drop table earlier_policy_history;

create index policy_history_by_version on policy_history (workspace_id, version_id, number) where version_id is not null;
