//! The rows of the directory. Domain types: they know no wire, no SQL and no policy.
//!
//! Governed values are [`Field`]s: storage fills every one as shown, and the gate withholds what a verdict names. To add a field,
//! add it here, to [`crate::register`], and to the row constructor in storage; the gate's `withhold` will not compile without it.

mod attribute;
mod deletion;
mod field;
mod group;
mod history;
mod policy;
mod role;
mod user;
mod workspace;

pub use attribute::{Attribute, AttributeType, CodeRule};
pub use deletion::{Binned, BinnedUser, Deleted, Deletion};
pub use field::{Attributes, Field, TextField};
pub use group::{Group, Membership};
pub use history::{Author, PolicyGate, PolicyStep, Quote, Reason, Step, StepNumber, ToldReason, ToldStep};
pub use policy::{PolicyModule, PolicyStatus, PolicyTests, PolicyVersion, TestsChange};
pub use role::{Grant, Provenance, Role};
pub use user::{Status, User, UserText};
pub use workspace::{Token, TokenKind, Workspace};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole milliseconds since 1970, rounded down.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }
}

/// Counts the changes of one row, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub i64);

/// Counts the changes of roles, grants, memberships, tree, status and policy of one workspace.
///
/// A decision that was taken under another epoch is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub i64);
