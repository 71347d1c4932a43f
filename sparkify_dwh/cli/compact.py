"""`compact`."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from .app import Session, command
from .options import Json
from .output import count, emit, emit_json
from .tables import table

log = logging.getLogger("sparkify_dwh.cli")
#: What an interrupted run leaves.
INTERRUPTED = "what is written is whole; run it again to finish"


@command("compact")
def compact(
    session: Session,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Such as songs or events.")],
    into: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE", help="Folder or s3:// prefix; compacted/ under work_prefix otherwise."
        ),
    ] = None,
    slices: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Write a multiple of N objects; the cluster's own otherwise."
        ),
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Also objects that were loaded.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be written; write nothing.")
    ] = False,
    json: Json = False,
) -> int:
    """Put many small objects of a source into few large ones.

    The source is only read. The next load takes the compacted objects, with the same result.

    Example: sparkify compact songs --into compacted
    """
    session.interrupted = INTERRUPTED
    done = session.warehouse().compact(source, into, slices=slices, all=all, dry_run=dry_run)
    if json:
        emit_json(done.to_dict())
    elif done.made:
        columns = list(done.made[0])
        rows = [tuple(each.values()) for each in done.made]
        emit(table(columns, rows, sys.stdout))
    for text in told(done):
        log.info("%s", text)
    return 0


def told(done: object) -> list[str]:
    """What a person wants to know of it."""
    from ..jobs.compact import Compaction

    assert isinstance(done, Compaction)
    what = "would go" if done.dry_run else "went"
    lines = [
        f"{count(done.compacted)} of {count(done.listed)} objects of {done.source} {what} into "
        f"{count(len(done.made))} under {done.into}"
        if done.made
        else f"nothing to compact among {count(done.listed)} objects of {done.source}"
    ]
    why = {
        "are compacted already": done.known,
        "are loaded already (--all takes them too)": done.loaded,
        "are large enough": done.large,
        "load by themselves": done.left,
    }
    lines += [f"{count(number)} {text}" for text, number in why.items() if number]
    if done.adopted:
        adopt = "would be" if done.dry_run else "were"
        lines.append(f"{count(done.adopted)} compacted objects that lay there {adopt} adopted")
    return lines
