//! What a database says went wrong, in the directory's words.

use directory::Error;

/// Unique rules: Postgres names the index, SQLite the columns.
const UNIQUE: &[(&str, &str, &str)] = &[
    ("workspaces_key_key_key", "workspaces.key_key", "the workspace key"),
    ("users_by_account", "users.account_id, users.workspace_id", "the account's place in the workspace"),
    ("users_by_user_name", "users.workspace_id, users.user_name_key", "the user name"),
    ("users_by_email_and_code", "users.workspace_id, users.email_key, users.code_key", "the e-mail address with its code"),
    ("users_by_external_id", "users.workspace_id, users.external_id_key", "the external id"),
    ("groups_by_key", "groups.workspace_id, groups.key_key", "the group key"),
    ("groups_by_parent_and_name", "groups.workspace_id, groups.parent_id, groups.name_key", "the group's name among its siblings"),
    ("groups_at_top_by_name", "groups.workspace_id, groups.name_key", "the group's name among its siblings"),
    ("roles_by_key", "roles.workspace_id, roles.key_key", "the role key"),
    ("policies_by_digest", "policies.workspace_id, policies.digest", "the module"),
    ("policy_versions_workspace_id_number_key", "policy_versions.workspace_id, policy_versions.number", "the version's number"),
    ("tokens_hash_key", "tokens.hash", "the token"),
];

/// Postgres: a statement ran into `statement_timeout`.
const QUERY_CANCELED: &str = "57014";

/// Postgres: two transactions that can not both be made (`serialization_failure`, `deadlock_detected`). The one that is told may try
/// again.
const IN_EACH_OTHERS_WAY: [&str; 2] = ["40001", "40P01"];

/// The failure of a statement: the value that is taken, the deadline that passed, or the database's own words.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    if let Some(taken) = conflict(&error) {
        return Error::Taken(taken.to_owned());
    }
    match &error {
        sqlx::Error::Database(database) if database.code().as_deref() == Some(QUERY_CANCELED) => Error::Deadline,
        sqlx::Error::Database(database) if database.code().is_some_and(|code| IN_EACH_OTHERS_WAY.contains(&code.as_ref())) => {
            Error::Stale("the workspace".to_owned())
        }
        sqlx::Error::PoolTimedOut => Error::Store("no connection became free in time; try again, or allow more connections".to_owned()),
        _ => Error::Store(error.to_string()),
    }
}

/// What is taken, if a unique rule was broken.
fn conflict(error: &sqlx::Error) -> Option<&'static str> {
    let sqlx::Error::Database(database) = error else { return None };
    if !database.is_unique_violation() {
        return None;
    }
    let columns = database.message().rsplit(": ").next();
    let found = UNIQUE.iter().find(|(index, of, _)| database.constraint() == Some(index) || columns == Some(of));
    Some(found.map_or("a value that must be unique", |(_, _, what)| what))
}
