//! Users: changed, suspended, activated, removed, restored.

use uuid::Uuid;

use super::{
    Plan, Planning,
    check::{self, AttributesSet},
    targets::{Found, Problems, bulk, expect, once},
};
use crate::access::{
    Directory, Sealed,
    facts::{Deed, Planned, RowSet},
};
use crate::{
    Error, Problem, Refusal, Rule,
    change::{AccountName, Change, CodeRules, NewAccount, Texts, UserAfter},
    ids::{AccountId, DeletionId, GroupId, RoleId, UserId, WorkspaceId},
    model::{Attribute, Deleted, Field, Group, Status, User, UserText, Version},
    register::Kind,
    store::IdSource,
    text::fold,
};

/// Fields of a user.
#[derive(Clone, Debug)]
pub struct UpdateUser {
    /// Which.
    pub user: UserId,
    /// The version that the caller has seen.
    pub expected: Option<i64>,
    /// Texts to set, or to clear.
    pub texts: Vec<(UserText, Option<String>)>,
    /// Belongs to this workspace only.
    pub exclusive: Option<bool>,
    /// Custom attributes to set; those without a value are unassigned.
    pub attributes: AttributesSet,
}

/// Users become active or suspended.
#[derive(Clone, Debug)]
pub struct SetStatus {
    /// Whom.
    pub users: Vec<UserId>,
    /// `Active` or `Suspended`.
    pub status: Status,
    /// The version that the caller has seen, of a single user.
    pub expected: Option<i64>,
}

/// Users go to the recycle bin.
#[derive(Clone, Debug)]
pub struct RemoveUsers {
    /// Whom.
    pub users: Vec<UserId>,
    /// The version that the caller has seen, of a single user.
    pub expected: Option<i64>,
}

/// A user comes back from the recycle bin.
#[derive(Clone, Debug)]
pub struct RestoreUser {
    /// Whom.
    pub user: UserId,
    /// Texts to come back with, where the old ones are taken by now.
    pub texts: Vec<(UserText, String)>,
}

/// What the workspace asks of users.
pub(super) struct World {
    pub(super) attributes: Vec<Attribute>,
    pub(super) rules: CodeRules,
}

impl Directory {
    pub(super) async fn world(&self) -> Result<World, Error> {
        let mut snapshot = self.snapshot.lock().await;
        let attributes = snapshot.attributes().await?.into_iter().map(Sealed::open).collect();
        Ok(World { attributes, rules: snapshot.workspace().await?.open().code_rules })
    }

    /// See [`UpdateUser`].
    pub(super) async fn plan_update_user(&self, asked: &UpdateUser, ids: &mut dyn IdSource) -> Planning {
        let mut problems = Problems::default();
        let before = self.seen_user(asked.user, "userId", &mut problems).await?;
        let world = self.world().await?;
        expect(&mut problems, &format!("user `{}`", asked.user), asked.expected, before.version);
        let mut texts = stored_texts(&before);
        let mut fields = Vec::new();
        for (which, text) in &asked.texts {
            let text = match text {
                Some(text) => problems.keep(which.field(), check::user_text(*which, text, world.rules)),
                None if *which == UserText::UserName => {
                    problems.add("userName", Error::Invalid("a user always has a user name; choose another instead of none".to_owned()));
                    None
                }
                None => None,
            };
            set(&mut texts, *which, text);
            fields.push(which.field().to_owned());
        }
        // A user name that was the address stays the address.
        let (old, new) = (before.text(UserText::Email).shown().cloned().flatten(), get(&texts, UserText::Email).cloned());
        let named = asked.texts.iter().any(|(which, _)| *which == UserText::UserName);
        let user_name = before.text(UserText::UserName).shown().cloned().flatten();
        if let (false, Some(old), Some(new), Some(user_name)) = (named, old, new, user_name)
            && fold(&old) == fold(&user_name)
            && new != old
        {
            set(&mut texts, UserText::UserName, Some(new));
            fields.push(UserText::UserName.field().to_owned());
        }
        let exclusive = asked.exclusive.unwrap_or(before.exclusive == Field::Shown(true));
        fields.extend(asked.exclusive.map(|_| "exclusive".to_owned()));
        fields.extend(asked.attributes.iter().map(|(name, _)| format!("attributes.{name}")));
        let attributes = check::attributes(&before.attributes, &asked.attributes, &world.attributes, "attributes", &mut problems.0);
        if !asked.attributes.is_empty() {
            check::required(&attributes, &world.attributes, "attributes", &mut problems.0);
        }
        let after = User {
            texts: texts.clone().map(Field::Shown),
            exclusive: Field::Shown(exclusive),
            attributes: attributes.clone(),
            ..before.clone()
        };
        let planned = Planned::default();
        let (rows, later) = (std::slice::from_ref(&before), std::slice::from_ref(&after));
        let deed = Deed {
            rows: Some(RowSet::Users(rows)),
            fields: &fields,
            after: Some(RowSet::Users(later)),
            parties: Vec::new(),
            planned: &planned,
        };
        let mut refused = Problems::default();
        self.permit("user.update", Kind::User, &deed, |_| "userId".to_owned(), &mut refused).await?;
        problems.judged(refused)?;
        if after == before {
            return Ok(Plan::nothing(vec![before.id.0]));
        }
        let facts_changed = after.exclusive != before.exclusive || after.attributes != before.attributes;
        let account = self.new_account(&before, &texts, ids);
        let change = UserAfter { id: before.id, seen: before.version, account, texts, exclusive, attributes, facts_changed };
        Ok(Plan::of(Change::UpdateUser(Box::new(change)), vec![before.id.0]))
    }

