//! The workspace's own row.

use directory::{Error, change::CodeRules, model::Version};

use super::Writer;
use crate::sql::sql;

const UPDATE: &str = "
update workspaces
set name = {},
  updated_at = {},
  version = version + 1
where id = {}
  and version = {}";

/// Writes the workspace's name.
pub(super) async fn update(writer: &mut Writer, seen: Version, name: String) -> Result<(), Error> {
    let written = writer.tx.execute(sql!(UPDATE, name, writer.now, writer.of, seen.0)).await?;
    if written == 0 { Err(super::stale()) } else { Ok(()) }
}

const SET_CODE_RULES: &str = "
update workspaces
set code_min_length = {},
  code_max_length = {},
  code_rule = {},
  updated_at = {},
  version = version + 1
where id = {}
  and version = {}";

/// Writes the rules for user codes. Codes that are there stay as they are.
pub(super) async fn set_code_rules(writer: &mut Writer, seen: Version, rules: CodeRules) -> Result<(), Error> {
    let (least, most) = (i64::from(rules.min_length), i64::from(rules.max_length));
    let update = sql!(SET_CODE_RULES, least, most, rules.rule.name().to_owned(), writer.now, writer.of, seen.0);
    if writer.tx.execute(update).await? == 0 { Err(super::stale()) } else { Ok(()) }
}

const SET_QUOTA: &str = "
update workspaces
set user_quota = {},
  updated_at = {},
  version = version + 1
where id = {}";

/// Sets how many users the workspace may have. Those that it has stay.
pub(super) async fn set_quota(writer: &mut Writer, quota: Option<u64>) -> Result<(), Error> {
    let quota = quota.map(|quota| i64::try_from(quota).unwrap_or(i64::MAX));
    writer.tx.execute(sql!(SET_QUOTA, quota, writer.now, writer.of)).await.map(drop)
}
