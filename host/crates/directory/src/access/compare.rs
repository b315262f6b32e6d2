//! What would change under a candidate: the active policy and another one are asked the same about real people and rows.
//!
//! A comparison goes in pieces, each of one moment and bounded in pairs, rows and time; whoever asks adds them up. It looks at one chunk
//! of rows of one kind after the other, and puts each chunk to one subject after the other. The chunk and the facts about it are read
//! once for all subjects; each subject takes one `check` an action and a policy, however many rows there are.
//!
//! To compare other pairs, add a case to [`ComparePairs`] and say in `pairs` who and what it names.

mod live;
mod pairs;
mod piece;
mod side;
mod tally;

use uuid::Uuid;

use super::{Directory, Sealed, policies::refuse_settings_of_nothing};
use crate::{
    Error,
    contract::Cost,
    ids::{GrantId, GroupId, MembershipId, PolicyId, PolicyVersionId, RoleId, UserId},
    limits,
    model::PolicyVersion,
    register::{self, Kind},
};
pub(super) use live::{Answered, AskedRows, Question};
use pairs::Pairs;
use piece::Piece;
pub(super) use tally::Tally;

/// What is to be compared, and how much of it at once.
#[derive(Clone, Debug)]
pub struct Compare {
    /// What the active policy is compared with.
    pub candidate: Candidate,
    /// Who is asked about what.
    pub pairs: ComparePairs,
    /// The actions; by default all that are decided about a row that is there. Reads are of the kinds that are named.
    pub actions: Option<Vec<String>>,
    /// At most so many examples of each change of each action; see [`limits::COMPARE_EXAMPLES`].
    pub examples: usize,
    /// After so many pairs a piece ends; see [`limits::COMPARE_PAIRS`].
    pub piece: usize,
}

/// A policy that might be activated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The module.
    pub module: CandidateModule,
    /// Its settings; `None` keeps the active ones where the module stays the same, else the module's defaults.
    pub settings: Option<String>,
    /// The settings of `standard`; `None` keeps the active ones.
    pub standard_settings: Option<String>,
}

impl Candidate {
    /// What is active, unchanged.
    pub const ACTIVE: Self = Self { module: CandidateModule::Active, settings: None, standard_settings: None };

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_active(&self) -> bool {
        *self == Self::ACTIVE
    }
}

/// The module of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateModule {
    /// The active one.
    Active,
    /// None: `standard` decides alone.
    Standard,
    /// This one.
    Named(PolicyId),
}

/// Who is asked about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComparePairs {
    /// These users about these objects. Without users every active user is asked, without objects about every row of each kind.
    Named {
        /// Active users.
        subjects: Vec<UserId>,
        /// Rows of any kind.
        objects: Vec<ObjectId>,
    },
    /// So many active users about so many rows of each kind, as if by chance and the same for the same seed.
    Sample {
        /// How many of each.
        size: usize,
        /// What the choice follows from.
        seed: u64,
    },
    /// Active users about the rows that they asked for, as so many of the latest entries of the decision log have it.
    Recorded {
        /// How many entries.
        entries: usize,
    },
}

/// A row of one of the kinds that policies are compared on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectId {
    /// A user.
    User(UserId),
    /// A group.
    Group(GroupId),
    /// A role.
    Role(RoleId),
    /// A membership.
    Membership(MembershipId),
    /// A grant.
    Grant(GrantId),
}

impl ObjectId {
    /// A row of a kind that policies are compared on; `None` of other kinds.
    #[must_use]
    pub const fn new(kind: Kind, id: Uuid) -> Option<Self> {
        match kind {
            Kind::User => Some(Self::User(UserId(id))),
            Kind::Group => Some(Self::Group(GroupId(id))),
            Kind::Role => Some(Self::Role(RoleId(id))),
            Kind::Membership => Some(Self::Membership(MembershipId(id))),
            Kind::Grant => Some(Self::Grant(GrantId(id))),
            _ => None,
        }
    }

    /// Its kind, and its id without the type.
    #[must_use]
    pub const fn parts(self) -> (Kind, Uuid) {
        match self {
            Self::User(id) => (Kind::User, id.0),
            Self::Group(id) => (Kind::Group, id.0),
            Self::Role(id) => (Kind::Role, id.0),
            Self::Membership(id) => (Kind::Membership, id.0),
            Self::Grant(id) => (Kind::Grant, id.0),
        }
    }
}

