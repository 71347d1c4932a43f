"""What a profile found in the files of a source; shown in a notebook by ``_repr_html_``."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from ...core.table import html_table, shown

#: Characters of a text that is kept.
CUT = 1000


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


@dataclass(frozen=True)
class SourceProfile:
    """What the files of a source hold.

    :param name: as it was asked for; ``place``: where it is.
    :param bytes: of the objects as they are stored; ``skipped``: objects with other names.
    :param records: JSON objects; broken ones do not count.
    :param broken: by rule; ``broken_at``: the first of them by place, at most 20.
    :param changed: objects that changed or vanished while they were read, and are not in it.
    :param repeated_keys: records that give a key twice; the first counts.
    :param duplicates: records that equal an earlier one in all fields.
    :param more_fields: fields left out, the rarest, where there are too many.
    :param keys: candidate keys, those that hold first; ``together``: fields of which a record
        gives all or none; ``suggestions``: what follows for tables.
    :param seconds: how long it took.
    """

    name: str
    place: str
    objects: int
    bytes: int
    skipped: int
    records: int
    broken: dict[str, int] = field(default_factory=dict)
    broken_at: tuple[Broken, ...] = ()
    changed: tuple[str, ...] = ()
    repeated_keys: int = 0
    duplicates: int = 0
    more_fields: int = 0
    fields: tuple[FieldProfile, ...] = ()
    keys: tuple[KeyCandidate, ...] = ()
    together: tuple[Together, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    seconds: float = 0.0

    def __getitem__(self, name: str) -> FieldProfile:
        for each in self.fields:
            if each.name == name:
                return each
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        found = asdict(self)
        for key, candidate in zip(found["keys"], self.keys, strict=True):
            key |= {"violations": candidate.violations, "unique": candidate.unique}
        return found

    def _repr_html_(self) -> str:
        head = (
            f"{self.name}: {self.records:,} records in {self.objects:,} objects, "
            f"{sum(self.broken.values()):,} broken"
        )
        parts = [
            html_table(FIELD_COLUMNS, map(field_row, self.fields), head),
            html_table(VALUE_COLUMNS, map(value_row, self.fields), "values"),
        ]
        damage = [
            (f.name, d.kind, d.rows, d.distinct, ", ".join(repr(e[0]) for e in d.examples))
            for f in self.fields
            for d in f.damage
        ]
        broken = [(b.key, b.line, b.rule, b.raw) for b in self.broken_at]
        keys = [(listed(k.fields), k.absent, k.repeated, k.unique) for k in self.keys]
        groups = [(listed(t.fields), t.rows, conditions(t)) for t in self.together]
        advice = [(s.kind, listed(s.fields), s.value, s.reason) for s in self.suggestions]
        for rows, columns, caption in (
            (damage, DAMAGE_COLUMNS, "text that looks damaged"),
            (broken, BROKEN_COLUMNS, "broken"),
            (keys, KEY_COLUMNS, "candidate keys"),
            (groups, GROUP_COLUMNS, "fields that come and go together"),
            (advice, ADVICE_COLUMNS, "suggestions"),
        ):
            if rows:
                parts.append(html_table(columns, rows, caption))
        return "".join(parts)


@dataclass(frozen=True)
class Profile:
    """The profiles of several sources, by position or by name: ``profile["log_data"]``."""

    sources: tuple[SourceProfile, ...]

    def __iter__(self) -> Iterator[SourceProfile]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, which: int | str) -> SourceProfile:
        if isinstance(which, int):
            return self.sources[which]
        for each in self.sources:
            if each.name == which:
                return each
        raise KeyError(which)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return {"sources": [each.to_dict() for each in self.sources]}

    def _repr_html_(self) -> str:
        return "".join(f"<h3>{escape(each.name)}</h3>{each._repr_html_()}" for each in self.sources)


# As rows -------------------------------------------------------------------------------------

FIELD_COLUMNS = ("field", "types", "given", "''", "null", "missing", "distinct")
VALUE_COLUMNS = ("field", "min", "max", "chars", "bytes", "most frequent")
DAMAGE_COLUMNS = ("field", "what", "rows", "values", "such as")
BROKEN_COLUMNS = ("object", "line", "rule", "text")
KEY_COLUMNS = ("fields", "absent", "repeated", "unique")
GROUP_COLUMNS = ("fields", "rows", "given exactly where")
ADVICE_COLUMNS = ("what", "fields", "suggestion", "why")


def field_row(found: FieldProfile) -> tuple[Any, ...]:
    """A field as a row of ``FIELD_COLUMNS``."""
    counts = (found.given, found.empty, found.nulls, found.missing, found.distinct)
    return (found.name, types_of(found), *counts)


def types_of(found: FieldProfile) -> str:
    """The JSON types of a field, the most frequent first; with counts where there are several."""
    named = sorted(found.types.items(), key=lambda item: (-item[1], item[0]))
    if len(named) == 1:
        return named[0][0]
    return ", ".join(f"{name} {rows:,}" for name, rows in named)


def value_row(found: FieldProfile) -> tuple[Any, ...]:
    """A field as a row of ``VALUE_COLUMNS``."""
    top = ", ".join(f"{shown(each.value)} ({each.rows:,})" for each in found.top[:3])
    lengths = (found.longest_chars, found.longest_bytes)
    return (found.name, text_of(found.min), text_of(found.max), *lengths, top)


def text_of(value: Any) -> str:
    """A value of the files as text; numbers as they are."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def value_of(text: str) -> Any:
    """A JSON text as a value; objects and arrays stay text."""
    if text[:1] in "{[":
        return text[:CUT]
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return text[:CUT]
    if isinstance(value, float) and not math.isfinite(value):
        return text[:CUT]
    return value[:CUT] if isinstance(value, str) else value


def listed(names: Sequence[str]) -> str:
    """Names after each other."""
    return ", ".join(names)


def conditions(group: Together) -> str:
    """When the fields of a group are given, in words."""
    return " and ".join(
        f"{name} is {' or '.join(text_of(v) or repr(v) for v in values)}"
        for name, values in group.where.items()
    )
