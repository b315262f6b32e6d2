#!/usr/bin/env bash
# The test command of the README, on SQLite and on Postgres.
set -euo pipefail

cargo test --workspace
