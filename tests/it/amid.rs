//! What others do amid an activation: while its gates look, and between their last look and what is written.

use std::{sync::Arc, time::Duration};

use bailiwick::{clock::Clock, ids::Ids, tokens, trials::Runner, wiring};
use directory::{
    Error, Refusal,
    access::{
        Activation, AddMembers, Caller, Command, DeleteRole, Gate, Member, Origin, RemoveMembers, Request, RevokeToken, SetStatus, Subject,
        authenticate,
    },
    contract::{Failure, RowFilter, Verdict},
    ids::{PolicyId, PolicyVersionId},
    model::{Status, Version},
};
use tests::{Backend, host::NOW, naive::policy::Asker};

use crate::{
    between::{Between, Moment},
    counting::Counting,
    hostile::guest::{GROUPS_LEN, Guest, Part},
    writes::stage::{Stage, on_stage, write},
};

/// Views that an activation opens where its gates have none beside: its own, and one to look once more.
const VIEWS: u32 = 2;
/// Milliseconds that are more than a gate waits for a view beside its own.
const TOO_LONG: u64 = 2_000;

/// Activations through a store in which something happens in between.
struct Amid<'a> {
    stage: &'a Stage<'a>,
    between: Arc<Between>,
    gate: Arc<Gate>,
}

impl<'a> Amid<'a> {
    fn new(stage: &'a Stage<'a>, views: usize) -> Self {
        let gate = stage.host.gate();
        let between = Between::new(gate.store().clone());
        let trials = Arc::new(Runner::new(gate.engine().clone()));
        let torn = Gate::new(between.clone(), gate.engine().clone(), wiring::standard()).with_gate_views(views).with_trials(trials);
        Self { stage, between, gate: Arc::new(torn) }
    }

    /// Lets somebody do something in between.
    fn before(&self, moment: Moment, who: &str, command: Command) {
        let (plain, subject) = (self.stage.host.gate().clone(), self.stage.subject(who));
        self.between.before(moment, async move {
            write(&plain, &subject, command).await.unwrap();
        });
    }

    async fn activate(&self, who: &str, candidate: impl Into<Candidate>) -> Result<PolicyVersionId, Error> {
        self.between.views();
        self.between.writes();
        activate(&self.gate, self.stage, who, candidate.into()).await
    }

    async fn active(&self) -> PolicyVersionId {
        self.stage.host.gate().open(self.stage.subject("sue"), NOW).await.unwrap().policy_version().id
    }
}

enum Candidate {
    Module(PolicyId),
    /// `standard`, with what its members see.
    Sees(&'static str),
}

impl From<PolicyId> for Candidate {
    fn from(id: PolicyId) -> Self {
        Self::Module(id)
    }
}

impl From<&'static str> for Candidate {
    fn from(sees: &'static str) -> Self {
        Self::Sees(sees)
    }
}

async fn activate(gate: &Arc<Gate>, stage: &Stage<'_>, who: &str, candidate: Candidate) -> Result<PolicyVersionId, Error> {
    let directory = gate.open(stage.subject(who), NOW).await?;
    let activation =
        Activation { expected: directory.policy_version().id, module: None, settings: None, standard_settings: None, note: None };
    let activation = match candidate {
        Candidate::Module(module) => Activation { module: Some(module), settings: Some("armed".to_owned()), ..activation },
        Candidate::Sees(sees) => Activation { standard_settings: Some(format!("{{\"members_see\": \"{sees}\"}}")), ..activation },
    };
    directory.activate_policy(activation, &mut Ids::random(Clock::system())).await
}

/// Keeps whoever is in a group from the policy, and decides about nothing else.
fn ungrouped() -> Guest {
    let mut guest = Guest::new().describing(|manifest| {
        manifest.decides = vec!["policy.*".to_owned()];
        manifest.otherwise = "standard".to_owned();
    });
    let deny = guest.table(&[Verdict { allow: false, ..Verdict::default() }]);
    let (allow, grouped) = (guest.check.clone(), format!("(i32.load offset={GROUPS_LEN} (local.get $arguments))"));
    guest.armed(Part::Check, &format!("(if (result i32) {grouped} (then {deny}) (else {allow}))"))
}

