"""Suggests types, keys and rules from a profile, each with the numbers behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...core.quantity import quantity
from ...models.base import MAX_WIDTH
from .findings import FieldProfile, KeyCandidate, Suggestion, Together
from .results import SourceProfile
from .rows import condition_text, type_names, value_text

#: A text column gets half as much again as its longest value, up to the next power of two.
HEADROOM = 1.5
_LEAST_WIDTH = 8
#: Below this many rows a table may be copied to every node of a cluster.
SMALL = 1_000_000
#: A column distributes evenly if it has many values and none is frequent.
_LEAST_VALUES, _MOST_SHARE = 64, 0.05
#: At most this many distinct values in at least this many records look like a closed list.
CLOSED, _LEAST_RECORDS = 16, 100


@dataclass(frozen=True)
class Hint:
    """What suggestions need to know of a field that its profile lacks.

    :param most: number of records with its most frequent value.
    :param least_positive: its least number above 0.
    :param values: all its values except '', where they are few.
    """

    most: int = 0
    least_positive: float | None = None
    values: tuple[Any, ...] = ()


def suggest(found: SourceProfile, hints: Mapping[str, Hint]) -> tuple[Suggestion, ...]:
    """Suggests types, key, sort key, distribution and rules, in this order."""
    if not found.fields:
        return ()
    return (
        *(_type(each, found.records) for each in found.fields),
        *_key(found),
        *_sort_key(found),
        *_distribution(found, hints),
        *_rules(found, hints),
    )


def width_for(longest: int) -> int | None:
    """The width of a text column for values of that many bytes; None where no VARCHAR fits."""
    if longest > MAX_WIDTH:
        return None
    width = _LEAST_WIDTH
    while width < longest * HEADROOM:
        width *= 2
    return min(width, MAX_WIDTH)


# Types ------------------------------------------------------------------------------------


def _type(field: FieldProfile, records: int) -> Suggestion:
    value, reason = _type_of(field)
    if not field.absent:
        value, reason = f"{value} NOT NULL", f"{reason}; given in every record"
    return Suggestion("type", (field.name,), value, reason)


def _type_of(field: FieldProfile) -> tuple[str, str]:
    kinds = set(field.types)
    if not field.given:
        return "none", "never given"
    numeric = field.types.get("integer", 0) + field.types.get("number", 0) + field.numbers_as_text
    if field.times == field.given:
        what = "milliseconds since 1970" if numeric else "ISO 8601"
        return "TIMESTAMP", f"{what}: {moment(field.min)} to {moment(field.max)}"
    if numeric == field.given:
        value, reason = _number_type(field)
        if field.numbers_as_text:
            reason += f"; {field.numbers_as_text:,} of {field.given:,} are text"
        return value, reason + ("; '' becomes NULL" if field.empty else "")
    if kinds == {"boolean"}:
        return "BOOLEAN", "true or false only"
    if kinds <= {"object", "array"}:
        return "SUPER", f"{type_names(field)}; or separate columns for its content"
    width = width_for(field.longest_bytes)
    size = f"longest {quantity(field.longest_bytes, 'byte')}"
    if field.longest_chars != field.longest_bytes:
        size += f" ({field.longest_chars:,} characters)"
    if field.bytes_trimmed != field.longest_bytes:
        size += f"; {quantity(field.bytes_trimmed, 'byte')} once repaired and trimmed"
    if len(kinds) > 1:
        size = f"mixed: {type_names(field)}; {size}"
    if width is None:
        return "SUPER", f"{size}: too long for a VARCHAR"
    return f"VARCHAR({width})", size


def _number_type(field: FieldProfile) -> tuple[str, str]:
    low, high = field.number_min, field.number_max
    reach = f"{value_text(low)} to {value_text(high)}"
    if field.fractions or low is None or high is None:
        return "DOUBLE PRECISION", reach
    most = 2 * max(abs(low), abs(high))
    if _is_id(field.name) and most < 2**63:
        return "BIGINT", f"{reach}; ids grow"
    for name, limit in (("SMALLINT", 2**15), ("INTEGER", 2**31), ("BIGINT", 2**63)):
        if most < limit:
            return name, reach
    return "DECIMAL(38, 0)", f"{reach}: close to the limit of BIGINT"


def moment(value: object) -> str:
    """Milliseconds since 1970 as a time in UTC; a text unchanged."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return str(value)


