//! Grants: added, removed, replaced.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    Plan, Planning,
    targets::{Found, Problems, bulk, once},
};
use crate::access::{
    Directory,
    facts::{Deed, Planned, RowSet},
    list::Ask,
};
use crate::{
    Error, Problem, Refusal, Rule,
    change::{Change, NewGrant},
    ids::{GrantId, GroupId, RoleId, UserId},
    limits::LEVEL_ROWS,
    model::{Field, Grant, Group, Provenance, Role},
    query::{Order, Window},
    register::Kind,
    store::{AmongGrants, IdSource},
};

/// New grants. Those that there are already stay as they are.
#[derive(Clone, Debug)]
pub struct AddGrants {
    /// One or more, all or none.
    pub grants: Vec<GrantDraft>,
}

/// A grant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantDraft {
    /// Who.
    pub user: UserId,
    /// Which role.
    pub role: RoleId,
    /// The group to whose subtree it is limited; `None` for the whole workspace.
    pub within: Option<GroupId>,
}

/// Grants end.
#[derive(Clone, Debug)]
pub struct RemoveGrants {
    /// Which.
    pub grants: Vec<GrantId>,
}

/// The grants of a user, as far as the caller sees them, become these.
#[derive(Clone, Debug)]
pub struct ReplaceGrants {
    /// Whose.
    pub user: UserId,
    /// The version of the user's grants that the caller has seen.
    pub expected: String,
    /// Roles, and the group to whose subtree each is limited.
    pub grants: Vec<(RoleId, Option<GroupId>)>,
}

/// The version of a set of grants: the same for the same grants, whoever sees them, and different for any other.
///
/// Grants never change, they come and go; so how many there are and all of their ids together tell sets apart.
#[must_use]
pub fn grants_version(grants: impl Iterator<Item = GrantId>) -> String {
    let (count, all) = grants.fold((0_u32, 0_u128), |(count, all), id| (count + 1, all ^ id.0.as_u128()));
    format!("{count}-{all:032x}")
}

impl Directory {
    /// See [`AddGrants`].
    pub(super) async fn plan_add_grants(&self, asked: &AddGrants, ids: &mut dyn IdSource) -> Planning {
        bulk("grants", asked.grants.len())?;
        let mut problems = Problems::default();
        let (found, roles) = self.check_grants(&asked.grants, "grants", ids, &mut problems).await?;
        let new = &found.rows;
        let mut refused = Problems::default();
        self.permit_grants(new, &roles, &Planned::default(), &|row| found.at("grants", row), &mut refused).await?;
        problems.judged(refused)?;
        let mut users: Vec<UserId> = new.iter().map(|grant| grant.user).collect();
        users.sort_unstable();
        users.dedup();
        let stored: HashMap<_, GrantId> =
            self.grants_of(&users).await?.into_iter().map(|old| ((old.user, old.role, old.within), old.id)).collect();
        let known = |grant: &NewGrant| stored.get(&(grant.user, grant.role, grant.within));
        let answer = new.iter().map(|grant| known(grant).map_or(grant.id.0, |stored| stored.0)).collect();
        let new: Vec<NewGrant> = new.iter().filter(|grant| known(grant).is_none()).copied().collect();
        if new.is_empty() {
            return Ok(Plan::nothing(answer));
        }
        Ok(Plan::of(Change::AddGrants(new), answer))
    }

