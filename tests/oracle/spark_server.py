"""One Spark session for a whole test. Argument: a file with the Python that makes `spark`, which prints what it likes.
Then a request a line on standard input, as JSON:

    {"sql": ".."}                         answers the rows, as lists
    {"read": URL, "to": FOLDER}           writes all rows of a Delta table as Parquet files
    {"run": ".."}                         runs Python that knows `spark`, and answers what it printed

Each is answered by one line that begins with `ANSWER `. The JVM writes to the same standard output."""

import contextlib
import io
import json
import sys
import time


def answer(value):
    print("ANSWER " + json.dumps(value, default=str), flush=True)


def execute(request, names):
    spark = names["spark"]
    if "sql" in request:
        return [list(row) for row in spark.sql(request["sql"]).collect()]
    if "run" in request:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(request["run"], names)
        return printed.getvalue()
    rows = spark.read.format("delta").load(request["read"])
    rows.coalesce(1).write.mode("overwrite").parquet(request["to"])
    return None


def main():
    names, printed = {}, io.StringIO()
    with open(sys.argv[1], encoding="utf-8") as file:
        source = file.read()
    with contextlib.redirect_stdout(printed):
        exec(source, names)
    names["spark"].sparkContext.setLogLevel("ERROR")
    answer({"ok": printed.getvalue()})
    for line in sys.stdin:
        began = time.monotonic()
        try:
            result = {"ok": execute(json.loads(line), names)}
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"[:4000]}
        answer({**result, "seconds": round(time.monotonic() - began, 2)})


if __name__ == "__main__":
    main()
