"""`profile`: shows what is in files before any table exists."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.quantity import digits, quantity
from ..core.safe_text import escape_controls
from .app import Session, command
from .options import Json
from .output import BOLD, RED, YELLOW, emit, emit_json, styled
from .progress import showing
from .tables import figure, path_text, shortened, table, wrapped

if TYPE_CHECKING:
    from ..inspection.profile.findings import Frequency, Suggestion
    from ..inspection.profile.results import SourceProfile

#: Columns that one value takes in a cell of several.
_VALUE_WIDTH = 24


@command("profile")
def profile(
    session: Session,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="A folder, file or s3://bucket/prefix/, or a setting: log_data, song_data. "
            "Default: all sources that are set.",
        ),
    ] = None,
    top: Annotated[
        int,
        typer.Option(min=1, metavar="VALUES", help="Number of frequent values to show per field."),
    ] = 5,
    json: Json = False,
) -> None:
    """Show what is in the files, before any table exists.

    Per field: types, nulls, distinct values, range, length, damage; then keys, fields that occur
    together, and suggested types, keys and rules. Creates no database.

    Example: sparkify profile data/log_data
    """
    with showing(session, profiling=True) as observer:
        profiles = session.warehouse(observer).profile(*(sources or ()), top=top)
    if json:
        emit_json(profiles.to_dict())
        return
    for number, each in enumerate(profiles):
        emit(("\n" if number else "") + "\n\n".join(_parts(each)))


def _parts(source: SourceProfile) -> Iterator[str]:
    yield _head(source)
    if source.broken:
        yield _broken(source)
    if not source.fields:
        return
    yield _titled("fields", _fields(source))
    yield _titled("min, max and longest values, without ''", _values(source))
    yield _titled("most frequent values", _top(source))
    damage = list(_damage(source))
    if damage:
        yield _titled("text that looks damaged", "\n".join(damage))
    if source.keys:
        yield _titled("candidate keys: records that break them", _keys(source))
    if source.together:
        yield _titled("fields that occur together", _together(source))
    yield from _suggestions(source.suggestions)


def _titled(title: str, body: str) -> str:
    return f"{styled(title, BOLD, sys.stdout)}\n{body}"


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(wrapped(f"- {escape_controls(line)}", sys.stdout) for line in lines)


def _head(source: SourceProfile) -> str:
    size = source.bytes
    bytes_ = f"{size / 1e6:,.1f} MB" if size > 99_999 else quantity(size, "byte")
    records, files = quantity(source.records, "record"), quantity(source.objects, "file")
    numbers = {
        "broken": sum(source.broken.values()),
        "skipped by name": source.skipped,
        "with a repeated key": source.repeated_keys,
        "duplicate": source.duplicates,
        "changed while read": len(source.changed),
    }
    notes = [f"{digits(number)} {note}" for note, number in numbers.items() if number]
    if source.more_fields:
        notes.append(f"{quantity(source.more_fields, 'more field')} left out")
    title = escape_controls(source.name)
    line = wrapped("; ".join([f"{title}: {records} in {files}, {bytes_}", *notes]), sys.stdout)
    place = "" if source.place == source.name else f"\n{escape_controls(source.place)}"
    return styled(title, BOLD, sys.stdout) + line.removeprefix(title) + place


def _broken(source: SourceProfile) -> str:
    rows = [
        (
            path_text(each.key + (f":{each.line}" if each.line else "")),
            each.rule,
            shortened(each.raw, 60),
        )
        for each in source.broken_at
    ]
    lines = [table(("where", "rule", "text"), rows, sys.stdout)]
    total = sum(source.broken.values())
    if total > len(rows):
        rules = ", ".join(f"{rule} {digits(n)}" for rule, n in source.broken.items())
        lines.append(wrapped(f"{digits(len(rows))} of {digits(total)}: {rules}", sys.stdout))
    return f"{styled('broken: not JSON objects', RED, sys.stdout)}\n" + "\n".join(lines)


def _fields(source: SourceProfile) -> str:
    from ..inspection.profile.rows import type_names

    numbers = ("given", "empty", "nulls", "missing", "distinct")
    rows = [
        (f.name, type_names(f), *(figure(getattr(f, name)) for name in numbers))
        for f in source.fields
    ]
    return table(("field", "types", "given", "''", "null", "missing", "distinct"), rows, sys.stdout)


def _values(source: SourceProfile) -> str:
    from ..inspection.profile.rows import value_text

    rows = [
        (
            f.name,
            _value(value_text(f.min)),
            _value(value_text(f.max)),
            figure(f.longest_chars),
            figure(f.longest_bytes),
        )
        for f in source.fields
    ]
    return table(("field", "min", "max", "longest\nchars", "\nbytes"), rows, sys.stdout)


def _top(source: SourceProfile) -> str:
    rows = [(f.name, ", ".join(map(_frequency, f.top))) for f in source.fields]
    return table(("field", "value (records)"), rows, sys.stdout)


def _frequency(frequency: Frequency) -> str:
    from ..inspection.profile.rows import value_text

    text = _value(value_text(frequency.value)) or repr(frequency.value)
    return f"{text} ({digits(frequency.rows)})"


def _value(text: str) -> str:
    """A value among others, in quotes when it starts or ends with a blank."""
    safe = escape_controls(text)
    return shortened(safe if text == text.strip() else f"'{safe}'", _VALUE_WIDTH)


def _damage(source: SourceProfile) -> Iterator[str]:
    for field in source.fields:
        for damage in field.damage:
            head = (
                f"{escape_controls(field.name)}: {damage.kind} in "
                f"{quantity(damage.rows, 'record')}, {quantity(damage.distinct, 'value')}, such as"
            )
            yield styled(wrapped(head, sys.stdout), YELLOW, sys.stdout)
            for text, repaired in damage.examples[:2]:
                example = f"  '{shortened(escape_controls(text), 38 if repaired else 74)}'"
                if repaired:
                    example += f"  ->  {shortened(escape_controls(repaired), 28)}"
                yield example


def _keys(source: SourceProfile) -> str:
    rows = [
        (", ".join(key.fields), figure(key.absent), figure(key.repeated), key.unique)
        for key in source.keys
    ]
    return table(("fields", "missing", "repeated", "unique"), rows, sys.stdout)


def _together(source: SourceProfile) -> str:
    from ..inspection.profile.rows import condition_text

    lines = []
    for group in source.together:
        where = f", exactly where {condition_text(group)}" if group.where else ""
        lines.append(f"{', '.join(group.fields)}: in {quantity(group.rows, 'record')}{where}")
    return _bullets(lines)


def _suggestions(suggestions: Sequence[Suggestion]) -> Iterator[str]:
    types = [(s.fields[0], s.value, s.reason) for s in suggestions if s.kind == "type"]
    if types:
        yield _titled("suggested types", table(("field", "type", "why"), types, sys.stdout))
    keys = [f"{s.value}: {s.reason}" for s in suggestions if s.kind not in ("type", "rule")]
    if keys:
        yield _titled("suggested keys", _bullets(keys))
    rules = [f"{s.value} ({s.reason})" for s in suggestions if s.kind == "rule"]
    if rules:
        yield _titled("suggested rules", _bullets(rules))
