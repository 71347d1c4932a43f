"""How a load or a profile tells what it is doing, to whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable

#: How much of the statement at work is done, from 0 to 1; None where nobody knows. Any thread may
#: ask.
Fraction = Callable[[], float | None]


class Observer:
    """Is told how work goes on; a subclass overrides what it wants to know.

    Methods are called by the thread that works and must return at once. What they raise ends the
    work. Steps are those of ``Run.steps``, and ``list`` and ``fetch`` before them.
    """

    def begin(self, step: str, target: str | None, total: int, unit: str) -> None:
        """A step has so much ahead: ``bytes`` to read or fetch, ``tables`` to merge, ``fields``."""

    def advance(self, step: str, target: str | None, amount: int) -> None:
        """So much more of a step is done; of ``list``: objects found."""

    def enter(self, step: str, target: str | None, fraction: Fraction) -> None:
        """A statement, or other work, of a step begins.

        :param target: a source or a table.
        """

    def leave(self, step: str, target: str | None, rows: int, seconds: float) -> None:
        """The step stops for now.

        :param rows: rows that it changed so far; ``seconds``: that it took so far.
        """


#: Tells nobody.
SILENT = Observer()


def unknown_fraction() -> float | None:
    """The fraction where an engine does not tell one."""
    return None
