//! The operator: a subject of its own, whom the host decides by this enumerated list and no policy is asked about.

use std::{net::IpAddr, sync::Arc};

use super::{Sealed, Visible, Warrant, policies::history};
use crate::{
    Error,
    change::{Change, Write},
    decisions::RecordDecisions,
    ids::{UserId, WorkspaceId},
    limits,
    model::{Author, PolicyModule, PolicyVersion, Step, StepNumber, Timestamp, Token, ToldStep, User, UserText, Workspace},
    query::{Filter, Order, TextMatch, UserPredicate, Window},
    scope::Scope,
    store::{
        ActivatePolicy, AmongUsers, CreateToken, ImportWorkspace, List, NewPolicyStep, Purge, RevokeToken, Sight, Snapshot, Store,
        UploadPolicy,
    },
    text::fold,
};

/// How the operator came in; stands in every audit line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorVia {
    /// At the command line, with access to the database.
    CommandLine,
    /// Over HTTP, with an operator token.
    Token,
    /// By itself, as long as it serves.
    Server,
    /// In a workspace that is made for a trial of policy tests and forgotten after it: the log has it for debugging only.
    Trial,
}

impl OperatorVia {
    /// The name in the history of policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommandLine => "command-line",
            Self::Token => "token",
            Self::Server => "server",
            Self::Trial => "trial",
        }
    }
}

/// Everything that the operator may do. Whatever is not here, it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorAction {
    /// Create a workspace or bring it up to date from a file.
    Import,
    /// Make a token of any kind.
    CreateToken,
    /// Revoke a token.
    RevokeToken,
    /// List the tokens of a workspace, without their secrets.
    ListTokens,
    /// List the workspaces.
    ListWorkspaces,
    /// Find the ids of users by their names, to make tokens for them.
    FindUsers,
    /// List the policy modules and versions of a workspace.
    ListPolicies,
    /// Install a module in a workspace, for the sample workspaces.
    UploadPolicy,
    /// Activate an earlier or another policy version, past the gates.
    ActivatePolicy,
    /// Read what was done with the policy of a workspace.
    ReadPolicyHistory,
    /// Say how many users a workspace may have.
    SetQuota,
    /// Forget what stood in the recycle bin for long enough.
    Purge,
}

/// The operator of the server.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    via: OperatorVia,
    peer: Option<IpAddr>,
}

impl Operator {
    /// Whoever holds the database holds this: for the command line, and for a token of the operator that was verified.
    #[must_use]
    pub const fn new(via: OperatorVia) -> Self {
        Self { via, peer: None }
    }

    /// The same, at the other end of a connection.
    #[must_use]
    pub const fn coming_from(self, peer: Option<IpAddr>) -> Self {
        Self { peer, ..self }
    }

    /// A step of the history, taken by the operator.
    pub(super) fn step(&self, step: Step, at: Timestamp) -> NewPolicyStep {
        NewPolicyStep { peer: self.peer, ..NewPolicyStep::new(step, at, Author::Operator, self.via.name()) }
    }

    /// Leave to create a workspace or bring it up to date.
    pub fn import(&self, change: ImportWorkspace) -> Warrant<ImportWorkspace> {
        self.audit(OperatorAction::Import, None, &change.key);
        Warrant::new(None, None, change)
    }

    /// Leave to make a token; `workspace` is `None` for one of the operator's own.
    pub fn create_token(&self, workspace: Option<WorkspaceId>, change: CreateToken) -> Warrant<CreateToken> {
        self.audit(OperatorAction::CreateToken, workspace, &change.token.name);
        Warrant::new(workspace, None, change)
    }

    /// Leave to revoke a token.
    pub fn revoke_token(&self, workspace: Option<WorkspaceId>, change: RevokeToken) -> Warrant<RevokeToken> {
        self.audit(OperatorAction::RevokeToken, workspace, &change.token.to_string());
        Warrant::new(workspace, None, change)
    }

    /// Leave to store a module that was validated.
    pub fn upload_policy(&self, workspace: WorkspaceId, change: UploadPolicy) -> Warrant<UploadPolicy> {
        self.audit(OperatorAction::UploadPolicy, Some(workspace), &change.module.digest.to_string());
        Warrant::new(Some(workspace), None, change)
    }

    /// Leave to activate a policy version whatever the active one says: break glass.
    pub fn activate_policy(&self, workspace: WorkspaceId, change: ActivatePolicy) -> Warrant<ActivatePolicy> {
        self.audit(OperatorAction::ActivatePolicy, Some(workspace), &change.version.id.to_string());
        Warrant::new(Some(workspace), None, change)
    }

    /// Leave to say how many users a workspace may have; `None` for no limit.
    pub fn set_quota(&self, workspace: WorkspaceId, quota: Option<u64>, now: Timestamp) -> Warrant<Write> {
        self.audit(OperatorAction::SetQuota, Some(workspace), &format!("{quota:?}"));
        let changes = vec![Change::SetQuota(quota)];
        let write = Write { changes, by: None, now, once: None, decisions: RecordDecisions::default() };
        Warrant::new(Some(workspace), None, write)
    }

    /// Leave to forget, in every workspace, what stood in the recycle bin for [`limits::BIN_DAYS`] days.
    pub fn purge(&self, now: Timestamp) -> Warrant<Purge> {
        self.audit(OperatorAction::Purge, None, "all");
        Warrant::new(None, None, Purge { now })
    }

