//! `standard`, as policy-contract.md section 7 words it.

use serde_json::json;

use super::{
    Kind,
    policy::{Scope, Subject},
};

/// The setting `members_see`: which active users a subject sees without any role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Itself.
    Itself,
    /// Whoever shares a direct group with it.
    Groups,
    /// Whoever is in, or below, one of its direct groups.
    Subtree,
    /// Everybody.
    Workspace,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Itself, Self::Groups, Self::Subtree, Self::Workspace];

    /// As the settings spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Itself => "self",
            Self::Groups => "groups",
            Self::Subtree => "subtree",
            Self::Workspace => "workspace",
        }
    }
}

/// The policy with its settings.
#[derive(Clone, Debug)]
pub struct Standard {
    /// `members_see`.
    pub mode: Mode,
    /// `peer_fields_withheld`; `None` for the default.
    pub withheld: Option<Vec<String>>,
}

/// What peers do not see of each other unless the settings say otherwise.
const WITHHELD: [&str; 4] = ["email", "phone", "externalId", "attributes.*"];

impl Standard {
    /// The default withholding in a mode.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        Self { mode, withheld: None }
    }

    /// As the workspace writes them.
    #[must_use]
    pub fn settings(&self) -> String {
        let mut settings = json!({ "members_see": self.mode.name() });
        if let Some(withheld) = &self.withheld {
            settings["peer_fields_withheld"] = json!(withheld);
        }
        settings.to_string()
    }

    fn peer_fields(&self) -> Vec<String> {
        self.withheld.clone().unwrap_or_else(|| WITHHELD.map(str::to_owned).to_vec())
    }

    /// See [`super::policy::Policy::judge`].
    #[must_use]
    pub fn judge(&self, subject: &Subject<'_>, kind: Kind, row: usize) -> Option<Vec<String>> {
        match kind {
            Kind::User => self.judge_user(subject, row),
            Kind::Group => self.sees_group(subject, row).then(Vec::new),
            Kind::Role => subject.holds("role.read").then(Vec::new),
            // Visible where both ends are, which the host sees to.
            Kind::Membership | Kind::Grant => Some(Vec::new()),
        }
    }

    fn judge_user(&self, subject: &Subject<'_>, user: usize) -> Option<Vec<String>> {
        let world = subject.world;
        let under_any = |groups: &[usize]| world.groups_of(user).any(|group| groups.iter().any(|above| world.is_under(group, *above)));
        if subject.holds("user.read") {
            return Some(Vec::new());
        }
        subject.asker.person?;
        let managed = subject.manages_top || under_any(&subject.managed);
        if subject.is(user) || managed || under_any(&subject.within("user.read")) {
            return Some(Vec::new());
        }
        let mine = &subject.mine;
        let peer = match self.mode {
            Mode::Itself => false,
            Mode::Groups => world.groups_of(user).any(|group| mine.contains(&group)),
            Mode::Subtree => under_any(mine),
            Mode::Workspace => true,
        };
        (peer && world.people[user].status == "active").then(|| self.peer_fields())
    }

    fn sees_group(&self, subject: &Subject<'_>, group: usize) -> bool {
        let world = subject.world;
        let mine = &subject.mine;
        let covered = [subject.within("user.read"), subject.within("group.read")].concat();
        subject.holds("user.read")
            || subject.holds("group.read")
            || subject.asker.person.is_some()
                && (self.mode == Mode::Workspace
                    || mine.iter().any(|own| world.is_under(*own, group))
                    || self.mode == Mode::Subtree && mine.iter().any(|own| world.is_under(group, *own))
                    || subject.manages_above(group)
                    || covered.iter().any(|above| world.is_under(group, *above)))
    }

    /// See [`super::policy::Policy::scope`].
    #[must_use]
    pub fn scope(&self, subject: &Subject<'_>, kind: Kind) -> Scope {
        let open = Scope::open();
        match kind {
            Kind::User if subject.holds("user.read") => open,
            Kind::User if subject.asker.person.is_none() => Scope::nothing(),
            // What peers do not see of each other may not be searched, if there can be a peer.
            Kind::User => match self.mode {
                Mode::Itself => open,
                Mode::Groups | Mode::Subtree if subject.mine.is_empty() => open,
                Mode::Groups | Mode::Subtree | Mode::Workspace => Scope { searchable: self.searchable(), ..open },
            },
            Kind::Group => Scope { nothing: !(0..subject.world.groups.len()).any(|group| self.sees_group(subject, group)), ..open },
            Kind::Role if !subject.holds("role.read") => Scope::nothing(),
            Kind::Role | Kind::Membership | Kind::Grant => open,
        }
    }

    fn searchable(&self) -> Vec<String> {
        let withheld = self.peer_fields();
        let hidden = |field: &str| withheld.iter().any(|name| name == field || field == "attributes.*" && name.starts_with("attributes."));
        Kind::User.fields().iter().filter(|field| !hidden(field)).map(|field| (*field).to_owned()).collect()
    }

    /// Whoever may neither read all users nor change the workspace does not see how many there are.
    #[must_use]
    pub fn workspace(subject: &Subject<'_>) -> &'static [&'static str] {
        if subject.holds("user.read") || subject.holds("workspace.update") { &[] } else { &["userQuota", "userCount"] }
    }

    /// Whether the subject may do something to a user or group that is there, by role or by managing.
    #[must_use]
    pub fn may(&self, subject: &Subject<'_>, action: &str, kind: Kind, row: usize) -> bool {
        if !subject.asker.may_attempt(action) {
            return false;
        }
        let world = subject.world;
        let places: Vec<usize> = match kind {
            Kind::User => world.groups_of(row).collect(),
            Kind::Group => vec![row],
            Kind::Role | Kind::Membership | Kind::Grant => Vec::new(),
        };
        let for_managers = action.starts_with("membership.") && subject.asker.person.is_some();
        let under = |above: usize| places.iter().any(|group| world.is_under(*group, above));
        subject.holds(action)
            || for_managers && (subject.manages_top || subject.managed.iter().copied().any(under))
            || subject.within(action).into_iter().any(under)
    }
}
