//! Roles: created, changed, deleted, restored.

use super::{
    Plan, Planning, check,
    groups::default_key,
    targets::{Problems, expect},
};
use crate::access::{
    Directory, Sealed,
    decide::Decision,
    facts::{Deed, Facts, Planned, RowSet},
};
use crate::{
    Error, Problem, Refusal, Rule,
    change::{Change, NewRole},
    ids::{DeletionId, RoleId},
    model::{Deleted, Field, Role, Version},
    register::{self, Kind},
    store::IdSource,
};

/// A new role.
#[derive(Clone, Debug, Default)]
pub struct CreateRole {
    /// Its name.
    pub name: String,
    /// Stable, unique in the workspace; made of the name if none is given.
    pub key: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Action names.
    pub permissions: Vec<String>,
}

/// Fields of a role.
#[derive(Clone, Debug)]
pub struct UpdateRole {
    /// Which.
    pub role: RoleId,
    /// The version that the caller has seen.
    pub expected: Option<i64>,
    /// Its name.
    pub name: Option<String>,
    /// For people; `Some(None)` clears it.
    pub description: Option<Option<String>>,
    /// Action names, all of them.
    pub permissions: Option<Vec<String>>,
}

/// A role goes to the recycle bin, with every grant of it.
#[derive(Clone, Debug)]
pub struct DeleteRole {
    /// Which.
    pub role: RoleId,
    /// The version that the caller has seen.
    pub expected: Option<i64>,
}

/// A role comes back from the recycle bin.
#[derive(Clone, Debug)]
pub struct RestoreRole {
    /// Which.
    pub role: RoleId,
    /// Another key, where its own is taken by now.
    pub key: Option<String>,
}

impl Directory {
    /// See [`CreateRole`].
    pub(super) async fn plan_create_role(&self, asked: &CreateRole, ids: &mut dyn IdSource) -> Planning {
        let mut problems = Problems::default();
        let id = RoleId(ids.next_id());
        let name = problems.keep("name", check::name(&asked.name)).unwrap_or_default();
        let key = match &asked.key {
            Some(key) => problems.keep("key", check::stable_key(key)).unwrap_or_default(),
            None => default_key(&name, "role", id.0),
        };
        let description = asked.description.as_deref().and_then(|text| problems.keep("description", check::description(text)));
        let permissions = check_permissions(&asked.permissions, &mut problems);
        let mut fields = vec!["name".to_owned(), "permissions".to_owned()];
        fields.extend(asked.key.as_ref().map(|_| "key".to_owned()));
        fields.extend(asked.description.as_ref().map(|_| "description".to_owned()));
        let after = Role {
            id,
            key: Field::Shown(key.clone()),
            name: Field::Shown(name.clone()),
            description: Field::Shown(description.clone()),
            builtin: Field::Shown(false),
            permissions: Field::Shown(permissions.clone()),
            created_by: self.subject.user(),
            created_at: self.now,
            updated_at: self.now,
            version: Version(1),
            withheld: Vec::new(),
        };
        let planned = Planned { roles: vec![super::parties::role_fact(&after)], ..Planned::default() };
        let deed = Deed {
            rows: None,
            fields: &fields,
            after: Some(RowSet::Roles(std::slice::from_ref(&after))),
            parties: Vec::new(),
            planned: &planned,
        };
        let mut refused = Problems::default();
        self.permit("role.create", Kind::Role, &deed, |_| String::new(), &mut refused).await?;
        problems.judged(refused)?;
        Ok(Plan::of(Change::CreateRole(NewRole { id, key, name, description, permissions }), vec![id.0]))
    }

    /// A role that the subject sees; there is a problem unless it is the workspace's own.
    async fn own_role(&self, id: RoleId, expected: Option<i64>, problems: &mut Problems) -> Result<Role, Refusal> {
        let found = self.targets::<Role>(&[id.0]).await?.into_iter().flatten().next();
        let role = found.ok_or_else(|| Problem::at("roleId", Error::NotFound(format!("role `{id}`"))))?;
        expect(problems, &format!("role `{id}`"), expected, role.version);
        if role.builtin == Field::Shown(true) {
            let message = "the role is built in and never changes; make one of your own".to_owned();
            problems.add("roleId", Error::Broken { rule: Rule::BuiltIn, message });
        }
        Ok(role)
    }

