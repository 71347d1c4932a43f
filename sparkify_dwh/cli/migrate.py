"""`migrate`: changes or shows the schema version."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from ..core.errors import UsageError
from .app import Session, command
from .options import Json
from .output import agrees, ask, emit, emit_json, is_interactive, say

log = logging.getLogger("sparkify_dwh.cli")


@command("migrate")
def migrate(
    session: Session,
    to: Annotated[
        str, typer.Option("--to", metavar="REV", help="A revision, head, base, +1 or -1.")
    ] = "heads",
    status: Annotated[bool, typer.Option("--status", help="Only show versions.")] = False,
    sql: Annotated[
        bool,
        typer.Option("--sql", help="Show the SQL for an empty database, without connecting."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Downgrade even if rows are lost.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring the database's schema to this library's version.

    A downgrade may drop tables and columns. If they hold rows, it names them and asks, or needs
    --yes.

    Example: sparkify migrate --sql --database-url redshift+redshift_connector://host:5439/dev
    """
    if status and sql:
        raise UsageError("--status and --sql cannot be combined", "choose one")
    warehouse = session.warehouse()
    if sql:
        text = warehouse.migration_sql(to)
        emit_json({"sql": text}) if json else emit(text.rstrip())
        return
    before = warehouse.schema_status()
    if not status:
        _confirm_losses(to, [str(loss) for loss in warehouse.migration_losses(to)], yes)
    after = before if status else warehouse.migrate(to)
    if json:
        emit_json({"database": after.database, "library": after.library, "state": after.state})
    elif status:
        emit(
            f"database: {_versions(after.database)}\nlibrary:  {_versions(after.library)}\n"
            f"state:    {after.state}"
        )
    elif after.database == before.database:
        log.info("schema version is already %s", _versions(after.database))
    else:
        log.info("schema version %s -> %s", _versions(before.database), _versions(after.database))


def _confirm_losses(to: str, losses: list[str], yes: bool) -> None:
    """Names what a downgrade loses, and asks.

    :raises UsageError: when the user does not agree.
    """
    if not losses:
        return
    text = f"downgrading to {to} loses {', '.join(losses)}"
    if yes:
        log.warning("%s", text)
        return
    if is_interactive():
        say(text)
        if agrees(ask("lose them? [y/N]")):
            return
    raise UsageError(text, "use --yes to lose them")


def _versions(revisions: tuple[str, ...]) -> str:
    return ", ".join(revisions) or "none"
