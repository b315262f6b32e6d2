//! Looking at the directory as somebody else: `viewAs`, and who could do what.
//!
//! Whoever looks sees what the other one sees, but never more than they may see themselves: every row and field that is read is decided
//! for both, so that leave to explain the policy is no leave to read everything.

use std::{collections::HashSet, sync::Arc};

use super::{
    ActionDecision, Ask, Candidate, Directory, Object, Visible,
    decide::{Decision, known_only},
    facts::{Facts, SharedFacts},
    log::Pick,
    permissions::ObjectRows,
};
use crate::{
    Error,
    ids::UserId,
    limits,
    model::{Status, User, UserText},
    query::{Keyset, Order, UserSort, Window},
    register::Kind,
    scope::{Scope, Searchable},
    store::AmongUsers,
};

/// Why somebody can not do what the policy allows.
const HIDDEN: &str = "the object, or what it belongs to, is hidden from them";

/// Who looks over the subject's shoulder.
pub(super) struct Watcher {
    /// The directory as they see it.
    asker: Arc<Directory>,
    /// Of the subject's permissions those that they see it hold.
    permissions: HashSet<String>,
}

/// Somebody who may do something, and why.
#[derive(Clone, Debug)]
pub struct WhoCan {
    /// Who.
    pub user: Visible<User>,
    /// The policy's own words.
    pub reason: String,
    /// What is withheld from them; of writes what they may not set.
    pub hidden: Vec<String>,
}

/// A page of those who may do something.
#[derive(Clone, Debug)]
pub struct WhoPage {
    /// In the order of their ids. There may be few, or none, although more follow.
    pub rows: Vec<WhoCan>,
    /// Whether more may follow.
    pub more: bool,
    /// Where the next page begins.
    pub end: Option<Keyset>,
    /// Users for whom the policy gave no answer that counts: they may not.
    pub failed: u64,
}

impl Directory {
    /// The directory as another user of the workspace would see it, under the active or another policy, as far as the asker may see it,
    /// too. For whoever may `policy.explain` and sees that user.
    ///
    /// # Errors
    /// [`Error::Forbidden`] with the policy's reason, [`Error::NotFound`] alike for absent and hidden; those of policy and store.
    pub async fn view_as(self: &Arc<Self>, user: UserId, candidate: &Candidate) -> Result<Self, Error> {
        self.require_seen(user).await?;
        let shown = self.effective_permissions(&[user]).await?;
        let permissions = shown.into_iter().flatten().map(|permission| permission.permission).collect();
        let other = if candidate.is_active() {
            self.as_other(user).await?
        } else {
            self.begin_long_work()?;
            let version = self.candidate_version(candidate).await?;
            self.under(&self.as_user(user), &version).await.map_err(|error| of_other(error, user))?
        };
        Ok(Self { watcher: Some(Watcher { asker: self.clone(), permissions }), ..other })
    }

    /// The directory as another user of the workspace would see it, to ask what the policy says. What it reads is not for the asker's eyes.
    ///
    /// # Errors
    /// As [`Directory::view_as`].
    pub async fn seen_by(&self, user: UserId) -> Result<Self, Error> {
        self.require_seen(user).await?;
        self.as_other(user).await
    }

    /// Requires leave to look as a user whom the subject sees.
    async fn require_seen(&self, user: UserId) -> Result<(), Error> {
        self.require("policy.explain").await?;
        if self.users(&[user]).await?.into_iter().flatten().next().is_none() {
            return Err(Error::NotFound(format!("user `{user}`")));
        }
        Ok(())
    }

    async fn as_other(&self, user: UserId) -> Result<Self, Error> {
        let context = self.facts_of(user).await?;
        self.beside(self.as_user(user), context, &self.version).await.map_err(|error| of_other(error, user))
    }

