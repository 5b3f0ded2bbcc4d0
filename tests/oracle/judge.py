"""The verdict over one table: its log against the audit, its latest rows against the rows in PostgreSQL."""

from collections import Counter, defaultdict
from decimal import Decimal

from postgres_text import NotRepresentable, kind, lake_value, single

# what the writer adds to a row
OWN = {"_op", "_lsn", "_seq", "_tx_id", "_ts", "_ingest_ts", "_partition", "_offset", "_unavailable", "_date"}
OWN |= {"_incarnation", "_table_version"}
SHOWN = 8
# types of which equal values are the same value
EXACT = {str, int, bytes, bool, Decimal}


class Verdict:
    KINDS = ("missing", "extra", "twice", "wrong")

    def __init__(self):
        self.counts = Counter()
        self.first = defaultdict(list)
        self.rows = 0
        self.changes = 0
        self.absorbed = 0

    def add(self, what, table, text):
        self.counts[what] += 1
        if len(self.first[what]) < SHOWN:
            self.first[what].append(f"{table}: {text}")

    @property
    def ok(self):
        return not self.counts

    def as_json(self):
        counted = {f"{what}_count": self.counts[what] for what in self.KINDS}
        shown = {what: self.first[what] for what in self.KINDS}
        return {
            "ok": self.ok,
            "rows": self.rows,
            "changes": self.changes,
            "transactions_in_snapshot": self.absorbed,
            **counted,
            **shown,
        }

    def as_text(self):
        lines = [f"{self.changes} changes and {self.rows} rows compared"]
        for what in self.KINDS:
            if self.counts[what]:
                lines.append(f"{what}: {self.counts[what]}")
                lines += [f"  {text}" for text in self.first[what]]
        return "\n".join(lines)


