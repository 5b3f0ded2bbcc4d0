#!/usr/bin/env bash
# Prints the jar of Apicurio Registry (in memory), a schema registry with a face for Confluent's clients.
# Needs Java 17 or newer; Maven fetches the archive.
#   TRIBUTARY_CACHE  where things are kept (default: ~/.cache/tributary)
. "$(dirname "$0")/ensure.sh"
version=2.6.13.Final # the version docker-compose.yml pins

resolve() {
  local target=$1
  need mvn maven
  say "fetching io.apicurio:apicurio-registry-app:$version with Maven"
  mvn -q -B dependency:copy -Dartifact="io.apicurio:apicurio-registry-app:$version:tar.gz:all" -DoutputDirectory="$target"
  tar -xzf "$target/apicurio-registry-app-$version-all.tar.gz" -C "$target"
  rm "$target/apicurio-registry-app-$version-all.tar.gz"
  [ -e "$(echo "$target"/*-runner.jar)" ] || die "the archive holds no *-runner.jar"
}

need_java "Apicurio Registry $version"
build_once "apicurio-$version" resolve
echo "$cache/apicurio-$version"/*-runner.jar
