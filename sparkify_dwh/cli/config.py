"""`config`: shows the effective settings."""

from __future__ import annotations

import sys
from typing import Any

from .app import Session, command
from .options import Json
from .output import DIM, emit, emit_json
from .tables import table


@command("config")
def config(session: Session, json: Json = False) -> None:
    """Show the effective settings and where each comes from.

    Secrets are masked.

    Example: sparkify config --json
    """
    from ..core.settings import origins

    values = session.settings().masked()
    origin = origins(session.config, session.given)
    if json:
        emit_json([{"setting": n, "value": v, "origin": origin[n]} for n, v in values.items()])
        return
    # Defaults are dimmed, so that what was set stands out.
    styles = [DIM if origin[name] == "default" else None for name in values]
    rows = [(name, _readable(value), origin[name]) for name, value in values.items()]
    emit(table(("setting", "value", "from"), rows, sys.stdout, styles=styles, whole=True))


def _readable(value: Any) -> Any:
    if value in ({}, [], None):
        return None
    return f"{value:g}" if isinstance(value, float) else value
