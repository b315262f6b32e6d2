//! Filters and orders as clients write them, and as the gate takes them.

use async_graphql::{Enum, ID, InputObject};
use directory::{
    Error, limits,
    model::{Provenance, Status, UserText},
    query::{
        Direction, Filter, GrantPredicate, GroupPredicate, GroupText, MembershipPredicate, NameSort, Order, Period, RolePredicate,
        RoleText, TextMatch, UserPredicate, UserSort,
    },
    text::{fold, words},
};

use super::{node::parse_all, scalar::DateTime};

/// Upwards or downwards.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
pub(super) enum OrderDirection {
    /// Smallest first, unassigned values last.
    #[default]
    Asc,
    /// Greatest first, unassigned values first.
    Desc,
}

impl From<OrderDirection> for Direction {
    fn from(direction: OrderDirection) -> Self {
        match direction {
            OrderDirection::Asc => Self::Ascending,
            OrderDirection::Desc => Self::Descending,
        }
    }
}

/// What users are sorted by. Ties are broken by id.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
pub(super) enum UserOrderField {
    /// The id, which is about the time of creation.
    #[default]
    Id,
    /// The user name, ignoring case.
    UserName,
    /// The display name, ignoring case.
    DisplayName,
    /// The given name, ignoring case.
    GivenName,
    /// The family name, ignoring case.
    FamilyName,
    /// The e-mail address, ignoring case.
    Email,
}

/// The order of a list of users.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub(super) struct UserOrder {
    /// By what.
    field: UserOrderField,
    /// Which way.
    #[graphql(default)]
    direction: OrderDirection,
}

impl From<UserOrder> for Order<UserSort> {
    fn from(order: UserOrder) -> Self {
        let by = match order.field {
            UserOrderField::Id => UserSort::Id,
            UserOrderField::UserName => UserSort::UserName,
            UserOrderField::DisplayName => UserSort::DisplayName,
            UserOrderField::GivenName => UserSort::GivenName,
            UserOrderField::FamilyName => UserSort::FamilyName,
            UserOrderField::Email => UserSort::Email,
        };
        Self { by, direction: order.direction.into() }
    }
}

/// What groups and roles are sorted by. Ties are broken by id.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
pub(super) enum NameOrderField {
    /// The id, which is about the time of creation.
    #[default]
    Id,
    /// The name, ignoring case.
    Name,
    /// The key, ignoring case.
    Key,
}

/// The order of a list of groups or roles.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub(super) struct NameOrder {
    /// By what.
    field: NameOrderField,
    /// Which way.
    #[graphql(default)]
    direction: OrderDirection,
}

impl From<NameOrder> for Order<NameSort> {
    fn from(order: NameOrder) -> Self {
        let by = match order.field {
            NameOrderField::Id => NameSort::Id,
            NameOrderField::Name => NameSort::Name,
            NameOrderField::Key => NameSort::Key,
        };
        Self { by, direction: order.direction.into() }
    }
}

/// Conditions on a text, all of which must hold. Texts are compared ignoring case and width.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct TextFilter {
    /// Equal to this.
    eq: Option<String>,
    /// Not equal to this; unassigned values are not equal to anything.
    ne: Option<String>,
    /// Equal to one of these, at most 100.
    #[graphql(name = "in")]
    one_of: Option<Vec<String>>,
    /// Starts with this.
    starts_with: Option<String>,
    /// Ends with this.
    ends_with: Option<String>,
    /// Contains this.
    contains: Option<String>,
    /// Whether a value is assigned.
    present: Option<bool>,
}

impl TextFilter {
    fn parts<P>(self, make: &dyn Fn(TextMatch) -> P, parts: &mut Parts<P>) -> Result<(), Error> {
        for value in [&self.eq, &self.ne, &self.starts_with, &self.ends_with, &self.contains]
            .into_iter()
            .flatten()
            .chain(self.one_of.iter().flatten())
        {
            check_length(value)?;
        }
        if let Some(value) = self.eq {
            parts.is(make(TextMatch::In(vec![fold(&value)])));
        }
        if let Some(value) = self.ne {
            parts.0.push(Filter::Not(Box::new(Filter::Is(make(TextMatch::In(vec![fold(&value)]))))));
        }
        if let Some(values) = self.one_of {
            check_values(values.len())?;
            parts.is(make(TextMatch::In(values.iter().map(|value| fold(value)).collect())));
        }
        for (value, matches) in [
            (self.starts_with, TextMatch::StartsWith as fn(String) -> TextMatch),
            (self.ends_with, TextMatch::EndsWith),
            (self.contains, TextMatch::Contains),
        ] {
            if let Some(value) = value {
                parts.is(make(matches(fold(&value))));
            }
        }
        match self.present {
            Some(true) => parts.is(make(TextMatch::Present)),
            Some(false) => parts.0.push(Filter::Not(Box::new(Filter::Is(make(TextMatch::Present))))),
            None => {}
        }
        Ok(())
    }
}

