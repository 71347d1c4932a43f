"""`report`: one HTML page about the warehouse."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from .app import Session, command
from .output import count, emit_bytes

log = logging.getLogger("sparkify_dwh.cli")


@command("report")
def report(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="File to write; - is stdout.")],
) -> None:
    """Write one self-contained HTML page about the warehouse.

    The newest run and its books, the history of runs, refused rows, rules over time, the star and
    what it answers, its schema and lineage. It needs no network; an HTML page that is there is
    replaced.

    Example: sparkify report report.html
    """
    session.interrupted = "no report was written"
    warehouse = session.warehouse()
    if file == "-":
        emit_bytes(warehouse.report().html.encode("utf-8"))
        return
    made = warehouse.report(file)
    log.info("%s written: %s kB", file, count(round(len(made.html.encode("utf-8")) / 1000)))
