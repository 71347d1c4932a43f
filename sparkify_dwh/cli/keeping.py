"""`erase` and `audit prune`: what must not stay."""

from __future__ import annotations

import logging
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import UsageError
from .app import Session, command
from .loads import Json
from .output import agrees, ask, count, emit, emit_json, is_watched, say
from .tables import Counted, table

if TYPE_CHECKING:
    from ..jobs.erase import Erasure
    from ..jobs.prune import Pruning

log = logging.getLogger("sparkify_dwh.cli")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@command("erase")
def erase(
    session: Session,
    user: Annotated[str, typer.Option("--user", metavar="ID", help="The person's user id.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, then roll back; record nothing.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove a person from star, staging and quarantine.

    In one transaction, and on record without the data. Later loads leave the person's rows out,
    old files included. On a terminal it asks first. What it does not reach: docs/operations.md.

    Example: sparkify erase --user 10
    """
    warehouse = session.warehouse()
    if not dry_run and not yes and is_watched():
        _ask(warehouse.erase(user, dry_run=True), user)
    found = warehouse.erase(user, dry_run=dry_run)
    for warning in found.warnings:
        log.warning("%s", warning)
    if json:
        emit_json(found.to_dict())
        return
    emit(_counts(found))
    if found.before:
        log.info("this person was erased before, at %s UTC", found.before.replace(microsecond=0))
    elif not found.rows:
        after = "" if dry_run else "; loads leave them out from now on"
        log.warning("no row of this person was found%s", after)
    if dry_run:
        log.info("dry run; rolled back, nothing recorded")
    else:
        log.info("erasure %s is on record, without who it was", found.erasure_id)
        if found.remains:
            log.info("%s", found.remains)


audit = typer.Typer(
    name="audit",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog="Example: sparkify audit prune --days 30",
)


@audit.callback()
def root(context: typer.Context) -> None:
    """Look after the audit tables."""
    if context.invoked_subcommand is None:
        say(context.get_help())


@command("prune", into=audit)
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
    emit(_counts(found))
    log.info(
        "%s runs before %s UTC; %s of them stay in the run log, since the ledger names them",
        count(found.runs),
        found.before.replace(microsecond=0),
        count(found.kept),
    )
    if dry_run:
        log.info("dry run; rolled back")


def _counts(found: Erasure | Pruning) -> str:
    rows = [(name, Counted(count(n))) for name, n in found.removed.items()]
    return table(("table", "rows"), rows, sys.stdout)


def _ask(found: Erasure, user: str) -> None:
    say(_counts(found))
    if not agrees(ask(f"erase user {user} for good, {count(found.rows)} rows? [y/N]")):
        raise UsageError("nothing was erased", "say --yes to go on without being asked")