/// A period of time.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct DateTimeFilter {
    /// Not before this.
    from: Option<DateTime>,
    /// Before this.
    until: Option<DateTime>,
}

impl From<DateTimeFilter> for Period {
    fn from(filter: DateTimeFilter) -> Self {
        Self { from: filter.from.map(|at| at.0), until: filter.until.map(|at| at.0) }
    }
}

/// Conditions on a custom attribute, of which any value must meet all.
#[derive(Clone, Debug, InputObject)]
pub(super) struct AttributeFilter {
    /// The attribute's name.
    name: String,
    /// The conditions.
    value: TextFilter,
}

impl AttributeFilter {
    fn parts<P>(self, make: &dyn Fn(String, TextMatch) -> P, parts: &mut Parts<P>) -> Result<(), Error> {
        check_length(&self.name)?;
        let name = self.name;
        self.value.parts(&|matches| make(name.clone(), matches), parts)
    }
}

/// Where a user stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum UserStatus {
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

impl From<UserStatus> for Status {
    fn from(status: UserStatus) -> Self {
        match status {
            UserStatus::Invited => Self::Invited,
            UserStatus::Inactive => Self::Inactive,
            UserStatus::Active => Self::Active,
            UserStatus::Suspended => Self::Suspended,
            UserStatus::Deleted => Self::Deleted,
        }
    }
}

impl From<Status> for UserStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Invited => Self::Invited,
            Status::Inactive => Self::Inactive,
            Status::Active => Self::Active,
            Status::Suspended => Self::Suspended,
            Status::Deleted => Self::Deleted,
        }
    }
}

/// Where a grant came from.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum GrantProvenance {
    /// Granted by a person.
    Manual,
    /// Granted by an identity provider.
    Scim,
    /// Brought in by an import.
    Import,
    /// Promised in an invitation.
    Invitation,
}

impl From<GrantProvenance> for Provenance {
    fn from(provenance: GrantProvenance) -> Self {
        match provenance {
            GrantProvenance::Manual => Self::Manual,
            GrantProvenance::Scim => Self::Scim,
            GrantProvenance::Import => Self::Import,
            GrantProvenance::Invitation => Self::Invitation,
        }
    }
}

impl From<Provenance> for GrantProvenance {
    fn from(provenance: Provenance) -> Self {
        match provenance {
            Provenance::Manual => Self::Manual,
            Provenance::Scim => Self::Scim,
            Provenance::Import => Self::Import,
            Provenance::Invitation => Self::Invitation,
        }
    }
}

/// The conditions of one filter object: all must hold.
struct Parts<P>(Vec<Filter<P>>);

impl<P> Parts<P> {
    fn is(&mut self, predicate: P) {
        self.0.push(Filter::Is(predicate));
    }

    fn nested<I>(
        &mut self,
        and: Option<Vec<I>>,
        or: Option<Vec<I>>,
        not: Option<Box<I>>,
        build: fn(I) -> Result<Filter<P>, Error>,
    ) -> Result<(), Error> {
        if let Some(parts) = and {
            self.0.push(Filter::And(parts.into_iter().map(build).collect::<Result<_, _>>()?));
        }
        if let Some(parts) = or {
            self.0.push(Filter::Or(parts.into_iter().map(build).collect::<Result<_, _>>()?));
        }
        if let Some(part) = not {
            self.0.push(Filter::Not(Box::new(build(*part)?)));
        }
        Ok(())
    }
}

