-- What changes need: the recycle bin, the rules for codes, typed attributes, and what was done under an idempotency key.

alter table workspaces add column code_min_length integer not null default 1 check (code_min_length between 1 and 64);
alter table workspaces add column code_max_length integer not null default 64 check (code_max_length between 1 and 64);
alter table workspaces add column code_rule text not null default 'any' check (code_rule in ('any', 'letters-and-digits', 'special'));

alter table attribute_definitions add column type text not null default 'text' check (type in ('text', 'integer', 'boolean', 'date'));
alter table attribute_definitions add column required integer not null default 0 check (required in (0, 1));
alter table attribute_definitions add column is_unique integer not null default 0 check (is_unique in (0, 1));
alter table attribute_definitions add column multivalued integer not null default 1 check (multivalued in (0, 1));
alter table attribute_definitions add column version integer not null default 1;

-- The names of whoever is in the recycle bin are free.
drop index users_by_account;
drop index users_by_user_name;
drop index users_by_email_and_code;
drop index users_by_external_id;
create unique index users_by_account on users (account_id, workspace_id) where status <> 'deleted';
create unique index users_by_user_name on users (workspace_id, user_name_key) where status <> 'deleted';
create unique index users_by_email_and_code on users (workspace_id, email_key, code_key) where email_key <> '1' and status <> 'deleted';
create unique index users_by_external_id on users (workspace_id, external_id_key) where external_id_key <> '1' and status <> 'deleted';
-- Lookups and orders see deleted users, too.
create index users_by_any_user_name on users (workspace_id, user_name_key, id);
create index users_by_any_external_id on users (workspace_id, external_id_key, id) where external_id_key <> '1';

create index grants_by_group on grants (workspace_id, within_group_id) where within_group_id is not null;

-- The recycle bin. A deleted user keeps its row; deleted groups and roles move here, and edges with either of their ends.
-- `partial`: an edge that waited for it is gone for good, with the other end. `purging`: it is being erased, and does not come back.
create table deletions (
  workspace_id blob not null references workspaces (id),
  id blob not null,
  kind text not null check (kind in ('user', 'group', 'role')),
  object_id blob not null,
  name text not null,
  mode text not null check (mode in ('one', 'lift', 'subtree')),
  status text check (status in ('invited', 'inactive', 'active', 'suspended')),
  managed_top integer not null check (managed_top in (0, 1)),
  deleted_by blob,
  deleted_at integer not null,
  partial integer not null default 0 check (partial in (0, 1)),
  purging integer not null default 0 check (purging in (0, 1)),
  primary key (workspace_id, id)
) strict, without rowid;

create unique index deletions_by_object on deletions (workspace_id, object_id);
create index deletions_by_age on deletions (workspace_id, deleted_at, id);

create table deleted_groups (
  workspace_id blob not null,
  id blob not null,
  deletion_id blob not null,
  parent_id blob,
  depth integer not null,
  key text not null,
  name text not null,
  description text,
  attributes text not null,
  created_by blob,
  created_at integer not null,
  version integer not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
) strict, without rowid;

create index deleted_groups_by_deletion on deleted_groups (workspace_id, deletion_id, id);

-- The groups that were right below a deleted one and were lifted to its parent.
create table lifted_groups (
  workspace_id blob not null,
  deletion_id blob not null,
  group_id blob not null,
  primary key (workspace_id, deletion_id, group_id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
) strict, without rowid;

create table deleted_roles (
  workspace_id blob not null,
  id blob not null,
  deletion_id blob not null,
  key text not null,
  name text not null,
  description text,
  permissions text not null,
  created_by blob,
  created_at integer not null,
  version integer not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
) strict, without rowid;

-- `lifted`: the membership lives on, in the parent of its group.
create table deleted_memberships (
  workspace_id blob not null,
  id blob not null,
  deletion_id blob not null,
  user_id blob not null,
  group_id blob not null,
  manager integer not null check (manager in (0, 1)),
  lifted integer not null check (lifted in (0, 1)),
  created_by blob,
  created_at integer not null,
  primary key (workspace_id, deletion_id, id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
) strict, without rowid;

create index deleted_memberships_by_user on deleted_memberships (workspace_id, user_id);
create index deleted_memberships_by_group on deleted_memberships (workspace_id, group_id);

create table deleted_grants (
  workspace_id blob not null,
  id blob not null,
  deletion_id blob not null,
  user_id blob not null,
  role_id blob not null,
  within_group_id blob,
  provenance text not null check (provenance in ('manual', 'scim', 'import', 'invitation')),
  granted_by blob,
  granted_at integer not null,
  primary key (workspace_id, deletion_id, id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
) strict, without rowid;

create index deleted_grants_by_user on deleted_grants (workspace_id, user_id);
create index deleted_grants_by_role on deleted_grants (workspace_id, role_id);
create index deleted_grants_by_group on deleted_grants (workspace_id, within_group_id) where within_group_id is not null;

-- What was done under an idempotency key, so that the same request again is answered and not repeated.
create table requests (
  workspace_id blob not null references workspaces (id),
  subject_id blob not null,
  key text not null,
  digest blob not null,
  result text not null,
  created_at integer not null,
  primary key (workspace_id, subject_id, key)
) strict, without rowid;

create index requests_by_age on requests (workspace_id, created_at);

alter table tokens add column created_by blob;
