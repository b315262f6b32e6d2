//! What a list must contain, evaluated row by row in memory.

use std::{cmp::Ordering, collections::BTreeMap};

use directory::{
    model::{Provenance, UserText},
    query::{
        Direction, End, Filter, GrantPredicate, GroupPredicate, GroupText, Keyset, MembershipPredicate, NameSort, Period, RolePredicate,
        RoleText, TextMatch, UserPredicate, UserSort, Window,
    },
    scope::{GroupTest, RoleTest, Scope, Term, Test, UserTest},
    store::{
        AmongGrants, AmongGroups, AmongMemberships, AmongRoles, AmongUsers, GrantList, GroupList, MembershipList, RoleList, Sight, UserList,
    },
    text::{fold, words},
};
use uuid::Uuid;

use super::world::World;

/// A row's place in an order.
pub(super) type Place = (String, Uuid);

/// The rows of each parent's list, without window and in no order.
type Lists = Vec<Vec<Place>>;

/// A world as somebody sees it.
pub(super) struct Naive<'a> {
    pub(super) world: &'a World,
    pub(super) sight: &'a Sight,
}

/// What a list and its count must answer.
pub(super) fn answer(lists: Lists, direction: Direction, window: &Window) -> (Vec<(usize, Place)>, Vec<u64>) {
    let counts = lists.iter().map(|list| list.len() as u64).collect();
    let rows =
        lists.into_iter().enumerate().flat_map(|(parent, list)| cut(list, direction, window).into_iter().map(move |row| (parent, row)));
    (rows.collect(), counts)
}

fn cut(mut list: Vec<Place>, direction: Direction, window: &Window) -> Vec<Place> {
    let compare = |a: &Place, b: &Place| if direction == Direction::Ascending { a.cmp(b) } else { b.cmp(a) };
    list.sort_by(compare);
    // Orders by id have no key.
    let place = |keyset: &Keyset, list: &[Place]| {
        let keyed = list.first().is_some_and(|(key, _)| !key.is_empty());
        (if keyed { keyset.key.clone() } else { String::new() }, keyset.id)
    };
    let all = list.clone();
    list.retain(|row| {
        window.after.as_ref().is_none_or(|after| compare(row, &place(after, &all)) == Ordering::Greater)
            && window.before.as_ref().is_none_or(|before| compare(row, &place(before, &all)) == Ordering::Less)
    });
    match window.end {
        End::Front => list.truncate(window.rows),
        End::Back => drop(list.drain(..list.len().saturating_sub(window.rows))),
    }
    list
}

