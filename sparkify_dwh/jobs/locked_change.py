"""One short change of the warehouse beside the loads: in its turn, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from ..core.errors import DatabaseError
from ..dialects.base import Engine, Ready
from ..steps.executor import Executor

RETRIES = 5


def in_turn(
    engine: Engine,
    ready: Ready,
    change: Callable[[Executor], Mapping[sa.Table, int]],
    *,
    dry_run: bool,
) -> list[str]:
    """Holds the loaders' lock and commits; where another session gets in the way, again.

    :param ready: raises where the schema is not this library's.
    :param change: makes the change, and returns the rows deleted of each table; what it raises
        rolls all of it back.
    :param dry_run: everything is rolled back in the end.
    :returns: warnings of what the engine did to the tables afterwards.
    :raises DatabaseError: when the database or its lock stands in the way.
    """
    try:
        for attempt in range(1, RETRIES + 1):
            try:
                return _once(engine, ready, change, dry_run)
            except DatabaseError as error:
                if attempt == RETRIES or not engine.is_conflict(error.__cause__ or error):
                    raise
            engine.tell("another session got in the way; starting again")
            time.sleep(0.1 * attempt)
        raise AssertionError
    finally:
        engine.close()


def _once(
    engine: Engine,
    ready: Ready,
    change: Callable[[Executor], Mapping[sa.Table, int]],
    dry_run: bool,
) -> list[str]:
    with engine.session() as connection:
        ready(connection)
        engine.sweep(connection)
        ex = Executor(connection)
        with connection.begin() as transaction:
            engine.lock(ex)
            deleted = change(ex)
            if dry_run:
                transaction.rollback()
        return [] if dry_run else engine.housekeep(ex, deleted)