#[test]
fn what_others_do_amid_an_activation_is_decided_again_and_nothing_else_stops_it() {
    on_stage(async |stage| {
        let amid = Amid::new(stage, 0);
        let ungrouped = stage.host.install(stage.world.id.parse().unwrap(), "ungrouped", ungrouped().component().into()).await;
        let (east, sue, ned) =
            (stage.group("east").parse().unwrap(), stage.user("sue").parse().unwrap(), stage.user("ned").parse().unwrap());
        for (moment, writes, statuses) in
            [(Moment::View(VIEWS), 1, [Status::Suspended, Status::Active]), (Moment::Activation, 2, [Status::Suspended, Status::Active])]
        {
            for (status, sees) in statuses.into_iter().zip(["self", "workspace"]) {
                amid.before(moment, "sue", Command::SetStatus(SetStatus { users: vec![ned], status, expected: None }));
                let activated = amid.activate("ada", sees).await.unwrap();
                assert_eq!((amid.between.writes(), amid.active().await), (writes, activated), "{moment:?}: what has nothing to do with it");
            }
            let before = amid.active().await;

            let joins = AddMembers { group: east, members: vec![Member { id: sue, manager: false }] };
            amid.before(moment, "ada", Command::AddMembers(joins));
            let locked = amid.activate("ada", ungrouped).await.unwrap_err();
            assert!(matches!(&locked, Error::Stale(what) if what == "who could undo the activation"), "{moment:?}: {locked}");
            write(stage.host.gate(), &stage.subject("ada"), Command::RemoveMembers(RemoveMembers { group: east, users: vec![sue] }))
                .await
                .unwrap();

            let role = stage.give("eve", &["policy.read", "policy.activate", "policy.rollback"], None).await.parse().unwrap();
            amid.before(moment, "ada", Command::DeleteRole(DeleteRole { role, expected: None }));
            let forbidden = amid.activate("eve", "self").await.unwrap_err();
            assert!(matches!(&forbidden, Error::Forbidden { action, .. } if action == "policy.activate"), "{moment:?}: {forbidden}");

            amid.before(moment, "sue", Command::SetStatus(SetStatus { users: vec![ned], status: Status::Suspended, expected: None }));
            assert_eq!(amid.active().await, before, "{moment:?}: nothing of this has changed what decides");
            // The one that was locked out before may be activated now.
            let activated = amid.activate("ada", ungrouped).await.unwrap();
            write(
                stage.host.gate(),
                &stage.subject("sue"),
                Command::SetStatus(SetStatus { users: vec![ned], status: Status::Active, expected: None }),
            )
            .await
            .unwrap();
            assert_eq!(amid.active().await, activated);
            amid.gate
                .open(stage.subject("ada"), NOW)
                .await
                .unwrap()
                .roll_back_policy(None, None, &mut Ids::random(Clock::system()))
                .await
                .unwrap();
        }
    });
}

