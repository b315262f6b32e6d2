//! An administrator at work: everything through the gate, and timed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use bailiwick::{clock::Clock, ids::Ids};
use directory::{
    access::{Actor, Ask, Command, Count, Directory, Done, Gate, Origin, Request, Subject},
    ids::{GroupId, RoleId, UserId, WorkspaceId},
    query::{Filter, GroupPredicate, GroupText, Keyset, Order, RolePredicate, RoleText, TextMatch, Window},
    store::{AmongGroups, AmongRoles, AmongUsers},
    text::fold,
};

use crate::measure::Times;

/// Whoever works, and with what.
pub struct Desk {
    /// The way to the workspace.
    pub gate: Arc<Gate>,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The administrator.
    pub user: UserId,
    /// The machine's clock: what is written is younger than what was imported.
    pub clock: Clock,
    ids: Ids,
}

impl Desk {
    /// The desk of this administrator.
    pub fn new(gate: Arc<Gate>, workspace: WorkspaceId, user: UserId) -> Self {
        let clock = Clock::system();
        Self { gate, workspace, user, ids: Ids::random(clock.clone()), clock }
    }

    /// Opens the directory, as for one request.
    pub async fn open(&self) -> Result<Directory> {
        Ok(self.gate.open(self.subject(), self.clock.now()).await?)
    }

    /// Does a command; answers how long it took, and what it came to.
    pub async fn write(&mut self, command: Command) -> Result<(Duration, Done)> {
        let (subject, now) = (self.subject(), self.clock.now());
        let request = Request { command, key: None };
        let start = Instant::now();
        let done = self.gate.write(&subject, &request, now, &mut self.ids).await;
        let took = start.elapsed();
        Ok((took, done.map_err(|refusal| anyhow!("{refusal:?}"))?))
    }

    /// Does one command after the other.
    pub async fn each(&mut self, commands: impl IntoIterator<Item = Command>) -> Result<Times> {
        let mut times = Vec::new();
        for command in commands {
            times.push(self.write(command).await?.0);
        }
        Ok(Times::sorted(times))
    }

    /// Does `there` and then `back`, so often; answers the times of both.
    pub async fn there_and_back(
        &mut self,
        calls: usize,
        there: &Command,
        back: impl Fn(&Done) -> Command,
    ) -> Result<(Vec<Duration>, Vec<Duration>)> {
        let (mut forth, mut home) = (Vec::with_capacity(calls), Vec::with_capacity(calls));
        for _ in 0..calls {
            let (took, done) = self.write(there.clone()).await?;
            forth.push(took);
            home.push(self.write(back(&done)).await?.0);
        }
        Ok((forth, home))
    }

    /// The group of that key.
    pub async fn group(&self, key: &str) -> Result<GroupId> {
        let filter = Filter::Is(GroupPredicate::Text(GroupText::Key, TextMatch::In(vec![fold(key)])));
        let window = Window { rows: 1, ..Window::default() };
        let ask = Ask { among: AmongGroups::All, filter: Some(filter), order: Order::default(), window };
        let page = self.open().await?.list_groups(ask).await?.into_iter().next();
        let found = page.and_then(|page| page.rows.into_iter().next());
        found.map(|(_, group)| group.id).with_context(|| format!("group `{key}`"))
    }

    /// The role of that key.
    pub async fn role(&self, key: &str) -> Result<RoleId> {
        let filter = Filter::Is(RolePredicate::Text(RoleText::Key, TextMatch::In(vec![fold(key)])));
        let window = Window { rows: 1, ..Window::default() };
        let ask = Ask { among: AmongRoles::All, filter: Some(filter), order: Order::default(), window };
        let page = self.open().await?.list_roles(ask).await?.into_iter().next();
        let found = page.and_then(|page| page.rows.into_iter().next());
        found.map(|(_, role)| role.id).with_context(|| format!("role `{key}`"))
    }

    /// A page of the people in or below a group, by id, as one request reads it.
    pub async fn members(&self, group: GroupId, after: Option<Keyset>, rows: usize) -> Result<Vec<(Keyset, UserId)>> {
        let window = Window { after, rows, ..Window::default() };
        let ask = Ask { among: AmongUsers::Under(vec![group]), filter: None, order: Order::default(), window };
        let page = self.open().await?.list_users(ask).await?.into_iter().next().context("one page a parent")?;
        Ok(page.rows.into_iter().map(|(keyset, user)| (keyset, user.id)).collect())
    }

    /// How many effective members a group has, exactly.
    pub async fn count_members(&self, group: GroupId) -> Result<u64> {
        let ask = Ask { among: AmongUsers::Under(vec![group]), filter: None, order: Order::default(), window: Window::default() };
        match self.open().await?.count_users(ask).await?.first() {
            Some(Count::Exact(count)) => Ok(*count),
            other => Err(anyhow!("the members of a group are {other:?}")),
        }
    }

    fn subject(&self) -> Subject {
        Subject {
            workspace: self.workspace,
            actor: Actor::User(self.user),
            scopes: None,
            expires_at: None,
            origin: Origin::within("graphql"),
        }
    }
}
