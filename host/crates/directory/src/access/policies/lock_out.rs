//! The lock-out guard: whoever could undo the activation still can under the candidate.
//!
//! Two halves. The caller keeps what it may do with the policy now. And of the workspace's other active administrators at least one may
//! read, upload, activate and roll back policies: the caller may leave, and a module whose author alone can remove it is a locked door.

use super::{
    super::{Directory, Subject},
    gates::{Findings, of_policy},
    sample::{active_users, everything},
};
use crate::{
    Error,
    ids::UserId,
    limits::GUARD_ADMINISTRATORS,
    model::{Grant, PolicyVersion, Role},
    query::{Filter, GrantPredicate, Window},
    store::{AmongGrants, Sight},
};

/// What it takes to undo an activation. Another module may have to come in, and tests that keep every other version out have to go: both
/// are uploads.
const UNDO: [&str; 4] = ["policy.read", "policy.upload", "policy.activate", "policy.rollback"];

impl Directory {
    pub(super) async fn look_for_lock_out(&self, candidate: &PolicyVersion, findings: &mut Findings) -> Result<(), Error> {
        let now = self.beside(self.without_ceiling(), self.context.clone(), &self.version).await?;
        let mut kept = Vec::new();
        for action in UNDO {
            match now.would_allow(action).await {
                Ok(()) => kept.push(action),
                Err(Error::Forbidden { .. }) => {}
                // What it could not be asked, nobody knows: that is no leave to take it away.
                Err(Error::Policy(failure)) => drop(of_policy(failure)?),
                Err(error) => return Err(error),
            }
        }
        for (action, why) in self.lost(&self.without_ceiling(), candidate, &kept).await? {
            findings.add(&format!(
                "whoever activates it could no longer `{action}` ({why}); let the candidate leave `policy.*` to `standard`, or allow it"
            ));
        }
        let (others, more) = self.other_administrators(GUARD_ADMINISTRATORS).await?;
        for user in &others {
            match self.lost(&self.as_user(*user), candidate, &UNDO).await {
                Ok(lost) if lost.is_empty() => return Ok(()),
                // Whoever was suspended meanwhile keeps nothing.
                Ok(_) | Err(Error::Inactive) => {}
                Err(error) => return Err(error),
            }
        }
        if !others.is_empty() {
            findings.add(&format!(
                "none of {}{} active administrator(s) beside whoever activates it could read, upload, activate and roll back policies; let the \
                 candidate leave `policy.*` to `standard`, or allow it to administrators",
                if more { "the first " } else { "the " },
                others.len()
            ));
        }
        Ok(())
    }

    /// Those of `actions` that a subject may not do under the candidate, each with the reason.
    async fn lost(
        &self,
        subject: &Subject,
        candidate: &PolicyVersion,
        actions: &[&'static str],
    ) -> Result<Vec<(&'static str, String)>, Error> {
        let under = self.under(subject, candidate).await?;
        let mut lost = Vec::new();
        for action in actions {
            match under.would_allow(action).await {
                Ok(()) => {}
                Err(Error::Forbidden { reason, .. }) => lost.push((*action, format!("the policy says: {reason}"))),
                Err(Error::Policy(failure)) => lost.push((*action, of_policy(failure)?.to_string())),
                Err(error) => return Err(error),
            }
        }
        Ok(lost)
    }

    /// Active holders of the administrator's role in the whole workspace, the caller excepted, those first whose grant is oldest; and
    /// whether there are more.
    pub(super) async fn other_administrators(&self, most: usize) -> Result<(Vec<UserId>, bool), Error> {
        let mut snapshot = self.snapshot.lock().await;
        let roles = snapshot.roles_by_key(&[Role::ADMINISTRATOR.to_owned()]).await?.open();
        drop(snapshot);
        let among = AmongGrants::OfRoles(roles.into_iter().map(|(_, role)| role).collect());
        let wide = Filter::Is(GrantPredicate::WorkspaceWide(true));
        let sight = Sight { user: Some(active_users()), ..everything() };
        // The caller's own grant may be among them.
        let window = Window { rows: most + 2, ..Window::default() };
        let grants: Vec<Grant> = self.stored::<Grant>(among, Some(wide), sight, window).await?;
        let mut users: Vec<UserId> = grants.iter().map(|grant| grant.user).filter(|user| Some(*user) != self.subject.user()).collect();
        let more = users.len() > most;
        users.truncate(most);
        Ok((users, more))
    }
}
