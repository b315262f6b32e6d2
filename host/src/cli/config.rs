//! `bailiwick config`.

use super::print;
use crate::config::Layers;

/// Print every setting with where it comes from
#[derive(Debug, clap::Args)]
#[command(
    long_about = "Prints the settings as a server started now would have them, as TOML, each with where it comes from. \
        Passwords are left out.",
    after_long_help = "\
Examples:
  bailiwick config
  BAILIWICK_LIMITS__REQUEST_MS=5000 bailiwick --config bailiwick.toml config"
)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments, layers: &Layers) {
    for setting in layers.settings() {
        match &setting.value {
            Some(value) => print(&format!("{} = {value}  # {}", setting.key, setting.source)),
            None => print(&format!("# {} is not set", setting.key)),
        }
    }
}
