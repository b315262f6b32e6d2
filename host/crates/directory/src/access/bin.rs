//! The recycle bin as a list: what the subject could see if it were still there, the latest deletion first.

use std::collections::{HashMap, HashSet};

use super::{
    Directory, Sealed, Visible,
    facts::{Facts, Planned, RowSet},
};
use crate::{
    Error,
    change::DeleteMode,
    ids::{DeletionId, GroupId, RoleId, UserId},
    limits::{CHECK_ROWS, SCAN_ROWS},
    model::{Deleted, Deletion, Field, Group, Role, Status, Timestamp, User},
    query::Keyset,
    register::Kind,
    store::Snapshot,
};

/// What was deleted, as it was.
#[derive(Clone, Debug)]
pub enum BinObject {
    /// A user.
    User(Visible<User>),
    /// A group.
    Group(Visible<Group>),
    /// A role.
    Role(Visible<Role>),
}

/// Something that can be restored.
#[derive(Clone, Debug)]
pub struct BinEntry {
    /// What was deleted, as it was.
    pub object: BinObject,
    /// What became of what was in a group.
    pub mode: DeleteMode,
    /// When it was deleted.
    pub at: Timestamp,
    /// Who deleted it, if a user did.
    pub by: Option<UserId>,
    /// Its position.
    pub keyset: Keyset,
}

/// A page of the recycle bin.
#[derive(Clone, Debug, Default)]
pub struct BinPage {
    /// The latest first.
    pub entries: Vec<BinEntry>,
    /// Whether there may be more.
    pub more: bool,
    /// Where the next page begins: behind the last entry, or behind the last deletion that was looked at.
    pub end: Option<Keyset>,
}

impl Directory {
    /// A page of what is in the recycle bin. What was deleted together with a group above it is not an entry of its own.
    ///
    /// At most [`SCAN_ROWS`] deletions are looked at: a page of hidden ones may be short, and [`BinPage::more`] says so.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a position that is none; those of policy and store.
    pub async fn recycle_bin(&self, rows: usize, after: Option<&Keyset>) -> Result<BinPage, Error> {
        let mut page = BinPage { end: after.cloned(), ..BinPage::default() };
        let mut scanned = 0;
        loop {
            let behind = page.end.as_ref().map(position).transpose()?;
            let deletions: Vec<Deletion> =
                self.snapshot.lock().await.deletions(behind, CHECK_ROWS).await?.into_iter().map(Sealed::open).collect();
            let (looked, last) = (deletions.len(), deletions.last().map(keyset));
            for entry in self.entries(deletions).await? {
                if page.entries.len() == rows {
                    page.more = true;
                    return Ok(page);
                }
                page.end = Some(entry.keyset.clone());
                page.entries.push(entry);
            }
            if looked < CHECK_ROWS {
                return Ok(page);
            }
            page.end = last;
            scanned += looked;
            if scanned >= SCAN_ROWS {
                page.more = true;
                return Ok(page);
            }
        }
    }

    /// What the subject sees of these deletions, in order.
    async fn entries(&self, deletions: Vec<Deletion>) -> Result<Vec<BinEntry>, Error> {
        let of = |pick: fn(&Deleted) -> Option<uuid::Uuid>| deletions.iter().filter_map(|deletion| pick(&deletion.of)).collect::<Vec<_>>();
        let users = of(|of| if let Deleted::User(id) = of { Some(id.0) } else { None });
        let groups = of(|of| if let Deleted::Group(id) = of { Some(id.0) } else { None });
        let roles = of(|of| if let Deleted::Role(id) = of { Some(id.0) } else { None });
        let mut seen: HashMap<uuid::Uuid, BinObject> = HashMap::with_capacity(deletions.len());
        let users: Vec<UserId> = users.into_iter().map(UserId).collect();
        let (users, planned) = self.binned_users(&users).await?;
        for user in self.open_imagined(users, &planned).await?.into_iter().flatten() {
            seen.insert(user.id.0, BinObject::User(user));
        }
        let groups: Vec<GroupId> = groups.into_iter().map(GroupId).collect();
        for group in self.binned_groups(&groups).await? {
            seen.insert(group.id.0, BinObject::Group(group));
        }
        let roles: Vec<RoleId> = roles.into_iter().map(RoleId).collect();
        for role in self.binned_roles(&roles).await? {
            seen.insert(role.id.0, BinObject::Role(role));
        }
        let entry = |deletion: Deletion| {
            let object = seen.remove(&deletion.of.id())?;
            Some(BinEntry { object, mode: deletion.mode, at: deletion.at, by: deletion.by, keyset: keyset(&deletion) })
        };
        Ok(deletions.into_iter().filter_map(entry).collect())
    }

