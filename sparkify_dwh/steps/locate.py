"""Finding the records that staged rows came from, by reading their objects again.

After a bulk load the engine does not know which object a row came from. The staged text does: the
same record always stages the same text.
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
from ..storage.gzip_files import open_plain
from ..storage.objects import Object

_FRACTION = re.compile(r"-?[0-9]+(?:[.][0-9]+)?(?:[eE][-+]?[0-9]+)?")
#: Text by staging column, in the order of the columns.
Texts = tuple[str | None, ...]


@dataclass(frozen=True)
class RecordPlace:
    """A record in its object.

    :param line: the line where it starts, from 1.
    :param rule: the parser rule that refuses it; None: sound.
    """

    key: str
    line: int
    raw: bytes
    rule: str | None


def canonical(text: str | None) -> str | None:
    """A staged text with numbers and nested values in canonical spelling."""
    if text is None:
        return None
    if nested(text):
        return json.dumps(json.loads(text), separators=(",", ":"))
    if any(c in text for c in ".eE") and _FRACTION.fullmatch(text):
        return repr(float(text))
    return text


def nested(text: str | None) -> bool:
    """Whether a staged text is a JSON object or array."""
    if text is None or text[:1] + text[-1:] not in ("{}", "[]"):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def texts(source: Source, values: Mapping[str, Any]) -> Texts:
    """What identifies a staged row: its texts in canonical spelling."""
    return tuple(canonical(values.get(column)) for column in source.keys.values())


def staged(source: Source, record: json_records.Record) -> Texts:
    """What the engine would stage of a record; all NULL for one that is not an object."""
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
) -> Iterator[tuple[Texts, RecordPlace]]:
    """The records of local files with one of these texts; files that do not decode are skipped."""
    for each in objects:
        with suppress(zlib.error), open_plain(each.path) as file:
            if not json_records.is_utf8_text(file.peek(4)):
                continue
            for record in json_records.split(file, source.keys):
                identity = staged(source, record)
                if identity in wanted:
                    yield identity, RecordPlace(each.key, record.line, record.raw, record.rule)


def records_of(
    file: BinaryIO, rows: Mapping[int, list[Any]], keys: Mapping[str, str], cut: bool
) -> Iterator[tuple[Any, int, bytes]]:
    """The bytes of the record that each staged row of an object came from.

    :param rows: staged rows by line.
    :param cut: whether the object was cut into records, which may span lines.
    :raises ValueError: when a line has no such record.
    """
    left = set(rows)
    for line, group in groupby(_parts(file, sorted(rows), keys, cut), lambda part: part.line):
        parts = [part for part in group if line in rows and not part.rule]
        left.discard(line)
        for row in rows.get(line, ()):
            # Records on the same line are told apart by their values as spelled.
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
    """The lines with these ascending numbers (from 0): number, bytes, first byte of the next line.

    :raises ValueError: when the file has no such line.
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
