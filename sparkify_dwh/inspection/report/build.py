"""Building a report: the facts of the warehouse, rendered as a page."""

from __future__ import annotations

from ...dialects.base import Engine, SchemaCheck
from ...models.declare import Declarations
from .gather import gather
from .page import render
from .report import Report


def build_report(
    engine: Engine, declarations: Declarations, require_current: SchemaCheck
) -> Report:
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
