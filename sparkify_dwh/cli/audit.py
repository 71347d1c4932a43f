"""`audit prune`: the audit tables stay small."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated

import typer

from ..core.errors import UsageError
from .app import Session, command
from .options import Json
from .output import count, emit, emit_json, say
from .tables import removed_rows

log = logging.getLogger("sparkify_dwh.cli")

app = typer.Typer(
    name="audit",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog="Example: sparkify audit prune --days 30",
)


@app.callback()
def root(context: typer.Context) -> None:
    """Look after the audit tables."""
    if context.invoked_subcommand is None:
        say(context.get_help())


@command("prune", into=app)
def prune(
    session: Session,
    days: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Runs that started more than N days ago are old.  [90]"
        ),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Runs before this day or moment, UTC, are old."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, then roll back.")
    ] = False,
    json: Json = False,
) -> None:
    """Keep the audit tables small: remove what is known of old runs.

    Their steps, books, rule values and refused records go. The ledger stays, and of each run that
    it names the start and the end.

    Example: sparkify audit prune --days 30
    """
    if days is not None and before is not None:
        raise UsageError("--days and --before exclude each other", "choose one")
    moment = None
    if before is not None:
        try:
            moment = datetime.fromisoformat(before)
        except ValueError:
            raise UsageError(
                f"--before {before} is no date", "write it like 2026-01-31 or 2026-01-31T12:00"
            ) from None
    found = session.warehouse().prune(days, before=moment, dry_run=dry_run)
    for warning in found.warnings:
        log.warning("%s", warning)
    if json:
        emit_json(found.to_dict())
        return
    emit(removed_rows(found.removed))
    log.info(
        "%s runs before %s UTC; %s of them stay in the run log, since the ledger names them",
        count(found.runs),
        found.before.replace(microsecond=0),
        count(found.kept),
    )
    if dry_run:
        log.info("dry run; rolled back")
