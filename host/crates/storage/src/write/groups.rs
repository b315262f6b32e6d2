//! Groups: created, changed, moved.

use directory::{
    Error, Rule,
    change::{GroupAfter, NewGroup},
    ids::GroupId,
    limits::{GROUP_DEPTH, SUBTREE_GROUPS},
    model::Version,
};

use super::{
    Versioned, Writer,
    closure::{self, Above},
    effective::{self, deferred},
};
use crate::{
    exec::Row,
    put::{
        self, Attributes,
        groups::{Group, Stamp},
    },
    sql::sql,
};

const DEPTH: &str = "
select depth
from groups
where workspace_id = {}
  and id = {}";

impl Writer {
    /// Levels down to a group, itself included; 0 for the top.
    pub(super) async fn depth(&mut self, group: Option<GroupId>) -> Result<i64, Error> {
        let Some(group) = group else { return Ok(0) };
        let found = self.tx.fetch(sql!(DEPTH, self.of, group)).await?;
        found.first().map(Row::only).transpose()?.ok_or_else(|| Error::NotFound(format!("group `{group}`")))
    }
}

/// Refuses a tree that is too deep.
pub(super) fn check_depth(depth: i64) -> Result<(), Error> {
    if depth <= GROUP_DEPTH as i64 {
        return Ok(());
    }
    Err(Error::Broken {
        rule: Rule::TooDeep,
        message: format!("the tree would have {depth} levels, and may have {GROUP_DEPTH}; choose a place further up"),
    })
}

/// Adds a group.
pub(super) async fn create(writer: &mut Writer, group: NewGroup) -> Result<(), Error> {
    let depth = writer.depth(group.parent).await? + 1;
    check_depth(depth)?;
    let stamp = Stamp::new(writer.by, writer.now);
    let NewGroup { id, parent, key, name, description, attributes } = group;
    let group = Group { id, key, name, description, parent, depth, attributes: Attributes(attributes) };
    put::groups::add(&mut writer.tx, writer.of, std::iter::once((&group, stamp))).await?;
    closure::add(&mut writer.tx, writer.of, [id.0]).await
}

const PLACE: &str = "
select parent_id, depth, key
from groups
where workspace_id = {}
  and id = {}";

/// Writes a group's own fields.
pub(super) async fn update(writer: &mut Writer, after: GroupAfter) -> Result<(), Error> {
    let GroupAfter { id, seen, name, description, attributes, .. } = after;
    writer.require_versions(Versioned::Groups, &[(id.0, seen)]).await?;
    let found = writer.tx.fetch(sql!(PLACE, writer.of, id)).await?;
    let Some(row) = found.first() else { return Err(super::stale()) };
    let mut columns = row.columns();
    let parent = crate::rows::optional(&mut columns)?.map(GroupId);
    let (depth, key) = (columns.take()?, columns.take()?);
    let group = Group { id, key, name, description, parent, depth, attributes: Attributes(attributes) };
    put::groups::update(&mut writer.tx, writer.of, &group, writer.now).await
}

const SET_PARENT: &str = "
update groups
set parent_id = {},
  updated_at = {},
  version = version + 1
where workspace_id = {}
  and id = {}";

const SINK: &str = "
update groups
set depth = depth + {}
where workspace_id = {}
  and id in (
    select c.group_id
    from group_closure c
    where c.workspace_id = {}
      and c.ancestor_id = {}
  )";

/// Hangs a group below another.
pub(super) async fn move_to(writer: &mut Writer, group: GroupId, seen: Version, to: Option<GroupId>) -> Result<(), Error> {
    writer.require_versions(Versioned::Groups, &[(group.0, seen)]).await?;
    hang(writer, group, to, Some(writer.defer_above)).await
}

/// The same, for a group whose version does not matter, among other changes.
pub(super) async fn rehang(writer: &mut Writer, group: GroupId, to: Option<GroupId>) -> Result<(), Error> {
    hang(writer, group, to, None).await
}

/// The same. If more rows of effective memberships change than `most`, they are counted afterwards.
async fn hang(writer: &mut Writer, group: GroupId, to: Option<GroupId>, most: Option<i64>) -> Result<(), Error> {
    let (of, now) = (writer.of, writer.now);
    let below = closure::below(&mut writer.tx, of, group, SUBTREE_GROUPS + 1).await?;
    if below.len() > SUBTREE_GROUPS {
        return Err(Error::TooLarge(format!("more than {SUBTREE_GROUPS} groups would move at once; move parts of them")));
    }
    if to.is_some_and(|to| below.iter().any(|(id, _)| *id == to)) {
        return Err(Error::Broken { rule: Rule::Cycle, message: "the group would be below itself; choose another parent".to_owned() });
    }
    let (from, depth) = (writer.depth(Some(group)).await?, writer.depth(to).await? + 1);
    let height = below.iter().map(|(_, distance)| *distance).max().unwrap_or_default();
    check_depth(depth + height)?;
    let before = closure::above(&mut writer.tx, of, group).await?;
    let mut after = match to {
        Some(to) => closure::above(&mut writer.tx, of, to).await?,
        None => Vec::new(),
    };
    after.extend(to);
    let leaving: Vec<GroupId> = before.iter().filter(|id| !after.contains(id)).copied().collect();
    let joining: Vec<GroupId> = after.iter().filter(|id| !before.contains(id)).copied().collect();
    writer.tx.execute(sql!(SET_PARENT, to.map(|id| id.0), now, of, group)).await?;
    if depth != from {
        writer.tx.execute(sql!(SINK, depth - from, of, of, group)).await?;
    }
    if is_large(writer, group, leaving.len() + joining.len(), most).await? {
        deferred::note(writer, group, &leaving, &joining).await?;
    } else {
        effective::leave(writer, group, &leaving).await?;
        effective::join(writer, group, &joining).await?;
    }
    let staying = before.into_iter().filter(|id| after.contains(id)).collect();
    let above = Above { leaving, staying: (staying, depth - from), joining, parent: to };
    closure::rehang(&mut writer.tx, of, group, &above).await
}

/// Whether more than `most` rows change where everybody in or below a group is counted in or out of so many groups.
async fn is_large(writer: &mut Writer, group: GroupId, groups: usize, most: Option<i64>) -> Result<bool, Error> {
    let groups = i64::try_from(groups).unwrap_or(i64::MAX);
    let Some(fit) = most.and_then(|most| most.checked_div(groups)) else { return Ok(false) };
    // Rows of the group itself may be among those that an earlier move has left for later.
    deferred::finish(writer).await?;
    Ok(effective::size(writer, group, fit + 1).await? > fit)
}
