"""The one place where statements run: by a connection, or into a plan.

Steps hand statements to an executor and get numbers or rows back. ``Planner`` takes the same calls
and writes the statements down instead, so a plan is what a load runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from .context import STEP
from .observe import SILENT, Fraction, Observer, unknown


@dataclass
class Step:
    """What a step did: rows it touched and seconds it took."""

    step: str
    target: str | None
    rows: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class PlannedStatement:
    """A statement of a plan.

    :param sql: the statement with the names of its binds.
    :param condition: when it runs; None: always.
    :param repeated: what it is repeated for; None: it runs once.
    """

    step: str
    target: str | None
    sql: str
    condition: str | None = None
    repeated: str | None = None


class Executor:
    """Runs statements on a connection and keeps the time of each step."""

    planning = False
    observer: Observer = SILENT
    fraction: Fraction = staticmethod(unknown)

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.steps: dict[tuple[str, str | None], Step] = {}
        #: Set while only the load's own tables are written, before its transaction begins.
        self.commit_each = False

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
        if self.commit_each:
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
        if self.commit_each:
            self.connection.commit()
        return found

    def numbers(
        self, statement: sa.Executable, *, step: str, target: str | None = None
    ) -> Mapping[str, int]:
        """Runs a query of one row of counts; returns them by name, NULL as 0."""
        (row,) = self.rows(statement, step=step, target=target)
        return {name: int(value or 0) for name, value in row._mapping.items()}

    def create(self, table: sa.Table, *, step: str, target: str | None = None) -> None:
        """Creates a temporary table."""
        self.change(sa.schema.CreateTable(table), step=step, target=target)

    @contextmanager
    def when(self, condition: str, holds: object) -> Iterator[bool]:
        """The statements of the block run only where the condition holds."""
        yield bool(holds)

    def each(self, what: str, items: Iterable[Any]) -> Iterator[Any]:
        """The statements of the loop are repeated for each item."""
        yield from items


@dataclass
class Planner(Executor):
    """Writes down what an executor would run: every branch, one round of every loop."""

    dialect: sa.Dialect = field(kw_only=True)
    statements: list[PlannedStatement] = field(default_factory=list)
    planning = True

    def __post_init__(self) -> None:
        self.steps = {}
        self.commit_each = False
        self._conditions: list[str] = []
        self._loops: list[str] = []

    def note(self, text: str) -> None:
        """A line of the plan that is no statement of a step, such as BEGIN."""
        self.statements.append(PlannedStatement("transaction", None, text))

    def _execute(
        self, statement: sa.Executable, step: str, target: str | None, values: Any
    ) -> sa.CursorResult[Any]:
        compiled = statement.compile(  # type: ignore[attr-defined]
            dialect=self.dialect, compile_kwargs={"render_postcompile": True}
        )
        self.statements.append(
            PlannedStatement(
                step,
                target,
                str(compiled).strip(),
                " and ".join(self._conditions) or None,
                self._loops[-1] if self._loops else None,
            )
        )
        return None  # type: ignore[return-value]

    def change(self, statement: Any, values: Any = None, *, step: str, target: Any = None) -> int:
        self._execute(statement, step, target, values)
        return 0

    def rows(
        self, statement: Any, values: Any = None, *, step: str, target: Any = None
    ) -> Sequence[sa.Row[Any]]:
        self._execute(statement, step, target, values)
        return []

    def numbers(self, statement: Any, *, step: str, target: Any = None) -> Mapping[str, int]:
        self._execute(statement, step, target, None)
        return dict.fromkeys((c.name for c in statement.selected_columns), 0)

    @contextmanager
    def when(self, condition: str, holds: object) -> Iterator[bool]:
        self._conditions.append(condition)
        try:
            yield True
        finally:
            self._conditions.pop()

    def each(self, what: str, items: Iterable[Any]) -> Iterator[Any]:
        self._loops.append(what)
        try:
            yield None
        finally:
            self._loops.pop()
