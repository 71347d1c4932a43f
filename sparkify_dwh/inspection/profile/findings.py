"""What a profile finds: fields, their values and damage, candidate keys, groups, broken records."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

#: Characters of a text that is kept.
TEXT_LIMIT = 1000


@dataclass(frozen=True)
class Frequency:
    """A value and the number of records that hold it (``rows``).

    :param value: as Python has it; a text of more than 1,000 characters is cut there, an object or
        array is its JSON text.
    """

    value: Any
    rows: int


@dataclass(frozen=True)
class Damage:
    """Text that looks damaged.

    :param kind: ``double encoding`` (UTF-8 read as latin-1, once or more; a load can undo it),
        ``lost characters`` (U+FFFD), ``control characters`` or ``stray blanks`` (at either end).
    :param rows: records; ``distinct``: different values.
    :param examples: the first of them by code point, at most three; with what repair makes of it.
    """

    kind: str
    rows: int
    distinct: int
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class FieldProfile:
    """One key of the records.

    Every record counts once: ``given + empty + nulls + missing`` are all of them.

    :param name: the key in the records, as it is spelled there.
    :param types: records by JSON type: ``string`` ('' too), ``integer`` (spelled so: ``39``),
        ``number`` (``39.0``), ``boolean``, ``object``, ``array``, ``not a number`` (``NaN``).
    :param given: records with a value that is neither null nor ''.
    :param missing: records without the key.
    :param distinct: different values, '' among them, null not; numbers by their spelling.
    :param min: and ``max``: of the texts where there are any, else of the numbers, else of the
        booleans; '' and null apart. Texts compare by code points.
    :param number_min: least number, texts that are numbers included; ``number_max``: the greatest.
    :param longest_chars: characters of the longest value as text; ``longest_bytes`` in UTF-8.
    :param longest: the value of most bytes, cut at 1,000 characters.
    :param bytes_trimmed: bytes of the longest value once repaired and trimmed, as a load does.
    :param top: most frequent values, then by their text.
    :param numbers_as_text: records whose text is a number; ``times``: values that are times.
    :param fractions: records whose number is not whole.
    :param damage: text that looks damaged, by kind.
    """

    name: str
    types: dict[str, int]
    given: int
    empty: int
    nulls: int
    missing: int
    distinct: int
    min: Any
    max: Any
    number_min: int | float | None
    number_max: int | float | None
    longest_chars: int
    longest_bytes: int
    bytes_trimmed: int
    longest: str | None
    numbers_as_text: int
    fractions: int
    times: int
    top: tuple[Frequency, ...] = ()
    damage: tuple[Damage, ...] = ()

    @property
    def absent(self) -> int:
        """Records in which it says nothing: '', null or missing."""
        return self.empty + self.nulls + self.missing


@dataclass(frozen=True)
class KeyCandidate:
    """Fields that may tell records apart, with the proof: how often they fail to.

    :param fields: names of the fields that are the key together.
    :param absent: records in which a part of it is '', null or missing.
    :param repeated: records whose values stand in an earlier record already.
    """

    fields: tuple[str, ...]
    absent: int
    repeated: int

    @property
    def violations(self) -> int:
        """Records that break it as a key."""
        return self.absent + self.repeated

    @property
    def unique(self) -> bool:
        """Whether it is a key of these records."""
        return not self.violations


@dataclass(frozen=True)
class Together:
    """Fields of which a record gives all or none.

    :param rows: records that give them.
    :param where: fields whose value decides it, with the values that go with the group; e.g.
        ``{"page": ("NextSong",)}``: given exactly where page is NextSong.
    """

    fields: tuple[str, ...]
    rows: int
    where: dict[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Suggestion:
    """What follows for the tables.

    :param kind: ``type``, ``key``, ``sort key``, ``distribution`` or ``rule``.
    :param fields: the fields it is about.
    :param value: such as ``VARCHAR(64)`` or ``page is given``.
    :param reason: the numbers it follows from.
    """

    kind: str
    fields: tuple[str, ...]
    value: str
    reason: str


@dataclass(frozen=True)
class Broken:
    """A record, or an object (line 0), that is no JSON object.

    :param key: the object: absolute path, or ``s3://`` address.
    :param rule: the name a load refuses it by, ``reason``: what it demands.
    :param raw: its first 200 characters.
    """

    key: str
    line: int
    rule: str
    reason: str
    raw: str


def json_value(text: str) -> Any:
    """A JSON text as a value; objects and arrays stay text."""
    if text[:1] in "{[":
        return text[:TEXT_LIMIT]
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return text[:TEXT_LIMIT]
    if isinstance(value, float) and not math.isfinite(value):
        return text[:TEXT_LIMIT]
    return value[:TEXT_LIMIT] if isinstance(value, str) else value
