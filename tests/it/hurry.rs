//! How much the gates before an activation try: all of it for what is new, little for what passed once and is wanted back.

use std::sync::Arc;

use bailiwick::{ids::Ids, wiring};
use directory::{
    Error,
    access::{Activation, Forced, Gate, Operator, OperatorVia, RollBack},
    ids::PolicyVersionId,
};
use tests::{TestHost, dice::Dice, generate, host::NOW, naive::policy::Asker, on_each_database};

use crate::counting::Counting;

/// An administrator's changes of the settings of `standard`, and how many sessions each took.
struct Desk<'a> {
    gate: Arc<Gate>,
    engine: Arc<Counting>,
    subject: directory::access::Subject,
    ids: &'a mut Ids,
}

impl Desk<'_> {
    async fn activate(&mut self, sees: &str) -> usize {
        let directory = self.gate.open(self.subject.clone(), NOW).await.unwrap();
        let expected = directory.policy_version().id;
        let settings = Some(format!("{{\"members_see\": \"{sees}\"}}"));
        let activation = Activation { expected, module: None, settings: None, standard_settings: settings, note: None };
        directory.activate_policy(activation, self.ids).await.unwrap();
        self.engine.sessions()
    }

    async fn roll_back(&mut self, to: Option<PolicyVersionId>) -> Result<usize, Error> {
        let directory = self.gate.open(self.subject.clone(), NOW).await?;
        directory.roll_back_policy(to, None, self.ids).await?;
        Ok(self.engine.sessions())
    }
}

#[test]
fn a_roll_back_to_what_passed_once_is_tried_on_fewer_subjects() {
    on_each_database(async |host: &TestHost| {
        let mut world = generate::world(&mut Dice::seeded(3), "hurry".to_owned(), 40);
        host.import_world(&mut world, "").await;
        let subject = host.directory(&world, &Asker::person(0)).await.subject().clone();
        let engine = Counting::new(host.gate().engine().clone());
        // Without views beside, each of which has a session of its own.
        let gate = Arc::new(Gate::new(host.gate().store().clone(), engine.clone(), wiring::standard()));
        let mut desk = Desk { gate, engine, subject, ids: &mut Ids::seeded("hurry", NOW) };
        let whole = desk.activate("self").await;
        assert_eq!(desk.activate("workspace").await, whole, "{:?}: the same world is tried alike", host.backend);
        let brief = desk.roll_back(None).await.unwrap();
        assert!((4..whole).contains(&brief), "{:?}: {brief} of {whole}", host.backend);
        assert_eq!(desk.roll_back(None).await.unwrap(), whole, "{:?}: what a workspace begins with never passed", host.backend);

        let (operator, workspace) = (Operator::new(OperatorVia::CommandLine), world.id.parse().unwrap());
        let forced = Forced { standard_settings: Some("{\"members_see\": \"groups\"}".to_owned()), ..Forced::default() };
        let forced = desk.gate.force_policy(&operator, workspace, forced, NOW, desk.ids).await.unwrap();
        desk.engine.sessions();
        assert_eq!(desk.activate("self").await, whole);
        assert_eq!(desk.roll_back(Some(forced)).await.unwrap(), whole, "{:?}: nor what the operator forced", host.backend);
        // Nor does the operator make it pass by going back to it.
        assert_eq!(desk.activate("self").await, whole);
        let back = RollBack { to: Some(forced), note: None };
        let back = desk.gate.force_roll_back(&operator, workspace, back, NOW, desk.ids).await.unwrap();
        desk.engine.sessions();
        assert_eq!(desk.activate("workspace").await, whole);
        assert_eq!(desk.roll_back(Some(back)).await.unwrap(), whole);
    });
}
