#!/usr/bin/env bash
# Clippy finds nothing, warnings included.
set -euo pipefail

cargo clippy --workspace --all-targets --locked -- -D warnings
cargo clippy --workspace --all-targets --locked --manifest-path policy-wasm/Cargo.toml -- -D warnings
