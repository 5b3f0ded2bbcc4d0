#!/usr/bin/env bash
# What `make test` and .ci/run do: format, lints, then every test. The servers that the tests start are fetched and
# built meanwhile; all that is fetched is cached outside the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
started=$SECONDS
step() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - started)); }

step "what the build needs"
tests/servers/build-tools.sh

step "in the background: PostgreSQL, psql, Apache Kafka, Apicurio Registry, MinIO, readers of the lake, docker-compose"
logs=$(mktemp -d)
servers=(postgres psql kafka apicurio minio readers compose)
declare -A pids
for server in "${servers[@]}"; do
  "tests/servers/$server.sh" >"$logs/$server" 2>&1 &
  pids[$server]=$!
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
    echo "tests/servers/$server.sh failed" >&2
    exit 1
  fi
  echo "$server: $(tail -n 1 "$logs/$server")"
done
trap - EXIT
rm -rf "$logs"

step "cargo test"
exec cargo test --workspace --no-fail-fast
