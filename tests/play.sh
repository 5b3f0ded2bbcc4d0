#!/usr/bin/env bash
# Plays the tests whose outcome depends on the version of a server, on the versions that the environment names:
#   TRIBUTARY_POSTGRES_VERSION  14, 15, 16, 17 or 18 (default: the PostgreSQL that is installed)
#   TRIBUTARY_KAFKA_VERSION     3.9 or 4 (default: 3.9)
# play.sh PART...
#   road     the end-to-end workload, and the kills of each process and each server
#   corpus   the recordings of Debezium
#   source   snapshots, slots, streams and restarts against PostgreSQL
#   kafka    connectors, deliveries and topics, and the lake writer's reading, against Kafka
set -uo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

# The whole workspace, whatever is run of it: cargo builds other features of the dependencies for a part of it.
play() { cargo test --workspace --no-fail-fast "$@"; }

status=0
for part in "$@"; do
  printf '\n== %s: PostgreSQL %s, Kafka %s\n' "$part" \
    "${TRIBUTARY_POSTGRES_VERSION:-as installed}" "${TRIBUTARY_KAFKA_VERSION:-3.9}"
  case $part in
    road) play --test e2e -- --skip demo:: --skip ready:: --skip readers:: || status=1 ;;
    corpus) play --test conformance -- events_are_debeziums || status=1 ;;
    # what is new in a version starts servers of that version by itself
    source) play --test pipeline -- --skip versions:: --skip tls || status=1 ;;
    kafka)
      play --test kafka_connect || status=1
      play --test lake || status=1
      ;;
    *)
      echo "tests/play.sh: no part \`$part\`; there are road, corpus, source and kafka" >&2
      exit 2
      ;;
  esac
done
exit $status
