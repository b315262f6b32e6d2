//! The recycle bin: what was deleted and can be restored.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, Enum, ID, SimpleObject};
use directory::{
    Error,
    access::{BinEntry, BinObject, Directory},
    change::DeleteMode,
    ids::UserId,
    limits::BIN_DAYS,
    model::{Timestamp, UserText},
};

use super::{
    connection::{Paging, cursors},
    level::Level,
    mutation::DeleteGroupMode,
    scalar::DateTime,
    user::{IntoId as _, UserNode},
};

/// The name of the list in its cursors.
const LIST: &str = "recycle-bin";
/// Microseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// What was deleted.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum RecycleBinKind {
    /// A user, for `restoreUser`.
    User,
    /// A group, for `restoreGroup`.
    Group,
    /// A role, for `restoreRole`.
    Role,
}

/// Something that was deleted and can be restored. It is shown to whoever could see it if it were still there.
#[derive(Clone, SimpleObject)]
pub(super) struct RecycleBinEntry {
    /// The id of what was deleted, for restoring it.
    id: ID,
    /// What was deleted.
    kind: RecycleBinKind,
    /// Its name; of a user the display name, or else the user name. Null where it is withheld.
    name: Option<String>,
    /// What became of what was in a group; null for users and roles.
    mode: Option<DeleteGroupMode>,
    /// When it was deleted.
    deleted_at: DateTime,
    /// When it will be gone for good.
    purged_at: DateTime,
    /// Who deleted it; null if that was no user, and where the viewer may not see the user.
    deleted_by: Option<UserNode>,
}

/// A page of the recycle bin, the latest deletion first.
#[derive(SimpleObject)]
pub(super) struct RecycleBinPage {
    /// The entries. There may be few of them, or none, although more follow: go on with `endCursor`.
    nodes: Vec<RecycleBinEntry>,
    /// Whether more may follow.
    has_next_page: bool,
    /// Where the next page begins, for `after`.
    end_cursor: Option<String>,
}

/// A page of what is in the recycle bin.
pub(super) async fn page(context: &Context<'_>, directory: &Arc<Directory>, paging: Paging) -> Result<RecycleBinPage, Error> {
    let (rows, after) = (paging.forward()?, paging.after.as_deref());
    let (cursors, workspace) = (cursors(context), directory.subject().workspace);
    let after = after.map(|cursor| cursors.open(workspace, LIST, cursor)).transpose()?;
    let page = directory.recycle_bin(rows, after.as_ref()).await?;
    let mut people: Vec<UserId> = page.entries.iter().filter_map(|entry| entry.by).collect();
    people.sort_unstable();
    people.dedup();
    let members = Level::members(directory, directory.users(&people).await?);
    let people: HashMap<UserId, UserNode> =
        people.into_iter().zip(members).filter_map(|(id, member)| Some((id, UserNode(member?)))).collect();
    Ok(RecycleBinPage {
        nodes: page.entries.iter().map(|entry| node(entry, entry.by.and_then(|by| people.get(&by).cloned()))).collect(),
        has_next_page: page.more,
        end_cursor: page.end.as_ref().map(|keyset| cursors.seal(workspace, LIST, keyset)),
    })
}

fn node(entry: &BinEntry, deleted_by: Option<UserNode>) -> RecycleBinEntry {
    let (id, kind, name) = match &entry.object {
        BinObject::User(user) => {
            let text = |which| user.text(which).shown().cloned().flatten();
            (user.id.into_id(), RecycleBinKind::User, text(UserText::DisplayName).or_else(|| text(UserText::UserName)))
        }
        BinObject::Group(group) => (group.id.into_id(), RecycleBinKind::Group, group.name.shown().cloned()),
        BinObject::Role(role) => (role.id.into_id(), RecycleBinKind::Role, role.name.shown().cloned()),
    };
    let mode = (kind == RecycleBinKind::Group).then_some(match entry.mode {
        DeleteMode::Empty => DeleteGroupMode::Refuse,
        DeleteMode::Lift => DeleteGroupMode::Lift,
        DeleteMode::Subtree => DeleteGroupMode::Subtree,
    });
    let purged_at = DateTime(Timestamp(entry.at.0 + BIN_DAYS * DAY));
    RecycleBinEntry { id, kind, name, mode, deleted_at: DateTime(entry.at), purged_at, deleted_by }
}
