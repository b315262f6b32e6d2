//! Generated questions about a world: scopes, filters, orders and windows.

use std::sync::Arc;

use directory::{
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
    model::{Provenance, Status, Timestamp, UserText},
    query::{
        Direction, End, Filter, GrantPredicate, GroupPredicate, GroupText, IdSort, Keyset, MembershipPredicate, NameSort, Order, Period,
        RolePredicate, RoleText, TextMatch, UserPredicate, UserSort, Window,
    },
    scope::{GroupTest, RoleTest, Scope, Searchable, Term, Test, UserTest},
    store::{
        AmongGrants, AmongGroups, AmongMemberships, AmongRoles, AmongUsers, GrantList, GroupList, List, MembershipList, RoleList, Sight,
        UserList,
    },
    text::{fold, words},
};
use rand::{Rng as _, rngs::SmallRng, seq::IndexedRandom as _};
use uuid::Uuid;

use super::world::{ATTRIBUTES, WORDS, World};

/// Asks at random about one world.
pub(super) struct Asker<'a> {
    pub(super) world: &'a World,
    pub(super) rng: SmallRng,
}

impl Asker<'_> {
    pub(super) fn users(&mut self) -> UserList {
        let among = match self.rng.random_range(0..4) {
            0 => AmongUsers::In(self.groups()),
            1 => AmongUsers::Under(self.groups()),
            _ => AmongUsers::All,
        };
        let by = *[UserSort::Id, UserSort::Id, UserSort::UserName, UserSort::DisplayName, UserSort::FamilyName, UserSort::Email]
            .choose(&mut self.rng)
            .unwrap();
        let text = by.text().map_or(0, |which| which as usize);
        let place = self.world.users.choose(&mut self.rng).map(|user| (user.texts.get(&text).cloned(), user.id.0));
        let filter = self.filter(2, &mut Self::user_predicate);
        self.list(among, filter, by, place)
    }

    pub(super) fn groups_list(&mut self) -> GroupList {
        let among = match self.rng.random_range(0..4) {
            0 => AmongGroups::Below { groups: self.groups(), levels: self.rng.random_bool(0.7).then(|| self.rng.random_range(0..4)) },
            1 => AmongGroups::Of(self.some_users()),
            _ => AmongGroups::All,
        };
        let by = *[NameSort::Id, NameSort::Name, NameSort::Key].choose(&mut self.rng).unwrap();
        let place = self.world.groups.choose(&mut self.rng).map(|group| (Some(group.name.clone()), group.id.0));
        let filter = self.filter(2, &mut Self::group_predicate);
        self.list(among, filter, by, place)
    }

    pub(super) fn roles(&mut self) -> RoleList {
        let among = if self.rng.random_bool(0.5) { AmongRoles::All } else { AmongRoles::Of(self.some_users()) };
        let by = *[NameSort::Id, NameSort::Name, NameSort::Key].choose(&mut self.rng).unwrap();
        let place = self.world.roles.choose(&mut self.rng).map(|role| (Some(role.name.clone()), role.id.0));
        let filter = self.filter(2, &mut Self::role_predicate);
        self.list(among, filter, by, place)
    }

    pub(super) fn memberships(&mut self) -> MembershipList {
        let among = match self.rng.random_range(0..4) {
            0 => AmongMemberships::OfUsers(self.some_users()),
            1 => AmongMemberships::OfGroups(self.groups()),
            _ => AmongMemberships::All,
        };
        let place = self.world.memberships.choose(&mut self.rng).map(|membership| (None, membership.id.0));
        let filter = self.filter(2, &mut Self::membership_predicate);
        self.list(among, filter, IdSort::Id, place)
    }

    pub(super) fn grants(&mut self) -> GrantList {
        let among = match self.rng.random_range(0..4) {
            0 => AmongGrants::OfUsers(self.some_users()),
            1 => AmongGrants::OfRoles(self.some_roles()),
            _ => AmongGrants::All,
        };
        let place = self.world.grants.choose(&mut self.rng).map(|grant| (None, grant.id.0));
        let filter = self.filter(2, &mut Self::grant_predicate);
        self.list(among, filter, IdSort::Id, place)
    }

    fn list<A, P, S>(&mut self, among: A, filter: Option<Filter<P>>, by: S, place: Option<(Option<String>, Uuid)>) -> List<A, P, S> {
        let direction = if self.rng.random_bool(0.6) { Direction::Ascending } else { Direction::Descending };
        List { among, sight: self.sight(), filter, order: Order { by, direction }, window: self.window(place) }
    }

    fn window(&mut self, place: Option<(Option<String>, Uuid)>) -> Window {
        let keyset = place.map(|(text, id)| Keyset { key: text.map_or("1".to_owned(), |text| format!("0{}", fold(&text))), id });
        let (after, before) = match self.rng.random_range(0..5) {
            0 => (keyset, None),
            1 => (None, keyset),
            2 => (keyset.clone(), Some(Keyset { key: "0o".to_owned(), id: Uuid::from_u128(u128::MAX / 2) })),
            _ => (None, None),
        };
        let end = if self.rng.random_bool(0.6) { End::Front } else { End::Back };
        Window { after, before, rows: *[0, 1, 2, 3, 5, 50].choose(&mut self.rng).unwrap(), end }
    }

    fn sight(&mut self) -> Sight {
        Sight {
            me: self.rng.random_bool(0.8).then(|| self.world.users.choose(&mut self.rng).map(|user| user.id)).flatten(),
            user: self.scope(&mut |asker| Test::User(asker.user_test())),
            group: self.scope(&mut |asker| Test::Group(asker.group_test())),
            role: self.scope(&mut |asker| Test::Role(asker.role_test())),
            membership: self.scope(&mut Self::membership_test),
            grant: self.scope(&mut Self::grant_test),
        }
    }

    fn scope(&mut self, test: &mut dyn FnMut(&mut Self) -> Test) -> Option<Arc<Scope>> {
        let clauses = match self.rng.random_range(0..20) {
            0 => return None,
            1 => Vec::new(),
            2..=12 => vec![Vec::new()],
            _ => (0..self.rng.random_range(1..4)).map(|_| self.clause(test)).collect(),
        };
        Some(Arc::new(Scope { clauses, exact: self.rng.random_bool(0.8), searchable: Searchable::All }))
    }

    fn clause(&mut self, test: &mut dyn FnMut(&mut Self) -> Test) -> Vec<Term> {
        (0..self.rng.random_range(1..4)).map(|_| Term { negate: self.rng.random_bool(0.3), test: test(self) }).collect()
    }

    fn user_test(&mut self) -> UserTest {
        match self.rng.random_range(0..9) {
            0 => UserTest::Self_,
            1 => UserTest::CreatedByMe,
            2 => UserTest::InGroup(self.groups()),
            3 | 4 => UserTest::UnderGroup(self.groups()),
            5 => UserTest::HasRole(self.some_roles()),
            6 => UserTest::Status(self.statuses()),
            7 => UserTest::Is(self.some_users()),
            _ => {
                let (name, values) = self.attribute();
                UserTest::Attribute(name, values)
            }
        }
    }

    fn group_test(&mut self) -> GroupTest {
        match self.rng.random_range(0..6) {
            0 => GroupTest::Is(self.groups()),
            1 => GroupTest::Under(self.groups()),
            2 => GroupTest::Mine,
            3 => GroupTest::CreatedByMe,
            4 => GroupTest::Any,
            _ => {
                let (name, values) = self.attribute();
                GroupTest::Attribute(name, values)
            }
        }
    }

    fn role_test(&mut self) -> RoleTest {
        match self.rng.random_range(0..4) {
            0 => RoleTest::Is(self.some_roles()),
            1 => RoleTest::HeldByMe,
            2 => RoleTest::Builtin,
            _ => RoleTest::CreatedByMe,
        }
    }

    fn membership_test(&mut self) -> Test {
        match self.rng.random_range(0..8) {
            0 => Test::Self_,
            1 => Test::CreatedByMe,
            2 => Test::Manager,
            3..=5 => Test::User(self.user_test()),
            _ => Test::Group(self.group_test()),
        }
    }

    fn grant_test(&mut self) -> Test {
        match self.rng.random_range(0..8) {
            0 => Test::Self_,
            1 => Test::CreatedByMe,
            2 => Test::Provenance(self.provenances()),
            3 | 4 => Test::User(self.user_test()),
            5 | 6 => Test::Role(self.role_test()),
            _ => Test::Group(self.group_test()),
        }
    }

    fn filter<P>(&mut self, depth: usize, predicate: &mut dyn FnMut(&mut Self) -> P) -> Option<Filter<P>> {
        self.rng.random_bool(0.5).then(|| self.condition(depth, predicate))
    }

    fn condition<P>(&mut self, depth: usize, predicate: &mut dyn FnMut(&mut Self) -> P) -> Filter<P> {
        match self.rng.random_range(0..if depth == 0 { 1 } else { 5 }) {
            0 | 1 => Filter::Is(predicate(self)),
            2 => Filter::Not(Box::new(self.condition(depth - 1, predicate))),
            3 => Filter::And((0..self.rng.random_range(0..3)).map(|_| self.condition(depth - 1, predicate)).collect()),
            _ => Filter::Or((0..self.rng.random_range(0..3)).map(|_| self.condition(depth - 1, predicate)).collect()),
        }
    }

    fn user_predicate(&mut self) -> UserPredicate {
        match self.rng.random_range(0..12) {
            0 => UserPredicate::Ids(self.some_users()),
            1 => UserPredicate::Status(self.statuses()),
            2 => UserPredicate::Exclusive(self.rng.random_bool(0.5)),
            3 => UserPredicate::Created(self.period()),
            4 => UserPredicate::Updated(self.period()),
            5 => UserPredicate::Attribute(self.attribute().0, self.text_match()),
            6 => UserPredicate::InGroup(self.groups()),
            7 => UserPredicate::UnderGroup(self.groups()),
            8 => UserPredicate::Manages(self.groups()),
            9 => UserPredicate::HasRole(self.some_roles()),
            10 => UserPredicate::Search { words: self.words(), fields: self.some(&UserText::ALL) },
            _ => UserPredicate::Text(*UserText::ALL.choose(&mut self.rng).unwrap(), self.text_match()),
        }
    }

    fn group_predicate(&mut self) -> GroupPredicate {
        match self.rng.random_range(0..7) {
            0 => GroupPredicate::Ids(self.groups()),
            1 => GroupPredicate::Created(self.period()),
            2 => GroupPredicate::Attribute(self.attribute().0, self.text_match()),
            3 => GroupPredicate::Below(self.groups()),
            4 => GroupPredicate::HasMember(self.some_users()),
            5 => GroupPredicate::Search { words: self.words(), fields: self.some(&GroupText::ALL) },
            _ => GroupPredicate::Text(*GroupText::ALL.choose(&mut self.rng).unwrap(), self.text_match()),
        }
    }

    fn role_predicate(&mut self) -> RolePredicate {
        match self.rng.random_range(0..5) {
            0 => RolePredicate::Ids(self.some_roles()),
            1 => RolePredicate::Builtin(self.rng.random_bool(0.5)),
            2 => RolePredicate::Permissions(
                self.some(&["user.read", "role.read", "role.update", "no.such"]).into_iter().map(Into::into).collect(),
            ),
            3 => RolePredicate::Search { words: self.words(), fields: self.some(&RoleText::ALL) },
            _ => RolePredicate::Text(*RoleText::ALL.choose(&mut self.rng).unwrap(), self.text_match()),
        }
    }

    fn membership_predicate(&mut self) -> MembershipPredicate {
        match self.rng.random_range(0..6) {
            0 => MembershipPredicate::Users(self.some_users()),
            5 => MembershipPredicate::Ids(self.some_memberships()),
            1 => MembershipPredicate::Groups(self.groups()),
            2 => MembershipPredicate::UnderGroups(self.groups()),
            3 => MembershipPredicate::Manager(self.rng.random_bool(0.5)),
            _ => MembershipPredicate::Created(self.period()),
        }
    }

    fn grant_predicate(&mut self) -> GrantPredicate {
        match self.rng.random_range(0..7) {
            0 => GrantPredicate::Users(self.some_users()),
            6 => GrantPredicate::Ids(self.some_grants()),
            1 => GrantPredicate::Roles(self.some_roles()),
            2 => GrantPredicate::Within(self.groups()),
            3 => GrantPredicate::WorkspaceWide(self.rng.random_bool(0.5)),
            4 => GrantPredicate::Provenance(self.provenances()),
            _ => GrantPredicate::Created(self.period()),
        }
    }

    fn text_match(&mut self) -> TextMatch {
        let word = fold(WORDS.choose(&mut self.rng).unwrap());
        let characters: Vec<char> = word.chars().collect();
        let from = self.rng.random_range(0..characters.len());
        let until = self.rng.random_range(from..=characters.len());
        let part = |range: &[char]| range.iter().collect::<String>();
        match self.rng.random_range(0..6) {
            0 => TextMatch::In(vec![word, fold("C1"), "person0@example.org".to_owned(), "nul\0".to_owned()]),
            1 => TextMatch::StartsWith(part(&characters[..until])),
            2 => TextMatch::EndsWith(part(&characters[from..])),
            3 => TextMatch::Contains(part(&characters[from..until])),
            4 => TextMatch::Contains("\0".to_owned()),
            _ => TextMatch::Present,
        }
    }

    fn words(&mut self) -> Vec<String> {
        let word = words(WORDS.choose(&mut self.rng).unwrap());
        word.into_iter().map(|word| word.chars().take(self.rng.random_range(1..4)).collect()).take(2).collect()
    }

    fn attribute(&mut self) -> (String, Vec<String>) {
        let name = if self.rng.random_bool(0.1) { "no\0such" } else { ATTRIBUTES.choose(&mut self.rng).unwrap() };
        (name.to_owned(), self.some(WORDS).into_iter().map(fold).collect())
    }

    fn period(&mut self) -> Period {
        let mut instant =
            || self.rng.random_bool(0.6).then(|| Timestamp(*[500_000, 1_000_000, 1_500_000, 2_000_000].choose(&mut self.rng).unwrap()));
        Period { from: instant(), until: instant() }
    }

    fn statuses(&mut self) -> Vec<Status> {
        if self.rng.random_bool(0.5) { vec![Status::Active] } else { self.some(&Status::ALL) }
    }

    fn provenances(&mut self) -> Vec<Provenance> {
        self.some(&Provenance::ALL)
    }

    fn groups(&mut self) -> Vec<GroupId> {
        let known: Vec<GroupId> = self.world.groups.iter().map(|group| group.id).chain([GroupId(Uuid::from_u128(1))]).collect();
        // Now and then more than a list streams from.
        let rounds = if self.rng.random_bool(0.1) { storage::limits::STREAMS } else { 1 };
        (0..rounds).flat_map(|_| self.some(&known)).collect()
    }

    fn some_users(&mut self) -> Vec<UserId> {
        let known: Vec<UserId> = self.world.users.iter().map(|user| user.id).chain([UserId(Uuid::from_u128(1))]).collect();
        self.some(&known)
    }

    fn some_roles(&mut self) -> Vec<RoleId> {
        let known: Vec<RoleId> = self.world.roles.iter().map(|role| role.id).chain([RoleId(Uuid::from_u128(1))]).collect();
        self.some(&known)
    }

    fn some_memberships(&mut self) -> Vec<MembershipId> {
        let known: Vec<MembershipId> = self.world.memberships.iter().map(|row| row.id).chain([MembershipId(Uuid::from_u128(1))]).collect();
        self.some(&known)
    }

    fn some_grants(&mut self) -> Vec<GrantId> {
        let known: Vec<GrantId> = self.world.grants.iter().map(|row| row.id).chain([GrantId(Uuid::from_u128(1))]).collect();
        self.some(&known)
    }

    /// One to three of these, which may repeat.
    fn some<T: Copy>(&mut self, of: &[T]) -> Vec<T> {
        (0..self.rng.random_range(1..4)).map(|_| *of.choose(&mut self.rng).unwrap()).collect()
    }
}