/// Where a comparison goes on. It names rows that its reader may not know of: interfaces encrypt it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparePosition {
    /// The version that is compared with.
    pub active: PolicyVersionId,
    /// The kind whose rows are being compared.
    pub kind: Kind,
    /// Behind this row of it.
    pub row: Option<Uuid>,
    /// The last row of the chunk that begins there, once it was begun with: who comes or goes meanwhile does not move its end.
    pub last: Option<Uuid>,
    /// Behind this subject, for that chunk.
    pub subject: Option<Uuid>,
    /// Pairs that earlier pieces looked at.
    pub done: u64,
    /// Pairs that there were when the comparison began.
    pub total: u64,
    /// The newest entry of the decision log when the comparison began; 0 where it is of no account.
    pub newest: u64,
}

/// A piece of a comparison: what it found, by itself.
#[derive(Clone, Debug)]
pub struct PolicyComparison {
    /// The version that the candidate was compared with.
    pub active: PolicyVersionId,
    /// What changes, by kind and action in the register's order; an action is there once it was compared.
    pub actions: Vec<ComparedAction>,
    /// Where a policy gave no answer that counts.
    pub failures: Vec<ComparisonFailure>,
    /// Pairs of a subject and a row that were looked at since the comparison began.
    pub done: u64,
    /// Pairs that there were when it began.
    pub total: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<ComparePosition>,
    /// What the two policies cost, the active one first.
    pub cost: [Cost; 2],
}

/// What changes for one action.
///
/// A subject may do something to a row if the policy allows it *and* shows the row; an edge is shown where both its ends are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedAction {
    /// The kind.
    pub kind: Kind,
    /// `kind.verb`.
    pub action: String,
    /// Pairs on which both policies answered.
    pub compared: u64,
    /// Pairs that only the candidate allows.
    pub gained: u64,
    /// Pairs that only the active policy allows.
    pub lost: u64,
    /// Pairs that both allow to read, with other fields.
    pub fields_changed: u64,
    /// Which fields, in the register's order, then attributes.
    pub fields: Vec<ComparedField>,
    /// Changes about somebody or something that the asker may not see.
    pub unseen: u64,
    /// The first changes of each kind whose subject and object the asker sees.
    pub examples: Vec<ComparisonExample>,
}

/// How often a field becomes hidden or shown on rows that both policies show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedField {
    /// The field; of custom attributes `attributes.NAME`.
    pub name: String,
    /// Pairs for which only the candidate hides it.
    pub hidden: u64,
    /// Pairs for which only the active policy hides it.
    pub shown: u64,
}

/// What becomes of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComparisonChange {
    /// Only the candidate allows it.
    Gained,
    /// Only the active policy allows it.
    Lost,
    /// Both show the row, with other fields.
    Fields,
}

/// A change, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparisonExample {
    /// For whom.
    pub subject: UserId,
    /// Of what.
    pub object: ObjectId,
    /// What becomes of it.
    pub change: ComparisonChange,
    /// Fields that become hidden.
    pub hidden: Vec<String>,
    /// Fields that become shown.
    pub shown: Vec<String>,
    /// Why, in the words of the active policy.
    pub active_reason: String,
    /// Why, in the words of the candidate.
    pub candidate_reason: String,
}

/// One of the two policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ComparisonSide {
    /// The active one.
    Active,
    /// The candidate.
    Candidate,
}

/// That a policy gave no answer that counts, which denies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparisonFailure {
    /// Which policy.
    pub side: ComparisonSide,
    /// The action that it was asked about, `kind.verb`.
    pub action: String,
    /// The pairs that could not be compared for it.
    pub pairs: u64,
    /// Why, of the first time.
    pub reason: String,
}

impl Directory {
    /// Compares the active policy with a candidate, a piece at a time, for whoever may `policy.explain`. `None` if somebody or something
    /// named is not there for the asker.
    ///
    /// Counts are exact over what was compared. Only who and what the asker sees is named; the rest is counted.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Stale`] if another version became active since `after`; [`Error::NotFound`] without the module,
    /// [`Error::Refused`] for a rejected one; [`Error::Invalid`] for settings that it refuses, unknown actions and subjects who are not
    /// active; [`Error::TooLarge`] past a limit; those of policy and store.
    pub async fn compare_policies(&self, ask: &Compare, after: Option<&ComparePosition>) -> Result<Option<PolicyComparison>, Error> {
        self.require("policy.explain").await?;
        bounded(ask)?;
        self.begin_long_work()?;
        let actions = actions(ask.actions.as_deref())?;
        if after.is_some_and(|position| position.active != self.version.id) {
            return Err(Error::Stale("the active policy version".to_owned()));
        }
        let candidate = self.candidate_version(&ask.candidate).await?;
        let newest = match (after, &ask.pairs) {
            (Some(position), _) => position.newest,
            (None, ComparePairs::Recorded { .. }) => self.snapshot.lock().await.decision_span().await?.last,
            (None, _) => 0,
        };
        let Some(pairs) = self.pairs(&ask.pairs, &actions, newest).await? else { return Ok(None) };
        let position = match after {
            Some(position) => position.clone(),
            None => self.beginning(&pairs, newest).await?,
        };
        let piece = Piece::of(self, ask, candidate, (pairs, actions)).await?;
        piece.run(position).await.map(Some)
    }

