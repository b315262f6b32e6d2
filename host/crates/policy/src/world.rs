//! A made-up workspace, the same one every time: shaped like a real one, and true of nobody.
//!
//! What is said of a row is consistent, as it is of a real one: who shares a group with the subject is in a group of the subject's, a
//! member is in its group, and the subject's own rows say what the subject is. So whatever can be told in two ways is told alike.

use directory::{
    contract::{Held, UNASSIGNED},
    register::Kind,
};

/// Groups of the workspace. Each lies below the one of half its position.
pub(crate) const GROUPS: u32 = 8;
/// The permissions of its roles, by position.
pub(crate) const ROLES: [&[&str]; 4] = [&["user.read", "group.read", "grant.add"], &["user.read"], &["group.read", "grant.add"], &[]];
/// The statuses of its users.
const STATUSES: [&str; 5] = ["active", "invited", "inactive", "suspended", "deleted"];
/// Where its grants came from.
const PROVENANCES: [&str; 4] = ["manual", "scim", "import", "invitation"];
/// The values of its attributes.
const WORDS: [&str; 3] = ["berlin", "engineering", "staff"];
/// What the attributes of the subjects say that have any.
const OWN_WORD: &str = WORDS[1];

/// On whose behalf a module is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A person in groups, with grants in the whole workspace, who manages.
    Manager,
    /// A person in groups, with a grant below one of them.
    Member,
    /// A person without any group or role.
    Newcomer,
    /// A token's.
    Service,
}

impl Subject {
    pub(crate) const ALL: [Self; 4] = [Self::Manager, Self::Member, Self::Newcomer, Self::Service];

    /// As a reason calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Manager => "a manager",
            Self::Member => "a member",
            Self::Newcomer => "somebody without groups and roles",
            Self::Service => "a service",
        }
    }

    pub(crate) const fn is_person(self) -> bool {
        !matches!(self, Self::Service)
    }

    pub(crate) const fn groups(self) -> &'static [u32] {
        match self {
            Self::Manager => &[1, 3],
            Self::Member => &[2, 6],
            Self::Newcomer | Self::Service => &[],
        }
    }

    pub(crate) const fn manages(self) -> &'static [u32] {
        if matches!(self, Self::Manager) { &[1] } else { &[] }
    }

    pub(crate) const fn grants(self) -> &'static [Held] {
        match self {
            Self::Manager => &[Held { role: 0, within: UNASSIGNED }, Held { role: 1, within: 2 }],
            Self::Member => &[Held { role: 1, within: 3 }],
            Self::Newcomer | Self::Service => &[],
        }
    }

    /// The values of any of its attributes.
    pub(crate) const fn attribute(self) -> &'static [&'static str] {
        if matches!(self, Self::Manager | Self::Member) { &[OWN_WORD] } else { &[] }
    }

    fn holds(self, role: u32) -> bool {
        self.grants().iter().any(|grant| grant.role == role)
    }
}

/// A row of the workspace, as the subject stands to it.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    User(User),
    Group(Group),
    Role(Role),
    Membership { user: User, group: Group, manager: bool, created_by_me: bool },
    Grant { user: User, role: Role, within: Option<Group>, provenance: &'static str, created_by_me: bool },
    Other { own: bool, created_by_me: bool },
}

/// A user.
#[derive(Clone, Debug)]
pub(crate) struct User {
    at: u32,
    subject: Subject,
    /// It is the subject.
    pub(crate) own: bool,
    pub(crate) created_by_me: bool,
    pub(crate) groups: Vec<u32>,
    pub(crate) roles: Vec<u32>,
    pub(crate) status: &'static str,
    pub(crate) exclusive: bool,
}

/// A group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    subject: Subject,
    pub(crate) position: u32,
}

/// A role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Role {
    subject: Subject,
    pub(crate) position: u32,
}

impl Row {
    /// One of as many rows as anybody wants.
    pub(crate) fn of(kind: Kind, subject: Subject, at: u32) -> Self {
        let created_by_me = subject.is_person() && draw(at, 1, 4) == 0;
        match kind {
            Kind::User => Self::User(User::at(subject, at)),
            Kind::Group => Self::Group(Group { subject, position: draw(at, 2, GROUPS) }),
            Kind::Role => Self::Role(Role { subject, position: draw(at, 3, roles()) }),
            Kind::Membership => Self::membership(subject, at, created_by_me),
            Kind::Grant => Self::grant(subject, at, created_by_me),
            _ => Self::Other { own: subject.is_person() && at % 8 == 3, created_by_me },
        }
    }

