"""`query`: one question to the warehouse."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from ..core.errors import UsageError
from .app import Session, command
from .options import Json
from .output import count, emit, emit_csv, emit_json, records
from .tables import table

log = logging.getLogger("sparkify_dwh.cli")


@command("query")
def query(
    session: Session,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; - reads it from stdin.")],
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV to stdout.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="ROWS", help="Show at most so many rows.")
    ] = None,
) -> None:
    """Ask the warehouse; it is opened for reading only.

    Example: sparkify query "select level, count(*) from sparkify.users group by level"
    """
    if json and csv:
        raise UsageError("--json and --csv exclude each other", "choose one")
    found = session.warehouse().query(sys.stdin.read() if sql == "-" else sql, limit)
    if json:
        emit_json(records(found.columns, found.rows))
    elif csv:
        emit_csv(found.columns, found.rows)
    else:
        emit(table(found.columns, found.rows, sys.stdout))
        log.info("%s row%s", count(len(found)), "" if len(found) == 1 else "s")
