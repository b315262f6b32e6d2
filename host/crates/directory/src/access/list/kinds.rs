//! What differs between the lists of the five kinds.

use std::sync::Arc;

use uuid::Uuid;

use super::Named;
use crate::{
    Error,
    access::resource::Resource,
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
    model::{Grant, Group, Membership, Role, User},
    query::{GrantPredicate, GroupPredicate, IdSort, MembershipPredicate, NameSort, RolePredicate, UserPredicate, UserSort},
    register::Kind,
    scope::Scope,
    store::{AmongGrants, AmongGroups, AmongMemberships, AmongRoles, AmongUsers, List, Listed, Sight, Snapshot},
};

/// A kind that can be listed.
pub(in crate::access) trait Listable: Resource + Clone {
    /// Which lists there are.
    type Among: Clone + Send + Sync + std::fmt::Debug;
    /// What a caller may filter by.
    type Predicate: Clone + Send + Sync + std::fmt::Debug;
    /// What a caller may sort by.
    type Sort: Copy + Default + Send + Sync + std::fmt::Debug;

    /// The list of the whole workspace.
    fn all() -> Self::Among;
    /// How many windows the list has.
    fn parents(among: &Self::Among) -> usize;
    /// The condition that a row is one of these.
    fn any_of(ids: &[Uuid]) -> Self::Predicate;
    /// The list of one parent.
    fn one(among: &Self::Among, parent: usize) -> Self::Among;
    /// Whether the list can not be confirmed row by row, because rows in sight decide about others.
    fn needs_exact(_: &Self::Among) -> bool {
        false
    }
    /// The other kinds whose scopes the statement needs.
    fn ends(among: &Self::Among, predicates: &[&Self::Predicate]) -> Vec<Kind>;
    /// The kind's own place in a sight.
    fn sight(sight: &mut Sight) -> &mut Option<Arc<Scope>>;
    /// The governed field that a predicate touches; a free search narrows itself instead.
    fn field(predicate: &Self::Predicate) -> Option<String>;
    /// The governed field of an edge that a predicate touches.
    fn field_of_edge(_: &Self::Predicate) -> Option<(Kind, &'static str)> {
        None
    }
    /// The governed field that an order touches.
    fn sorted_by(sort: Self::Sort) -> Option<&'static str>;
    /// Collects the ids of other rows that a predicate names.
    fn names(predicate: &Self::Predicate, named: &mut Named);
    /// The predicate without ids that are not visible and fields that may not be searched.
    fn narrow(predicate: Self::Predicate, named: &Named, scope: &Scope) -> Self::Predicate;
    /// Runs the list.
    fn list(
        snapshot: &mut dyn Snapshot,
        list: &List<Self::Among, Self::Predicate, Self::Sort>,
    ) -> impl Future<Output = Result<Vec<Listed<Self>>, Error>> + Send;
    /// Counts the list.
    fn count(
        snapshot: &mut dyn Snapshot,
        list: &List<Self::Among, Self::Predicate, Self::Sort>,
    ) -> impl Future<Output = Result<Vec<u64>, Error>> + Send;
}

macro_rules! run {
    ($list:ident, $count:ident) => {
        async fn list(
            snapshot: &mut dyn Snapshot,
            list: &List<Self::Among, Self::Predicate, Self::Sort>,
        ) -> Result<Vec<Listed<Self>>, Error> {
            snapshot.$list(list).await
        }

        async fn count(snapshot: &mut dyn Snapshot, list: &List<Self::Among, Self::Predicate, Self::Sort>) -> Result<Vec<u64>, Error> {
            snapshot.$count(list).await
        }
    };
}

/// The one parent of a list, as a list of its own; a parent that is not there has no rows.
fn only<T: Clone>(parents: &[T], parent: usize) -> Vec<T> {
    parents.get(parent).cloned().into_iter().collect()
}

impl Listable for User {
    type Among = AmongUsers;
    type Predicate = UserPredicate;
    type Sort = UserSort;

    fn all() -> AmongUsers {
        AmongUsers::All
    }

    fn any_of(ids: &[Uuid]) -> UserPredicate {
        UserPredicate::Ids(ids.iter().copied().map(UserId).collect())
    }

