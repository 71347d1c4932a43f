"""How far a load or a profile is: a line that draws itself on a terminal, a few lines elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core.progress import SILENT, Fraction, Observer, unknown
from .app import Session
from .output import is_terminal

log = logging.getLogger("sparkify_dwh.cli")
#: What each step belongs to, in the order of a load, and how it is called while it lasts.
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
#: Shares of the time, as measured on 1.5 million events; they only shape the time that is left.
_LOAD = {"read": 33, "judge": 14, "dedupe": 4, "stage": 18, "merge": 18, "resolve": 5, "check": 5}
_LOAD["record"] = 3
_PROFILE = {"read": 55, "profile": 45}
_FETCH = 50
#: Seconds before the first line where nothing can be drawn; each next one comes twice as late.
_FIRST_LINE = 10.0
#: A forecast needs so much of the work, and so many seconds, behind it.
_LEAST_DONE, _LEAST_SECONDS = 0.03, 1.0


class Meter(Observer):
    """Keeps what it is told; ``done``, ``rate`` and ``left`` say how far the work is.

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
        self._fraction: Fraction = unknown
        self._most = 0.0

    # What it is told ----------------------------------------------------------------------

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
        self._fraction = unknown  # a connection may be closed next
        if step in _PHASES:
            place = (_PHASES[step][0], target)
            self.rows[place] = max(rows, self.rows.get(place, 0))

    # What it tells ------------------------------------------------------------------------

    def _here(self) -> float:
        """How much of what is at work now is done."""
        amount = self.amounts.get(self.now, 0)
        total = self.totals.get(self.now, 0)
        told = min(1.0, amount / total) if total else 0.0
        within = self._fraction()
        if self.now[0] == "read" and total:
            # First the objects are looked through, then the engine reads them.
            told = told / 3 + (2 / 3 * within if within is not None else 0.0)
        elif within is not None and self.now[0] != "record":
            told = max(told, within)
        self.part[self.now] = max(self.part.get(self.now, 0.0), told)
        return self.part[self.now]

    def done(self) -> float:
        """Share of the work that is behind, from 0 to 1; never less than before."""
        self._here()
        whole, behind = sum(self.shares.values()), 0.0
        for (phase, target), part in list(self.part.items()):
            behind += self.shares.get(phase, 0) * self._share(phase, target) * part
        self._most = max(self._most, min(behind / whole, 1.0))
        return self._most

    def _share(self, phase: str, target: str | None) -> float:
        """The share of a source or a table in what a phase has to do."""
        if phase in ("resolve", "record", "profile"):
            return 1.0
        of = "dedupe" if phase in ("merge", "check") else "read"
        sizes = self.rows if of == "dedupe" else self.totals
        every = {name: n for (step, name), n in list(sizes.items()) if step == of}
        if target in every and phase != "dedupe":
            return every[target] / max(1, sum(every.values()))
        return 1 / self.tables

    def what(self) -> str:
        """What is done now, such as ``merging songplays``."""
        verb = _PHASES[self.step][1]
        return f"{verb} {self.now[1]}" if self.now[1] else verb

    def rate(self) -> str:
        """How fast: objects, MB or rows in a second; '' where nothing tells."""
        seconds = time.monotonic() - self.since
        if seconds < 0.2:
            return ""
        phase, source = self.now
        if phase == "list":
            return f"{self.amounts.get(self.now, 0):,} files"
        if phase == "fetch":
            return f"{self.amounts.get(self.now, 0) / seconds / 1e6:,.1f} MB/s"
        part = self._here()
        if phase == "read" and self.now in self.totals:
            return f"{self.totals[self.now] * part / seconds / 1e6:,.1f} MB/s"
        ahead = self.rows.get(("read", source), 0) or self.rows.get(("dedupe", source), 0)
        rows = part * ahead / seconds
        return f"{rows:,.0f} rows/s" if rows >= 1 and phase != "record" else ""

    def left(self) -> str:
        """The time that is left, roughly; '' as long as nobody can tell."""
        seconds, done = time.monotonic() - self.began, self.done()
        if done < _LEAST_DONE or seconds < _LEAST_SECONDS:
            return ""
        rest = seconds * (1 - done) / done
        minutes, seconds = divmod(round(rest), 60)
        return f"{minutes} min {seconds:.0f} s left" if minutes else f"{seconds:.0f} s left"

    def line(self) -> str:
        """All of it as a line."""
        parts = [self.what(), f"{self.done():.0%}", self.rate(), self.left()]
        return ", ".join(part for part in parts if part)


# Where it is shown -------------------------------------------------------------------------


@contextmanager
def showing(session: Session, *, profiling: bool = False) -> Iterator[Observer]:
    """An observer whose progress is shown on stderr as long as the block lasts.

    Nothing is shown with ``--quiet``, or among messages in JSON.
    """
    if session.quiet or not session.lines:
        yield SILENT
        return
    meter = Meter(_PROFILE if profiling else _LOAD)
    drawn = is_terminal(sys.stderr) and os.environ.get("TERM") not in (None, "dumb", "unknown")
    with _drawing(meter) if drawn else _lines(meter):
        yield meter


@contextmanager
def _drawing(meter: Meter) -> Iterator[None]:
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
def _lines(meter: Meter) -> Iterator[None]:
    stop = threading.Event()

    def tell() -> None:
        pause = _FIRST_LINE
        while not stop.wait(pause):
            log.info("%s", meter.line())
            pause *= 2

    thread = threading.Thread(target=tell, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(1.0)
