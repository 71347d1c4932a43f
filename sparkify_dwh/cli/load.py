"""`load`: loads new files and shows a summary."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Annotated

import typer

from .app import Session, command
from .exits import failed_load
from .options import Json
from .output import OutputError, emit_json, say
from .progress import showing
from .summary import summary

log = logging.getLogger("sparkify_dwh.cli")


@command("load")
def load(
    session: Session,
    all: Annotated[
        bool,
        typer.Option("--all", help="Also load objects already loaded; the star does not change."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything, then roll back; record nothing.")
    ] = False,
    json: Json = False,
) -> int:
    """Load new files, in one transaction.

    Migrates a new DuckDB database first. A failure rolls everything back; with --json it is also
    reported on stdout.

    Example: sparkify load --log-data data/log_data --song-data data/song_data
    """
    try:
        with showing(session) as observer:
            run = session.warehouse(observer).load(all=all, dry_run=dry_run)
    except BaseException as error:
        if json:
            # A broken stdout must not hide what ended the load.
            with suppress(OutputError):
                emit_json(failed_load(error))
        raise
    if json:
        emit_json(run.to_dict())
    if not session.logs_text:
        log.info("%s", run.event, extra={"run": run.to_dict()})
    elif not session.quiet and not json:
        say(summary(run, sys.stderr))
    elif not session.quiet or run.warnings:
        for warning in run.warnings:
            log.warning("%s", warning)
    return 0
