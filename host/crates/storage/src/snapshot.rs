//! A consistent view of one workspace.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use directory::{
    Error, Sealed,
    contract::Digest,
    decisions::{DecisionEntry, DecisionFilter, DecisionOrder, DecisionSpan},
    ids::{DeletionId, GrantId, GroupId, MembershipId, PolicyId, PolicyVersionId, RoleId, TokenId, UserId, WorkspaceId},
    model::{
        Attribute, Binned, BinnedUser, Deletion, Grant, Group, Membership, PolicyModule, PolicyStep, PolicyTests, PolicyVersion, Role,
        StepNumber, Timestamp, Token, User, Workspace,
    },
    shadow::{Shadow, ShadowFindings},
    store::{GrantList, GroupFact, GroupList, Head, Listed, MembershipList, RoleFact, RoleList, Snapshot, SubjectFacts, Urn, UserList},
};

use uuid::Uuid;

use crate::{
    Database, bin, decisions, draw,
    error::failed,
    exec::{Row, Tx},
    facts, limits, list, lookup,
    open_move::OpenMove,
    policy, policy_history, policy_shadows, policy_tests,
    sql::Sql,
    turns::Turn,
};

/// A read transaction, the workspace that it is about, and what it cost so far.
pub(crate) struct View {
    pub(crate) workspace: WorkspaceId,
    tx: Tx,
    statements: u64,
    /// The move that is still to be counted, once that is known.
    open_move: Option<Arc<OpenMove>>,
    /// For SQLite, which has no timeout of its own.
    clock: Option<Clock>,
    /// Given back behind the connection.
    _turn: Turn,
}

/// Ends statements of SQLite: at their deadline, and when nobody waits for the answer any more.
struct Clock {
    statement_time: Duration,
    /// Set while a running statement is to end.
    stop: Arc<AtomicBool>,
}

