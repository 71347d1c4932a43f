"""One self-contained HTML page about a warehouse: runs, books, refusals, rules, star, schema."""

from __future__ import annotations

from ...dialects.base import Engine, SchemaCheck
from ...models.declare import Declarations
from .facts import Facts
from .gather import gather
from .page import render
from .report import Report, writable


def report(engine: Engine, declarations: Declarations, require_current: SchemaCheck) -> Report:
    """See ``Warehouse.report``.

    :param require_current: raises where the schema is not this library's.
    :raises SchemaVersionError: when the database's schema version is not this library's.
    """
    with engine.session(read_only=True) as connection:
        require_current(connection)
        connection.rollback()
        facts = gather(engine, connection, declarations)
        connection.rollback()
    return Report(render(facts, declarations))


__all__ = ["Facts", "Report", "gather", "render", "report", "writable"]
