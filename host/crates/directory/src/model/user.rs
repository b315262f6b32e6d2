//! Users.

use super::{Attributes, Field, TextField, Timestamp, Version};
use crate::ids::UserId;

/// Where a user stands. Only `Active` users may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// An invitation was sent.
    Invited,
    /// Created, not confirmed.
    Inactive,
    /// May sign in.
    Active,
    /// Shut out, everything kept.
    Suspended,
    /// In the recycle bin.
    Deleted,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Invited, Self::Inactive, Self::Active, Self::Suspended, Self::Deleted];

    /// The name as stored and as policies see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A person in one workspace (D1, D7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Unique everywhere.
    pub id: UserId,
    /// Governed texts, one each of [`UserText::ALL`], in that order.
    pub texts: [TextField; UserText::ALL.len()],
    /// Belongs to this workspace only (D5).
    pub exclusive: Field<bool>,
    /// See [`Status`].
    pub status: Field<Status>,
    /// Custom attributes.
    pub attributes: Attributes,
    /// Who created it, if a user did.
    pub created_by: Option<UserId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// How often it changed.
    pub version: Version,
    /// Names of the fields that the policy withheld, in the register's order; empty as stored.
    pub withheld: Vec<String>,
}

impl User {
    /// One of the governed texts.
    #[must_use]
    pub fn text(&self, which: UserText) -> &TextField {
        let [user_name, display_name, given_name, family_name, email, phone, locale, time_zone, title, avatar_url, external_id, code] =
            &self.texts;
        match which {
            UserText::UserName => user_name,
            UserText::DisplayName => display_name,
            UserText::GivenName => given_name,
            UserText::FamilyName => family_name,
            UserText::Email => email,
            UserText::Phone => phone,
            UserText::Locale => locale,
            UserText::TimeZone => time_zone,
            UserText::Title => title,
            UserText::AvatarUrl => avatar_url,
            UserText::ExternalId => external_id,
            UserText::Code => code,
        }
    }
}

/// A governed text of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserText {
    /// Unique in the workspace, ignoring case.
    UserName,
    /// What people call it.
    DisplayName,
    /// Given name.
    GivenName,
    /// Family name.
    FamilyName,
    /// Primary e-mail address; unique in the workspace together with the code.
    Email,
    /// Telephone number, as entered.
    Phone,
    /// BCP 47 language tag.
    Locale,
    /// IANA time zone name.
    TimeZone,
    /// Job title.
    Title,
    /// Address of a picture.
    AvatarUrl,
    /// The workspace's own external id; unique in the workspace.
    ExternalId,
    /// Tells users of one e-mail address apart (D6).
    Code,
}

impl UserText {
    /// Every text, in the order of [`User::texts`].
    pub const ALL: [Self; 12] = [
        Self::UserName,
        Self::DisplayName,
        Self::GivenName,
        Self::FamilyName,
        Self::Email,
        Self::Phone,
        Self::Locale,
        Self::TimeZone,
        Self::Title,
        Self::AvatarUrl,
        Self::ExternalId,
        Self::Code,
    ];

    /// The texts in which a free search looks.
    pub const SEARCHED: [Self; 7] =
        [Self::UserName, Self::DisplayName, Self::GivenName, Self::FamilyName, Self::Email, Self::ExternalId, Self::Code];

    /// The register's name of the field.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::UserName => "userName",
            Self::DisplayName => "displayName",
            Self::GivenName => "givenName",
            Self::FamilyName => "familyName",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Locale => "locale",
            Self::TimeZone => "timeZone",
            Self::Title => "title",
            Self::AvatarUrl => "avatarUrl",
            Self::ExternalId => "externalId",
            Self::Code => "code",
        }
    }
}
