//! Roles.

use directory::{Error, Rule, change::NewRole, ids::RoleId, model::Version};

use super::{Versioned, Writer};
use crate::{
    exec::Row,
    put::{self, groups::Stamp},
    sql::sql,
};

/// Adds a role.
pub(super) async fn create(writer: &mut Writer, role: &NewRole) -> Result<(), Error> {
    put::roles::add(&mut writer.tx, writer.of, role, false, Stamp::new(writer.by, writer.now)).await
}

/// Writes a role as it shall be.
pub(super) async fn update(writer: &mut Writer, seen: Version, role: &NewRole) -> Result<(), Error> {
    writer.require_versions(Versioned::Roles, &[(role.id.0, seen)]).await?;
    writer.require_own(role.id).await?;
    put::roles::update(&mut writer.tx, writer.of, role, writer.now).await
}

const BUILT_IN: &str = "
select builtin
from roles
where workspace_id = {}
  and id = {}";

impl Writer {
    /// Requires that a role is the workspace's own.
    pub(super) async fn require_own(&mut self, role: RoleId) -> Result<(), Error> {
        let found = self.tx.fetch(sql!(BUILT_IN, self.of, role)).await?;
        if found.first().map(Row::only::<bool>).transpose()? == Some(false) {
            return Ok(());
        }
        let message = "the role is built in and never changes; make one of your own".to_owned();
        Err(Error::Broken { rule: Rule::BuiltIn, message })
    }
}