    /// The grants to be, of those whose every end is seen, with their roles.
    async fn check_grants(
        &self,
        drafts: &[GrantDraft],
        list: &str,
        ids: &mut dyn IdSource,
        problems: &mut Problems,
    ) -> Result<(Found<NewGrant>, HashMap<RoleId, Role>), Refusal> {
        let users: Vec<UserId> = drafts.iter().map(|draft| draft.user).collect();
        let users = self.seen_users(&users, |position| format!("{list}.{position}.userId"), problems).await?;
        let users: HashSet<UserId> = users.rows.iter().map(|user| user.id).collect();
        let roles: Vec<_> = drafts.iter().enumerate().map(|(at, draft)| (draft.role, format!("{list}.{at}.roleId"))).collect();
        let roles = self.seen_roles(&roles, problems).await?;
        let groups = drafts.iter().enumerate().filter_map(|(at, draft)| Some((draft.within?, format!("{list}.{at}.withinId"))));
        let groups = self.seen_groups(&groups.collect::<Vec<_>>(), problems).await?;
        let mut new = Found::default();
        for (position, draft) in drafts.iter().enumerate() {
            let GrantDraft { user, role, within } = *draft;
            if drafts.iter().take(position).any(|before| before == draft) {
                problems.add(&format!("{list}.{position}"), Error::Invalid("the grant stands twice; leave one out".to_owned()));
            }
            if users.contains(&user) && roles.contains_key(&role) && within.is_none_or(|group| groups.contains_key(&group)) {
                new.push(position, NewGrant { id: GrantId(ids.next_id()), user, role, within, provenance: Provenance::Manual });
            }
        }
        Ok((new, roles))
    }

    /// See [`RemoveGrants`].
    pub(super) async fn plan_remove_grants(&self, asked: &RemoveGrants) -> Planning {
        bulk("grantIds", asked.grants.len())?;
        let mut problems = Problems::default();
        let at = |position: usize| format!("grantIds.{position}");
        once(&mut problems, at, asked.grants.iter().copied());
        let raw: Vec<Uuid> = asked.grants.iter().map(|id| id.0).collect();
        let rows = self.targets::<Grant>(&raw).await?;
        let users: Vec<Uuid> = rows.iter().map(|row| row.as_ref().map_or(Uuid::nil(), |row| row.user.0)).collect();
        let users = self.targets::<crate::model::User>(&users).await?;
        let roles: Vec<Uuid> = rows.iter().map(|row| row.as_ref().map_or(Uuid::nil(), |row| row.role.0)).collect();
        let roles = self.targets::<Role>(&roles).await?;
        let mut found = Found::default();
        for (position, (id, row)) in asked.grants.iter().zip(rows).enumerate() {
            let ends = users.get(position).is_some_and(Option::is_some) && roles.get(position).is_some_and(Option::is_some);
            match row.filter(|_| ends) {
                Some(row) => found.push(position, row),
                None => problems.add(&at(position), Error::NotFound(format!("grant `{id}`"))),
            }
        }
        let mut refused = Problems::default();
        self.permit_removal(&found.rows, &|row| found.at("grantIds", row), &mut problems, &mut refused).await?;
        problems.judged(refused)?;
        Ok(Plan::of(Change::RemoveGrants(asked.grants.clone()), raw))
    }

