//! One subject under one policy, and the chunks of rows that are put to it.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;

use super::{
    ComparisonSide, ObjectId,
    pairs::Compared,
    tally::{Difference, Outcome, Tally, differences},
};
use crate::{
    Error,
    access::{
        Directory, Sealed, Subject,
        decide::Decision,
        facts::{Facts, SharedFacts, SubjectContext},
        resource::Resource,
    },
    contract::{Cost, Failure},
    model::{Group, PolicyVersion, Role, User},
    register::Kind,
};

/// Rows of one kind, put to policies for one subject after the other.
struct Lot<R> {
    rows: Vec<R>,
    facts: SharedFacts,
}

impl<R: Resource> Lot<R> {
    fn of(rows: Vec<R>) -> Self {
        Self { rows, facts: SharedFacts::default() }
    }

    async fn decide(&self, directory: &Directory, action: &str) -> Result<Vec<Decision>, Error> {
        let facts = Facts::Shared(R::rows(&self.rows), &self.facts);
        directory.decide_facts(action, R::KIND, &facts, self.rows.len()).await
    }

    /// Each with what was decided about it.
    fn decided<'a>(&'a self, decisions: &'a [Decision]) -> impl Iterator<Item = ((Kind, Uuid), &'a Decision)> {
        self.rows.iter().map(|row| (R::KIND, row.key())).zip(decisions)
    }
}

/// Rows of one kind with the ends without which they are not shown. At most [`crate::limits::CHECK_ROWS`], so that one call decides them.
pub(super) struct Chunk<R> {
    own: Lot<R>,
    users: Lot<User>,
    groups: Lot<Group>,
    roles: Lot<Role>,
    /// Which of them the asker sees, found out where something changes.
    seen: OnceCell<Vec<bool>>,
}

impl Directory {
    /// Rows with their ends.
    pub(super) async fn chunk<R: Compared>(&self, rows: Vec<R>) -> Result<Chunk<R>, Error> {
        let ends: Vec<(Kind, Uuid)> = rows.iter().flat_map(R::joined).map(ObjectId::parts).collect();
        Ok(Chunk {
            users: self.lot(&ends).await?,
            groups: self.lot(&ends).await?,
            roles: self.lot(&ends).await?,
            own: Lot::of(rows),
            seen: OnceCell::new(),
        })
    }

    async fn lot<R: Resource>(&self, of: &[(Kind, Uuid)]) -> Result<Lot<R>, Error> {
        let mut ids: Vec<Uuid> = of.iter().filter(|(kind, _)| *kind == R::KIND).map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        let rows = R::load(self.snapshot.lock().await.as_mut(), &ids).await?;
        Ok(Lot::of(rows.into_iter().map(Sealed::open).collect()))
    }
}

impl<R: Compared> Chunk<R> {
    /// How many rows.
    pub(super) const fn len(&self) -> usize {
        self.own.rows.len()
    }

    /// The id of a row.
    pub(super) fn id(&self, row: usize) -> Option<ObjectId> {
        self.own.rows.get(row).map(R::id)
    }

    /// Which rows the asker sees: one call for each kind in the chunk, once.
    pub(super) async fn seen_by(&self, asker: &Directory) -> Result<&[bool], Error> {
        let see = || async {
            let own = self.own.decide(asker, &R::KIND.read()).await?;
            let users = self.users.decide(asker, &Kind::User.read()).await?;
            let groups = self.groups.decide(asker, &Kind::Group.read()).await?;
            let roles = self.roles.decide(asker, &Kind::Role.read()).await?;
            Ok::<_, Error>(self.sights(own, [&users, &groups, &roles]).iter().map(Decision::allows).collect())
        };
        self.seen.get_or_try_init(see).await.map(Vec::as_slice)
    }

    /// The decision on each row, and where that allows it, on its ends.
    fn sights(&self, own: Vec<Decision>, [users, groups, roles]: [&[Decision]; 3]) -> Vec<Decision> {
        let ends = self.users.decided(users).chain(self.groups.decided(groups)).chain(self.roles.decided(roles));
        let ends: HashMap<(Kind, Uuid), &Decision> = ends.collect();
        let sight = |(row, decision): (&R, Decision)| {
            if !decision.allows() {
                return decision;
            }
            for (kind, id) in row.joined().into_iter().map(ObjectId::parts) {
                match ends.get(&(kind, id)) {
                    Some(end) if end.allows() => {}
                    end => {
                        let reason = end.map(|end| end.reason()).unwrap_or_default();
                        return Decision::deny(&format!("its {} is hidden: {reason}", kind.name()));
                    }
                }
            }
            decision
        };
        self.own.rows.iter().zip(own).map(sight).collect()
    }
}

/// The subject of a comparison.
pub(super) struct Who<'a> {
    /// Who compares, at whose moment.
    pub(super) asker: &'a Directory,
    /// Who is asked about.
    pub(super) subject: Subject,
    /// What policies are shown of it.
    pub(super) facts: Arc<SubjectContext>,
}

/// One subject under one policy.
struct Side<'a> {
    /// Which policy.
    side: ComparisonSide,
    who: &'a Who<'a>,
    version: &'a Arc<PolicyVersion>,
    directory: Directory,
    /// What sandboxes cost that are gone.
    cost: Cost,
}

impl<'a> Side<'a> {
    /// A subject, who must be active, under a version.
    async fn open(who: &'a Who<'a>, version: &'a Arc<PolicyVersion>, side: ComparisonSide) -> Result<Self, Error> {
        let directory = beside(who, version, side).await?;
        Ok(Self { side, who, version, directory, cost: Cost::default() })
    }

