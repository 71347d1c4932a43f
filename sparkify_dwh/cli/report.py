"""`report`: writes one HTML page about the warehouse."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from ..core.quantity import digits
from .app import Session, command
from .output import emit_bytes

log = logging.getLogger("sparkify_dwh.cli")


@command("report")
def report(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="File to write; - is stdout.")],
) -> None:
    """Write one self-contained HTML page about the warehouse.

    It shows the newest run and its books, the history of runs, refused rows, rules over time,
    charts of the star, its schema and lineage. It needs no network. An existing HTML page is
    replaced.

    Example: sparkify report report.html
    """
    session.interrupted_message = "no report was written"
    warehouse = session.warehouse()
    if file == "-":
        emit_bytes(warehouse.report().html.encode("utf-8"))
        return
    page = warehouse.report(file)
    log.info("%s written: %s kB", file, digits(round(len(page.html.encode("utf-8")) / 1000)))
