//! Mutations of users.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object};
use directory::{
    Error, Problem,
    access::{AddUsers, Command, Member, RemoveUsers, RestoreUser, SetStatus, UpdateUser, UserDraft},
    ids::UserId,
    model::{Status, UserText},
};
use uuid::Uuid;

use super::{BulkItem, Outcome, UserError, items, payload, perform, perform_once};
use crate::graphql::{
    error::{Maybe, maybe, shown},
    level::Level,
    node::parse,
    user::UserNode,
};

/// A custom attribute with all its values; none to unassign it.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct AttributeInput {
    /// Its name, as declared.
    name: String,
    /// All its values.
    values: Vec<String>,
}

/// Attributes as the gate takes them.
pub(super) fn attributes(given: Option<Vec<AttributeInput>>) -> Vec<(String, Vec<String>)> {
    given.unwrap_or_default().into_iter().map(|attribute| (attribute.name, attribute.values)).collect()
}

/// Where a new user stands.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(in crate::graphql) enum NewUserStatus {
    /// Created, not confirmed.
    Inactive,
    /// May sign in.
    Active,
}

/// A group to begin with.
#[derive(Clone, Debug, InputObject)]
pub(super) struct StartGroupInput {
    /// The group.
    group_id: ID,
    /// Whether the user manages it.
    #[graphql(default)]
    manager: bool,
}

/// A role to begin with.
#[derive(Clone, Debug, InputObject)]
pub(super) struct StartRoleInput {
    /// The role.
    role_id: ID,
    /// The group to whose subtree it is limited; the whole workspace if none is given.
    within_id: Option<ID>,
}

/// A user to be.
#[derive(Clone, Debug, Default, InputObject)]
pub(in crate::graphql) struct NewUserInput {
    /// Unique in the workspace, ignoring case; the e-mail address (with `#` and the code) if none is given.
    user_name: Option<String>,
    /// What people call it.
    display_name: Option<String>,
    /// Given name.
    given_name: Option<String>,
    /// Family name.
    family_name: Option<String>,
    /// Primary e-mail address.
    email: Option<String>,
    /// Telephone number.
    phone: Option<String>,
    /// Language tag (BCP 47).
    locale: Option<String>,
    /// Time zone name (IANA).
    time_zone: Option<String>,
    /// Job title.
    title: Option<String>,
    /// Address of a picture, `https://` or `http://`.
    avatar_url: Option<String>,
    /// The workspace's own external id, unique in the workspace.
    external_id: Option<String>,
    /// Tells users of one e-mail address apart; by the rules of `userCodeSettings`.
    code: Option<String>,
    /// Belongs to this workspace only.
    #[graphql(default)]
    exclusive: bool,
    /// Where it stands; `INACTIVE` if none is given.
    status: Option<NewUserStatus>,
    /// Custom attributes.
    attributes: Option<Vec<AttributeInput>>,
    /// Groups to begin with, at most 50.
    pub(super) groups: Option<Vec<StartGroupInput>>,
    /// Roles to begin with, at most 50.
    pub(super) roles: Option<Vec<StartRoleInput>>,
}

impl NewUserInput {
    /// As the gate takes it; `at` is where it stands in the input.
    pub(super) fn draft(self, at: &str) -> Result<UserDraft, Problem> {
        let texts = [
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
        ];
        let group = |(position, group): (usize, StartGroupInput)| {
            let id = id(&group.group_id, &format!("{at}groups.{position}.groupId"))?;
            Ok(Member { id, manager: group.manager })
        };
        let role = |(position, role): (usize, StartRoleInput)| {
            let within = role.within_id.map(|within| id(&within, &format!("{at}roles.{position}.withinId"))).transpose()?;
            Ok((id(&role.role_id, &format!("{at}roles.{position}.roleId"))?, within))
        };
        Ok(UserDraft {
            texts: texts.into_iter().filter_map(|(which, text)| Some((which, text?))).collect(),
            exclusive: self.exclusive,
            status: self.status.map(|status| match status {
                NewUserStatus::Inactive => Status::Inactive,
                NewUserStatus::Active => Status::Active,
            }),
            attributes: attributes(self.attributes),
            groups: self.groups.unwrap_or_default().into_iter().enumerate().map(group).collect::<Result<_, _>>()?,
            roles: self.roles.unwrap_or_default().into_iter().enumerate().map(role).collect::<Result<_, _>>()?,
        })
    }
}

