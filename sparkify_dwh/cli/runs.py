"""`runs`: lists the loads, or shows one."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.quantity import digits, quantity
from ..core.safe_text import escape_controls
from .app import Session, command
from .options import Json
from .output import BOLD, emit, emit_json, styled
from .tables import RightAligned, figure, path_text, table, wrapped

if TYPE_CHECKING:
    from ..core.table import Table
    from ..inspection.runs import RunDetail

log = logging.getLogger("sparkify_dwh.cli")


@command("runs")
def runs(
    session: Session,
    run_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A run, to show all about it.")
    ] = None,
    json: Json = False,
) -> None:
    """List the loads, newest first.

    With an ID: the events, files, steps, books and rules of that run.

    Example: sparkify runs --json
    """
    warehouse = session.warehouse()
    if run_id is not None:
        run = warehouse.run(run_id)
        emit_json(run.to_dict()) if json else _show_run(run)
        return
    runs = warehouse.runs()
    if json:
        emit_json(runs.records())
    elif not runs.rows:
        log.info("no loads yet; run: sparkify load")
    else:
        _show_runs(runs)


def _show_runs(runs: Table) -> None:
    names = ["run_id", "event", "started", "rows_read", "rows_refused", "reason"]
    rows: list[tuple[Any, ...]] = [
        (
            run_id,
            event,
            started.replace(microsecond=0),
            _readable(read),
            _readable(refused),
            (reason or "").split("\n")[0],
        )
        for run_id, event, started, read, refused, reason in _columns(runs, names)
    ]
    if not any(row[-1] for row in rows):
        names, rows = names[:-1], [row[:-1] for row in rows]
    emit(table([name.replace("rows_", "") for name in names], rows, sys.stdout))


def _readable(value: Any) -> Any:
    return figure(value) if type(value) is int else value


def _columns(part: Table, names: Iterable[str]) -> list[tuple[Any, ...]]:
    places = [part.columns.index(name) for name in names]
    return [tuple(row[i] for i in places) for row in part.rows]


#: Parts of a run with their columns, in the order shown.
_PARTS = {
    "events": ("event", "at", "host", "pid", "db_user", "reason"),
    "books": ("target", "account", "rows"),
    "rules": ("target", "rule", "severity", "value", "limit_value", "passed"),
    "steps": ("step", "target", "rows", "seconds"),
    "files": ("source", "key", "size", "rows_read", "rows_staged", "rows_refused"),
}
_NUMBERS = {"rows", "size", "rows_read", "rows_staged", "rows_refused", "value", "limit_value"}
_MOST_FILES = 40


def _show_run(run: RunDetail) -> None:
    texts = []
    for name, columns in _PARTS.items():
        part: Table = getattr(run, name)
        if not part.rows:
            continue
        title = styled(name, BOLD, sys.stdout)
        if name == "books":
            texts.append(f"{title}\n{_books(part)}")
            continue
        limit = _MOST_FILES if name == "files" else None
        rows = [_cells(columns, row) for row in _columns(part, columns)[:limit]]
        heads = [column.removeprefix("rows_").replace("_", " ") for column in columns]
        texts.append(f"{title}\n{table(heads, rows, sys.stdout)}")
        more = len(part) - len(rows)
        if more:
            texts[-1] += f"\nand {quantity(more, 'more file')}: --json lists all"
    emit("\n\n".join(texts))


def _cells(columns: Sequence[str], row: Sequence[Any]) -> tuple[Any, ...]:
    cells: list[Any] = []
    for name, value in zip(columns, row, strict=True):
        if name in _NUMBERS and isinstance(value, (int, float)):
            cells.append(RightAligned(f"{value:,.6g}" if value % 1 else f"{value:,.0f}"))
        elif name == "seconds":
            cells.append(RightAligned(f"{value:.3f}"))
        else:
            cells.append(path_text(value) if name == "key" else value)
    return tuple(cells)


#: Accounts in the order of the equations; others follow them.
_ACCOUNTS = (
    *("objects", "read", "refused_by_parser", "staged", "refused_by_rule", "erased"),
    *("refused", "out_of_scope", "duplicate", "stale", "merged", "replaced"),
)


def _books(part: Table) -> str:
    """A line for each source and table with its accounts, without zeros."""
    order = {name: number for number, name in enumerate(_ACCOUNTS)}
    lines = []
    for target, accounts in groupby(part.rows, key=lambda row: row[0]):
        ordered = sorted(accounts, key=lambda row: (order.get(row[1], len(order)), row[1]))
        counts = [f"{account.replace('_', ' ')} {digits(n)}" for _, account, n in ordered if n]
        text = f"{escape_controls(target)}: {', '.join(counts) or 'all 0'}"
        lines.append(wrapped(text, sys.stdout))
    return "\n".join(lines)