#[test]
fn another_version_or_other_tests_amid_an_activation_stop_it() {
    on_stage(async |stage| {
        let amid = Amid::new(stage, 0);
        for (moment, sees, version) in [(Moment::View(VIEWS), "self", 0), (Moment::Activation, "groups", 2)] {
            let (plain, subject) = (stage.host.gate().clone(), stage.subject("sue"));
            amid.between.before(moment, async move {
                let directory = plain.open(subject, NOW).await.unwrap();
                let activation = Activation {
                    expected: directory.policy_version().id,
                    module: None,
                    settings: None,
                    standard_settings: Some(format!("{{\"members_see\": \"{sees}\"}}")),
                    note: None,
                };
                directory.activate_policy(activation, &mut Ids::random(Clock::system())).await.unwrap();
            });
            let told = amid.activate("ada", "workspace").await.unwrap_err();
            assert!(matches!(&told, Error::Stale(what) if what.contains("active policy")), "{moment:?}: {told}");
            let before = amid.active().await;

            let (plain, subject) = (stage.host.gate().clone(), stage.subject("sue"));
            amid.between.before(moment, async move {
                let directory = plain.open(subject, NOW).await.unwrap();
                let tests = "people = { ada = {}, bob = {} }\nlists.ada.user = ['ada', 'bob']\n";
                directory.set_policy_tests(Version(version), tests).await.unwrap();
            });
            let told = amid.activate("ada", "workspace").await.unwrap_err();
            assert!(matches!(&told, Error::Stale(what) if what.contains("policy tests")), "{moment:?}: {told}");
            assert_eq!(amid.active().await, before, "{moment:?}: the other's version decides");
            let directory = stage.host.gate().open(stage.subject("sue"), NOW).await.unwrap();
            directory.set_policy_tests(Version(version + 1), "").await.unwrap();
        }
    });
}

#[test]
fn a_token_that_is_revoked_amid_a_change_of_the_policy_changes_nothing() {
    on_stage(async |stage| {
        let amid = Amid::new(stage, 0);
        let before = amid.active().await;
        for moment in [Moment::View(1), Moment::View(VIEWS), Moment::Activation] {
            let (subject, revoke) = revocable(stage).await;
            amid.between.views();
            amid.before(moment, "sue", revoke);
            let directory = amid.gate.open(subject, NOW).await.unwrap();
            let settings = Some("{\"members_see\": \"self\"}".to_owned());
            let activation = Activation { expected: before, module: None, settings: None, standard_settings: settings, note: None };
            let refused = directory.activate_policy(activation, &mut Ids::random(Clock::system())).await.unwrap_err();
            assert!(matches!(refused, Error::Revoked), "{moment:?}: {refused}");
            assert_eq!(amid.active().await, before, "{moment:?}");
        }
    });
}

#[test]
fn a_token_that_is_revoked_amid_a_write_writes_nothing_once_it_is_decided_again() {
    on_stage(async |stage| {
        let amid = Amid::new(stage, 0);
        let (subject, revoke) = revocable(stage).await;
        amid.before(Moment::Write, "sue", revoke);
        let suspend =
            Command::SetStatus(SetStatus { users: vec![stage.user("ned").parse().unwrap()], status: Status::Suspended, expected: None });
        let refused = amid.gate.write(&subject, &Request { command: suspend, key: None }, NOW, &mut Ids::random(Clock::system())).await;
        assert!(matches!(refused, Err(Refusal::Failed(Error::Revoked))), "{refused:?}");
        assert_eq!(stage.of_user(&stage.user("ned"), "status").await, "ACTIVE");
    });
}

/// An administrator with a token, and what revokes it.
async fn revocable(stage: &Stage<'_>) -> (Subject, Command) {
    let ada = stage.world.people.iter().position(|person| person.texts["userName"] == "ada").unwrap();
    let hash = tokens::hash(&stage.host.token(&stage.world, &Asker::person(ada)).await);
    let store = stage.host.gate().store();
    let caller = authenticate(store.as_ref(), hash, NOW, Origin::within("http")).await.unwrap().unwrap();
    let Caller::Subject(subject) = caller else { panic!("{caller:?}") };
    let token = store.credential(hash).await.unwrap().unwrap().token;
    (subject, Command::RevokeToken(RevokeToken { token }))
}

