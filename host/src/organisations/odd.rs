//! What is odd in an organisation without being wrong.

/// Something odd: it is brought in all the same, as `docs/organisations-format.md` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// What sort of thing.
    pub oddity: Oddity,
    /// The handle as written there.
    pub handle: String,
    /// Where it is written: `teams[5].members`.
    pub place: String,
}

/// A sort of oddity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Oddity {
    /// Written in another case than in the organisation; the organisation's way is kept.
    OtherCase,
    /// In a team, but neither owner nor member of the organisation; becomes a user without a role.
    Outside,
    /// Twice in one list; counts once.
    Twice,
    /// Owner as well as member of the organisation; holds both roles.
    OwnerAndMember,
    /// Maintainer as well as member of a team; manages it.
    MaintainerAndMember,
}

impl Oddity {
    /// Every sort.
    pub const ALL: [Self; 5] = [Self::OtherCase, Self::Outside, Self::Twice, Self::OwnerAndMember, Self::MaintainerAndMember];

    /// The name in the summary for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OtherCase => "otherCase",
            Self::Outside => "outside",
            Self::Twice => "twice",
            Self::OwnerAndMember => "ownerAndMember",
            Self::MaintainerAndMember => "maintainerAndMember",
        }
    }

    /// The words in the summary for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::OtherCase => "written in another case than in the organisation",
            Self::Outside => "in a team, but not in the organisation (users without a role)",
            Self::Twice => "twice in one list",
            Self::OwnerAndMember => "owner and member (both roles)",
            Self::MaintainerAndMember => "maintainer and member of a team (manager)",
        }
    }
}
