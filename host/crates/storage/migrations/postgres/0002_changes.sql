-- What changes need: the recycle bin, the rules for codes, typed attributes, and what was done under an idempotency key.

alter table workspaces add column code_min_length bigint not null default 1 check (code_min_length between 1 and 64);
alter table workspaces add column code_max_length bigint not null default 64 check (code_max_length between 1 and 64);
alter table workspaces add column code_rule text not null default 'any' check (code_rule in ('any', 'letters-and-digits', 'special'));

alter table attribute_definitions add column type text not null default 'text' check (type in ('text', 'integer', 'boolean', 'date'));
alter table attribute_definitions add column required boolean not null default false;
alter table attribute_definitions add column is_unique boolean not null default false;
alter table attribute_definitions add column multivalued boolean not null default true;
alter table attribute_definitions add column version bigint not null default 1;

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
  workspace_id uuid not null references workspaces (id),
  id uuid not null,
  kind text not null check (kind in ('user', 'group', 'role')),
  object_id uuid not null,
  name text not null,
  mode text not null check (mode in ('one', 'lift', 'subtree')),
  status text check (status in ('invited', 'inactive', 'active', 'suspended')),
  managed_top boolean not null,
  deleted_by uuid,
  deleted_at bigint not null,
  partial boolean not null default false,
  purging boolean not null default false,
  primary key (workspace_id, id)
);

create unique index deletions_by_object on deletions (workspace_id, object_id);
create index deletions_by_age on deletions (workspace_id, deleted_at, id);

create table deleted_groups (
  workspace_id uuid not null,
  id uuid not null,
  deletion_id uuid not null,
  parent_id uuid,
  depth bigint not null,
  key text not null,
  name text not null,
  description text,
  attributes text not null,
  created_by uuid,
  created_at bigint not null,
  version bigint not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
);

create index deleted_groups_by_deletion on deleted_groups (workspace_id, deletion_id, id);

-- The groups that were right below a deleted one and were lifted to its parent.
create table lifted_groups (
  workspace_id uuid not null,
  deletion_id uuid not null,
  group_id uuid not null,
  primary key (workspace_id, deletion_id, group_id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
);

create table deleted_roles (
  workspace_id uuid not null,
  id uuid not null,
  deletion_id uuid not null,
  key text not null,
  name text not null,
  description text,
  permissions text not null,
  created_by uuid,
  created_at bigint not null,
  version bigint not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
);

-- `lifted`: the membership lives on, in the parent of its group.
create table deleted_memberships (
  workspace_id uuid not null,
  id uuid not null,
  deletion_id uuid not null,
  user_id uuid not null,
  group_id uuid not null,
  manager boolean not null,
  lifted boolean not null,
  created_by uuid,
  created_at bigint not null,
  primary key (workspace_id, deletion_id, id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
);

create index deleted_memberships_by_user on deleted_memberships (workspace_id, user_id);
create index deleted_memberships_by_group on deleted_memberships (workspace_id, group_id);

create table deleted_grants (
  workspace_id uuid not null,
  id uuid not null,
  deletion_id uuid not null,
  user_id uuid not null,
  role_id uuid not null,
  within_group_id uuid,
  provenance text not null check (provenance in ('manual', 'scim', 'import', 'invitation')),
  granted_by uuid,
  granted_at bigint not null,
  primary key (workspace_id, deletion_id, id),
  foreign key (workspace_id, deletion_id) references deletions (workspace_id, id)
);

create index deleted_grants_by_user on deleted_grants (workspace_id, user_id);
create index deleted_grants_by_role on deleted_grants (workspace_id, role_id);
create index deleted_grants_by_group on deleted_grants (workspace_id, within_group_id) where within_group_id is not null;

-- What was done under an idempotency key, so that the same request again is answered and not repeated.
create table requests (
  workspace_id uuid not null references workspaces (id),
  subject_id uuid not null,
  key text collate "C" not null,
  digest bytea not null,
  result text not null,
  created_at bigint not null,
  primary key (workspace_id, subject_id, key)
);

create index requests_by_age on requests (workspace_id, created_at);

alter table tokens add column created_by uuid;
