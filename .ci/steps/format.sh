#!/usr/bin/env bash
# Every workspace is formatted.
set -euo pipefail

cargo fmt --all --check
cargo fmt --all --check --manifest-path policy-wasm/Cargo.toml
cargo fmt --check --manifest-path benches/Cargo.toml
