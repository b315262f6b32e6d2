//! The port to the database. It produces only what it cannot open and consumes only what it cannot make.
//!
//! Every read of one request goes through one [`Snapshot`]: a consistent view of one workspace. To add a read, add a method that
//! returns [`Sealed`] rows here, to both dialects in storage, and open it in `access`.

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    Error,
    access::{Sealed, Warrant},
    change::{Write, Written},
    contract::Digest,
    decisions::{DecisionEntry, DecisionFilter, DecisionOrder, DecisionSpan, RecordDecisions},
    ids::{
        AccountId, DeletionId, GrantId, GroupId, MembershipId, PolicyId, PolicyVersionId, RoleId, ShadowId, TokenId, UserId, WorkspaceId,
    },
    model::{
        Attribute, Author, Binned, BinnedUser, Deletion, Epoch, Grant, Group, Membership, PolicyModule, PolicyStep, PolicyTests,
        PolicyVersion, Reason, Role, Status, Step, StepNumber, Timestamp, Token, TokenKind, User, UserText, Version, Workspace,
    },
    query::{
        Filter, GrantPredicate, GroupPredicate, IdSort, Keyset, MembershipPredicate, NameSort, Order, RolePredicate, UserPredicate,
        UserSort, Window,
    },
    scope::Scope,
    shadow::{Shadow, ShadowFindings},
};

/// A database. Cheap to clone behind an `Arc`.
#[async_trait]
pub trait Store: Send + Sync {
    /// Opens a consistent, read-only view of one workspace; `None` if there is no such workspace.
    ///
    /// It ends when it is dropped.
    async fn snapshot(&self, workspace: WorkspaceId) -> Result<Option<Box<dyn Snapshot>>, Error>;

    /// Who presents this SHA-256 of a token. The one read before there is a subject: ids, kinds and dates only.
    async fn credential(&self, hash: [u8; 32]) -> Result<Option<Credential>, Error>;

    /// The bytes of a module of one workspace.
    async fn module_bytes(&self, workspace: WorkspaceId, digest: Digest) -> Result<Option<Arc<[u8]>>, Error>;

    /// What decides in the workspaces behind `after`, in the order of their ids, at most `rows`: numbers, ids and digests only.
    async fn deciding(&self, after: Option<WorkspaceId>, rows: usize) -> Result<Vec<Deciding>, Error>;

    /// What happens to policies from now on, whichever host on this database does it.
    fn news(&self) -> Box<dyn PolicyNews>;

    /// Every workspace, by key. For the operator.
    async fn workspaces(&self) -> Result<Vec<Sealed<Workspace>>, Error>;

    /// Creates or brings up to date one workspace, all or nothing; adds and changes, never removes.
    ///
    /// `progress` is called at least every few thousand rows, on no particular thread.
    async fn import(
        &self,
        warrant: Warrant<ImportWorkspace>,
        progress: &(dyn Fn(ImportProgress) + Send + Sync),
    ) -> Result<ImportSummary, Error>;

    /// Makes changes, all or nothing: every one of them, or none.
    ///
    /// # Errors
    /// [`Error::Stale`] if the epoch is not the warrant's, or a row is not of the version that was decided on: decide again.
    /// [`Error::Taken`], [`Error::NotFound`] and [`Error::Broken`] name what stands in the way.
    async fn write(&self, warrant: Warrant<Write>) -> Result<Written, Error>;

    /// Forgets what was deleted longer ago than the recycle bin keeps it, and old idempotency keys; answers how many deletions are gone
    /// for good.
    async fn purge(&self, warrant: Warrant<Purge>) -> Result<u64, Error>;

    /// Counts some of those in and out whom a move of a large group has left for later; answers whether there was anything left. What is
    /// read is the same before and after.
    async fn finish_moves(&self) -> Result<bool, Error>;

    /// Adds to the decision logs, and lets the oldest entries make room.
    async fn record_decisions(&self, warrant: Warrant<RecordDecisions>) -> Result<(), Error>;

    /// Stores a token by the hash of its secret.
    async fn create_token(&self, warrant: Warrant<CreateToken>) -> Result<(), Error>;

