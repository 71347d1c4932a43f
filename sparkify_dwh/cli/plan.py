"""`plan`: the statements of the next load."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from ..core.errors import UsageError
from ..core.quantity import digits
from .app import Session, command
from .exits import SOMETHING_TO_LOAD
from .options import Json
from .output import emit, emit_json

log = logging.getLogger("sparkify_dwh.cli")


@command("plan")
def plan(
    session: Session,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Plan for duckdb or redshift with an empty ledger, without connecting or listing.",
        ),
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Include objects already loaded.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 10 when there is something to load.")
    ] = False,
    json: Json = False,
) -> int:
    """Show the statements of the next load, in order.

    Creates no database and records nothing. `-- if …` marks a conditional statement, `-- per …`
    a repeated one.

    Example: sparkify plan --engine redshift
    """
    if engine is not None and exit_code:
        raise UsageError(
            "--exit-code and --engine cannot be combined",
            "leave out --engine: it does not list what is new",
        )
    plan = session.warehouse().plan(engine, all=all)
    if json:
        emit_json(plan.to_dict())
    else:
        emit(str(plan))
        if plan.objects is not None:
            counts = ", ".join(f"{name} {digits(n)}" for name, n in plan.objects.items())
            log.info("to load: %s", counts if plan.pending else "nothing new")
    return SOMETHING_TO_LOAD if exit_code and plan.pending else 0
