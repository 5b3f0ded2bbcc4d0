#!/usr/bin/env bash
# What `make test-matrix` does: the tests whose outcome depends on the version of a server, on every PostgreSQL from 14 to
# 18 and on Apache Kafka 3.9 and 4. Takes an hour on two cores; `matrix.sh "14 18" "4"` plays less.
set -uo pipefail
cd "$(dirname "$0")/.."
read -ra postgres <<<"${1:-14 15 16 17 18}"
read -ra kafka <<<"${2:-3.9 4}"
status=0
results=()

# result WHAT COMMAND...: runs it, and keeps how it ended
result() {
  local what=$1 started=$SECONDS
  shift
  if "$@"; then
    results+=("ok      $what, $((SECONDS - started)) s")
  else
    results+=("FAILED  $what, $((SECONDS - started)) s")
    status=1
  fi
}

for version in "${postgres[@]}"; do
  result "PostgreSQL $version" env TRIBUTARY_POSTGRES_VERSION="$version" tests/play.sh road corpus source
done
for version in "${kafka[@]}"; do
  result "Kafka $version" env TRIBUTARY_KAFKA_VERSION="$version" tests/play.sh road kafka
done
printf '\n'
printf '%s\n' "${results[@]}"
exit $status
