"""`rejects`: refused records."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.safe_text import escape_controls
from .app import Session, command
from .options import Json
from .output import BOLD, GREEN, count, emit, emit_bytes, emit_json, relative_path, styled, width_of
from .tables import shortened, wrapped

log = logging.getLogger("sparkify_dwh.cli")


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
        title = escape_controls(f"{source}: {rule}")
        text = wrapped(f"{title} ({count(len(found))}): {escape_controls(reason)}", sys.stdout)
        lines = [styled(title, BOLD, sys.stdout) + text.removeprefix(title)]
        for row in found:
            place, text = escape_controls(_place(row)), escape_controls(row["raw"] or "")
            if room is not None:
                place = shortened(place, max(24, room // 2 - 4), left=True)
                text = shortened(text, max(16, room - len(place) - 4))
            mended = styled("  now in the star", GREEN, sys.stdout) if row["in_star"] else ""
            lines.append(f"  {place}  {text}".rstrip() + mended)
        yield "\n".join(lines)


def _place(row: dict[str, Any]) -> str:
    key = relative_path(row["key"] or "(object not known)")
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
    from ..storage.json_records import MAX_RAW

    kept = len(raw.encode())
    return size > kept or (kept > MAX_RAW - 4 and (size != kept or "\\x" in raw))