    /// Which rows the subject sees, and with which fields; or why the policy did not say.
    async fn sights<R: Compared>(&mut self, chunk: &Chunk<R>) -> Result<Result<Vec<Decision>, Failure>, Error> {
        answered(self.try_sights(chunk).await)
    }

    /// What the policy says of an action on each row, or why it did not say.
    async fn decide<R: Compared>(&mut self, action: &str, chunk: &Chunk<R>) -> Result<Result<Vec<Decision>, Failure>, Error> {
        answered(self.ask(action, &chunk.own).await)
    }

    /// What all calls cost.
    async fn cost(&self) -> Cost {
        let current = self.directory.decider.lock().await.cost();
        Cost { calls: self.cost.calls + current.calls, fuel: self.cost.fuel + current.fuel }
    }

    async fn try_sights<R: Compared>(&mut self, chunk: &Chunk<R>) -> Result<Vec<Decision>, Error> {
        let own = self.ask(&R::KIND.read(), &chunk.own).await?;
        let users = self.ask(&Kind::User.read(), &chunk.users).await?;
        let groups = self.ask(&Kind::Group.read(), &chunk.groups).await?;
        let roles = self.ask(&Kind::Role.read(), &chunk.roles).await?;
        Ok(chunk.sights(own, [&users, &groups, &roles]))
    }

    /// Asks in the sandbox of the calls before. One that failed is of no use any more; one that had been used may have failed for that
    /// alone, where a request of its own would not have, and is asked again afresh.
    async fn ask<R: Resource>(&mut self, action: &str, lot: &Lot<R>) -> Result<Vec<Decision>, Error> {
        let used = self.directory.decider.lock().await.cost().calls > 0;
        let answer = lot.decide(&self.directory, action).await;
        if !failed(&answer) {
            return answer;
        }
        self.renew().await?;
        if !used {
            return answer;
        }
        let answer = lot.decide(&self.directory, action).await;
        if failed(&answer) {
            self.renew().await?;
        }
        answer
    }

    async fn renew(&mut self) -> Result<(), Error> {
        self.cost = self.cost().await;
        self.directory = beside(self.who, self.version, self.side).await?;
        Ok(())
    }
}

/// Both policies, for one subject.
pub(super) struct Both<'a> {
    active: Side<'a>,
    candidate: Side<'a>,
}

/// Which rows the subject sees under each of the two, the active one first; or why one of them did not say.
pub(super) type Sights = [Result<Vec<Decision>, Failure>; 2];

impl<'a> Both<'a> {
    /// A subject, who must be active, under the active version and under another.
    pub(super) async fn open(who: &'a Who<'a>, [active, candidate]: &'a [Arc<PolicyVersion>; 2]) -> Result<Self, Error> {
        Ok(Self {
            active: Side::open(who, active, ComparisonSide::Active).await?,
            candidate: Side::open(who, candidate, ComparisonSide::Candidate).await?,
        })
    }

    /// Which rows the subject sees.
    pub(super) async fn sights<R: Compared>(&mut self, chunk: &Chunk<R>) -> Result<Sights, Error> {
        Ok([self.active.sights(chunk).await?, self.candidate.sights(chunk).await?])
    }

    /// On which rows they say different things of an action. Notes how many they were asked about, or why one of them did not say.
    /// `attributes` are the fields of the declared ones.
    pub(super) async fn compare<R: Compared>(
        &mut self,
        action: &str,
        chunk: &Chunk<R>,
        sights: &Sights,
        attributes: &[String],
        tally: &mut Tally,
    ) -> Result<Vec<Difference>, Error> {
        let reads = action == R::KIND.read();
        let mut outcomes = Vec::with_capacity(2);
        for (side, sights) in [&mut self.active, &mut self.candidate].into_iter().zip(sights) {
            let decided = match sights {
                Ok(sights) if reads => Ok(sights.iter().map(Outcome::of_sight).collect()),
                Ok(sights) => side.decide(action, chunk).await?.map(|decided| Outcome::of_actions(sights, decided)),
                Err(failure) => Err(failure.clone()),
            };
            match decided {
                Ok(decided) => outcomes.push(decided),
                Err(failure) => tally.failed(side.side, action, chunk.len(), &failure),
            }
        }
        let Ok::<[Vec<Outcome>; 2], _>([before, after]) = outcomes.try_into() else { return Ok(Vec::new()) };
        tally.compared(action, chunk.len());
        let fields = if reads { R::KIND.fields() } else { &[] };
        Ok(differences(&before, &after, fields, attributes))
    }

    /// What all calls cost, the active policy's first.
    pub(super) async fn cost(&self) -> [Cost; 2] {
        [self.active.cost().await, self.candidate.cost().await]
    }
}

/// The candidate itself answers: administrators are not helped out by `standard` where it fails.
async fn beside(who: &Who<'_>, version: &Arc<PolicyVersion>, side: ComparisonSide) -> Result<Directory, Error> {
    let directory = who.asker.beside(who.subject.clone(), who.facts.clone(), version).await?;
    Ok(match side {
        ComparisonSide::Active => directory,
        ComparisonSide::Candidate => Directory { decider: Mutex::new(directory.decider.into_inner().behind_glass()), ..directory },
    })
}

/// Whether a policy gave no answer that counts. That the server is busy, say, is no fault of a policy's.
const fn failed<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Policy(failure)) if !failure.is_of_server())
}

fn answered<T>(answer: Result<T, Error>) -> Result<Result<T, Failure>, Error> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(Error::Policy(failure)) if !failure.is_of_server() => Ok(Err(failure)),
        Err(error) => Err(error),
    }
}
