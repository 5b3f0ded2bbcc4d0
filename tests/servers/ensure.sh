# shellcheck shell=bash
# Sourced by the scripts beside it: the cache folder, locks, and clients from the distribution's packages.
# Standard output of those scripts carries one thing only, the path they promise; all talk goes to standard error.
set -euo pipefail
shopt -s nullglob

server=$(basename "$0" .sh)
cache=${TRIBUTARY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tributary}

say() { printf '%s: %s\n' "$server" "$*" >&2; }
die() { say "error: $*"; exit 1; }

# as_root COMMAND...: runs it as root; fails when this user cannot become root without being asked.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
can_be_root() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

# apt_install PACKAGE...: installs Debian packages. Scripts run in parallel, so one apt at a time.
apt_install() {
  command -v apt-get >/dev/null || { say "there is no apt-get here; install $* with your package manager"; return 1; }
  can_be_root || { say "not root and no password-less sudo; run: sudo apt-get install $*"; return 1; }
  mkdir -p "$cache"
  (
    flock 9
    say "installing with apt-get: $*"
    # an image without package lists, or with lists whose files are gone, needs an update first
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@" >&2 </dev/null || {
      as_root apt-get -qq update >&2 </dev/null &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@" >&2 </dev/null
    }
  ) 9>"$cache/.apt.lock"
}

# need COMMAND PACKAGE...: makes COMMAND available, by apt-get where it is missing.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null || apt_install "$@" || die "\`$command\` is missing and could not be installed"
  hash -r
  command -v "$command" >/dev/null || die "\`$command\` is still missing after installing $*"
}

java_major() { java -version 2>&1 | sed -n 's/^.*version "\([0-9]*\).*$/\1/p' | head -1; }

# need_java WHAT: makes Java 17 or newer available, for what needs it.
need_java() {
  local major
  command -v java >/dev/null || apt_install openjdk-17-jre-headless || apt_install default-jre-headless || true
  hash -r
  major=$(java_major)
  [ "${major:-0}" -ge 17 ] || die "$1 needs Java 17 or newer, here is: ${major:-none}"
}

# build_once NAME FUNCTION: FUNCTION fills the folder it is given; the folder appears as $cache/NAME whole or not at all.
# Of several callers at once, one builds and the others wait for it.
build_once() {
  local name=$1 build=$2 started=$SECONDS partial
  [ -d "$cache/$name" ] && return
  mkdir -p "$cache"
  exec 8>"$cache/.$name.lock"
  flock 8
  if [ ! -d "$cache/$name" ]; then
    # what a build that was killed left behind: nobody else builds now
    chmod -R u+w "$cache/.$name.partial."* 2>/dev/null || true
    rm -rf "$cache/.$name.partial."*
    partial=$(mktemp -d "$cache/.$name.partial.XXXXXX")
    # shellcheck disable=SC2064 # the name is to be expanded now
    trap "chmod -R u+w '$partial' 2>/dev/null; rm -rf '$partial'" EXIT
    chmod 755 "$partial"
    "$build" "$partial" >&2 </dev/null
    mv -T "$partial" "$cache/$name"
    trap - EXIT
    say "$name is ready in $cache, took $((SECONDS - started)) s"
  fi
  exec 8>&-
}
