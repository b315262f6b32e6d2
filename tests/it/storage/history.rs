//! The history of policies, through the port: what is written with a change, how it is read, and what is forgotten.

use std::net::IpAddr;

use directory::{
    Error,
    access::{Operator, OperatorVia},
    ids::{PolicyId, PolicyVersionId, WorkspaceId},
    limits::{DECIDING_STEPS, HISTORY_STEPS, REASONS},
    model::{Author, PolicyGate, PolicyModule, PolicyStatus, Quote, Reason, Step, StepNumber, Timestamp},
    register::Kind,
    store::{ActivatePolicy, NewPolicyStep, NewPolicyVersion, Store as _, UploadPolicy},
};
use storage::Database;
use uuid::Uuid;

use super::{
    backends, standard,
    tokens::module,
    world::{Plan, World},
};

const OPERATOR: Operator = Operator::new(OperatorVia::CommandLine);

fn step(step: Step, at: i64) -> NewPolicyStep {
    NewPolicyStep::new(step, Timestamp(at), Author::Operator, "command-line")
}

/// A workspace's history, by what the operator is told of it.
struct History<'a> {
    store: &'a Database,
    workspace: WorkspaceId,
    base: u128,
}

impl<'a> History<'a> {
    fn of(store: &'a Database, world: &World) -> Self {
        let workspace = world.id.unwrap();
        Self { store, workspace, base: workspace.0.as_u128() << 16 }
    }

    async fn upload(&self, number: u128, steps: Vec<NewPolicyStep>) -> PolicyId {
        let upload = UploadPolicy { steps, ..module(self.base, number, PolicyStatus::Validated) };
        self.store.upload_policy(OPERATOR.upload_policy(self.workspace, upload)).await.unwrap()
    }

    async fn activate(&self, expected: PolicyVersionId, number: u128, module: Option<PolicyId>) -> Result<PolicyVersionId, Error> {
        let version = NewPolicyVersion { module, ..standard(self.base + number) };
        let (id, step) = (version.id, NewPolicyStep { version: Some(version.id), module, ..step(Step::ActivationForced, 5) });
        let change = ActivatePolicy { expected, version, step, tests: None };
        self.store.activate_policy(OPERATOR.activate_policy(self.workspace, change)).await.map(|()| id)
    }

    async fn active(&self) -> PolicyVersionId {
        self.store.snapshot(self.workspace).await.unwrap().unwrap().head().await.unwrap().version
    }

    /// Number and name of every step, the latest first, page by page.
    async fn steps(&self) -> Vec<(i64, Step)> {
        let mut steps = Vec::new();
        let mut after = None;
        loop {
            let page = OPERATOR.policy_history(self.store, self.workspace, after, 1_000).await.unwrap();
            steps.extend(page.iter().map(|step| (step.number.0, step.step)));
            match page.last() {
                Some(last) => after = Some(last.number),
                None => return steps,
            }
        }
    }
}

#[tokio::test]
async fn steps_are_written_with_the_change_that_they_are_about() {
    for backend in backends().await {
        let world = Plan::generate(1).import(&backend.store).await;
        let history = History::of(&backend.store, &world);
        let user = world.users[0].id;
        let peer: IpAddr = "2001:db8::7".parse().unwrap();
        let quote = Quote { kind: Kind::User, id: user.0 };
        let text = format!("for {0} it is as it is {0}", Reason::HOLE);
        let reason = Reason::about(Some(PolicyGate::Agreement), &text, vec![quote, quote]);
        let first = NewPolicyStep {
            by: Author::User(user),
            peer: Some(peer),
            digest: Some(module(history.base, 1, PolicyStatus::Validated).module.digest),
            note: Some("a \"note\"\nand a ☃".to_owned()),
            reasons: [vec![reason], vec![Reason::new(None, "nul \0"); REASONS]].concat(),
            ..step(Step::Uploaded, 3)
        };
        let module = history.upload(1, vec![first.clone(), step(Step::Validated, 4)]).await;
        history.upload(1, vec![step(Step::Uploaded, 9)]).await;
        assert_eq!(history.steps().await, [(2, Step::Validated), (1, Step::Uploaded)], "{}: nothing came in again", backend.name);

        let stale = history.activate(PolicyVersionId(Uuid::from_u128(1)), 7, Some(module)).await;
        assert!(matches!(stale, Err(Error::Stale(_))), "{stale:?}");
        assert_eq!(history.steps().await.len(), 2, "what was not done is not in the history");
        let active = history.activate(history.active().await, 7, Some(module)).await.unwrap();
        assert_eq!(history.steps().await[0], (3, Step::ActivationForced));

        let told = OPERATOR.policy_history(backend.store.as_ref(), history.workspace, Some(StepNumber(2)), 9).await.unwrap();
        let [told] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((told.by.shown(), told.peer.shown()), (Some(&first.by), Some(&Some(peer))));
        assert_eq!((told.at, told.digest, told.note.shown()), (first.at, first.digest, Some(&first.note)));
        assert_eq!((told.reasons.len(), told.reasons[1].text.as_str()), (REASONS, "nul \0"));
        assert_eq!(told.reasons[0].to_string(), format!("agreement: for {user} it is as it is {user}"));

        let mut snapshot = backend.store.snapshot(history.workspace).await.unwrap().unwrap();
        assert_eq!(snapshot.policy_steps_of(active).await.unwrap().len(), 1);
        assert_eq!(snapshot.policy_steps_of(PolicyVersionId(Uuid::from_u128(1))).await.unwrap().len(), 0);
        assert_eq!(snapshot.policy_history(None, 2).await.unwrap().len(), 2);
        let other = Plan::generate(2).import(&backend.store).await;
        assert_eq!(History::of(&backend.store, &other).steps().await, [], "each workspace has its own");
    }
}