    fn parents(among: &AmongUsers) -> usize {
        match among {
            AmongUsers::All => 1,
            AmongUsers::In(groups) | AmongUsers::Under(groups) => groups.len(),
        }
    }

    fn one(among: &AmongUsers, parent: usize) -> AmongUsers {
        match among {
            AmongUsers::All => AmongUsers::All,
            AmongUsers::In(groups) => AmongUsers::In(only(groups, parent)),
            AmongUsers::Under(groups) => AmongUsers::Under(only(groups, parent)),
        }
    }

    fn ends(among: &AmongUsers, predicates: &[&UserPredicate]) -> Vec<Kind> {
        let by_group = |predicate: &&UserPredicate| {
            matches!(predicate, UserPredicate::InGroup(_) | UserPredicate::UnderGroup(_) | UserPredicate::Manages(_))
        };
        let mut kinds = Vec::new();
        if !matches!(among, AmongUsers::All) || predicates.iter().any(by_group) {
            kinds.extend([Kind::Group, Kind::Membership]);
        }
        if predicates.iter().any(|predicate| matches!(predicate, UserPredicate::HasRole(_))) {
            kinds.extend([Kind::Role, Kind::Grant]);
        }
        kinds
    }

    fn sight(sight: &mut Sight) -> &mut Option<Arc<Scope>> {
        &mut sight.user
    }

    fn field(predicate: &UserPredicate) -> Option<String> {
        match predicate {
            UserPredicate::Text(text, _) => Some(text.field().to_owned()),
            UserPredicate::Status(_) => Some("status".to_owned()),
            UserPredicate::Exclusive(_) => Some("exclusive".to_owned()),
            UserPredicate::Attribute(name, _) => Some(format!("attributes.{name}")),
            UserPredicate::Ids(_)
            | UserPredicate::Created(_)
            | UserPredicate::Updated(_)
            | UserPredicate::InGroup(_)
            | UserPredicate::UnderGroup(_)
            | UserPredicate::Manages(_)
            | UserPredicate::HasRole(_)
            | UserPredicate::Search { .. } => None,
        }
    }

    /// Who manages is a field of the membership.
    fn field_of_edge(predicate: &UserPredicate) -> Option<(Kind, &'static str)> {
        matches!(predicate, UserPredicate::Manages(_)).then_some((Kind::Membership, "manager"))
    }

    fn sorted_by(sort: UserSort) -> Option<&'static str> {
        sort.text().map(crate::model::UserText::field)
    }

    fn names(predicate: &UserPredicate, named: &mut Named) {
        match predicate {
            UserPredicate::InGroup(ids) | UserPredicate::UnderGroup(ids) | UserPredicate::Manages(ids) => named.groups.extend(ids),
            UserPredicate::HasRole(ids) => named.roles.extend(ids),
            _ => {}
        }
    }

    fn narrow(mut predicate: UserPredicate, named: &Named, scope: &Scope) -> UserPredicate {
        match &mut predicate {
            UserPredicate::InGroup(ids) | UserPredicate::UnderGroup(ids) | UserPredicate::Manages(ids) => {
                ids.retain(|id| named.groups.contains(id));
            }
            UserPredicate::HasRole(ids) => ids.retain(|id| named.roles.contains(id)),
            UserPredicate::Search { fields, .. } => fields.retain(|text| scope.searchable.has(Kind::User, text.field())),
            _ => {}
        }
        predicate
    }

    run!(list_users, count_users);
}

impl Listable for Group {
    type Among = AmongGroups;
    type Predicate = GroupPredicate;
    type Sort = NameSort;

    fn all() -> AmongGroups {
        AmongGroups::All
    }

    fn any_of(ids: &[Uuid]) -> GroupPredicate {
        GroupPredicate::Ids(ids.iter().copied().map(GroupId).collect())
    }

    fn parents(among: &AmongGroups) -> usize {
        match among {
            AmongGroups::All => 1,
            AmongGroups::Below { groups, .. } => groups.len(),
            AmongGroups::Of(users) => users.len(),
        }
    }

    fn one(among: &AmongGroups, parent: usize) -> AmongGroups {
        match among {
            AmongGroups::All => AmongGroups::All,
            AmongGroups::Below { groups, levels } => AmongGroups::Below { groups: only(groups, parent), levels: *levels },
            AmongGroups::Of(users) => AmongGroups::Of(only(users, parent)),
        }
    }

