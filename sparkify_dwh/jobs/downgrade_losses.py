"""What a downgrade would lose, read from the migrations it would run."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import sqlalchemy as sa
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from ..core.errors import UsageError
from ..models.audit import LoadLock
from ..models.base import table_of
from .migrate import goes_back, require_current, status

_NAME = r'"?(\w+)"?[.]"?(\w+)"?'
_TABLE = re.compile(rf"DROP TABLE (?:IF EXISTS )?{_NAME}")
_COLUMN = re.compile(rf'ALTER TABLE {_NAME} DROP (?:COLUMN )?(?:IF EXISTS )?"?(\w+)"?')


@dataclass(frozen=True)
class Loss:
    """A table, or a column of one, that a downgrade drops.

    :param column: name of the column; None: the whole table.
    :param rows: rows of the table; those that have a value in the column.
    """

    table: str
    column: str | None
    rows: int

    def __str__(self) -> str:
        name = self.table if self.column is None else f"{self.table}.{self.column}"
        return f"{name} ({self.rows:,} row{'' if self.rows == 1 else 's'})"


def losses(connection: sa.Connection, config: Config, to: str) -> list[Loss]:
    """The tables and columns that hold rows and that migrating to a revision would drop.

    :raises UsageError: when there is no such revision.
    :raises SchemaVersionError: when the database has a revision that this library does not know.
    """
    script = ScriptDirectory.from_config(config)
    found = status(connection, config)
    connection.rollback()
    if found.state == "newer":
        require_current(found)
    present = found.database
    text = io.StringIO()
    try:
        if not goes_back(script, to, present):
            return []
        # The steps that `alembic downgrade` takes; there is no public name for them.
        steps = script._downgrade_revs(to, present)  # type: ignore[arg-type]
        context = MigrationContext.configure(
            dialect=connection.dialect, opts={"as_sql": True, "output_buffer": text}
        )
        with Operations.context(context):
            for step in steps:
                step.revision.module.downgrade()
    except CommandError as error:
        raise UsageError(f"cannot migrate to {to}: {error}", "sparkify migrate --status") from None
    lost = [_lost(connection, *each) for each in _dropped(text.getvalue())]
    connection.rollback()
    return [loss for loss in lost if loss.rows]


def _dropped(sql: str) -> list[tuple[str, str, str | None]]:
    """Schema, table and column of what is dropped; no columns of dropped tables."""
    lock = table_of(LoadLock)
    tables = [(schema, table, None) for schema, table in _TABLE.findall(sql)]
    gone = {(schema, table) for schema, table, _ in tables}
    columns = [found for found in _COLUMN.findall(sql) if found[:2] not in gone]
    return [*(t for t in tables if t[:2] != (lock.schema, lock.name)), *columns]


def _lost(connection: sa.Connection, schema: str, table: str, column: str | None) -> Loss:
    values: list[sa.ColumnClause[object]] = [sa.column(column)] if column else []
    counted = sa.table(table, *values, schema=schema)
    what = sa.func.count(*values) if values else sa.func.count()
    rows = connection.execute(sa.select(what).select_from(counted)).scalar_one()
    return Loss(f"{schema}.{table}", column, rows)
