"""Compares tables of the lake with what PostgreSQL says, by value, and prints a verdict as JSON.

    python compare.py request.json

The request:

    {"truth": "truth.jsonl", "reader": "duckdb", "storage": {"endpoint": .., "access_key": .., "secret_key": ..},
     "wait_seconds": 60,
     "tables": {"public.t": {"changes": "s3://lake/x/public.t/changes", "latest": "latest.parquet"}}}

`reader` is one of duckdb, deltalake (Delta tables by URL) and parquet (files). `latest`, where given, is a Parquet file
with the latest row per key as our SQL shows it, and `current` the Delta table of the rows as they are now; without
either the latest rows are worked out here from the log. With
`wait_seconds` the tables are watched until they hold what they must, so long at most. `overlap` says that PostgreSQL
was written to while the snapshot was taken, so that the number of rows in the log is not known beforehand. `after_lsn`
says that the audit began at this LSN, when the tables had been captured before.

The verdict says per kind how many and shows the first few: `missing` (lost), `extra` (there without cause), `twice`
(one position more than once), `wrong` (another value, type or order). Exit code 0 only when there is none.
"""

import json
import sys
import time

import lake_reader
import truth
from judge import Judge, Verdict


def run(request):
    tables = truth.load(request["truth"])
    deadline = time.monotonic() + request.get("wait_seconds", 0)
    for name, place in request["tables"].items():
        if not request.get("wait_seconds"):
            break
        if request.get("overlap") or "after_lsn" in request:
            # the number of rows is not known beforehand, but that the last transaction comes last
            last = max((entry["txid"] for entry in tables[name].audit), default=None)
            lake_reader.wait_for_transaction(place["changes"], last, request.get("storage"), deadline)
        else:
            least = tables[name].expected_changes()
            lake_reader.wait_for_rows(place["changes"], least, request.get("storage"), deadline)
    while True:
        verdict = judge(tables, request)
        # what is twice stays twice; everything else may still be on its way
        if verdict.ok or verdict.counts["twice"] or time.monotonic() >= deadline:
            return verdict
        time.sleep(0.5)


def judge(tables, request):
    storage = request.get("storage")
    read = lake_reader.READERS[request["reader"]]
    verdict = Verdict()
    for name, place in request["tables"].items():
        try:
            changes = lake_reader.Table(read(place["changes"], storage))
        except Exception as error:
            verdict.add("missing", name, f"the table cannot be read: {error}")
            continue
        judge = Judge(tables[name], verdict)
        judge.log(changes, request.get("overlap", False), request.get("after_lsn"))
        if place.get("latest"):
            judge.latest(lake_reader.Table(lake_reader.read_parquet(place["latest"], None)))
        elif place.get("current") and tables[name].keyed:
            try:
                rows = read(place["current"], storage)
            except Exception as error:
                # kept behind the log: it may not be there yet
                verdict.add("missing", name, f"the rows as they are now cannot be read: {error}")
                continue
            judge.latest(lake_reader.Table(lake_reader.without_position(rows)))
        elif tables[name].keyed or tables[name].full:
            judge.folded(changes)
    return verdict


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        request = json.load(file)
    verdict = run(request)
    print(json.dumps(verdict.as_json(), ensure_ascii=False))
    if not verdict.ok:
        print(verdict.as_text(), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