#[tokio::test]
async fn the_oldest_steps_are_forgotten_and_never_those_of_what_decides() {
    for backend in backends().await {
        let world = Plan::generate(1).import(&backend.store).await;
        let history = History::of(&backend.store, &world);
        let of = |module: PolicyModule, name| NewPolicyStep { module: Some(module.id), ..step(name, 1) };
        let about = |number| {
            let module = || module(history.base, number, PolicyStatus::Validated).module;
            vec![of(module(), Step::Uploaded), of(module(), Step::Validated), of(module(), Step::Tested)]
        };
        let first = history.upload(1, about(1)).await;
        history.activate(history.active().await, 7, Some(first)).await.unwrap();
        // 1 to 3 by the upload, 4 by the activation.
        let many = |of: Step, count: i64| vec![step(of, 2); usize::try_from(count).unwrap()];
        history.upload(2, many(Step::Tested, HISTORY_STEPS - 4)).await;
        let ends = |steps: Vec<(i64, Step)>| steps.into_iter().rev().take(4).collect::<Vec<_>>();
        assert_eq!(history.steps().await.len(), usize::try_from(HISTORY_STEPS).unwrap());
        history.upload(3, many(Step::Tested, 5)).await;
        let kept = [(1, Step::Uploaded), (2, Step::Validated), (4, Step::ActivationForced), (6, Step::Tested)];
        assert_eq!(ends(history.steps().await), kept, "{}: a test of what decides is a step like others", backend.name);

        history.activate(history.active().await, 8, None).await.unwrap();
        let kept = [(4, Step::ActivationForced), (7, Step::Tested), (8, Step::Tested), (9, Step::Tested)];
        assert_eq!(ends(history.steps().await), kept, "{}: another version decides, and what decided stays known", backend.name);
        assert_eq!(history.steps().await.len(), usize::try_from(HISTORY_STEPS + 1).unwrap());

        // With these two, the first activation is the last but so many that changed what decides.
        history.upload(4, many(Step::SettingsChanged, DECIDING_STEPS - 2)).await;
        assert_eq!(ends(history.steps().await).first(), Some(&(4, Step::ActivationForced)), "{}", backend.name);
        history.upload(5, many(Step::RolledBack, 1)).await;
        let last = HISTORY_STEPS + 6 + DECIDING_STEPS - 1;
        let kept = history.steps().await;
        assert_eq!(kept.first(), Some(&(last, Step::RolledBack)), "{}", backend.name);
        assert_eq!(kept.last(), Some(&(last - HISTORY_STEPS + 1, Step::Tested)), "{}", backend.name);
    }
}

/// Every statement of the history, at least once.
pub(super) async fn use_everything(store: &Database, world: &World) {
    let history = History::of(store, world);
    assert!(!history.steps().await.is_empty());
    let mut snapshot = store.snapshot(history.workspace).await.unwrap().unwrap();
    let active = history.active().await;
    assert_eq!(snapshot.policy_steps_of(active).await.unwrap().len(), 1);
}
