#!/usr/bin/env bash
# Prints the path of a docker-compose program, for `docker-compose config`, which needs no engine. Version 1.29 is the
# stricter reader and goes first; where the distribution has none any more, version 2 does.
#   TRIBUTARY_CACHE  where things are kept (default: ~/.cache/tributary)
. "$(dirname "$0")/ensure.sh"

is_v1() { "$1" version --short 2>/dev/null | grep -q '^1\.'; }

find_v1() {
  local found
  for found in $(type -aP docker-compose || true); do
    if is_v1 "$found"; then
      echo "$found"
      return
    fi
  done
  return 1
}

if find_v1; then exit; fi
apt_install docker-compose || say "docker-compose could not be installed"
if find_v1; then exit; fi
hash -r
say "no docker-compose 1.29 here; taking the version there is"
type -P docker-compose || die "docker-compose is missing; install it"