    /// Makes a token stop working at once; [`Error::NotFound`] if there is none of that id.
    async fn revoke_token(&self, warrant: Warrant<RevokeToken>) -> Result<(), Error>;

    /// The tokens of one workspace (or, with `None`, of the operator), newest first, at most 1,000.
    async fn tokens(&self, workspace: Option<WorkspaceId>) -> Result<Vec<Sealed<Token>>, Error>;

    /// Stores a module. The same bytes again answer the module that is there, unless that one was rejected.
    async fn upload_policy(&self, warrant: Warrant<UploadPolicy>) -> Result<PolicyId, Error>;

    /// Writes a step of the history that changes nothing else.
    async fn record_policy_step(&self, warrant: Warrant<RecordPolicyStep>) -> Result<(), Error>;

    /// Makes a version the active one and bumps the epoch.
    ///
    /// # Errors
    /// [`Error::Stale`] if the active version is not `expected`, the tests are others than were passed, or the epoch is not the warrant's.
    async fn activate_policy(&self, warrant: Warrant<ActivatePolicy>) -> Result<(), Error>;

    /// Replaces the policy tests; answers their new version.
    ///
    /// # Errors
    /// [`Error::Stale`] if their version is not `expected`, or the epoch is not the warrant's.
    async fn set_policy_tests(&self, warrant: Warrant<SetPolicyTests>) -> Result<Version, Error>;

    /// Starts a shadow in the place of the one that ran last.
    ///
    /// # Errors
    /// [`Error::Refused`] if one runs; [`Error::Stale`] if the active version or the epoch is another by now.
    async fn start_shadow(&self, warrant: Warrant<StartShadow>) -> Result<(), Error>;

    /// Stops a shadow. What came of it stays until the next is started.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it does not run; [`Error::Stale`] if the epoch is another by now.
    async fn stop_shadow(&self, warrant: Warrant<StopShadow>) -> Result<(), Error>;

    /// Adds to what came of a shadow; of one that was replaced by another, nothing is kept.
    async fn add_to_shadow(&self, warrant: Warrant<AddToShadow>) -> Result<(), Error>;

    /// Gives back what the database needs no longer. To be done now and then; does nothing where there is nothing to do.
    async fn tidy(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Answers if the database does, within a second or so.
    async fn ping(&self) -> Result<(), Error>;
}

/// Tells what happens to policies: a hint to load something ahead, for what decides is read by every request.
#[async_trait]
pub trait PolicyNews: Send {
    /// Waits for the next. May be given up and called again at any time; after a failure, too, best after a pause.
    ///
    /// # Errors
    /// [`Error::Store`] if nobody can be listened to now.
    async fn next(&mut self) -> Result<PolicyEvent, Error>;
}

/// Something that happened to the policy of a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyEvent {
    /// A version was activated.
    Activated(WorkspaceId),
    /// A module was let in, and may be activated soon.
    Uploaded(WorkspaceId, Digest),
    /// Nobody listened for a while: anything may have happened before now.
    Missed,
}

/// What decides in one workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deciding {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The version that is active.
    pub version: PolicyVersionId,
    /// Its number, by which an earlier version is told from a later one.
    pub number: i64,
    /// The workspace's module; `None` where `standard` decides alone.
    pub module: Option<Digest>,
    /// The `standard` that decides alone or behind it.
    pub standard: Digest,
}

/// What a token stands for.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The token.
    pub token: TokenId,
    /// What it is for.
    pub kind: TokenKind,
    /// Its name.
    pub name: String,
    /// The workspace; `None` for the operator's.
    pub workspace: Option<WorkspaceId>,
    /// Whom it acts as, with that user's status.
    pub user: Option<(UserId, Status)>,
    /// The permissions that it is limited to.
    pub scopes: Vec<String>,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// The rows that a subject may see, by kind, as filters. `None` was not asked for and admits nothing.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// The subject, for the tests that name it; `None` for services: those tests are false.
    pub me: Option<UserId>,
    /// Users.
    pub user: Option<Arc<Scope>>,
    /// Groups.
    pub group: Option<Arc<Scope>>,
    /// Roles.
    pub role: Option<Arc<Scope>>,
    /// Memberships, both ends not included: storage adds `user` and `group`.
    pub membership: Option<Arc<Scope>>,
    /// Grants, likewise: storage adds `user` and `role`.
    pub grant: Option<Arc<Scope>>,
}

