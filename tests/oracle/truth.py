"""What PostgreSQL says happened: rows now, rows before capture, and the audit that row triggers wrote.

One JSON object a line:

    {"kind": "table", "table": "public.t", "key": ["id"], "keyed": true, "full": false, "columns": {"id": "bigint"}}
    {"kind": "before", "table": "public.t", "row": {..}}      a row that was there when the audit began
    {"kind": "audit", "table": "public.t", "seq": 1, "txid": 7, "op": "UPDATE", "old": {..}, "new": {..}}
    {"kind": "row", "table": "public.t", "row": {..}}         a row that is there now

`key` names the columns that tell rows apart for the oracle; `keyed` says that they are the table's key in PostgreSQL,
so that an UPDATE of them is a delete and a create. `full` is REPLICA IDENTITY FULL. `columns` are all that the table
ever had. Row values are text as PostgreSQL prints it, null for NULL.
"""

import json
from collections import defaultdict
from dataclasses import dataclass, field


@dataclass
class Event:
    """One row that the log must hold."""

    op: str
    key: tuple
    # column to text; of a delete only what the log is to know; None for a truncate
    row: dict | None
    txid: int | None


@dataclass
class TableTruth:
    name: str
    key: list
    keyed: bool
    full: bool
    columns: dict
    before: list = field(default_factory=list)
    audit: list = field(default_factory=list)
    rows: list = field(default_factory=list)

    def key_of(self, row):
        return tuple(row.get(column) for column in self.key)

    def events(self, entry):
        """The events of one audited change."""
        op, old, new, txid = entry["op"], entry.get("old"), entry.get("new"), entry["txid"]
        match op:
            case "INSERT":
                return [Event("c", self.key_of(new), new, txid)]
            case "DELETE":
                return [self.delete(old, txid)]
            case "TRUNCATE":
                return [Event("t", (), None, txid)]
            case "UPDATE" if self.keyed and self.key_of(old) != self.key_of(new):
                return [self.delete(old, txid), Event("c", self.key_of(new), new, txid)]
            case "UPDATE" if self.full and not self.keyed:
                # without a key the whole old row goes and the whole new one comes
                return [self.delete(old, txid), Event("c", self.key_of(new), new, txid)]
            case "UPDATE":
                return [Event("u", self.key_of(new), new, txid)]
            case _:
                raise ValueError(f"{self.name}: audit of an unknown operation {op!r}")

    def delete(self, old, txid):
        known = old if self.full else {column: old[column] for column in self.key}
        return Event("d", self.key_of(old), known, txid)

    def expected_changes(self):
        """How many rows the log holds when nothing is lost and every change was streamed: an upper bound where some
        went into the snapshot."""
        return len(self.before) + sum(len(self.events(entry)) for entry in self.audit)

    def log(self, streamed):
        """The events that the log must hold, in order, when the transactions `streamed` (None: all) came by the stream
        and all others were in the snapshot; with those others."""
        state = {self.key_of(row): row for row in self.before}
        stream, absorbed = [], set()
        for entry in self.audit:
            events = self.events(entry)
            if streamed is None or entry["txid"] in streamed:
                stream.extend(events)
                continue
            absorbed.add(entry["txid"])
            for event in events:
                if event.op == "t":
                    state.clear()
                elif event.op == "d":
                    state.pop(event.key, None)
                else:
                    state[event.key] = event.row
        snapshot = [Event("r", key, row, None) for key, row in state.items()]
        return snapshot + stream, absorbed


def load(path):
    """The truth of each table, by name."""
    tables, lines = {}, defaultdict(list)
    with open(path, encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            if entry["kind"] == "table":
                tables[entry["table"]] = TableTruth(
                    entry["table"], entry["key"], entry["keyed"], entry["full"], entry["columns"]
                )
            else:
                lines[entry["table"], entry["kind"]].append(entry)
    for (name, what), entries in lines.items():
        table = tables[name]
        match what:
            case "before":
                table.before = [entry["row"] for entry in entries]
            case "row":
                table.rows = [entry["row"] for entry in entries]
            case "audit":
                table.audit = sorted(entries, key=lambda entry: entry["seq"])
            case _:
                raise ValueError(f"{path}: a line of unknown kind {what!r}")
    return tables
