//! Changes of what decides, over HTTP and GraphQL alike: tried again where something unrelated moved the workspace in between.

use std::sync::Arc;

use directory::{
    Error,
    access::{Activation, Candidate, CheckedTests, Directory, Gate, Subject},
    ids::{PolicyId, PolicyVersionId, ShadowId},
    model::{PolicyVersion, Version},
};

use crate::{clock::Clock, ids::Ids};

/// How often a change is decided that finds the workspace moved each time.
const ATTEMPTS: usize = 3;

/// A change of what decides.
pub(crate) struct Change {
    pub(crate) expected: Expected,
    pub(crate) what: What,
}

/// What the caller has seen as active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Exactly this version.
    Version(PolicyVersionId),
    /// A version of this module, whatever its settings; `None` for `standard` alone.
    Module(Option<PolicyId>),
    /// Whichever is active.
    Any,
}

impl Expected {
    /// The version that this comes to while `active` is active.
    fn version(self, active: &PolicyVersion) -> Result<PolicyVersionId, Error> {
        match self {
            Self::Version(id) => Ok(id),
            Self::Module(module) if module != active.module => Err(Error::Stale(format!("the active policy version, now {},", active.id))),
            Self::Module(_) | Self::Any => Ok(active.id),
        }
    }
}

/// Which change.
#[derive(Clone)]
pub(crate) enum What {
    Activate { module: Option<PolicyId>, settings: Option<String>, standard_settings: Option<String>, note: Option<String> },
    Set { settings: Option<String>, standard_settings: Option<String>, note: Option<String> },
    RollBack { to: Option<PolicyVersionId>, note: Option<String> },
}

impl Change {
    /// Makes the change, and returns the version that is active by it.
    ///
    /// A change is stale if others change what the gates looked at before it is written. As long as the policy itself stays the one
    /// expected, it is decided and tried again, and then the workspace's tests stay as they are meanwhile.
    pub(crate) async fn apply(&self, gate: &Arc<Gate>, clock: &Clock, subject: &Subject) -> Result<PolicyVersionId, Error> {
        let mut ids = Ids::random(clock.clone());
        let mut expected = None;
        let mut attempt = 1;
        let mut tests_stay = None;
        loop {
            let directory = gate.open(subject.clone(), clock.now()).await?;
            let active = directory.policy_version().id;
            let expected = match expected {
                Some(expected) => expected,
                None => *expected.insert(self.expected.version(directory.policy_version())?),
            };
            match self.attempt(&directory, expected, &mut ids).await {
                Err(Error::Stale(_)) if active == expected && attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
            drop(directory);
            if tests_stay.is_none() {
                tests_stay = Some(gate.keep_tests(subject.workspace).await);
            }
        }
    }

    async fn attempt(&self, directory: &Directory, expected: PolicyVersionId, ids: &mut Ids) -> Result<PolicyVersionId, Error> {
        let active = directory.policy_version();
        match self.what.clone() {
            What::Activate { module, settings, standard_settings, note } => {
                directory.activate_policy(Activation { expected, module, settings, standard_settings, note }, ids).await
            }
            What::Set { settings: Some(_), .. } if active.module.is_none() && active.id == expected => {
                Err(Error::Invalid("`settings` are those of a module, but `standard` decides alone; send `standardSettings`".to_owned()))
            }
            What::Set { settings, standard_settings, note } => {
                let module = active.module;
                directory.activate_policy(Activation { expected, module, settings, standard_settings, note }, ids).await
            }
            What::RollBack { .. } if active.id != expected => Err(Error::Stale("the active policy version".to_owned())),
            What::RollBack { to, note } => directory.roll_back_policy(to, note, ids).await,
        }
    }
}

/// Replaces the policy tests of a version.
pub(crate) async fn set_tests(
    gate: &Arc<Gate>,
    clock: &Clock,
    subject: &Subject,
    expected: Version,
    text: &str,
) -> Result<CheckedTests, Error> {
    // Nobody waits whose tests are not to be had, and nobody holds a view meanwhile.
    if let Some(kept) = gate.open(subject.clone(), clock.now()).await?.check_policy_tests(expected, text).await? {
        return Ok(kept);
    }
    let _alone = gate.replacement(subject).await?;
    let mut attempt = 1;
    loop {
        let directory = gate.open(subject.clone(), clock.now()).await?;
        match directory.set_policy_tests(expected, text).await {
            // Perhaps only the workspace has moved in between; a version of the tests that is another stays so.
            Err(Error::Stale(_)) if attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}

/// Lets a candidate answer beside the active version.
pub(crate) async fn start_shadow(
    gate: &Arc<Gate>,
    clock: &Clock,
    subject: &Subject,
    candidate: &Candidate,
    note: Option<String>,
) -> Result<ShadowId, Error> {
    let mut ids = Ids::random(clock.clone());
    let mut attempt = 1;
    loop {
        let directory = gate.open(subject.clone(), clock.now()).await?;
        match directory.start_shadow(candidate, note.clone(), &mut ids).await {
            // It stands beside whatever is active.
            Err(Error::Stale(_)) if attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}

/// Stops a shadow.
pub(crate) async fn stop_shadow(gate: &Arc<Gate>, clock: &Clock, subject: &Subject, shadow: Option<ShadowId>) -> Result<(), Error> {
    let mut attempt = 1;
    loop {
        let directory = gate.open(subject.clone(), clock.now()).await?;
        match directory.stop_shadow(shadow).await {
            Err(Error::Stale(_)) if attempt < ATTEMPTS => attempt += 1,
            outcome => return outcome,
        }
    }
}
