"""An executor that records statements instead of running them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .executor import DISCOVER, Executor


@dataclass(frozen=True)
class PlannedStatement:
    """A statement of a plan.

    :param sql: the statement, its binds as names.
    :param condition: when it runs; None: always.
    :param repeated: what it is repeated for; None: once.
    """

    step: str
    target: str | None
    sql: str
    condition: str | None = None
    repeated: str | None = None


class Planner(Executor):
    """Records what an executor would run: every branch, and each loop once.

    :param dialect: the one that statements are compiled for.
    :param ledger: a connection to ask what is loaded already; None: nothing is.
    :param assumes_new: whether every source counts as having new objects.
    """

    planning = True

    def __init__(
        self,
        dialect: sa.Dialect,
        ledger: sa.Connection | None = None,
        *,
        assumes_new: bool = False,
    ) -> None:
        self.dialect, self.ledger, self.assumes_new = dialect, ledger, assumes_new
        self.steps = {}
        self.statements: list[PlannedStatement] = []
        self._conditions: list[str] = []
        self._loops: list[str] = []

    @contextmanager
    def transaction(self, *, roll_back: bool = False) -> Iterator[None]:
        self.note("BEGIN")
        yield
        self.note("COMMIT")

    def rollback(self) -> None:
        if self.ledger is not None:
            self.ledger.rollback()

    @contextmanager
    def committing_each(self) -> Iterator[None]:
        yield

    def note(self, text: str) -> None:
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
        # Only what is loaded already decides what is new; the rest of a plan asks nothing.
        if self.ledger is not None and step == DISCOVER:
            return self.ledger.execute(statement, values).all()
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
