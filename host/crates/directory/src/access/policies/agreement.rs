//! Whether `scope` and `check` say the same of sampled rows, as the contract promises that they do.
//!
//! A scope that is wider than `check` shows gaps and wrong counts; a narrower one hides what somebody may see. A field that may be
//! searched and is withheld can be read by asking. The store answers for the scope, as it does for lists: one statement as SQL.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
};

use futures_util::future::{join, join_all};
use uuid::Uuid;

use super::{
    super::{
        Actor, Directory, Sealed, Subject,
        facts::{Facts, SharedFacts},
        list::Listable,
        locked,
        log::Pick,
        resource::{Hidden, Resource},
    },
    gates::{Findings, of_policy},
    sample::{Extent, everything},
};
use crate::{
    Error,
    contract::{Manifest, Verdict},
    limits::{AGREEMENT_ROWS, GATE_VIEWS},
    model::{Attribute, Grant, Group, Membership, PolicyGate, PolicyVersion, Quote, Reason, Role, User},
    query::{Filter, Window},
    register::{self, Kind},
    scope::Scope,
    store::Sight,
};

impl Directory {
    pub(super) async fn look_for_agreement(&self, candidate: &PolicyVersion, extent: Extent, findings: &mut Findings) -> Result<(), Error> {
        let sample = self.sample(extent).await?;
        let attributes = self.snapshot.lock().await.attributes().await?.into_iter().map(Sealed::open).collect();
        let matter = Matter {
            candidate,
            attributes,
            users: self.sampled(&sample.users).await?,
            groups: self.sampled(&sample.groups).await?,
            roles: self.sampled(&sample.roles).await?,
            memberships: self.sampled(&sample.memberships).await?,
            grants: self.sampled(&sample.grants).await?,
            waiting: Mutex::new(sample.subjects.into_iter().enumerate().collect()),
            found: Found { all: findings, by_subject: Mutex::default() },
        };
        let beside = self.views_beside(GATE_VIEWS).await;
        let others = beside.iter().map(|view| view.directory.try_some_subjects(&matter));
        let (tried, _) = join(self.try_subjects(&matter), join_all(others)).await;
        tried?;
        // What another view gave back, perhaps when this one was through already.
        self.try_subjects(&matter).await
    }

    /// The same on a view beside the gate's own. Where it waits in vain for what the gate's views have in common, it leaves the rest to them.
    async fn try_some_subjects(&self, matter: &Matter<'_>) {
        while let Some((at, subject)) = matter.next() {
            if self.try_subject(matter, at, &subject).await.is_err() {
                locked(&matter.waiting).push_front((at, subject));
                return;
            }
        }
    }

    /// Tries one subject after the other, as long as there are some that nobody has begun with.
    async fn try_subjects(&self, matter: &Matter<'_>) -> Result<(), Error> {
        while let Some((at, subject)) = matter.next() {
            self.try_subject(matter, at, &subject).await?;
        }
        Ok(())
    }

    async fn try_subject(&self, matter: &Matter<'_>, at: usize, subject: &Subject) -> Result<(), Error> {
        let under = match self.under(subject, matter.candidate).await {
            Err(Error::Inactive) => return Ok(()),
            under => under?,
        };
        let trial = Trial { under: &under, matter, at };
        trial.kind(&matter.users).await?;
        trial.kind(&matter.groups).await?;
        trial.kind(&matter.roles).await?;
        trial.kind(&matter.memberships).await?;
        trial.kind(&matter.grants).await
    }

    async fn sampled<R: Listable>(&self, ids: &[Uuid]) -> Result<Sampled<R>, Error> {
        let rows = if ids.is_empty() { Vec::new() } else { R::load(self.snapshot.lock().await.as_mut(), ids).await? };
        let rows = rows.into_iter().map(Sealed::open).map(|row: R| (row.key(), row)).collect();
        Ok(Sampled { rows, facts: Mutex::default() })
    }
}