/// Which list of users.
#[derive(Clone, Debug)]
pub enum AmongUsers {
    /// All of the workspace.
    All,
    /// For each group, the users with a visible membership in it. Both ends must be in sight.
    In(Vec<GroupId>),
    /// For each group, the users with a visible membership in it or in a visible group below it.
    Under(Vec<GroupId>),
}

/// Which list of groups.
#[derive(Clone, Debug)]
pub enum AmongGroups {
    /// All of the workspace.
    All,
    /// For each group, those strictly below it whose depth below it, counted over groups in sight, is at most `levels`.
    Below {
        /// The parents.
        groups: Vec<GroupId>,
        /// 1 for the children; `None` for all.
        levels: Option<u32>,
    },
    /// For each user, the groups in sight with a visible membership of that user.
    Of(Vec<UserId>),
}

/// Which list of roles.
#[derive(Clone, Debug)]
pub enum AmongRoles {
    /// All of the workspace.
    All,
    /// For each user, the roles in sight of which it has a visible grant.
    Of(Vec<UserId>),
}

/// Which list of memberships.
#[derive(Clone, Debug)]
pub enum AmongMemberships {
    /// All of the workspace.
    All,
    /// For each user, its own.
    OfUsers(Vec<UserId>),
    /// For each group, those in it.
    OfGroups(Vec<GroupId>),
}

/// Which list of grants.
#[derive(Clone, Debug)]
pub enum AmongGrants {
    /// All of the workspace.
    All,
    /// For each user, its own.
    OfUsers(Vec<UserId>),
    /// For each role, those of it.
    OfRoles(Vec<RoleId>),
}

/// A list, joined to what the subject may see. `A` says which list and for which parents, `P` are predicates, `S` sorts.
///
/// Parents are taken as given: the caller has already seen them.
#[derive(Clone, Debug)]
pub struct List<A, P, S> {
    /// Which list; each parent has a window of its own.
    pub among: A,
    /// What may be seen.
    pub sight: Sight,
    /// The caller's own condition.
    pub filter: Option<Filter<P>>,
    /// The order.
    pub order: Order<S>,
    /// The window, the same for every parent.
    pub window: Window,
}

/// A list of users.
pub type UserList = List<AmongUsers, UserPredicate, UserSort>;
/// A list of groups.
pub type GroupList = List<AmongGroups, GroupPredicate, NameSort>;
/// A list of roles.
pub type RoleList = List<AmongRoles, RolePredicate, NameSort>;
/// A list of memberships.
pub type MembershipList = List<AmongMemberships, MembershipPredicate, IdSort>;
/// A list of grants.
pub type GrantList = List<AmongGrants, GrantPredicate, IdSort>;

/// One row of a list.
#[derive(Debug)]
pub struct Listed<T> {
    /// The position of its parent in `among`; 0 for a list of the whole workspace.
    pub parent: usize,
    /// Where it stands in the order.
    pub keyset: Keyset,
    /// The row.
    pub row: Sealed<T>,
}

/// The facts about a subject on which its policy decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectFacts {
    /// Its direct memberships, in the order of their ids.
    pub groups: Vec<GroupId>,
    /// Those that it manages.
    pub manages: Vec<GroupId>,
    /// Whether it manages the top group.
    pub manages_top: bool,
    /// Its grants: role and subtree.
    pub grants: Vec<(RoleId, Option<GroupId>)>,
    /// Its custom attributes: `(name, folded value)`.
    pub attributes: Vec<(String, String)>,
    /// Whether it is active: nobody else acts.
    pub active: bool,
}

/// A group as context carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFact {
    /// The group.
    pub id: GroupId,
    /// Its parent; `None` right below the top group.
    pub parent: Option<GroupId>,
    /// Its key, folded.
    pub key: String,
}

/// A role as context carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleFact {
    /// The role.
    pub id: RoleId,
    /// Its key, folded.
    pub key: String,
    /// Its permissions; the administrator's are every action of the register.
    pub permissions: Vec<String>,
}

