"""`check`: compares the star with its rules, or the sources with the ledger."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import CheckError, UsageError
from ..core.quantity import digits, quantity
from .app import Session, command
from .options import Json
from .output import RED, YELLOW, cell, emit, emit_json
from .tables import figure, path_text, table

if TYPE_CHECKING:
    from ..inspection.freshness import SourceCheck, SourceState

log = logging.getLogger("sparkify_dwh.cli")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SHOWN_OBJECTS = 20


@command("check")
def check(
    session: Session,
    source: Annotated[
        bool, typer.Option("--source", help="Compare the sources with the ledger instead.")
    ] = False,
    max_age: Annotated[
        str,
        typer.Option(
            metavar="AGE",
            help="With --source: fail only if an object waits longer: 90s, 30m, 12h, 2d.",
        ),
    ] = "0",
    json: Json = False,
) -> None:
    """Check keys, foreign keys and ranges of the whole star.

    With --source: show which objects were never loaded, changed since their load, or are gone, and
    how long the oldest has waited. Exits with 4 when a check fails or, with --source, an object
    waits.

    Example: sparkify check --source --max-age 2h
    """
    if source:
        _check_sources(session.warehouse().check_sources(_seconds(max_age)), json)
        return
    if max_age != "0":
        raise UsageError("--max-age needs --source", "add --source")
    result = session.warehouse().check()
    if json:
        emit_json(result.to_dict())
    else:
        rows = [(m.target, m.rule, int(m.value), m.passed) for m in result.measures]
        styles = [None if m.passed else RED for m in result.measures]
        emit(table(("table", "check", "broken by", "passed"), rows, sys.stdout, styles=styles))
    checks = quantity(len(result.measures), "check")
    failed = [m for m in result.measures if not m.passed]
    if failed:
        names = ", ".join(f"{m.target}.{m.rule}" for m in failed)
        raise CheckError(
            f"{digits(len(failed))} of {checks} failed: {cell(names)}",
            "load again with --all, or look at the rows: sparkify query",
        )
    log.info("all %s passed", checks)


def _seconds(age: str) -> float:
    match = re.fullmatch(r"([0-9]{1,9}(?:[.][0-9]+)?)([smhd]?)", age.strip())
    if match is None:
        raise UsageError(f"--max-age {age} is not a duration", "write it like 90s, 30m or 2d")
    return float(match[1]) * _SECONDS[match[2]]


def _check_sources(result: SourceCheck, json: bool) -> None:
    if json:
        emit_json(result.to_dict())
    else:
        heads = ("source", "listed", "loaded", "never\nloaded", "changed", "gone", "oldest\nwaits")
        rows = []
        for s in result.sources:
            numbers = (s.listed, s.loaded, s.never_loaded, s.changed, s.gone)
            rows.append((s.source, *(figure(n) for n in numbers), _age(s.oldest_seconds)))
        styles = [RED if not s.passed else YELLOW if s.gone else None for s in result.sources]
        emit(table(heads, rows, sys.stdout, styles=styles))
        _show_objects(result.sources)
    late = "; ".join(
        f"{quantity(s.waiting, 'object')} of {cell(s.source)}, the oldest for "
        f"{_age(s.oldest_seconds)}"
        for s in result.sources
        if not s.passed
    )
    if late:
        raise CheckError(f"waiting for a load: {late}", "run: sparkify load")
    gone = sum(s.gone for s in result.sources)
    log.info(
        "nothing is waiting for a load%s",
        f"; {quantity(gone, 'loaded object')} gone" if gone else "",
    )


def _show_objects(states: list[SourceState]) -> None:
    rows = [(s.source, o.state, path_text(o.key), o.modified) for s in states for o in s.objects]
    if rows:
        shown = [(*row[:3], row[3].replace(microsecond=0) if row[3] else None) for row in rows]
        heads = ("source", "state", "object", "written")
        emit("\n" + table(heads, shown[:_SHOWN_OBJECTS], sys.stdout))
    if len(rows) > _SHOWN_OBJECTS:
        log.info("and %s more: --json lists them", digits(len(rows) - _SHOWN_OBJECTS))


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
