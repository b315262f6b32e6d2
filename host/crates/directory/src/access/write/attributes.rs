//! Declarations of custom attributes.

use super::{
    Plan, Planning, check,
    targets::{Problems, expect},
};
use crate::access::{
    Directory, Visible,
    facts::{Deed, Planned, RowSet},
};
use crate::{
    Error, Problem, Refusal,
    change::{AttributeAfter, Change, ValuesOfRemoved},
    model::{Attribute, AttributeType},
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
    /// The declared attributes, by name, for whoever may `attribute.read`.
    ///
    /// # Errors
    /// [`Error::Forbidden`]; those of policy and store.
    pub async fn attributes(&self) -> Result<Vec<Visible<Attribute>>, Error> {
        self.require(&Kind::Attribute.read()).await?;
        Ok(self.declared().await?.into_iter().map(Visible::new).collect())
    }

    /// See [`DefineAttribute`].
    pub(super) async fn plan_define_attribute(&self, asked: &DefineAttribute) -> Planning {
        let mut problems = Problems::default();
        let attribute = &asked.attribute;
        let name = problems.keep("name", check::stable_key(&attribute.name)).unwrap_or_default();
        problems.so_far()?;
        let fields = ["name", "type", "required", "unique", "multivalued", "searchable"].map(str::to_owned);
        self.permit_other("attribute.create", Kind::Attribute, &fields, "name").await?;
        Ok(Plan::of(Change::DefineAttribute(AttributeAfter { name, ..attribute.clone() }), Vec::new()))
    }

    async fn attribute(&self, name: &str, expected: Option<i64>) -> Result<Attribute, Refusal> {
        let not_found = || Problem::at("name", Error::NotFound(format!("attribute `{name}`")));
        match self.require(&Kind::Attribute.read()).await {
            Err(Error::Forbidden { .. }) => return Err(not_found().into()),
            answer => answer?,
        }
        let found = self.declared().await?.into_iter().find(|attribute| attribute.name == name).ok_or_else(not_found)?;
        let mut problems = Problems::default();
        expect(&mut problems, &format!("attribute `{name}`"), expected, found.version);
        problems.none()?;
        Ok(found)
    }

    /// See [`UpdateAttribute`].
    pub(super) async fn plan_update_attribute(&self, asked: &UpdateAttribute) -> Planning {
        let before = self.attribute(&asked.name, asked.expected).await?;
        let set = [
            (asked.type_.is_some(), "type"),
            (asked.required.is_some(), "required"),
            (asked.unique.is_some(), "unique"),
            (asked.multivalued.is_some(), "multivalued"),
            (asked.searchable.is_some(), "searchable"),
        ];
        let fields: Vec<String> = set.into_iter().filter(|(set, _)| *set).map(|(_, field)| field.to_owned()).collect();
        self.permit_other("attribute.update", Kind::Attribute, &fields, "name").await?;
        let after = AttributeAfter {
            name: before.name.clone(),
            type_: asked.type_.unwrap_or(before.type_),
            required: asked.required.unwrap_or(before.required),
            unique: asked.unique.unwrap_or(before.unique),
            multivalued: asked.multivalued.unwrap_or(before.multivalued),
            searchable: asked.searchable.unwrap_or(before.searchable),
        };
        Ok(Plan::of(Change::UpdateAttribute { seen: before.version, attribute: after }, Vec::new()))
    }

    /// See [`RemoveAttribute`].
    pub(super) async fn plan_remove_attribute(&self, asked: &RemoveAttribute) -> Planning {
        let before = self.attribute(&asked.name, asked.expected).await?;
        self.permit_other("attribute.delete", Kind::Attribute, &[], "name").await?;
        Ok(Plan::of(Change::RemoveAttribute { name: before.name, seen: before.version, values: asked.values }, Vec::new()))
    }

    /// Asks the policy about a write of something of the workspace as a whole.
    pub(super) async fn permit_other(&self, action: &str, kind: Kind, fields: &[String], at: &str) -> Result<(), Refusal> {
        let planned = Planned::default();
        let rows = RowSet::Others(kind, 1);
        let deed = Deed { rows: Some(rows), fields, after: None, parties: Vec::new(), planned: &planned };
        let mut problems = Problems::default();
        self.permit(action, kind, &deed, |_| at.to_owned(), &mut problems).await?;
        problems.none()
    }
}
