//! Policy modules and versions.

use super::{Timestamp, Version};
use crate::{
    contract::Digest,
    ids::{PolicyId, PolicyVersionId, UserId},
};

/// Where a module stands (policy-contract.md section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyStatus {
    /// Passed validation; may be activated.
    Validated,
    /// Failed validation; kept with every reason.
    Rejected,
}

impl PolicyStatus {
    /// The name as stored and as the API writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Validated => "validated",
            Self::Rejected => "rejected",
        }
    }
}

/// A module as uploaded to one workspace; immutable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyModule {
    /// Unique everywhere.
    pub id: PolicyId,
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// From its manifest; empty if it never described itself.
    pub name: String,
    /// From its manifest; likewise.
    pub version: String,
    /// Whether it may be activated.
    pub status: PolicyStatus,
    /// Why it was rejected; empty otherwise.
    pub reasons: Vec<String>,
    /// Bytes as uploaded.
    pub size: u64,
    /// Who uploaded it; `None` for the operator.
    pub uploaded_by: Option<UserId>,
    /// When.
    pub uploaded_at: Timestamp,
    /// The uploader's note.
    pub note: Option<String>,
}

/// Module, settings and the `standard` behind it, as they were activated together. Immutable: roll back activates an old one again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Unique everywhere.
    pub id: PolicyVersionId,
    /// The workspace's module; `None` where the embedded `standard` decides alone.
    pub module: Option<PolicyId>,
    /// The digest of that module.
    pub digest: Option<Digest>,
    /// The module's settings; the empty text for its defaults.
    pub settings: String,
    /// The digest of the `standard` that decides alone, or that `otherwise` refers to.
    pub standard: Digest,
    /// The settings of `standard`.
    pub standard_settings: String,
    /// Counts the workspace's activations, from 1; only the greatest is active.
    pub number: i64,
    /// Who activated it; `None` for the operator.
    pub activated_by: Option<UserId>,
    /// When.
    pub activated_at: Timestamp,
    /// The version that this one repeats, for a roll back.
    pub repeats: Option<PolicyVersionId>,
    /// For people.
    pub note: Option<String>,
}

/// The policy tests that a workspace keeps beside its modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTests {
    /// The tests as they were written; empty for none.
    pub text: String,
    /// Counts their changes, from 1; 0 where there never were any.
    pub version: Version,
    /// The last change; `None` where there was none.
    pub changed: Option<TestsChange>,
}

/// Who changed policy tests, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestsChange {
    /// Who; `None` for a service.
    pub by: Option<UserId>,
    /// When.
    pub at: Timestamp,
}

impl PolicyTests {
    /// None, and there never were any.
    pub const NONE: Self = Self { text: String::new(), version: Version(0), changed: None };
}
