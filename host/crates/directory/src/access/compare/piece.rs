//! One call's worth of a comparison: rows of one kind after the other, and for each chunk of them one subject after the other.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use super::{
    Compare, ComparePosition, KINDS, PolicyComparison,
    pairs::{Compared, Pairs},
    side::{Both, Chunk, Who},
    tally::Tally,
};
use crate::{
    Error,
    access::{Directory, Sealed, facts::SubjectContext},
    contract::Cost,
    ids::UserId,
    limits,
    model::{Grant, Group, Membership, PolicyVersion, Role, User},
    register::Kind,
};

/// What a piece is about, and what it found so far.
pub(super) struct Piece<'a> {
    /// Of whoever asks.
    directory: &'a Directory,
    /// The active one, the candidate.
    versions: [Arc<PolicyVersion>; 2],
    pairs: Pairs,
    /// By kind, in the order of [`KINDS`].
    actions: Vec<(Kind, Vec<String>)>,
    /// Fields of the declared attributes.
    attributes: Vec<String>,
    /// What policies are shown of the latest subjects, at most [`limits::COMPARE_SAMPLE`]: each comes up once a chunk.
    facts: HashMap<UserId, Arc<SubjectContext>>,
    tally: Tally,
    /// Pairs that may still be looked at.
    left: usize,
    /// Rows of one chunk.
    chunk: usize,
    /// Ends when no further subject is to be begun with.
    time: Pin<Box<Sleep>>,
    /// Whether it looked at anything.
    begun: bool,
    cost: [Cost; 2],
}

impl<'a> Piece<'a> {
    /// Nothing yet, of what the asker's `ask` is about.
    pub(super) async fn of(
        directory: &'a Directory,
        ask: &Compare,
        candidate: PolicyVersion,
        (pairs, actions): (Pairs, Vec<(Kind, Vec<String>)>),
    ) -> Result<Self, Error> {
        Ok(Self {
            directory,
            versions: [directory.version.clone(), Arc::new(candidate)],
            pairs,
            actions,
            attributes: directory.attribute_fields().await?,
            facts: HashMap::new(),
            tally: Tally::new(ask.examples),
            left: ask.piece,
            chunk: ask.piece.min(limits::CHECK_ROWS),
            time: Box::pin(sleep(Duration::from_millis(limits::COMPARE_MS))),
            begun: false,
            cost: [Cost::default(); 2],
        })
    }

    /// Compares from a position on, until the end or until it is enough for once.
    pub(super) async fn run(mut self, mut at: ComparePosition) -> Result<PolicyComparison, Error> {
        let (mut paused, from) = (false, at.kind);
        for kind in KINDS.into_iter().skip_while(|kind| *kind != from) {
            if kind != at.kind {
                at = ComparePosition { kind, row: None, last: None, subject: None, ..at };
            }
            paused = match kind {
                Kind::User => self.walk::<User>(&mut at).await?,
                Kind::Group => self.walk::<Group>(&mut at).await?,
                Kind::Role => self.walk::<Role>(&mut at).await?,
                Kind::Membership => self.walk::<Membership>(&mut at).await?,
                _ => self.walk::<Grant>(&mut at).await?,
            };
            if paused {
                break;
            }
        }
        let (actions, failures) = self.tally.finish();
        let (active, done, total) = (at.active, at.done, at.total);
        Ok(PolicyComparison { active, actions, failures, done, total, next: paused.then_some(at), cost: self.cost })
    }

