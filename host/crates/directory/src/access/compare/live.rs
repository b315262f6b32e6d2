//! What traffic has asked about, put to two policies: a row or two where a comparison has thousands.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    ObjectId,
    pairs::{Compared, urn},
    side::{Both, Who},
    tally::{Outcome, Tally, differences},
};
use crate::{
    Error,
    access::{Directory, Sealed, decide::Decision},
    contract::Cost,
    ids::UserId,
    limits,
    model::{Grant, Group, Membership, PolicyVersion, Role, User},
    register::Kind,
};

/// Rows that somebody asked about.
#[derive(Clone, Debug)]
pub(in crate::access) struct Question {
    /// `kind.verb`.
    pub(in crate::access) action: String,
    /// The kind of the rows.
    pub(in crate::access) kind: Kind,
    /// Which rows.
    pub(in crate::access) rows: AskedRows,
}

/// Which rows somebody asked about.
#[derive(Clone, Debug)]
pub(in crate::access) enum AskedRows {
    /// These; `None` for one that has no id. At most [`limits::CHECK_ROWS`].
    These(Vec<Option<Uuid>>),
    /// A list, which has none of the rows that the active policy hides. So some are drawn, by this seed.
    Drawn(u64),
}

impl AskedRows {
    /// How many.
    pub(in crate::access) const fn len(&self) -> usize {
        match self {
            Self::These(rows) => rows.len(),
            Self::Drawn(_) => limits::SHADOW_DRAWN,
        }
    }

    fn id(&self, at: usize) -> Option<Uuid> {
        match self {
            Self::These(rows) => rows.get(at).copied().flatten(),
            Self::Drawn(_) => None,
        }
    }
}

/// What two policies have answered to a question, the active one first.
pub(in crate::access) struct Answered<'a> {
    pub(in crate::access) question: &'a Question,
    pub(in crate::access) decisions: [Vec<Decision>; 2],
    /// The user who asked.
    pub(in crate::access) subject: Option<UserId>,
}

impl Answered<'_> {
    /// Adds up on which rows the two say different things.
    pub(in crate::access) fn count(&self, attributes: &[String], tally: &mut Tally) {
        let Question { action, kind, rows } = self.question;
        let [before, after] = self.decisions.each_ref().map(|decisions| decisions.iter().map(Outcome::of_sight).collect::<Vec<_>>());
        tally.compared(action, before.len());
        let fields = if *action == kind.read() { kind.fields() } else { &[] };
        for difference in differences(&before, &after, fields, attributes) {
            let object = rows.id(difference.row).and_then(|id| ObjectId::new(*kind, id));
            tally.changed(action, &difference, self.subject.zip(object));
        }
    }
}

impl Tally {
    /// Nothing yet of what traffic asks.
    pub(in crate::access) fn of_traffic() -> Self {
        Self::new(limits::SHADOW_SAMPLES)
    }
}

impl Directory {
    /// Puts a question of this subject once more to the active policy and to a candidate, both at this moment. Answers what they cost, the
    /// active one's first, and how many rows there were.
    ///
    /// Rows that are gone are left out.
    pub(in crate::access) async fn ask_both(
        &self,
        candidate: &Arc<PolicyVersion>,
        question: &Question,
        tally: &mut Tally,
    ) -> Result<([Cost; 2], usize), Error> {
        match question.kind {
            Kind::User => self.ask_about::<User>(candidate, question, tally).await,
            Kind::Group => self.ask_about::<Group>(candidate, question, tally).await,
            Kind::Role => self.ask_about::<Role>(candidate, question, tally).await,
            Kind::Membership => self.ask_about::<Membership>(candidate, question, tally).await,
            Kind::Grant => self.ask_about::<Grant>(candidate, question, tally).await,
            _ => Ok(Default::default()),
        }
    }

    async fn ask_about<R: Compared>(
        &self,
        candidate: &Arc<PolicyVersion>,
        question: &Question,
        tally: &mut Tally,
    ) -> Result<([Cost; 2], usize), Error> {
        let ids = match &question.rows {
            AskedRows::These(rows) => rows.iter().copied().flatten().collect(),
            AskedRows::Drawn(seed) => self.drawn(urn(R::KIND), limits::SHADOW_DRAWN, *seed).await?,
        };
        let rows = R::load(self.snapshot.lock().await.as_mut(), &ids).await?;
        let chunk = self.chunk(rows.into_iter().map(Sealed::open).collect::<Vec<R>>()).await?;
        let attributes = if question.action == R::KIND.read() { self.attribute_fields().await? } else { Vec::new() };
        let who = Who { asker: self, subject: self.subject.clone(), facts: self.context.clone() };
        let versions = [self.version.clone(), candidate.clone()];
        let mut both = Both::open(&who, &versions).await?;
        let sights = both.sights(&chunk).await?;
        for difference in both.compare(&question.action, &chunk, &sights, &attributes, tally).await? {
            tally.changed(&question.action, &difference, self.subject.user().zip(chunk.id(difference.row)));
        }
        Ok((both.cost().await, chunk.len()))
    }
}
