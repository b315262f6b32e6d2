//! Writes: what somebody asks for is decided by the policy and by the rules of the directory, and becomes a warrant.
//!
//! Each attempt opens a directory of its own, plans the changes on what it shows (`Directory::plan_command`), and hands them to the store with
//! the epoch of that view. If anything that the decision rests on has changed before the write, the store refuses, and the write is
//! planned and decided again. To add a write: its case in [`Command`], its plan in one of the modules here, its change in
//! [`crate::change`], and its row in the coverage table.

mod attributes;
mod check;
mod drafts;
mod edges;
mod grants;
mod groups;
mod parties;
mod preview;
mod roles;
mod targets;
mod tokens;
mod users;
mod workspace;

use std::sync::Arc;

use uuid::Uuid;

use super::{Directory, Gate, Subject, Warrant};
use crate::{
    Error, Problem, Refusal, Rule,
    change::{Change, Once, Write, Written},
    contract::Digest,
    decisions::{Outcome, RecordDecisions},
    limits,
    model::Timestamp,
    store::IdSource,
};

pub(super) use parties::role_fact;

pub use attributes::{DefineAttribute, RemoveAttribute, UpdateAttribute};
pub use drafts::{AddUsers, Member, OnboardPartner, UserDraft};
pub use edges::{AddMembers, RemoveMembers, SetManagers};
pub use grants::{AddGrants, GrantDraft, RemoveGrants, ReplaceGrants, grants_version};
pub use groups::{CreateGroup, DeleteGroup, MoveGroup, RestoreGroup, UpdateGroup};
pub use preview::MovePreview;
pub use roles::{CreateRole, DeleteRole, RestoreRole, UpdateRole};
pub use tokens::{CreateToken, RevokeToken};
pub use users::{RemoveUsers, RestoreUser, SetStatus, UpdateUser};
pub use workspace::{SetCodeRules, UpdateWorkspace};

/// What somebody asks to be changed.
#[derive(Clone, Debug)]
pub enum Command {
    /// New users.
    AddUsers(AddUsers),
    /// Fields of a user.
    UpdateUser(UpdateUser),
    /// Users become active or suspended.
    SetStatus(SetStatus),
    /// Users go to the recycle bin.
    RemoveUsers(RemoveUsers),
    /// A user comes back.
    RestoreUser(RestoreUser),
    /// A new group.
    CreateGroup(CreateGroup),
    /// Fields of a group.
    UpdateGroup(UpdateGroup),
    /// A group goes below another.
    MoveGroup(MoveGroup),
    /// A group goes to the recycle bin.
    DeleteGroup(DeleteGroup),
    /// A group comes back.
    RestoreGroup(RestoreGroup),
    /// Users become members of a group.
    AddMembers(AddMembers),
    /// Users leave a group.
    RemoveMembers(RemoveMembers),
    /// Who manages a group, and who does not.
    SetManagers(SetManagers),
    /// A new role.
    CreateRole(CreateRole),
    /// Fields of a role.
    UpdateRole(UpdateRole),
    /// A role goes to the recycle bin.
    DeleteRole(DeleteRole),
    /// A role comes back.
    RestoreRole(RestoreRole),
    /// New grants.
    AddGrants(AddGrants),
    /// Grants end.
    RemoveGrants(RemoveGrants),
    /// The grants of a user become these.
    ReplaceGrants(ReplaceGrants),
    /// A new custom attribute.
    DefineAttribute(DefineAttribute),
    /// The declaration of a custom attribute.
    UpdateAttribute(UpdateAttribute),
    /// A custom attribute goes.
    RemoveAttribute(RemoveAttribute),
    /// The workspace's own fields.
    UpdateWorkspace(UpdateWorkspace),
    /// The rules for user codes.
    SetCodeRules(SetCodeRules),
    /// A new token.
    CreateToken(CreateToken),
    /// A token stops working.
    RevokeToken(RevokeToken),
    /// A group, its users and their roles, at once.
    OnboardPartner(OnboardPartner),
}

