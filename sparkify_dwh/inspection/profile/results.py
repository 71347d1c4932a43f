"""The results of a profile: one for each source, and all together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from ...core.quantity import quantity
from ...core.table import html_table
from .findings import Broken, FieldProfile, KeyCandidate, Suggestion, Together
from .rows import (
    ADVICE_COLUMNS,
    BROKEN_COLUMNS,
    DAMAGE_COLUMNS,
    FIELD_COLUMNS,
    GROUP_COLUMNS,
    KEY_COLUMNS,
    VALUE_COLUMNS,
    condition_text,
    field_row,
    value_row,
)


@dataclass(frozen=True)
class SourceProfile:
    """The profile of the files of a source.

    :param name: the source as it was named.
    :param place: the folder, file or prefix.
    :param objects: number of objects read.
    :param bytes: size of the objects as stored.
    :param skipped: number of objects with other names.
    :param records: number of JSON objects; broken records are not among them.
    :param broken: broken records by rule.
    :param broken_at: the first 20 of them, by place.
    :param changed: objects left out because they changed or vanished while being read.
    :param repeated_keys: records that contain a key twice; the first value counts.
    :param duplicates: records that equal an earlier one in all fields.
    :param more_fields: number of fields left out, the rarest, where there are too many.
    :param fields: a profile of each field.
    :param keys: candidate keys, exact ones first.
    :param together: fields that records give together or not at all.
    :param suggestions: types, keys and rules for a table.
    :param seconds: time taken.
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
            f"{self.name}: {quantity(self.records, 'record')} in "
            f"{quantity(self.objects, 'object')}, "
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
        keys = [(", ".join(k.fields), k.absent, k.repeated, k.unique) for k in self.keys]
        groups = [(", ".join(t.fields), t.rows, condition_text(t)) for t in self.together]
        advice = [(s.kind, ", ".join(s.fields), s.value, s.reason) for s in self.suggestions]
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