    /// See [`UpdateRole`].
    pub(super) async fn plan_update_role(&self, asked: &UpdateRole) -> Planning {
        let mut problems = Problems::default();
        let before = self.own_role(asked.role, asked.expected, &mut problems).await?;
        let mut after = before.clone();
        let mut fields = Vec::new();
        if let Some(name) = &asked.name {
            after.name = Field::Shown(problems.keep("name", check::name(name)).unwrap_or_default());
            fields.push("name".to_owned());
        }
        if let Some(description) = &asked.description {
            let text = description.as_deref().and_then(|text| problems.keep("description", check::description(text)));
            after.description = Field::Shown(text);
            fields.push("description".to_owned());
        }
        if let Some(permissions) = &asked.permissions {
            after.permissions = Field::Shown(check_permissions(permissions, &mut problems));
            fields.push("permissions".to_owned());
        }
        let planned = Planned::default();
        let deed = Deed {
            rows: Some(RowSet::Roles(std::slice::from_ref(&before))),
            fields: &fields,
            after: Some(RowSet::Roles(std::slice::from_ref(&after))),
            parties: Vec::new(),
            planned: &planned,
        };
        let mut refused = Problems::default();
        self.permit("role.update", Kind::Role, &deed, |_| "roleId".to_owned(), &mut refused).await?;
        problems.judged(refused)?;
        let answer = vec![before.id.0];
        if after == before {
            return Ok(Plan::nothing(answer));
        }
        let role = NewRole {
            id: after.id,
            key: after.key.shown().cloned().unwrap_or_default(),
            name: after.name.shown().cloned().unwrap_or_default(),
            description: after.description.shown().cloned().flatten(),
            permissions: after.permissions.shown().cloned().unwrap_or_default(),
        };
        Ok(Plan::of(Change::UpdateRole { seen: before.version, role }, answer))
    }

    /// See [`DeleteRole`].
    pub(super) async fn plan_delete_role(&self, asked: &DeleteRole, ids: &mut dyn IdSource) -> Planning {
        let (mut problems, mut refused) = (Problems::default(), Problems::default());
        let role = self.own_role(asked.role, asked.expected, &mut problems).await?;
        let planned = Planned::default();
        let rows = RowSet::Roles(std::slice::from_ref(&role));
        let deed = Deed { rows: Some(rows), fields: &[], after: None, parties: Vec::new(), planned: &planned };
        self.permit("role.delete", Kind::Role, &deed, |_| "roleId".to_owned(), &mut refused).await?;
        problems.judged(refused)?;
        let change = Change::DeleteRole { role: role.id, seen: role.version, deletion: DeletionId(ids.next_id()) };
        Ok(Plan::of(change, vec![role.id.0]))
    }

    /// See [`RestoreRole`].
    pub(super) async fn plan_restore_role(&self, asked: &RestoreRole) -> Planning {
        let not_found = || Problem::at("roleId", Error::NotFound(format!("role `{}` in the recycle bin", asked.role)));
        let mut snapshot = self.snapshot.lock().await;
        let deletion = snapshot.deletion_of(asked.role.0).await?.map(Sealed::open);
        let Some(deletion) = deletion.filter(|deletion| deletion.of == Deleted::Role(asked.role)) else { return Err(not_found().into()) };
        let role = snapshot.binned(&deletion).await?.open().role.ok_or_else(not_found)?;
        drop(snapshot);
        let planned = Planned { roles: vec![super::parties::role_fact(&role)], ..Planned::default() };
        let rows = RowSet::Roles(std::slice::from_ref(&role));
        // Who could not see it if it were there does not see it in the bin.
        let read = Facts::Imagined(rows, &planned);
        if !self.decide_facts(&Kind::Role.read(), Kind::Role, &read, 1).await?.iter().any(Decision::allows) {
            return Err(not_found().into());
        }
        let mut problems = Problems::default();
        let key = asked.key.as_deref().and_then(|key| problems.keep("key", check::stable_key(key)));
        let after = Role { key: key.map_or(role.key.clone(), Field::Shown), ..role.clone() };
        let fields: Vec<String> = asked.key.iter().map(|_| "key".to_owned()).collect();
        let later = RowSet::Roles(std::slice::from_ref(&after));
        let deed = Deed { rows: Some(rows), fields: &fields, after: Some(later), parties: vec![("role", later)], planned: &planned };
        let mut refused = Problems::default();
        self.permit("role.restore", Kind::Role, &deed, |_| "roleId".to_owned(), &mut refused).await?;
        problems.judged(refused)?;
        let key = after.key.shown().cloned().unwrap_or_default();
        Ok(Plan::of(Change::RestoreRole { role: role.id, deletion: deletion.id, key }, vec![role.id.0]))
    }
}

/// Names of actions, each once, in the register's order.
fn check_permissions(names: &[String], problems: &mut Problems) -> Vec<String> {
    for (position, name) in names.iter().enumerate() {
        if register::action(name).is_none() {
            let message = format!("`{name}` is no action; the register in the docs lists them");
            problems.add(&format!("permissions.{position}"), Error::Invalid(message));
        }
    }
    register::actions().filter(|action| names.contains(action)).collect()
}
