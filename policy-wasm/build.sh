#!/usr/bin/env bash
# Builds the guests into dist/, with the digests of their sources.
#
#   ./build.sh           build and write dist/*.wasm and dist/SOURCES.sha256
#   ./build.sh --check   say whether dist/ was built from the sources at hand; builds no guest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly guests=(standard need-to-know rules house-rules)
. ./cargo-wasm.bash
readonly build=target/$wasm_target/release

componentize() {
  cargo run --quiet --locked --package componentize -- "$@"
}

# No path of the machine gets into a component. Of several prefixes that match, the last one counts.
remap() {
  local cargo_home=${CARGO_HOME:-$HOME/.cargo} library=/usr/lib/rustlib/src/rust crates
  echo "--remap-path-prefix=$(cd .. && pwd)=/bailiwick"
  echo "--remap-path-prefix=$cargo_home=/cargo"
  for crates in "$cargo_home"/registry/src/*; do
    echo "--remap-path-prefix=$crates=/crates"
  done
  echo "--remap-path-prefix=$(rustc --print sysroot)/lib/rustlib/src/rust=/rust"
  # Debian links the library's sources to where it unpacks them.
  echo "--remap-path-prefix=$library=/rust --remap-path-prefix=$(readlink -f $library)=/rust"
}

if [[ ${1-} == --check ]]; then
  componentize check
  exit
fi

cargo_wasm "$(remap | xargs)" "${guests[@]/#/--package=}"
mkdir -p dist
for guest in "${guests[@]}"; do
  componentize component "$build/${guest//-/_}.wasm" "dist/$guest.wasm"
done
componentize digests >dist/SOURCES.sha256