    /// What whoever looks over the subject's shoulder may not see is denied and withheld, too.
    pub(super) async fn narrowed(
        &self,
        mut decisions: Vec<Decision>,
        (action, kind): (&str, Kind),
        facts: &Facts<'_>,
    ) -> Result<Vec<Decision>, Error> {
        let Some(Watcher { asker, .. }) = &self.watcher else { return Ok(decisions) };
        let theirs = Box::pin(asker.answers(action, kind, facts, (Pick::None, decisions.len()))).await?.0;
        // Somebody may look over their shoulder, too.
        let theirs = Box::pin(asker.narrowed(theirs, (action, kind), facts)).await?;
        for (decision, theirs) in decisions.iter_mut().zip(theirs) {
            *decision = match (std::mem::replace(decision, Decision::deny("")), theirs) {
                (Decision::Allow { hidden, reason }, Decision::Allow { hidden: theirs, .. }) => {
                    Decision::Allow { hidden: Arc::new(hidden.and(&theirs)), reason }
                }
                (denied @ Decision::Deny { .. }, _) => denied,
                (_, Decision::Deny { .. }) => Decision::deny("you may not see it yourself"),
            };
        }
        Ok(decisions)
    }

    /// A scope that admits rows which whoever looks may not see is a superset of what they are shown.
    pub(super) async fn narrowed_scope(&self, scope: Scope, kind: Kind) -> Result<Scope, Error> {
        let Some(Watcher { asker, .. }) = &self.watcher else { return Ok(scope) };
        let theirs = Box::pin(asker.scope(kind)).await?;
        if theirs.is_nothing() {
            return Ok(Scope::nothing());
        }
        let exact = scope.exact && theirs.is_everything();
        let searchable = match (&scope.searchable, &theirs.searchable) {
            (Searchable::All, theirs) => theirs.clone(),
            (ours, Searchable::All) => ours.clone(),
            (Searchable::These(_), Searchable::These(names)) => known_only(scope.searchable.clone(), kind, names),
        };
        Ok(Scope { exact, searchable, ..scope })
    }

    /// The subject's own name as whoever looks may see it; the outer `None` where nobody does.
    pub(super) async fn watched_name(&self) -> Result<Option<Option<String>>, Error> {
        let (Some(Watcher { asker, .. }), Some(user)) = (&self.watcher, self.subject.user()) else { return Ok(None) };
        let row = asker.users(&[user]).await?.into_iter().flatten().next();
        let text = |which| row.as_ref().and_then(|row| row.text(which).shown().cloned().flatten());
        Ok(Some(text(UserText::DisplayName).or_else(|| text(UserText::UserName))))
    }

    /// Whether whoever looks, if somebody does, sees that the subject holds a permission.
    pub(super) fn shows_permission(&self, permission: &str) -> bool {
        self.watcher.as_ref().is_none_or(|watcher| watcher.permissions.contains(permission))
    }

    /// Whether somebody looks over the subject's shoulder.
    pub(super) const fn is_watched(&self) -> bool {
        self.watcher.is_some()
    }

    /// The active users who may do something to an object, as far as the asker sees them, in the order of their ids. For whoever may
    /// `policy.explain`; `None` where the asker does not see the object.
    ///
    /// Each user is asked about in turn, [`limits::WHO_USERS`] at most for one page.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; [`Error::Invalid`] for an unknown action; those of policy and store.
    pub async fn who_can(&self, action: &str, object: &Object, after: Option<Keyset>, rows: usize) -> Result<Option<WhoPage>, Error> {
        self.require("policy.explain").await?;
        let kind = super::permissions::kind_of(action)?;
        if !self.sees(object).await? {
            return Ok(None);
        }
        self.begin_long_work()?;
        let window = Window { after, rows: limits::WHO_USERS, ..Window::default() };
        let order = Order { by: UserSort::Id, ..Order::default() };
        let ask = Ask { among: AmongUsers::All, filter: None, order, window };
        let people = self.list_users(ask).await?.into_iter().next();
        let Some(people) = people else { return Ok(Some(WhoPage { rows: Vec::new(), more: false, end: None, failed: 0 })) };
        let mut page = WhoPage { rows: Vec::new(), more: people.more, end: people.scan_capped, failed: 0 };
        // The object is the same for all of them, and so are the facts about it.
        let (rows_of, shared) = (self.object_rows(object).await?, SharedFacts::default());
        let mut left = people.rows.len();
        for (keyset, user) in people.rows {
            left -= 1;
            page.end = Some(keyset);
            if user.status.shown().is_none_or(|status| *status == Status::Active) {
                match self.decided_for(&user, (action, kind), (object, &rows_of, &shared)).await {
                    Ok(Some(Decision::Allow { hidden, reason })) => {
                        page.rows.push(WhoCan { user, reason: reason.to_string(), hidden: hidden.names().to_vec() });
                    }
                    Ok(_) => {}
                    Err(Error::Policy(failure)) if !failure.is_of_server() => page.failed += 1,
                    Err(error) => return Err(error),
                }
            }
            if page.rows.len() == rows {
                page.more |= left > 0;
                break;
            }
        }
        Ok(Some(page))
    }