impl Naive<'_> {
    pub(super) fn users(&self, list: &UserList) -> Lists {
        let rows = |belongs: &dyn Fn(usize) -> bool| {
            let seen = (0..self.world.users.len()).filter(|user| {
                self.sees_user(*user) && belongs(*user) && holds(list.filter.as_ref(), &|predicate| self.user_predicate(predicate, *user))
            });
            seen.map(|user| (self.user_key(list.order.by, user), self.world.users[user].id.0)).collect()
        };
        match &list.among {
            AmongUsers::All => vec![rows(&|_| true)],
            AmongUsers::In(groups) => {
                groups.iter().map(|group| rows(&|user| self.member(user, |of, _| self.group_id(of) == group.0))).collect()
            }
            AmongUsers::Under(groups) => {
                groups.iter().map(|group| rows(&|user| self.member(user, |of, _| self.under(of, group.0)))).collect()
            }
        }
    }

    pub(super) fn groups(&self, list: &GroupList) -> Lists {
        let rows = |belongs: &dyn Fn(usize) -> bool| {
            let seen = (0..self.world.groups.len()).filter(|group| {
                self.sees_group(*group)
                    && belongs(*group)
                    && holds(list.filter.as_ref(), &|predicate| self.group_predicate(predicate, *group))
            });
            let key = |group: usize| match list.order.by {
                NameSort::Id => String::new(),
                NameSort::Name => key(Some(&self.world.groups[group].name)),
                NameSort::Key => key(Some(&self.world.groups[group].key)),
            };
            seen.map(|group| (key(group), self.group_id(group))).collect()
        };
        match &list.among {
            AmongGroups::All => vec![rows(&|_| true)],
            AmongGroups::Of(users) => users.iter().map(|user| rows(&|group| self.has_member(group, user.0))).collect(),
            AmongGroups::Below { groups, levels } => {
                let near = |group: usize, parent: Uuid| {
                    let above = self.above(group);
                    let distance = above.iter().position(|above| self.group_id(*above) == parent);
                    distance.is_some_and(|distance| {
                        let between = above[..distance].iter().filter(|group| self.sees_group(**group)).count();
                        levels.is_none_or(|levels| between < levels as usize)
                    })
                };
                groups.iter().map(|parent| rows(&|group| near(group, parent.0))).collect()
            }
        }
    }

    pub(super) fn roles(&self, list: &RoleList) -> Lists {
        let rows = |belongs: &dyn Fn(usize) -> bool| {
            let seen = (0..self.world.roles.len()).filter(|role| {
                self.sees_role(*role) && belongs(*role) && holds(list.filter.as_ref(), &|predicate| self.role_predicate(predicate, *role))
            });
            let key = |role: usize| match list.order.by {
                NameSort::Id => String::new(),
                NameSort::Name => key(Some(&self.world.roles[role].name)),
                NameSort::Key => key(Some(&self.world.roles[role].key)),
            };
            seen.map(|role| (key(role), self.world.roles[role].id.0)).collect()
        };
        match &list.among {
            AmongRoles::All => vec![rows(&|_| true)],
            AmongRoles::Of(users) => {
                let held = |role: usize, user: Uuid| {
                    let mut grants = 0..self.world.grants.len();
                    grants.any(|grant| {
                        let of = &self.world.grants[grant];
                        of.role == role && self.world.users[of.user].id.0 == user && self.sees_grant(grant)
                    })
                };
                users.iter().map(|user| rows(&|role| held(role, user.0))).collect()
            }
        }
    }

    pub(super) fn memberships(&self, list: &MembershipList) -> Lists {
        let rows = |belongs: &dyn Fn(usize) -> bool| {
            let seen = (0..self.world.memberships.len()).filter(|membership| {
                self.sees_membership(*membership)
                    && belongs(*membership)
                    && holds(list.filter.as_ref(), &|predicate| self.membership_predicate(predicate, *membership))
            });
            seen.map(|membership| (String::new(), self.world.memberships[membership].id.0)).collect()
        };
        let user = |membership: usize| self.world.users[self.world.memberships[membership].user].id;
        let group = |membership: usize| self.world.groups[self.world.memberships[membership].group].id;
        match &list.among {
            AmongMemberships::All => vec![rows(&|_| true)],
            AmongMemberships::OfUsers(users) => users.iter().map(|id| rows(&|membership| user(membership) == *id)).collect(),
            AmongMemberships::OfGroups(groups) => groups.iter().map(|id| rows(&|membership| group(membership) == *id)).collect(),
        }
    }

    pub(super) fn grants(&self, list: &GrantList) -> Lists {
        let rows = |belongs: &dyn Fn(usize) -> bool| {
            let seen = (0..self.world.grants.len()).filter(|grant| {
                self.sees_grant(*grant)
                    && belongs(*grant)
                    && holds(list.filter.as_ref(), &|predicate| self.grant_predicate(predicate, *grant))
            });
            seen.map(|grant| (String::new(), self.world.grants[grant].id.0)).collect()
        };
        let user = |grant: usize| self.world.users[self.world.grants[grant].user].id;
        let role = |grant: usize| self.world.roles[self.world.grants[grant].role].id;
        match &list.among {
            AmongGrants::All => vec![rows(&|_| true)],
            AmongGrants::OfUsers(users) => users.iter().map(|id| rows(&|grant| user(grant) == *id)).collect(),
            AmongGrants::OfRoles(roles) => roles.iter().map(|id| rows(&|grant| role(grant) == *id)).collect(),
        }
    }

    fn sees_user(&self, user: usize) -> bool {
        admits(self.sight.user.as_deref(), |term| self.user_term(term, user))
    }

    fn sees_group(&self, group: usize) -> bool {
        admits(self.sight.group.as_deref(), |term| match &term.test {
            Test::Group(test) => self.group_term(term.negate, test, Some(group)),
            _ => term.negate,
        })
    }

    fn sees_role(&self, role: usize) -> bool {
        admits(self.sight.role.as_deref(), |term| match &term.test {
            Test::Role(test) => self.role_test(test, role) != term.negate,
            _ => term.negate,
        })
    }

    fn sees_membership(&self, at: usize) -> bool {
        let membership = &self.world.memberships[at];
        let admitted = admits(self.sight.membership.as_deref(), |term| match &term.test {
            Test::User(_) => self.user_term(term, membership.user),
            Test::Group(test) => self.group_term(term.negate, test, Some(membership.group)),
            Test::Self_ => self.is_me(membership.user) != term.negate,
            Test::Manager => membership.manager != term.negate,
            _ => term.negate,
        });
        admitted && self.sees_user(membership.user) && self.sees_group(membership.group)
    }

    fn sees_grant(&self, at: usize) -> bool {
        let grant = &self.world.grants[at];
        let admitted = admits(self.sight.grant.as_deref(), |term| match &term.test {
            Test::User(_) => self.user_term(term, grant.user),
            Test::Group(test) => self.group_term(term.negate, test, grant.within),
            Test::Role(test) => self.role_test(test, grant.role) != term.negate,
            Test::Self_ => self.is_me(grant.user) != term.negate,
            Test::Provenance(from) => from.contains(&Provenance::Import) != term.negate,
            _ => term.negate,
        });
        admitted && self.sees_user(grant.user) && self.sees_role(grant.role)
    }

    fn is_me(&self, user: usize) -> bool {
        self.sight.me == Some(self.world.users[user].id)
    }

    fn user_term(&self, term: &Term, user: usize) -> bool {
        let Test::User(test) = &term.test else { return term.negate };
        let of = &self.world.users[user];
        let mut memberships = self.world.memberships.iter().filter(|membership| membership.user == user);
        let result = match test {
            UserTest::Self_ => self.is_me(user),
            UserTest::Is(users) => users.contains(&of.id),
            UserTest::CreatedByMe => false,
            UserTest::InGroup(groups) => memberships.any(|membership| groups.contains(&self.world.groups[membership.group].id)),
            UserTest::UnderGroup(groups) => memberships.any(|membership| groups.iter().any(|group| self.under(membership.group, group.0))),
            UserTest::HasRole(roles) => {
                self.world.grants.iter().any(|grant| grant.user == user && roles.contains(&self.world.roles[grant.role].id))
            }
            UserTest::Status(statuses) => statuses.contains(&of.status),
            UserTest::Attribute(name, values) => return attribute(&of.attributes, term.negate, name, values),
        };
        result != term.negate
    }

    fn group_term(&self, negate: bool, test: &GroupTest, group: Option<usize>) -> bool {
        let result = match (test, group) {
            (GroupTest::Attribute(..), None) | (_, None) if !matches!(test, GroupTest::Attribute(..)) => false,
            (GroupTest::Attribute(..), None) => return false,
            (_, None) => false,
            (GroupTest::Any, Some(_)) => true,
            (GroupTest::Is(groups), Some(group)) => groups.contains(&self.world.groups[group].id),
            (GroupTest::Under(groups), Some(group)) => groups.iter().any(|of| self.under(group, of.0)),
            (GroupTest::Mine, Some(group)) => {
                self.world.memberships.iter().any(|membership| membership.group == group && self.is_me(membership.user))
            }
            (GroupTest::CreatedByMe, Some(_)) => false,
            (GroupTest::Attribute(name, values), Some(group)) => {
                return attribute(&self.world.groups[group].attributes, negate, name, values);
            }
        };
        result != negate
    }

    fn role_test(&self, test: &RoleTest, role: usize) -> bool {
        match test {
            RoleTest::Is(roles) => roles.contains(&self.world.roles[role].id),
            RoleTest::HeldByMe => self.world.grants.iter().any(|grant| grant.role == role && self.is_me(grant.user)),
            RoleTest::Builtin => self.world.roles[role].builtin,
            RoleTest::CreatedByMe => false,
        }
    }

    fn group_id(&self, group: usize) -> Uuid {
        self.world.groups[group].id.0
    }

    /// The groups above, nearest first.
    fn above(&self, group: usize) -> Vec<usize> {
        std::iter::successors(self.world.groups[group].parent, |group| self.world.groups[*group].parent).collect()
    }

    fn under(&self, group: usize, of: Uuid) -> bool {
        self.group_id(group) == of || self.above(group).into_iter().any(|above| self.group_id(above) == of)
    }

    /// The user has a membership in sight with such a group.
    fn member(&self, user: usize, of: impl Fn(usize, bool) -> bool) -> bool {
        self.world
            .memberships
            .iter()
            .enumerate()
            .any(|(at, membership)| membership.user == user && of(membership.group, membership.manager) && self.sees_membership(at))
    }

    fn has_member(&self, group: usize, user: Uuid) -> bool {
        self.world
            .memberships
            .iter()
            .enumerate()
            .any(|(at, membership)| membership.group == group && self.world.users[membership.user].id.0 == user && self.sees_membership(at))
    }

    fn user_key(&self, by: UserSort, user: usize) -> String {
        by.text().map_or_else(String::new, |which| key(self.world.users[user].texts.get(&(which as usize)).map(String::as_str)))
    }

    fn user_predicate(&self, predicate: &UserPredicate, user: usize) -> bool {
        let of = &self.world.users[user];
        let stored = |which: UserText| of.texts.get(&(which as usize)).map(String::as_str);
        match predicate {
            UserPredicate::Ids(ids) => ids.contains(&of.id),
            UserPredicate::Text(which, test) => matches(stored(*which), test),
            UserPredicate::Status(statuses) => statuses.contains(&of.status),
            UserPredicate::Exclusive(exclusive) => of.exclusive == *exclusive,
            UserPredicate::Created(period) => within(of.created, period),
            UserPredicate::Updated(period) => within(of.updated, period),
            UserPredicate::Attribute(name, test) => {
                of.attributes.get(name).is_some_and(|values| values.iter().any(|value| matches(Some(value), test)))
            }
            UserPredicate::InGroup(groups) => self.member(user, |group, _| groups.contains(&self.world.groups[group].id)),
            UserPredicate::UnderGroup(groups) => self.member(user, |group, _| groups.iter().any(|of| self.under(group, of.0))),
            UserPredicate::Manages(groups) => self.member(user, |group, manager| manager && groups.contains(&self.world.groups[group].id)),
            UserPredicate::HasRole(roles) => {
                let mut grants = self.world.grants.iter().enumerate();
                grants.any(|(at, grant)| grant.user == user && roles.contains(&self.world.roles[grant.role].id) && self.sees_grant(at))
            }
            UserPredicate::Search { words, fields } => {
                let searched = UserText::SEARCHED.into_iter().filter(|which| fields.contains(which)).filter_map(stored);
                !fields.iter().all(|which| !UserText::SEARCHED.contains(which)) && search(searched.collect(), words)
            }
        }
    }

    fn group_predicate(&self, predicate: &GroupPredicate, group: usize) -> bool {
        let of = &self.world.groups[group];
        let stored = |which: GroupText| match which {
            GroupText::Key => Some(of.key.as_str()),
            GroupText::Name => Some(of.name.as_str()),
            GroupText::Description => of.description.as_deref(),
        };
        match predicate {
            GroupPredicate::Ids(ids) => ids.contains(&of.id),
            GroupPredicate::Text(which, test) => matches(stored(*which), test),
            GroupPredicate::Created(period) => within(of.created, period),
            GroupPredicate::Updated(_) => true,
            GroupPredicate::Attribute(name, test) => {
                of.attributes.get(name).is_some_and(|values| values.iter().any(|value| matches(Some(value), test)))
            }
            GroupPredicate::Below(groups) => self.above(group).into_iter().any(|above| groups.contains(&self.world.groups[above].id)),
            GroupPredicate::HasMember(users) => users.iter().any(|user| self.has_member(group, user.0)),
            GroupPredicate::Search { words, fields } => {
                !fields.is_empty() && search(fields.iter().filter_map(|which| stored(*which)).collect(), words)
            }
        }
    }

    fn role_predicate(&self, predicate: &RolePredicate, role: usize) -> bool {
        let of = &self.world.roles[role];
        let stored = |which: RoleText| match which {
            RoleText::Key => Some(of.key.as_str()),
            RoleText::Name => Some(of.name.as_str()),
            RoleText::Description => of.description.as_deref(),
        };
        match predicate {
            RolePredicate::Ids(ids) => ids.contains(&of.id),
            RolePredicate::Text(which, test) => matches(stored(*which), test),
            RolePredicate::Builtin(builtin) => of.builtin == *builtin,
            RolePredicate::Permissions(names) => names.iter().all(|name| of.permissions.contains(name)),
            RolePredicate::Search { words, fields } => {
                !fields.is_empty() && search(fields.iter().filter_map(|which| stored(*which)).collect(), words)
            }
        }
    }

    fn membership_predicate(&self, predicate: &MembershipPredicate, at: usize) -> bool {
        let of = &self.world.memberships[at];
        match predicate {
            MembershipPredicate::Ids(ids) => ids.contains(&of.id),
            MembershipPredicate::Users(users) => users.contains(&self.world.users[of.user].id),
            MembershipPredicate::Groups(groups) => groups.contains(&self.world.groups[of.group].id),
            MembershipPredicate::UnderGroups(groups) => groups.iter().any(|group| self.under(of.group, group.0)),
            MembershipPredicate::Manager(manager) => of.manager == *manager,
            MembershipPredicate::Created(period) => within(of.created, period),
        }
    }

    fn grant_predicate(&self, predicate: &GrantPredicate, at: usize) -> bool {
        let of = &self.world.grants[at];
        match predicate {
            GrantPredicate::Ids(ids) => ids.contains(&of.id),
            GrantPredicate::Users(users) => users.contains(&self.world.users[of.user].id),
            GrantPredicate::Roles(roles) => roles.contains(&self.world.roles[of.role].id),
            GrantPredicate::Within(groups) => of.within.is_some_and(|group| groups.contains(&self.world.groups[group].id)),
            GrantPredicate::WorkspaceWide(wide) => of.within.is_none() == *wide,
            GrantPredicate::Provenance(from) => from.contains(&Provenance::Import),
            GrantPredicate::Created(period) => within(of.created, period),
        }
    }
}

