#!/usr/bin/env bash
# Prints the path of docker-compose 1.29 (Debian's package), for `docker-compose config`, which needs no engine.
# Compose v2 is not taken for it: the older one is the stricter reader.
#   TRIBUTARY_CACHE  where things are kept (default: ~/.cache/tributary)
. "$(dirname "$0")/ensure.sh"

is_v1() { "$1" version --short 2>/dev/null | grep -q '^1\.'; }

for found in $(type -aP docker-compose || true); do
  if is_v1 "$found"; then
    echo "$found"
    exit
  fi
done
apt_install docker-compose || die "docker-compose 1.29 is missing and could not be installed"
is_v1 /usr/bin/docker-compose || die "the docker-compose package of this distribution is not version 1"
echo /usr/bin/docker-compose
