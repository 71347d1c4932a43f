"""The interface through which loads and profiles report their progress."""

from __future__ import annotations

from collections.abc import Callable

#: The share of the running statement that is done, from 0 to 1; None where it is unknown. May be
#: called from any thread.
Fraction = Callable[[], float | None]


class Observer:
    """Receives the progress of a load or a profile; a subclass overrides what it needs.

    The working thread calls the methods, so they must return at once. An exception they raise
    ends the work. Steps are those of ``Run.steps``, preceded by ``list`` and ``fetch``.
    """

    def begin(self, step: str, target: str | None, total: int, unit: str) -> None:
        """A step begins.

        :param total: amount ahead, in ``unit``: ``bytes`` to read or fetch, ``tables`` to merge,
            ``fields`` to profile.
        """

    def advance(self, step: str, target: str | None, amount: int) -> None:
        """A further ``amount`` of a step is done; for ``list``, objects found."""

    def enter(self, step: str, target: str | None, fraction: Fraction) -> None:
        """A statement, or other work, of a step begins.

        :param target: a source or a table.
        """

    def leave(self, step: str, target: str | None, rows: int, seconds: float) -> None:
        """The step pauses or ends.

        :param rows: rows it has changed so far; ``seconds``: time it has taken so far.
        """


#: Ignores everything.
SILENT = Observer()


def unknown_fraction() -> float | None:
    """The fraction for an engine that reports none."""
    return None
