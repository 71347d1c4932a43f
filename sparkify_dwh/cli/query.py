"""`query`: runs one SELECT."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from ..core.errors import UsageError
from ..core.quantity import quantity
from .app import Session, command
from .options import Json
from .output import emit, emit_csv, emit_json, records
from .tables import table

log = logging.getLogger("sparkify_dwh.cli")


@command("query")
def query(
    session: Session,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; - reads it from stdin.")],
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Write CSV to stdout.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=0, metavar="ROWS", help="Show at most this many rows.")
    ] = None,
) -> None:
    """Run a query; the warehouse is opened read-only.

    Example: sparkify query "select level, count(*) from sparkify.users group by level"
    """
    if json and csv:
        raise UsageError("--json and --csv cannot be combined", "choose one")
    result = session.warehouse().query(sys.stdin.read() if sql == "-" else sql, limit)
    if json:
        emit_json(records(result.columns, result.rows))
    elif csv:
        emit_csv(result.columns, result.rows)
    else:
        emit(table(result.columns, result.rows, sys.stdout))
        log.info("%s", quantity(len(result), "row"))
