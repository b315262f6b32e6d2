//! What changes between a decision and its write is decided again.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bailiwick::{ids::Ids, wiring};
use directory::{
    Error, Refusal, Sealed, Warrant,
    access::{
        Actor, Command, Done, Forced, Gate, Member, MoveGroup, Origin, RemoveGrants, RemoveMembers, RemoveUsers, Request, SetManagers,
        SetStatus, Subject, UpdateUser,
    },
    change::{Write, Written},
    contract::Digest,
    decisions::RecordDecisions,
    ids::{PolicyId, WorkspaceId},
    model::{Status, Token, UserText, Version, Workspace},
    store::{
        ActivatePolicy, AddToShadow, CreateToken, Credential, Deciding, ImportProgress, ImportSummary, ImportWorkspace, PolicyNews, Purge,
        RecordPolicyStep, RevokeToken, SetPolicyTests, Snapshot, StartShadow, StopShadow, Store, UploadPolicy,
    },
};
use tests::host::NOW;

use super::stage::{Stage, on_stage};

type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The real store, but for something that happens right before its next write.
struct Between {
    store: Arc<dyn Store>,
    meanwhile: Mutex<Option<Meanwhile>>,
    writes: Mutex<u32>,
}

#[async_trait]
impl Store for Between {
    async fn snapshot(&self, workspace: WorkspaceId) -> Result<Option<Box<dyn Snapshot>>, Error> {
        self.store.snapshot(workspace).await
    }

    async fn credential(&self, hash: [u8; 32]) -> Result<Option<Credential>, Error> {
        self.store.credential(hash).await
    }

    async fn module_bytes(&self, workspace: WorkspaceId, digest: Digest) -> Result<Option<Arc<[u8]>>, Error> {
        self.store.module_bytes(workspace, digest).await
    }

    async fn record_decisions(&self, warrant: Warrant<RecordDecisions>) -> Result<(), Error> {
        self.store.record_decisions(warrant).await
    }

    async fn deciding(&self, after: Option<WorkspaceId>, rows: usize) -> Result<Vec<Deciding>, Error> {
        self.store.deciding(after, rows).await
    }

    fn news(&self) -> Box<dyn PolicyNews> {
        self.store.news()
    }

    async fn workspaces(&self) -> Result<Vec<Sealed<Workspace>>, Error> {
        self.store.workspaces().await
    }

    async fn import(
        &self,
        warrant: Warrant<ImportWorkspace>,
        progress: &(dyn Fn(ImportProgress) + Send + Sync),
    ) -> Result<ImportSummary, Error> {
        self.store.import(warrant, progress).await
    }

    async fn write(&self, warrant: Warrant<Write>) -> Result<Written, Error> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
        *self.writes.lock().unwrap() += 1;
        self.store.write(warrant).await
    }

    async fn purge(&self, warrant: Warrant<Purge>) -> Result<u64, Error> {
        self.store.purge(warrant).await
    }

    async fn create_token(&self, warrant: Warrant<CreateToken>) -> Result<(), Error> {
        self.store.create_token(warrant).await
    }

    async fn revoke_token(&self, warrant: Warrant<RevokeToken>) -> Result<(), Error> {
        self.store.revoke_token(warrant).await
    }

    async fn tokens(&self, workspace: Option<WorkspaceId>) -> Result<Vec<Sealed<Token>>, Error> {
        self.store.tokens(workspace).await
    }

    async fn upload_policy(&self, warrant: Warrant<UploadPolicy>) -> Result<PolicyId, Error> {
        self.store.upload_policy(warrant).await
    }

    async fn record_policy_step(&self, warrant: Warrant<RecordPolicyStep>) -> Result<(), Error> {
        self.store.record_policy_step(warrant).await
    }

    async fn activate_policy(&self, warrant: Warrant<ActivatePolicy>) -> Result<(), Error> {
        self.store.activate_policy(warrant).await
    }

    async fn set_policy_tests(&self, warrant: Warrant<SetPolicyTests>) -> Result<Version, Error> {
        self.store.set_policy_tests(warrant).await
    }

    async fn start_shadow(&self, warrant: Warrant<StartShadow>) -> Result<(), Error> {
        self.store.start_shadow(warrant).await
    }

    async fn stop_shadow(&self, warrant: Warrant<StopShadow>) -> Result<(), Error> {
        self.store.stop_shadow(warrant).await
    }

    async fn add_to_shadow(&self, warrant: Warrant<AddToShadow>) -> Result<(), Error> {
        self.store.add_to_shadow(warrant).await
    }

    async fn ping(&self) -> Result<(), Error> {
        self.store.ping().await
    }
}

fn subject(stage: &Stage<'_>, who: &str) -> Subject {
    let actor = Actor::User(stage.user(who).parse().unwrap());
    Subject { workspace: stage.world.id.parse().unwrap(), actor, scopes: None, expires_at: None, origin: Origin::within("graphql") }
}

async fn write(gate: &Arc<Gate>, subject: &Subject, command: Command) -> Result<Done, Refusal> {
    let mut ids = Ids::random(bailiwick::clock::Clock::system());
    gate.write(subject, &Request { command, key: None }, NOW, &mut ids).await
}

/// What `who` comes to with `command` if `other` does something between its decision and its write; and how often it was written.
async fn interleaved(stage: &Stage<'_>, who: &str, command: Command, other: (&str, Command)) -> (Result<Done, Refusal>, u32) {
    let gate = stage.host.gate();
    let (plain, other_subject) = (gate.clone(), subject(stage, other.0));
    let meanwhile: Meanwhile = Box::pin(async move {
        write(&plain, &other_subject, other.1).await.unwrap();
    });
    let between = Arc::new(Between { store: gate.store().clone(), meanwhile: Mutex::new(Some(meanwhile)), writes: Mutex::default() });
    let torn = Arc::new(Gate::new(between.clone(), gate.engine().clone(), wiring::standard()));
    let done = write(&torn, &subject(stage, who), command).await;
    let writes = *between.writes.lock().unwrap();
    (done, writes)
}

