//! Declarations of custom attributes.

use super::{
    Plan, Planning, check,
    targets::{Problems, expect},
};
use crate::access::{
    Directory, Visible,
    facts::{Deed, Facts, Planned, RowSet},
};
use crate::{
    Error, Problem, Refusal,
    change::{AttributeAfter, Change, ValuesOfRemoved},
    model::{Attribute, AttributeType, Version},
    register::Kind,
};

/// A new custom attribute.
#[derive(Clone, Debug)]
pub struct DefineAttribute {
    /// As it shall be.
    pub attribute: AttributeAfter,
}

/// The declaration of a custom attribute.
#[derive(Clone, Debug)]
pub struct UpdateAttribute {
    /// Its name.
    pub name: String,
    /// The version that the caller has seen.
    pub expected: Option<i64>,
    /// What its values are.
    pub type_: Option<AttributeType>,
    /// Whether users must have a value.
    pub required: Option<bool>,
    /// Whether no two users may have the same value.
    pub unique: Option<bool>,
    /// Whether somebody may have several values.
    pub multivalued: Option<bool>,
    /// Whether it may be filtered by where the policy agrees.
    pub searchable: Option<bool>,
}

/// A custom attribute goes, and its values for good.
#[derive(Clone, Debug)]
pub struct RemoveAttribute {
    /// Its name.
    pub name: String,
    /// The version that the caller has seen.
    pub expected: Option<i64>,
    /// Whether it may have values.
    pub values: ValuesOfRemoved,
}

impl Directory {
    /// The declared attributes that the subject may `attribute.read`, by name.
    ///
    /// # Errors
    /// [`Error::Forbidden`] if that is none at all; those of policy and store.
    pub async fn attributes(&self) -> Result<Vec<Visible<Attribute>>, Error> {
        let rows = self.seen_attributes(self.declared().await?).await?;
        if rows.is_empty() {
            self.require(&Kind::Attribute.read()).await?;
        }
        Ok(rows.into_iter().map(Visible::new).collect())
    }

    async fn seen_attributes(&self, rows: Vec<Attribute>) -> Result<Vec<Attribute>, Error> {
        let facts = Facts::Rows(RowSet::Attributes(&rows));
        let decisions = self.decide_facts(&Kind::Attribute.read(), Kind::Attribute, &facts, rows.len()).await?;
        Ok(rows.into_iter().zip(decisions).filter(|(_, decision)| decision.allows()).map(|(row, _)| row).collect())
    }

    /// See [`DefineAttribute`].
    pub(super) async fn plan_define_attribute(&self, asked: &DefineAttribute) -> Planning {
        let mut problems = Problems::default();
        let mut after = asked.attribute.clone();
        after.name = problems.keep("name", check::stable_key(&after.name)).unwrap_or_default();
        let fields = ["name", "type", "required", "unique", "multivalued", "searchable"].map(str::to_owned);
        self.permit_attribute("attribute.create", None, &fields, Some(&after), problems).await?;
        Ok(Plan::of(Change::DefineAttribute(after), Vec::new()))
    }

    /// An attribute that the subject sees.
    async fn attribute(&self, name: &str) -> Result<Attribute, Refusal> {
        let found = self.declared().await?.into_iter().filter(|attribute| attribute.name == name).collect();
        let seen = self.seen_attributes(found).await?.into_iter().next();
        seen.ok_or_else(|| Problem::at("name", Error::NotFound(format!("attribute `{name}`"))).into())
    }

    /// See [`UpdateAttribute`].
    pub(super) async fn plan_update_attribute(&self, asked: &UpdateAttribute) -> Planning {
        let before = self.attribute(&asked.name).await?;
        let mut problems = Problems::default();
        expect(&mut problems, &format!("attribute `{}`", before.name), asked.expected, before.version);
        let set = [
            (asked.type_.is_some(), "type"),
            (asked.required.is_some(), "required"),
            (asked.unique.is_some(), "unique"),
            (asked.multivalued.is_some(), "multivalued"),
            (asked.searchable.is_some(), "searchable"),
        ];
        let fields: Vec<String> = set.into_iter().filter(|(set, _)| *set).map(|(_, field)| field.to_owned()).collect();
        let after = AttributeAfter {
            name: before.name.clone(),
            type_: asked.type_.unwrap_or(before.type_),
            required: asked.required.unwrap_or(before.required),
            unique: asked.unique.unwrap_or(before.unique),
            multivalued: asked.multivalued.unwrap_or(before.multivalued),
            searchable: asked.searchable.unwrap_or(before.searchable),
        };
        self.permit_attribute("attribute.update", Some(&before), &fields, Some(&after), problems).await?;
        if row(&after, before.version) == before {
            return Ok(Plan::nothing(Vec::new()));
        }
        Ok(Plan::of(Change::UpdateAttribute { seen: before.version, attribute: after }, Vec::new()))
    }

    /// See [`RemoveAttribute`].
    pub(super) async fn plan_remove_attribute(&self, asked: &RemoveAttribute) -> Planning {
        let before = self.attribute(&asked.name).await?;
        let mut problems = Problems::default();
        expect(&mut problems, &format!("attribute `{}`", before.name), asked.expected, before.version);
        self.permit_attribute("attribute.delete", Some(&before), &[], None, problems).await?;
        Ok(Plan::of(Change::RemoveAttribute { name: before.name, seen: before.version, values: asked.values }, Vec::new()))
    }

    /// Asks the policy about a declaration, and ends the plan if it refuses or there is any problem.
    async fn permit_attribute(
        &self,
        action: &str,
        before: Option<&Attribute>,
        fields: &[String],
        after: Option<&AttributeAfter>,
        problems: Problems,
    ) -> Result<(), Refusal> {
        let planned = Planned::default();
        let after = after.map(|after| row(after, before.map_or(Version(1), |before| before.version)));
        let deed = Deed { rows: before.map(only), fields, after: after.as_ref().map(only), parties: Vec::new(), planned: &planned };
        let mut refused = Problems::default();
        self.permit(action, Kind::Attribute, &deed, |_| "name".to_owned(), &mut refused).await?;
        problems.judged(refused)
    }

    /// Asks the policy about a write of something of the workspace as a whole.
    pub(super) async fn permit_other(&self, action: &str, kind: Kind, fields: &[String], at: &str) -> Result<(), Refusal> {
        let planned = Planned::default();
        let rows = Some(RowSet::Others(kind, 1));
        let deed = Deed { rows, fields, after: None, parties: Vec::new(), planned: &planned };
        let mut problems = Problems::default();
        self.permit(action, kind, &deed, |_| at.to_owned(), &mut problems).await?;
        problems.none()
    }
}

fn only(row: &Attribute) -> RowSet<'_> {
    RowSet::Attributes(std::slice::from_ref(row))
}

/// A declaration as it shall be, as a row.
fn row(after: &AttributeAfter, version: Version) -> Attribute {
    let AttributeAfter { name, type_, required, unique, multivalued, searchable } = after.clone();
    Attribute { name, type_, required, unique, multivalued, searchable, version }
}