    /// A child is whoever has no group in sight between, so that a superset would hide children.
    fn needs_exact(among: &AmongGroups) -> bool {
        matches!(among, AmongGroups::Below { .. })
    }

    fn ends(among: &AmongGroups, predicates: &[&GroupPredicate]) -> Vec<Kind> {
        let by_member = |predicate: &&GroupPredicate| matches!(predicate, GroupPredicate::HasMember(_));
        if matches!(among, AmongGroups::Of(_)) || predicates.iter().any(by_member) {
            return vec![Kind::User, Kind::Membership];
        }
        Vec::new()
    }

    fn sight(sight: &mut Sight) -> &mut Option<Arc<Scope>> {
        &mut sight.group
    }

    fn field(predicate: &GroupPredicate) -> Option<String> {
        match predicate {
            GroupPredicate::Text(text, _) => Some(text.field().to_owned()),
            GroupPredicate::Attribute(name, _) => Some(format!("attributes.{name}")),
            GroupPredicate::Ids(_)
            | GroupPredicate::Created(_)
            | GroupPredicate::Updated(_)
            | GroupPredicate::Below(_)
            | GroupPredicate::HasMember(_)
            | GroupPredicate::Search { .. } => None,
        }
    }

    fn sorted_by(sort: NameSort) -> Option<&'static str> {
        match sort {
            NameSort::Id => None,
            NameSort::Name => Some("name"),
            NameSort::Key => Some("key"),
        }
    }

    fn names(predicate: &GroupPredicate, named: &mut Named) {
        match predicate {
            GroupPredicate::Below(ids) => named.groups.extend(ids),
            GroupPredicate::HasMember(ids) => named.users.extend(ids),
            _ => {}
        }
    }

    fn narrow(mut predicate: GroupPredicate, named: &Named, scope: &Scope) -> GroupPredicate {
        match &mut predicate {
            GroupPredicate::Below(ids) => ids.retain(|id| named.groups.contains(id)),
            GroupPredicate::HasMember(ids) => ids.retain(|id| named.users.contains(id)),
            GroupPredicate::Search { fields, .. } => fields.retain(|text| scope.searchable.has(Kind::Group, text.field())),
            _ => {}
        }
        predicate
    }

    run!(list_groups, count_groups);
}

impl Listable for Role {
    type Among = AmongRoles;
    type Predicate = RolePredicate;
    type Sort = NameSort;

    fn all() -> AmongRoles {
        AmongRoles::All
    }

    fn any_of(ids: &[Uuid]) -> RolePredicate {
        RolePredicate::Ids(ids.iter().copied().map(RoleId).collect())
    }

    fn parents(among: &AmongRoles) -> usize {
        match among {
            AmongRoles::All => 1,
            AmongRoles::Of(users) => users.len(),
        }
    }

    fn one(among: &AmongRoles, parent: usize) -> AmongRoles {
        match among {
            AmongRoles::All => AmongRoles::All,
            AmongRoles::Of(users) => AmongRoles::Of(only(users, parent)),
        }
    }

    fn ends(among: &AmongRoles, _: &[&RolePredicate]) -> Vec<Kind> {
        match among {
            AmongRoles::All => Vec::new(),
            AmongRoles::Of(_) => vec![Kind::User, Kind::Grant],
        }
    }

    fn sight(sight: &mut Sight) -> &mut Option<Arc<Scope>> {
        &mut sight.role
    }

    fn field(predicate: &RolePredicate) -> Option<String> {
        match predicate {
            RolePredicate::Text(text, _) => Some(text.field().to_owned()),
            RolePredicate::Builtin(_) => Some("builtin".to_owned()),
            RolePredicate::Permissions(_) => Some("permissions".to_owned()),
            RolePredicate::Ids(_) | RolePredicate::Search { .. } => None,
        }
    }

    fn sorted_by(sort: NameSort) -> Option<&'static str> {
        Group::sorted_by(sort)
    }

    fn names(_: &RolePredicate, _: &mut Named) {}

    fn narrow(mut predicate: RolePredicate, _: &Named, scope: &Scope) -> RolePredicate {
        if let RolePredicate::Search { fields, .. } = &mut predicate {
            fields.retain(|text| scope.searchable.has(Kind::Role, text.field()));
        }
        predicate
    }

    run!(list_roles, count_roles);
}