    /// Which account follows from texts that tell people apart, if another one does.
    fn new_account(&self, before: &User, texts: &Texts, ids: &mut dyn IdSource) -> Option<NewAccount> {
        let workspace = self.subject.workspace;
        let (from, to) = (account(&stored_texts(before), before.id, workspace), account(texts, before.id, workspace));
        (from != to).then(|| NewAccount { from, to, id: AccountId(ids.next_id()) })
    }

    /// See [`SetStatus`].
    pub(super) async fn plan_set_status(&self, asked: &SetStatus) -> Planning {
        let (action, status) = match asked.status {
            Status::Active => ("user.activate", Status::Active),
            _ => ("user.suspend", Status::Suspended),
        };
        let mut problems = Problems::default();
        let found = self.chosen_users(&asked.users, asked.expected, &mut problems).await?;
        if status == Status::Suspended {
            self.refuse_self(&asked.users, "suspend", &mut problems);
        }
        let users = &found.rows;
        let fields = vec!["status".to_owned()];
        let after: Vec<User> = users.iter().map(|user| User { status: Field::Shown(status), ..user.clone() }).collect();
        let planned = Planned::default();
        let deed = Deed {
            rows: Some(RowSet::Users(users)),
            fields: &fields,
            after: Some(RowSet::Users(&after)),
            parties: Vec::new(),
            planned: &planned,
        };
        let mut refused = Problems::default();
        self.permit(action, Kind::User, &deed, |row| found.at("userIds", row), &mut refused).await?;
        problems.judged(refused)?;
        let ids = users.iter().map(|user| user.id.0).collect();
        let changed = users.iter().filter(|user| user.status != Field::Shown(status));
        let changed: Vec<(UserId, Version)> = changed.map(|user| (user.id, user.version)).collect();
        if changed.is_empty() {
            return Ok(Plan::nothing(ids));
        }
        Ok(Plan::of(Change::SetStatus { users: changed, status }, ids))
    }

    /// See [`RemoveUsers`].
    pub(super) async fn plan_remove_users(&self, asked: &RemoveUsers, ids: &mut dyn IdSource) -> Planning {
        let mut problems = Problems::default();
        let found = self.chosen_users(&asked.users, asked.expected, &mut problems).await?;
        self.refuse_self(&asked.users, "remove", &mut problems);
        let users = &found.rows;
        let planned = Planned::default();
        let deed = Deed { rows: Some(RowSet::Users(users)), fields: &[], after: None, parties: Vec::new(), planned: &planned };
        let mut refused = Problems::default();
        self.permit("user.delete", Kind::User, &deed, |row| found.at("userIds", row), &mut refused).await?;
        problems.judged(refused)?;
        let removed = users.iter().map(|user| (user.id, user.version, DeletionId(ids.next_id()))).collect();
        Ok(Plan::of(Change::RemoveUsers(removed), users.iter().map(|user| user.id.0).collect()))
    }

    /// The users of a bulk; there is a problem unless each stands once and none is deleted.
    async fn chosen_users(&self, ids: &[UserId], expected: Option<i64>, problems: &mut Problems) -> Result<Found<User>, Refusal> {
        bulk("userIds", ids.len())?;
        once(problems, |position| format!("userIds.{position}"), ids.iter().copied());
        let found = self.seen_users(ids, |position| format!("userIds.{position}"), problems).await?;
        if let [only] = found.rows.as_slice() {
            expect(problems, &format!("user `{}`", only.id), expected, only.version);
        }
        Ok(found)
    }

    /// Nobody suspends or removes themself (D20).
    fn refuse_self(&self, ids: &[UserId], verb: &str, problems: &mut Problems) {
        if let Some(position) = ids.iter().position(|id| Some(*id) == self.subject.user()) {
            let message = format!("nobody can {verb} themself; ask another administrator");
            problems.add(&format!("userIds.{position}"), Error::Broken { rule: Rule::OwnAccess, message });
        }
    }