/// What is tried.
struct Matter<'a> {
    candidate: &'a PolicyVersion,
    attributes: Vec<Attribute>,
    users: Sampled<User>,
    groups: Sampled<Group>,
    roles: Sampled<Role>,
    memberships: Sampled<Membership>,
    grants: Sampled<Grant>,
    /// Subjects that nobody has begun with, each with its position.
    waiting: Mutex<VecDeque<(usize, Subject)>>,
    found: Found<'a>,
}

impl Matter<'_> {
    fn next(&self) -> Option<(usize, Subject)> {
        locked(&self.waiting).pop_front()
    }
}

/// What was found so far. It is told in the order of the subjects, whoever tried them, and also where the gate's time is over before all are
/// tried.
struct Found<'a> {
    all: &'a mut Findings,
    by_subject: Mutex<BTreeMap<usize, Findings>>,
}

impl Drop for Found<'_> {
    fn drop(&mut self) {
        let found = std::mem::take(&mut *locked(&self.by_subject));
        found.into_values().for_each(|of_subject| self.all.append(of_subject));
    }
}

/// The sampled rows of one kind.
struct Sampled<R> {
    rows: BTreeMap<Uuid, R>,
    /// By the ids of the rows that were put to `check`: most subjects are asked about the same ones.
    facts: Mutex<HashMap<Vec<Uuid>, Arc<SharedFacts>>>,
}

impl<R> Sampled<R> {
    /// What is known about these rows, which are in the order of their ids.
    fn facts(&self, of: Vec<Uuid>) -> Arc<SharedFacts> {
        locked(&self.facts).entry(of).or_default().clone()
    }
}

/// The candidate as one subject meets it.
struct Trial<'a> {
    under: &'a Directory,
    matter: &'a Matter<'a>,
    /// The subject's position.
    at: usize,
}

/// What scope and check say of some rows.
struct Answers<R> {
    scope: Arc<Scope>,
    manifest: Arc<Manifest>,
    rows: Vec<(R, Verdict)>,
    admitted: HashSet<Uuid>,
}