/// A condition on users. Every condition given must hold; an empty object holds for everybody.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct UserFilter {
    /// All of these hold.
    and: Option<Vec<Self>>,
    /// Any of these holds.
    or: Option<Vec<Self>>,
    /// This does not hold.
    not: Option<Box<Self>>,
    /// One of these ids.
    ids: Option<Vec<ID>>,
    /// Every word is a prefix of a word in a name, the e-mail address, the user name, code or external id, ignoring case and accents.
    /// Fields that the viewer may not search are not looked at.
    search: Option<String>,
    /// By user name.
    user_name: Option<TextFilter>,
    /// By display name.
    display_name: Option<TextFilter>,
    /// By given name.
    given_name: Option<TextFilter>,
    /// By family name.
    family_name: Option<TextFilter>,
    /// By e-mail address.
    email: Option<TextFilter>,
    /// By telephone number.
    phone: Option<TextFilter>,
    /// By locale.
    locale: Option<TextFilter>,
    /// By time zone.
    time_zone: Option<TextFilter>,
    /// By job title.
    title: Option<TextFilter>,
    /// By the address of the picture.
    avatar_url: Option<TextFilter>,
    /// By external id.
    external_id: Option<TextFilter>,
    /// By user code.
    code: Option<TextFilter>,
    /// One of these statuses.
    status: Option<Vec<UserStatus>>,
    /// Whether it belongs to this workspace only.
    exclusive: Option<bool>,
    /// By creation.
    created_at: Option<DateTimeFilter>,
    /// By last change.
    updated_at: Option<DateTimeFilter>,
    /// By a custom attribute.
    attribute: Option<AttributeFilter>,
    /// Directly in one of these groups.
    in_groups: Option<Vec<ID>>,
    /// In, or below, one of these groups.
    under_groups: Option<Vec<ID>>,
    /// Manages one of these groups.
    manages: Option<Vec<ID>>,
    /// Holds one of these roles, in the whole workspace or within a group.
    roles: Option<Vec<ID>>,
}

impl UserFilter {
    /// The same condition for the gate.
    pub(super) fn build(self) -> Result<Filter<UserPredicate>, Error> {
        let mut parts = Parts(Vec::new());
        parts.nested(self.and, self.or, self.not, Self::build)?;
        for (text, filter) in [
            (UserText::UserName, self.user_name),
            (UserText::DisplayName, self.display_name),
            (UserText::GivenName, self.given_name),
            (UserText::FamilyName, self.family_name),
            (UserText::Email, self.email),
            (UserText::Phone, self.phone),
            (UserText::Locale, self.locale),
            (UserText::TimeZone, self.time_zone),
            (UserText::Title, self.title),
            (UserText::AvatarUrl, self.avatar_url),
            (UserText::ExternalId, self.external_id),
            (UserText::Code, self.code),
        ] {
            if let Some(filter) = filter {
                filter.parts(&|matches| UserPredicate::Text(text, matches), &mut parts)?;
            }
        }
        if let Some(text) = self.search {
            parts.is(UserPredicate::Search { words: search_words(&text)?, fields: UserText::SEARCHED.to_vec() });
        }
        if let Some(filter) = self.attribute {
            filter.parts(&UserPredicate::Attribute, &mut parts)?;
        }
        ids(self.ids, UserPredicate::Ids, &mut parts)?;
        ids(self.in_groups, UserPredicate::InGroup, &mut parts)?;
        ids(self.under_groups, UserPredicate::UnderGroup, &mut parts)?;
        ids(self.manages, UserPredicate::Manages, &mut parts)?;
        ids(self.roles, UserPredicate::HasRole, &mut parts)?;
        let rest = [
            self.status.map(|statuses| UserPredicate::Status(statuses.into_iter().map(Into::into).collect())),
            self.exclusive.map(UserPredicate::Exclusive),
            self.created_at.map(|period| UserPredicate::Created(period.into())),
            self.updated_at.map(|period| UserPredicate::Updated(period.into())),
        ];
        rest.into_iter().flatten().for_each(|predicate| parts.is(predicate));
        Ok(Filter::And(parts.0))
    }
}

/// A condition on groups. Every condition given must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct GroupFilter {
    /// All of these hold.
    and: Option<Vec<Self>>,
    /// Any of these holds.
    or: Option<Vec<Self>>,
    /// This does not hold.
    not: Option<Box<Self>>,
    /// One of these ids.
    ids: Option<Vec<ID>>,
    /// Every word is a prefix of a word in the name, key or description, ignoring case and accents.
    search: Option<String>,
    /// By key.
    key: Option<TextFilter>,
    /// By name.
    name: Option<TextFilter>,
    /// By description.
    description: Option<TextFilter>,
    /// By creation.
    created_at: Option<DateTimeFilter>,
    /// By last change.
    updated_at: Option<DateTimeFilter>,
    /// By a custom attribute.
    attribute: Option<AttributeFilter>,
    /// Below one of these groups, at any depth.
    below_groups: Option<Vec<ID>>,
    /// One of these users is a direct member.
    members: Option<Vec<ID>>,
}

