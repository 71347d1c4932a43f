"""`compact`: combines many small objects into a few large ones."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.quantity import digits, quantity
from .app import Session, command
from .options import Json
from .output import emit, emit_json
from .tables import table

if TYPE_CHECKING:
    from ..jobs.compact_result import Compaction

log = logging.getLogger("sparkify_dwh.cli")


@command("compact")
def compact(
    session: Session,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A source, such as songs or events.")
    ],
    into: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE", help="Folder or s3:// prefix; default: compacted/ under work_prefix."
        ),
    ] = None,
    slices: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Write a multiple of N objects; default: the cluster's number of slices.",
        ),
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Include objects already loaded.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")
    ] = False,
    json: Json = False,
) -> int:
    """Combine a source's small objects into a few large ones.

    The source is only read. The next load reads the compacted objects instead, with the same
    result.

    Example: sparkify compact songs --into compacted
    """
    session.interrupted_message = (
        "what has been written is complete; run the command again to finish"
    )
    compaction = session.warehouse().compact(source, into, slices=slices, all=all, dry_run=dry_run)
    if json:
        emit_json(compaction.to_dict())
    elif compaction.made:
        columns = list(compaction.made[0])
        rows = [tuple(each.values()) for each in compaction.made]
        emit(table(columns, rows, sys.stdout))
    for line in messages(compaction):
        log.info("%s", line)
    return 0


def messages(compaction: Compaction) -> list[str]:
    """What was compacted, what was not and why."""
    would = "would be " if compaction.dry_run else ""
    listed = quantity(compaction.listed, "object")
    lines = [
        f"{digits(compaction.compacted)} of {listed} of {compaction.source} {would}compacted into "
        f"{digits(len(compaction.made))} under {compaction.into}"
        if compaction.made
        else f"nothing to compact among {listed} of {compaction.source}"
    ]
    reasons = {
        "already compacted": compaction.known,
        "already loaded (--all includes them)": compaction.loaded,
        "large enough already": compaction.large,
        "left uncompacted": compaction.left,
    }
    lines += [f"{digits(number)} {reason}" for reason, number in reasons.items() if number]
    if compaction.adopted:
        objects = quantity(compaction.adopted, "compacted object")
        lines.append(f"{objects} found there {would}adopted")
    return lines
