"""`rejects`: shows refused records."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.quantity import digits, quantity
from ..core.safe_text import escape_controls
from .app import Session, command
from .options import Json
from .output import (
    BOLD,
    GREEN,
    emit,
    emit_bytes,
    emit_json,
    relative_path,
    styled,
    width_of,
)
from .tables import shortened, wrapped

log = logging.getLogger("sparkify_dwh.cli")


@command("rejects")
def rejects(
    session: Session,
    source: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="Only this source: events or songs.")
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="ID", help="Only this run, even if it was rolled back."),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Write only the records, as they were in the files.")
    ] = False,
    locate: Annotated[
        bool,
        typer.Option(
            "--locate",
            help="Read the files again to find objects and lines that Redshift did not report.",
        ),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="ROWS", help="Show at most this many records.")
    ] = None,
    json: Json = False,
) -> None:
    """Show refused records: rule, reason, object, line, text.

    Without --run: those of the newest load of each file. To repair records, write them to a file
    with --raw, edit it, and load it.

    Example: sparkify rejects events --raw > fixed.json; sparkify load --log-data fixed.json
    """
    if raw and json:
        raise UsageError("--raw and --json cannot be combined", "choose one")
    warehouse = session.warehouse()
    if source is not None:
        warehouse.declarations.source(source)
    rows = warehouse.rejects(run, locate=locate).records()
    selected = [row for row in rows if source in (None, row["source"])]
    shown = selected if limit is None else selected[:limit]
    if raw:
        _write_raw(shown)
    elif json:
        emit_json(shown)
    elif not selected:
        log.info("no refused records")
    else:
        emit("\n\n".join(_groups(shown)))
    if len(shown) < len(selected):
        log.info("%s of %s shown", digits(len(shown)), digits(len(selected)))


def _groups(rows: list[dict[str, Any]]) -> Iterable[str]:
    """Records by source and rule, each on a line with its place and text."""
    by_rule: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in rows:
        by_rule.setdefault((row["source"], row["rule"], row["reason"]), []).append(row)
    room = width_of(sys.stdout)
    for (source, rule, reason), group in by_rule.items():
        title = escape_controls(f"{source}: {rule}")
        head = f"{title} ({digits(len(group))}): {escape_controls(reason)}"
        lines = [
            styled(title, BOLD, sys.stdout) + wrapped(head, sys.stdout).removeprefix(title),
        ]
        for row in group:
            place, text = escape_controls(_place(row)), escape_controls(row["raw"] or "")
            if room is not None:
                place = shortened(place, max(24, room // 2 - 4), left=True)
                text = shortened(text, max(16, room - len(place) - 4))
            repaired = styled("  now in the star", GREEN, sys.stdout) if row["in_star"] else ""
            lines.append(f"  {place}  {text}".rstrip() + repaired)
        yield "\n".join(lines)


def _place(row: dict[str, Any]) -> str:
    key = relative_path(row["key"] or "(object unknown)")
    return f"{key}:{row['line']}" if row["line"] else key


def _write_raw(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["raw"] is None or is_cut(row["raw"], row["raw_bytes"]):
            log.warning(
                "not written, its text was cut at 64 KiB (of %s): %s %s",
                quantity(row["raw_bytes"], "byte"),
                _place(row),
                row["rule"],
            )
            continue
        emit_bytes((row["raw"] + "\n").encode())


def is_cut(raw: str, size: int) -> bool:
    """Whether the quarantine may hold less than the whole record.

    :param size: size of the whole record in bytes. A byte that is not text is stored as the four
        characters ``\\xNN``.
    """
    from ..storage.json_records import MAX_RAW

    stored = len(raw.encode())
    return size > stored or (stored > MAX_RAW - 4 and (size != stored or "\\x" in raw))
