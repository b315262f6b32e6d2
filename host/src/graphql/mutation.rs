//! Mutations: each one command to the gate, and its answer read back through a directory that is opened afterwards.
//!
//! What a person can put right is a `userErrors` entry with the path into the input; everything else is an error of the field. To add
//! a mutation: its command in `directory::access::write`, its input and payload in the module of its kind, and its row in the coverage
//! table.

mod attributes;
mod grants;
mod groups;
mod members;
mod partners;
mod policies;
mod roles;
mod shadows;
mod tokens;
mod users;
mod workspace;

use std::sync::Arc;

use async_graphql::{Context, Enum, ErrorExtensions as _, InputType, MergedObject, SimpleObject};
use directory::{
    Error, Problem, Refusal, Rule,
    access::{Command, Directory, Done, Gate, Request, Subject},
    contract::Digest,
};
use sha2::{Digest as _, Sha256};

pub(super) use groups::{DeleteGroupMode, MoveGroupInput};

use super::{RequestContext, error::failure};
use crate::{clock::Clock, ids::Ids};

/// The root of every mutation. Each is all or nothing, and its payload shows what the caller may see afterwards.
#[derive(Default, MergedObject)]
pub struct Mutation(
    users::UserMutations,
    partners::PartnerMutations,
    groups::GroupMutations,
    members::MemberMutations,
    roles::RoleMutations,
    grants::GrantMutations,
    attributes::AttributeMutations,
    workspace::WorkspaceMutations,
    tokens::TokenMutations,
    policies::PolicyMutations,
    shadows::ShadowMutations,
);

/// Whoever writes, and through which gate.
pub struct Writer {
    /// The way to every workspace.
    pub gate: Arc<Gate>,
    /// The clock.
    pub clock: Clock,
    /// Who writes; `None` for anonymous callers.
    pub subject: Option<Subject>,
}

/// Why a write was refused. The list only grows.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub(super) enum UserErrorCode {
    /// A value breaks a rule.
    Invalid,
    /// The policy does not allow it.
    Forbidden,
    /// There is nothing of that id, or the caller may not know of it.
    NotFound,
    /// A value that must be unique is taken.
    Taken,
    /// What was read has changed since; read it again.
    Stale,
    /// A limit was reached.
    LimitExceeded,
    /// The workspace would be left without an active administrator.
    LastAdministrator,
    /// Nobody suspends or removes themself, or takes away their own administration.
    OwnAccess,
    /// A group would be below itself.
    Cycle,
    /// The tree would be too deep.
    TooDeep,
    /// What is deleted as empty is not.
    NotEmpty,
    /// The workspace would have more users than it may.
    QuotaExceeded,
    /// An exclusive user is in one workspace only.
    Exclusive,
    /// Built-in roles never change.
    BuiltIn,
    /// It can not come back from the recycle bin as it was.
    NotRestorable,
    /// It is in the recycle bin.
    InRecycleBin,
    /// The idempotency key was used for another request.
    KeyReused,
    /// A gate refused to activate a policy.
    ActivationRefused,
}

/// What is wrong with a part of the input.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct UserError {
    /// For programs.
    code: UserErrorCode,
    /// For people: the input, the rule, the remedy.
    message: String,
    /// The path into `input`: names of fields, and positions in lists. Empty for the input as a whole.
    field: Vec<String>,
}

/// What became of one item of a bulk. A bulk is all or nothing: if one item is refused, none is done.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct BulkItem {
    /// The item's position in the input, from 0.
    index: i32,
    /// Whether it was done.
    done: bool,
    /// Why it was refused; empty if another one was.
    user_errors: Vec<UserError>,
}

/// Two ways in which a write ends that a payload speaks of.
pub(super) enum Outcome {
    /// It was done; the directory shows what is there now.
    Done(Done, Arc<Directory>),
    /// It was refused.
    Refused(Vec<UserError>),
}

/// Does a command.
///
/// # Errors
/// What nobody can put right in the input.
pub(super) async fn perform(context: &Context<'_>, command: Command) -> async_graphql::Result<Outcome> {
    keyed(context, command, None).await
}

/// The same, with the idempotency key of the input and the input itself.
pub(super) async fn perform_once(
    context: &Context<'_>,
    command: Command,
    key: Option<String>,
    input: &impl InputType,
) -> async_graphql::Result<Outcome> {
    let digest = || Digest(Sha256::digest(format!("{} {}", context.field().name(), input.to_value())).into());
    let key = key.map(|key| (key, digest()));
    keyed(context, command, key).await
}

