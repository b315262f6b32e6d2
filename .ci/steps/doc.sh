#!/usr/bin/env bash
# The documentation of every crate builds, private items included, and its links lead somewhere.
set -euo pipefail

RUSTDOCFLAGS='-D warnings -A rustdoc::private-intra-doc-links' \
  cargo doc --workspace --no-deps --document-private-items --locked --quiet
