//! The calls of one request into one module.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use directory::{
    contract::{Change, Context, Cost, Failure, Manifest, RowFilter, Rows, Session, Verdicts},
    limits::CHECK_ROWS,
    register::Kind,
    text::readable,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    answers,
    bindings::PolicyPre,
    convert,
    fuel::{FuelBudget, context_bytes},
    guest::{Allowance, Guest, Limiter, Places, shortened},
    limits,
    share::{Share, Turn},
    worker::{Lane, Lanes},
};

/// Where guests run: what all sessions of a sandbox share.
pub(crate) struct Runtime {
    pub(crate) fuel: FuelBudget,
    pub(crate) memory_bytes: usize,
    pub(crate) wait_ms: u64,
    /// The places of the pool. INVARIANT: a guest lives no longer than its permit.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) lanes: Lanes,
}

/// On whose account a session runs.
#[derive(Clone)]
pub(crate) enum Account {
    /// The server's: its own modules.
    Server,
    /// A workspace's.
    Workspace(Arc<Share>),
    /// An upload's, which has so much fuel left for all its sessions; nobody waits for it as part of a request.
    Upload(Arc<AtomicU64>),
    /// Nobody's, for what is no part of a request: to describe a module, to answer beside the active policy. Whoever asks sees to it that it
    /// is not much.
    Aside,
}

/// Leave to run one call, and where.
struct Leave {
    lane: Lane,
    account: Account,
    turn: Option<Turn>,
}

impl Account {
    async fn leave(&self) -> Result<Leave, Failure> {
        let turn = match self {
            Self::Workspace(share) => Some(share.turn().await?),
            Self::Server | Self::Upload(_) | Self::Aside => None,
        };
        let lane = match (self, &turn) {
            (_, Some(turn)) => turn.lane(),
            (Self::Upload(_) | Self::Aside, None) => Lane::Aside,
            (Self::Server | Self::Workspace(_), None) => Lane::First,
        };
        Ok(Leave { lane, account: self.clone(), turn })
    }

    /// What there is for the next call, whatever the call's own bounds.
    fn left(&self) -> u64 {
        if let Self::Upload(left) = self { left.load(Ordering::Relaxed) } else { u64::MAX }
    }
}

impl Leave {
    /// The call is over, and has used so much.
    fn spend(self, fuel: u64) {
        metrics::counter!("policy_fuel_total", "lane" => self.lane.name()).increment(fuel);
        if let Account::Upload(left) = &self.account {
            // One upload's calls come one after the other.
            left.store(left.load(Ordering::Relaxed).saturating_sub(fuel), Ordering::Relaxed);
        }
        if let Some(turn) = self.turn {
            turn.spend(fuel);
        }
    }
}

/// A session is fresh until its first call, and of no use after its first failure.
pub(crate) struct GuestSession {
    runtime: Arc<Runtime>,
    account: Account,
    module: PolicyPre<Limiter>,
    state: State,
    cost: Cost,
}

enum State {
    Fresh,
    Ready(Box<Guest>),
    Failed(Failure),
}

/// What a call's allowance is reckoned from.
#[derive(Default)]
struct Size {
    rows: usize,
    context_bytes: usize,
}

/// What came back from the thread that ran a call.
struct Ran<Answer> {
    outcome: Result<(Box<Guest>, Answer), Failure>,
    fuel: u64,
    /// What the guest wrote to its standard output and error.
    output: Vec<u8>,
}

impl GuestSession {
    pub(crate) fn new(runtime: Arc<Runtime>, account: Account, module: PolicyPre<Limiter>) -> Self {
        Self { runtime, account, module, state: State::Fresh, cost: Cost::default() }
    }

    /// Whether its account has nothing left, for this session or any other.
    pub(crate) fn is_spent(&self) -> bool {
        self.account.left() == 0
    }

    /// Asks the module what it is.
    pub(crate) async fn describe(&mut self) -> Result<Manifest, Failure> {
        self.call("describe", Size::default(), |guest, allowance| {
            let answer = guest.call(allowance, |policy, store| policy.call_describe(store))?;
            let answer = convert::manifest(answer);
            answers::manifest(&answer).map_err(Failure::Malformed)?;
            Ok(answer)
        })
        .await
    }

    /// Asks the module what is wrong with `settings`; nothing is, if the list is empty.
    pub(crate) async fn validate_settings(&mut self, settings: &str) -> Result<Vec<String>, Failure> {
        let settings = settings.to_owned();
        let size = Size { rows: 0, context_bytes: settings.len() };
        self.call("validate-settings", size, move |guest, allowance| {
            let answer = guest.call(allowance, |policy, store| policy.call_validate_settings(store, &settings))?;
            let Err(errors) = answer else { return Ok(Vec::new()) };
            answers::settings_errors(&errors).map_err(Failure::Malformed)?;
            let mut errors: Vec<String> = errors.into_iter().map(readable).collect();
            if errors.is_empty() {
                errors.push("the policy refuses the settings without saying why".to_owned());
            }
            Ok(errors)
        })
        .await
    }

