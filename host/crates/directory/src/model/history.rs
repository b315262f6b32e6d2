//! The history of a workspace's policy: what was done with it, by whom, from where, and why.

use std::{fmt, net::IpAddr};

use uuid::Uuid;

use super::{Field, Timestamp};
use crate::{
    contract::Digest,
    ids::{GrantId, GroupId, MembershipId, PolicyId, PolicyVersionId, RoleId, TokenId, UserId},
    register::Kind,
};

/// One step of the life of a module, or of what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Bytes came in.
    Uploaded,
    /// They are a module that may be activated.
    Validated,
    /// They are not, for the reasons given.
    Rejected,
    /// The workspace's tests ran.
    Tested,
    /// Other tests took the place of the workspace's.
    TestsReplaced,
    /// It began to answer beside what is active.
    ShadowStarted,
    /// It ended to.
    ShadowStopped,
    /// A gate refused to activate it.
    ActivationRefused,
    /// It decides.
    Activated,
    /// It decides under other settings.
    SettingsChanged,
    /// An earlier version decides again.
    RolledBack,
    /// The server went back to the version before, because the active one failed.
    RolledBackAutomatically,
    /// The operator activated it, past the gates.
    ActivationForced,
    /// The operator went back to an earlier version, past the gates.
    RollBackForced,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 14] = [
        Self::Uploaded,
        Self::Validated,
        Self::Rejected,
        Self::Tested,
        Self::TestsReplaced,
        Self::ShadowStarted,
        Self::ShadowStopped,
        Self::ActivationRefused,
        Self::Activated,
        Self::SettingsChanged,
        Self::RolledBack,
        Self::RolledBackAutomatically,
        Self::ActivationForced,
        Self::RollBackForced,
    ];

    /// The name as stored and as the API writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Validated => "validated",
            Self::Rejected => "rejected",
            Self::Tested => "tested",
            Self::TestsReplaced => "tests-replaced",
            Self::ShadowStarted => "shadow-started",
            Self::ShadowStopped => "shadow-stopped",
            Self::ActivationRefused => "activation-refused",
            Self::Activated => "activated",
            Self::SettingsChanged => "settings-changed",
            Self::RolledBack => "rolled-back",
            Self::RolledBackAutomatically => "rolled-back-automatically",
            Self::ActivationForced => "activation-forced",
            Self::RollBackForced => "rollback-forced",
        }
    }

    /// Whether another version, or the same module under other settings, decides by it.
    #[must_use]
    pub const fn decides(self) -> bool {
        match self {
            Self::Activated
            | Self::SettingsChanged
            | Self::RolledBack
            | Self::RolledBackAutomatically
            | Self::ActivationForced
            | Self::RollBackForced => true,
            Self::Uploaded
            | Self::Validated
            | Self::Rejected
            | Self::Tested
            | Self::TestsReplaced
            | Self::ShadowStarted
            | Self::ShadowStopped
            | Self::ActivationRefused => false,
        }
    }

    /// The step of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

/// What looks at a version before it is activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyGate {
    /// Module and `standard` accept their settings.
    Settings,
    /// Whoever could undo the activation still can.
    LockOut,
    /// `scope` and `check` agree.
    Agreement,
    /// The workspace's policy tests are met.
    Tests,
}

impl PolicyGate {
    /// Every gate, in the order in which they look and tell.
    pub const ALL: [Self; 4] = [Self::Settings, Self::LockOut, Self::Agreement, Self::Tests];

    /// The name as stored and as the API writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::LockOut => "lock-out",
            Self::Agreement => "agreement",
            Self::Tests => "tests",
        }
    }

    /// The gate of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gate| gate.name() == name)
    }
}

/// Who took a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Author {
    /// A user of the workspace.
    User(UserId),
    /// A service of the workspace, by its token.
    Service(TokenId),
    /// The operator.
    Operator,
}

/// A row that a reason is about. Told by id, and only to whoever may see the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quote {
    /// The kind: user, group, role, membership or grant.
    pub kind: Kind,
    /// The row's id, without its type.
    pub id: Uuid,
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::User => write!(f, "{}", UserId(self.id)),
            Kind::Group => write!(f, "{}", GroupId(self.id)),
            Kind::Role => write!(f, "{}", RoleId(self.id)),
            Kind::Membership => write!(f, "{}", MembershipId(self.id)),
            Kind::Grant => write!(f, "{}", GrantId(self.id)),
            kind => write!(f, "{} {}", kind.name(), self.id.simple()),
        }
    }
}