async fn keyed(context: &Context<'_>, command: Command, key: Option<(String, Digest)>) -> async_graphql::Result<Outcome> {
    let (writer, subject) = writer(context)?;
    let (now, mut ids) = (writer.clock.now(), Ids::random(writer.clock.clone()));
    let request = Request { command, key };
    match Box::pin(writer.gate.write(subject, &request, now, &mut ids)).await {
        Ok(done) => {
            let directory = writer.gate.open(subject.clone(), now).await.map_err(|error| unread(&error))?;
            Ok(Outcome::Done(done, Arc::new(directory)))
        }
        Err(Refusal::Problems(problems)) => Ok(Outcome::Refused(problems.iter().map(UserError::from).collect())),
        Err(Refusal::Failed(error)) => Err(failure(&error)),
    }
}

/// A write that was made and whose outcome can not be read: nobody must take that for a refusal.
fn unread(error: &Error) -> async_graphql::Error {
    let mut wire = failure(error);
    wire.message = format!("the change was made, but what it came to could not be read: {}; read it again", wire.message);
    wire.extend_with(|_, extensions| extensions.set("changed", true))
}

/// Whoever writes.
pub(super) fn writer<'a>(context: &Context<'a>) -> async_graphql::Result<(&'a Writer, &'a Subject)> {
    let writer = &context.data::<RequestContext>()?.writer;
    let subject = writer.subject.as_ref().ok_or_else(|| {
        async_graphql::Error::new("this needs a token; send it as `Authorization: Bearer TOKEN`")
            .extend_with(|_, extensions| extensions.set("code", "UNAUTHENTICATED"))
    })?;
    Ok((writer, subject))
}

impl UserError {
    /// An error of the input as a whole.
    fn new(code: UserErrorCode, message: &str) -> Self {
        Self { code, message: message.to_owned(), field: Vec::new() }
    }
}

impl From<&Problem> for UserError {
    fn from(problem: &Problem) -> Self {
        Self { code: code(&problem.error), message: problem.error.to_string(), field: problem.at.clone() }
    }
}

const fn code(error: &Error) -> UserErrorCode {
    match error {
        Error::Forbidden { .. } => UserErrorCode::Forbidden,
        Error::NotFound(_) => UserErrorCode::NotFound,
        Error::Taken(_) => UserErrorCode::Taken,
        Error::Stale(_) => UserErrorCode::Stale,
        Error::TooLarge(_) => UserErrorCode::LimitExceeded,
        Error::Broken { rule, .. } => match rule {
            Rule::LastAdministrator => UserErrorCode::LastAdministrator,
            Rule::OwnAccess => UserErrorCode::OwnAccess,
            Rule::Cycle => UserErrorCode::Cycle,
            Rule::TooDeep => UserErrorCode::TooDeep,
            Rule::NotEmpty => UserErrorCode::NotEmpty,
            Rule::Quota => UserErrorCode::QuotaExceeded,
            Rule::Exclusive => UserErrorCode::Exclusive,
            Rule::BuiltIn => UserErrorCode::BuiltIn,
            Rule::Restore => UserErrorCode::NotRestorable,
            Rule::InBin => UserErrorCode::InRecycleBin,
            Rule::KeyReused => UserErrorCode::KeyReused,
        },
        _ => UserErrorCode::Invalid,
    }
}

/// One entry an item of the bulk whose list in the input is called `list`.
pub(super) fn items(list: &str, len: usize, errors: &[UserError]) -> Vec<BulkItem> {
    let of = |index: usize| {
        let own = errors.iter().filter(|error| {
            let mut path = error.field.iter();
            path.next().is_some_and(|field| field == list) && path.next().is_some_and(|position| *position == index.to_string())
        });
        own.cloned().collect()
    };
    let item = |index| BulkItem { index: i32::try_from(index).unwrap_or(i32::MAX), done: errors.is_empty(), user_errors: of(index) };
    (0..len).map(item).collect()
}

/// A payload: nullable fields that may fail, lists that may not, and `userErrors`.
macro_rules! payload {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
            $(@ $(#[$plain_doc:meta])* $plain:ident: $plain_type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub(in crate::graphql) struct $name {
            $($field: Option<async_graphql::Result<$type>>,)*
            $($plain: $plain_type,)*
            user_errors: Vec<super::UserError>,
        }

        $(#[$doc])*
        #[async_graphql::Object]
        impl $name {
            $($(#[$field_doc])*
            async fn $field(&self) -> Option<async_graphql::Result<$type>> {
                self.$field.clone()
            })*
            $($(#[$plain_doc])*
            async fn $plain(&self) -> &$plain_type {
                &self.$plain
            })*
            /// What is wrong with the input; empty if everything was done.
            async fn user_errors(&self) -> &[super::UserError] {
                &self.user_errors
            }
        }
    };
}
use payload;