fn code(refusal: Result<Done, Refusal>) -> String {
    match refusal {
        Ok(done) => panic!("{done:?}"),
        Err(Refusal::Problems(problems)) => problems.iter().map(|problem| problem.error.to_string()).collect::<Vec<_>>().join("; "),
        Err(Refusal::Failed(error)) => error.to_string(),
    }
}

#[test]
fn whoever_loses_a_right_in_between_has_lost_it() {
    on_stage(async |stage| {
        let [sales, north] = ["sales", "north"].map(|key| stage.group(key).parse().unwrap());
        let [mia, ned, sue] = ["mia", "ned", "sue"].map(|name| stage.user(name).parse().unwrap());
        let remove = Command::RemoveMembers(RemoveMembers { group: north, users: vec![ned] });
        let demote = Command::SetManagers(SetManagers { group: sales, members: vec![Member { id: mia, manager: false }] });
        let (done, _) = interleaved(stage, "mia", remove, ("ada", demote)).await;
        assert!(code(done).contains("does not allow `membership.remove`"));
        let suspend = Command::SetStatus(SetStatus { users: vec![ned], status: Status::Suspended, expected: None });
        let away = Command::MoveGroup(MoveGroup { group: north, expected: None, to: None });
        let (done, _) = interleaved(stage, "hal", suspend, ("ada", away)).await;
        assert!(code(done).contains("was not found"), "he is nowhere that hal sees");
        // Two administrators who remove one another: one of them is faster.
        let grants = stage.query("ada", "{ grants(first: 100) { nodes { id user { userName } role { key } } } }").await;
        let grant = |of: &str| {
            let nodes = grants["grants"]["nodes"].as_array().unwrap();
            let found = nodes.iter().find(|grant| grant["user"]["userName"] == of && grant["role"]["key"] == "administrator").unwrap();
            Command::RemoveGrants(RemoveGrants { grants: vec![found["id"].as_str().unwrap().parse().unwrap()] })
        };
        let (done, _) = interleaved(stage, "ada", grant("sue"), ("sue", grant("ada"))).await;
        assert!(code(done).contains("was not found"), "ada sees nothing any more");
        let suspend =
            Command::SetStatus(SetStatus { users: vec![stage.user("sam").parse().unwrap()], status: Status::Suspended, expected: None });
        let (done, _) = interleaved(
            stage,
            "hal",
            suspend,
            (
                "sue",
                Command::SetStatus(SetStatus {
                    users: vec![stage.user("hal").parse().unwrap()],
                    status: Status::Suspended,
                    expected: None,
                }),
            ),
        )
        .await;
        assert!(code(done).contains("is not active"));
        let last = Command::RemoveUsers(RemoveUsers { users: vec![sue], expected: None });
        assert!(code(write(stage.host.gate(), &subject(stage, "sue"), last).await).contains("themself"));
    });
}

#[test]
fn a_version_that_was_seen_holds_and_one_that_was_not_is_taken_as_it_is() {
    on_stage(async |stage| {
        let update = |expected: Option<i64>, which: UserText, text: &str| {
            Command::UpdateUser(UpdateUser {
                user: stage.user("ned").parse().unwrap(),
                expected,
                texts: vec![(which, Some(text.to_owned()))],
                exclusive: None,
                attributes: Vec::new(),
            })
        };
        let (done, writes) =
            interleaved(stage, "ada", update(None, UserText::Title, "Clerk"), ("sue", update(None, UserText::Phone, "+49 30 1"))).await;
        assert_eq!((done.unwrap().repeated, writes), (false, 2), "decided again, and both are there");
        assert_eq!(stage.of_user(&stage.user("ned"), "phone").await, "+49 30 1");
        assert_eq!(stage.of_user(&stage.user("ned"), "title").await, "Clerk");
        let (done, _) =
            interleaved(stage, "ada", update(Some(3), UserText::Title, "King"), ("sue", update(Some(3), UserText::Title, "Queen"))).await;
        assert!(code(done).contains("has changed since it was read"));
        assert_eq!(stage.of_user(&stage.user("ned"), "title").await, "Queen");
    });
}

#[test]
fn an_activation_in_between_decides() {
    on_stage(async |stage| {
        let gate = stage.host.gate();
        let workspace = stage.world.id.parse().unwrap();
        let rules = stage.host.install(workspace, "rules", Arc::from(tests::host::RULES)).await;
        let (plain, operator) = (gate.clone(), stage.host.operator);
        let meanwhile: Meanwhile = Box::pin(async move {
            let mut ids = Ids::random(bailiwick::clock::Clock::system());
            let rules = Forced { module: Some(rules), settings: Some("{\"rules\": []}".to_owned()), ..Forced::default() };
            plain.force_policy(&operator, workspace, rules, NOW, &mut ids).await.unwrap();
        });
        let between = Arc::new(Between { store: gate.store().clone(), meanwhile: Mutex::new(Some(meanwhile)), writes: Mutex::default() });
        let torn = Arc::new(Gate::new(between, gate.engine().clone(), wiring::standard()));
        let suspend = SetStatus { users: vec![stage.user("ned").parse().unwrap()], status: Status::Suspended, expected: None };
        let done = write(&torn, &subject(stage, "ada"), Command::SetStatus(suspend)).await;
        assert!(done.is_err(), "the new policy allows nothing: {done:?}");
    });
}
