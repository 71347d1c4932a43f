"""`profile`: what is in files before any table exists."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.safe_text import escape_controls
from .app import Session, command
from .options import Json
from .output import BOLD, RED, YELLOW, count, emit, emit_json, styled
from .progress import showing
from .tables import figure, path_text, shortened, table, wrapped

if TYPE_CHECKING:
    from ..inspection.profile.results import Frequency, SourceProfile, Suggestion

log = logging.getLogger("sparkify_dwh.cli")
#: Columns of a value among others in a cell.
_VALUE = 24


@command("profile")
def profile(
    session: Session,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="A folder, a file, s3://bucket/prefix/, or a source that is set: log_data, "
            "song_data. All that are set by default.",
        ),
    ] = None,
    top: Annotated[
        int, typer.Option(min=1, metavar="VALUES", help="Most frequent values of each field.")
    ] = 5,
    json: Json = False,
) -> None:
    """Show what is in the files, before any table exists.

    Per field: types, nulls, distinct values, range, length, damage; then keys, fields that come
    and go together, and what follows for types, keys and rules. Creates no database.

    Example: sparkify profile data/log_data
    """
    with showing(session, profiling=True) as observer:
        found = session.warehouse(observer).profile(*(sources or ()), top=top)
    if json:
        emit_json(found.to_dict())
        return
    for number, each in enumerate(found):
        emit(("\n" if number else "") + "\n\n".join(_parts(each)))


def _parts(found: SourceProfile) -> Iterator[str]:
    yield _head(found)
    if found.broken:
        yield _broken(found)
    if not found.fields:
        return
    yield _titled("fields", _fields(found))
    yield _titled("least, greatest and longest values, '' apart", _values(found))
    yield _titled("most frequent values", _top(found))
    damage = list(_damage(found))
    if damage:
        yield _titled("text that looks damaged", "\n".join(damage))
    if found.keys:
        yield _titled("candidate keys: records that break them", _keys(found))
    if found.together:
        yield _titled("fields that come and go together", "\n".join(_together(found)))
    yield from _suggestions(found.suggestions)


def _titled(title: str, body: str) -> str:
    return f"{styled(title, BOLD, sys.stdout)}\n{body}"


def _lines(lines: Sequence[str]) -> list[str]:
    """Sentences with a mark before each, broken between words on a terminal."""
    return [wrapped(f"- {escape_controls(line)}", sys.stdout) for line in lines]


def _head(found: SourceProfile) -> str:
    size = f"{found.bytes / 1e6:,.1f} MB" if found.bytes > 99_999 else f"{count(found.bytes)} bytes"
    files = f"{count(found.objects)} file{'' if found.objects == 1 else 's'}"
    text = f"{count(found.records)} record{'' if found.records == 1 else 's'} in {files}, {size}"
    notes = [f"{count(sum(found.broken.values()))} broken"] if found.broken else []
    notes += [f"{count(found.skipped)} names skipped"] if found.skipped else []
    notes += [f"{count(found.repeated_keys)} give a key twice"] if found.repeated_keys else []
    notes += [f"{count(found.duplicates)} duplicates"] if found.duplicates else []
    notes += [f"{count(found.more_fields)} more fields left out"] if found.more_fields else []
    notes += [f"{count(len(found.changed))} files changed meanwhile"] if found.changed else []
    title = escape_controls(found.name)
    line = wrapped(f"{title}: {text}" + "".join(f"; {note}" for note in notes), sys.stdout)
    place = "" if found.place == found.name else f"\n{escape_controls(found.place)}"
    return styled(title, BOLD, sys.stdout) + line.removeprefix(title) + place


def _broken(found: SourceProfile) -> str:
    rows = [
        (
            path_text(each.key + (f":{each.line}" if each.line else "")),
            each.rule,
            each.raw,
        )
        for each in found.broken_at
    ]
    lines = [table(("where", "rule", "text"), _short(rows), sys.stdout)]
    total = sum(found.broken.values())
    if total > len(rows):
        rules = ", ".join(f"{rule} {count(n)}" for rule, n in found.broken.items())
        lines.append(wrapped(f"of {count(total)}: {rules}", sys.stdout))
    return f"{styled('broken: no JSON objects', RED, sys.stdout)}\n" + "\n".join(lines)


def _short(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [[shortened(v, 60) if type(v) is str else v for v in row] for row in rows]


def _fields(found: SourceProfile) -> str:
    from ..inspection.profile.results import types_of

    numbers = ("given", "empty", "nulls", "missing", "distinct")
    rows = [
        (f.name, types_of(f), *(figure(getattr(f, name)) for name in numbers)) for f in found.fields
    ]
    return table(("field", "types", "given", "''", "null", "missing", "distinct"), rows, sys.stdout)


def _values(found: SourceProfile) -> str:
    from ..inspection.profile.results import text_of

    rows = [
        (
            f.name,
            _cut(text_of(f.min)),
            _cut(text_of(f.max)),
            figure(f.longest_chars),
            figure(f.longest_bytes),
        )
        for f in found.fields
    ]
    return table(("field", "min", "max", "longest\nchars", "\nbytes"), rows, sys.stdout)


def _top(found: SourceProfile) -> str:
    rows = [(f.name, ", ".join(map(_frequency, f.top))) for f in found.fields]
    return table(("field", "value (records)"), rows, sys.stdout)


def _frequency(found: Frequency) -> str:
    from ..inspection.profile.results import text_of

    return f"{_cut(text_of(found.value)) or repr(found.value)} ({count(found.rows)})"


def _cut(text: str) -> str:
    """A value among others; one that starts or ends with a blank stands in quotes."""
    return shortened(
        f"'{escape_controls(text)}'" if text != text.strip() else escape_controls(text), _VALUE
    )


def _damage(found: SourceProfile) -> Iterator[str]:
    for field in found.fields:
        for each in field.damage:
            head = (
                f"{escape_controls(field.name)}: {each.kind} in {count(each.rows)} records, "
                f"{count(each.distinct)} value{'' if each.distinct == 1 else 's'}, such as"
            )
            yield styled(wrapped(head, sys.stdout), YELLOW, sys.stdout)
            for text, mended in each.examples[:2]:
                shown = shortened(escape_controls(text), 38 if mended else 74)
                better = f"  ->  {shortened(escape_controls(mended), 28)}" if mended else ""
                yield f"  '{shown}'{better}"


def _keys(found: SourceProfile) -> str:
    rows = [
        (
            ", ".join(key.fields),
            figure(key.absent),
            figure(key.repeated),
            key.unique,
        )
        for key in found.keys
    ]
    return table(("fields", "lack it", "repeat it", "a key"), rows, sys.stdout)


def _together(found: SourceProfile) -> list[str]:
    from ..inspection.profile.results import conditions

    lines = []
    for group in found.together:
        where = f", exactly where {conditions(group)}" if group.where else ""
        lines.append(f"{', '.join(group.fields)}: in {count(group.rows)} records{where}")
    return _lines(lines)


def _suggestions(found: Sequence[Suggestion]) -> Iterator[str]:
    types = [(s.fields[0], s.value, s.reason) for s in found if s.kind == "type"]
    if types:
        yield _titled("suggested types", table(("field", "type", "why"), types, sys.stdout))
    keys = [s for s in found if s.kind not in ("type", "rule")]
    if keys:
        rows = [f"{s.value}: {s.reason}" for s in keys]
        yield _titled("suggested keys", "\n".join(_lines(rows)))
    rules = [s for s in found if s.kind == "rule"]
    if rules:
        rows = [f"{s.value} ({s.reason})" for s in rules]
        yield _titled("suggested rules", "\n".join(_lines(rows)))
