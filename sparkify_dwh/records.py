"""Cutting the bytes of an object into JSON records, exactly, with a reason for each that is none.

This is the slow, second look: objects and lines that show trouble come here, the others are read
by the engine.

A record starts at the next character that is no blank and lasts as long as the JSON value that
starts there. A record that starts with ``{`` may go on over several lines, but not past a line
that has ``{`` in column 0; every other record ends with its line. Where no complete value stands
before that limit, all text up to it is one malformed record and reading goes on behind it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_RECORD = 4 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
GZIP_MAGIC = b"\x1f\x8b"
_BLANKS = " \t\r\n"
_SPACE = re.compile(f"[{_BLANKS}]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_VALUE = object()


@dataclass(frozen=True)
class Record:
    """A record: where it starts, its bytes, and either its values or the rule it is refused by.

    :param line: physical line it starts in, from 1.
    :param values: text (or None) by staging column; empty when refused.
    """

    line: int
    raw: bytes
    rule: str | None
    values: Mapping[str, str | None]


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)  # a key given twice: the first counts, as in the engine
    return found


def _spelled(number: str) -> str:
    """A number as the engine spells it, so that both ways of reading give the same text."""
    value = float(number)
    return number if math.isinf(value) else repr(value)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_first, parse_float=_spelled, parse_int=str, parse_constant=str
)


def is_utf8_text(head: bytes) -> bool:
    """Whether the first bytes may be UTF-8 text: no UTF-16 or UTF-32, with or without BOM."""
    return json.detect_encoding(head[:4]).startswith("utf-8")


def split(data: bytes, keys: Mapping[str, str], first_line: int = 1) -> Iterator[Record]:
    """The records of an object's bytes.

    :param keys: staging column by JSON key; other keys are ignored, whatever they hold.
    :param first_line: number of the line that ``data`` starts in.
    """
    text = data.removeprefix(BOM).decode("utf-8", "surrogateescape")
    at, line, seen = _skip(text, 0), first_line, 0
    while at < len(text):
        limit = text.find("\n{" if text[at] == "{" else "\n", at)
        limit = len(text) if limit < 0 else limit
        end, value = _value(text, at, limit)
        line += text.count("\n", seen, at)
        seen = at
        part = text[at:end].rstrip(_BLANKS)
        yield _judge(line, part, value, keys)
        at = _skip(text, end)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, limit: int) -> tuple[int, Any]:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return limit, _NO_VALUE
    bare = text[at] not in '{["'  # `12abc` is no number
    if end > limit or (bare and text[end : end + 1].strip(_BLANKS)):
        return limit, _NO_VALUE
    return end, value


def _judge(line: int, part: str, value: Any, keys: Mapping[str, str]) -> Record:
    raw = part.encode("utf-8", "surrogateescape")
    rule = _refusal(part, raw, value, keys)
    if rule:
        return Record(line, raw, rule, {})
    return Record(line, raw, None, {column: _text(value.get(key)) for key, column in keys.items()})


def _refusal(part: str, raw: bytes, value: Any, keys: Mapping[str, str]) -> str | None:
    if len(raw) > MAX_RECORD:
        return "record_too_large"
    if value is _NO_VALUE:
        return "malformed_json"
    if _SURROGATE.search(part):
        return "invalid_utf8"
    if not isinstance(value, dict):
        return "not_an_object"
    known = [value.get(key) for key in keys]
    texts = [each for each in known if isinstance(each, str)]
    if any("\0" in text for text in texts):
        return "nul_character"
    if any(_SURROGATE.search(text) for text in texts):
        return "lone_surrogate"
    if any(isinstance(each, dict | list) for each in known):
        return "nested_value"
    return None


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value  # type: ignore[no-any-return]
