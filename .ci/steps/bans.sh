#!/usr/bin/env bash
# The arrows between crates hold, and every dependency has a licence that we allow and comes from the registry.
set -euo pipefail

readonly version=0.20.2
# The default checks of cargo-deny include advisories, which need a database from outside.
readonly checks=(bans licenses sources)

if ! cargo deny --version 2>/dev/null | grep -qF "$version"; then
  # A debug build compiles in a third of the time and checks in seconds.
  cargo install --quiet --locked --debug "cargo-deny@$version"
fi
cargo deny check "${checks[@]}"
# The guests are linked from fewer crates, so that not every exception finds its match.
cargo deny --manifest-path policy-wasm/Cargo.toml --config deny.toml check \
  --allow license-not-encountered --allow unused-wrapper --hide-inclusion-graph "${checks[@]}"
# Nobody builds the benchmarks here, so that nobody would notice a lock that is behind its manifest.
cargo metadata --locked --format-version 1 --manifest-path benches/Cargo.toml >/dev/null