impl Listable for Membership {
    type Among = AmongMemberships;
    type Predicate = MembershipPredicate;
    type Sort = IdSort;

    fn all() -> AmongMemberships {
        AmongMemberships::All
    }

    fn any_of(ids: &[Uuid]) -> MembershipPredicate {
        MembershipPredicate::Ids(ids.iter().copied().map(MembershipId).collect())
    }

    fn parents(among: &AmongMemberships) -> usize {
        match among {
            AmongMemberships::All => 1,
            AmongMemberships::OfUsers(users) => users.len(),
            AmongMemberships::OfGroups(groups) => groups.len(),
        }
    }

    fn one(among: &AmongMemberships, parent: usize) -> AmongMemberships {
        match among {
            AmongMemberships::All => AmongMemberships::All,
            AmongMemberships::OfUsers(users) => AmongMemberships::OfUsers(only(users, parent)),
            AmongMemberships::OfGroups(groups) => AmongMemberships::OfGroups(only(groups, parent)),
        }
    }

    fn ends(_: &AmongMemberships, _: &[&MembershipPredicate]) -> Vec<Kind> {
        vec![Kind::User, Kind::Group]
    }

    fn sight(sight: &mut Sight) -> &mut Option<Arc<Scope>> {
        &mut sight.membership
    }

    fn field(predicate: &MembershipPredicate) -> Option<String> {
        matches!(predicate, MembershipPredicate::Manager(_)).then(|| "manager".to_owned())
    }

    fn sorted_by(_: IdSort) -> Option<&'static str> {
        None
    }

    fn names(predicate: &MembershipPredicate, named: &mut Named) {
        if let MembershipPredicate::UnderGroups(ids) = predicate {
            named.groups.extend(ids);
        }
    }

    fn narrow(mut predicate: MembershipPredicate, named: &Named, _: &Scope) -> MembershipPredicate {
        if let MembershipPredicate::UnderGroups(ids) = &mut predicate {
            ids.retain(|id| named.groups.contains(id));
        }
        predicate
    }

    run!(list_memberships, count_memberships);
}

impl Listable for Grant {
    type Among = AmongGrants;
    type Predicate = GrantPredicate;
    type Sort = IdSort;

    fn all() -> AmongGrants {
        AmongGrants::All
    }

    fn any_of(ids: &[Uuid]) -> GrantPredicate {
        GrantPredicate::Ids(ids.iter().copied().map(GrantId).collect())
    }

    fn parents(among: &AmongGrants) -> usize {
        match among {
            AmongGrants::All => 1,
            AmongGrants::OfUsers(users) => users.len(),
            AmongGrants::OfRoles(roles) => roles.len(),
        }
    }

    fn one(among: &AmongGrants, parent: usize) -> AmongGrants {
        match among {
            AmongGrants::All => AmongGrants::All,
            AmongGrants::OfUsers(users) => AmongGrants::OfUsers(only(users, parent)),
            AmongGrants::OfRoles(roles) => AmongGrants::OfRoles(only(roles, parent)),
        }
    }

    fn ends(_: &AmongGrants, _: &[&GrantPredicate]) -> Vec<Kind> {
        vec![Kind::User, Kind::Role]
    }

    fn sight(sight: &mut Sight) -> &mut Option<Arc<Scope>> {
        &mut sight.grant
    }

    fn field(predicate: &GrantPredicate) -> Option<String> {
        matches!(predicate, GrantPredicate::Provenance(_)).then(|| "provenance".to_owned())
    }

    fn sorted_by(_: IdSort) -> Option<&'static str> {
        None
    }

    fn names(predicate: &GrantPredicate, named: &mut Named) {
        if let GrantPredicate::Within(ids) = predicate {
            named.groups.extend(ids);
        }
    }

    fn narrow(mut predicate: GrantPredicate, named: &Named, _: &Scope) -> GrantPredicate {
        if let GrantPredicate::Within(ids) = &mut predicate {
            ids.retain(|id| named.groups.contains(id));
        }
        predicate
    }

    run!(list_grants, count_grants);
}