    fn membership(subject: Subject, at: u32, created_by_me: bool) -> Self {
        let mut user = User::at(subject, at);
        if user.own && user.groups.is_empty() {
            user = User::other(subject, at);
        }
        let position = one_of(&user.groups, at).unwrap_or_else(|| draw(at, 4, GROUPS));
        if !user.groups.contains(&position) {
            user.groups.push(position);
        }
        let manager = if user.own { subject.manages().contains(&position) } else { draw(at, 5, 3) == 0 };
        Self::Membership { user, group: Group { subject, position }, manager, created_by_me }
    }

    fn grant(subject: Subject, at: u32, created_by_me: bool) -> Self {
        let mut user = User::at(subject, at);
        if user.own && user.roles.is_empty() {
            user = User::other(subject, at);
        }
        let own = one_of(subject.grants(), at).filter(|_| user.own);
        let (position, within) = own.map_or_else(
            || {
                let role = one_of(&user.roles, at).unwrap_or_else(|| draw(at, 6, roles()));
                (role, (draw(at, 7, 3) > 0).then(|| draw(at, 8, GROUPS)))
            },
            |held| (held.role, (held.within != UNASSIGNED).then_some(held.within)),
        );
        if !user.roles.contains(&position) {
            user.roles.push(position);
        }
        let within = within.map(|position| Group { subject, position });
        let provenance = pick(&PROVENANCES, draw(at, 9, 4));
        Self::Grant { user, role: Role { subject, position }, within, provenance, created_by_me }
    }
}

impl User {
    /// Every sixteenth is the subject, if it is a person.
    fn at(subject: Subject, at: u32) -> Self {
        if !subject.is_person() || at % 16 != 3 {
            return Self::other(subject, at);
        }
        let mut roles: Vec<u32> = subject.grants().iter().map(|grant| grant.role).collect();
        roles.dedup();
        Self { own: true, groups: subject.groups().to_vec(), roles, status: "active", ..Self::other(subject, at) }
    }

    fn other(subject: Subject, at: u32) -> Self {
        // Half of them are active.
        let status = if draw(at, 10, 2) == 0 { "active" } else { pick(&STATUSES, draw(at, 11, 5)) };
        Self {
            at,
            subject,
            own: false,
            created_by_me: subject.is_person() && draw(at, 12, 4) == 0,
            groups: some_of(at, 13, GROUPS),
            roles: some_of(at, 14, roles()),
            status,
            exclusive: draw(at, 15, 4) == 0,
        }
    }

    /// The values of an attribute; none where it is unassigned. The workspace declares every attribute that anybody names.
    pub(crate) fn attribute(&self, name: &str) -> Vec<&'static str> {
        if self.own { self.subject.attribute().to_vec() } else { words(self.at, name) }
    }

    pub(crate) fn shares_group(&self) -> bool {
        self.groups.iter().any(|group| self.subject.groups().contains(group))
    }

    /// Whether it is in, or below, one of these groups.
    pub(crate) fn is_under(&self, groups: &[u32]) -> bool {
        self.groups.iter().any(|group| is_under(*group, groups))
    }

    pub(crate) fn is_below_my_groups(&self) -> bool {
        self.is_under(self.subject.groups())
    }

    pub(crate) fn is_managed_by_me(&self) -> bool {
        self.is_under(self.subject.manages())
    }
}

impl Group {
    /// Itself, and its parent.
    pub(crate) fn with_parent(self) -> Vec<u32> {
        std::iter::once(self.position).chain(parent(self.position)).collect()
    }

    pub(crate) fn depth(self) -> u32 {
        std::iter::successors(Some(self.position), |group| parent(*group)).zip(1..).map(|(_, depth)| depth).last().unwrap_or_default()
    }

    /// Whether it is, or is below, one of these groups.
    pub(crate) fn is_under(self, groups: &[u32]) -> bool {
        is_under(self.position, groups)
    }

    pub(crate) fn is_mine(self) -> bool {
        self.subject.groups().contains(&self.position)
    }

    pub(crate) fn is_below_mine(self) -> bool {
        self.is_under(self.subject.groups())
    }

    pub(crate) fn is_above_mine(self) -> bool {
        self.subject.groups().iter().any(|mine| is_under(*mine, &[self.position]))
    }

    pub(crate) fn is_managed_by_me(self) -> bool {
        self.is_under(self.subject.manages())
    }

    pub(crate) fn created_by_me(self) -> bool {
        self.subject.is_person() && self.position == 5
    }

    /// See [`User::attribute`].
    pub(crate) fn attribute(self, name: &str) -> Vec<&'static str> {
        words(self.position, name)
    }
}

impl Role {
    pub(crate) fn is_held_by_me(self) -> bool {
        self.subject.holds(self.position)
    }

    pub(crate) const fn builtin(self) -> bool {
        self.position < 2
    }

    pub(crate) fn permissions(self) -> &'static [&'static str] {
        ROLES.get(self.position as usize).copied().unwrap_or_default()
    }

    pub(crate) fn created_by_me(self) -> bool {
        self.subject.is_person() && self.position == 3
    }
}

