"""Converts the text of a field to the text for Postgres' COPY, or to a load error.

Codes: https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal

from .copy_command import CopyCommand
from .errors import unknown

_INTEGER = re.compile(r"[-+]?\d+")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[-+]\d\d(?::?\d\d)?)?)?"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_BOOLEANS = {"1": "t", "0": "f"} | {
    word: value
    for value, spellings in {"t": "t true y yes", "f": "f false n no"}.items()
    for word in spellings.split()
}
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NOT_TEXT = re.compile("[\ud800-\udfff\0]")
_EPOCH = dt.datetime(1970, 1, 1)
_KINDS = {
    "smallint": ("int2", "Short", 15),
    "integer": ("int4", "Integer", 31),
    "bigint": ("int8", "Long", 63),
}


class LoadError(Exception):
    """Why a record cannot be loaded: a code, a reason, and the field's raw text."""

    def __init__(self, code: int, reason: str, value: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.value = code, reason, value


Converter = Callable[[str, CopyCommand], str | None]


@dataclass(slots=True)
class Column:
    """A column that COPY fills."""

    name: str
    type: str
    not_null: bool
    kind: str = field(init=False)
    length: str = field(init=False)
    convert: Converter = field(init=False)

    def __post_init__(self) -> None:
        base, _, rest = self.type.partition("(")
        length = rest.rstrip(")")
        self.length = length or "0"
        if base == "character varying":
            self.kind, self.convert = "varchar", _text(int(length), False)
        elif base == "character":
            self.kind, self.convert = "char", _text(int(length), True)
        elif base in _KINDS:
            self.kind, self.convert = _KINDS[base][0], _integer(*_KINDS[base][1:])
        elif base in ("double precision", "real"):
            self.kind, self.convert = ("float8" if base[0] == "d" else "float4"), _float
        elif base == "numeric":
            precision, scale = (int(part) for part in length.split(","))
            self.kind, self.convert = "numeric", _numeric(precision, scale)
        elif base == "boolean":
            self.kind, self.convert = "bool", _boolean
        elif base == "date":
            self.kind, self.convert = "date", _date
        elif base.startswith("timestamp"):
            self.kind = "timestamptz" if "with time zone" in base else "timestamp"
            self.convert = _timestamp(self.kind)
        else:
            raise unknown(f"COPY into a column of type {self.type}")


def _text(length: int, single_byte: bool) -> Converter:
    def convert(value: str, command: CopyCommand) -> str | None:
        if command.empty_as_null and not value:
            return None
        if command.blanks_as_null and value and value.isspace():
            return None
        if not value.isascii() or "\0" in value:
            value = _valid(value, command.replacement)
            if single_byte and not value.isascii():
                raise LoadError(1220, "Multibyte character not supported for CHAR", value)
        if len(value) * 4 > length and len(value.encode()) > length:
            if not command.truncate:
                raise LoadError(1204, "String length exceeds DDL length", value)
            value = value.encode()[:length].decode("utf-8", "ignore")
        return value.translate(_ESCAPED)

    return convert


def _valid(value: str, replacement: str | None) -> str:
    match = _NOT_TEXT.search(value)
    if not match:
        return value
    if replacement is not None:
        return _NOT_TEXT.sub(replacement, value)
    code = ord(match[0])
    sequence = f"{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"{code:04x}"
    raise LoadError(
        1220,
        "String contains invalid or unsupported UTF8 codepoints. "
        f"Bad UTF8 hex sequence: {sequence} (error 2)",
        value,
    )


def _blank(value: str) -> bool:
    # an empty field of any type but text is always NULL, with or without EMPTYASNULL
    return not value.strip()


def _integer(label: str, bits: int) -> Converter:
    def convert(value: str, _: CopyCommand) -> str | None:
        if _blank(value):
            return None
        if not _INTEGER.fullmatch(value):
            position = next(
                (i for i, c in enumerate(value) if not (c.isdigit() or (c in "+-" and i == 0))), 0
            )
            reason = f"Invalid digit, Value '{value[position]}', Pos {position}, Type: {label}"
            raise LoadError(1207, reason, value)
        if len(value) > 40 or not -(1 << bits) <= int(value) < 1 << bits:
            raise LoadError(1222, f"Overflow, Type: {label}", value)
        return value

    return convert


def _float(value: str, _: CopyCommand) -> str | None:
    if _blank(value):
        return None
    if not _NUMBER.fullmatch(value) or abs(float(value)) == float("inf"):
        raise LoadError(1208, f"Invalid digit, Value '{value[:1]}', Pos 0, Type: Double", value)
    return value


def _numeric(precision: int, scale: int) -> Converter:
    def convert(value: str, _: CopyCommand) -> str | None:
        if _blank(value):
            return None
        if not _NUMBER.fullmatch(value):
            raise LoadError(
                1209, f"Invalid digit, Value '{value[:1]}', Pos 0, Type: Decimal", value
            )
        number = Decimal(value)
        if number and number.adjusted() >= precision - scale:
            raise LoadError(1204, "Overflow (Large value)", value)
        # COPY truncates to the scale, unlike INSERT, which rounds
        return str(number.quantize(Decimal(1).scaleb(-scale), ROUND_DOWN))

    return convert


def _boolean(value: str, _: CopyCommand) -> str | None:
    if _blank(value):
        return None
    if value.lower() not in _BOOLEANS:
        raise LoadError(1210, "Unknown boolean format", value)
    return _BOOLEANS[value.lower()]


def _date(value: str, _: CopyCommand) -> str | None:
    if _blank(value):
        return None
    try:
        if not _DATE.fullmatch(value):
            raise ValueError(value)
        return dt.date.fromisoformat(value).isoformat()
    except ValueError as error:
        raise LoadError(1205, "Invalid Date Format - length must be 10 or more", value) from error


def _timestamp(kind: str) -> Converter:
    def convert(value: str, command: CopyCommand) -> str | None:
        if _blank(value):
            return None
        try:
            if command.timeformat.startswith("epoch"):
                return _from_epoch(value, command.timeformat)
            match = _TIMESTAMP.fullmatch(value)
            if not match or (match[3] and command.timeformat != "auto" and kind == "timestamp"):
                raise ValueError(value)
            dt.datetime.fromisoformat(f"{match[1]} {match[2] or '00:00'}")
        except (ValueError, OverflowError) as error:
            reason = "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"
            raise LoadError(1206, reason, value) from error
        return value

    return convert


def _from_epoch(value: str, timeformat: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise ValueError(value)
    number = Decimal(value)
    micros = int(number * (1000 if timeformat == "epochmillisecs" else 1_000_000))
    return (_EPOCH + dt.timedelta(microseconds=micros)).isoformat(" ")