/// Why a step was taken, or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The gate that refused.
    pub gate: Option<PolicyGate>,
    /// A sentence, with [`Reason::HOLE`] for each of `quotes`, in order.
    text: String,
    /// The rows that the sentence is about.
    quotes: Vec<Quote>,
}

impl Reason {
    /// Stands in a text for a quoted row. No text from elsewhere may bring one along.
    pub const HOLE: char = '\u{fffc}';
    /// Characters of a text.
    const TEXT_CHARS: usize = 1_000;

    /// A sentence about no row in particular; at most a thousand characters of it are kept.
    #[must_use]
    pub fn new(gate: Option<PolicyGate>, text: &str) -> Self {
        Self::about(gate, &text.replace(Self::HOLE, ""), Vec::new())
    }

    /// A sentence with a [`Reason::HOLE`] for each quote.
    #[must_use]
    pub fn about(gate: Option<PolicyGate>, text: &str, quotes: Vec<Quote>) -> Self {
        Self { gate, text: text.chars().take(Self::TEXT_CHARS).collect(), quotes }
    }

    /// The sentence with its holes, to be stored.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The rows that it is about.
    #[must_use]
    pub fn quotes(&self) -> &[Quote] {
        &self.quotes
    }

    /// The sentence for somebody: rows that they may not see are not named.
    #[must_use]
    pub fn told(&self, sees: impl Fn(&Quote) -> bool) -> ToldReason {
        let mut pieces = self.text.split(Self::HOLE);
        let mut text = pieces.next().unwrap_or_default().to_owned();
        let mut quotes = self.quotes.iter();
        for piece in pieces {
            match quotes.next().filter(|quote| sees(quote)) {
                Some(quote) => text.push_str(&quote.to_string()),
                None => text.push_str("something you can not see"),
            }
            text.push_str(piece);
        }
        ToldReason { gate: self.gate, text }
    }
}

/// A reason as one reader may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldReason {
    /// The gate that refused.
    pub gate: Option<PolicyGate>,
    /// A sentence.
    pub text: String,
}

impl fmt::Display for ToldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.gate {
            Some(gate) => write!(f, "{}: {}", gate.name(), self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Counts the steps of one workspace, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepNumber(pub i64);

/// A step as it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyStep {
    /// Its place in the history.
    pub number: StepNumber,
    /// What was done.
    pub step: Step,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Author,
    /// How they came in: `graphql` or `http`; for the operator `command-line`, `token` or `server`.
    pub via: String,
    /// From where, as the server saw it: behind a proxy, the proxy's address.
    pub peer: Option<IpAddr>,
    /// The module, if one was involved.
    pub module: Option<PolicyId>,
    /// SHA-256 of that module, which may be forgotten by now.
    pub digest: Option<Digest>,
    /// The version that was made active by it.
    pub version: Option<PolicyVersionId>,
    /// In the words of whoever did it.
    pub note: Option<String>,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// A step as one reader may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldStep {
    /// As in [`PolicyStep`].
    pub number: StepNumber,
    /// Likewise.
    pub step: Step,
    /// Likewise.
    pub at: Timestamp,
    /// By whom; withheld where the reader may not see them.
    pub by: Field<Author>,
    /// As in [`PolicyStep`].
    pub via: String,
    /// From where; withheld with `by`.
    pub peer: Field<Option<IpAddr>>,
    /// As in [`PolicyStep`].
    pub module: Option<PolicyId>,
    /// Likewise.
    pub digest: Option<Digest>,
    /// Likewise.
    pub version: Option<PolicyVersionId>,
    /// In the words of whoever did it.
    pub note: Field<Option<String>>,
    /// Why.
    pub reasons: Vec<ToldReason>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_to_whoever_sees_them() {
        let quote = |id| Quote { kind: Kind::User, id: Uuid::from_u128(id) };
        let text = format!("for {0} the scope admits {0}", Reason::HOLE);
        let reason = Reason::about(Some(PolicyGate::Agreement), &text, vec![quote(1), quote(2)]);
        let told = reason.told(|asked| *asked == quote(1)).to_string();
        assert_eq!(told, "agreement: for usr_00000000000000000000000000000001 the scope admits something you can not see");
    }

    #[test]
    fn no_text_from_elsewhere_brings_a_hole() {
        let reason = Reason::new(None, &format!("a{}b", Reason::HOLE));
        assert_eq!(reason.told(|_| true).to_string(), "ab");
    }

    #[test]
    fn names_are_found_again() {
        assert!(Step::ALL.into_iter().all(|step| Step::named(step.name()) == Some(step)));
        assert!(PolicyGate::ALL.into_iter().all(|gate| PolicyGate::named(gate.name()) == Some(gate)));
    }
}
