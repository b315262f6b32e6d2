#!/usr/bin/env bash
# A new policy of each language is built and tested through the language's own packages; a server takes, runs and rolls back each.
set -euo pipefail

. .ci/steps/serve.bash
. policy-wasm/cargo-wasm.bash
serve
readonly root=$PWD policies=${DEMO%/*}/policies
PATH=$root/target/debug:$PATH
mkdir "$policies"

# Makes a policy and does what stands in its README first, as it stands there; says what came of it if it fails.
follow() {
  local language=$1 folder=$policies/$1
  bailiwick policy new --language "$language" "ci-$language" --folder "$folder"
  awk '/^```sh$/ { on = 1; next } /^```$/ && on { exit } on' "$folder/README.md" >"$policies/$language.sh"
  (cd "$folder" && bash -euxo pipefail "../$language.sh") >"$policies/$language.log" 2>&1 || {
    cat "$policies/$language.log" >&2
    return 1
  }
  tail -n 20 "$policies/$language.log"
}

# The same for Rust, with whichever toolchain has the target, on what the step `guests` has compiled.
follow_rust() (
  bailiwick policy new --language rust ci-rust --folder "$policies/rust"
  cd "$policies/rust"
  export CARGO_TARGET_DIR=$root/policy-wasm/target
  cargo fmt --check
  cargo test --locked --quiet
  cargo_wasm ''
  cp "$CARGO_TARGET_DIR/$wasm_target/release/ci_rust.wasm" policy.wasm
  bailiwick policy check policy.wasm
)

live() {
  echo "$1:"
  node tests/authors/life.mjs "$DEMO" "$policies/$1/policy.wasm"
}

# Runs two commands at once, sees both to their end, and fails if either does.
both() {
  $1 &
  local first=$! failed=0
  $2 &
  wait $first || failed=1
  wait $! || failed=1
  return $failed
}

live_others() {
  live js
  live python
}

# Each takes one core for a minute, most of it the compiler of the debug build; then the server's compiler does, one after the other.
both 'follow js' 'follow python'
both live_others follow_rust
live rust