#[test]
fn views_beside_a_gate_are_of_its_moment_and_are_given_back() {
    on_stage(async |stage| {
        let amid = Amid::new(stage, 2);
        let ned = stage.user("ned").parse().unwrap();
        let suspend = |status| Command::SetStatus(SetStatus { users: vec![ned], status, expected: None });
        amid.activate("ada", "self").await.unwrap();
        assert_eq!(amid.between.views(), VIEWS + 2, "two beside");

        amid.before(Moment::View(2), "sue", suspend(Status::Suspended));
        amid.activate("ada", "workspace").await.unwrap();
        assert_eq!(amid.between.views(), VIEWS + 1, "one that came too late is not used, and no other is tried");
        amid.activate("ada", "self").await.unwrap();
        assert_eq!(amid.between.views(), VIEWS + 2, "and its place was given back");

        amid.between.before(Moment::View(2), tokio::time::sleep(Duration::from_millis(TOO_LONG)));
        amid.activate("ada", "workspace").await.unwrap();
        assert_eq!(amid.between.views(), VIEWS + 1, "nobody waits for a view");
        amid.activate("ada", "self").await.unwrap();
        assert_eq!(amid.between.views(), VIEWS + 2);
    });
}

#[test]
fn what_a_view_beside_can_not_answer_the_gate_answers_itself() {
    on_stage(async |stage| {
        if stage.host.backend != Backend::Postgres {
            return;
        }
        let amid = Amid::new(stage, 2);
        // Decides about users, of whom its scope admits nobody.
        let mut guest = Guest::new();
        let nobody = guest.filter(&RowFilter { exact: true, ..RowFilter::default() });
        let narrow =
            stage.host.install(stage.world.id.parse().unwrap(), "narrow", guest.armed(Part::Scope, &nobody).component().into()).await;
        let reasons = async || match amid.activate("ada", narrow).await {
            Err(Error::Gates(reasons)) => reasons,
            outcome => panic!("{outcome:?}"),
        };
        let told = reasons().await;
        let stored = stage.host.stored();
        amid.between.before(Moment::View(3), async move {
            assert_eq!(stored.kill_newest_view().await, 1);
        });
        assert_eq!(reasons().await, told);
        assert!(!told.is_empty());
        assert_eq!(amid.between.views(), VIEWS + 1, "the gate's own and two beside; a refused activation looks no second time");
        amid.activate("ada", "self").await.unwrap();
        assert_eq!(amid.between.views(), VIEWS + 2, "a connection that broke is given back, too");
    });
}

#[test]
fn a_guard_that_can_not_be_asked_lets_nothing_through() {
    on_stage(async |stage| {
        let gate = stage.host.gate();
        // Ada, whom the candidate locks out, is the only administrator who is active.
        let [ada, sue] = ["ada", "sue"].map(|name| stage.user(name).parse().unwrap());
        let members = vec![Member { id: ada, manager: false }];
        let join = Command::AddMembers(AddMembers { group: stage.group("east").parse().unwrap(), members });
        let suspend = Command::SetStatus(SetStatus { users: vec![sue], status: Status::Suspended, expected: None });
        for command in [join, suspend] {
            write(gate, &stage.subject("ada"), command).await.unwrap();
        }
        let ungrouped = stage.host.install(stage.world.id.parse().unwrap(), "ungrouped", ungrouped().component().into()).await;
        let tired = Counting::new(gate.engine().clone());
        let torn = Arc::new(Gate::new(gate.store().clone(), tired.clone(), wiring::standard()));
        let refused = activate(&torn, stage, "ada", ungrouped.into()).await;
        assert!(matches!(refused, Err(Error::Gates(_))), "{refused:?}");
        let sessions = tired.sessions();
        assert!(sessions > 3, "{sessions}");
        for fails in 0..sessions {
            tired.sessions();
            tired.fail(fails);
            let refused = activate(&torn, stage, "ada", ungrouped.into()).await;
            assert!(
                matches!(refused, Err(Error::Gates(_) | Error::Policy(Failure::Busy(_)))),
                "session {fails} of {sessions}: {refused:?}"
            );
        }
    });
}
