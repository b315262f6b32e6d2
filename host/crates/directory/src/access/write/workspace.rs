//! The workspace's own fields and rules.

use super::{
    Plan, Planning, check,
    targets::{Problems, expect},
};
use crate::access::{Directory, Sealed, Visible};
use crate::{
    Error, Problem,
    change::{Change, CodeRules},
    model::CodeRule,
    register::Kind,
};

/// The workspace's own fields.
#[derive(Clone, Debug)]
pub struct UpdateWorkspace {
    /// The version that the caller has seen.
    pub expected: Option<i64>,
    /// Its name.
    pub name: String,
}

/// The rules for user codes; those that are not given stay.
#[derive(Clone, Debug)]
pub struct SetCodeRules {
    /// Characters at least.
    pub min_length: Option<i32>,
    /// Characters at most.
    pub max_length: Option<i32>,
    /// Which characters.
    pub rule: Option<CodeRule>,
}

impl Directory {
    /// The rules for user codes, for whoever may `settings.read`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; those of policy and store.
    pub async fn code_rules(&self) -> Result<Visible<CodeRules>, Error> {
        self.require(&Kind::Settings.read()).await?;
        Ok(Visible::new(self.snapshot.lock().await.workspace().await?.open().code_rules))
    }

    /// See [`UpdateWorkspace`].
    pub(super) async fn plan_update_workspace(&self, asked: &UpdateWorkspace) -> Planning {
        if self.workspace().await?.is_none() {
            return Err(Problem::at("", Error::NotFound("the workspace".to_owned())).into());
        }
        let before = self.snapshot.lock().await.workspace().await.map(Sealed::open)?;
        let mut problems = Problems::default();
        expect(&mut problems, "the workspace", asked.expected, before.version);
        let name = problems.keep("name", check::name(&asked.name)).unwrap_or_default();
        self.permit_other("workspace.update", Kind::Workspace, &["name".to_owned()], "name").await?;
        problems.none()?;
        let answer = vec![before.id.0];
        if before.name.shown() == Some(&name) {
            return Ok(Plan::nothing(answer));
        }
        Ok(Plan::of(Change::UpdateWorkspace { seen: before.version, name }, answer))
    }

    /// See [`SetCodeRules`].
    pub(super) async fn plan_set_code_rules(&self, asked: &SetCodeRules) -> Planning {
        let before = self.snapshot.lock().await.workspace().await.map(Sealed::open)?;
        let mut problems = Problems::default();
        let mut length = |field, asked: Option<i32>, before| {
            asked.map_or(Some(before), |asked| problems.keep(field, check::code_length(asked))).unwrap_or(before)
        };
        let rules = CodeRules {
            min_length: length("minLength", asked.min_length, before.code_rules.min_length),
            max_length: length("maxLength", asked.max_length, before.code_rules.max_length),
            rule: asked.rule.unwrap_or(before.code_rules.rule),
        };
        let set = [(asked.min_length.is_some(), "minLength"), (asked.max_length.is_some(), "maxLength"), (asked.rule.is_some(), "rule")];
        let fields: Vec<String> = set.into_iter().filter(|(set, _)| *set).map(|(_, field)| field.to_owned()).collect();
        self.permit_other("settings.update", Kind::Settings, &fields, "").await?;
        problems.none()?;
        let wrong = if asked.min_length.is_none() { "maxLength" } else { "minLength" };
        check::code_rules_hold(rules).map_err(|error| Problem::at(wrong, error))?;
        let answer = vec![before.id.0];
        if rules == before.code_rules {
            return Ok(Plan::nothing(answer));
        }
        Ok(Plan::of(Change::SetCodeRules { seen: before.version, rules }, answer))
    }
}