/// A command, and what makes it the same command when it is sent again.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked for.
    pub command: Command,
    /// An idempotency key with the SHA-256 of the request.
    pub key: Option<(String, Digest)>,
}

/// What a write came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The ids of what the command is about, in its order. Read them through a directory that is opened afterwards.
    pub ids: Vec<Uuid>,
    /// Whether it was done before, under the same idempotency key.
    pub repeated: bool,
    /// Whether something that was to come back from the recycle bin could not.
    pub partly: bool,
}

/// Changes that were decided and allowed, and what answers them.
#[derive(Debug, Default)]
pub(super) struct Plan {
    changes: Vec<Change>,
    ids: Vec<Uuid>,
}

/// What a plan comes to.
pub(super) type Planning = Result<Plan, Refusal>;

impl Plan {
    /// A single change, answered by these ids.
    fn of(change: Change, ids: Vec<Uuid>) -> Self {
        Self { changes: vec![change], ids }
    }

    /// Nothing has to be done.
    const fn nothing(ids: Vec<Uuid>) -> Self {
        Self { changes: Vec::new(), ids }
    }
}

impl Gate {
    /// Does what a command asks for, as `subject` may: all of it, or nothing.
    ///
    /// # Errors
    /// [`Refusal::Problems`] with everything that is wrong, [`Refusal::Failed`] for what nobody can put right. What is decided again
    /// too often ends as [`Error::Stale`].
    pub async fn write(
        self: &Arc<Self>,
        subject: &Subject,
        request: &Request,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Result<Done, Refusal> {
        if let Some((key, _)) = &request.key {
            check::key(key).map_err(|error| Problem::at("idempotencyKey", error))?;
        }
        for _ in 0..limits::WRITE_ATTEMPTS {
            let directory = self.open(subject.clone(), now).await?;
            directory.still_accepted().await?;
            if let Some(done) = directory.repeated(request).await? {
                return Ok(done);
            }
            let plan = match Box::pin(directory.plan_command(&request.command, ids)).await {
                Ok(plan) => plan,
                Err(refusal) => {
                    let mut refused = directory.take_journal();
                    refused.retain(|record| record.outcome != Outcome::Allowed);
                    // The view's connection is wanted back before another one is taken.
                    drop(directory);
                    self.record(subject.workspace, refused).await;
                    return Err(refusal);
                }
            };
            if plan.changes.is_empty() && request.key.is_none() {
                return Ok(Done { ids: plan.ids, ..Done::default() });
            }
            let once = |(key, digest): &(String, Digest)| Once {
                subject: subject.id(),
                key: key.clone(),
                digest: *digest,
                result: plan.ids.clone(),
            };
            let once = request.key.as_ref().map(once);
            let records = vec![(subject.workspace, directory.take_journal())];
            let decisions = RecordDecisions { records, keep: self.kept_decisions() };
            let write = Write { changes: plan.changes, by: subject.user(), now, once, decisions };
            let warrant = Warrant::new(Some(subject.workspace), Some(directory.epoch), write);
            // The view's connection is wanted back before another one is taken.
            drop(directory);
            match self.store.write(warrant).await {
                Ok(Written::Made) => return Ok(Done { ids: plan.ids, ..Done::default() }),
                Ok(Written::Partly) => return Ok(Done { ids: plan.ids, partly: true, ..Done::default() }),
                Ok(Written::Before(ids)) => return Ok(Done { ids, repeated: true, partly: false }),
                Err(Error::Stale(_)) => {}
                Err(error @ Error::Broken { rule: Rule::Quota, .. }) => return Err(self.of_quota(subject, error, now).await?),
                Err(Error::Item { at, error }) => return Err(request.command.item(at, *error)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Stale("the workspace".to_owned()).into())
    }

    /// A quota's error names both numbers (D10), to whoever may see them.
    async fn of_quota(self: &Arc<Self>, subject: &Subject, error: Error, now: Timestamp) -> Result<Refusal, Refusal> {
        let directory = self.open(subject.clone(), now).await?;
        let workspace = directory.workspace().await?;
        let seen = workspace.is_some_and(|row| row.user_quota.shown().is_some() && row.user_count.shown().is_some());
        if seen {
            return Ok(error.into());
        }
        let message = "the workspace has as many users as it may; ask an administrator".to_owned();
        Ok(Error::Broken { rule: Rule::Quota, message }.into())
    }
}

impl Command {
    /// Where in the input the item stands that the store refused.
    fn item(&self, at: usize, error: Error) -> Refusal {
        let at = match self {
            Self::AddUsers(_) | Self::OnboardPartner(_) => format!("users.{at}"),
            _ => String::new(),
        };
        Problem::at(&at, error).into()
    }
}

impl Directory {
    /// What was done under the request's idempotency key, if it was done before.
    async fn repeated(&self, request: &Request) -> Result<Option<Done>, Refusal> {
        let Some((key, digest)) = &request.key else { return Ok(None) };
        let found = self.snapshot.lock().await.request(self.subject.id(), key).await?;
        match found {
            None => Ok(None),
            Some((before, ids)) if before == *digest => Ok(Some(Done { ids, repeated: true, partly: false })),
            Some(_) => Err(Problem::at("idempotencyKey", Error::key_reused(key)).into()),
        }
    }

    /// Decides a command, and says what it changes. Nothing is written.
    async fn plan_command(&self, command: &Command, ids: &mut dyn IdSource) -> Planning {
        match command {
            Command::AddUsers(asked) => self.plan_add_users(asked, ids).await,
            Command::UpdateUser(asked) => self.plan_update_user(asked, ids).await,
            Command::SetStatus(asked) => self.plan_set_status(asked).await,
            Command::RemoveUsers(asked) => self.plan_remove_users(asked, ids).await,
            Command::RestoreUser(asked) => self.plan_restore_user(asked, ids).await,
            Command::CreateGroup(asked) => self.plan_create_group(asked, ids).await,
            Command::UpdateGroup(asked) => self.plan_update_group(asked).await,
            Command::MoveGroup(asked) => self.plan_move_group(asked).await,
            Command::DeleteGroup(asked) => self.plan_delete_group(asked, ids).await,
            Command::RestoreGroup(asked) => self.plan_restore_group(asked).await,
            Command::AddMembers(asked) => self.plan_add_members(asked, ids).await,
            Command::RemoveMembers(asked) => self.plan_remove_members(asked).await,
            Command::SetManagers(asked) => self.plan_set_managers(asked).await,
            Command::CreateRole(asked) => self.plan_create_role(asked, ids).await,
            Command::UpdateRole(asked) => self.plan_update_role(asked).await,
            Command::DeleteRole(asked) => self.plan_delete_role(asked, ids).await,
            Command::RestoreRole(asked) => self.plan_restore_role(asked).await,
            Command::AddGrants(asked) => self.plan_add_grants(asked, ids).await,
            Command::RemoveGrants(asked) => self.plan_remove_grants(asked).await,
            Command::ReplaceGrants(asked) => self.plan_replace_grants(asked, ids).await,
            Command::DefineAttribute(asked) => self.plan_define_attribute(asked).await,
            Command::UpdateAttribute(asked) => self.plan_update_attribute(asked).await,
            Command::RemoveAttribute(asked) => self.plan_remove_attribute(asked).await,
            Command::UpdateWorkspace(asked) => self.plan_update_workspace(asked).await,
            Command::SetCodeRules(asked) => self.plan_set_code_rules(asked).await,
            Command::CreateToken(asked) => self.plan_create_token(asked).await,
            Command::RevokeToken(asked) => self.plan_revoke_token(asked).await,
            Command::OnboardPartner(asked) => self.plan_onboard_partner(asked, ids).await,
        }
    }
}
