#!/usr/bin/env bash
# Prints a Python that can read Delta tables without us: DuckDB with its delta and httpfs extensions, Polars,
# deltalake and pyarrow, each at a fixed version. A program that uses an extension calls
# `duckdb_extensions.import_extension(name)` first: DuckDB looks for extensions in the user's home.
#   TRIBUTARY_CACHE  where things are kept (default: ~/.cache/tributary)
. "$(dirname "$0")/ensure.sh"
version=2

build() {
  local target=$1
  need python3 python3 python3-venv
  # a virtual environment holds its own absolute path: make it where it will stay, marked whole by the folder around it
  venv=$cache/.readers-$version.venv
  rm -rf "$venv"
  python3 -m venv "$venv" || { apt_install python3-venv && python3 -m venv "$venv"; } || die "python3 -m venv failed; install python3-venv"
  say "installing duckdb, polars, deltalake and pyarrow with pip"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input \
    duckdb==1.5.5 duckdb-extensions==1.5.5 duckdb-extension-delta==1.5.5 duckdb-extension-httpfs==1.5.5 polars==2.1.0 deltalake==1.6.6 pyarrow==26.0.1
  "$venv/bin/python" - <<'P'
import duckdb, duckdb_extensions, polars, deltalake, pyarrow
for name in ("httpfs", "delta"):
    duckdb_extensions.import_extension(name)
connection = duckdb.connect()
connection.execute("load delta")
P
  ln -s "$venv/bin/python" "$target/python"
}

build_once "readers-$version" build
# the link is only the mark that it is whole: Python finds its packages by the path it is started by
readlink "$cache/readers-$version/python"
