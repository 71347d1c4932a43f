"""`erase`: a person leaves the warehouse."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import UsageError
from .app import Session, command
from .options import Json, Yes
from .output import agrees, ask, count, emit, emit_json, is_watched, say
from .tables import removed_rows

if TYPE_CHECKING:
    from ..jobs.erase import Erasure

log = logging.getLogger("sparkify_dwh.cli")


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
    emit(removed_rows(found.removed))
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


def _ask(found: Erasure, user: str) -> None:
    say(removed_rows(found.removed))
    if not agrees(ask(f"erase user {user} for good, {count(found.rows)} rows? [y/N]")):
        raise UsageError("nothing was erased", "say --yes to go on without being asked")
