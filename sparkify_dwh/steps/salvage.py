"""The fields of a refused record, as far as they can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from ..models.declare import Source
from ..storage import json_records


def salvaged(raw: str, source: Source) -> Mapping[str, str | None]:
    """The fields of a refused record by staging column, even if it is no longer JSON."""
    values: Mapping[str, str | None] = {}
    for record in json_records.split(raw.encode("utf-8", "surrogateescape"), source.keys):
        if record.values:
            values = record.values
            break
    values = values or dict(_fragments(raw, source))
    # Not every database can store a lone surrogate or a NUL, often the reason for the refusal.
    return {name: text if text is None or _sound(text) else None for name, text in values.items()}


def _sound(text: str) -> bool:
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def _fragments(raw: str, source: Source) -> Iterator[tuple[str, str | None]]:
    for key, column in source.keys.items():
        part = re.search(
            re.escape(json.dumps(key)) + r'\s*:\s*("(?:[^"\\]|\\.)*"|[^\s,{}\[\]"]+)', raw
        )
        value = part[1] if part else "null"
        try:
            text = json.loads(value, parse_float=str, parse_int=str, parse_constant=str)
        except ValueError:
            text = None
        yield column, text if isinstance(text, str) else None
