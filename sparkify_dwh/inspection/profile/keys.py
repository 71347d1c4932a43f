"""Candidate keys of the records of a profile, and fields that are given together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .findings import FieldProfile, KeyCandidate, Together, json_value
from .suggest import Hint

#: Least share of distinct values that makes a field a candidate key.
NEARLY = 0.9
#: Most pairs and triples that are counted exactly; others are ruled out by their distinct values.
MOST_CHECKS = 12
#: Most values of a field that may decide whether others are given.
FEW = 20
_MOST_DECIDING, _NEAR_MISSES = 8, 4

# Keys -------------------------------------------------------------------------------------


def find_keys(
    scan: Any, fields: Sequence[FieldProfile], records: int, hints: Mapping[str, Hint]
) -> tuple[KeyCandidate, ...]:
    """Fields, then pairs, then triples that identify records, or nearly do; each is counted."""
    if records < 2:
        return ()
    fit = [f for f in fields if not {"object", "array"} & f.types.keys() and f.given]
    found = []
    for each in fit:
        # '' is one of the distinct values, but is not given.
        repeated = each.given - (each.distinct - (1 if each.empty else 0))
        if each.distinct >= NEARLY * records:
            found.append(KeyCandidate((each.name,), each.absent, repeated))
    unique = [set(key.fields) for key in found if key.unique]
    always = [f for f in fit if not f.absent and f.distinct > 1 and {f.name} not in unique]
    for size in (2, 3):
        if unique:
            break
        checked = [
            KeyCandidate(names, 0, scan.repeats(names, _narrow(fields, names, records)))
            for names in _promising(always, size, records, hints)
        ]
        unique = [set(key.fields) for key in checked if key.unique]
        found += checked
    ranked = sorted(found, key=lambda key: (key.violations, len(key.fields)))
    exact = [key for key in ranked if key.unique]
    return (*exact, *ranked[len(exact) :][:_NEAR_MISSES])


def _narrow(fields: Sequence[FieldProfile], names: Sequence[str], records: int) -> str | None:
    """The field with the most distinct values, where few records repeat them."""
    best = max((f for f in fields if f.name in names), key=lambda f: f.distinct)
    return best.name if best.distinct >= NEARLY * records else None


def _promising(
    fields: Sequence[FieldProfile], size: int, records: int, hints: Mapping[str, Hint]
) -> list[tuple[str, ...]]:
    """Combinations with enough distinct values to identify records, or nearly so.

    The records with the most frequent value of one part differ only in the other parts, which
    therefore need as many distinct combinations. With fewer than half as many, the combination is
    ruled out; otherwise it has to be counted.
    """
    found = []
    for parts in itertools.combinations(fields, size):
        room = math.prod(each.distinct for each in parts)
        if 2 * room < records:
            continue
        if any(hints[each.name].most > 2 * room / each.distinct for each in parts):
            continue
        ordered = sorted(parts, key=lambda each: -each.distinct)
        found.append((-room, tuple(each.name for each in ordered)))
    return [names for _, names in sorted(found)[:MOST_CHECKS]]


# Groups -----------------------------------------------------------------------------------


def find_groups(scan: Any, fields: Sequence[FieldProfile], records: int) -> tuple[Together, ...]:
    """Fields that each record gives together or not at all, and the fields that decide it."""
    optional = [f.name for f in fields if 0 < f.given < records]
    if not optional:
        return ()
    deciding = [f.name for f in fields if not f.absent and 1 < f.distinct <= FEW][:_MOST_DECIDING]
    counts = list(scan.patterns(optional, deciding))
    columns: dict[tuple[bool, ...], list[int]] = {}
    for n in range(len(optional)):
        columns.setdefault(tuple(flags[n] for flags, _, _ in counts), []).append(n)
    found = []
    for given, members in columns.items():
        rows = sum(count for (_, _, count), flag in zip(counts, given, strict=True) if flag)
        where = {}
        for place, name in enumerate(deciding):
            values_where_given = {
                values[place] for (_, values, _), flag in zip(counts, given, strict=True) if flag
            }
            values_elsewhere = {
                values[place]
                for (_, values, _), flag in zip(counts, given, strict=True)
                if not flag
            }
            if not values_where_given & values_elsewhere:
                where[name] = tuple(json_value(value) for value in sorted(values_where_given))
        if len(members) > 1 or where:
            found.append(Together(tuple(optional[n] for n in members), rows, where))
    return tuple(found)
