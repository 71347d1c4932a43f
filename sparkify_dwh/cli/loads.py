"""`plan` and `load`."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Annotated

import typer

from ..core.errors import UsageError
from .app import Session, command
from .ends import failed
from .output import OutputError, count, emit, emit_json, say
from .progress import showing
from .summary import summary

log = logging.getLogger("sparkify_dwh.cli")
SOMETHING_TO_LOAD = 10

Json = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


@command("plan")
def plan(
    session: Session,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Plan for duckdb or redshift with an empty ledger; neither connects nor lists.",
        ),
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Also objects that were loaded.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 10 when there is something to load.")
    ] = False,
    json: Json = False,
) -> int:
    """Show the statements of the next load, in order.

    Creates no database and records nothing. A line `-- if …` marks a statement that runs only
    then, `-- per …` one that is repeated.

    Example: sparkify plan --engine redshift
    """
    if engine is not None and exit_code:
        raise UsageError("--exit-code needs to list what is new", "leave out --engine")
    found = session.warehouse().plan(engine, all=all)
    if json:
        emit_json(found.to_dict())
    else:
        emit(str(found))
        if found.objects is not None:
            each = ", ".join(f"{name} {count(n)}" for name, n in found.objects.items())
            log.info("to load: %s", each if found.pending else "nothing new")
    return SOMETHING_TO_LOAD if exit_code and found.pending else 0


@command("load")
def load(
    session: Session,
    all: Annotated[
        bool, typer.Option("--all", help="Load also what the ledger holds; the star stays.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything, then roll back; record nothing.")
    ] = False,
    json: Json = False,
) -> int:
    """Load the files that are new, in one transaction.

    A new DuckDB database is migrated first. Any failure rolls all of it back; with --json it is
    told on stdout too.

    Example: sparkify load --log-data data/log_data --song-data data/song_data
    """
    try:
        with showing(session) as observer:
            run = session.warehouse(observer).load(all=all, dry_run=dry_run)
    except BaseException as error:
        if json:
            # What ended the load is told whatever becomes of stdout.
            with suppress(OutputError):
                emit_json(failed(error))
        raise
    if json:
        emit_json(run.to_dict())
    if not session.lines:
        log.info("%s", run.event, extra={"run": run.to_dict()})
    elif not session.quiet and not json:
        say(summary(run, sys.stderr))
    elif not session.quiet or run.warnings:
        for text in run.warnings:
            log.warning("%s", text)
    return 0
