#!/usr/bin/env bash
# What `make test` and .ci/run do: format, lints, every test, and then the road, the kills and the recordings again on the
# oldest and the newest PostgreSQL. The servers that the tests start are fetched and built meanwhile; all that is fetched is
# cached outside the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
# A failed test says what was wrong; the frames of the test harness below it would hide that in a long log.
export RUST_BACKTRACE=0
started=$SECONDS
step() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - started)); }

step "what the build needs"
tests/servers/build-tools.sh

step "in the background: PostgreSQL, psql, Apache Kafka, Apicurio Registry, MinIO, readers of the lake, Apache Spark, docker-compose"
logs=$(mktemp -d)
servers=(postgres psql kafka apicurio minio readers spark compose)
declare -A pids
for server in "${servers[@]}"; do
  "tests/servers/$server.sh" >"$logs/$server" 2>&1 &
  pids[$server]=$!
done
# The oldest and the newest; tests of what is new in a version start the others.
played=(14 18)
for version in 14 15 16 17 18; do
  servers+=("postgres $version")
  TRIBUTARY_POSTGRES_VERSION=$version tests/servers/postgres.sh >"$logs/postgres $version" 2>&1 &
  pids["postgres $version"]=$!
done
# an early end takes along what is still being built
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$logs"' EXIT

step "cargo fmt"
cargo fmt --all --check

step "cargo clippy"
cargo clippy --workspace --all-targets -- -D warnings

step "building the tests"
cargo test --workspace --no-run

step "the servers"
for server in "${servers[@]}"; do
  if ! wait "${pids[$server]}"; then
    cat "$logs/$server"
    echo "tests/servers/${server%% *}.sh failed" >&2
    exit 1
  fi
  echo "$server: $(tail -n 1 "$logs/$server")"
done
trap - EXIT
rm -rf "$logs"

step "cargo test"
status=0
cargo test --workspace --no-fail-fast || status=1

for version in "${played[@]}"; do
  step "the road, the kills and the recordings on PostgreSQL $version"
  TRIBUTARY_POSTGRES_VERSION=$version tests/play.sh road corpus || status=1
done
exit $status
