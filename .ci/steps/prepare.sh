#!/usr/bin/env bash
# Installs what is missing: a Postgres server, Node, Python's venv, and where rustup has no wasm target, Debian's.
set -euo pipefail

has() { command -v "$1" >/dev/null 2>&1; }
has_wasm() { [[ -d "$(rustc --print target-libdir --target wasm32-unknown-unknown 2>/dev/null)" ]]; }
has_debian_wasm() { [[ -x /usr/bin/rustc && -x /usr/bin/cargo && -d /usr/lib/rustlib/src/rust/library ]]; }
has_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || { has initdb && has postgres && has pg_isready; }
}

packages=()
has cc || packages+=(gcc libc6-dev)
has_postgres || packages+=(postgresql)
{ has node && has npm; } || packages+=(nodejs npm)
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
if ! has_wasm && ! { has rustup && timeout 60 rustup target add wasm32-unknown-unknown >/dev/null 2>&1; }; then
  has_debian_wasm || packages+=(rustc-web cargo-web rust-web-src)
fi
for component in rustfmt clippy; do
  cargo "${component/rust/}" --version >/dev/null 2>&1 || rustup component add "$component"
done

if [[ ${#packages[@]} -gt 0 ]]; then
  echo "installing ${packages[*]}"
  if [[ $(id -u) -ne 0 ]]; then
    echo "prepare: run as root, or install these first: ${packages[*]}" >&2
    exit 1
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

rustc --version
cc --version | head -n 1
node --version
has_postgres && echo "Postgres: $(compgen -G '/usr/lib/postgresql/*/bin/initdb' || command -v initdb)"