    /// Runs `call` on a thread of the sandbox, within its allowance, and keeps the guest for the next call.
    async fn call<Answer: Send + 'static>(
        &mut self,
        function: &'static str,
        size: Size,
        call: impl FnOnce(&mut Guest, Allowance) -> Result<Answer, Failure> + Send + 'static,
    ) -> Result<Answer, Failure> {
        // Whoever drops this future half-way finds the session failed: the guest may be in the middle of something.
        let abandoned = State::Failed(Failure::Unready("an earlier call was abandoned".to_owned()));
        let guest = match mem::replace(&mut self.state, abandoned) {
            State::Fresh => None,
            State::Ready(guest) => Some(guest),
            State::Failed(failure) => {
                self.state = State::Failed(failure.clone());
                return Err(failure);
            }
        };
        metrics::counter!("policy_calls_total", "function" => function).increment(1);
        match self.run(guest, &size, call).await {
            Ok((guest, answer)) => {
                self.state = State::Ready(guest);
                Ok(answer)
            }
            Err(failure) => {
                metrics::counter!("policy_failures_total", "reason" => failure.name()).increment(1);
                tracing::debug!(function, %failure, "a policy gave no answer");
                self.state = State::Failed(failure.clone());
                Err(failure)
            }
        }
    }

    async fn run<Answer: Send + 'static>(
        &mut self,
        guest: Option<Box<Guest>>,
        size: &Size,
        call: impl FnOnce(&mut Guest, Allowance) -> Result<Answer, Failure> + Send + 'static,
    ) -> Result<(Box<Guest>, Answer), Failure> {
        let allowance = self.allowance(size)?;
        // First what is the workspace's own affair, so that nobody waits in a place that others want.
        let share = match (&guest, &self.account) {
            (None, Account::Workspace(share)) => Some(share.guest().await?),
            _ => None,
        };
        let leave = self.account.leave().await?;
        let mut guest = match guest {
            Some(guest) => guest,
            None => {
                let places = Places { _pool: self.runtime.place(&self.account).await?, _share: share };
                Box::new(Guest::new(self.module.clone(), self.runtime.memory_bytes, places))
            }
        };
        let lane = leave.lane;
        let job = move || {
            let outcome = call(&mut guest, allowance);
            let fuel = allowance.fuel.saturating_sub(guest.fuel_left());
            leave.spend(fuel);
            let output = guest.output();
            Ran { outcome: outcome.map(|answer| (guest, answer)), fuel, output }
        };
        let ran = self.runtime.lanes.of(lane).run(job).await;
        let ran = ran.map_err(|_| Failure::Unready("the sandbox failed while it ran the policy".to_owned()))?;
        self.cost.calls += 1;
        self.cost.fuel = self.cost.fuel.saturating_add(ran.fuel);
        if !ran.output.is_empty() {
            let output = shortened(&String::from_utf8_lossy(&ran.output), limits::OUTPUT_BYTES);
            tracing::debug!(output, "a policy wrote");
        }
        ran.outcome
    }

    fn allowance(&self, size: &Size) -> Result<Allowance, Failure> {
        let budget = &self.runtime.fuel;
        let left = budget.session.saturating_sub(self.cost.fuel);
        if left == 0 {
            return Err(Failure::Fuel(budget.session));
        }
        let account = self.account.left();
        if account == 0 {
            return Err(Failure::Fuel(budget.upload));
        }
        let fuel = budget.of_call(size.rows, size.context_bytes).min(left).min(account);
        Ok(Allowance { fuel, answer_bytes: limits::ANSWER_BYTES + limits::ANSWER_ROW_BYTES * size.rows })
    }
}

impl Runtime {
    async fn place(&self, account: &Account) -> Result<OwnedSemaphorePermit, Failure> {
        let wait_ms = match account {
            // A module is not to be refused because the server had much to do.
            Account::Upload(_) => self.wait_ms.saturating_mul(limits::UPLOAD_PATIENCE),
            _ => self.wait_ms,
        };
        let place = timeout(Duration::from_millis(wait_ms), Arc::clone(&self.places).acquire_owned()).await;
        place.ok().and_then(Result::ok).ok_or(Failure::Busy(wait_ms))
    }
}

#[async_trait]
impl Session for GuestSession {
    async fn scope(&mut self, context: Arc<Context>, kind: &str) -> Result<RowFilter, Failure> {
        let size = Size { rows: 0, context_bytes: context_bytes(&context) };
        let kind = kind.to_owned();
        self.call("scope", size, move |guest, allowance| {
            let groups = context.groups.len;
            let context = convert::context(Arc::unwrap_or_clone(context));
            let answer = guest.call(allowance, |policy, store| policy.call_scope(store, &context, &kind))?;
            let answer = convert::row_filter(answer);
            answers::row_filter(&answer, Kind::named(&kind), groups).map_err(Failure::Malformed)?;
            Ok(answer)
        })
        .await
    }

    async fn check(&mut self, context: Arc<Context>, rows: Rows, change: Option<Change>) -> Result<Verdicts, Failure> {
        let len = rows.len as usize;
        let size = Size { rows: len.min(CHECK_ROWS), context_bytes: context_bytes(&context) };
        self.call("check", size, move |guest, allowance| {
            if len > CHECK_ROWS {
                return Err(Failure::Malformed(format!("{len} rows were put to it at once; at most {CHECK_ROWS} are allowed")));
            }
            let context = convert::context(Arc::unwrap_or_clone(context));
            let (rows, change) = (convert::rows(rows), change.map(convert::change));
            let answer = guest.call(allowance, |policy, store| policy.call_check(store, &context, &rows, change.as_ref()))?;
            let answer = convert::verdicts(answer);
            answers::verdicts(&answer, len).map_err(Failure::Malformed)?;
            Ok(answer)
        })
        .await
    }

    fn cost(&self) -> Cost {
        self.cost
    }
}

impl Drop for GuestSession {
    /// Unmapping a guest's memory is work for the sandbox's threads.
    fn drop(&mut self) {
        if let State::Ready(guest) = mem::replace(&mut self.state, State::Fresh) {
            self.runtime.lanes.of(Lane::First).send(move || drop(guest));
        }
    }
}
