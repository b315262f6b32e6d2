//! Writes through GraphQL, on both databases: what they do, what they refuse, and what they tell.

mod coverage;
mod decided;
mod deferred;
mod grants;
mod groups;
mod interleaved;
mod invariants;
mod oracle;
mod settings;
mod silent;
pub(crate) mod stage;
mod users;
