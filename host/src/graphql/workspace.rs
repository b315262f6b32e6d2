//! The workspace and the viewer.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object, SimpleObject};
use directory::{
    Error, Visible,
    access::{Actor, Directory, Object as Subjects},
    model::Workspace,
};

use super::{
    error::{Maybe, failure, maybe, shown},
    level::Level,
    permission::ActionDecisionNode,
    scalar::DateTime,
    user::{IntoId as _, UserNode},
};

/// The workspace of the request.
#[derive(Clone)]
pub(super) struct WorkspaceNode {
    pub(super) row: Visible<Workspace>,
    directory: Arc<Directory>,
}

impl WorkspaceNode {
    /// The workspace, if the viewer may see it.
    pub(super) async fn read(directory: &Arc<Directory>) -> Result<Option<Self>, Error> {
        let row = directory.workspace().await?.cloned();
        Ok(row.map(|row| Self { row, directory: directory.clone() }))
    }
}

/// A tenant: everything else of a request is inside it.
#[Object(name = "Workspace")]
impl WorkspaceNode {
    /// Opaque, unique on the server, and stable.
    pub(super) async fn id(&self) -> ID {
        self.row.id.into_id()
    }

    /// Unique on the server and stable.
    async fn key(&self) -> Option<&str> {
        self.row.key.shown().map(String::as_str)
    }

    /// For people.
    async fn name(&self) -> Option<&str> {
        self.row.name.shown().map(String::as_str)
    }

    /// How many users it may have; null for no limit, and where it is withheld.
    async fn user_quota(&self) -> Option<i64> {
        self.row.user_quota.shown().copied().flatten().and_then(|quota| i64::try_from(quota).ok())
    }

    /// How many users it has, hidden ones included and the recycle bin not.
    async fn user_count(&self) -> Option<i64> {
        self.row.user_count.shown().copied().and_then(|count| i64::try_from(count).ok())
    }

    /// What decides, for whoever may read it; null for others.
    async fn policy(&self) -> Maybe<ActivePolicy> {
        active_policy(&self.directory).await
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }

    /// Counts its changes; for `expectedVersion`.
    async fn version(&self) -> i64 {
        self.row.version.0
    }

    /// The fields that the policy withheld from the viewer.
    async fn withheld_fields(&self) -> &[String] {
        &self.row.withheld
    }

    /// Whether there is anything in the workspace on which the viewer could do these.
    async fn viewer_can(&self, #[graphql(desc = "At most 50.")] actions: Vec<String>) -> Maybe<Vec<ActionDecisionNode>> {
        let decided = self.directory.can(&actions, &Subjects::Workspace).await;
        shown(decided.map(|decided| decided.iter().flatten().map(Into::into).collect()))
    }
}

/// What decides; `None` for whoever may not read it.
pub(super) async fn active_policy(directory: &Directory) -> Maybe<ActivePolicy> {
    match directory.active_policy().await {
        Err(Error::Forbidden { .. }) => None,
        policy => shown(policy.map(|policy| ActivePolicy {
            id: policy.version.id.into_id(),
            number: policy.version.number,
            name: policy.manifest.as_ref().map(|manifest| manifest.name.clone()),
            version: policy.manifest.as_ref().map(|manifest| manifest.version.clone()),
            summary: policy.manifest.as_ref().map(|manifest| manifest.summary.clone()),
            digest: policy.version.digest.unwrap_or(policy.version.standard).to_string(),
            settings: policy.version.digest.map_or_else(|| policy.version.standard_settings.clone(), |_| policy.version.settings.clone()),
            standard_settings: policy.version.standard_settings.clone(),
            activated_at: DateTime(policy.version.activated_at),
            note: policy.version.note.clone(),
        })),
    }
}

/// The policy version that decides.
#[derive(Clone, SimpleObject)]
pub(super) struct ActivePolicy {
    /// The version's id: module and settings as they were activated together.
    id: ID,
    /// Counts the workspace's activations.
    number: i64,
    /// The module's name; null if it can not be loaded.
    name: Option<String>,
    /// The module's own version.
    version: Option<String>,
    /// What the module says of itself.
    summary: Option<String>,
    /// SHA-256 of the module, hexadecimal.
    digest: String,
    /// The module's settings; empty for its defaults.
    settings: String,
    /// The settings of `standard`, which decides what the module leaves to it.
    standard_settings: String,
    /// When it was activated.
    activated_at: DateTime,
    /// The note of whoever activated it.
    note: Option<String>,
}

/// What kind of subject the viewer is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum ViewerKind {
    /// A person.
    User,
    /// A service of the workspace.
    Service,
}

/// Who asks.
pub(super) struct ViewerNode(pub(super) Arc<Directory>);

/// Who asks. Always shown to itself, whatever the policy says.
#[Object(name = "Viewer")]
impl ViewerNode {
    /// The user's or the service's id.
    async fn id(&self) -> ID {
        match self.0.subject().actor {
            Actor::User(id) => id.into_id(),
            Actor::Service(id) => id.into_id(),
        }
    }

    /// A person or a service.
    async fn kind(&self) -> ViewerKind {
        match self.0.subject().actor {
            Actor::User(_) => ViewerKind::User,
            Actor::Service(_) => ViewerKind::Service,
        }
    }

    /// The display name, or else the user name; null for a service.
    async fn name(&self) -> Maybe<String> {
        maybe(self.0.own_name().await)
    }

    /// Where the viewer stands: nobody else than an active user gets this far. Null for a service.
    async fn status(&self) -> Option<super::filter::UserStatus> {
        self.0.subject().user().map(|_| super::filter::UserStatus::Active)
    }

    /// The viewer as a user of the workspace, as far as the policy shows it.
    async fn user(&self) -> Maybe<UserNode> {
        let user = self.0.subject().user()?;
        let found = self.0.users(&[user]).await.map_err(|error| failure(&error));
        let found = found.map(|rows| Level::members(&self.0, rows).into_iter().flatten().next().map(UserNode));
        found.transpose()
    }

    /// The permissions that the viewer holds in the whole workspace, cut down to the scopes of its token.
    async fn permissions(&self) -> Vec<String> {
        self.0.own_wide_permissions()
    }

    /// Whether there is anything in the workspace on which the viewer could do these.
    async fn can(&self, #[graphql(desc = "At most 50.")] actions: Vec<String>) -> Maybe<Vec<ActionDecisionNode>> {
        let decided = self.0.can(&actions, &Subjects::Workspace).await;
        shown(decided.map(|decided| decided.iter().flatten().map(Into::into).collect()))
    }
}