# Keys -------------------------------------------------------------------------------------


def best_key(found: SourceProfile) -> KeyCandidate | None:
    """The key that a person would choose: few fields, ids rather than times and measures."""

    def clumsy(key: KeyCandidate) -> tuple[bool, int, bool, int]:
        parts = [found[name] for name in key.fields]
        measure = any(part.fractions or part.times for part in parts)
        unnamed = not any(_is_id(name) for name in key.fields)
        place = sum([each.name for each in found.fields].index(name) for name in key.fields)
        return measure, len(key.fields), unnamed, place

    return min((key for key in found.keys if key.unique), key=clumsy, default=None)


def _is_id(name: str) -> bool:
    return name.endswith(("id", "Id", "ID", "key", "Key"))


def _key(found: SourceProfile) -> Iterator[Suggestion]:
    key = best_key(found)
    if key is not None:
        proof = f"{quantity(found.records, 'record')}, each with its own value"
        yield Suggestion("key", key.fields, f"PRIMARY KEY ({', '.join(key.fields)})", proof)
    elif found.keys:
        near = found.keys[0]
        proof = (
            f"nearest: {quantity(near.absent, 'record')} without it, {near.repeated:,} repeating it"
        )
        yield Suggestion("key", near.fields, f"none; ({', '.join(near.fields)}) is nearest", proof)


def _sort_key(found: SourceProfile) -> Iterator[Suggestion]:
    times = [f for f in found.fields if f.given and f.times == f.given]
    if times:
        best = max(times, key=lambda f: (not f.absent, f.distinct))
        reach = f"{moment(best.min)} to {moment(best.max)}"
        reason = f"a time, {reach}: queries for a period skip other blocks"
        yield Suggestion("sort key", (best.name,), f"SORTKEY ({best.name})", reason)
        return
    key = best_key(found)
    if key is not None:
        reason = "no field is a time; look-ups and joins by the key skip blocks"
        yield Suggestion("sort key", key.fields, f"SORTKEY ({', '.join(key.fields)})", reason)


def _distribution(found: SourceProfile, hints: Mapping[str, Hint]) -> Iterator[Suggestion]:
    if found.records < 2:
        return
    best = _most_even_field(found, hints)
    if found.records < SMALL:
        reason = (
            f"{quantity(found.records, 'record')}: with a copy on every node, no join moves them"
        )
        yield Suggestion("distribution", (), "DISTSTYLE ALL while small", reason)
    if best is None:
        if found.records >= SMALL:
            reason = "no field has many values without a frequent one"
            yield Suggestion("distribution", (), "DISTSTYLE EVEN", reason)
        return
    share = hints[best.name].most / found.records
    reason = f"{quantity(best.distinct, 'value')}, the most frequent in {share:.2%} of the records"
    value = f"DISTKEY ({best.name})" + (" once large" if found.records < SMALL else "")
    yield Suggestion("distribution", (best.name,), value, reason)


def _most_even_field(found: SourceProfile, hints: Mapping[str, Hint]) -> FieldProfile | None:
    fit = [
        f
        for f in found.fields
        if not f.absent
        and not f.fractions
        and not f.times
        and f.distinct >= _LEAST_VALUES
        and hints[f.name].most <= _MOST_SHARE * found.records
    ]
    return min(fit, key=lambda f: (not _is_id(f.name), hints[f.name].most), default=None)


# Rules ------------------------------------------------------------------------------------