impl Trial<'_> {
    async fn kind<R: Listable>(&self, sample: &Sampled<R>) -> Result<(), Error> {
        // What the token of a service does not allow, no policy is asked.
        if !self.under.subject.may_attempt(&R::KIND.read()) {
            return Ok(());
        }
        match self.ask(sample).await {
            Ok(Some(answers)) => self.compare(&answers),
            Ok(None) => {}
            Err(Error::Policy(failure)) => {
                let failure = of_policy(failure)?;
                self.find(R::KIND, &[], &format!("it gives no answer about {}s: {failure}", R::KIND.name()));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Asks for the scope, lets the store say which rows it admits, and asks `check` about these and about the sample. `None` if nobody
    /// decides about the kind.
    async fn ask<R: Listable>(&self, sample: &Sampled<R>) -> Result<Option<Answers<R>>, Error> {
        let under = self.under;
        let scope = under.scope(R::KIND).await?;
        let window = |rows| Window { rows, ..Window::default() };
        let mut sight = Sight { me: under.subject.user(), ..everything() };
        *R::sight(&mut sight) = Some(scope.clone());
        let first: Vec<R> = under.stored(R::all(), None, sight.clone(), window(AGREEMENT_ROWS)).await?;
        let mut admitted: HashSet<Uuid> = first.iter().map(Resource::key).collect();
        // Fewer than were asked for are all that there are.
        if first.len() == AGREEMENT_ROWS && !sample.rows.is_empty() {
            let ids: Vec<Uuid> = sample.rows.keys().copied().collect();
            let among_them = Some(Filter::Is(R::any_of(&ids)));
            let inside: Vec<R> = under.stored(R::all(), among_them, sight, window(ids.len())).await?;
            admitted.extend(inside.iter().map(Resource::key));
        }
        let mut rows = sample.rows.clone();
        rows.extend(first.into_iter().map(|row| (row.key(), row)));
        if rows.is_empty() {
            return Ok(None);
        }
        let facts = sample.facts(rows.keys().copied().collect());
        let rows: Vec<R> = rows.into_values().collect();
        let answer = under.verdicts(&R::KIND.read(), &Facts::Shared(R::rows(&rows), &facts), Pick::None).await?;
        let Some((verdicts, manifest, _)) = answer else { return Ok(None) };
        let verdict = |position: &u32| verdicts.table.get(*position as usize).cloned().unwrap_or_default();
        let rows = rows.into_iter().zip(verdicts.rows.iter().map(verdict)).collect();
        Ok(Some(Answers { scope, manifest, rows, admitted }))
    }

    fn compare<R: Listable>(&self, answers: &Answers<R>) {
        let Answers { scope, manifest, rows, admitted } = answers;
        let attributes = &self.matter.attributes;
        // One row says it for all of its sort.
        let mut told = HashSet::new();
        for (row, verdict) in rows {
            let quote = [Quote { kind: R::KIND, id: row.key() }];
            let mut find = |text: String| {
                if told.insert(text.clone()) {
                    self.find(R::KIND, &quote, &text);
                }
            };
            let unknown = verdict.withheld.iter().filter(|name| !register::knows_field(name, Some(R::KIND)));
            let unknown: Vec<&String> = if verdict.allow { unknown.collect() } else { Vec::new() };
            for name in &unknown {
                find(format!(
                    "`check` withholds `{name}` from {}, which is no field of a {}; correct the name",
                    Reason::HOLE,
                    R::KIND.name()
                ));
            }
            if !unknown.is_empty() {
                continue;
            }
            match (admitted.contains(&row.key()), verdict.allow) {
                (true, false) if scope.exact => find(format!(
                    "the scope admits {} and `check` denies it; make them say the same, or let the scope say that it is not exact",
                    Reason::HOLE
                )),
                (false, true) => find(format!("the scope leaves out {} and `check` allows it; widen the scope", Reason::HOLE)),
                (true, true) => {
                    for field in withheld_and_searchable::<R>(scope, manifest, verdict, attributes) {
                        find(format!(
                            "`{field}` may be searched and `check` withholds it from {}; leave it out of `searchable`",
                            Reason::HOLE
                        ));
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds a finding about this subject, which has a hole for each of `quotes`.
    fn find(&self, kind: Kind, quotes: &[Quote], text: &str) {
        let (who, subject) = match self.under.subject.actor {
            Actor::User(user) => (Reason::HOLE.to_string(), Some(Quote { kind: Kind::User, id: user.0 })),
            Actor::Service(_) => ("the service that activates it".to_owned(), None),
        };
        let quotes = subject.into_iter().chain(quotes.iter().copied()).collect();
        let mut found = locked(&self.matter.found.by_subject);
        let findings = found.entry(self.at).or_insert_with(|| Findings::new(PolicyGate::Agreement));
        findings.push(Reason::about(Some(PolicyGate::Agreement), &format!("{}s, for {who}: {text}", kind.name()), quotes));
    }
}

/// The fields of a row in sight that are withheld and may be searched all the same.
fn withheld_and_searchable<R: Listable>(scope: &Scope, manifest: &Manifest, verdict: &Verdict, declared: &[Attribute]) -> Vec<String> {
    let hidden = Hidden::new(R::KIND, &verdict.withheld, &manifest.fields);
    let core = R::KIND.fields().iter().filter(|field| **field != "attributes.*").map(|field| (*field).to_owned());
    // What the workspace declares as not to be searched is refused, whatever the policy says; what it does not declare has no value.
    let custom = declared.iter().filter(|attribute| attribute.searchable).map(|attribute| format!("attributes.{}", attribute.name));
    let custom = custom.filter(|_| R::KIND.fields().contains(&"attributes.*"));
    core.chain(custom).filter(|field| scope.searchable.has(R::KIND, field) && hidden.takes(field)).collect()
}
