"""`plan`: the statements of the next load."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from ..core.errors import UsageError
from .app import Session, command
from .exits import SOMETHING_TO_LOAD
from .options import Json
from .output import count, emit, emit_json

log = logging.getLogger("sparkify_dwh.cli")


@command("plan")
def plan(
    session: Session,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Plan for duckdb or redshift with an empty ledger; neither connects nor lists.",
        ),
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Also objects that were loaded.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 10 when there is something to load.")
    ] = False,
    json: Json = False,
) -> int:
    """Show the statements of the next load, in order.

    Creates no database and records nothing. A line `-- if …` marks a statement that runs only
    then, `-- per …` one that is repeated.

    Example: sparkify plan --engine redshift
    """
    if engine is not None and exit_code:
        raise UsageError("--exit-code needs to list what is new", "leave out --engine")
    found = session.warehouse().plan(engine, all=all)
    if json:
        emit_json(found.to_dict())
    else:
        emit(str(found))
        if found.objects is not None:
            each = ", ".join(f"{name} {count(n)}" for name, n in found.objects.items())
            log.info("to load: %s", each if found.pending else "nothing new")
    return SOMETHING_TO_LOAD if exit_code and found.pending else 0