    /// Leave to add to the decision log, which the gate alone does.
    pub(super) const fn record(records: RecordDecisions) -> Warrant<RecordDecisions> {
        Warrant::new(None, None, records)
    }

    /// Every workspace, by key.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn workspaces(&self, store: &dyn Store) -> Result<Vec<Visible<Workspace>>, Error> {
        self.audit(OperatorAction::ListWorkspaces, None, "all");
        Ok(store.workspaces().await?.into_iter().map(Sealed::open).map(Visible::new).collect())
    }

    /// The tokens of a workspace (or of the operator), newest first, without their secrets.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tokens(&self, store: &dyn Store, workspace: Option<WorkspaceId>) -> Result<Vec<Visible<Token>>, Error> {
        self.audit(OperatorAction::ListTokens, workspace, "all");
        Ok(store.tokens(workspace).await?.into_iter().map(Sealed::open).map(Visible::new).collect())
    }

    /// The ids of users by their names, one answer a name, in order. Of the users nothing else is told.
    ///
    /// # Errors
    /// [`Error::TooLarge`] past [`limits::FILTER_VALUES`] names; [`Error::NotFound`] without the workspace; those of the store.
    pub async fn users_named(&self, store: &dyn Store, workspace: WorkspaceId, names: &[&str]) -> Result<Vec<Option<UserId>>, Error> {
        self.audit(OperatorAction::FindUsers, Some(workspace), &names.join(" "));
        if names.len() > limits::FILTER_VALUES {
            return Err(Error::TooLarge(format!("more than {} names at once; ask for fewer", limits::FILTER_VALUES)));
        }
        let names: Vec<String> = names.iter().map(|name| fold(name)).collect();
        let named = UserPredicate::Text(UserText::UserName, TextMatch::In(names.clone()));
        let everybody = Scope::everything();
        let list = List {
            among: AmongUsers::All,
            sight: Sight { user: Some(Arc::new(everybody)), ..Sight::default() },
            filter: Some(Filter::Is(named)),
            order: Order::default(),
            window: Window { rows: names.len(), ..Window::default() },
        };
        let found = snapshot(store, workspace).await?.list_users(&list).await?;
        let found: Vec<(UserId, Option<String>)> =
            found.into_iter().map(|listed| listed.row.open()).map(|user| (user.id, name(&user))).collect();
        let find = |name: String| found.iter().find(|(_, found)| found.as_ref() == Some(&name)).map(|(id, _)| *id);
        Ok(names.into_iter().map(find).collect())
    }

    /// The policy versions of a workspace, the active one first, and its modules, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the workspace; those of the store.
    pub async fn policies(
        &self,
        store: &dyn Store,
        workspace: WorkspaceId,
    ) -> Result<(Vec<Visible<PolicyVersion>>, Vec<Visible<PolicyModule>>), Error> {
        self.audit(OperatorAction::ListPolicies, Some(workspace), "all");
        let mut snapshot = snapshot(store, workspace).await?;
        let versions = snapshot.policy_versions(limits::MODULES).await?;
        let mut modules: Vec<PolicyModule> = snapshot.policy_modules(2 * limits::MODULES).await?.into_iter().map(Sealed::open).collect();
        let versions: Vec<PolicyVersion> = versions.into_iter().map(Sealed::open).collect();
        // What was active once may be older than every module of the list.
        for id in versions.iter().filter_map(|version| version.module) {
            if modules.iter().all(|module| module.id != id) {
                modules.extend(snapshot.policy_module(id).await?.map(Sealed::open));
            }
        }
        Ok((versions.into_iter().map(Visible::new).collect(), modules.into_iter().map(Visible::new).collect()))
    }

    /// Steps of the history of a workspace's policy behind a position, the latest first, at most [`limits::HISTORY_PAGE`]. People and
    /// rows are told by their ids alone.
    ///
    /// # Errors
    /// [`Error::NotFound`] without the workspace; those of the store.
    pub async fn policy_history(
        &self,
        store: &dyn Store,
        workspace: WorkspaceId,
        after: Option<StepNumber>,
        rows: usize,
    ) -> Result<Vec<Visible<ToldStep>>, Error> {
        self.audit(OperatorAction::ReadPolicyHistory, Some(workspace), "all");
        let steps = snapshot(store, workspace).await?.policy_history(after, rows.min(limits::HISTORY_PAGE)).await?;
        Ok(steps.into_iter().map(Sealed::open).map(|step| Visible::new(history::whole(step))).collect())
    }

    fn audit(&self, action: OperatorAction, workspace: Option<WorkspaceId>, target: &str) {
        let workspace = workspace.map(|id| id.to_string());
        let peer = self.peer.map(|peer| peer.to_string());
        if self.via == OperatorVia::Trial {
            tracing::debug!(target: "audit", subject = "operator", via = ?self.via, peer, ?action, workspace, on = target);
            return;
        }
        tracing::info!(target: "audit", subject = "operator", via = ?self.via, peer, ?action, workspace, on = target);
    }
}

async fn snapshot(store: &dyn Store, workspace: WorkspaceId) -> Result<Box<dyn Snapshot>, Error> {
    store.snapshot(workspace).await?.ok_or_else(|| Error::NotFound(format!("workspace `{workspace}`")))
}

fn name(user: &User) -> Option<String> {
    user.text(UserText::UserName).shown().cloned().flatten().map(|name| fold(&name))
}
