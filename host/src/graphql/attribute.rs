//! Declarations of custom attributes, and the rules for user codes.

use std::sync::Arc;

use async_graphql::{Enum, SimpleObject};
use directory::{
    Error,
    access::Directory,
    model::{Attribute, CodeRule},
};

use super::error::{Maybe, maybe, shown};

/// What the values of a custom attribute are.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "directory::model::AttributeType")]
pub(super) enum AttributeType {
    /// Any single-line text.
    Text,
    /// A whole number of 64 bits, in decimal.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A calendar date, such as `2026-11-25`.
    Date,
}

/// The declaration of a custom attribute.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(name = "Attribute")]
pub(super) struct AttributeNode {
    /// Unique in the workspace.
    name: String,
    /// What its values are.
    r#type: AttributeType,
    /// Whether users must have a value.
    required: bool,
    /// Whether no two users may have the same value, ignoring case.
    unique: bool,
    /// Whether somebody may have several values.
    multivalued: bool,
    /// Whether it may be filtered by, where the policy agrees.
    searchable: bool,
    /// Counts its changes; for `expectedVersion`.
    version: i64,
}

impl From<&Attribute> for AttributeNode {
    fn from(attribute: &Attribute) -> Self {
        Self {
            name: attribute.name.clone(),
            r#type: attribute.type_.into(),
            required: attribute.required,
            unique: attribute.unique,
            multivalued: attribute.multivalued,
            searchable: attribute.searchable,
            version: attribute.version.0,
        }
    }
}

/// Every declaration, if the viewer may see them.
pub(super) async fn all(directory: &Directory) -> Maybe<Vec<AttributeNode>> {
    match directory.attributes().await {
        Err(Error::Forbidden { .. }) => None,
        found => shown(found.map(|found| found.iter().map(|attribute| AttributeNode::from(&**attribute)).collect())),
    }
}

/// One declaration, if the viewer may see it.
pub(super) async fn find(directory: &Directory, name: &str) -> Maybe<AttributeNode> {
    let found = all(directory).await?;
    found.map(|attributes| attributes.into_iter().find(|attribute| attribute.name == name)).transpose()
}

/// Which characters user codes must have.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum UserCodeRule {
    /// Any.
    Any,
    /// Letters and digits only.
    LettersAndDigits,
    /// At least one that is neither letter nor digit.
    SpecialCharacter,
}

impl From<UserCodeRule> for CodeRule {
    fn from(rule: UserCodeRule) -> Self {
        match rule {
            UserCodeRule::Any => Self::Any,
            UserCodeRule::LettersAndDigits => Self::LettersAndDigits,
            UserCodeRule::SpecialCharacter => Self::Special,
        }
    }
}

impl From<CodeRule> for UserCodeRule {
    fn from(rule: CodeRule) -> Self {
        match rule {
            CodeRule::Any => Self::Any,
            CodeRule::LettersAndDigits => Self::LettersAndDigits,
            CodeRule::Special => Self::SpecialCharacter,
        }
    }
}

/// What user codes must be like.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct UserCodeSettings {
    /// Characters at least.
    min_length: u32,
    /// Characters at most.
    max_length: u32,
    /// Which characters.
    rule: UserCodeRule,
}

/// The rules for user codes, if the viewer may see them.
pub(super) async fn user_code_settings(directory: &Arc<Directory>) -> Maybe<UserCodeSettings> {
    let found = match directory.code_rules().await {
        Err(Error::Forbidden { .. }) => Ok(None),
        found => found.map(Some),
    };
    maybe(found.map(|rules| {
        rules.map(|rules| UserCodeSettings { min_length: rules.min_length, max_length: rules.max_length, rule: rules.rule.into() })
    }))
}
