//! What changes between a decision and its write is decided again.

use std::sync::Arc;

use bailiwick::{ids::Ids, wiring};
use directory::{
    Refusal,
    access::{
        Command, Done, Forced, Gate, Member, MoveGroup, RemoveGrants, RemoveMembers, RemoveUsers, SetManagers, SetStatus, UpdateUser,
    },
    model::{Status, UserText},
};
use tests::host::NOW;

use super::stage::{Stage, on_stage, write};
use crate::between::{Between, Moment};

/// What `who` comes to with `command` if `other` does something between its decision and its write; and how often it was written.
async fn interleaved(stage: &Stage<'_>, who: &str, command: Command, other: (&str, Command)) -> (Result<Done, Refusal>, u32) {
    let gate = stage.host.gate();
    let (plain, other_subject) = (gate.clone(), stage.subject(other.0));
    let between = Between::new(gate.store().clone());
    between.before(Moment::Write, async move {
        write(&plain, &other_subject, other.1).await.unwrap();
    });
    let torn = Arc::new(Gate::new(between.clone(), gate.engine().clone(), wiring::standard()));
    let done = write(&torn, &stage.subject(who), command).await;
    (done, between.writes())
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
        assert!(code(write(stage.host.gate(), &stage.subject("sue"), last).await).contains("themself"));
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
        let between = Between::new(gate.store().clone());
        between.before(Moment::Write, async move {
            let mut ids = Ids::random(bailiwick::clock::Clock::system());
            let rules = Forced { module: Some(rules), settings: Some("{\"rules\": []}".to_owned()), ..Forced::default() };
            plain.force_policy(&operator, workspace, rules, NOW, &mut ids).await.unwrap();
        });
        let torn = Arc::new(Gate::new(between, gate.engine().clone(), wiring::standard()));
        let suspend = SetStatus { users: vec![stage.user("ned").parse().unwrap()], status: Status::Suspended, expected: None };
        let done = write(&torn, &stage.subject("ada"), Command::SetStatus(suspend)).await;
        assert!(done.is_err(), "the new policy allows nothing: {done:?}");
    });
}
