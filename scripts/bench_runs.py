"""The bench's tools: commands timed in pairs, over generated data in one folder."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from sparkify_dwh.sample.generate import generate

HERE = Path(__file__).parent
#: Disk for the logs, spool and database of one event, rounded up.
BYTES_PER_EVENT = 2500

#: The median of ours and of theirs.
Pair = tuple[float, float]


@dataclass(frozen=True)
class Measured:
    """One process: wall seconds, CPU seconds, peak memory in MiB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Row:
    """A ratio and its limit."""

    name: str
    what: str
    limit: float
    ratio: float
    seconds: Pair
    peaks: Pair

    @property
    def passed(self) -> bool:
        return self.ratio <= self.limit


def timed(command: list[str]) -> Measured:
    """Runs a command and returns what the operating system charged to it."""
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    error = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} exited with {process.returncode}: {error.decode()}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def medians(runs: list[tuple[Measured, Measured]], value: Callable[[Measured], float]) -> Pair:
    """The median of a value on either side of the pairs."""
    ours, theirs = zip(*runs, strict=True)
    return statistics.median(map(value, ours)), statistics.median(map(value, theirs))


def walls_and_peaks(runs: list[tuple[Measured, Measured]]) -> tuple[Pair, Pair]:
    """Median seconds and median peaks of the pairs."""
    return medians(runs, lambda m: m.wall), medians(runs, lambda m: m.peak)


@dataclass(frozen=True)
class Bench:
    """The data and databases of one bench run, all in one folder."""

    folder: Path
    events: int
    songs: int
    rounds: int
    times: int

    def data(self, name: str, events: int, songs: int, days: int = 30, dirty: float = 0.0) -> Path:
        """Generated data, made once."""
        place = self.folder / name
        if not place.exists():
            place.mkdir()
            generate(place, events=events, songs=songs, days=days, seed=1, dirty=dirty)
        return place

    def clean(self, share: int = 1) -> Path:
        """Data without a dirty row: all the events and songs, or one share of several."""
        events, songs = self.events // share, self.songs // share
        return self.data(f"clean-{events}", events, songs)

    def load(self, data: Path, database: str, *options: str) -> list[str]:
        return [
            *(sys.executable, "-m", "sparkify_dwh", "load", "--quiet"),
            *("--database-url", f"duckdb:///{self.folder / database}"),
            *("--log-data", str(data / "log_data"), "--song-data", str(data / "song_data")),
            *("--max-reject-ratio", "1", *options),
        ]

    def fresh_load(self, data: Path, database: str, *options: str) -> list[str]:
        """A load that starts without a database."""
        self.remove(database)
        return self.load(data, database, *options)

    def songs_alone(self, place: str, database: str, *command: str) -> list[str]:
        """A command on song files only."""
        url = f"duckdb:///{self.folder / database}"
        sparkify = (sys.executable, "-m", "sparkify_dwh")
        return [*sparkify, *command, "--database-url", url, "--song-data", place]

    def baseline(self, data: Path, database: str) -> list[str]:
        """The hand-written SQL over the same data, starting without a database."""
        self.remove(database)
        return [
            *(sys.executable, str(HERE / "bench_baseline.py"), str(self.folder / database)),
            *(str(data / "log_data"), str(data / "song_data")),
        ]

    def remove(self, *databases: str) -> None:
        """Removes databases with their side files."""
        for name in databases:
            for path in self.folder.glob(name + "*"):
                path.unlink()

    def empty(self, name: str) -> None:
        """Puts a migrated database without rows there, for baselines that do not migrate."""
        template = self.folder / "empty.duckdb"
        if not template.exists():
            url = f"duckdb:///{template}"
            timed([sys.executable, "-m", "sparkify_dwh", "migrate", "--database-url", url])
        self.remove(name)
        shutil.copyfile(template, self.folder / name)

    def copy(self, name: str, to: str) -> None:
        """Copies a database and syncs it: otherwise the load's first fsync writes the copy."""
        shutil.copyfile(self.folder / name, self.folder / to)
        with (self.folder / to).open("rb+") as copied:
            os.fsync(copied.fileno())

    def pairs(
        self, ours: Callable[[], list[str]], theirs: Callable[[], list[str]]
    ) -> tuple[float, Pair, Pair]:
        """Median ratio, seconds and peaks of two commands run in turn."""
        runs = [(timed(ours()), timed(theirs())) for _ in range(self.rounds)]
        ratio = statistics.median(a.wall / b.wall for a, b in runs)
        return ratio, *walls_and_peaks(runs)
