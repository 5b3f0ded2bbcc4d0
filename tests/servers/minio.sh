#!/usr/bin/env bash
# Prints the path of a MinIO server binary, built from its Go module.
#   TRIBUTARY_CACHE  where things are kept (default: ~/.cache/tributary)
. "$(dirname "$0")/ensure.sh"
release=RELEASE.2025-09-07T16-13-09Z
stamp=2025-09-07T16:13:09Z
module=github.com/minio/minio@v0.0.0-20250907161309-07c3a429bfed

# recent_go GO...: the first of these that is Go 1.21 or newer, which fetches by itself the version a module asks for.
recent_go() {
  local go minor
  for go in "$@"; do
    minor=$("$go" version 2>/dev/null | sed -n 's/^go version go1\.\([0-9]*\).*$/\1/p')
    if [ "${minor:-0}" -ge 21 ]; then
      echo "$go"
      return
    fi
  done
  return 1
}

# shellcheck disable=SC2046 # folder names of Go hold no spaces
find_go() { recent_go go /usr/local/go/bin/go $(printf '%s\n' /usr/lib/go-*/bin/go | sort -rV); }

install_go() {
  local package
  # the newest that the distribution or its backports have
  package=$({ apt-cache search --names-only '^golang-1\.[0-9]*-go$' || true; } | cut -d ' ' -f 1 | sort -rV | head -n 1)
  [ -n "$package" ] && apt_install "$package"
}

build() {
  local target=$1 go
  go=$(find_go) || { install_go && go=$(find_go); } ||
    die "MinIO $release is built with Go 1.21 or newer, here is none: install it from https://go.dev, or from your distribution's backports"
  say "building MinIO $release with go install, some three minutes"
  # a build cache of our own, thrown away afterwards: 1 GB that nobody else would use
  GOBIN=$target/bin GOCACHE=$target/build-cache GOFLAGS=-modcacherw CGO_ENABLED=0 "$go" install -trimpath \
    -ldflags "-s -w -X github.com/minio/minio/cmd.Version=$stamp -X github.com/minio/minio/cmd.ReleaseTag=$release" "$module" \
    2> >(grep -v '^go: downloading' >&2 || true)
  rm -rf "$target/build-cache"
  "$target/bin/minio" --version | grep -q "$release" || die "the minio that was built does not run here"
}

if command -v minio >/dev/null && minio --version 2>/dev/null | grep -q "$release"; then
  command -v minio
  exit
fi
build_once "minio-$release" build
echo "$cache/minio-$release/bin/minio"