    /// The candidate as it would stand, with settings that it accepts.
    pub(super) async fn candidate_version(&self, candidate: &Candidate) -> Result<PolicyVersion, Error> {
        let module = match candidate.module {
            CandidateModule::Active => self.version.module,
            CandidateModule::Standard => None,
            CandidateModule::Named(id) => Some(id),
        };
        refuse_settings_of_nothing(module, candidate.settings.as_deref())?;
        // Only what is activated has an id.
        let id = PolicyVersionId(Uuid::nil());
        let proposed = self.proposed(id, module, candidate.settings.clone(), candidate.standard_settings.clone());
        let version = self.candidate(&proposed).await?;
        self.check_settings(&version).await?;
        Ok(version)
    }

    /// The fields of the declared attributes.
    async fn attribute_fields(&self) -> Result<Vec<String>, Error> {
        let attributes = self.snapshot.lock().await.attributes().await?.into_iter().map(Sealed::open);
        Ok(attributes.map(|attribute| format!("attributes.{}", attribute.name)).collect())
    }

    async fn beginning(&self, pairs: &Pairs, newest: u64) -> Result<ComparePosition, Error> {
        let total = self.count_pairs(pairs).await?;
        Ok(ComparePosition { active: self.version.id, kind: Kind::User, row: None, last: None, subject: None, done: 0, total, newest })
    }
}

/// The kinds that policies are compared on, in the order in which they are.
pub(super) const KINDS: [Kind; 5] = [Kind::User, Kind::Group, Kind::Role, Kind::Membership, Kind::Grant];

/// Refuses more than a piece may hold.
fn bounded(ask: &Compare) -> Result<(), Error> {
    let within = |what: &str, asked: usize, least: usize, most: usize| {
        if (least..=most).contains(&asked) {
            return Ok(());
        }
        Err(Error::TooLarge(format!("{what}: {asked} is not between {least} and {most}; ask for another number")))
    };
    within("pairs at once", ask.piece, 1, limits::COMPARE_PAIRS)?;
    within("examples", ask.examples, 0, limits::COMPARE_EXAMPLES)?;
    match &ask.pairs {
        ComparePairs::Named { subjects, objects } => {
            within("users", subjects.len(), 0, limits::COMPARE_NAMED)?;
            within("objects", objects.len(), 0, limits::COMPARE_NAMED)
        }
        ComparePairs::Sample { size, .. } => within("the sample", *size, 1, limits::COMPARE_SAMPLE),
        ComparePairs::Recorded { entries } => within("entries of the log", *entries, 1, limits::COMPARE_RECORDED),
    }
}

/// The actions to compare, by kind in the order of [`KINDS`], reads first; a kind without any is not compared.
fn actions(asked: Option<&[String]>) -> Result<Vec<(Kind, Vec<String>)>, Error> {
    let comparable = |kind: Kind| {
        // What is nowhere yet, or in the recycle bin, is no row to be asked about.
        let verbs = kind.verbs().iter().filter(|verb| !matches!(**verb, "create" | "add" | "restore"));
        verbs.map(move |verb| format!("{}.{verb}", kind.name()))
    };
    let all: Vec<(Kind, Vec<String>)> = KINDS.into_iter().map(|kind| (kind, comparable(kind).collect())).collect();
    let Some(asked) = asked else { return Ok(all) };
    for action in asked {
        if !all.iter().any(|(_, actions)| actions.contains(action)) {
            let shown: String = action.chars().take(64).collect();
            let why = if register::action(action).is_some() { "is not decided about a row that is there" } else { "is no action" };
            let known: Vec<&str> = all.iter().flat_map(|(_, actions)| actions.iter().map(String::as_str)).collect();
            return Err(Error::Invalid(format!("`{shown}` {why}; compare some of {}", known.join(", "))));
        }
    }
    let wanted = |(kind, actions): (Kind, Vec<String>)| (kind, actions.into_iter().filter(|action| asked.contains(action)).collect());
    Ok(all.into_iter().map(wanted).filter(|(_, actions): &(_, Vec<String>)| !actions.is_empty()).collect())
}