    /// Asks the policy about grants that shall end, and notes a problem where somebody would end their own administration.
    async fn permit_removal(
        &self,
        rows: &[Grant],
        at: &(dyn Fn(usize) -> String + Sync),
        problems: &mut Problems,
        refused: &mut Problems,
    ) -> Result<(), Refusal> {
        if rows.is_empty() {
            return Ok(());
        }
        let planned = Planned::default();
        let users = self.rows_of_users(rows.iter().map(|row| row.user), &planned).await?;
        let mut ids: Vec<Uuid> = rows.iter().map(|row| row.role.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let roles: HashMap<RoleId, Role> = self.stored_roles(&ids).await?.into_iter().map(|role| (role.id, role)).collect();
        for (position, row) in rows.iter().enumerate() {
            let administers = roles
                .get(&row.role)
                .is_some_and(|role| role.builtin == Field::Shown(true) && role.key == Field::Shown(Role::ADMINISTRATOR.to_owned()));
            if administers && row.within.is_none() && Some(row.user) == self.subject.user() {
                let message = "nobody takes away their own administration; ask another administrator".to_owned();
                problems.add(&at(position), Error::Broken { rule: Rule::OwnAccess, message });
            }
        }
        let granted: Vec<Role> = rows.iter().filter_map(|row| roles.get(&row.role).cloned()).collect();
        let within: Vec<GroupId> = rows.iter().map(|row| row.within.unwrap_or(Group::top().id)).collect();
        let within = self.rows_of_groups(within, &planned).await?;
        let mut parties = vec![("user", RowSet::Users(&users)), ("role", RowSet::Roles(&granted))];
        if rows.iter().any(|row| row.within.is_some()) {
            parties.push(("within", RowSet::Groups(&within)));
        }
        let deed = Deed { rows: Some(RowSet::Grants(rows)), fields: &[], after: None, parties, planned: &planned };
        self.permit("grant.remove", Kind::Grant, &deed, at, refused).await?;
        Ok(())
    }

    /// See [`ReplaceGrants`].
    pub(super) async fn plan_replace_grants(&self, asked: &ReplaceGrants, ids: &mut dyn IdSource) -> Planning {
        if asked.grants.len() > crate::limits::BULK {
            bulk("grants", asked.grants.len())?;
        }
        let mut problems = Problems::default();
        let user = self.seen_user(asked.user, "userId", &mut problems).await?;
        let window = Window { rows: LEVEL_ROWS, ..Window::default() };
        let ask = Ask { among: AmongGrants::OfUsers(vec![user.id]), filter: None, order: Order::default(), window };
        let seen: Vec<GrantId> = self.list_grants(ask).await?.into_iter().flat_map(|page| page.rows).map(|(_, grant)| grant.id).collect();
        if grants_version(seen.iter().copied()) != asked.expected {
            return Err(Problem::at("expectedVersion", Error::Stale(format!("what user `{}` holds", user.id))).into());
        }
        let raw: Vec<Uuid> = seen.iter().map(|id| id.0).collect();
        let stored: Vec<Grant> = self.targets::<Grant>(&raw).await?.into_iter().flatten().collect();
        let wanted = |grant: &Grant| asked.grants.contains(&(grant.role, grant.within));
        // Whoever does not see the limit of a grant could not name it to keep it, so that it stays.
        let limits: Vec<Uuid> = stored.iter().filter_map(|grant| grant.within.map(|group| group.0)).collect();
        let limits: HashSet<GroupId> = self.targets::<Group>(&limits).await?.into_iter().flatten().map(|group| group.id).collect();
        let named = |grant: &Grant| grant.within.is_none_or(|group| limits.contains(&group));
        let gone: Vec<Grant> = stored.iter().filter(|grant| named(grant) && !wanted(grant)).cloned().collect();
        let drafts: Vec<GrantDraft> =
            asked.grants.iter().map(|(role, within)| GrantDraft { user: user.id, role: *role, within: *within }).collect();
        let (found, roles) = self.check_grants(&drafts, "grants", ids, &mut problems).await?;
        let there = |grant: &NewGrant| stored.iter().any(|old| (old.role, old.within) == (grant.role, grant.within));
        let new: Vec<NewGrant> = found.rows.into_iter().filter(|grant| !there(grant)).collect();
        let place = |grant: &NewGrant| asked.grants.iter().position(|wanted| *wanted == (grant.role, grant.within)).unwrap_or_default();
        let at = |position: usize| new.get(position).map_or_else(|| "grants".to_owned(), |grant| format!("grants.{}", place(grant)));
        let mut refused = Problems::default();
        self.permit_grants(&new, &roles, &Planned::default(), &at, &mut refused).await?;
        self.permit_removal(&gone, &|_| "grants".to_owned(), &mut problems, &mut refused).await?;
        problems.judged(refused)?;
        let mut changes = Vec::new();
        // What is added comes first, so that an administrator who changes hands is never missing.
        changes.extend((!new.is_empty()).then_some(Change::AddGrants(new)));
        changes.extend((!gone.is_empty()).then(|| Change::RemoveGrants(gone.iter().map(|grant| grant.id).collect())));
        Ok(Plan { changes, ids: vec![user.id.0] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_tells_sets_apart_and_not_orders() {
        let id = |number: u128| GrantId(Uuid::from_u128(number));
        let version = |ids: &[u128]| grants_version(ids.iter().map(|number| id(*number)));
        assert_eq!(version(&[1, 2]), version(&[2, 1]));
        assert_ne!(version(&[1, 2]), version(&[3]));
        assert_ne!(version(&[]), version(&[1]));
    }
}
