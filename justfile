# Recipes for people. The steps themselves are `.ci/steps/*.sh`, which continuous integration runs, too.

# What there is
default:
    @just --list

# Formatting, clippy, documentation, the arrows between crates
check:
    .ci/run format clippy doc bans

# The README's test command; its Postgres half needs a Postgres server's binaries or BAILIWICK_TEST_POSTGRES
test:
    .ci/run test

# Only the storage suite and the acceptance tests, on a running Postgres
test-pg url:
    BAILIWICK_TEST_POSTGRES={{ url }} cargo test --package tests

# Write the generated files again: schema.graphql, docs/register.md, the standard policy's decision table, the components
bless:
    policy-wasm/build.sh
    UPDATE=1 cargo test --quiet --manifest-path policy-wasm/Cargo.toml --package standard --test decisions
    BLESS=1 cargo test --package tests --test it generated
    git status --short

# Rebuild and test the policies
policy:
    .ci/run guests

# The schema: linter and client generators
schema:
    .ci/run schema

# GraphQL over HTTP, against a running server
audit:
    .ci/run audit

# A new policy of each language, through its own packages and in a running server
authors:
    .ci/run authors

# Everything that continuous integration runs
ci:
    .ci/run

# The benchmarks; see docs/benchmarks.md
bench *arguments:
    cargo run --release --manifest-path benches/Cargo.toml -- {{ arguments }}
