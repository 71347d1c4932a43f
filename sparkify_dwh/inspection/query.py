"""Read-only queries."""

from __future__ import annotations

import sqlalchemy as sa

from ..core.errors import UsageError
from ..core.table import Table
from ..dialects.base import Engine


def query(engine: Engine, sql: str, limit: int | None) -> Table:
    """See ``Warehouse.query``."""
    if not sql.strip():
        raise UsageError("the query is empty", "give one SELECT")
    with engine.session(read_only=True) as connection:
        try:
            # Without parameters, drivers leave their marks alone, such as a percent sign.
            result = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
            if not result.returns_rows:
                raise UsageError("the statement returns no rows", "only queries are allowed")
            rows = result.fetchall() if limit is None else result.fetchmany(limit)
            return Table(tuple(result.keys()), [tuple(row) for row in rows])
        except (sa.exc.ProgrammingError, sa.exc.NotSupportedError, sa.exc.DataError) as error:
            message = f"the query failed: {engine.database_message(error)}"
            raise UsageError(message, engine.advice(error)) from error
        finally:
            connection.rollback()
