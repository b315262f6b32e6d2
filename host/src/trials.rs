//! Policy tests: what an author expects of a policy, written down in a file and tried on the real thing. `docs/policy-tests.md`
//! describes the format.
//!
//! `document` and `reader` read the file, `world` and `expect` say what it describes, `scratch` makes the workspace of it, and `ask` asks. It
//! must never answer for a policy, nor read a workspace that is not its own. To add something to be expected: its words in `expect`, its
//! question in `ask`.

mod ask;
mod document;
mod expect;
mod let_in;
mod limits;
mod reader;
mod report;
mod scratch;
mod world;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use directory::{
    Error,
    contract::{Digest, Engine, Failure, Module},
    limits::{SETTINGS_BYTES, TESTS_BYTES},
    trials::{Candidate, Mistake, Report, Trials},
};
use tokio::sync::Semaphore;

pub use report::{mistakes as mistakes_json, report as report_json};

use expect::Expectations;
use reader::{Fields, Reader, place};
use scratch::Scratch;
use world::World;

/// What a file may say.
const FILE: [&str; 8] = ["now", "settings", "standard-settings", "groups", "roles", "people", "expect", "lists"];

/// Tries policies in the sandbox of the server, on databases that are made for it.
pub struct Runner {
    engine: Arc<dyn Engine>,
    turns: Semaphore,
    time: Duration,
}

impl Runner {
    /// A runner that asks through `engine`, so that a module which is loaded is not compiled again.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine, turns: Semaphore::new(limits::AT_ONCE), time: limits::TIME }
    }

    /// The same, with so much time for each trial once its turn has come; by default 20 s.
    #[must_use]
    pub fn with_time(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    async fn try_all(&self, text: &str, candidate: &Candidate) -> Result<Report, Error> {
        let (world, expectations) = match read(text) {
            Ok(file) => file,
            Err(mistakes) => {
                let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                return Ok(Report::unfinished(format!("the tests can not be used: {}", told.join("; "))));
            }
        };
        let candidate = Candidate {
            settings: world.settings.clone().unwrap_or_else(|| candidate.settings.clone()),
            standard_settings: world.standard.clone().unwrap_or_else(|| candidate.standard_settings.clone()),
            ..candidate.clone()
        };
        if world.settings.is_some() && candidate.module.is_none() {
            return Ok(Report::unfinished("the file has `settings`, but `standard` decides alone; give it `standard-settings`"));
        }
        let refused = self.check_settings(&candidate.standard, "standard-settings", &candidate.standard_settings).await?;
        if let Some(why) = refused {
            return Ok(Report::unfinished(why));
        }
        let scratch = Scratch::make(self.engine.clone(), &world, &candidate).await?;
        let refused = match &candidate.module {
            Some(module) => self.check_settings(module, "settings", &candidate.settings).await?,
            None => None,
        };
        let report = match refused {
            Some(why) => Ok(Report::unfinished(why)),
            None => ask::run(&scratch, &world, &expectations).await,
        };
        scratch.close().await;
        report
    }

    /// Why a module refuses its settings, if it does: it would answer what it answers to nonsense.
    async fn check_settings(&self, module: &Module, what: &str, settings: &str) -> Result<Option<String>, Failure> {
        if settings.len() > SETTINGS_BYTES {
            return Ok(Some(format!("the `{what}` have more than {SETTINGS_BYTES} bytes; shorten them")));
        }
        self.load(module).await?;
        let errors = self.engine.validate_settings(None, module.digest, settings).await?;
        Ok((!errors.is_empty()).then(|| format!("the policy refuses the `{what}`: {}", errors.join("; "))))
    }

    async fn load(&self, module: &Module) -> Result<Digest, Failure> {
        if self.engine.loaded(module.digest).is_none() {
            self.engine.load(module).await?;
        }
        Ok(module.digest)
    }
}

#[async_trait]
impl Trials for Runner {
    fn check(&self, text: &str) -> Result<usize, Vec<Mistake>> {
        check(text)
    }

    async fn run(&self, text: &str, candidate: &Candidate) -> Result<Report, Failure> {
        let turn = tokio::time::timeout(limits::TURN_TIME, self.turns.acquire()).await;
        let used_up = || Failure::Share(format!("{} trials of policy tests at once, of all workspaces together", limits::AT_ONCE));
        let _turn = turn.ok().and_then(Result::ok).ok_or_else(used_up)?;
        Ok(match tokio::time::timeout(self.time, self.try_all(text, candidate)).await {
            Ok(Ok(report)) => report,
            Ok(Err(Error::Policy(failure))) if failure.is_of_server() => return Err(failure),
            Ok(Err(Error::Store(cause))) => {
                tracing::error!(%cause, "policy tests can not be run");
                Report::unfinished("the server failed to make the tests' own workspace; ask its operator to look into the log")
            }
            Ok(Err(Error::Policy(failure))) => Report::unfinished(failure.to_string()),
            Ok(Err(error)) => Report::unfinished(error.to_string()),
            Err(_) => Report::unfinished(format!(
                "the tests took longer than {} s; make them fewer, or the policy cheaper, or try again when the server has less to do",
                self.time.as_secs()
            )),
        })
    }
}

/// How many expectations a file has; for whoever has no policy at hand.
///
/// # Errors
/// Every mistake at once.
pub fn check(text: &str) -> Result<usize, Vec<Mistake>> {
    read(text).map(|(_, expectations)| expectations.len())
}

/// Reads a file.
fn read(text: &str) -> Result<(World, Expectations), Vec<Mistake>> {
    if text.len() > TESTS_BYTES {
        let problem = format!("the file has {} bytes, and may have {TESTS_BYTES}; leave some out", text.len());
        return Err(vec![Mistake { place: place(1), problem }]);
    }
    let mut reader = Reader::new(text);
    let entries = document::parse(text).map_err(|(at, problem)| {
        let place = place(reader.line(at));
        vec![Mistake { place, problem: format!("the file is no TOML: {problem}") }]
    })?;
    let mut fields = Fields::new(entries);
    let world = world::read(&mut reader, &mut fields);
    let expectations = expect::read(&world, &mut reader, &mut fields);
    fields.finish(&mut reader, "the file", &FILE);
    if expectations.len() == 0 && reader.told() == 0 {
        reader.wrong(0, "the file expects nothing; add a matrix `[[expect]]`, or `[lists]`");
    }
    let mistakes = reader.finish();
    if mistakes.is_empty() { Ok((world, expectations)) } else { Err(mistakes) }
}
