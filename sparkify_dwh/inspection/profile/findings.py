"""What a profile finds: fields, their values and damage, candidate keys, groups, broken records."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

#: Most characters of a text in a profile.
TEXT_LIMIT = 1000


@dataclass(frozen=True)
class Frequency:
    """A value and how frequent it is.

    :param value: as a Python value; a text is cut at 1,000 characters, an object or array is its
        JSON text.
    :param rows: number of records with the value.
    """

    value: Any
    rows: int


@dataclass(frozen=True)
class Damage:
    """Text that looks damaged.

    :param kind: ``double encoding`` (UTF-8 read as latin-1, once or more; a load can repair it),
        ``lost characters`` (U+FFFD), ``control characters`` or ``stray blanks`` (at either end).
    :param rows: number of records.
    :param distinct: number of different values.
    :param examples: the first three values by code point, each with its repaired text.
    """

    kind: str
    rows: int
    distinct: int
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class FieldProfile:
    """The profile of one key of the records.

    Every record counts once: ``given + empty + nulls + missing`` is the number of records.

    :param name: the key, as spelled in the records.
    :param types: records by JSON type: ``string`` ('' too), ``integer`` (spelled ``39``),
        ``number`` (``39.0``), ``boolean``, ``object``, ``array``, ``not a number`` (``NaN``).
    :param given: records with a value that is neither null nor ''.
    :param empty: records with ''.
    :param nulls: records with null.
    :param missing: records without the key.
    :param distinct: different values, including '' but not null; numbers by their spelling.
    :param min: the least text, by code points; where there are no texts, the least number, else
        boolean. Ignores '' and null.
    :param max: likewise the greatest.
    :param number_min: the least number, including texts that are numbers.
    :param number_max: likewise the greatest.
    :param longest_chars: characters of the longest value as text.
    :param longest_bytes: bytes of the longest value in UTF-8.
    :param bytes_trimmed: bytes of the longest value once repaired and trimmed, as by a load.
    :param longest: the value with the most bytes, cut at 1,000 characters.
    :param numbers_as_text: records whose text is a number.
    :param fractions: records whose number is not whole.
    :param times: records whose value is a time.
    :param top: the most frequent values.
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
        """Records without a value: '', null or missing."""
        return self.empty + self.nulls + self.missing


@dataclass(frozen=True)
class KeyCandidate:
    """Fields that may identify records, with counts of the records that contradict it.

    :param fields: names of the fields of the key.
    :param absent: records in which one of them is '', null or missing.
    :param repeated: records with the same values as an earlier record.
    """

    fields: tuple[str, ...]
    absent: int
    repeated: int

    @property
    def violations(self) -> int:
        """Records that contradict the key."""
        return self.absent + self.repeated

    @property
    def unique(self) -> bool:
        """Whether it identifies every record."""
        return not self.violations


@dataclass(frozen=True)
class Together:
    """Fields that records give together or not at all.

    :param fields: names of the fields.
    :param rows: number of records that give them.
    :param where: fields whose value decides it, with those values: ``{"page": ("NextSong",)}``
        means given exactly where page is NextSong.
    """

    fields: tuple[str, ...]
    rows: int
    where: dict[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Suggestion:
    """A type, key, sort key, distribution or rule that follows from a profile.

    :param kind: ``type``, ``key``, ``sort key``, ``distribution`` or ``rule``.
    :param fields: the fields it concerns.
    :param value: the suggestion, such as ``VARCHAR(64)`` or ``page is given``.
    :param reason: the numbers behind it.
    """

    kind: str
    fields: tuple[str, ...]
    value: str
    reason: str


@dataclass(frozen=True)
class Broken:
    """A record that is not a JSON object, or an object that cannot be read (line 0).

    :param key: the object: absolute path, or ``s3://`` address.
    :param line: the line where the record begins.
    :param rule: the rule by which a load refuses it.
    :param reason: the condition of the rule.
    :param raw: the first 200 characters of the record.
    """

    key: str
    line: int
    rule: str
    reason: str
    raw: str


def json_value(text: str) -> Any:
    """The value of a JSON text; objects and arrays stay text."""
    if text[:1] in "{[":
        return text[:TEXT_LIMIT]
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return text[:TEXT_LIMIT]
    if isinstance(value, float) and not math.isfinite(value):
        return text[:TEXT_LIMIT]
    return value[:TEXT_LIMIT] if isinstance(value, str) else value
