//! The decision log: what a policy decided, on which facts, and what it cost.
//!
//! Writes are recorded one and all, with the write itself; refused writes before they are answered. Of reads and mere questions every
//! so-many-th row is recorded and stands for the others ([`DecisionRecord::weight`]). What could not be recorded is counted in an entry
//! of its own ([`Outcome::Missing`]), so that nothing is ever dropped in silence.

use uuid::Uuid;

use crate::{
    access::Actor,
    contract::Digest,
    ids::{PolicyVersionId, WorkspaceId},
    model::Timestamp,
    register::Kind,
};

/// Why a policy was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Something was to be shown.
    Read,
    /// Somebody wanted to know what would be allowed.
    Ask,
    /// Something was to be changed.
    Write,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The policy allowed it.
    Allowed,
    /// It was denied, by the policy or because nobody decides the action.
    Denied,
    /// The policy gave no answer that counts, which denies.
    Failed,
    /// So many decisions could not be recorded, as many as the entry weighs.
    Missing,
}

macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// Every one, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name as stored.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The one of that name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}
names!(Purpose { Read = "read", Ask = "ask", Write = "write" });
names!(Outcome { Allowed = "allowed", Denied = "denied", Failed = "failed", Missing = "missing" });

/// One answer of a policy about one or more rows, or a number of answers that are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRecord {
    /// When.
    pub at: Timestamp,
    /// Who asked; `None` for what is missing.
    pub actor: Option<Actor>,
    /// How the subject came in: `graphql`, `http`.
    pub via: String,
    /// Why.
    pub purpose: Purpose,
    /// `kind.verb`; empty for what is missing.
    pub action: String,
    /// The kind of the rows.
    pub kind: Kind,
    /// The rows, as far as they have ids: a row that is still to be made has the id that it would get.
    pub objects: Vec<Uuid>,
    /// How many rows the answer is about, those without ids included.
    pub rows: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// What an allowing verdict withheld; the fields that were to be set and must not be, where these are why a write was denied.
    pub withheld: Vec<String>,
    /// The fields that a write sets.
    pub fields: Vec<String>,
    /// The policy's own words, or how it failed.
    pub reason: String,
    /// The version that decided.
    pub version: Option<PolicyVersionId>,
    /// SHA-256 of the module that answered; `None` where none did.
    pub digest: Option<Digest>,
    /// SHA-256 of what the module was shown, the clock excepted.
    pub facts: Option<Digest>,
    /// Fuel of the call, of which this may be one of several answers.
    pub fuel: u64,
    /// How many rows like these the entry stands for, each of them included: 1 where every one is recorded.
    pub weight: u64,
}

impl DecisionRecord {
    /// So many decisions that could not be recorded until now.
    #[must_use]
    pub const fn missing(count: u64, at: Timestamp) -> Self {
        Self {
            at,
            actor: None,
            via: String::new(),
            purpose: Purpose::Read,
            action: String::new(),
            kind: Kind::Workspace,
            objects: Vec::new(),
            rows: 0,
            outcome: Outcome::Missing,
            withheld: Vec::new(),
            fields: Vec::new(),
            reason: String::new(),
            version: None,
            digest: None,
            facts: None,
            fuel: 0,
            weight: count,
        }
    }
}

/// What is to be added to the logs of workspaces.
#[derive(Clone, Debug, Default)]
pub struct RecordDecisions {
    /// By workspace.
    pub records: Vec<(WorkspaceId, Vec<DecisionRecord>)>,
    /// Entries that a workspace keeps; the oldest make room.
    pub keep: u64,
}

/// An entry as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionEntry {
    /// Counts the workspace's entries from 1, without gaps.
    pub number: u64,
    /// What was recorded.
    pub record: DecisionRecord,
}

/// Which entries are wanted: those that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Of this user or service.
    pub actor: Option<Uuid>,
    /// About this row.
    pub object: Option<Uuid>,
    /// Of this action.
    pub action: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Asked for this purpose.
    pub purpose: Option<Purpose>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// In which order entries are wanted, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionOrder {
    /// The newest first, before this number if there is one.
    NewestBefore(Option<u64>),
    /// The oldest first, from this number on.
    OldestFrom(u64),
}

/// How far a workspace's log reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecisionSpan {
    /// The number of the oldest entry that is kept; those before it made room. 0 while there is none.
    pub first: u64,
    /// The number of the newest entry; 0 while there is none.
    pub last: u64,
}
