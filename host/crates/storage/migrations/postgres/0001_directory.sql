-- Ids are uuids, instants are microseconds since 1970 in UTC, enums are checked texts.
-- Every `*_key` column holds a folded text behind `0`, or a bare `1` where nothing is assigned, so that unassigned sorts last
-- and a row-value comparison pages. Texts that are compared collate "C": by code points, as in SQLite.

create table accounts (
  id uuid not null primary key,
  issuer text collate "C" not null,
  identifier text collate "C" not null,
  created_at bigint not null,
  unique (issuer, identifier)
);

create table workspaces (
  id uuid not null primary key,
  key text not null,
  key_key text collate "C" not null unique,
  name text not null,
  user_quota bigint check (user_quota >= 0),
  user_count bigint not null default 0,
  epoch bigint not null,
  policy_version_id uuid not null,
  created_at bigint not null,
  updated_at bigint not null,
  version bigint not null
);

create table policies (
  workspace_id uuid not null references workspaces (id) deferrable initially deferred,
  id uuid not null,
  digest bytea not null,
  name text not null,
  version text not null,
  status text not null check (status in ('validated', 'rejected')),
  reasons text not null,
  size bigint not null,
  uploaded_by uuid,
  uploaded_at bigint not null,
  note text,
  primary key (workspace_id, id)
);

create unique index policies_by_digest on policies (workspace_id, digest) where status = 'validated';

create table policy_modules (
  workspace_id uuid not null references workspaces (id) deferrable initially deferred,
  digest bytea not null,
  bytes bytea not null,
  primary key (workspace_id, digest)
);

-- Every `standard` that a server of this database shipped: no tenant's data.
create table standard_modules (
  digest bytea not null primary key,
  bytes bytea not null
);

create table policy_versions (
  workspace_id uuid not null references workspaces (id) deferrable initially deferred,
  id uuid not null,
  number bigint not null,
  policy_id uuid,
  settings text not null,
  standard bytea not null,
  standard_settings text not null,
  activated_by uuid,
  activated_at bigint not null,
  repeats uuid,
  note text,
  primary key (workspace_id, id),
  unique (workspace_id, number),
  foreign key (workspace_id, policy_id) references policies (workspace_id, id),
  foreign key (workspace_id, repeats) references policy_versions (workspace_id, id)
);

alter table workspaces add foreign key (id, policy_version_id) references policy_versions (workspace_id, id)
  deferrable initially deferred;

create table attribute_definitions (
  workspace_id uuid not null references workspaces (id),
  name text collate "C" not null,
  searchable boolean not null,
  primary key (workspace_id, name)
);

create table users (
  workspace_id uuid not null references workspaces (id),
  id uuid not null,
  account_id uuid not null references accounts (id),
  user_name text not null,
  display_name text,
  given_name text,
  family_name text,
  email text,
  phone text,
  locale text,
  time_zone text,
  title text,
  avatar_url text,
  external_id text,
  code text,
  user_name_key text collate "C" not null,
  display_name_key text collate "C" not null,
  given_name_key text collate "C" not null,
  family_name_key text collate "C" not null,
  email_key text collate "C" not null,
  phone_key text collate "C" not null,
  locale_key text collate "C" not null,
  time_zone_key text collate "C" not null,
  title_key text collate "C" not null,
  avatar_url_key text collate "C" not null,
  external_id_key text collate "C" not null,
  code_key text collate "C" not null,
  exclusive boolean not null,
  status text not null check (status in ('invited', 'inactive', 'active', 'suspended', 'deleted')),
  attributes text not null,
  created_by uuid,
  created_at bigint not null,
  updated_at bigint not null,
  version bigint not null,
  primary key (workspace_id, id)
);

-- An account is in a workspace once. It leads the index because signing in and exclusive users ask by account.
create unique index users_by_account on users (account_id, workspace_id);
create unique index users_by_user_name on users (workspace_id, user_name_key);
create unique index users_by_email_and_code on users (workspace_id, email_key, code_key) where email_key <> '1';
create unique index users_by_external_id on users (workspace_id, external_id_key) where external_id_key <> '1';
create index users_by_display_name on users (workspace_id, display_name_key, id);
create index users_by_given_name on users (workspace_id, given_name_key, id);
create index users_by_family_name on users (workspace_id, family_name_key, id);
create index users_by_email on users (workspace_id, email_key, id);
create index users_by_status on users (workspace_id, status, id);

create table user_attributes (
  workspace_id uuid not null,
  name text collate "C" not null,
  value_key text collate "C" not null,
  user_id uuid not null,
  primary key (workspace_id, user_id, name, value_key),
  foreign key (workspace_id, user_id) references users (workspace_id, id)
);

create index user_attributes_by_value on user_attributes (workspace_id, name, value_key, user_id);

-- Derived from the texts of `UserText::SEARCHED`; bit n of `fields` says that text n of these has the word.
create table user_words (
  workspace_id uuid not null,
  word text collate "C" not null,
  user_id uuid not null,
  fields bigint not null,
  primary key (workspace_id, word, user_id)
);

create unique index user_words_by_user on user_words (workspace_id, user_id, word, fields);