def _rules(found: SourceProfile, hints: Mapping[str, Hint]) -> Iterator[Suggestion]:
    key = best_key(found)
    if key is not None:
        yield _rule(key.fields, f"({', '.join(key.fields)}) is unique", "see the key")
    elif found.duplicates:
        names = tuple(f.name for f in found.fields)
        reason = f"{quantity(found.duplicates, 'record')} equal to another in all fields"
        yield _rule(names, "keep one of equal records", reason)
    always = [f.name for f in found.fields if not f.absent]
    if always:
        reason = "never missing, null or ''"
        yield _rule(always, f"{', '.join(always)} {_is(always)} given", reason)
    for group in found.together:
        yield from _group_rules(group, found.records)
    for each in found.fields:
        if each.given:
            yield from _field_rules(each, found.records, hints[each.name])


def _rule(names: Sequence[str], value: str, reason: str) -> Suggestion:
    return Suggestion("rule", tuple(names), value, reason)


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _group_rules(group: Together, records: int) -> Iterator[Suggestion]:
    names = group.fields
    if group.where:
        value = f"{', '.join(names)} {_is(names)} given exactly where {condition_text(group)}"
        yield _rule(names, value, f"{group.rows:,} of {quantity(records, 'record')}")
    else:
        value = f"{', '.join(names)} are given together or not at all"
        yield _rule(names, value, f"given by {group.rows:,} of {quantity(records, 'record')}")


def _field_rules(field: FieldProfile, records: int, hint: Hint) -> Iterator[Suggestion]:
    name, numeric = field.name, field.types.get("integer", 0) + field.types.get("number", 0)
    if field.empty:
        yield _rule((name,), f"{name}: '' is NULL", f"'' in {quantity(field.empty, 'record')}")
    if field.numbers_as_text and field.numbers_as_text + numeric == field.given:
        yield _rule(
            (name,),
            f"{name} is a number",
            f"{quantity(field.numbers_as_text, 'record')} with a number as text",
        )
    elif field.numbers_as_text:
        yield _rule(
            (name,),
            f"{name} is text, also where it looks like a number",
            f"{field.numbers_as_text:,} of {field.given:,} do",
        )
    if field.times == field.given:
        reach = f"{moment(field.min)} to {moment(field.max)}"
        yield _rule((name,), f"{name} is a time from 2000 to 2100", reach)
    elif field.number_min is not None and numeric + field.numbers_as_text == field.given:
        yield from _number_rules(field, hint)
    if hint.values and field.given >= _LEAST_RECORDS:
        values = " or ".join(sorted(map(value_text, hint.values)))
        reason = f"{quantity(len(hint.values), 'value')} in {quantity(field.given, 'record')}"
        yield _rule((name,), f"{name} is {values}", reason)
    yield from _damage_rules(field)


def _number_rules(field: FieldProfile, hint: Hint) -> Iterator[Suggestion]:
    name, low, high = field.name, field.number_min, field.number_max
    assert low is not None and high is not None
    if low == high and field.given > 1:
        yield _rule(
            (name,), f"{name} is {value_text(low)}", "the only value: it carries no information"
        )
        return
    if low == 0 and hint.least_positive is not None and hint.least_positive >= 100:
        reason = f"the next value is {hint.least_positive:.6g}"
        yield _rule((name,), f"{name}: 0 means unknown, so NULL", reason)
    elif low >= 0:
        limit = "> 0" if low > 0 and field.fractions else ">= 0"
        yield _rule((name,), f"{name} {limit}", f"{value_text(low)} to {value_text(high)}")


_CURES = {
    "double encoding": "repair {} before it is compared or joined",
    "lost characters": "ask the sender of {}: the original text is lost",
    "control characters": "refuse or clean control characters in {}",
    "stray blanks": "trim {}",
}


def _damage_rules(field: FieldProfile) -> Iterator[Suggestion]:
    for each in field.damage:
        reason = f"{each.kind}: {quantity(each.rows, 'record')}, {quantity(each.distinct, 'value')}"
        yield _rule((field.name,), _CURES[each.kind].format(field.name), reason)
