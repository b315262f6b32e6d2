//! Everything that can go wrong below the interfaces. Lower layers know no protocol: `host/src/error.rs` maps these to the wire.

use crate::{contract::Failure, model::ToldReason};

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
    /// A rule of the directory, whatever the policy says.
    #[error("{message}")]
    Broken {
        /// Which.
        rule: Rule,
        /// The input, the rule and the remedy.
        message: String,
    },
    /// One of several items of a change is refused.
    #[error("{error}")]
    Item {
        /// Its position.
        at: usize,
        /// Why.
        #[source]
        error: Box<Error>,
    },
    /// The user of the request is not active any more.
    #[error("the user of this token is not active; ask an administrator of the workspace")]
    Inactive,
    /// The token of the request was revoked while it was under way.
    #[error("the token was revoked; ask an administrator for a new one")]
    Revoked,
    /// A limit of the server was reached.
    #[error("{0}")]
    TooLarge(String),
    /// An activation that can not be, or another command that would do harm.
    #[error("{0}")]
    Refused(String),
    /// Gates refused an activation: every reason, each with its gate, as the caller may know them.
    #[error("the activation is refused: {}", told(.0))]
    Gates(Vec<ToldReason>),
    /// The policy gave no answer that counts; everything is denied.
    #[error("{}", of_policy(.0))]
    Policy(#[source] Failure),
    /// The database failed.
    #[error("the store failed: {0}")]
    Store(String),
    /// The request took too long.
    #[error("the request took longer than the server allows; ask for less at once")]
    Deadline,
}

/// What went wrong within a policy is for administrators, in the log and in explanations; that a share is used up, whoever asks must know.
fn of_policy(failure: &Failure) -> String {
    match failure {
        Failure::Share(_) | Failure::Busy(_) => failure.to_string(),
        _ => "the workspace's policy gave no usable answer".to_owned(),
    }
}

fn told(reasons: &[ToldReason]) -> String {
    reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// The one refusal of an idempotency key that stands for another request.
    #[must_use]
    pub fn key_reused(key: &str) -> Self {
        Self::Broken {
            rule: Rule::KeyReused,
            message: format!("idempotency key `{key}` was used for another request; make a new key for each request"),
        }
    }
}

/// The rules that hold whatever a policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A workspace keeps an active user with full administration (D20).
    LastAdministrator,
    /// Nobody suspends or removes themself, or takes away their own administration (D20).
    OwnAccess,
    /// No group is below itself.
    Cycle,
    /// The tree has at most [`crate::limits::GROUP_DEPTH`] levels.
    TooDeep,
    /// What is deleted as empty is empty.
    NotEmpty,
    /// A workspace has at most so many users (D10).
    Quota,
    /// An exclusive user is in one workspace only (D5).
    Exclusive,
    /// Built-in roles never change.
    BuiltIn,
    /// What comes back from the recycle bin finds its place free.
    Restore,
    /// What stands in the recycle bin is not changed.
    InBin,
    /// An idempotency key is good for one request.
    KeyReused,
}

/// Everything that is wrong with a write, or why it failed.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// What a person can put right.
    Problems(Vec<Problem>),
    /// What nobody can.
    Failed(Error),
}

/// What is wrong with one part of a write.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The path into the input: names of fields, and positions in lists.
    pub at: Vec<String>,
    /// What is wrong.
    pub error: Error,
}

impl Problem {
    /// A problem with the part of the input that `at` names, dot by dot: `users.2.email`.
    #[must_use]
    pub fn at(at: &str, error: Error) -> Self {
        Self { at: at.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect(), error }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problems(vec![problem])
    }
}

impl From<Error> for Refusal {
    /// A failure that a person can put right is a problem with the input as a whole.
    fn from(error: Error) -> Self {
        match error {
            Error::Policy(_) | Error::Store(_) | Error::Deadline | Error::Inactive | Error::Revoked => Self::Failed(error),
            error => Problem::at("", error).into(),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Policy(failure)
    }
}