impl GroupFilter {
    /// The same condition for the gate.
    pub(super) fn build(self) -> Result<Filter<GroupPredicate>, Error> {
        let mut parts = Parts(Vec::new());
        parts.nested(self.and, self.or, self.not, Self::build)?;
        for (text, filter) in [(GroupText::Key, self.key), (GroupText::Name, self.name), (GroupText::Description, self.description)] {
            if let Some(filter) = filter {
                filter.parts(&|matches| GroupPredicate::Text(text, matches), &mut parts)?;
            }
        }
        if let Some(text) = self.search {
            parts.is(GroupPredicate::Search { words: search_words(&text)?, fields: GroupText::ALL.to_vec() });
        }
        if let Some(filter) = self.attribute {
            filter.parts(&GroupPredicate::Attribute, &mut parts)?;
        }
        ids(self.ids, GroupPredicate::Ids, &mut parts)?;
        ids(self.below_groups, GroupPredicate::Below, &mut parts)?;
        ids(self.members, GroupPredicate::HasMember, &mut parts)?;
        parts.0.extend(self.created_at.map(|period| Filter::Is(GroupPredicate::Created(period.into()))));
        parts.0.extend(self.updated_at.map(|period| Filter::Is(GroupPredicate::Updated(period.into()))));
        Ok(Filter::And(parts.0))
    }
}

/// A condition on roles. Every condition given must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct RoleFilter {
    /// All of these hold.
    and: Option<Vec<Self>>,
    /// Any of these holds.
    or: Option<Vec<Self>>,
    /// This does not hold.
    not: Option<Box<Self>>,
    /// One of these ids.
    ids: Option<Vec<ID>>,
    /// Every word is a prefix of a word in the name, key or description, ignoring case and accents.
    search: Option<String>,
    /// By key.
    key: Option<TextFilter>,
    /// By name.
    name: Option<TextFilter>,
    /// By description.
    description: Option<TextFilter>,
    /// Whether it ships with the server.
    builtin: Option<bool>,
    /// Has every one of these permissions.
    permissions: Option<Vec<String>>,
}

impl RoleFilter {
    /// The same condition for the gate.
    pub(super) fn build(self) -> Result<Filter<RolePredicate>, Error> {
        let mut parts = Parts(Vec::new());
        parts.nested(self.and, self.or, self.not, Self::build)?;
        for (text, filter) in [(RoleText::Key, self.key), (RoleText::Name, self.name), (RoleText::Description, self.description)] {
            if let Some(filter) = filter {
                filter.parts(&|matches| RolePredicate::Text(text, matches), &mut parts)?;
            }
        }
        if let Some(text) = self.search {
            parts.is(RolePredicate::Search { words: search_words(&text)?, fields: RoleText::ALL.to_vec() });
        }
        ids(self.ids, RolePredicate::Ids, &mut parts)?;
        parts.0.extend(self.builtin.map(|builtin| Filter::Is(RolePredicate::Builtin(builtin))));
        if let Some(permissions) = self.permissions {
            check_values(permissions.len())?;
            parts.is(RolePredicate::Permissions(permissions));
        }
        Ok(Filter::And(parts.0))
    }
}

/// A condition on memberships. Every condition given must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct MembershipFilter {
    /// All of these hold.
    and: Option<Vec<Self>>,
    /// Any of these holds.
    or: Option<Vec<Self>>,
    /// This does not hold.
    not: Option<Box<Self>>,
    /// Of one of these users.
    users: Option<Vec<ID>>,
    /// In one of these groups.
    groups: Option<Vec<ID>>,
    /// In, or below, one of these groups.
    under_groups: Option<Vec<ID>>,
    /// Whether it makes its user a manager.
    manager: Option<bool>,
    /// By creation.
    created_at: Option<DateTimeFilter>,
}