/// How many roles there are.
pub(crate) fn roles() -> u32 {
    u32::try_from(ROLES.len()).unwrap_or(u32::MAX)
}

/// The group above.
pub(crate) const fn parent(group: u32) -> Option<u32> {
    if group == 0 { None } else { Some(group / 2) }
}

fn is_under(group: u32, groups: &[u32]) -> bool {
    std::iter::successors(Some(group), |group| parent(*group)).any(|group| groups.contains(&group))
}

/// No value, one or two.
fn words(at: u32, name: &str) -> Vec<&'static str> {
    let salt = name.bytes().fold(16, |salt: u32, byte| salt.wrapping_mul(31).wrapping_add(u32::from(byte)));
    some_of(at, salt, 3).into_iter().map(|word| pick(&WORDS, word)).collect()
}

/// None, one or two of the numbers below a bound, each once.
fn some_of(at: u32, salt: u32, below: u32) -> Vec<u32> {
    let first = draw(at, salt, below);
    let second = (first + 1 + draw(at, salt ^ 0x5bd1_e995, below - 1)) % below;
    [first, second].into_iter().take(draw(at, salt ^ 0xc2b2_ae35, 3) as usize).collect()
}

fn one_of<T: Copy>(items: &[T], at: u32) -> Option<T> {
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    items.get(draw(at, 17, count.max(1)) as usize).copied()
}

fn pick(words: &[&'static str], at: u32) -> &'static str {
    words.get(at as usize).copied().unwrap_or_default()
}

/// A number below a bound, spread well and the same every time.
const fn draw(at: u32, salt: u32, below: u32) -> u32 {
    let mut mixed = at.wrapping_mul(0x9e37_79b9) ^ salt.wrapping_mul(0x85eb_ca6b);
    mixed = (mixed ^ (mixed >> 16)).wrapping_mul(0x7feb_352d);
    mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x846c_a68b);
    (mixed ^ (mixed >> 16)) % below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(kind: Kind) -> impl Iterator<Item = (Subject, Row)> {
        Subject::ALL.into_iter().flat_map(move |subject| (0..256).map(move |at| (subject, Row::of(kind, subject, at))))
    }

    #[test]
    fn what_can_be_told_in_two_ways_is_told_alike() {
        for (subject, row) in rows(Kind::User) {
            let Row::User(user) = row else { panic!("{row:?}") };
            assert!(!user.shares_group() || user.is_below_my_groups(), "{user:?}");
            assert!(!user.own || (user.groups == subject.groups() && user.status == "active"), "{user:?}");
        }
        for (subject, row) in rows(Kind::Membership) {
            let Row::Membership { user, group, manager, .. } = row else { panic!("{row:?}") };
            assert!(user.groups.contains(&group.position) && (!user.own || group.is_mine()), "{user:?} {group:?}");
            assert!(!user.own || manager == subject.manages().contains(&group.position));
        }
        for (subject, row) in rows(Kind::Grant) {
            let Row::Grant { user, role, within, .. } = row else { panic!("{row:?}") };
            assert!(user.roles.contains(&role.position) && (!user.own || role.is_held_by_me()), "{user:?} {role:?}");
            let held = Held { role: role.position, within: within.map_or(UNASSIGNED, |group| group.position) };
            assert!(!user.own || subject.grants().contains(&held), "{user:?} {held:?}");
        }
    }

    #[test]
    fn every_fact_is_true_of_some_rows_and_false_of_others() {
        let users: Vec<User> = rows(Kind::User).filter_map(|(_, row)| if let Row::User(user) = row { Some(user) } else { None }).collect();
        let facts: [fn(&User) -> bool; 9] = [
            |user| user.own,
            |user| user.created_by_me,
            User::shares_group,
            |user| user.is_below_my_groups() && !user.shares_group(),
            User::is_managed_by_me,
            |user| user.groups.is_empty(),
            |user| user.roles.is_empty(),
            |user| user.status == "active",
            |user| user.attribute("team").is_empty(),
        ];
        for fact in facts {
            let holds = users.iter().filter(|user| fact(user)).count();
            assert!(holds >= 8 && holds <= users.len() - 8, "{holds} of {}", users.len());
        }
    }

    #[test]
    fn groups_stand_in_a_tree() {
        let group = |position| Group { subject: Subject::Manager, position };
        assert_eq!([0, 1, 2, 3, 7].map(|position| group(position).depth()), [1, 2, 3, 3, 4]);
        assert_eq!(group(6).with_parent(), [6, 3]);
        assert!(group(7).is_under(&[3]) && group(3).is_under(&[3]) && !group(2).is_under(&[3]));
        assert!(group(0).is_above_mine() && group(3).is_mine() && group(6).is_below_mine() && !group(4).is_above_mine());
    }
}