/// Reads an id of the input.
pub(super) fn id<T: std::str::FromStr<Err = directory::ids::InvalidId>>(text: &ID, at: &str) -> Result<T, Problem> {
    parse(text).map_err(|error| Problem::at(at, error))
}

/// Reads a list of ids of the input.
pub(super) fn ids<T: std::str::FromStr<Err = directory::ids::InvalidId>>(texts: &[ID], at: &str) -> Result<Vec<T>, Problem> {
    texts.iter().enumerate().map(|(position, text)| id(text, &format!("{at}.{position}"))).collect()
}

/// What `addUser` adds.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct AddUserInput {
    /// The user to be.
    user: NewUserInput,
    /// Makes a repeated request be answered instead of done twice; for 24 hours.
    idempotency_key: Option<String>,
}

/// What `addUsers` adds.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct AddUsersInput {
    /// 1 to 500 users to be, all of them or none.
    users: Vec<NewUserInput>,
    /// Makes a repeated request be answered instead of done twice; for 24 hours.
    idempotency_key: Option<String>,
}

/// What `updateUser` sets. What is left out stays; null clears.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct UpdateUserInput {
    /// Which user.
    user_id: ID,
    /// The `version` that was read: if the user has another one by now, nothing is changed.
    expected_version: Option<i64>,
    /// Unique in the workspace, ignoring case; can not be cleared.
    user_name: MaybeUndefined<String>,
    /// What people call it.
    display_name: MaybeUndefined<String>,
    /// Given name.
    given_name: MaybeUndefined<String>,
    /// Family name.
    family_name: MaybeUndefined<String>,
    /// Primary e-mail address. A user name that was the address changes with it.
    email: MaybeUndefined<String>,
    /// Telephone number.
    phone: MaybeUndefined<String>,
    /// Language tag (BCP 47).
    locale: MaybeUndefined<String>,
    /// Time zone name (IANA).
    time_zone: MaybeUndefined<String>,
    /// Job title.
    title: MaybeUndefined<String>,
    /// Address of a picture, `https://` or `http://`.
    avatar_url: MaybeUndefined<String>,
    /// The workspace's own external id, unique in the workspace.
    external_id: MaybeUndefined<String>,
    /// Tells users of one e-mail address apart; by the rules of `userCodeSettings`.
    code: MaybeUndefined<String>,
    /// Belongs to this workspace only.
    exclusive: Option<bool>,
    /// Custom attributes to set, each with all its values; the others stay.
    attributes: Option<Vec<AttributeInput>>,
}

/// Which user.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct ActivateUserInput {
    /// Which user.
    user_id: ID,
    /// The `version` that was read: if the user has another one by now, nothing is changed.
    expected_version: Option<i64>,
}

/// Which users.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct ActivateUsersInput {
    /// 1 to 500 users, all of them or none.
    user_ids: Vec<ID>,
}

/// Which user.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct SuspendUserInput {
    /// Which user.
    user_id: ID,
    /// The `version` that was read: if the user has another one by now, nothing is changed.
    expected_version: Option<i64>,
}

/// Which users.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct SuspendUsersInput {
    /// 1 to 500 users, all of them or none.
    user_ids: Vec<ID>,
}

/// Which user.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RemoveUserInput {
    /// Which user.
    user_id: ID,
    /// The `version` that was read: if the user has another one by now, nothing is changed.
    expected_version: Option<i64>,
}

/// Which users.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RemoveUsersInput {
    /// 1 to 500 users, all of them or none.
    user_ids: Vec<ID>,
}

/// Which user, and what it shall be called where its old names are taken by now.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct RestoreUserInput {
    /// Which user.
    user_id: ID,
    /// Another user name.
    user_name: Option<String>,
    /// Another e-mail address.
    email: Option<String>,
    /// Another external id.
    external_id: Option<String>,
    /// Another code.
    code: Option<String>,
}