    /// See [`RestoreUser`].
    pub(super) async fn plan_restore_user(&self, asked: &RestoreUser, ids: &mut dyn IdSource) -> Planning {
        let not_found = || Problem::at("userId", Error::NotFound(format!("user `{}`", asked.user)));
        let Some(before) = self.binned_user(asked.user).await? else {
            let there = self.targets::<User>(&[asked.user.0]).await?.into_iter().flatten().next();
            return Err(match there.filter(|user| user.status != Field::Shown(Status::Deleted)) {
                Some(user) => self.not_in_the_bin(&user).await?,
                None => not_found().into(),
            });
        };
        let deletion = self.snapshot.lock().await.deletion_of(asked.user.0).await?.map(Sealed::open);
        let Some(deletion) = deletion.filter(|deletion| matches!(deletion.of, Deleted::User(_))) else { return Err(not_found().into()) };
        let binned = self.snapshot.lock().await.binned(&deletion).await?.open();
        let world = self.world().await?;
        let mut problems = Problems::default();
        let mut texts = stored_texts(&before);
        let mut fields = Vec::new();
        for (which, text) in &asked.texts {
            let text = problems.keep(which.field(), check::user_text(*which, text, world.rules));
            set(&mut texts, *which, text);
            fields.push(which.field().to_owned());
        }
        let status = deletion.status.unwrap_or(Status::Suspended);
        let after = User { texts: texts.clone().map(Field::Shown), status: Field::Shown(status), ..before.clone() };
        let mut held: Vec<RoleId> = binned.grants.iter().map(|(_, role, _)| *role).collect();
        held.sort_unstable();
        held.dedup();
        let raw: Vec<Uuid> = held.iter().map(|role| role.0).collect();
        let roles = self.stored_roles(&raw).await?;
        let mut planned = Planned::default();
        let groups: Vec<GroupId> = binned.memberships.iter().map(|(group, _)| *group).collect();
        let managed = binned.memberships.iter().filter(|(_, manager)| *manager).map(|(group, _)| *group);
        let managed: Vec<GroupId> = managed.chain(deletion.managed_top.then_some(Group::top().id)).collect();
        planned.users.insert(before.id, (before.clone(), groups.clone(), held));
        let groups = self.rows_of_groups(groups, &planned).await?;
        let managed = self.rows_of_groups(managed, &planned).await?;
        let mut parties: Vec<_> = groups.iter().map(|group| ("group", RowSet::Groups(std::slice::from_ref(group)))).collect();
        parties.extend(managed.iter().map(|group| ("manages", RowSet::Groups(std::slice::from_ref(group)))));
        parties.extend(roles.iter().map(|role| ("role", RowSet::Roles(std::slice::from_ref(role)))));
        let deed = Deed {
            rows: Some(RowSet::Users(std::slice::from_ref(&before))),
            fields: &fields,
            after: Some(RowSet::Users(std::slice::from_ref(&after))),
            parties,
            planned: &planned,
        };
        let mut refused = Problems::default();
        self.permit("user.restore", Kind::User, &deed, |_| "userId".to_owned(), &mut refused).await?;
        problems.judged(refused)?;
        let change = UserAfter {
            id: before.id,
            seen: before.version,
            account: self.new_account(&before, &texts, ids),
            texts,
            exclusive: before.exclusive == Field::Shown(true),
            attributes: before.attributes.clone(),
            facts_changed: true,
        };
        Ok(Plan::of(Change::RestoreUser(Box::new(change)), vec![before.id.0]))
    }

    /// That a user is not in the recycle bin is told to whoever might restore it if it were: not everybody sees its status.
    async fn not_in_the_bin(&self, user: &User) -> Result<Refusal, Error> {
        let (mut problems, mut refused, planned) = (Problems::default(), Problems::default(), Planned::default());
        let message = format!("user `{}` is not in the recycle bin", user.id);
        problems.add("userId", Error::Broken { rule: Rule::Restore, message });
        let rows = Some(RowSet::Users(std::slice::from_ref(user)));
        let deed = Deed { rows, fields: &[], after: rows, parties: Vec::new(), planned: &planned };
        self.permit("user.restore", Kind::User, &deed, |_| "userId".to_owned(), &mut refused).await?;
        Ok(problems.judged(refused).err().unwrap_or_else(|| Error::Stale("the user".to_owned()).into()))
    }
}

pub(super) fn get(texts: &Texts, which: UserText) -> Option<&String> {
    texts.get(which as usize).and_then(Option::as_ref)
}

pub(super) fn set(texts: &mut Texts, which: UserText, text: Option<String>) {
    if let Some(slot) = texts.get_mut(which as usize) {
        *slot = text;
    }
}

fn stored_texts(user: &User) -> Texts {
    user.texts.clone().map(|text| match text {
        Field::Shown(text) => text,
        Field::Withheld => None,
    })
}

/// Whose membership a user is. An address alone is the same person everywhere. With a code it is one of several who share it, whom
/// only the workspace tells apart; without an address nobody else could mean the same person.
pub(super) fn account(texts: &Texts, id: UserId, workspace: WorkspaceId) -> AccountName {
    match (get(texts, UserText::Email), get(texts, UserText::Code)) {
        (Some(email), None) => AccountName { issuer: "email".to_owned(), identifier: fold(email) },
        (Some(email), Some(code)) => {
            AccountName { issuer: format!("workspace:{workspace}"), identifier: format!("{}#{}", fold(email), fold(code)) }
        }
        (None, _) => AccountName { issuer: format!("workspace:{workspace}"), identifier: id.to_string() },
    }
}
