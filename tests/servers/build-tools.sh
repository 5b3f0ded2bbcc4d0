#!/usr/bin/env bash
# Makes sure that what the build needs is here: cargo, a C and C++ compiler, CMake, pkg-config and OpenSSL's headers
# (librdkafka, zstd and others are built from source). Says what it installs, prints nothing else.
. "$(dirname "$0")/ensure.sh"

[ -x "$(command -v cargo || true)" ] || die "cargo is missing: install Rust with rustup, https://rustup.rs"
missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v c++ >/dev/null || missing+=(g++)
command -v make >/dev/null || missing+=(make)
command -v cmake >/dev/null || missing+=(cmake)
command -v pkg-config >/dev/null || missing+=(pkg-config)
if ! pkg-config --exists openssl 2>/dev/null; then
  # Homebrew's OpenSSL is found by its own folder
  [ "$(uname)" = Darwin ] || missing+=(libssl-dev)
fi
[ ${#missing[@]} = 0 ] || apt_install "${missing[@]}" || die "the build needs these packages: ${missing[*]}"
