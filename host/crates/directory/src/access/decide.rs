//! Asking the policy and enforcing what it answers. Everything that is not a clear permission is a denial.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use super::{
    AskedScope, Directory, Gate, Sealed, Subject, Visible,
    facts::{self, Facts, Planned, Prepared},
    log::{Call, Evidence, Pick, purpose},
    resource::{Hidden, Resource},
    watch::Counts,
};
use crate::{
    Error,
    contract::{Cost, Digest, Engine, Errand, Failure, Manifest, RowFilter, Session, Verdict, Verdicts},
    decisions::Purpose,
    ids::WorkspaceId,
    limits,
    model::{PolicyVersion, Role},
    register::{self, Kind},
    scope::{self, Names, Scope, Searchable},
};

/// What the policy said of one row.
#[derive(Clone, Debug)]
#[must_use]
pub(super) enum Decision {
    /// Not for this subject.
    Deny {
        /// The policy's own words.
        reason: Arc<str>,
    },
    /// Allowed, without these fields.
    Allow {
        /// What is withheld: to be removed from reads, not to be set by writes.
        hidden: Arc<Hidden>,
        /// The policy's own words.
        reason: Arc<str>,
    },
}

impl Decision {
    pub(super) fn deny(reason: &str) -> Self {
        Self::Deny { reason: reason.into() }
    }

    /// What is in nobody's hands.
    pub(super) fn by_nobody() -> Self {
        Self::deny("no policy decides this action")
    }

    /// Allowed, whatever the field: an answer to whether there is anything at all.
    pub(super) fn allow_all(reason: &str) -> Self {
        Self::Allow { hidden: Arc::new(Hidden::nothing()), reason: reason.into() }
    }

    /// Whether the action is allowed.
    pub(super) const fn allows(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }

    /// The policy's own words.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Deny { reason } | Self::Allow { reason, .. } => reason,
        }
    }
}

/// The columns that a module asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs(HashSet<String>);

impl Needs {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self(manifest.needs.iter().cloned().collect())
    }

    /// Whether `groups.key` or the like is needed.
    pub(super) fn context(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Whether a column of rows is needed; `name` without `rows.`.
    pub(super) fn column(&self, name: &str) -> bool {
        self.0.iter().any(|need| need.strip_prefix("rows.") == Some(name))
    }

    /// The names of the custom attributes whose columns are needed, behind `prefix` (`attributes.`, `user.attributes.`), sorted.
    pub(super) fn attributes(&self, prefix: &str) -> Vec<&str> {
        let columns = self.0.iter().filter_map(|need| need.strip_prefix("rows."));
        let mut names: Vec<&str> = columns.filter_map(|column| column.strip_prefix(prefix)).collect();
        names.sort_unstable();
        names
    }
}

/// The decisions of one call, one a row, and what stands behind them.
pub(super) type Answers = (Vec<Decision>, Evidence);

/// One module and its sandbox for this request.
struct Side {
    errand: Errand,
    workspace: WorkspaceId,
    digest: Digest,
    manifest: Arc<Manifest>,
    needs: Arc<Needs>,
    settings: String,
    session: Box<dyn Session>,
    /// Whether a call of this session has failed, so that every further one does.
    failed: bool,
    /// What sessions before this one cost.
    spent: Cost,
}

impl Side {
    /// Notes what came of a call; answers how it counts, unless the session had failed before.
    fn note<T>(&mut self, outcome: &Result<T, Failure>) -> Option<Counts> {
        if self.failed {
            return None;
        }
        self.failed = outcome.is_err();
        Counts::of(outcome)
    }

    fn cost(&self) -> Cost {
        let cost = self.session.cost();
        Cost { calls: self.spent.calls + cost.calls, fuel: self.spent.fuel + cost.fuel }
    }

    /// Begins another session.
    fn renew(&mut self, engine: &dyn Engine) -> Result<(), Failure> {
        let session = engine.session_on(self.errand, self.workspace, self.digest)?;
        self.spent = self.cost();
        (self.session, self.failed) = (session, false);
        Ok(())
    }
}

/// The policy version of one request: the workspace's module, if it has one, and `standard`.
pub(super) struct Decider {
    module: Option<Result<Side, Failure>>,
    standard: Result<Side, Failure>,
    /// Whether the subject holds the built-in administrator's role in the whole workspace.
    administrator: bool,
    /// Whether administrators may fall back on `standard` for `policy.*`.
    glass: Glass,
    /// The actions of policies on which the module failed in a session of its own.
    broken: HashSet<String>,
    /// The actions of policies for which a session was renewed.
    renewed: HashSet<String>,
}

