"""Turns the bytes of an object into rows, as COPY … JSON does.

https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html
The guide does not say where COPY continues after a malformed record, which of two equal keys wins,
or how it spells numbers in text. Here it continues at the next line that begins a record, the last
key wins, and numbers keep their spelling. README.md lists these assumptions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .copy_command import CopyCommand
from .errors import RedshiftError
from .values import Column, LoadError

# https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html
MAX_ROW = 4 * 1024 * 1024
_BLANK = re.compile(r"[ \t\r\n]*")
_BRACKETS = re.compile(r"\$((?:\['[^'\]]+'\]|\[\d+\])*)")
_DOTS = re.compile(r"\$((?:\.[^'.\[\]*?@()]+|\[\d+\])*)")
_STEP = re.compile(r"\['([^'\]]+)'\]|\[(\d+)\]|\.([^'.\[\]]+)")

Path = tuple[str | int, ...]


class Number(str):
    """A number in a JSON text, in its original spelling."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Record:
    """One root-level value of a data file, or what is wrong with it."""

    value: Any
    error: LoadError | None
    line: int
    start: int
    raw: str


@dataclass(frozen=True, slots=True)
class Row:
    """The values of one record for Postgres, or the error that keeps it out."""

    values: list[str | None]
    error: LoadError | None
    column: Column | None
    record: Record


def records(data: bytes) -> Iterator[Record]:
    """The root-level values of a file; they need no newline in between.

    The line of a record is its last one, as in STL_LOAD_ERRORS for JSON.
    """
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    decoder = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_no_constant)
    position, line, counted = 0, 1, 0
    while True:
        start = _end_of_blank(text, position)
        if start == len(text):
            return
        error, value = None, None
        try:
            value, position = decoder.raw_decode(text, start)
            if text[start] not in '{["' and text[position : position + 1].strip(" \t\r\n"):
                raise ValueError("a number or a word continues")
        except (ValueError, RecursionError) as reason:
            at = getattr(reason, "pos", start)
            position = _resume(text, start, at)
            error = LoadError(1216, "Invalid JSON: malformed record", "")
        raw = text[start:position].rstrip("\r\n")
        line += text.count("\n", counted, start + len(raw))
        counted = start + len(raw)
        if error is None and len(raw) > MAX_ROW // 4 and _size(raw) > MAX_ROW:
            error = LoadError(1216, "Input line is not valid: it exceeds 4 MB", "")
        yield Record(value, error, line, start, raw)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _end_of_blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _resume(text: str, start: int, failed: int) -> int:
    """Where to continue after a malformed record: at the next line that can begin one."""
    end = text.find("\n", start)
    if end < 0:
        return len(text)
    if failed > end:
        # the record spans several lines: indented and closing lines still belong to it
        while text[end + 1 : end + 2] and text[end + 1] in ' \t\r\n"}]':
            following = text.find("\n", end + 1)
            if following < 0:
                return len(text)
            end = following
    return end + 1


def read_jsonpaths(data: bytes, columns: int) -> list[Path] | None:
    """The paths of a jsonpaths file; None if its top key is wrong: COPY falls back to 'auto'."""
    try:
        document = json.loads(data)
    except ValueError as error:
        raise RedshiftError("Invalid JSONPath format: not a JSON document", "XX000") from error
    if not isinstance(document, dict) or "jsonpaths" not in document:
        return None
    expressions = document["jsonpaths"]
    if len(expressions) != columns:
        raise RedshiftError(
            "Number of jsonpaths and the number of columns should match. JSONPath size: "
            f"{len(expressions)}, Number of columns in table or column list: {columns}"
        )
    for pattern in (_BRACKETS, _DOTS):
        if all(isinstance(path, str) and pattern.fullmatch(path) for path in expressions):
            return [_path(path) for path in expressions]
    raise RedshiftError(
        "Invalid JSONPath format: bracket and dot notation cannot be mixed, "
        "and neither wildcards nor filters are supported"
    )


def _path(expression: str) -> Path:
    steps = (m.groups() for m in _STEP.finditer(expression))
    return tuple(int(index) if index else key or dotted for key, index, dotted in steps)


def rows(
    data: bytes, command: CopyCommand, columns: Sequence[Column], paths: Sequence[Path] | None
) -> Iterator[Row]:
    """The rows of one object; `paths` is None for 'auto' and 'auto ignorecase'."""
    fold = command.json == "auto ignorecase"
    for record in records(data):
        if record.error is not None:
            yield Row([], record.error, None, record)
            continue
        if paths is None and not isinstance(record.value, dict):
            error = LoadError(1216, "Invalid JSONPath format: Member is not an object.", "")
            yield Row([], error, None, record)
            continue
        if paths is None:
            source = record.value
            if fold:
                source = {key.lower(): value for key, value in source.items()}
            found = [source.get(column.name) for column in columns]
        else:
            found = [_dig(record.value, path) for path in paths]
        yield _convert(record, found, columns, command)


def _convert(
    record: Record, found: Sequence[Any], columns: Sequence[Column], command: CopyCommand
) -> Row:
    values: list[str | None] = []
    for column, value in zip(columns, found, strict=True):
        try:
            text = None if value is None else column.convert(_spell(value), command)
            if text is None and column.not_null:
                raise LoadError(1213, "Missing data for not-null field", "")
        except LoadError as error:
            return Row([], error, column, record)
        values.append(text)
    return Row(values, None, None, record)


def _dig(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return None
            value = value[step]
        else:
            if not isinstance(value, dict):
                return None
            value = value.get(step)
    return value


def _spell(value: Any) -> str:
    """The text of a value; an object or array is loaded as a string with its brackets."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _nested(value)


def _nested(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k, ensure_ascii=False)}:{_nested(v)}" for k, v in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_nested, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
