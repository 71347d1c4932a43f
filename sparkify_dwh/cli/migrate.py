"""`migrate`: the schema's version."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from ..core.errors import UsageError
from .app import Session, command
from .options import Json
from .output import agrees, ask, emit, emit_json, is_watched, say

log = logging.getLogger("sparkify_dwh.cli")


@command("migrate")
def migrate(
    session: Session,
    to: Annotated[
        str, typer.Option("--to", metavar="REV", help="A revision, head, base, +1 or -1.")
    ] = "heads",
    status: Annotated[bool, typer.Option("--status", help="Show versions only.")] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Show the SQL for an empty database; connect to none.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Go back to a lower revision even if rows are lost.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring the database's schema to this library's version.

    A lower revision may drop tables and columns: where they hold rows, it names them and asks, or
    needs --yes.

    Example: sparkify migrate --sql --database-url redshift+redshift_connector://host:5439/dev
    """
    if status and sql:
        raise UsageError("--status and --sql exclude each other", "choose one")
    warehouse = session.warehouse()
    if sql:
        text = warehouse.migration_sql(to)
        emit_json({"sql": text}) if json else emit(text.rstrip())
        return
    before = warehouse.schema_status()
    if not status:
        _allow_losses(to, [str(loss) for loss in warehouse.migration_losses(to)], yes)
    found = before if status else warehouse.migrate(to)
    if json:
        emit_json({"database": found.database, "library": found.library, "state": found.state})
    elif status:
        emit(
            f"database: {_versions(found.database)}\nlibrary:  {_versions(found.library)}\n"
            f"state:    {found.state}"
        )
    elif found.database == before.database:
        log.info("schema version %s already", _versions(found.database))
    else:
        log.info("schema version %s -> %s", _versions(before.database), _versions(found.database))


def _allow_losses(to: str, lost: list[str], yes: bool) -> None:
    """Says what a downgrade loses.

    :raises UsageError: when it may not.
    """
    if not lost:
        return
    text = f"going back to {to} loses {', '.join(lost)}"
    if yes:
        log.warning("%s", text)
        return
    if is_watched():
        say(text)
        if agrees(ask("lose them? [y/N]")):
            return
    raise UsageError(text, "say --yes to lose them")


def _versions(revisions: tuple[str, ...]) -> str:
    return ", ".join(revisions) or "none"
