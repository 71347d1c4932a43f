"""A profile in plain Python, one value at a time: the oracle of `Warehouse.profile`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

Record = dict[str, Any]
MISSING = object()
_INTEGER = re.compile(r"-?[0-9]{1,18}([.]0+)?")
_NUMBER = re.compile(r"-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?")
_TIME = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[-+]\d\d:?\d\d)?)?",
    re.ASCII,
)
_FIRST, _BEYOND = 946_684_800_000, 4_133_980_800_000


def spelled(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else spelled(value)


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "integer", float: "number", dict: "object", list: "array"}
    return names[type(value)]


def number_of(value: Any) -> float | None:
    if isinstance(value, str):
        return float(value) if _INTEGER.fullmatch(value) or _NUMBER.fullmatch(value) else None
    return float(value) if type(value) in (int, float) else None


def mended(text: str) -> str:
    """UTF-8 read as latin-1 undone, three times at most."""
    for _ in range(3):
        try:
            better = text if text.isascii() else text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            return text
        text = better
    return text


def damage_of(text: str) -> set[str]:
    found = set()
    twice = mended(text) != text
    if twice:
        found.add("double encoding")
    if "\ufffd" in text:
        found.add("lost characters")
    later = any("\x80" <= c <= "\x9f" for c in text) and not twice
    if later or any(c < " " or c == "\x7f" for c in text):
        found.add("control characters")
    if text != text.strip():
        found.add("stray blanks")
    return found


def field(records: Sequence[Record], name: str) -> dict[str, Any]:
    """What `FieldProfile` must contain, by the names of its attributes."""
    values = [record.get(name, MISSING) for record in records]
    said = [v for v in values if v is not MISSING and v is not None]
    given = [v for v in said if v != ""]
    texts = [v for v in given if isinstance(v, str)]
    numbers = [v for v in said if type(v) in (int, float)]
    if any(type(v) is float for v in numbers):
        numbers = [float(v) for v in numbers]
    flags = [v for v in said if isinstance(v, bool)]
    every: list[Any] = [n for v in said if (n := number_of(v)) is not None]
    if all(type(v) is int for v in said if number_of(v) is not None):
        every = numbers  # exact, however large
    ordered: list[Any] = texts or numbers or flags
    counts = Counter(map(spelled, said))
    damage: dict[str, list[str]] = {}
    for text in texts:
        for kind in damage_of(text):
            damage.setdefault(kind, []).append(text)
    return {
        "types": dict(Counter(map(kind_of, said))),
        "given": len(given),
        "empty": len(said) - len(given),
        "nulls": sum(v is None for v in values),
        "missing": sum(v is MISSING for v in values),
        "distinct": len(counts),
        "min": min(ordered, default=None),
        "max": max(ordered, default=None),
        "number_min": min(every, default=None),
        "number_max": max(every, default=None),
        "longest_chars": max((len(text_of(v)) for v in said), default=0),
        "longest_bytes": max((len(text_of(v).encode()) for v in said), default=0),
        "bytes_trimmed": max((len(mended(text_of(v)).strip().encode()) for v in said), default=0),
        "numbers_as_text": sum(number_of(v) is not None for v in texts),
        "fractions": sum(n != int(n) for n in every),
        "times": sum(
            bool(_TIME.fullmatch(v)) if isinstance(v, str) and number_of(v) is None else False
            for v in texts
        )
        + sum(_FIRST <= n < _BEYOND for n in every),
        "top": sorted(((n, v) for v, n in counts.items()), key=lambda item: (-item[0], item[1])),
        "damage": {kind: (len(found), len(set(found))) for kind, found in damage.items()},
    }


def is_given(record: Record, name: str) -> bool:
    return record.get(name) not in (None, "")


def key(records: Sequence[Record], names: Sequence[str]) -> tuple[int, int]:
    """Records that lack a part of a key, and those that repeat an earlier one."""
    whole = [r for r in records if all(is_given(r, name) for name in names)]
    values = {tuple(spelled(r[name]) for name in names) for r in whole}
    return len(records) - len(whole), len(whole) - len(values)


def groups(records: Sequence[Record], names: Sequence[str]) -> set[tuple[frozenset[str], int]]:
    """Fields that some records have and some do not, by the records that have them."""
    by_rows: dict[tuple[bool, ...], set[str]] = {}
    for name in names:
        flags = tuple(is_given(record, name) for record in records)
        if any(flags) and not all(flags):
            by_rows.setdefault(flags, set()).add(name)
    return {(frozenset(members), sum(flags)) for flags, members in by_rows.items()}


def duplicates(records: Sequence[Record]) -> int:
    return len(records) - len({json.dumps(r, sort_keys=True) for r in records})
