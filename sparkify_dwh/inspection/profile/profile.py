"""Profiles files before any table exists: fields, values, keys, damage, suggestions."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.errors import SettingsError, SourceError
from ...core.observer import SILENT, Observer
from ...core.quantity import quantity
from ...core.settings import Settings
from ...dialects import file_scanner
from ...models.declare import Declarations
from ...steps.text_repair import repair
from ...storage.listing import list_sources
from ...storage.objects import Listing
from ...storage.s3 import SCHEME
from .findings import TEXT_LIMIT, Broken, Damage, FieldProfile, Frequency, json_value
from .keys import find_groups, find_keys
from .results import Profile, SourceProfile
from .suggest import CLOSED, Hint, suggest

#: Most fields that are profiled; files whose keys are data have more than anyone reads.
MOST_FIELDS = 300
#: '' in JSON.
EMPTY = '""'


def profile(
    settings: Settings,
    declarations: Declarations,
    sources: Sequence[str],
    *,
    top: int = 5,
    observer: Observer = SILENT,
) -> Profile:
    """See ``Warehouse.profile``."""
    places = [(name, place_of(settings, declarations, name)) for name in sources]
    if not places:
        places = [
            (source.setting, place)
            for source in declarations.sources
            if (place := settings.location(source.name, source.setting))
        ]
    if not places:
        raise SettingsError(
            "no source is named or set", "name a folder, a file or s3://bucket/prefix/"
        )
    listings = [list_sources(settings, {name: place}, observer)[name] for name, place in places]
    for (_, place), listing in zip(places, listings, strict=True):
        _require_objects(place, listing)
    return Profile(
        tuple(
            profile_source(settings, name, place, listing, top, observer)
            for (name, place), listing in zip(places, listings, strict=True)
        )
    )


def place_of(settings: Settings, declarations: Declarations, name: str) -> str:
    """The place of a source: from the settings if it is declared, else its name is the place.

    :raises SettingsError: when a declared source has no place.
    """
    for source in declarations.sources:
        if name in (source.name, source.setting):
            place = settings.location(source.name, source.setting)
            if place:
                return place
            if not Path(name).exists():
                raise SettingsError(
                    f"source {name} has no place", f"set {source.setting}, or name a folder"
                )
    return name


def _require_objects(place: str, listing: Listing) -> None:
    if not listing.objects:
        skipped = f"; skipped {quantity(listing.skipped, 'other name')}" if listing.skipped else ""
        raise SourceError(
            f"source {place} contains no JSON files{skipped}",
            "name the folder or prefix that contains them"
            if not place.startswith(SCHEME)
            else "name the prefix that contains them",
        )


def profile_source(
    settings: Settings, name: str, place: str, listing: Listing, top: int, observer: Observer
) -> SourceProfile:
    """Profiles the objects of one source."""
    began = time.perf_counter()
    with file_scanner(settings, name, observer) as (reader, scan):
        reader.read(listing.objects)
        more = scan.find_fields(MOST_FIELDS)
        records = scan.rows() - reader.lost
        scan.read()
        found = []
        observer.begin("profile", name, len(scan.names), "fields")
        for each in scan.names:
            found.append(_field(scan, each, records, top))
            observer.advance("profile", name, 1)
        fields = tuple(each for each, _ in found)
        hints = {each.name: hint for each, hint in found}
        keys = find_keys(scan, fields, records, hints)
        together = find_groups(scan, fields, records)
        exact = any(key.unique for key in keys)
        nearest = min(keys, key=lambda key: (key.violations, len(key.fields)), default=None)
        duplicates = 0 if exact else scan.duplicates(nearest.fields if nearest else ())
        rules = sorted(reader.quarantine.by_rule.items())
        partial = SourceProfile(
            name=name,
            place=place,
            objects=len(listing.objects) - len(reader.reading.changed),
            bytes=sum(each.size for each in listing.objects),
            skipped=listing.skipped,
            records=records,
            broken={rule: count for (_, rule), count in rules},
            broken_at=tuple(_broken(row) for row in reader.broken_at()),
            changed=tuple(sorted(reader.reading.changed)),
            repeated_keys=scan.repeated_keys(),
            duplicates=duplicates,
            more_fields=more,
            fields=fields,
            keys=keys,
            together=together,
        )
    advice = suggest(partial, hints)
    return replace(partial, suggestions=advice, seconds=time.perf_counter() - began)


def _broken(row: Mapping[str, Any]) -> Broken:
    return Broken(row["key"], row["line"], row["rule"], row["reason"], row["raw"][:200])


# Fields -----------------------------------------------------------------------------------


def _field(scan: Any, name: str, records: int, top: int) -> tuple[FieldProfile, Hint]:
    numbers = scan.field(name)
    frequent = scan.frequent(max(top, CLOSED + 1))
    twice = scan.double_encoded() if numbers["double_encoded"] else ()
    types = {
        kind: int(numbers[kind])
        for kind in ("string", "integer", "number", "boolean", "object", "array", "not a number")
        if numbers[kind]
    }
    nulls, empty = int(numbers["nulls"]), int(numbers["empty"])
    present = scan.present[name]
    low, high = _range(numbers, types)
    damage, trimmed = _damage(scan, numbers, twice)
    found = FieldProfile(
        name=name,
        types=types,
        given=sum(types.values()) - empty,
        empty=empty,
        nulls=nulls,
        missing=records - present,
        distinct=int(numbers["distinct"]),
        min=low,
        max=high,
        number_min=_number(numbers, "min"),
        number_max=_number(numbers, "max"),
        longest_chars=int(numbers["chars"] or 0),
        longest_bytes=int(numbers["bytes"] or 0),
        bytes_trimmed=trimmed,
        longest=numbers["longest"],
        numbers_as_text=int(numbers["numbers_as_text"]),
        fractions=int(numbers["fractions"]),
        times=int(numbers["times"]),
        top=tuple(Frequency(json_value(value), int(rows)) for value, rows in frequent[:top]),
        damage=damage,
    )
    values = [json_value(value) for value, _ in frequent if value != EMPTY]
    least = _finite(numbers["least_positive"])
    few = found.distinct - bool(empty) <= CLOSED
    return found, Hint(int(numbers["most"] or 0), least, tuple(values) if few else ())


def _range(numbers: Mapping[str, Any], types: Mapping[str, int]) -> tuple[Any, Any]:
    if numbers["text_min"] is not None:
        return numbers["text_min"][:TEXT_LIMIT], numbers["text_max"][:TEXT_LIMIT]
    if "integer" in types and "number" not in types and numbers["whole_min"] is not None:
        return int(numbers["whole_min"]), int(numbers["whole_max"])
    if "integer" in types or "number" in types:
        return _finite(numbers["real_min"]), _finite(numbers["real_max"])
    if "boolean" in types:
        return numbers["least_flag"] == "true", numbers["greatest_flag"] == "true"
    return None, None


def _number(numbers: Mapping[str, Any], which: str) -> int | float | None:
    """The least or greatest number, including texts; exact where all are integers."""
    whole, value = numbers[f"whole_{which}"], _finite(numbers[f"any_{which}"])
    if whole is not None and not numbers["number"] and not numbers["numbers_as_text"]:
        return int(whole)
    if value is not None and value == int(value) and abs(value) < 2**53:
        return int(value) if not numbers["fractions"] else value
    return value


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


_CONTROL, _LATER = re.compile("[\x00-\x1f\x7f]"), re.compile("[\x80-\x9f]")
#: Kinds of damage and the flags of each.
_DAMAGES = {
    "lost characters": ("lost",),
    "control characters": ("control", "later"),
    "stray blanks": ("blanks",),
}


def _damage(
    scan: Any, numbers: Mapping[str, Any], twice: Sequence[Any]
) -> tuple[tuple[Damage, ...], int]:
    """What looks damaged, and the bytes of the longest value once repaired and trimmed."""
    found: list[Damage] = []
    repaired = [(text, repair(text), int(rows)) for text, rows in twice]
    damaged = [each for each in repaired if each[0] != each[1]]
    if damaged:
        examples = tuple(
            (text[:TEXT_LIMIT], better[:TEXT_LIMIT]) for text, better, _ in damaged[:3]
        )
        rows = sum(rows for *_, rows in damaged)
        found.append(Damage("double encoding", rows, len(damaged), examples))
    # Double-encoded text contains control characters too: it counts once.
    inner = [each for each in damaged if _LATER.search(each[0]) and not _CONTROL.search(each[0])]
    for kind, names in _DAMAGES.items():
        rows = sum(int(numbers[name]) for name in names)
        distinct = sum(int(numbers[f"{name}_values"]) for name in names)
        if "later" in names:
            rows -= sum(rows for *_, rows in inner)
            distinct -= len(inner)
        if rows:
            shown = tuple((text[:TEXT_LIMIT], "") for text in scan.examples(*names))
            found.append(Damage(kind, rows, distinct, shown))
    trimmed = [len(better.strip().encode()) for _, better, _ in repaired]
    return tuple(found), max([int(numbers["bytes_trimmed"] or 0), *trimmed])