/// See policy-contract.md section 6, point 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glass {
    /// They may.
    Breakable,
    /// A module that does not work decides nothing, for them too.
    Solid,
}

/// Who decides an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Module,
    Standard,
    Nobody,
}

impl Route {
    /// Who decides `action` where a module of this manifest is active.
    pub(super) fn by(manifest: &Manifest, action: &str) -> Self {
        if manifest.decides.iter().any(|pattern| register::covers(pattern, action)) {
            return Self::Module;
        }
        if manifest.otherwise == "standard" { Self::Standard } else { Self::Nobody }
    }
}

impl Decider {
    /// Loads what the version names. A module that cannot be loaded denies what is asked of it.
    pub(super) async fn new(gate: &Gate, errand: Errand, subject: &Subject, version: &PolicyVersion) -> Self {
        let side = |digest, settings: &str| {
            let settings = settings.to_owned();
            async move {
                let manifest = gate.load_in_time(subject.workspace, digest).await?;
                let needs = Arc::new(Needs::of(&manifest));
                let session = gate.engine.session_on(errand, subject.workspace, digest)?;
                let workspace = subject.workspace;
                Ok(Side { errand, workspace, digest, manifest, needs, settings, session, failed: false, spent: Cost::default() })
            }
        };
        let module = match version.digest {
            Some(digest) => Some(side(digest, &version.settings).await),
            None => None,
        };
        let standard = side(version.standard, &version.standard_settings).await;
        let (broken, renewed) = (HashSet::new(), HashSet::new());
        Self { module, standard, administrator: false, glass: gate.glass, broken, renewed }
    }

    /// The same, but a module that does not work decides nothing, for administrators too.
    pub(super) fn behind_glass(self) -> Self {
        Self { glass: Glass::Solid, ..self }
    }

    /// What all calls of this request cost so far.
    pub(super) fn cost(&self) -> Cost {
        let module = self.module.as_ref().and_then(|side| side.as_ref().ok());
        let sides = module.into_iter().chain(self.standard.as_ref().ok());
        sides.map(Side::cost).fold(Cost::default(), |sum, cost| Cost { calls: sum.calls + cost.calls, fuel: sum.fuel + cost.fuel })
    }

    /// How it counts that what decides can not be loaded.
    pub(super) fn unloadable(&self) -> Option<Counts> {
        let sides = self.module.iter().chain([&self.standard]);
        let failure = sides.filter_map(|side| side.as_ref().err()).next()?;
        Counts::of::<()>(&Err(failure.clone()))
    }

    fn route(&self, action: &str) -> Result<Route, Failure> {
        let Some(module) = &self.module else { return Ok(Route::Standard) };
        Ok(Route::by(&module.as_ref().map_err(Clone::clone)?.manifest, action))
    }

