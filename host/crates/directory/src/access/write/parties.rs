//! What decisions about edges to be are shown: the edges, and the users, groups and roles that they would join.

use std::collections::HashMap;

use uuid::Uuid;

use super::targets::{Problems, refused};
use crate::access::{
    Directory, Sealed,
    facts::{Deed, Planned, RowSet},
};
use crate::{
    Error, Refusal,
    change::{NewGrant, NewMembership},
    ids::{GroupId, RoleId, UserId},
    limits::CHECK_ROWS,
    model::{Field, Grant, Group, Membership, Role, User},
    register::Kind,
    store::RoleFact,
    text::fold,
};

impl Directory {
    /// Roles as stored, whoever sees them: facts for a decision.
    pub(super) async fn stored_roles(&self, ids: &[Uuid]) -> Result<Vec<Role>, Error> {
        let ids: Vec<RoleId> = ids.iter().copied().map(RoleId).collect();
        let rows = self.snapshot.lock().await.roles_by_id(&ids).await?;
        Ok(rows.into_iter().map(Sealed::open).collect())
    }

    /// Asks the policy about memberships to be, as many at a time as one call takes.
    pub(super) async fn permit_memberships(
        &self,
        new: &[NewMembership],
        planned: &Planned,
        at: &(dyn Fn(usize) -> String + Sync),
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        for (chunk, new) in new.chunks(CHECK_ROWS).enumerate() {
            self.permit_some_memberships(new, planned, &|position| at(chunk * CHECK_ROWS + position), problems).await?;
        }
        Ok(())
    }

    async fn permit_some_memberships(
        &self,
        new: &[NewMembership],
        planned: &Planned,
        at: &(dyn Fn(usize) -> String + Sync),
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        let after: Vec<Membership> = new.iter().map(|edge| self.membership_to_be(edge)).collect();
        let users = self.rows_of_users(new.iter().map(|edge| edge.user), planned).await?;
        let groups = self.rows_of_groups(new.iter().map(|edge| edge.group).collect(), planned).await?;
        let fields: Vec<String> = if new.iter().any(|edge| edge.manager) { vec!["manager".to_owned()] } else { Vec::new() };
        let parties = vec![("user", RowSet::Users(&users)), ("group", RowSet::Groups(&groups))];
        let deed = Deed { rows: None, fields: &fields, after: Some(RowSet::Memberships(&after)), parties, planned };
        let decisions = self.decide_deed("membership.add", Kind::Membership, &deed).await?;
        for (position, (decision, edge)) in decisions.iter().zip(new).enumerate() {
            let own = if edge.manager { fields.as_slice() } else { &[] };
            if let Some(error) = refused("membership.add", decision, own) {
                problems.add(&at(position), error);
            }
        }
        Ok(())
    }

    fn membership_to_be(&self, edge: &NewMembership) -> Membership {
        Membership {
            id: edge.id,
            user: edge.user,
            group: edge.group,
            manager: Field::Shown(edge.manager),
            created_by: self.subject.user(),
            created_at: self.now,
            withheld: Vec::new(),
        }
    }

    /// Asks the policy about grants to be, as many at a time as one call takes.
    pub(super) async fn permit_grants(
        &self,
        new: &[NewGrant],
        roles: &HashMap<RoleId, Role>,
        planned: &Planned,
        at: &(dyn Fn(usize) -> String + Sync),
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        for (chunk, new) in new.chunks(CHECK_ROWS).enumerate() {
            self.permit_some_grants(new, roles, planned, &|position| at(chunk * CHECK_ROWS + position), problems).await?;
        }
        Ok(())
    }

    async fn permit_some_grants(
        &self,
        new: &[NewGrant],
        roles: &HashMap<RoleId, Role>,
        planned: &Planned,
        at: &(dyn Fn(usize) -> String + Sync),
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        let after: Vec<Grant> = new.iter().map(|grant| self.grant_to_be(grant)).collect();
        let users = self.rows_of_users(new.iter().map(|grant| grant.user), planned).await?;
        let granted: Vec<Role> = new.iter().filter_map(|grant| roles.get(&grant.role).cloned()).collect();
        let within = new.iter().map(|grant| grant.within.unwrap_or(Group::top().id)).collect();
        let within = self.rows_of_groups(within, planned).await?;
        let mut parties = vec![("user", RowSet::Users(&users)), ("role", RowSet::Roles(&granted))];
        if new.iter().any(|grant| grant.within.is_some()) {
            parties.push(("within", RowSet::Groups(&within)));
        }
        let deed = Deed { rows: None, fields: &[], after: Some(RowSet::Grants(&after)), parties, planned };
        self.permit("grant.add", Kind::Grant, &deed, at, problems).await?;
        Ok(())
    }

    fn grant_to_be(&self, grant: &NewGrant) -> Grant {
        Grant {
            id: grant.id,
            user: grant.user,
            role: grant.role,
            within: grant.within,
            provenance: Field::Shown(grant.provenance),
            granted_by: Field::Shown(self.subject.user()),
            granted_at: self.now,
            withheld: Vec::new(),
        }
    }

    /// Users as parties: those that are planned, and those that are stored.
    pub(super) async fn rows_of_users(&self, ids: impl Iterator<Item = UserId>, planned: &Planned) -> Result<Vec<User>, Error> {
        let ids: Vec<UserId> = ids.collect();
        let mut stored: Vec<UserId> = ids.iter().filter(|id| !planned.users.contains_key(id)).copied().collect();
        stored.sort_unstable();
        stored.dedup();
        let rows = self.snapshot.lock().await.users_by_id(&stored).await?;
        let rows: HashMap<UserId, User> = rows.into_iter().map(Sealed::open).map(|row| (row.id, row)).collect();
        let find = |id: &UserId| planned.users.get(id).map(|(row, ..)| row.clone()).or_else(|| rows.get(id).cloned());
        Ok(ids.iter().filter_map(find).collect())
    }

    /// Groups as parties: those that are planned, those that are stored, and what stands for the top group.
    pub(super) async fn rows_of_groups(&self, ids: Vec<GroupId>, planned: &Planned) -> Result<Vec<Group>, Error> {
        let mut stored: Vec<GroupId> = ids.iter().filter(|id| **id != Group::top().id).copied().collect();
        stored.sort_unstable();
        stored.dedup();
        let rows = self.snapshot.lock().await.groups_by_id(&stored).await?;
        let rows: HashMap<GroupId, Group> = rows.into_iter().map(Sealed::open).map(|row| (row.id, row)).collect();
        Ok(ids.into_iter().map(|id| rows.get(&id).cloned().unwrap_or_else(|| planned.group(id))).collect())
    }
}

/// The facts of a role.
pub(in crate::access) fn role_fact(role: &Role) -> RoleFact {
    RoleFact {
        id: role.id,
        key: role.key.shown().map(|key| fold(key)).unwrap_or_default(),
        permissions: role.permissions.shown().cloned().unwrap_or_default(),
    }
}
