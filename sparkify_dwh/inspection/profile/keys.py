"""What tells the records of a profile apart, and which of their fields come and go together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .findings import FieldProfile, KeyCandidate, Together, json_value
from .suggest import Hint

#: Least share of different values of a field that is shown as a candidate key.
NEARLY = 0.9
#: Pairs and triples that are counted exactly; others are ruled out by their numbers of values.
MOST_CHECKS = 12
#: Values of a field that may decide whether others are given.
FEW = 20
_MOST_BESIDE, _NEAR_MISSES = 8, 4

# Keys -------------------------------------------------------------------------------------


def find_keys(
    scan: Any, fields: Sequence[FieldProfile], records: int, hints: Mapping[str, Hint]
) -> tuple[KeyCandidate, ...]:
    """Fields, then pairs, then triples that tell records apart or nearly do, each counted."""
    if records < 2:
        return ()
    fit = [f for f in fields if not {"object", "array"} & f.types.keys() and f.given]
    found = []
    for each in fit:
        # The values that are given: '' is one of the distinct ones.
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
    """The one of the fields that fewest records repeat, where these are few."""
    best = max((f for f in fields if f.name in names), key=lambda f: f.distinct)
    return best.name if best.distinct >= NEARLY * records else None


def _promising(
    fields: Sequence[FieldProfile], size: int, records: int, hints: Mapping[str, Hint]
) -> list[tuple[str, ...]]:
    """Combinations that have values enough to tell the records apart, or nearly so.

    The most frequent value of each part must meet as many different values of the others. Where
    it meets half as many, the proof is a count; where less, it is plain.
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
    """Fields of which each record gives all or none, and what decides it."""
    optional = [f.name for f in fields if 0 < f.given < records]
    if not optional:
        return ()
    beside = [f.name for f in fields if not f.absent and 1 < f.distinct <= FEW][:_MOST_BESIDE]
    counts = list(scan.patterns(optional, beside))
    columns: dict[tuple[bool, ...], list[int]] = {}
    for n in range(len(optional)):
        columns.setdefault(tuple(flags[n] for flags, _, _ in counts), []).append(n)
    found = []
    for given, members in columns.items():
        rows = sum(count for (_, _, count), flag in zip(counts, given, strict=True) if flag)
        where = {}
        for place, name in enumerate(beside):
            yes = {
                values[place] for (_, values, _), flag in zip(counts, given, strict=True) if flag
            }
            no = {
                values[place]
                for (_, values, _), flag in zip(counts, given, strict=True)
                if not flag
            }
            if not yes & no:
                where[name] = tuple(json_value(value) for value in sorted(yes))
        if len(members) > 1 or where:
            found.append(Together(tuple(optional[n] for n in members), rows, where))
    return tuple(found)
