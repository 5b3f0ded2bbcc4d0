#!/usr/bin/env bash
# What `make bench` does: a release build, then every measurement on servers of its own.
#   BENCH_PROFILE=dev  take the build of `make demo` instead: for trying out the benchmark, not for figures
# Arguments go to the driver: --rows 100000 --seconds 5 (see --help).
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${BENCH_PROFILE:-release}

if [ "$profile" = release ]; then
  folder=target/release
  [ -e "$folder/tributary" ] || echo "building tributary as released, with everything optimised: 20 minutes and more on two cores, once"
else
  folder=target/debug
fi
started=$SECONDS
cargo build --profile "$profile" --package tributary --package bench --bins
echo "built in $((SECONDS - started)) s"

# pg_recvlogical stands beside the server, or comes with psql
pg_recvlogical=$(tests/servers/postgres.sh)/pg_recvlogical
if [ ! -x "$pg_recvlogical" ]; then
  tests/servers/psql.sh >/dev/null
  pg_recvlogical=$(type -P pg_recvlogical)
fi
mkdir -p bench/results
exec "$folder/bench" --profile "$profile" --pg-recvlogical "$pg_recvlogical" \
  --output "bench/results/$(date -u +%Y-%m-%d)$([ "$profile" = release ] || echo "-$profile").json" "$@"