/// What ids are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Urn {
    /// The users who are active.
    ActiveUsers,
    /// All users.
    Users,
    /// All groups.
    Groups,
    /// All roles.
    Roles,
    /// All memberships.
    Memberships,
    /// All grants.
    Grants,
}

/// What every request needs to know of its workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of what decisions rest on.
    pub epoch: Epoch,
    /// The active version.
    pub version: PolicyVersionId,
    /// The shadow of that version, if one runs.
    pub shadow: Option<ShadowId>,
}

/// A consistent, read-only view of one workspace. Rows come in no particular order unless said.
#[async_trait]
pub trait Snapshot: Send {
    /// How many statements were executed so far.
    fn statements(&self) -> u64;

    /// The workspace. `user_count` is exact.
    async fn workspace(&mut self) -> Result<Sealed<Workspace>, Error>;
    /// What every request asks first, in one statement.
    async fn head(&mut self) -> Result<Head, Error>;
    /// One policy version.
    async fn policy_version(&mut self, id: PolicyVersionId) -> Result<Option<Sealed<PolicyVersion>>, Error>;
    /// The latest policy versions, newest first, at most `rows`.
    async fn policy_versions(&mut self, rows: usize) -> Result<Vec<Sealed<PolicyVersion>>, Error>;
    /// One module.
    async fn policy_module(&mut self, id: PolicyId) -> Result<Option<Sealed<PolicyModule>>, Error>;
    /// The modules, newest first, at most `rows`.
    async fn policy_modules(&mut self, rows: usize) -> Result<Vec<Sealed<PolicyModule>>, Error>;
    /// The policy tests; [`PolicyTests::NONE`] if there never were any.
    async fn policy_tests(&mut self) -> Result<Sealed<PolicyTests>, Error>;
    /// The shadow that runs, or ran last.
    async fn shadow(&mut self) -> Result<Option<Sealed<Shadow>>, Error>;
    /// What came of that shadow.
    async fn shadow_findings(&mut self) -> Result<Sealed<ShadowFindings>, Error>;

    /// Entries of the decision log, at most `rows`.
    async fn decisions(&mut self, filter: &DecisionFilter, order: DecisionOrder, rows: usize) -> Result<Vec<Sealed<DecisionEntry>>, Error>;
    /// How far the decision log reaches.
    async fn decision_span(&mut self) -> Result<DecisionSpan, Error>;
    /// The steps of the policy's history behind a position, the latest first, at most `rows`.
    async fn policy_history(&mut self, after: Option<StepNumber>, rows: usize) -> Result<Vec<Sealed<PolicyStep>>, Error>;
    /// The steps that made a version the active one, the latest first.
    async fn policy_steps_of(&mut self, version: PolicyVersionId) -> Result<Vec<Sealed<PolicyStep>>, Error>;

    /// A user's facts as a subject.
    async fn subject_facts(&mut self, user: UserId) -> Result<Sealed<SubjectFacts>, Error>;
    /// These groups and all their ancestors, the top group excepted.
    async fn group_chains(&mut self, groups: &[GroupId]) -> Result<Sealed<Vec<GroupFact>>, Error>;
    /// The parents of these groups and of everything above them, and perhaps of others.
    async fn parents(&mut self, groups: &[GroupId]) -> Result<Sealed<Vec<(GroupId, Option<GroupId>)>>, Error>;
    /// The direct memberships of these users, the top group excepted.
    async fn direct_groups(&mut self, users: &[UserId]) -> Result<Sealed<Vec<(UserId, GroupId)>>, Error>;
    /// The roles of these users, wherever limited to, each once.
    async fn held_roles(&mut self, users: &[UserId]) -> Result<Sealed<Vec<(UserId, RoleId)>>, Error>;
    /// These roles.
    async fn role_facts(&mut self, roles: &[RoleId]) -> Result<Sealed<Vec<RoleFact>>, Error>;
    /// Groups by folded key.
    async fn groups_by_key(&mut self, keys: &[String]) -> Result<Sealed<Vec<(String, GroupId)>>, Error>;
    /// Roles by folded key.
    async fn roles_by_key(&mut self, keys: &[String]) -> Result<Sealed<Vec<(String, RoleId)>>, Error>;

