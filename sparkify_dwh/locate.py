"""Finding the records that staged rows came from, by reading their objects once more.

A bulk load by the engine does not say which object a row came from. What it staged is text, and
the same record gives the same text again.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from . import records
from .declare import Source
from .discover import Object
from .packed import opened

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


def staged(source: Source, record: records.Record) -> Texts:
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
            if not records.is_utf8_text(file.peek(4)):
                continue
            for record in records.split(file, source.keys):
                identity = staged(source, record)
                if identity in wanted:
                    yield identity, Place(each.key, record.line, record.raw, record.rule)
