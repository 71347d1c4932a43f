"""Finding the records that staged rows came from, by reading their objects once more.

A bulk load by the engine does not say which object a row came from. What it staged is text, and
the same record gives the same text again.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, BinaryIO

from ..models.declare import Source
from ..storage import json_records
from ..storage.gzip_files import opened
from ..storage.objects import Object

_FRACTION = re.compile(r"-?[0-9]+(?:[.][0-9]+)?(?:[eE][-+]?[0-9]+)?")
#: Text by staging column, in the order of the columns.
Texts = tuple[str | None, ...]


@dataclass(frozen=True)
class Place:
    """A record in its object.

    :param line: line it starts in, from 1.
    :param rule: rule of the reader that refuses it; None: it is sound.
    """

    key: str
    line: int
    raw: bytes
    rule: str | None


def canonical(text: str | None) -> str | None:
    """A staged text with numbers and nested values in one spelling."""
    if text is None:
        return None
    if nested(text):
        return json.dumps(json.loads(text), separators=(",", ":"))
    if any(c in text for c in ".eE") and _FRACTION.fullmatch(text):
        return repr(float(text))
    return text


def nested(text: str | None) -> bool:
    """Whether a staged text is that of a JSON object or array."""
    if text is None or text[:1] + text[-1:] not in ("{}", "[]"):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def texts(source: Source, values: Mapping[str, Any]) -> Texts:
    """What identifies a staged row: its texts in one spelling."""
    return tuple(canonical(values.get(column)) for column in source.keys.values())


def staged(source: Source, record: json_records.Record) -> Texts:
    """What the engine would stage of a record: nothing but NULL of one that is no object."""
    if record.rule is None:
        return texts(source, record.values)
    try:
        held = json.loads(record.raw)
    except (ValueError, RecursionError):
        held = None
    found = held if isinstance(held, dict) else {}
    return texts(source, {column: _text(found.get(key)) for key, column in source.keys.items()})


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def find(
    objects: Iterable[Object], source: Source, wanted: set[Texts]
) -> Iterator[tuple[Texts, Place]]:
    """The records of local files whose texts are wanted; files that do not decode have none."""
    for each in objects:
        with suppress(zlib.error), opened(each.path) as file:
            if not json_records.is_utf8_text(file.peek(4)):
                continue
            for record in json_records.split(file, source.keys):
                identity = staged(source, record)
                if identity in wanted:
                    yield identity, Place(each.key, record.line, record.raw, record.rule)


def records_of(
    file: BinaryIO, rows: Mapping[int, list[Any]], keys: Mapping[str, str], cut: bool
) -> Iterator[tuple[Any, int, bytes]]:
    """The bytes of the record that each staged row of an object came from.

    :param rows: staged rows by line.
    :param cut: whether the object was cut into records, which may go on over lines.
    :raises ValueError: when a line holds no record.
    """
    left = set(rows)
    for line, group in groupby(_parts(file, sorted(rows), keys, cut), lambda part: part.line):
        parts = [part for part in group if line in rows and not part.rule]
        left.discard(line)
        for row in rows.get(line, ()):
            # Several records of a line are told apart by their values, as they are spelled.
            found = [p for p in parts if len(parts) == 1 or _same(p.values, row)]
            if not found:
                raise ValueError(f"line {line} has no such record")
            parts = [p for p in parts if p is not found[0]] or found
            yield row, line, found[0].raw
    if left:
        raise ValueError(f"line {min(left)} has no record")


def _parts(
    file: BinaryIO, lines: Sequence[int], keys: Mapping[str, str], cut: bool
) -> Iterator[json_records.Record]:
    if cut:
        yield from json_records.split(file, keys)
    else:
        for number, text, _ in pick_lines(file, [line - 1 for line in lines]):
            yield from json_records.split(text, keys, number + 1)


def _same(values: Mapping[str, str | None], row: Any) -> bool:
    return all(row._mapping[column] == value for column, value in values.items())


def pick_lines(file: BinaryIO, numbers: Sequence[int]) -> Iterator[tuple[int, bytes, bytes]]:
    """The lines of ascending numbers (from 0): number, bytes, first byte of the line after it.

    :raises ValueError: when there is no such line.
    """
    number, line, after = -1, b"", file.readline()
    for wanted in numbers:
        if wanted > number:
            if (between := wanted - number - 2) >= 0:
                deque(islice(file, between), 0)  # a third of the time of readline
                after = file.readline()
            number, line, after = wanted, after, file.readline()
        if not line:
            raise ValueError(f"there is no line {wanted + 1}")
        yield wanted, line, after[:1]