    /// Users by id.
    async fn users_by_id(&mut self, ids: &[UserId]) -> Result<Vec<Sealed<User>>, Error>;
    /// Groups by id.
    async fn groups_by_id(&mut self, ids: &[GroupId]) -> Result<Vec<Sealed<Group>>, Error>;
    /// Roles by id.
    async fn roles_by_id(&mut self, ids: &[RoleId]) -> Result<Vec<Sealed<Role>>, Error>;
    /// Memberships by id.
    async fn memberships_by_id(&mut self, ids: &[MembershipId]) -> Result<Vec<Sealed<Membership>>, Error>;
    /// Grants by id.
    async fn grants_by_id(&mut self, ids: &[GrantId]) -> Result<Vec<Sealed<Grant>>, Error>;

    /// The memberships of these users in these groups: every pair that there is.
    async fn memberships_between(&mut self, users: &[UserId], groups: &[GroupId]) -> Result<Vec<Sealed<Membership>>, Error>;
    /// A group and everything below it, parents before children, at most `rows`.
    async fn subtree(&mut self, group: GroupId, rows: usize) -> Result<Vec<Sealed<Group>>, Error>;
    /// The declared attributes, by name.
    async fn attributes(&mut self) -> Result<Vec<Sealed<Attribute>>, Error>;
    /// The tokens that are neither revoked nor expired, newest first, at most [`crate::limits::TOKENS`].
    async fn tokens(&mut self, now: Timestamp) -> Result<Vec<Sealed<Token>>, Error>;
    /// Whether there is a token with this SHA-256 that is not revoked.
    async fn accepts(&mut self, hash: [u8; 32]) -> Result<bool, Error>;
    /// One token that is not revoked.
    async fn token(&mut self, id: TokenId) -> Result<Option<Sealed<Token>>, Error>;
    /// Deletions behind a position, the latest first, at most so many.
    async fn deletions(&mut self, after: Option<(Timestamp, DeletionId)>, rows: usize) -> Result<Vec<Sealed<Deletion>>, Error>;
    /// What these users, who are in the recycle bin, would have again; one for each that would have anything.
    async fn binned_users(&mut self, ids: &[UserId]) -> Result<Vec<Sealed<BinnedUser>>, Error>;
    /// Those of these groups that were deleted by themselves, as they were.
    async fn binned_groups(&mut self, ids: &[GroupId]) -> Result<Vec<Sealed<Group>>, Error>;
    /// Those of these roles that were deleted, as they were.
    async fn binned_roles(&mut self, ids: &[RoleId]) -> Result<Vec<Sealed<Role>>, Error>;
    /// The deletion by which an object is gone: its own, or that of a group above it.
    async fn deletion_of(&mut self, object: Uuid) -> Result<Option<Sealed<Deletion>>, Error>;
    /// What a deletion would bring back.
    async fn binned(&mut self, deletion: &Deletion) -> Result<Sealed<Binned>, Error>;
    /// What was done under an idempotency key: the SHA-256 of the request, and the ids that answer it.
    async fn request(&mut self, subject: Uuid, key: &str) -> Result<Option<(Digest, Vec<Uuid>)>, Error>;

    /// So many ids, in the order of their last eight bytes, which are random, from `start` on and round: drawn by chance, and the same
    /// for the same start.
    async fn drawn(&mut self, from: Urn, start: u64, rows: usize) -> Result<Sealed<Vec<Uuid>>, Error>;

    /// A list of users: rows by parent, each parent's in its order.
    async fn list_users(&mut self, list: &UserList) -> Result<Vec<Listed<User>>, Error>;
    /// Exact counts of a list, its window ignored, by parent.
    async fn count_users(&mut self, list: &UserList) -> Result<Vec<u64>, Error>;
    /// A list of groups.
    async fn list_groups(&mut self, list: &GroupList) -> Result<Vec<Listed<Group>>, Error>;
    /// Its counts.
    async fn count_groups(&mut self, list: &GroupList) -> Result<Vec<u64>, Error>;
    /// A list of roles.
    async fn list_roles(&mut self, list: &RoleList) -> Result<Vec<Listed<Role>>, Error>;
    /// Its counts.
    async fn count_roles(&mut self, list: &RoleList) -> Result<Vec<u64>, Error>;
    /// A list of memberships.
    async fn list_memberships(&mut self, list: &MembershipList) -> Result<Vec<Listed<Membership>>, Error>;
    /// Its counts.
    async fn count_memberships(&mut self, list: &MembershipList) -> Result<Vec<u64>, Error>;
    /// A list of grants.
    async fn list_grants(&mut self, list: &GrantList) -> Result<Vec<Listed<Grant>>, Error>;
    /// Its counts.
    async fn count_grants(&mut self, list: &GrantList) -> Result<Vec<u64>, Error>;
}

