"""An executor that writes statements down instead of running them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from .executor import Executor


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