impl MembershipFilter {
    /// The same condition for the gate.
    pub(super) fn build(self) -> Result<Filter<MembershipPredicate>, Error> {
        let mut parts = Parts(Vec::new());
        parts.nested(self.and, self.or, self.not, Self::build)?;
        ids(self.users, MembershipPredicate::Users, &mut parts)?;
        ids(self.groups, MembershipPredicate::Groups, &mut parts)?;
        ids(self.under_groups, MembershipPredicate::UnderGroups, &mut parts)?;
        parts.0.extend(self.manager.map(|manager| Filter::Is(MembershipPredicate::Manager(manager))));
        parts.0.extend(self.created_at.map(|period| Filter::Is(MembershipPredicate::Created(period.into()))));
        Ok(Filter::And(parts.0))
    }
}

/// A condition on grants. Every condition given must hold.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct GrantFilter {
    /// All of these hold.
    and: Option<Vec<Self>>,
    /// Any of these holds.
    or: Option<Vec<Self>>,
    /// This does not hold.
    not: Option<Box<Self>>,
    /// Of one of these users.
    users: Option<Vec<ID>>,
    /// Of one of these roles.
    roles: Option<Vec<ID>>,
    /// Limited to one of these groups.
    within: Option<Vec<ID>>,
    /// Whether it is limited to a group.
    limited: Option<bool>,
    /// From one of these.
    provenance: Option<Vec<GrantProvenance>>,
    /// By when it was granted.
    created_at: Option<DateTimeFilter>,
}

impl GrantFilter {
    /// The same condition for the gate.
    pub(super) fn build(self) -> Result<Filter<GrantPredicate>, Error> {
        let mut parts = Parts(Vec::new());
        parts.nested(self.and, self.or, self.not, Self::build)?;
        ids(self.users, GrantPredicate::Users, &mut parts)?;
        ids(self.roles, GrantPredicate::Roles, &mut parts)?;
        ids(self.within, GrantPredicate::Within, &mut parts)?;
        let rest = [
            self.limited.map(|limited| GrantPredicate::WorkspaceWide(!limited)),
            self.provenance.map(|from| GrantPredicate::Provenance(from.into_iter().map(Into::into).collect())),
            self.created_at.map(|period| GrantPredicate::Created(period.into())),
        ];
        rest.into_iter().flatten().for_each(|predicate| parts.is(predicate));
        Ok(Filter::And(parts.0))
    }
}

/// The filter of a list, if it is within bounds.
pub(super) fn bounded<P>(filter: Option<Result<Filter<P>, Error>>) -> Result<Option<Filter<P>>, Error> {
    let Some(filter) = filter.transpose()? else { return Ok(None) };
    let mut predicates = Vec::new();
    filter.predicates(&mut predicates);
    if predicates.len() > limits::FILTER_CONDITIONS {
        return Err(Error::TooLarge(format!(
            "the filter has {} conditions, more than {}; ask in several queries",
            predicates.len(),
            limits::FILTER_CONDITIONS
        )));
    }
    Ok(Some(filter))
}

fn ids<P, T>(ids: Option<Vec<ID>>, make: fn(Vec<T>) -> P, parts: &mut Parts<P>) -> Result<(), Error>
where
    T: std::str::FromStr<Err = directory::ids::InvalidId>,
{
    if let Some(ids) = ids {
        check_values(ids.len())?;
        parts.is(make(parse_all(&ids)?));
    }
    Ok(())
}

fn search_words(text: &str) -> Result<Vec<String>, Error> {
    check_length(text)?;
    let words = words(text);
    if words.is_empty() {
        return Err(Error::Invalid(format!("`search: {text:?}` has no letter or digit; write a word, or leave `search` out")));
    }
    if words.len() > limits::SEARCH_WORDS {
        return Err(Error::TooLarge(format!("the search has {} words, more than {}; use fewer", words.len(), limits::SEARCH_WORDS)));
    }
    Ok(words)
}

fn check_values(count: usize) -> Result<(), Error> {
    if count > limits::FILTER_VALUES {
        return Err(Error::TooLarge(format!(
            "{count} values are more than {} in one condition; ask in several queries",
            limits::FILTER_VALUES
        )));
    }
    Ok(())
}

fn check_length(text: &str) -> Result<(), Error> {
    let chars = text.chars().count();
    if chars > limits::TEXT_CHARS {
        return Err(Error::TooLarge(format!("a text of {chars} characters is longer than {}; shorten it", limits::TEXT_CHARS)));
    }
    // Postgres stores no U+0000, so that no stored text has one.
    if text.contains('\0') {
        return Err(Error::Invalid("a text contains U+0000; remove it".to_owned()));
    }
    Ok(())
}
