//! `bailiwick schema`.

use super::print;
use crate::graphql;

/// Print the GraphQL schema
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints the GraphQL schema in the schema definition language, as committed in schema.graphql.",
    after_long_help = "\
Examples:
  bailiwick schema > schema.graphql"
)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments) {
    print(graphql::sdl().trim_end());
}
