"""One self-contained HTML page about a warehouse: runs, books, refusals, rules, star, schema."""

from __future__ import annotations

from alembic.config import Config

from .. import schema
from ..declare import Declarations
from ..dialects.base import Engine
from .facts import Facts
from .gathering import gather
from .page import render
from .writing import Report, writable


def report(engine: Engine, declarations: Declarations, config: Config) -> Report:
    """See ``Warehouse.report``.

    :raises SchemaVersionError: when the database's schema version is not this library's.
    """
    with engine.session(read_only=True) as connection:
        schema.require_current(schema.status(connection, config))
        connection.rollback()
        facts = gather(engine, connection, declarations)
        connection.rollback()
    return Report(render(facts, declarations))


__all__ = ["Facts", "Report", "gather", "render", "report", "writable"]
