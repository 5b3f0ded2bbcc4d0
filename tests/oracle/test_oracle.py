"""The oracle itself: it passes what is right and finds what is lost, doubled, changed or out of order."""

import json
import os
import tempfile
import unittest
from decimal import Decimal

import compare
import lake_reader
import postgres_text
import pyarrow as pa
from deltalake import write_deltalake

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("n", pa.int64()),
        ("body", pa.string()),
        ("price", pa.decimal128(10, 2)),
        ("price_raw", pa.string()),
        ("_op", pa.string()),
        ("_lsn", pa.int64()),
        ("_seq", pa.int64()),
        ("_tx_id", pa.int64()),
        ("_partition", pa.int32()),
        ("_offset", pa.int64()),
        ("_unavailable", pa.list_(pa.string())),
    ]
)
COLUMNS = {"id": "bigint", "n": "integer", "body": "text", "price": "numeric(10,2)"}


def text(id, n=None, body=None, price=None):
    return {"id": str(id), "n": n and str(n), "body": body, "price": price}


def change(op, lsn, seq, txid, id=None, n=None, body=None, price=None, raw=None, unavailable=None):
    price = None if price is None else Decimal(price)
    return (id, n, body, price, raw, op, lsn, seq, txid, 0, lsn * 10 + seq, unavailable)


def audit(seq, txid, op, old=None, new=None):
    return {"kind": "audit", "table": "public.t", "seq": seq, "txid": txid, "op": op, "old": old, "new": new}


# two rows in the snapshot, then: insert, TOAST-unchanged update, changed key, delete, truncate, insert
TRUTH = [
    {"kind": "table", "table": "public.t", "key": ["id"], "keyed": True, "full": False, "columns": COLUMNS},
    {"kind": "before", "table": "public.t", "row": text(1, 1, "one", "1.00")},
    {"kind": "before", "table": "public.t", "row": text(2, 2, "two", "NaN")},
    audit(1, 7, "INSERT", None, text(3, 3, "long", "3.50")),
    audit(2, 7, "UPDATE", text(3, 3, "long", "3.50"), text(3, 4, "long", "3.50")),
    audit(3, 8, "UPDATE", text(1, 1, "one", "1.00"), text(10, 1, "one", "1.00")),
    audit(4, 9, "DELETE", text(2, 2, "two", "NaN"), None),
    {"kind": "row", "table": "public.t", "row": text(10, 1, "one", "1.00")},
    {"kind": "row", "table": "public.t", "row": text(3, 4, "long", "3.50")},
]
LOG = [
    change("r", 99, 0, 6, 1, 1, "one", "1.00"),
    change("r", 99, 1, 6, 2, 2, "two", None, "NaN"),
    change("c", 104, 0, 7, 3, 3, "long", "3.50"),
    change("u", 104, 1, 7, 3, 4, None, "3.50", None, ["body"]),
    change("d", 112, 0, 8, 1),
    change("c", 112, 0, 8, 10, 1, "one", "1.00"),
    change("d", 120, 0, 9, 2),
]


