#!/usr/bin/env bash
# Prints the jar of Apicurio Registry (in memory), a schema registry with a face for Confluent's clients.
# Needs Java 17 or newer; Maven fetches the archive.
#   TRIBUTARY_CACHE  where things are kept (default: ~/.cache/tributary)
. "$(dirname "$0")/ensure.sh"
version=2.6.13.Final # the version docker-compose.yml pins

java_major() { java -version 2>&1 | sed -n 's/^.*version "\([0-9]*\).*$/\1/p' | head -1; }

need_java() {
  local major
  command -v java >/dev/null || apt_install openjdk-17-jre-headless || apt_install default-jre-headless || true
  hash -r
  major=$(java_major)
  [ "${major:-0}" -ge 17 ] || die "Apicurio Registry $version needs Java 17 or newer, here is: ${major:-none}"
}

resolve() {
  local target=$1
  need mvn maven
  say "fetching io.apicurio:apicurio-registry-app:$version with Maven"
  mvn -q -B dependency:copy -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" -DoutputDirectory="$target"
  tar -xzf "$target/apicurio-registry-app-$version-all.tar.gz" -C "$target"
  rm "$target/apicurio-registry-app-$version-all.tar.gz"
  [ -e "$(echo "$target"/*-runner.jar)" ] || die "the archive holds no *-runner.jar"
}

need_java
build_once "apicurio-$version" resolve
echo "$cache/apicurio-$version"/*-runner.jar
