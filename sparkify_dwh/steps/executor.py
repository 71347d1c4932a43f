"""The one place where statements run: on a connection, or into a plan.

Steps pass statements to an executor and get counts or rows back. ``Planner`` accepts the same calls
and records the statements instead, so a plan is exactly what a load runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..core.observer import SILENT, Fraction, Observer, unknown_fraction
from ..core.run_context import STEP

#: The step that finds out what is new; it changes nothing.
DISCOVER = "discover"


@dataclass
class Step:
    """A step's rows and seconds."""

    step: str
    target: str | None
    rows: int = 0
    seconds: float = 0.0


class Executor:
    """Runs statements on a connection and times each step."""

    #: Whether statements are written down instead of run.
    planning = False
    #: Whether every source counts as having new objects, as in a plan that lists none.
    assumes_new = False
    observer: Observer = SILENT
    fraction: Fraction = staticmethod(unknown_fraction)

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.steps: dict[tuple[str, str | None], Step] = {}
        self._commit_each = False

    @contextmanager
    def timed(self, step: str, target: str | None) -> Iterator[Step]:
        """Adds the time of the block to a step."""
        entry = self.steps.setdefault((step, target), Step(step, target))
        start = time.perf_counter()
        self.observer.enter(step, target, self.fraction)
        STEP.set(step)
        try:
            yield entry
        finally:
            entry.seconds += time.perf_counter() - start
            self.observer.leave(step, target, entry.rows, entry.seconds)

    def _execute(
        self, statement: sa.Executable, step: str, target: str | None, values: Any
    ) -> sa.CursorResult[Any]:
        with self.timed(step, target) as entry:
            result = self.connection.execute(statement, values)
            if not result.returns_rows and result.rowcount > 0:
                entry.rows += result.rowcount
            return result

    def change(
        self,
        statement: sa.Executable,
        values: Mapping[str, Any] | None = None,
        *,
        step: str,
        target: str | None = None,
    ) -> int:
        """Runs a statement that changes rows; returns how many."""
        count = self._execute(statement, step, target, values).rowcount
        if self._commit_each:
            self.connection.commit()
        return max(count, 0)

    def rows(
        self,
        statement: sa.Executable,
        values: Mapping[str, Any] | None = None,
        *,
        step: str,
        target: str | None = None,
    ) -> Sequence[sa.Row[Any]]:
        """Runs a query; returns its rows."""
        found = self._execute(statement, step, target, values).all()
        if self._commit_each:
            self.connection.commit()
        return found

    def numbers(
        self, statement: sa.Executable, *, step: str, target: str | None = None
    ) -> Mapping[str, int]:
        """Runs a query that returns one row of counts; returns them by name, NULL as 0."""
        (row,) = self.rows(statement, step=step, target=target)
        return {name: int(value or 0) for name, value in row._mapping.items()}

    def create(self, table: sa.Table, *, step: str, target: str | None = None) -> None:
        """Creates a temporary table."""
        self.change(sa.schema.CreateTable(table), step=step, target=target)

    @contextmanager
    def transaction(self, *, roll_back: bool = False) -> Iterator[None]:
        """Commits what the block changes, or rolls it back when asked to or when it raises."""
        with self.connection.begin() as transaction:
            yield
            if roll_back:
                transaction.rollback()

    def rollback(self) -> None:
        """Ends a transaction that only read."""
        self.connection.rollback()

    @contextmanager
    def committing_each(self) -> Iterator[None]:
        """Commits each statement of the block on its own: they write the load's own tables only."""
        self._commit_each = True
        try:
            yield
        finally:
            self._commit_each = False

    def note(self, text: str) -> None:
        """A line for the reader of a plan."""

    @contextmanager
    def when(self, condition: str, holds: object) -> Iterator[bool]:
        """Runs the statements of the block only if the condition holds."""
        yield bool(holds)

    def each(self, what: str, items: Iterable[Any]) -> Iterator[Any]:
        """Repeats the statements of the loop for each item."""
        yield from items


def temporary(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """A temporary table of a load."""
    return sa.Table(name, sa.MetaData(), *columns, prefixes=["TEMPORARY"])


def copied(columns: Any) -> list[sa.Column[Any]]:
    """Columns with the same names and types, without keys, comments or constraints."""
    return [sa.Column(c.name, c.type) for c in columns]