class Oracle(unittest.TestCase):
    def verdict(self, log=LOG, truth=TRUTH, reader="duckdb", **request):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "truth.jsonl")
            with open(path, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in truth)
            table = pa.Table.from_pylist([dict(zip(SCHEMA.names, row)) for row in log], SCHEMA)
            url = os.path.join(folder, "changes")
            # two commits, as a writer would make them
            for part in (table.slice(0, 3), table.slice(3)):
                write_deltalake(url, part, mode="append")
            tables = {"public.t": {"changes": url}}
            return compare.run({"truth": path, "reader": reader, "tables": tables} | request).as_json()

    def counts(self, **given):
        verdict = self.verdict(**given)
        return [verdict[f"{what}_count"] for what in ("missing", "extra", "twice", "wrong")]

    def test_what_is_right_passes_with_either_reader(self):
        for reader in ("duckdb", "deltalake"):
            verdict = self.verdict(reader=reader)
            self.assertTrue(verdict["ok"], verdict)
            self.assertEqual((verdict["rows"], verdict["changes"]), (2, len(LOG)))

    def test_a_lost_change_is_found(self):
        for lost in range(2, len(LOG)):
            log = LOG[:lost] + LOG[lost + 1 :]
            self.assertFalse(self.verdict(log=log)["ok"], f"without {LOG[lost]}")
        self.assertEqual(self.counts(log=LOG[:3] + LOG[4:])[0], 1)

    def test_a_lost_snapshot_row_is_found(self):
        for lost in range(2):
            log = LOG[:lost] + LOG[lost + 1 :]
            self.assertEqual(self.counts(log=log)[0], 1)

    def test_a_doubled_row_is_found(self):
        for doubled in LOG:
            verdict = self.verdict(log=[*LOG, doubled])
            self.assertEqual(verdict["twice_count"], 1, verdict)
            self.assertFalse(verdict["ok"])

    def test_a_change_that_came_again_under_another_position_is_found(self):
        self.assertEqual(self.counts(log=[*LOG, change("d", 128, 0, 9, 2)])[1], 1)

    def test_a_changed_value_is_found(self):
        for row, changed in [
            (0, change("r", 99, 0, 6, 1, 2, "one", "1.00")),
            (2, change("c", 104, 0, 7, 3, 3, "Long", "3.50")),
            (3, change("u", 104, 1, 7, 3, 4, None, "3.51", None, ["body"])),
            (1, change("r", 99, 1, 6, 2, 2, "two", None, None)),
            (5, change("c", 112, 0, 8, 10, 1, None, "1.00")),
        ]:
            verdict = self.verdict(log=[*LOG[:row], changed, *LOG[row + 1 :]])
            self.assertGreaterEqual(verdict["wrong_count"], 1, verdict)
            self.assertEqual((verdict["missing_count"], verdict["twice_count"]), (0, 0), verdict)

    def test_a_lost_transaction_is_found_where_the_snapshot_may_hold_it(self):
        for lost in (LOG[:2] + LOG[4:], LOG[:4] + LOG[6:], LOG[:6]):
            self.assertFalse(self.verdict(log=lost, overlap=True)["ok"])

    def test_wrong_order_within_a_key_is_found(self):
        log = list(LOG)
        log[2], log[3] = (
            change("c", 104, 1, 7, 3, 3, "long", "3.50"),
            change("u", 104, 0, 7, 3, 4, None, "3.50", None, ["body"]),
        )
        self.assertFalse(self.verdict(log=log)["ok"])

    def test_a_wrong_column_type_is_found(self):
        truth = [dict(TRUTH[0], columns=COLUMNS | {"n": "text"}), *TRUTH[1:]]
        self.assertGreaterEqual(self.counts(truth=truth)[3], 1)

    def test_a_stray_latest_row_is_found(self):
        truth = [line for line in TRUTH if line["kind"] != "row" or line["row"]["id"] != "3"]
        self.assertEqual(self.counts(truth=truth), [0, 1, 0, 0])

    def test_an_unavailable_value_must_be_known_from_before(self):
        log = [change("r", 99, 0, 6, 1, 1, "one", "1.00"), *LOG[1:5]]
        log += [change("c", 112, 0, 8, 10, 1, None, "1.00", None, ["body"]), LOG[6]]
        verdict = self.verdict(log=log)
        self.assertEqual(verdict["wrong_count"], 1, verdict)

    def test_transactions_before_the_consistent_point_may_be_in_the_snapshot(self):
        log = [change("r", 99, 2, 6, 3, 4, "long", "3.50"), *LOG[:2], *LOG[4:]]
        verdict = self.verdict(log=log, overlap=True)
        self.assertTrue(verdict["ok"], verdict)
        self.assertEqual(verdict["transactions_in_snapshot"], 1)
        # but not in the snapshot and in the stream as well, nor in neither
        self.assertFalse(self.verdict(log=[log[0], *LOG], overlap=True)["ok"])
        self.assertFalse(self.verdict(log=log[1:], overlap=True)["ok"])
        self.assertFalse(self.verdict(log=log)["ok"])

    def test_truncate_empties_the_table(self):
        truth = [line for line in TRUTH if line["kind"] != "row"]
        truth += [audit(5, 10, "TRUNCATE"), audit(6, 10, "INSERT", None, text(1))]
        truth.append({"kind": "row", "table": "public.t", "row": text(1)})
        log = [*LOG, change("t", 128, 0, 10), change("c", 128, 1, 10, 1)]
        verdict = self.verdict(log=log, truth=truth)
        self.assertTrue(verdict["ok"], verdict)
        self.assertFalse(self.verdict(log=log[:-2] + log[-1:], truth=truth)["ok"])

    def test_what_was_before_the_audit_is_only_looked_at_for_doubles(self):
        earlier = [change("c", 60, 0, 4, 1, 1, "one", "1.00"), change("c", 70, 0, 5, 2, 2, "two", None, "NaN")]
        self.assertTrue(self.verdict(log=earlier + LOG[2:], after_lsn=100)["ok"])
        self.assertFalse(self.verdict(log=earlier + LOG[2:])["ok"])
        self.assertFalse(self.verdict(log=earlier + LOG[3:], after_lsn=100)["ok"])
        self.assertEqual(self.counts(log=[*earlier, earlier[0], *LOG[2:]], after_lsn=100)[2], 1)

    def test_waiting_ends_at_its_deadline(self):
        self.assertGreaterEqual(self.counts(log=LOG[:-1], wait_seconds=0.5)[0], 1)


