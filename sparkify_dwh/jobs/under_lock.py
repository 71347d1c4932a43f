"""One short change of the warehouse under the lock that loads take, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa

from ..core.errors import DatabaseError
from ..dialects.base import Engine, SchemaCheck
from ..steps.executor import Executor
from .retries import Retries


def under_lock(
    engine: Engine,
    require_current: SchemaCheck,
    change: Callable[[Executor], Mapping[sa.Table, int]],
    *,
    dry_run: bool,
) -> list[str]:
    """Makes a change under the lock and commits it; starts again where another session conflicts.

    :param require_current: raises where the schema is not this library's.
    :param change: makes the change, and returns the rows deleted of each table; what it raises
        rolls all of it back.
    :param dry_run: everything is rolled back in the end.
    :returns: warnings of what the engine did to the tables afterwards.
    :raises DatabaseError: when the database or its lock stands in the way.
    """
    retries = Retries(engine, engine.tell)
    try:
        while True:
            try:
                return _once(engine, require_current, change, dry_run)
            except DatabaseError as error:
                # Without an answer to COMMIT nobody knows whether the change is made.
                if engine.is_lost(error) or retries.ending(error) is not None:
                    raise
            retries.wait()
    finally:
        engine.close()


def _once(
    engine: Engine,
    require_current: SchemaCheck,
    change: Callable[[Executor], Mapping[sa.Table, int]],
    dry_run: bool,
) -> list[str]:
    with engine.session() as connection:
        require_current(connection)
        engine.sweep(connection)
        ex = Executor(connection)
        with ex.transaction(roll_back=dry_run):
            engine.lock(ex)
            deleted = change(ex)
        return [] if dry_run else engine.housekeep(ex, deleted)