create table groups (
  workspace_id uuid not null references workspaces (id),
  id uuid not null,
  parent_id uuid,
  depth bigint not null check (depth > 0),
  key text not null,
  name text not null,
  description text,
  key_key text collate "C" not null,
  name_key text collate "C" not null,
  description_key text collate "C" not null,
  attributes text not null,
  created_by uuid,
  created_at bigint not null,
  updated_at bigint not null,
  version bigint not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, parent_id) references groups (workspace_id, id) deferrable initially deferred
);

create unique index groups_by_key on groups (workspace_id, key_key);
create index groups_by_name on groups (workspace_id, name_key, id);
-- Unique indexes hold nulls to be distinct, so the groups right below the top group have one of their own.
create unique index groups_by_parent_and_name on groups (workspace_id, parent_id, name_key) where parent_id is not null;
create unique index groups_at_top_by_name on groups (workspace_id, name_key) where parent_id is null;
create index groups_by_parent on groups (workspace_id, parent_id, id);

create table group_attributes (
  workspace_id uuid not null,
  name text collate "C" not null,
  value_key text collate "C" not null,
  group_id uuid not null,
  primary key (workspace_id, group_id, name, value_key),
  foreign key (workspace_id, group_id) references groups (workspace_id, id)
);

create index group_attributes_by_value on group_attributes (workspace_id, name, value_key, group_id);

create table group_words (
  workspace_id uuid not null,
  word text collate "C" not null,
  group_id uuid not null,
  fields bigint not null,
  primary key (workspace_id, word, group_id)
);

create index group_words_by_group on group_words (workspace_id, group_id);

-- Derived from `groups.parent_id`: each group with itself (distance 0) and with every group above it.
create table group_closure (
  workspace_id uuid not null,
  ancestor_id uuid not null,
  group_id uuid not null,
  distance bigint not null,
  primary key (workspace_id, ancestor_id, group_id)
);

create unique index group_closure_upwards on group_closure (workspace_id, group_id, distance, ancestor_id);

create table memberships (
  workspace_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  group_id uuid not null,
  manager boolean not null,
  created_by uuid,
  created_at bigint not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, user_id) references users (workspace_id, id),
  foreign key (workspace_id, group_id) references groups (workspace_id, id)
);

create unique index memberships_by_user on memberships (workspace_id, user_id, group_id);
create index memberships_by_group on memberships (workspace_id, group_id, user_id);
create index memberships_of_group on memberships (workspace_id, group_id, id);

-- Who manages the top group, which has no row.
create table top_managers (
  workspace_id uuid not null,
  user_id uuid not null,
  primary key (workspace_id, user_id),
  foreign key (workspace_id, user_id) references users (workspace_id, id)
);

-- Derived from memberships and tree: who is in, or below, which group, by how many memberships. `active` repeats the user's
-- status, so that the commonest scope is answered by this table alone.
create table effective_memberships (
  workspace_id uuid not null,
  group_id uuid not null,
  user_id uuid not null,
  paths bigint not null,
  active boolean not null,
  primary key (workspace_id, group_id, user_id) include (active)
);

create unique index effective_memberships_by_user on effective_memberships (workspace_id, user_id, group_id);

create table roles (
  workspace_id uuid not null references workspaces (id),
  id uuid not null,
  key text not null,
  name text not null,
  description text,
  key_key text collate "C" not null,
  name_key text collate "C" not null,
  description_key text collate "C" not null,
  builtin boolean not null,
  permissions text not null,
  created_by uuid,
  created_at bigint not null,
  updated_at bigint not null,
  version bigint not null,
  primary key (workspace_id, id)
);

create unique index roles_by_key on roles (workspace_id, key_key);
create index roles_by_name on roles (workspace_id, name_key, id);

create table role_words (
  workspace_id uuid not null,
  word text collate "C" not null,
  role_id uuid not null,
  fields bigint not null,
  primary key (workspace_id, word, role_id)
);

create table grants (
  workspace_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  role_id uuid not null,
  within_group_id uuid,
  provenance text not null check (provenance in ('manual', 'scim', 'import', 'invitation')),
  granted_by uuid,
  granted_at bigint not null,
  primary key (workspace_id, id),
  foreign key (workspace_id, user_id) references users (workspace_id, id),
  foreign key (workspace_id, role_id) references roles (workspace_id, id),
  foreign key (workspace_id, within_group_id) references groups (workspace_id, id)
);

create unique index grants_within on grants (workspace_id, user_id, role_id, within_group_id) where within_group_id is not null;
create unique index grants_everywhere on grants (workspace_id, user_id, role_id) where within_group_id is null;
create index grants_by_user on grants (workspace_id, user_id, role_id);
create index grants_by_role on grants (workspace_id, role_id, user_id);
create index grants_of_role on grants (workspace_id, role_id, id);

-- With accounts, the only table found without a workspace: its secret is what tells the workspace. The operator's have none.
create table tokens (
  id uuid not null primary key,
  workspace_id uuid references workspaces (id),
  hash bytea not null unique,
  kind text not null check (kind in ('personal', 'service', 'operator')),
  user_id uuid,
  name text not null,
  scopes text not null,
  expires_at bigint,
  revoked_at bigint,
  created_at bigint not null,
  foreign key (workspace_id, user_id) references users (workspace_id, id)
);

create index tokens_by_workspace on tokens (workspace_id, created_at, id);
