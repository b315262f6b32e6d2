# To be sourced. `cargo_wasm FLAGS ARGUMENT...` builds for policies in the folder at hand, with these RUSTFLAGS and `cargo build`'s
# arguments, by the first of these toolchains that there is: the active one with the target, the same after `rustup target add`, Debian's.
readonly wasm_target=wasm32-unknown-unknown

has_wasm_target() {
  [[ -d "$(rustc --print target-libdir --target $wasm_target 2>/dev/null)" ]]
}

# Debian packages no rust-lld, so the linker is that of a rustup toolchain.
debian_linker() {
  local host
  host=$(rustc -vV | sed -n 's/^host: //p')
  echo "$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld"
}

has_debian_wasm() {
  [[ -x /usr/bin/cargo && -x /usr/bin/rustc && -d /usr/lib/rustlib/src/rust/library && -x "$(debian_linker)" ]]
}

cargo_wasm() {
  local flags=$1
  shift
  if has_wasm_target || timeout 60 rustup target add $wasm_target >/dev/null 2>&1; then
    RUSTFLAGS=$flags cargo build --locked --release --target $wasm_target "$@"
  elif has_debian_wasm; then
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$(debian_linker) \
      RUSTFLAGS=$flags RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc \
      /usr/bin/cargo build --locked --release --target $wasm_target -Zbuild-std=std,panic_abort "$@"
  else
    echo "no toolchain for $wasm_target: run 'rustup target add $wasm_target'," \
      "or beside rustup install Debian's packages rustc-web, cargo-web and rust-web-src" >&2
    return 1
  fi
}
