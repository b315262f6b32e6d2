//! The mutation by which a partner comes in: a group, its users and their roles.

use async_graphql::{Context, ID, InputObject, Object};
use directory::{
    Problem,
    access::{Command, OnboardPartner},
    ids::{GroupId, RoleId},
};

use super::{
    BulkItem, Outcome, UserError,
    groups::GroupInput,
    items, payload, perform_once,
    users::{NewUserInput, found_users, ids},
};
use crate::graphql::{
    error::{Maybe, maybe, shown},
    group::GroupNode,
    level::Level,
    user::UserNode,
};

/// A group, its users and their roles.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct OnboardPartnerInput {
    /// The group to be.
    group: GroupInput,
    /// 1 to 500 users to be. Each becomes a member of the group, beside what it names itself.
    users: Vec<PartnerUserInput>,
    /// Roles that each of them has within the group.
    role_ids: Option<Vec<ID>>,
    /// Makes a repeated request be answered instead of done twice; for 24 hours.
    idempotency_key: Option<String>,
}

/// A user of a partner.
#[derive(Clone, Debug, InputObject)]
pub(in crate::graphql) struct PartnerUserInput {
    /// The user to be.
    user: NewUserInput,
    /// Whether it manages the partner's group.
    #[graphql(default)]
    manager: bool,
}

payload! {
    /// The answer to `onboardPartner`.
    OnboardPartnerPayload {
        /// The new group, as far as the viewer may see it.
        group: GroupNode,
        /// The new users in the order of the input, as far as the viewer may see them; null if nothing was added.
        users: Vec<Option<UserNode>>,
        @ /// One entry a user of the input.
        results: Vec<BulkItem>,
    }
}

#[derive(Default)]
pub(super) struct PartnerMutations;

/// The mutation of partners.
#[Object]
impl PartnerMutations {
    /// Creates a group with its users and their roles, all of it or nothing.
    async fn onboard_partner(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: OnboardPartnerInput,
    ) -> Maybe<OnboardPartnerPayload> {
        let len = input.users.len();
        let own: Vec<Own> = input.users.iter().map(|partner| Own::of(&partner.user)).collect();
        let outcome = match onboard(input.clone()) {
            Ok(command) => perform_once(context, command, input.idempotency_key.clone(), &input).await,
            Err(problem) => Ok(Outcome::Refused(vec![(&problem).into()])),
        };
        Some(match outcome {
            Ok(Outcome::Done(done, directory)) => {
                let (group, users) = done.ids.split_first().map_or((Vec::new(), &[][..]), |(group, users)| (vec![GroupId(*group)], users));
                let found = directory.groups(&group).await;
                let group = maybe(found.map(|rows| Level::members(&directory, rows).into_iter().flatten().next().map(GroupNode)));
                let users = shown(found_users(&directory, users).await);
                Ok(OnboardPartnerPayload { group, users, results: items("users", len, &[]), user_errors: Vec::new() })
            }
            Ok(Outcome::Refused(mut user_errors)) => {
                user_errors.iter_mut().for_each(|error| error.of_a_partner(&own));
                // What is wrong with a role of all of them is told once.
                let mut told = std::collections::HashSet::new();
                user_errors.retain(|error| told.insert((error.field.clone(), error.message.clone())));
                let results = items("users", len, &user_errors);
                Ok(OnboardPartnerPayload { results, user_errors, ..OnboardPartnerPayload::default() })
            }
            Err(error) => Err(error),
        })
    }
}

fn onboard(input: OnboardPartnerInput) -> Result<Command, Problem> {
    let managers = input.users.iter().enumerate().filter(|(_, user)| user.manager).map(|(at, _)| at).collect();
    let drafts = input.users.into_iter().enumerate().map(|(at, partner)| partner.user.draft(&format!("users.{at}.user.")));
    Ok(Command::OnboardPartner(OnboardPartner {
        group: input.group.command("group.")?,
        users: drafts.collect::<Result<_, _>>()?,
        managers,
        roles: ids::<RoleId>(&input.role_ids.unwrap_or_default(), "roleIds")?,
    }))
}

impl UserError {
    /// `users.2.email` stands for `users.2.user.email`, and what every user of a partner begins with stands where the input has it.
    fn of_a_partner(&mut self, own: &[Own]) {
        let path: Vec<&str> = self.field.iter().map(String::as_str).collect();
        let ["users", position, rest @ ..] = path.as_slice() else { return };
        let Some(own) = position.parse().ok().and_then(|at: usize| own.get(at)) else { return };
        let beyond = |at: &str, len: usize| at.parse().ok().and_then(|at: usize| at.checked_sub(len));
        let path = match rest {
            [] => return,
            // The policy's refusal of an edge does not say which; where they have none of their own, it is the partner's.
            ["groups"] if own.groups == 0 => vec!["users".to_owned(), (*position).to_owned()],
            ["roles"] if own.roles == 0 => vec!["roleIds".to_owned()],
            ["groups", at, ..] if beyond(at, own.groups).is_some() => vec!["users".to_owned(), (*position).to_owned()],
            ["roles", at, ..] if beyond(at, own.roles).is_some() => {
                vec!["roleIds".to_owned(), beyond(at, own.roles).unwrap_or_default().to_string()]
            }
            // The path of an id that is none has it already.
            ["user", ..] => return,
            rest => ["users", position, "user"].iter().chain(rest).map(|part| (*part).to_owned()).collect(),
        };
        self.field = path;
    }
}

/// How many groups and roles a partner's user begins with beside those of every one of them.
struct Own {
    groups: usize,
    roles: usize,
}

impl Own {
    fn of(user: &NewUserInput) -> Self {
        Self { groups: user.groups.as_ref().map_or(0, Vec::len), roles: user.roles.as_ref().map_or(0, Vec::len) }
    }
}
