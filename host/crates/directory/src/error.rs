//! Everything that can go wrong below the interfaces. Lower layers know no protocol: `host/src/error.rs` maps these to the wire.

use crate::contract::Failure;

/// A failure. Absence is no failure: hidden and absent are both `Ok(None)`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks a rule; the text names the input, the rule and the remedy.
    #[error("{0}")]
    Invalid(String),
    /// A filter, search, sort or lookup touches a field that the policy does not let the subject search.
    #[error("{kind} field `{field}` can not be filtered, searched, sorted or looked up by under the workspace's policy; leave it out")]
    NotSearchable {
        /// The kind's name.
        kind: &'static str,
        /// The field's name.
        field: String,
    },
    /// The policy refused an action on something that the subject may see.
    #[error("the policy does not allow `{action}`: {reason}")]
    Forbidden {
        /// The action's name.
        action: String,
        /// The policy's own words.
        reason: String,
    },
    /// What was named does not exist, or the subject may not know of it.
    #[error("{0} was not found")]
    NotFound(String),
    /// A value that must be unique is taken.
    #[error("{0} is already taken; choose another")]
    Taken(String),
    /// What was read has changed before it was written.
    #[error("{0} has changed since it was read; read it again and repeat")]
    Stale(String),
    /// A limit of the server was reached.
    #[error("{0}")]
    TooLarge(String),
    /// An activation was refused by one of its gates.
    #[error("{0}")]
    Refused(String),
    /// The policy gave no answer that counts; everything is denied.
    #[error("the workspace's policy gave no usable answer")]
    Policy(#[source] Failure),
    /// The database failed.
    #[error("the store failed: {0}")]
    Store(String),
    /// The request took too long.
    #[error("the request took longer than the server allows; ask for less at once")]
    Deadline,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Policy(failure)
    }
}
