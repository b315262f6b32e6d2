//! The facts on which policies decide. Every answer is sealed, as rows are.

use directory::{
    Error, Sealed,
    ids::{GroupId, RoleId, UserId},
    store::{GroupFact, RoleFact, SubjectFacts},
};

use crate::{
    exec::Columns,
    keys, limits, rows,
    snapshot::View,
    sql::{among, among_texts, sql},
};

/// One statement for all that is known of a subject: each row says what it is.
const SUBJECT: &str = "
select 'group' as fact, m.group_id as first, null as second, m.manager as flag, null as name, null as value
from memberships m
where m.workspace_id = {}
  and m.user_id = {}
union all
select 'grant', a.role_id, a.within_group_id, false, null, null
from grants a
where a.workspace_id = {}
  and a.user_id = {}
union all
select 'attribute', null, null, false, t.name, t.value_key
from user_attributes t
where t.workspace_id = {}
  and t.user_id = {}
union all
select 'top', null, null, true, null, null
from top_managers x
where x.workspace_id = {}
  and x.user_id = {}
union all
select 'active', null, null, u.status = 'active', null, null
from users u
where u.workspace_id = {}
  and u.id = {}";

/// A user's facts as a subject.
pub(crate) async fn subject(view: &mut View, user: UserId) -> Result<Sealed<SubjectFacts>, Error> {
    let of = view.workspace;
    let found = view.fetch(sql!(SUBJECT, of, user, of, user, of, user, of, user, of, user).fixed()).await?;
    let mut facts = SubjectFacts::default();
    for row in &found {
        subject_fact(&mut facts, &mut row.columns())?;
    }
    facts.groups.sort_unstable();
    facts.manages.sort_unstable();
    facts.grants.sort_unstable();
    facts.attributes.sort_unstable();
    Ok(Sealed::new(facts))
}

fn subject_fact(facts: &mut SubjectFacts, columns: &mut Columns<'_>) -> Result<(), Error> {
    let fact: String = columns.take()?;
    let first = rows::optional(columns)?;
    let second = rows::optional(columns)?;
    let flag: bool = columns.take()?;
    match (fact.as_str(), first) {
        ("group", Some(group)) => {
            facts.groups.push(GroupId(group));
            facts.manages.extend(flag.then_some(GroupId(group)));
        }
        ("grant", Some(role)) => facts.grants.push((RoleId(role), second.map(GroupId))),
        ("attribute", _) => facts.attributes.push((columns.take()?, columns.take()?)),
        ("active", _) => facts.active = flag,
        _ => facts.manages_top = true,
    }
    Ok(())
}

const GROUP_CHAINS: &str = "
select g.id, g.parent_id, g.key_key
from groups g
where g.workspace_id = {}
  and g.id in (
    select c.ancestor_id
    from group_closure c
    where c.workspace_id = {}
      and c.group_id {}
  )";

/// These groups and everything above them, each once.
pub(crate) async fn group_chains(view: &mut View, groups: &[GroupId]) -> Result<Sealed<Vec<GroupFact>>, Error> {
    chains(view, groups).await.map(Sealed::new)
}

async fn chains(view: &mut View, groups: &[GroupId]) -> Result<Vec<GroupFact>, Error> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sql!(GROUP_CHAINS, view.workspace, view.workspace, among(groups.iter().map(|id| id.0)));
    let found = view.fetch(sql.fixed()).await?;
    let read = |columns: &mut Columns<'_>| {
        Ok(GroupFact {
            id: GroupId(columns.take()?),
            parent: rows::optional(columns)?.map(GroupId),
            key: keys::folded(&columns.take::<String>()?).to_owned(),
        })
    };
    found.iter().map(|row| read(&mut row.columns())).collect()
}

const PARENTS: &str = "
select g.id, g.parent_id
from groups g
where g.workspace_id = {}";

/// The parents of these groups and of everything above them, and perhaps of others. Of many groups it is less work to read them all than
/// to find what is above each.
pub(crate) async fn parents(view: &mut View, groups: &[GroupId]) -> Result<Sealed<Vec<(GroupId, Option<GroupId>)>>, Error> {
    if groups.len() < limits::SOUGHT_GROUPS {
        let chains = chains(view, groups).await?;
        return Ok(Sealed::new(chains.into_iter().map(|fact| (fact.id, fact.parent)).collect()));
    }
    let found = view.fetch(sql!(PARENTS, view.workspace).fixed()).await?;
    let read = |columns: &mut Columns<'_>| Ok((GroupId(columns.take()?), rows::optional(columns)?.map(GroupId)));
    found.iter().map(|row| read(&mut row.columns())).collect::<Result<_, _>>().map(Sealed::new)
}