class Judge:
    def __init__(self, truth, verdict):
        self.truth = truth
        self.verdict = verdict
        self.raw = {column: f"{column}_raw" for column in truth.columns}

    def add(self, what, text):
        self.verdict.add(what, self.truth.name, text)

    def log(self, changes, overlap, after_lsn):
        """The log holds every audited change, once, with its values, in each key's order. With `overlap`, those of
        transactions that did not come by the stream are in the snapshot. With `after_lsn`, the audit began there: what
        the log holds from before is only looked at for doubles."""
        self.verdict.changes += len(changes.rows)
        self.columns(changes, OWN)
        places = Counter((row["_lsn"], row["_seq"], row["_op"]) for row in changes.rows)
        for (lsn, seq, op), times in places.items():
            if times > 1:
                self.add("twice", f"position {lsn}:{seq} `{op}` stands {times} times")
        rows = changes.rows
        streamed = {row["_tx_id"] for row in rows if row["_op"] != "r"} if overlap else None
        expected, absorbed = self.truth.log(streamed)
        if after_lsn is not None:
            rows = [row for row in rows if row["_lsn"] >= after_lsn]
            expected = [event for event in expected if event.op != "r"]
        self.verdict.absorbed += len(absorbed)

        wanted, found = defaultdict(list), defaultdict(list)
        for event in expected:
            wanted[self.lake_key(event.row, event.op)].append(event)
        for row in sorted(rows, key=order):
            key = () if row["_op"] == "t" else tuple(comparable(row.get(name)) for name in self.truth.key)
            found[key].append(row)
        for key in wanted.keys() | found.keys():
            self.sequence(key, wanted[key], found[key])

    def lake_key(self, row, op):
        """A key as the lake's values are."""
        if op == "t":
            return ()
        return tuple(comparable(self.value(name, row.get(name))) for name in self.truth.key)

    def value(self, column, text):
        try:
            return lake_value(self.truth.columns[column], text)
        except NotRepresentable:
            return None

    def sequence(self, key, wanted, found):
        """One key's changes, walked side by side."""
        i = j = 0
        while i < len(wanted) and j < len(found):
            problem = self.difference(wanted[i], found[j])
            if problem is None:
                i, j = i + 1, j + 1
            elif i + 1 < len(wanted) and self.difference(wanted[i + 1], found[j]) is None:
                self.add("missing", describe(key, wanted[i]))
                i += 1
            elif j + 1 < len(found) and self.difference(wanted[i], found[j + 1]) is None:
                self.add("extra", place(key, found[j]))
                j += 1
            else:
                self.add("wrong", f"{place(key, found[j])}: {problem}")
                i, j = i + 1, j + 1
        for event in wanted[i:]:
            self.add("missing", describe(key, event))
        for row in found[j:]:
            self.add("extra", place(key, row))

    def difference(self, event, row):
        """None where the row of the log says what the event does; else what it says instead."""
        if event.op != row["_op"]:
            return f"operation `{row['_op']}`, not `{event.op}`"
        if event.txid is not None and event.txid != row["_tx_id"]:
            return f"transaction {row['_tx_id']}, not {event.txid}"
        unavailable = row.get("_unavailable") or []
        if unavailable and event.op not in ("u", "c"):
            return f"a `{event.op}` with unavailable values {unavailable}"
        for column in self.truth.columns:
            if column in unavailable:
                if row.get(column) is not None:
                    return f"{column} is unavailable and has a value"
                continue
            text = (event.row or {}).get(column)
            problem = self.value_difference(column, text, row)
            if problem:
                return problem
        return None

    def value_difference(self, column, text, row):
        pg_type = self.truth.columns[column]
        found, raw = row.get(column), row.get(self.raw[column])
        if text is None and found is None and raw is None:
            return None
        try:
            want = lake_value(pg_type, text)
        except NotRepresentable:
            if found is not None or raw != text:
                return f"{column} is {found!r} with raw text {raw!r}, not {text!r} as raw text"
            return None
        if raw is not None:
            return f"{column} has raw text {raw!r}, though the column can hold {text!r}"
        if found == want and type(found) is type(want) and type(found) in EXACT:
            return None
        if pg_type.startswith("real"):
            found = narrow(found)
        if comparable(found) != comparable(want):
            return f"{column} is {brief(found)}, not {brief(want)} ({pg_type} {brief(text)})"
        return None

    def columns(self, table, own):
        """Every column is one of PostgreSQL's and has the type that its PostgreSQL type gives."""
        for name, family in table.families.items():
            if name in own or (name.endswith("_raw") and name.removesuffix("_raw") in self.truth.columns):
                continue
            if name not in self.truth.columns:
                self.add("wrong", f"column {name} is not PostgreSQL's")
            elif family != kind(self.truth.columns[name]):
                self.add("wrong", f"column {name} ({self.truth.columns[name]}) has type {family}")

    def folded(self, changes):
        """The latest rows, worked out from the log, are PostgreSQL's."""
        state = {}
        for row in sorted(changes.rows, key=order):
            key = tuple(comparable(row.get(name)) for name in self.truth.key)
            match row["_op"]:
                case "t":
                    state.clear()
                case "d":
                    state.pop(key, None)
                case _:
                    kept = dict(row)
                    for column in row.get("_unavailable") or []:
                        for name in (column, f"{column}_raw"):
                            kept[name] = state.get(key, {}).get(name)
                    state[key] = kept
        self.rows(state.values())

    def latest(self, table):
        """Latest rows that somebody else worked out are PostgreSQL's."""
        self.columns(table, set())
        self.rows(table.rows)

    def rows(self, rows):
        self.verdict.rows += len(self.truth.rows)
        found = defaultdict(list)
        for row in rows:
            found[tuple(comparable(row.get(name)) for name in self.truth.key)].append(row)
        for row in self.truth.rows:
            key = self.lake_key(row, "c")
            there = found.pop(key, [])
            if not there:
                self.add("missing", f"row {brief(key)} is not in the latest rows")
                continue
            if len(there) > 1:
                self.add("twice", f"row {brief(key)} stands {len(there)} times in the latest rows")
            for column in row:
                problem = self.value_difference(column, row[column], there[0])
                if problem:
                    self.add("wrong", f"latest row {brief(key)}: {problem}")
        for key, there in found.items():
            self.add("extra", f"row {brief(key)} is in the latest rows ({len(there)} times)")


def order(row):
    # the halves of a changed key share a position: the old row goes first
    return row.get("_incarnation") or 0, row["_lsn"], row["_seq"], row["_op"] != "d"


def comparable(value):
    """The value so that equal means the same: NaN equals itself, 1 is not True, 0.0 is not -0.0."""
    if type(value) in (str, int):
        return value
    if isinstance(value, float):
        return "NaN" if value != value else ("float", repr(value))
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return tuple(comparable(item) for item in value)
    if isinstance(value, dict):
        return frozenset(value.items())
    return value


def narrow(value):
    """Numbers of a `real` column in single precision."""
    if isinstance(value, list):
        return [narrow(item) for item in value]
    return single(value) if isinstance(value, float) else value


def brief(value):
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}.. ({len(text)} characters)"


def describe(key, event):
    return f"`{event.op}` of key {brief(key)} in transaction {event.txid}: {brief(event.row)}"


def place(key, row):
    return (
        f"`{row['_op']}` of key {brief(key)} at {row['_lsn']}:{row['_seq']}, transaction {row['_tx_id']}, "
        f"partition {row.get('_partition')} offset {row.get('_offset')}"
    )
