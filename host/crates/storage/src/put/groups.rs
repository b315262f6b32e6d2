//! Groups.

use directory::{
    Error,
    ids::{GroupId, UserId, WorkspaceId},
    model::Timestamp,
};
use uuid::Uuid;

use super::{Attributes, insert, words};
use crate::{
    batch::{Batch, Of},
    exec::Tx,
    keys::{key, long_key},
    sql::{among, sql},
};

/// A group as it shall be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) key: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) parent: Option<GroupId>,
    pub(crate) depth: i64,
    pub(crate) attributes: Attributes,
}

/// What a row has beside the group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) created_by: Option<UserId>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) version: i64,
}

impl Stamp {
    /// Of what is new.
    pub(crate) const fn new(by: Option<UserId>, now: Timestamp) -> Self {
        Self { created_by: by, created_at: now, updated_at: now, version: 1 }
    }
}

const INSERT: &str = "
insert into groups (
  workspace_id, id, parent_id, depth, key, name, description, key_key, name_key, description_key, attributes,
  created_by, created_at, updated_at, version
)
{}";

/// Adds groups, parents before children, with their words and attributes. The closure is not touched.
///
/// # Errors
/// [`Error::Taken`] for a key, or a name among siblings, that is taken.
pub(crate) async fn add<'a>(tx: &mut Tx, of: WorkspaceId, groups: impl Iterator<Item = (&'a Group, Stamp)> + Clone) -> Result<(), Error> {
    let (ids, text, number) = (Of::Ids, Of::Texts, Of::Integers);
    let mut batch = Batch::new(&[ids, ids, ids, number, text, text, text, text, text, text, text, ids, number, number, number]);
    for (group, stamp) in groups.clone() {
        batch.push([
            of.0.into(),
            group.id.0.into(),
            group.parent.map(|id| id.0).into(),
            group.depth.into(),
            group.key.as_str().into(),
            group.name.as_str().into(),
            group.description.clone().into(),
            key(Some(&group.key)).into(),
            key(Some(&group.name)).into(),
            long_key(group.description.as_deref()).into(),
            group.attributes.json().into(),
            stamp.created_by.map(|id| id.0).into(),
            stamp.created_at.0.into(),
            stamp.updated_at.0.into(),
            stamp.version.into(),
        ]);
    }
    insert(tx, INSERT, batch).await?;
    index(tx, of, groups.map(|(group, _)| group)).await
}

const UPDATE: &str = "
update groups
set parent_id = {},
  depth = {},
  name = {},
  description = {},
  name_key = {},
  description_key = {},
  attributes = {},
  updated_at = {},
  version = version + 1
where workspace_id = {}
  and id = {}";

/// Writes a group as it shall be; its key stays.
///
/// # Errors
/// [`Error::Taken`] for a name that a sibling has.
pub(crate) async fn update(tx: &mut Tx, of: WorkspaceId, group: &Group, now: Timestamp) -> Result<(), Error> {
    let update = sql!(
        UPDATE,
        group.parent.map(|id| id.0),
        group.depth,
        group.name.clone(),
        group.description.clone(),
        key(Some(&group.name)),
        long_key(group.description.as_deref()),
        group.attributes.json(),
        now,
        of,
        group.id,
    );
    tx.execute(update).await?;
    unindex(tx, of, [group.id.0]).await?;
    index(tx, of, std::iter::once(group)).await
}

const DELETE_ATTRIBUTES: &str = "
delete from group_attributes
where workspace_id = {}
  and group_id {}";

const DELETE_WORDS: &str = "
delete from group_words
where workspace_id = {}
  and group_id {}";

/// Forgets the words and compared attributes of groups.
pub(crate) async fn unindex(tx: &mut Tx, of: WorkspaceId, groups: impl IntoIterator<Item = Uuid> + Clone) -> Result<(), Error> {
    tx.execute(sql!(DELETE_ATTRIBUTES, of, among(groups.clone()))).await?;
    tx.execute(sql!(DELETE_WORDS, of, among(groups))).await?;
    Ok(())
}

const INSERT_ATTRIBUTES: &str = "
insert into group_attributes (workspace_id, name, value_key, group_id)
{}";

const INSERT_WORDS: &str = "
insert into group_words (workspace_id, word, group_id, fields)
{}";

/// Writes the words and compared attributes of groups who have none yet.
pub(crate) async fn index<'a>(tx: &mut Tx, of: WorkspaceId, groups: impl Iterator<Item = &'a Group>) -> Result<(), Error> {
    let mut attributes = Batch::new(&[Of::Ids, Of::Texts, Of::Texts, Of::Ids]);
    let mut found = Batch::new(&[Of::Ids, Of::Texts, Of::Ids, Of::Integers]);
    for group in groups {
        for (name, value) in group.attributes.keys() {
            attributes.push([of.0.into(), name.into(), value.into(), group.id.0.into()]);
        }
        for (word, fields) in words([Some(group.key.as_str()), Some(group.name.as_str()), group.description.as_deref()]) {
            found.push([of.0.into(), word.into(), group.id.0.into(), fields.into()]);
        }
    }
    insert(tx, INSERT_ATTRIBUTES, attributes).await?;
    insert(tx, INSERT_WORDS, found).await?;
    Ok(())
}