payload! {
    /// The answer to `addUser`.
    AddUserPayload {
        /// The new user, as far as the viewer may see it.
        user: UserNode,
    }
}

payload! {
    /// The answer to `addUsers`.
    AddUsersPayload {
        /// The new users in the order of the input, as far as the viewer may see them; null if nothing was added.
        users: Vec<Option<UserNode>>,
        @ /// One entry an item of the input.
        results: Vec<BulkItem>,
    }
}

payload! {
    /// The answer to `updateUser`.
    UpdateUserPayload {
        /// The user as it is now, as far as the viewer may see it.
        user: UserNode,
    }
}

payload! {
    /// The answer to `activateUser`.
    ActivateUserPayload {
        /// The user as it is now, as far as the viewer may see it.
        user: UserNode,
    }
}

payload! {
    /// The answer to `activateUsers`.
    ActivateUsersPayload {
        /// The users in the order of the input, as far as the viewer may see them; null if nothing was done.
        users: Vec<Option<UserNode>>,
        @ /// One entry an item of the input.
        results: Vec<BulkItem>,
    }
}

payload! {
    /// The answer to `suspendUser`.
    SuspendUserPayload {
        /// The user as it is now, as far as the viewer may see it.
        user: UserNode,
    }
}

payload! {
    /// The answer to `suspendUsers`.
    SuspendUsersPayload {
        /// The users in the order of the input, as far as the viewer may see them; null if nothing was done.
        users: Vec<Option<UserNode>>,
        @ /// One entry an item of the input.
        results: Vec<BulkItem>,
    }
}

payload! {
    /// The answer to `removeUser`.
    RemoveUserPayload {
        /// The user as it is now, in the recycle bin, as far as the viewer may see it.
        user: UserNode,
    }
}

payload! {
    /// The answer to `removeUsers`.
    RemoveUsersPayload {
        /// The users in the order of the input, as far as the viewer may see them; null if nothing was done.
        users: Vec<Option<UserNode>>,
        @ /// One entry an item of the input.
        results: Vec<BulkItem>,
    }
}

payload! {
    /// The answer to `restoreUser`.
    RestoreUserPayload {
        /// The user as it is now, as far as the viewer may see it.
        user: UserNode,
        @ /// Whether everything that hung on it is back, or waits for what is still in the recycle bin.
        complete: bool,
    }
}

#[derive(Default)]
pub(super) struct UserMutations;

/// Mutations of users.
#[Object]
impl UserMutations {
    /// Adds a user, with the groups and roles that it begins with.
    async fn add_user(&self, context: &Context<'_>, #[graphql(desc = "What to change.")] input: AddUserInput) -> Maybe<AddUserPayload> {
        let command = input.user.clone().draft("user.").map(|draft| Command::AddUsers(AddUsers { users: vec![draft] }));
        let outcome = match command {
            Ok(command) => perform_once(context, command, input.idempotency_key.clone(), &input).await,
            Err(problem) => Ok(Outcome::Refused(vec![(&problem).into()])),
        };
        Some(match outcome {
            Ok(Outcome::Done(done, directory)) => {
                Ok(AddUserPayload { user: one(&directory, &done.ids).await, ..AddUserPayload::default() })
            }
            Ok(Outcome::Refused(mut user_errors)) => {
                // The only item of the list is the input's `user`.
                user_errors.iter_mut().for_each(UserError::of_the_only_user);
                Ok(AddUserPayload { user_errors, ..AddUserPayload::default() })
            }
            Err(error) => Err(error),
        })
    }

    /// Adds up to 500 users, all of them or none.
    async fn add_users(&self, context: &Context<'_>, #[graphql(desc = "What to change.")] input: AddUsersInput) -> Maybe<AddUsersPayload> {
        let len = input.users.len();
        let drafts = input.users.iter().cloned().enumerate().map(|(at, user)| user.draft(&format!("users.{at}.")));
        let outcome = match drafts.collect::<Result<Vec<_>, _>>() {
            Ok(users) => perform_once(context, Command::AddUsers(AddUsers { users }), input.idempotency_key.clone(), &input).await,
            Err(problem) => Ok(Outcome::Refused(vec![(&problem).into()])),
        };
        Some(many(outcome, "users", len).await.map(|(users, results, user_errors)| AddUsersPayload { users, results, user_errors }))
    }