    /// What the policy says of a user; `None` for somebody who is not active.
    async fn decided_for(
        &self,
        user: &User,
        (action, kind): (&str, Kind),
        (object, rows, shared): (&Object, &ObjectRows, &SharedFacts),
    ) -> Result<Option<Decision>, Error> {
        let context = self.facts_of(user.id).await?;
        let other = match self.beside(self.as_user(user.id), context, &self.version).await {
            Err(Error::Inactive) => return Ok(None),
            other => other?,
        };
        let decisions = match rows.of_kind(kind) {
            Some(set) => other.decide_facts(action, kind, &Facts::Shared(set, shared), set.len()).await?,
            None => other.decide_on(action, kind, rows).await?,
        };
        match decisions.into_iter().next() {
            Some(decision) => other.reached(decision, action, object).await.map(Some),
            None => Ok(None),
        }
    }

    /// What the subject may do to one object that it may not see. Otherwise as [`Directory::can`].
    ///
    /// # Errors
    /// Those of [`Directory::can`].
    pub async fn could(&self, actions: &[String], object: &Object) -> Result<Vec<ActionDecision>, Error> {
        let mut decided: Vec<ActionDecision> = self.can(actions, object).await?.into_iter().flatten().collect();
        for decision in decided.iter_mut().filter(|decision| decision.allowed) {
            if !self.reaches(&decision.action, object).await? {
                (decision.allowed, decision.reason) = (false, HIDDEN.to_owned());
            }
        }
        Ok(decided)
    }

    /// What a decision on one object comes to.
    pub(super) async fn reached(&self, decision: Decision, action: &str, object: &Object) -> Result<Decision, Error> {
        if !decision.allows() || self.reaches(action, object).await? { Ok(decision) } else { Ok(Decision::deny(HIDDEN)) }
    }

    /// Whether what the policy allows comes to something: nobody is shown a membership or grant of whom or of what they do not see, or
    /// changes what they do not see.
    async fn reaches(&self, action: &str, object: &Object) -> Result<bool, Error> {
        let decides_itself = match object {
            Object::Workspace => true,
            Object::Users(_) => action == Kind::User.read(),
            Object::Groups(_) => action == Kind::Group.read(),
            Object::Roles(_) => action == Kind::Role.read(),
            Object::Memberships(_) | Object::Grants(_) => false,
        };
        // What comes back from the recycle bin is seen by nobody before.
        Ok(decides_itself || action.ends_with(".restore") || self.sees(object).await?)
    }

    /// Whether the subject sees every row of an object.
    pub(super) async fn sees(&self, object: &Object) -> Result<bool, Error> {
        Ok(match object {
            Object::Workspace => true,
            Object::Users(ids) => !self.users(ids).await?.contains(&None),
            Object::Groups(ids) => !self.groups(ids).await?.contains(&None),
            Object::Roles(ids) => !self.roles(ids).await?.contains(&None),
            Object::Memberships(ids) => !self.memberships(ids).await?.contains(&None),
            Object::Grants(ids) => !self.grants(ids).await?.contains(&None),
        })
    }
}

/// That somebody else is not active is nothing that the caller's own token is to blame for.
fn of_other(error: Error, user: UserId) -> Error {
    match error {
        Error::Inactive => Error::Invalid(format!("user `{user}` is not active, and may do nothing under any policy; ask about another")),
        error => error,
    }
}