    /// Who decides `action`; `None` if nobody does and it is denied.
    fn side(&mut self, action: &str) -> Result<Option<&mut Side>, Failure> {
        match self.route(action) {
            Ok(Route::Nobody) => Ok(None),
            Ok(Route::Standard) => self.standard.as_mut().map(Some).map_err(|failure| failure.clone()),
            Ok(Route::Module) => match &mut self.module {
                Some(module) => module.as_mut().map(Some).map_err(|failure| failure.clone()),
                None => Ok(None),
            },
            // One that is merely not compiled yet will answer soon.
            Err(failure) if !failure.is_of_server() && self.breaks_glass(action) => {
                tracing::warn!(target: "policy", %failure, action, "policy not loadable: `standard` answers");
                self.standard.as_mut().map(Some).map_err(|failure| failure.clone())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Policy actions of workspace-wide administrators survive a module that does not work (policy-contract.md section 6, 8).
    fn breaks_glass(&self, action: &str) -> bool {
        self.glass == Glass::Breakable && self.administrator && action.starts_with("policy.")
    }

    /// Whether `standard` answers this action, because the module has failed on this very one.
    fn is_broken(&self, action: &str) -> bool {
        self.breaks_glass(action) && self.broken.contains(action)
    }

    /// Who answers: as [`Decider::side`] says, or `standard` where the glass is broken.
    fn answering(&mut self, action: &str) -> Result<Option<&mut Side>, Failure> {
        if self.is_broken(action) { self.standard.as_mut().map(Some).map_err(|failure| failure.clone()) } else { self.side(action) }
    }

    /// Notes what came of a check by whoever answers an action.
    fn note_check(&mut self, action: &str, counts: Option<Counts>, fresh: bool) {
        // Failed by itself, through no fault of the server and of nothing that was asked before.
        if fresh && matches!(counts, Some(Counts::Failed(_))) && self.breaks_glass(action) && self.route(action) == Ok(Route::Module) {
            self.broken.insert(action.to_owned());
        }
    }

    /// Whether an action whose check failed is to be asked about once more: in a session of its own, if this one has been used for
    /// something else, and then of `standard`. Without the first, whoever makes the module fail on purpose, by asking for too much, would
    /// have `standard` answer in its place.
    fn asks_again(&mut self, action: &str, failure: &Failure, engine: &dyn Engine) -> bool {
        if failure.is_of_server() || !self.breaks_glass(action) || self.route(action) != Ok(Route::Module) {
            return false;
        }
        match &mut self.module {
            _ if self.broken.contains(action) => true,
            Some(Ok(side)) => self.renewed.insert(action.to_owned()) && side.renew(engine).is_ok(),
            _ => false,
        }
    }
}

impl Directory {
    /// Opens rows for reading: one `check` for all, in order. Denied rows become `None`.
    pub(super) async fn open<R: Resource>(&self, rows: Vec<Sealed<R>>) -> Result<Vec<Option<Visible<R>>>, Error> {
        let rows: Vec<R> = rows.into_iter().map(Sealed::open).collect();
        let decisions = self.decide(&R::KIND.read(), &rows).await?;
        Ok(rows.into_iter().zip(decisions).map(reveal).collect())
    }

    /// The same for rows of the recycle bin, in the places that `planned` gives them.
    pub(super) async fn open_imagined<R: Resource>(&self, rows: Vec<R>, planned: &Planned) -> Result<Vec<Option<Visible<R>>>, Error> {
        let facts = Facts::Imagined(R::rows(&rows), planned);
        let decisions = self.decide_facts(&R::KIND.read(), R::KIND, &facts, rows.len()).await?;
        Ok(rows.into_iter().zip(decisions).map(reveal).collect())
    }

    /// Decides one action on rows of the action's own kind, one decision a row, in calls of at most [`limits::CHECK_ROWS`] rows.
    pub(super) async fn decide<R: Resource>(&self, action: &str, rows: &[R]) -> Result<Vec<Decision>, Error> {
        let mut decisions = Vec::with_capacity(rows.len());
        for chunk in rows.chunks(limits::CHECK_ROWS) {
            decisions.extend(self.decide_facts(action, R::KIND, &Facts::Rows(R::rows(chunk)), chunk.len()).await?);
        }
        Ok(decisions)
    }

    /// Decides one action on `len` rows described by `facts`.
    pub(super) async fn decide_facts(&self, action: &str, kind: Kind, facts: &Facts<'_>, len: usize) -> Result<Vec<Decision>, Error> {
        self.decide_for(purpose(action, kind, facts), action, kind, facts, len).await
    }

    /// The same, for a purpose that the facts do not tell.
    pub(super) async fn decide_for(
        &self,
        purpose: Purpose,
        action: &str,
        kind: Kind,
        facts: &Facts<'_>,
        len: usize,
    ) -> Result<Vec<Decision>, Error> {
        if len == 0 {
            return Ok(Vec::new());
        }
        let pick = self.pick(purpose, len);
        let call = || Call::new(purpose, action, kind, facts, len);
        let answered = self.answers(action, kind, facts, (pick, len)).await;
        if let Some(shadow) = &self.shadow {
            Box::pin(self.shade(shadow, (action, kind), facts, (purpose, len, &answered))).await;
        }
        match &answered {
            Ok((decisions, evidence)) if pick != Pick::None => self.note(&call(), pick, decisions, *evidence),
            Err(Error::Policy(failure)) => self.note_failure(&call(), failure),
            _ => {}
        }
        let (decisions, _) = answered?;
        if purpose == Purpose::Read { self.narrowed(decisions, (action, kind), facts).await } else { Ok(decisions) }
    }

    pub(super) async fn answers(&self, action: &str, kind: Kind, facts: &Facts<'_>, (pick, len): (Pick, usize)) -> Result<Answers, Error> {
        let all = |decision: Decision| (vec![decision; len], Evidence::default());
        if !self.subject.may_attempt(action) {
            return Ok(all(Decision::deny("the token is not scoped to this action")));
        }
        let mut asked = self.ask(action, kind, facts, pick).await;
        for _ in 0..2 {
            match &asked {
                Err(Error::Policy(failure)) if self.decider.lock().await.asks_again(action, failure, self.gate.engine.as_ref()) => {
                    tracing::warn!(target: "policy", %failure, action, "policy failed: it is asked anew, then `standard` answers");
                    asked = self.ask(action, kind, facts, pick).await;
                }
                _ => break,
            }
        }
        Ok(asked?.unwrap_or_else(|| all(Decision::by_nobody())))
    }

    /// Asks whoever decides the action; `None` if nobody does.
    async fn ask(&self, action: &str, kind: Kind, facts: &Facts<'_>, pick: Pick) -> Result<Option<Answers>, Error> {
        let Some((verdicts, manifest, evidence)) = self.verdicts(action, facts, pick).await? else { return Ok(None) };
        let (decisions, defects) = enforced(&verdicts, kind, &manifest)?;
        defects.iter().for_each(|what| self.defect(kind, what));
        self.count_defects().await;
        Ok(Some((decisions, evidence)))
    }

    /// What the policy says of each row, before it is enforced; `None` if nobody decides the action.
    pub(super) async fn verdicts(
        &self,
        action: &str,
        facts: &Facts<'_>,
        pick: Pick,
    ) -> Result<Option<(Verdicts, Arc<Manifest>, Evidence)>, Error> {
        loop {
            let (digest, needs, settings) = {
                let mut decider = self.decider.lock().await;
                decider.administrator = self.context.administers();
                let Some(side) = decider.answering(action)? else { return Ok(None) };
                (side.digest, side.needs.clone(), side.settings.clone())
            };
            let prepared = self.prepare(action, settings, &needs, facts).await?;
            let mut decider = self.decider.lock().await;
            let Some(side) = decider.answering(action)? else { return Ok(None) };
            if side.digest != digest {
                // Meanwhile the module was found not to work: `standard`, which answers now, needs other facts and has settings of its own.
                continue;
            }
            let wanted = pick != Pick::None || self.is_witnessed();
            let facts = wanted.then(|| facts::digest(&prepared.context, &prepared.rows, prepared.change.as_ref()));
            self.witness(&prepared, side.digest, &side.manifest, facts);
            let before = side.session.cost();
            let Prepared { context, rows, change, .. } = prepared;
            let outcome = side.session.check(context, rows, change).await;
            let evidence = Evidence { digest: Some(side.digest), facts, fuel: side.session.cost().fuel - before.fuel };
            let (counts, manifest) = (side.note(&outcome), side.manifest.clone());
            decider.note_check(action, counts, before.calls == 0);
            drop(decider);
            self.witness_fuel(evidence.fuel);
            if let Some(counts) = counts {
                self.count_call(counts).await;
            }
            return Ok(Some((outcome?, manifest, evidence)));
        }
    }

    /// The scope over `kind` for a list that the subject asks for, which a shadow is told of once a request.
    pub(super) async fn scope_of_list(&self, kind: Kind) -> Result<Arc<Scope>, Error> {
        let Some(asked) = self.asked_scope(kind).await? else { return Ok(Arc::new(Scope::nothing())) };
        if let Some(shadow) = &self.shadow
            && !asked.is_shaded.swap(true, Ordering::Relaxed)
        {
            self.shade_list(shadow, kind);
        }
        Ok(asked.scope.clone())
    }

    /// The scope over `kind`, asked for once a request.
    pub(super) async fn scope(&self, kind: Kind) -> Result<Arc<Scope>, Error> {
        let asked = self.asked_scope(kind).await?;
        Ok(asked.map_or_else(|| Arc::new(Scope::nothing()), |asked| asked.scope.clone()))
    }

    /// `None` where nobody is asked: nothing of it is seen.
    async fn asked_scope(&self, kind: Kind) -> Result<Option<&AskedScope>, Error> {
        let cell = match kind {
            Kind::User => &self.scopes.user,
            Kind::Group => &self.scopes.group,
            Kind::Role => &self.scopes.role,
            Kind::Membership => &self.scopes.membership,
            Kind::Grant => &self.scopes.grant,
            _ => return Ok(None),
        };
        Ok(cell.get_or_try_init(|| self.ask_scope(kind)).await?.as_ref())
    }

    async fn ask_scope(&self, kind: Kind) -> Result<Option<AskedScope>, Error> {
        let action = kind.read();
        if !self.subject.may_attempt(&action) {
            return Ok(None);
        }
        let (needs, settings) = {
            let mut decider = self.decider.lock().await;
            let Some(side) = decider.side(&action)? else { return Ok(None) };
            (side.needs.clone(), side.settings.clone())
        };
        let Prepared { context, positions, .. } = self.prepare(&action, settings, &needs, &Facts::None(kind)).await?;
        let (outcome, counts, fields) = {
            let mut decider = self.decider.lock().await;
            let Some(side) = decider.side(&action)? else { return Ok(None) };
            let outcome = side.session.scope(context, kind.name()).await;
            let counts = side.note(&outcome);
            (outcome, counts, side.manifest.fields.clone())
        };
        if let Some(counts) = counts {
            self.count_call(counts).await;
        }
        let filter = outcome?;
        let names = self.names(&filter, &positions).await?;
        let mut scope = match scope::compile(&filter, kind, &names) {
            Ok(scope) => scope,
            Err(rule) => {
                self.count_defect().await;
                return Err(Error::Policy(Failure::Malformed(rule)));
            }
        };
        scope.searchable = known_only(scope.searchable, kind, &fields);
        Ok(Some(AskedScope::new(self.narrowed_scope(scope, kind).await?)))
    }

    async fn names<'a>(&self, filter: &RowFilter, positions: &'a [Option<crate::ids::GroupId>]) -> Result<Names<'a>, Error> {
        let keys = scope::keys(filter);
        let mut names = Names { positions, ..Names::default() };
        if !keys.groups.is_empty() {
            let found = self.snapshot.lock().await.groups_by_key(&keys.groups).await?;
            names.groups = found.open().into_iter().collect();
        }
        if !keys.roles.is_empty() {
            let found = self.snapshot.lock().await.roles_by_key(&keys.roles).await?;
            names.roles = found.open().into_iter().collect();
        }
        Ok(names)
    }

    /// Whether filters, searches, sorts and lookups may touch a field.
    pub(super) fn searchable(&self, scope: &Scope, kind: Kind, field: &str) -> Result<(), Error> {
        let Searchable::These(names) = &scope.searchable else { return Ok(()) };
        if names.iter().any(|name| register::names_field(name, kind, field)) {
            return Ok(());
        }
        Err(Error::NotSearchable { kind: kind.name(), field: field.to_owned() })
    }
}

/// Verdicts as decisions, one a row, and what is wrong with them.
pub(super) fn enforced(verdicts: &Verdicts, kind: Kind, manifest: &Manifest) -> Result<(Vec<Decision>, Vec<String>), Failure> {
    let mut defects = Vec::new();
    let table: Vec<Decision> = verdicts.table.iter().map(|verdict| enforce(verdict, kind, manifest, &mut defects)).collect();
    let decision = |&index: &u32| {
        let found = table.get(index as usize).cloned();
        found.ok_or_else(|| Failure::Malformed(format!("verdict {index} of {}", table.len())))
    };
    Ok((verdicts.rows.iter().map(decision).collect::<Result<_, _>>()?, defects))
}

/// A verdict as a decision: what the module does not know is withheld, and an unknown name denies the row.
fn enforce(verdict: &Verdict, kind: Kind, manifest: &Manifest, defects: &mut Vec<String>) -> Decision {
    let reason: Arc<str> = verdict.reason.as_str().into();
    if !verdict.allow {
        return Decision::Deny { reason };
    }
    if let Some(unknown) = verdict.withheld.iter().find(|name| !register::knows_field(name, Some(kind))) {
        defects.push(format!("withheld unknown field `{unknown}`"));
        return Decision::deny("the policy withheld a field that does not exist");
    }
    Decision::Allow { hidden: Arc::new(Hidden::new(kind, &verdict.withheld, &manifest.fields)), reason }
}

/// A row as its decision shows it.
fn reveal<R: Resource>((mut row, decision): (R, Decision)) -> Option<Visible<R>> {
    match decision {
        Decision::Deny { .. } => None,
        Decision::Allow { hidden, .. } => {
            row.withhold(&hidden);
            Some(Visible::new(row))
        }
    }
}

/// `*` means every field that the manifest names, not every field that there is; and no other field is searchable.
pub(super) fn known_only(searchable: Searchable, kind: Kind, fields: &[String]) -> Searchable {
    let known = |field: &str| fields.iter().any(|name| register::names_field(name, kind, field));
    match searchable {
        Searchable::All if kind.fields().iter().all(|field| known(field)) => Searchable::All,
        Searchable::All => Searchable::These(fields.to_vec()),
        Searchable::These(names) => {
            let bare = |name: &String| name.strip_prefix(kind.name()).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name).to_owned();
            Searchable::These(names.iter().map(bare).filter(|name| known(name)).collect())
        }
    }
}

/// Whether it is the key of the built-in role that holds every permission, which the host itself must know for break glass.
pub(super) fn is_administrator(key: &str) -> bool {
    key == Role::ADMINISTRATOR
}