/// Makes new UUIDv7 ids; a parameter, so that tests can seed it.
pub trait IdSource: Send {
    /// The next id, greater than every one before.
    fn next_id(&mut self) -> Uuid;
}

/// A workspace as an import describes it. Keys and names are already checked and trimmed.
pub struct ImportWorkspace {
    /// Finds the workspace, or names the new one.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What the administrators may not exceed; `None` for no limit.
    pub user_quota: Option<u64>,
    /// Custom attributes, by name: declared if they are not there yet.
    pub attributes: Vec<AttributeDefinition>,
    /// Groups, parents before children.
    pub groups: Vec<ImportGroup>,
    /// Roles beside the built-in ones, which every workspace has.
    pub roles: Vec<ImportRole>,
    /// People; read once, streamed.
    pub people: Box<dyn Iterator<Item = ImportPerson> + Send>,
    /// What decides, if the workspace is new.
    pub policy: NewPolicyVersion,
    /// Where its grants come from.
    pub provenance: crate::model::Provenance,
    /// The clock.
    pub now: Timestamp,
    /// New ids.
    pub ids: Box<dyn IdSource>,
}

/// The declaration of a custom attribute (D7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeDefinition {
    /// Its name.
    pub name: String,
    /// Whether it may be filtered and searched where the policy agrees.
    pub searchable: bool,
}

/// A group of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportGroup {
    /// Finds the group, or names the new one.
    pub key: String,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// The parent's key; `None` right below the top group.
    pub parent: Option<String>,
    /// Custom attributes.
    pub attributes: Vec<(String, Vec<String>)>,
}

/// A role of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRole {
    /// Finds the role, or names the new one.
    pub key: String,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Action names.
    pub permissions: Vec<String>,
}

/// A person of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportPerson {
    /// Who names the person: `email`, or the name of a provider or format.
    pub issuer: String,
    /// The person's identifier there, folded. With `issuer`, finds the account; the account finds the user.
    pub identifier: String,
    /// Governed texts; at least the user name.
    pub texts: Vec<(UserText, String)>,
    /// Belongs to this workspace only.
    pub exclusive: bool,
    /// See [`Status`].
    pub status: Status,
    /// Custom attributes.
    pub attributes: Vec<(String, Vec<String>)>,
    /// Groups by key, and whether as a manager.
    pub memberships: Vec<(String, bool)>,
    /// Whether it manages the top group, and with it everybody.
    pub manages_top: bool,
    /// Roles by key, and the subtree's key.
    pub grants: Vec<(String, Option<String>)>,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// What is being done: `groups`, `people`, `effective memberships`, `search words`.
    pub stage: &'static str,
    /// Rows of that stage done so far.
    pub done: u64,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// The workspace.
    pub workspace: Option<WorkspaceId>,
    /// Whether it is new.
    pub created: bool,
    /// Users that are new.
    pub users_added: u64,
    /// Users whose texts changed.
    pub users_changed: u64,
    /// Groups that are new.
    pub groups_added: u64,
    /// Groups whose name, description or parent changed.
    pub groups_changed: u64,
    /// Memberships that are new.
    pub memberships_added: u64,
    /// Memberships whose manager flag changed.
    pub memberships_changed: u64,
    /// Grants that are new.
    pub grants_added: u64,
    /// Accounts that are new.
    pub accounts_added: u64,
    /// Users that the workspace has and the import does not; they were left as they are.
    pub users_absent: u64,
    /// Groups likewise.
    pub groups_absent: u64,
}

/// What the recycle bin is to forget.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// The clock.
    pub now: Timestamp,
}

/// A token to be stored.
#[derive(Clone, Debug)]
pub struct CreateToken {
    /// The token, without its secret.
    pub token: Token,
    /// SHA-256 of the secret as presented.
    pub hash: [u8; 32],
}