impl Drop for Clock {
    fn drop(&mut self) {
        // A request that was given up leaves its statement running; the pool waits for its end.
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl View {
    /// A view of a workspace, which may not be there.
    pub(crate) async fn open(workspace: WorkspaceId, database: &Database) -> Result<Self, Error> {
        let (turn, mut tx) = database.begin_read(workspace).await?;
        let mut clock = None;
        if let (Tx::Sqlite(tx), Database::Sqlite { statement_time, .. }) = (&mut tx, database) {
            let stop = Arc::new(AtomicBool::new(false));
            clock = Some(Clock { statement_time: *statement_time, stop: stop.clone() });
            let goes_on = move || !stop.load(Ordering::Relaxed);
            tx.lock_handle().await.map_err(failed)?.set_progress_handler(limits::STOP_OPERATIONS, goes_on);
        }
        Ok(Self { workspace, tx, statements: 0, open_move: None, clock, _turn: turn })
    }

    /// Every row of a statement.
    pub(crate) async fn fetch(&mut self, sql: Sql) -> Result<Vec<Row>, Error> {
        self.statements += 1;
        let mut answer = pin!(self.tx.fetch(sql));
        let Some(clock) = &self.clock else { return answer.await };
        if let Ok(answer) = tokio::time::timeout(clock.statement_time, &mut answer).await {
            return answer;
        }
        // The connection is only of use again when the statement has ended.
        clock.stop.store(true, Ordering::Relaxed);
        let _ = answer.await;
        clock.stop.store(false, Ordering::Relaxed);
        Err(Error::Deadline)
    }

    /// The move that is still to be counted, if anybody has asked.
    pub(crate) fn open_move(&self) -> Option<Arc<OpenMove>> {
        self.open_move.clone()
    }

    pub(crate) fn knows_open_move(&mut self, open: Arc<OpenMove>) {
        self.open_move = Some(open);
    }

    pub(crate) const fn is_sqlite(&self) -> bool {
        matches!(self.tx, Tx::Sqlite(_))
    }
}

#[async_trait]
impl Snapshot for View {
    fn statements(&self) -> u64 {
        self.statements
    }

    async fn workspace(&mut self) -> Result<Sealed<Workspace>, Error> {
        lookup::workspace(self).await
    }

    async fn head(&mut self) -> Result<Head, Error> {
        lookup::head(self).await
    }

    async fn policy_version(&mut self, id: PolicyVersionId) -> Result<Option<Sealed<PolicyVersion>>, Error> {
        policy::version(self, id).await
    }

    async fn policy_versions(&mut self, rows: usize) -> Result<Vec<Sealed<PolicyVersion>>, Error> {
        policy::versions(self, rows).await
    }

    async fn policy_module(&mut self, id: PolicyId) -> Result<Option<Sealed<PolicyModule>>, Error> {
        policy::module(self, id).await
    }

    async fn policy_modules(&mut self, rows: usize) -> Result<Vec<Sealed<PolicyModule>>, Error> {
        policy::modules(self, rows).await
    }

    async fn policy_tests(&mut self) -> Result<Sealed<PolicyTests>, Error> {
        policy_tests::read(self).await
    }

    async fn shadow(&mut self) -> Result<Option<Sealed<Shadow>>, Error> {
        policy_shadows::last(self).await
    }

    async fn shadow_findings(&mut self) -> Result<Sealed<ShadowFindings>, Error> {
        policy_shadows::findings(self).await
    }

    async fn policy_history(&mut self, after: Option<StepNumber>, rows: usize) -> Result<Vec<Sealed<PolicyStep>>, Error> {
        policy_history::steps(self, after, rows).await
    }

    async fn policy_steps_of(&mut self, version: PolicyVersionId) -> Result<Vec<Sealed<PolicyStep>>, Error> {
        policy_history::steps_of(self, version).await
    }

    async fn subject_facts(&mut self, user: UserId) -> Result<Sealed<SubjectFacts>, Error> {
        facts::subject(self, user).await
    }

    async fn group_chains(&mut self, groups: &[GroupId]) -> Result<Sealed<Vec<GroupFact>>, Error> {
        facts::group_chains(self, groups).await
    }

    async fn parents(&mut self, groups: &[GroupId]) -> Result<Sealed<Vec<(GroupId, Option<GroupId>)>>, Error> {
        facts::parents(self, groups).await
    }

    async fn direct_groups(&mut self, users: &[UserId]) -> Result<Sealed<Vec<(UserId, GroupId)>>, Error> {
        facts::direct_groups(self, users).await
    }

    async fn held_roles(&mut self, users: &[UserId]) -> Result<Sealed<Vec<(UserId, RoleId)>>, Error> {
        facts::held_roles(self, users).await
    }

    async fn role_facts(&mut self, roles: &[RoleId]) -> Result<Sealed<Vec<RoleFact>>, Error> {
        facts::roles(self, roles).await
    }

    async fn groups_by_key(&mut self, keys: &[String]) -> Result<Sealed<Vec<(String, GroupId)>>, Error> {
        facts::groups_by_key(self, keys).await
    }

    async fn roles_by_key(&mut self, keys: &[String]) -> Result<Sealed<Vec<(String, RoleId)>>, Error> {
        facts::roles_by_key(self, keys).await
    }

    async fn users_by_id(&mut self, ids: &[UserId]) -> Result<Vec<Sealed<User>>, Error> {
        lookup::users(self, ids).await
    }

    async fn groups_by_id(&mut self, ids: &[GroupId]) -> Result<Vec<Sealed<Group>>, Error> {
        lookup::groups(self, ids).await
    }

    async fn roles_by_id(&mut self, ids: &[RoleId]) -> Result<Vec<Sealed<Role>>, Error> {
        lookup::roles(self, ids).await
    }

    async fn memberships_by_id(&mut self, ids: &[MembershipId]) -> Result<Vec<Sealed<Membership>>, Error> {
        lookup::memberships(self, ids).await
    }

    async fn grants_by_id(&mut self, ids: &[GrantId]) -> Result<Vec<Sealed<Grant>>, Error> {
        lookup::grants(self, ids).await
    }

    async fn memberships_between(&mut self, users: &[UserId], groups: &[GroupId]) -> Result<Vec<Sealed<Membership>>, Error> {
        bin::memberships_between(self, users, groups).await
    }

    async fn subtree(&mut self, group: GroupId, rows: usize) -> Result<Vec<Sealed<Group>>, Error> {
        bin::subtree(self, group, rows).await
    }

    async fn attributes(&mut self) -> Result<Vec<Sealed<Attribute>>, Error> {
        bin::attributes(self).await
    }

    async fn decisions(&mut self, filter: &DecisionFilter, order: DecisionOrder, rows: usize) -> Result<Vec<Sealed<DecisionEntry>>, Error> {
        decisions::entries(self, filter, order, rows).await
    }

    async fn decision_span(&mut self) -> Result<DecisionSpan, Error> {
        decisions::span(self).await
    }

    async fn tokens(&mut self, now: Timestamp) -> Result<Vec<Sealed<Token>>, Error> {
        bin::tokens(self, now).await
    }

    async fn accepts(&mut self, hash: [u8; 32]) -> Result<bool, Error> {
        bin::accepts(self, hash).await
    }

    async fn token(&mut self, id: TokenId) -> Result<Option<Sealed<Token>>, Error> {
        bin::token(self, id).await
    }

    async fn deletions(&mut self, after: Option<(Timestamp, DeletionId)>, rows: usize) -> Result<Vec<Sealed<Deletion>>, Error> {
        bin::deletions(self, after, rows).await
    }

    async fn binned_users(&mut self, ids: &[UserId]) -> Result<Vec<Sealed<BinnedUser>>, Error> {
        bin::binned_users(self, ids).await
    }

    async fn binned_groups(&mut self, ids: &[GroupId]) -> Result<Vec<Sealed<Group>>, Error> {
        bin::binned_groups(self, ids).await
    }

    async fn binned_roles(&mut self, ids: &[RoleId]) -> Result<Vec<Sealed<Role>>, Error> {
        bin::binned_roles(self, ids).await
    }

    async fn deletion_of(&mut self, object: Uuid) -> Result<Option<Sealed<Deletion>>, Error> {
        bin::deletion_of(self, object).await
    }

    async fn binned(&mut self, deletion: &Deletion) -> Result<Sealed<Binned>, Error> {
        bin::binned(self, deletion).await
    }

    async fn request(&mut self, subject: Uuid, key: &str) -> Result<Option<(Digest, Vec<Uuid>)>, Error> {
        bin::request(self, subject, key).await
    }

    async fn drawn(&mut self, from: Urn, start: u64, rows: usize) -> Result<Sealed<Vec<Uuid>>, Error> {
        draw::ids(self, from, start, rows).await
    }

    async fn list_users(&mut self, list: &UserList) -> Result<Vec<Listed<User>>, Error> {
        list::users(self, list).await
    }

    async fn count_users(&mut self, list: &UserList) -> Result<Vec<u64>, Error> {
        list::count_users(self, list).await
    }

    async fn list_groups(&mut self, list: &GroupList) -> Result<Vec<Listed<Group>>, Error> {
        list::groups(self, list).await
    }

    async fn count_groups(&mut self, list: &GroupList) -> Result<Vec<u64>, Error> {
        list::count_groups(self, list).await
    }

    async fn list_roles(&mut self, list: &RoleList) -> Result<Vec<Listed<Role>>, Error> {
        list::roles(self, list).await
    }

    async fn count_roles(&mut self, list: &RoleList) -> Result<Vec<u64>, Error> {
        list::count_roles(self, list).await
    }

    async fn list_memberships(&mut self, list: &MembershipList) -> Result<Vec<Listed<Membership>>, Error> {
        list::memberships(self, list).await
    }

    async fn count_memberships(&mut self, list: &MembershipList) -> Result<Vec<u64>, Error> {
        list::count_memberships(self, list).await
    }

    async fn list_grants(&mut self, list: &GrantList) -> Result<Vec<Listed<Grant>>, Error> {
        list::grants(self, list).await
    }

    async fn count_grants(&mut self, list: &GrantList) -> Result<Vec<u64>, Error> {
        list::count_grants(self, list).await
    }
}