class Texts(unittest.TestCase):
    def test_values_of_types(self):
        for pg_type, given, want in [
            ("boolean", "t", True),
            ("bigint", "-9223372036854775808", -(2**63)),
            ("real", "1.1", 1.100000023841858),
            ("double precision", "-Infinity", float("-inf")),
            ("numeric(10,2)", "-0.50", Decimal("-0.50")),
            ("numeric(5,-2)", "1200", Decimal(1200)),
            ("numeric(40,2)", "1.50", "1.50"),
            ("date", "1970-01-01", 0),
            ("date", "2000-02-29", 11016),
            ("date", "0001-01-01 BC", -719528),
            ("time(3) without time zone", "24:00:00", 86_400_000_000),
            ("timestamp with time zone", "1969-12-31 23:59:59.5+00", -500_000),
            ("timestamp with time zone", "1970-01-01 01:30:00+01:30", 0),
            ("timestamp(3) without time zone", "10000-01-01 00:00:00", 253_402_300_800_000_000),
            ("bytea", "\\x00ff", b"\x00\xff"),
            ("bit(12)", "100000000001", b"\x01\x08"),
            ("bit(1)", "0", b""),
            ("bit varying(16)", "0000000010", b"\x02"),
            ("money", "-$1,234.50", "-1234.50"),
            ("time(3) with time zone", "01:30:00.25+02", "23:30:00.25Z"),
            ("interval", "1 year 2 mons 3 days 04:05:06.789", "P429DT7H5M6.789S"),
            ("interval", "-1 mons -2 days -03:04:05.000006", "P-32DT-13H-34M-5.000006S"),
            ("interval", "1 day -00:00:01", "PT23H59M59S"),
            ("interval", "100 years", "P36525D"),
            ("interval", "00:00:00", "PT0S"),
            ("point", "(1.5,-2)", {"x": 1.5, "y": -2.0}),
            ("numeric", "100", "100"),
            ("numeric", "1.500", "1.5"),
            ("numeric", "2.000", "2"),
            ("text", "a\\b", "a\\b"),
            ("integer[]", "{1,NULL,-3}", [1, None, -3]),
            ("text[]", '{a,"b,\\"c\\\\",NULL,"NULL"}', ["a", 'b,"c\\', None, "NULL"]),
            ("integer[]", "{}", []),
            ("hstore", '"a"=>"1", "b c"=>NULL, "q\\""=>"\\\\"', {"a": "1", "b c": None, 'q"': "\\"}),
            ("text", None, None),
        ]:
            self.assertEqual(postgres_text.lake_value(pg_type, given), want, (pg_type, given))

    def test_what_a_column_cannot_hold_is_told_apart(self):
        for pg_type, given in [
            ("numeric(10,2)", "NaN"),
            ("date", "infinity"),
            ("integer[]", "{{1},{2}}"),
            ("integer[]", "[0:1]={1,2}"),
            ("timestamp with time zone", "-infinity"),
            ("timestamp without time zone", "294276-12-31 23:59:59.999999"),
        ]:
            with self.assertRaises(postgres_text.NotRepresentable, msg=given):
                postgres_text.lake_value(pg_type, given)

    def test_arrow_values_become_plain(self):
        nested = pa.array([[0, None], None, []], pa.list_(pa.timestamp("us", "UTC")))
        self.assertEqual(lake_reader.values(nested.slice(0, 3)), [[0, None], None, []])
        self.assertEqual(lake_reader.values(nested.slice(1)), [None, []])
        pairs = pa.array([[("a", "1")], None], pa.map_(pa.string(), pa.string()))
        self.assertEqual(lake_reader.values(pairs), [{"a": "1"}, None])


if __name__ == "__main__":
    unittest.main()
