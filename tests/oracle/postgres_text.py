"""Values as PostgreSQL prints them (DateStyle=ISO, IntervalStyle=postgres, TimeZone=UTC, bytea_output=hex) to the
values that the lake's columns hold, by PostgreSQL type. Written from PostgreSQL's manual, chapter 8, and shares no code
with what it judges.

A type is the text of format_type(): `numeric(10,2)`, `timestamp(3) with time zone`, `text[]`.
"""

import functools
import re
import struct
from decimal import Decimal

INT64_MAX = 2**63 - 1


class NotRepresentable(Exception):
    """The lake's column type cannot hold this value: it stands as text in the `_raw` column."""


def lake_value(pg_type, text):
    """The value that the lake must hold for this text, None for NULL."""
    return None if text is None else reader(pg_type)(text)


@functools.cache
def reader(pg_type):
    """What turns a text of this type into the lake's value."""
    if pg_type.endswith("[]"):
        return functools.partial(array_value, reader(pg_type[:-2]))
    return scalar(pg_type)


def array_value(element, text):
    items = array(text)
    if any(isinstance(item, list) for item in items) or text.startswith("["):
        # more than one dimension, or bounds other than 1
        raise NotRepresentable(text)
    return [None if item is None else element(item) for item in items]


@functools.cache
def kind(pg_type):
    """The Arrow type family that a column of this type must have, as `lake_reader.family` names it."""
    if pg_type.endswith("[]"):
        return "list"
    base, modifier = split(pg_type)
    if base == "numeric":
        return "decimal" if modifier and digits(*modifier) <= 38 else "text"
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
        "point": "struct",
    }.get(base, "text")


@functools.cache
def split(pg_type):
    """`timestamp(3) with time zone` to (`timestamp with time zone`, [3])."""
    found = re.search(r"\(([-\d, ]+)\)", pg_type)
    if not found:
        return pg_type, []
    return pg_type.replace(found.group(0), ""), [int(part) for part in found.group(1).split(",")]


def digits(precision, scale=0):
    """Decimal digits of numeric(precision, scale) when written out: a negative scale adds zeros, a large one too."""
    return precision - scale if scale < 0 else max(precision, scale)


def scalar(pg_type):
    base, modifier = split(pg_type)
    match kind(pg_type):
        case "bool":
            return {"t": True, "f": False}.__getitem__
        case "int":
            return time_micros if base == "time without time zone" else int
        case "float":
            return (lambda text: single(float(text))) if base == "real" else float
        case "decimal":
            return decimal
        case "timestamp" | "timestamp_utc":
            return timestamp_micros
        case "date":
            return finite_days
        case "binary":
            return (lambda text: bytes.fromhex(text.removeprefix("\\x"))) if base == "bytea" else bits
        case "map":
            return hstore
        case "struct":
            return point
        case _ if base == "numeric" and not modifier:
            return lambda text: text.rstrip("0").rstrip(".") if "." in text else text
        case _ if base == "money":
            return lambda text: re.sub(r"[^\d.-]", "", text)
        case _ if base == "time with time zone":
            return utc_time
        case _ if base == "interval":
            return lambda text: iso_duration(interval_micros(text))
        case _:
            return str


def point(text):
    x, y = text.strip("()").split(",")
    return {"x": float(x), "y": float(y)}


def finite_days(text):
    if "infinity" in text:
        raise NotRepresentable(text)
    return days(text)


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
    """Debezium's Bits: little-endian bytes, the rightmost bit of the text is bit 0 of the first; no zero bytes follow
    the last bit that is set."""
    number = int(text or "0", 2)
    return number.to_bytes((number.bit_length() + 7) // 8, "little")


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


def utc_time(text):
    """`12:00:00.5+02` as `10:00:00.5Z`."""
    clock, sign, offset = re.fullmatch(r"([\d:.]+)([+-])([\d:]+)", text).groups()
    parts = [int(part) for part in offset.split(":")] + [0, 0]
    east = (parts[0] * 60 + parts[1]) * 60 + parts[2]
    micros = (time_micros(clock) - (-east if sign == "-" else east) * 1_000_000) % 86_400_000_000
    seconds, fraction = divmod(micros, 1_000_000)
    shown = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return shown + (f".{fraction:06}".rstrip("0") if fraction else "") + "Z"


def interval_micros(text):
    """Microseconds of `1 year 2 mons -3 days 04:05:06.78`, a month counted as 30.4375 days: all that Debezium's
    MicroDuration tells."""
    day = 86_400_000_000
    units = {"year": 12 * day * 304375 // 10000, "mon": day * 304375 // 10000, "day": day}
    total, words = 0, text.split()
    while words:
        word = words.pop(0)
        if ":" in word:
            micros = time_micros(word.lstrip("+-"))
            total += -micros if word.startswith("-") else micros
        else:
            total += int(word) * units[words.pop(0).removesuffix("s")]
    return total


def iso_duration(micros):
    """Days, hours, minutes and seconds that are not zero, each with the sign of the whole: `P1DT-2H`."""
    if not micros:
        return "PT0S"
    sign = "-" if micros < 0 else ""
    seconds, fraction = divmod(abs(micros), 1_000_000)
    parts = [(seconds // 86400, "D"), (seconds // 3600 % 24, "H"), (seconds // 60 % 60, "M")]
    date, *clock = [f"{sign}{count}{letter}" if count else "" for count, letter in parts]
    if fraction:
        clock.append(f"{sign}{seconds % 60}.{fraction:06}".rstrip("0") + "S")
    elif seconds % 60:
        clock.append(f"{sign}{seconds % 60}S")
    clock = "".join(clock)
    return f"P{date}" + (f"T{clock}" if clock else "")


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
