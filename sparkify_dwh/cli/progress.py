"""Progress of a load or a profile: a live line on a terminal, a few lines elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core.observer import SILENT, Fraction, Observer, unknown_fraction
from ..core.quantity import quantity
from .app import Session
from .output import is_terminal

log = logging.getLogger("sparkify_dwh.cli")
#: The phase that each step belongs to, in the order of a load, and the verb shown for it.
_PHASES = {
    "list": ("list", "listing"),
    "fetch": ("fetch", "fetching"),
    "read": ("read", "reading"),
    "second look": ("read", "reading"),
    "repair": ("read", "repairing"),
    "profile": ("profile", "profiling"),
    "judge": ("judge", "judging"),
    "quarantine": ("judge", "judging"),
    "dedupe": ("dedupe", "deduplicating"),
    "stage": ("stage", "staging"),
    "merge": ("merge", "merging"),
    "resolve": ("resolve", "resolving"),
    "check": ("check", "checking"),
    "record": ("record", "recording"),
}
#: Shares of the time, measured on 1.5 million events; used to estimate the time left.
_LOAD = {"read": 33, "judge": 14, "dedupe": 4, "stage": 18, "merge": 18, "resolve": 5, "check": 5}
_LOAD["record"] = 3
_PROFILE = {"read": 55, "profile": 45}
_FETCH = 50
#: Seconds before the first line without a terminal; each pause is twice the one before.
_FIRST_LINE = 10.0
#: Estimating the time left needs this share of the work done, and this many seconds.
_LEAST_DONE, _LEAST_SECONDS = 0.03, 1.0


class Meter(Observer):
    """Collects progress; ``done``, ``rate`` and ``left`` sum it up.

    :param shares: share of the time by phase.
    """

    def __init__(self, shares: dict[str, int]) -> None:
        self.shares = dict(shares)
        self.totals: dict[tuple[str, str | None], int] = {}
        self.amounts: dict[tuple[str, str | None], int] = {}
        self.rows: dict[tuple[str, str | None], int] = {}
        self.part: dict[tuple[str, str | None], float] = {}
        self.now: tuple[str, str | None] = ("list", None)
        self.step = "list"
        self.tables = 1
        self.since = self.began = time.monotonic()
        self._fraction: Fraction = unknown_fraction
        self._most = 0.0

    # What a load reports ------------------------------------------------------------------

    def begin(self, step: str, target: str | None, total: int, unit: str) -> None:
        if unit == "tables":
            self.tables = max(1, total)
        else:
            self.totals[step, target] = total

    def advance(self, step: str, target: str | None, amount: int) -> None:
        self.amounts[step, target] = self.amounts.get((step, target), 0) + amount
        if step == "fetch" and "fetch" not in self.shares:
            self.shares["fetch"] = _FETCH

    def enter(self, step: str, target: str | None, fraction: Fraction) -> None:
        if step not in _PHASES:
            return
        place = (_PHASES[step][0], target)
        if place != self.now:
            self.part[self.now] = 1.0
            self.now, self.since = place, time.monotonic()
        self.step, self._fraction = step, fraction

    def leave(self, step: str, target: str | None, rows: int, seconds: float) -> None:
        self._fraction = unknown_fraction  # a connection may be closed next
        if step in _PHASES:
            place = (_PHASES[step][0], target)
            self.rows[place] = max(rows, self.rows.get(place, 0))

    # What is shown ------------------------------------------------------------------------

    def _done_of_phase(self) -> float:
        """Share of the current phase that is done."""
        amount = self.amounts.get(self.now, 0)
        total = self.totals.get(self.now, 0)
        done = min(1.0, amount / total) if total else 0.0
        within = self._fraction()
        if self.now[0] == "read" and total:
            # The objects are surveyed first, then the engine reads them.
            done = done / 3 + (2 / 3 * within if within is not None else 0.0)
        elif within is not None and self.now[0] != "record":
            done = max(done, within)
        self.part[self.now] = max(self.part.get(self.now, 0.0), done)
        return self.part[self.now]

    def done(self) -> float:
        """Share of the work that is done, from 0 to 1; never falls."""
        self._done_of_phase()
        whole, done = sum(self.shares.values()), 0.0
        for (phase, target), part in list(self.part.items()):
            done += self.shares.get(phase, 0) * self._share(phase, target) * part
        self._most = max(self._most, min(done / whole, 1.0))
        return self._most

    def _share(self, phase: str, target: str | None) -> float:
        """The share of a source or a table in the work of a phase."""
        if phase in ("resolve", "record", "profile"):
            return 1.0
        of = "dedupe" if phase in ("merge", "check") else "read"
        sizes = self.rows if of == "dedupe" else self.totals
        by_name = {name: n for (step, name), n in list(sizes.items()) if step == of}
        if target in by_name and phase != "dedupe":
            return by_name[target] / max(1, sum(by_name.values()))
        return 1 / self.tables

    def what(self) -> str:
        """The current work, such as ``merging songplays``."""
        verb = _PHASES[self.step][1]
        return f"{verb} {self.now[1]}" if self.now[1] else verb

    def rate(self) -> str:
        """The speed in MB or rows per second, or the files listed; '' if unknown."""
        seconds = time.monotonic() - self.since
        if seconds < 0.2:
            return ""
        phase, source = self.now
        if phase == "list":
            return quantity(self.amounts.get(self.now, 0), "file")
        if phase == "fetch":
            return f"{self.amounts.get(self.now, 0) / seconds / 1e6:,.1f} MB/s"
        part = self._done_of_phase()
        if phase == "read" and self.now in self.totals:
            return f"{self.totals[self.now] * part / seconds / 1e6:,.1f} MB/s"
        ahead = self.rows.get(("read", source), 0) or self.rows.get(("dedupe", source), 0)
        rows = part * ahead / seconds
        return f"{quantity(round(rows), 'row')}/s" if rows >= 1 and phase != "record" else ""

    def left(self) -> str:
        """A rough estimate of the time left; '' until there is one."""
        seconds, done = time.monotonic() - self.began, self.done()
        if done < _LEAST_DONE or seconds < _LEAST_SECONDS:
            return ""
        rest = seconds * (1 - done) / done
        minutes, seconds = divmod(round(rest), 60)
        return f"{minutes} min {seconds:.0f} s left" if minutes else f"{seconds:.0f} s left"

    def line(self) -> str:
        """All of this on one line."""
        parts = [self.what(), f"{self.done():.0%}", self.rate(), self.left()]
        return ", ".join(part for part in parts if part)


# Showing it -----------------------------------------------------------------------------


@contextmanager
def showing(session: Session, *, profiling: bool = False) -> Iterator[Observer]:
    """An observer whose progress is shown on stderr during the block.

    Shows nothing with ``--quiet`` or ``--log-format json``.
    """
    if session.quiet or not session.logs_text:
        yield SILENT
        return
    meter = Meter(_PROFILE if profiling else _LOAD)
    can_draw = is_terminal(sys.stderr) and os.environ.get("TERM") not in (None, "dumb", "unknown")
    with _live_line(meter) if can_draw else _few_lines(meter):
        yield meter


@contextmanager
def _live_line(meter: Meter) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from ..core.safe_text import escape_controls

    def picture() -> Any:
        done = meter.done()
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(no_wrap=True, width=24)
        grid.add_column(ratio=1)
        for width in (4, 14, 13):
            grid.add_column(no_wrap=True, justify="right", min_width=width)
        bar = ProgressBar(total=1.0, completed=done)
        texts = (f"{done:4.0%}", meter.rate(), meter.left())
        grid.add_row(Text(escape_controls(meter.what())), bar, *(Text(text) for text in texts))
        return grid

    console = Console(stderr=True, highlight=False, markup=False)
    with Live(get_renderable=picture, console=console, transient=True, refresh_per_second=8):
        yield


@contextmanager
def _few_lines(meter: Meter) -> Iterator[None]:
    stop = threading.Event()

    def report() -> None:
        pause = _FIRST_LINE
        while not stop.wait(pause):
            log.info("%s", meter.line())
            pause *= 2

    thread = threading.Thread(target=report, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(1.0)