    /// Changes fields of a user.
    async fn update_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateUserInput,
    ) -> Maybe<UpdateUserPayload> {
        let outcome = match update(input) {
            Ok(command) => perform(context, command).await,
            Err(problem) => Ok(Outcome::Refused(vec![(&problem).into()])),
        };
        Some(single(outcome).await.map(|(user, user_errors)| UpdateUserPayload { user, user_errors }))
    }

    /// Lets a user sign in.
    async fn activate_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: ActivateUserInput,
    ) -> Maybe<ActivateUserPayload> {
        let command = set_status(&[input.user_id], Status::Active, input.expected_version);
        let outcome = performed(context, command).await;
        Some(single(outcome).await.map(|(user, user_errors)| ActivateUserPayload { user, user_errors }))
    }

    /// Lets up to 500 users sign in, all of them or none.
    async fn activate_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: ActivateUsersInput,
    ) -> Maybe<ActivateUsersPayload> {
        let outcome = performed(context, set_status(&input.user_ids, Status::Active, None)).await;
        let done = many(outcome, "userIds", input.user_ids.len()).await;
        Some(done.map(|(users, results, user_errors)| ActivateUsersPayload { users, results, user_errors }))
    }

    /// Shuts a user out, and keeps everything else. Its tokens end, for good.
    async fn suspend_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: SuspendUserInput,
    ) -> Maybe<SuspendUserPayload> {
        let command = set_status(&[input.user_id], Status::Suspended, input.expected_version);
        let outcome = performed(context, command).await;
        Some(single(outcome).await.map(|(user, user_errors)| SuspendUserPayload { user, user_errors }))
    }

    /// Shuts up to 500 users out, all of them or none.
    async fn suspend_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: SuspendUsersInput,
    ) -> Maybe<SuspendUsersPayload> {
        let outcome = performed(context, set_status(&input.user_ids, Status::Suspended, None)).await;
        let done = many(outcome, "userIds", input.user_ids.len()).await;
        Some(done.map(|(users, results, user_errors)| SuspendUsersPayload { users, results, user_errors }))
    }

    /// Puts a user into the recycle bin, where it can be restored for 30 days.
    async fn remove_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: RemoveUserInput,
    ) -> Maybe<RemoveUserPayload> {
        let outcome = performed(context, remove(&[input.user_id], input.expected_version)).await;
        Some(single(outcome).await.map(|(user, user_errors)| RemoveUserPayload { user, user_errors }))
    }

    /// Puts up to 500 users into the recycle bin, all of them or none.
    async fn remove_users(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: RemoveUsersInput,
    ) -> Maybe<RemoveUsersPayload> {
        let outcome = performed(context, remove(&input.user_ids, None)).await;
        let done = many(outcome, "userIds", input.user_ids.len()).await;
        Some(done.map(|(users, results, user_errors)| RemoveUsersPayload { users, results, user_errors }))
    }

    /// Takes a user out of the recycle bin, as it was: profile, status, memberships, grants.
    async fn restore_user(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: RestoreUserInput,
    ) -> Maybe<RestoreUserPayload> {
        let texts = [
            (UserText::UserName, input.user_name),
            (UserText::Email, input.email),
            (UserText::ExternalId, input.external_id),
            (UserText::Code, input.code),
        ];
        let command = id::<UserId>(&input.user_id, "userId").map(|user| {
            let texts = texts.into_iter().filter_map(|(which, text)| Some((which, text?))).collect();
            Command::RestoreUser(RestoreUser { user, texts })
        });
        Some(match performed(context, command).await {
            Ok(Outcome::Done(done, directory)) => {
                let user = one(&directory, &done.ids).await;
                Ok(RestoreUserPayload { user, complete: !done.partly, user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(user_errors)) => Ok(RestoreUserPayload { user_errors, ..RestoreUserPayload::default() }),
            Err(error) => Err(error),
        })
    }
}

impl UserError {
    /// `users.0.email` stands for `user.email`.
    fn of_the_only_user(&mut self) {
        if let [list, position, ..] = self.field.as_mut_slice()
            && list == "users"
            && position == "0"
        {
            "user".clone_into(list);
            self.field.remove(1);
        }
    }
}

fn update(input: UpdateUserInput) -> Result<Command, Problem> {
    let texts = [
        (UserText::UserName, input.user_name),
        (UserText::DisplayName, input.display_name),
        (UserText::GivenName, input.given_name),
        (UserText::FamilyName, input.family_name),
        (UserText::Email, input.email),
        (UserText::Phone, input.phone),
        (UserText::Locale, input.locale),
        (UserText::TimeZone, input.time_zone),
        (UserText::Title, input.title),
        (UserText::AvatarUrl, input.avatar_url),
        (UserText::ExternalId, input.external_id),
        (UserText::Code, input.code),
    ];
    let set = |(which, text): (UserText, MaybeUndefined<String>)| match text {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some((which, None)),
        MaybeUndefined::Value(text) => Some((which, Some(text))),
    };
    Ok(Command::UpdateUser(UpdateUser {
        user: id(&input.user_id, "userId")?,
        expected: input.expected_version,
        texts: texts.into_iter().filter_map(set).collect(),
        exclusive: input.exclusive,
        attributes: attributes(input.attributes),
    }))
}

fn set_status(users: &[ID], status: Status, expected: Option<i64>) -> Result<Command, Problem> {
    Ok(Command::SetStatus(SetStatus { users: ids(users, "userIds")?, status, expected }))
}

fn remove(users: &[ID], expected: Option<i64>) -> Result<Command, Problem> {
    Ok(Command::RemoveUsers(RemoveUsers { users: ids(users, "userIds")?, expected }))
}

/// Does a command that could be read, without a key.
pub(super) async fn performed(context: &Context<'_>, command: Result<Command, Problem>) -> async_graphql::Result<Outcome> {
    match command {
        Ok(command) => perform(context, command).await,
        Err(problem) => Ok(Outcome::Refused(vec![(&problem).into()])),
    }
}

/// The user of a single form, and its errors: `userId` stands for `userIds.0`.
async fn single(outcome: async_graphql::Result<Outcome>) -> async_graphql::Result<(Maybe<UserNode>, Vec<UserError>)> {
    Ok(match outcome? {
        Outcome::Done(done, directory) => (one(&directory, &done.ids).await, Vec::new()),
        Outcome::Refused(mut errors) => {
            for error in &mut errors {
                if error.field.first().is_some_and(|field| field == "userIds") {
                    error.field = vec!["userId".to_owned()];
                }
            }
            (None, errors)
        }
    })
}

type Many = (Maybe<Vec<Option<UserNode>>>, Vec<BulkItem>, Vec<UserError>);

/// The users of a bulk form, its results, and its errors.
async fn many(outcome: async_graphql::Result<Outcome>, list: &str, len: usize) -> async_graphql::Result<Many> {
    Ok(match outcome? {
        Outcome::Done(done, directory) => (shown(found_users(&directory, &done.ids).await), items(list, len, &[]), Vec::new()),
        Outcome::Refused(errors) => (None, items(list, len, &errors), errors),
    })
}

pub(super) async fn found_users(
    directory: &std::sync::Arc<directory::access::Directory>,
    ids: &[Uuid],
) -> Result<Vec<Option<UserNode>>, Error> {
    let ids: Vec<UserId> = ids.iter().copied().map(UserId).collect();
    let rows = directory.users(&ids).await?;
    Ok(Level::members(directory, rows).into_iter().map(|member| member.map(UserNode)).collect())
}

async fn one(directory: &std::sync::Arc<directory::access::Directory>, ids: &[Uuid]) -> Maybe<UserNode> {
    maybe(found_users(directory, ids).await.map(|users| users.into_iter().flatten().next()))
}
