"""Values as PostgreSQL prints them (DateStyle=ISO, IntervalStyle=postgres, TimeZone=UTC, bytea_output=hex) to the
values that the lake's columns hold, by PostgreSQL type. Written from PostgreSQL's manual, chapter 8, and shares no code
with what it judges.

A type is the text of format_type(): `numeric(10,2)`, `timestamp(3) with time zone`, `text[]`.
"""

import re
import struct
from decimal import Decimal

INT64_MAX = 2**63 - 1


class NotRepresentable(Exception):
    """The lake's column type cannot hold this value: it stands as text in the `_raw` column."""


def lake_value(pg_type, text):
    """The value that the lake must hold for this text, None for NULL."""
    if text is None:
        return None
    if pg_type.endswith("[]"):
        items = array(text)
        if any(isinstance(item, list) for item in items) or text.startswith("["):
            # more than one dimension, or bounds other than 1: kept as PostgreSQL prints it
            return text
        return [lake_value(pg_type[:-2], item) for item in items]
    return scalar(pg_type, text)


def kind(pg_type):
    """The Arrow type family that a column of this type must have, as `lake_reader.family` names it."""
    if pg_type.endswith("[]"):
        return "list"
    base, modifier = split(pg_type)
    if base == "numeric":
        return "decimal" if modifier and 0 <= modifier[-1] <= modifier[0] <= 38 else "text"
    return {
        "boolean": "bool",
        "smallint": "int",
        "integer": "int",
        "bigint": "int",
        "oid": "int",
        "real": "float",
        "double precision": "float",
        "timestamp with time zone": "timestamp_utc",
        "timestamp without time zone": "timestamp",
        "date": "date",
        "time without time zone": "int",
        "bytea": "binary",
        "bit": "binary",
        "bit varying": "binary",
        "hstore": "map",
    }.get(base, "text")


def split(pg_type):
    """`timestamp(3) with time zone` to (`timestamp with time zone`, [3])."""
    found = re.search(r"\(([-\d, ]+)\)", pg_type)
    if not found:
        return pg_type, []
    return pg_type.replace(found.group(0), ""), [int(part) for part in found.group(1).split(",")]


def scalar(pg_type, text):
    base, modifier = split(pg_type)
    match kind(pg_type):
        case "bool":
            return {"t": True, "f": False}[text]
        case "int" if base == "time without time zone":
            return time_micros(text)
        case "int":
            return int(text)
        case "float":
            return single(float(text)) if base == "real" else float(text)
        case "decimal":
            return decimal(text)
        case "timestamp" | "timestamp_utc":
            return timestamp_micros(text)
        case "date":
            if "infinity" in text:
                raise NotRepresentable(text)
            return days(text)
        case "binary" if base == "bytea":
            return bytes.fromhex(text.removeprefix("\\x"))
        case "binary":
            return bits(text)
        case "map":
            return hstore(text)
        case _:
            return text


def single(value):
    """The nearest single-precision number: a `real` may have been widened from its four bytes or from its digits."""
    if value != value or value in (float("inf"), float("-inf")):
        return value
    return struct.unpack("f", struct.pack("f", value))[0]


def decimal(text):
    if text in ("NaN", "Infinity", "-Infinity"):
        raise NotRepresentable(text)
    return Decimal(text)


def bits(text):
    """Debezium's Bits: bytes in little-endian order, the rightmost bit of the text is bit 0 of the first byte."""
    return int(text or "0", 2).to_bytes((len(text) + 7) // 8, "little")


def days(text):
    """Days since 1970-01-01 of `YYYY-MM-DD[ BC]`, in the proleptic Gregorian calendar."""
    before_christ = text.endswith(" BC")
    year, month, day = (int(part) for part in text.removesuffix(" BC").split("-"))
    if before_christ:
        year = 1 - year
    # days before a March 1st, counted in eras of 400 years
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468


def time_micros(text):
    """Microseconds since midnight of `HH:MM:SS[.ffffff]`; 24:00:00 is a time of its own."""
    hours, minutes, seconds = text.split(":")
    whole, _, fraction = seconds.partition(".")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 1_000_000 + int(fraction.ljust(6, "0") or 0)


def timestamp_micros(text):
    """Microseconds since 1970-01-01 of `YYYY-MM-DD HH:MM:SS[.ffffff][+HH[:MM[:SS]]][ BC]`."""
    if "infinity" in text:
        raise NotRepresentable(text)
    found = re.fullmatch(r"(\d+-\d\d-\d\d) ([\d:.]+)(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?", text)
    if not found:
        raise ValueError(f"not a timestamp: {text!r}")
    date, time, sign, hours, minutes, seconds, before_christ = found.groups()
    offset = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    micros = days(date + (before_christ or "")) * 86_400_000_000 + time_micros(time)
    micros -= (-offset if sign == "-" else offset) * 1_000_000
    if abs(micros) > INT64_MAX:
        raise NotRepresentable(text)
    return micros


def array(text):
    """The items of an array literal, as text; nested lists where it has more dimensions."""
    items, end = array_at(text, text.index("{") if text.startswith("[") else 0)
    if end != len(text):
        raise ValueError(f"text follows the array: {text!r}")
    return items


def array_at(text, at):
    items = []
    at += 1
    if text[at] == "}":
        return items, at + 1
    while True:
        if text[at] == "{":
            item, at = array_at(text, at)
        elif text[at] == '"':
            item, at = quoted(text, at)
        else:
            end = min(position for position in (text.find(",", at), text.find("}", at)) if position >= 0)
            word = re.sub(r"\\(.)", r"\1", text[at:end])
            item, at = (None if word == "NULL" else word), end
        items.append(item)
        if text[at] == "}":
            return items, at + 1
        at += 1


def quoted(text, at):
    """The string whose opening quote is at `at`, and where it ends; a backslash takes the next character as it is."""
    found = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(text, at)
    if not found:
        raise ValueError(f"a quote is not closed: {text!r}")
    return re.sub(r"\\(.)", r"\1", found.group(1), flags=re.DOTALL), found.end()


def hstore(text):
    """`"a"=>"1", "b"=>NULL` as a dictionary."""
    pairs, at = {}, 0
    while at < len(text):
        key, at = quoted(text, at)
        at += len("=>")
        if text.startswith("NULL", at):
            pairs[key], at = None, at + len("NULL")
        else:
            pairs[key], at = quoted(text, at)
        at += len(", ")
    return pairs
