//! Members of a group: added, removed, made managers.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    Plan, Planning,
    drafts::Member,
    targets::{Found, Problems, bulk, once},
};
use crate::access::{
    Directory,
    facts::{Deed, Planned, RowSet},
};
use crate::{
    Error, Refusal,
    change::{Change, NewMembership},
    ids::{GroupId, MembershipId, UserId},
    model::{Field, Group, Membership},
    register::Kind,
    store::IdSource,
};

/// Users become members of a group. Whoever is one already stays as they are.
#[derive(Clone, Debug)]
pub struct AddMembers {
    /// The group.
    pub group: GroupId,
    /// Whom.
    pub members: Vec<Member<UserId>>,
}

/// Users leave a group.
#[derive(Clone, Debug)]
pub struct RemoveMembers {
    /// The group.
    pub group: GroupId,
    /// Whom.
    pub users: Vec<UserId>,
}

/// Who of a group's members manages it, and who does not.
#[derive(Clone, Debug)]
pub struct SetManagers {
    /// The group.
    pub group: GroupId,
    /// Whom.
    pub members: Vec<Member<UserId>>,
}

impl Directory {
    /// See [`AddMembers`].
    pub(super) async fn plan_add_members(&self, asked: &AddMembers, ids: &mut dyn IdSource) -> Planning {
        bulk("members", asked.members.len())?;
        let mut problems = Problems::default();
        let at = |position: usize| format!("members.{position}");
        let users: Vec<UserId> = asked.members.iter().map(|member| member.id).collect();
        once(&mut problems, at, users.iter().copied());
        let group = self.seen_group(asked.group, "groupId").await?;
        let found = self.seen_users(&users, |position| format!("members.{position}.userId"), &mut problems).await?;
        let seen: HashSet<UserId> = found.rows.iter().map(|user| user.id).collect();
        let new = asked.members.iter().filter(|member| seen.contains(&member.id)).map(|member| NewMembership {
            id: MembershipId(ids.next_id()),
            user: member.id,
            group: group.id,
            manager: member.manager,
        });
        let new: Vec<NewMembership> = new.collect();
        // Whoever is a member already is asked about, too: otherwise a refusal would tell who is not.
        let mut refused = Problems::default();
        self.permit_memberships(&new, &Planned::default(), &|row| found.at("members", row), &mut refused).await?;
        problems.judged(refused)?;
        let known = self.memberships_in(group.id, &users, false).await?;
        let answer = new.iter().map(|edge| known.get(&edge.user).map_or(edge.id.0, |stored| stored.id.0)).collect();
        let new: Vec<NewMembership> = new.into_iter().filter(|edge| !known.contains_key(&edge.user)).collect();
        if new.is_empty() {
            return Ok(Plan::nothing(answer));
        }
        Ok(Plan::of(Change::AddMemberships(new), answer))
    }

    /// See [`RemoveMembers`].
    pub(super) async fn plan_remove_members(&self, asked: &RemoveMembers) -> Planning {
        let mut problems = Problems::default();
        let (group, found) = self.chosen_members(asked.group, &asked.users, "userIds", &mut problems).await?;
        let rows = &found.rows;
        let users = self.rows_of_users(rows.iter().map(|row| row.user), &Planned::default()).await?;
        let planned = Planned::default();
        let deed = Deed {
            rows: Some(RowSet::Memberships(rows)),
            fields: &[],
            after: None,
            parties: vec![("user", RowSet::Users(&users)), ("group", RowSet::Groups(std::slice::from_ref(&group)))],
            planned: &planned,
        };
        let mut refused = Problems::default();
        self.permit("membership.remove", Kind::Membership, &deed, |row| found.at("userIds", row), &mut refused).await?;
        problems.judged(refused)?;
        let removed = rows.iter().map(|row| row.id).collect();
        Ok(Plan::of(Change::RemoveMemberships(removed), asked.users.iter().map(|user| user.0).collect()))
    }

    /// See [`SetManagers`].
    pub(super) async fn plan_set_managers(&self, asked: &SetManagers) -> Planning {
        let mut problems = Problems::default();
        let users: Vec<UserId> = asked.members.iter().map(|member| member.id).collect();
        let (group, found) = self.chosen_members(asked.group, &users, "members", &mut problems).await?;
        let rows = &found.rows;
        let wanted: HashMap<UserId, bool> = asked.members.iter().map(|member| (member.id, member.manager)).collect();
        let manager = |row: &Membership| Field::Shown(wanted.get(&row.user).copied().unwrap_or_default());
        let after: Vec<Membership> = rows.iter().map(|row| Membership { manager: manager(row), ..row.clone() }).collect();
        let parties = self.rows_of_users(rows.iter().map(|row| row.user), &Planned::default()).await?;
        let (planned, fields) = (Planned::default(), vec!["manager".to_owned()]);
        let deed = Deed {
            rows: Some(RowSet::Memberships(rows)),
            fields: &fields,
            after: Some(RowSet::Memberships(&after)),
            parties: vec![("user", RowSet::Users(&parties)), ("group", RowSet::Groups(std::slice::from_ref(&group)))],
            planned: &planned,
        };
        let mut refused = Problems::default();
        self.permit("membership.update", Kind::Membership, &deed, |row| found.at("members", row), &mut refused).await?;
        problems.judged(refused)?;
        let answer: Vec<Uuid> = rows.iter().map(|row| row.id.0).collect();
        let changed = rows.iter().zip(&after).filter(|(before, after)| before.manager != after.manager);
        let changed: Vec<(MembershipId, bool)> = changed.map(|(_, after)| (after.id, after.manager == Field::Shown(true))).collect();
        if changed.is_empty() {
            return Ok(Plan::nothing(answer));
        }
        Ok(Plan::of(Change::SetManagers(changed), answer))
    }

    /// The memberships of these users in a group, of those that are seen with both their ends.
    async fn chosen_members(
        &self,
        group: GroupId,
        users: &[UserId],
        list: &str,
        problems: &mut Problems,
    ) -> Result<(Group, Found<Membership>), Refusal> {
        bulk(list, users.len())?;
        let at = |position: usize| format!("{list}.{position}");
        once(problems, at, users.iter().copied());
        let group = self.seen_group(group, "groupId").await?;
        let raw: Vec<Uuid> = users.iter().map(|user| user.0).collect();
        let seen = self.targets::<crate::model::User>(&raw).await?;
        let known = self.memberships_in(group.id, users, true).await?;
        let mut found = Found::default();
        for (position, (user, row)) in users.iter().zip(seen).enumerate() {
            match row.and_then(|row| known.get(&row.id)) {
                Some(membership) => found.push(position, membership.clone()),
                None => problems.add(&at(position), Error::NotFound(format!("a membership of user `{user}` in the group"))),
            }
        }
        Ok((group, found))
    }
}
