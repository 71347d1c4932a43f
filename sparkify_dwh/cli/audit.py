"""`audit prune`: keeps the audit tables small."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated

import typer

from ..core.errors import UsageError
from ..core.quantity import digits, quantity
from .app import Session, command
from .options import Json
from .output import emit, emit_json, say
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
    """Maintain the audit tables."""
    if context.invoked_subcommand is None:
        say(context.get_help())


@command("prune", into=app)
def prune(
    session: Session,
    days: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Prune runs that started over N days ago.  [90]"),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Prune runs that started before this date or time, UTC."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed, then roll back.")
    ] = False,
    json: Json = False,
) -> None:
    """Remove the details of old runs from the audit tables.

    These are their steps, books, rule values and refused records. The ledger stays, and so do the
    start and end of each run that it names.

    Example: sparkify audit prune --days 30
    """
    if days is not None and before is not None:
        raise UsageError("--days and --before cannot be combined", "choose one")
    moment = None
    if before is not None:
        try:
            moment = datetime.fromisoformat(before)
        except ValueError:
            raise UsageError(
                f"--before {before} is not a date", "write it like 2026-01-31 or 2026-01-31T12:00"
            ) from None
    pruning = session.warehouse().prune(days, before=moment, dry_run=dry_run)
    for warning in pruning.warnings:
        log.warning("%s", warning)
    if json:
        emit_json(pruning.to_dict())
        return
    emit(removed_rows(pruning.removed))
    log.info(
        "%s before %s UTC; kept in the run log because the ledger names them: %s",
        quantity(pruning.runs, "run"),
        pruning.before.replace(microsecond=0),
        digits(pruning.kept),
    )
    if dry_run:
        log.info("dry run; rolled back")