    /// Compares rows of one kind from a position on; whether it paused before the last.
    async fn walk<R: Compared>(&mut self, at: &mut ComparePosition) -> Result<bool, Error> {
        let Some(actions) = self.actions.iter().find(|(kind, _)| *kind == R::KIND).map(|(_, actions)| actions.clone()) else {
            return Ok(false);
        };
        if self.pairs.are_own() {
            return self.walk_own::<R>(at, &actions).await;
        }
        loop {
            let mut rows = self.directory.next_rows::<R>(&self.pairs, at.row, self.chunk).await?;
            rows.retain(|row| at.last.is_none_or(|last| row.key() <= last));
            let Some(last) = at.last.or_else(|| rows.last().map(R::key)) else { return Ok(false) };
            at.last = Some(last);
            let chunk = self.directory.chunk(rows).await?;
            while chunk.len() > 0 {
                let subjects = self.directory.next_subjects(&self.pairs, at.subject.map(UserId)).await?;
                if subjects.is_empty() {
                    break;
                }
                let seen = self.directory.users(&subjects).await?;
                let seen: HashSet<UserId> = seen.iter().flatten().map(|user| user.id).collect();
                for subject in subjects {
                    if self.spent(chunk.len()).await {
                        return Ok(true);
                    }
                    self.compare(subject, seen.contains(&subject), &chunk, &actions).await?;
                    at.subject = Some(subject.0);
                    at.done += chunk.len() as u64;
                }
            }
            (at.row, at.last, at.subject) = (Some(last), None, None);
        }
    }

    /// The same where each subject has rows of its own. What is gone by now counts as looked at.
    async fn walk_own<R: Compared>(&mut self, at: &mut ComparePosition, actions: &[String]) -> Result<bool, Error> {
        while let Some((subject, ids)) = self.pairs.next_own(R::KIND, at.subject.map(UserId), at.row, self.chunk) {
            if self.spent(ids.len()).await {
                return Ok(true);
            }
            let rows = R::load(self.directory.snapshot.lock().await.as_mut(), &ids).await?;
            let chunk = self.directory.chunk(rows.into_iter().map(Sealed::open).collect::<Vec<R>>()).await?;
            let is_seen = self.directory.users(&[subject]).await?.iter().any(Option::is_some);
            if chunk.len() > 0 {
                self.compare(subject, is_seen, &chunk, actions).await?;
            }
            (at.subject, at.row) = (Some(subject.0), ids.last().copied());
            at.done += ids.len() as u64;
        }
        Ok(false)
    }

    /// Whether this piece is done. A piece looks at something in any case: else a comparison would never end.
    async fn spent(&mut self, rows: usize) -> bool {
        let begun = std::mem::replace(&mut self.begun, true);
        let over = std::future::poll_fn(|context| Poll::Ready(self.time.as_mut().poll(context).is_ready())).await;
        let enough = self.left < rows;
        self.left = self.left.saturating_sub(rows);
        begun && (over || enough)
    }

    async fn facts_of(&mut self, subject: UserId) -> Result<Arc<SubjectContext>, Error> {
        if let Some(facts) = self.facts.get(&subject) {
            return Ok(facts.clone());
        }
        let facts = self.directory.facts_of(subject).await?;
        if self.facts.len() >= limits::COMPARE_SAMPLE {
            self.facts.clear();
        }
        self.facts.insert(subject, facts.clone());
        Ok(facts)
    }

    /// Puts a chunk of rows to both policies, for one subject.
    async fn compare<R: Compared>(&mut self, subject: UserId, seen: bool, chunk: &Chunk<R>, actions: &[String]) -> Result<(), Error> {
        let directory = self.directory;
        let facts = self.facts_of(subject).await?;
        let who = Who { asker: directory, subject: directory.as_user(subject), facts };
        let versions = self.versions.clone();
        let mut both = Both::open(&who, &versions).await?;
        let sights = both.sights(chunk).await?;
        for action in actions {
            let found = both.compare(action, chunk, &sights, &self.attributes, &mut self.tally).await?;
            if found.is_empty() {
                continue;
            }
            let in_sight = chunk.seen_by(directory).await?;
            for difference in found {
                let named = seen && in_sight.get(difference.row).copied().unwrap_or_default();
                let object = chunk.id(difference.row).filter(|_| named);
                self.tally.changed(action, &difference, object.map(|object| (subject, object)));
            }
        }
        for (sum, cost) in self.cost.iter_mut().zip(both.cost().await) {
            *sum = Cost { calls: sum.calls + cost.calls, fuel: sum.fuel + cost.fuel };
        }
        Ok(())
    }
}
