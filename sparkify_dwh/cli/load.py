"""`load`: one load, and its summary."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Annotated

import typer

from .app import Session, command
from .exits import failed
from .options import Json
from .output import OutputError, emit_json, say
from .progress import showing
from .summary import summary

log = logging.getLogger("sparkify_dwh.cli")


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
