"""`query`, `runs`, `rejects` and `check`: they change nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.safe_text import inert
from .app import Session, command
from .loads import Json
from .output import (
    BOLD,
    GREEN,
    count,
    emit,
    emit_bytes,
    emit_csv,
    emit_json,
    records,
    styled,
    width_of,
)
from .tables import Counted, Place, shortened, table, wrapped

if TYPE_CHECKING:
    from ..core.table import Table

log = logging.getLogger("sparkify_dwh.cli")
#: Bytes of a refused record that the quarantine keeps.
_KEPT = 65_535


@command("query")
def query(
    session: Session,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; - reads it from stdin.")],
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV to stdout.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="ROWS", help="Show at most so many rows.")
    ] = None,
) -> None:
    """Ask the warehouse; it is opened for reading only.

    Example: sparkify query "select level, count(*) from sparkify.users group by level"
    """
    if json and csv:
        raise UsageError("--json and --csv exclude each other", "choose one")
    found = session.warehouse().query(sys.stdin.read() if sql == "-" else sql, limit)
    if json:
        emit_json(records(found.columns, found.rows))
    elif csv:
        emit_csv(found.columns, found.rows)
    else:
        emit(table(found.columns, found.rows, sys.stdout))
        log.info("%s row%s", count(len(found)), "" if len(found) == 1 else "s")


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
    return Counted(count(value)) if type(value) is int else value


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
            shown.append(Counted(f"{value:,.6g}" if value % 1 else f"{value:,.0f}"))
        elif name == "seconds":
            shown.append(Counted(f"{value:.3f}"))
        else:
            shown.append(Place(_here(value)) if name == "key" else value)
    return tuple(shown)


def _here(path: str) -> str:
    """A path relative to the working directory where it lies below."""
    return path.removeprefix(f"{Path.cwd()}/")


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
        lines.append(wrapped(f"{inert(target)}: {', '.join(each) or 'all 0'}", sys.stdout))
    return "\n".join(lines)


@command("rejects")
def rejects(
    session: Session,
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="Only of this source: events, songs.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="ID", help="Of this run, also one that was rolled back."),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Write only the records, as they stood in the files.")
    ] = False,
    locate: Annotated[
        bool,
        typer.Option(
            "--locate", help="Find objects and lines that Redshift did not tell, by reading again."
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="ROWS", help="Show at most so many records.")
    ] = None,
    json: Json = False,
) -> None:
    """Show refused records: rule, reason, object, line, text.

    Without --run those of the newest load of each file. To repair some: write them to a file with
    --raw, edit it, and load the file.

    Example: sparkify rejects events --raw > fixed.json; sparkify load --log-data fixed.json
    """
    if raw and json:
        raise UsageError("--raw and --json exclude each other", "choose one")
    warehouse = session.warehouse()
    if source is not None:
        warehouse.declarations.source(source)
    found = warehouse.rejects(run, locate=locate)
    kept = [row for row in found.records() if source in (None, row["source"])]
    shown = kept if limit is None else kept[:limit]
    if raw:
        _write_raw(shown)
    elif json:
        emit_json(shown)
    elif not kept:
        log.info("no refused records")
    else:
        emit("\n\n".join(_groups(shown)))
    if len(shown) < len(kept):
        log.info("%s of %s shown", count(len(shown)), count(len(kept)))


def _groups(rows: list[dict[str, Any]]) -> Iterable[str]:
    """Records by source and rule, each with its place and text in one line."""
    by_rule: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        by_rule.setdefault((row["source"], row["rule"], row["reason"]), []).append(row)
    room = width_of(sys.stdout)
    for (source, rule, reason), found in by_rule.items():
        title = inert(f"{source}: {rule}")
        text = wrapped(f"{title} ({count(len(found))}): {inert(reason)}", sys.stdout)
        lines = [styled(title, BOLD, sys.stdout) + text.removeprefix(title)]
        for row in found:
            place, text = inert(_place(row)), inert(row["raw"] or "")
            if room is not None:
                place = shortened(place, max(24, room // 2 - 4), left=True)
                text = shortened(text, max(16, room - len(place) - 4))
            mended = styled("  now in the star", GREEN, sys.stdout) if row["in_star"] else ""
            lines.append(f"  {place}  {text}".rstrip() + mended)
        yield "\n".join(lines)


def _place(row: dict[str, Any]) -> str:
    key = _here(row["key"] or "(object not known)")
    return f"{key}:{row['line']}" if row["line"] else key


def _write_raw(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["raw"] is None or is_cut(row["raw"], row["raw_bytes"]):
            log.warning(
                "not written, its text was cut at 64 KiB (%s bytes): %s %s",
                count(row["raw_bytes"]),
                _place(row),
                row["rule"],
            )
            continue
        emit_bytes((row["raw"] + "\n").encode())


def is_cut(raw: str, size: int) -> bool:
    """Whether the quarantine may hold less than the whole record.

    :param size: true size of the record in bytes; bytes that are no text take four as ``\\xNN``.
    """
    kept = len(raw.encode())
    return size > kept or (kept > _KEPT - 4 and (size != kept or "\\x" in raw))
