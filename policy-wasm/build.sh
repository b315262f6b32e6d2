#!/usr/bin/env bash
# Builds the guests into dist/, with the digests of their sources.
#
#   ./build.sh           build and write dist/*.wasm and dist/SOURCES.sha256
#   ./build.sh --check   say whether dist/ was built from the sources at hand; builds no guest
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly guests=(standard need-to-know rules house-rules)
readonly target=wasm32-unknown-unknown
readonly build=target/$target/release

has_target() {
  [[ -d "$(rustc --print target-libdir --target $target 2>/dev/null)" ]]
}

componentize() {
  cargo run --quiet --locked --package componentize -- "$@"
}

# Debian packages no rust-lld, so the linker is that of a rustup toolchain.
debian_linker() {
  local host
  host=$(rustc -vV | sed -n 's/^host: //p')
  echo "$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld"
}

has_debian() {
  [[ -x /usr/bin/cargo && -x /usr/bin/rustc && -d /usr/lib/rustlib/src/rust/library && -x "$(debian_linker)" ]]
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

build_guests() {
  local packages=("${guests[@]/#/--package=}") flags
  flags=$(remap | xargs)
  if has_target || timeout 60 rustup target add $target >/dev/null 2>&1; then
    RUSTFLAGS=$flags cargo build --locked --release --target $target "${packages[@]}"
  elif has_debian; then
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(debian_linker) \
      RUSTFLAGS=$flags RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc \
      /usr/bin/cargo build --locked --release --target $target -Zbuild-std=std,panic_abort "${packages[@]}"
  else
    echo "build.sh: no toolchain for $target: run 'rustup target add $target'," \
      "or beside rustup install Debian's packages rustc-web, cargo-web and rust-web-src" >&2
    exit 1
  fi
}

if [[ ${1-} == --check ]]; then
  componentize check
  exit
fi

build_guests
mkdir -p dist
for guest in "${guests[@]}"; do
  componentize component "$build/${guest//-/_}.wasm" "dist/$guest.wasm"
done
componentize digests >dist/SOURCES.sha256