fn admits(scope: Option<&Scope>, term: impl Fn(&Term) -> bool) -> bool {
    scope.is_some_and(|scope| scope.clauses.iter().any(|clause| clause.iter().all(&term)))
}

fn holds<P>(filter: Option<&Filter<P>>, predicate: &dyn Fn(&P) -> bool) -> bool {
    match filter {
        None => true,
        Some(Filter::And(parts)) => parts.iter().all(|part| holds(Some(part), predicate)),
        Some(Filter::Or(parts)) => parts.iter().any(|part| holds(Some(part), predicate)),
        Some(Filter::Not(part)) => !holds(Some(part), predicate),
        Some(Filter::Is(of)) => predicate(of),
    }
}

fn attribute(attributes: &BTreeMap<String, Vec<String>>, negate: bool, name: &str, wanted: &[String]) -> bool {
    attributes.get(name).is_some_and(|values| values.iter().any(|value| wanted.contains(&fold(value))) != negate)
}

fn matches(text: Option<&str>, test: &TextMatch) -> bool {
    let Some(text) = text.map(fold) else { return false };
    match test {
        TextMatch::In(texts) => texts.contains(&text),
        TextMatch::StartsWith(part) => text.starts_with(part.as_str()),
        TextMatch::EndsWith(part) => text.ends_with(part.as_str()),
        TextMatch::Contains(part) => text.contains(part.as_str()),
        TextMatch::Present => true,
    }
}

fn within(instant: i64, period: &Period) -> bool {
    period.from.is_none_or(|from| instant >= from.0) && period.until.is_none_or(|until| instant < until.0)
}

fn search(texts: Vec<&str>, wanted: &[String]) -> bool {
    let found: Vec<String> = texts.into_iter().flat_map(words).collect();
    wanted.iter().all(|prefix| found.iter().any(|word| word.starts_with(prefix.as_str())))
}

fn key(text: Option<&str>) -> String {
    text.map_or_else(|| "1".to_owned(), |text| format!("0{}", fold(text)))
}