const DIRECT_GROUPS: &str = "
select m.user_id, m.group_id
from memberships m
where m.workspace_id = {}
  and m.user_id {}";

/// The direct memberships of these users.
pub(crate) async fn direct_groups(view: &mut View, users: &[UserId]) -> Result<Sealed<Vec<(UserId, GroupId)>>, Error> {
    if users.is_empty() {
        return Ok(Sealed::new(Vec::new()));
    }
    let found = view.fetch(sql!(DIRECT_GROUPS, view.workspace, among(users.iter().map(|id| id.0))).fixed()).await?;
    let read = |columns: &mut Columns<'_>| Ok((UserId(columns.take()?), GroupId(columns.take()?)));
    found.iter().map(|row| read(&mut row.columns())).collect::<Result<_, _>>().map(Sealed::new)
}

const HELD_ROLES: &str = "
select distinct a.user_id, a.role_id
from grants a
where a.workspace_id = {}
  and a.user_id {}";

/// The roles of these users, each once.
pub(crate) async fn held_roles(view: &mut View, users: &[UserId]) -> Result<Sealed<Vec<(UserId, RoleId)>>, Error> {
    if users.is_empty() {
        return Ok(Sealed::new(Vec::new()));
    }
    let found = view.fetch(sql!(HELD_ROLES, view.workspace, among(users.iter().map(|id| id.0))).fixed()).await?;
    let read = |columns: &mut Columns<'_>| Ok((UserId(columns.take()?), RoleId(columns.take()?)));
    found.iter().map(|row| read(&mut row.columns())).collect::<Result<_, _>>().map(Sealed::new)
}

const ROLES: &str = "
select r.id, r.key_key, r.builtin, r.permissions
from roles r
where r.workspace_id = {}
  and r.id {}";

/// These roles.
pub(crate) async fn roles(view: &mut View, roles: &[RoleId]) -> Result<Sealed<Vec<RoleFact>>, Error> {
    if roles.is_empty() {
        return Ok(Sealed::new(Vec::new()));
    }
    let found = view.fetch(sql!(ROLES, view.workspace, among(roles.iter().map(|id| id.0))).fixed()).await?;
    let read = |columns: &mut Columns<'_>| {
        let id = RoleId(columns.take()?);
        let key = keys::folded(&columns.take::<String>()?).to_owned();
        let builtin: bool = columns.take()?;
        let permissions = rows::permissions(&key, builtin, rows::texts(columns)?);
        Ok(RoleFact { id, key, permissions })
    };
    found.iter().map(|row| read(&mut row.columns())).collect::<Result<_, _>>().map(Sealed::new)
}

const GROUPS_BY_KEY: &str = "
select g.key_key, g.id
from groups g
where g.workspace_id = {}
  and g.key_key {}";

/// Groups by folded key.
pub(crate) async fn groups_by_key(view: &mut View, keys: &[String]) -> Result<Sealed<Vec<(String, GroupId)>>, Error> {
    let found = by_key(view, GROUPS_BY_KEY, keys).await?;
    Ok(Sealed::new(found.into_iter().map(|(key, id)| (key, GroupId(id))).collect()))
}

const ROLES_BY_KEY: &str = "
select r.key_key, r.id
from roles r
where r.workspace_id = {}
  and r.key_key {}";

/// Roles by folded key.
pub(crate) async fn roles_by_key(view: &mut View, keys: &[String]) -> Result<Sealed<Vec<(String, RoleId)>>, Error> {
    let found = by_key(view, ROLES_BY_KEY, keys).await?;
    Ok(Sealed::new(found.into_iter().map(|(key, id)| (key, RoleId(id))).collect()))
}

async fn by_key(view: &mut View, statement: &'static str, keys: &[String]) -> Result<Vec<(String, uuid::Uuid)>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys = among_texts(keys.iter().map(|key| keys::key_of_folded(key)));
    let found = view.fetch(sql!(statement, view.workspace, keys).fixed()).await?;
    let read = |columns: &mut Columns<'_>| {
        let key: String = columns.take()?;
        Ok((keys::folded(&key).to_owned(), columns.take()?))
    };
    found.iter().map(|row| read(&mut row.columns())).collect()
}
