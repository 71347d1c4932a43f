"""`runs`: the run log, and all of one run."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.safe_text import escape_controls
from .app import Session, command
from .options import Json
from .output import BOLD, count, emit, emit_json, styled
from .tables import RightAligned, figure, path_text, table, wrapped

if TYPE_CHECKING:
    from ..core.table import Table

log = logging.getLogger("sparkify_dwh.cli")


@command("runs")
def runs(
    session: Session,
    run_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A run, for all that is known of it.")
    ] = None,
    json: Json = False,
) -> None:
    """List the loads, newest first.

    With an ID: its events, files, steps, books and rules.

    Example: sparkify runs --json
    """
    found = session.warehouse().runs(run_id)
    if run_id is not None:
        _show_run(found, json)
    elif json:
        emit_json(found.records())
    elif not found.rows:
        log.info("no load so far; run: sparkify load")
    else:
        _show_runs(found)


def _show_runs(found: Table) -> None:
    names = ["run_id", "event", "started", "rows_read", "rows_refused", "reason"]
    rows: list[tuple[Any, ...]] = [
        (
            run,
            event,
            at.replace(microsecond=0),
            _counted(read),
            _counted(refused),
            (reason or "").split("\n")[0],
        )
        for run, event, at, read, refused, reason in _columns(found, names)
    ]
    if not any(row[-1] for row in rows):
        names, rows = names[:-1], [row[:-1] for row in rows]
    emit(table([name.replace("rows_", "") for name in names], rows, sys.stdout))


def _counted(value: Any) -> Any:
    """A whole number as people read it; anything else as it is."""
    return figure(value) if type(value) is int else value


def _columns(found: Table, names: Iterable[str]) -> list[tuple[Any, ...]]:
    places = [found.columns.index(name) for name in names]
    return [tuple(row[i] for i in places) for row in found.rows]


#: Parts of a run and their columns, in the order in which they are shown.
_PARTS = {
    "events": ("event", "at", "host", "pid", "db_user", "reason"),
    "books": ("target", "account", "rows"),
    "rules": ("target", "rule", "severity", "value", "limit_value", "passed"),
    "steps": ("step", "target", "rows", "seconds"),
    "files": ("source", "key", "size", "rows_read", "rows_staged", "rows_refused"),
}
_COUNTS = {"rows", "size", "rows_read", "rows_staged", "rows_refused", "value", "limit_value"}
_MOST_FILES = 40


def _show_run(found: dict[str, Table], json: bool) -> None:
    if json:
        emit_json({name: part.records() for name, part in found.items()})
        return
    parts = []
    for name, columns in _PARTS.items():
        part = found[name]
        if not part.rows:
            continue
        rows = [_shown(columns, row) for row in _columns(part, columns)[: _limit(name)]]
        if name == "books":
            parts.append(styled(name, BOLD, sys.stdout) + "\n" + _books(part))
            continue
        heads = [column.removeprefix("rows_").replace("_", " ") for column in columns]
        parts.append(styled(name, BOLD, sys.stdout) + "\n" + table(heads, rows, sys.stdout))
        if len(rows) < len(part) and name == "files":
            parts[-1] += f"\nand {count(len(part) - len(rows))} more files: --json lists them"
    emit("\n\n".join(parts))


def _limit(name: str) -> int | None:
    return _MOST_FILES if name == "files" else None


def _shown(columns: Sequence[str], row: Sequence[Any]) -> tuple[Any, ...]:
    shown: list[Any] = []
    for name, value in zip(columns, row, strict=True):
        if name in _COUNTS and isinstance(value, (int, float)):
            shown.append(RightAligned(f"{value:,.6g}" if value % 1 else f"{value:,.0f}"))
        elif name == "seconds":
            shown.append(RightAligned(f"{value:.3f}"))
        else:
            shown.append(path_text(value) if name == "key" else value)
    return tuple(shown)


#: Accounts in the order of the equations; others come last.
_ACCOUNTS = (
    *("objects", "read", "refused_by_parser", "staged", "refused_by_rule", "erased"),
    *("refused", "out_of_scope", "duplicate", "stale", "merged", "replaced"),
)


def _books(part: Table) -> str:
    """A line for each source and table with its accounts, zeros left out."""
    known = {name: number for number, name in enumerate(_ACCOUNTS)}
    lines = []
    for target, accounts in groupby(part.rows, key=lambda row: row[0]):
        ordered = sorted(accounts, key=lambda row: (known.get(row[1], len(known)), row[1]))
        each = [f"{account.replace('_', ' ')} {n:,}" for _, account, n in ordered if n]
        lines.append(
            wrapped(f"{escape_controls(target)}: {', '.join(each) or 'all 0'}", sys.stdout)
        )
    return "\n".join(lines)
