//! Policy tests: the port through which a workspace's expectations are tried on a policy, and what comes of it.
//!
//! What a text of tests may say is the business of whoever implements [`Trials`]; the gate keeps the text with the workspace, has it
//! checked before it is stored, and has it run on an upload and before an activation. A trial never reads the workspace: its people are
//! made up, and live in a place of their own.

use async_trait::async_trait;

use crate::contract::{Failure, Module};

/// What is tried: a policy version as it would stand.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The module; `None` where `standard` decides alone.
    pub module: Option<Module>,
    /// Its settings.
    pub settings: String,
    /// What decides alone, or what `otherwise` refers to.
    pub standard: Module,
    /// Its settings.
    pub standard_settings: String,
}

/// What is wrong with a text of tests, in one place of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Mistake {
    /// Where: `line 12`.
    pub place: String,
    /// The input, the rule and the remedy.
    pub problem: String,
}

/// What a policy answers, or is expected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The action is not allowed.
    Denied,
    /// The action is allowed.
    Allowed {
        /// The fields that are withheld, sorted; `None` where nobody says or nothing is read.
        hidden: Option<Vec<String>>,
    },
    /// A list shows exactly these, sorted.
    Shows(Vec<String>),
    /// The policy gave no answer that counts: never what is expected, not even where a denial is.
    NoAnswer(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied => f.write_str("denied"),
            Self::Allowed { hidden: None } => f.write_str("allowed"),
            Self::Allowed { hidden: Some(hidden) } if hidden.is_empty() => f.write_str("allowed, hides nothing"),
            Self::Allowed { hidden: Some(hidden) } => write!(f, "allowed, hides {}", hidden.join(", ")),
            Self::Shows(names) if names.is_empty() => f.write_str("shows nothing"),
            Self::Shows(names) => write!(f, "shows {}", names.join(", ")),
            Self::NoAnswer(why) => write!(f, "no answer: {why}"),
        }
    }
}

/// An expectation that a policy does not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where it is expected: `line 12`.
    pub place: String,
    /// Who asks.
    pub subject: String,
    /// `kind.verb`.
    pub action: String,
    /// What it is about; the kind's name for a list.
    pub resource: String,
    /// What the tests say.
    pub expected: Outcome,
    /// The reason that they say, if they do.
    pub expected_reason: Option<String>,
    /// What the policy says.
    pub found: Outcome,
    /// Its reason; empty where it gave none.
    pub found_reason: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, subject, action, resource, expected, expected_reason, found, found_reason } = self;
        write!(f, "{place}: {subject} {action} {resource}: expected {expected}")?;
        if let Some(reason) = expected_reason {
            write!(f, " ({reason})")?;
        }
        write!(f, ", found {found}")?;
        if found_reason.is_empty() { Ok(()) } else { write!(f, " ({found_reason})") }
    }
}

/// What came of a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Expectations that were met.
    pub passed: usize,
    /// Expectations that were not.
    pub failed: usize,
    /// The first of those that were not, in the order of the text, at most [`crate::limits::TEST_DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// Why not everything could be tried, if so: the trial has failed then, whatever the numbers.
    pub unfinished: Option<String>,
}

impl Report {
    /// A trial that did not come to its end.
    #[must_use]
    pub fn unfinished(why: impl Into<String>) -> Self {
        Self { unfinished: Some(why.into()), ..Self::default() }
    }

    /// Whether everything was tried and all of it met.
    #[must_use]
    pub const fn is_passed(&self) -> bool {
        self.failed == 0 && self.unfinished.is_none()
    }
}

/// The port through which policy tests are checked and run.
#[async_trait]
pub trait Trials: Send + Sync {
    /// How many expectations a text has.
    ///
    /// # Errors
    /// Every mistake at once.
    fn check(&self, text: &str) -> Result<usize, Vec<Mistake>>;

    /// Tries a text on a candidate, within a time of its own.
    ///
    /// Whatever keeps it from coming to an end, mistakes in the text and failures of the policy included, is in the report.
    ///
    /// # Errors
    /// A failure of the server's own, such as [`Failure::Unready`] where others are tried at the moment: that says nothing of the candidate.
    async fn run(&self, text: &str, candidate: &Candidate) -> Result<Report, Failure>;
}
