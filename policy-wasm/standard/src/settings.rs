//! The three settings of the standard policy.

use policy_kit::settings::Reader;

use crate::names::FIELDS;

/// Which active users a subject sees without any role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MembersSee {
    /// Itself.
    Itself,
    /// Whoever shares a direct group with it.
    Groups,
    /// Whoever is in, or below, one of its direct groups.
    #[default]
    Subtree,
    /// Everybody.
    Workspace,
}

/// Parsed settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `members_see`.
    pub members_see: MembersSee,
    /// `peer_fields_withheld`: user fields that peers do not see of each other.
    pub peer_fields_withheld: Vec<String>,
    /// `managers_invite`: whether managers invite into and below their groups.
    pub managers_invite: bool,
}

const MEMBERS_SEE: &[(&str, MembersSee)] =
    &[("self", MembersSee::Itself), ("groups", MembersSee::Groups), ("subtree", MembersSee::Subtree), ("workspace", MembersSee::Workspace)];
const PEER_FIELDS_WITHHELD: &[&str] = &["email", "phone", "externalId", "attributes.*"];

impl Settings {
    /// Parses a JSON object whose keys are all optional; an empty text is all defaults.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut reader = Reader::new(text);
        let settings = Self {
            members_see: reader.choice("members_see", MEMBERS_SEE),
            peer_fields_withheld: reader.names(
                "peer_fields_withheld",
                PEER_FIELDS_WITHHELD,
                "names of user fields (`email`, `attributes.*`, `attributes.NAME`)",
                is_user_field,
            ),
            managers_invite: reader.flag("managers_invite"),
        };
        reader.finish().map(|()| settings)
    }
}

fn is_user_field(name: &str) -> bool {
    let attribute = name.strip_prefix("attributes.").is_some_and(|name| !name.is_empty() && !name.contains('*'));
    attribute || FIELDS.iter().any(|field| field.strip_prefix("user.") == Some(name))
}
