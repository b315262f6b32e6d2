//! Mutations of the declarations of custom attributes.

use async_graphql::{Context, Enum, InputObject, Object};
use directory::{
    access::{Command, DefineAttribute, RemoveAttribute, UpdateAttribute},
    change::{AttributeAfter, ValuesOfRemoved},
};

use super::{Outcome, payload, perform};
use crate::graphql::{
    attribute::{AttributeNode, AttributeType, find},
    error::Maybe,
};

/// What `defineAttribute` declares.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct DefineAttributeInput {
    /// Unique in the workspace, never changed afterwards.
    name: String,
    /// What its values are; `TEXT` if none is given.
    r#type: Option<AttributeType>,
    /// Whether users must have a value.
    #[graphql(default)]
    required: bool,
    /// Whether no two users may have the same value, ignoring case.
    #[graphql(default)]
    unique: bool,
    /// Whether somebody may have several values.
    #[graphql(default)]
    multivalued: bool,
    /// Whether it may be filtered by, where the policy agrees.
    #[graphql(default = true)]
    searchable: bool,
}

/// What `updateAttribute` sets. What is left out stays. Values that are there must fit.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct UpdateAttributeInput {
    /// Which attribute.
    name: String,
    /// The `version` that was read: if the attribute has another one by now, nothing is changed.
    expected_version: Option<i64>,
    /// What its values are.
    r#type: Option<AttributeType>,
    /// Whether users must have a value.
    required: Option<bool>,
    /// Whether no two users may have the same value, ignoring case.
    unique: Option<bool>,
    /// Whether somebody may have several values.
    multivalued: Option<bool>,
    /// Whether it may be filtered by, where the policy agrees.
    searchable: Option<bool>,
}

/// What becomes of the values of an attribute that is removed.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(in crate::graphql) enum RemoveAttributeMode {
    /// Refuse, if there is any.
    Refuse,
    /// Erase them, for good: they do not come back from the recycle bin.
    Erase,
}

/// Which attribute.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RemoveAttributeInput {
    /// Which attribute.
    name: String,
    /// What becomes of its values; `REFUSE` if none is given.
    mode: Option<RemoveAttributeMode>,
    /// The `version` that was read: if the attribute has another one by now, nothing is changed.
    expected_version: Option<i64>,
}

payload! {
    /// The answer to `defineAttribute`.
    DefineAttributePayload {
        /// The attribute, as far as the viewer may see it.
        attribute: AttributeNode,
    }
}

payload! {
    /// The answer to `updateAttribute`.
    UpdateAttributePayload {
        /// The attribute, as far as the viewer may see it.
        attribute: AttributeNode,
    }
}

payload! {
    /// The answer to `removeAttribute`.
    RemoveAttributePayload {
        /// The name of the attribute that is no more.
        removed_attribute: String,
    }
}

#[derive(Default)]
pub(super) struct AttributeMutations;

/// Mutations of the declarations of custom attributes.
#[Object]
impl AttributeMutations {
    /// Declares a custom attribute of users and groups.
    async fn define_attribute(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: DefineAttributeInput,
    ) -> Maybe<DefineAttributePayload> {
        let DefineAttributeInput { name, r#type, required, unique, multivalued, searchable } = input;
        let type_ = r#type.unwrap_or(AttributeType::Text).into();
        let attribute = AttributeAfter { name: name.clone(), type_, required, unique, multivalued, searchable };
        let outcome = perform(context, Command::DefineAttribute(DefineAttribute { attribute })).await;
        Some(match outcome {
            Ok(Outcome::Done(_, directory)) => {
                Ok(DefineAttributePayload { attribute: find(&directory, &name).await, user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => Ok(DefineAttributePayload { attribute: None, user_errors }),
            Err(error) => Err(error),
        })
    }

    /// Changes a declaration, if the values that are there fit it.
    async fn update_attribute(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateAttributeInput,
    ) -> Maybe<UpdateAttributePayload> {
        let name = input.name.clone();
        let command = Command::UpdateAttribute(UpdateAttribute {
            name: input.name,
            expected: input.expected_version,
            type_: input.r#type.map(Into::into),
            required: input.required,
            unique: input.unique,
            multivalued: input.multivalued,
            searchable: input.searchable,
        });
        Some(match perform(context, command).await {
            Ok(Outcome::Done(_, directory)) => {
                Ok(UpdateAttributePayload { attribute: find(&directory, &name).await, user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => Ok(UpdateAttributePayload { attribute: None, user_errors }),
            Err(error) => Err(error),
        })
    }

    /// Removes a declaration; users may still have values only if these are to be erased.
    async fn remove_attribute(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: RemoveAttributeInput,
    ) -> Maybe<RemoveAttributePayload> {
        let values = match input.mode.unwrap_or(RemoveAttributeMode::Refuse) {
            RemoveAttributeMode::Refuse => ValuesOfRemoved::None,
            RemoveAttributeMode::Erase => ValuesOfRemoved::Erased,
        };
        let name = input.name.clone();
        let command = Command::RemoveAttribute(RemoveAttribute { name: input.name, expected: input.expected_version, values });
        Some(perform(context, command).await.map(|outcome| match outcome {
            Outcome::Done(..) => RemoveAttributePayload { removed_attribute: Some(Ok(name)), user_errors: Vec::new() },
            Outcome::Refused(user_errors) => RemoveAttributePayload { removed_attribute: None, user_errors },
        }))
    }
}