    /// Those of these users that are in the recycle bin, with the groups and roles that they would have again.
    ///
    /// By these they are decided: without them, whoever is limited to a subtree would lose sight of the users that it removed there.
    pub(super) async fn binned_users(&self, ids: &[UserId]) -> Result<(Vec<User>, Planned), Error> {
        let mut planned = Planned::default();
        if ids.is_empty() {
            return Ok((Vec::new(), planned));
        }
        let mut snapshot = self.snapshot.lock().await;
        let rows = snapshot.users_by_id(ids).await?.into_iter().map(Sealed::open);
        let rows: Vec<User> = rows.filter(|row: &User| row.status == Field::Shown(Status::Deleted)).collect();
        planned.users = rows.iter().map(|row| (row.id, (row.clone(), Vec::new(), Vec::new()))).collect();
        for binned in snapshot.binned_users(ids).await?.into_iter().map(Sealed::open) {
            if let Some((_, groups, roles)) = planned.users.get_mut(&binned.user) {
                (*groups, *roles) = (binned.groups, binned.roles);
            }
        }
        Ok((rows, planned))
    }

    /// One of them, as stored, if the subject could see it.
    pub(super) async fn binned_user(&self, id: UserId) -> Result<Option<User>, Error> {
        let (rows, planned) = self.binned_users(&[id]).await?;
        let facts = Facts::Imagined(RowSet::Users(&rows), &planned);
        let decisions = self.decide_facts(&Kind::User.read(), Kind::User, &facts, rows.len()).await?;
        Ok(rows.into_iter().zip(decisions).find(|(_, decision)| decision.allows()).map(|(row, _)| row))
    }

    /// Deleted groups in the places that they had; what was at a parent that is gone is on the first level.
    async fn binned_groups(&self, ids: &[GroupId]) -> Result<Vec<Visible<Group>>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut snapshot = self.snapshot.lock().await;
        let mut rows: Vec<Group> = snapshot.binned_groups(ids).await?.into_iter().map(Sealed::open).collect();
        live_parents(snapshot.as_mut(), &mut rows).await?;
        drop(snapshot);
        let planned = Planned { groups: rows.clone(), ..Planned::default() };
        Ok(self.open_imagined(rows, &planned).await?.into_iter().flatten().collect())
    }

    async fn binned_roles(&self, ids: &[RoleId]) -> Result<Vec<Visible<Role>>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<Role> = self.snapshot.lock().await.binned_roles(ids).await?.into_iter().map(Sealed::open).collect();
        let planned = Planned { roles: rows.iter().map(super::write::role_fact).collect(), ..Planned::default() };
        Ok(self.open_imagined(rows, &planned).await?.into_iter().flatten().collect())
    }
}

/// Forgets the parents that are not there any more.
async fn live_parents(snapshot: &mut dyn Snapshot, rows: &mut [Group]) -> Result<(), Error> {
    let mut parents: Vec<GroupId> = rows.iter().filter_map(|row| row.parent).collect();
    parents.sort_unstable();
    parents.dedup();
    let live: HashSet<GroupId> = snapshot.groups_by_id(&parents).await?.into_iter().map(|row| row.open().id).collect();
    for row in rows {
        row.parent = row.parent.filter(|parent| live.contains(parent));
    }
    Ok(())
}

/// Instants have at most 19 digits, and are written so that they sort as they follow each other.
fn keyset(deletion: &Deletion) -> Keyset {
    Keyset { key: format!("{:020}", deletion.at.0), id: deletion.id.0 }
}

fn position(keyset: &Keyset) -> Result<(Timestamp, DeletionId), Error> {
    let at = keyset.key.parse().map_err(|_| Error::Invalid("that is no position in the recycle bin; start without one".to_owned()))?;
    Ok((Timestamp(at), DeletionId(keyset.id)))
}