/// A token to be revoked.
#[derive(Clone, Copy, Debug)]
pub struct RevokeToken {
    /// Which.
    pub token: TokenId,
    /// When.
    pub now: Timestamp,
}

/// A module to be stored.
#[derive(Clone, Debug)]
pub struct UploadPolicy {
    /// The module's row.
    pub module: PolicyModule,
    /// Its bytes; not kept if it was rejected.
    pub bytes: Arc<[u8]>,
    /// For the history, in order; nothing is written of a module that is there already.
    pub steps: Vec<NewPolicyStep>,
}

/// A step to be written down. Its number is the store's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPolicyStep {
    /// What is done.
    pub step: Step,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Author,
    /// How they came in.
    pub via: &'static str,
    /// From where, as the server saw it.
    pub peer: Option<IpAddr>,
    /// The module that is involved.
    pub module: Option<PolicyId>,
    /// SHA-256 of that module.
    pub digest: Option<Digest>,
    /// The version that becomes active by it.
    pub version: Option<PolicyVersionId>,
    /// For people.
    pub note: Option<String>,
    /// Why; at most [`crate::limits::REASONS`] are kept.
    pub reasons: Vec<Reason>,
}

impl NewPolicyStep {
    /// A step about nothing in particular yet.
    #[must_use]
    pub const fn new(step: Step, at: Timestamp, by: Author, via: &'static str) -> Self {
        Self { step, at, by, via, peer: None, module: None, digest: None, version: None, note: None, reasons: Vec::new() }
    }
}

/// A step of the history that changes nothing else.
#[derive(Clone, Debug)]
pub struct RecordPolicyStep(pub NewPolicyStep);

/// What is to decide.
#[derive(Clone, Debug)]
pub struct NewPolicyVersion {
    /// The new version's id.
    pub id: PolicyVersionId,
    /// The workspace's module; `None` where `standard` decides alone.
    pub module: Option<PolicyId>,
    /// The module's settings.
    pub settings: String,
    /// The digest of `standard`.
    pub standard: Digest,
    /// The settings of `standard`.
    pub standard_settings: String,
    /// Who activates it.
    pub activated_by: Option<UserId>,
    /// When.
    pub activated_at: Timestamp,
    /// The version that this one repeats.
    pub repeats: Option<PolicyVersionId>,
    /// For people.
    pub note: Option<String>,
}

/// A version to be made the active one.
#[derive(Clone, Debug)]
pub struct ActivatePolicy {
    /// The version that must be active until now.
    pub expected: PolicyVersionId,
    /// The new one.
    pub version: NewPolicyVersion,
    /// For the history.
    pub step: NewPolicyStep,
    /// The version of the policy tests that it has passed; `None` where the operator does not ask for any.
    pub tests: Option<Version>,
}

/// Policy tests to be kept in place of others.
#[derive(Clone, Debug)]
pub struct SetPolicyTests {
    /// The version that is to be replaced; 0 where there never were any.
    pub expected: Version,
    /// The tests, checked; empty for none.
    pub text: String,
    /// Who changes them.
    pub by: Option<UserId>,
    /// When.
    pub now: Timestamp,
    /// For the history.
    pub step: NewPolicyStep,
}

/// A candidate that is to answer beside the active version.
#[derive(Clone, Debug)]
pub struct StartShadow {
    /// The shadow.
    pub shadow: Shadow,
    /// For the history.
    pub step: NewPolicyStep,
}

/// A shadow that is to answer no longer.
#[derive(Clone, Debug)]
pub struct StopShadow {
    /// Which.
    pub id: ShadowId,
    /// When.
    pub now: Timestamp,
    /// For the history.
    pub step: NewPolicyStep,
}

/// What came of a shadow since the last time.
#[derive(Clone, Debug)]
pub struct AddToShadow {
    /// Which.
    pub id: ShadowId,
    /// What came of it.
    pub findings: ShadowFindings,
}

/// An account, by which a person is the same in several workspaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Unique everywhere.
    pub id: AccountId,
    /// Who names the person.
    pub issuer: String,
    /// The person's identifier there, folded.
    pub identifier: String,
}
