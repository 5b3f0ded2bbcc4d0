#!/usr/bin/env bash
# Prints the path of psql 14 or newer: the one on PATH, else the distribution's package.
. "$(dirname "$0")/ensure.sh"
need psql postgresql-client
type -P psql
