"""`erase`: removes a person from the warehouse."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import UsageError
from ..core.quantity import quantity
from .app import Session, command
from .options import Json, Yes
from .output import agrees, ask, emit, emit_json, is_interactive, say
from .tables import removed_rows

if TYPE_CHECKING:
    from ..jobs.erase import Erasure

log = logging.getLogger("sparkify_dwh.cli")


@command("erase")
def erase(
    session: Session,
    user: Annotated[str, typer.Option("--user", metavar="ID", help="The person's user id.")],
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would be removed, then roll back; record nothing."
        ),
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove a person from the star, staging and quarantine.

    In one transaction, recorded without the data. Later loads skip the person's rows, even those
    in old files. On a terminal it asks first. What it does not reach: docs/operations.md.

    Example: sparkify erase --user 10
    """
    warehouse = session.warehouse()
    if not dry_run and not yes and is_interactive():
        _confirm(warehouse.erase(user, dry_run=True), user)
    erasure = warehouse.erase(user, dry_run=dry_run)
    for warning in erasure.warnings:
        log.warning("%s", warning)
    if json:
        emit_json(erasure.to_dict())
        return
    emit(removed_rows(erasure.removed))
    if erasure.before:
        log.info("this person was erased before, at %s UTC", erasure.before.replace(microsecond=0))
    elif not erasure.rows:
        later = "" if dry_run else "; loads skip this person's rows from now on"
        log.warning("no rows of this person were found%s", later)
    if dry_run:
        log.info("dry run; rolled back, nothing recorded")
    else:
        log.info("erasure %s recorded, without the user id", erasure.erasure_id)
        if erasure.remains:
            log.info("%s", erasure.remains)


def _confirm(erasure: Erasure, user: str) -> None:
    say(removed_rows(erasure.removed))
    rows = quantity(erasure.rows, "row")
    if not agrees(ask(f"permanently erase user {user} and {rows}? [y/N]")):
        raise UsageError("nothing was erased", "use --yes to skip the question")
